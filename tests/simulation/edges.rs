//! [`Edges`]: the store, the world and the clock of a universe. Each call is a door, at which its runner may
//! die.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard};

use async_trait::async_trait;
use beltline::engine::edges::{
    Claim, Clock, Count, Entry, Receipt, Record, Refused, Shelf, Store, StoreError, Stretch, TaskQuery,
    World, Write,
};
use beltline::model::effect::{Ask, Effect, Outcome};
use beltline::model::names::{Address, ProcessId, TaskId};
use beltline::model::task::Task;
use beltline::model::time::{Span, Ticks, Timestamp};
use beltline::store::memory::Memory;

use crate::simulation::partners::{Author, Partner, Reply};

/// What a runner touches. Outlives its runners.
pub(crate) struct Edges {
    pub(crate) disk: Memory,
    pub(crate) partner: Mutex<Box<dyn Partner>>,
    pub(crate) author: Mutex<Author>,
    now: AtomicI64,
    doors: AtomicU64,
    deaths: Vec<u64>,
    dead: AtomicBool,
}

impl Edges {
    pub(crate) fn new(partner: Box<dyn Partner>, now: Timestamp, deaths: Vec<u64>) -> Edges {
        Edges {
            disk: Memory::default(),
            partner: Mutex::new(partner),
            author: Mutex::default(),
            now: AtomicI64::new(now.0),
            doors: AtomicU64::new(0),
            deaths,
            dead: AtomicBool::new(false),
        }
    }

    pub(crate) fn set_now(&self, now: Timestamp) {
        self.now.store(now.0, SeqCst);
    }

    pub(crate) fn doors(&self) -> u64 {
        self.doors.load(SeqCst)
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.dead.load(SeqCst)
    }

    pub(crate) fn kill(&self) {
        self.dead.store(true, SeqCst);
    }

    pub(crate) fn revive(&self) {
        self.dead.store(false, SeqCst);
    }

    pub(crate) fn author(&self) -> MutexGuard<'_, Author> {
        self.author.lock().unwrap()
    }

    /// Asks the partner or tells the author. `None`: the runner died on this side of the door, or on the
    /// other.
    pub(crate) fn reply(&self, effect: &Effect) -> Option<Reply> {
        self.passes().ok()?;
        let reply = match &effect.ask {
            Ask::Http(ask) => self.partner.lock().unwrap().ask(ask, effect, self.now()),
            Ask::Tell(ask) => self.author().hear(ask),
        };
        if self.passes().is_err() {
            self.undelivered(reply.pair);
            return None;
        }
        Some(reply)
    }

    /// An answer that never arrived.
    pub(crate) fn undelivered(&self, pair: Option<u64>) {
        if let Some(pair) = pair {
            self.partner.lock().unwrap().lose(pair);
        }
    }

    fn passes(&self) -> Result<(), StoreError> {
        if self.is_dead() || self.deaths.contains(&self.doors.fetch_add(1, SeqCst)) {
            self.kill();
            return Err(StoreError::Lost("the runner died".to_owned()));
        }
        Ok(())
    }

    fn door<T>(&self, act: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        self.passes()?;
        let done = at_once(act);
        self.passes()?;
        done
    }
}

/// The output of a future that never waits.
pub(crate) fn at_once<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match future.as_mut().poll(&mut context) {
        std::task::Poll::Ready(it) => it,
        std::task::Poll::Pending => unreachable!("the edges of a universe never wait"),
    }
}

#[async_trait]
impl Store for Edges {
    async fn claim(&self, now: Timestamp, lease: Span, limit: usize) -> Result<Vec<Claim>, StoreError> {
        self.door(self.disk.claim(now, lease, limit))
    }
    async fn commit(&self, writes: Vec<Write>) -> Result<Vec<Result<Receipt, Refused>>, StoreError> {
        self.door(self.disk.commit(writes))
    }
    async fn read(&self, addresses: &[Address]) -> Result<Vec<Option<Task>>, StoreError> {
        self.door(self.disk.read(addresses))
    }
    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        self.door(self.disk.next_due())
    }
    async fn rouse(&self, process: &ProcessId, now: Timestamp) -> Result<u64, StoreError> {
        self.disk.rouse(process, now).await
    }
    async fn task(&self, id: TaskId) -> Result<Option<Task>, StoreError> {
        self.disk.task(id).await
    }
    async fn find(&self, address: &Address) -> Result<Option<Task>, StoreError> {
        self.disk.find(address).await
    }
    async fn tasks(&self, which: &TaskQuery) -> Result<Vec<Task>, StoreError> {
        self.disk.tasks(which).await
    }
    async fn named(&self, among: &[ProcessId], prefix: &str, limit: usize) -> Result<Vec<Task>, StoreError> {
        self.disk.named(among, prefix, limit).await
    }
    async fn trail(&self, id: TaskId, after: u64, limit: usize) -> Result<Vec<Entry>, StoreError> {
        self.disk.trail(id, after, limit).await
    }
    async fn events(&self, after: u64, limit: usize) -> Result<Vec<Entry>, StoreError> {
        self.disk.events(after, limit).await
    }
    async fn last_event(&self) -> Result<u64, StoreError> {
        self.disk.last_event().await
    }
    async fn counts(&self, process: Option<&ProcessId>) -> Result<Vec<Count>, StoreError> {
        self.disk.counts(process).await
    }
    async fn alarms(&self, limit: usize) -> Result<Vec<Task>, StoreError> {
        self.disk.alarms(limit).await
    }
    async fn keep(&self, records: Vec<Record>) -> Result<(), StoreError> {
        self.disk.keep(records).await
    }
    async fn forget(&self, kind: Shelf, name: &str) -> Result<bool, StoreError> {
        self.disk.forget(kind, name).await
    }
    async fn shelf(&self, kind: Shelf) -> Result<Vec<Record>, StoreError> {
        self.disk.shelf(kind).await
    }
    async fn record(&self, kind: Shelf, name: &str) -> Result<Option<Record>, StoreError> {
        self.disk.record(kind, name).await
    }
    async fn stretch(&self, stretch: &Stretch) -> Result<Vec<Record>, StoreError> {
        self.disk.stretch(stretch).await
    }
    async fn forget_before(&self, kind: Shelf, name: &str) -> Result<u64, StoreError> {
        self.disk.forget_before(kind, name).await
    }
}

#[async_trait]
impl World for Edges {
    async fn perform(&self, _: &Effect) -> Outcome {
        unreachable!("a universe performs effects itself, in its own time")
    }
}

#[async_trait]
impl Clock for Edges {
    fn now(&self) -> Timestamp {
        Timestamp(self.now.load(SeqCst))
    }
    fn ticks(&self) -> Ticks {
        Ticks(self.up().0)
    }
    fn up(&self) -> Span {
        self.now().since(Timestamp(0))
    }
    async fn at(&self, _: Timestamp) {
        unreachable!("a universe moves its time itself")
    }
    async fn at_tick(&self, _: Ticks) {
        unreachable!("a universe moves its time itself")
    }
}
