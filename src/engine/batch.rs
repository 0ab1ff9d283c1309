//! [`BatchProcessor`]: what is at hand is fetched for once, stepped each, committed once, and told to those
//! who wait.
//!
//! There is no recovery: a task whose runner died is *due* again when its lease runs out, and is then run
//! like any other.

use std::fmt;
use std::sync::Arc;

use thiserror::Error;
use tokio::sync::oneshot;

use crate::engine::again::Again;
use crate::engine::apart::Apart;
use crate::engine::ids::IdGenerator;
use crate::engine::in_flight::InFlight;
use crate::engine::ports::{Clock, DiskRoom, Outbound, Refused, Store, StoreError};
use crate::engine::registry::Registry;
use crate::engine::runtime_state::RuntimeState;
use crate::engine::step::Cause;
use crate::engine::transition::SignalId;
use crate::engine::witness::Witness;
use crate::model::effect::Outcome;
use crate::model::names::{Address, NodeName, ProcessId, Ref, TaskId};
use crate::model::params::Params;
use crate::model::scope::ReadSet;
use crate::model::signal::Signal;
use crate::model::task::Task;
use crate::model::time::{Span, Timestamp};

/// How long a claimed task is out of reach of other runners; it is stepped at once, so this is for lost
/// runners only.
pub const CLAIM_LEASE: Span = Span::secs(10);
/// How many tasks are claimed at once.
pub const CLAIM_MAX: usize = 500;
/// What every batch needs.
pub struct BatchProcessor {
    /// Keeps.
    pub store: Arc<dyn Store>,
    /// Performs.
    pub world: Arc<dyn Outbound>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// The deployed processes.
    pub registry: Arc<Registry>,
    /// Who waits for what.
    pub state: RuntimeState,
    /// What every decision may see beside its task: variables, names of secrets, the public URL.
    pub facts: Arc<dyn Fn() -> ReadSet + Send + Sync>,
    /// Numbers and chance.
    pub ids: IdGenerator,
    /// What the runner holds.
    pub in_flight: InFlight,
    /// Where evaluations go that take long.
    pub apart: Apart,
    /// Outlives this process, and knows under which decisions it died.
    pub witness: Arc<dyn Witness>,
}

impl fmt::Debug for BatchProcessor {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_struct("BatchProcessor").field("registry", &self.registry).finish_non_exhaustive()
    }
}

/// One thing at hand.
#[derive(Debug)]
pub enum Work {
    /// A task, and why.
    Hand(Box<WorkItem>),
    /// A signal from outside.
    Post {
        /// The signal.
        signal: Signal,
        /// Who wants to know whether it was kept, and under which number.
        reply_to: oneshot::Sender<Result<Option<SignalId>, SubmitError>>,
    },
}

impl Work {
    /// Where the task stands that is in hand.
    pub(super) fn place(&self) -> Option<(ProcessId, NodeName)> {
        match self {
            Work::Hand(hand) => Some((hand.task.process.clone(), hand.task.at.clone())),
            Work::Post { .. } => None,
        }
    }

    /// Whether the task in hand is in no store yet.
    pub(super) fn is_new(&self) -> bool {
        matches!(self, Work::Hand(hand) if hand.cause == Cause::New)
    }

    /// The task that is in hand, and the epoch it came under.
    pub(super) fn life(&self) -> Option<(TaskId, u64)> {
        match self {
            Work::Hand(hand) => Some((hand.task.id, hand.task.epoch)),
            Work::Post { .. } => None,
        }
    }
}

/// A task in hand.
#[derive(Debug)]
pub struct WorkItem {
    /// The task as it was committed last, or new.
    pub task: Task,
    /// Why it is in hand.
    pub cause: Cause,
    /// For a new task: the key of its submit.
    pub idempotency: Option<String>,
    /// For a new task: by what it came, for the history.
    pub by: Option<String>,
    /// For a new task: who submitted it.
    pub reply_to: Option<oneshot::Sender<Result<Task, SubmitError>>>,
    /// What became of its step before, if it is decided anew.
    pub again: Again,
}

impl WorkItem {
    /// A task with what the world answered.
    pub fn answered(task: Task, outcome: Outcome) -> Work {
        WorkItem::of(task, Cause::Answered(outcome))
    }

    /// A task that is in the store already, and why.
    pub(super) fn of(task: Task, cause: Cause) -> Work {
        let again = Again::default();
        Work::Hand(Box::new(WorkItem { task, cause, idempotency: None, by: None, reply_to: None, again }))
    }
}

