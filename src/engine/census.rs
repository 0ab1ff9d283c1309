//! [`Census`]: how many tasks of each process live, and how many are about to be born. A birth is committed
//! only with a place reserved for it, so that no two batches under way fill the last place twice.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::names::ProcessId;

/// The live tasks of each process, as far as this runner knows. Begins with what the store counts.
#[derive(Debug, Default)]
pub struct Census(Mutex<HashMap<ProcessId, Taken>>);

#[derive(Debug, Default)]
struct Taken {
    /// What was committed. Below zero only where the store was never counted.
    live: i64,
    /// Places reserved for births that are not committed yet.
    reserved: u64,
}

/// Places reserved for the births of one step; free again when this is dropped.
#[derive(Debug)]
pub struct Reserved {
    census: Arc<Census>,
    of: Vec<(ProcessId, u64)>,
}

impl Census {
    /// How many tasks of a process live.
    pub fn live(&self, process: &ProcessId) -> u64 {
        let live = self.lock().get(process).map_or(0, |it| it.live);
        u64::try_from(live).unwrap_or(0)
    }

    /// Whether a task is about to be born in a process.
    pub fn is_expecting(&self, process: &ProcessId) -> bool {
        self.lock().get(process).is_some_and(|it| it.reserved > 0)
    }

    /// Adds to the live tasks of a process.
    pub fn add(&self, process: &ProcessId, tasks: i64) {
        if tasks == 0 {
            return;
        }
        let mut all = self.lock();
        match all.get_mut(process) {
            Some(taken) => taken.live += tasks,
            None => drop(all.insert(process.clone(), Taken { live: tasks, reserved: 0 })),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ProcessId, Taken>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reserved {
    /// None yet.
    pub fn none(census: &Arc<Census>) -> Reserved {
        Reserved { census: Arc::clone(census), of: Vec::new() }
    }

    /// Reserves `births` places of a process that may have `limit` live tasks, or as many as there are; gives
    /// how many that is.
    pub fn raise(&mut self, process: &ProcessId, births: u64, limit: u64) -> u64 {
        let mut all = self.census.lock();
        let taken = all.entry(process.clone()).or_default();
        let mine = match self.of.iter_mut().find(|(it, _)| it == process) {
            Some((_, mine)) => mine,
            None => {
                self.of.push((process.clone(), 0));
                &mut self.of.last_mut().expect("it was pushed just now").1
            }
        };
        let others = u64::try_from(taken.live).unwrap_or(0).saturating_add(taken.reserved - *mine);
        let now = births.min(limit.saturating_sub(others));
        taken.reserved = taken.reserved - *mine + now;
        *mine = now;
        now
    }
}

impl Reserved {
    /// Reserves one more place; false if there is none.
    pub fn one_more(&mut self, process: &ProcessId, limit: u64) -> bool {
        let mine = self.of.iter().find(|(it, _)| it == process).map_or(0, |(_, mine)| *mine);
        self.raise(process, mine + 1, limit) > mine
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        if self.of.is_empty() {
            return;
        }
        let mut all = self.census.lock();
        for (process, mine) in &self.of {
            if let Some(taken) = all.get_mut(process) {
                taken.reserved -= mine;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_reserved_once_and_free_again() {
        let (census, process) = (Arc::new(Census::default()), ProcessId::new("p").unwrap());
        census.add(&process, 2);
        let (mut one, mut two) = (Reserved::none(&census), Reserved::none(&census));
        assert_eq!(one.raise(&process, 2, 5), 2);
        assert_eq!(two.raise(&process, 2, 5), 1);
        assert_eq!(one.raise(&process, 1, 5), 1, "one fewer than before");
        assert_eq!(two.raise(&process, 9, 5), 2);
        drop(one);
        assert_eq!(two.raise(&process, 9, 5), 3);
        census.add(&process, 3);
        drop(two);
        assert_eq!((census.live(&process), Reserved::none(&census).raise(&process, 1, 5)), (5, 0));
    }
}
