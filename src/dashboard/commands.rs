//! What a person may want done with a task: modify, wake, retry, move, cancel,
//! ack. Afterwards they see the task
//! again.

use axum::extract::State;

use crate::dashboard::dash::Dash;
use crate::dashboard::form::read;
use crate::dashboard::links;
use crate::dashboard::page::{Given, go};
use crate::dashboard::take::{self, Form, Of, Who};
use crate::dashboard::task::{Beside, page};
use crate::model::names::{NodeName, ProcessId};
use crate::model::signal::Command;
use crate::service::commands::CommandResult;
use crate::service::errors::ServiceError;

async fn give(
    dash: &Dash,
    who: Who,
    id: &ProcessId,
    form: &Form,
    command: Result<Command, ServiceError>,
) -> Given {
    let (address, task) = take::task(id, form.get("ref"), form.get("id"))?;
    let done = match command {
        Ok(command) => {
            let said = command.as_str();
            dash.service.command_at(&who.0, &address, task, command).await.map(|done| (said, done))
        }
        Err(refusal) => Err(refusal),
    };
    match done {
        Ok((said, CommandResult::Read(it))) => go(&format!("{}&said={said}", links::task(&it))),
        Ok((_, CommandResult::Kept(it))) => go(&format!("{}&said=kept", links::task(&it))),
        Err(refusal) => {
            let beside = Beside { refusal: Some(&refusal), typed: Some(form), ..Beside::default() };
            page(dash, &who.0, &address, task, beside).await
        }
    }
}

/// Lays what was typed over its params.
pub(super) async fn modify(State(dash): State<Dash>, who: Who, Of(id): Of, form: Form) -> Given {
    let process = dash.service.process(&who.0, &id).await?;
    let command = match read(&process.params, &form) {
        Ok(params) if params.is_empty() => {
            Err(ServiceError::bad("nothing", "nothing was filled in, so nothing was changed"))
        }
        Ok(params) => Ok(Command::Modify { params: params.into(), revision: None }),
        Err(wrong) => Err(ServiceError::Fields(wrong)),
    };
    give(&dash, who, &id, &form, command).await
}

/// Lets it go on now.
pub(super) async fn wake(State(dash): State<Dash>, who: Who, Of(id): Of, form: Form) -> Given {
    give(&dash, who, &id, &form, Ok(Command::Wake)).await
}

/// Tries the failed node again.
pub(super) async fn retry(State(dash): State<Dash>, who: Who, Of(id): Of, form: Form) -> Given {
    give(&dash, who, &id, &form, Ok(Command::Retry)).await
}

/// Puts it on another node.
pub(super) async fn shift(State(dash): State<Dash>, who: Who, Of(id): Of, form: Form) -> Given {
    let command = NodeName::new(form.get("to")).map(|to| Command::Move { to });
    let command = command.map_err(|bad| ServiceError::bad("no_such_node", bad.to_string()));
    give(&dash, who, &id, &form, command).await
}

/// Says that its alarm is acknowledged.
pub(super) async fn ack(State(dash): State<Dash>, who: Who, Of(id): Of, form: Form) -> Given {
    give(&dash, who, &id, &form, Ok(Command::Acknowledge { key: None })).await
}

/// Ends it.
pub(super) async fn cancel(State(dash): State<Dash>, who: Who, Of(id): Of, form: Form) -> Given {
    give(&dash, who, &id, &form, Ok(Command::Cancel)).await
}
