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
use crate::engine::edges::{Clock, DiskRoom, Receipt, Refused, Store, StoreError, World, Write};
use crate::engine::registry::Registry;
use crate::engine::step::{Cause, Step, step};
use crate::engine::transition::{LetterId, Transition};
use crate::model::effect::Outcome;
use crate::model::names::{Address, ProcessId, Ref, TaskId};
use crate::model::params::Params;
use crate::model::scope::{Other, Scope};
use crate::model::task::{Hop, Letter, State, Task, To, Word};
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
    /// A task whose effect waits for its turn.
    pub fn held(task: Task) -> Item {
        Item::Hand(Box::new(Hand { task, cause: Cause::Held, idempotency: None, by: None, tell: None }))
    }

    /// A task whose effect this runner does not perform any more.
    pub fn unasked(task: Task) -> Item {
        Item::Hand(Box::new(Hand { task, cause: Cause::Unasked, idempotency: None, by: None, tell: None }))
    }

    /// A task with what the world answered.
    pub fn answered(task: Task, outcome: Outcome) -> Item {
        Hand::again(task, Cause::Answered(outcome))
    }

    /// A task that is in the store already.
    fn again(task: Task, cause: Cause) -> Item {
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
    /// Tasks whose effects are to be performed now.
    pub doing: Vec<Task>,
    /// Answers that the store did not take: to be tried again, for nothing received may be lost.
    pub again: Vec<Item>,
}

impl Turns {
    /// A new task, before its first step.
    pub fn new_task(&self, process: &ProcessId, reference: Ref, params: Params) -> Option<Task> {
        let start = self.registry.get(process)?.process.start.clone();
        let now = self.clock.now();
        let address = Address { process: process.clone(), reference };
        Some(Task::born(self.births.next(now), address, start, params, now))
    }

