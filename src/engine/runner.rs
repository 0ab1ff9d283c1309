//! [`Runner`]: the loop between the core and the edges. While one batch commits, the next one gathers.
//!
//! ```text
//! running ──stop──▶ draining ──all is committed, or the grace is over──▶ stopped
//! ```
//!
//! | | running | draining |
//! |---|---|---|
//! | what is handed in | taken | what was handed in before is taken, then none |
//! | what is due | claimed | left to the next runner |
//! | an effect that was not asked yet | asked when there is a place | un-asked: it comes again |
//! | an effect that is out | waited for | waited for while the grace lasts |
//! | what the store did not take | offered again, and nothing is claimed meanwhile | offered again |

use std::sync::Arc;

use futures::StreamExt;
use futures::future::{BoxFuture, FutureExt};
use futures::stream::FuturesUnordered;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::engine::again::Again;
use crate::engine::batch::{BatchProcessor, BatchResult, Claimed, SubmitError, Work, WorkItem};
use crate::engine::effects::Effects;
use crate::engine::heavy::Heavy;
use crate::engine::ports::{Clock, StoreError};
use crate::engine::step::Cause;
use crate::engine::waiters::{SignalResult, TaskReply, WaitHandle};
use crate::model::names::{ProcessId, Ref};
use crate::model::params::Params;
use crate::model::signal::{Signal, SignalTarget};
use crate::model::task::Task;
use crate::model::time::{Span, Ticks, Timestamp};

/// How many batches may be on their way to the disk at once: one commits, one gathers behind it.
const BATCHES_MAX: usize = 2;
/// How many items one batch holds: a commit of that size stays below some tens of milliseconds.
const BATCH_MAX: usize = 1_000;
/// How many items may wait to be gathered before callers wait too.
const QUEUE_MAX: usize = 10_000;
/// How many effects are performed at once.
const EFFECTS_MAX: usize = 512;
/// While more is due than one claim takes, urgent effects wait for each other so that the most urgent go
/// first, at most so long.
const HELD_BACK: Span = Span::secs(5);
/// How soon what the store did not take is offered again.
const AGAIN_PAUSE: Span = Span::secs(1);
/// How long a runner may take to stop, if nothing else is said: a token that is on its way should arrive.
const GRACE: Span = Span::secs(8);

/// What makes two submits the same.
#[derive(Clone, Debug)]
pub struct Idempotency {
    /// The key, of which there is one among all submits.
    pub key: String,
    /// A hash of what is submitted under it.
    pub digest: String,
}

/// A new task.
#[derive(Clone, Debug)]
pub struct NewTask {
    /// Where it goes.
    pub process: ProcessId,
    /// Its name.
    pub reference: Ref,
    /// What it carries.
    pub params: Params,
    /// The same key again is the same submit.
    pub idempotency: Option<Idempotency>,
    /// By what it comes, for the history; nothing is said of a person.
    pub by: Option<String>,
}

/// Where work is handed in.
#[derive(Clone, Debug)]
pub struct Handle {
    items: mpsc::Sender<Work>,
    beats: mpsc::UnboundedSender<oneshot::Sender<()>>,
    processor: Arc<BatchProcessor>,
}

impl Handle {
    /// Submits a new task; answers when it is on disk, where its first step left it.
    pub async fn submit(&self, entry: NewTask) -> Result<Task, SubmitError> {
        let task = self.born(&entry)?;
        self.hand(task, entry).await
    }

    /// The same, and gives what the task replies, once it does.
    pub async fn ask(&self, entry: NewTask) -> Result<(Task, WaitHandle<TaskReply>), SubmitError> {
        let task = self.born(&entry)?;
        // Heard from before: it may reply in its first step.
        let reply = self.processor.state.waiters.reply(task.id);
        Ok((self.hand(task, entry).await?, reply))
    }

