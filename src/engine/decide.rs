//! What [`BatchProcessor`] do before a commit: each task at hand is stepped on what was fetched for all of
//! them, and what a store refused is decided anew.
//!
//! Nothing here goes on for ever: reads, refusals and panics each have their number, and then there is a
//! fault that names them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::engine::again::{Blame, StepMode};
use crate::engine::batch::{BatchProcessor, SubmitError, Work, WorkItem, not_taken};
use crate::engine::between::READS_MAX;
#[cfg(debug_assertions)]
use crate::engine::broken::{Promise, is_broken};
use crate::engine::census::Reserved;
use crate::engine::lanes::{Seen, Tried};
use crate::engine::ports::{Refused, StoreError, Write};
use crate::engine::registry::Deployed;
use crate::engine::step::{Cause, StepResult, fall, give_up, step};
use crate::engine::transition::Transition;
use crate::model::bounds::{Bounds, ProcessBounds, Reads};
use crate::model::budget::drawn;
use crate::model::descent::Descent;
use crate::model::fault::Fault;
use crate::model::names::{Address, ProcessId};
use crate::model::params::Params;
use crate::model::scope::{Newborn, Other, ReadSet};
use crate::model::signal::{Signal, SignalKind, SignalTarget};
use crate::model::task::{Birth, HistoryEvent, Task};
use crate::model::time::Timestamp;
use crate::process::process::Process;

/// How often a whole walk is decided anew for what it still reads: names nested in names, and then some.
/// Then it is committed as far as it has come, and goes on from there.
const WHOLE_MAX: usize = 8;
/// After so many steps of work on one batch others on this thread have a turn.
const STRETCH: u64 = 100_000;

/// What was decided, and what is too heavy to be decided here.
type Decided = (Vec<(Work, Write)>, Vec<Work>);

impl BatchProcessor {
    /// Steps each hand, fetching what is missing for all of them at once: here, as far as that is light, or
    /// `apart`.
    pub(super) async fn decide(
        &self,
        items: Vec<Work>,
        apart: Option<&Arc<BatchProcessor>>,
    ) -> Result<Decided, (Vec<Work>, StoreError)> {
        let now = match self.now().await {
            Ok(now) => now,
            Err(error) => return Err((items, error)),
        };
        let mut facts = (self.facts)();
        facts.steps = self.state.wall.steps();
        let mut seen = Seen { facts, others: Arc::default(), reads: Reads::Whole, now };
        let mut decided = Vec::with_capacity(items.len());
        let mut heavy = Vec::new();
        let mut open = items;
        let mut rounds = 0;
        loop {
            seen.reads = reads_after(rounds);
            let mut missed = BTreeSet::new();
            let mut unsure = Vec::new();
            self.testify(&open, apart);
            let mut begun = drawn();
            for item in open {
                if drawn().wrapping_sub(begun) > STRETCH {
                    tokio::task::yield_now().await;
                    begun = drawn();
                }
                let tried = match apart {
                    Some(processor) => processor.step_apart(item, &seen).await,
                    None => self.step_here(item, &seen),
                };
                match tried {
                    Tried::Decided(item, write) => decided.push((item, *write)),
                    Tried::Heavy(item) => heavy.push(item),
                    Tried::Fetch(item, addresses) => {
                        missed.extend(addresses);
                        unsure.push(item);
                    }
                    Tried::Dropped => {}
                }
            }
            if unsure.is_empty() {
                return Ok((decided, heavy));
            }
            open = unsure;
            match self.fetch(missed, &seen.others).await {
                Ok(more) => seen.others = more,
                Err(error) => {
                    open.extend(decided.into_iter().map(|(item, _)| item).chain(heavy));
                    return Err((open, error));
                }
            }
            rounds += 1;
        }
    }

