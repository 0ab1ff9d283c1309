//! Hooks: whoever holds the one-time key of a waiting task may move it on, once. No other right is needed.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::model::fault::Fault;
use crate::model::key;
use crate::model::names::ProcessId;
use crate::model::params::Params;
use crate::model::scope::EvalContext;
use crate::model::signal::{Command, Signal, SignalKind, SignalTarget};
use crate::model::task::{State, Task};
use crate::process::process::{Node, Process};
use crate::process::validate::coerce;
use crate::service::actor::Actor;
use crate::service::commands::{typed, writable};
use crate::service::errors::{ServiceError, ServiceResult};
use crate::service::service::Service;

/// How often a hook looks again at a task that changed under it.
const TRIES_MAX: usize = 5;
/// The params of an OAuth redirect that are handed on beside the code.
const CALLBACK: [&str; 6] = ["domain", "member_id", "scope", "server_domain", "error", "error_description"];

/// What a link opens, for the page that asks before it acts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkTarget {
    /// The process's title.
    pub process: String,
    /// The node's title.
    pub title: String,
    /// For people.
    pub about: String,
    /// The params it takes.
    pub accepts: Vec<String>,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opened {
    /// The task went on.
    WentOn,
    /// It took what was brought and waits for more.
    Waits,
    /// It is kept, and will be read when the task has time.
    Kept,
    /// It is kept, and will be read when somebody resumes the process.
    Rests,
}

/// What somebody brought.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Brought {
    /// By name.
    pub values: Map<String, Value>,
    /// It came as a form, in which everything is a text.
    pub is_form: bool,
}

impl Service {
    /// What the link with `key` opens. Nothing happens.
    pub async fn door(&self, process: Option<&ProcessId>, key: &str) -> ServiceResult<LinkTarget> {
        let task = self.holder(process, key).await?;
        let process = self.deployed(&task.process)?.process;
        let node = process.node(&task.at).ok_or_else(gone)?;
        let accepts = accepts(&process, &task)?;
        Ok(LinkTarget {
            process: process.title.clone(),
            title: node.title.clone(),
            about: node.about.clone(),
            accepts,
        })
    }

    /// Moves the task on with what the node accepts of `brought`. The signal is bound to the revision that
    /// was looked at, so that of two who come at once only one is let in.
    pub async fn open(
        &self,
        process: Option<&ProcessId>,
        key: &str,
        brought: &Brought,
    ) -> ServiceResult<Opened> {
        self.go_in(process, key, brought, |_, _| Ok(())).await
    }

    async fn go_in(
        &self,
        process: Option<&ProcessId>,
        key: &str,
        brought: &Brought,
        fits: impl Fn(&Node, &Task) -> ServiceResult<()>,
    ) -> ServiceResult<Opened> {
        for _ in 0..TRIES_MAX {
            let task = self.holder(process, key).await?;
            let deployed = self.deployed(&task.process)?;
            fits(deployed.process.node(&task.at).ok_or_else(gone)?, &task)?;
            let accepts = accepts(&deployed.process, &task)?;
            let params = taken(&deployed.process, &accepts, brought)?;
            writable(&params)?;
            let revision = Some(task.revision);
            let kind =
                SignalKind::Command { command: Command::Modify { params, revision }, by: "link".to_owned() };
            let reading = self.handle.post(Signal { to: SignalTarget::Task(task.id), kind }).await?;
            match self.read(reading).await {
                Ok(Some(after)) if after.visit == task.visit && after.state.phase().is_live() => {
                    return Ok(Opened::Waits);
                }
                Ok(_) if deployed.paused => return Ok(Opened::Rests),
                Ok(Some(_)) => return Ok(Opened::WentOn),
                Ok(None) => return Ok(Opened::Kept),
                // The task changed between the look and the signal; if it still waits here, the key still
                // opens.
                Err(ServiceError::Changed(_)) => {}
                Err(refusal) => return Err(refusal),
            }
        }
        Err(ServiceError::conflict("busy", "the task changes all the time; hint: try again"))
    }

