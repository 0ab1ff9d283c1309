//! The first start: whoever has the link from the terminal becomes the first admin.

use askama::Template;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use zeroize::Zeroizing;

use crate::dashboard::dash::Dash;
use crate::dashboard::doors::with_cookie;
use crate::dashboard::links::HOME;
use crate::dashboard::login::not_in;
use crate::dashboard::page::{Frame, Given, Page, go, ok, status};
use crate::dashboard::take::{Asked, Form, RequestOrigin};
use crate::service::errors::ServiceError;
use crate::service::login::NotIn;

#[derive(Template)]
#[template(path = "setup.html", config = ".askama.toml")]
struct SetupPage {
    f: Frame,
    key: String,
    name: String,
}

/// Asks for a name and a password.
pub(super) async fn look(State(dash): State<Dash>, origin: RequestOrigin, asked: Asked) -> Given {
    let key = asked.get("key").cloned().unwrap_or_default();
    if let Err(not) = dash.service.may_set_up(&key, &origin.caller).await {
        return Err(refused(not));
    }
    ok(SetupPage { f: Frame::bare(), key, name: String::new() })
}

/// Makes the first admin and lets them in.
pub(super) async fn enter(
    State(dash): State<Dash>,
    origin: RequestOrigin,
    headers: HeaderMap,
    form: Form,
) -> Given {
    let (key, name) = (form.get("key").to_owned(), form.get("name").to_owned());
    let password = Zeroizing::new(form.get("password").to_owned());
    let done = match form.get("again") == password.as_str() {
        true => dash.service.set_up(&key, &name, password, &origin.caller).await,
        false => {
            let refusal = ServiceError::bad("not_the_same", "the password was not typed the same twice");
            Err(NotIn::Refused(refusal))
        }
    };
    match done {
        Ok(id) => with_cookie(&headers, &origin.client, Some(&id), go(HOME)),
        Err(NotIn::Refused(refusal)) => {
            let f = Frame::bare().refused(Some(&refusal));
            Ok(Page(status(&refusal), SetupPage { f, key, name }).into_response())
        }
        Err(not) => Err(refused(not)),
    }
}

fn refused(not: NotIn) -> crate::dashboard::page::Oops {
    match not {
        NotIn::Wrong => {
            let text = "this link is over: it was used, it expired, or a later start printed a newer one; \
                        hint: restart the engine, and it prints another one while there is no admin";
            crate::dashboard::page::Oops::stranger(axum::http::StatusCode::GONE, text)
        }
        other => not_in(other),
    }
}
