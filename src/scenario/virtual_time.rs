//! [`VirtualTime`]: time that passes only when nothing else can happen. It moves to the next moment that
//! somebody waits for, in one jump, so a year costs no more than what happens in it.
//!
//! There are three clocks, as on a machine: its *uptime* counts on whatever happens, the *wall clock* is
//! uptime plus an offset that may be stepped, and the *life* of the process is uptime without its pauses.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::runtime::{Builder, Runtime};

use crate::model::time::{Span, Timestamp};

/// So many calls of the store at one moment are a hang: the largest fan-out takes some hundreds.
const CALLS_AT_ONCE_MAX: u64 = 12_000;
/// So many looks at the clock at one moment are a hang without any call.
const LOOKS_AT_ONCE_MAX: u64 = 50_000_000;

/// A pause of the process counts as no more of its life than this, in milliseconds.
const PAUSE_MAX: i64 = 1_000;

/// A moment, by what every clock shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct VirtualInstant {
    /// Milliseconds since the simulation began; never steps.
    pub up: i64,
    /// What the wall clock shows.
    pub wall: Timestamp,
    /// Milliseconds that the process has lived: a pause counts as a second at most.
    pub lived: i64,
}

/// Why a simulation cannot simply go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StallError {
    /// The runner died at a door.
    Died,
    /// Calls of the store follow each other without end while no time passes.
    Hangs(Timestamp),
    /// Nothing waits for any moment, and something is still awaited.
    Stuck,
    /// The director wants it to stop; it knows why.
    Halted,
}

/// The two clocks, and who waits for what on them.
#[derive(Debug)]
pub struct VirtualTime(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    up: i64,
    /// Wall clock and life, each minus uptime.
    offsets: Offsets,
    serial: u64,
    /// By clock, moment on it, and serial number.
    timers: [BTreeMap<(i64, u64), Waker>; 3],
    /// Woken when nothing is left to do at this moment.
    quiet: Vec<Waker>,
    trouble: Option<StallError>,
    /// Who is told of trouble.
    driver: Option<Waker>,
    calls: u64,
    calls_max: u64,
    looks: u64,
}

/// How far each clock is ahead of the uptime.
type Offsets = [i64; 3];

/// The clocks, by their places.
#[derive(Clone, Copy, Debug)]
enum Dial {
    Up,
    Wall,
    Lived,
}

/// Returns when its moment has come.
#[derive(Debug)]
struct Sleep<'a> {
    time: &'a VirtualTime,
    dial: Dial,
    at: i64,
    serial: Option<u64>,
}

/// Returns when nothing is left to do at this moment.
#[derive(Debug)]
struct Quiet<'a> {
    time: &'a VirtualTime,
    asked: bool,
}

/// Returns when there is trouble.
#[derive(Debug)]
struct Troubled<'a>(&'a VirtualTime);

impl VirtualTime {
    /// Time that begins at `start`.
    pub fn new(start: Timestamp) -> Arc<VirtualTime> {
        Arc::new(VirtualTime(Mutex::new(Inner {
            up: 0,
            offsets: [0, start.0, 0],
            serial: 0,
            timers: Default::default(),
            quiet: Vec::new(),
            trouble: None,
            driver: None,
            calls: 0,
            calls_max: CALLS_AT_ONCE_MAX,
            looks: 0,
        })))
    }

    /// A runtime of one thread that lives in this time: whenever none of its tasks can go on, time does.
    pub fn runtime(self: &Arc<Self>) -> Runtime {
        let time = Arc::clone(self);
        let built = Builder::new_current_thread().on_thread_park(move || time.idle()).build();
        built.expect("a runtime without timers and sockets asks nothing of the system")
    }

    /// The present moment on both clocks.
    pub fn moment(&self) -> VirtualInstant {
        self.lock().moment()
    }

    /// What the wall clock shows.
    pub fn now(&self) -> Timestamp {
        self.moment().wall
    }

    /// The same for the engine, whose looks are counted.
    ///
    /// # Panics
    /// It has looked at the clock millions of times at one moment, which ends no other way.
    pub(super) fn look(&self) -> VirtualInstant {
        let mut inner = self.lock();
        inner.looks += 1;
        assert!(inner.looks < LOOKS_AT_ONCE_MAX, "the engine looks at the clock without end");
        inner.moment()
    }

    /// Returns when so much time has passed.
    pub async fn sleep(&self, span: Span) {
        let at = self.moment().up.saturating_add(millis(span));
        self.at_up(at).await;
    }

    /// Returns when the uptime has come so far.
    pub async fn at_up(&self, at: i64) {
        Sleep { time: self, dial: Dial::Up, at, serial: None }.await;
    }

    /// Returns when the wall clock shows `at` or more.
    pub async fn at_wall(&self, at: Timestamp) {
        Sleep { time: self, dial: Dial::Wall, at: at.0, serial: None }.await;
    }

    /// Returns when the process has lived so long.
    pub async fn at_lived(&self, at: i64) {
        Sleep { time: self, dial: Dial::Lived, at, serial: None }.await;
    }

    /// Returns when nothing is left to do at this moment.
    pub async fn quiet(&self) {
        Quiet { time: self, asked: false }.await;
    }

    /// The output of `work`, or the trouble that came before it.
    ///
    /// # Errors
    /// There was trouble.
    pub async fn unless_trouble<T>(&self, work: impl Future<Output = T>) -> Result<T, StallError> {
        tokio::select! {
            biased;
            trouble = Troubled(self) => Err(trouble),
            done = work => Ok(done),
        }
    }