    pub(super) fn try_step(&self, item: Work, seen: &Seen, is_light: bool) -> Tried {
        let mut hand = match item {
            Work::Hand(hand) => hand,
            Work::Post { signal, reply_to } => {
                let signal = self.with_birth(signal, Descent::default(), seen.now);
                let write = Write::Post(signal.clone(), seen.now);
                return Tried::Decided(Work::Post { signal, reply_to }, Box::new(write));
            }
        };
        let Some(deployed) = self.registry.get(&hand.task.process) else {
            tracing::warn!(process = %hand.task.process, task = %hand.task.id, "its process is not deployed");
            return refuse(*hand, |hand| SubmitError::NoProcess(hand.task.process.clone()));
        };
        // A claim of what is held already has raised its epoch.
        let epoch = self.in_flight.epoch_of(&hand.task);
        hand.task.epoch = epoch.map_or(hand.task.epoch, |epoch| epoch.max(hand.task.epoch));
        // What was reserved for it before is free, for itself as well.
        hand.again.places = None;
        hand.again.held = Some(Arc::clone(&deployed.held));
        self.set_aside(&mut hand);
        let mut reserved = Reserved::none(&self.state.census);
        let mut rooms = BTreeMap::new();
        loop {
            let bounds = Bounds {
                reads: seen.reads,
                asks_nothing: self.in_flight.is_draining(),
                contended: hand.again.contended.clone(),
                rooms: rooms.clone(),
            };
            let scope = seen.facts.with(&hand.task.process, deployed.paused, Arc::clone(&seen.others));
            let scope = scope.within(bounds).reaching(self.registry.reach(&deployed));
            let mut step = || Self::stepped(&deployed, &mut hand, &scope, seen.now);
            let Some(stepped) = (if is_light { self.apart.light(&mut step) } else { Some(step()) }) else {
                return Tried::Heavy(Work::Hand(hand));
            };
            let mut moved = match stepped {
                Some(StepResult::Moved(moved)) => moved,
                Some(StepResult::Fetch(addresses)) => return Tried::Fetch(Work::Hand(hand), addresses),
                None => return refuse(*hand, |_| SubmitError::Stopping),
            };
            match self.reserve(&moved, &mut reserved) {
                Err((process, ProcessBounds { limit: 0, .. })) if is_own(&moved, &process) => {
                    return refuse(*hand, |_| SubmitError::NoProcess(process));
                }
                Err((process, room)) if room.left == 0 && is_own(&moved, &process) => {
                    return refuse(*hand, |_| SubmitError::Full { process, tasks: room.limit });
                }
                Err((process, room)) if !rooms.contains_key(&process) => {
                    let own = u64::from(is_own(&moved, &process));
                    rooms.insert(process, ProcessBounds { left: room.left - own, ..room });
                }
                // Who knows of the room there is keeps within it.
                Ok(()) | Err(_) => {
                    hand.again.places = Some(reserved);
                    self.complete(&hand, &mut moved, seen.now);
                    return Tried::Decided(Work::Hand(hand), Box::new(Write::Step(moved)));
                }
            }
        }
    }

    /// Steps a task, as often as it takes to find a way on which nothing panics; none if there is none.
    fn stepped(
        deployed: &Deployed,
        hand: &mut WorkItem,
        scope: &ReadSet,
        now: Timestamp,
    ) -> Option<StepResult> {
        #[cfg(debug_assertions)]
        if is_broken(Promise::Survival) && is_deadly(hand) {
            std::process::abort();
        }
        loop {
            let step = caught(|| by_way(&deployed.process, hand, scope, now));
            if step.is_some() || !Self::panicked(&deployed.process, hand, scope, now) {
                return step;
            }
            // What the decision that panicked looked at is nobody's any more.
            scope.missing_reads();
        }
    }

    /// A decision panicked: says so, and whether there is another way.
    fn panicked(process: &Process, hand: &mut WorkItem, scope: &ReadSet, now: Timestamp) -> bool {
        let task = &hand.task;
        tracing::error!(
            process = %task.process, node = %task.at, task = %task.id,
            "a decision panicked; this is a mistake of the engine, please report it"
        );
        metrics::counter!("beltline_panics_total").increment(1);
        let alone = |cause| caught(|| step(process, task.clone(), cause, scope, now)).is_some();
        let signals = match (blame(hand), &hand.cause) {
            (Blame::First, Cause::Claimed(_)) if !alone(Cause::Claimed(Vec::new())) => Blame::None,
            (blame, _) => blame,
        };
        let message =
            format!("the engine failed at node `{}`, by a mistake of its own: see its log", task.at);
        hand.again.fell(Fault::lasting("engine_error", message), signals)
    }

    /// Reserves places for the tasks that are born of a step; an error says where there are fewer, and how
    /// many.
    fn reserve(&self, moved: &Transition, reserved: &mut Reserved) -> Result<(), (ProcessId, ProcessBounds)> {
        let own = moved.before.is_none().then_some(&moved.task.process);
        let born = moved.signals.iter().filter_map(|signal| match (&signal.to, &signal.kind) {
            (SignalTarget::Address(to), SignalKind::Create { .. }) => Some(&to.process),
            _ => None,
        });
        let mut births: Vec<(&ProcessId, u64)> = Vec::new();
        for process in own.into_iter().chain(born) {
            match births.iter_mut().find(|(it, _)| *it == process) {
                Some((_, births)) => *births += 1,
                None => births.push((process, 1)),
            }
        }
        for (process, births) in births {
            let Some(deployed) = self.registry.get(process) else { continue };
            let limit = deployed.process.limits.tasks;
            let left = reserved.raise(process, births, limit);
            // Asked only now: whoever closes a process waits until no place in it is reserved.
            if !self.registry.is_open(process) {
                reserved.raise(process, 0, 0);
                return Err((process.clone(), ProcessBounds { left: 0, limit: 0 }));
            }
            if left < births {
                return Err((process.clone(), ProcessBounds { left, limit }));
            }
        }
        Ok(())
    }

