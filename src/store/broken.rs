//! [`Breaker`]: a store that breaks a promise on purpose, around one that keeps it. Debug builds alone have
//! this file.

use std::sync::Arc;

use async_trait::async_trait;

use crate::engine::broken::{Promise, is_broken};
use crate::engine::ports::{
    Claim, Collection, Count, HistoryEntry, Receipt, Record, Refused, Store, StoreError, Stretch, TaskQuery,
    Write,
};
use crate::engine::transition::Transition;
use crate::model::names::{Address, ProcessId, TaskId};
use crate::model::task::Task;
use crate::model::time::{Span, Timestamp};

/// What is saved with an access token.
const OTHER_HALF: &str = "refresh_token";

type Results = Result<Vec<Result<Receipt, Refused>>, StoreError>;

struct Breaker {
    store: Arc<dyn Store>,
    broken: Promise,
}

/// The store as it is, unless it is to be broken.
pub fn broken(store: Arc<dyn Store>) -> Arc<dyn Store> {
    let all = [Promise::LateAcknowledge, Promise::EarlySignals, Promise::WholePair];
    match all.into_iter().find(|it| is_broken(*it)) {
        Some(broken) => Arc::new(Breaker { store, broken }),
        None => store,
    }
}

/// How long signals are nowhere that are kept after their commit.
const HOLE: std::time::Duration = std::time::Duration::from_millis(20);

impl Breaker {
    /// Submitted tasks are committed later than it is said.
    async fn acknowledge_early(&self, writes: Vec<Write>) -> Results {
        let is_new = |write: &Write| matches!(write, Write::Step(it) if it.idempotency.is_some());
        if !writes.iter().any(is_new) {
            return self.store.commit(writes).await;
        }
        let results = writes.iter().map(|_| Ok(Receipt::default())).collect();
        let store = Arc::clone(&self.store);
        tokio::spawn(async move { store.commit(writes).await });
        Ok(results)
    }

    /// Signals follow in a commit of their own.
    #[expect(clippy::disallowed_methods, reason = "nothing can be awaited in a hole")]
    async fn send_late(&self, mut writes: Vec<Write>) -> Results {
        let mut signals = Vec::new();
        for write in &mut writes {
            if let Write::Step(it) = write {
                let at = it.at;
                signals.push(it.signals.drain(..).map(|it| Write::Post(it, at)).collect::<Vec<_>>());
            } else {
                signals.push(Vec::new());
            }
        }
        let results = self.store.commit(writes).await?;
        let taken = signals.into_iter().zip(&results).filter(|(_, result)| result.is_ok());
        let late: Vec<Write> = taken.flat_map(|(signals, _)| signals).collect();
        if !late.is_empty() {
            // A hole that a few strikes at random are sure to hit.
            tokio::time::sleep(HOLE).await;
            self.store.commit(late).await?;
        }
        Ok(results)
    }

    /// The access token first, and then the rest.
    async fn halve(&self, writes: Vec<Write>) -> Results {
        let mut halves = Vec::new();
        for write in &writes {
            if let Write::Step(whole) = write
                && let Some(half) = self.half(whole).await?
            {
                halves.push(Write::Step(Box::new(half)));
            }
        }
        if !halves.is_empty() {
            self.store.commit(halves).await?;
        }
        self.store.commit(writes).await
    }

    async fn half(&self, whole: &Transition) -> Result<Option<Transition>, StoreError> {
        let Some(old) = self.store.task(whole.task.id).await? else {
            return Ok(None);
        };
        let (Some(was), Some(is)) = (old.params.get(OTHER_HALF), whole.task.params.get(OTHER_HALF)) else {
            return Ok(None);
        };
        if was == is || whole.gone {
            return Ok(None);
        }
        let mut half = whole.clone();
        half.task.params.set(OTHER_HALF, was.clone());
        half.task.revision = old.revision;
        (half.signals, half.events, half.read) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Some(half))
    }
}

#[async_trait]
impl Store for Breaker {
    async fn commit(&self, writes: Vec<Write>) -> Results {
        match self.broken {
            Promise::LateAcknowledge => self.acknowledge_early(writes).await,
            Promise::EarlySignals => self.send_late(writes).await,
            Promise::WholePair => self.halve(writes).await,
            Promise::FullSync | Promise::Fence | Promise::Ticks | Promise::Survival => {
                self.store.commit(writes).await
            }
        }
    }

    async fn claim(&self, now: Timestamp, lease: Span, limit: usize) -> Result<Vec<Claim>, StoreError> {
        self.store.claim(now, lease, limit).await
    }

    async fn read(&self, addresses: &[Address]) -> Result<Vec<Option<Task>>, StoreError> {
        self.store.read(addresses).await
    }

    async fn resume(&self, now: Timestamp) -> Result<u64, StoreError> {
        self.store.resume(now).await
    }

    async fn probe(&self) -> Result<(), StoreError> {
        self.store.probe().await
    }

    async fn close(&self) {
        self.store.close().await;
    }

    async fn pull_due(&self, by: Span, after: TaskId, limit: usize) -> Result<Option<TaskId>, StoreError> {
        self.store.pull_due(by, after, limit).await
    }

    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        self.store.next_due().await
    }

    async fn wake_parked(&self, process: &ProcessId, now: Timestamp) -> Result<u64, StoreError> {
        self.store.wake_parked(process, now).await
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

    async fn put(&self, records: Vec<Record>) -> Result<(), StoreError> {
        self.store.put(records).await
    }

    async fn delete(&self, of: Collection, name: &str) -> Result<bool, StoreError> {
        self.store.delete(of, name).await
    }

    async fn collection(&self, of: Collection) -> Result<Vec<Record>, StoreError> {
        self.store.collection(of).await
    }

    async fn record(&self, of: Collection, name: &str) -> Result<Option<Record>, StoreError> {
        self.store.record(of, name).await
    }

    async fn scan(&self, stretch: &Stretch) -> Result<Vec<Record>, StoreError> {
        self.store.scan(stretch).await
    }

    async fn delete_before(&self, of: Collection, name: &str) -> Result<u64, StoreError> {
        self.store.delete_before(of, name).await
    }
}
