//! [`Registry`]: the processes that are deployed, as runners and people see them now.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};

use crate::model::names::ProcessId;
use crate::process::process::Process;

/// A process that tasks may enter.
#[derive(Clone, Debug)]
pub struct Deployed {
    /// Its present version.
    pub process: Arc<Process>,
    /// Tasks are taken in, and none moves.
    pub paused: bool,
}

/// The deployed processes, by id.
#[derive(Debug, Default)]
pub struct Registry {
    deployed: RwLock<Arc<HashMap<ProcessId, Deployed>>>,
    closed: RwLock<HashSet<ProcessId>>,
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
        self.closed.write().unwrap_or_else(PoisonError::into_inner).remove(&deployed.process.id);
        let mut all = self.deployed.write().unwrap_or_else(PoisonError::into_inner);
        Arc::make_mut(&mut all).insert(deployed.process.id.clone(), deployed);
    }

    /// Removes the process of that id.
    pub fn remove(&self, id: &ProcessId) {
        let mut all = self.deployed.write().unwrap_or_else(PoisonError::into_inner);
        Arc::make_mut(&mut all).remove(id);
        self.closed.write().unwrap_or_else(PoisonError::into_inner).remove(id);
    }
}
