//! [`Runner`]: the loop between the core and the edges. While one batch commits, the next one gathers.

use std::sync::Arc;

use futures::StreamExt;
use futures::future::{BoxFuture, FutureExt};
use futures::stream::FuturesUnordered;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::engine::board::Reply;
use crate::engine::edges::StoreError;
use crate::engine::queue::Queue;
use crate::engine::step::Cause;
use crate::engine::transition::LetterId;
use crate::engine::turns::{CLAIM_MAX, Hand, Item, Left, NotTaken, Turns};
use crate::model::effect::{Ask, Effect, Outcome};
use crate::model::fault::Fault;
use crate::model::names::{ProcessId, Ref};
use crate::model::params::Params;
use crate::model::task::{Letter, State, Task};
use crate::model::time::{Span, Timestamp};

/// How many batches may be on their way to the disk at once: one commits, one gathers behind it.
const TURNS_MAX: usize = 2;
/// How many items one batch holds: a commit of that size stays below some tens of milliseconds.
const BATCH_MAX: usize = 1_000;
/// How many items may wait to be gathered before callers wait too.
const QUEUE_MAX: usize = 10_000;
/// How many effects are performed at once.
const EFFECTS_MAX: usize = 512;
/// How many messages to people may be under way at once. Most of them wait for others to go out with, and
/// must not keep requests waiting.
const TELLS_MAX: usize = 20_000;
/// While more is due than one claim takes, effects wait for each other so that the most urgent go first:
/// until so many wait …
const HELD_MAX: usize = 10_000;
/// … or so long.
const HELD_FOR: Span = Span::secs(10);
/// How soon an answer is offered again to a store that did not take it.
const AGAIN_PAUSE: Span = Span::secs(1);
/// How much longer than its timeout an effect may take before it is given up from outside.
const OVERTIME: Span = Span::secs(5);

/// A new task.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Where it goes.
    pub process: ProcessId,
    /// Its name.
    pub reference: Ref,
    /// What it carries.
    pub params: Params,
    /// The same key again is the same submit.
    pub idempotency: Option<String>,
    /// By what it comes, for the trail; nothing is said of a person.
    pub by: Option<String>,
}

/// Where work is handed in.
#[derive(Clone, Debug)]
pub struct Handle {
    items: mpsc::Sender<Item>,
    turns: Arc<Turns>,
}

impl Handle {
    /// Submits a new task; answers when it is on disk, where its first step left it.
    pub async fn submit(&self, entry: Entry) -> Result<Task, NotTaken> {
        let task = self.born(&entry)?;
        self.hand(task, entry).await
    }

    /// The same, and gives what the task replies, once it does.
    pub async fn ask(&self, entry: Entry) -> Result<(Task, oneshot::Receiver<Reply>), NotTaken> {
        let task = self.born(&entry)?;
        let id = task.id;
        // Heard from before: it may reply in its first step.
        let reply = self.turns.board.reply(id);
        match self.hand(task, entry).await {
            Ok(task) => Ok((task, reply)),
            Err(not) => {
                self.turns.board.forget_reply(id);
                Err(not)
            }
        }
    }

    /// A task for what comes in from outside, if there is room for it.
    fn born(&self, entry: &Entry) -> Result<Task, NotTaken> {
        let room = self.turns.store.room();
        if !room.is_enough() {
            return Err(NotTaken::NoRoom(room));
        }
        let task = self.turns.new_task(&entry.process, entry.reference.clone(), entry.params.clone());
        task.ok_or_else(|| NotTaken::NoProcess(entry.process.clone()))
    }

    async fn hand(&self, task: Task, entry: Entry) -> Result<Task, NotTaken> {
        let Entry { idempotency, by, .. } = entry;
        let (tell, told) = oneshot::channel();
        let hand = Hand { task, cause: Cause::New, idempotency, by, tell: Some(tell) };
        self.hand_in(Item::Hand(Box::new(hand))).await?;
        told.await.map_err(|_| NotTaken::Stopping)?
    }

    /// Posts a letter; answers when it is on disk, with its number.
    pub async fn post(&self, letter: Letter) -> Result<Option<LetterId>, NotTaken> {
        let (tell, told) = oneshot::channel();
        self.hand_in(Item::Post { letter, tell }).await?;
        told.await.map_err(|_| NotTaken::Stopping)?
    }

    /// What the runner works with.
    pub fn turns(&self) -> &Arc<Turns> {
        &self.turns
    }

    async fn hand_in(&self, item: Item) -> Result<(), NotTaken> {
        self.items.send(item).await.map_err(|_| NotTaken::Stopping)
    }
}

