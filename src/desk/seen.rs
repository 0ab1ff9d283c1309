//! [`Replays`]: the signatures of requests that are under way, and the names of those on disk.

use std::collections::{BTreeSet, HashSet};
use std::sync::Mutex;

/// What is remembered of signed requests.
#[derive(Debug, Default)]
pub(super) struct Replays {
    /// Their requests are under way.
    pub(super) under_way: Mutex<HashSet<String>>,
    /// The names of those on disk, oldest first.
    pub(super) known: Mutex<BTreeSet<String>>,
}
