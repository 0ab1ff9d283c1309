//! [`Task`]: one thing on its way through a process. [`HistoryEvent`]: what it did.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::descent::Descent;
use crate::model::effect::Effect;
use crate::model::fan_out::FanOut;
use crate::model::fault::Fault;
use crate::model::marks::Marks;
use crate::model::names::{Address, NodeName, ProcessId, Ref, TaskId};
use crate::model::params::Params;
use crate::model::time::Timestamp;

/// One thing on its way through a process. Only the step changes one; every change is a commit of
/// the whole task, so after a crash it stands as its last commit says. Moments are in milliseconds since 1970
/// (UTC), by the clock as the step was told it, and are moved along when the wall clock is found to have been
/// set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Given by the runner at birth, never given twice, and never changed.
    pub id: TaskId,
    /// The process it goes through; never changed.
    pub process: ProcessId,
    /// The name others address it by: unique among the live tasks of the process, free again when it ends.
    pub reference: Ref,
    /// Its data, at most `limits: {params}` bytes as JSON. Written by its nodes and by signals, all of one
    /// decision or nothing of it.
    pub params: Params,
    /// The node it stands on; of one that has ended, the node on which it did.
    pub at: NodeName,
    /// What it does there.
    pub state: State,
    /// When a runner must look at it next. The only scheduler: what is ready, delayed, retried, timed out,
    /// orphaned by a crash or to be removed is just *due*. While it is doing something this is the end of the
    /// lease, which the runner that holds it moves on. Null: nothing but a signal moves it, or its process is
    /// paused.
    pub due: Option<Timestamp>,
    /// Counts claims, from 0; raised by the store. A commit under an older epoch is refused as stale.
    pub epoch: u64,
    /// Counts commits: 0 before the first; the task's `ETag`.
    pub revision: u64,
    /// Counts arrivals at nodes: 0 before the first. With the task and the node it makes the key of an
    /// effect.
    pub visit: u64,
    /// How many tries of the present node have failed on this visit; 0 on arrival, and when its node has come
    /// further.
    pub attempt: u32,
    /// When it was born; never moved.
    pub created_at: Timestamp,
    /// When it came to the node it stands on.
    pub since: Timestamp,
    /// The last fault, until the next one; null before the first. A task that failed did so for this.
    pub fault: Option<Fault>,
    /// What a person has been told about and that has not healed yet; written by the escalation that raised
    /// it.
    pub alarm: Option<Alarm>,
    /// The task that waits for this one's reply; null when it was given, and for who was not called.
    pub caller: Option<ReplyTo>,
    /// The calls of the `each` it stands on; null elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fan_out: Option<Arc<FanOut>>,
    /// What `end` gave as the result; null before, and where it gave none.
    pub result: Option<Value>,
    /// What of it beside its params is secret: `/link`, or places in `/result`.
    #[serde(default, skip_serializing_if = "Marks::is_empty")]
    pub marks: Marks,
    /// When it is removed; null while it lives.
    #[serde(default)]
    pub kept_until: Option<Timestamp>,
    /// The link that a person may follow to move this task on, while it waits for that; else null.
    pub link: Option<String>,
    /// How far its node has come on this visit, as the node itself writes it (pages that were read); null on
    /// arrival.
    #[serde(default)]
    pub progress: Option<Value>,
    /// What it waits for outside, in words (`room at api.example.org`); null where it waits for nothing.
    #[serde(default)]
    pub awaits: Option<String>,
    /// The births above it without a rest. Written at birth, emptied when it has rested.
    #[serde(default, skip_serializing_if = "Descent::is_none")]
    pub descent: Descent,
    /// Of how many steps of the wall clock it had heard when it was committed last, by the step; 0 before.
    #[serde(default, skip_serializing_if = "is_none")]
    pub clock: u32,
    /// Since when it has waited for that; null when `awaits` is. A restart does not change it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub awaits_since: Option<Timestamp>,
    /// A hash of what it was submitted with under an idempotency key; null without one. Written at birth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub submitted: Option<String>,
    /// Secret chance, given at birth: one-time keys are made from it.
    pub seed: Seed,
}

