//! [`step`]: the heart. One task and what happened to it; out comes the task as it stands next.
//!
//! Pure and total: no I/O, no clock, no chance, no error. The same arguments give the same [`StepResult`],
//! today and in a replay. It walks on through nodes that need nothing from outside and stops when the task
//! must wait, ask or end.
//!
//! Where a task stands, and why it is in hand. `=`: it stays as it is; then what its history says first.
//! *Ended*: done, failed and cancelled alike. What is ready alone is new, and of what is doing alone the
//! world answers, or was not asked; the other cells say that nothing is lost where it should be otherwise.
//!
//! | | Ready | Doing | Waiting | Ended |
//! |---|---|---|---|---|
//! | New | doing, `came` | doing, `came` | doing, `came` | doing, `came` |
//! | Claimed | doing, `came` | doing, `asked again` | = | = |
//! | Claimed with a wake | doing, `wake by ann` | doing, `asked again` | = | =, refused |
//! | `NameTaken` | =, refused | =, refused | =, refused | =, refused |
//! | Answered | done, `answered 200` | done, `answered 200` | done, `answered 200` | done, `answered 200` |
//! | Held | = | = | = | = |
//! | `NoPlace` | = | = | = | = |
//! | Unasked | = | ready | = | = |

use std::collections::BTreeSet;

use crate::engine::anchor::anchor;
use crate::engine::mask::shown;
use crate::engine::transition::{Reading, SignalId, Transition};
use crate::engine::walk::{LEASE_MARGIN, Pace, Walk, no_such_node};
use crate::model::bounds::Reads;
use crate::model::effect::{Effect, ExternalAnswer, Outcome};
use crate::model::fault::Fault;
use crate::model::key;
use crate::model::kind::{CallReply, NodeEvent};
use crate::model::marks::Marks;
use crate::model::names::{Address, NodeName};
use crate::model::params::{ParamChanges, Params};
use crate::model::scope::ReadSet;
use crate::model::signal::{Command, Signal, SignalKind};
use crate::model::task::{Acknowledged, Alarm, NodePosition, State, Task, Ticket};
use crate::model::time::{Span, Timestamp};
use crate::process::process::Process;

/// How much longer than its effect's timeout the lease of a task is that waits for its effect's turn.
pub const HELD_LEASE: Span = Span::secs(60);

/// Why a task is in hand.
#[derive(Clone, Debug, PartialEq)]
pub enum Cause {
    /// It is new, and in no store yet.
    New,
    /// It was due, or has signals.
    Claimed(Vec<(SignalId, Signal)>),
    /// It has signals that would bring it back, but its name is another task's by now.
    NameTaken(Vec<(SignalId, Signal)>),
    /// The world answered.
    Answered(Outcome),
    /// The world has not been asked yet: too much else is.
    Held,
    /// The world has not been asked, for all places are taken, and its node lets the task wait no longer.
    NoPlace,
    /// The world has not been asked, and this runner will not: it stops.
    Unasked,
}

/// What came of it.
#[derive(Debug)]
pub enum StepResult {
    /// The task moved, or stayed; to be committed.
    Moved(Box<Transition>),
    /// Nothing is decided before these tasks are read.
    Fetch(BTreeSet<Address>),
}

/// Decides what becomes of `task`.
pub fn step(process: &Process, task: Task, cause: Cause, scope: &ReadSet, now: Timestamp) -> StepResult {
    let (before, mut walk) = begin(process, task, &cause, scope, now);
    // What is held already may have been asked.
    let is_out = cause == Cause::Held;
    match cause {
        Cause::New => walk.arrived(),
        Cause::Claimed(signals) => walk.claimed(signals),
        Cause::NameTaken(signals) => walk.stay_ended(signals),
        Cause::Answered(outcome) => walk.answered(outcome),
        Cause::Held => walk.held(),
        Cause::NoPlace => walk.no_place(),
        Cause::Unasked => walk.unasked(),
    }
    if scope.bounds.asks_nothing && !is_out {
        walk.unasked();
    }
    walk.done(before)
}

/// The same, where the step itself cannot be used: `fault` happens to the task where it stands, and the
/// signals of `cause` are refused for it.
pub fn fall(
    process: &Process,
    task: Task,
    cause: Cause,
    fault: Fault,
    scope: &ReadSet,
    now: Timestamp,
) -> StepResult {
    let (before, mut walk) = begin(process, task, &cause, scope, now);
    walk.refuse_all(cause, &fault);
    match walk.task.state.phase().is_live() {
        true => walk.failed(fault, "fell"),
        false => walk.look_at_the_time(),
    }
    walk.done(before)
}

