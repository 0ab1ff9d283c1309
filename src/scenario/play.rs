//! Plays a case: sets the stage, lets happen what the steps say, and looks.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::engine::ports::Store;
use crate::engine::registry::{Deployed, Registry};
use crate::model::names::{Address, ProcessId};
use crate::model::near;
use crate::model::params::Params;
use crate::model::scope::ReadSet;
use crate::model::signal::{Command, SignalKind};
use crate::model::task::Task;
use crate::model::time::{Span, Timestamp};
use crate::model::tree::Spot;
use crate::process::parse::parse;
use crate::process::problem::FileProblem;
use crate::process::process::Process;
use crate::process::validate::validate_params;
use crate::scenario::cover::Cover;
use crate::scenario::diff::{ANY, Miss};
use crate::scenario::file::{Act, Case, Scenario, ScenarioStep, Spotted, SubmitStep};
use crate::scenario::look::look;
use crate::scenario::script::WorldScript;
use crate::scenario::stage::{Halt, VirtualStage};
use crate::scenario::story::Story;
use crate::scenario::virtual_time::VirtualTime;

/// Who gives the commands of a scenario.
const PERSON: &str = "scenario";
/// What links begin with.
const PUBLIC_URL: &str = "https://beltline.test";

/// The processes of a scenario.
#[derive(Clone, Debug)]
pub struct Cast {
    /// The one it is about.
    pub process: Arc<Process>,
    /// Others that are called or written to.
    pub with: Vec<Arc<Process>>,
}

/// What came of a case.
#[derive(Debug)]
pub struct Played {
    /// What is not as it should be; none if all is.
    pub misses: Vec<Miss>,
    /// When that was.
    pub at: Timestamp,
    /// How much virtual time passed.
    pub span: Span,
    /// What happened.
    pub story: Story,
    /// Which nodes and ways were taken.
    pub cover: Cover,
}

/// What a scenario names that its process does not have.
pub fn unknown_names(scenario: &Scenario, process: &Process) -> Vec<FileProblem> {
    let nodes: Vec<&str> = process.nodes.iter().map(|it| it.name.as_str()).collect();
    let mut problems = Vec::new();
    let mut see = |name: &str, spot: Spot| {
        if !name.contains('/') && name != ANY && !nodes.contains(&name) {
            let message = format!("process `{}` has no node `{name}`", process.id);
            problems.push(FileProblem::new(spot, message).hint_if(near::hint(name, &nodes, "its nodes are")));
        }
    };
    for case in &scenario.cases {
        for line in case.world.iter().filter(|line| line.to.process.is_none()) {
            line.to.node.iter().for_each(|node| see(node, line.spot));
        }
        for step in &case.then {
            let here = step.task.as_ref().is_none_or(|it| it.process == process.id);
            if let Act::Move(node) = &step.act
                && here
            {
                see(node.as_str(), step.spot);
            }
            let Some(expect) = &step.expect else { continue };
            expect.asked.iter().for_each(|it| see(&it.node, it.spot));
            if here {
                expect.node.iter().for_each(|it| see(&it.it, it.spot));
                expect.path.iter().for_each(|path| path.it.iter().for_each(|it| see(it, path.spot)));
            }
        }
    }
    problems
}

/// Plays a case on a store that is empty, on a thread of its own: time is virtual there.
///
/// # Panics
/// The engine did: that is passed on.
pub async fn play(case: &Case, processes: &Cast, store: Arc<dyn Store>) -> Played {
    let (case, processes) = (case.clone(), processes.clone());
    let here = move || {
        let time = VirtualTime::new(case.start);
        time.runtime().block_on(play_here(&case, &processes, store, &time))
    };
    let played = tokio::task::spawn_blocking(here).await;
    played.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}

