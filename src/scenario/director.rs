//! [`Director`]: decides what the store and the outside do in a simulation, and sees all that passes between
//! them and the runner.

use crate::engine::ports::{Claim, Receipt, Refused, Write};
use crate::model::effect::{Effect, Outcome};
use crate::model::time::Span;
use crate::scenario::virtual_time::VirtualInstant;

/// A call of the store, as its method is named.
pub type StoreCall = &'static str;

/// How a call of the store goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passage {
    /// How long it takes before anything is done.
    pub before: Span,
    /// What is done.
    pub what: CallKind,
    /// How long it takes after that until the answer is there.
    pub after: Span,
}

/// What a call of the store does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallKind {
    /// What it should.
    Well,
    /// Nothing, and says why.
    Refused(&'static str),
    /// What it should, and says that it did nothing.
    Unknown(&'static str),
    /// The runner dies before it.
    DiesBefore,
    /// The runner dies when it is done.
    DiesAfter,
}

impl Passage {
    /// At once, and as it should.
    pub const WELL: Passage = Passage { before: Span(0), what: CallKind::Well, after: Span(0) };
}

/// What comes of asking the outside.
#[derive(Clone, Debug)]
pub enum RequestResult {
    /// An answer, after that time; without one it never comes.
    Answers {
        /// Tells it from all others.
        number: u64,
        /// The answer.
        outcome: Outcome,
        /// How long it takes.
        took: Option<Span>,
    },
    /// The runner dies, before or after the outside is asked.
    Dies,
    /// The simulation ends here; the director knows why.
    Halts,
}

/// Why an answer reached nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unheard {
    /// The runner died, or had stopped.
    Dead,
    /// The runner gave it up.
    GivenUp,
}

/// Decides and sees. Every method is called at one moment, so that nothing comes between.
pub trait Director: Send {
    /// How this call of the store goes.
    fn pass(&mut self, door: StoreCall, at: VirtualInstant) -> Passage {
        let (_, _) = (door, at);
        Passage::WELL
    }

    /// Whether the store does one thing after the other and answers in that order, as one writer does.
    fn is_in_order(&self) -> bool {
        true
    }

    /// These were claimed.
    fn claimed(&mut self, claims: &[Claim], at: VirtualInstant) {
        let (_, _) = (claims, at);
    }

    /// These are being committed.
    fn committing(&mut self, writes: &[Write], at: VirtualInstant) {
        let (_, _) = (writes, at);
    }

    /// That became of what was being committed, whatever the runner is told.
    fn committed(&mut self, results: &[Result<Receipt, Refused>], at: VirtualInstant) {
        let (_, _) = (results, at);
    }

    /// The outside is asked by the runner of that life.
    fn asked(&mut self, life: u64, effect: &Effect, at: VirtualInstant) -> RequestResult;

    /// The runner has that answer.
    fn received(&mut self, number: u64, at: VirtualInstant) {
        let (_, _) = (number, at);
    }

    /// That answer reached nobody.
    fn unheard(&mut self, number: u64, why: Unheard, at: VirtualInstant) {
        let (_, _, _) = (number, why, at);
    }
}