/// The same, where even that cannot be used: the task ends here.
pub fn give_up(
    process: &Process,
    task: Task,
    cause: Cause,
    fault: Fault,
    scope: &ReadSet,
    now: Timestamp,
) -> StepResult {
    let (before, mut walk) = begin(process, task, &cause, scope, now);
    walk.refuse_all(cause, &fault);
    match walk.task.state.phase().is_live() {
        true => {
            walk.event("fell", |_| {}).fault = Some(fault.clone());
            walk.ended(State::Failed, None, Some(fault));
        }
        false => walk.look_at_the_time(),
    }
    walk.done(before)
}

/// A task where it stands, and the place it is counted at if it is in a store.
fn begin<'a>(
    process: &'a Process,
    task: Task,
    cause: &Cause,
    scope: &ReadSet,
    now: Timestamp,
) -> (Option<NodePosition>, Walk<'a>) {
    let before = (*cause != Cause::New).then(|| task.place());
    let mut walk = Walk {
        process,
        scope: scope.clone(),
        now,
        task,
        signals: Vec::new(),
        events: Vec::new(),
        read: Vec::new(),
        reply: None,
        unread: 0,
        gone: false,
        chunks: Vec::new(),
        may_leave: false,
        pace: Pace::On,
    };
    walk.task.params.declare(&process.secret);
    anchor(&mut walk.task, process, &scope.steps, now);
    (before, walk)
}

