//! The layers every request passes: it may call us by this name, it says who asks, nobody who hangs up leaves
//! a verb half done, and every answer carries the same headers.

use std::any::Any;

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::api::app::App;
use crate::api::problem::Problem;
use crate::api::take::{Who, unknown};

/// What is open to everybody. All else needs a token: what is not named here is closed.
const OPEN: [&str; 3] = ["/healthz", "/readyz", "/oauth/callback"];
/// Below this the key in the path is the right.
const HOOKS: &str = "/hooks/";

/// What every answer carries, unless the page says otherwise.
const HEADERS: [(HeaderName, HeaderValue); 5] = [
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'")),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
];

/// Puts the headers on an answer.
pub async fn with_headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in &HEADERS {
        if !headers.contains_key(name) {
            headers.insert(name.clone(), value.clone());
        }
    }
    response
}

/// Lets in who calls us by a name of ours.
pub async fn known_host(State(app): State<App>, request: Request, next: Next) -> Response {
    let Some(hosts) = &app.hosts else { return next.run(request).await };
    let named = request.headers().get(header::HOST).and_then(|it| it.to_str().ok());
    let named = named.or_else(|| request.uri().host()).unwrap_or_default().to_ascii_lowercase();
    let name = match named.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|it| it.is_ascii_digit()) => name,
        _ => &named,
    };
    match hosts.iter().any(|it| it == name) {
        true => next.run(request).await,
        false => {
            let detail = "this server does not go by that name; hint: use localhost, or set `public_url`";
            Problem::new(StatusCode::MISDIRECTED_REQUEST, "unknown_host", detail).into_response()
        }
    }
}

/// Lets in who has a token, and notes who it is.
pub async fn known_actor(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if OPEN.contains(&path) || path.starts_with(HOOKS) {
        return next.run(request).await;
    }
    let header = request.headers().get(header::AUTHORIZATION).and_then(|it| it.to_str().ok());
    let token =
        header.and_then(|it| it.split_once(' ')).filter(|(kind, _)| kind.eq_ignore_ascii_case("bearer"));
    let Some((_, token)) = token else { return unknown().into_response() };
    let Some(actor) = app.desk.actor(token.trim()) else {
        let detail = "this token is not known, or has expired";
        return Problem::new(StatusCode::UNAUTHORIZED, "bad_token", detail).into_response();
    };
    request.extensions_mut().insert(Who(actor));
    next.run(request).await
}

/// What changes something is carried to its end, also if the caller hangs up.
pub async fn to_the_end(request: Request, next: Next) -> Response {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return next.run(request).await;
    }
    match tokio::spawn(next.run(request)).await {
        Ok(response) => response,
        Err(died) => match died.try_into_panic() {
            Ok(panic) => panicked(panic),
            Err(_) => Problem::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", "the engine is stopping")
                .into_response(),
        },
    }
}

/// A mistake of ours. What exactly is in the log.
#[expect(clippy::needless_pass_by_value, reason = "the layer hands it over so")]
pub fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no words");
    tracing::error!(panic = text, "a handler panicked");
    let detail = "something went wrong inside the server; the log says what";
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail).into_response()
}
