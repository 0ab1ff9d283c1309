//! With whose rights a process acts: those that whoever deploys it has at that moment. They are kept with it,
//! and hold until somebody deploys it anew.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::engine::registry::Deployed;
use crate::model::names::ProcessId;
use crate::process::process::Process;
use crate::service::actor::{Actor, Right};
use crate::service::errors::{ServiceError, ServiceResult};
use crate::service::kept::KeptProcess;
use crate::service::service::Service;

/// Where tasks may act of a process that `by` deploys; none: everywhere. A text that is deployed `again` as
/// it is keeps what it may.
pub(super) fn granted(by: &Actor, again: Option<&KeptProcess>) -> Option<BTreeSet<ProcessId>> {
    if by.may_everywhere(Right::Run) {
        return None;
    }
    let mut granted: BTreeSet<ProcessId> =
        by.rights.within.keys().filter(|it| by.may(Right::Run, it)).cloned().collect();
    if let Some(again) = again {
        granted.extend(again.granted.as_ref()?.iter().cloned());
    }
    Some(granted)
}

/// The other processes that a process names to act in. Those whose names are made by its tasks are asked for
/// when a task acts.
pub(super) fn reached(process: &Process) -> BTreeSet<ProcessId> {
    let named = process.nodes.iter().flat_map(|it| it.kind.calls());
    named.filter_map(|it| ProcessId::new(it).ok()).filter(|it| *it != process.id).collect()
}

/// Refuses who would show what was secret and may not read it. `old` is the present version, if it can be
/// read; `is_known`: there is one.
pub(super) fn may_show(
    by: &Actor,
    old: Option<&Deployed>,
    is_known: bool,
    new: &Process,
) -> ServiceResult<()> {
    if by.may(Right::Secrets, &new.id) {
        return Ok(());
    }
    let denied = |what: String| {
        let message = format!("{what}; this needs the right `secrets` in process `{}`", new.id);
        Err(ServiceError::Forbidden { code: "denied", message })
    };
    let Some(old) = old.map(|it| &it.process) else {
        return match is_known {
            true => denied("what was secret in the version before cannot be read".to_owned()),
            false => Ok(()),
        };
    };
    let bare: Vec<&String> = old.secret.iter().filter(|it| !new.secret.contains(*it)).collect();
    if let Some(name) = bare.first() {
        return denied(format!("param `{name}` was `secret` and would not be any more"));
    }
    let shared = |of: &Process, name: &String| of.secret.contains(name) && !of.hidden.contains(name);
    match new.secret.iter().find(|it| shared(new, it) && !shared(old, it)) {
        Some(name) => denied(format!("param `{name}` would be `shared`")),
        None => Ok(()),
    }
}

impl Service {
    /// The processes that `process` would act in.
    pub(super) fn may_reach(&self, by: &Actor, process: &Arc<Process>) -> ServiceResult<Vec<ProcessId>> {
        let reached = reached(process);
        let all = self.registry().all();
        let is_open = |to: &ProcessId| all.get(to).is_some_and(|it| it.process.open_to.contains(&process.id));
        let closed: Vec<String> = reached
            .iter()
            .filter(|to| !by.may(Right::Run, to) && !is_open(to))
            .map(|it| format!("`{it}`"))
            .collect();
        if closed.is_empty() {
            return Ok(reached.into_iter().collect());
        }
        let message = format!(
            "process `{0}` acts in {1}, with the rights of who deploys it: this needs the right `run` there; \
             hint: or have `open_to: [{0}]` written in {2}",
            process.id,
            closed.join(", "),
            if closed.len() == 1 { "that process" } else { "those processes" }
        );
        Err(ServiceError::Forbidden { code: "not_open", message })
    }
}