impl Walk<'_> {
    fn done(self, before: Option<NodePosition>) -> StepResult {
        let missed = self.scope.missing_reads();
        if !missed.is_empty() {
            return StepResult::Fetch(missed);
        }
        let Walk { mut task, signals, events: history, read, reply, gone, now, .. } = self;
        let (base, idempotency) = (Some(task.revision), None);
        task.revision += 1;
        let at = now;
        let moved =
            Transition { task, before, base, signals, events: history, read, at, gone, reply, idempotency };
        StepResult::Moved(Box::new(moved))
    }

    fn claimed(&mut self, signals: Vec<(SignalId, Signal)>) {
        if let State::Doing(effect) = &self.task.state {
            let effect = effect.clone();
            return self.orphaned(&effect);
        }
        let mut signals = signals.into_iter();
        while !matches!(self.task.state, State::Doing(_)) && self.pace == Pace::On {
            let Some((id, signal)) = signals.next() else { break };
            self.unread = signals.len();
            let before = self.unread_signal();
            let refused = self.open(signal.kind).err();
            match before {
                Some(before) if self.pace == Pace::Leaves => {
                    *self = *before;
                    self.pace = Pace::Yields;
                }
                Some(_) | None => self.read.push(Reading { signal: id, refused }),
            }
            if self.scope.misses() {
                return;
            }
        }
        match self.pace {
            Pace::On => self.look_at_the_time(),
            Pace::Yields | Pace::Leaves if self.scope.paused => self.suspend(),
            Pace::Yields | Pace::Leaves => self.reset_due(),
        }
    }

    /// The walk as it is, to come back to if the next signal is left to the next step: that is so where one
    /// before it was read, and the task lives to see it.
    fn unread_signal(&mut self) -> Option<Box<Self>> {
        let stepwise = self.scope.bounds.reads != Reads::Whole;
        self.may_leave = stepwise && !self.read.is_empty() && self.task.state.phase().is_live();
        self.may_leave.then(|| Box::new(self.clone()))
    }

    /// The signals are read, and nothing comes of them.
    fn refuse_all(&mut self, cause: Cause, fault: &Fault) {
        if let Cause::Claimed(signals) | Cause::NameTaken(signals) = cause {
            let refused = |(signal, _)| Reading { signal, refused: Some(fault.clone()) };
            self.read = signals.into_iter().map(refused).collect();
        }
    }

    /// Two live tasks never have one name: whoever wants this one back is told so.
    fn stay_ended(&mut self, signals: Vec<(SignalId, Signal)>) {
        let taken = || {
            let message = format!("another live task is called `{}` by now", self.task.address());
            Fault::lasting("ref_taken", message)
        };
        let refused = signals.into_iter().map(|(signal, _)| Reading { signal, refused: Some(taken()) });
        self.read = refused.collect();
    }

    /// The effect waits for its turn, and its lease must not run out meanwhile.
    pub(super) fn held(&mut self) {
        if let State::Doing(effect) = &self.task.state {
            self.task.due = Some(self.now + effect.timeout + HELD_LEASE);
        }
    }

    /// The task comes to its node anew, under whichever runner is next: nothing was asked, so nothing is
    /// unsure.
    fn unasked(&mut self) {
        if let State::Doing(_) = &self.task.state {
            self.task.state = State::Ready { at: self.now };
            self.reset_due();
        }
    }

    /// The lease ran out, and with it the runner that asked: it is not known whether it did.
    fn orphaned(&mut self, effect: &Effect) {
        match effect.once {
            true => {
                let message = "asked once, and the runner was lost before the answer was kept";
                self.failed(Fault::unsure("outcome_unknown", message), "lost");
            }
            // Who stands here too long goes on: there is no answer that could be lost.
            false if self.limit_at().is_some_and(|at| at <= self.now) => self.too_long(),
            false => {
                self.event("asked again", |_| {});
                self.task.due = Some(self.now + effect.timeout + LEASE_MARGIN);
            }
        }
    }

    fn look_at_the_time(&mut self) {
        let over = self.limit_at().is_some_and(|at| at <= self.now);
        match &self.task.state {
            State::Ready { .. } | State::Waiting { .. } if self.scope.paused => self.suspend(),
            State::Ready { .. } | State::Waiting { .. } if over => self.too_long(),
            State::Ready { at } if *at <= self.now => self.arrived(),
            State::Waiting { until: Some(until) } if *until <= self.now => self.time_came(*until),
            State::Ready { .. } | State::Waiting { .. } => self.reset_due(),
            State::Doing(_) => {}
            // What ended is due when it is to be removed, or had signals.
            State::Done | State::Failed | State::Cancelled => {
                self.task.due = self.task.kept_until;
                self.gone |= self.task.due.is_none_or(|due| due <= self.now);
            }
        }
    }

    fn time_came(&mut self, until: Timestamp) {
        self.rested();
        self.dispatch(NodeEvent::Due, "due");
        // A new version of the process may have put a node here that waits for no time: the task comes to
        // it anew.
        if self.task.state == (State::Waiting { until: Some(until) }) {
            self.task.state = State::Waiting { until: None };
            self.dispatch(NodeEvent::Came, "came");
        }
    }

    fn answered(&mut self, outcome: Outcome) {
        if let Ok(ExternalAnswer::Later(later)) = &outcome {
            return self.no_room(later);
        }
        let event = match &outcome {
            Ok(ExternalAnswer::Http(answer)) => format!("answered {}", answer.status),
            Ok(ExternalAnswer::Notified(_)) => "delivered".to_owned(),
            Ok(ExternalAnswer::Later(_)) | Err(_) => "no answer".to_owned(),
        };
        self.task.awaits = None;
        self.rested();
        self.task.awaits_since = None;
        let outcome = self.only_once(outcome);
        // If a new version of the process has put a node here that asks nothing, the task comes to it anew.
        self.task.state = State::Ready { at: self.now };
        self.dispatch(NodeEvent::Answered(outcome), &event);
    }

    /// What is asked at most once and may have been asked is not asked again: its answer is unknown.
    fn only_once(&self, outcome: Outcome) -> Outcome {
        let once = matches!(&self.task.state, State::Doing(effect) if effect.once);
        outcome.map_err(|fault| match fault.code.as_str() {
            "http_timeout" | "http_lost" if once => Fault::unsure("outcome_unknown", fault.message),
            _ => fault,
        })
    }

    /// Reads one signal. An error is why it changed nothing.
    fn open(&mut self, word: SignalKind) -> Result<(), Fault> {
        match word {
            SignalKind::Create { .. } | SignalKind::Chunk { .. } => {
                Err(Fault::lasting("ref_taken", "the task exists already"))
            }
            SignalKind::Modify { params } => self.modified(params, "signal"),
            SignalKind::Answer { visit, ticket, answer } if self.is_awaited(visit, ticket) => {
                // Where it happened in the other process says nothing here.
                let answer = answer.map_err(|fault| Fault { node: None, at: None, ..fault });
                let index = ticket.map(|ticket| ticket.index);
                self.dispatch(NodeEvent::Replied(CallReply { index, answer }), "replied");
                Ok(())
            }
            SignalKind::Answer { .. } => Err(Fault::lasting("late_reply", "the call is over")),
            SignalKind::Command { command, by } => self.commanded(command, &by),
        }
    }

    /// Whether the task waits for the reply to that call.
    fn is_awaited(&self, visit: u64, ticket: Option<Ticket>) -> bool {
        let is_out = match (&self.task.fan_out, ticket) {
            (None, None) => true,
            (Some(fan_out), Some(ticket)) => {
                ticket.attempt == self.task.attempt && fan_out.out.iter().any(|it| it.index == ticket.index)
            }
            (Some(_), None) | (None, Some(_)) => false,
        };
        is_out && visit == self.task.visit && self.is_waiting()
    }

    fn modified(&mut self, params: Params, event: &str) -> Result<(), Fault> {
        if !self.task.state.phase().is_live() {
            return Err(Fault::lasting("task_ended", "the task has ended"));
        }
        let changes = self.change_params(ParamChanges::set(params.clone()))?;
        let before = self.events.len();
        if self.is_waiting() {
            self.dispatch(NodeEvent::Signal(params), event);
        }
        // Where the node made nothing of it, the history still says what was changed.
        match self.events.get_mut(before) {
            Some(event) => {
                let mut set = shown(&changes.set, &self.task, &self.process.secret);
                set.merge(&event.set);
                event.set = set;
            }
            None => {
                let set = shown(&changes.set, &self.task, &self.process.secret);
                self.event(event, |_| {}).set = set;
            }
        }
        Ok(())
    }

    fn commanded(&mut self, command: Command, by: &str) -> Result<(), Fault> {
        let event = format!("{} by {by}", command.as_str());
        self.rested();
        let live = self.task.state.phase().is_live();
        match command {
            Command::Modify { revision: Some(revision), .. } if revision != self.task.revision => {
                let message = format!("the task is at revision {}, not {revision}", self.task.revision);
                Err(Fault::lasting("revision_mismatch", message))
            }
            Command::Modify { params, .. } => self.modified(params, &event),
            // It cannot go its own way: the `each` it belongs to takes the fault `cancelled`.
            Command::Cancel | Command::Retry | Command::Move { .. } if live && self.task.is_chunk() => {
                self.cancelled(&event);
                Ok(())
            }
            Command::Retry => {
                let failed = self.task.fault.as_ref().and_then(|fault| fault.node.clone());
                self.moved(failed.unwrap_or_else(|| self.task.at.clone()), &event)
            }
            Command::Move { to } => self.moved(to, &event),
            Command::Wake | Command::Cancel | Command::Acknowledge { .. } if !live => {
                Err(Fault::lasting("task_ended", "the task has ended"))
            }
            Command::Wake => {
                match self.task.state {
                    State::Ready { .. } => self.dispatch(NodeEvent::Came, &event),
                    _ => self.dispatch(NodeEvent::Command(Command::Wake), &event),
                }
                Ok(())
            }
            Command::Acknowledge { key } => self.acknowledged(key.as_deref(), by, &event),
            Command::Cancel => {
                self.cancelled(&event);
                Ok(())
            }
        }
    }

    /// The alarm is acknowledged. The task stays where it is: its node sees it when it looks at the alarm
    /// next.
    fn acknowledged(&mut self, key: Option<&str>, by: &str, event: &str) -> Result<(), Fault> {
        let opens = key.is_none_or(|key| key::acknowledges(key, &self.task));
        match self.task.alarm.as_mut().filter(|_| opens) {
            None => Err(Fault::lasting("no_alarm", "the task has no open alarm")),
            Some(Alarm { acknowledged: Some(before), .. }) => {
                let message = format!("{} acknowledged it already, at {}", before.by, before.at);
                Err(Fault::lasting("acknowledged", message))
            }
            Some(alarm) => {
                alarm.acknowledged = Some(Acknowledged { at: self.now, by: by.to_owned() });
                self.event(event, |_| {});
                Ok(())
            }
        }
    }

    fn cancelled(&mut self, event: &str) {
        self.event(event, |_| {});
        let fault = Fault::lasting("cancelled", "the task was cancelled");
        self.ended(State::Cancelled, None, Some(fault));
    }

    fn moved(&mut self, to: NodeName, event: &str) -> Result<(), Fault> {
        if self.process.node(&to).is_none() {
            return Err(no_such_node(self.process, &to));
        }
        self.event(event, |event| event.to = Some(to.clone()));
        self.enter_node(to);
        self.task.result = None;
        self.task.marks = Marks::default();
        self.arrived();
        Ok(())
    }
}
