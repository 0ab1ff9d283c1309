//! [`Effects`]: every effect that this runner owes an answer to, from its commit to the commit of its answer.
//! One owner for all of them: it performs, un-asks, renews leases, and hands answers on. Whatever is to be
//! committed for a held task passes [`Effects::emit`], one at a time for each task.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt;
use tokio::task::JoinSet;

use crate::engine::batch::{BatchProcessor, Work, WorkItem};
use crate::engine::places::{Class, Lane, Places};
use crate::engine::queue::Queue;
use crate::engine::room::place_timeout;
use crate::engine::step::Cause;
use crate::model::effect::{Effect, Outcome, Request};
use crate::model::fault::Fault;
use crate::model::names::TaskId;
use crate::model::task::{State, Task};
use crate::model::time::{Span, Ticks, Timestamp};

/// How many messages to people may be under way at once. Most of them wait for others to go out with, and
/// must not keep requests waiting.
const MESSAGES_MAX: usize = 20_000;
/// How long before a lease ends, or before it is too short to ask under, it is renewed.
const RENEW_BEFORE: Span = Span::secs(5);
/// How much longer than its timeout an effect may take before it is given up from outside.
const OVERTIME: Span = Span::secs(5);

/// The effects that an answer is owed to.
#[derive(Debug)]
pub(super) struct Effects {
    processor: Arc<BatchProcessor>,
    held: HashMap<TaskId, Held>,
    /// When each of them needs a longer lease.
    leases: BTreeSet<(Timestamp, TaskId)>,
    queue: Queue,
    places: Places,
    messages: usize,
    out: JoinSet<Answered>,
    ready: VecDeque<Work>,
    /// Those that came to wait for a place of late.
    fresh: Vec<TaskId>,
    draining: bool,
}

#[derive(Debug)]
struct Held {
    /// As it was committed last.
    task: Task,
    stage: Stage,
    /// Something of it is being committed; whatever comes meanwhile waits for that.
    busy: bool,
    renew_at: Timestamp,
    /// Since when an answer is owed to it, over all its leases.
    owed_at: Ticks,
}

#[derive(Debug)]
enum Stage {
    /// It has not been asked.
    Queued,
    /// It is being asked.
    Out,
    /// It was answered, and that waits until the task is not busy.
    Answered(Box<Outcome>),
    /// Its last item is on its way: an answer, or that it is not asked.
    Leaving,
}

/// What came back of an effect.
struct Answered {
    id: TaskId,
    key: String,
    /// Whose place it had; a message has none.
    lane: Option<Lane>,
    outcome: Outcome,
}

impl Effects {
    pub(super) fn new(processor: Arc<BatchProcessor>, at_once: usize) -> Effects {
        Effects {
            processor,
            held: HashMap::new(),
            leases: BTreeSet::new(),
            queue: Queue::default(),
            places: Places::new(at_once),
            messages: 0,
            out: JoinSet::new(),
            ready: VecDeque::new(),
            fresh: Vec::new(),
            draining: false,
        }
    }

    /// How many wait for a place.
    pub(super) fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// How many are being asked.
    pub(super) fn out(&self) -> usize {
        self.out.len()
    }

    /// Whether nothing is held any more.
    pub(super) fn is_idle(&self) -> bool {
        self.held.is_empty() && self.ready.is_empty()
    }

    /// The next thing to commit.
    pub(super) fn pop(&mut self) -> Option<Work> {
        self.ready.pop_front()
    }

    /// A task was committed, and is owed an answer. If it is held already, only its lease was renewed.
    pub(super) fn owe(&mut self, task: Task) {
        let id = task.id;
        if self.is_newer(id, task.epoch) {
            return;
        }
        let (now, renewed) = (self.processor.clock.now(), self.forget_lease(id));
        match self.held.get_mut(&id).filter(|_| renewed) {
            Some(held) if key(&held.task) == key(&task) && !matches!(held.stage, Stage::Leaving) => {
                held.task = task;
                held.busy = false;
            }
            _ => {
                let owed_at = self.processor.clock.ticks();
                let stage = Stage::Queued;
                self.held.insert(id, Held { task, stage, busy: false, renew_at: now, owed_at });
            }
        }
        self.go_on(id, now);
        self.note_lease(id);
    }

