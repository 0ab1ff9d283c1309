//! [`complete`]: what the document says of a route beside what its handler says. What follows from the form
//! of a route, whom it is for, what is in its path, whether it takes a body, is said here once for all.

use axum::http::{Method, StatusCode};
use serde_json::Value;
use utoipa::PartialSchema;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::{Content, OpenApi, Ref, RefOr, Required, Response};

use crate::api::problem::{CONTENT_TYPE_TEXT, ProblemBody};
use crate::service::permission::Permission;

/// The name of the problem's schema.
const PROBLEM: &str = "Problem";
/// An answer beside those that are named.
const OTHER: &str = "default";
/// How an answer to a person begins that a link does not let in.
const PAGE: &str = "text/html";

/// Every error answer there is, and what it means.
const ERRORS: [(u16, &str); 18] = [
    (400, "What was sent cannot be read: the path, the body or its JSON."),
    (401, "The request does not say who asks, or says it with something that is not known or has expired."),
    (403, "Who asks has not the right, or came around the proxy or from a page of another server."),
    (404, "There is no such thing."),
    (405, "The address does not take this method."),
    (408, "The body did not arrive in time."),
    (409, "It cannot be done as things stand; `code` says why."),
    (410, "The link was used before, or has expired."),
    (412, "The task is not at the revision that `If-Match` says."),
    (413, "The body is larger than is taken here."),
    (415, "The body is not of a kind that is taken here."),
    (421, "The server does not go by the name in `Host`."),
    (422, "What was sent can be read, and is not what is taken here; `detail` says why."),
    (429, "The process has as many live tasks as it may have. `Retry-After` says when to try again."),
    (500, "Something went wrong inside the server; its log says what."),
    (502, "The task ended badly and did not reply."),
    (503, "It cannot be done now: the engine stops, is too busy, or has lost its store. Try again."),
    (507, "The disk has no room for new work. `Retry-After` says when to try again."),
];

/// What a part of a path is, and one such.
const PARTS: [(&str, &str, &str); 8] = [
    ("id", "The id of a process.", "hello"),
    ("process", "The id of a process.", "hello"),
    ("ref", "The ref of a task.", "1042"),
    ("key", "The name of a hook, or the key of a link.", "commands"),
    ("name", "Its name.", "author"),
    ("version", "The hash of the text of a process.", "1"),
    ("session", "The name of a session.", "none"),
    ("path", "The name of a param; `address.city` or `address/city` looks within.", "city"),
];

/// The form of a route.
#[derive(Clone, Copy, Debug)]
pub struct Form<'a> {
    /// The name of the file that it is in: what its functions are called is unique there.
    pub area: &'a str,
    /// What it asks.
    pub need: Permission,
    /// Its method.
    pub method: &'a Method,
}

/// Completes what is said of a route.
pub fn complete(form: Form<'_>, operation: &mut Operation) {
    let name = operation.operation_id.take().unwrap_or_default();
    operation.operation_id = Some(format!("{}_{name}", form.area));
    operation.security = form.need.is_open().then(Vec::new);
    for parameter in operation.parameters.iter_mut().flatten() {
        if let RefOr::T(it) = parameter
            && it.parameter_in == ParameterIn::Path
        {
            *parameter = RefOr::T(described(it.clone()));
        }
    }
    for status in owed(form, operation) {
        operation.responses.responses.entry(status.to_string()).or_insert_with(|| Response::new("").into());
    }
    for (status, answer) in &mut operation.responses.responses {
        let RefOr::T(response) = answer else { continue };
        if status == OTHER {
            fill(response, form.need);
            continue;
        }
        let Some(code) = status.parse().ok().and_then(|it| StatusCode::from_u16(it).ok()) else { continue };
        let is_plain = response.description.is_empty() && response.content.is_empty();
        if code.is_success() {
            if response.description.is_empty() {
                success(code).clone_into(&mut response.description);
            }
        } else if is_plain && !form.need.is_open() {
            *answer = RefOr::Ref(Ref::from_response_name(shared(code)));
        } else {
            if response.description.is_empty() {
                error(code).clone_into(&mut response.description);
            }
            if response.content.is_empty() {
                fill(response, form.need);
            }
        }
    }
}

