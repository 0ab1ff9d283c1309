//! Submitting: a task comes in. The hot path: nothing is logged, and nothing kept but the task.

use std::collections::BTreeMap;
use std::sync::Arc;

use rand::Rng;
use serde_json::Value;

use crate::engine::batch::SubmitError;
use crate::engine::runner::{Idempotency, NewTask};
use crate::model::names::{Address, ProcessId, Ref};
use crate::model::params::Params;
use crate::model::signal::Command;
use crate::model::task::Task;
use crate::model::time::{Span, Timestamp};
use crate::process::process::Process;
use crate::process::validate::{handed_in, validate_params};
use crate::service::actor::{Actor, Right};
use crate::service::commands::{CommandResult, misfits};
use crate::service::errors::{ServiceError, ServiceResult};
use crate::service::hash;
use crate::service::service::Service;
use crate::service::view::TaskView;

/// The longest a submit waits for its task to end.
pub const WAIT_MAX: Span = Span::mins(5);
/// The longest idempotency key, in bytes.
const KEY_BYTES_MAX: usize = 255;

/// What to do when the name is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SubmitIfExists {
    /// Refuse, and show the task.
    #[default]
    Refuse,
    /// Answer with that task.
    Return,
    /// Lay the params over that task's.
    Modify,
}

/// What is handed in.
#[derive(Clone, Debug, Default)]
pub struct Submission {
    /// The name; a UUID if none is given.
    pub reference: Option<String>,
    /// The params.
    pub params: Params,
    /// What to do when the name is taken.
    pub if_exists: SubmitIfExists,
    /// A word of the caller's; the same word again is the same submit.
    pub key: Option<SubmitKey>,
    /// How long to wait for the task's end.
    pub wait: Option<Span>,
}

/// A caller's word for a submit.
#[derive(Clone, Debug)]
pub struct SubmitKey {
    /// The word.
    pub word: String,
    /// Which of the lines that came under it, if several did.
    pub line: Option<usize>,
}

/// What became of it.
#[derive(Clone, Debug)]
pub struct Submitted {
    /// The task.
    pub task: TaskView,
    /// It is new.
    pub created: bool,
    /// It was there, and what was brought is kept but not read yet.
    pub pending: bool,
}

impl Service {
    /// Takes a task in. It is on disk when this answers.
    pub async fn submit(&self, by: &Actor, id: &ProcessId, it: Submission) -> ServiceResult<Submitted> {
        by.need(Right::Run, id)?;
        let process = self.deployed(id)?.process;
        let Some(key) = &it.key else { return self.submit_new(by, &process, it, None).await };
        let digest = digest(it.reference.as_deref(), &it.params);
        let idempotency = Idempotency { key: submit_key(by, id, key)?, digest };
        let (reference, wait) = (it.reference.clone(), it.wait);
        match self.submit_new(by, &process, it, Some(idempotency.clone())).await {
            Ok(done) => Ok(done),
            Err(refusal) => {
                let task = self.repeated(refusal, &idempotency, reference.as_deref()).await?;
                let task = self.ended(task, wait).await?;
                let task = TaskView::seen_by(by, &task, Some(&process), self.now());
                Ok(Submitted { task, created: false, pending: false })
            }
        }
    }

    /// The task that came in under the key before, if this is the same submit. Whatever keeps a new one out
    /// by now, what was taken in before is answered as before; if nothing was, with the refusal.
    pub(super) async fn repeated(
        &self,
        refusal: ServiceError,
        it: &Idempotency,
        reference: Option<&str>,
    ) -> ServiceResult<Task> {
        let Ok(Some(task)) = self.store().keyed(&it.key).await else { return Err(refusal) };
        if reference.is_some_and(|it| it != task.reference.as_str()) {
            return Err(mismatch(&task, "another ref"));
        }
        match task.submitted.as_deref() {
            Some(before) if before != it.digest => Err(mismatch(&task, "something else")),
            Some(_) | None => Ok(task),
        }
    }

    async fn submit_new(
        &self,
        by: &Actor,
        process: &Arc<Process>,
        it: Submission,
        idempotency: Option<Idempotency>,
    ) -> ServiceResult<Submitted> {
        let id = &process.id;
        let reference = self.reference(it.reference)?;
        if it.if_exists != SubmitIfExists::Refuse {
            let address = Address { process: id.clone(), reference: reference.clone() };
            if let Some(task) = self.live(&address).await? {
                return self.exists(by, task, it.params, it.if_exists).await;
            }
        }
        let brought = (it.if_exists == SubmitIfExists::Modify).then(|| it.params.clone());
        handed_in(process, &it.params, &[]).map_err(misfits)?;
        let params = admitted(process, it.params)?;
        self.room(process)?;
        let entry =
            NewTask { process: id.clone(), reference: reference.clone(), params, idempotency, by: None };
        match self.handle.submit(entry).await {
            Ok(task) => {
                let task = self.ended(task, it.wait).await?;
                Ok(Submitted {
                    task: TaskView::seen_by(by, &task, Some(process), self.now()),
                    created: true,
                    pending: false,
                })
            }
            Err(SubmitError::RefTaken(address)) => {
                // Another one was faster, between the look and the submit.
                match (self.live(&address).await?, brought) {
                    (Some(task), Some(params)) => self.exists(by, task, params, it.if_exists).await,
                    (Some(task), None) => self.exists(by, task, Params::default(), it.if_exists).await,
                    (None, _) => Err(ServiceError::conflict("ref_taken", format!("`{address}` is taken"))),
                }
            }
            Err(other) => Err(other.into()),
        }
    }

