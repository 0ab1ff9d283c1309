//! [`Scene`]: the processor of a runner over a real store, with the time in a test's hand. What the world is
//! asked is noted, and answered at once.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use beltline::engine::again::Again;
use beltline::engine::apart::Apart;
use beltline::engine::batch::{BatchProcessor, SubmitError, Work, WorkItem};
use beltline::engine::ids::IdGenerator;
use beltline::engine::in_flight::InFlight;
use beltline::engine::ports::{Clock, Outbound, Store, TaskQuery, Write};
use beltline::engine::registry::{Deployed, Registry};
use beltline::engine::runtime_state::RuntimeState;
use beltline::engine::step::Cause;
use beltline::engine::witness::Unwitnessed;
use beltline::model::effect::{Effect, ExternalAnswer, HttpAnswer, Outcome};
use beltline::model::names::ProcessId;
use beltline::model::scope::ReadSet;
use beltline::model::signal::{Command, Signal, SignalKind, SignalTarget};
use beltline::model::task::{HistoryEvent, State, Task};
use beltline::model::time::{Span, Ticks, Timestamp};
use beltline::process::process::Process;
use beltline::store::memory::Memory;
use serde_json::{Map, Value};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use crate::simulation::universe::{BEGINNING, address, params, process};

/// So many batches in one moment are a hang.
const BATCHES_MAX: usize = 5_000;

/// Turns over one store.
pub(super) struct Scene {
    pub(super) processor: BatchProcessor,
    pub(super) runtime: Runtime,
    /// The keys of all that was asked, in order.
    pub(super) asked: Vec<String>,
    now: Arc<Now>,
    _folder: Option<TempDir>,
}

struct Now(AtomicI64);

#[async_trait]
impl Clock for Now {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
    fn ticks(&self) -> Ticks {
        Ticks(self.up().0)
    }
    fn up(&self) -> Span {
        self.now().since(Timestamp(0))
    }
    async fn at(&self, _: Timestamp) {
        std::future::pending::<()>().await;
    }
    async fn at_tick(&self, _: Ticks) {
        std::future::pending::<()>().await;
    }
}

struct Nobody;

#[async_trait]
impl Outbound for Nobody {
    async fn perform(&self, _: &Effect) -> Outcome {
        unreachable!("a scene answers by itself")
    }
}

/// Plays the same over every store.
pub(super) fn everywhere(texts: &[&str], play: impl Fn(&mut Scene)) {
    in_memory(texts, &play);
    let (sqlite, folder) = crate::store::sqlite::fresh();
    let scene = Scene::over(Arc::new(sqlite), texts.iter().map(|text| process(text)).collect());
    play(&mut Scene { _folder: Some(folder), ..scene });
}

/// Plays over memory alone: what takes hundreds of commits.
pub(super) fn in_memory(texts: &[&str], play: impl Fn(&mut Scene)) {
    let processes = texts.iter().map(|text| process(text)).collect();
    play(&mut Scene::over(Arc::new(Memory::default()), processes));
}

