//! [`Fickle`]: a store that refuses to commit while it is told to, and says what was claimed of it.

use std::sync::Arc;

use async_trait::async_trait;
use beltline::engine::ports::{
    Claim, Collection, Count, HistoryEntry, Receipt, Record, Refused, Store, StoreError, Stretch, TaskQuery,
    Write,
};
use beltline::model::names::{Address, ProcessId, TaskId};
use beltline::model::task::Task;
use beltline::model::time::{Span, Timestamp};
use tokio::sync::watch;

/// What it does with commits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mood {
    /// Takes them.
    #[default]
    Takes,
    /// Refuses them, as on a full disk.
    Refuses,
    /// Takes one more, and refuses all after that.
    TakesOne,
    /// Takes them, and says that it did not.
    Lies,
}

/// A store over another one.
pub(crate) struct Fickle {
    inner: Arc<dyn Store>,
    mood: watch::Sender<Mood>,
    /// How many commits it has refused.
    refused: watch::Sender<usize>,
    /// Every task that was claimed, in order.
    claimed: watch::Sender<Vec<TaskId>>,
    /// Whether it does not count now, and how many wait for that.
    uncounted: watch::Sender<(bool, usize)>,
}

impl Fickle {
    pub(crate) fn over(inner: Arc<dyn Store>) -> Arc<Fickle> {
        let (mood, refused, claimed) =
            (watch::Sender::default(), watch::Sender::default(), watch::Sender::default());
        Arc::new(Fickle { inner, mood, refused, claimed, uncounted: watch::Sender::default() })
    }

    /// It does not count until it is told to.
    pub(crate) fn counts(&self, does: bool) {
        self.uncounted.send_modify(|it| it.0 = !does);
    }

    /// Returns when somebody waits for a count.
    pub(crate) async fn is_to_count(&self) {
        self.uncounted.subscribe().wait_for(|it| it.1 > 0).await.unwrap();
    }

    pub(crate) fn is_in(&self, mood: Mood) {
        self.mood.send_replace(mood);
    }

    /// Returns when it has refused so many commits in all, or told so many lies.
    pub(crate) async fn has_refused(&self, commits: usize) {
        self.refused.subscribe().wait_for(|it| *it >= commits).await.unwrap();
    }

    /// How often that task has been claimed.
    pub(crate) fn given_out(&self, id: TaskId) -> usize {
        self.claimed.borrow().iter().filter(|it| **it == id).count()
    }
}

#[async_trait]
impl Store for Fickle {
    async fn claim(&self, now: Timestamp, lease: Span, limit: usize) -> Result<Vec<Claim>, StoreError> {
        let claims = self.inner.claim(now, lease, limit).await?;
        self.claimed.send_modify(|all| all.extend(claims.iter().map(|it| it.task.id)));
        Ok(claims)
    }
    async fn commit(&self, writes: Vec<Write>) -> Result<Vec<Result<Receipt, Refused>>, StoreError> {
        let mood = *self.mood.borrow();
        if mood == Mood::TakesOne {
            self.is_in(Mood::Refuses);
            return self.inner.commit(writes).await;
        }
        let done = match mood {
            Mood::Refuses => Err(StoreError::Lost("the disk is full".to_owned())),
            Mood::Takes | Mood::TakesOne | Mood::Lies => self.inner.commit(writes).await,
        };
        if mood == Mood::Takes {
            return done;
        }
        self.refused.send_modify(|it| *it += 1);
        Err(StoreError::Lost("the disk is full".to_owned()))
    }
    async fn read(&self, addresses: &[Address]) -> Result<Vec<Option<Task>>, StoreError> {
        self.inner.read(addresses).await
    }
    async fn resume(&self, now: Timestamp) -> Result<u64, StoreError> {
        self.inner.resume(now).await
    }
    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        self.inner.next_due().await
    }
    async fn pull_due(&self, by: Span, after: TaskId, limit: usize) -> Result<Option<TaskId>, StoreError> {
        self.inner.pull_due(by, after, limit).await
    }
    async fn wake_parked(&self, process: &ProcessId, now: Timestamp) -> Result<u64, StoreError> {
        self.inner.wake_parked(process, now).await
    }
    async fn task(&self, id: TaskId) -> Result<Option<Task>, StoreError> {
        self.inner.task(id).await
    }
    async fn find(&self, address: &Address) -> Result<Option<Task>, StoreError> {
        self.inner.find(address).await
    }
    async fn keyed(&self, key: &str) -> Result<Option<Task>, StoreError> {
        self.inner.keyed(key).await
    }
    async fn tasks(&self, query: &TaskQuery) -> Result<Vec<Task>, StoreError> {
        self.inner.tasks(query).await
    }
    async fn named(&self, among: &[ProcessId], prefix: &str, limit: usize) -> Result<Vec<Task>, StoreError> {
        self.inner.named(among, prefix, limit).await
    }
    async fn history(&self, id: TaskId, after: u64, limit: usize) -> Result<Vec<HistoryEntry>, StoreError> {
        self.inner.history(id, after, limit).await
    }
    async fn events(&self, after: u64, limit: usize) -> Result<Vec<HistoryEntry>, StoreError> {
        self.inner.events(after, limit).await
    }
    async fn last_event(&self) -> Result<u64, StoreError> {
        self.inner.last_event().await
    }
    async fn counts(&self, process: Option<&ProcessId>) -> Result<Vec<Count>, StoreError> {
        self.uncounted.send_modify(|it| it.1 += 1);
        self.uncounted.subscribe().wait_for(|it| !it.0).await.unwrap();
        self.uncounted.send_modify(|it| it.1 -= 1);
        self.inner.counts(process).await
    }
    async fn alarms(&self, after: Option<TaskId>, limit: usize) -> Result<Vec<Task>, StoreError> {
        self.inner.alarms(after, limit).await
    }
    async fn put(&self, records: Vec<Record>) -> Result<(), StoreError> {
        self.inner.put(records).await
    }
    async fn delete(&self, on: Collection, name: &str) -> Result<bool, StoreError> {
        self.inner.delete(on, name).await
    }
    async fn collection(&self, on: Collection) -> Result<Vec<Record>, StoreError> {
        self.inner.collection(on).await
    }
    async fn record(&self, on: Collection, name: &str) -> Result<Option<Record>, StoreError> {
        self.inner.record(on, name).await
    }
    async fn scan(&self, stretch: &Stretch) -> Result<Vec<Record>, StoreError> {
        self.inner.scan(stretch).await
    }
    async fn delete_before(&self, on: Collection, name: &str) -> Result<u64, StoreError> {
        self.inner.delete_before(on, name).await
    }
}
