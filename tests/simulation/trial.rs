//! [`Trial`]: random processes in a random run. The same seed, the same trace, byte for byte.

use std::sync::{Arc, Mutex, MutexGuard};

use beltline::engine::batch::SubmitError;
use beltline::engine::ports::{Store, TaskQuery};
use beltline::engine::registry::{Deployed, Registry};
use beltline::engine::resources::ResourceCache;
use beltline::engine::runner::{Handle, NewTask};
use beltline::model::names::{Address, ProcessId, TaskId};
use beltline::model::scope::ReadSet;
use beltline::model::signal::{Signal, SignalKind, SignalTarget};
use beltline::model::task::{State, Task};
use beltline::model::time::Span;
use beltline::scenario::director::Director;
use beltline::scenario::life::at_once;
use beltline::scenario::simulation::{Premises, Simulation};
use beltline::scenario::virtual_time::{StallError, VirtualTime};
use beltline::service::actor::Actor;
use beltline::service::deploy::Deployment;
use beltline::service::service::{Service, ServiceConfig};
use beltline::store::memory::Memory;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::simulation::dice::Dice;
use crate::simulation::faults::{Faults, Kind, OUTAGE_MAX};
use crate::simulation::names::Names;
use crate::simulation::oracle::Oracle;
use crate::simulation::plans::{CHAIN, PLANS, plans};
use crate::simulation::universe::{BEGINNING, CALLS_AT_ONCE_MAX, address, params, process};

/// How many hours one seed is.
pub(crate) const HOURS: u64 = 6;
/// How long things go wrong, and how long all is well after that.
const ROUGH: Span = Span::mins(340);
const CALM: Span = Span::mins(20);
/// So many outages may follow each other.
const OUTAGES_MAX: usize = 5;
/// A runner that is asked to stop does so in this time.
const GRACE: Span = Span::secs(10);

/// What came of a seed.
pub(crate) struct Tried {
    pub(crate) kinds: Vec<Kind>,
    /// After how many milliseconds it ended.
    pub(crate) up: i64,
    pub(crate) wrong: Vec<String>,
    pub(crate) trace: Vec<String>,
    pub(crate) texts: Vec<String>,
}

/// A run.
struct Trial {
    simulation: Simulation,
    oracle: Arc<Mutex<Oracle>>,
    disk: Arc<Memory>,
    registry: Arc<Registry>,
    dice: Dice,
    texts: Vec<String>,
    submits: Arc<Mutex<Vec<Submit>>>,
    service: Option<Arc<Service>>,
    /// Live at least until then.
    over: bool,
}

/// What was handed in.
struct Submit {
    to: Address,
    life: u16,
    answer: Option<Result<TaskId, SubmitError>>,
}

/// Runs a seed.
pub(crate) fn try_seed(seed: u64, kinds: &[Kind]) -> Tried {
    let time = VirtualTime::new(BEGINNING);
    time.limit_calls(CALLS_AT_ONCE_MAX);
    let runtime = time.runtime();
    let mut trial = Trial::new(seed, kinds, &time);
    runtime.block_on(trial.run());
    // The runner ends before its runtime does.
    runtime.block_on(trial.simulation.kill());
    let (texts, up) = (std::mem::take(&mut trial.texts), trial.up());
    drop(runtime);
    let mut oracle = trial.oracle();
    let kinds = oracle.faults.kinds.clone();
    let (wrong, trace) = (std::mem::take(&mut oracle.wrong), std::mem::take(&mut oracle.trace));
    Tried { kinds, up, wrong, trace, texts }
}