    /// What only the runner can say of a transition.
    fn complete(&self, hand: &WorkItem, moved: &mut Transition, now: Timestamp) {
        moved.idempotency.clone_from(&hand.idempotency);
        if let Some(by) = &hand.by {
            moved.events.insert(0, submitted(&hand.task, by, now));
        }
        let signals = std::mem::take(&mut moved.signals);
        let descent = &moved.task.descent;
        let with_birth = |signal: Signal| {
            let descent = match &signal.kind {
                SignalKind::Create { .. } => descent.below(&moved.task.process),
                // A chunk only does its maker's work.
                SignalKind::Chunk { .. } => descent.clone(),
                SignalKind::Modify { .. } | SignalKind::Answer { .. } | SignalKind::Command { .. } => {
                    Descent::default()
                }
            };
            self.with_birth(signal, descent, now)
        };
        moved.signals = signals.into_iter().map(with_birth).collect();
    }

    /// A signal that creates, with what only the runner can give.
    pub(super) fn with_birth(&self, mut signal: Signal, descent: Descent, now: Timestamp) -> Signal {
        let SignalTarget::Address(to) = &signal.to else { return signal };
        match &mut signal.kind {
            SignalKind::Create { at, birth, .. } => {
                let start = || self.registry.get(&to.process).map(|it| it.process.start.clone());
                *at = at.take().or_else(start);
                *birth = Some(Birth { descent, ..self.ids.next(now) });
            }
            SignalKind::Chunk { birth, .. } => *birth = Some(Birth { descent, ..self.ids.next(now) }),
            SignalKind::Modify { .. } | SignalKind::Answer { .. } | SignalKind::Command { .. } => {}
        }
        signal
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
            let other = match self.registry.get(&address.process) {
                None => Other::NoProcess,
                Some(deployed) => seen_of(&deployed.process, task),
            };
            others.insert(address, other);
        }
        Ok(Arc::new(others))
    }

    /// What becomes of a task whose step the store refused: it is given back if it is decided anew.
    pub(super) fn refused(&self, mut hand: WorkItem, refused: Refused) -> Option<Work> {
        let own = hand.task.address();
        match (refused, hand.reply_to.take()) {
            // Another runner gave that number in the same millisecond: the task is born anew.
            (Refused::Stale, Some(reply_to)) if hand.cause == Cause::New => {
                let birth = self.ids.next(self.clock.now());
                let task = Task { id: birth.id, seed: birth.seed, ..hand.task };
                Some(Work::Hand(Box::new(WorkItem { task, reply_to: Some(reply_to), ..hand })))
            }
            (Refused::Stale, reply_to) => {
                tracing::debug!(task = %own, "claimed by another runner since");
                drop(reply_to);
                None
            }
            (Refused::RefTaken(address), Some(reply_to)) if address == own => {
                drop(reply_to.send(Err(SubmitError::RefTaken(address))));
                None
            }
            (refused @ (Refused::Repeated(_) | Refused::Unwritable(_)), Some(reply_to)) => {
                drop(reply_to.send(Err(not_taken(refused))));
                None
            }
            (Refused::Unwritable(why), None) => unwritable(hand, &why),
            // An ended task was to come back, and its name is another's: decided anew, it stays where it is.
            (Refused::RefTaken(address), None) if address == own => match hand.cause {
                Cause::Claimed(signals) => {
                    let cause = Cause::NameTaken(signals);
                    Some(Work::Hand(Box::new(WorkItem { cause, ..hand })))
                }
                Cause::New
                | Cause::NameTaken(_)
                | Cause::Answered(_)
                | Cause::Held
                | Cause::NoPlace
                | Cause::Unasked => {
                    tracing::error!(task = %own, "its name is taken by another; it is left as it was");
                    None
                }
            },
            // Somebody was faster with a name, or a task left: the step is decided anew on what is there now,
            // and writes there no more if that goes on.
            (Refused::RefTaken(address), reply_to) => {
                hand.again.refused(address.to_string());
                Some(Work::Hand(Box::new(WorkItem { reply_to, ..hand })))
            }
            (Refused::NoTask(name), reply_to) => {
                hand.again.refused(name);
                Some(Work::Hand(Box::new(WorkItem { reply_to, ..hand })))
            }
            (Refused::Repeated(_), reply_to) => Some(Work::Hand(Box::new(WorkItem { reply_to, ..hand }))),
        }
    }
}

