//! The law between the step and the stores: whatever a step makes is committed to every store, and taken.

use std::collections::HashMap;
use std::sync::Arc;

use beltline::engine::ports::{Store, Write};
use beltline::engine::transition::Transition;
use beltline::model::names::{Address, TaskId};
use beltline::model::params::Params;
use beltline::model::signal::{Signal, SignalKind, SignalTarget};
use beltline::model::task::{Birth, Seed, State, Task};
use beltline::model::time::Timestamp;
use beltline::store::memory::Memory;
use serde_json::Value;
use tempfile::TempDir;

use crate::simulation::universe::{address, params};

/// Every store, with the tasks that live beside the one of a bench.
pub(super) struct Law {
    stores: Vec<Arc<dyn Store>>,
    runtime: tokio::runtime::Runtime,
    born: i64,
    _folder: TempDir,
}

impl Law {
    pub(super) fn new(others: &HashMap<String, Value>, now: Timestamp) -> Law {
        let (sqlite, folder) = crate::store::sqlite::fresh();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let stores: Vec<Arc<dyn Store>> = vec![Arc::new(Memory::default()), Arc::new(sqlite)];
        let mut law = Law { stores, runtime, born: 1_000, _folder: folder };
        for (name, given) in others.iter().filter(|(_, given)| !given.is_null()) {
            let task = law.task(address(name), params(given.clone()), now);
            law.take(Transition {
                task,
                before: None,
                base: None,
                signals: Vec::new(),
                events: Vec::new(),
                read: Vec::new(),
                at: now,
                gone: false,
                reply: None,
                idempotency: None,
            });
        }
        law
    }

    /// Commits a transition to every store, which must take it and keep what it says. Gives the addresses of
    /// the tasks that it made.
    pub(super) fn commit(&mut self, transition: &Transition) -> Vec<(Address, Params)> {
        let mut transition = transition.clone();
        let mut made = Vec::new();
        for signal in &mut transition.signals {
            made.extend(self.with_birth(signal));
        }
        self.take(transition);
        made
    }

    fn take(&self, transition: Transition) {
        let (id, gone) = (transition.task.id, transition.gone);
        let expected = Task { due: None, ..transition.task.clone() };
        let told = format!("{transition:#?}");
        let write = Write::Step(Box::new(transition));
        for store in &self.stores {
            let taken = self.runtime.block_on(store.commit(vec![write.clone()])).unwrap().remove(0);
            assert!(taken.is_ok(), "no store may refuse what a step makes: {taken:?}\n{told}");
            let kept = self.runtime.block_on(store.task(id)).unwrap();
            // A signal that waits for it makes a task due.
            let kept = kept.map(|task| Task { due: None, ..task });
            assert_eq!(kept, (!gone).then(|| expected.clone()), "{told}");
        }
    }

    fn with_birth(&mut self, signal: &mut Signal) -> Option<(Address, Params)> {
        self.born += 1;
        let new = Some(Birth::new(TaskId(self.born), Seed([0; 16])));
        let SignalTarget::Address(to) = &signal.to else { return None };
        match &mut signal.kind {
            SignalKind::Create { at, birth, params, .. } => {
                *at = at.take().or_else(|| Some("start".parse().unwrap()));
                *birth = new;
                Some((to.clone(), params.clone()))
            }
            SignalKind::Chunk { birth, .. } => {
                *birth = new;
                Some((to.clone(), Params::default()))
            }
            SignalKind::Modify { .. } | SignalKind::Answer { .. } | SignalKind::Command { .. } => None,
        }
    }

    fn task(&mut self, address: Address, params: Params, now: Timestamp) -> Task {
        self.born += 1;
        let birth = Birth::new(TaskId(self.born), Seed([0; 16]));
        let task = Task::new(birth, address, "start".parse().unwrap(), params, now);
        Task { state: State::Waiting { until: None }, due: None, ..task }
    }
}
