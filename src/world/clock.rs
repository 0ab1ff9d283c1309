//! [`SystemClock`]: the time of this machine.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;

use crate::engine::edges::Clock;
use crate::model::time::Timestamp;

/// The machine's clock may jump while we sleep (a suspend, a step of NTP): so often it is asked again.
const NAP_MAX: Duration = Duration::from_secs(2);

/// Tells the time of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the edge that asks the system")]
    fn now(&self) -> Timestamp {
        // Whole milliseconds, rounded down: the moment is never told early.
        let millis = match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_millis()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |it| -it),
        };
        Timestamp(millis)
    }

    #[expect(clippy::disallowed_methods, reason = "this is the deadline others await")]
    async fn at(&self, at: Timestamp) {
        loop {
            let left = at.since(self.now()).duration();
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left.min(NAP_MAX)).await;
        }
    }
}
