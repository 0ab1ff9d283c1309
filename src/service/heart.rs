//! Whether the engine does its work: the runner's heart beats, and the store takes writes. What `/readyz`
//! says, and the status, `doctor`, the metrics and the dashboard with it.

use std::sync::atomic::Ordering;

use serde::Serialize;
use utoipa::ToSchema;

use crate::engine::ports::StoreError;
use crate::model::time::{Span, Ticks};
use crate::service::errors::{ServiceError, ServiceResult};
use crate::service::service::Service;

/// A runner that does not come round for so long is stuck, or has no time to work.
const BEAT_MAX: Span = Span::secs(2);
/// A store that has not taken a write in that time does not take any.
const PROBE_MAX: Span = Span::secs(2);

/// Whether tasks move.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RunnerStatus {
    /// Its heart beats.
    pub ok: bool,
    /// Why not.
    pub detail: Option<String>,
    /// Since when it has not been seen to beat, in seconds; 0 if it does.
    #[schema(value_type = f64)]
    pub heartbeat_age_s: f64,
}

impl Service {
    /// Whether the engine does its work; an error says why not.
    pub async fn ready(&self) -> ServiceResult<()> {
        let (runner, store) = tokio::join!(self.runner_status(), self.writable());
        if let Some(detail) = runner.detail {
            return Err(ServiceError::NotReady { code: "runner_stuck", message: detail });
        }
        Ok(store?)
    }

    /// How the runner fares.
    pub(super) async fn runner_status(&self) -> RunnerStatus {
        let beat = tokio::select! {
            biased;
            beat = self.handle.beat() => match beat {
                Ok(()) => None,
                Err(_) => {
                    let message = "the runner has ended, and no task moves; hint: start the engine anew";
                    Some(message.to_owned())
                }
            },
            () = self.clock().after(BEAT_MAX) => Some(format!(
                "the runner has not come round for {BEAT_MAX}; hint: if that lasts, start the engine anew"
            )),
        };
        let now = self.clock().ticks();
        if beat.is_none() {
            self.beaten.store(now.0, Ordering::Relaxed);
        }
        let age = now.since(Ticks(self.beaten.load(Ordering::Relaxed)));
        #[expect(clippy::cast_precision_loss, reason = "an age in seconds needs no more than 52 bits")]
        let heartbeat_age_s = age.0 as f64 / 1_000.0;
        RunnerStatus { ok: beat.is_none(), detail: beat, heartbeat_age_s }
    }

    /// Whether the store takes writes; an error says why not.
    pub(super) async fn writable(&self) -> Result<(), StoreError> {
        tokio::select! {
            biased;
            probed = self.store().probe() => probed,
            () = self.clock().after(PROBE_MAX) => {
                Err(StoreError::Lost(format!("no write was taken for {PROBE_MAX}")))
            }
        }
    }
}
