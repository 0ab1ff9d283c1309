//! [`InFlight`]: which tasks this runner holds, and the newest epoch it claimed each under. A task in here is
//! never run a second time: a claim of what is held already only renews it. Nothing here is durable; a
//! runner that begins holds nothing.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::model::names::TaskId;
use crate::model::task::Task;

/// The tasks that are claimed and not committed yet, and those whose effect is owed an answer.
#[derive(Debug, Default)]
pub struct InFlight {
    held: Mutex<HashMap<TaskId, Hold>>,
    resumed: AtomicBool,
}

#[derive(Clone, Copy, Debug)]
struct Hold {
    epoch: u64,
    revision: u64,
}

impl InFlight {
    /// A claim has brought that task. Says whether it is the very life that is held already: its lease ended
    /// although its runner lives, as after a long commit or a step of the clock. Its epoch is taken over.
    pub fn claimed(&self, task: &Task) -> bool {
        let new = Hold { epoch: task.turn, revision: task.revision };
        let old = self.lock().insert(task.id, new);
        old.is_some_and(|old| old.revision == new.revision)
    }

    /// The task is committed, and an answer is owed to it.
    pub fn hold(&self, task: &Task) {
        let epoch = self.epoch(task.id).map_or(task.turn, |newest| newest.max(task.turn));
        self.lock().insert(task.id, Hold { epoch, revision: task.revision });
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
