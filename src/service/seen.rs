//! What the service remembers while it runs, of signed requests, of schedules and of values that die.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Mutex;
use std::sync::atomic::AtomicI64;

use tokio::sync::Notify;

use crate::engine::watchdog::Watchdog;
use crate::model::names::ProcessId;
use crate::model::time::Timestamp;

/// What is remembered of signed requests.
#[derive(Debug, Default)]
pub(super) struct Replays {
    /// Their requests are under way.
    pub(super) under_way: Mutex<HashSet<String>>,
    /// The names of those on disk, oldest first.
    pub(super) known: Mutex<BTreeSet<String>>,
}

/// What is remembered of schedules while the engine runs.
#[derive(Debug, Default)]
pub(super) struct Schedules {
    /// Something was deployed, paused or resumed.
    pub(super) changed: Notify,
    /// One look at a time.
    pub(super) looking: tokio::sync::Mutex<()>,
    /// Since when each process has been looked after without a break.
    pub(super) since: Mutex<HashMap<ProcessId, Timestamp>>,
}

/// The last check of the store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct LastCheck {
    /// How many rows the one that is under way has opened; none if none is.
    pub(super) running: Option<u64>,
    /// When it ended, well or not.
    pub(super) at: Option<Timestamp>,
    /// How many rows it opened.
    pub(super) rows: u64,
    /// Why it could not read on.
    pub(super) error: Option<String>,
}

/// What the watchdog's loop remembers.
#[derive(Debug, Default)]
pub(super) struct Watch {
    pub(super) dog: Mutex<Watchdog>,
    /// The moment of the last look, in milliseconds since 1970; 0 before the first.
    pub(super) looked: AtomicI64,
}
