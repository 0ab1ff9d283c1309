//! A [`Walk`] between two of its nodes: what it has written so far, as the rest of it sees that, and where it
//! yields to the next step.

use std::sync::Arc;

use crate::engine::walk::{Pace, Walk};
use crate::model::bounds::Reads;
use crate::model::descent::Descent;
use crate::model::fault::Fault;
use crate::model::params::Params;
use crate::model::scope::{Located, Other};
use crate::model::signal::{Command, Signal, SignalKind, SignalTarget};
use crate::model::task::State;

/// How often a node may read another task whose name it knows only from one it has read before.
pub const READS_MAX: usize = 256;

impl Walk<'_> {
    /// The rest is for the next step.
    pub(super) fn yields(&mut self) {
        self.task.state = State::Ready { at: self.now };
        self.task.due = Some(self.now);
        self.pace = Pace::Yields;
    }

    /// A node looked at tasks that are not fetched, and what it decided is not used. The fault, if it has
    /// read so many others by now that it gets no more.
    pub(super) fn unfetched(&mut self, came: bool) -> Option<Fault> {
        let stepwise = self.scope.bounds.reads != Reads::Whole;
        if stepwise && came && !(self.events.is_empty() && self.read.is_empty()) {
            self.scope.missing_reads();
            self.yields();
            return None;
        }
        if stepwise && self.may_leave {
            self.scope.missing_reads();
            self.pace = Pace::Leaves;
            return None;
        }
        if self.scope.bounds.reads != Reads::Spent {
            return None;
        }
        let last = self.scope.missing_reads().pop_last().map(|it| format!(", the last of them `{it}`"));
        let message = format!(
            "node `{}` reads more than {READS_MAX} other tasks, one after another{}; \
             hint: read them on several nodes",
            self.task.at,
            last.unwrap_or_default()
        );
        Some(Fault::lasting("too_many_reads", message))
    }

    /// Whether a signal is on its way from this task to itself, to be read before it goes on.
    pub(super) fn wrote_to_itself(&self) -> bool {
        self.signals.iter().any(|signal| match &signal.to {
            SignalTarget::Address(to) => self.task.is_at(to),
            SignalTarget::Task(id) => *id == self.task.id,
        })
    }

    /// The task came from a timer, an answer, a person or a hook: what it gives birth to now is no chain.
    pub(super) fn rested(&mut self) {
        self.task.descent = Descent::default();
    }

    /// Writes to another task. The nodes that follow see it as it will be when it has read that.
    pub(super) fn post(&mut self, signal: Signal) {
        if let SignalTarget::Address(to) = &signal.to {
            match &signal.kind {
                SignalKind::Create { params, .. } | SignalKind::Modify { params } => {
                    let mut all = match (self.scope.written.get(to), self.scope.others.get(to)) {
                        (Some(params), _) | (None, Some(Other::Live { params, .. })) => params.clone(),
                        (None, Some(Other::NoTask(newborn))) => newborn.defaults.clone(),
                        (None, Some(Other::NoProcess) | None) => Params::default(),
                    };
                    all.merge(params);
                    if let Some(secret) = self.scope.others.get(to).and_then(Other::secret) {
                        all.declare(secret);
                    }
                    Arc::make_mut(&mut self.scope.written).insert(to.clone(), all);
                }
                SignalKind::Chunk { .. } => self.chunks.push(to.clone()),
                SignalKind::Answer { .. } | SignalKind::Command { .. } => {}
            }
        }
        self.signals.push(signal);
    }

    /// Whether all of them may be written.
    pub(super) fn may_write(&self, signals: &[Signal]) -> Result<(), Fault> {
        signals.iter().try_for_each(|signal| match &signal.to {
            SignalTarget::Address(to) => {
                self.scope.reach.may_act(&self.task.process, &to.process)?;
                self.scope.bounds.may_write(to)
            }
            SignalTarget::Task(_) => Ok(()),
        })
    }

    /// What runs for this task's `each` stops: nobody waits for it any more.
    pub(super) fn cancel_calls(&mut self) {
        let Some(fan_out) = self.task.fan_out.take() else { return };
        for out in fan_out.out.iter().filter(|out| out.until.is_none()) {
            let chunk = self.task.chunk(out.index);
            // One that is not there is over already.
            let lives =
                self.chunks.contains(&chunk) || matches!(self.scope.other(&chunk), Ok(Located::Live { .. }));
            if lives && self.scope.bounds.may_write(&chunk).is_ok() {
                let kind = SignalKind::Command { command: Command::Cancel, by: "each".to_owned() };
                self.post(Signal { to: SignalTarget::Address(chunk), kind });
            }
        }
    }
}