/// Whether the process is to die of that decision, where it shows that it can.
#[cfg(debug_assertions)]
fn is_deadly(hand: &WorkItem) -> bool {
    let is_tried = matches!(hand.again.way, StepMode::Whole) && hand.cause != Cause::New;
    is_tried && hand.task.reference.as_str() == "deadly"
}

/// How far reads are followed after so many rounds of them.
fn reads_after(rounds: usize) -> Reads {
    match rounds {
        rounds if rounds < WHOLE_MAX => Reads::Whole,
        rounds if rounds < WHOLE_MAX + READS_MAX => Reads::Stepwise,
        _ => Reads::Spent,
    }
}

/// The step as it is to be decided this time.
fn by_way(process: &Process, hand: &WorkItem, scope: &ReadSet, now: Timestamp) -> StepResult {
    let (task, mut cause) = (hand.task.clone(), hand.cause.clone());
    match &hand.again.way {
        StepMode::Whole => step(process, task, cause, scope, now),
        StepMode::OneSignal => {
            if let Cause::Claimed(signals) = &mut cause {
                signals.truncate(1);
            }
            step(process, task, cause, scope, now)
        }
        StepMode::Fall(fault, signals) => {
            if let Cause::Claimed(unread) = &mut cause {
                unread.truncate(usize::from(*signals));
            }
            fall(process, task, cause, fault.clone(), scope, now)
        }
        StepMode::End(fault) => give_up(process, task, cause, fault.clone(), scope, now),
    }
}

/// The signals that may be to blame for a step that cannot be used.
fn blame(hand: &WorkItem) -> Blame {
    match &hand.cause {
        Cause::Claimed(signals) if signals.len() > 1 && matches!(hand.again.way, StepMode::Whole) => {
            Blame::OneOfMany
        }
        Cause::Claimed(signals) if !signals.is_empty() => Blame::First,
        Cause::New
        | Cause::Claimed(_)
        | Cause::NameTaken(_)
        | Cause::Answered(_)
        | Cause::Held
        | Cause::NoPlace
        | Cause::Unasked => Blame::None,
    }
}

/// What `decide` gives, if it does not panic. It is pure: what it leaves half done is dropped with it.
fn caught<T>(decide: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(decide)).ok()
}

/// Nothing of the task is kept, and whoever submitted it is told why.
fn refuse(hand: WorkItem, why: impl FnOnce(&WorkItem) -> SubmitError) -> Tried {
    let not = why(&hand);
    if let Some(reply_to) = hand.reply_to {
        // Who left does not want to know.
        drop(reply_to.send(Err(not)));
    }
    Tried::Dropped
}

/// Whether the task of a step is itself new, and in that process.
fn is_own(moved: &Transition, process: &ProcessId) -> bool {
    moved.before.is_none() && moved.task.process == *process
}

/// What others see of a task of `process`, or of the place where it is not.
fn seen_of(process: &Process, task: Option<Task>) -> Other {
    let (hidden, secret) = (Arc::clone(&process.hidden), Arc::clone(&process.secret));
    let declared = |mut params: Params| {
        params.declare(&secret);
        params
    };
    match task {
        None => Other::NoTask(Newborn { defaults: declared(process.defaults()), hidden, secret }),
        // It was not stepped yet, and so was not given its defaults.
        Some(task) if task.revision == 0 => {
            let mut params = process.defaults();
            params.merge(&task.params);
            Other::Live { params: declared(params), hidden, secret }
        }
        Some(task) => Other::Live { params: declared(task.params), hidden, secret },
    }
}

/// The store cannot write what became of the task: another end is tried, and then it is left as it is.
fn unwritable(mut hand: WorkItem, why: &str) -> Option<Work> {
    let message = format!("what became of the task at node `{}` cannot be written: {why}", hand.task.at);
    let signals = blame(&hand);
    if hand.again.fell(Fault::lasting("unwritable", message), signals) {
        return Some(Work::Hand(Box::new(hand)));
    }
    let (process, task) = (&hand.task.process, hand.task.id);
    tracing::error!(%process, %task, why, "not even its end can be written; it is left as it was");
    metrics::counter!("beltline_unwritable_total").increment(1);
    None
}

/// The first line of a history: by what a task came.
fn submitted(task: &Task, by: &str, now: Timestamp) -> HistoryEvent {
    HistoryEvent {
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
