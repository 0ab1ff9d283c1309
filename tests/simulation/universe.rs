//! [`Universe`]: drives the turns of a runner through virtual time, and gives it a new life when it has died.

use std::sync::Arc;

use beltline::engine::births::Births;
use beltline::engine::board::Board;
use beltline::engine::edges::{Clock, Entry, Store, Write};
use beltline::engine::registry::{Deployed, Registry};
use beltline::engine::turns::{Hand, Item, Turns};
use beltline::model::names::{Address, ProcessId, Ref, TaskId};
use beltline::model::params::Params;
use beltline::model::scope::Scope;
use beltline::model::task::{Birth, Letter, Order, Seed, State, Task, To, Word};
use beltline::model::time::{Span, Timestamp};
use beltline::process::parse::parse;
use beltline::process::process::Process;
use serde_json::Value;

use crate::simulation::edges::{Edges, at_once};
use crate::simulation::partners::{Partner, Reply};

/// Every universe begins on the same day.
pub(crate) const BEGINNING: Timestamp = Timestamp(1_795_000_000_000);
/// How many turns may pass in one moment before it is called a hang.
const TURNS_AT_ONCE_MAX: usize = 10_000;

/// A universe.
pub(crate) struct Universe {
    pub(crate) edges: Arc<Edges>,
    pub(crate) registry: Arc<Registry>,
    turns: Turns,
    coming: Vec<Coming>,
    born: u8,
    /// How long a dead runner stays dead.
    pub(crate) rest: Span,
    pub(crate) lives: u64,
    /// When the present life began.
    pub(crate) up_since: Timestamp,
}