impl Task {
    /// A new task on the node `at`, before its first step.
    pub fn new(birth: Birth, address: Address, at: NodeName, params: Params, now: Timestamp) -> Task {
        Task {
            id: birth.id,
            process: address.process,
            reference: address.reference,
            params,
            at,
            state: State::Ready { at: now },
            due: Some(now),
            epoch: 0,
            revision: 0,
            visit: 0,
            attempt: 0,
            created_at: now,
            since: now,
            fault: None,
            alarm: None,
            caller: None,
            fan_out: None,
            result: None,
            marks: Marks::default(),
            kept_until: None,
            link: None,
            progress: None,
            awaits: None,
            descent: birth.descent,
            clock: 0,
            awaits_since: None,
            submitted: None,
            seed: birth.seed,
        }
    }

    /// Where others find it.
    pub fn address(&self) -> Address {
        Address { process: self.process.clone(), reference: self.reference.clone() }
    }

    /// Whether others find it there.
    pub fn is_at(&self, address: &Address) -> bool {
        self.reference == address.reference && self.process == address.process
    }

    /// Whether it only runs a chunk of the calls of another task's `each`.
    pub fn is_chunk(&self) -> bool {
        self.fan_out.as_ref().is_some_and(|fan_out| fan_out.chunk)
    }

    /// Where the chunk of its fan-out is that begins with the item at `index`.
    pub fn chunk(&self, index: u64) -> Address {
        let name = format!("chunk-{}-{}-{}-{index}", self.id, self.visit, self.attempt);
        let reference = Ref::new(&name).expect("a few numbers are a good name");
        Address { process: self.process.clone(), reference }
    }

    /// Where it stands and in what state, for counting.
    pub fn place(&self) -> NodePosition {
        NodePosition { node: self.at.clone(), phase: self.state.phase() }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_none(steps: &u32) -> bool {
    *steps == 0
}

/// What a task does on its node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// To be stepped at that moment: new, yielded, or between two tries.
    Ready {
        /// The moment.
        at: Timestamp,
    },
    /// The world owes an answer.
    Doing(Box<Effect>),
    /// Until that moment, if there is one, or until a signal comes.
    Waiting {
        /// The moment.
        until: Option<Timestamp>,
    },
    /// It came to an end.
    Done,
    /// It came to a bad end; the task's `fault` says why.
    Failed,
    /// A person ended it.
    Cancelled,
}

impl State {
    /// The state without its data.
    pub fn phase(&self) -> Phase {
        match self {
            State::Ready { .. } => Phase::Ready,
            State::Doing(_) => Phase::Doing,
            State::Waiting { .. } => Phase::Waiting,
            State::Done => Phase::Done,
            State::Failed => Phase::Failed,
            State::Cancelled => Phase::Cancelled,
        }
    }
}

/// A state without its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// See [`State::Ready`].
    Ready,
    /// See [`State::Doing`].
    Doing,
    /// See [`State::Waiting`].
    Waiting,
    /// See [`State::Done`].
    Done,
    /// See [`State::Failed`].
    Failed,
    /// See [`State::Cancelled`].
    Cancelled,
}

impl Phase {
    /// All of them, in the order a task may take them.
    pub const ALL: [Phase; 6] =
        [Phase::Ready, Phase::Doing, Phase::Waiting, Phase::Done, Phase::Failed, Phase::Cancelled];

    /// Whether the task can still move.
    pub fn is_live(self) -> bool {
        matches!(self, Phase::Ready | Phase::Doing | Phase::Waiting)
    }