    /// So many calls of the store at one moment are a hang.
    pub fn limit_calls(&self, calls_max: u64) {
        self.lock().calls_max = calls_max;
    }

    /// The wall clock is set ahead by so many milliseconds, or back.
    pub fn step(&self, millis: i64) {
        let mut inner = self.lock();
        inner.offsets[Dial::Wall as usize] += millis;
    }

    /// So much time passes in which nothing can run: a process that is stopped, a machine that sleeps. What
    /// was waited for meanwhile comes all at once after it, in an order that `shuffle` gives.
    pub fn freeze(&self, span: Span, mut shuffle: impl FnMut(usize) -> usize) {
        let mut woken = {
            let mut inner = self.lock();
            inner.up = inner.up.saturating_add(millis(span));
            inner.offsets[Dial::Lived as usize] -= millis(span).saturating_sub(PAUSE_MAX).max(0);
            inner.begin_moment();
            inner.due()
        };
        while !woken.is_empty() {
            let place = shuffle(woken.len()) % woken.len();
            woken.remove(place).wake();
        }
    }

    /// Tells the driver of trouble; time stands still until [`VirtualTime::take_trouble`].
    pub fn trouble(&self, trouble: StallError) {
        let driver = {
            let mut inner = self.lock();
            inner.trouble.get_or_insert(trouble);
            inner.driver.take()
        };
        driver.into_iter().for_each(Waker::wake);
    }

    /// The trouble there is, which is over with that.
    pub fn take_trouble(&self) -> Option<StallError> {
        self.lock().trouble.take()
    }

    /// Counts a call of the store; says whether there were too many at this moment.
    pub(super) fn counts_call(&self) -> bool {
        let mut inner = self.lock();
        inner.calls += 1;
        inner.calls <= inner.calls_max
    }

    /// Nothing can go on at this moment.
    fn idle(&self) {
        let woken = {
            let mut inner = self.lock();
            match (&inner.trouble, inner.quiet.is_empty()) {
                (Some(trouble), _) => {
                    assert!(inner.driver.is_some(), "there is trouble, and nobody listens: {trouble:?}");
                    inner.driver.take().into_iter().collect()
                }
                (None, false) => std::mem::take(&mut inner.quiet),
                (None, true) => inner.advance(),
            }
        };
        woken.into_iter().for_each(Waker::wake);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn moment(&self) -> VirtualInstant {
        let [up, wall, lived] = self.offsets.map(|offset| self.up.saturating_add(offset));
        VirtualInstant { up, wall: Timestamp(wall), lived }
    }

    /// Goes to the next moment that somebody waits for, and gives those who do.
    fn advance(&mut self) -> Vec<Waker> {
        let firsts = self.timers.iter().zip(self.offsets);
        let next = firsts.filter_map(|(timers, offset)| {
            timers.first_key_value().map(|((at, _), _)| at.saturating_sub(offset))
        });
        // Nobody lives to see the end of time.
        let Some(next) = next.min().filter(|next| *next < i64::MAX / 2) else {
            self.trouble.get_or_insert(StallError::Stuck);
            return self.driver.take().into_iter().collect();
        };
        if next > self.up {
            self.up = next;
            self.begin_moment();
        }
        self.due()
    }

    fn begin_moment(&mut self) {
        self.calls = 0;
        self.looks = 0;
    }

    /// Takes out who waits for this moment or one before it, in the order of the moments.
    fn due(&mut self) -> Vec<Waker> {
        let mut due = Vec::new();
        for (timers, offset) in self.timers.iter_mut().zip(self.offsets) {
            let first = timers.first_key_value().map(|((at, _), _)| *at);
            let end = self.up.saturating_add(offset).saturating_add(1);
            if first.is_none_or(|at| at >= end) {
                continue;
            }
            let later = timers.split_off(&(end, 0));
            let now = std::mem::replace(timers, later).into_iter();
            due.extend(now.map(|((at, serial), waker)| ((at.saturating_sub(offset), serial), waker)));
        }
        due.sort_by_key(|(place, _)| *place);
        due.into_iter().map(|(_, waker)| waker).collect()
    }
}

/// A span as moments count.
fn millis(span: Span) -> i64 {
    i64::try_from(span.0).unwrap_or(i64::MAX)
}

impl Future for Sleep<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let time = self.time;
        let mut inner = time.lock();
        let dial = self.dial as usize;
        if self.at <= inner.up.saturating_add(inner.offsets[dial]) {
            return Poll::Ready(());
        }
        let serial = *self.serial.get_or_insert_with(|| {
            inner.serial += 1;
            inner.serial
        });
        inner.timers[dial].insert((self.at, serial), context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep<'_> {
    fn drop(&mut self) {
        if let Some(serial) = self.serial {
            self.time.lock().timers[self.dial as usize].remove(&(self.at, serial));
        }
    }
}

impl Future for Quiet<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut inner = self.time.lock();
        // Whoever asked is woken by nothing but the quiet, or by trouble, which is looked at before this.
        if self.asked && inner.quiet.is_empty() {
            return Poll::Ready(());
        }
        inner.quiet = vec![context.waker().clone()];
        drop(inner);
        self.asked = true;
        Poll::Pending
    }
}

impl Drop for Quiet<'_> {
    fn drop(&mut self) {
        self.time.lock().quiet.clear();
    }
}

impl Future for Troubled<'_> {
    type Output = StallError;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<StallError> {
        let mut inner = self.0.lock();
        match inner.trouble.take() {
            Some(trouble) => Poll::Ready(trouble),
            None => {
                inner.driver = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}
