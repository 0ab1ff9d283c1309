//! The doors every request to the dashboard passes: nothing is open that is not named here, a write comes
//! from a page of ours, and every answer tells the browser to run and to load nothing but ours.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Redirect, Response};

use crate::dashboard::assets::FOLDER;
use crate::dashboard::dash::Dash;
use crate::dashboard::links;
use crate::dashboard::page::Oops;
use crate::dashboard::take::Who;

/// Where one logs in.
pub(super) const LOGIN: &str = "/dashboard/login";
/// The name of the cookie; the port stands behind it, for cookies know no ports.
const COOKIE: &str = "beltline";
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

const HEADERS: [(HeaderName, HeaderValue); 3] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
             form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        ),
    ),
    // Without any referrer a browser does not say either where a form comes from.
    (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
    (
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static("camera=(), geolocation=(), microphone=()"),
    ),
];

/// Asks the browser to come again, now from a page of ours.
const AGAIN: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Beltline</title>\
    <meta http-equiv=\"refresh\" content=\"0\">";

/// Puts the headers on an answer.
pub(super) async fn with_policy(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    for (name, value) in &HEADERS {
        response.headers_mut().insert(name.clone(), value.clone());
    }
    response
}

/// Lets a write in only from a page of ours.
pub(super) async fn from_here(request: Request, next: Next) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    match reads || is_from_here(request.headers()) {
        true => next.run(request).await,
        false => {
            let text =
                "this did not come from a page of this server; hint: go back to the dashboard and try again";
            Oops::stranger(StatusCode::FORBIDDEN, text).into_response()
        }
    }
}

/// Browsers say where a write comes from; who says nothing is no browser, and has the REST API.
fn is_from_here(headers: &HeaderMap) -> bool {
    let text = |name: HeaderName| headers.get(name).and_then(|it| it.to_str().ok());
    let origin = text(header::ORIGIN).map(|it| it.split_once("://").map(|(_, host)| host));
    let same_host = origin.map(|it| it.is_some() && it == text(header::HOST));
    match (text(FETCH_SITE), same_host) {
        (Some("same-origin"), None | Some(true)) | (None, Some(true)) => true,
        (Some(_), _) | (None, None | Some(false)) => false,
    }
}

/// Lets in who is logged in, and notes who it is. What they may do is asked each time.
pub(super) async fn known(State(dash): State<Dash>, mut request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if path == LOGIN || path.starts_with(FOLDER) {
        return next.run(request).await;
    }
    let now = dash.desk.now();
    let id = session(request.headers());
    let token = id.and_then(|id| dash.sessions.token(&id, now));
    let Some(actor) = token.and_then(|hash| dash.desk.actor_of(&hash)) else {
        return stranger(&request);
    };
    request.extensions_mut().insert(Who(actor));
    next.run(request).await
}

fn stranger(request: &Request) -> Response {
    let reads = *request.method() == Method::GET;
    let accept = request.headers().get(header::ACCEPT).and_then(|it| it.to_str().ok()).unwrap_or_default();
    if !reads || accept.contains("text/event-stream") {
        let text = "you are not logged in, or no longer; hint: log in and try again";
        return Oops::stranger(StatusCode::UNAUTHORIZED, text).into_response();
    }
    // Who follows a link in a message brings no strict cookie at first. Asked to come again, they do.
    if request.headers().get(FETCH_SITE).is_some_and(|it| it == "cross-site") {
        return Html(AGAIN).into_response();
    }
    let to = request.uri().path_and_query().map_or(links::HOME, |it| it.as_str());
    Redirect::to(&links::with(LOGIN, &[("to", to)])).into_response()
}

/// The id that the browser brings.
pub(super) fn session(headers: &HeaderMap) -> Option<String> {
    let name = cookie_name(headers);
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|it| it.to_str().ok());
    let mut pairs = cookies.flat_map(|it| it.split(';')).filter_map(|it| it.trim().split_once('='));
    pairs.find(|(it, _)| *it == name).map(|(_, id)| id.to_owned())
}

/// The header that gives the browser an id, or takes it away.
pub(super) fn cookie(headers: &HeaderMap, id: Option<&str>) -> HeaderValue {
    let secure = headers.get(header::ORIGIN).is_some_and(|it| it.as_bytes().starts_with(b"https://"));
    let secure = if secure { "; Secure" } else { "" };
    let gone = if id.is_none() { "; Max-Age=0" } else { "" };
    let (name, id) = (cookie_name(headers), id.unwrap_or_default());
    let text = format!("{name}={id}; Path=/; HttpOnly; SameSite=Strict{secure}{gone}");
    HeaderValue::from_str(&text).expect("names and ids are letters, digits, `-` and `_`")
}

fn cookie_name(headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).and_then(|it| it.to_str().ok()).unwrap_or_default();
    match host.rsplit_once(':') {
        Some((_, port)) if !port.is_empty() && port.bytes().all(|it| it.is_ascii_digit()) => {
            format!("{COOKIE}-{port}")
        }
        _ => COOKIE.to_owned(),
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

    #[test]
    fn a_write_comes_from_here() {
        let host = ("host", "localhost:7700");
        let good = [
            vec![host, ("origin", "http://localhost:7700")],
            vec![host, ("origin", "http://localhost:7700"), ("sec-fetch-site", "same-origin")],
        ];
        assert!(good.iter().all(|it| is_from_here(&headers(it))));
        let bad = [
            vec![host],
            vec![host, ("origin", "null")],
            vec![host, ("origin", "http://localhost:7701")],
            vec![host, ("origin", "http://localhost:7700"), ("sec-fetch-site", "cross-site")],
            vec![host, ("origin", "http://localhost:7700"), ("sec-fetch-site", "same-site")],
            vec![host, ("origin", "http://evil.example"), ("sec-fetch-site", "same-origin")],
        ];
        assert!(!bad.iter().any(|it| is_from_here(&headers(it))));
    }

    #[test]
    fn a_cookie_is_of_its_port() {
        let mine = headers(&[("host", "localhost:7700"), ("cookie", "beltline-7701=b; beltline-7700=a; x")]);
        assert_eq!(session(&mine).as_deref(), Some("a"));
        assert_eq!(cookie(&mine, Some("z")), "beltline-7700=z; Path=/; HttpOnly; SameSite=Strict");
        let safe = headers(&[("host", "b.example"), ("origin", "https://b.example")]);
        assert_eq!(cookie(&safe, None), "beltline=; Path=/; HttpOnly; SameSite=Strict; Secure; Max-Age=0");
    }
}
