//! [`Places`]: how many tasks of each process live, and how many are about to be born. A birth is committed
//! only with a place held for it, so that no two batches under way fill the last place twice.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::names::ProcessId;

/// The live tasks of each process, as far as this runner knows. Begins with what the store counts.
#[derive(Debug, Default)]
pub struct Places(Mutex<HashMap<ProcessId, Taken>>);

#[derive(Debug, Default)]
struct Taken {
    /// What was committed. Below zero only where the store was never counted.
    live: i64,
    /// Places held for births that are not committed yet.
    held: u64,
}

/// Places held for the births of one step; free again when this is dropped.
#[derive(Debug)]
pub struct Held {
    places: Arc<Places>,
    of: Vec<(ProcessId, u64)>,
}

impl Places {
    /// How many tasks of a process live.
    pub fn live(&self, process: &ProcessId) -> u64 {
        let live = self.lock().get(process).map_or(0, |it| it.live);
        u64::try_from(live).unwrap_or(0)
    }

    /// Adds to the live tasks of a process.
    pub fn add(&self, process: &ProcessId, tasks: i64) {
        if tasks == 0 {
            return;
        }
        let mut all = self.lock();
        match all.get_mut(process) {
            Some(taken) => taken.live += tasks,
            None => drop(all.insert(process.clone(), Taken { live: tasks, held: 0 })),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ProcessId, Taken>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// None yet.
    pub fn none(places: &Arc<Places>) -> Held {
        Held { places: Arc::clone(places), of: Vec::new() }
    }

    /// Holds `births` places of a process that may have `limit` live tasks, or as many as there are; gives
    /// how many that is.
    pub fn raise(&mut self, process: &ProcessId, births: u64, limit: u64) -> u64 {
        let mut all = self.places.lock();
        let taken = all.entry(process.clone()).or_default();
        let mine = match self.of.iter_mut().find(|(it, _)| it == process) {
            Some((_, mine)) => mine,
            None => {
                self.of.push((process.clone(), 0));
                &mut self.of.last_mut().expect("it was pushed just now").1
            }
        };
        let others = u64::try_from(taken.live).unwrap_or(0).saturating_add(taken.held - *mine);
        let now = births.min(limit.saturating_sub(others));
        taken.held = taken.held - *mine + now;
        *mine = now;
        now
    }
}

impl Held {
    /// Holds one more place; false if there is none.
    pub fn one_more(&mut self, process: &ProcessId, limit: u64) -> bool {
        let mine = self.of.iter().find(|(it, _)| it == process).map_or(0, |(_, mine)| *mine);
        self.raise(process, mine + 1, limit) > mine
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.of.is_empty() {
            return;
        }
        let mut all = self.places.lock();
        for (process, mine) in &self.of {
            if let Some(taken) = all.get_mut(process) {
                taken.held -= mine;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_held_once_and_free_again() {
        let (places, process) = (Arc::new(Places::default()), ProcessId::new("p").unwrap());
        places.add(&process, 2);
        let (mut one, mut two) = (Held::none(&places), Held::none(&places));
        assert_eq!(one.raise(&process, 2, 5), 2);
        assert_eq!(two.raise(&process, 2, 5), 1);
        assert_eq!(one.raise(&process, 1, 5), 1, "one fewer than before");
        assert_eq!(two.raise(&process, 9, 5), 2);
        drop(one);
        assert_eq!(two.raise(&process, 9, 5), 3);
        places.add(&process, 3);
        drop(two);
        assert_eq!((places.live(&process), Held::none(&places).raise(&process, 1, 5)), (5, 0));
    }
}
