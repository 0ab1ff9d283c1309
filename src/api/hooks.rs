//! `/hooks/PROCESS/NAME`, `/hooks/PROCESS/KEY` and `/oauth/callback`: the only ways in without a token. A
//! named hook has its check, and a key is the right.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{RawQuery, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use utoipa_axum::routes;

use crate::api::app::App;
use crate::api::body::{BODY_TIMEOUT, whole};
use crate::api::hooks_named;
use crate::api::pages::{asks, says};
use crate::api::problem::ApiProblem;
use crate::api::routes::Routes;
use crate::api::take::{self, At, is_json, media_type, process};
use crate::middleware::routes::behind_hooks;
use crate::model::charset::named;
use crate::model::names::ProcessId;
use crate::process::hook_body::{UnreadableBody, fields};
use crate::service::hooks::{Brought, Opened};
use crate::service::hooks_receive::HookRoute;
use crate::service::permission::Permission;

/// The largest body that a link takes: 1 MiB.
const BROUGHT_BYTES_MAX: usize = 1024 * 1024;

/// The routes.
pub fn routes() -> Routes {
    Routes::of("hooks")
        .add(Permission::Key, routes!(look))
        .add(Permission::Key, routes!(open))
        .add(Permission::Key, routes!(put))
        .add(Permission::Key, routes!(callback))
}

/// Asks a person whether to go on. Nothing happens: messengers follow links to preview them. A named hook
/// that takes `GET` is called.
#[utoipa::path(get, path = "/hooks/{process}/{key}", tag = "hooks",
    params(("process" = String, Path), ("key" = String, Path)),
    responses((status = 200, content((Object = "application/json"), (String = "text/html"))),
        (status = 202, content((Object = "application/json"), (String = "text/html"))), (status = 401),
        (status = 405), (status = 408), (status = 409), (status = 410), (status = 413), (status = 415),
        (status = 422), (status = 429), (status = 502), (status = 507),
        (status = "default", description = "What the fault says that the process replied with.")))]
async fn look(State(app): State<App>, At((id, key)): At<(String, String)>, request: Request) -> Response {
    if let Some(route) = route(&app, &id, &key) {
        return hooks_named::take(&app, &route, request).await;
    }
    let headers = request.headers().clone();
    let door = match process(&id) {
        Ok(id) => app.service.door(Some(&id), &key).await.map_err(ApiProblem::from),
        Err(problem) => Err(problem),
    };
    match door {
        Ok(door) => {
            let about = if door.about.is_empty() { &door.process } else { &door.about };
            asks(&door.title, about, &door.accepts)
        }
        Err(problem) => refused(&headers, problem),
    }
}

/// Moves the task on, once, with what the node accepts of a form or of a JSON object. Or calls a named hook,
/// which makes a task or is a signal to one: JSON, a form, XML or a query, with the check that the process
/// asks for. 202 says which task; `answer: reply` gives what its `reply` node says.
#[utoipa::path(post, path = "/hooks/{process}/{key}", tag = "hooks",
    params(("process" = String, Path), ("key" = String, Path)),
    request_body(content((Object = "application/json"), (Object = "application/x-www-form-urlencoded"),
        (String = "application/xml"))),
    responses((status = 200, content((Object = "application/json"), (String = "text/html"))),
        (status = 202, content((Object = "application/json"), (String = "text/html"))), (status = 401),
        (status = 405), (status = 408), (status = 409), (status = 410), (status = 413), (status = 415),
        (status = 422), (status = 429), (status = 502), (status = 507),
        (status = "default", description = "What the fault says that the process replied with.")))]
async fn open(State(app): State<App>, At((id, key)): At<(String, String)>, request: Request) -> Response {
    if let Some(route) = route(&app, &id, &key) {
        return hooks_named::take(&app, &route, request).await;
    }
    let headers = request.headers().clone();
    let done = async {
        let id = process(&id)?;
        let brought = brought(&app, request).await?;
        Ok(app.service.open(Some(&id), &key, &brought).await?)
    };
    match done.await {
        Ok(opened) => answered(&headers, opened),
        Err(problem) => refused(&headers, problem),
    }
}

