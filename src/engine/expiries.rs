//! [`ExpiryIndex`]: the values that die, of all live tasks, as the last commits left them. Kept in memory, so
//! that nobody looks through a million tasks to show the few that matter. Nothing here is durable: it is read
//! from the store at the start.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::engine::mask::scrub;
use crate::model::names::{Address, NodeName, ProcessId, TaskId};
use crate::model::task::{Phase, Task};
use crate::model::time::Timestamp;
use crate::process::expiry::Expiry;
use crate::process::process::Process;

/// Of how many tasks the lives are remembered: some tens of megabytes. Of more, they are only counted.
pub const EXPIRIES_MAX: usize = 100_000;

/// The lives of the values of live tasks.
#[derive(Debug, Default)]
pub struct ExpiryIndex {
    state: Mutex<State>,
}

/// A task and the lives of its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpiringValue {
    /// Its number.
    pub id: TaskId,
    /// Where it is found.
    pub address: Address,
    /// At least one.
    pub expiries: Vec<Expiry>,
    /// Where it stood when it was committed last.
    pub standing: ExpiringTask,
    pub(super) revision: u64,
}

/// Where a task stands, as far as a person may see it: for when the store cannot be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpiringTask {
    /// Its name, with no secret in it.
    pub shown: String,
    /// The node.
    pub node: NodeName,
    /// Since when it stands there.
    pub since: Timestamp,
    /// Its state.
    pub phase: Phase,
    /// When a runner must look at it next.
    pub due: Option<Timestamp>,
    /// What it waits for outside, in words.
    pub awaits: Option<String>,
    /// Its alarm, if one is open: whether somebody was told of it, or has acknowledged it.
    pub alarm: Option<bool>,
}

impl ExpiringTask {
    fn of(process: &Process, task: &Task) -> ExpiringTask {
        ExpiringTask {
            shown: scrub(task.reference.as_str(), task, &process.secret),
            node: task.at.clone(),
            since: task.since,
            phase: task.state.phase(),
            due: task.due,
            awaits: task.awaits.clone(),
            alarm: task.alarm.as_ref().map(|it| it.notified_at.is_some() || it.acknowledged.is_some()),
        }
    }
}

#[derive(Debug, Default)]
struct State {
    tasks: HashMap<TaskId, ExpiringValue>,
    /// The same, by the moment when the first of each needs a person.
    order: BTreeSet<(Timestamp, TaskId)>,
    /// Tasks for which there was no room.
    missed: HashSet<TaskId>,
    /// While somebody reads the store: the tasks that went meanwhile, for what is read of them is old.
    gone: HashSet<TaskId>,
    readers: usize,
}

impl ExpiryIndex {
    /// A task was committed, or read from the store.
    pub fn note(&self, process: &Process, task: &Task) {
        let expiries = process.expiries(&task.params);
        let mut state = self.lock();
        if expiries.is_empty() || !task.state.phase().is_live() {
            return state.remove(task.id);
        }
        let known = state.tasks.get(&task.id);
        if state.gone.contains(&task.id) || known.is_some_and(|it| it.revision > task.revision) {
            return;
        }
        let (id, address, revision) = (task.id, task.address(), task.revision);
        state.put(ExpiringValue {
            id,
            address,
            expiries,
            standing: ExpiringTask::of(process, task),
            revision,
        });
    }

    /// A task is gone.
    pub fn forget(&self, id: TaskId) {
        self.lock().remove(id);
    }

    /// Nothing is known of a process's tasks.
    pub fn clear(&self, process: &ProcessId) {
        let mut state = self.lock();
        let all = state.tasks.values().filter(|it| it.address.process == *process);
        let gone: Vec<TaskId> = all.map(|it| it.id).collect();
        for id in gone {
            if let Some(old) = state.tasks.remove(&id) {
                state.order.remove(&(old.warn_at(), id));
            }
        }
    }

    /// The store is being read: from now to [`ExpiryIndex::read`], what went is remembered.
    pub fn reading(&self) {
        self.lock().readers += 1;
    }

    /// The store has been read.
    pub fn read(&self) {
        let mut state = self.lock();
        state.readers = state.readers.saturating_sub(1);
        if state.readers == 0 {
            state.gone = HashSet::new();
        }
    }

    /// The tasks with a value that needs a person soonest, at most `many`; and how many there are in all.
    pub fn soonest(&self, many: usize) -> (Vec<ExpiringValue>, usize) {
        let state = self.lock();
        let first = state.order.iter().take(many).filter_map(|(_, id)| state.tasks.get(id).cloned());
        (first.collect(), state.tasks.len() + state.missed.len())
    }

    /// The tasks whose lives are only counted.
    pub fn missed(&self) -> Vec<TaskId> {
        self.lock().missed.iter().copied().collect()
    }

    /// The tasks with a value that needs a person by `now`.
    pub fn due(&self, now: Timestamp) -> Vec<ExpiringValue> {
        let state = self.lock();
        let due = state.order.iter().take_while(|(at, _)| *at <= now);
        due.filter_map(|(_, id)| state.tasks.get(id).cloned()).collect()
    }

