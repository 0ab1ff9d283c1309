//! [`Transition`]: a task as it stands next, with its signals and its history. Committed whole or not at all.

use serde::{Deserialize, Serialize};

use crate::model::fault::Fault;
use crate::model::params::Params;
use crate::model::signal::Signal;
use crate::model::task::{HistoryEvent, NodePosition, Task};
use crate::model::time::Timestamp;

/// The number of a signal in a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SignalId(pub i64);

/// One move of one task.
#[derive(Clone, Debug, PartialEq)]
pub struct Transition {
    /// The task as it stands next; its `epoch` is the one it was claimed under.
    pub task: Task,
    /// Where it stood before; none for a task that is new.
    pub before: Option<NodePosition>,
    /// The revision it was made of. A task that has another one by now has been committed since, by this very
    /// transition perhaps, and it is refused as stale. None: under its epoch it holds whatever there is.
    pub base: Option<u64>,
    /// What it writes to others.
    pub signals: Vec<Signal>,
    /// What it did.
    pub events: Vec<HistoryEvent>,
    /// The signals it read, and which of them it refused.
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

/// A signal that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// Which.
    pub signal: SignalId,
    /// Why it changed nothing, if so.
    pub refused: Option<Fault>,
}
