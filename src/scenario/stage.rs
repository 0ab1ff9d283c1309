//! [`VirtualStage`]: a real runner in virtual time whose outside is a script. What is handed in is followed
//! until nothing is left to do at that moment.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt;
use thiserror::Error;

use crate::engine::batch::SubmitError;
use crate::engine::ports::{Receipt, Refused, Store, StoreError, Write};
use crate::engine::registry::Registry;
use crate::engine::runner::{Handle, NewTask};
use crate::model::effect::Effect;
use crate::model::fault::Fault;
use crate::model::names::{Address, NodeName};
use crate::model::params::Params;
use crate::model::scope::ReadSet;
use crate::model::signal::{Signal, SignalKind, SignalTarget};
use crate::model::task::{HistoryEvent, State, Task};
use crate::model::time::Timestamp;
use crate::scenario::cover::Cover;
use crate::scenario::diff::Miss;
use crate::scenario::director::{Director, RequestResult};
use crate::scenario::script::{Performed, WorldScript};
use crate::scenario::simulation::{Premises, Simulation};
use crate::scenario::story::{Beat, Story};
use crate::scenario::virtual_time::{StallError, VirtualInstant, VirtualTime};

/// As many nodes of a task's way are remembered until somebody looks.
const PATH_MAX: usize = 10_000;

