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
use crate::model::names::ProcessId;
use crate::service::actor::{Right, Role};
use crate::service::errors::{ServiceError, ServiceResult};
use crate::service::tokens::TokenView;
use crate::service::users::{NewRole, NewUser, UserChange, UserView};

/// The page.
pub(super) const PAGE: &str = "/dashboard/users";
/// What a token may open, in the order it is asked.
const SCOPES: [Right; 5] = [Right::Read, Right::Run, Right::Edit, Right::Secrets, Right::Admin];

/// How long a new token opens what it opens, if nobody says otherwise.
const EXPIRES: &str = "90d";

#[derive(Template)]
#[template(path = "users.html", config = ".askama.toml")]
struct UsersPage {
    f: Frame,
    users: Vec<UserCard>,
    roles: Vec<&'static str>,
    tokens: Vec<TokenRow>,
    /// A token that was just made: it stands on this page and nowhere else.
    made: Option<(String, String)>,
    sessions: Vec<SessionRow>,
    end: &'static str,
    user: UserForm,
    token: TokenForm,
}

/// What was typed into a form that was refused, but for passwords.
#[derive(Clone, Copy, Default)]
pub(super) enum Typed<'a> {
    #[default]
    Nothing,
    /// The form of a new user.
    User(&'a Form),
    /// That of a user who is changed.
    Change(&'a Form),
    /// That of a new token.
    Token(&'a Form),
}

/// The form of a new user, as it is shown.
struct UserForm {
    name: String,
    role: String,
    within: String,
}

/// The form of a new token, as it is shown.
struct TokenForm {
    name: String,
    scopes: Vec<(&'static str, bool)>,
    processes: String,
    expires: String,
}

struct UserCard {
    name: String,
    role: &'static str,
    /// What its form shows: the role of all processes, and those of some.
    role_typed: String,
    within_typed: String,
    /// Its form was refused, so it is still open.
    open: bool,
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
    pub(super) refusal: Option<&'a ServiceError>,
    pub(super) made: Option<(String, String)>,
    pub(super) typed: Typed<'a>,
}

/// The page.
pub(super) fn page(dash: &Dash, who: &Who, beside: Beside<'_>) -> Given {
    let by = &who.0;
    let users = dash.service.users(by)?.items;
    let tokens = dash.service.tokens(by)?.items;
    let f = Frame::new(by, Place::Users).said(beside.said).refused(beside.refusal);
    let page = UsersPage {
        f,
        users: users.into_iter().map(|it| card(it, beside.typed)).collect(),
        roles: Role::ALL.iter().map(|it| it.as_str()).collect(),
        tokens: tokens.into_iter().map(token).collect(),
        made: beside.made,
        sessions: dash.service.sessions(by).items.into_iter().map(SessionRow::from).collect(),
        end: "/dashboard/users/end",
        user: user_form(beside.typed),
        token: token_form(beside.typed),
    };
    match beside.refusal {
        Some(refusal) => Ok(Page(status(refusal), page).into_response()),
        None => ok(page),
    }
}

fn user_form(typed: Typed) -> UserForm {
    match typed {
        Typed::User(form) => UserForm {
            name: form.get("name").to_owned(),
            role: form.get("role").to_owned(),
            within: form.get("within").to_owned(),
        },
        _ => UserForm { name: String::new(), role: Role::Viewer.as_str().to_owned(), within: String::new() },
    }
}

fn token_form(typed: Typed) -> TokenForm {
    let form = if let Typed::Token(form) = typed { Some(form) } else { None };
    let get = |name: &str| form.map(|form| form.get(name).to_owned());
    let scope = |it: &Right| (it.as_str(), form.is_some_and(|form| form.has(&format!("scope.{it}"))));
    TokenForm {
        name: get("name").unwrap_or_default(),
        scopes: SCOPES.iter().map(scope).collect(),
        processes: get("processes").unwrap_or_default(),
        expires: get("expires").unwrap_or_else(|| EXPIRES.to_owned()),
    }
}

fn card(it: UserView, typed: Typed) -> UserCard {
    let within = it.processes.iter().map(|(process, role)| format!("{process}={role}"));
    let within = within.collect::<Vec<_>>().join(", ");
    let role = it.role.map_or("", Role::as_str);
    let form = match typed {
        Typed::Change(form) if form.has("role") && form.get("name") == it.name => Some(form),
        _ => None,
    };
    let shown = |name: &str, now: &str| form.map_or(now, |form| form.get(name)).to_owned();
    UserCard {
        role_typed: shown("role", role),
        within_typed: shown("within", &within),
        open: form.is_some(),
        within,
        role,
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
        dash.service.make_user(&who.0, NewUser { name, password, role, within }).await
    };
    match made.await {
        Ok(_) => go(&links::with(PAGE, &[("said", "user_made")])),
        Err(refusal) => page(
            &dash,
            &who,
            Beside { refusal: Some(&refusal), typed: Typed::User(&form), ..Beside::default() },
        ),
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
        dash.service.change_user(&who.0, form.get("name"), change).await
    };
    match changed.await {
        Err(refusal) => {
            let typed = Typed::Change(&form);
            page(&dash, &who, Beside { refusal: Some(&refusal), typed, ..Beside::default() })
        }
        changed => done(&dash, &who, changed.map(drop), "user_changed"),
    }
}

/// Forgets a user.
pub(super) async fn forget(State(dash): State<Dash>, who: Who, form: Form) -> Given {
    let done_so = dash.service.forget_user(&who.0, form.get("name")).await;
    done(&dash, &who, done_so, "user_forgotten")
}

/// Ends a session.
pub(super) async fn end(State(dash): State<Dash>, who: Who, form: Form) -> Given {
    let ended = dash.service.end_session(&who.0, form.get("id")).await;
    done(&dash, &who, ended, "ended")
}

/// The page again, with what was done or why it was not.
pub(super) fn done(dash: &Dash, who: &Who, done: ServiceResult<()>, said: &str) -> Given {
    match done {
        Ok(()) => go(&links::with(PAGE, &[("said", said)])),
        Err(refusal) => page(dash, who, Beside { refusal: Some(&refusal), ..Beside::default() }),
    }
}

/// The role of all processes, and those of some: `shop=operator, mill=viewer`.
fn roles(form: &Form) -> ServiceResult<(Option<Role>, BTreeMap<ProcessId, Role>)> {
    let mut within = BTreeMap::new();
    for part in words(form.get("within")) {
        let (process, word) = part.split_once('=').ok_or_else(|| {
            ServiceError::bad(
                "bad_role",
                format!("`{part}` is no role in a process; hint: write shop=operator"),
            )
        })?;
        within.insert(process_id(process.trim())?, role(word.trim())?);
    }
    let everywhere = Some(form.get("role")).filter(|it| !it.is_empty()).map(role).transpose()?;
    Ok((everywhere, within))
}

fn role(word: &str) -> ServiceResult<Role> {
    let bad = || {
        ServiceError::bad(
            "bad_role",
            format!("`{word}` is no role: there are viewer, operator, editor, admin"),
        )
    };
    Role::ALL.into_iter().find(|it| it.as_str() == word).ok_or_else(bad)
}

/// The process of that id.
pub(super) fn process_id(text: &str) -> ServiceResult<ProcessId> {
    ProcessId::new(text).map_err(|bad| ServiceError::bad("bad_process_id", bad.to_string()))
}

/// What stands between commas, spaces or line breaks.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', ' ', '\n', '\r']).filter(|it| !it.is_empty())
}
