//! [`Universe`]: a simulation with a partner and an author outside, whose runner dies at chosen doors and is
//! started again.

use std::sync::{Arc, Mutex};

use beltline::engine::ports::{HistoryEntry, Store, Write};
use beltline::engine::registry::{Deployed, Registry};
use beltline::engine::waiters::{TaskReply, WaitHandle};
use beltline::model::names::{Address, ProcessId, Ref, TaskId};
use beltline::model::params::Params;
use beltline::model::scope::ReadSet;
use beltline::model::signal::{Command, Signal, SignalKind, SignalTarget};
use beltline::model::task::{Birth, Seed, Task};
use beltline::model::time::{Span, Timestamp};
use beltline::process::parse::parse;
use beltline::process::process::Process;
use beltline::scenario::director::Director;
use beltline::scenario::simulation::{Premises, Simulation};
use beltline::scenario::virtual_time::{StallError, VirtualTime};
use beltline::store::memory::Memory;
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::simulation::edges::{Edges, Fates, at_once};
use crate::simulation::partners::Partner;

/// Every universe begins on the same day.
pub(crate) const BEGINNING: Timestamp = Timestamp(1_795_000_000_000);

/// So many calls of the store at one moment are called a hang.
pub(crate) const CALLS_AT_ONCE_MAX: u64 = 2_000;

/// A universe.
pub(crate) struct Universe {
    pub(crate) edges: Edges,
    pub(crate) registry: Arc<Registry>,
    simulation: Simulation,
    // Behind the simulation, so that a runner ends before its runtime does.
    runtime: Runtime,
    born: u8,
    /// How long a dead runner stays dead.
    pub(crate) rest: Span,
    pub(crate) lives: u64,
    /// When the present life began.
    pub(crate) up_since: Timestamp,
}

