//! When a passing fault is tried again. Pure: the jitter comes from the task's own seed.

use sha2::{Digest, Sha256};

use crate::model::fault::{Class, Fault};
use crate::model::task::Task;
use crate::model::time::{Span, Timestamp};
use crate::process::process::RetryPolicy;

/// The moment of the next try, if there is one.
pub fn next_try(retry: &RetryPolicy, task: &Task, fault: &Fault, now: Timestamp) -> Option<Timestamp> {
    if fault.class != Class::Passing || task.attempt + 1 >= retry.times {
        return None;
    }
    let pause = pause(retry, task).max(fault.retry_after.unwrap_or_default());
    let at = now + pause;
    let last = retry.within.map(|within| task.since + within);
    last.is_none_or(|last| at <= last).then_some(at)
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "pauses are far below 2^53 ms, and the cast saturates"
)]
fn pause(retry: &RetryPolicy, task: &Task) -> Span {
    let tries = i32::try_from(task.attempt).unwrap_or(i32::MAX);
    let whole = retry.first.0 as f64 * retry.factor.max(1.0).powi(tries);
    let whole = whole.min(retry.max.0 as f64);
    Span((whole * (1.0 - retry.jitter.clamp(0.0, 1.0) * chance(task))).ceil() as u64)
}

/// A number from 0 to 1 that differs from task to task and from try to try.
fn chance(task: &Task) -> f64 {
    let mut hash = Sha256::new();
    hash.update(task.seed.0);
    hash.update(task.visit.to_be_bytes());
    hash.update(task.attempt.to_be_bytes());
    let hash = hash.finalize();
    f64::from(u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]])) / f64::from(u32::MAX)
}