    /// What is to be done for a task that is not busy.
    fn go_on(&mut self, id: TaskId, now: Timestamp) {
        let Some(held) = self.held.get_mut(&id) else { return };
        match std::mem::replace(&mut held.stage, Stage::Leaving) {
            Stage::Answered(outcome) => self.emit(id, Cause::Answered(*outcome)),
            Stage::Queued if self.draining => self.emit(id, Cause::Unasked),
            Stage::Queued if is_message(&held.task) && self.messages < MESSAGES_MAX => {
                self.messages += 1;
                self.perform(id, None);
            }
            Stage::Queued => {
                held.stage = Stage::Queued;
                let deployed = self.processor.registry.get(&held.task.process);
                self.queue.push(deployed.as_ref().map(|it| &*it.process), &held.task, now);
                self.fresh.push(id);
            }
            stage @ (Stage::Out | Stage::Leaving) => held.stage = stage,
        }
    }

    /// Whether a later life of that task is held than the one of `epoch`: what is told of that comes late.
    fn is_newer(&self, id: TaskId, epoch: u64) -> bool {
        self.held.get(&id).is_some_and(|held| held.task.epoch > epoch)
    }

    /// The life of that epoch was committed, and no answer is owed to it any more.
    pub(super) fn over(&mut self, id: TaskId, epoch: u64) {
        if !self.is_newer(id, epoch) && self.forget_lease(id) {
            self.queue.remove(id);
            self.processor.state.placed(id);
            self.held.remove(&id);
        }
    }

    /// Hands in what is to be committed for a held task. Nothing else is until it came back.
    fn emit(&mut self, id: TaskId, cause: Cause) {
        let Some(held) = self.held.get_mut(&id) else { return };
        held.busy = true;
        self.ready.push_back(WorkItem::of(held.task.clone(), cause));
    }

    /// Whether what waits to be asked waits for room on the disk: an answer that may not be kept is not asked
    /// for, be it a token pair or anything else. Messages to people go out all the same.
    pub(super) fn waits_for_room(&self) -> bool {
        self.waiting() > 0 && !self.processor.store.room().takes_answers()
    }

    /// Performs the first of those that wait, as many as there are places for. Those with something to
    /// lose may be `held_back` until all that is due is at hand: then the most urgent of all go first.
    pub(super) fn start(&mut self, held_back: bool) {
        if !self.waits_for_room() {
            self.perform_those_with_a_place(held_back);
        }
        for id in std::mem::take(&mut self.fresh) {
            if self.queue.holds(id) {
                self.processor.state.unplaced(id);
            }
        }
    }

    fn perform_those_with_a_place(&mut self, held_back: bool) {
        let now = self.processor.clock.now();
        loop {
            let places = &self.places;
            let next =
                self.queue.pop(|lane| places.admits(lane) && !(lane.class != Class::Plain && held_back));
            let Some((id, lane)) = next else { break };
            self.processor.state.placed(id);
            let Some(held) = self.held.get_mut(&id) else { continue };
            // It is asked under a lease that holds for as long as that takes.
            if is_short(&held.task, now) && !held.busy {
                self.emit(id, Cause::Held);
            } else {
                self.places.take(&lane);
                self.perform(id, Some(lane));
            }
        }
    }

    fn perform(&mut self, id: TaskId, lane: Option<Lane>) {
        let Some(held) = self.held.get_mut(&id) else { return };
        let State::Doing(effect) = &held.task.state else { return };
        let effect = Effect::clone(effect);
        held.stage = Stage::Out;
        let processor = Arc::clone(&self.processor);
        self.out.spawn(async move {
            let outcome = asked(&processor, &effect).await;
            Answered { id, key: effect.key, lane, outcome }
        });
        self.note_lease(id);
    }

    /// Waits for the next answer, and hands it on.
    pub(super) async fn answered(&mut self) {
        let Some(Ok(Answered { id, key: asked, lane, outcome })) = self.out.join_next().await else { return };
        match &lane {
            Some(lane) => self.places.free(lane),
            None => self.messages -= 1,
        }
        let owed = |held: &&mut Held| matches!(held.stage, Stage::Out) && key(&held.task) == Some(&asked);
        let Some(held) = self.held.get_mut(&id).filter(owed) else {
            return tracing::error!(task = %id, "an answer came for what another runner has taken over");
        };
        match held.busy {
            true => held.stage = Stage::Answered(Box::new(outcome)),
            false => {
                held.stage = Stage::Leaving;
                self.emit(id, Cause::Answered(outcome));
            }
        }
    }