/// The loop.
#[derive(Debug)]
pub struct Runner {
    turns: Arc<Turns>,
    items: mpsc::Receiver<Item>,
    answers: mpsc::UnboundedReceiver<Item>,
    answer: mpsc::UnboundedSender<Item>,
    permits: Arc<Semaphore>,
    tells: Arc<Semaphore>,
    effects: TaskTracker,
    queue: Queue,
    /// An effect has ended.
    freed: Arc<Notify>,
    /// More was due than one claim takes: since when, until all of it is committed.
    behind: Option<Timestamp>,
    /// More is due than has been claimed.
    more: bool,
    /// Claimed tasks that are not committed yet.
    claimed: usize,
}

impl Runner {
    /// A runner that has not begun, and its handle.
    pub fn new(turns: Arc<Turns>) -> (Runner, Handle) {
        let (send, items) = mpsc::channel(QUEUE_MAX);
        let (answer, answers) = mpsc::unbounded_channel();
        let handle = Handle { items: send, turns: Arc::clone(&turns) };
        let runner = Runner {
            turns,
            items,
            answers,
            answer,
            permits: Arc::new(Semaphore::new(EFFECTS_MAX)),
            tells: Arc::new(Semaphore::new(TELLS_MAX)),
            effects: TaskTracker::new(),
            queue: Queue::default(),
            freed: Arc::default(),
            behind: None,
            more: false,
            claimed: 0,
        };
        (runner, handle)
    }

    /// With so many effects performed at once, instead of 512.
    #[must_use]
    pub fn at_once(mut self, effects_max: usize) -> Runner {
        self.permits = Arc::new(Semaphore::new(effects_max));
        self
    }

    /// Runs until `stop`; then commits what is under way and returns. Effects that are still out then are
    /// asked again after a restart, as after a crash; those that were not asked yet are simply asked.
    pub async fn run(mut self, stop: CancellationToken) {
        let turns = Arc::clone(&self.turns);
        let freed = Arc::clone(&self.freed);
        let mut running: FuturesUnordered<BoxFuture<'_, (usize, Left)>> = FuturesUnordered::new();
        let mut claim: Option<BoxFuture<'_, Result<Vec<Item>, StoreError>>> = None;
        let mut gathered = Gathered::default();
        loop {
            self.lengthen(&mut gathered);
            if !gathered.items.is_empty() && running.len() < TURNS_MAX {
                let Gathered { items, claimed } = std::mem::take(&mut gathered);
                metrics::histogram!("beltline_batch_items").record(many(items.len()));
                running.push(turns.run(items).map(move |left| (claimed, left)).boxed());
            }
            self.start();
            metrics::gauge!("beltline_effects_waiting").set(many(self.queue.len()));
            let (room, again) = (gathered.items.len() < BATCH_MAX, self.look_again());
            tokio::select! {
                biased;
                Some((claimed, left)) = running.next(), if !running.is_empty() => {
                    self.go_on(left);
                    self.caught_up(claimed);
                }
                Some(answer) = self.answers.recv(), if room => {
                    gathered.items.push(answer);
                    drain(BATCH_MAX, &mut gathered.items, || self.answers.try_recv().ok());
                }
                Some(item) = self.items.recv(), if room => {
                    gathered.items.push(item);
                    drain(BATCH_MAX, &mut gathered.items, || self.items.try_recv().ok());
                }
                claimed = async { claim.as_mut().expect("only polled while there is a claim").await },
                    if claim.is_some() =>
                {
                    claim = None;
                    self.claimed(claimed, &mut gathered);
                }
                () = turns.clock.at(turns.board.due()), if claim.is_none() && room => {
                    claim = Some(turns.claim().boxed());
                }
                () = turns.board.earlier() => {}
                () = freed.notified() => {}
                () = turns.clock.at(again), if !self.queue.is_empty() => {}
                () = stop.cancelled() => break,
            }
        }
        self.finish(running, gathered.items).await;
    }

    /// What was due is at hand.
    fn claimed(&mut self, claimed: Result<Vec<Item>, StoreError>, gathered: &mut Gathered) {
        let now = self.turns.clock.now();
        match claimed {
            Ok(hands) => {
                self.more = hands.len() == CLAIM_MAX;
                if self.more {
                    self.behind.get_or_insert(now);
                }
                self.claimed += hands.len();
                self.caught_up(0);
                gathered.claimed += hands.len();
                gathered.items.extend(hands);
            }
            Err(error) => {
                tracing::error!(%error, "what is due was not fetched");
                self.more = false;
                self.caught_up(0);
                self.turns.board.look_at(now + AGAIN_PAUSE);
            }
        }
    }

    /// So many more of what was claimed are committed.
    fn caught_up(&mut self, committed: usize) {
        self.claimed -= committed;
        if !self.more && self.claimed == 0 {
            self.behind = None;
        }
    }

