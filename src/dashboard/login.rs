//! Logging in with a token, and out.

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::dashboard::dash::Dash;
use crate::dashboard::doors::{LOGIN, cookie, session};
use crate::dashboard::links;
use crate::dashboard::page::{Frame, Given, Page, go, ok};
use crate::dashboard::take::{Asked, Form, Who};
use crate::desk::hash;

#[derive(Template)]
#[template(path = "login.html", config = ".askama.toml")]
struct LoginPage {
    f: Frame,
    to: String,
    wrong: Option<&'static str>,
}

/// Asks for a token.
pub(super) async fn look(asked: Asked) -> Given {
    let to = links::ours(asked.get("to").map_or(links::HOME, String::as_str)).to_owned();
    ok(LoginPage { f: Frame::bare(), to, wrong: None })
}

/// Begins a session for who has a good token.
pub(super) async fn enter(State(dash): State<Dash>, headers: HeaderMap, form: Form) -> Given {
    let to = links::ours(form.get("to")).to_owned();
    let (token, now) = (form.get("token").trim(), dash.desk.now());
    let Some(actor) = dash.desk.actor(token) else {
        let f = Frame::bare();
        let (status, wrong) = match dash.sessions.wrong(now) {
            false => (StatusCode::UNAUTHORIZED, f.w.login_wrong),
            true => (StatusCode::TOO_MANY_REQUESTS, f.w.login_slow),
        };
        let mut answer = Page(status, LoginPage { f, to, wrong: Some(wrong) }).into_response();
        if status == StatusCode::TOO_MANY_REQUESTS {
            answer.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("6"));
        }
        return Ok(answer);
    };
    // The id from before, if any, opens nothing any more.
    if let Some(old) = session(&headers) {
        dash.sessions.end(&old);
    }
    dash.desk.logged_in(&actor).await?;
    let id = dash.sessions.begin(hash::of_token(token), now);
    with_cookie(&headers, Some(&id), go(&to))
}

/// Ends the session.
pub(super) async fn leave(State(dash): State<Dash>, _: Who, headers: HeaderMap) -> Given {
    if let Some(id) = session(&headers) {
        dash.sessions.end(&id);
    }
    with_cookie(&headers, None, go(LOGIN))
}

fn with_cookie(headers: &HeaderMap, id: Option<&str>, given: Given) -> Given {
    let mut answer: Response = given?;
    answer.headers_mut().insert(header::SET_COOKIE, cookie(headers, id));
    Ok(answer)
}