/// Why a scenario cannot go on.
#[derive(Debug, Error)]
pub enum Halt {
    /// The world is not as the script has it.
    #[error("the world is not as the script has it")]
    World(Vec<Miss>),
    /// Something goes round and round while no time passes.
    #[error("it goes round and round at {0} while no time passes; hint: a `delay` is missing on the way")]
    Hangs(Timestamp),
    /// What was handed in was not taken.
    #[error(transparent)]
    NotTaken(#[from] SubmitError),
    /// The store fails.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A runner in virtual time, and what is seen of it.
pub struct VirtualStage {
    simulation: Simulation,
    facts: ReadSet,
    seen: Arc<Mutex<Observed>>,
}

/// The world, and what happened.
pub struct Observed {
    /// The world.
    pub script: WorldScript,
    /// What happened.
    pub story: Story,
    /// Which nodes and ways were taken.
    pub cover: Cover,
    /// The nodes each task came to since it was looked at last.
    pub paths: BTreeMap<Address, Vec<NodeName>>,
    registry: Arc<Registry>,
    facts: ReadSet,
    /// By key of the effect: who asks.
    asking: HashMap<String, Task>,
    committing: Vec<Option<Moved>>,
    misses: Option<Vec<Miss>>,
}

/// What a commit is to be told of.
struct Moved {
    task: Task,
    events: Vec<HistoryEvent>,
}

impl Director for Observed {
    fn committing(&mut self, writes: &[Write], _: VirtualInstant) {
        let moved = |write: &Write| match write {
            Write::Step(it) => Some(Moved { task: it.task.clone(), events: it.events.clone() }),
            Write::Post(..) | Write::Noted(..) => None,
        };
        self.committing = writes.iter().map(moved).collect();
    }

    fn committed(&mut self, results: &[Result<Receipt, Refused>], _: VirtualInstant) {
        let moved = std::mem::take(&mut self.committing);
        for (moved, _) in moved.into_iter().zip(results).filter(|(_, result)| result.is_ok()) {
            if let Some(it) = moved {
                self.tell_of(it);
            }
        }
    }

    fn asked(&mut self, _: u64, effect: &Effect, at: VirtualInstant) -> RequestResult {
        let Some(task) = self.asking.remove(&effect.key) else { return RequestResult::Halts };
        let notified = self.script.notified.len();
        match self.script.perform(&task, effect, &self.facts, at.wall) {
            Ok(Performed { outcome, took }) => {
                for message in &self.script.notified[notified..] {
                    self.story.add(Beat::Notified(at.wall, message.clone()));
                }
                RequestResult::Answers { number: 0, outcome, took: Some(took) }
            }
            Err(misses) => {
                self.misses = Some(misses);
                RequestResult::Halts
            }
        }
    }
}

impl Observed {
    fn tell_of(&mut self, moved: Moved) {
        let Moved { task, events } = moved;
        let address = task.address();
        if let State::Doing(effect) = &task.state {
            self.asking.insert(effect.key.clone(), task);
        }
        let Some(deployed) = self.registry.get(&address.process) else { return };
        if events.is_empty() {
            return;
        }
        let path = self.paths.entry(address.clone()).or_default();
        for event in events {
            self.cover.see(&deployed.process, &event);
            if let Some(to) = event.to.clone().filter(|_| path.len() < PATH_MAX) {
                path.push(to);
            }
            self.story.add(Beat::Event(address.clone(), event));
        }
    }
}

impl VirtualStage {
    /// A stage on which the processes of `registry` run.
    pub fn new(
        time: Arc<VirtualTime>,
        store: Arc<dyn Store>,
        registry: Arc<Registry>,
        facts: ReadSet,
        script: WorldScript,
    ) -> VirtualStage {
        let seen = Arc::new(Mutex::new(Observed {
            script,
            story: Story::default(),
            cover: Cover::default(),
            paths: BTreeMap::new(),
            registry: Arc::clone(&registry),
            facts: facts.clone(),
            asking: HashMap::new(),
            committing: Vec::new(),
            misses: None,
        }));
        let director: Arc<Mutex<dyn Director>> = Arc::<Mutex<Observed>>::clone(&seen);
        let own = facts.clone();
        let facts_of = Arc::new(move || own.clone());
        let premises = Premises { time, store, registry, facts: facts_of, director, effects_max: None };
        let mut simulation = Simulation::new(premises);
        simulation.start();
        VirtualStage { simulation, facts, seen }
    }

    /// The present moment.
    pub fn now(&self) -> Timestamp {
        self.simulation.premises().time.now()
    }

    /// What keeps.
    pub fn store(&self) -> &dyn Store {
        self.simulation.premises().store.as_ref()
    }

    /// The processes.
    pub fn registry(&self) -> &Registry {
        &self.simulation.premises().registry
    }

    /// What every decision may see.
    pub fn facts(&self) -> &ReadSet {
        &self.facts
    }

    /// The world, and what happened.
    pub fn seen(&self) -> MutexGuard<'_, Observed> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What happened, and which nodes and ways were taken.
    pub fn into_story(self) -> (Story, Cover) {
        let mut seen = self.seen();
        (std::mem::take(&mut seen.story), std::mem::take(&mut seen.cover))
    }

    /// Submits a task and does all that is to be done at once.
    pub async fn submit(&mut self, address: &Address, params: Params) -> Result<(), Halt> {
        let (process, reference) = (address.process.clone(), address.reference.clone());
        let entry = NewTask { process, reference, params, idempotency: None, by: None };
        let handle = self.handle()?;
        self.hand_in(handle.submit(entry)).await?;
        self.settle().await
    }

    /// Hands in a signal to a task and does all that is to be done at once. Says why the task would not have
    /// it.
    pub async fn post(&mut self, to: &Task, kind: SignalKind) -> Result<Option<Fault>, Halt> {
        let signal = Signal { to: SignalTarget::Task(to.id), kind };
        let handle = self.handle()?;
        let reading = self.hand_in(handle.post(signal)).await?;
        self.settle().await?;
        let read = reading.and_then(|reading| reading.now_or_never().flatten());
        Ok(read.and_then(Result::err))
    }

    /// The runner dies: answers on their way are lost, and what was asked is found again when its lease ends.
    pub async fn restart(&mut self) {
        self.simulation.kill().await;
        self.simulation.start();
    }

    /// Does all that is to be done now.
    pub async fn settle(&mut self) -> Result<(), Halt> {
        self.run_until(self.now()).await
    }

    /// Lives on until then.
    pub async fn run_until(&mut self, end: Timestamp) -> Result<(), Halt> {
        let VirtualInstant { up, wall, .. } = self.simulation.premises().time.moment();
        let left = i64::try_from(end.since(wall).0).unwrap_or(i64::MAX);
        let done = self.simulation.run_until(up.saturating_add(left)).await;
        done.map_err(|trouble| self.halted(trouble))
    }

    fn handle(&self) -> Result<Handle, Halt> {
        self.simulation.handle().cloned().ok_or(Halt::NotTaken(SubmitError::Stopping))
    }

    async fn hand_in<T>(&self, work: impl Future<Output = Result<T, SubmitError>>) -> Result<T, Halt> {
        let done = self.simulation.premises().time.unless_trouble(work).await;
        Ok(done.map_err(|trouble| self.halted(trouble))??)
    }

    fn halted(&self, trouble: StallError) -> Halt {
        match trouble {
            StallError::Hangs(at) => Halt::Hangs(at),
            StallError::Halted | StallError::Died | StallError::Stuck => match self.seen().misses.take() {
                Some(misses) => Halt::World(misses),
                None => Halt::NotTaken(SubmitError::Stopping),
            },
        }
    }
}
