//! `/api/v1/processes/ID/tasks`: submitting tasks and looking at them.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::Value;
use utoipa::IntoParams;
use utoipa_axum::routes;

use crate::api::app::App;
use crate::api::many::many;
use crate::api::problem::ApiProblem;
use crate::api::routes::Routes;
use crate::api::submission::SubmitBody;
use crate::api::take::{
    At, QueryOf, Who, address, header_of, is_json, json, media_type, not_json, process, task_id, whole_text,
};
use crate::model::names::{NodeName, ProcessId};
use crate::model::task::Phase;
use crate::model::time::Span;
use crate::service::actor::Right;
use crate::service::expiring::ExpiringView;
use crate::service::lease::Wish;
use crate::service::look::Filter;
use crate::service::param_filter::ParamFilter;
use crate::service::permission::Permission;
use crate::service::submit::{SubmitKey, Submitted};
use crate::service::view::{HistoryEventView, ListPage, TaskView};

/// The routes.
pub fn routes() -> Routes {
    Routes::of("tasks")
        .add(Permission::Here(Right::Read), routes!(list))
        .add(Permission::Here(Right::Run), routes!(submit))
        .add(Permission::Somewhere(Right::Read), routes!(list_all))
        .add(Permission::Here(Right::Read), routes!(get))
        .add(Permission::Here(Right::Read), routes!(history))
        .add(Permission::Here(Right::Read), routes!(param))
        .add(Permission::Somewhere(Right::Read), routes!(expiries))
        .add(Permission::Somewhere(Right::Read), routes!(alarms))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct SubmitQuery {
    /// Answer when the task ends, or after so long: `30s`.
    #[param(value_type = Option<String>)]
    wait: Option<Span>,
}

/// Takes a task in. With `Content-Type: application/x-ndjson`, one such object a line, many; the answer then
/// has one line for each, in order. The header `Idempotency-Key` makes a repeat safe.
#[utoipa::path(post, path = "/api/v1/processes/{id}/tasks", tag = "tasks",
    params(("id" = String, Path), SubmitQuery,
        ("Idempotency-Key" = Option<String>, Header,
            description = "Of ASCII; makes a repeat safe. Line i of NDJSON is under the key and i.")),
    request_body(content((SubmitBody = "application/json"), (String = "application/x-ndjson"))),
    responses(
        (status = 201, description = "The task was taken in.", body = TaskView),
        (status = 200, description = "There is such a task already; or a line for each that was handed in.",
            content((TaskView = "application/json"), (String = "application/x-ndjson"))),
        (status = 202, body = TaskView), (status = 409), (status = 429), (status = 507)))]
async fn submit(
    State(app): State<App>,
    Who(by): Who,
    At(id): At<String>,
    QueryOf(query): QueryOf<SubmitQuery>,
    request: Request,
) -> Result<Response, ApiProblem> {
    let id = process(&id)?;
    let key = key(request.headers())?;
    if media_type(request.headers()) == "application/x-ndjson" {
        let headers = request.headers();
        if !matches!(header_of(headers, &header::CONTENT_ENCODING).trim(), "" | "identity") {
            let detail = "NDJSON is read line by line, and so it is not unpacked; hint: send it as it is";
            return Err(ApiProblem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "bad_encoding", detail));
        }
        let content_type = header_of(headers, &header::CONTENT_TYPE);
        return Ok(many(app, by, id, key, request.into_body(), content_type).await);
    }
    if !is_json(request.headers()) {
        return Err(not_json());
    }
    let body: SubmitBody = json(&whole_text(request, &(), "bad_json").await?)?;
    let done = app
        .service
        .submit(&by, &id, body.submission(key.map(|word| SubmitKey { word, line: None }), query.wait))
        .await?;
    Ok(submitted(done))
}

fn submitted(done: Submitted) -> Response {
    let status = match (done.created, done.pending) {
        (true, _) => StatusCode::CREATED,
        (false, true) => StatusCode::ACCEPTED,
        (false, false) => StatusCode::OK,
    };
    let mut response = with_tag(status, done.task);
    if let Some(place) = response.1 {
        response.0.headers_mut().insert(header::LOCATION, place);
    }
    response.0
}

/// The answer with a task, its `ETag`, and where it is.
fn with_tag(status: StatusCode, task: TaskView) -> (Response, Option<HeaderValue>) {
    let tag = HeaderValue::from_str(&format!("\"{}\"", task.revision)).ok();
    let reference = utf8_percent_encode(&task.reference, NON_ALPHANUMERIC);
    let place = format!("/api/v1/processes/{}/tasks/{reference}", task.process);
    let mut response = (status, Json(task)).into_response();
    if let Some(tag) = tag {
        response.headers_mut().insert(header::ETAG, tag);
    }
    (response, HeaderValue::from_str(&place).ok())
}

