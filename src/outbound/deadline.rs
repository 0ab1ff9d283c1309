//! Deadlines of what is asked outside. They are counted in ticks, so that a pause of the process is no time
//! in which somebody failed to answer; and what lies in the socket already is read before a deadline decides.

use std::pin::pin;

use crate::engine::ports::Clock;
use crate::model::time::{Span, Ticks};
use crate::outbound::clock::SystemClock;

/// What came just before the end may still have to pass the driver and the task of its connection: so long
/// it is listened for after a deadline.
const GRACE: Span = Span::millis(100);

/// What `work` gives within `time`; none if it is not done by then.
pub async fn within<T>(time: Span, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    for time in [time, GRACE] {
        tokio::select! {
            biased;
            done = &mut work => return Some(done),
            () = SystemClock.after(time) => {}
        }
    }
    None
}

/// What is left of `time` since `started`. The tick that has just begun is not counted: a deadline that is
/// handed on at once is not a millisecond shorter for it.
pub fn left(time: Span, started: Ticks) -> Span {
    let passed = SystemClock.ticks().since(started).0.saturating_sub(1);
    Span(time.0.saturating_sub(passed))
}
