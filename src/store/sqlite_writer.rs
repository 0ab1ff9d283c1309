//! The two threads of an SQLite store: [`Writer`], which commits all who wait at once, and [`Checkpointer`],
//! which moves what is committed from the log to the file.

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::engine::ports::StoreError;
use crate::store::ballast::Ballast;
use crate::store::leases::Leases;
use crate::store::seal::Sealer;
use crate::store::sqlite_batch::{Batch, With};

/// Requests that may wait; whoever comes then waits to wait.
const QUEUE_MAX: usize = 1_024;
/// A commit is fresh for so long: who asks whether the store takes writes is answered by it.
const LATELY: Duration = Duration::from_secs(1);
/// How often it is looked how much room the disk has, while nothing is written …
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// … and while a commit has found none.
const LOOK_WHEN_FULL_EVERY: Duration = Duration::from_secs(1);
/// Shows that there is room again.
const SMALL_WRITE: &str = "UPDATE store SET last_event = last_event";
/// How long commits gather before they are checkpointed.
const CHECKPOINT_EVERY: Duration = Duration::from_millis(100);

/// The only one that writes: one thread, one group commit for all who wait.
pub(super) struct Writer {
    /// None of them: nothing comes after it.
    jobs: mpsc::Sender<Option<Box<dyn Job>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    pub(super) log: Arc<Log>,
}

