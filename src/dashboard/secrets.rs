//! Secrets and variables: what is set, what is missing, who names it. A secret is written here and never
//! shown.

use std::collections::BTreeSet;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde_json::Value;

use crate::dashboard::dash::Dash;
use crate::dashboard::links;
use crate::dashboard::locale::words;
use crate::dashboard::page::{Frame, Given, Page, Place, go, ok, status};
use crate::dashboard::show::{When, beside, short, text};
use crate::dashboard::take::{Asked, Form, Who};
use crate::dashboard::words::Words;
use crate::service::actor::{Actor, Right};
use crate::service::collections::{NamedBy, Namers, SecretView, VarView};
use crate::service::errors::{ServiceError, ServiceResult};

pub(super) const PAGE: &str = "/dashboard/secrets";
const SET: &str = "/dashboard/secrets/set";
pub(super) const SET_VAR: &str = "/dashboard/vars/set";
/// How many secrets, and how many variables, a page shows.
const ROWS_MAX: usize = 75;
/// How many that are missing: as they are set, the rest come up.
const MISSING_MAX: usize = 20;
/// How many of those that name a thing a row shows.
const NAMERS_MAX: usize = 4;
/// How much of a variable's value a row shows, in characters.
const VALUE_CHARS_MAX: usize = 120;

#[derive(Template)]
#[template(path = "secrets.html", config = ".askama.toml")]
struct SecretsPage {
    f: Frame,
    may: bool,
    missing: Vec<Missing>,
    missing_more: usize,
    secrets: Vec<SecretRow>,
    secrets_next: Option<String>,
    new_secret: &'static str,
    edits: bool,
    missing_vars: Vec<Missing>,
    vars: Vec<VarRow>,
    vars_next: Option<String>,
    new_var: &'static str,
    /// A page that begins later.
    begun: bool,
}

/// What is named and not set.
struct Missing {
    at: usize,
    name: String,
    by: By,
    to: String,
}

/// Who names a thing.
pub(super) struct By {
    pub(super) processes: Vec<(String, String)>,
    pub(super) channels: Vec<(String, String)>,
    pub(super) more: usize,
}

struct SecretRow {
    name: String,
    hosts: String,
    at: When,
    who: Option<String>,
    by: Option<By>,
    change: String,
}

struct VarRow {
    name: String,
    kind: &'static str,
    value: String,
    at: When,
    by: Option<By>,
    change: String,
}

/// All of them.
pub(super) async fn list(State(dash): State<Dash>, Who(by): Who, asked: Asked) -> Given {
    let may = by.may_everywhere(Right::Secrets);
    let secrets = if may { dash.service.secrets(&by).await?.items } else { Vec::new() };
    let (vars, namers) = (dash.service.vars(&by).await?.items, dash.service.namers(&by)?);
    let set: BTreeSet<&str> = secrets.iter().map(|it| it.name.as_str()).collect();
    let lacking: Vec<_> = namers.secrets.iter().filter(|(it, _)| may && !set.contains(it.as_str())).collect();
    let set: BTreeSet<&str> = vars.iter().map(|it| it.name.as_str()).collect();
    let lacking_vars: Vec<_> = namers.vars.iter().filter(|(it, _)| !set.contains(it.as_str())).collect();
    let (after, vars_after) = (asked.get("after"), asked.get("vars_after"));
    let (secrets, secrets_next) = paged(secrets, after, |it| &it.name);
    let (vars, vars_next) = paged(vars, vars_after, |it| &it.name);
    let f = Frame::new(&by, Place::Secrets).said(asked.get("said"));
    ok(SecretsPage {
        may,
        missing_more: lacking.len().saturating_sub(MISSING_MAX),
        missing: lacking.into_iter().take(MISSING_MAX).enumerate().map(|it| missing(it, SET)).collect(),
        secrets: secrets.into_iter().map(|it| secret_row(it, &namers)).collect(),
        secrets_next: secrets_next.map(|it| links::with(PAGE, &[("after", &it)])),
        new_secret: SET,
        edits: by.may_everywhere(Right::Edit),
        missing_vars: lacking_vars
            .into_iter()
            .take(MISSING_MAX)
            .enumerate()
            .map(|it| missing(it, SET_VAR))
            .collect(),
        vars: vars.into_iter().map(|it| var_row(it, &namers, f.w)).collect(),
        vars_next: vars_next.map(|it| format!("{}#vars", links::with(PAGE, &[("vars_after", &it)]))),
        new_var: SET_VAR,
        begun: after.is_some() || vars_after.is_some(),
        f,
    })
}

/// Those after the name `after`, as many as a page shows, and the last of them if there are more.
fn paged<T>(all: Vec<T>, after: Option<&String>, name: impl Fn(&T) -> &String) -> (Vec<T>, Option<String>) {
    let mut rest = all.into_iter().filter(|it| after.is_none_or(|after| name(it) > after));
    let shown: Vec<T> = rest.by_ref().take(ROWS_MAX).collect();
    let last = shown.last().map(|it| name(it).clone());
    let more = rest.next().is_some();
    (shown, last.filter(|_| more))
}

fn missing((at, (name, by)): (usize, (&String, &NamedBy)), set: &str) -> Missing {
    Missing { at, name: name.clone(), by: named_by(by), to: links::with(set, &[("name", name)]) }
}

pub(super) fn named_by(it: &NamedBy) -> By {
    let processes = it.processes.iter().map(|it| (it.to_string(), links::process(it.as_str())));
    let channels = it.channels.iter().map(|it| (it.clone(), format!("/dashboard/channels#c-{it}")));
    By {
        more: (it.processes.len() + it.channels.len()).saturating_sub(2 * NAMERS_MAX),
        processes: processes.take(NAMERS_MAX).collect(),
        channels: channels.take(NAMERS_MAX).collect(),
    }
}