    /// As it stands in JSON and on screen.
    pub fn as_str(self) -> &'static str {
        match self {
            Phase::Ready => "ready",
            Phase::Doing => "doing",
            Phase::Waiting => "waiting",
            Phase::Done => "done",
            Phase::Failed => "failed",
            Phase::Cancelled => "cancelled",
        }
    }
}

/// Where a task stands and in what state.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodePosition {
    /// The node.
    pub node: NodeName,
    /// The state.
    pub phase: Phase,
}

/// What a person has been told about, or should be. Written by the escalation on which it was raised, in the
/// commit of the task; gone when it is resolved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alarm {
    /// The node that raised it.
    pub node: NodeName,
    /// The state it speaks of: the node's `once_per`. Another state is another alarm.
    pub once: String,
    /// Raised at.
    pub since: Timestamp,
    /// Last delivered at; null while no channel has delivered it. After a crash between a delivery and its
    /// commit it is delivered once more.
    pub notified_at: Option<Timestamp>,
    /// The channels that delivered it last.
    pub by: Vec<String>,
    /// The message.
    pub text: String,
    /// Why it was not delivered when that was tried last; null if it was.
    pub problem: Option<String>,
    /// The level that was reached last, from 0.
    #[serde(default)]
    pub level: u32,
    /// When that level was told first; null while it was not, and in alarms from before there were levels.
    #[serde(default)]
    pub level_notified_at: Option<Timestamp>,
    /// The level that is being told, if it is another.
    #[serde(default)]
    pub next_level: Option<u32>,
    /// All channels that delivered it, or what was wrong before it and has not healed since: whoever was told
    /// is told when it heals.
    #[serde(default)]
    pub reached: Vec<String>,
    /// The visit of the task on which it was raised: the links that acknowledge it are made of that.
    #[serde(default)]
    pub visit: u64,
    /// Who has acknowledged it; null while nobody has. Nobody is told more.
    #[serde(default)]
    pub acknowledged: Option<Acknowledged>,
}

impl Alarm {
    /// When the present level was told. Alarms from before there were levels know only when they were told.
    pub fn level_notified(&self) -> Option<Timestamp> {
        self.level_notified_at.or(self.notified_at)
    }
}

/// Who has acknowledged an alarm, and since when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledged {
    /// When.
    pub at: Timestamp,
    /// Who, or `link`.
    pub by: String,
}

/// A task that waits for a reply.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReplyTo {
    /// The task.
    pub task: TaskId,
    /// On which visit it called.
    pub visit: u64,
    /// Which of its calls this is, if it makes several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<Ticket>,
}

/// One of the calls of an `each`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// The try of the node that called.
    pub attempt: u32,
    /// The place of the item in the list.
    pub index: u64,
}

/// 128 bits of chance.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seed(pub [u8; 16]);

impl fmt::Debug for Seed {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("Seed(***)")
    }
}

/// What only the runner can give a new task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Birth {
    /// Its number.
    pub id: TaskId,
    /// Its chance.
    pub seed: Seed,
    /// The births above it without a rest; none for a task that comes from outside.
    #[serde(default, skip_serializing_if = "Descent::is_none")]
    pub descent: Descent,
}

impl Birth {
    /// That of a task which comes from outside.
    pub fn new(id: TaskId, seed: Seed) -> Birth {
        Birth { id, seed, descent: Descent::default() }
    }
}

/// One line of a task's history. Secret params are masked before it is made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HistoryEvent {
    /// When.
    pub at: Timestamp,
    /// The node it speaks of.
    pub node: NodeName,
    /// What happened there: `came`, `due`, `answered 200`, `signal`, `wake by ann`, ….
    pub event: String,
    /// The node the task went to, if it went.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<NodeName>,
    /// Which try it was, from 1.
    pub attempt: u32,
    /// What was asked, without query, secrets or body: `POST https://host/path`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<String>,
    /// New values, masked and shortened.
    #[serde(default, skip_serializing_if = "Params::is_empty")]
    pub set: Params,
    /// Removed params.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unset: Vec<String>,
    /// What went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
}
