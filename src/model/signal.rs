//! [`Signal`]: data from one task, or a person, to another; [`Command`]: what a person wants done with a
//! task.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::fan_out::FanOut;
use crate::model::fault::Fault;
use crate::model::names::{Address, NodeName, TaskId};
use crate::model::params::Params;
use crate::model::task::{Birth, ReplyTo, Ticket};

/// A word from one task, or a person, to another. Delivered in the commit that wrote it: exactly once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Signal {
    /// For whom.
    pub to: SignalTarget,
    /// What it says.
    pub kind: SignalKind,
}

/// For whom a signal is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SignalTarget {
    /// The live task of that name.
    Address(Address),
    /// That very task.
    Task(TaskId),
}

/// What a signal says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SignalKind {
    /// Be born. Refused with `RefTaken` if the name is taken.
    Create {
        /// The first params.
        params: Params,
        /// Who waits for the reply.
        caller: Option<ReplyTo>,
        /// The node it begins on; set by the runner, which knows the process, if it is not said.
        at: Option<NodeName>,
        /// Set by the runner.
        birth: Option<Birth>,
    },
    /// Be born as a chunk of the fan-out of the `each` that writes this.
    Chunk {
        /// Who waits for the reply.
        caller: ReplyTo,
        /// The node of both.
        at: NodeName,
        /// The calls it makes.
        fan_out: Arc<FanOut>,
        /// Set by the runner.
        birth: Option<Birth>,
    },
    /// Lay these over your params; a node that waits for a signal takes it as one.
    Modify {
        /// The new values.
        params: Params,
    },
    /// The reply to a call.
    Answer {
        /// The visit that called.
        visit: u64,
        /// Which of its calls.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ticket: Option<Ticket>,
        /// What was replied.
        answer: Result<Params, Fault>,
    },
    /// What a person wants done.
    Command {
        /// What.
        command: Command,
        /// Who, for the history.
        by: String,
    },
}

impl SignalKind {
    /// Whether a task is born of it.
    pub fn is_birth(&self) -> bool {
        matches!(self, SignalKind::Create { .. } | SignalKind::Chunk { .. })
    }

    /// The reply to `caller`.
    pub fn answer(caller: &ReplyTo, answer: Result<Params, Fault>) -> SignalKind {
        SignalKind::Answer { visit: caller.visit, ticket: caller.ticket, answer }
    }
}

/// What a person may want done with a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Command {
    /// Lay these over the params.
    Modify {
        /// The new values.
        params: Params,
        /// Only if the task still has this revision.
        revision: Option<u64>,
    },
    /// Go on now.
    Wake,
    /// Try the failed node again.
    Retry,
    /// Go to that node.
    Move {
        /// Which.
        to: NodeName,
    },
    /// End here.
    Cancel,
    /// The alarm is acknowledged: stop telling of it.
    Acknowledge {
        /// The key of the link, if it was one.
        key: Option<String>,
    },
}

impl Command {
    /// As it stands in the history.
    pub fn as_str(&self) -> &'static str {
        match self {
            Command::Modify { .. } => "modify",
            Command::Wake => "wake",
            Command::Retry => "retry",
            Command::Move { .. } => "move",
            Command::Cancel => "cancel",
            Command::Acknowledge { .. } => "ack",
        }
    }
}
