//! [`SystemClock`]: the time of this machine.

#[cfg(debug_assertions)]
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use rustix::time::{ClockId, clock_gettime};

#[cfg(debug_assertions)]
use crate::engine::broken::{Promise, is_broken};
use crate::engine::ports::Clock;
use crate::model::time::{Span, Ticks, Timestamp};

/// The wall clock may be set while we sleep: so often it is asked again.
const NAP_MAX: Duration = Duration::from_secs(2);
/// So often ticks are counted on, whether anybody asks for them or not.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// What lies between two looks counts as no more than this: whoever did not look for longer was not alive.
const LOOK_MAX: Duration = Duration::from_secs(1);
/// The clock that goes on while the machine is suspended.
#[cfg(target_os = "linux")]
const UP: ClockId = ClockId::Boottime;
#[cfg(not(target_os = "linux"))]
const UP: ClockId = ClockId::Monotonic;

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
        Timestamp(millis).moved(set_by_ms())
    }

    fn ticks(&self) -> Ticks {
        #[cfg(debug_assertions)]
        if is_broken(Promise::Ticks) {
            return Ticks(u64::try_from(self.now().0).unwrap_or(0));
        }
        Ticks(u64::try_from(lived().as_millis()).unwrap_or(u64::MAX))
    }

    fn up(&self) -> Span {
        let up = clock_gettime(UP);
        let millis = up.tv_sec.saturating_mul(1_000).saturating_add(up.tv_nsec / 1_000_000);
        Span(u64::try_from(millis).unwrap_or(0))
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

    #[expect(clippy::disallowed_methods, reason = "this is the deadline others await")]
    async fn at_tick(&self, at: Ticks) {
        #[cfg(debug_assertions)]
        while is_broken(Promise::Ticks) && self.ticks() < at {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        loop {
            let left = at.since(self.ticks()).duration();
            if left.is_zero() {
                return;
            }
            // Ticks never go faster than the system's monotonic time: a sleep of all that is left is no
            // longer than it, and after a pause there is some left still.
            tokio::time::sleep(left).await;
        }
    }
}

/// How far a test has set the wall clock: the milliseconds in the file that `BELTLINE_TEST_CLOCK` names, read
/// at each look. Only a debug build has that.
#[cfg(debug_assertions)]
fn set_by_ms() -> i64 {
    static FILE: OnceLock<Option<std::ffi::OsString>> = OnceLock::new();
    static LAST: AtomicI64 = AtomicI64::new(0);
    let file = FILE.get_or_init(|| std::env::var_os("BELTLINE_TEST_CLOCK"));
    let text = file.as_ref().and_then(|it| std::fs::read_to_string(it).ok());
    // Where nothing can be read, it is being written.
    if let Some(millis) = text.and_then(|it| it.trim().parse().ok()) {
        LAST.store(millis, Ordering::Relaxed);
    }
    LAST.load(Ordering::Relaxed)
}

#[cfg(not(debug_assertions))]
fn set_by_ms() -> i64 {
    0
}

/// What this process has lived, and until when that was counted.
struct Lived {
    until: Instant,
    sum: Duration,
    /// Whether a thread counts on while nobody asks: without it a long time between two looks is no pause.
    is_watched: bool,
}

/// How long the process has lived, for whoever cannot be handed a clock.
pub fn lived_ticks() -> Ticks {
    SystemClock.ticks()
}

/// Counts on to now. The thread that counts while nobody asks is started by the first who does.
fn lived() -> Duration {
    static LIVED: OnceLock<Mutex<Lived>> = OnceLock::new();
    let lived = LIVED.get_or_init(|| {
        let ticker = thread::Builder::new().name("ticks".to_owned()).spawn(|| {
            loop {
                thread::sleep(LOOK_EVERY);
                lived();
            }
        });
        Mutex::new(Lived { until: instant(), sum: Duration::ZERO, is_watched: ticker.is_ok() })
    });
    let mut lived = lived.lock().unwrap_or_else(PoisonError::into_inner);
    let now = instant();
    let passed = now.saturating_duration_since(lived.until);
    let passed = if lived.is_watched { passed.min(LOOK_MAX) } else { passed };
    lived.sum += passed;
    lived.until = now;
    lived.sum
}

#[expect(clippy::disallowed_methods, reason = "this is the edge that asks the system")]
fn instant() -> Instant {
    Instant::now()
}
