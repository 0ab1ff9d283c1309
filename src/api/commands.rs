//! What a person may want done with a task: modify, wake, retry, move, cancel, ack.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::api::app::App;
use crate::api::problem::ApiProblem;
use crate::api::routes::Routes;
use crate::api::take::{At, JsonOf, QueryOf, Who, address, task_id};
use crate::api::tasks::{IdQuery, tagged};
use crate::model::names::NodeName;
use crate::model::params::Params;
use crate::model::signal::Command;
use crate::service::actor::Right;
use crate::service::commands::CommandResult;
use crate::service::permission::Permission;
use crate::service::view::TaskView;

/// The routes.
pub fn routes() -> Routes {
    Routes::of("commands")
        .add(Permission::Here(Right::Run), routes!(modify))
        .add(Permission::Here(Right::Run), routes!(wake))
        .add(Permission::Here(Right::Run), routes!(retry))
        .add(Permission::Here(Right::Run), routes!(move_to))
        .add(Permission::Here(Right::Run), routes!(cancel))
        .add(Permission::Here(Right::Run), routes!(ack))
}

type Place = At<(String, String)>;

async fn give(
    app: &App,
    who: &Who,
    at: Place,
    query: &IdQuery,
    command: Command,
) -> Result<Response, ApiProblem> {
    let id = task_id(query.id.as_deref())?;
    Ok(match app.service.command_at(&who.0, &address(at.0)?, id, command).await? {
        CommandResult::Read(task) => tagged(StatusCode::OK, task),
        CommandResult::Kept(task) => tagged(StatusCode::ACCEPTED, task),
    })
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ModifyBody {
    /// Laid over the task's params.
    #[schema(value_type = Object)]
    params: Map<String, Value>,
}

/// Lays params over the task's. With `If-Match` only if the task is still at that revision.
#[utoipa::path(post, path = "/api/v1/processes/{id}/tasks/{ref}/modify", tag = "commands",
    params(("id" = String, Path), ("ref" = String, Path), IdQuery,
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the task, or `*`.")),
    request_body = ModifyBody,
    responses((status = 200, body = TaskView), (status = 202, body = TaskView), (status = 409),
        (status = 412)))]
async fn modify(
    State(app): State<App>,
    who: Who,
    at: Place,
    QueryOf(query): QueryOf<IdQuery>,
    headers: HeaderMap,
    JsonOf(body): JsonOf<ModifyBody>,
) -> Result<Response, ApiProblem> {
    let command = Command::Modify { params: Params::from(body.params), revision: if_match(&headers)? };
    give(&app, &who, at, &query, command).await
}

/// Lets a waiting task go on now.
#[utoipa::path(post, path = "/api/v1/processes/{id}/tasks/{ref}/wake", tag = "commands",
    params(("id" = String, Path), ("ref" = String, Path), IdQuery),
    responses((status = 200, body = TaskView), (status = 202, body = TaskView),
        (status = 409)))]
async fn wake(
    State(app): State<App>,
    who: Who,
    at: Place,
    QueryOf(query): QueryOf<IdQuery>,
) -> Result<Response, ApiProblem> {
    give(&app, &who, at, &query, Command::Wake).await
}

/// Tries the failed node again.
#[utoipa::path(post, path = "/api/v1/processes/{id}/tasks/{ref}/retry", tag = "commands",
    params(("id" = String, Path), ("ref" = String, Path), IdQuery),
    responses((status = 200, body = TaskView), (status = 202, body = TaskView),
        (status = 409)))]
async fn retry(
    State(app): State<App>,
    who: Who,
    at: Place,
    QueryOf(query): QueryOf<IdQuery>,
) -> Result<Response, ApiProblem> {
    give(&app, &who, at, &query, Command::Retry).await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct MoveBody {
    /// The node to go to.
    #[schema(value_type = String)]
    to: NodeName,
}

/// Puts the task on another node.
#[utoipa::path(post, path = "/api/v1/processes/{id}/tasks/{ref}/move", tag = "commands",
    params(("id" = String, Path), ("ref" = String, Path), IdQuery), request_body = MoveBody,
    responses((status = 200, body = TaskView), (status = 202, body = TaskView),
        (status = 409)))]
async fn move_to(
    State(app): State<App>,
    who: Who,
    at: Place,
    QueryOf(query): QueryOf<IdQuery>,
    JsonOf(body): JsonOf<MoveBody>,
) -> Result<Response, ApiProblem> {
    give(&app, &who, at, &query, Command::Move { to: body.to }).await
}

/// Ends the task.
#[utoipa::path(post, path = "/api/v1/processes/{id}/tasks/{ref}/cancel", tag = "commands",
    params(("id" = String, Path), ("ref" = String, Path), IdQuery),
    responses((status = 200, body = TaskView), (status = 202, body = TaskView),
        (status = 409)))]
async fn cancel(
    State(app): State<App>,
    who: Who,
    at: Place,
    QueryOf(query): QueryOf<IdQuery>,
) -> Result<Response, ApiProblem> {
    give(&app, &who, at, &query, Command::Cancel).await
}

/// Says that its alarm is acknowledged: no more levels, no more reminders. The task goes on as before.
#[utoipa::path(post, path = "/api/v1/processes/{id}/tasks/{ref}/ack", tag = "commands",
    params(("id" = String, Path), ("ref" = String, Path), IdQuery),
    responses((status = 200, body = TaskView), (status = 202, body = TaskView),
        (status = 409)))]
async fn ack(
    State(app): State<App>,
    who: Who,
    at: Place,
    QueryOf(query): QueryOf<IdQuery>,
) -> Result<Response, ApiProblem> {
    give(&app, &who, at, &query, Command::Acknowledge { key: None }).await
}

/// The revision in `If-Match`: `"12"`, as the `ETag` had it. `*` is any.
fn if_match(headers: &HeaderMap) -> Result<Option<u64>, ApiProblem> {
    let Some(text) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let text = text.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    let digits = text.strip_prefix("W/").unwrap_or(text).trim_matches('"');
    digits.parse().map(Some).map_err(|_| {
        let detail = "`If-Match` is not an `ETag` of a task; hint: send what the task's `ETag` header said";
        ApiProblem::new(StatusCode::PRECONDITION_FAILED, "revision_mismatch", detail)
    })
}
