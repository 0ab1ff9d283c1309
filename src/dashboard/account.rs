//! Oneself: what one may do, where one is logged in, and a new password.

use askama::Template;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::IntoResponse;

use crate::dashboard::dash::Dash;
use crate::dashboard::doors::with_cookie;
use crate::dashboard::links;
use crate::dashboard::page::{Frame, Given, Page, Place, go, ok, status};
use crate::dashboard::show::When;
use crate::dashboard::take::{Asked, Form, RequestOrigin, Who};
use crate::service::actor::Pass;
use crate::service::errors::ServiceError;
use crate::service::sessions::SessionView;

const PAGE: &str = "/dashboard/account";

#[derive(Template)]
#[template(path = "account.html", config = ".askama.toml")]
struct AccountPage {
    f: Frame,
    rights: String,
    has_password: bool,
    sessions: Vec<SessionRow>,
    end: &'static str,
}

/// A session in a list.
pub(super) struct SessionRow {
    pub(super) id: String,
    pub(super) who: String,
    pub(super) since: When,
    pub(super) seen: When,
    pub(super) from: String,
    pub(super) agent: String,
    pub(super) current: bool,
}

impl From<SessionView> for SessionRow {
    fn from(it: SessionView) -> SessionRow {
        SessionRow {
            id: it.id,
            who: it.who,
            since: When(it.since),
            seen: When(it.seen),
            from: it.from,
            agent: it.agent,
            current: it.current,
        }
    }
}

fn page(dash: &Dash, who: &Who, f: Frame) -> AccountPage {
    let sessions = dash.service.sessions(&who.0).items.into_iter().filter(|it| it.who == who.0.name);
    AccountPage {
        f,
        rights: who.0.rights_line(),
        has_password: matches!(who.0.pass, Pass::User(_)),
        sessions: sessions.map(SessionRow::from).collect(),
        end: "/dashboard/account/end",
    }
}

/// Oneself.
pub(super) async fn look(State(dash): State<Dash>, who: Who, asked: Asked) -> Given {
    let f = Frame::new(&who.0, Place::Account).said(asked.get("said"));
    ok(page(&dash, &who, f))
}

/// A new password. All sessions end, and a new one begins here.
pub(super) async fn password(
    State(dash): State<Dash>,
    who: Who,
    origin: RequestOrigin,
    headers: HeaderMap,
    form: Form,
) -> Given {
    let done = match form.get("new") == form.get("again") {
        true => dash.service.change_password(&who.0, form.get("old"), form.get("new")).await,
        false => Err(ServiceError::bad("not_the_same", "the new password was not typed the same twice")),
    };
    match done {
        Ok(()) => {
            let id = dash.service.enter_again(&who.0, &origin.caller).await?;
            let to = links::with(PAGE, &[("said", "password")]);
            with_cookie(&headers, &origin.client, Some(&id), go(&to))
        }
        Err(refusal) => {
            let f = Frame::new(&who.0, Place::Account).refused(Some(&refusal));
            Ok(Page(status(&refusal), page(&dash, &who, f)).into_response())
        }
    }
}

/// Ends one of one's sessions.
pub(super) async fn end(State(dash): State<Dash>, Who(by): Who, form: Form) -> Given {
    dash.service.end_session(&by, form.get("id")).await?;
    go(&links::with(PAGE, &[("said", "ended")]))
}
