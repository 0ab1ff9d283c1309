//! The doors every request to the dashboard passes: nothing is open that is not named here, a write comes
//! from a page of ours, and every answer tells the browser to run and to load nothing but ours.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Redirect, Response};

use crate::dashboard::cookies;
use crate::dashboard::dash::Dash;
use crate::dashboard::links;
use crate::dashboard::page::{Given, Oops};
use crate::dashboard::take::Who;
use crate::middleware::client::Client;
use crate::middleware::origin::{Site, is_read, site};
use crate::middleware::routes::{RouteMatch, RouteTable, options, process_of};

/// Where one logs in.
pub(super) const LOGIN: &str = "/dashboard/login";
/// Where the first admin is made.
pub(super) const SETUP: &str = "/dashboard/setup";
/// The name of the cookie; the port stands behind it, for cookies know no ports.
const COOKIE: &str = "beltline";
/// What a browser takes under such a name came sealed, from this very host: no other host below the same
/// domain can lay one of its own over it.
const SEALED: &str = "__Host-";
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

const HEADERS: [(HeaderName, HeaderValue); 2] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
             form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        ),
    ),
    // Without any referrer a browser does not say either where a form comes from.
    (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
];

/// Asks the browser to come again, now from a page of ours.
const AGAIN: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Beltline</title>\
    <meta http-equiv=\"refresh\" content=\"0\">";

/// Puts the headers on an answer.
pub(super) async fn with_policy(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    for (name, value) in &HEADERS {
        response.headers_mut().entry(name).or_insert_with(|| value.clone());
    }
    response
}

/// What the doors know: everything, and which doors there are.
#[derive(Clone)]
pub(super) struct RouteGuard {
    pub(super) dash: Dash,
    pub(super) doors: Arc<RouteTable>,
}

/// Lets a write in only from a page of ours. Who says nothing is no browser, and has the REST API.
pub(super) async fn from_here(State(dash): State<Dash>, request: Request, next: Next) -> Response {
    let client = Client::of(request.extensions());
    let from = site(request.headers(), &client, || dash.service.public_url());
    match is_read(request.method()) || from == Site::Here {
        true => next.run(request).await,
        false => {
            let text =
                "this did not come from a page of this server; hint: go back to the dashboard and try again";
            Oops::stranger(StatusCode::FORBIDDEN, text).into_response()
        }
    }
}

/// Lets in who may, and notes who it is. What is on no list is closed to all.
pub(super) async fn known(State(man): State<RouteGuard>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let found = man.doors.find(&parts);
    if let RouteMatch::Door(need) = found
        && need.is_open()
    {
        return next.run(Request::from_parts(parts, body)).await;
    }
    if let Some(response) = options(&parts.method, &found) {
        return response;
    }
    let client = Client::of(&parts.extensions);
    let actor = session(&parts.headers, &client).and_then(|id| man.dash.service.actor_in(&id));
    let Some(actor) = actor else { return stranger(&parts) };
    match found {
        RouteMatch::Door(need) => {
            let process = process_of(&mut parts).await;
            if let Err(refusal) = need.ask(&actor, process.as_ref()) {
                return Oops::from(refusal).into_response();
            }
        }
        // The address of a page that said what was wrong with a form, opened again.
        RouteMatch::Methods(..) if is_read(&parts.method) => {
            return Redirect::to(&above(&man.doors, parts.uri.path())).into_response();
        }
        RouteMatch::Methods(allow, _) => {
            let text = format!("`{}` does not take {}", parts.uri.path(), parts.method);
            let oops = Oops::new(StatusCode::METHOD_NOT_ALLOWED, &text);
            return ([(header::ALLOW, allow)], oops).into_response();
        }
        RouteMatch::Forgotten | RouteMatch::Nothing => {
            let text = "this page says nowhere whom it is for, so it is for nobody";
            return Oops::new(StatusCode::FORBIDDEN, text).into_response();
        }
    }
    parts.extensions.insert(Who(actor));
    next.run(Request::from_parts(parts, body)).await
}

/// The nearest page above that can be looked at.
fn above(doors: &RouteTable, path: &str) -> String {
    if let Some((id, _)) = path.strip_prefix("/dashboard/p/").and_then(|it| it.split_once('/')) {
        return format!("/dashboard/p/{id}");
    }
    let pages = doors.list().into_iter().filter(|it| it.method == Method::GET);
    let all: Vec<String> = pages.map(|it| it.path).collect();
    let mut way = path;
    while let Some((above, _)) = way.rsplit_once('/') {
        way = above;
        if all.iter().any(|it| it == way) {
            return way.to_owned();
        }
    }
    links::HOME.to_owned()
}