    /// The store has given that task out again although it is held here: its lease is renewed.
    pub(super) fn renew(&mut self, id: TaskId) {
        let Some(held) = self.held.get_mut(&id) else { return };
        if held.busy || matches!(held.stage, Stage::Leaving) {
            return;
        }
        let deployed = self.processor.registry.get(&held.task.process);
        let patience = deployed.and_then(|it| place_timeout(&it.process, &held.task));
        let is_over = matches!(held.stage, Stage::Queued)
            && patience.is_some_and(|it| held.owed_at + it < self.processor.clock.ticks());
        if is_over {
            held.stage = Stage::Leaving;
        }
        self.forget_lease(id);
        if !is_over {
            return self.emit(id, Cause::Held);
        }
        self.queue.remove(id);
        self.processor.state.placed(id);
        self.emit(id, Cause::NoPlace);
    }

    /// Renews the leases that are about to end.
    pub(super) fn renew_short(&mut self, now: Timestamp) {
        while let Some((at, id)) = self.leases.first().copied()
            && at <= now
        {
            self.leases.pop_first();
            self.renew(id);
        }
    }

    /// When the first lease is about to end.
    pub(super) fn short_at(&self) -> Option<Timestamp> {
        self.leases.first().map(|(at, _)| *at)
    }

    /// Nothing new is asked from now on. What was not asked comes again when the next runner begins.
    pub(super) fn drain(&mut self) {
        self.draining = true;
        for id in self.queue.drain() {
            self.processor.state.placed(id);
            if self.held.get(&id).is_some_and(|held| !held.busy) {
                self.go_on(id, self.processor.clock.now());
            }
        }
    }

    fn forget_lease(&mut self, id: TaskId) -> bool {
        let Some(held) = self.held.get(&id) else { return false };
        self.leases.remove(&(held.renew_at, id));
        true
    }

    fn note_lease(&mut self, id: TaskId) {
        let Some(held) = self.held.get_mut(&id) else { return };
        self.leases.remove(&(held.renew_at, id));
        let Some(lease) = held.task.due else { return };
        held.renew_at = match (&held.stage, &held.task.state) {
            (Stage::Queued, State::Doing(effect)) => lease - effect.timeout - RENEW_BEFORE,
            _ => lease - RENEW_BEFORE,
        };
        if !matches!(held.stage, Stage::Leaving) {
            self.leases.insert((held.renew_at, id));
        }
    }
}

fn key(task: &Task) -> Option<&str> {
    match &task.state {
        State::Doing(effect) => Some(&effect.key),
        State::Ready { .. } | State::Waiting { .. } | State::Done | State::Failed | State::Cancelled => None,
    }
}

fn is_message(task: &Task) -> bool {
    matches!(&task.state, State::Doing(effect) if matches!(effect.request, Request::Notify(_)))
}

/// Whether the lease ends before the effect's time does.
fn is_short(task: &Task, now: Timestamp) -> bool {
    let State::Doing(effect) = &task.state else { return false };
    task.due.is_none_or(|lease| now + effect.timeout > lease)
}

/// The answer, or the fault that there was none.
async fn asked(processor: &BatchProcessor, effect: &Effect) -> Outcome {
    let asking = AssertUnwindSafe(processor.world.perform(effect)).catch_unwind();
    tokio::select! {
        biased;
        answer = asking => answer.unwrap_or_else(|_| {
            tracing::error!(key = effect.key, "the engine panicked while it performed an effect");
            metrics::counter!("beltline_panics_total").increment(1);
            let message = "the engine failed while it asked, and does not know whether it did";
            Err(Fault::unsure("engine_error", message))
        }),
        () = processor.clock.after(Span(effect.timeout.0.saturating_add(OVERTIME.0))) => {
            Err(Fault::passing("http_timeout", format!("no answer within {}", effect.timeout)))
        }
    }
}
