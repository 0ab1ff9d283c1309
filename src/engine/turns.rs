//! [`Turns`]: what is at hand is fetched for once, stepped each, committed once, and told to those who wait.
//!
//! There is no recovery: a task whose runner died is *due* again when its lease runs out, and is then run
//! like any other.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use thiserror::Error;
use tokio::sync::oneshot;

use crate::engine::births::Births;
use crate::engine::board::Board;
use crate::engine::edges::{Clock, Refused, Store, StoreError, World, Write};
use crate::engine::in_flight::InFlight;
use crate::engine::registry::Registry;
use crate::engine::step::{Cause, Step, step};
use crate::engine::transition::LetterId;
use crate::model::effect::Outcome;
use crate::model::names::{Address, ProcessId, Ref, TaskId};
use crate::model::params::Params;
use crate::model::scope::{Other, Scope};
use crate::model::task::{Hop, Letter, Task, To, Word};
use crate::model::time::{Span, Timestamp};

/// How long a claimed task is out of reach of other runners; it is stepped at once, so this is for lost
/// runners only.
pub const CLAIM_LEASE: Span = Span::secs(10);
/// How many tasks are claimed at once.
pub const CLAIM_MAX: usize = 500;
/// How often a step may ask for more tasks to be read: names nested in names, and then some.
const FETCHES_MAX: usize = 16;

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
}

impl Hand {
    /// A task with what the world answered.
    pub fn answered(task: Task, outcome: Outcome) -> Item {
        Hand::of(task, Cause::Answered(outcome))
    }