impl Scene {
    pub(super) fn over(store: Arc<dyn Store>, processes: Vec<Process>) -> Scene {
        let registry = Arc::new(Registry::default());
        for process in processes {
            registry.put(Deployed::new(Arc::new(process), false));
        }
        let now = Arc::new(Now(AtomicI64::new(BEGINNING.0)));
        let processor = BatchProcessor {
            store,
            world: Arc::new(Nobody),
            clock: now.clone(),
            registry,
            state: RuntimeState::default(),
            facts: Arc::new(ReadSet::default),
            ids: IdGenerator::foreseen(0),
            in_flight: InFlight::default(),
            apart: Apart::default(),
            witness: Arc::new(Unwitnessed),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        Scene { processor, runtime, asked: Vec::new(), now, _folder: None }
    }

    /// A new task, as it is handed in, and what is told of it.
    pub(super) fn entry(
        &self,
        at: &str,
        given: Value,
    ) -> (Work, oneshot::Receiver<Result<Task, SubmitError>>) {
        let at = address(at);
        let task = self.processor.new_task(&at.process, at.reference, params(given)).unwrap();
        let ((tell, told), again) = (oneshot::channel(), Again::default());
        let hand =
            WorkItem { task, cause: Cause::New, idempotency: None, by: None, reply_to: Some(tell), again };
        (Work::Hand(Box::new(hand)), told)
    }

    /// Submits a task; nothing else happens yet.
    pub(super) fn submit(&mut self, at: &str, given: Value) -> Result<Task, SubmitError> {
        let (item, mut told) = self.entry(at, given);
        self.run_batch(vec![item]);
        told.try_recv().expect("whoever submits is told")
    }

    /// Submits a task and does all that is to be done at once.
    pub(super) fn live(&mut self, at: &str, given: Value) -> Task {
        self.submit(at, given).unwrap();
        self.settle();
        self.task(at)
    }

    /// A signal from outside, not read yet.
    pub(super) fn post(&mut self, at: &str, kind: SignalKind) {
        let signal = Signal { to: SignalTarget::Address(address(at)), kind };
        let (store, now) = (Arc::clone(&self.processor.store), self.now());
        self.runtime.block_on(store.commit(vec![Write::Post(signal, now)])).unwrap().remove(0).unwrap();
        self.processor.state.wake_by(now);
    }

    pub(super) fn command(&mut self, at: &str, command: Command) {
        self.post(at, SignalKind::Command { command, by: "ann".to_owned() });
    }

    /// Does all that is to be done now.
    pub(super) fn settle(&mut self) {
        for _ in 0..BATCHES_MAX {
            if self.processor.state.due() > self.now() {
                return;
            }
            let items = self.runtime.block_on(self.processor.claim()).unwrap().items;
            self.run_batch(items);
        }
        panic!("it hangs");
    }

    pub(super) fn later(&mut self, span: Span) {
        let end = self.now() + span;
        while self.processor.state.due() <= end {
            self.now.0.fetch_max(self.processor.state.due().0, Ordering::SeqCst);
            self.settle();
        }
        self.now.0.store(end.0, Ordering::SeqCst);
    }

    pub(super) fn run_batch(&mut self, items: Vec<Work>) {
        let mut items = items;
        while !items.is_empty() {
            let left = self.runtime.block_on(self.processor.run(std::mem::take(&mut items)));
            assert!(left.again.is_empty(), "the store takes every answer");
            for task in left.doing {
                let State::Doing(effect) = &task.state else { continue };
                self.asked.push(effect.key.clone());
                let body = Value::Object(Map::new());
                let answer = HttpAnswer { status: 200, headers: Map::new(), body, broken: None };
                items.push(WorkItem::answered(task, Ok(ExternalAnswer::Http(answer))));
            }
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.now.now()
    }

    /// The task of that name, live or ended.
    pub(super) fn task(&self, at: &str) -> Task {
        let found = self.runtime.block_on(self.processor.store.find(&address(at))).unwrap();
        found.unwrap_or_else(|| panic!("no task {at}"))
    }

    pub(super) fn all(&self, of: &str) -> Vec<Task> {
        let process = Some(ProcessId::new(of).unwrap());
        let query = TaskQuery { process, limit: 1_000_000, ..TaskQuery::default() };
        self.runtime.block_on(self.processor.store.tasks(&query)).unwrap()
    }

    pub(super) fn alive(&self, of: &str) -> usize {
        self.all(of).iter().filter(|task| task.state.phase().is_live()).count()
    }

    pub(super) fn events(&self, at: &str) -> Vec<HistoryEvent> {
        let id = self.task(at).id;
        let entries = self.runtime.block_on(self.processor.store.history(id, 0, 100_000)).unwrap();
        entries.into_iter().flat_map(|entry| entry.events).collect()
    }
}

/// The code of the fault that a task had last.
pub(super) fn code(task: &Task) -> &str {
    task.fault.as_ref().map_or("", |fault| fault.code.as_str())
}

/// A store at which others are faster: before each commit something is done to it, and some writes it
/// refuses.
pub(super) struct Rival {
    pub(super) disk: Memory,
    pub(super) before: Box<dyn Fn(&Memory) + Send + Sync>,
    pub(super) unwritable: Box<dyn Fn(&Write) -> bool + Send + Sync>,
    /// How often it was asked to commit.
    pub(super) commits: Mutex<usize>,
}

impl Rival {
    pub(super) fn new() -> Rival {
        Rival {
            disk: Memory::default(),
            before: Box::new(|_| ()),
            unwritable: Box::new(|_| false),
            commits: Mutex::new(0),
        }
    }
}

mod rival {
    use beltline::engine::ports::{
        Claim, Collection, Count, HistoryEntry, Receipt, Record, Refused, StoreError, Stretch,
    };
    use beltline::model::names::{Address, TaskId};

    use super::*;

    #[async_trait]
    impl Store for Rival {
        async fn claim(&self, now: Timestamp, lease: Span, limit: usize) -> Result<Vec<Claim>, StoreError> {
            self.disk.claim(now, lease, limit).await
        }
        async fn commit(&self, writes: Vec<Write>) -> Result<Vec<Result<Receipt, Refused>>, StoreError> {
            *self.commits.lock().unwrap() += 1;
            (self.before)(&self.disk);
            let mut results = Vec::new();
            for write in writes {
                results.push(match (self.unwritable)(&write) {
                    true => Err(Refused::Unwritable("a row too large".to_owned())),
                    false => self.disk.commit(vec![write]).await?.remove(0),
                });
            }
            Ok(results)
        }
        async fn read(&self, addresses: &[Address]) -> Result<Vec<Option<Task>>, StoreError> {
            self.disk.read(addresses).await
        }
        async fn resume(&self, now: Timestamp) -> Result<u64, StoreError> {
            self.disk.resume(now).await
        }
        async fn pull_due(
            &self,
            by: Span,
            after: TaskId,
            limit: usize,
        ) -> Result<Option<TaskId>, StoreError> {
            self.disk.pull_due(by, after, limit).await
        }
        async fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
            self.disk.next_due().await
        }
        async fn wake_parked(&self, process: &ProcessId, now: Timestamp) -> Result<u64, StoreError> {
            self.disk.wake_parked(process, now).await
        }
        async fn task(&self, id: TaskId) -> Result<Option<Task>, StoreError> {
            self.disk.task(id).await
        }
        async fn find(&self, address: &Address) -> Result<Option<Task>, StoreError> {
            self.disk.find(address).await
        }
        async fn keyed(&self, key: &str) -> Result<Option<Task>, StoreError> {
            self.disk.keyed(key).await
        }
        async fn tasks(&self, query: &TaskQuery) -> Result<Vec<Task>, StoreError> {
            self.disk.tasks(query).await
        }
        async fn named(
            &self,
            among: &[ProcessId],
            prefix: &str,
            limit: usize,
        ) -> Result<Vec<Task>, StoreError> {
            self.disk.named(among, prefix, limit).await
        }
        async fn history(
            &self,
            id: TaskId,
            after: u64,
            limit: usize,
        ) -> Result<Vec<HistoryEntry>, StoreError> {
            self.disk.history(id, after, limit).await
        }
        async fn events(&self, after: u64, limit: usize) -> Result<Vec<HistoryEntry>, StoreError> {
            self.disk.events(after, limit).await
        }
        async fn last_event(&self) -> Result<u64, StoreError> {
            self.disk.last_event().await
        }
        async fn counts(&self, process: Option<&ProcessId>) -> Result<Vec<Count>, StoreError> {
            self.disk.counts(process).await
        }
        async fn alarms(&self, after: Option<TaskId>, limit: usize) -> Result<Vec<Task>, StoreError> {
            self.disk.alarms(after, limit).await
        }
        async fn put(&self, records: Vec<Record>) -> Result<(), StoreError> {
            self.disk.put(records).await
        }
        async fn delete(&self, kind: Collection, name: &str) -> Result<bool, StoreError> {
            self.disk.delete(kind, name).await
        }
        async fn collection(&self, kind: Collection) -> Result<Vec<Record>, StoreError> {
            self.disk.collection(kind).await
        }
        async fn record(&self, kind: Collection, name: &str) -> Result<Option<Record>, StoreError> {
            self.disk.record(kind, name).await
        }
        async fn scan(&self, stretch: &Stretch) -> Result<Vec<Record>, StoreError> {
            self.disk.scan(stretch).await
        }
        async fn delete_before(&self, kind: Collection, name: &str) -> Result<u64, StoreError> {
            self.disk.delete_before(kind, name).await
        }
    }
}
