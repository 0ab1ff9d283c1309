//! [`Heavy`]: the evaluations that wait for a lane or are on one, and how much of them is in memory.
//!
//! | what comes while too much waits | |
//! |---|---|
//! | a task that was claimed | is given back to the store, and claimed again when its lease has ended |
//! | a submit, an answer, a signal | waits in memory: those who hand it in are bounded by themselves |

use std::sync::Arc;

use futures::StreamExt;
use futures::future::{BoxFuture, FutureExt};
use futures::stream::FuturesUnordered;

use crate::engine::batch::{BatchProcessor, BatchResult, Work};
use crate::engine::step::Cause;

/// How many tasks wait for a lane.
const WAITING_MAX: usize = 5_000;
/// How many bytes of params these may have together.
const BYTES_MAX: usize = 64 * 1024 * 1024;

/// What takes long to decide, each by itself.
#[derive(Debug, Default)]
pub(super) struct Heavy {
    running: FuturesUnordered<BoxFuture<'static, (usize, BatchResult)>>,
    bytes: usize,
}

impl Heavy {
    /// Has it decided on a lane, or gives it back to the store.
    pub(super) fn take(&mut self, item: Work, processor: &Arc<BatchProcessor>) {
        let bytes = match &item {
            Work::Hand(hand) => hand.task.params.bytes(),
            Work::Post { .. } => 0,
        };
        let is_full = self.running.len() >= WAITING_MAX || self.bytes + bytes > BYTES_MAX;
        if is_full && !self.running.is_empty() && give_back(&item, processor) {
            return;
        }
        self.bytes += bytes;
        self.running.push(Arc::clone(processor).run_apart(item).map(move |left| (bytes, left)).boxed());
    }

    /// The next that is decided; waits for ever if nothing is under way.
    pub(super) async fn next(&mut self) -> BatchResult {
        let Some((bytes, left)) = self.running.next().await else { return std::future::pending().await };
        self.bytes -= bytes;
        left
    }

    /// How many are under way.
    pub(super) fn len(&self) -> usize {
        self.running.len()
    }
}

/// Lets go of what the store has as well.
fn give_back(item: &Work, processor: &BatchProcessor) -> bool {
    let Work::Hand(hand) = item else { return false };
    if !matches!(hand.cause, Cause::Claimed(_)) {
        return false;
    }
    if let Some(epoch) = processor.in_flight.epoch_of(&hand.task) {
        processor.in_flight.release(hand.task.id, epoch);
    }
    true
}
