//! [`Oracle`]: sees all that passes between a runner, its store and the outside, and says what must not be.

use std::collections::{BTreeMap, BTreeSet};

use beltline::engine::ports::{Claim, Receipt, Refused, Write};
use beltline::engine::transition::Transition;
use beltline::model::effect::Effect;
use beltline::model::names::TaskId;
use beltline::model::task::{State, Task};
use beltline::model::time::{Span, Timestamp};
use beltline::scenario::director::{CallKind, Director, Passage, RequestResult, StoreCall, Unheard};
use beltline::scenario::virtual_time::VirtualInstant;

use crate::simulation::faults::{Faults, Kind};
use crate::simulation::ledger::{Ask, Fate, Ledger};
use crate::simulation::names::Names;

/// More happens in no run, however rough.
const LINES_MAX: usize = 150_000;
/// So often one task's transition may be refused in a row.
const REFUSED_MAX: u32 = 100;
/// So often a task may be claimed in a row without a commit.
const CLAIMED_MAX: u32 = 12;
/// By how much a delay may end too early: the store and the clock round to milliseconds.
const EARLY_MAX: i64 = 100;

/// Sees and judges.
pub(crate) struct Oracle {
    pub(crate) faults: Faults,
    pub(crate) ledger: Ledger,
    names: Names,
    /// What must not be, in words.
    pub(crate) wrong: Vec<String>,
    /// All that happened, line by line.
    pub(crate) trace: Vec<String>,
    pub(crate) life: u64,
    committing: Vec<Option<Transition>>,
    refused: BTreeMap<TaskId, u32>,
    claimed: BTreeMap<TaskId, u32>,
    /// The runner is stopping, or dead.
    pub(crate) stopping: bool,
    rests: BTreeMap<TaskId, Rest>,
    keys_asked: BTreeSet<String>,
    /// The effect each task waited for last, and the life in which that was committed.
    doing: BTreeMap<TaskId, (String, u64)>,
    /// The lives that ended by a death, in which what was asked is not known.
    pub(crate) killed: BTreeSet<u64>,
}

/// A task that waits for a time.
#[derive(Clone, Debug)]
pub(crate) struct Rest {
    visit: u64,
    life: u64,
    /// When it was decided, in uptime.
    began: i64,
    /// How long it is to be.
    pub(crate) span: i64,
}

/// The least that the wall clock steps by; a commit comes sooner after its decision.
const STEP_MIN: i64 = 30_000;

impl Oracle {
    pub(crate) fn new(faults: Faults, names: Names) -> Oracle {
        Oracle {
            faults,
            ledger: Ledger::default(),
            names,
            wrong: Vec::new(),
            trace: Vec::new(),
            life: 0,
            committing: Vec::new(),
            refused: BTreeMap::new(),
            claimed: BTreeMap::new(),
            stopping: false,
            rests: BTreeMap::new(),
            keys_asked: BTreeSet::new(),
            doing: BTreeMap::new(),
            killed: BTreeSet::new(),
        }
    }

    pub(crate) fn says(&mut self, what: String) {
        self.note(&format!("WRONG: {what}"));
        self.wrong.push(what);
    }

    pub(crate) fn note(&mut self, what: &str) {
        self.trace.push(what.to_owned());
        if self.trace.len() == LINES_MAX {
            self.says("so much happens in it that it never ends".to_owned());
        }
    }

    fn kept(&mut self, step: &Transition, at: VirtualInstant) {
        let task = &step.task;
        self.refused.remove(&task.id);
        self.claimed.remove(&task.id);
        for event in &step.events {
            let to = event.to.as_ref().map(|to| format!(" → {to}")).unwrap_or_default();
            let fault = event.fault.as_ref().map(|it| format!(" {}", it.code)).unwrap_or_default();
            self.note(&format!("{} {} {}: {}{to}{fault}", at.up, task.address(), event.node, event.event));
        }
        for wrong in self.names.walked(step) {
            self.says(wrong);
        }
        self.unknown(step);
        if let Some(key) = self.ledger.committed(step) {
            self.says(format!("`{}` has an answer that nobody gave, or one twice ({key})", task.address()));
        }
        self.rested(step, at);
        if let State::Doing(effect) = &task.state {
            self.doing.insert(task.id, (effect.key.clone(), self.life));
            if step.before.is_none() && self.faults.has(Kind::UnknownCommit) {
                // Who submitted it may have been told that it was not kept: then nobody holds it.
                self.keys_asked.insert(effect.key.clone());
            }
        }
    }

