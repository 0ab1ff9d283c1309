//! [`Walk`]: a task on its way through nodes, within one step. What a decision does to a task is decided
//! here, once for all kinds: going on, asking, waiting, ending, faults and their retries.
//!
//! A walk is the same as one with a commit between any two of its nodes. The nodes that follow see what it
//! wrote to others, and itself as it stands; after a signal to itself it yields, so that the signal is read
//! first. Where it yields, the task is due at once and goes on from there in the next step.

use std::sync::Arc;

use serde_json::Value;

use crate::engine::asked::{asked, part};
use crate::engine::mask::{LINK, RESULT, echoes, scrub, shown};
use crate::engine::retry::next_try;
use crate::engine::transition::Reading;
use crate::model::budget::measured;
use crate::model::effect::{Effect, Request};
use crate::model::fan_out::FanOut;
use crate::model::fault::Fault;
use crate::model::key;
use crate::model::kind::{AlarmChange, Changes, Decision, NodeEvent};
use crate::model::marks::Marks;
use crate::model::names::{Address, NodeName};
use crate::model::params::{ParamChanges, Params};
use crate::model::scope::{EvalContext, ReadSet};
use crate::model::signal::{Signal, SignalKind, SignalTarget};
use crate::model::task::{HistoryEvent, State, Task};
use crate::model::time::{Span, Timestamp};
use crate::process::process::{Node, Process};
use crate::process::validate::validate_params;

/// How many events one step may take before the task yields to others.
pub const MOVES_MAX: usize = 100;
/// How much longer a lease is than the effect it covers: time enough to commit the answer.
pub const LEASE_MARGIN: Span = Span::secs(10);
/// How long a finished task is kept if its `end` does not say.
pub const KEEP_DEFAULT: Span = Span::days(7);

/// A task on its way, and what it left behind.
#[derive(Clone)]
pub(super) struct Walk<'a> {
    pub(super) process: &'a Process,
    pub(super) scope: ReadSet,
    pub(super) now: Timestamp,
    pub(super) task: Task,
    pub(super) signals: Vec<Signal>,
    pub(super) events: Vec<HistoryEvent>,
    pub(super) read: Vec<Reading>,
    pub(super) reply: Option<Result<Params, Fault>>,
    pub(super) unread: usize,
    pub(super) gone: bool,
    /// The chunks of a fan-out that were made in this walk.
    pub(super) chunks: Vec<Address>,
    /// Whether something was read already that is committed if the next signal is left.
    pub(super) may_leave: bool,
    /// Whether it goes on in this step.
    pub(super) pace: Pace,
}

/// Whether a walk goes on in this step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// It does.
    On,
    /// The task has come to a node, and what happens there is for the next step.
    Yields,
    /// The signal that is being read is for the next step, and all is as it was before.
    Leaves,
}

