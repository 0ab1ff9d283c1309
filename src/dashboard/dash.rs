//! [`Dash`]: what every page may use.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use tokio_util::sync::CancellationToken;

use crate::dashboard::picture::Pictures;
use crate::service::service::Service;

/// What every page may use. Cheap to clone.
#[derive(Clone)]
pub(super) struct Dash {
    /// Every verb.
    pub(super) service: Arc<Service>,
    /// The pictures of processes, drawn once.
    pub(super) pictures: Arc<Pictures>,
    /// How many pages listen for what happens.
    pub(super) listeners: Arc<AtomicU32>,
    /// The server is stopping: streams end.
    pub(super) stop: CancellationToken,
}
