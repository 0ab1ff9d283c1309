//! Logging in with a name and a password, or with a token; and out.

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::IntoResponse;

use crate::dashboard::dash::Dash;
use crate::dashboard::doors::{LOGIN, session, with_cookie};
use crate::dashboard::links;
use crate::dashboard::page::{Frame, Given, Oops, Page, go, ok};
use crate::dashboard::take::{Asked, Form, RequestOrigin, Who};
use crate::model::time::Span;
use crate::service::login::NotIn;

#[derive(Template)]
#[template(path = "login.html", config = ".askama.toml")]
struct LoginPage {
    f: Frame,
    to: String,
    name: String,
    wrong: Option<&'static str>,
    /// It was a token that was wrong.
    token: bool,
    /// Nobody can log in with a name yet.
    first: bool,
}

/// Asks who it is.
pub(super) async fn look(State(dash): State<Dash>, asked: Asked) -> Given {
    let to = links::ours(asked.get("to").map_or(links::HOME, String::as_str)).to_owned();
    let first = !dash.service.has_admin();
    ok(LoginPage { f: Frame::bare(), to, name: String::new(), wrong: None, token: first, first })
}

/// Begins a session for who is known.
pub(super) async fn enter(
    State(dash): State<Dash>,
    origin: RequestOrigin,
    headers: HeaderMap,
    form: Form,
) -> Given {
    let to = links::ours(form.get("to")).to_owned();
    let token = form.has("token");
    let name = form.get("name").to_owned();
    let entered = match token {
        true => dash.service.log_in_with_token(form.get("token").trim(), &origin.caller).await,
        false => dash.service.log_in(&name, form.get("password"), &origin.caller).await,
    };
    let (status, wait) = match entered {
        Ok(id) => {
            // The id from before, if any, opens nothing any more.
            if let Some(old) = session(&headers, &origin.client) {
                dash.service.leave(&old).await?;
            }
            return with_cookie(&headers, &origin.client, Some(&id), go(&to));
        }
        Err(NotIn::Wrong) => (StatusCode::UNAUTHORIZED, None),
        Err(NotIn::Wait(wait)) => (StatusCode::TOO_MANY_REQUESTS, Some(wait)),
        Err(not @ NotIn::Refused(_)) => return Err(not_in(not)),
    };
    let f = Frame::bare();
    let wrong = match (wait, token) {
        (Some(_), _) => f.w.login_slow,
        (None, true) => f.w.login_wrong_token,
        (None, false) => f.w.login_wrong,
    };
    let page = LoginPage { f, to, name, wrong: Some(wrong), token, first: !dash.service.has_admin() };
    let mut answer = Page(status, page).into_response();
    if let Some(wait) = wait {
        answer.headers_mut().insert(header::RETRY_AFTER, seconds(wait));
    }
    Ok(answer)
}

/// Ends the session.
pub(super) async fn leave(
    State(dash): State<Dash>,
    _: Who,
    origin: RequestOrigin,
    headers: HeaderMap,
) -> Given {
    if let Some(id) = session(&headers, &origin.client) {
        dash.service.leave(&id).await?;
    }
    with_cookie(&headers, &origin.client, None, go(LOGIN))
}

/// Why somebody was not let in, on a page of its own.
pub(super) fn not_in(not: NotIn) -> Oops {
    match not {
        NotIn::Refused(refusal) => Oops::from(refusal),
        NotIn::Wait(_) => Oops::stranger(StatusCode::TOO_MANY_REQUESTS, &not.to_string()),
        NotIn::Wrong => Oops::stranger(StatusCode::UNAUTHORIZED, &not.to_string()),
    }
}

fn seconds(wait: Span) -> HeaderValue {
    HeaderValue::from(wait.0.div_ceil(1_000))
}