impl Trial {
    fn new(seed: u64, kinds: &[Kind], time: &Arc<VirtualTime>) -> Trial {
        let mut dice = Dice(seed);
        let texts = plans(&mut dice);
        let registry = Arc::new(Registry::default());
        for text in &texts {
            registry.put(Deployed::new(Arc::new(process(text)), false));
        }
        let mut faults = Faults::new(&mut dice, i64::try_from(ROUGH.0).unwrap());
        if !kinds.is_empty() {
            faults.kinds = kinds.to_vec();
        }
        let effects_max = faults.has(Kind::Backlog).then_some(2);
        let oracle = Arc::new(Mutex::new(Oracle::new(faults, Names::of(&texts))));
        let director: Arc<Mutex<dyn Director>> = Arc::<Mutex<Oracle>>::clone(&oracle);
        let disk = Arc::new(Memory::default());
        let simulation = Simulation::new(Premises {
            time: Arc::clone(time),
            store: Arc::<Memory>::clone(&disk),
            registry: Arc::clone(&registry),
            facts: Arc::new(ReadSet::default),
            director,
            effects_max,
        });
        let submits = Arc::default();
        Trial { simulation, oracle, disk, registry, dice, texts, submits, service: None, over: false }
    }

    fn oracle(&self) -> MutexGuard<'_, Oracle> {
        self.oracle.lock().unwrap()
    }

    async fn run(&mut self) {
        self.start().await;
        self.boxes();
        self.submit("keeper/k", json!({}));
        let (mut number, end) = (0, i64::try_from(ROUGH.0).unwrap());
        while self.up() < end && !self.over {
            number += 1;
            let name = format!("p{}/t{number}", self.dice.from(0, PLANS));
            self.submit(&name, json!({}));
            if self.dice.once_in(3) {
                // Another in the same moment.
                let name = format!("p{}/u{number}", self.dice.from(0, PLANS));
                self.submit(&name, json!({}));
            }
            // Half of what goes wrong does so while something is being done.
            let most = if self.dice.once_in(2) { 5_000 } else { 2_400_000 };
            let pause = self.dice.from(1, most);
            self.live(pause).await;
            self.disturb().await;
        }
        self.live(CALM.0).await;
        if !self.over {
            self.judge();
        }
    }

    fn up(&self) -> i64 {
        self.simulation.premises().time.moment().up
    }

    /// The tasks that others read.
    fn boxes(&mut self) {
        for link in 0..CHAIN {
            self.submit(&format!("box/c{link}"), json!({"next": format!("c{}", link + 1)}));
        }
    }

    /// Starts a runner, and with it a service if somebody deploys.
    async fn start(&mut self) {
        self.simulation.start();
        let life = u64::from(self.simulation.lives()) - 1;
        self.oracle().life = life;
        self.oracle().stopping = false;
        let kinds = self.oracle().faults.kinds.clone();
        let (steps, deploys) = (kinds.contains(&Kind::Step), kinds.contains(&Kind::Deploy));
        if !steps && !deploys {
            return;
        }
        let handle = self.simulation.handle().unwrap().clone();
        let service =
            Arc::new(Service::new(handle, Arc::new(ResourceCache::default()), ServiceConfig::default()));
        if steps {
            // It goes no further when its runner is dead.
            tokio::spawn(Arc::clone(&service).follow_clock(CancellationToken::new()));
        }
        if !deploys {
            return;
        }
        let first = self.simulation.lives() == 1;
        let texts = self.texts.clone();
        let own = Arc::clone(&service);
        // What is not loaded now, for the store is away, is loaded by nobody; as it is at a real start.
        let load = async move {
            drop(own.load_all().await);
            for text in texts.iter().filter(|_| first) {
                drop(own.deploy(&Actor::local("ann"), deployment(text)).await);
            }
        };
        // If the runner died meanwhile, there is another one, with a service of its own.
        if self.patiently(load).await.is_some() {
            self.service = Some(service);
        }
    }

    async fn patiently<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        let time = Arc::clone(&self.simulation.premises().time);
        match time.unless_trouble(work).await {
            Ok(done) => Some(done),
            Err(trouble) => {
                self.recover(trouble).await;
                None
            }
        }
    }

    /// Hands in a task; what comes of it is looked at in the end.
    fn submit(&mut self, to: &str, given: serde_json::Value) {
        let Some(handle) = self.simulation.handle().cloned() else { return };
        let (to, life) = (address(to), self.simulation.lives());
        let oracle = Arc::clone(&self.oracle);
        let (submits, place) = (Arc::clone(&self.submits), self.submits.lock().unwrap().len());
        self.submits.lock().unwrap().push(Submit { to: to.clone(), life, answer: None });
        let entry = NewTask {
            process: to.process.clone(),
            reference: to.reference.clone(),
            params: params(given),
            idempotency: None,
            by: None,
        };
        tokio::spawn(async move {
            let answer = handle.submit(entry).await.map(|task| task.id);
            let mut oracle = oracle.lock().unwrap();
            if answer == Err(SubmitError::Stopping) && !oracle.stopping {
                oracle.says(format!("the submit of `{to}` is told of a stop, and nothing stops"));
            }
            drop(oracle);
            submits.lock().unwrap()[place].answer = Some(answer);
        });
    }

    /// Lives on for so many milliseconds.
    async fn live(&mut self, millis: u64) {
        let end = self.up() + i64::try_from(millis).unwrap();
        while !self.over && self.up() < end {
            if let Err(trouble) = self.simulation.run_until(end).await {
                self.recover(trouble).await;
            }
            let wrong = self.oracle().wrong.len();
            self.over |= wrong > 0;
        }
    }

    /// A runner that died is started again; one that hangs is the end of this run.
    async fn recover(&mut self, trouble: StallError) {
        self.oracle().note(&format!("{trouble:?}"));
        self.oracle().stopping = true;
        if !self.oracle().wrong.is_empty() {
            self.over = true;
            return;
        }
        if trouble != StallError::Died {
            self.oracle().says(format!("{trouble:?} at {}", self.up()));
            self.over = true;
            return;
        }
        let life = self.oracle().life;
        self.oracle().killed.insert(life);
        self.simulation.kill().await;
        self.again().await;
    }

    /// Some time passes without a runner, and then there is another.
    async fn again(&mut self) {
        let life = u64::from(self.simulation.lives()) - 1;
        self.oracle().ledger.died(life);
        let rest = self.dice.from(10, 30_000);
        self.simulation.premises().time.sleep(Span::millis(rest)).await;
        Box::pin(self.start()).await;
    }

    /// What the driver itself brings about.
    async fn disturb(&mut self) {
        let kinds = self.oracle().faults.kinds.clone();
        let kind = *self.dice.of(&kinds);
        let time = Arc::clone(&self.simulation.premises().time);
        match kind {
            Kind::Step if self.dice.once_in(3) => {
                let size = *self.dice.of(&[30_000, 7_200_000]);
                let millis = if self.dice.once_in(2) { size } else { -size };
                self.oracle().note(&format!("{} the wall clock steps by {millis} ms", time.moment().up));
                time.step(millis);
            }
            Kind::Freeze => {
                let span = self.dice.from(1_000, 90_000);
                self.oracle().note(&format!("{} frozen for {span} ms", time.moment().up));
                let dice = &mut self.dice;
                time.freeze(Span::millis(span), |many| usize::try_from(dice.from(0, many as u64)).unwrap());
            }
            Kind::Stop if self.dice.once_in(2) => self.stop().await,
            Kind::Deploy => self.deploy().await,
            _ => self.signal(),
        }
    }

    async fn stop(&mut self) {
        self.oracle().note("stop");
        self.oracle().stopping = true;
        match self.simulation.stop(GRACE).await {
            Ok(true) => {}
            Err(StallError::Died) => {
                let life = self.oracle().life;
                self.oracle().killed.insert(life);
            }
            Ok(false) => self.oracle().says(format!("it did not stop within {GRACE}")),
            Err(trouble) => return self.recover(trouble).await,
        }
        self.again().await;
    }

    /// A version of a process with one node less, and then the first one again.
    async fn deploy(&mut self) {
        let text = self.texts[3 + usize::try_from(self.dice.from(0, PLANS)).unwrap()].clone();
        let other = text
            .replace("n1: ", "m1: ")
            .replace("next: n1,", "next: m1,")
            .replace("next: n1}", "next: m1}")
            .replace("error: n1}", "error: m1}")
            .replace("timeout: n1,", "timeout: m1,");
        self.oracle().note(&format!("{} deploy", self.up()));
        for (text, from, to) in [(other, "n1", "m1"), (text, "m1", "n1")] {
            let moves = [(from.parse().unwrap(), to.parse().unwrap())].into();
            let deployment = Deployment { moves, ..deployment(&text) };
            // Another one, when the runner died meanwhile.
            let Some(service) = self.service.clone() else { return };
            let done =
                self.patiently(async move { service.deploy(&Actor::local("ann"), deployment).await }).await;
            let told = done.map(|it| it.map(drop).map_err(|it| it.to_string()));
            self.oracle().note(&format!("{} deployed: {told:?}", self.up()));
            if told.is_some_and(|it| it.is_err()) {
                self.none_sleeps().await;
            }
        }
    }

    /// What was paused for a deploy that failed goes on when the store is back: nobody else pauses here.
    async fn none_sleeps(&mut self) {
        for _ in 0..OUTAGES_MAX {
            self.live(OUTAGE_MAX.0 + 30_000).await;
            if self.sleepers().is_empty() {
                return;
            }
            // One outage may follow another.
        }
        for sleeper in self.sleepers() {
            self.oracle().says(format!("{sleeper} after a deploy that failed"));
        }
    }

    /// What rests as if somebody had paused it.
    fn sleepers(&self) -> Vec<String> {
        let query = TaskQuery { limit: usize::MAX, ..TaskQuery::default() };
        let tasks = at_once(self.disk.tasks(&query)).unwrap();
        let lies = |task: &&Task| task.due.is_none() && matches!(task.state, State::Ready { .. });
        let tasks = tasks.iter().filter(lies);
        let tasks = tasks.map(|task| format!("`{}` sleeps on `{}`", task.address(), task.at));
        let ids = (0..PLANS).map(|number| ProcessId::new(&format!("p{number}")).unwrap());
        let paused = ids.filter(|id| self.registry.get(id).is_some_and(|it| it.paused));
        tasks.chain(paused.map(|id| format!("`{id}` is paused, and nobody paused it,"))).collect()
    }

    fn none_is_paused(&mut self) {
        for number in 0..PLANS {
            let id = ProcessId::new(&format!("p{number}")).unwrap();
            if self.registry.get(&id).is_some_and(|it| it.paused) {
                self.oracle().says(format!("`{id}` is paused, and nobody paused it"));
            }
        }
    }

    /// A signal to the keeper, from outside.
    fn signal(&mut self) {
        let Some(handle) = self.simulation.handle().cloned() else { return };
        let kind = SignalKind::Modify { params: params(json!({"kick": 1})) };
        let signal = Signal { to: SignalTarget::Address(address("keeper/k")), kind };
        tokio::spawn(async move { drop(Handle::post(&handle, signal).await) });
    }

    /// What must hold when all has been well for a while.
    fn judge(&mut self) {
        self.none_is_paused();
        let query = TaskQuery { limit: usize::MAX, ..TaskQuery::default() };
        let tasks = at_once(self.disk.tasks(&query)).unwrap();
        let moment = self.simulation.premises().time.moment();
        let lives = self.simulation.lives();
        let mut oracle = self.oracle.lock().unwrap();
        oracle.at_the_end(&tasks, moment);
        for submit in self.submits.lock().unwrap().iter() {
            let name = &submit.to;
            match &submit.answer {
                Some(Ok(id)) if !tasks.iter().any(|task| task.id == *id) => {
                    oracle.says(format!("`{name}` was acknowledged and is gone"));
                }
                None if submit.life == lives => {
                    oracle.says(format!("the submit of `{name}` was never answered"));
                }
                _ => {}
            }
        }
        let stuck = tasks.iter().filter(|it| matches!(it.state, State::Doing(_)));
        for task in stuck.filter(|it| it.process == ProcessId::new("box").unwrap()) {
            oracle.says(format!("`{}` does what it cannot", task.address()));
        }
    }
}

fn deployment(text: &str) -> Deployment {
    Deployment { text: text.to_owned(), ..Deployment::default() }
}
