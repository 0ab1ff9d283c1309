//! [`Refusing`]: a store that refuses some of its writes, as one does whose disk is full for a while.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use beltline::engine::ports::{
    AlarmCounts, Claim, Collection, Count, HistoryEntry, Receipt, Record, Refused, Store, StoreError,
    Stretch, TaskQuery, Write,
};
use beltline::model::names::{Address, ProcessId, TaskId};
use beltline::model::task::Task;
use beltline::model::time::{Span, Timestamp};

/// How a write is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// Nothing of it is kept.
    Full,
    /// It is kept, and only the answer is lost.
    Unheard,
    /// There is no answer.
    Silent,
}

/// A store that refuses some of its writes.
pub(crate) struct Refusing {
    store: Arc<dyn Store>,
    writes: AtomicUsize,
    refused: AtomicUsize,
    which: Mutex<(Range<usize>, How)>,
}

impl Refusing {
    /// Refuses nothing yet.
    pub(crate) fn new(store: Arc<dyn Store>) -> Arc<Refusing> {
        let which = Mutex::new((0..0, How::Full));
        Arc::new(Refusing { store, writes: AtomicUsize::new(0), refused: AtomicUsize::new(0), which })
    }

    /// What is kept, past all refusals.
    pub(crate) fn inner(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store)
    }

    /// Counts its writes from 0 now, and refuses those.
    pub(crate) fn refuse(&self, which: Range<usize>, how: How) {
        *self.which.lock().unwrap() = (which, how);
        self.writes.store(0, Ordering::SeqCst);
    }

    /// Takes all writes from now on, and says how many it refused.
    pub(crate) fn heal(&self) -> usize {
        self.refuse(0..0, How::Full);
        self.refused.swap(0, Ordering::SeqCst)
    }

    async fn write<T>(&self, write: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        let number = self.writes.fetch_add(1, Ordering::SeqCst);
        let (which, how) = self.which.lock().unwrap().clone();
        if !which.contains(&number) {
            return write.await;
        }
        self.refused.fetch_add(1, Ordering::SeqCst);
        match how {
            How::Full => {}
            How::Unheard => drop(write.await?),
            How::Silent => std::future::pending::<()>().await,
        }
        Err(StoreError::Lost("the disk is full".to_owned()))
    }
}

#[async_trait]
impl Store for Refusing {
    async fn claim(&self, now: Timestamp, lease: Span, limit: usize) -> Result<Vec<Claim>, StoreError> {
        self.store.claim(now, lease, limit).await
    }

    async fn resume(&self, now: Timestamp) -> Result<u64, StoreError> {
        self.store.resume(now).await
    }

    async fn commit(&self, writes: Vec<Write>) -> Result<Vec<Result<Receipt, Refused>>, StoreError> {
        self.write(self.store.commit(writes)).await
    }

    async fn read(&self, addresses: &[Address]) -> Result<Vec<Option<Task>>, StoreError> {
        self.store.read(addresses).await
    }

    async fn pull_due(&self, by: Span, after: TaskId, limit: usize) -> Result<Option<TaskId>, StoreError> {
        self.write(self.store.pull_due(by, after, limit)).await
    }
    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        self.store.next_due().await
    }

    async fn wake_parked(&self, process: &ProcessId, now: Timestamp) -> Result<u64, StoreError> {
        self.write(self.store.wake_parked(process, now)).await
    }

    async fn task(&self, id: TaskId) -> Result<Option<Task>, StoreError> {
        self.store.task(id).await
    }

    async fn find(&self, address: &Address) -> Result<Option<Task>, StoreError> {
        self.store.find(address).await
    }

    async fn keyed(&self, key: &str) -> Result<Option<Task>, StoreError> {
        self.store.keyed(key).await
    }
    async fn tasks(&self, query: &TaskQuery) -> Result<Vec<Task>, StoreError> {
        self.store.tasks(query).await
    }

    async fn named(&self, among: &[ProcessId], prefix: &str, limit: usize) -> Result<Vec<Task>, StoreError> {
        self.store.named(among, prefix, limit).await
    }

    async fn history(&self, id: TaskId, after: u64, limit: usize) -> Result<Vec<HistoryEntry>, StoreError> {
        self.store.history(id, after, limit).await
    }

    async fn events(&self, after: u64, limit: usize) -> Result<Vec<HistoryEntry>, StoreError> {
        self.store.events(after, limit).await
    }

    async fn last_event(&self) -> Result<u64, StoreError> {
        self.store.last_event().await
    }

    async fn counts(&self, process: Option<&ProcessId>) -> Result<Vec<Count>, StoreError> {
        self.store.counts(process).await
    }

    async fn alarms(&self, after: Option<TaskId>, limit: usize) -> Result<Vec<Task>, StoreError> {
        self.store.alarms(after, limit).await
    }

    async fn alarm_counts(&self) -> Result<AlarmCounts, StoreError> {
        self.store.alarm_counts().await
    }

    async fn probe(&self) -> Result<(), StoreError> {
        self.write(self.store.probe()).await
    }

    async fn put(&self, records: Vec<Record>) -> Result<(), StoreError> {
        self.write(self.store.put(records)).await
    }

    async fn delete(&self, on: Collection, name: &str) -> Result<bool, StoreError> {
        self.write(self.store.delete(on, name)).await
    }

    async fn collection(&self, on: Collection) -> Result<Vec<Record>, StoreError> {
        self.store.collection(on).await
    }

    async fn record(&self, on: Collection, name: &str) -> Result<Option<Record>, StoreError> {
        self.store.record(on, name).await
    }

    async fn scan(&self, stretch: &Stretch) -> Result<Vec<Record>, StoreError> {
        self.store.scan(stretch).await
    }

    async fn delete_before(&self, on: Collection, name: &str) -> Result<u64, StoreError> {
        self.write(self.store.delete_before(on, name)).await
    }
}
