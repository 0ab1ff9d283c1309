//! Users and tokens: who may come in, and who is here.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State;
use axum::response::IntoResponse;
use zeroize::Zeroizing;

use crate::dashboard::account::SessionRow;
use crate::dashboard::dash::Dash;
use crate::dashboard::links;
use crate::dashboard::page::{Frame, Given, Page, Place, go, ok, status};
use crate::dashboard::show::{When, when};
use crate::dashboard::take::{Asked, Form, Who};
use crate::desk::actor::{Right, Role};
use crate::desk::refusal::{Done, Refusal};
use crate::desk::tokens::TokenView;
use crate::desk::users::{NewRole, NewUser, UserChange, UserView};
use crate::model::names::ProcessId;

/// The page.
pub(super) const PAGE: &str = "/dashboard/users";
/// What a token may open, in the order it is asked.
const SCOPES: [Right; 5] = [Right::Read, Right::Run, Right::Edit, Right::Secrets, Right::Admin];

#[derive(Template)]
#[template(path = "users.html", config = ".askama.toml")]
struct UsersPage {
    f: Frame,
    users: Vec<UserCard>,
    roles: Vec<&'static str>,
    tokens: Vec<TokenRow>,
    scopes: Vec<&'static str>,
    /// A token that was just made: it stands on this page and nowhere else.
    made: Option<(String, String)>,
    sessions: Vec<SessionRow>,
    end: &'static str,
    typed: Typed,
}

/// What was typed into the form of a new user that was refused.
#[derive(Default)]
struct Typed {
    name: String,
    within: String,
}

struct UserCard {
    name: String,
    role: &'static str,
    within: String,
    disabled: bool,
    at: When,
    by: String,
    seen: Option<When>,
}

struct TokenRow {
    name: String,
    scopes: String,
    processes: String,
    expires: Option<When>,
    used: Option<When>,
    by: String,
}

/// What the page shows beside what there is.
#[derive(Default)]
pub(super) struct Beside<'a> {
    pub(super) said: Option<&'a String>,
    pub(super) refusal: Option<&'a Refusal>,
    pub(super) made: Option<(String, String)>,
    pub(super) typed: Option<&'a Form>,
}

/// The page.
pub(super) fn page(dash: &Dash, who: &Who, beside: Beside<'_>) -> Given {
    let by = &who.0;
    let users = dash.desk.users(by)?.items;
    let tokens = dash.desk.tokens(by)?.items;
    let f = Frame::new(by, Place::Users).said(beside.said).refused(beside.refusal);
    let typed =
        |form: &Form| Typed { name: form.get("name").to_owned(), within: form.get("within").to_owned() };
    let page = UsersPage {
        f,
        users: users.into_iter().map(card).collect(),
        roles: Role::ALL.iter().map(|it| it.as_str()).collect(),
        tokens: tokens.into_iter().map(token).collect(),
        scopes: SCOPES.iter().map(|it| it.as_str()).collect(),
        made: beside.made,
        sessions: dash.desk.sessions(by).items.into_iter().map(SessionRow::from).collect(),
        end: "/dashboard/users/end",
        typed: beside.typed.map(typed).unwrap_or_default(),
    };
    match beside.refusal {
        Some(refusal) => Ok(Page(status(refusal), page).into_response()),
        None => ok(page),
    }
}

fn card(it: UserView) -> UserCard {
    let within = it.processes.iter().map(|(process, role)| format!("{process}={role}"));
    UserCard {
        within: within.collect::<Vec<_>>().join(", "),
        role: it.role.map_or("", Role::as_str),
        name: it.name,
        disabled: it.disabled,
        at: When(it.at),
        by: it.by,
        seen: when(it.seen.as_ref()),
    }
}

