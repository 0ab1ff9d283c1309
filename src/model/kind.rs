//! [`Kind`]: what every kind of node must answer. [`NodeEvent`] and [`Decision`]: the two closed lists
//! between a node and the step.

use std::fmt::Debug;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::model::effect::{Outcome, Request};
use crate::model::fan_out::FanOut;
use crate::model::fault::Fault;
use crate::model::marks::Marks;
use crate::model::names::NodeName;
use crate::model::params::{ParamChanges, Params};
use crate::model::scope::EvalContext;
use crate::model::signal::{Command, Signal};
use crate::model::task::Alarm;
use crate::model::text::StringTemplate;
use crate::model::time::{Span, Timestamp};
use crate::model::tree::{Tree, TreeError};

/// A kind of node. Pure: the same question always gets the same answer.
pub trait Kind: Debug + Send + Sync {
    /// The ways out of here, each with the word that stands on its arrow ("" for the plain one).
    fn exits(&self) -> Vec<(String, &NodeName)>;

    /// Decides, now that `event` has happened to the task that stands here.
    fn decide(&self, event: NodeEvent, view: &EvalContext) -> Decision;

    /// Whether a task always rests or asks here, so that a loop through this node is no mistake.
    fn rests(&self) -> bool {
        false
    }

    /// Whether a task that waits here waits for a moment of the wall clock, and not for a length of time: it
    /// stays where it is when the clock is set.
    fn waits_for_a_moment(&self) -> bool {
        false
    }

    /// The param that takes an answer of which nothing could be made.
    fn keeps_unread(&self) -> Option<&str> {
        None
    }

    /// How long a task waits here for a permit: a place at a host or node that is closed or full. None: as
    /// long as it takes.
    fn permit_timeout(&self) -> Option<Span> {
        None
    }

    /// Whether a passing fault is tried again here if the file says nothing of `retry`.
    fn tries_again(&self) -> bool {
        true
    }

    /// Whether a task that leaves here has failed.
    fn ends_badly(&self) -> bool {
        false
    }

    /// The names that its texts see beside those that all see.
    fn names(&self) -> &'static [&'static str] {
        &[]
    }

    /// The processes this node names literally, for the picture and the check.
    fn calls(&self) -> Vec<&str> {
        Vec::new()
    }

    /// The process of which every task that comes here makes another one with a name of its own, if it is
    /// named literally. Who gives names may run out of them.
    fn breeds(&self) -> Option<&str> {
        None
    }

    /// The channels by which this node raises an alarm, in the order they are tried.
    fn alerts(&self) -> Vec<&str> {
        Vec::new()
    }

    /// The params that a link may bring to a task that waits here; `None` if none waits here.
    fn accepts(&self) -> Option<Vec<&str>> {
        None
    }

    /// Who an OAuth redirect to a task that waits here must say it comes from; empty: it need not say it.
    fn issuer(&self) -> Option<&StringTemplate> {
        None
    }
}

/// What happened to a task.
#[derive(Clone, Debug, PartialEq)]
pub enum NodeEvent {
    /// It has just come to this node, or is tried here again.
    Came,
    /// Its time has come.
    Due,
    /// The world answered.
    Answered(Outcome),
    /// Another task, a hook or a modifying person wrote; the params are laid over the task's already.
    Signal(Params),
    /// The reply to this visit's call.
    Replied(CallReply),
    /// A person's command, if it is one that the node has a say in (`Wake`).
    Command(Command),
}

/// What came back of a call.
#[derive(Clone, Debug, PartialEq)]
pub struct CallReply {
    /// Of which item, if the calls are those of an `each`.
    pub index: Option<u64>,
    /// What was replied.
    pub answer: Result<Params, Fault>,
}