    /// When the first value needs a person that does not by `now`.
    pub fn next_due(&self, now: Timestamp) -> Option<Timestamp> {
        let state = self.lock();
        let after = (Timestamp(now.0.saturating_add(1)), TaskId(i64::MIN));
        state.order.range(after..).next().map(|(at, _)| *at)
    }

    /// The tasks with a value that is said to have been born after `now`: by a clock that was ahead.
    pub fn ahead(&self, now: Timestamp) -> Vec<ExpiringValue> {
        let state = self.lock();
        let ahead = |it: &&ExpiringValue| {
            it.expiries.iter().any(|expiry| expiry.issued_at.is_some_and(|at| at > now))
        };
        state.tasks.values().filter(ahead).cloned().collect()
    }

    /// What is known of that task.
    pub fn of(&self, id: TaskId) -> Option<ExpiringValue> {
        self.lock().tasks.get(&id).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ExpiringValue {
    /// When the first of its values needs a person.
    pub fn warn_at(&self) -> Timestamp {
        self.expiries.iter().map(|it| it.warn_at).min().unwrap_or(Timestamp(i64::MAX))
    }
}

impl State {
    fn put(&mut self, expiring: ExpiringValue) {
        let id = expiring.id;
        let warn_at = expiring.warn_at();
        if !self.tasks.contains_key(&id) && self.tasks.len() >= EXPIRIES_MAX {
            // Those that need a person last are the ones that are only counted.
            match self.order.last().copied().filter(|(last, _)| *last > warn_at) {
                Some((last, other)) => {
                    self.order.remove(&(last, other));
                    self.tasks.remove(&other);
                    self.missed.insert(other);
                }
                None => {
                    self.missed.insert(id);
                    return;
                }
            }
        }
        self.missed.remove(&id);
        if let Some(old) = self.tasks.insert(id, expiring) {
            self.order.remove(&(old.warn_at(), id));
        }
        self.order.insert((warn_at, id));
    }

    fn remove(&mut self, id: TaskId) {
        if self.readers > 0 {
            self.gone.insert(id);
        }
        self.missed.remove(&id);
        if let Some(old) = self.tasks.remove(&id) {
            self.order.remove(&(old.warn_at(), id));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::names::{NodeName, Ref};
    use crate::model::task::{Birth, Seed, State as TaskState};
    use crate::process::parse::parse;

    const TEXT: &str = "process: p\nparams:\n  token: {expiry: {at: end}}\n  end: {}\n\
                        nodes:\n  in: {kind: input, next: out}\n  out: {kind: end}\n";

    fn task(id: i64, end: i64, revision: u64) -> Task {
        let params = serde_json::from_value(json!({"token": "t", "end": end})).unwrap();
        let birth = Birth::new(TaskId(id), Seed([0; 16]));
        let reference = Ref::new(&format!("r{id}")).unwrap();
        let address = Address { process: ProcessId::new("p").unwrap(), reference };
        let at = NodeName::new("in").unwrap();
        Task { revision, ..Task::new(birth, address, at, params, Timestamp(0)) }
    }

    fn ids(expiries: &ExpiryIndex) -> Vec<i64> {
        expiries.soonest(10).0.iter().map(|it| it.id.0).collect()
    }

    #[test]
    fn the_one_that_needs_a_person_soonest_is_first() {
        let (process, expiries) = (parse(TEXT).unwrap(), ExpiryIndex::default());
        for (id, end) in [(1, 3_000), (2, 1_000), (3, 2_000)] {
            expiries.note(&process, &task(id, end, 1));
        }
        assert_eq!(ids(&expiries), [2, 3, 1]);
        expiries.note(&process, &task(2, 9_000, 2));
        assert_eq!(ids(&expiries), [3, 1, 2]);
        expiries.note(&process, &task(2, 1, 1));
        assert_eq!(ids(&expiries), [3, 1, 2], "what is older says nothing");
        expiries.note(&process, &Task { state: TaskState::Done, ..task(3, 2_000, 2) });
        expiries.forget(TaskId(1));
        assert_eq!((ids(&expiries), expiries.soonest(0).1), (vec![2], 1));
    }

    #[test]
    fn what_went_while_the_store_was_read_stays_away() {
        let (process, expiries) = (parse(TEXT).unwrap(), ExpiryIndex::default());
        expiries.reading();
        expiries.note(&process, &Task { state: TaskState::Done, ..task(1, 1_000, 2) });
        expiries.note(&process, &task(1, 1_000, 1));
        assert!(ids(&expiries).is_empty());
        expiries.read();
        expiries.note(&process, &task(1, 1_000, 3));
        assert_eq!(ids(&expiries), [1]);
    }

    #[test]
    fn beyond_the_limit_they_are_counted() {
        let (process, expiries) = (parse(TEXT).unwrap(), ExpiryIndex::default());
        for id in 0..=i64::try_from(EXPIRIES_MAX).unwrap() {
            expiries.note(&process, &task(id, 1_000, 1));
        }
        assert_eq!((expiries.soonest(2).0.len(), expiries.soonest(0).1), (2, EXPIRIES_MAX + 1));
        expiries.note(&process, &task(-1, 500, 1));
        assert_eq!((ids(&expiries)[0], expiries.soonest(0).1), (-1, EXPIRIES_MAX + 2));
    }
}
