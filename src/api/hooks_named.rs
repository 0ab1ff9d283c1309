//! Named hooks over HTTP: a request becomes what the service takes, and what became of it an answer.

use axum::Json;
use axum::extract::Request as HttpRequest;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::api::app::App;
use crate::api::body::{BODY_TIMEOUT, whole};
use crate::api::problem::ApiProblem;
use crate::api::take::header_of;
use crate::model::names::Address;
use crate::service::errors::ServiceError;
use crate::service::hooks_named::{Hooked, WebhookRequest};
use crate::service::hooks_receive::HookRoute;

/// Takes a request to a named hook.
pub async fn take(app: &App, route: &HookRoute, request: HttpRequest) -> Response {
    match taken(app, route, request).await {
        Ok(response) => response,
        Err(problem) => {
            let asks = problem.status == StatusCode::UNAUTHORIZED && route.asks_password();
            let scheme = if asks { "Basic realm=\"hook\", charset=\"UTF-8\"" } else { "Hook" };
            let unproven = problem.status == StatusCode::UNAUTHORIZED;
            let mut response = problem.into_response();
            if unproven {
                response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(scheme));
            }
            response
        }
    }
}

async fn taken(app: &App, route: &HookRoute, request: HttpRequest) -> Result<Response, ApiProblem> {
    let methods = route.methods();
    if !methods.contains(&request.method().as_str()) {
        return Ok(not_so(request.method().as_str(), &methods));
    }
    let (head, body) = request.into_parts();
    let mut request = WebhookRequest {
        method: head.method.as_str().to_owned(),
        headers: pairs(&head.headers),
        content_type: header_of(&head.headers, &header::CONTENT_TYPE),
        encoding: header_of(&head.headers, &header::CONTENT_ENCODING),
        query: head.uri.query().unwrap_or_default().to_owned(),
        body: Vec::new(),
    };
    app.service.check_head(route, &request)?;
    let mut body = whole(&app.room, &head.headers, body, route.bytes_max(), BODY_TIMEOUT).await?;
    request.body = std::mem::take(&mut body.bytes);
    let done = app.service.hooked(route, request).await?;
    Ok(answer(done))
}

fn pairs(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let pair = |(name, value): (&HeaderName, &HeaderValue)| (name.as_str().to_owned(), text(value));
    headers.iter().map(pair).collect()
}

fn not_so(method: &str, methods: &[&str]) -> Response {
    let detail = format!("this hook does not take {method}");
    let problem = ApiProblem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail);
    let mut response = problem.into_response();
    if let Ok(allow) = HeaderValue::from_str(&methods.join(", ")) {
        response.headers_mut().insert(header::ALLOW, allow);
    }
    response
}

fn answer(done: Hooked) -> Response {
    match done {
        Hooked::Ignored => (StatusCode::OK, Json(json!({"result": "ignored"}))).into_response(),
        Hooked::Taken { address, created } => {
            placed(StatusCode::ACCEPTED, &address, "accepted", Some(created))
        }
        Hooked::Repeated { address } => placed(StatusCode::OK, &address, "repeated", None),
        Hooked::Replied(Ok(values)) => Json(Value::Object(values.map().clone())).into_response(),
        Hooked::Replied(Err(fault)) => {
            let status = fault.status.and_then(|it| StatusCode::from_u16(it).ok());
            let status = status.filter(|it| it.is_client_error() || it.is_server_error());
            let status = status.unwrap_or(StatusCode::UNPROCESSABLE_ENTITY);
            ApiProblem { code: fault.code.into(), ..ApiProblem::new(status, "fault", fault.message) }
                .into_response()
        }
        Hooked::Silent { address } => {
            let detail = format!("task `{}` ended badly, and did not reply", address.reference);
            ApiProblem::new(StatusCode::BAD_GATEWAY, "no_reply", detail).into_response()
        }
    }
}

/// The answer that says which task it was, and where it is.
fn placed(status: StatusCode, address: &Address, result: &str, created: Option<bool>) -> Response {
    let reference = utf8_percent_encode(address.reference.as_str(), NON_ALPHANUMERIC);
    let place = format!("/api/v1/processes/{}/tasks/{reference}", address.process);
    let mut body =
        json!({"result": result, "process": address.process, "ref": address.reference, "task": place});
    if let Some(created) = created {
        body["created"] = Value::Bool(created);
    }
    let mut response = (status, Json(body)).into_response();
    if let Ok(place) = HeaderValue::from_str(&place) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    response
}

/// The answer where there is neither a hook nor a key.
pub fn nowhere() -> ApiProblem {
    ApiProblem::from(ServiceError::no_hook())
}
