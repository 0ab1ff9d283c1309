//! [`Damage`]: what of the store cannot be read. Each damaged row costs itself alone: it is set aside, named
//! here, in the log and in the metrics, and everything else goes on.
//!
//! Nothing here is durable: a row that is still damaged is found again.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::model::names::Address;

/// How many damaged places are named; more are only counted.
pub const DAMAGED_MAX: usize = 1_000;

/// A place in the store that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damaged {
    /// Where, as the store names it: `tasks/17`, `history/17/4`, `records/secret/telegram`.
    pub place: String,
    /// The task it belongs to, as far as that can be told.
    pub task: Option<Address>,
    /// What is wrong with it. Never what stood there.
    pub why: String,
}

/// What of the store cannot be read.
#[derive(Debug, Default)]
pub struct Damage(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    known: BTreeMap<String, Known>,
    /// How many were found that have no place in `known`, since the present round began.
    unnamed: u64,
    round: u64,
}

#[derive(Debug)]
struct Known {
    damaged: Damaged,
    /// The last round in which it was found.
    round: u64,
}

impl Damage {
    /// A place cannot be read. Logged when it is found first.
    pub fn found(&self, damaged: Damaged) {
        let mut state = self.lock();
        let round = state.round;
        if let Some(known) = state.known.get_mut(&damaged.place) {
            known.round = round;
            return;
        }
        let Damaged { place, task, why } = &damaged;
        let task = task.as_ref().map(ToString::to_string).unwrap_or_default();
        tracing::error!(
            place,
            task,
            why,
            "the store holds a damaged row; it is set aside, and the rest goes on"
        );
        match state.known.len() < DAMAGED_MAX {
            true => drop(state.known.insert(damaged.place.clone(), Known { damaged, round })),
            false => state.unnamed += 1,
        }
        measure(&state);
    }

    /// A place was written anew, or can be read again.
    pub fn healed(&self, place: &str) {
        let mut state = self.lock();
        if state.known.remove(place).is_some() {
            measure(&state);
        }
    }

    /// Everything is about to be looked at.
    pub fn round_begins(&self) {
        let mut state = self.lock();
        state.round += 1;
        state.unnamed = 0;
    }

    /// Everything has been looked at: what was not found to be damaged in this round is not any more.
    pub fn round_ends(&self) {
        let mut state = self.lock();
        let round = state.round;
        state.known.retain(|_, known| known.round == round);
        measure(&state);
    }

    /// What is known to be damaged, by place; and how many there are in all.
    pub fn all(&self) -> (Vec<Damaged>, u64) {
        let state = self.lock();
        (state.known.values().map(|known| known.damaged.clone()).collect(), state.all())
    }

    /// Whether that place is known to be damaged.
    pub fn holds(&self, place: &str) -> bool {
        self.lock().known.contains_key(place)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn all(&self) -> u64 {
        self.known.len() as u64 + self.unnamed
    }
}

/// Shows it to whoever watches.
fn measure(state: &State) {
    let all = f64::from(u32::try_from(state.all()).unwrap_or(u32::MAX));
    metrics::gauge!("beltline_store_damaged").set(all);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(place: &str) -> Damaged {
        Damaged { place: place.to_owned(), task: None, why: "bad".to_owned() }
    }

    fn places(damage: &Damage) -> Vec<String> {
        damage.all().0.into_iter().map(|it| it.place).collect()
    }

    #[test]
    fn what_is_not_found_again_in_a_round_is_damaged_no_more() {
        let damage = Damage::default();
        for place in ["a", "b", "c", "a"] {
            damage.found(at(place));
        }
        damage.healed("c");
        damage.round_begins();
        damage.found(at("b"));
        assert_eq!(places(&damage), ["a", "b"]);
        damage.round_ends();
        assert_eq!((places(&damage), damage.all().1), (vec!["b".to_owned()], 1));
        assert!(damage.holds("b") && !damage.holds("a"));
    }

    #[test]
    fn beyond_the_limit_they_are_counted() {
        let damage = Damage::default();
        for place in 0..DAMAGED_MAX + 5 {
            damage.found(at(&place.to_string()));
        }
        assert_eq!((places(&damage).len(), damage.all().1), (DAMAGED_MAX, DAMAGED_MAX as u64 + 5));
    }
}
