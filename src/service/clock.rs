//! What is to be done when the wall clock was set, beside what the engine does: values that seem to be of the
//! future are renewed, and schedules go on.

use std::sync::Arc;

use futures::StreamExt;
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

use crate::engine::batch::SubmitError;
use crate::engine::wall::STEP_MIN;
use crate::model::names::TaskId;
use crate::model::signal::{Command, Signal, SignalKind, SignalTarget};
use crate::model::steps::{CORRECTION, ClockStep};
use crate::model::time::{Span, Timestamp};
use crate::process::expiry::Expiry;
use crate::service::service::Service;

/// So often the clock is looked at, whatever else happens.
const LOOK_EVERY: Span = Span::secs(1);
/// So many tasks are woken at once.
const WAKES: usize = 200;

/// How the wall clock was set.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ClockStatus {
    /// How often that was found out, since the store was made.
    pub steps: u32,
    /// When it was found out last, by the clock as it goes now; nothing if never.
    pub stepped_at: Option<String>,
    /// By how many milliseconds it was set then; less than nothing if it was set back.
    pub by_ms: Option<i64>,
}

impl Service {
    /// Looks at the wall clock, and does what is to be done when it was set, until `stop`.
    pub async fn follow_clock(self: Arc<Self>, stop: CancellationToken) {
        self.look_at_the_clock().await;
        let mut heard = self.board().wall.steps().many;
        self.wake_values(&[]).await;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.board().wall.stepped() => {}
                () = self.clock().after(LOOK_EVERY) => self.look_at_the_clock().await,
            }
            let steps = self.board().wall.steps();
            if steps.many != heard {
                self.schedules.changed.notify_one();
                // Those that did not hear are told again in the next round.
                if self.wake_values(steps.after(heard)).await {
                    heard = steps.many;
                }
            }
        }
    }

    async fn look_at_the_clock(&self) {
        if let Err(error) = self.handle.processor().now().await {
            tracing::debug!(%error, "whether the clock was set is not known");
        }
    }

    /// How the wall clock was set.
    pub(super) fn clock_status(&self) -> ClockStatus {
        let steps = self.board().wall.steps();
        let last = steps.last.last();
        ClockStatus {
            steps: steps.many,
            stepped_at: last.map(|it| it.at.to_string()),
            by_ms: last.map(|it| it.by_ms),
        }
    }

    /// Wakes the tasks with a value that was got in the future, or that died by these steps alone: whoever
    /// keeps it gets it anew. Says whether all heard.
    async fn wake_values(&self, steps: &[ClockStep]) -> bool {
        let now = self.now();
        let ahead =
            steps.iter().filter(|it| it.by_ms > 0).fold(0, |sum: u64, it| sum.saturating_add(it.span().0));
        let seems_off = |expiry: &Expiry| {
            let to_come = expiry.issued_at.is_some_and(|born| born.since(now) >= STEP_MIN);
            let by_step = expiry.expires_at <= now && expiry.expires_at + Span(ahead) > now;
            to_come || by_step
        };
        let (all, _) = self.board().expiries.soonest(usize::MAX);
        let mut tasks: Vec<TaskId> =
            all.into_iter().filter(|it| it.expiries.iter().any(seems_off)).map(|it| it.id).collect();
        let mut all_read = true;
        for id in self.board().expiries.missed() {
            match self.store().task(id).await {
                Ok(Some(task)) => {
                    let deployed = self.registry().get(&task.process);
                    let expiries = deployed.map(|it| it.process.expiries(&task.params)).unwrap_or_default();
                    tasks.extend(expiries.iter().any(seems_off).then_some(id));
                }
                Ok(None) => {}
                Err(_) => all_read = false,
            }
        }
        let words = steps
            .last()
            .map_or_else(|| "the clock".to_owned(), |it| format!("the clock, set {}", it.words()));
        let woken = futures::stream::iter(tasks).map(|id| self.wake_by(id, &words)).buffer_unordered(WAKES);
        woken.fold(all_read, async |all, one| all && one).await
    }

    async fn wake_by(&self, id: TaskId, by: &str) -> bool {
        let kind = SignalKind::Command { command: Command::Wake, by: by.to_owned() };
        match self.handle.post(Signal { to: SignalTarget::Task(id), kind }).await {
            // One that has ended meanwhile keeps nothing any more.
            Ok(_) | Err(SubmitError::NoTask(_)) => true,
            Err(error) => {
                tracing::warn!(%error, task = %id, "not woken after the clock was set; it is tried again");
                false
            }
        }
    }
}

/// Whether a moment that was planned lies so far ahead that the clock must have been wrong.
pub(super) fn is_beyond(planned: Timestamp, now: Timestamp) -> bool {
    planned.since(now) > CORRECTION
}
