//! [`Turns`]: what is at hand is fetched for once, stepped each, committed once, and told to those who wait.
//!
//! There is no recovery: a task whose runner died is *due* again when its lease runs out, and is then run
//! like any other.

use std::fmt;
use std::sync::Arc;

use thiserror::Error;
use tokio::sync::oneshot;

use crate::engine::again::Again;
use crate::engine::apart::Apart;
use crate::engine::births::Births;
use crate::engine::board::Board;
use crate::engine::edges::{Clock, DiskRoom, Refused, Store, StoreError, World};
use crate::engine::in_flight::InFlight;
use crate::engine::registry::Registry;
use crate::engine::step::Cause;
use crate::engine::transition::LetterId;
use crate::engine::witness::Witness;
use crate::model::effect::Outcome;
use crate::model::names::{Address, NodeName, ProcessId, Ref, TaskId};
use crate::model::params::Params;
use crate::model::scope::Scope;
use crate::model::task::{Letter, Task};
use crate::model::time::{Span, Timestamp};

/// How long a claimed task is out of reach of other runners; it is stepped at once, so this is for lost
/// runners only.
pub const CLAIM_LEASE: Span = Span::secs(10);
/// How many tasks are claimed at once.
pub const CLAIM_MAX: usize = 500;
/// What every turn needs.
pub struct Turns {
    /// Keeps.
    pub store: Arc<dyn Store>,
    /// Performs.
    pub world: Arc<dyn World>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// The deployed processes.
    pub registry: Arc<Registry>,
    /// Who waits for what.
    pub board: Board,
    /// What every decision may see beside its task: variables, names of secrets, the public URL.
    pub facts: Arc<dyn Fn() -> Scope + Send + Sync>,
    /// Numbers and chance.
    pub births: Births,
    /// What the runner holds.
    pub in_flight: InFlight,
    /// Where evaluations go that take long.
    pub apart: Apart,
    /// Outlives this process, and knows under which decisions it died.
    pub witness: Arc<dyn Witness>,
}

impl fmt::Debug for Turns {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_struct("Turns").field("registry", &self.registry).finish_non_exhaustive()
    }
}

/// One thing at hand.
#[derive(Debug)]
pub enum Item {
    /// A task, and why.
    Hand(Box<Hand>),
    /// A letter from outside.
    Post {
        /// The letter.
        letter: Letter,
        /// Who wants to know whether it was kept, and under which number.
        tell: oneshot::Sender<Result<Option<LetterId>, NotTaken>>,
    },
}

impl Item {
    /// Where the task stands that is in hand.
    pub(super) fn place(&self) -> Option<(ProcessId, NodeName)> {
        match self {
            Item::Hand(hand) => Some((hand.task.process.clone(), hand.task.at.clone())),
            Item::Post { .. } => None,
        }
    }

    /// The task that is in hand, and the epoch it came under.
    pub(super) fn life(&self) -> Option<(TaskId, u64)> {
        match self {
            Item::Hand(hand) => Some((hand.task.id, hand.task.turn)),
            Item::Post { .. } => None,
        }
    }
}

/// A task in hand.
#[derive(Debug)]
pub struct Hand {
    /// The task as it was committed last, or new.
    pub task: Task,
    /// Why it is in hand.
    pub cause: Cause,
    /// For a new task: the key of its submit.
    pub idempotency: Option<String>,
    /// For a new task: by what it came, for the trail.
    pub by: Option<String>,
    /// For a new task: who submitted it.
    pub tell: Option<oneshot::Sender<Result<Task, NotTaken>>>,
    /// What became of its step before, if it is decided anew.
    pub again: Again,
}

impl Hand {
    /// A task with what the world answered.
    pub fn answered(task: Task, outcome: Outcome) -> Item {
        Hand::of(task, Cause::Answered(outcome))
    }

    /// A task that is in the store already, and why.
    pub(super) fn of(task: Task, cause: Cause) -> Item {
        let again = Again::default();
        Item::Hand(Box::new(Hand { task, cause, idempotency: None, by: None, tell: None, again }))
    }
}

/// Why something from outside was not taken in.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NotTaken {
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

/// What a turn leaves to do.
#[derive(Debug, Default)]
pub struct Left {
    /// Tasks whose effects are to be performed now, or whose lease was renewed.
    pub doing: Vec<Task>,
    /// Tasks that nothing is owed to any more, and the epoch of the life that is over: two batches may come
    /// back in another order than they were committed in.
    pub over: Vec<(TaskId, u64)>,
    /// What the store did not take: to be offered again, for nothing received may be lost.
    pub again: Vec<Item>,
    /// What takes long to decide: to be run apart, each by itself.
    pub heavy: Vec<Item>,
}

/// What was due.
#[derive(Debug, Default)]
pub struct Claimed {
    /// To be run.
    pub items: Vec<Item>,
    /// Tasks that this runner holds already: their leases are to be renewed.
    pub held: Vec<TaskId>,
    /// More may be due.
    pub full: bool,
}

impl Turns {
    /// A new task, before its first step.
    pub fn new_task(&self, process: &ProcessId, reference: Ref, params: Params) -> Option<Task> {
        let start = self.registry.get(process)?.process.start.clone();
        let now = self.clock.now();
        let address = Address { process: process.clone(), reference };
        Some(Task::born(self.births.next(now), address, start, params, now))
    }

    /// The present moment; all steps of the wall clock up to it are known, and kept.
    ///
    /// # Errors
    /// The store does not tell which there were.
    pub async fn now(&self) -> Result<Timestamp, StoreError> {
        let heard = self.board.wall.steps().many;
        let now = self.board.wall.now(self.store.as_ref(), self.clock.as_ref()).await?;
        if self.board.wall.steps().many != heard {
            self.board.look_at(now);
        }
        Ok(now)
    }

    /// Takes what is due, up to [`CLAIM_MAX`] tasks, and sees to it that the store is looked at again in
    /// time.
    pub async fn claim(&self) -> Result<Claimed, StoreError> {
        // Before anything may fail: whoever failed says when to look again.
        self.board.looking();
        let now = self.now().await?;
        self.resume(now).await?;
        self.look_at_crowds(now).await;
        let mend = self.board.wall.mend(self.store.as_ref(), now).await;
        let begun = self.clock.ticks();
        self.in_flight.claiming();
        let claims = self.store.claim(now, CLAIM_LEASE, CLAIM_MAX).await;
        // What it took, if it did, is found again when its lease has ended.
        let claims = claims.inspect_err(|_| self.in_flight.claims_lost(self.clock.ticks() + CLAIM_LEASE))?;
        let mut claimed = Claimed { full: claims.len() == CLAIM_MAX, ..Claimed::default() };
        let next = if claimed.full { Ok(Some(now)) } else { self.store.next_due().await };
        let next = next.inspect_err(|_| self.in_flight.claims_lost(self.clock.ticks() + CLAIM_LEASE))?;
        if let Some(next) = next.into_iter().chain(mend).min() {
            self.board.look_at(next);
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
            claimed.items.push(Hand::of(claim.task, Cause::Claimed(claim.letters)));
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

pub(super) fn not_taken(refused: Refused) -> NotTaken {
    match refused {
        Refused::RefTaken(address) => NotTaken::RefTaken(address),
        Refused::NoTask(name) => NotTaken::NoTask(name),
        Refused::Repeated(id) => NotTaken::Repeated(id),
        Refused::Stale => NotTaken::Stopping,
        Refused::Unwritable(why) => NotTaken::Store(StoreError::Lost(why)),
    }
}
