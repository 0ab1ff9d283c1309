//! [`Stage`]: the turns of a real runner over a store, in virtual time. Nothing rests and nothing is polled:
//! when all that is due is done, the clock jumps to what is due next.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use futures::FutureExt;
use thiserror::Error;
use tokio::sync::{oneshot, watch};

use crate::engine::births::Births;
use crate::engine::board::Board;
use crate::engine::edges::{Clock, Store, StoreError, World};
use crate::engine::registry::Registry;
use crate::engine::step::Cause;
use crate::engine::turns::{Hand, Item, NotTaken, Turns};
use crate::model::effect::{Effect, Outcome};
use crate::model::fault::Fault;
use crate::model::names::{Address, NodeName};
use crate::model::params::Params;
use crate::model::scope::Scope;
use crate::model::task::{Letter, State, Task, To, Word};
use crate::model::time::{Span, Ticks, Timestamp};
use crate::rehearsal::cover::Cover;
use crate::rehearsal::diff::Miss;
use crate::rehearsal::script::{Performed, Script};
use crate::rehearsal::story::{Beat, Story};

/// How many turns may pass in one moment before it is called a hang.
const TURNS_AT_ONCE_MAX: u32 = 5_000;
/// How many commits are fetched at once to be told of.
const ENTRIES_MAX: usize = 1_000;
/// As many nodes of a task's way are remembered until somebody looks.
const PATH_MAX: usize = 10_000;