async fn play_here(case: &Case, processes: &Cast, store: Arc<dyn Store>, time: &Arc<VirtualTime>) -> Played {
    let registry = Registry::default();
    for process in processes.with.iter().chain([&processes.process]) {
        registry.put(Deployed::new(Arc::clone(process), false));
    }
    let mut facts = ReadSet::default();
    facts.public_url = PUBLIC_URL.into();
    facts.vars = Arc::new(case.vars.clone());
    facts.secrets = Arc::new(case.secrets.keys().cloned().collect::<BTreeSet<_>>());
    let script = WorldScript::new(&case.world, &case.secrets, &processes.process.id, case.spot);
    let stage = VirtualStage::new(Arc::clone(time), store, Arc::new(registry), facts, script);
    let home = Address { process: processes.process.id.clone(), reference: case.submit.reference.clone() };
    let mut player = Player { stage, home };
    let misses = player.all(case).await.err().unwrap_or_default();
    let Player { stage, .. } = player;
    let at = stage.now();
    let (notified, cover) = stage.into_story();
    Played { misses, at, span: at.since(case.start), story: notified, cover }
}

struct Player {
    stage: VirtualStage,
    /// The task the case is about.
    home: Address,
}

type Done = Result<(), Vec<Miss>>;

impl Player {
    async fn all(&mut self, case: &Case) -> Done {
        for (address, params) in &case.others {
            self.other(address, params, case.spot).await?;
        }
        self.submit(&case.submit, self.home.process.clone()).await?;
        for step in &case.then {
            self.step(step).await?;
        }
        Ok(())
    }

    /// A task that is there from the beginning and only holds params.
    async fn other(&mut self, address: &Address, params: &Params, spot: Spot) -> Done {
        if self.stage.registry().get(&address.process).is_none() {
            let process = Arc::new(stand_in(&address.process).map_err(|why| vec![Miss::new(spot, why)])?);
            self.stage.registry().put(Deployed::new(process, false));
        }
        let title = format!("`{address}` is there");
        self.stage.seen().story.begin(title, self.stage.now());
        let done = self.stage.submit(address, params.clone()).await;
        halted(done, spot, "put `others` there")
    }

    async fn submit(&mut self, submit: &SubmitStep, process: ProcessId) -> Done {
        let address = Address { process, reference: submit.reference.clone() };
        let deployed = self.stage.registry().get(&address.process);
        if let Some(Err(faults)) = deployed.map(|it| validate_params(&it.process, submit.params.clone())) {
            let miss =
                |(_, fault): (String, crate::model::fault::Fault)| Miss::new(submit.spot, fault.message);
            return Err(faults.into_iter().map(miss).collect());
        }
        self.stage.seen().story.begin(format!("submit {address}"), self.stage.now());
        let done = self.stage.submit(&address, submit.params.clone()).await;
        halted(done, submit.spot, "submit")
    }

    async fn step(&mut self, step: &ScenarioStep) -> Done {
        let address = step.task.clone().unwrap_or_else(|| self.home.clone());
        if !matches!(step.act, Act::Look) {
            self.stage.seen().story.begin(title(&step.act, step.task.as_ref()), self.stage.now());
        }
        match &step.act {
            Act::Look => {}
            Act::After(span) => self.wait(self.stage.now() + *span, step.spot).await?,
            Act::Until(at) => self.wait(*at, step.spot).await?,
            Act::Submit(submit) => self.submit(submit, address.process.clone()).await?,
            Act::Restart => {
                self.stage.restart().await;
                let done = self.stage.settle().await;
                halted(done, step.spot, "restart")?;
            }
            Act::Modify(params) => {
                let command = Command::Modify { params: params.clone(), revision: None };
                self.command(&address, command, PERSON, step.spot).await?;
            }
            Act::Wake => self.command(&address, Command::Wake, PERSON, step.spot).await?,
            Act::Retry => self.command(&address, Command::Retry, PERSON, step.spot).await?,
            Act::Cancel => self.command(&address, Command::Cancel, PERSON, step.spot).await?,
            Act::Move(to) => {
                self.command(&address, Command::Move { to: to.clone() }, PERSON, step.spot).await?;
            }
            Act::Hook(brought) => self.hook(&address, brought, step.spot).await?,
        }
        let Some(expect) = &step.expect else { return Ok(()) };
        let task = self.task(&address, step.spot).await?;
        let misses = look(expect, &task, &self.stage);
        if misses.is_empty() { Ok(()) } else { Err(misses) }
    }

    async fn wait(&mut self, until: Timestamp, spot: Spot) -> Done {
        if until < self.stage.now() {
            let what = format!("time does not go back: it is {} already", self.stage.now());
            return Err(vec![Miss::new(spot, what)]);
        }
        let done = self.stage.run_until(until).await;
        halted(done, spot, "go on")
    }