    /// A task that is in the store already, and why.
    pub(super) fn of(task: Task, cause: Cause) -> Item {
        Item::Hand(Box::new(Hand { task, cause, idempotency: None, by: None, tell: None }))
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
    /// Tasks that nothing is owed to any more.
    pub over: Vec<TaskId>,
    /// What the store did not take: to be offered again, for nothing received may be lost.
    pub again: Vec<Item>,
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
        let now = self.now().await?;
        self.board.looking();
        self.resume(now).await?;
        self.look_at_crowds(now).await;
        let mend = self.board.wall.mend(self.store.as_ref(), now).await;
        let claims = self.store.claim(now, CLAIM_LEASE, CLAIM_MAX).await?;
        let mut claimed = Claimed { full: claims.len() == CLAIM_MAX, ..Claimed::default() };
        let next = if claimed.full { Some(now) } else { self.store.next_due().await? };
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

    /// Steps each hand, fetching what is missing for all of them at once.
    pub(super) async fn decide(
        &self,
        items: Vec<Item>,
    ) -> Result<Vec<(Item, Write)>, (Vec<Item>, StoreError)> {
        let now = match self.now().await {
            Ok(now) => now,
            Err(error) => return Err((items, error)),
        };
        let mut facts = (self.facts)();
        facts.steps = self.board.wall.steps();
        let mut others = Arc::new(HashMap::new());
        let mut decided = Vec::with_capacity(items.len());
        let mut open = items;
        for _ in 0..FETCHES_MAX {
            let mut missed = BTreeSet::new();
            let mut unsure = Vec::new();
            for item in open {
                match self.try_step(item, &facts, &others, now) {
                    Tried::Decided(item, write) => decided.push((item, *write)),
                    Tried::Fetch(item, addresses) => {
                        missed.extend(addresses);
                        unsure.push(item);
                    }
                    Tried::Dropped => {}
                }
            }
            if unsure.is_empty() {
                return Ok(decided);
            }
            open = unsure;
            match self.fetch(missed, &others).await {
                Ok(more) => others = more,
                Err(error) => {
                    open.extend(decided.into_iter().map(|(item, _)| item));
                    return Err((open, error));
                }
            }
        }
        tracing::error!(
            tasks = open.len(),
            "tasks read others without end and are left alone until their leases end"
        );
        Ok(decided)
    }

    fn try_step(
        &self,
        item: Item,
        facts: &Scope,
        others: &Arc<HashMap<Address, Other>>,
        now: Timestamp,
    ) -> Tried {
        let mut hand = match item {
            Item::Hand(hand) => hand,
            Item::Post { letter, tell } => {
                let letter = self.with_birth(letter, now);
                let write = Write::Post(letter.clone(), now);
                return Tried::Decided(Item::Post { letter, tell }, Box::new(write));
            }
        };
        let Some(deployed) = self.registry.get(&hand.task.process) else {
            tracing::warn!(process = %hand.task.process, task = %hand.task.id, "its process is not deployed");
            if let Some(tell) = hand.tell {
                drop(tell.send(Err(NotTaken::NoProcess(hand.task.process))));
            }
            return Tried::Dropped;
        };
        // A claim of what is held already has raised its epoch.
        let epoch = self.in_flight.epoch(hand.task.id);
        hand.task.turn = epoch.map_or(hand.task.turn, |epoch| epoch.max(hand.task.turn));
        let scope = facts.with(&hand.task.process, deployed.paused, Arc::clone(others));
        match step(&deployed.process, hand.task.clone(), hand.cause.clone(), &scope, now) {
            Step::Moved(mut transition) => {
                transition.idempotency.clone_from(&hand.idempotency);
                if let Some(by) = &hand.by {
                    transition.trail.insert(0, submitted(&hand.task, by, now));
                }
                let letters = std::mem::take(&mut transition.letters);
                transition.letters = letters.into_iter().map(|letter| self.with_birth(letter, now)).collect();
                Tried::Decided(Item::Hand(hand), Box::new(Write::Step(transition)))
            }
            Step::Fetch(addresses) => Tried::Fetch(Item::Hand(hand), addresses),
        }
    }

    /// A letter that creates, with what only the runner can give.
    pub(super) fn with_birth(&self, mut letter: Letter, now: Timestamp) -> Letter {
        if let To::Address(to) = &letter.to {
            match &mut letter.word {
                Word::Create { at, birth, .. } => {
                    let start = || self.registry.get(&to.process).map(|it| it.process.start.clone());
                    *at = at.take().or_else(start);
                    *birth = Some(self.births.next(now));
                }
                Word::Part { birth, .. } => *birth = Some(self.births.next(now)),
                Word::Modify { .. } | Word::Answer { .. } | Word::Order { .. } => {}
            }
        }
        letter
    }

    async fn fetch(
        &self,
        missed: BTreeSet<Address>,
        known: &Arc<HashMap<Address, Other>>,
    ) -> Result<Arc<HashMap<Address, Other>>, StoreError> {
        let addresses: Vec<Address> = missed.into_iter().collect();
        let tasks = self.store.read(&addresses).await?;
        let mut others = HashMap::clone(known);
        for (address, task) in addresses.into_iter().zip(tasks) {
            let other = match (self.registry.get(&address.process), task) {
                (None, _) => Other::NoProcess,
                (Some(_), None) => Other::NoTask,
                (Some(deployed), Some(task)) => {
                    Other::Live { params: task.params, hidden: Arc::clone(&deployed.process.hidden) }
                }
            };
            others.insert(address, other);
        }
        Ok(Arc::new(others))
    }

    pub(super) fn refused(&self, hand: Hand, refused: Refused) -> Option<Item> {
        let own = hand.task.address();
        match (refused, hand.tell) {
            // Another runner gave that number in the same millisecond: the task is born anew.
            (Refused::Stale, Some(tell)) if hand.cause == Cause::New => {
                let birth = self.births.next(self.clock.now());
                let task = Task { id: birth.id, seed: birth.seed, ..hand.task };
                Some(Item::Hand(Box::new(Hand { task, tell: Some(tell), ..hand })))
            }
            (Refused::Stale, tell) => {
                tracing::debug!(task = %own, "claimed by another runner since");
                drop(tell);
                None
            }
            (Refused::RefTaken(address), Some(tell)) if address == own => {
                drop(tell.send(Err(NotTaken::RefTaken(address))));
                None
            }
            (refused @ (Refused::Repeated(_) | Refused::Unwritable(_)), Some(tell)) => {
                drop(tell.send(Err(not_taken(refused))));
                None
            }
            (Refused::Unwritable(why), None) => {
                tracing::error!(task = %own, why, "its step cannot be written");
                None
            }
            // An ended task was to come back, and its name is another's: decided anew, it stays where it is.
            (Refused::RefTaken(address), None) if address == own => match hand.cause {
                Cause::Claimed(letters) => {
                    let cause = Cause::NameTaken(letters);
                    Some(Item::Hand(Box::new(Hand { cause, tell: None, ..hand })))
                }
                Cause::New | Cause::NameTaken(_) | Cause::Answered(_) | Cause::Held | Cause::Unasked => {
                    tracing::error!(task = %own, "its name is taken by another; it is left as it was");
                    None
                }
            },
            // Somebody was faster with a name, or a task left: the step is decided anew on what is there now.
            (Refused::RefTaken(_) | Refused::NoTask(_) | Refused::Repeated(_), tell) => {
                Some(Item::Hand(Box::new(Hand { tell, ..hand })))
            }
        }
    }
}

/// The first line of a trail: by what a task came.
fn submitted(task: &Task, by: &str, now: Timestamp) -> Hop {
    Hop {
        at: now,
        node: task.at.clone(),
        event: format!("submitted by {by}"),
        to: None,
        attempt: 1,
        asked: None,
        set: Params::default(),
        unset: Vec::new(),
        fault: None,
    }
}

enum Tried {
    Decided(Item, Box<Write>),
    Fetch(Item, BTreeSet<Address>),
    Dropped,
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