/// Puts the answers that routes share where the document keeps them, and takes away what nothing refers to.
pub fn share(api: &mut OpenApi) {
    let components = api.components.get_or_insert_default();
    components.schemas.insert(PROBLEM.to_owned(), ProblemBody::schema());
    for (status, about) in ERRORS {
        let Ok(code) = StatusCode::from_u16(status) else { continue };
        let mut response = Response::new(about);
        fill(&mut response, Permission::Known);
        components.responses.insert(shared(code), response.into());
    }
    // What is taken away may have been the last that referred to something else.
    while prune(api) {}
}

/// Whether something was there that nothing refers to, and is gone now.
fn prune(api: &mut OpenApi) -> bool {
    let Ok(text) = api.to_json() else { return false };
    let Some(components) = &mut api.components else { return false };
    let is_used = |kind: &str, name: &str| text.contains(&format!("\"#/components/{kind}/{name}\""));
    let before = components.schemas.len() + components.responses.len();
    components.schemas.retain(|name, _| is_used("schemas", name));
    components.responses.retain(|name, _| is_used("responses", name));
    components.schemas.len() + components.responses.len() < before
}

/// The error answers that follow from the form alone. Whatever else a handler refuses, it says itself.
fn owed(form: Form<'_>, operation: &Operation) -> Vec<u16> {
    let mut owed = vec![403, 421, 500, 503];
    if !form.need.is_open() {
        owed.push(401);
    }
    let mut is_asked = false;
    for parameter in operation.parameters.iter().flatten() {
        match parameter {
            RefOr::T(it) if it.parameter_in == ParameterIn::Path => owed.extend([400, 404]),
            RefOr::T(_) | RefOr::Ref(_) => is_asked = true,
        }
    }
    let mut kinds = Vec::new();
    if let Some(RefOr::T(body)) = &operation.request_body {
        kinds.extend(body.content.keys().map(String::as_str));
        owed.extend([400, 413]);
        is_asked = true;
    }
    // A text is taken whatever it says it is.
    if kinds.contains(&"application/json") {
        owed.push(415);
    }
    if is_asked {
        owed.push(422);
    }
    owed
}

fn described(parameter: Parameter) -> Parameter {
    let part = PARTS.iter().find(|(name, ..)| *name == parameter.name);
    let about = parameter.description.clone();
    let has_about = about.is_some();
    let builder = ParameterBuilder::from(parameter).required(Required::True);
    match part {
        Some((_, text, example)) => builder
            .description(if has_about { about } else { Some((*text).to_owned()) })
            .example(Some(Value::from(*example)))
            .build(),
        None => builder.build(),
    }
}

/// A problem; for who follows a link with a browser, a page.
fn fill(response: &mut Response, need: Permission) {
    let problem = Content::new(Some(Ref::from_schema_name(PROBLEM)));
    response.content.insert(CONTENT_TYPE_TEXT.to_owned(), problem.into());
    if need == Permission::Key {
        response.content.insert(PAGE.to_owned(), Content::new(Some(String::schema())).into());
    }
}

fn shared(code: StatusCode) -> String {
    code.canonical_reason().unwrap_or("Error").replace([' ', '-'], "")
}

fn error(code: StatusCode) -> &'static str {
    let known = ERRORS.iter().find(|(status, _)| *status == code.as_u16());
    known.map_or("It was not done; `code` says why.", |(_, about)| about)
}

fn success(code: StatusCode) -> &'static str {
    match code {
        StatusCode::CREATED => "It was made.",
        StatusCode::ACCEPTED => "It is kept, and is done as soon as it can be.",
        StatusCode::NO_CONTENT => "It is done, and there is nothing to say.",
        _ => "What was asked for.",
    }
}
