//! The check of the store: soon after the start and once a day every row of it is opened, in small stretches,
//! so that damage is told before anybody needs what is damaged.

use serde::Serialize;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

use crate::engine::damage::Damaged;
use crate::engine::ports::{CheckMark, StoreError};
use crate::model::names::ProcessId;
use crate::model::time::Span;
use crate::service::actor::{Actor, Right};
use crate::service::errors::{ServiceError, ServiceResult};
use crate::service::seen::LastCheck;
use crate::service::service::{Service, lock};
use crate::service::view::{DamagedView, time};

/// How long after the start the first check begins: what is due goes first.
const FIRST_AFTER: Span = Span::mins(1);
/// How often everything is checked.
const EVERY: Span = Span::hours(24);
/// How soon a check that was cut off by the store is begun anew.
const AGAIN: Span = Span::mins(10);
/// How many rows are opened at once: some milliseconds of one core.
const ROWS: usize = 500;
/// How long it rests between two stretches, so that it takes no more than a part of one core.
const PAUSE: Span = Span::millis(20);
/// How many damaged places are shown.
const SHOWN_MAX: usize = 100;

/// What of the store cannot be read, and when all of it was looked at last.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct CheckStatus {
    /// When everything was checked last; null before the first check has ended, some minutes after the start.
    pub at: Option<String>,
    /// How many rows were opened then.
    pub rows: u64,
    /// How many rows the check that is under way has opened; null if none is.
    pub running: Option<u64>,
    /// Why the last check was cut off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// How many damaged places are known. They are set aside, and the rest goes on.
    pub damaged: u64,
    /// The first of them.
    pub places: Vec<DamagedView>,
}

impl Service {
    /// Checks the store, a minute after the start and then once a day, until `stop`.
    pub async fn run_checks(&self, stop: CancellationToken) {
        let mut next = self.now() + FIRST_AFTER;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.clock().at(next) => {}
                () = self.check_now.notified() => {}
            }
            let done = self.check_store(&stop).await;
            next = self.now() + if done.is_ok() { EVERY } else { AGAIN };
        }
    }

    /// Begins a check, unless one is under way. It ends some time after this.
    pub fn begin_check(&self, by: &Actor) -> ServiceResult<CheckStatus> {
        if !by.may_everywhere(Right::Run) {
            return Err(ServiceError::Denied { right: Right::Run, process: None });
        }
        let mut last = lock(&self.checked);
        if last.running.is_none() {
            last.running = Some(0);
            self.check_now.notify_one();
        }
        drop(last);
        Ok(self.check_status())
    }

    /// Opens every row of the store.
    pub(super) async fn check_store(&self, stop: &CancellationToken) -> Result<(), StoreError> {
        let (damage, mut from, mut rows) = (self.store().damage(), CheckMark::default(), 0);
        damage.round_begins();
        lock(&self.checked).running = Some(0);
        let done = loop {
            match self.store().check(from, ROWS).await {
                Ok(checked) => {
                    rows += checked.rows;
                    lock(&self.checked).running = Some(rows);
                    let Some(next) = checked.next else { break Ok(()) };
                    from = next;
                }
                Err(error) => break Err(error),
            }
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = self.clock().after(PAUSE) => {}
            }
        };
        match &done {
            Ok(()) => damage.round_ends(),
            Err(error) => tracing::error!(%error, rows, "the check of the store was cut off"),
        }
        let error = done.as_ref().err().map(ToString::to_string);
        *lock(&self.checked) = LastCheck { at: Some(self.now()), rows, error, running: None };
        done
    }

    /// What is known of the store's health. No I/O.
    pub(super) fn check_status(&self) -> CheckStatus {
        let (places, damaged) = self.store().damage().all();
        let LastCheck { at, rows, error, running } = lock(&self.checked).clone();
        let places = places.into_iter().take(SHOWN_MAX).map(DamagedView::new).collect();
        CheckStatus { at: at.map(time), rows, running, error, damaged, places }
    }

    /// The damaged tasks that lists of `process`, or of all, leave out, as far as `by` may see them.
    pub(super) fn set_aside(&self, by: &Actor, process: Option<&ProcessId>) -> Vec<DamagedView> {
        let (places, _) = self.store().damage().all();
        let mine = |it: &Damaged| match &it.task {
            Some(task) => by.may(Right::Read, &task.process) && process.is_none_or(|it| *it == task.process),
            None => false,
        };
        let tasks = places.into_iter().filter(|it| it.place.starts_with("tasks/") && mine(it));
        tasks.take(SHOWN_MAX).map(DamagedView::new).collect()
    }

    /// Measures the check, for who asks for the metrics.
    pub(super) fn measure_check(&self) {
        let LastCheck { at, rows, .. } = lock(&self.checked).clone();
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float, exact up to 52 bits")]
        let (at, rows) = (at.map_or(0.0, |at| at.0 as f64 / 1_000.0), rows as f64);
        metrics::gauge!("beltline_store_checked_seconds").set(at);
        metrics::gauge!("beltline_store_checked_rows").set(rows);
    }
}