/// The text of a template.
pub(crate) fn template(name: &str) -> String {
    let path = format!("{}/templates/{name}.yaml", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

/// A checked process.
pub(crate) fn process(text: &str) -> Process {
    parse(text).unwrap_or_else(|problems| panic!("{problems:#?}\n{text}"))
}

pub(crate) fn address(text: &str) -> Address {
    let (process, reference) = text.split_once('/').unwrap();
    Address { process: ProcessId::new(process).unwrap(), reference: Ref::new(reference).unwrap() }
}

pub(crate) fn params(value: Value) -> Params {
    serde_json::from_value(value).unwrap()
}

impl Universe {
    pub(crate) fn new(partner: Box<dyn Partner>, processes: &[&str]) -> Universe {
        Universe::mortal(partner, processes, Vec::new())
    }

    /// One whose runner dies at these doors.
    pub(crate) fn mortal(partner: Box<dyn Partner>, processes: &[&str], deaths: Vec<u64>) -> Universe {
        let registry = Arc::new(Registry::default());
        for text in processes {
            registry.put(Deployed::new(Arc::new(process(text)), false));
        }
        Universe::with(partner, registry, deaths)
    }

    /// One with processes that are parsed already.
    pub(crate) fn with(partner: Box<dyn Partner>, registry: Arc<Registry>, deaths: Vec<u64>) -> Universe {
        let edges = Edges::new(partner, deaths);
        let time = VirtualTime::new(BEGINNING);
        time.limit_calls(CALLS_AT_ONCE_MAX);
        let runtime = time.runtime();
        let director: Arc<Mutex<dyn Director>> = Arc::<Mutex<Fates>>::clone(&edges.fates);
        let simulation = Simulation::new(Premises {
            time,
            store: Arc::<Memory>::clone(&edges.disk),
            registry: Arc::clone(&registry),
            facts: Arc::new(facts),
            director,
            effects_max: None,
        });
        let rest = Span::secs(1);
        let mut universe =
            Universe { edges, registry, simulation, runtime, born: 0, rest, lives: 1, up_since: BEGINNING };
        universe.start();
        universe
    }

    fn start(&mut self) {
        let _inside = self.runtime.enter();
        self.simulation.start();
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.simulation.premises().time.now()
    }

    /// A new task, as a signal makes it.
    pub(crate) fn submit(&mut self, to: &str, given: Value) {
        let to = address(to);
        let process = self.registry.get(&to.process).unwrap().process;
        self.born += 1;
        let birth = Some(Birth::new(TaskId(i64::from(self.born)), Seed([self.born; 16])));
        let kind = SignalKind::Create {
            params: params(given),
            caller: None,
            at: Some(process.start.clone()),
            birth,
        };
        self.post(Signal { to: SignalTarget::Address(to), kind }).unwrap();
    }

    /// Waits for what the next task that is submitted replies.
    pub(crate) fn next_reply(&self) -> WaitHandle<TaskReply> {
        let handle = self.simulation.handle().expect("a runner lives");
        handle.processor().state.waiters.reply(TaskId(i64::from(self.born + 1)))
    }

    /// A signal with new params.
    pub(crate) fn modify(&mut self, to: &str, given: Value) {
        let kind = SignalKind::Modify { params: params(given) };
        self.post(Signal { to: SignalTarget::Address(address(to)), kind }).unwrap();
    }

    pub(crate) fn command(&mut self, to: &str, command: Command) {
        let kind = SignalKind::Command { command, by: "ann".to_owned() };
        self.post(Signal { to: SignalTarget::Address(address(to)), kind }).unwrap();
    }

    /// Puts a version of a process in place of the one there is.
    pub(crate) fn deploy(&mut self, text: &str) {
        self.registry.put(Deployed::new(Arc::new(process(text)), false));
    }

    /// Stops the tasks of a process, or lets them go on.
    pub(crate) fn pause(&mut self, id: &str, paused: bool) {
        let id = ProcessId::new(id).unwrap();
        let process = self.registry.get(&id).unwrap().process;
        self.registry.put(Deployed::new(process, paused));
        if !paused {
            at_once(self.edges.disk.wake_parked(&id, self.now())).unwrap();
            self.look();
        }
    }

    /// Straight to the disk, so that no death makes it doubtful.
    fn post(&mut self, signal: Signal) -> Result<(), String> {
        let born = match (&signal.to, signal.kind.is_birth()) {
            (SignalTarget::Address(to), true) => Some(to.process.clone()),
            _ => None,
        };
        let kept = at_once(self.edges.disk.commit(vec![Write::Post(signal, self.now())])).unwrap().remove(0);
        if let (Some(process), Some(handle), Ok(_)) = (born, self.simulation.handle(), &kept) {
            handle.processor().state.add_live(&process, 1);
        }
        self.look();
        kept.map(drop).map_err(|it| it.to_string())
    }

    /// There is something new in the store.
    fn look(&self) {
        if let Some(handle) = self.simulation.handle() {
            handle.processor().state.wake_by(self.now());
        }
    }

    /// The task of that name, live or ended.
    pub(crate) fn task(&self, at: &str) -> Task {
        at_once(self.edges.disk.find(&address(at))).unwrap().unwrap_or_else(|| panic!("no task {at}"))
    }

    pub(crate) fn node(&self, at: &str) -> String {
        self.task(at).at.to_string()
    }

    /// One param of a task.
    pub(crate) fn param(&self, at: &str, name: &str) -> Value {
        self.task(at).params.get(name).cloned().unwrap_or_default()
    }

    pub(crate) fn history(&self, at: &str) -> Vec<HistoryEntry> {
        at_once(self.edges.disk.history(self.task(at).id, 0, usize::MAX)).unwrap()
    }

    /// The nodes a task came to, in their order.
    pub(crate) fn way(&self, at: &str) -> Vec<String> {
        let events = self.history(at).into_iter().flat_map(|entry| entry.events);
        events.filter_map(|event| Some(event.to?.to_string())).collect()
    }

    /// Lives on for so long.
    pub(crate) fn run(&mut self, span: Span) {
        self.run_until(self.now() + span);
    }

    pub(crate) fn run_until(&mut self, end: Timestamp) {
        loop {
            let up = end.0 - BEGINNING.0;
            match self.runtime.block_on(self.simulation.run_until(up)) {
                Ok(()) => return,
                Err(StallError::Died) => self.live_again(),
                Err(trouble) => panic!("{trouble:?} at {}", self.now()),
            }
            if self.now() > end {
                return;
            }
        }
    }

    /// What was only in memory is gone; what was on its way back finds nobody.
    fn live_again(&mut self) {
        self.runtime.block_on(self.simulation.kill());
        self.edges.fates.lock().unwrap().died(self.lives - 1);
        let time = Arc::clone(&self.simulation.premises().time);
        self.runtime.block_on(time.sleep(self.rest));
        self.lives += 1;
        self.up_since = self.now();
        self.start();
    }
}

fn facts() -> ReadSet {
    let mut scope = ReadSet::default();
    scope.public_url = "https://beltline.test".into();
    let secrets = ["shop", "bank", "bank_cert", "bank_key", "bank_ca"];
    scope.secrets = Arc::new(secrets.map(str::to_owned).into());
    scope
}