/// The answer with a task and its `ETag`.
pub fn tagged(status: StatusCode, task: TaskView) -> Response {
    with_tag(status, task).0
}

fn key(headers: &HeaderMap) -> Result<Option<String>, ApiProblem> {
    let bad = |_| {
        let detail = "the header `Idempotency-Key` holds more than ASCII";
        ApiProblem::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_idempotency_key", detail)
    };
    let key = headers.get("idempotency-key").map(|it| it.to_str().map(str::to_owned));
    key.transpose().map_err(bad)
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    /// On that node.
    #[param(value_type = Option<String>)]
    node: Option<NodeName>,
    /// In that state.
    #[param(value_type = Option<String>)]
    state: Option<Phase>,
    /// Whose ref begins with that.
    r#ref: Option<String>,
    /// With such a param: `name=value`, or `name~part of the value`; `address.city=Riga` looks within. One
    /// answer looks through 2,000 tasks at most, and says how many; `next` looks on. Nothing secret is found.
    param: Option<String>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// How many, from 1 to 500; 50 if nothing is said.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
}

fn filter(param: Option<&str>) -> Result<Option<ParamFilter>, ApiProblem> {
    Ok(param.map(str::parse).transpose()?)
}

/// The tasks of a process, oldest first.
#[utoipa::path(get, path = "/api/v1/processes/{id}/tasks", tag = "tasks",
    params(("id" = String, Path), ListQuery),
    responses((status = 200, body = ListPage<TaskView>)))]
async fn list(
    State(app): State<App>,
    Who(by): Who,
    At(id): At<String>,
    QueryOf(it): QueryOf<ListQuery>,
) -> Result<Json<ListPage<TaskView>>, ApiProblem> {
    let filter = Filter {
        process: Some(process(&id)?),
        node: it.node,
        phase: it.state,
        ref_prefix: it.r#ref,
        param: filter(it.param.as_deref())?,
        cursor: it.cursor,
        limit: it.limit,
    };
    Ok(Json(app.service.tasks(&by, filter).await?))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListAllQuery {
    /// Of that process.
    #[param(value_type = Option<String>)]
    process: Option<ProcessId>,
    /// On that node.
    #[param(value_type = Option<String>)]
    node: Option<NodeName>,
    /// In that state.
    #[param(value_type = Option<String>)]
    state: Option<Phase>,
    /// Whose ref begins with that.
    r#ref: Option<String>,
    /// With such a param: `name=value`, or `name~part of the value`; `address.city=Riga` looks within. One
    /// answer looks through 2,000 tasks at most, and says how many; `next` looks on. Nothing secret is found.
    param: Option<String>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// How many, from 1 to 500; 50 if nothing is said.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
}

/// The tasks of all processes you may see, oldest first.
#[utoipa::path(get, path = "/api/v1/tasks", tag = "tasks", params(ListAllQuery),
    responses((status = 200, body = ListPage<TaskView>)))]
async fn list_all(
    State(app): State<App>,
    Who(by): Who,
    QueryOf(it): QueryOf<ListAllQuery>,
) -> Result<Json<ListPage<TaskView>>, ApiProblem> {
    let filter = Filter {
        process: it.process,
        node: it.node,
        phase: it.state,
        ref_prefix: it.r#ref,
        param: filter(it.param.as_deref())?,
        cursor: it.cursor,
        limit: it.limit,
    };
    Ok(Json(app.service.tasks(&by, filter).await?))
}

/// Picks a task that ended.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct IdQuery {
    /// That very task, live or ended.
    #[param(pattern = "^[0-9]+$")]
    pub id: Option<String>,
}

/// The live task of that ref, or else the one that ended last.
#[utoipa::path(get, path = "/api/v1/processes/{id}/tasks/{ref}", tag = "tasks",
    params(("id" = String, Path), ("ref" = String, Path), IdQuery),
    responses((status = 200, body = TaskView)))]
async fn get(
    State(app): State<App>,
    Who(by): Who,
    At(at): At<(String, String)>,
    QueryOf(query): QueryOf<IdQuery>,
) -> Result<Response, ApiProblem> {
    let task = app.service.task(&by, &address(at)?, task_id(query.id.as_deref())?).await?;
    Ok(tagged(StatusCode::OK, task))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct HistoryQuery {
    /// That very task, live or ended.
    #[param(pattern = "^[0-9]+$")]
    id: Option<String>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// How many commits, from 1 to 500; 50 if nothing is said.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
}

/// What happened to a task, oldest first.
#[utoipa::path(get, path = "/api/v1/processes/{id}/tasks/{ref}/history", tag = "tasks",
    params(("id" = String, Path), ("ref" = String, Path), HistoryQuery),
    responses((status = 200, body = ListPage<HistoryEventView>)))]