    /// Takes an OAuth redirect: `state` is the key. An `error` instead of a code goes to a task that accepts
    /// `callback`; another one does not hear of it.
    pub async fn callback(&self, query: &BTreeMap<String, String>) -> ServiceResult<Opened> {
        let state = query.get("state").map(String::as_str).unwrap_or_default();
        let code = query.get("code").map(String::as_str).unwrap_or_default();
        if state.is_empty() || (code.is_empty() && !query.contains_key("error")) {
            return Err(ServiceError::bad("bad_callback", "the redirect brought no `code` or no `state`"));
        }
        let rest = CALLBACK.iter().filter_map(|name| {
            query.get(*name).map(|value| ((*name).to_owned(), Value::from(value.as_str())))
        });
        let mut brought = Brought::default();
        if !code.is_empty() {
            brought.values.insert("code".to_owned(), Value::from(code));
        }
        brought.values.insert("callback".to_owned(), Value::Object(rest.collect()));
        let iss = query.get("iss").map(String::as_str);
        let opened = self.go_in(None, state, &brought, |node, task| self.is_from(node, task, iss)).await?;
        self.audit(
            &Actor::local("link"),
            "oauth.callback",
            key::task_of(state).map_or_else(String::new, |it| it.to_string()),
        )
        .await?;
        Ok(opened)
    }

    /// Whether a redirect comes from the provider that the node wants it from: another one could hand in a
    /// code of its own.
    fn is_from(&self, node: &Node, task: &Task, iss: Option<&str>) -> ServiceResult<()> {
        let Some(issuer) = node.kind.issuer() else { return Ok(()) };
        let view = EvalContext::new(task.clone(), &(self.handle.processor().facts)(), self.now());
        let unread = |fault: Fault| ServiceError::Conflict { code: "wrong_issuer", message: fault.message };
        let wanted = issuer.fill(&view).map_err(unread)?;
        if wanted.is_empty() || iss == Some(wanted.as_str()) {
            return Ok(());
        }
        let message = format!(
            "node `{}` wants a redirect from `{wanted}`, and this one {}; nothing was taken of it",
            node.name,
            if iss.is_some() { "comes from elsewhere" } else { "does not say where it comes from (`iss`)" }
        );
        Err(ServiceError::Conflict { code: "wrong_issuer", message })
    }

    /// The waiting task that `key` is of. Whatever is wrong with a key that looks like one, the answer is the
    /// same.
    async fn holder(&self, process: Option<&ProcessId>, key: &str) -> ServiceResult<Task> {
        let id = key::task_of(key).ok_or_else(ServiceError::no_hook)?;
        let task = self.store().task(id).await?.ok_or_else(gone)?;
        let waits = matches!(task.state, State::Waiting { .. });
        let here = process.is_none_or(|it| *it == task.process);
        match key::opens(key, &task) && waits && here {
            true => Ok(task),
            false => Err(gone()),
        }
    }
}

fn gone() -> ServiceError {
    ServiceError::Gone("this link has been used already, or has expired".to_owned())
}

/// The names a hook may set where the task waits.
fn accepts(process: &Process, task: &Task) -> ServiceResult<Vec<String>> {
    let node = process.node(&task.at).ok_or_else(gone)?;
    let names = node.kind.accepts().ok_or_else(gone)?;
    Ok(names.into_iter().map(str::to_owned).collect())
}

/// What is taken of what was brought: what the node names, of the types that the process declares.
fn taken(process: &Process, accepts: &[String], brought: &Brought) -> ServiceResult<Params> {
    let named = brought.values.iter().filter(|(name, _)| accepts.contains(name));
    let spec = |name: &String| process.params.iter().find(|it| it.name == *name);
    let read = |name: &String, value: &Value| match (spec(name), value) {
        (Some(spec), Value::String(text)) if brought.is_form => coerce(spec.kind, text),
        _ => value.clone(),
    };
    let params: Params = named.map(|(name, value)| (name.clone(), read(name, value))).collect();
    typed(process, &params)?;
    Ok(params)
}
