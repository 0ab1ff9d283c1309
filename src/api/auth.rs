//! The layers every request passes: it may call us by this name, it says who asks, nobody who hangs up leaves
//! a verb half done, and every answer carries the same headers.

use std::any::Any;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Once};

use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::api::app::App;
use crate::api::problem::ApiProblem;
use crate::api::take::{Who, unknown};
use crate::middleware::client::{Client, Peer};
use crate::middleware::headers::guard;
use crate::middleware::origin::{Site, is_read, site};
use crate::middleware::routes::{RouteMatch, RouteTable, behind_hooks, options, process_of};

/// What the doors know: everything, and which doors there are.
#[derive(Clone)]
pub struct AuthLayer {
    /// Everything.
    pub app: App,
    /// Which doors there are, and what each asks.
    pub routes: Arc<RouteTable>,
}

/// It is said once.
static UNDECLARED: Once = Once::new();

/// Notes who is at the other end, lets nobody in who came around the proxy or calls us by a name that is not
/// ours, carries what changes something to its end, and puts the headers on the answer.
pub async fn guarded(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let here = Peer { address: IpAddr::V4(Ipv4Addr::LOCALHOST), tls: false };
    let peer = request.extensions().get::<Peer>().copied().unwrap_or(here);
    let client = app.front.client(peer, request.headers());
    if app.front.is_undeclared(peer, request.headers()) {
        UNDECLARED.call_once(|| {
            tracing::warn!(
                "a proxy on this machine is not declared, so all who come through it look like one; \
                 hint: set `proxy.trust`, or --behind-proxy 127.0.0.1"
            );
        });
    }
    let https = client.https;
    let refused = match client.welcome {
        true => unknown_host(&app, &request),
        false => {
            let detail = "this server is reached through its proxy; hint: use the address people use";
            Some(ApiProblem::new(StatusCode::FORBIDDEN, "around_the_proxy", detail))
        }
    };
    request.extensions_mut().insert(client);
    let mut response = match refused {
        Some(problem) => problem.into_response(),
        None => to_the_end(request, next).await,
    };
    guard(response.headers_mut(), https);
    response
}

/// Why who calls us by that name is not let in.
fn unknown_host(app: &App, request: &Request) -> Option<ApiProblem> {
    let hosts = app.hosts.as_ref()?;
    let named = request.headers().get(header::HOST).and_then(|it| it.to_str().ok());
    let named = named.or_else(|| request.uri().host()).unwrap_or_default();
    let name = match named.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|it| it.is_ascii_digit()) => name,
        _ => named,
    };
    // An address is no name that somebody could have made to point here.
    let is_loopback = name.parse().is_ok_and(|it: IpAddr| it.is_loopback());
    if is_loopback || hosts.iter().any(|it| it.eq_ignore_ascii_case(name)) {
        return None;
    }
    let detail = "this server does not go by that name; hint: use localhost, or set `public_url`";
    Some(ApiProblem::new(StatusCode::MISDIRECTED_REQUEST, "unknown_host", detail))
}

/// Lets in who may, and notes who it is. What is on no list is closed to all.
pub async fn known_actor(State(man): State<AuthLayer>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    match man.admit(&mut parts).await {
        Ok(()) => next.run(Request::from_parts(parts, body)).await,
        Err(response) => response,
    }
}

impl AuthLayer {
    async fn admit(&self, parts: &mut Parts) -> Result<(), Response> {
        let found = self.routes.find(parts);
        if let RouteMatch::Door(need) = found
            && need.is_open()
        {
            return Ok(());
        }
        if let Some(response) = options(&parts.method, &found) {
            return Err(response);
        }
        // Who calls a hook has no token, wherever the slip is.
        if found == RouteMatch::Nothing && behind_hooks(parts.uri.path()).is_some() {
            return Ok(());
        }
        if let RouteMatch::Methods(allow, true) = &found {
            return Err(wrong_method(parts, allow));
        }
        let header = parts.headers.get(header::AUTHORIZATION).and_then(|it| it.to_str().ok());
        let token =
            header.and_then(|it| it.split_once(' ')).filter(|(kind, _)| kind.eq_ignore_ascii_case("bearer"));
        let Some((_, token)) = token else { return Err(unknown().into_response()) };
        let Some(actor) = self.app.service.actor(token.trim()) else {
            let detail = "this token is not known, or has expired";
            return Err(ApiProblem::new(StatusCode::UNAUTHORIZED, "bad_token", detail).into_response());
        };
        match found {
            RouteMatch::Nothing => {}
            RouteMatch::Methods(allow, _) => return Err(wrong_method(parts, &allow)),
            RouteMatch::Forgotten => {
                let detail = "this route says nowhere whom it is for, so it is for nobody";
                return Err(ApiProblem::new(StatusCode::FORBIDDEN, "undeclared", detail).into_response());
            }
            RouteMatch::Door(need) => {
                self.comes_from_here(parts)?;
                let process = process_of(parts).await;
                need.ask(&actor, process.as_ref()).map_err(|it| ApiProblem::from(it).into_response())?;
            }
        }
        parts.extensions.insert(Who(actor));
        Ok(())
    }

    /// Programs say nothing about where a write comes from, and browsers do.
    fn comes_from_here(&self, parts: &Parts) -> Result<(), Response> {
        if is_read(&parts.method) {
            return Ok(());
        }
        match site(&parts.headers, &Client::of(&parts.extensions), || self.app.service.public_url()) {
            Site::Here | Site::Unsaid => Ok(()),
            Site::Elsewhere => {
                let detail = "this did not come from a page of this server";
                Err(ApiProblem::new(StatusCode::FORBIDDEN, "cross_origin", detail).into_response())
            }
        }
    }
}

fn wrong_method(parts: &Parts, allow: &str) -> Response {
    let detail = format!("`{}` does not take {}", parts.uri.path(), parts.method);
    let mut response =
        ApiProblem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail).into_response();
    if let Ok(allow) = HeaderValue::from_str(allow) {
        response.headers_mut().insert(header::ALLOW, allow);
    }
    response
}

/// What changes something is carried to its end, also if the caller hangs up.
async fn to_the_end(request: Request, next: Next) -> Response {
    if is_read(request.method()) {
        return next.run(request).await;
    }
    match tokio::spawn(next.run(request)).await {
        Ok(response) => response,
        Err(died) => match died.try_into_panic() {
            Ok(panic) => panicked(panic),
            Err(_) => ApiProblem::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", "the engine is stopping")
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
    ApiProblem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail).into_response()
}