/// Something to be done in a transaction, and someone who waits for it.
trait Job: Send {
    /// May be called again in another transaction, if the first one failed.
    fn run(&mut self, batch: &mut Batch<'_>) -> Result<(), StoreError>;
    /// To be called once the transaction is committed, or has failed.
    fn answer(self: Box<Self>, end: Result<(), StoreError>);
}

struct Asked<T, A> {
    act: A,
    done: Option<T>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, A> Job for Asked<T, A>
where
    T: Send,
    A: FnMut(&mut Batch<'_>) -> Result<T, StoreError> + Send,
{
    fn run(&mut self, batch: &mut Batch<'_>) -> Result<(), StoreError> {
        self.done = Some((self.act)(batch)?);
        Ok(())
    }

    fn answer(self: Box<Self>, end: Result<(), StoreError>) {
        let Asked { done, reply, .. } = *self;
        // Who asked may have gone; what is committed stays so.
        let _ = reply.send(end.and_then(|()| done.ok_or_else(gone)));
    }
}

impl Writer {
    pub(super) fn start(
        db: Connection,
        sealer: Arc<Sealer>,
        leases: Arc<Mutex<Leases>>,
        log: Arc<Log>,
    ) -> Result<Writer, StoreError> {
        let (jobs, waiting) = mpsc::channel(QUEUE_MAX);
        let thread = Builder::new().name("store-writer".to_owned());
        let told = Arc::clone(&log);
        let work = move || serve(&db, (&sealer, &leases), waiting, &told);
        let thread = thread.spawn(work).map_err(|error| lost(&error))?;
        Ok(Writer { jobs, thread: Mutex::new(Some(thread)), log })
    }

    /// Whether the last commit succeeded, a moment ago.
    pub(super) fn committed_lately(&self) -> bool {
        lock(&self.log.last).is_some_and(|at| now().duration_since(at) < LATELY)
    }

    /// Has `act` done in the next transaction; returns when that is durable.
    pub(super) async fn ask<T, A>(&self, act: A) -> Result<T, StoreError>
    where
        T: Send + 'static,
        A: FnMut(&mut Batch<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Asked { act, done: None, reply });
        self.jobs.send(Some(job)).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    /// Finishes what was asked for, and moves all of it from the log to the file. What is asked for later is
    /// refused.
    pub(super) async fn close(&self) {
        // An error says that it is closed.
        let _ = self.jobs.send(None).await;
        let thread = lock(&self.thread).take();
        if tokio::task::spawn_blocking(|| join(thread)).await.is_err() {
            tracing::error!("the store was not closed");
        }
    }
}

impl Drop for Writer {
    /// Finishes what was asked for.
    fn drop(&mut self) {
        self.jobs = mpsc::channel(1).0;
        join(lock(&self.thread).take());
    }
}

fn serve(db: &Connection, with: With<'_>, mut waiting: mpsc::Receiver<Option<Box<dyn Job>>>, log: &Log) {
    while let Some(group) = gather(&mut waiting) {
        let changes = db.total_changes();
        let succeeded = commit(db, with, log, group);
        let wrote = db.total_changes() != changes;
        if wrote || !succeeded {
            *lock(&log.last) = succeeded.then(now);
        }
        if wrote {
            log.grew();
        }
        if wrote && succeeded {
            log.ballast.found_room();
        }
    }
    *lock(&log.last) = None;
    // What stands in the file alone can be copied as one file.
    if let Err(error) = db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())) {
        tracing::warn!(%error, "the store's log was not moved into its file");
    }
}

/// All who wait. None once nobody will any more.
fn gather(waiting: &mut mpsc::Receiver<Option<Box<dyn Job>>>) -> Option<Vec<Box<dyn Job>>> {
    let mut next = Some(waiting.blocking_recv()?);
    let mut group = Vec::new();
    while let Some(command) = next {
        match command {
            Some(job) => group.push(job),
            None => waiting.close(),
        }
        next = if group.len() < QUEUE_MAX { waiting.try_recv().ok() } else { None };
    }
    Some(group)
}

/// Commits a group and answers it; says whether the last commit succeeded. If one of the group fails, each
/// gets a transaction of its own: the others must not suffer for it. If one fails in a way that may be of one
/// of its writes alone, each of its writes stands by itself.
fn commit(db: &Connection, with: With<'_>, log: &Log, group: Vec<Box<dyn Job>>) -> bool {
    let tried = match try_commit(Batch::begin(db, with), group) {
        Tried::Suspect(group) if group.len() == 1 => {
            roll_back(db);
            try_commit(Batch::begin_careful(db, with), group)
        }
        tried => tried,
    };
    match tried {
        Tried::Done => true,
        Tried::Failed(group, error) if log.ballast.may_help(&error) && log.ballast.give_up() => {
            roll_back(db);
            commit(db, with, log, group)
        }
        Tried::Failed(group, error) => fail(db, group, &error),
        Tried::Suspect(group) if group.len() == 1 => fail(db, group, &gone()),
        Tried::Suspect(group) => {
            roll_back(db);
            group.into_iter().fold(false, |_, job| commit(db, with, log, vec![job]))
        }
    }
}

enum Tried {
    Done,
    /// The store failed.
    Failed(Vec<Box<dyn Job>>, StoreError),
    /// It may be for one of them, or for one of its writes.
    Suspect(Vec<Box<dyn Job>>),
}

fn try_commit(batch: Result<Batch<'_>, StoreError>, mut group: Vec<Box<dyn Job>>) -> Tried {
    let mut batch = match batch {
        Ok(batch) => batch,
        Err(error) => return Tried::Failed(group, error),
    };
    let done = group.iter_mut().try_for_each(|job| job.run(&mut batch)).and_then(|()| batch.finish());
    let commit = |()| Ok(batch.db.prepare_cached("COMMIT")?.execute([])?);
    match done {
        Err(_) if group.len() > 1 || batch.suspect => return Tried::Suspect(group),
        done => match done.and_then(commit) {
            Ok(_) => {}
            Err(error) => return Tried::Failed(group, error),
        },
    }
    for job in group {
        job.answer(Ok(()));
    }
    Tried::Done
}

fn fail(db: &Connection, group: Vec<Box<dyn Job>>, error: &StoreError) -> bool {
    roll_back(db);
    tracing::error!(%error, requests = group.len(), "the store did not commit");
    for job in group {
        job.answer(Err(error.clone()));
    }
    false
}

/// SQLite has often done so by itself, when the disk is full.
fn roll_back(db: &Connection) {
    if !db.is_autocommit()
        && let Err(error) = db.execute_batch("ROLLBACK")
    {
        tracing::error!(%error, "the store did not roll back");
    }
}

/// What the writer and the checkpointer share.
pub(super) struct Log {
    state: Mutex<LogState>,
    changed: Condvar,
    /// When the last commit succeeded that wrote something; none if it did not.
    last: Mutex<Option<Instant>>,
    /// The room of the disk.
    pub(super) ballast: Ballast,
}

#[derive(Default)]
struct LogState {
    grown: bool,
    closed: bool,
}

impl Log {
    /// Of the store at `path`.
    pub(super) fn of(path: &Path) -> Log {
        let ballast = Ballast::beside(path);
        Log { state: Mutex::default(), changed: Condvar::new(), last: Mutex::default(), ballast }
    }