    async fn command(&mut self, address: &Address, command: Command, by: &str, spot: Spot) -> Done {
        let task = self.task(address, spot).await?;
        let what = command.as_str();
        let kind = SignalKind::Command { command, by: by.to_owned() };
        match self.stage.post(&task, kind).await {
            Ok(None) => Ok(()),
            Ok(Some(fault)) => {
                Err(vec![Miss::new(spot, format!("`{address}` does not take `{what}`: {}", fault.message))])
            }
            Err(halt) => halted(Err(halt), spot, what),
        }
    }

    /// The link of the task is followed: it takes what its node accepts.
    async fn hook(&mut self, address: &Address, brought: &Map<String, Value>, spot: Spot) -> Done {
        let task = self.task(address, spot).await?;
        let process = self.stage.registry().get(&address.process).map(|it| it.process);
        let node = process.as_ref().and_then(|it| it.node(&task.at));
        let accepts = node.and_then(|node| node.kind.accepts());
        let waits = matches!(task.state, crate::model::task::State::Waiting { .. });
        let Some(accepts) = accepts.filter(|_| waits) else {
            let what = format!("`{address}` stands on `{}`, where no link is open", task.at);
            return Err(vec![Miss::new(spot, what)]);
        };
        let taken = brought.iter().filter(|(name, _)| accepts.contains(&name.as_str()));
        let params = taken.map(|(name, value)| (name.clone(), value.clone())).collect();
        let command = Command::Modify { params, revision: Some(task.revision) };
        self.command(address, command, "link", spot).await
    }

    async fn task(&mut self, address: &Address, spot: Spot) -> Result<Task, Vec<Miss>> {
        match self.stage.store().find(address).await {
            Ok(Some(task)) => Ok(task),
            Ok(None) => Err(vec![Miss::new(spot, format!("there is no task `{address}`"))]),
            Err(error) => Err(vec![Miss::new(spot, error.to_string())]),
        }
    }
}

/// What a scenario that cannot go on is told as.
fn halted(done: Result<(), Halt>, spot: Spot, what: &str) -> Done {
    done.map_err(|halt| match halt {
        Halt::World(misses) => misses,
        other => {
            let text = format!("failed to {what}: {other}");
            let mut parts = text.splitn(2, "; hint: ");
            let miss = Miss::new(spot, parts.next().unwrap_or_default());
            vec![Miss { hint: parts.next().map(str::to_owned), ..miss }]
        }
    })
}

/// What a step is called in the story.
fn title(act: &Act, task: Option<&Address>) -> String {
    let whom = task.map(|it| format!("{it}: ")).unwrap_or_default();
    let what = match act {
        Act::Look => String::new(),
        Act::After(span) => format!("after {span}"),
        Act::Until(at) => format!("until {at}"),
        Act::Submit(submit) => format!("submit {}", submit.reference),
        Act::Modify(params) => format!("modify {}", names(params.map())),
        Act::Wake => "wake".to_owned(),
        Act::Retry => "retry".to_owned(),
        Act::Move(to) => format!("move to {to}"),
        Act::Cancel => "cancel".to_owned(),
        Act::Hook(brought) => format!("the link is followed {}", names(brought)),
        Act::Restart => "the engine is killed and started again".to_owned(),
    };
    format!("{whom}{what}")
}

fn names(params: &Map<String, Value>) -> String {
    let names: Vec<&str> = params.keys().map(String::as_str).collect();
    if names.is_empty() { String::new() } else { format!("with {}", names.join(", ")) }
}

/// A process whose tasks only hold params, whatever signals come.
fn stand_in(id: &ProcessId) -> Result<Process, String> {
    let nodes = "{start: {kind: input, next: hold}, hold: {kind: wait, next: hold}}";
    let text = format!("process: \"{id}\"\nnodes: {nodes}\n");
    parse(&text).map_err(|problems| {
        problems.first().map_or_else(|| format!("`{id}` cannot be put there"), ToString::to_string)
    })
}

/// Names written in a scenario, for whoever finds their processes.
pub fn named(scenario: &Scenario) -> Vec<&Spotted<String>> {
    scenario.process.iter().chain(&scenario.with).collect()
}
