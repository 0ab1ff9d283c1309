//! [`Shifted`]: the system's clock, and then some. Moving it on wakes whoever waits.

use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use beltline::engine::ports::Clock;
use beltline::model::time::{Span, Ticks, Timestamp};
use beltline::outbound::clock::SystemClock;
use tokio::sync::Notify;

/// A clock that can be moved on.
#[derive(Debug, Default)]
pub(crate) struct Shifted {
    millis: AtomicU64,
    stepped: AtomicU64,
    moved: Notify,
}

impl Shifted {
    /// From now on it is so much later.
    pub(crate) fn later(&self, span: Span) {
        self.millis.fetch_add(span.0, Ordering::SeqCst);
        self.moved.notify_waiters();
    }

    /// Its wall clock is set ahead, and no time passes.
    pub(crate) fn steps(&self, span: Span) {
        self.stepped.fetch_add(span.0, Ordering::SeqCst);
        self.moved.notify_waiters();
    }

    /// How far the wall clock is ahead of the system's.
    fn ahead(&self) -> Span {
        Span(self.shift().0 + self.stepped.load(Ordering::SeqCst))
    }

    fn shift(&self) -> Span {
        Span(self.millis.load(Ordering::SeqCst))
    }
}

#[async_trait]
impl Clock for Shifted {
    fn now(&self) -> Timestamp {
        SystemClock.now() + self.ahead()
    }

    fn ticks(&self) -> Ticks {
        SystemClock.ticks() + self.shift()
    }

    fn up(&self) -> Span {
        Span(SystemClock.up().0 + self.shift().0)
    }

    async fn at(&self, at: Timestamp) {
        loop {
            let moved = self.moved.notified();
            if self.now() >= at {
                return;
            }
            tokio::select! {
                () = SystemClock.at(at - self.ahead()) => {}
                () = moved => {}
            }
        }
    }
    async fn at_tick(&self, at: Ticks) {
        loop {
            let moved = self.moved.notified();
            let left = at.since(self.ticks());
            if left == Span(0) {
                return;
            }
            tokio::select! {
                () = SystemClock.after(left) => {}
                () = moved => {}
            }
        }
    }
}
