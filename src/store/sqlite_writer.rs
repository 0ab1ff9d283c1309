//! The two threads of an SQLite store: [`Writer`], which commits all who wait at once, and [`Checkpointer`],
//! which moves what is committed from the log to the file.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::engine::edges::StoreError;
use crate::store::leases::Leases;
use crate::store::seal::Sealer;
use crate::store::sqlite_batch::Batch;

/// Requests that may wait; whoever comes then waits to wait.
const QUEUE_MAX: usize = 1_024;
/// How long commits gather before they are checkpointed.
const CHECKPOINT_EVERY: Duration = Duration::from_millis(100);

/// The only one that writes: one thread, one group commit for all who wait.
pub(super) struct Writer {
    jobs: Option<mpsc::Sender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
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
        let thread = thread
            .spawn(move || serve(&db, (&sealer, &leases), waiting, &log))
            .map_err(|error| lost(&error))?;
        Ok(Writer { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Has `act` done in the next transaction; returns when that is durable.
    pub(super) async fn ask<T, A>(&self, act: A) -> Result<T, StoreError>
    where
        T: Send + 'static,
        A: FnMut(&mut Batch<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Asked { act, done: None, reply });
        let jobs = self.jobs.as_ref().ok_or_else(gone)?;
        jobs.send(job).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

impl Drop for Writer {
    /// Finishes what was asked for.
    fn drop(&mut self) {
        self.jobs = None;
        join(self.thread.take());
    }
}

/// What a batch works with beside its connection.
type With<'a> = (&'a Sealer, &'a Mutex<Leases>);

fn serve(db: &Connection, with: With<'_>, mut waiting: mpsc::Receiver<Box<dyn Job>>, log: &Log) {
    while let Some(first) = waiting.blocking_recv() {
        let mut group = vec![first];
        while group.len() < QUEUE_MAX
            && let Ok(next) = waiting.try_recv()
        {
            group.push(next);
        }
        let changes = db.total_changes();
        commit(db, with, group);
        if db.total_changes() != changes {
            log.grew();
        }
    }
}

/// Commits a group and answers it. If one of the group fails, each gets a transaction of its own: the others
/// must not suffer for it.
fn commit(db: &Connection, with: With<'_>, mut group: Vec<Box<dyn Job>>) {
    let mut batch = match Batch::begin(db, with) {
        Ok(batch) => batch,
        Err(error) => return fail(db, group, &error),
    };
    let done = group.iter_mut().try_for_each(|job| job.run(&mut batch)).and_then(|()| batch.finish());
    match done {
        Ok(()) => {}
        Err(error) if group.len() == 1 => return fail(db, group, &error),
        Err(_) => {
            roll_back(db);
            for job in group {
                commit(db, with, vec![job]);
            }
            return;
        }
    }
    match db.prepare_cached("COMMIT").and_then(|mut commit| commit.execute([])) {
        Ok(_) => group.into_iter().for_each(|job| job.answer(Ok(()))),
        Err(error) => fail(db, group, &error.into()),
    }
}

fn fail(db: &Connection, group: Vec<Box<dyn Job>>, error: &StoreError) {
    roll_back(db);
    tracing::error!(%error, requests = group.len(), "the store did not commit");
    for job in group {
        job.answer(Err(error.clone()));
    }
}

/// SQLite has often done so by itself, when the disk is full.
fn roll_back(db: &Connection) {
    if !db.is_autocommit()
        && let Err(error) = db.execute_batch("ROLLBACK")
    {
        tracing::error!(%error, "the store did not roll back");
    }
}

/// What the writer tells the checkpointer.
#[derive(Default)]
pub(super) struct Log {
    state: Mutex<LogState>,
    changed: Condvar,
}

#[derive(Default)]
struct LogState {
    grown: bool,
    closed: bool,
}

impl Log {
    fn grew(&self) {
        self.set(|state| state.grown = true);
    }

    fn set(&self, change: impl FnOnce(&mut LogState)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_one();
    }

    /// Waits until there is something to checkpoint, and a little longer for more. False when the store
    /// closes.
    fn gather(&self) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = self.changed.wait_while(state, |state| !state.grown && !state.closed);
        let state = idle.unwrap_or_else(PoisonError::into_inner);
        let pause = self.changed.wait_timeout_while(state, CHECKPOINT_EVERY, |state| !state.closed);
        let (mut state, _) = pause.unwrap_or_else(PoisonError::into_inner);
        state.grown = false;
        !state.closed
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
            while shared.gather() {
                checkpoint(&db, &shared);
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

fn gone() -> StoreError {
    StoreError::Lost("it is closed".to_owned())
}

fn lost(error: &std::io::Error) -> StoreError {
    StoreError::Lost(error.to_string())
}