    /// Wakes the checkpointer for the first commit alone: it waits a little for more by itself, and a commit
    /// that woke it again would only take a processor from whoever is answered now.
    fn grew(&self) {
        if !std::mem::replace(&mut lock(&self.state).grown, true) {
            self.changed.notify_one();
        }
    }

    fn set(&self, change: impl FnOnce(&mut LogState)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_one();
    }

    /// Waits until there is something to checkpoint, and a little longer for more; or until it is time to
    /// look at the disk again. False when the store closes.
    fn gather(&self) -> bool {
        let look = if self.ballast.is_full() { LOOK_WHEN_FULL_EVERY } else { LOOK_EVERY };
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = self.changed.wait_timeout_while(state, look, |state| !state.grown && !state.closed);
        let (state, _) = idle.unwrap_or_else(PoisonError::into_inner);
        if !state.grown && !state.closed {
            return true;
        }
        let pause = self.changed.wait_timeout_while(state, CHECKPOINT_EVERY, |state| !state.closed);
        let (state, _) = pause.unwrap_or_else(PoisonError::into_inner);
        !state.closed
    }

    /// Whether anything was written since this was asked last.
    fn has_grown(&self) -> bool {
        std::mem::take(&mut lock(&self.state).grown)
    }
}

/// Keeps the log short without making the writer wait. Sleeps while nothing is written.
pub(super) struct Checkpointer {
    log: Arc<Log>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpointer {
    pub(super) fn start(db: Connection, log: Arc<Log>) -> Result<Checkpointer, StoreError> {
        let thread = Builder::new().name("store-checkpointer".to_owned());
        let shared = Arc::clone(&log);
        let work = move || {
            shared.ballast.refresh();
            while shared.gather() {
                if shared.has_grown() {
                    checkpoint(&db, &shared);
                }
                if shared.ballast.is_full() && db.execute(SMALL_WRITE, []).is_ok() {
                    shared.ballast.found_room();
                }
                shared.ballast.refresh();
            }
        };
        Ok(Checkpointer { log, thread: Some(thread.spawn(work).map_err(|error| lost(&error))?) })
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        self.log.set(|state| state.closed = true);
        join(self.thread.take());
    }
}

fn checkpoint(db: &Connection, log: &Log) {
    let pages = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(1)?, row.get::<_, i64>(2)?));
    match db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], pages) {
        Ok((written, moved)) if moved < written => log.grew(),
        Ok(_) => {}
        Err(error) => tracing::warn!(%error, "the store's log was not checkpointed"),
    }
}

fn join(thread: Option<JoinHandle<()>>) {
    if thread.is_some_and(|thread| thread.join().is_err()) {
        tracing::error!("a thread of the store has panicked");
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[expect(clippy::disallowed_methods, reason = "how fresh a commit is; nothing is decided by it in a task")]
fn now() -> Instant {
    Instant::now()
}

fn gone() -> StoreError {
    StoreError::Lost("it is closed".to_owned())
}

fn lost(error: &std::io::Error) -> StoreError {
    StoreError::Lost(error.to_string())
}