/// Calls a named hook that takes `PUT`.
#[utoipa::path(put, path = "/hooks/{process}/{key}", tag = "hooks",
    params(("process" = String, Path), ("key" = String, Path)),
    request_body(content((Object = "application/json"), (Object = "application/x-www-form-urlencoded"),
        (String = "application/xml"))),
    responses((status = 200, content((Object = "application/json"), (String = "text/html"))),
        (status = 202, content((Object = "application/json"), (String = "text/html"))), (status = 401),
        (status = 405), (status = 408), (status = 409), (status = 410), (status = 413), (status = 415),
        (status = 422), (status = 429), (status = 502), (status = 507),
        (status = "default", description = "What the fault says that the process replied with.")))]
async fn put(State(app): State<App>, At((id, key)): At<(String, String)>, request: Request) -> Response {
    match route(&app, &id, &key) {
        Some(route) => hooks_named::take(&app, &route, request).await,
        None => hooks_named::nowhere().into_response(),
    }
}

/// What comes to no route but was meant for a hook: a slash too many, or capitals, leave no doubt; anything
/// else is told where hooks are. `None`: it was meant for something else.
pub async fn beside(app: &App, request: Request) -> Result<Response, Request> {
    let path = request.uri().path().to_owned();
    let Some(pieces) = behind_hooks(&path) else { return Err(request) };
    let method = request.method().clone();
    let (app, of_two) = (
        State(app.clone()),
        match pieces.as_slice() {
            [id, key] => Some(At((id.clone(), key.clone()))),
            _ => None,
        },
    );
    Ok(match (of_two, method) {
        (Some(at), Method::GET | Method::HEAD) => look(app, at, request).await,
        (Some(at), Method::POST) => open(app, at, request).await,
        (Some(at), Method::PUT) => put(app, at, request).await,
        (Some(_) | None, _) => hooks_named::nowhere().into_response(),
    })
}

/// The named hook at that address, if there is one.
fn route(app: &App, id: &str, name: &str) -> Option<HookRoute> {
    app.service.route(&ProcessId::new(id).ok()?, name)
}

async fn brought(app: &App, request: Request) -> Result<Brought, ApiProblem> {
    let (head, body) = request.into_parts();
    let headers = head.headers;
    let body = whole(&app.room, &headers, body, BROUGHT_BYTES_MAX, BODY_TIMEOUT).await?.bytes;
    if body.is_empty() {
        return Ok(Brought::default());
    }
    let body = take::plain(&headers, &body, BROUGHT_BYTES_MAX)?;
    let content_type = take::header_of(&headers, &header::CONTENT_TYPE);
    if is_json(&headers) {
        let text = take::text(&body, &content_type, "bad_json")?;
        return Ok(Brought { values: take::json(&text)?, is_form: false });
    }
    if media_type(&headers) != "application/x-www-form-urlencoded" {
        let detail = "a hook takes a JSON object or a form";
        return Err(ApiProblem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_json", detail));
    }
    let mut values = Map::new();
    // A field that was left empty brings nothing.
    let pairs = fields(&body, &named(&content_type)).map_err(|bad| match bad {
        UnreadableBody::Kind(detail) => {
            ApiProblem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "bad_charset", detail)
        }
        UnreadableBody::Form(detail) => ApiProblem::new(StatusCode::BAD_REQUEST, "bad_body", detail),
    })?;
    for (name, value) in pairs.into_iter().filter(|(_, value)| !value.is_empty()) {
        if values.insert(name.clone(), Value::from(value)).is_some() {
            let detail = format!("the form has `{}` twice", name.escape_debug());
            return Err(ApiProblem::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_body", detail));
        }
    }
    Ok(Brought { values, is_form: true })
}

/// Takes an OAuth redirect; `state` is the key of the task that waits for it.
#[utoipa::path(get, path = "/oauth/callback", tag = "hooks",
    params(("state" = Option<String>, Query, description = "The key of the task that waits for it."),
        ("code" = Option<String>, Query, description = "What the access token is fetched with."),
        ("error" = Option<String>, Query, description = "Why there is no code."),
        ("error_description" = Option<String>, Query, description = "The same for a person.")),
    responses((status = 200, body = String, content_type = "text/html"),
        (status = 202, body = String, content_type = "text/html"), (status = 400), (status = 404),
        (status = 409), (status = 410), (status = 507)))]
