//! [`FanOut`]: what an `each` keeps while its calls run. It is stored with the task, so that a crash loses
//! none of it.
//!
//! A short list is a fan-out of calls. A long one is a fan-out of *chunks*: tasks that stand on the same
//! node, each with a fan-out of its own over a piece of the list. So no task is ever large, and what is
//! rewritten when a reply comes does not grow with the list.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::model::fault::Fault;
use crate::model::names::Address;
use crate::model::params::Params;
use crate::model::time::Timestamp;

/// A fan-out of calls. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FanOut {
    /// It is a chunk of another task's fan-out.
    pub chunk: bool,
    /// The place of its first item in the whole list.
    pub first: u64,
    /// How many items it has.
    pub of: u64,
    /// How many of them were handed out.
    pub given: u64,
    /// What was handed out and is not back yet.
    pub out: Vec<HandedOut>,
    /// How many calls have come to their end.
    pub done: u64,
    /// How many of those failed.
    pub failed: u64,
    /// The calls to come, unless they are made of the list when it is their turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<PendingCalls>,
    /// What the list was when the fan-out began, if it is read again for every chunk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub print: Option<String>,
    /// What was replied, in the order of the list, if it is kept. None: not yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replies: Vec<Option<Params>>,
    /// How many bytes the replies are.
    #[serde(default)]
    pub bytes: usize,
}

/// What was handed out: a call, or a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandedOut {
    /// The place of its first item in the whole list.
    pub index: u64,
    /// When the reply is late; a chunk is never.
    pub until: Option<Timestamp>,
}

/// One call to come, or why it cannot be made.
pub type ChunkCall = Result<Calling, Fault>;

/// Whom to call, and with what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calling {
    /// The task that will be made.
    pub to: Address,
    /// Its params.
    pub params: Params,
}

/// Calls to come. Those handed out are forgotten with the next commit. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct PendingCalls {
    calls: Arc<Vec<ChunkCall>>,
    from: usize,
}

impl PendingCalls {
    /// These.
    pub fn new(calls: Vec<ChunkCall>) -> PendingCalls {
        PendingCalls { calls: Arc::new(calls), from: 0 }
    }

    /// Takes the next ones, as many as there are up to `most`.
    pub fn take(&mut self, most: usize) -> Vec<ChunkCall> {
        let to = self.calls.len().min(self.from + most);
        let taken = self.calls[self.from..to].to_vec();
        self.from = to;
        taken
    }

    /// The next ones, as many as there are up to `most`.
    pub fn next(&self, most: usize) -> &[ChunkCall] {
        let rest = self.rest();
        &rest[..rest.len().min(most)]
    }

    fn rest(&self) -> &[ChunkCall] {
        &self.calls[self.from..]
    }
}

impl PartialEq for PendingCalls {
    fn eq(&self, other: &PendingCalls) -> bool {
        self.rest() == other.rest()
    }
}

impl Serialize for PendingCalls {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.rest().serialize(to)
    }
}

impl<'de> Deserialize<'de> for PendingCalls {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<PendingCalls, D::Error> {
        Vec::deserialize(from).map(PendingCalls::new)
    }
}

impl FanOut {
    /// Whether everything is handed out and back.
    pub fn is_over(&self) -> bool {
        self.given == self.of && self.out.is_empty()
    }

    /// Takes back what was handed out under that index; false if nothing was.
    pub fn take_back(&mut self, index: u64) -> bool {
        let place = self.out.iter().position(|out| out.index == index);
        place.map(|place| self.out.remove(place)).is_some()
    }

    /// Keeps a reply in its place.
    pub fn keep(&mut self, index: u64, reply: Params) {
        let place = usize::try_from(index - self.first).unwrap_or(usize::MAX);
        if self.replies.len() <= place {
            self.replies.resize(place + 1, None);
        }
        self.bytes += reply.bytes() + 1;
        self.replies[place] = Some(reply);
    }

    /// When the first reply is late.
    pub fn late_at(&self) -> Option<Timestamp> {
        self.out.iter().filter_map(|out| out.until).min()
    }
}