    /// Takes what is due, up to [`CLAIM_MAX`] tasks, and sees to it that the store is looked at again in
    /// time.
    pub async fn claim(&self) -> Result<Vec<Item>, StoreError> {
        let now = self.clock.now();
        self.board.looking();
        self.look_at_crowds(now).await;
        let claims = self.store.claim(now, CLAIM_LEASE, CLAIM_MAX).await?;
        let next = if claims.len() == CLAIM_MAX { Some(now) } else { self.store.next_due().await? };
        if let Some(next) = next {
            self.board.look_at(next);
        }
        let hands = claims.into_iter().map(|claim| {
            if let Some(due) = claim.task.due {
                #[expect(
                    clippy::cast_precision_loss,
                    reason = "a lateness in seconds needs no more than 52 bits"
                )]
                metrics::histogram!("beltline_lateness_seconds").record(now.since(due).0 as f64 / 1_000.0);
            }
            Hand::again(claim.task, Cause::Claimed(claim.letters))
        });
        Ok(hands.collect())
    }

    /// Runs all of `items` until each is committed or refused.
    pub async fn run(&self, items: Vec<Item>) -> Left {
        let mut left = Left::default();
        let mut items = items;
        while !items.is_empty() {
            let decided = match self.decide(items).await {
                Ok(decided) => decided,
                Err((items, error)) => {
                    self.give_up(items, &error, &mut left);
                    break;
                }
            };
            let (items_decided, writes): (Vec<Item>, Vec<Write>) = decided.into_iter().unzip();
            match self.store.commit(writes.clone()).await {
                Ok(results) => {
                    self.board.commit_done();
                    let settled = items_decided.into_iter().zip(writes).zip(results);
                    let again = settled
                        .filter_map(|((item, write), result)| self.settle(item, write, result, &mut left));
                    items = again.collect();
                }
                Err(error) => {
                    self.give_up(items_decided, &error, &mut left);
                    break;
                }
            }
        }
        left
    }

    /// Steps each hand, fetching what is missing for all of them at once.
    async fn decide(&self, items: Vec<Item>) -> Result<Vec<(Item, Write)>, (Vec<Item>, StoreError)> {
        let now = self.clock.now();
        let facts = (self.facts)();
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
        let hand = match item {
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

    /// Tells what became of one write. Gives the item back if it must be decided anew.
    fn settle(
        &self,
        item: Item,
        write: Write,
        result: Result<Receipt, Refused>,
        left: &mut Left,
    ) -> Option<Item> {
        match (item, write, result) {
            (Item::Hand(hand), Write::Step(transition), Ok(receipt)) => {
                self.kept(*hand, *transition, &receipt, left);
                None
            }
            (Item::Hand(hand), _, Err(refused)) => self.refused(*hand, refused),
            (Item::Post { letter, tell }, _, Ok(receipt)) => {
                let now = self.clock.now();
                self.born(&letter, now);
                self.board.look_at(now);
                // Who left does not want to know; the letter is kept all the same.
                drop(tell.send(Ok(receipt.letter)));
                None
            }
            (Item::Post { tell, .. }, _, Err(refused)) => {
                drop(tell.send(Err(not_taken(refused))));
                None
            }
            (Item::Hand(_), Write::Post(..) | Write::Noted(..), Ok(_)) => None,
        }
    }

    fn kept(&self, hand: Hand, transition: Transition, receipt: &Receipt, left: &mut Left) {
        self.board.committed(&transition);
        self.note_lives(&transition);
        transition.letters.iter().for_each(|letter| self.born(letter, transition.at));
        if self.crowds_changed(&transition) {
            self.touch_crowds(transition.at);
        }
        if receipt.mail || !transition.letters.is_empty() {
            self.board.look_at(transition.at);
        } else if let Some(due) = transition.task.due {
            self.board.look_at(due);
        }
        if let Some(tell) = hand.tell {
            // Who left does not want to know; the task is kept all the same.
            drop(tell.send(Ok(transition.task.clone())));
        }
        if matches!(transition.task.state, State::Doing(_)) {
            left.doing.push(transition.task);
        }
    }

    fn note_lives(&self, transition: &Transition) {
        match self.registry.get(&transition.task.process) {
            Some(it) if it.process.has_lives() && !transition.gone => {
                self.board.lives.note(&it.process, &transition.task);
            }
            Some(it) if it.process.has_lives() => self.board.lives.forget(transition.task.id),
            Some(_) | None => {}
        }
    }

    fn refused(&self, hand: Hand, refused: Refused) -> Option<Item> {
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
                tracing::error!(task = %own, why, "its step cannot be written; it is tried again by its lease");
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

    /// The store is out of reach. Answers are kept for later, callers are told, claims come back by their
    /// leases.
    fn give_up(&self, items: Vec<Item>, error: &StoreError, left: &mut Left) {
        tracing::error!(%error, items = items.len(), "nothing of this batch was kept");
        self.board.look_at(self.clock.now() + CLAIM_LEASE);
        for item in items {
            match item {
                Item::Hand(hand) => match (hand.tell, &hand.cause) {
                    (Some(tell), _) => drop(tell.send(Err(error.clone().into()))),
                    (None, Cause::Answered(_) | Cause::Held) => {
                        left.again.push(Item::Hand(Box::new(Hand { tell: None, ..*hand })));
                    }
                    (None, Cause::New | Cause::Claimed(_) | Cause::NameTaken(_) | Cause::Unasked) => {}
                },
                Item::Post { tell, .. } => drop(tell.send(Err(error.clone().into()))),
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

fn not_taken(refused: Refused) -> NotTaken {
    match refused {
        Refused::RefTaken(address) => NotTaken::RefTaken(address),
        Refused::NoTask(name) => NotTaken::NoTask(name),
        Refused::Repeated(id) => NotTaken::Repeated(id),
        Refused::Stale => NotTaken::Stopping,
        Refused::Unwritable(why) => NotTaken::Store(StoreError::Lost(why)),
    }
}
