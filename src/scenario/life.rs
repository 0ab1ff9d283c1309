//! [`Life`]: the store, the outside and the clock of one runner. Each call is a door that its director
//! decides about; behind the last one it dies at, nothing ever happens to it again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use async_trait::async_trait;

use crate::engine::ports::{
    Claim, Clock, Collection, Count, HistoryEntry, Outbound, Receipt, Record, Refused, Store, StoreError,
    Stretch, TaskQuery, Write,
};
use crate::model::effect::{Effect, Outcome};
use crate::model::names::{Address, ProcessId, TaskId};
use crate::model::task::Task;
use crate::model::time::{Span, Ticks, Timestamp};
use crate::scenario::director::{CallKind, Director, Passage, RequestResult, StoreCall, Unheard};
use crate::scenario::virtual_time::{StallError, VirtualTime};

/// What one runner touches.
pub(super) struct Life {
    pub(super) number: u64,
    pub(super) time: Arc<VirtualTime>,
    pub(super) store: Arc<dyn Store>,
    pub(super) director: Arc<Mutex<dyn Director>>,
    /// Held by the call of the store that is being done.
    pub(super) turn: tokio::sync::Mutex<()>,
    pub(super) dead: AtomicBool,
    /// It is asked to stop, and may give up what is out.
    pub(super) stopping: AtomicBool,
}

/// An answer that nobody has yet.
struct OnTheWay<'a> {
    life: &'a Life,
    number: u64,
    arrived: bool,
}

impl Drop for OnTheWay<'_> {
    fn drop(&mut self) {
        if !self.arrived {
            let is_over = self.life.is_dead() || self.life.stopping.load(Ordering::Acquire);
            let why = if is_over { Unheard::Dead } else { Unheard::GivenUp };
            let at = self.life.time.moment();
            self.life.direct().unheard(self.number, why, at);
        }
    }
}

impl Life {
    pub(super) fn is_dead(&self) -> bool {
        self.dead.load(Ordering::Acquire)
    }

    pub(super) fn end(&self) {
        self.dead.store(true, Ordering::Release);
    }

    fn direct(&self) -> MutexGuard<'_, dyn Director + 'static> {
        self.director.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns if this life goes on, and never otherwise.
    async fn lives(&self) {
        if self.is_dead() {
            std::future::pending::<()>().await;
        }
    }

    async fn dies<T>(&self, trouble: StallError) -> T {
        self.end();
        self.time.trouble(trouble);
        std::future::pending().await
    }

    /// Goes through a door of the store.
    async fn through<T>(
        &self,
        door: StoreCall,
        act: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        self.lives().await;
        let in_order = self.direct().is_in_order();
        let _turn = if in_order { Some(self.turn.lock().await) } else { None };
        self.lives().await;
        if !self.time.counts_call() {
            return self.dies(StallError::Hangs(self.time.now())).await;
        }
        let Passage { before, what, after } = self.direct().pass(door, self.time.moment());
        self.pause(before).await;
        let done = match what {
            CallKind::Well => at_once(act),
            CallKind::Refused(why) => Err(StoreError::Lost(why.to_owned())),
            CallKind::Unknown(why) => at_once(act).and(Err(StoreError::Lost(why.to_owned()))),
            CallKind::DiesBefore => return self.dies(StallError::Died).await,
            CallKind::DiesAfter => {
                drop(at_once(act));
                return self.dies(StallError::Died).await;
            }
        };
        self.pause(after).await;
        done
    }

    async fn pause(&self, span: Span) {
        if span.0 > 0 {
            self.time.sleep(span).await;
            self.lives().await;
        }
    }
}

/// Wakes a thread.
struct Unpark(std::thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// The output of a future that waits for no virtual time: a store in memory has it at once, one on disk has
/// it from its own thread, while this one waits and nothing else happens.
pub fn at_once<T>(future: impl Future<Output = T>) -> T {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = std::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(done) => return done,
            Poll::Pending => std::thread::park(),
        }
    }
}

#[async_trait]
impl Outbound for Life {
    async fn perform(&self, effect: &Effect) -> Outcome {
        self.lives().await;
        let asked = self.direct().asked(self.number, effect, self.time.moment());
        let (number, outcome, took) = match asked {
            RequestResult::Answers { number, outcome, took } => (number, outcome, took),
            RequestResult::Dies => return self.dies(StallError::Died).await,
            RequestResult::Halts => return self.dies(StallError::Halted).await,
        };
        let mut on_the_way = OnTheWay { life: self, number, arrived: false };
        match took {
            Some(took) => self.pause(took).await,
            None => std::future::pending().await,
        }
        on_the_way.arrived = true;
        self.direct().received(number, self.time.moment());
        outcome
    }
}

