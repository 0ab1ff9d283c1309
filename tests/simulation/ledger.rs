//! [`Ledger`]: every asking of the outside, and what became of its answer.

use std::collections::BTreeMap;

use beltline::engine::transition::Transition;
use beltline::model::effect::Effect;
use beltline::model::names::TaskId;
use beltline::model::task::State;
use beltline::model::time::Span;
use beltline::scenario::director::Unheard;
use beltline::scenario::virtual_time::VirtualInstant;

/// One asking.
#[derive(Clone, Debug)]
#[expect(dead_code, reason = "what is known of an asking is printed when something is wrong")]
pub(crate) struct Ask {
    pub(crate) key: String,
    pub(crate) life: u64,
    pub(crate) at: VirtualInstant,
    pub(crate) timeout: Span,
    pub(crate) once: bool,
    /// How long the answer takes, if it comes at all.
    pub(crate) took: Option<Span>,
    pub(crate) fate: Fate,
}

/// What became of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is on its way.
    Out,
    /// The runner has it.
    Received(VirtualInstant),
    /// It is committed.
    Kept,
    /// The runner did not wait for it.
    GivenUp(VirtualInstant),
    /// The runner died before it was committed, or stopped before it came.
    Lost,
}

/// Every asking.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) asks: Vec<Ask>,
    /// Where in `asks` those of one key are.
    pub(crate) by_key: BTreeMap<String, Vec<usize>>,
    /// The key of the effect that each task waits for, as it was committed last.
    doing: BTreeMap<TaskId, String>,
}

impl Ledger {
    pub(crate) fn ask(&mut self, life: u64, effect: &Effect, at: VirtualInstant, took: Option<Span>) -> u64 {
        let number = self.asks.len();
        self.by_key.entry(effect.key.clone()).or_default().push(number);
        let Effect { key, timeout, once, .. } = effect.clone();
        self.asks.push(Ask { key, life, at, timeout, once, took, fate: Fate::Out });
        number as u64
    }

    /// The asking of that number.
    pub(crate) fn get(&mut self, number: u64) -> &mut Ask {
        &mut self.asks[usize::try_from(number).unwrap()]
    }

    pub(crate) fn received(&mut self, number: u64, at: VirtualInstant) {
        self.get(number).fate = Fate::Received(at);
    }

    pub(crate) fn unheard(&mut self, number: u64, why: Unheard, at: VirtualInstant) {
        let ask = self.get(number);
        if ask.fate == Fate::Out {
            ask.fate = if why == Unheard::Dead { Fate::Lost } else { Fate::GivenUp(at) };
        }
    }

    /// A committed transition; says whether it carries an answer that no asking brought.
    pub(crate) fn committed(&mut self, transition: &Transition) -> Option<String> {
        let task = &transition.task;
        let before = match &task.state {
            State::Doing(effect) => self.doing.insert(task.id, effect.key.clone()),
            _ => self.doing.remove(&task.id),
        };
        let said = |what: &str| transition.events.iter().any(|event| event.event.starts_with(what));
        let answered = said("answered") || said("delivered");
        // A runner may say by itself that there was no answer.
        let key = before.filter(|_| answered || said("no answer"))?;
        let received = |it: &&usize| matches!(self.asks[**it].fate, Fate::Received(_));
        match self.by_key.get(&key).and_then(|all| all.iter().rev().find(received)) {
            Some(number) => {
                self.asks[*number].fate = Fate::Kept;
                None
            }
            None => Some(key).filter(|_| answered),
        }
    }

    /// The runner of that life is dead; gives the answers that it took with it.
    pub(crate) fn died(&mut self, life: u64) -> Vec<u64> {
        let mut lost = Vec::new();
        for (number, ask) in self.asks.iter_mut().enumerate().filter(|(_, ask)| ask.life == life) {
            if matches!(ask.fate, Fate::Out | Fate::Received(_)) {
                ask.fate = Fate::Lost;
                lost.push(number as u64);
            }
        }
        lost
    }
}
