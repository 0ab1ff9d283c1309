//! [`Apart`]: where that is worked out which takes long: on threads of its own, a few at a time.
//!
//! Everything is tried where it comes up first, within [`LIGHT`]. That is enough for nearly all, and costs
//! them nothing; what is not done by then is dropped there and done anew on a lane, within the whole
//! budget. So no evaluation holds up a thread that serves others for much longer than a millisecond.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::sync::Semaphore;

use crate::model::budget::{Budget, tried};
use crate::model::time::Span;

/// What may be spent where an evaluation comes up.
const LIGHT: Budget = Budget { steps: 40_000, bytes: 4 << 20, time: Span(u64::MAX), clock: None };
/// How many requests may wait for a lane. More are told to come again.
const WAITING_MAX: usize = 100;

/// Lanes for evaluations that take long. Without any, all is worked out where it comes up.
#[derive(Debug, Default)]
pub struct Apart {
    lanes: Option<Lanes>,
}

#[derive(Debug)]
struct Lanes {
    /// For decisions of tasks.
    steps: Semaphore,
    free: Mutex<Vec<usize>>,
    /// For what requests ask for: strangers do not take the lanes of tasks.
    requests: Semaphore,
    waiting: AtomicUsize,
}

/// Why something was not worked out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotDone {
    /// Too much else waits for a lane.
    Busy,
    /// It panicked.
    Panicked,
}

impl Apart {
    /// With lanes for half the processors, and at least one.
    pub fn new() -> Apart {
        let lanes = std::thread::available_parallelism().map_or(1, |it| it.get().div_ceil(2));
        let free = Mutex::new((0..lanes).collect());
        let (steps, requests, waiting) = (Semaphore::new(lanes), Semaphore::new(lanes), AtomicUsize::new(0));
        Apart { lanes: Some(Lanes { steps, free, requests, waiting }) }
    }

    /// Does what is light; none if it is not.
    pub(super) fn light<T>(&self, work: impl FnOnce() -> T) -> Option<T> {
        match self.lanes {
            Some(_) => tried(&LIGHT, work),
            None => Some(work()),
        }
    }

    /// Decides on a lane, whose number it is told.
    pub(super) async fn step<T: Send + 'static>(&self, work: impl FnOnce(usize) -> T + Send + 'static) -> T {
        let Some(lanes) = &self.lanes else { return work(0) };
        let _permit = lanes.steps.acquire().await.expect("it is never closed");
        let lane = lanes.free().pop().unwrap_or_default();
        let done = tokio::task::spawn_blocking(move || work(lane)).await;
        lanes.free().push(lane);
        match done {
            Ok(done) => done,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }

    /// Works out what a request asks for; if it `is_large`, on a lane at once. A panic is no more than an
    /// error of this request.
    pub async fn request<T, W>(&self, is_large: bool, work: W) -> Result<T, NotDone>
    where
        T: Send + 'static,
        W: Fn() -> T + Send + Sync + 'static,
    {
        let caught = move || catch_unwind(AssertUnwindSafe(&work)).map_err(|_| NotDone::Panicked);
        let Some(lanes) = &self.lanes else { return caught() };
        if !is_large && let Some(done) = self.light(&caught) {
            return done;
        }
        let waiting = Waiting::begin(&lanes.waiting).ok_or(NotDone::Busy)?;
        let _permit = lanes.requests.acquire().await.expect("it is never closed");
        drop(waiting);
        tokio::task::spawn_blocking(caught).await.unwrap_or(Err(NotDone::Panicked))
    }
}

impl Lanes {
    fn free(&self) -> std::sync::MutexGuard<'_, Vec<usize>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One that waits, until it is dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl Waiting<'_> {
    fn begin(waiting: &AtomicUsize) -> Option<Waiting<'_>> {
        let before = waiting.fetch_add(1, Ordering::Relaxed);
        let waits = Waiting(waiting);
        (before < WAITING_MAX).then_some(waits)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
