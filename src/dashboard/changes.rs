//! What changed from one version of a process to another, and deploying an earlier one again.

use askama::Template;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;

use crate::dashboard::dash::Dash;
use crate::dashboard::difference::Difference;
use crate::dashboard::edit::attempt;
use crate::dashboard::links;
use crate::dashboard::page::{Frame, Given, Oops, Place, ok};
use crate::dashboard::show::{When, short};
use crate::dashboard::take::{Asked, Form, Of, Who};
use crate::service::actor::Right;
use crate::service::processes::VersionView;

/// How many versions stand in a list to choose from.
const VERSIONS_MAX: usize = 100;

#[derive(Template)]
#[template(path = "diff.html", config = ".askama.toml")]
struct DiffPage {
    f: Frame,
    id: String,
    title: String,
    up: String,
    raw: String,
    from: Option<Side>,
    to: Side,
    versions: Vec<VersionChoice>,
    diff: Difference,
    edits: bool,
}

/// One of the two versions.
struct Side {
    version: String,
    short: String,
    at: When,
    by: String,
    now: bool,
    text: String,
}

struct VersionChoice {
    version: String,
    short: String,
    now: bool,
    from: bool,
    to: bool,
}

/// Two versions, line by line.
pub(super) async fn look(State(dash): State<Dash>, Who(by): Who, Of(id): Of, asked: Asked) -> Given {
    let ask = |name: &str| asked.get(name).map(String::as_str);
    let it = dash.service.changes(&by, &id, ask("from"), ask("to")).await?;
    if asked.get("plain").is_some() {
        let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
        return Ok::<_, Oops>((headers, it.diff).into_response());
    }
    let process = dash.service.process(&by, &id).await?;
    let versions = dash.service.versions(&by, &id).await?.items;
    let side = |it: &VersionView| Side {
        short: short(&it.version, 12).0,
        at: When(it.at.clone()),
        by: it.by.clone(),
        now: it.version == process.version,
        text: links::with(&links::below(&id, "yaml"), &[("version", &it.version)]),
        version: it.version.clone(),
    };
    let choice = |one: VersionView| VersionChoice {
        short: short(&one.version, 12).0,
        now: one.version == process.version,
        from: it.from.as_ref().is_some_and(|it| it.version == one.version),
        to: it.to.version == one.version,
        version: one.version,
    };
    let (from, to) = (it.from.as_ref().map(side), side(&it.to));
    let mut pairs = vec![("plain", "1"), ("to", to.version.as_str())];
    pairs.extend(from.iter().map(|it| ("from", it.version.as_str())));
    ok(DiffPage {
        f: Frame::new(&by, Place::Home),
        id: id.to_string(),
        title: process.title.clone(),
        up: links::process(&process.id),
        raw: links::with(&links::below(&id, "diff"), &pairs),
        versions: versions.into_iter().take(VERSIONS_MAX).map(choice).collect(),
        diff: Difference::new(&it.diff),
        from,
        to,
        edits: by.may(Right::Edit, &id),
    })
}

/// Deploys a version that was deployed before; if it is refused, its text stands on the page for editing.
pub(super) async fn again(State(dash): State<Dash>, Who(by): Who, Of(id): Of, form: Form) -> Given {
    by.need(Right::Edit, &id).map_err(Oops::from)?;
    let it = dash.service.version(&by, &id, form.get("version")).await?;
    attempt(&dash, &by, &id, it.text.unwrap_or_default(), &form).await
}