fn stranger(request: &Parts) -> Response {
    let reads = is_read(&request.method);
    let accept = request.headers.get(header::ACCEPT).and_then(|it| it.to_str().ok()).unwrap_or_default();
    if !reads || accept.contains("text/event-stream") {
        let text = "you are not logged in, or no longer; hint: log in and try again";
        return Oops::stranger(StatusCode::UNAUTHORIZED, text).into_response();
    }
    // Who follows a link in a message brings no strict cookie at first. Asked to come again, they do.
    if request.headers.get(FETCH_SITE).is_some_and(|it| it == "cross-site") {
        return Html(AGAIN).into_response();
    }
    let to = request.uri.path_and_query().map_or(links::HOME, |it| it.as_str());
    Redirect::to(&links::with(LOGIN, &[("to", to)])).into_response()
}

/// The id that the browser brings.
pub(super) fn session(headers: &HeaderMap, client: &Client) -> Option<String> {
    let of = |is_sealed| cookies::value(headers, &cookie_name(headers, is_sealed));
    let sealed = of(true);
    // Behind a proxy that nobody declared it is not known how the browser came.
    if client.https { sealed } else { sealed.or_else(|| of(false)) }
}

/// The answer with the header that gives the browser an id, or takes it away.
pub(super) fn with_cookie(headers: &HeaderMap, client: &Client, id: Option<&str>, given: Given) -> Given {
    let mut answer: Response = given?;
    answer.headers_mut().insert(header::SET_COOKIE, cookie(headers, client, id));
    Ok(answer)
}

fn cookie(headers: &HeaderMap, client: &Client, id: Option<&str>) -> HeaderValue {
    // Behind a proxy that nobody declared the browser still knows how it came here.
    let said = headers.get(header::ORIGIN).is_some_and(|it| it.as_bytes().starts_with(b"https://"));
    let is_sealed = said || client.https;
    let gone = id.is_none().then_some(0);
    let set = cookies::set(&cookie_name(headers, is_sealed), id.unwrap_or_default(), is_sealed, gone);
    set.expect("names and ids are letters, digits, `-` and `_`")
}

fn cookie_name(headers: &HeaderMap, is_sealed: bool) -> String {
    let prefix = if is_sealed { SEALED } else { "" };
    let host = headers.get(header::HOST).and_then(|it| it.to_str().ok()).unwrap_or_default();
    match host.rsplit_once(':') {
        Some((_, port)) if !port.is_empty() && port.bytes().all(|it| it.is_ascii_digit()) => {
            format!("{prefix}{COOKIE}-{port}")
        }
        _ => format!("{prefix}{COOKIE}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        pairs.iter().map(pair).collect()
    }

    fn client(https: bool) -> Client {
        Client { https, ..Client::of(&axum::http::Extensions::new()) }
    }

    #[test]
    fn a_cookie_is_of_its_port() {
        let mine = headers(&[("host", "localhost:7700"), ("cookie", "beltline-7701=b; beltline-7700=a; x")]);
        assert_eq!(session(&mine, &client(false)).as_deref(), Some("a"));
        assert_eq!(
            cookie(&mine, &client(false), Some("z")),
            "beltline-7700=z; HttpOnly; SameSite=Strict; Path=/"
        );
        let safe = headers(&[("host", "b.example"), ("origin", "https://b.example")]);
        assert_eq!(
            cookie(&mine, &client(true), Some("z")),
            "__Host-beltline-7700=z; HttpOnly; SameSite=Strict; Secure; Path=/"
        );
        assert_eq!(
            cookie(&safe, &client(false), None),
            "__Host-beltline=; HttpOnly; SameSite=Strict; Secure; Path=/; Max-Age=0"
        );
        // Another host of the domain may have laid a plain one; it is not ours.
        let laid = headers(&[("host", "b.example"), ("cookie", "beltline=theirs")]);
        assert_eq!(session(&laid, &client(true)), None);
        let both = headers(&[("host", "b.example"), ("cookie", "beltline=theirs; __Host-beltline=mine")]);
        assert_eq!(session(&both, &client(true)).as_deref(), Some("mine"));
        assert_eq!(session(&both, &client(false)).as_deref(), Some("mine"));
    }
}
