//! [`VirtualTime`]: time that passes only when nothing else can happen. It moves to the next moment that
//! somebody waits for, in one jump, so a year costs no more than what happens in it.
//!
//! There are two clocks, as on a machine: *ticks* count on whatever happens, and the *wall clock* is ticks
//! plus an offset that may be stepped.

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

/// A moment on both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    /// Milliseconds since the simulation began; never steps.
    pub ticks: i64,
    /// What the wall clock shows.
    pub wall: Timestamp,
}

/// Why a simulation cannot simply go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
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
    ticks: i64,
    /// Wall clock minus ticks.
    offset: i64,
    serial: u64,
    /// By moment in ticks and serial number.
    timers: BTreeMap<(i64, u64), Waker>,
    /// By moment on the wall clock and serial number.
    alarms: BTreeMap<(i64, u64), Waker>,
    /// Woken when nothing is left to do at this moment.
    quiet: Vec<Waker>,
    trouble: Option<Trouble>,
    /// Who is told of trouble.
    driver: Option<Waker>,
    calls: u64,
    looks: u64,
}

/// What is waited for.
#[derive(Clone, Copy, Debug)]
enum Until {
    Ticks(i64),
    Wall(i64),
}

/// Returns when its moment has come.
#[derive(Debug)]
struct Sleep<'a> {
    time: &'a VirtualTime,
    until: Until,
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
            ticks: 0,
            offset: start.0,
            serial: 0,
            timers: BTreeMap::new(),
            alarms: BTreeMap::new(),
            quiet: Vec::new(),
            trouble: None,
            driver: None,
            calls: 0,
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
    pub fn moment(&self) -> Moment {
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
    pub(super) fn look(&self) -> Moment {
        let mut inner = self.lock();
        inner.looks += 1;
        assert!(inner.looks < LOOKS_AT_ONCE_MAX, "the engine looks at the clock without end");
        inner.moment()
    }

    /// Returns when so much time has passed.
    pub async fn sleep(&self, span: Span) {
        let ticks = self.moment().ticks.saturating_add(i64::try_from(span.0).unwrap_or(i64::MAX));
        self.at_ticks(ticks).await;
    }

    /// Returns when ticks have come so far.
    pub async fn at_ticks(&self, ticks: i64) {
        Sleep { time: self, until: Until::Ticks(ticks), serial: None }.await;
    }

    /// Returns when the wall clock shows `at` or more.
    pub async fn at_wall(&self, at: Timestamp) {
        Sleep { time: self, until: Until::Wall(at.0), serial: None }.await;
    }

    /// Returns when nothing is left to do at this moment.
    pub async fn quiet(&self) {
        Quiet { time: self, asked: false }.await;
    }

    /// The output of `work`, or the trouble that came before it.
    ///
    /// # Errors
    /// There was trouble.
    pub async fn unless_trouble<T>(&self, work: impl Future<Output = T>) -> Result<T, Trouble> {
        tokio::select! {
            biased;
            trouble = Troubled(self) => Err(trouble),
            done = work => Ok(done),
        }
    }

    /// The wall clock is set ahead by so many milliseconds, or back.
    pub fn step(&self, millis: i64) {
        let mut inner = self.lock();
        inner.offset = inner.offset.saturating_add(millis);
    }

    /// So much time passes in which nothing can run: a process that is stopped, a machine that sleeps. What
    /// was waited for meanwhile comes all at once after it, in an order that `shuffle` gives.
    pub fn freeze(&self, span: Span, mut shuffle: impl FnMut(usize) -> usize) {
        let mut woken = {
            let mut inner = self.lock();
            inner.ticks = inner.ticks.saturating_add(i64::try_from(span.0).unwrap_or(i64::MAX));
            inner.begin_moment();
            inner.due()
        };
        while !woken.is_empty() {
            let place = shuffle(woken.len()) % woken.len();
            woken.remove(place).wake();
        }
    }

    /// Tells the driver of trouble; time stands still until [`VirtualTime::take_trouble`].
    pub fn trouble(&self, trouble: Trouble) {
        let driver = {
            let mut inner = self.lock();
            inner.trouble.get_or_insert(trouble);
            inner.driver.take()
        };
        driver.into_iter().for_each(Waker::wake);
    }

    /// The trouble there is, which is over with that.
    pub fn take_trouble(&self) -> Option<Trouble> {
        self.lock().trouble.take()
    }

    /// Counts a call of the store; says whether there were too many at this moment.
    pub(super) fn counts_call(&self) -> bool {
        let mut inner = self.lock();
        inner.calls += 1;
        inner.calls <= CALLS_AT_ONCE_MAX
    }

    /// Nothing can go on at this moment.
    fn idle(&self) {
        let woken = {
            let mut inner = self.lock();
            match (&inner.trouble, inner.quiet.is_empty()) {
                (Some(_), _) => inner.driver.take().into_iter().collect(),
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
    fn moment(&self) -> Moment {
        Moment { ticks: self.ticks, wall: Timestamp(self.ticks.saturating_add(self.offset)) }
    }

    /// Goes to the next moment that somebody waits for, and gives those who do.
    fn advance(&mut self) -> Vec<Waker> {
        let timer = self.timers.first_key_value().map(|((at, _), _)| *at);
        let alarm = self.alarms.first_key_value().map(|((at, _), _)| at.saturating_sub(self.offset));
        // Nobody lives to see the end of time.
        let Some(next) = timer.into_iter().chain(alarm).min().filter(|next| *next < i64::MAX / 2) else {
            self.trouble.get_or_insert(Trouble::Stuck);
            return self.driver.take().into_iter().collect();
        };
        if next > self.ticks {
            self.ticks = next;
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
        let (ticks, offset) = (self.ticks, self.offset);
        let wall = ticks.saturating_add(offset).saturating_add(1);
        let later_timers = self.timers.split_off(&(ticks + 1, 0));
        let later_alarms = self.alarms.split_off(&(wall, 0));
        let timers = std::mem::replace(&mut self.timers, later_timers);
        let alarms = std::mem::replace(&mut self.alarms, later_alarms);
        let alarms = alarms.into_iter().map(|((at, serial), it)| ((at.saturating_sub(offset), serial), it));
        let mut due: Vec<((i64, u64), Waker)> = timers.into_iter().chain(alarms).collect();
        due.sort_by_key(|(place, _)| *place);
        due.into_iter().map(|(_, waker)| waker).collect()
    }
}

impl Future for Sleep<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let time = self.time;
        let mut inner = time.lock();
        let now = inner.moment();
        let is_over = match self.until {
            Until::Ticks(at) => at <= now.ticks,
            Until::Wall(at) => at <= now.wall.0,
        };
        if is_over {
            return Poll::Ready(());
        }
        let serial = *self.serial.get_or_insert_with(|| {
            inner.serial += 1;
            inner.serial
        });
        match self.until {
            Until::Ticks(at) => inner.timers.insert((at, serial), context.waker().clone()),
            Until::Wall(at) => inner.alarms.insert((at, serial), context.waker().clone()),
        };
        Poll::Pending
    }
}

impl Drop for Sleep<'_> {
    fn drop(&mut self) {
        let Some(serial) = self.serial else { return };
        let mut inner = self.time.lock();
        match self.until {
            Until::Ticks(at) => inner.timers.remove(&(at, serial)),
            Until::Wall(at) => inner.alarms.remove(&(at, serial)),
        };
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
    type Output = Trouble;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Trouble> {
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