fn secret_row(it: SecretView, namers: &Namers) -> SecretRow {
    SecretRow {
        by: namers.secrets.get(&it.name).map(named_by),
        change: links::with(SET, &[("name", &it.name)]),
        hosts: it.hosts.join(", "),
        at: When(it.at),
        who: it.by,
        name: it.name,
    }
}

fn var_row(it: VarView, namers: &Namers, w: &'static Words) -> VarRow {
    let (value, cut) = short(&text(&it.value), VALUE_CHARS_MAX);
    VarRow {
        by: namers.vars.get(&it.name).map(named_by),
        change: links::with(SET_VAR, &[("name", &it.name)]),
        kind: kind(&it.value, w),
        value: if cut { format!("{value}…") } else { value },
        at: When(it.at),
        name: it.name,
    }
}

/// What a value is, in a word.
fn kind(value: &Value, w: &'static Words) -> &'static str {
    match value {
        Value::Null => w.kind_null,
        Value::Bool(_) => w.kind_bool,
        Value::Number(_) => w.kind_number,
        Value::String(_) => w.kind_text,
        Value::Array(_) => w.kind_list,
        Value::Object(_) => w.kind_map,
    }
}

#[derive(Template)]
#[template(path = "secret.html", config = ".askama.toml")]
struct SecretPage {
    f: Frame,
    name: String,
    /// The name is given: that of one which is set, or is missing.
    fixed: bool,
    known: Option<(When, Option<String>)>,
    hosts: String,
    by: Option<By>,
    name_wrong: Option<String>,
    value_wrong: Option<String>,
    hosts_wrong: Option<String>,
}

async fn form_of(
    dash: &Dash,
    by: &std::sync::Arc<Actor>,
    name: &str,
    typed: Option<(&Form, &ServiceError)>,
) -> ServiceResult<(StatusCode, SecretPage)> {
    let secrets = dash.service.secrets(by).await?.items;
    let known = secrets.into_iter().find(|it| it.name == name);
    let namers = if by.may_everywhere(Right::Read) { dash.service.namers(by)? } else { Namers::default() };
    let refusal = typed.map(|(_, refusal)| refusal);
    let wrong = |codes: &[&str]| refusal.filter(|it| codes.contains(&it.code())).map(beside);
    let (name_wrong, value_wrong) = (wrong(&["bad_name", "set_already"]), wrong(&["bad_value"]));
    let hosts_wrong = wrong(&["bad_host"]);
    let told = name_wrong.is_some() || value_wrong.is_some() || hosts_wrong.is_some();
    let hosts = typed.map(|(form, _)| form.get("hosts").to_owned());
    let page = SecretPage {
        f: Frame::new(by, Place::Secrets).refused(refusal.filter(|_| !told)),
        fixed: name_wrong.is_none() && (known.is_some() || namers.secrets.contains_key(name)),
        by: namers.secrets.get(name).map(named_by),
        hosts: hosts.or_else(|| known.as_ref().map(|it| it.hosts.join(", "))).unwrap_or_default(),
        known: known.filter(|_| name_wrong.is_none()).map(|it| (When(it.at), it.by)),
        name: name.to_owned(),
        name_wrong,
        value_wrong,
        hosts_wrong,
    };
    Ok((refusal.map_or(StatusCode::OK, status), page))
}

/// The form of one, new, missing or known.
pub(super) async fn look(State(dash): State<Dash>, Who(by): Who, asked: Asked) -> Given {
    let name = asked.get("name").cloned().unwrap_or_default();
    ok(form_of(&dash, &by, &name, None).await?.1)
}

/// Sets one. What was typed as the value is not shown again, whatever becomes of it.
pub(super) async fn set(State(dash): State<Dash>, Who(by): Who, form: Form) -> Given {
    let name = form.get("name").trim();
    let hosts = form.get("hosts").split([',', ' ', '\n', '\r', '\t']).filter(|it| !it.is_empty());
    let hosts: Vec<String> = hosts.map(str::to_owned).collect();
    let taken = async {
        if !form.has("known") && dash.service.secrets(&by).await?.items.iter().any(|it| it.name == name) {
            return Err(ServiceError::conflict("set_already", words().set_already));
        }
        dash.service.set_secret(&by, name, pasted(form.get("value")), hosts).await
    };
    match taken.await {
        Ok(_) => go(&links::with(PAGE, &[("said", "secret_set")])),
        Err(refusal) => {
            let (code, page) = form_of(&dash, &by, name, Some((&form, &refusal))).await?;
            Ok(Page(code, page).into_response())
        }
    }
}

/// A value as it was copied: browsers send their own ends of lines, and what is copied with its line brings
/// one at its end that is no part of it.
fn pasted(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    match text.strip_suffix('\n') {
        Some(line) if !line.contains('\n') => line.to_owned(),
        _ => text,
    }
}

/// Forgets one.
pub(super) async fn forget(State(dash): State<Dash>, Who(by): Who, form: Form) -> Given {
    dash.service.forget_secret(&by, form.get("name")).await?;
    go(&links::with(PAGE, &[("said", "secret_forgotten")]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_pasted_is_what_was_copied() {
        for (typed, value) in [
            ("token", "token"),
            ("token\r\n", "token"),
            (" a b ", " a b "),
            (
                "-----BEGIN KEY-----\r\nab\r\n-----END KEY-----\r\n",
                "-----BEGIN KEY-----\nab\n-----END KEY-----\n",
            ),
        ] {
            assert_eq!(pasted(typed), value, "{typed:?}");
        }
    }
}
