//! [`Board`]: who waits for what. People who wait for a letter to be read or a task to end, and the moment
//! at which the runner must look at the store again. Nothing here is durable, and nothing is lost with it
//! but an answer.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, oneshot, watch};

use crate::engine::alarms::Watch;
use crate::engine::flow::Flow;
use crate::engine::lives::Lives;
use crate::engine::transition::{LetterId, Transition};
use crate::engine::wall::Wall;
use crate::model::fault::Fault;
use crate::model::names::{ProcessId, TaskId};
use crate::model::params::Params;
use crate::model::task::{Phase, Task};
use crate::model::time::Timestamp;

/// How many letters are remembered that were read before anybody asked.
const READ_BEFORE_MAX: usize = 10_000;

/// What became of a letter: the task after it, or why it changed nothing.
pub type Read = Result<Task, Fault>;

/// What a task replies.
pub type Reply = Result<Params, Fault>;

/// Who waits for what.
#[derive(Debug)]
pub struct Board {
    /// The values that die.
    pub lives: Lives,
    /// Whether the crowds on nodes with an alarm are to be looked at.
    pub crowds: Watch,
    /// How many tasks came and ended of late.
    pub flow: Flow,
    /// Whether the wall clock was set.
    pub wall: Wall,
    state: Mutex<Waiting>,
    due: AtomicI64,
    earlier: Notify,
    commits: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Waiting {
    /// Tasks whose effect waits for a place.
    unplaced: HashSet<TaskId>,
    letters: HashMap<LetterId, oneshot::Sender<Read>>,
    read_before: VecDeque<(LetterId, Read)>,
    ends: HashMap<TaskId, Vec<oneshot::Sender<Task>>>,
    replies: HashMap<TaskId, oneshot::Sender<Reply>>,
    moves: HashMap<TaskId, Vec<oneshot::Sender<()>>>,
    standings: HashMap<ProcessId, Standing>,
    moved: u64,
}

/// How a process stands.
#[derive(Debug, Default)]
struct Standing {
    live: i64,
    /// The number of its last move, as [`Board::last_move`] counts them.
    moved: u64,
}

impl Default for Board {
    fn default() -> Board {
        let (commits, _) = watch::channel(0);
        let (state, due) = (Mutex::default(), AtomicI64::new(i64::MIN));
        let (lives, crowds, flow) = (Lives::default(), Watch::default(), Flow::default());
        Board { lives, crowds, flow, wall: Wall::default(), state, due, earlier: Notify::new(), commits }
    }
}

impl Board {
    /// When the store must be looked at next.
    pub fn due(&self) -> Timestamp {
        Timestamp(self.due.load(Ordering::Acquire))
    }

    /// Looks at the store at `at` at the latest.
    pub fn look_at(&self, at: Timestamp) {
        if self.due.fetch_min(at.0, Ordering::AcqRel) > at.0 {
            self.earlier.notify_one();
        }
    }

    /// Forgets when to look; the store is being asked.
    pub fn looking(&self) {
        self.due.store(i64::MAX, Ordering::Release);
    }

    /// Returns when [`Board::due`] has become earlier.
    pub async fn earlier(&self) {
        self.earlier.notified().await;
    }

    /// The number of commits so far, to be watched.
    pub fn commits(&self) -> watch::Receiver<u64> {
        self.commits.subscribe()
    }

    /// Gives what becomes of a letter.
    pub fn letter(&self, id: LetterId) -> oneshot::Receiver<Read> {
        let (tell, told) = oneshot::channel();
        let mut state = self.lock();
        match state.read_before.iter().position(|(read, _)| *read == id) {
            // Nobody else can have asked for this letter, so the receiver is still there.
            Some(place) => drop(state.read_before.remove(place).map(|(_, read)| tell.send(read))),
            None => drop(state.letters.insert(id, tell)),
        }
        told
    }

    /// Nobody waits for that letter any more.
    pub fn forget_letter(&self, id: LetterId) {
        self.lock().letters.remove(&id);
    }

    /// Gives a task when it has ended.
    pub fn end(&self, id: TaskId) -> oneshot::Receiver<Task> {
        let (tell, told) = oneshot::channel();
        let mut state = self.lock();
        let waiting = state.ends.entry(id).or_default();
        waiting.retain(|it| !it.is_closed());
        waiting.push(tell);
        told
    }

    /// Gives what a task replies first; nothing if it ends without a reply.
    pub fn reply(&self, id: TaskId) -> oneshot::Receiver<Reply> {
        let (tell, told) = oneshot::channel();
        self.lock().replies.insert(id, tell);
        told
    }

    /// Nobody waits for a reply of that task any more.
    pub fn forget_reply(&self, id: TaskId) {
        self.lock().replies.remove(&id);
    }

    /// Says so when a task is committed next. Only this runner's commits are seen.
    pub fn moved(&self, id: TaskId) -> oneshot::Receiver<()> {
        let (tell, told) = oneshot::channel();
        let mut state = self.lock();
        let waiting = state.moves.entry(id).or_default();
        waiting.retain(|it| !it.is_closed());
        waiting.push(tell);
        told
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
        let live = self.lock().standings.get(process).map_or(0, |it| it.live);
        u64::try_from(live).unwrap_or(0)
    }

    /// Adds to the live tasks of a process.
    pub fn add_live(&self, process: &ProcessId, tasks: i64) {
        self.lock().standing(process).live += tasks;
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
            Some(process) => mine(process) && state.standings.get(process).is_some_and(|it| it.moved > last),
            None => state.standings.iter().any(|(process, it)| it.moved > last && mine(process)),
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
        let standing = state.standing(&task.process);
        standing.moved = moved;
        standing.live += i64::from(is_live) - i64::from(was_live);
        for reading in &transition.read {
            let read = reading.refused.clone().map_or_else(|| Ok(task.clone()), Err);
            state.tell_read(reading.letter, read);
        }
        if let Some(reply) = &transition.reply
            && let Some(tell) = state.replies.remove(&task.id)
        {
            // Who left does not want to know.
            drop(tell.send(reply.clone()));
        }
        for tell in state.moves.remove(&task.id).unwrap_or_default() {
            // Who left does not want to know.
            let _left = tell.send(());
        }
        if !is_live {
            state.replies.remove(&task.id);
            for tell in state.ends.remove(&task.id).unwrap_or_default() {
                // Who left does not want to know.
                drop(tell.send(task.clone()));
            }
        }
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

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn standing(&mut self, process: &ProcessId) -> &mut Standing {
        if !self.standings.contains_key(process) {
            self.standings.insert(process.clone(), Standing::default());
        }
        self.standings.get_mut(process).expect("it was put there")
    }

    fn tell_read(&mut self, id: LetterId, read: Read) {
        match self.letters.remove(&id) {
            // Who left does not want to know.
            Some(tell) => drop(tell.send(read)),
            None => {
                // Most were written by tasks, and nobody will ask: a round of calls is too much to remember.
                let read = read.map(|task| Task { round: None, ..task });
                self.read_before.push_back((id, read));
                if self.read_before.len() > READ_BEFORE_MAX {
                    self.read_before.pop_front();
                }
            }
        }
    }
}