impl Walk<'_> {
    /// The task has just come to its node, unless its process rests.
    pub(super) fn arrived(&mut self) {
        match (self.scope.paused, self.admitted()) {
            (true, _) => self.suspend(),
            (false, Ok(())) => self.dispatch(NodeEvent::Came, "came"),
            (false, Err(fault)) => self.failed(fault, "came"),
        }
    }

    /// A new task's params are what its process asks for, whoever made it: a person, a hook or another task.
    fn admitted(&mut self) -> Result<(), Fault> {
        let enters = self.task.visit == 0 && self.task.at == self.process.start;
        if !enters {
            return Ok(());
        }
        let admitted = validate_params(self.process, self.task.params.clone()).map_err(|faults| {
            let words: Vec<&str> = faults.iter().map(|(_, fault)| fault.message.as_str()).collect();
            let code = faults.first().map_or("bad_param", |(_, fault)| &fault.code);
            Fault::lasting(code, words.join("; "))
        });
        self.task.params = admitted?;
        self.task.params.declare(&self.process.secret);
        Ok(())
    }

    /// Lets `event` happen, and walks on until the task must wait, ask or end.
    pub(super) fn dispatch(&mut self, event: NodeEvent, name: &str) {
        let (mut event, mut name) = (event, name.to_owned());
        for _ in 0..MOVES_MAX {
            let process = self.process;
            let Some(node) = process.node(&self.task.at) else {
                let fault = self.located(no_such_node(process, &self.task.at));
                self.event(&name, |event| event.fault = Some(fault.clone()));
                return self.ended(State::Failed, None, Some(fault));
            };
            let came = event == NodeEvent::Came;
            let view = EvalContext {
                unread: self.unread,
                ..EvalContext::new(self.task.clone(), &self.scope, self.now)
            };
            let budget = view.scope.budget;
            let (decision, spent) = measured(&budget, || node.kind.decide(event, &view));
            let mut decision = hushed(decision, &view);
            drop(view);
            if self.scope.misses() {
                match self.unfetched(came) {
                    Some(fault) => decision = Decision::Fail(fault),
                    None => return,
                }
            }
            if !self.apply(node, decision, &name) {
                return;
            }
            if self.scope.paused {
                return self.suspend();
            }
            // After much work, others have their turn before the next node.
            if self.wrote_to_itself() || spent.is_much(&budget) {
                break;
            }
            (event, name) = (NodeEvent::Came, "came".to_owned());
        }
        self.yields();
    }

    /// Does what the node decided; says whether the task came to another node.
    fn apply(&mut self, node: &Node, decision: Decision, event: &str) -> bool {
        let decision = if self.task.is_chunk() { as_chunk(decision) } else { decision };
        match decision {
            Decision::Go { to, effects } => match self.commit_changes(effects, event) {
                Ok(()) => {
                    if let Some(event) = self.events.last_mut() {
                        event.to = Some(to.clone());
                    }
                    self.enter_node(to);
                    true
                }
                Err(fault) => self.fail(node, fault, event),
            },
            Decision::Do { mut ask, timeout, once, mut effects } => {
                let url = effects.asked.take();
                if let Request::Http(http) = &mut ask {
                    http.fresh = node.retry.times == 1;
                }
                match self.commit_changes(effects, event) {
                    Ok(()) => self.asks(Effect::new(ask, timeout, once), url.as_deref()),
                    Err(fault) => return self.fail(node, fault, event),
                }
                false
            }
            Decision::Wait { until, effects } => match self.commit_changes(effects, event) {
                Ok(()) => {
                    self.task.state = State::Waiting { until };
                    self.reset_due();
                    false
                }
                Err(fault) => self.fail(node, fault, event),
            },
            Decision::Run { fan_out, signals, said } => self.run(node, *fan_out, signals, said, event),
            Decision::Chunk(came) => {
                self.reply(Ok(came));
                self.ended(State::Done, None, None);
                false
            }
            Decision::Stay => {
                self.reset_due();
                false
            }
            Decision::End { ok, result, keep } => {
                self.event(event, |_| {});
                let state = if ok { State::Done } else { State::Failed };
                self.ended(state, result, None);
                self.keep_ended_for(keep.unwrap_or(KEEP_DEFAULT));
                false
            }
            Decision::Fail(fault) => self.fail(node, fault, event),
            Decision::FailWith(fault, changes) => self.fail_with(node, fault, changes, event),
            Decision::TryAgain { fault, otherwise } => {
                let fault = self.located(fault);
                match next_try(&node.retry, &self.task, &fault, self.now) {
                    Some(at) => self.try_again(at, fault, event),
                    None => return self.apply(node, *otherwise, event),
                }
                false
            }
        }
    }

    /// The world is asked; `url` is what the history says of the address, if it must not say it all.
    fn asks(&mut self, effect: Effect, url: Option<&str>) {
        let asked = self.scrubbed(&asked(&effect.request, url));
        if let Some(event) = self.events.last_mut() {
            event.asked = Some(asked);
        }
        let key = key::idempotency(self.task.id, &self.task.at, self.task.visit);
        let key = part(&effect.request).map_or_else(|| key.clone(), |part| format!("{key}-{part}"));
        self.task.due = Some(self.now + effect.timeout + LEASE_MARGIN);
        self.task.state = State::Doing(Box::new(Effect { key, ..effect }));
    }

    /// Calls run, and the task rests until one is answered.
    fn run(
        &mut self,
        node: &Node,
        fan_out: FanOut,
        signals: Vec<Signal>,
        said: Option<String>,
        event: &str,
    ) -> bool {
        let (bytes, bytes_max) = (fan_out.bytes, self.process.limits.params_bytes);
        if bytes > bytes_max {
            let message = format!(
                "the replies would take {bytes} bytes, and {bytes_max} are allowed; \
                 hint: `save` counts only, or raise `limits: {{params: …}}`"
            );
            return self.fail(node, Fault::lasting("params_too_large", message), event);
        }
        if let Err(fault) = self.may_write(&signals) {
            return self.fail(node, fault, event);
        }
        if said.is_some() {
            self.event(event, |_| {}).asked = said;
        }
        self.task.state = State::Waiting { until: fan_out.late_at() };
        self.task.fan_out = Some(Arc::new(fan_out));
        for signal in signals {
            self.post(signal);
        }
        self.reset_due();
        false
    }

    /// A fault passes, goes to `on_error`, or ends the task: decided here, once for all kinds.
    pub(super) fn fail(&mut self, node: &Node, fault: Fault, event: &str) -> bool {
        let fault = self.located(fault);
        if self.task.is_chunk() {
            self.ended(State::Failed, None, Some(fault));
            return false;
        }
        if let Some(at) = next_try(&node.retry, &self.task, &fault, self.now) {
            self.try_again(at, fault, event);
            return false;
        }
        self.task.fault = Some(fault.clone());
        let event = self.event(event, |_| {});
        event.fault = Some(fault.clone());
        match &node.on_error {
            Some(to) => {
                event.to = Some(to.clone());
                self.enter_node(to.clone());
                true
            }
            None => {
                self.ended(State::Failed, None, Some(fault));
                false
            }
        }
    }

    /// The same, for a fault that no node's decision brought.
    pub(super) fn failed(&mut self, fault: Fault, event: &str) {
        let process = self.process;
        match process.node(&self.task.at) {
            Some(node) => {
                if self.fail(node, fault, event) {
                    self.arrived();
                }
            }
            None => self.ended(State::Failed, None, Some(fault)),
        }
    }

    fn try_again(&mut self, at: Timestamp, fault: Fault, event: &str) {
        self.event(event, |_| {}).fault = Some(fault.clone());
        self.task.fault = Some(fault);
        self.cancel_calls();
        self.task.attempt += 1;
        self.task.state = State::Ready { at };
        self.reset_due();
    }

    pub(super) fn too_long(&mut self) {
        let process = self.process;
        let Some(limit) = process.node(&self.task.at).and_then(|node| node.limit.as_ref()) else { return };
        self.rested();
        self.event(&format!("stood here for {}", limit.time), |event| event.to = Some(limit.next.clone()));
        self.enter_node(limit.next.clone());
        self.arrived();
    }

    /// Takes the changes and signals of a decision, or nothing of it.
    fn commit_changes(&mut self, effects: Changes, event: &str) -> Result<(), Fault> {
        self.may_write(&effects.signals)?;
        let ParamChanges { set, unset } = self.change_params(effects.changes)?;
        let set = shown(&set, &self.task, &self.process.secret);
        let event = self.event(event, |_| {});
        (event.set, event.unset) = (set, unset);
        self.task.link = effects.link;
        self.task.marks.clear(LINK);
        if effects.link_is_secret {
            self.task.marks.mark(LINK);
        }
        if effects.progress.is_some() {
            self.task.progress = effects.progress;
            self.task.attempt = 0;
        }
        match effects.alarm {
            AlarmChange::Keep => {}
            AlarmChange::Set(alarm) => self.task.alarm = Some(*alarm),
            AlarmChange::Clear => self.task.alarm = None,
        }
        self.reply = effects.reply.or(self.reply.take());
        for signal in effects.signals {
            if matches!(signal.kind, SignalKind::Answer { .. }) {
                self.task.caller = None;
            }
            self.post(signal);
        }
        Ok(())
    }

    /// Makes the changes; gives them with all that is secret in them marked.
    pub(super) fn change_params(&mut self, mut changes: ParamChanges) -> Result<ParamChanges, Fault> {
        if changes.set.is_empty() && changes.unset.is_empty() {
            return Ok(changes);
        }
        changes.set.declare(&self.process.secret);
        let mut params = self.task.params.clone();
        params.merge(&changes.set);
        changes.unset.iter().for_each(|name| params.unset(name));
        let bytes_max = self.process.limits.params_bytes;
        if !params.fit(bytes_max) {
            let bytes = params.bytes();
            let message = format!("the params would take {bytes} bytes, and {bytes_max} are allowed");
            return Err(Fault::lasting("params_too_large", message));
        }
        let echoes = echoes(&changes.set, [&self.task.params, &params]);
        changes.set.mark(&echoes);
        params.mark(&echoes);
        self.task.params = params;
        Ok(changes)
    }

    pub(super) fn ended(&mut self, state: State, result: Option<(Value, Marks)>, fault: Option<Fault>) {
        let fault = fault.map(|fault| self.located(fault));
        // A chunk leaves nothing behind: what it did stands in the fan-out it belongs to.
        self.gone |= self.task.is_chunk();
        self.cancel_calls();
        self.task.state = state;
        let (result, marks) = result.unzip();
        self.task.result = result;
        self.task.marks = marks.unwrap_or_default().below(RESULT);
        self.task.link = None;
        self.task.progress = None;
        self.task.awaits = None;
        self.task.awaits_since = None;
        self.keep_ended_for(KEEP_DEFAULT);
        let none =
            || Fault::lasting("no_reply", format!("process `{}` ended without a reply", self.process.id));
        self.reply(Err(fault.clone().unwrap_or_else(none)));
        if fault.is_some() {
            self.task.fault = fault;
        }
    }

    /// Answers the caller, if one still waits.
    fn reply(&mut self, answer: Result<Params, Fault>) {
        if let Some(caller) = self.task.caller.take() {
            let kind = SignalKind::answer(&caller, answer);
            self.post(Signal { to: SignalTarget::Task(caller.task), kind });
        }
    }

    /// An ended task is due when it is to be removed.
    fn keep_ended_for(&mut self, span: Span) {
        self.task.kept_until = Some(self.now + span);
        self.task.due = self.task.kept_until;
    }

    pub(super) fn enter_node(&mut self, node: NodeName) {
        self.cancel_calls();
        self.task.at = node;
        self.task.visit += 1;
        self.task.attempt = 0;
        self.task.since = self.now;
        self.task.link = None;
        self.task.marks.clear(LINK);
        self.task.progress = None;
        self.task.awaits = None;
        self.task.awaits_since = None;
        self.task.kept_until = None;
        self.task.state = State::Ready { at: self.now };
        self.task.due = Some(self.now);
    }

    /// Sets `due` as the state has it.
    pub(super) fn reset_due(&mut self) {
        let due = match &self.task.state {
            State::Ready { at } => Some(*at),
            State::Waiting { until } => *until,
            State::Doing(_) | State::Done | State::Failed | State::Cancelled => return,
        };
        self.task.due = match (due, self.limit_at()) {
            (Some(due), Some(limit)) => Some(due.min(limit)),
            (due, limit) => due.or(limit),
        };
    }

    /// The process is paused: nobody looks at the task until it is woken.
    pub(super) fn suspend(&mut self) {
        self.task.due = None;
    }

    /// When the task has stood here for too long. A chunk stands as long as the one it is a chunk of.
    pub(super) fn limit_at(&self) -> Option<Timestamp> {
        if self.task.is_chunk() {
            return None;
        }
        let limit = self.process.node(&self.task.at)?.limit.as_ref()?;
        Some(self.task.since + limit.time)
    }

    pub(super) fn is_waiting(&self) -> bool {
        matches!(self.task.state, State::Waiting { .. })
    }

    /// The fault with its place and time, and without secrets.
    fn located(&self, mut fault: Fault) -> Fault {
        fault.message = self.scrubbed(&fault.message);
        fault.code = self.scrubbed(&fault.code);
        fault.node = fault.node.or_else(|| Some(self.task.at.clone()));
        fault.at = fault.at.or(Some(self.now));
        fault
    }

    pub(super) fn scrubbed(&self, text: &str) -> String {
        scrub(text, &self.task, &self.process.secret)
    }

    pub(super) fn event(&mut self, event: &str, fill: impl FnOnce(&mut HistoryEvent)) -> &mut HistoryEvent {
        let mut event = HistoryEvent {
            at: self.now,
            node: self.task.at.clone(),
            event: event.to_owned(),
            to: None,
            attempt: self.task.attempt + 1,
            asked: None,
            set: Params::default(),
            unset: Vec::new(),
            fault: None,
        };
        fill(&mut event);
        self.events.push(event);
        self.events.last_mut().expect("an event was pushed just now")
    }
}