    /// A task for what comes in from outside, if there is room for it.
    fn born(&self, entry: &NewTask) -> Result<Task, SubmitError> {
        let room = self.processor.store.room();
        if !room.is_enough() {
            return Err(SubmitError::NoRoom(room));
        }
        let task = self.processor.new_task(&entry.process, entry.reference.clone(), entry.params.clone());
        let task = task.ok_or_else(|| SubmitError::NoProcess(entry.process.clone()))?;
        Ok(Task { submitted: entry.idempotency.as_ref().map(|it| it.digest.clone()), ..task })
    }

    async fn hand(&self, task: Task, entry: NewTask) -> Result<Task, SubmitError> {
        let NewTask { idempotency, by, .. } = entry;
        let idempotency = idempotency.map(|it| it.key);
        let (reply_to, reply) = oneshot::channel();
        let again = Again::default();
        let hand = WorkItem { task, cause: Cause::New, idempotency, by, reply_to: Some(reply_to), again };
        self.hand_in(Work::Hand(Box::new(hand))).await?;
        reply.await.map_err(|_| SubmitError::Stopping)?
    }

    /// Posts a signal; answers when it is on disk. If it is to a task, with what tells when that has read it.
    pub async fn post(
        &self,
        signal: Signal,
    ) -> Result<Option<impl Future<Output = Option<SignalResult>> + Send + use<>>, SubmitError> {
        // Heard from before: it may be read as soon as it is there.
        let posting = match &signal.to {
            SignalTarget::Task(id) => Some(self.processor.state.waiters.signal(*id)),
            SignalTarget::Address(_) => None,
        };
        let (reply_to, reply) = oneshot::channel();
        self.hand_in(Work::Post { signal, reply_to }).await?;
        let id = reply.await.map_err(|_| SubmitError::Stopping)??;
        Ok(posting.zip(id).map(|(posting, id)| posting.read(id)))
    }

    /// Answers when the runner's loop comes round: it lives, and is not stuck.
    pub async fn beat(&self) -> Result<(), SubmitError> {
        let (reply_to, reply) = oneshot::channel();
        self.beats.send(reply_to).map_err(|_| SubmitError::Stopping)?;
        reply.await.map_err(|_| SubmitError::Stopping)
    }

    /// What the runner works with.
    pub fn processor(&self) -> &Arc<BatchProcessor> {
        &self.processor
    }

    async fn hand_in(&self, item: Work) -> Result<(), SubmitError> {
        self.items.send(item).await.map_err(|_| SubmitError::Stopping)
    }
}

/// The loop.
#[derive(Debug)]
pub struct Runner {
    processor: Arc<BatchProcessor>,
    items: mpsc::Receiver<Work>,
    beats: mpsc::UnboundedReceiver<oneshot::Sender<()>>,
    effects: Effects,
    grace: Span,
    /// What is at hand for the next batch.
    gathered: Vec<Work>,
    /// How many of it were claimed.
    gathered_claims: usize,
    /// What the store did not take, and when it is offered again.
    again: Vec<Work>,
    again_at: Option<Ticks>,
    /// More was due than one claim takes: since when, until all of it is committed.
    behind: Option<Ticks>,
    /// More is due than has been claimed.
    more: bool,
    /// Claimed tasks that are not committed yet.
    claimed: usize,
    /// What takes long to decide, and is under way.
    heavy: Heavy,
    /// Until when it drains, once it does.
    draining: Option<Ticks>,
}

/// A batch on its way, and a claim.
type Running<'a> = FuturesUnordered<BoxFuture<'a, (usize, BatchResult)>>;
type Claiming<'a> = Option<BoxFuture<'a, Result<Claimed, StoreError>>>;

/// The wait for the next look, kept from round to round while its moment stays the same. A new one each time
/// would be the earliest of all timers whenever another thread has begun to wait for them meanwhile, and it
/// would wake that thread for nothing.
struct LookWait<'a> {
    clock: &'a dyn Clock,
    at: Timestamp,
    comes: Option<BoxFuture<'a, ()>>,
}