/// Why something from outside was not taken in.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SubmitError {
    /// The name is taken.
    #[error("process `{}` has a live task `{}` already", .0.process, .0.reference)]
    RefTaken(Address),
    /// It was submitted before.
    #[error("submitted before as task {0}")]
    Repeated(TaskId),
    /// There is no such process.
    #[error("there is no process `{0}`")]
    NoProcess(ProcessId),
    /// There is no such task, or it has ended.
    #[error("there is no live task `{0}`")]
    NoTask(String),
    /// The process has as many tasks as it may have.
    #[error("process `{process}` has {tasks} live tasks, and no more are taken")]
    Full {
        /// The process.
        process: ProcessId,
        /// Its limit.
        tasks: u64,
    },
    /// The disk has no room for new work.
    #[error(
        "the disk of the data folder has {} MB left, so new work is refused while what runs can end; \
         hint: make room there; it is taken again by itself",
        .0.free_bytes() >> 20
    )]
    NoRoom(DiskRoom),
    /// The store did not keep it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The engine is stopping.
    #[error("the engine is stopping")]
    Stopping,
}

/// What a batch leaves to do.
#[derive(Debug, Default)]
pub struct BatchResult {
    /// Tasks whose effects are to be performed now, or whose lease was renewed.
    pub doing: Vec<Task>,
    /// Tasks that nothing is owed to any more, and the epoch of the life that is over: two batches may come
    /// back in another order than they were committed in.
    pub over: Vec<(TaskId, u64)>,
    /// What the store did not take: to be offered again, for nothing received may be lost.
    pub again: Vec<Work>,
    /// What takes long to decide: to be run apart, each by itself.
    pub heavy: Vec<Work>,
}

/// What was due.
#[derive(Debug, Default)]
pub struct Claimed {
    /// To be run.
    pub items: Vec<Work>,
    /// Tasks that this runner holds already: their leases are to be renewed.
    pub held: Vec<TaskId>,
    /// More may be due.
    pub full: bool,
}

impl BatchProcessor {
    /// A new task, before its first step.
    pub fn new_task(&self, process: &ProcessId, reference: Ref, params: Params) -> Option<Task> {
        let start = self.registry.get(process)?.process.start.clone();
        let now = self.clock.now();
        let address = Address { process: process.clone(), reference };
        Some(Task::new(self.ids.next(now), address, start, params, now))
    }

    /// The present moment; all steps of the wall clock up to it are known, and kept.
    ///
    /// # Errors
    /// The store does not tell which there were.
    pub async fn now(&self) -> Result<Timestamp, StoreError> {
        let heard = self.state.wall.steps().many;
        let now = self.state.wall.now(self.store.as_ref(), self.clock.as_ref()).await?;
        if self.state.wall.steps().many != heard {
            self.state.wake_by(now);
        }
        Ok(now)
    }

    /// Takes what is due, up to [`CLAIM_MAX`] tasks, and sees to it that the store is looked at again in
    /// time.
    pub async fn claim(&self) -> Result<Claimed, StoreError> {
        // Before anything may fail: whoever failed says when to look again.
        self.state.looking();
        let now = self.now().await?;
        self.resume(now).await?;
        self.look_at_backlogs(now).await;
        let mend = self.state.wall.mend(self.store.as_ref(), now).await;
        let begun = self.clock.ticks();
        self.in_flight.claiming();
        let claims = self.store.claim(now, CLAIM_LEASE, CLAIM_MAX).await;
        // What it took, if it did, is found again when its lease has ended.
        let claims = claims.inspect_err(|_| self.in_flight.claims_lost(self.clock.ticks() + CLAIM_LEASE))?;
        let mut claimed = Claimed { full: claims.len() == CLAIM_MAX, ..Claimed::default() };
        let next = if claimed.full { Ok(Some(now)) } else { self.store.next_due().await };
        let next = next.inspect_err(|_| self.in_flight.claims_lost(self.clock.ticks() + CLAIM_LEASE))?;
        if let Some(next) = next.into_iter().chain(mend).min() {
            self.state.wake_by(next);
        }
        for claim in claims {
            if self.in_flight.claimed(&claim.task) {
                claimed.held.push(claim.task.id);
                continue;
            }
            if let Some(due) = claim.task.due {
                #[expect(
                    clippy::cast_precision_loss,
                    reason = "a lateness in seconds needs no more than 52 bits"
                )]
                metrics::histogram!("beltline_lateness_seconds").record(now.since(due).0 as f64 / 1_000.0);
            }
            claimed.items.push(WorkItem::of(claim.task, Cause::Claimed(claim.signals)));
        }
        self.in_flight.claims_known(begun);
        Ok(claimed)
    }

    /// Makes due what a runner before this one left undone: once, as soon as the store takes it.
    async fn resume(&self, now: Timestamp) -> Result<(), StoreError> {
        if !self.in_flight.has_resumed() {
            let tasks = self.store.resume(now).await?;
            self.in_flight.resumed();
            if tasks > 0 {
                tracing::info!(tasks, "what was under way goes on");
            }
        }
        Ok(())
    }
}

pub(super) fn not_taken(refused: Refused) -> SubmitError {
    match refused {
        Refused::RefTaken(address) => SubmitError::RefTaken(address),
        Refused::NoTask(name) => SubmitError::NoTask(name),
        Refused::Repeated(id) => SubmitError::Repeated(id),
        Refused::Stale => SubmitError::Stopping,
        Refused::Unwritable(why) => SubmitError::Store(StoreError::Lost(why)),
    }
}