/// What a node decides.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// On to another node.
    Go {
        /// Which.
        to: NodeName,
        /// What changes.
        effects: Changes,
    },
    /// Ask the world.
    Do {
        /// What.
        ask: Request,
        /// For how long.
        timeout: Span,
        /// At most once.
        once: bool,
        /// What changes.
        effects: Changes,
    },
    /// Rest here.
    Wait {
        /// Until then, or until a signal comes.
        until: Option<Timestamp>,
        /// What changes.
        effects: Changes,
    },
    /// Rest here while calls run.
    Run {
        /// How they stand.
        fan_out: Box<FanOut>,
        /// New calls, and chunks.
        signals: Vec<Signal>,
        /// What the history says of it, if it says anything.
        said: Option<String>,
    },
    /// A chunk of a fan-out is over, and this is what came of it.
    Chunk(Params),
    /// Nothing changes.
    Stay,
    /// The end.
    End {
        /// A good one.
        ok: bool,
        /// The result, and what of it is secret.
        result: Option<(Value, Marks)>,
        /// How long the task is kept.
        keep: Option<Span>,
    },
    /// Something went wrong; `step` decides what that means.
    Fail(Fault),
    /// The same, with what is kept all the same; whether it is tried again or not.
    FailWith(Fault, ParamChanges),
    /// Something went wrong that may be tried again here; if it is not, the node goes its own way.
    TryAgain {
        /// What.
        fault: Fault,
        /// Its own way.
        otherwise: Box<Decision>,
    },
}

/// What comes with a decision, in the same commit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    /// To the params.
    pub changes: ParamChanges,
    /// To other tasks.
    pub signals: Vec<Signal>,
    /// To the task's alarm.
    pub alarm: AlarmChange,
    /// The link to show while the task waits here.
    pub link: Option<String>,
    /// A secret is part of that link.
    pub link_is_secret: bool,
    /// What is asked, for people, where a secret stands in its address.
    pub asked: Option<String>,
    /// What whoever waits outside for a reply is told.
    pub reply: Option<Result<Params, Fault>>,
    /// How far the node has come on this visit: a new part of its work, with tries of its own.
    pub progress: Option<Value>,
}

/// What becomes of a task's alarm.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum AlarmChange {
    /// It stays as it is.
    #[default]
    Keep,
    /// It is raised, or told again.
    Set(Box<Alarm>),
    /// It is over.
    Clear,
}

impl Decision {
    /// Just on to another node.
    pub fn go(to: &NodeName) -> Decision {
        Decision::Go { to: to.clone(), effects: Changes::default() }
    }

    /// On to another node, with new values.
    pub fn go_with(to: &NodeName, set: Params) -> Decision {
        let effects = Changes { changes: ParamChanges::set(set), ..Changes::default() };
        Decision::Go { to: to.clone(), effects }
    }

    /// Rest.
    pub fn wait(until: Option<Timestamp>) -> Decision {
        Decision::Wait { until, effects: Changes::default() }
    }
}

/// A node, or all that can be found wrong with its shape.
pub type Parsed = Result<Box<dyn Kind>, Vec<TreeError>>;

/// One line of the register of kinds.
#[derive(Clone, Copy)]
pub struct KindSpec {
    /// As written after `kind:`.
    pub name: &'static str,
    /// What it does, in a few words.
    pub about: &'static str,
    /// The node's own text, whose head is its manual page.
    pub source: &'static str,
    /// Whether `secret.NAME` may stand in its texts: only where they go straight to the world.
    pub secrets: bool,
    /// Reads a node of this kind.
    pub parse: fn(&Tree) -> Parsed,
    /// Its shape.
    pub schema: fn(&mut SchemaGenerator) -> Schema,
}

/// The `parse` of a kind that is its own YAML shape.
///
/// # Errors
/// All that can be found wrong with the shape.
pub fn parse<K: Kind + DeserializeOwned + 'static>(tree: &Tree) -> Parsed {
    Ok(Box::new(tree.read::<K>()?))
}

/// The `schema` of a kind that is its own YAML shape.
pub fn schema<K: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    K::json_schema(generator)
}
