//! [`Transition`]: a task as it stands next, with its letters and its trail. Committed whole or not at all.

use serde::{Deserialize, Serialize};

use crate::model::fault::Fault;
use crate::model::params::Params;
use crate::model::task::{HistoryEvent, NodePosition, Signal, Task};
use crate::model::time::Timestamp;

/// The number of a letter in a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LetterId(pub i64);

/// One move of one task.
#[derive(Clone, Debug, PartialEq)]
pub struct Transition {
    /// The task as it stands next; its `turn` is the one it was claimed under.
    pub task: Task,
    /// Where it stood before; none for a task that is new.
    pub before: Option<NodePosition>,
    /// The revision it was made of. A task that has another one by now has been committed since, by this very
    /// transition perhaps, and it is refused as stale. None: under its turn it holds whatever there is.
    pub base: Option<u64>,
    /// What it writes to others.
    pub signals: Vec<Signal>,
    /// What it did.
    pub events: Vec<HistoryEvent>,
    /// The letters it read, and which of them it refused.
    pub read: Vec<Reading>,
    /// When.
    pub at: Timestamp,
    /// The task is removed with all that belongs to it.
    pub gone: bool,
    /// What whoever waits outside for a reply is told. Kept nowhere.
    pub reply: Option<Result<Params, Fault>>,
    /// For a new task: the key under which a repeated submit finds it again.
    pub idempotency: Option<String>,
}

/// A letter that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// Which.
    pub signal: LetterId,
    /// Why it changed nothing, if so.
    pub refused: Option<Fault>,
}
