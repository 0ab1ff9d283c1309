//! [`Runner`]: the loop between the core and the edges. While one batch commits, the next one gathers.

use std::sync::Arc;

use futures::StreamExt;
use futures::future::{BoxFuture, FutureExt};
use futures::stream::FuturesUnordered;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::engine::board::Reply;
use crate::engine::edges::StoreError;
use crate::engine::step::Cause;
use crate::engine::transition::LetterId;
use crate::engine::turns::{Hand, Item, Left, NotTaken, Turns};
use crate::model::effect::{Ask, Effect, Outcome};
use crate::model::fault::Fault;
use crate::model::names::{ProcessId, Ref};
use crate::model::params::Params;
use crate::model::task::{Letter, State, Task};
use crate::model::time::Span;

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

    fn born(&self, entry: &Entry) -> Result<Task, NotTaken> {
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
}

impl Runner {
    /// A runner that has not begun, and its handle.
    pub fn new(turns: Arc<Turns>) -> (Runner, Handle) {
        let (send, items) = mpsc::channel(QUEUE_MAX);
        let (answer, answers) = mpsc::unbounded_channel();
        let handle = Handle { items: send, turns: Arc::clone(&turns) };
        let permits = Arc::new(Semaphore::new(EFFECTS_MAX));
        let tells = Arc::new(Semaphore::new(TELLS_MAX));
        (Runner { turns, items, answers, answer, permits, tells, effects: TaskTracker::new() }, handle)
    }

    /// Runs until `stop`; then commits what is under way and returns. Effects still out are asked again
    /// after a restart, as after a crash.
    pub async fn run(mut self, stop: CancellationToken) {
        let turns = Arc::clone(&self.turns);
        let mut running: FuturesUnordered<BoxFuture<'_, Left>> = FuturesUnordered::new();
        let mut claim: Option<BoxFuture<'_, Result<Vec<Item>, StoreError>>> = None;
        let mut gathered = Vec::new();
        loop {
            if !gathered.is_empty() && running.len() < TURNS_MAX {
                let batch = std::mem::take(&mut gathered);
                metrics::histogram!("beltline_batch_items")
                    .record(f64::from(u32::try_from(batch.len()).unwrap_or(u32::MAX)));
                running.push(turns.run(batch).boxed());
            }
            let room = gathered.len() < BATCH_MAX;
            tokio::select! {
                biased;
                Some(left) = running.next(), if !running.is_empty() => self.go_on(left),
                Some(answer) = self.answers.recv(), if room => {
                    gathered.push(answer);
                    drain(BATCH_MAX, &mut gathered, || self.answers.try_recv().ok());
                }
                Some(item) = self.items.recv(), if room => {
                    gathered.push(item);
                    drain(BATCH_MAX, &mut gathered, || self.items.try_recv().ok());
                }
                claimed = async { claim.as_mut().expect("only polled while there is a claim").await },
                    if claim.is_some() =>
                {
                    claim = None;
                    match claimed {
                        Ok(hands) => gathered.extend(hands),
                        Err(error) => {
                            tracing::error!(%error, "what is due was not fetched");
                            turns.board.look_at(turns.clock.now() + AGAIN_PAUSE);
                        }
                    }
                }
                () = turns.clock.at(turns.board.due()), if claim.is_none() && room => {
                    claim = Some(turns.claim().boxed());
                }
                () = turns.board.earlier() => {}
                () = stop.cancelled() => break,
            }
        }
        self.finish(running, gathered).await;
    }

    /// What was handed in is committed; nothing new is asked.
    async fn finish(&mut self, mut running: FuturesUnordered<BoxFuture<'_, Left>>, gathered: Vec<Item>) {
        while running.next().await.is_some() {}
        self.turns.run(gathered).await;
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

    fn go_on(&self, left: Left) {
        for task in left.doing {
            self.perform(task);
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

    fn perform(&self, task: Task) {
        let State::Doing(effect) = &task.state else { return };
        let effect = Effect::clone(effect);
        let permits = match &effect.ask {
            Ask::Http(_) => Arc::clone(&self.permits),
            Ask::Tell(_) => Arc::clone(&self.tells),
        };
        let (turns, answer) = (Arc::clone(&self.turns), self.answer.clone());
        self.effects.spawn(async move {
            let Ok(_permit) = permits.acquire().await else { return };
            // Waited so long that the lease may end before the answer: left to be claimed again, and asked
            // then.
            if task.due.is_none_or(|lease| turns.clock.now() + effect.timeout > lease) {
                return;
            }
            let outcome = within(&turns, &effect).await;
            // The runner is gone only when the program ends.
            drop(answer.send(Hand::answered(task, outcome)));
        });
    }
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

fn drain(items_max: usize, into: &mut Vec<Item>, mut next: impl FnMut() -> Option<Item>) {
    while into.len() < items_max {
        let Some(item) = next() else { return };
        into.push(item);
    }
}
