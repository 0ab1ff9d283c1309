//! [`Faults`]: what goes wrong in a random run, from a seed. Each run has few kinds of them, so that what
//! it finds has a short story.

use beltline::model::effect::{Effect, Outcome, Request};
use beltline::model::fault::Fault;
use beltline::model::time::Span;
use beltline::scenario::director::{CallKind, Passage, StoreCall};
use serde_json::json;

use crate::simulation::dice::Dice;
use crate::simulation::partners::answer;

/// What may go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// The store takes its time.
    SlowStore,
    /// For a while the store takes no writes.
    FullDisk,
    /// For a while nothing of the store answers.
    LostStore,
    /// A commit or a claim is done, and the runner is told that it was not.
    UnknownCommit,
    /// The runner dies at a door.
    Death,
    /// Answers come late, or never.
    LateAnswers,
    /// The wall clock is set, ahead or back.
    Step,
    /// The process is stopped for a while, and goes on.
    Freeze,
    /// The runner is asked to stop, and started again.
    Stop,
    /// A version of a process without one of its nodes is deployed.
    Deploy,
    /// Few effects are performed at once.
    Backlog,
    /// The store does several things at once and answers in any order. No store does so today.
    AnyOrder,
}

impl Kind {
    /// Those that a seed chooses among; what no store does is only chosen by hand.
    pub(crate) const ALL: [Kind; 11] = [
        Kind::SlowStore,
        Kind::FullDisk,
        Kind::LostStore,
        Kind::UnknownCommit,
        Kind::Death,
        Kind::LateAnswers,
        Kind::Step,
        Kind::Freeze,
        Kind::Stop,
        Kind::Deploy,
        Kind::Backlog,
    ];
}

/// Doors that write.
const WRITES: [StoreCall; 6] = ["claim", "commit", "wake_parked", "keep", "forget", "forget_before"];
/// How long the store is away at most.
pub(crate) const OUTAGE_MAX: Span = Span::secs(60);
/// How often a door is the first of an outage, at which a run has a few.
const OUTAGE_ONCE_IN: u64 = 60;

/// What goes wrong in a run.
pub(crate) struct Faults {
    pub(crate) kinds: Vec<Kind>,
    dice: Dice,
    /// Until when the store is in trouble.
    outage_until: i64,
    /// From then on all is well.
    pub(crate) over_at: i64,
    asked: u64,
}

impl Faults {
    pub(crate) fn new(dice: &mut Dice, over_at: i64) -> Faults {
        let mut kinds: Vec<Kind> = (0..dice.from(1, 4)).map(|_| *dice.of(&Kind::ALL)).collect();
        kinds.sort_unstable();
        kinds.dedup();
        Faults { kinds, dice: dice.split(), outage_until: 0, over_at, asked: 0 }
    }

    pub(crate) fn has(&self, kind: Kind) -> bool {
        self.kinds.contains(&kind)
    }

    /// How a call of the store goes.
    pub(crate) fn pass(&mut self, door: StoreCall, up: i64) -> Passage {
        if up >= self.over_at {
            return Passage::WELL;
        }
        let writes = WRITES.contains(&door);
        let outage = self.has(Kind::FullDisk) || self.has(Kind::LostStore);
        let begins = ["commit", "wake_parked", "keep"].contains(&door);
        if outage && up >= self.outage_until && begins && self.dice.once_in(OUTAGE_ONCE_IN) {
            self.outage_until = up + i64::try_from(self.dice.from(500, OUTAGE_MAX.0)).unwrap();
        }
        let doubtful = ["commit", "claim"].contains(&door);
        let mut passage = Passage::WELL;
        if self.has(Kind::SlowStore) {
            passage.before = Span::millis(self.delay());
            passage.after = Span::millis(self.delay());
        }
        passage.what = match () {
            () if outage && up < self.outage_until && (writes || self.has(Kind::LostStore)) => {
                CallKind::Refused("the disk is full")
            }
            () if self.has(Kind::UnknownCommit) && doubtful && self.dice.once_in(40) => {
                CallKind::Unknown("the connection was lost")
            }
            () if self.has(Kind::Death) && self.dice.once_in(400) => {
                if self.dice.once_in(2) {
                    CallKind::DiesBefore
                } else {
                    CallKind::DiesAfter
                }
            }
            () => CallKind::Well,
        };
        passage
    }

    fn delay(&mut self) -> u64 {
        match self.dice.from(0, 20) {
            0..12 => 0,
            12..19 => self.dice.from(1, 40),
            _ => self.dice.from(100, 3_000),
        }
    }

    /// Whether the runner dies when it asks the outside.
    pub(crate) fn dies_asking(&mut self, up: i64) -> bool {
        up < self.over_at && self.has(Kind::Death) && self.dice.once_in(100)
    }

    /// What the outside answers, and when.
    pub(crate) fn answer(&mut self, effect: &Effect, up: i64) -> (Outcome, Option<Span>) {
        self.asked += 1;
        let well = match &effect.request {
            Request::Http(_) => answer(200, json!({"n": self.asked})),
            Request::Notify(_) => return (told(effect), Some(Span::millis(50))),
        };
        if up >= self.over_at {
            return (well, Some(Span::millis(200)));
        }
        let slow = Span::millis(self.dice.from(50, 4_000));
        match self.dice.from(0, 40) {
            0..2 => (answer(503, json!({})), Some(slow)),
            2 => (answer(400, json!({"error": "no"})), Some(slow)),
            3 => (Err(Fault::passing("http_connect", "refused")), Some(Span::millis(5))),
            4..10 if self.has(Kind::LateAnswers) => {
                (well, Some(Span::millis(effect.timeout.0 + self.dice.from(0, 30_000))))
            }
            10..12 if self.has(Kind::LateAnswers) => (well, None),
            _ => (well, Some(slow)),
        }
    }
}

fn told(effect: &Effect) -> Outcome {
    let Request::Notify(ask) = &effect.request else { unreachable!("it is a message") };
    crate::simulation::partners::Author::default().hear(ask).outcome
}
