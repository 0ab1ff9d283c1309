//! [`Registry`]: the processes that are deployed, as runners and people see them now.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};

use crate::model::names::ProcessId;
use crate::model::reach::{Granted, Reach};
use crate::process::process::Process;

/// A process that tasks may enter.
#[derive(Clone, Debug)]
pub struct Deployed {
    /// Its present version.
    pub process: Arc<Process>,
    /// Tasks are taken in, and none moves.
    pub paused: bool,
    /// Where whoever deployed it may run tasks.
    pub granted: Granted,
    /// Held by each step that is decided by this, until it is committed.
    pub held: DeployedProcess,
}

/// Whoever has a clone of it goes by what was deployed then.
pub type DeployedProcess = Arc<()>;

impl Deployed {
    /// A process that acts wherever it will, as one does that the operator deployed.
    pub fn new(process: Arc<Process>, paused: bool) -> Deployed {
        Deployed { process, paused, granted: None, held: DeployedProcess::default() }
    }
}

type Opened = HashMap<ProcessId, Arc<BTreeSet<ProcessId>>>;

/// The deployed processes, by id.
#[derive(Debug, Default)]
pub struct Registry {
    deployed: RwLock<Arc<HashMap<ProcessId, Deployed>>>,
    /// By each process that others are open to, those others.
    opened: RwLock<Arc<Opened>>,
    closed: RwLock<HashSet<ProcessId>>,
    /// By what was deployed before, as long as a step may go by it.
    before: Mutex<HashMap<ProcessId, Vec<Weak<()>>>>,
}

impl Registry {
    /// All of them, as they are now.
    pub fn all(&self) -> Arc<HashMap<ProcessId, Deployed>> {
        Arc::clone(&self.deployed.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The one of that id.
    pub fn get(&self, id: &ProcessId) -> Option<Deployed> {
        self.all().get(id).cloned()
    }

    /// Where the tasks of a process may act now.
    pub fn reach(&self, of: &Deployed) -> Reach {
        let Some(granted) = &of.granted else { return Reach::default() };
        let opened = self.opened.read().unwrap_or_else(PoisonError::into_inner);
        let opened = opened.get(&of.process.id).cloned().unwrap_or_default();
        Reach { granted: Some(Arc::clone(granted)), opened }
    }

    fn open(&self, all: &HashMap<ProcessId, Deployed>) {
        let mut opened: HashMap<ProcessId, BTreeSet<ProcessId>> = HashMap::new();
        for it in all.values() {
            for to in &it.process.open_to {
                opened.entry(to.clone()).or_default().insert(it.process.id.clone());
            }
        }
        let opened = opened.into_iter().map(|(to, them)| (to, Arc::new(them))).collect();
        *self.opened.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(opened);
    }

    /// Whether a step may still be committed that was decided by what was deployed before.
    pub fn is_held(&self, id: &ProcessId) -> bool {
        let mut all = self.before.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(before) = all.get_mut(id) else { return false };
        before.retain(|it| it.strong_count() > 0);
        if before.is_empty() {
            all.remove(id);
            return false;
        }
        true
    }

    /// Those with alarms on their nodes.
    pub fn watched(&self) -> Vec<Arc<Process>> {
        let all = self.all();
        let watched = all.values().map(|it| &it.process).filter(|it| !it.watched.is_empty());
        watched.cloned().collect()
    }

    /// No task is born in that process any more, until it is put again; those that live go on.
    pub fn close(&self, id: &ProcessId) {
        self.closed.write().unwrap_or_else(PoisonError::into_inner).insert(id.clone());
    }

    /// Whether tasks may be born in that process.
    pub fn is_open(&self, id: &ProcessId) -> bool {
        !self.closed.read().unwrap_or_else(PoisonError::into_inner).contains(id)
    }

    /// Deploys a process in place of the one of its id, and opens it.
    pub fn put(&self, deployed: Deployed) {
        let deployed = Deployed { held: DeployedProcess::default(), ..deployed };
        if let Some(old) = self.get(&deployed.process.id) {
            let mut before = self.before.lock().unwrap_or_else(PoisonError::into_inner);
            before.entry(deployed.process.id.clone()).or_default().push(Arc::downgrade(&old.held));
        }
        self.closed.write().unwrap_or_else(PoisonError::into_inner).remove(&deployed.process.id);
        let mut all = self.deployed.write().unwrap_or_else(PoisonError::into_inner);
        Arc::make_mut(&mut all).insert(deployed.process.id.clone(), deployed);
        self.open(&all);
    }

    /// Removes the process of that id.
    pub fn remove(&self, id: &ProcessId) {
        let mut all = self.deployed.write().unwrap_or_else(PoisonError::into_inner);
        Arc::make_mut(&mut all).remove(id);
        self.open(&all);
        self.closed.write().unwrap_or_else(PoisonError::into_inner).remove(id);
    }
}