fn token(it: TokenView) -> TokenRow {
    TokenRow {
        name: it.name,
        scopes: it.scopes.join(", "),
        processes: it.processes.map(|them| them.join(", ")).unwrap_or_default(),
        expires: when(it.expires.as_ref()),
        used: when(it.used.as_ref()),
        by: it.by,
    }
}

/// Who may come in, and who is here.
pub(super) async fn look(State(dash): State<Dash>, who: Who, asked: Asked) -> Given {
    page(&dash, &who, Beside { said: asked.get("said"), ..Beside::default() })
}

/// Makes a user.
pub(super) async fn make(State(dash): State<Dash>, who: Who, form: Form) -> Given {
    let made = async {
        let (role, within) = roles(&form)?;
        let (name, password) = (form.get("name").to_owned(), Zeroizing::new(form.get("password").to_owned()));
        dash.desk.make_user(&who.0, NewUser { name, password, role, within }).await
    };
    match made.await {
        Ok(_) => go(&links::with(PAGE, &[("said", "user_made")])),
        Err(refusal) => {
            page(&dash, &who, Beside { refusal: Some(&refusal), typed: Some(&form), ..Beside::default() })
        }
    }
}

/// Changes a user: what the form has.
pub(super) async fn change(State(dash): State<Dash>, who: Who, form: Form) -> Given {
    let changed = async {
        let mut change = UserChange::default();
        if form.has("role") {
            let (role, within) = roles(&form)?;
            change.role = Some(role.map_or(NewRole::None, NewRole::Role));
            change.within = Some(within);
        }
        change.disabled = form.has("disabled").then(|| form.get("disabled") == "1");
        change.password = form.has("password").then(|| Zeroizing::new(form.get("password").to_owned()));
        dash.desk.change_user(&who.0, form.get("name"), change).await
    };
    done(&dash, &who, changed.await.map(drop), "user_changed")
}

/// Forgets a user.
pub(super) async fn forget(State(dash): State<Dash>, who: Who, form: Form) -> Given {
    let done_so = dash.desk.forget_user(&who.0, form.get("name")).await;
    done(&dash, &who, done_so, "user_forgotten")
}

/// Ends a session.
pub(super) async fn end(State(dash): State<Dash>, who: Who, form: Form) -> Given {
    let ended = dash.desk.end_session(&who.0, form.get("id")).await;
    done(&dash, &who, ended, "ended")
}

/// The page again, with what was done or why it was not.
pub(super) fn done(dash: &Dash, who: &Who, done: Done<()>, said: &str) -> Given {
    match done {
        Ok(()) => go(&links::with(PAGE, &[("said", said)])),
        Err(refusal) => page(dash, who, Beside { refusal: Some(&refusal), ..Beside::default() }),
    }
}

/// The role of all processes, and those of some: `shop=operator, mill=viewer`.
fn roles(form: &Form) -> Done<(Option<Role>, BTreeMap<ProcessId, Role>)> {
    let mut within = BTreeMap::new();
    for part in words(form.get("within")) {
        let (process, word) = part.split_once('=').ok_or_else(|| {
            Refusal::bad("bad_role", format!("`{part}` is no role in a process; hint: write shop=operator"))
        })?;
        within.insert(process_id(process.trim())?, role(word.trim())?);
    }
    let everywhere = Some(form.get("role")).filter(|it| !it.is_empty()).map(role).transpose()?;
    Ok((everywhere, within))
}

fn role(word: &str) -> Done<Role> {
    let bad = || {
        Refusal::bad("bad_role", format!("`{word}` is no role: there are viewer, operator, editor, admin"))
    };
    Role::ALL.into_iter().find(|it| it.as_str() == word).ok_or_else(bad)
}

/// The process of that id.
pub(super) fn process_id(text: &str) -> Done<ProcessId> {
    ProcessId::new(text).map_err(|bad| Refusal::bad("bad_process_id", bad.to_string()))
}

/// What stands between commas, spaces or line breaks.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', ' ', '\n', '\r']).filter(|it| !it.is_empty())
}