async fn callback(State(app): State<App>, method: Method, RawQuery(query): RawQuery) -> Response {
    // Whoever looks at a link before a person does must not use it up.
    if method == Method::HEAD {
        return StatusCode::OK.into_response();
    }
    let query: BTreeMap<String, String> =
        url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned().collect();
    if let Some(error) = query.get("error") {
        let about = query.get("error_description").unwrap_or(error);
        // Words that came with a state that opens nothing may be anybody's.
        let text = match app.service.callback(&query).await {
            Ok(Opened::WentOn | Opened::Kept) => {
                format!(
                    "The other side said: {about}. The task that asked for it knows. You can close this page."
                )
            }
            Ok(Opened::Rests) => {
                format!("The other side said: {about}. The process that asked for it is paused.")
            }
            Ok(Opened::Waits) => format!("The other side said: {about}. You can close this page."),
            Err(_) => "It was not authorized, and no task waits for that any more. Begin again with the \
                       link of the task."
                .to_owned(),
        };
        return says(StatusCode::BAD_REQUEST, "Not authorized", &text);
    }
    match app.service.callback(&query).await {
        Ok(Opened::WentOn) => says(
            StatusCode::OK,
            "Done",
            "The authorization arrived, and the access token is being fetched. You can close this page.",
        ),
        Ok(Opened::Kept) => {
            says(StatusCode::OK, "Received", "The authorization is kept. You can close this page.")
        }
        Ok(Opened::Rests) => says(
            StatusCode::ACCEPTED,
            "Kept, but the process is paused",
            "The authorization is kept. What it is good for lasts seconds, so most likely it will have to be \
             given again when somebody has resumed the process.",
        ),
        Ok(Opened::Waits) => says(
            StatusCode::CONFLICT,
            "Not what was expected",
            "The task took what the portal sent, and still waits for something else.",
        ),
        Err(refusal) => page(&ApiProblem::from(refusal)),
    }
}

fn answered(headers: &HeaderMap, opened: Opened) -> Response {
    let (status, word, title, text) = match opened {
        Opened::WentOn => (StatusCode::OK, "went_on", "Done", "The task goes on. You can close this page."),
        Opened::Kept => (StatusCode::ACCEPTED, "kept", "Received", "It is kept. You can close this page."),
        Opened::Rests => (
            StatusCode::ACCEPTED,
            "paused",
            "Received, and the process is paused",
            "It is kept, and the task goes on when somebody resumes the process.",
        ),
        Opened::Waits => (
            StatusCode::UNPROCESSABLE_ENTITY,
            "waits",
            "Something is missing",
            "The task still waits for more.",
        ),
    };
    match (wants_page(headers), opened) {
        (true, _) => says(status, title, text),
        (false, Opened::Waits) => {
            ApiProblem::new(status, word, "the task still waits: something is missing").into_response()
        }
        (false, Opened::WentOn | Opened::Kept | Opened::Rests) => {
            (status, Json(json!({"result": word}))).into_response()
        }
    }
}

/// The answer to whoever a link does not let in, as they read it.
pub fn refused(headers: &HeaderMap, problem: ApiProblem) -> Response {
    if wants_page(headers) { page(&problem) } else { problem.into_response() }
}

fn page(problem: &ApiProblem) -> Response {
    let title = match problem.status {
        StatusCode::GONE => "This link is over",
        StatusCode::NOT_FOUND => "There is no such link",
        _ => "That did not work",
    };
    says(problem.status, title, &sentence(&problem.detail))
}

/// A message of ours as a sentence.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|it| it.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", chars.as_str())
}

/// Whether a person reads the answer.
pub fn wants_page(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|it| it.to_str().ok()).unwrap_or_default();
    accept.contains("text/html")
}
