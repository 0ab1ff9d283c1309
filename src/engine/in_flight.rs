//! [`InFlight`]: which tasks this runner holds, and the newest epoch it claimed each under. A task in here is
//! never run a second time: a claim of what is held already only renews it. Nothing here is durable; a
//! runner that begins holds nothing.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::model::names::TaskId;
use crate::model::task::Task;
use crate::model::time::Ticks;

/// The tasks that are claimed and not committed yet, and those whose effect is owed an answer.
#[derive(Debug, Default)]
pub struct InFlight {
    held: Mutex<HashMap<TaskId, Hold>>,
    resumed: AtomicBool,
    claiming: AtomicBool,
    /// When the leases end of what may have been claimed and is not known.
    lost: Mutex<Option<Ticks>>,
    draining: AtomicBool,
}

#[derive(Clone, Copy, Debug)]
struct Hold {
    epoch: u64,
    revision: u64,
}

impl InFlight {
    /// A claim has brought that task. Says whether it is the very life that is held already: its lease ended
    /// although its runner lives, as after a long commit or a step of the clock. Its epoch is taken over.
    ///
    /// The claim may have read the task before its lease was renewed just now: it is the same life then, too.
    pub fn claimed(&self, task: &Task) -> bool {
        let mut all = self.lock();
        if let Some(held) = all.get_mut(&task.id)
            && task.revision <= held.revision
        {
            held.epoch = held.epoch.max(task.epoch);
            return true;
        }
        all.insert(task.id, Hold { epoch: task.epoch, revision: task.revision });
        false
    }

    /// The task is committed, and an answer is owed to it.
    pub fn hold(&self, task: &Task) {
        let epoch = self.epoch(task.id).map_or(task.epoch, |newest| newest.max(task.epoch));
        self.lock().insert(task.id, Hold { epoch, revision: task.revision });
    }

    /// The newest epoch under which that very life is held, the one of that revision. What is made of an
    /// earlier revision is of a life that is over, and never takes over the epoch of a later one.
    pub fn epoch_of(&self, task: &Task) -> Option<u64> {
        self.lock().get(&task.id).filter(|hold| hold.revision == task.revision).map(|hold| hold.epoch)
    }

    /// Whether a later life of that task is held.
    pub fn is_past(&self, task: &Task) -> bool {
        self.lock().get(&task.id).is_some_and(|hold| hold.revision > task.revision)
    }

    /// The newest epoch under which that task is held.
    pub fn epoch(&self, id: TaskId) -> Option<u64> {
        self.lock().get(&id).map(|hold| hold.epoch)
    }

    /// The life that was held under `epoch` is over for this runner.
    pub fn release(&self, id: TaskId, epoch: u64) {
        let mut all = self.lock();
        if all.get(&id).is_some_and(|hold| hold.epoch == epoch) {
            all.remove(&id);
        }
    }

    /// The runner stops: whatever comes to ask the world from now on is not asked, and is kept as such.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Release);
    }

    /// Whether it does.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Tasks are being claimed from now on: the store may hold a newer epoch of this runner's own than the
    /// runner knows of.
    pub fn claiming(&self) {
        self.claiming.store(true, Ordering::Release);
    }

    /// A claim ended with an error and may have happened: what it took is found by a claim that begins after
    /// `end`, when its leases have ended.
    pub fn claims_lost(&self, end: Ticks) {
        let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        *lost = (*lost).max(Some(end));
    }

    /// What was claimed is known, by a claim that began at `begun`.
    pub fn claims_known(&self, begun: Ticks) {
        let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        if lost.is_none_or(|end| end <= begun) {
            *lost = None;
            self.claiming.store(false, Ordering::Release);
        }
    }

    /// Whether what the store says of that life may come of a claim of this runner's own: one is under way,
    /// or brought a newer epoch.
    pub fn may_be_own(&self, id: TaskId, epoch: u64) -> bool {
        self.claiming.load(Ordering::Acquire) || self.epoch(id).is_some_and(|newest| newest > epoch)
    }

    /// Whether what a runner before this one left undone has been made due.
    pub fn has_resumed(&self) -> bool {
        self.resumed.load(Ordering::Acquire)
    }

    /// It has.
    pub fn resumed(&self) {
        self.resumed.store(true, Ordering::Release);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TaskId, Hold>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::example;

    #[test]
    fn a_claim_that_was_read_before_a_renewal_is_of_the_life_that_is_held() {
        let held = InFlight::default();
        let view = example::view(serde_json::json!({}));
        let task = |epoch, revision| Task { epoch, revision, ..Task::clone(&view.task) };
        assert!(!held.claimed(&task(1, 4)));
        held.hold(&task(1, 5));
        held.hold(&task(1, 6));
        assert!(held.claimed(&task(2, 5)), "renewed since it was read");
        assert!(held.claimed(&task(3, 6)));
        assert_eq!(held.epoch(task(0, 0).id), Some(3), "its next commit is under the newest epoch");
        assert!(!held.claimed(&task(9, 8)), "another runner has committed it since");
        let (old, present) = (task(3, 6), task(9, 8));
        assert!(held.is_past(&old) && !held.is_past(&present));
        assert_eq!((held.epoch_of(&old), held.epoch_of(&present)), (None, Some(9)));
        held.release(task(0, 0).id, 3);
        assert_eq!(held.epoch(task(0, 0).id), Some(9), "that is another life");
    }
}