/// Why a rehearsal cannot go on.
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
    NotTaken(#[from] NotTaken),
    /// The store fails.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The turns of a runner in virtual time.
pub struct Stage {
    now: Arc<Now>,
    store: Arc<dyn Store>,
    registry: Arc<Registry>,
    facts: Scope,
    turns: Turns,
    lives: u16,
    coming: Vec<Coming>,
    told_of: u64,
    /// The world.
    pub script: Script,
    /// What happened.
    pub story: Story,
    /// Which nodes and ways were taken.
    pub cover: Cover,
    /// The nodes each task came to since it was looked at last.
    pub paths: BTreeMap<Address, Vec<NodeName>>,
}

/// An answer on its way.
struct Coming {
    at: Timestamp,
    task: Task,
    outcome: Outcome,
}

/// The virtual clock.
#[derive(Debug)]
struct Now(watch::Sender<Timestamp>);

#[async_trait]
impl Clock for Now {
    fn now(&self) -> Timestamp {
        *self.0.borrow()
    }

    fn ticks(&self) -> Ticks {
        Ticks(self.up().0)
    }

    fn up(&self) -> Span {
        self.now().since(Timestamp(0))
    }

    async fn at(&self, at: Timestamp) {
        // The clock is there for as long as it is asked.
        drop(self.0.subscribe().wait_for(|now| *now >= at).await);
    }

    async fn at_tick(&self, at: Ticks) {
        self.at(Timestamp(0) + Span(at.0)).await;
    }
}

/// A rehearsal performs its effects itself, each in its own time. Whoever else asks is told so.
#[derive(Debug)]
struct Nowhere;

#[async_trait]
impl World for Nowhere {
    async fn perform(&self, _: &Effect) -> Outcome {
        Err(Fault::lasting("blocked_address", "a rehearsal asks nobody"))
    }
}

impl Stage {
    /// A stage on which the processes of `registry` run.
    pub fn new(
        store: Arc<dyn Store>,
        registry: Arc<Registry>,
        facts: Scope,
        script: Script,
        start: Timestamp,
    ) -> Stage {
        let now = Arc::new(Now(watch::channel(start).0));
        let turns = turns(&store, &registry, &facts, &now, 0);
        Stage {
            now,
            store,
            registry,
            facts,
            turns,
            lives: 0,
            coming: Vec::new(),
            told_of: 0,
            script,
            story: Story::default(),
            cover: Cover::default(),
            paths: BTreeMap::new(),
        }
    }

    /// The present moment.
    pub fn now(&self) -> Timestamp {
        self.now.now()
    }

    /// What keeps.
    pub fn store(&self) -> &dyn Store {
        self.store.as_ref()
    }

    /// The processes.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// What every decision may see.
    pub fn facts(&self) -> &Scope {
        &self.facts
    }

    /// Submits a task and does all that is to be done at once.
    pub async fn submit(&mut self, address: &Address, params: Params) -> Result<(), Halt> {
        let task = self.turns.new_task(&address.process, address.reference.clone(), params);
        let task = task.ok_or_else(|| NotTaken::NoProcess(address.process.clone()))?;
        let (tell, told) = oneshot::channel();
        let hand = Hand { task, cause: Cause::New, idempotency: None, by: None, tell: Some(tell) };
        self.turn(vec![Item::Hand(Box::new(hand))]).await?;
        told.await.map_err(|_| NotTaken::Stopping)??;
        self.settle().await
    }

    /// Hands in a letter to a task and does all that is to be done at once. Says why the task would not have
    /// it.
    pub async fn post(&mut self, to: &Task, word: Word) -> Result<Option<Fault>, Halt> {
        let letter = Letter { to: To::Task(to.id), word };
        let (tell, told) = oneshot::channel();
        let posting = self.turns.board.waiters.letter(to.id);
        self.turn(vec![Item::Post { letter, tell }]).await?;
        let letter = told.await.map_err(|_| NotTaken::Stopping)??;
        self.settle().await?;
        let read = letter.and_then(|letter| posting.read(letter).now_or_never().flatten());
        Ok(read.and_then(Result::err))
    }

    /// The runner dies: answers on their way are lost, and what was asked is found again when its lease ends.
    pub fn restart(&mut self) {
        self.coming.clear();
        self.lives += 1;
        self.turns = turns(&self.store, &self.registry, &self.facts, &self.now, self.lives);
    }

    /// Does all that is to be done now.
    pub async fn settle(&mut self) -> Result<(), Halt> {
        self.run_until(self.now()).await
    }

    /// Lives on until then.
    pub async fn run_until(&mut self, end: Timestamp) -> Result<(), Halt> {
        let mut turns = 0;
        loop {
            let now = self.now();
            turns += 1;
            if turns > TURNS_AT_ONCE_MAX {
                return Err(Halt::Hangs(now));
            }
            if self.act(now).await? {
                continue;
            }
            let answers = self.coming.iter().map(|it| it.at);
            let next = answers.chain([self.turns.board.due()]).min().unwrap_or(end);
            if next > end {
                self.now.0.send_replace(end);
                return Ok(());
            }
            if next > now {
                turns = 0;
                self.now.0.send_replace(next);
            }
        }
    }

    /// Does what is to be done now, if anything is.
    async fn act(&mut self, now: Timestamp) -> Result<bool, Halt> {
        let answers = self.coming.partition_point(|it| it.at <= now);
        if answers > 0 {
            let answers =
                self.coming.drain(..answers).map(|it| Hand::answered(it.task, it.outcome)).collect();
            self.turn(answers).await?;
            return Ok(true);
        }
        if self.turns.board.due() > now {
            return Ok(false);
        }
        let items = self.turns.claim().await?;
        self.turn(items).await?;
        Ok(true)
    }

    async fn turn(&mut self, items: Vec<Item>) -> Result<(), Halt> {
        if items.is_empty() {
            return Ok(());
        }
        let left = self.turns.run(items).await;
        self.tell_of().await?;
        for task in left.doing {
            self.perform(task)?;
        }
        self.coming.sort_by_key(|it| it.at);
        Ok(())
    }

    fn perform(&mut self, task: Task) -> Result<(), Halt> {
        let State::Doing(effect) = &task.state else { return Ok(()) };
        let (now, told) = (self.now(), self.script.told.len());
        let performed = self.script.perform(&task, effect, &self.facts, now);
        let Performed { outcome, took } = performed.map_err(Halt::World)?;
        for message in &self.script.told[told..] {
            self.story.add(Beat::Told(now, message.clone()));
        }
        self.coming.push(Coming { at: now + took, task, outcome });
        Ok(())
    }

    /// Takes note of what was committed.
    async fn tell_of(&mut self) -> Result<(), Halt> {
        loop {
            let entries = self.store.events(self.told_of, ENTRIES_MAX).await?;
            let Some(last) = entries.last() else { return Ok(()) };
            self.told_of = last.seq;
            for entry in entries {
                let Some(deployed) = self.registry.get(&entry.process) else { continue };
                let address = Address { process: entry.process, reference: entry.reference };
                let path = self.paths.entry(address.clone()).or_default();
                for hop in entry.hops {
                    self.cover.see(&deployed.process, &hop);
                    if let Some(to) = hop.to.clone().filter(|_| path.len() < PATH_MAX) {
                        path.push(to);
                    }
                    self.story.add(Beat::Hop(address.clone(), hop));
                }
            }
        }
    }
}

fn turns(
    store: &Arc<dyn Store>,
    registry: &Arc<Registry>,
    facts: &Scope,
    now: &Arc<Now>,
    lives: u16,
) -> Turns {
    let facts = facts.clone();
    let clock: Arc<dyn Clock> = Arc::<Now>::clone(now);
    Turns {
        store: Arc::clone(store),
        world: Arc::new(Nowhere),
        clock,
        registry: Arc::clone(registry),
        board: Board::default(),
        facts: Arc::new(move || facts.clone()),
        births: Births::foreseen(lives),
    }
}
