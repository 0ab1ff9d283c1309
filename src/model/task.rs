//! [`Task`]: one thing on its way through a process. [`Signal`]: a word to it. [`HistoryEvent`]: what it did.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::descent::Descent;
use crate::model::effect::Effect;
use crate::model::fault::Fault;
use crate::model::marks::Marks;
use crate::model::names::{Address, NodeName, ProcessId, Ref, TaskId};
use crate::model::params::Params;
use crate::model::round::FanOut;
use crate::model::time::Timestamp;

/// One thing on its way through a process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Unique for ever.
    pub id: TaskId,
    /// The process it goes through.
    pub process: ProcessId,
    /// The name others address it by; unique among the live tasks of the process.
    pub reference: Ref,
    /// Its data.
    pub params: Params,
    /// The node it stands on.
    pub at: NodeName,
    /// What it does there.
    pub state: State,
    /// When a runner must look at it next. The only scheduler: what is ready, delayed, retried, timed out,
    /// orphaned by a crash or to be removed is just *due*.
    pub due: Option<Timestamp>,
    /// Counts claims. A commit under an older turn is refused as stale.
    pub turn: u64,
    /// Counts commits; the task's `ETag`.
    pub revision: u64,
    /// Counts arrivals at nodes.
    pub visit: u64,
    /// How often the present node has been tried on this visit.
    pub attempt: u32,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it came to the node it stands on.
    pub since: Timestamp,
    /// The last fault, until the next one.
    pub fault: Option<Fault>,
    /// What a person has been told about and that has not healed yet.
    pub alarm: Option<Alarm>,
    /// The task that waits for this one's reply.
    pub caller: Option<ReplyTo>,
    /// The calls of the `each` it stands on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round: Option<Arc<FanOut>>,
    /// What `end` gave as the result.
    pub result: Option<Value>,
    /// What of it beside its params is secret: `/link`, or places in `/result`.
    #[serde(default, skip_serializing_if = "Marks::is_empty")]
    pub marks: Marks,
    /// Once it has ended: when it is removed.
    #[serde(default)]
    pub kept_until: Option<Timestamp>,
    /// The link that a person may follow to move this task on, while it waits for that.
    pub link: Option<String>,
    /// How far its node has come on this visit, as the node itself writes it.
    #[serde(default)]
    pub progress: Option<Value>,
    /// What it waits for outside, in words: `room at api.example.org`.
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
    /// A hash of what it was submitted with under an idempotency key. Written at birth.
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
            turn: 0,
            revision: 0,
            visit: 0,
            attempt: 0,
            created_at: now,
            since: now,
            fault: None,
            alarm: None,
            caller: None,
            round: None,
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

    /// Whether it only runs a part of the calls of another task's `each`.
    pub fn is_part(&self) -> bool {
        self.round.as_ref().is_some_and(|round| round.part)
    }

    /// Where the part of its round is that begins with the item at `index`.
    pub fn part(&self, index: u64) -> Address {
        let name = format!("part-{}-{}-{}-{index}", self.id, self.visit, self.attempt);
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
    /// Until that moment, if there is one, or until a letter comes.
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

/// What a person has been told about, or should be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alarm {
    /// The node that raised it.
    pub node: NodeName,
    /// The state it speaks of: the node's `once_per`.
    pub once: String,
    /// Raised at.
    pub since: Timestamp,
    /// Last delivered at; none while no channel has delivered it.
    pub told: Option<Timestamp>,
    /// The channels that delivered it.
    pub by: Vec<String>,
    /// The message.
    pub text: String,
    /// Why it was not delivered.
    pub trouble: Option<String>,
    /// The rung of the ladder that was reached last, from 0.
    #[serde(default)]
    pub rung: u32,
    /// When that rung was told first.
    #[serde(default)]
    pub rung_told: Option<Timestamp>,
    /// The rung that is being told, if it is another.
    #[serde(default)]
    pub climbing: Option<u32>,
    /// All channels that delivered it, or what was wrong before it and has not healed since: whoever was told
    /// is told when it heals.
    #[serde(default)]
    pub reached: Vec<String>,
    /// The visit of the task on which it was raised: the links that acknowledge it are made of that.
    #[serde(default)]
    pub visit: u64,
    /// Who has it in hand: nobody is told more.
    #[serde(default)]
    pub acknowledged: Option<Acknowledged>,
}

impl Alarm {
    /// When the present rung was told. Alarms from before there were ladders know only when they were told.
    pub fn level_notified(&self) -> Option<Timestamp> {
        self.rung_told.or(self.told)
    }
}

/// Who has an alarm in hand, and since when.
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

/// A word from one task, or a person, to another. Delivered in the commit that wrote it: exactly once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Signal {
    /// For whom.
    pub to: SignalTarget,
    /// What it says.
    pub word: SignalKind,
}

/// For whom a letter is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SignalTarget {
    /// The live task of that name.
    Address(Address),
    /// That very task.
    Task(TaskId),
}

/// What a letter says.
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
    /// Be born as a part of the round of the `each` that writes this.
    Part {
        /// Who waits for the reply.
        caller: ReplyTo,
        /// The node of both.
        at: NodeName,
        /// The calls it makes.
        round: Arc<FanOut>,
        /// Set by the runner.
        birth: Option<Birth>,
    },
    /// Lay these over your params; a node that waits for a letter takes it as one.
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
    Order {
        /// What.
        order: Command,
        /// Who, for the trail.
        by: String,
    },
}

impl SignalKind {
    /// Whether a task is born of it.
    pub fn is_birth(&self) -> bool {
        matches!(self, SignalKind::Create { .. } | SignalKind::Part { .. })
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
    /// The alarm is in hand: stop telling of it.
    Acknowledge {
        /// The key of the link, if it was one.
        key: Option<String>,
    },
}

impl Command {
    /// As it stands in the trail.
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

/// One line of a task's trail. Secret params are masked before it is made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HistoryEvent {
    /// When.
    pub at: Timestamp,
    /// The node it speaks of.
    pub node: NodeName,
    /// What happened there: `came`, `due`, `answered 200`, `letter`, `wake by ann`, ….
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