/// What a node decided, with nothing secret in what it says went wrong.
fn hushed(decision: Decision, view: &EvalContext) -> Decision {
    match decision {
        Decision::Fail(fault) => Decision::Fail(view.hushed(fault)),
        Decision::FailWith(fault, changes) => Decision::FailWith(view.hushed(fault), changes),
        Decision::TryAgain { fault, otherwise } => {
            Decision::TryAgain { fault: view.hushed(fault), otherwise: Box::new(hushed(*otherwise, view)) }
        }
        other => other,
    }
}

/// What a chunk may do is to run its calls. If a new version of the process has put another kind of node in
/// the place of its `each`, it ends.
fn as_chunk(decision: Decision) -> Decision {
    match decision {
        Decision::Run { .. } | Decision::Chunk(_) | Decision::Stay | Decision::Fail(_) => decision,
        Decision::Go { .. }
        | Decision::Do { .. }
        | Decision::Wait { .. }
        | Decision::End { .. }
        | Decision::FailWith(..)
        | Decision::TryAgain { .. } => {
            Decision::Fail(Fault::lasting("no_such_node", "the node is no `each` any more"))
        }
    }
}

/// The fault of a node that is not there.
pub(super) fn no_such_node(process: &Process, node: &NodeName) -> Fault {
    Fault::lasting("no_such_node", format!("process `{}` has no node `{node}`", process.id))
}
