//! Commands of a person: modify, wake, retry, move, cancel, ack. Each is a signal, read by the task itself.

use std::sync::Arc;

use crate::engine::waiters::SignalResult;
use crate::model::fault::Fault;
use crate::model::names::{Address, TaskId};
use crate::model::params::Params;
use crate::model::signal::{Command, Signal, SignalKind, SignalTarget};
use crate::model::task::{Phase, Task};
use crate::process::process::Process;
use crate::process::validate;
use crate::service::actor::{Actor, Right};
use crate::service::errors::{FieldMistake, ServiceError, ServiceResult};
use crate::service::service::{READ_WAIT, Service};
use crate::service::view::TaskView;

/// What a task waits for that is to ask, while nothing was asked yet.
const FOR_PLACE: &str = "a place among the requests that are out";
const FOR_ROOM: &str = "room on the disk for the answer";

/// What became of a command.
#[derive(Clone, Debug)]
pub enum CommandResult {
    /// The task read it; here it is after.
    Read(TaskView),
    /// It is kept, and will be read when the task has time.
    Kept(TaskView),
}

impl Service {
    /// Gives a command to the live task at `address`, to the one that ended last if none lives, or to that
    /// very one.
    pub async fn command_at(
        &self,
        by: &Actor,
        address: &Address,
        id: Option<TaskId>,
        command: Command,
    ) -> ServiceResult<CommandResult> {
        by.need(Right::Run, &address.process)?;
        let task = self.task_at(address, id).await?;
        self.command(by, task, command).await
    }

    /// Gives a command to `task`.
    pub(super) async fn command(
        &self,
        by: &Actor,
        task: Task,
        command: Command,
    ) -> ServiceResult<CommandResult> {
        by.need(Right::Run, &task.process)?;
        let deployed = self.deployed(&task.process)?;
        let command = match command {
            Command::Modify { params, revision } => {
                Command::Modify { params: validate::whole(&deployed.process, params), revision }
            }
            other => other,
        };
        if let Command::Modify { params, .. } = &command {
            writable(params)?;
            let accepted = validate::accepted(&deployed.process, &task.at);
            validate::handed_in(&deployed.process, params, &accepted).map_err(misfits)?;
            typed(&deployed.process, params)?;
        }
        let live = task.state.phase().is_live();
        if !live && !matches!(command, Command::Retry | Command::Move { .. }) {
            let message =
                format!("task `{}` has ended: it is {}", task.address(), task.state.phase().as_str());
            return Err(ServiceError::conflict("task_ended", message));
        }
        let did = command.as_str();
        let kind = SignalKind::Command { command, by: by.name.clone() };
        let reading = self.handle.post(Signal { to: SignalTarget::Task(task.id), kind }).await?;
        self.audit(by, did, task.address().to_string()).await?;
        match self.read(reading).await? {
            Some(after) => Ok(CommandResult::Read(self.shown_if_deployed(by, &after))),
            None => {
                let task = self.store().task(task.id).await?.unwrap_or(task);
                Ok(CommandResult::Kept(self.shown_if_deployed(by, &task)))
            }
        }
    }

    /// The task after it read its signal; none if it did not for a while.
    pub(super) async fn read(
        &self,
        reading: Option<impl Future<Output = Option<SignalResult>>>,
    ) -> ServiceResult<Option<Arc<Task>>> {
        let Some(reading) = reading else { return Ok(None) };
        tokio::select! {
            biased;
            read = reading => match read {
                Some(Ok(task)) => Ok(Some(task)),
                Some(Err(fault)) => Err(ServiceError::of_signal(fault)),
                None => Ok(None),
            },
            () = self.clock().after(READ_WAIT) => Ok(None),
        }
    }

    /// The task at `address`, or that very one if it is that of the same name.
    pub(super) async fn task_at(&self, address: &Address, id: Option<TaskId>) -> ServiceResult<Task> {
        let task = match id {
            Some(id) => self.store().task(id).await?.filter(|it| it.address() == *address),
            None => self.store().find(address).await?,
        };
        match task {
            Some(task) => Ok(task),
            None => {
                self.deployed(&address.process)?;
                Err(ServiceError::missing("task", address.to_string()))
            }
        }
    }

    pub(super) fn shown_if_deployed(&self, by: &Actor, task: &Task) -> TaskView {
        let deployed = self.registry().get(&task.process);
        let view = TaskView::seen_by(by, task, deployed.as_ref().map(|it| &*it.process), self.now());
        match task.state.phase() == Phase::Doing && self.board().waits_for_place(task.id) {
            true => {
                let what = if self.store().room().takes_answers() { FOR_PLACE } else { FOR_ROOM };
                TaskView { waits_for: Some(what.to_owned()), ..view }
            }
            false => view,
        }
    }
}

/// Names a template sees as something else cannot be params.
pub(super) fn writable(params: &Params) -> ServiceResult<()> {
    let reserved = crate::model::scope::RESERVED;
    match params.map().keys().find(|name| reserved.contains(&name.as_str())) {
        Some(name) => Err(ServiceError::bad(
            "reserved_name",
            format!("`{name}` is a reserved name and cannot be a param"),
        )),
        None => Ok(()),
    }
}

/// The params of a signal to a task, checked: what is declared has its type.
pub(super) fn typed(process: &Process, params: &Params) -> ServiceResult<()> {
    validate::typed(process, params).map_err(misfits)
}

/// What is wrong with params, field by field.
pub(super) fn misfits(wrong: Vec<(String, Fault)>) -> ServiceError {
    let field =
        |(name, fault): (String, Fault)| FieldMistake { name, code: fault.code, message: fault.message };
    ServiceError::Fields(wrong.into_iter().map(field).collect())
}