    /// Only what was asked has an outcome that is not known.
    fn unknown(&mut self, step: &Transition) {
        let is_unknown = |it: &beltline::model::fault::Fault| it.code == "outcome_unknown";
        if !step.events.iter().any(|event| event.fault.as_ref().is_some_and(is_unknown)) {
            return;
        }
        let key = self.doing.get(&step.task.id);
        if key.is_none_or(|(key, life)| !self.keys_asked.contains(key) && !self.killed.contains(life)) {
            self.says(format!("`{}`: outcome_unknown of a request that was never made", step.task.address()));
        }
    }

    /// A delay is never early.
    fn rested(&mut self, step: &Transition, at: VirtualInstant) {
        let task = &step.task;
        if let Some(rest) = self.rests.get(&task.id)
            && step.events.first().is_some_and(|event| event.event == "due")
            && rest.life == self.life
        {
            // How long ago it was decided; not known where the wall clock has stepped since.
            let since = Some(at.wall.0 - step.at.0).filter(|it| (0..=STEP_MIN).contains(it));
            let passed = at.up - since.unwrap_or(0) - rest.began;
            if passed + EARLY_MAX < rest.span {
                let (span, address) = (rest.span, task.address());
                self.says(format!("`{address}` rested for {passed} ms, and was to for {span} ms"));
            }
        }
        let same = self.rests.get(&task.id).is_some_and(|it| it.visit == task.visit);
        match task.state {
            State::Waiting { until: Some(until) } if !same => {
                // Where the wall clock may have stepped since it was decided, it is not known when it began.
                let since = Some(at.wall.0 - step.at.0).filter(|it| (0..=STEP_MIN).contains(it));
                self.rests.remove(&task.id);
                if let Some(since) = since {
                    let (span, began) = (until.0 - step.at.0, at.up - since);
                    let rest = Rest { visit: task.visit, life: self.life, began, span };
                    self.rests.insert(task.id, rest);
                }
            }
            State::Waiting { .. } => {}
            _ => drop(self.rests.remove(&task.id)),
        }
    }

    /// Whether it may be asked, seeing what became of the askings before.
    fn may_be_asked(&mut self, effect: &Effect, at: VirtualInstant) {
        let before: Vec<Ask> = self
            .ledger
            .by_key
            .get(&effect.key)
            .into_iter()
            .flatten()
            .map(|it| self.ledger.asks[*it].clone())
            .collect();
        for ask in before {
            let what = match ask.fate {
                Fate::Out if ask.life == self.life => "while it is out",
                Fate::Received(_) if ask.life == self.life => "though its answer is at hand",
                Fate::Out | Fate::Received(_) | Fate::Lost | Fate::GivenUp(_) if effect.once => {
                    "though it may be asked once only"
                }
                _ => continue,
            };
            self.says(format!("{} is asked again {what}, at {} (before: {ask:?})", effect.key, at.up));
        }
    }

    /// What lies in the store when all has been well for a while.
    pub(crate) fn at_the_end(&mut self, tasks: &[Task], at: VirtualInstant) {
        for task in tasks.iter().filter(|it| it.state.phase().is_live()) {
            let name = task.address();
            let waits = matches!(task.state, State::Waiting { until: None });
            match task.due {
                None if waits => {}
                None => self.says(format!("`{name}` on `{}` waits for nothing: {:?}", task.at, task.state)),
                Some(due) if due + LATE_MAX < at.wall => {
                    self.says(format!("`{name}` was due at {due}, and nobody looks at it"));
                }
                Some(due) => self.too_late(task, due, at),
            }
        }
        let lost: Vec<String> = self
            .ledger
            .asks
            .iter()
            .filter(|ask| matches!(ask.fate, Fate::Received(_)))
            .map(|ask| format!("{ask:?}"))
            .collect();
        for ask in lost {
            self.says(format!("an answer was received and never kept: {ask}"));
        }
    }

