//! What [`BatchProcessor`] do for the alarms of nodes: they look at the counts when it is time, and commit
//! what is to be told.

use crate::engine::alarms::{concerns, edges};
use crate::engine::batch::BatchProcessor;
use crate::engine::census::Reserved;
use crate::engine::ports::{Collection, StoreError, Write};
use crate::engine::transition::Transition;
use crate::model::descent::Descent;
use crate::model::names::ProcessId;
use crate::model::signal::{Signal, SignalKind, SignalTarget};
use crate::model::time::Timestamp;

impl BatchProcessor {
    /// Tells what is to be told of backlogs, if it is time to look.
    pub(super) async fn look_at_backlogs(&self, now: Timestamp) {
        match self.state.backlogs.begin(now) {
            Ok(()) => {
                if let Err(error) = self.notify_of_backlogs(now).await {
                    tracing::error!(%error, "the alarms of nodes were not looked at");
                    self.touch_backlogs(now);
                }
            }
            Err(Some(later)) => self.state.wake_by(later),
            Err(None) => {}
        }
    }

    async fn notify_of_backlogs(&self, now: Timestamp) -> Result<(), StoreError> {
        let watched = self.registry.watched();
        if watched.is_empty() {
            return Ok(());
        }
        let (counts, told) =
            (self.store.counts(None).await?, self.store.collection(Collection::Alarm).await?);
        let all = edges(&watched, &counts, &told, now)?;
        // Places for their tasks, until they are counted among the live.
        let mut reserved = Reserved::none(&self.state.census);
        let mut writes = Vec::new();
        for edge in all {
            if let Some(full) = self.is_full(&edge.signal, &mut reserved) {
                if self.state.backlogs.warns(now) {
                    tracing::warn!(process = %full, "an alarm waits: its process takes no more tasks");
                }
                self.touch_backlogs(now);
                continue;
            }
            let signal = self.with_birth(edge.signal, Descent::default(), now);
            writes.push(Write::Noted(signal, edge.record, now));
        }
        for (write, kept) in writes.iter().zip(self.store.commit(writes.clone()).await?) {
            match (write, kept) {
                (Write::Noted(signal, ..), Ok(_)) => self.born(signal, now),
                // A task of that name lives already; the next look gives another one.
                (_, Err(refused)) => {
                    tracing::warn!(%refused, "an alarm was not told yet");
                    self.touch_backlogs(now);
                }
                (Write::Step(_) | Write::Post(..), Ok(_)) => {}
            }
        }
        Ok(())
    }

    /// The process in which a signal would make a task, if it takes no more; else a place is reserved for it.
    fn is_full(&self, signal: &Signal, reserved: &mut Reserved) -> Option<ProcessId> {
        let (SignalTarget::Address(to), true) = (&signal.to, signal.kind.is_birth()) else { return None };
        let limit = self.registry.get(&to.process)?.process.limits.tasks;
        (!reserved.one_more(&to.process, limit)).then(|| to.process.clone())
    }

    pub(super) fn touch_backlogs(&self, now: Timestamp) {
        self.state.wake_by(self.state.backlogs.touch(now));
    }

    /// Counts the task that a signal makes, if it makes one.
    pub(super) fn born(&self, signal: &Signal, now: Timestamp) {
        let (SignalTarget::Address(to), true) = (&signal.to, signal.kind.is_birth()) else { return };
        self.state.add_live(&to.process, 1);
        self.state.flow.note(&to.process, now, [1, 0, 0]);
        self.state.wake_by(now);
        let at = match &signal.kind {
            SignalKind::Create { at: Some(at), .. } | SignalKind::Chunk { at, .. } => at,
            SignalKind::Create { at: None, .. }
            | SignalKind::Modify { .. }
            | SignalKind::Answer { .. }
            | SignalKind::Command { .. } => return,
        };
        if self.registry.get(&to.process).is_some_and(|it| it.process.watched.contains(at)) {
            self.touch_backlogs(now);
        }
    }

    pub(super) fn backlogs_changed(&self, transition: &Transition) -> bool {
        let after = (!transition.gone).then(|| transition.task.place());
        let deployed = self.registry.get(&transition.task.process);
        deployed.is_some_and(|it| concerns(&it.process, transition.before.as_ref(), after.as_ref()))
    }
}