impl<'a> LookWait<'a> {
    fn new(clock: &'a dyn Clock) -> LookWait<'a> {
        LookWait { clock, at: Timestamp(i64::MAX), comes: None }
    }

    fn set(&mut self, at: Timestamp) {
        if self.at != at || self.comes.is_none() {
            let clock = self.clock;
            self.at = at;
            self.comes = (at < Timestamp(i64::MAX)).then(|| clock.at(at));
        }
    }

    /// Returns at the moment it was set to.
    async fn come(&mut self) {
        let Some(comes) = &mut self.comes else { return std::future::pending().await };
        comes.await;
        self.comes = None;
    }
}

impl Runner {
    /// A runner that has not begun, and its handle.
    pub fn new(processor: Arc<BatchProcessor>) -> (Runner, Handle) {
        let (send, items) = mpsc::channel(QUEUE_MAX);
        let (beat, beats) = mpsc::unbounded_channel();
        let handle = Handle { items: send, beats: beat, processor: Arc::clone(&processor) };
        let runner = Runner {
            effects: Effects::new(Arc::clone(&processor), EFFECTS_MAX),
            processor,
            items,
            beats,
            grace: GRACE,
            gathered: Vec::new(),
            gathered_claims: 0,
            again: Vec::new(),
            again_at: None,
            behind: None,
            more: false,
            claimed: 0,
            heavy: Heavy::default(),
            draining: None,
        };
        (runner, handle)
    }

    /// With so many effects performed at once, instead of 512.
    #[must_use]
    pub fn at_once(mut self, effects_max: usize) -> Runner {
        self.effects = Effects::new(Arc::clone(&self.processor), effects_max);
        self
    }

    /// With so long to finish what is out when it is told to stop.
    #[must_use]
    pub fn grace(mut self, grace: Span) -> Runner {
        self.grace = grace;
        self
    }

    /// Runs until `stop`, then drains and returns. Whatever a runner before this one left undone goes on at
    /// once. Effects that are still out at the end are asked again by the next runner, as after a crash;
    /// those that were not asked yet are simply asked. Dropping it at any moment is a crash: nothing that
    /// was acknowledged is lost by it.
    pub async fn run(mut self, stop: CancellationToken) {
        let processor = Arc::clone(&self.processor);
        let mut running: Running<'_> = FuturesUnordered::new();
        let mut claim: Claiming<'_> = None;
        let mut look = LookWait::new(processor.clock.as_ref());
        loop {
            self.gather();
            if !self.gathered.is_empty() && running.len() < BATCHES_MAX {
                let (items, claimed) = (std::mem::take(&mut self.gathered), self.gathered_claims);
                self.gathered_claims = 0;
                metrics::histogram!("beltline_batch_items").record(many(items.len()));
                running.push(processor.run(items).map(move |left| (claimed, left)).boxed());
            }
            self.effects.start(self.holds_back());
            metrics::gauge!("beltline_effects_waiting").set(many(self.effects.waiting()));
            if self.is_over(running.is_empty() && claim.is_none()) {
                processor.witness.rest();
                return;
            }
            let room = self.gathered.len() < BATCH_MAX;
            let claims = claim.is_none() && room && self.draining.is_none() && self.again_at.is_none();
            let tick = self.next_tick();
            look.set(self.next_look(claims));
            tokio::select! {
                biased;
                Some((claimed, left)) = running.next(), if !running.is_empty() => {
                    self.committed(claimed, left);
                }
                left = self.heavy.next() => self.committed(0, left),
                () = self.effects.answered(), if self.effects.out() > 0 => {}
                Some(beat) = self.beats.recv() => drop(beat.send(())),
                Some(item) = self.items.recv(), if room => {
                    self.gathered.push(item);
                    drain(BATCH_MAX, &mut self.gathered, || self.items.try_recv().ok());
                }
                claimed = async { claim.as_mut().expect("only polled while there is a claim").await },
                    if claim.is_some() =>
                {
                    claim = None;
                    self.claimed(claimed);
                }
                () = look.come() => {
                    if claims && processor.state.due() <= processor.clock.now() {
                        claim = Some(processor.claim().boxed());
                    }
                }
                () = processor.state.earlier() => {}
                () = processor.clock.at_tick(tick.unwrap_or_default()), if tick.is_some() => {}
                () = stop.cancelled(), if self.draining.is_none() => self.drain(),
            }
        }
    }

