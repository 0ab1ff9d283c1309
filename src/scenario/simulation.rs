//! [`Simulation`]: the real [`Runner`] in virtual time, over a store and an outside that a [`Director`]
//! rules. A runner may die, stop and come again; what the store holds outlives it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::engine::apart::Apart;
use crate::engine::batch::BatchProcessor;
use crate::engine::ids::IdGenerator;
use crate::engine::in_flight::InFlight;
use crate::engine::ports::{Clock, Outbound, Store};
use crate::engine::registry::Registry;
use crate::engine::runner::{Handle, Runner};
use crate::engine::runtime_state::RuntimeState;
use crate::engine::witness::Unwitnessed;
use crate::model::scope::ReadSet;
use crate::model::time::Span;
use crate::scenario::director::Director;
use crate::scenario::life::Life;
use crate::scenario::virtual_time::{StallError, VirtualTime};

/// What every decision may see beside its task.
pub type Facts = Arc<dyn Fn() -> ReadSet + Send + Sync>;

/// What outlives runners.
#[derive(Clone)]
pub struct Premises {
    /// The clocks.
    pub time: Arc<VirtualTime>,
    /// Keeps. It must not wait for virtual time by itself.
    pub store: Arc<dyn Store>,
    /// The processes.
    pub registry: Arc<Registry>,
    /// What every decision may see beside its task.
    pub facts: Facts,
    /// Who rules.
    pub director: Arc<Mutex<dyn Director>>,
    /// How many effects are performed at once, if not as many as usual.
    pub effects_max: Option<usize>,
}

/// One runner after another.
pub struct Simulation {
    premises: Premises,
    lives: u16,
    running: Option<Running>,
}

/// A runner at work.
struct Running {
    life: Arc<Life>,
    handle: Handle,
    task: JoinHandle<()>,
    stop: CancellationToken,
}

impl Simulation {
    /// Nothing runs yet.
    pub fn new(premises: Premises) -> Simulation {
        Simulation { premises, lives: 0, running: None }
    }

    /// What outlives runners.
    pub fn premises(&self) -> &Premises {
        &self.premises
    }

    /// How many runners there were.
    pub fn lives(&self) -> u16 {
        self.lives
    }

    /// Where work is handed in, while a runner lives.
    pub fn handle(&self) -> Option<&Handle> {
        self.running.as_ref().map(|it| &it.handle)
    }

    /// Starts a runner where none runs. To be called within the runtime of the simulation's time.
    pub fn start(&mut self) {
        let Premises { time, store, registry, facts, director, effects_max } = self.premises.clone();
        let number = u64::from(self.lives);
        let (dead, stopping) = (AtomicBool::new(false), AtomicBool::new(false));
        let life = Arc::new(Life {
            number,
            time,
            store,
            director,
            dead,
            stopping,
            turn: tokio::sync::Mutex::default(),
        });
        let store: Arc<dyn Store> = Arc::<Life>::clone(&life);
        let world: Arc<dyn Outbound> = Arc::<Life>::clone(&life);
        let clock: Arc<dyn Clock> = Arc::<Life>::clone(&life);
        let births = IdGenerator::foreseen(self.lives);
        let (board, in_flight) = (RuntimeState::default(), InFlight::default());
        let (apart, witness) = (Apart::default(), Arc::new(Unwitnessed));
        let processor = BatchProcessor {
            store,
            world,
            clock,
            registry,
            state: board,
            facts,
            ids: births,
            in_flight,
            apart,
            witness,
        };
        let (runner, handle) = Runner::new(Arc::new(processor));
        let runner = match effects_max {
            Some(most) => runner.at_once(most),
            None => runner,
        };
        let stop = CancellationToken::new();
        let task = tokio::spawn(runner.run(stop.clone()));
        self.lives += 1;
        self.running = Some(Running { life, handle, task, stop });
    }

    /// The runner is killed, as by a power cut: nothing of it happens any more.
    ///
    /// # Panics
    /// It had panicked: that is passed on.
    pub async fn kill(&mut self) {
        let Some(running) = self.running.take() else { return };
        running.life.end();
        running.task.abort();
        if let Err(error) = running.task.await
            && error.is_panic()
        {
            std::panic::resume_unwind(error.into_panic());
        }
        // Its death may have been told of already.
        self.premises.time.take_trouble();
    }

    /// The runner is asked to stop, and is killed when it does not within `grace`; says whether it did.
    ///
    /// # Errors
    /// There was trouble while it stopped; the runner is killed.
    pub async fn stop(&mut self, grace: Span) -> Result<bool, StallError> {
        let Some(mut running) = self.running.take() else { return Ok(true) };
        running.life.stopping.store(true, Ordering::Release);
        running.stop.cancel();
        let time = Arc::clone(&self.premises.time);
        let stopped = time
            .unless_trouble(async {
                tokio::select! {
                    biased;
                    ended = &mut running.task => match ended {
                        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                        Ok(()) | Err(_) => true,
                    },
                    () = time.sleep(grace) => false,
                }
            })
            .await;
        if stopped == Ok(true) {
            running.life.end();
        } else {
            self.running = Some(running);
            self.kill().await;
        }
        stopped
    }

    /// Lives on until the uptime has come so far, and all that is to be done then is done.
    ///
    /// # Errors
    /// There was trouble before.
    ///
    /// # Panics
    /// The runner did: that is passed on.
    pub async fn run_until(&mut self, up: i64) -> Result<(), StallError> {
        let time = Arc::clone(&self.premises.time);
        let done = time
            .unless_trouble(async {
                time.at_up(up).await;
                time.quiet().await;
            })
            .await;
        if self.running.as_ref().is_some_and(|it| it.task.is_finished()) {
            self.kill().await;
        }
        done
    }
}
