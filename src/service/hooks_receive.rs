//! [`HookRoute`]: a request at the door of a named hook, before anything of it is believed.

use std::sync::Arc;

use crate::model::names::{Address, ProcessId, Ref};
use crate::process::hook::{Hook, HookProof};
use crate::process::process::Process;
use crate::service::service::Service;

/// A request at the door of a hook.
#[derive(Clone, Debug)]
pub struct HookRoute {
    pub(super) process: Arc<Process>,
    pub(super) name: String,
}

impl HookRoute {
    /// The hook.
    pub fn hook(&self) -> Option<&Hook> {
        self.process.hook(&self.name)
    }

    /// Where it is: `process/hook`.
    pub(super) fn place(&self) -> String {
        format!("{}/{}", self.process.id, self.name)
    }

    /// The task of that name in its process.
    pub(super) fn address(&self, reference: &Ref) -> Address {
        Address { process: self.process.id.clone(), reference: reference.clone() }
    }

    /// Counts what became of it.
    pub(super) fn count(&self, outcome: &'static str) {
        let (process, hook) = (self.process.id.to_string(), self.name.clone());
        metrics::counter!("beltline_hook_requests_total", "process" => process, "hook" => hook,
            "outcome" => outcome)
        .increment(1);
    }

    /// The largest body it takes.
    pub fn bytes_max(&self) -> usize {
        self.hook().map_or(0, |it| it.bytes_max)
    }

    /// The methods it may be called by.
    pub fn methods(&self) -> Vec<&'static str> {
        self.hook().map(|it| it.methods.iter().map(|it| it.as_str()).collect()).unwrap_or_default()
    }

    /// Whether a caller without a right one is asked for a user and a password.
    pub fn asks_password(&self) -> bool {
        self.hook().is_some_and(|it| matches!(it.check, HookProof::Basic { .. }))
    }
}

impl Service {
    /// The hook of that name, if there is one.
    pub fn route(&self, id: &ProcessId, name: &str) -> Option<HookRoute> {
        let process = self.registry().get(id)?.process;
        process.hook(name)?;
        Some(HookRoute { process, name: name.to_owned() })
    }
}