    /// What effects hand in, and what is offered again.
    fn gather(&mut self) {
        if self.again_at.is_some_and(|at| at <= self.processor.clock.ticks()) {
            self.again_at = None;
            self.gathered.append(&mut self.again);
        }
        self.effects.renew_short(self.processor.clock.now());
        drain(BATCH_MAX, &mut self.gathered, || self.effects.pop());
    }

    /// What was due is at hand.
    fn claimed(&mut self, claimed: Result<Claimed, StoreError>) {
        match claimed {
            Ok(Claimed { items, held, full }) => {
                self.more = full;
                if full {
                    self.behind.get_or_insert(self.processor.clock.ticks());
                }
                self.claimed += items.len();
                self.caught_up(0);
                self.gathered_claims += items.len();
                self.gathered.extend(items);
                for id in held {
                    self.effects.renew(id);
                }
            }
            Err(error) => {
                tracing::error!(%error, "what is due was not fetched");
                self.more = false;
                self.caught_up(0);
                self.processor.state.wake_by(self.processor.clock.now() + AGAIN_PAUSE);
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

    /// A batch came back: what is owed an answer is performed or un-asked, and what was not taken is offered
    /// again.
    fn committed(&mut self, claimed: usize, left: BatchResult) {
        for (id, epoch) in left.over {
            self.effects.over(id, epoch);
        }
        for task in left.doing {
            self.effects.owe(task);
        }
        self.caught_up(claimed);
        left.heavy.into_iter().for_each(|item| self.heavy.take(item, &self.processor));
        metrics::gauge!("beltline_evaluations_apart").set(many(self.heavy.len()));
        if !left.again.is_empty() {
            self.again.extend(left.again);
            self.again_at.get_or_insert(self.processor.clock.ticks() + AGAIN_PAUSE);
        }
    }

    /// Whether urgent effects wait for more urgent ones: all that is due is to be at hand first.
    fn holds_back(&self) -> bool {
        self.behind.is_some_and(|since| self.processor.clock.ticks() < since + HELD_BACK)
    }

    /// When something is due, by the wall clock.
    fn next_look(&self, claims: bool) -> Timestamp {
        let due = if claims { self.processor.state.due() } else { Timestamp(i64::MAX) };
        self.effects.short_at().map_or(due, |short| short.min(due))
    }

    /// When a pause of the runner's own is over.
    fn next_tick(&self) -> Option<Ticks> {
        let held = self.behind.filter(|_| self.holds_back()).map(|since| since + HELD_BACK);
        let room = self.effects.waits_for_room().then(|| self.processor.clock.ticks() + AGAIN_PAUSE);
        [self.again_at, self.draining, held, room].into_iter().flatten().min()
    }

    /// Nothing new is taken, claimed or asked.
    fn drain(&mut self) {
        self.draining = Some(self.processor.clock.ticks() + self.grace);
        self.items.close();
        self.processor.in_flight.drain();
        self.effects.drain();
    }

    /// Whether it has drained, or may not any longer.
    fn is_over(&self, is_quiet: bool) -> bool {
        let Some(until) = self.draining else { return false };
        let is_empty = self.gathered.is_empty() && self.again.is_empty() && self.items.is_empty();
        let is_quiet = is_quiet && self.heavy.len() == 0;
        let drained = is_quiet && is_empty && self.effects.is_idle();
        if !drained && self.processor.clock.ticks() >= until {
            let (out, uncommitted) = (self.effects.out(), self.again.len());
            tracing::warn!(
                out,
                uncommitted,
                "the grace is over; what is out is asked again at the next start"
            );
            return true;
        }
        drained
    }
}

fn many(things: usize) -> f64 {
    f64::from(u32::try_from(things).unwrap_or(u32::MAX))
}

fn drain(items_max: usize, into: &mut Vec<Work>, mut next: impl FnMut() -> Option<Work>) {
    while into.len() < items_max {
        let Some(item) = next() else { return };
        into.push(item);
    }
}