struct Coming {
    at: Timestamp,
    task: Task,
    reply: Reply,
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
            registry.put(Deployed { process: Arc::new(process(text)), paused: false });
        }
        Universe::with(partner, registry, deaths)
    }

    /// One with processes that are parsed already.
    pub(crate) fn with(partner: Box<dyn Partner>, registry: Arc<Registry>, deaths: Vec<u64>) -> Universe {
        let edges = Arc::new(Edges::new(partner, BEGINNING, deaths));
        let turns = turns(&edges, &registry);
        let (coming, rest) = (Vec::new(), Span::secs(1));
        Universe { edges, registry, turns, coming, born: 0, rest, lives: 1, up_since: BEGINNING }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.edges.now()
    }

    /// A new task, as a letter makes it.
    pub(crate) fn submit(&mut self, to: &str, given: Value) {
        let to = address(to);
        let process = self.registry.get(&to.process).unwrap().process;
        self.born += 1;
        let birth = Some(Birth::new(TaskId(i64::from(self.born)), Seed([self.born; 16])));
        let word =
            Word::Create { params: params(given), caller: None, at: Some(process.start.clone()), birth };
        self.post(Letter { to: To::Address(to), word }).unwrap();
    }

    /// A letter with new params.
    pub(crate) fn modify(&mut self, to: &str, given: Value) {
        let word = Word::Modify { params: params(given) };
        self.post(Letter { to: To::Address(address(to)), word }).unwrap();
    }

    pub(crate) fn order(&mut self, to: &str, order: Order) {
        let word = Word::Order { order, by: "ann".to_owned() };
        self.post(Letter { to: To::Address(address(to)), word }).unwrap();
    }

    /// Puts a version of a process in place of the one there is.
    pub(crate) fn deploy(&mut self, text: &str) {
        self.registry.put(Deployed { process: Arc::new(process(text)), paused: false });
    }

    /// Stops the tasks of a process, or lets them go on.
    pub(crate) fn pause(&mut self, id: &str, paused: bool) {
        let id = ProcessId::new(id).unwrap();
        let process = self.registry.get(&id).unwrap().process;
        self.registry.put(Deployed { process, paused });
        if !paused {
            at_once(self.edges.disk.rouse(&id, self.now())).unwrap();
            self.turns.board.look_at(self.now());
        }
    }

    /// Straight to the disk, so that no death makes it doubtful.
    fn post(&mut self, letter: Letter) -> Result<(), String> {
        let now = self.now();
        let (address, is_birth) = (letter.to.clone(), letter.word.is_birth());
        let kept = at_once(self.edges.disk.commit(vec![Write::Post(letter, now)])).unwrap().remove(0);
        if let (To::Address(to), true, Ok(_)) = (&address, is_birth, &kept) {
            self.turns.board.add_live(&to.process, 1);
        }
        self.turns.board.look_at(now);
        kept.map(drop).map_err(|it| it.to_string())
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

    pub(crate) fn trail(&self, at: &str) -> Vec<Entry> {
        at_once(self.edges.disk.trail(self.task(at).id, 0, usize::MAX)).unwrap()
    }

    /// The nodes a task came to, in their order.
    pub(crate) fn way(&self, at: &str) -> Vec<String> {
        let hops = self.trail(at).into_iter().flat_map(|entry| entry.hops);
        hops.filter_map(|hop| Some(hop.to?.to_string())).collect()
    }

    /// Lives on for so long.
    pub(crate) fn run(&mut self, span: Span) {
        self.run_until(self.now() + span);
    }

    pub(crate) fn run_until(&mut self, end: Timestamp) {
        let mut at_once = 0;
        loop {
            if self.edges.is_dead() {
                self.live_again();
            }
            let now = self.now();
            if now > end {
                return;
            }
            at_once += 1;
            assert!(at_once < TURNS_AT_ONCE_MAX, "it hangs at {now}: {:?}", self.turns.board.due());
            if self.act(now) {
                continue;
            }
            let next = self.coming.iter().map(|it| it.at).chain([self.turns.board.due()]).min();
            let next = next.filter(|next| *next <= end).unwrap_or(Timestamp(i64::MAX));
            if next > end {
                self.edges.set_now(end);
                return;
            }
            if next > now {
                at_once = 0;
                self.edges.set_now(next);
            }
        }
    }

    /// Does what is to be done now, if anything is.
    fn act(&mut self, now: Timestamp) -> bool {
        if let Some(place) = self.coming.iter().position(|it| it.at <= now) {
            let Coming { task, reply, .. } = self.coming.remove(place);
            self.turn(vec![Hand::answered(task, reply.outcome)]);
            if self.edges.is_dead() {
                self.edges.undelivered(reply.pair);
            }
            return true;
        }
        if self.turns.board.due() > now {
            return false;
        }
        if let Ok(items) = at_once(self.turns.claim()) {
            self.turn(items);
        }
        true
    }

    fn turn(&mut self, items: Vec<Item>) {
        let left = at_once(self.turns.run(items));
        for task in left.doing {
            let State::Doing(effect) = &task.state else { continue };
            if let Some(reply) = self.edges.reply(effect) {
                self.coming.push(Coming { at: self.now() + reply.took, task, reply });
            }
        }
        self.coming.sort_by_key(|it| it.at);
        assert!(left.again.is_empty() || self.edges.is_dead(), "a live store takes every answer");
    }

    /// What was only in memory is gone; what was on its way back finds nobody.
    fn live_again(&mut self) {
        for lost in self.coming.drain(..) {
            self.edges.undelivered(lost.reply.pair);
        }
        self.edges.set_now(self.now() + self.rest);
        self.edges.revive();
        self.turns = turns(&self.edges, &self.registry);
        self.lives += 1;
        self.up_since = self.now();
    }
}

fn turns(edges: &Arc<Edges>, registry: &Arc<Registry>) -> Turns {
    let board = Board::default();
    for count in at_once(edges.disk.counts(None)).unwrap().iter().filter(|it| it.phase.is_live()) {
        board.add_live(&count.process, i64::try_from(count.tasks).unwrap());
    }
    Turns {
        store: edges.clone(),
        world: edges.clone(),
        clock: edges.clone(),
        registry: registry.clone(),
        board,
        facts: Arc::new(facts),
        births: Births::new(),
    }
}

fn facts() -> Scope {
    let mut scope = Scope::default();
    scope.public_url = "https://beltline.test".into();
    let secrets = ["shop", "bank", "bank_cert", "bank_key", "bank_ca"];
    scope.secrets = Arc::new(secrets.map(str::to_owned).into());
    scope
}
