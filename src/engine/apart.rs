//! [`Apart`]: where that is worked out which takes long: on threads of its own, a few at a time.
//!
//! Everything is tried where it comes up first, within [`LIGHT`]. That is enough for nearly all, and costs
//! them nothing; what is not done by then is dropped there and done anew on a lane, within the whole
//! budget. So no evaluation holds up a thread that serves others for much longer than a millisecond.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

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
    steps: Arc<Pool>,
    /// For what requests ask for: strangers do not take the lanes of tasks.
    requests: Arc<Pool>,
    waiting: AtomicUsize,
}

/// Threads of which each works one thing out after the other.
#[derive(Debug)]
struct Pool {
    permits: Arc<Semaphore>,
    free: Mutex<Vec<usize>>,
    threads: Vec<Sender<Job>>,
}

type Job = Box<dyn FnOnce() + Send>;

/// A lane that is taken; free again when it is dropped.
struct Taken {
    pool: Arc<Pool>,
    lane: usize,
    _permit: OwnedSemaphorePermit,
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
    /// With lanes for half the processors, and at least one. Each of their threads does `begin` first.
    pub fn new(begin: fn()) -> Apart {
        let lanes = thread::available_parallelism().map_or(1, |it| it.get().div_ceil(2));
        let (steps, requests) = (Pool::new("steps", lanes, begin), Pool::new("requests", lanes, begin));
        Apart { lanes: Some(Lanes { steps, requests, waiting: AtomicUsize::new(0) }) }
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
        lanes.steps.take().await.work(work).await.unwrap_or_else(|panic| resume_unwind(panic))
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
        let taken = lanes.requests.take().await;
        drop(waiting);
        taken.work(move |_| caught()).await.unwrap_or(Err(NotDone::Panicked))
    }
}

impl Pool {
    fn new(name: &str, lanes: usize, begin: fn()) -> Arc<Pool> {
        let thread = |lane| {
            let (send, jobs) = channel::<Job>();
            let work = move || {
                begin();
                for job in jobs {
                    job();
                }
            };
            let thread = thread::Builder::new().name(format!("{name}-{lane}"));
            thread.spawn(work).expect("what cannot make a thread cannot run");
            send
        };
        let threads = (0..lanes).map(thread).collect();
        let (permits, free) = (Arc::new(Semaphore::new(lanes)), Mutex::new((0..lanes).collect()));
        Arc::new(Pool { permits, free, threads })
    }

    /// A lane, when one is free.
    async fn take(self: &Arc<Self>) -> Taken {
        let permit = Arc::clone(&self.permits).acquire_owned().await.expect("it is never closed");
        let lane = self.free().pop().unwrap_or_default();
        Taken { pool: Arc::clone(self), lane, _permit: permit }
    }

    fn free(&self) -> MutexGuard<'_, Vec<usize>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    /// Works something out there. The lane is taken until that is done, whether or not anybody still waits.
    async fn work<T: Send + 'static>(
        self,
        work: impl FnOnce(usize) -> T + Send + 'static,
    ) -> thread::Result<T> {
        let (sender, receiver) = oneshot::channel();
        let thread = self.pool.threads[self.lane].clone();
        let job = move || {
            let done = catch_unwind(AssertUnwindSafe(|| work(self.lane)));
            drop(self);
            // Who left does not want to know.
            drop(sender.send(done));
        };
        // A thread that is gone drops the job, which is told as if it had panicked.
        drop(thread.send(Box::new(job)));
        receiver.await.unwrap_or_else(|gone| Err(Box::new(gone)))
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.pool.free().push(self.lane);
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
