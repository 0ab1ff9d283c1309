//! [`RuntimeState`]: what runner and service tell each other. Who waits for what, how processes stand, and
//! the moment at which the runner must look at the store again. Nothing here is durable, and nothing is lost
//! with it but an answer.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};

use crate::engine::alarms::BacklogWatch;
use crate::engine::census::Census;
use crate::engine::expiries::ExpiryIndex;
use crate::engine::flow::FlowCounts;
use crate::engine::transition::Transition;
use crate::engine::waiters::Waiters;
use crate::engine::wall::Wall;
use crate::model::names::{Address, NodeName, ProcessId, TaskId};
use crate::model::task::Phase;
use crate::model::time::Timestamp;

/// What runner and service tell each other.
#[derive(Debug)]
pub struct RuntimeState {
    /// The values that die.
    pub expiries: ExpiryIndex,
    /// Whether the backlogs on nodes with an alarm are to be looked at.
    pub backlogs: BacklogWatch,
    /// How many tasks came and ended of late.
    pub flow: FlowCounts,
    /// How many tasks live, and how many are about to be born.
    pub census: Arc<Census>,
    /// Who waits for a signal to be read, or for a task to reply, to move or to end.
    pub waiters: Waiters,
    /// Whether the wall clock was set.
    pub wall: Wall,
    asides: Mutex<Vec<Aside>>,
    state: Mutex<Standings>,
    due: AtomicI64,
    earlier: Notify,
    commits: watch::Sender<u64>,
}

/// A task under which the engine died too often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aside {
    /// Its number.
    pub id: TaskId,
    /// Its name.
    pub address: Address,
    /// Where it stood.
    pub node: NodeName,
}

#[derive(Debug, Default)]
struct Standings {
    by_process: HashMap<ProcessId, Standing>,
    /// Tasks whose effect waits for a place.
    unplaced: HashSet<TaskId>,
    moved: u64,
}

/// How a process stands.
#[derive(Debug, Default)]
struct Standing {
    /// The number of its last move, as [`RuntimeState::last_move`] counts them.
    moved: u64,
}

impl Default for RuntimeState {
    fn default() -> RuntimeState {
        let (commits, _) = watch::channel(0);
        let (state, due) = (Mutex::default(), AtomicI64::new(i64::MIN));
        let (expiries, backlogs, flow) =
            (ExpiryIndex::default(), BacklogWatch::default(), FlowCounts::default());
        let (census, waiters, wall) = (Arc::default(), Waiters::default(), Wall::default());
        let (asides, earlier) = (Mutex::default(), Notify::new());
        RuntimeState { expiries, backlogs, flow, census, waiters, wall, asides, state, due, earlier, commits }
    }
}

impl RuntimeState {
    /// A task was set aside, and a person is to be told.
    pub fn set_aside(&self, aside: Aside) {
        self.asides.lock().unwrap_or_else(PoisonError::into_inner).push(aside);
    }

    /// Those that nobody was told of yet; they are no more here.
    pub fn asides(&self) -> Vec<Aside> {
        std::mem::take(&mut *self.asides.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// When the store must be looked at next.
    pub fn due(&self) -> Timestamp {
        Timestamp(self.due.load(Ordering::Acquire))
    }

    /// Looks at the store at `at` at the latest.
    pub fn wake_by(&self, at: Timestamp) {
        if self.due.fetch_min(at.0, Ordering::AcqRel) > at.0 {
            self.earlier.notify_one();
        }
    }

    /// Forgets when to look; the store is being asked.
    pub fn looking(&self) {
        self.due.store(i64::MAX, Ordering::Release);
    }

    /// Returns when [`RuntimeState::due`] has become earlier.
    pub async fn earlier(&self) {
        self.earlier.notified().await;
    }

    /// The number of commits so far, to be watched.
    pub fn commits(&self) -> watch::Receiver<u64> {
        self.commits.subscribe()
    }

    /// The task's effect waits for a place.
    pub fn unplaced(&self, id: TaskId) {
        self.lock().unplaced.insert(id);
    }

    /// The task's effect waits for no place any more.
    pub fn placed(&self, id: TaskId) {
        self.lock().unplaced.remove(&id);
    }

    /// Whether the task's effect waits for a place: it is doing something, and nothing was asked yet.
    pub fn waits_for_place(&self, id: TaskId) -> bool {
        self.lock().unplaced.contains(&id)
    }

    /// How many live tasks a process has.
    pub fn live(&self, process: &ProcessId) -> u64 {
        self.census.live(process)
    }

    /// Adds to the live tasks of a process.
    pub fn add_live(&self, process: &ProcessId, tasks: i64) {
        self.census.add(process, tasks);
    }

    /// How many times a task of any process has moved, as far as this runner knows.
    pub fn last_move(&self) -> u64 {
        self.lock().moved
    }

    /// Whether a task of that process has moved since; of any process that `mine` takes, if none is given.
    pub fn moved_since(
        &self,
        last: u64,
        process: Option<&ProcessId>,
        mine: impl Fn(&ProcessId) -> bool,
    ) -> bool {
        let state = self.lock();
        match process {
            Some(process) => mine(process) && state.by_process.get(process).is_some_and(|it| it.moved > last),
            None => state.by_process.iter().any(|(process, it)| it.moved > last && mine(process)),
        }
    }

    /// Tells those whom a committed transition concerns.
    pub fn committed(&self, transition: &Transition) {
        let task = &transition.task;
        let mut state = self.lock();
        let was_live = transition.before.as_ref().is_some_and(|place| place.phase.is_live());
        let is_live = task.state.phase().is_live() && !transition.gone;
        self.note(transition, was_live, is_live);
        state.moved += 1;
        let moved = state.moved;
        state.standing(&task.process).moved = moved;
        drop(state);
        self.census.add(&task.process, i64::from(is_live) - i64::from(was_live));
        self.waiters.committed(transition);
    }

    /// Counts who came and who ended; a new task may have ended in its first step.
    fn note(&self, transition: &Transition, was_live: bool, is_live: bool) {
        let is_new = transition.before.is_none();
        let came = !was_live && (is_live || is_new);
        let ended = !is_live && (was_live || is_new);
        if came || ended {
            let failed = ended && transition.task.state.phase() == Phase::Failed;
            let counts = [came, ended, failed].map(u64::from);
            self.flow.note(&transition.task.process, transition.at, counts);
        }
    }

    /// Tells those who watch that there was a commit.
    pub fn commit_done(&self) {
        self.commits.send_modify(|commits| *commits += 1);
    }

    fn lock(&self) -> MutexGuard<'_, Standings> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Standings {
    fn standing(&mut self, process: &ProcessId) -> &mut Standing {
        if !self.by_process.contains_key(process) {
            self.by_process.insert(process.clone(), Standing::default());
        }
        self.by_process.get_mut(process).expect("it was put there")
    }
}
