//! [`Actor`]: who asks. [`Rights`]: what they may do, and in which processes.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::names::ProcessId;

/// One right. Each opens what it says and nothing else; `admin` opens everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Right {
    /// To look: processes, tasks, trails, alarms, events.
    Read,
    /// To submit tasks and to give orders to them.
    Run,
    /// To deploy, pause and delete processes, and to set variables.
    Edit,
    /// To read secret params, and to set secrets and channels.
    Secrets,
    /// Everything, and to give rights to others.
    Admin,
}

impl Right {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Right::Read => "read",
            Right::Run => "run",
            Right::Edit => "edit",
            Right::Secrets => "secrets",
            Right::Admin => "admin",
        }
    }
}

impl fmt::Display for Right {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(self.as_str())
    }
}

/// What somebody may do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    /// The rights.
    pub scopes: BTreeSet<Right>,
    /// The only processes they hold in; none: in all, and for what belongs to no process.
    pub processes: Option<BTreeSet<ProcessId>>,
}

/// Somebody who asks for something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// For the trail and the audit.
    pub name: String,
    /// What they may do.
    pub rights: Rights,
}

impl Actor {
    /// Somebody who may do everything: who sits at the machine.
    pub fn local(name: &str) -> Actor {
        let scopes = BTreeSet::from([Right::Admin]);
        Actor { name: name.to_owned(), rights: Rights { scopes, processes: None } }
    }

    /// Whether they have `right` in `process`.
    pub fn may(&self, right: Right, process: &ProcessId) -> bool {
        let here = self.rights.processes.as_ref().is_none_or(|them| them.contains(process));
        here && self.has(right)
    }

    /// Whether they have `right` for what belongs to no process.
    pub fn may_everywhere(&self, right: Right) -> bool {
        self.rights.processes.is_none() && self.has(right)
    }

    /// Whether they have `right` anywhere at all.
    pub fn has(&self, right: Right) -> bool {
        self.rights.scopes.contains(&right) || self.rights.scopes.contains(&Right::Admin)
    }
}
