//! One variable: what it is, as text or as JSON, and who names it.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde_json::Value;

use crate::dashboard::dash::Dash;
use crate::dashboard::links;
use crate::dashboard::locale::words;
use crate::dashboard::page::{Frame, Given, Page, Place, go, ok, status};
use crate::dashboard::secrets::{By, PAGE, named_by};
use crate::dashboard::show::{When, beside, text};
use crate::dashboard::take::{Asked, Form, Who};
use crate::model::json;
use crate::service::actor::Actor;
use crate::service::errors::{ServiceError, ServiceResult};

#[derive(Template)]
#[template(path = "var.html", config = ".askama.toml")]
struct VarPage {
    f: Frame,
    name: String,
    /// The name is given: that of one which is set, or is missing.
    fixed: bool,
    known: Option<When>,
    json: bool,
    value: String,
    by: Option<By>,
    name_wrong: Option<String>,
    value_wrong: Option<String>,
}

async fn form_of(
    dash: &Dash,
    by: &Arc<Actor>,
    name: &str,
    typed: Option<(&Form, &ServiceError)>,
) -> ServiceResult<(StatusCode, VarPage)> {
    let known = dash.service.vars(by).await?.items.into_iter().find(|it| it.name == name);
    let namers = dash.service.namers(by)?;
    let refusal = typed.map(|(_, refusal)| refusal);
    let wrong = |codes: &[&str]| refusal.filter(|it| codes.contains(&it.code())).map(beside);
    let (name_wrong, value_wrong) = (wrong(&["bad_name", "set_already"]), wrong(&["bad_value", "bad_json"]));
    let (json, value) = match (typed, &known) {
        (Some((form, _)), _) => (form.get("as") == "json", form.get("value").to_owned()),
        (None, Some(it)) => (!it.value.is_string(), text(&it.value)),
        (None, None) => (false, String::new()),
    };
    let told = name_wrong.is_some() || value_wrong.is_some();
    let page = VarPage {
        f: Frame::new(by, Place::Secrets).refused(refusal.filter(|_| !told)),
        fixed: name_wrong.is_none() && (known.is_some() || namers.vars.contains_key(name)),
        by: namers.vars.get(name).map(named_by),
        known: known.filter(|_| name_wrong.is_none()).map(|it| When(it.at)),
        name: name.to_owned(),
        json,
        value,
        name_wrong,
        value_wrong,
    };
    Ok((refusal.map_or(StatusCode::OK, status), page))
}

/// The form of one, new, missing or known.
pub(super) async fn look(State(dash): State<Dash>, Who(by): Who, asked: Asked) -> Given {
    let name = asked.get("name").cloned().unwrap_or_default();
    ok(form_of(&dash, &by, &name, None).await?.1)
}

/// Sets one, as it was said to be understood.
pub(super) async fn set(State(dash): State<Dash>, Who(by): Who, form: Form) -> Given {
    let (name, json) = (form.get("name").trim(), form.get("as") == "json");
    let taken = async {
        if !form.has("known") && dash.service.vars(&by).await?.items.iter().any(|it| it.name == name) {
            return Err(ServiceError::conflict("set_already", words().set_already));
        }
        dash.service.set_var(&by, name, read(form.get("value"), json)?).await
    };
    match taken.await {
        Ok(_) => go(&links::with(PAGE, &[("said", if json { "var_json" } else { "var_text" })])),
        Err(refusal) => {
            let (code, page) = form_of(&dash, &by, name, Some((&form, &refusal))).await?;
            Ok(Page(code, page).into_response())
        }
    }
}

fn read(typed: &str, json: bool) -> ServiceResult<Value> {
    match json {
        true => json::read(typed).map_err(|error| {
            ServiceError::bad(
                "bad_json",
                format!("{}: {error}; hint: {}", words().var_no_json, words().var_no_json_do),
            )
        }),
        false => Ok(Value::from(typed.replace("\r\n", "\n"))),
    }
}

/// Forgets one.
pub(super) async fn forget(State(dash): State<Dash>, Who(by): Who, form: Form) -> Given {
    dash.service.forget_var(&by, form.get("name")).await?;
    go(&links::with(PAGE, &[("said", "var_forgotten")]))
}