async fn history(
    State(app): State<App>,
    Who(by): Who,
    At(at): At<(String, String)>,
    QueryOf(it): QueryOf<HistoryQuery>,
) -> Result<Json<ListPage<HistoryEventView>>, ApiProblem> {
    let id = task_id(it.id.as_deref())?;
    Ok(Json(app.service.history(&by, &address(at)?, id, it.cursor.as_deref(), it.limit).await?))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ParamQuery {
    /// That very task, live or ended.
    #[param(pattern = "^[0-9]+$")]
    id: Option<String>,
    /// The value must live so long yet: `10m`. If it does not, the task is woken and the new one waited for.
    #[param(value_type = Option<String>)]
    fresh_for: Option<Span>,
    /// How long that is waited for, at most five minutes; 30 seconds if nothing is said.
    #[param(value_type = Option<String>)]
    wait: Option<Span>,
}

/// The bare value of a param: a text as text, all else as JSON. A secret needs the right `secrets`.
///
/// With `fresh_for` it is a lease of a value that expires (`expiry`): one that is good for so long
/// yet, at once or after a renewal, with its end in the header `Beltline-Expires-At`. However many ask at
/// once, the task is woken once. If there is none in time, the answer is 503 `not_fresh` with the reason;
/// what never lives so long is 422 `fresh_for_too_long`.
#[utoipa::path(get, path = "/api/v1/processes/{id}/tasks/{ref}/params/{*path}", tag = "tasks",
    params(("id" = String, Path), ("ref" = String, Path), ("path" = String, Path), ParamQuery),
    responses((status = 200, content((String = "text/plain"), (Value = "application/json"))),
        (status = 405), (status = 409)))]
async fn param(
    State(app): State<App>,
    Who(by): Who,
    method: Method,
    At((id, reference, path)): At<(String, String, String)>,
    QueryOf(query): QueryOf<ParamQuery>,
) -> Result<Response, ApiProblem> {
    let at = address((id, reference))?;
    // A lease wakes the task, and whoever only looks must not.
    if method == Method::HEAD && query.fresh_for.is_some() {
        let detail = "a lease is had with GET";
        return Err(ApiProblem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail));
    }
    match (query.fresh_for, &query.id, query.wait) {
        (Some(fresh_for), None, wait) => {
            let leased = app.service.lease(&by, &at, &Wish { param: path, fresh_for, wait }).await?;
            let mut response = bare(leased.value);
            if let Ok(expires_at) = HeaderValue::from_str(&leased.expires_at.to_string()) {
                response.headers_mut().insert("beltline-expires-at", expires_at);
            }
            Ok(response)
        }
        (None, id, None) => Ok(bare(app.service.param(&by, &at, task_id(id.as_deref())?, &path).await?)),
        (Some(_), Some(_), _) | (None, _, Some(_)) => {
            let detail = "`fresh_for` is for the live task, without `id`, and `wait` is only for `fresh_for`";
            Err(ApiProblem::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_query", detail))
        }
    }
}

fn bare(value: Value) -> Response {
    match value {
        Value::String(text) => ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response(),
        other => Json(other).into_response(),
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct AlarmsQuery {
    /// `next` of the page before.
    cursor: Option<String>,
    /// How many, from 1 to 500; 500 if nothing is said.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
}

/// Live tasks with an open alarm, oldest first.
#[utoipa::path(get, path = "/api/v1/alarms", tag = "tasks", params(AlarmsQuery),
    responses((status = 200, body = ListPage<TaskView>)))]
async fn alarms(
    State(app): State<App>,
    Who(by): Who,
    QueryOf(it): QueryOf<AlarmsQuery>,
) -> Result<Json<ListPage<TaskView>>, ApiProblem> {
    Ok(Json(app.service.alarms(&by, it.cursor.as_deref(), it.limit).await?))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ExpiringQuery {
    /// Of that process.
    #[param(value_type = Option<String>)]
    process: Option<ProcessId>,
    /// How many, from 1 to 500; 50 if nothing is said.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
}

/// Live tasks with values that die, such as tokens; the one that needs a person soonest is first.
#[utoipa::path(get, path = "/api/v1/expiring", tag = "tasks", params(ExpiringQuery),
    responses((status = 200, body = ListPage<ExpiringView>)))]
async fn expiries(
    State(app): State<App>,
    Who(by): Who,
    QueryOf(it): QueryOf<ExpiringQuery>,
) -> Result<Json<ListPage<ExpiringView>>, ApiProblem> {
    Ok(Json(app.service.expiries(&by, it.process.as_ref(), it.limit).await?))
}