    /// What was handed in is committed; nothing new is asked.
    async fn finish(
        &mut self,
        mut running: FuturesUnordered<BoxFuture<'_, (usize, Left)>>,
        gathered: Vec<Item>,
    ) {
        while let Some((_, left)) = running.next().await {
            self.go_on(left);
        }
        let left = self.turns.run(gathered).await;
        self.go_on(left);
        let unasked: Vec<Item> = std::iter::from_fn(|| self.queue.pop()).map(Hand::unasked).collect();
        self.turns.run(unasked).await;
        self.effects.close();
        let deadline = self.turns.clock.now() + FINISH_MAX;
        loop {
            tokio::select! {
                biased;
                Some(answer) = self.answers.recv() => { self.turns.run(vec![answer]).await; }
                () = self.effects.wait() => break,
                () = self.turns.clock.at(deadline) => break,
            }
        }
        let mut rest = Vec::new();
        drain(usize::MAX, &mut rest, || self.answers.try_recv().ok());
        self.turns.run(rest).await;
    }

    fn go_on(&mut self, left: Left) {
        let now = self.turns.clock.now();
        for task in left.doing {
            match self.tell_permit(&task) {
                Some(permit) => self.perform(task, permit),
                None => {
                    let deployed = self.turns.registry.get(&task.process);
                    self.queue.push(deployed.as_ref().map(|it| &*it.process), task, now);
                }
            }
        }
        for item in left.again {
            let (turns, answer) = (Arc::clone(&self.turns), self.answer.clone());
            self.effects.spawn(async move {
                turns.clock.at(turns.clock.now() + AGAIN_PAUSE).await;
                // The runner is gone only when the program ends.
                drop(answer.send(item));
            });
        }
    }

    /// A place among the messages that are under way, if it is one and there is a place.
    fn tell_permit(&self, task: &Task) -> Option<OwnedSemaphorePermit> {
        match &task.state {
            State::Doing(effect) if matches!(effect.ask, Ask::Tell(_)) => {
                Arc::clone(&self.tells).try_acquire_owned().ok()
            }
            _ => None,
        }
    }

    /// Effects that wait keep their leases.
    fn lengthen(&mut self, gathered: &mut Gathered) {
        let room = BATCH_MAX.saturating_sub(gathered.items.len());
        let short = self.queue.short(self.turns.clock.now(), room);
        gathered.items.extend(short.into_iter().map(Hand::held));
    }

    /// Performs the most urgent of the effects that wait, as many as may be out at once.
    fn start(&mut self) {
        let now = self.turns.clock.now();
        if now < self.held_until() && self.queue.len() < HELD_MAX {
            return;
        }
        while !self.queue.is_empty()
            && let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned()
        {
            let Some(task) = self.queue.pop() else { return };
            self.perform(task, permit);
        }
    }

    /// Until when effects wait for more urgent ones: all that is due is to be at hand first.
    fn held_until(&self) -> Timestamp {
        self.behind.map_or(Timestamp(i64::MIN), |since| since + HELD_FOR)
    }

    /// When there is something to do although nothing happens.
    fn look_again(&self) -> Timestamp {
        let short = self.queue.short_at().unwrap_or(Timestamp(i64::MAX));
        match self.held_until() {
            held if held > self.turns.clock.now() => held.min(short),
            _ => short,
        }
    }

    fn perform(&self, task: Task, permit: OwnedSemaphorePermit) {
        let State::Doing(effect) = &task.state else { return };
        let effect = Effect::clone(effect);
        if task.due.is_none_or(|lease| self.turns.clock.now() + effect.timeout > lease) {
            // The runner is gone only when the program ends.
            return drop(self.answer.send(Hand::held(task)));
        }
        let (turns, answer, freed) = (Arc::clone(&self.turns), self.answer.clone(), Arc::clone(&self.freed));
        self.effects.spawn(async move {
            let outcome = within(&turns, &effect).await;
            // The runner is gone only when the program ends.
            drop(answer.send(Hand::answered(task, outcome)));
            drop(permit);
            freed.notify_one();
        });
    }
}

/// What is at hand for the next batch, and how many of it were claimed.
#[derive(Debug, Default)]
struct Gathered {
    items: Vec<Item>,
    claimed: usize,
}

/// How long effects that are out may take when the engine stops: a token that is on its way should arrive.
const FINISH_MAX: Span = Span::secs(20);

/// The answer, or the fault that there was none in time.
async fn within(turns: &Turns, effect: &Effect) -> Outcome {
    let end = turns.clock.now() + effect.timeout + OVERTIME;
    tokio::select! {
        outcome = turns.world.perform(effect) => outcome,
        () = turns.clock.at(end) => {
            Err(Fault::passing("http_timeout", format!("no answer within {}", effect.timeout)))
        }
    }
}

fn many(things: usize) -> f64 {
    f64::from(u32::try_from(things).unwrap_or(u32::MAX))
}

fn drain(items_max: usize, into: &mut Vec<Item>, mut next: impl FnMut() -> Option<Item>) {
    while into.len() < items_max {
        let Some(item) = next() else { return };
        into.push(item);
    }
}