    /// The name is taken by `task`.
    async fn exists(
        &self,
        by: &Actor,
        task: Task,
        params: Params,
        if_exists: SubmitIfExists,
    ) -> ServiceResult<Submitted> {
        match if_exists {
            SubmitIfExists::Refuse => Err(ServiceError::RefTaken(Box::new(task))),
            SubmitIfExists::Return => {
                let process = self.deployed(&task.process)?.process;
                Ok(Submitted {
                    task: TaskView::seen_by(by, &task, Some(&process), self.now()),
                    created: false,
                    pending: false,
                })
            }
            SubmitIfExists::Modify => {
                let command = Command::Modify { params, revision: None };
                match self.command(by, task, command).await? {
                    CommandResult::Read(task) => Ok(Submitted { task, created: false, pending: false }),
                    CommandResult::Kept(task) => Ok(Submitted { task, created: false, pending: true }),
                }
            }
        }
    }

    /// `task` when it has ended, or as it stands when the time is up.
    async fn ended(&self, task: Task, wait: Option<Span>) -> ServiceResult<Task> {
        let Some(wait) = wait.filter(|_| task.state.phase().is_live()) else { return Ok(task) };
        let deadline = self.clock().ticks() + wait.min(WAIT_MAX);
        let end = self.board().waiters.end(task.id);
        // It may have ended before anybody listened.
        let now = self.store().task(task.id).await?.unwrap_or(task);
        if !now.state.phase().is_live() {
            return Ok(now);
        }
        tokio::select! {
            ended = end => match ended {
                Some(task) => Ok(Arc::unwrap_or_clone(task)),
                None => Ok(now),
            },
            () = self.clock().at_tick(deadline) => Ok(self.store().task(now.id).await?.unwrap_or(now)),
        }
    }

    pub(super) fn reference(&self, given: Option<String>) -> ServiceResult<Ref> {
        match given {
            Some(text) => Ref::new(&text).map_err(|bad| ServiceError::bad("bad_ref", bad.to_string())),
            None => Ok(new_reference(self.now())),
        }
    }

    pub(super) async fn live(&self, address: &Address) -> ServiceResult<Option<Task>> {
        Ok(self.store().read(std::slice::from_ref(address)).await?.pop().flatten())
    }

    pub(super) fn room(&self, process: &Process) -> ServiceResult<()> {
        match self.board().live(&process.id) >= process.limits.tasks {
            true => {
                Err(ServiceError::TooManyTasks { process: process.id.clone(), tasks: process.limits.tasks })
            }
            false => Ok(()),
        }
    }
}

/// A UUID of version 7: names that grow with time keep the store's index dense.
fn new_reference(now: Timestamp) -> Ref {
    let mut chance = [0; 10];
    rand::rng().fill_bytes(&mut chance);
    let millis = u64::try_from(now.0).unwrap_or(0);
    let mut buffer = uuid::Uuid::encode_buffer();
    let uuid = uuid::Builder::from_unix_timestamp_millis(millis, &chance).into_uuid();
    let text = uuid.hyphenated().encode_lower(&mut buffer);
    Ref::new(text).expect("a UUID has 36 characters, none of them control characters")
}

pub(super) fn submit_key(by: &Actor, id: &ProcessId, key: &SubmitKey) -> ServiceResult<String> {
    let SubmitKey { word, line } = key;
    match (word.len(), line) {
        (1..=KEY_BYTES_MAX, None) => Ok(hash::of_submit(&[&by.name, id.as_str(), word])),
        (1..=KEY_BYTES_MAX, Some(line)) => {
            Ok(hash::of_submit(&[&by.name, id.as_str(), word, &line.to_string()]))
        }
        (bytes, _) => {
            let message = format!("an idempotency key has 1 to {KEY_BYTES_MAX} bytes, and this has {bytes}");
            Err(ServiceError::bad("bad_idempotency_key", message))
        }
    }
}

/// A hash of what is submitted, whatever the order of its members.
pub(super) fn digest(reference: Option<&str>, params: &Params) -> String {
    let params = sorted(&Value::Object(params.map().clone())).to_string();
    hash::of_submit(&[if reference.is_some() { "named" } else { "" }, reference.unwrap_or_default(), &params])
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let pairs: BTreeMap<&String, Value> = map.iter().map(|(name, it)| (name, sorted(it))).collect();
            pairs.into_iter().map(|(name, it)| (name.clone(), it)).collect()
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        other => other.clone(),
    }
}

fn mismatch(task: &Task, with: &str) -> ServiceError {
    let message = format!(
        "this idempotency key was used for task `{}`, with {with}; hint: a key means one submit, so take \
         another",
        task.reference
    );
    ServiceError::bad("idempotency_mismatch", message)
}

/// The params with defaults, checked.
pub(super) fn admitted(process: &Process, params: Params) -> ServiceResult<Params> {
    validate_params(process, params).map_err(misfits)
}