    fn too_late(&mut self, task: &Task, due: Timestamp, at: VirtualInstant) {
        let Some(rest) = self.rests.get(&task.id).filter(|it| it.visit == task.visit) else { return };
        let late = at.up - rest.began - rest.span;
        if late > i64::try_from(LATE_MAX.0).unwrap() {
            self.says(format!("`{}` is {late} ms late and rests until {due}", task.address()));
        }
    }
}

/// By how much anything may be late when all has been well for longer.
const LATE_MAX: Span = Span::mins(5);

impl Director for Oracle {
    fn pass(&mut self, door: StoreCall, at: VirtualInstant) -> Passage {
        if !self.wrong.is_empty() {
            // What is wrong is known: the run ends here.
            return Passage { what: CallKind::DiesBefore, ..Passage::WELL };
        }
        let passage = self.faults.pass(door, at.up);
        if passage != Passage::WELL {
            self.note(&format!("{} {door}: {passage:?}", at.up));
        }
        passage
    }

    fn is_in_order(&self) -> bool {
        !self.faults.has(Kind::AnyOrder)
    }

    fn claimed(&mut self, claims: &[Claim], at: VirtualInstant) {
        for Claim { task, .. } in claims {
            self.note(&format!("{} claimed {} on {}", at.up, task.address(), task.at));
            let count = self.claimed.entry(task.id).or_default();
            *count += 1;
            if *count == CLAIMED_MAX {
                self.says(format!(
                    "`{}` is claimed again and again, and nothing comes of it",
                    task.address()
                ));
            }
        }
    }

    fn committing(&mut self, writes: &[Write], _: VirtualInstant) {
        let step = |write: &Write| match write {
            Write::Step(step) => Some(Transition::clone(step)),
            Write::Post(..) | Write::Noted(..) => None,
        };
        self.committing = writes.iter().map(step).collect();
    }

    fn committed(&mut self, results: &[Result<Receipt, Refused>], at: VirtualInstant) {
        let steps = std::mem::take(&mut self.committing);
        for (step, result) in steps.iter().zip(results) {
            match (step, result) {
                (Some(step), Ok(_)) => self.kept(step, at),
                (Some(step), Err(refused)) => {
                    self.note(&format!("{} {}: {refused}", at.up, step.task.address()));
                    let count = self.refused.entry(step.task.id).or_default();
                    *count += 1;
                    if *count == REFUSED_MAX {
                        self.says(format!("`{}` is refused without end: {refused}", step.task.address()));
                    }
                }
                (None, result) => self.note(&format!("{} signal: {}", at.up, result.is_ok())),
            }
        }
    }

    fn asked(&mut self, life: u64, effect: &Effect, at: VirtualInstant) -> RequestResult {
        self.life = life;
        self.may_be_asked(effect, at);
        let (outcome, took) = self.faults.answer(effect, at.up);
        let number = self.ledger.ask(life, effect, at, took);
        self.keys_asked.insert(effect.key.clone());
        self.note(&format!("{} asked {number} {}: {outcome:?} in {took:?}", at.up, effect.key));
        if self.faults.dies_asking(at.up) {
            self.note("the runner dies asking");
            return RequestResult::Dies;
        }
        RequestResult::Answers { number, outcome, took }
    }

    fn received(&mut self, number: u64, at: VirtualInstant) {
        self.note(&format!("{} received {number}", at.up));
        self.ledger.received(number, at);
    }

    fn unheard(&mut self, number: u64, why: Unheard, at: VirtualInstant) {
        self.note(&format!("{} unheard {number}: {why:?}", at.up));
        let ask = self.ledger.get(number).clone();
        self.ledger.unheard(number, why, at);
        if why == Unheard::Dead || ask.fate != Fate::Out {
            return;
        }
        let has_come = ask.took.is_some_and(|took| ask.at.up + millis(took) <= at.up);
        if has_come {
            self.says(format!("an answer lay there and was thrown away: {ask:?}"));
        } else if at.lived - ask.at.lived < millis(ask.timeout) {
            self.says(format!("an answer was given up before its time: {ask:?} at {at:?}"));
        }
    }
}

fn millis(span: Span) -> i64 {
    i64::try_from(span.0).unwrap()
}