#[async_trait]
impl Clock for Life {
    fn now(&self) -> Timestamp {
        self.time.look().wall
    }

    fn ticks(&self) -> Ticks {
        Ticks(u64::try_from(self.time.look().lived).unwrap_or(0))
    }

    fn up(&self) -> Span {
        Span(u64::try_from(self.time.look().up).unwrap_or(0))
    }

    async fn at(&self, at: Timestamp) {
        self.time.at_wall(at).await;
        self.lives().await;
    }

    async fn at_tick(&self, at: Ticks) {
        self.time.at_lived(i64::try_from(at.0).unwrap_or(i64::MAX)).await;
        self.lives().await;
    }
}

#[async_trait]
impl Store for Life {
    async fn claim(&self, now: Timestamp, lease: Span, limit: usize) -> Result<Vec<Claim>, StoreError> {
        let act = async {
            let claims = self.store.claim(now, lease, limit).await?;
            self.direct().claimed(&claims, self.time.moment());
            Ok(claims)
        };
        self.through("claim", act).await
    }
    async fn commit(&self, writes: Vec<Write>) -> Result<Vec<Result<Receipt, Refused>>, StoreError> {
        let act = async {
            self.direct().committing(&writes, self.time.moment());
            let done = self.store.commit(writes).await;
            if let Ok(results) = &done {
                self.direct().committed(results, self.time.moment());
            }
            done
        };
        self.through("commit", act).await
    }
    async fn read(&self, addresses: &[Address]) -> Result<Vec<Option<Task>>, StoreError> {
        self.through("read", self.store.read(addresses)).await
    }
    async fn resume(&self, now: Timestamp) -> Result<u64, StoreError> {
        self.through("resume", self.store.resume(now)).await
    }
    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        self.through("next_due", self.store.next_due()).await
    }
    async fn pull_due(&self, by: Span, after: TaskId, limit: usize) -> Result<Option<TaskId>, StoreError> {
        self.through("pull_due", self.store.pull_due(by, after, limit)).await
    }
    async fn wake_parked(&self, process: &ProcessId, now: Timestamp) -> Result<u64, StoreError> {
        self.through("wake_parked", self.store.wake_parked(process, now)).await
    }
    async fn task(&self, id: TaskId) -> Result<Option<Task>, StoreError> {
        self.through("task", self.store.task(id)).await
    }
    async fn find(&self, address: &Address) -> Result<Option<Task>, StoreError> {
        self.through("find", self.store.find(address)).await
    }
    async fn keyed(&self, key: &str) -> Result<Option<Task>, StoreError> {
        self.through("keyed", self.store.keyed(key)).await
    }
    async fn tasks(&self, query: &TaskQuery) -> Result<Vec<Task>, StoreError> {
        self.through("tasks", self.store.tasks(query)).await
    }
    async fn named(&self, among: &[ProcessId], prefix: &str, limit: usize) -> Result<Vec<Task>, StoreError> {
        self.through("named", self.store.named(among, prefix, limit)).await
    }
    async fn history(&self, id: TaskId, after: u64, limit: usize) -> Result<Vec<HistoryEntry>, StoreError> {
        self.through("history", self.store.history(id, after, limit)).await
    }
    async fn events(&self, after: u64, limit: usize) -> Result<Vec<HistoryEntry>, StoreError> {
        self.through("events", self.store.events(after, limit)).await
    }
    async fn last_event(&self) -> Result<u64, StoreError> {
        self.through("last_event", self.store.last_event()).await
    }
    async fn counts(&self, process: Option<&ProcessId>) -> Result<Vec<Count>, StoreError> {
        self.through("counts", self.store.counts(process)).await
    }
    async fn alarms(&self, after: Option<TaskId>, limit: usize) -> Result<Vec<Task>, StoreError> {
        self.through("alarms", self.store.alarms(after, limit)).await
    }
    async fn put(&self, records: Vec<Record>) -> Result<(), StoreError> {
        self.through("keep", self.store.put(records)).await
    }
    async fn delete(&self, kind: Collection, name: &str) -> Result<bool, StoreError> {
        self.through("forget", self.store.delete(kind, name)).await
    }
    async fn collection(&self, kind: Collection) -> Result<Vec<Record>, StoreError> {
        self.through("collection", self.store.collection(kind)).await
    }
    async fn record(&self, kind: Collection, name: &str) -> Result<Option<Record>, StoreError> {
        self.through("record", self.store.record(kind, name)).await
    }
    async fn scan(&self, stretch: &Stretch) -> Result<Vec<Record>, StoreError> {
        self.through("stretch", self.store.scan(stretch)).await
    }
    async fn delete_before(&self, kind: Collection, name: &str) -> Result<u64, StoreError> {
        self.through("forget_before", self.store.delete_before(kind, name)).await
    }
}
