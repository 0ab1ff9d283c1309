//! Editing a process: its YAML, what is wrong with it while it is typed, its picture, and the deploy that
//! strands no task. What was typed is never lost.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde_json::json;

use crate::dashboard::dash::Dash;
use crate::dashboard::links;
use crate::dashboard::page::{Frame, Given, Oops, Page, Place, go, ok, status};
use crate::dashboard::picture::Drawn;
use crate::dashboard::show::short;
use crate::dashboard::take::{Form, Of, Who};
use crate::model::names::{NodeName, ProcessId};
use crate::process::parse::parse;
use crate::process::problem::FileProblem;
use crate::service::actor::{Actor, Right};
use crate::service::deploy::Deployment;
use crate::service::errors::{ServiceError, ServiceResult, Stranded};
use crate::service::processes::ProcessView;
use crate::service::service::LIGHT_BYTES;

/// What stands before the name of a node whose tasks are to move.
const MOVE: &str = "move-";

#[derive(Template)]
#[template(path = "edit.html", config = ".askama.toml")]
struct EditPage {
    f: Frame,
    id: String,
    title: String,
    to: String,
    /// The version that was edited: another one may run by the time of the deploy.
    base: String,
    text: String,
    problems: Vec<FileProblem>,
    stranded: Vec<Leaving>,
    picture: Option<String>,
}

/// Tasks that need a place to go.
pub(super) struct Leaving {
    pub(super) node: String,
    pub(super) field: String,
    pub(super) tasks: u64,
    /// The nodes there are, and whether that one was chosen.
    pub(super) places: Vec<(String, bool)>,
}

/// The text of the present version.
pub(super) async fn look(State(dash): State<Dash>, Who(by): Who, Of(id): Of) -> Given {
    by.need(Right::Edit, &id).map_err(Oops::from)?;
    let process = dash.service.process(&by, &id).await?;
    let text = dash.service.version(&by, &id, &process.version).await?.text.unwrap_or_default();
    ok(page(&dash, &by, &process, text, Beside::default()).await?)
}

/// Another text, to be worked on and deployed in place of the present one.
pub(super) async fn with_text(dash: &Dash, by: &Arc<Actor>, id: &ProcessId, text: String) -> Given {
    let process = dash.service.process(by, id).await?;
    let problems = dash.service.check(&text).await?;
    ok(page(dash, by, &process, text, Beside { problems, ..Beside::default() }).await?)
}

/// What stands beside the text.
#[derive(Default)]
struct Beside {
    problems: Vec<FileProblem>,
    stranded: Vec<Leaving>,
    refusal: Option<ServiceError>,
}

async fn page(
    dash: &Dash,
    by: &Arc<Actor>,
    process: &ProcessView,
    text: String,
    beside: Beside,
) -> ServiceResult<EditPage> {
    Ok(EditPage {
        f: Frame::new(by, Place::Home).refused(beside.refusal.as_ref()),
        id: process.id.clone(),
        title: process.title.clone(),
        to: links::process(&process.id),
        base: process.version.clone(),
        picture: drawn(dash, &text).await?,
        problems: beside.problems,
        stranded: beside.stranded,
        text,
    })
}

async fn drawn(dash: &Dash, text: &str) -> ServiceResult<Option<String>> {
    let own = text.to_owned();
    let draw = move || Drawn::plain(&parse(&own).ok()?).with(&BTreeMap::new());
    dash.service.apart(text.len() > LIGHT_BYTES, draw).await
}

/// What is wrong with a text that is being typed, and how it would look.
pub(super) async fn check(State(dash): State<Dash>, Who(by): Who, Of(id): Of, form: Form) -> Given {
    by.need(Right::Edit, &id).map_err(Oops::from)?;
    let text = typed(&form);
    let problems = dash.service.check(&text).await?;
    let picture = if problems.is_empty() { drawn(&dash, &text).await? } else { None };
    Ok(Json(json!({"problems": problems, "picture": picture})).into_response())
}

/// Deploys what was typed, or says why not, with the text as it is.
pub(super) async fn deploy(State(dash): State<Dash>, Who(by): Who, Of(id): Of, form: Form) -> Given {
    attempt(&dash, &by, &id, typed(&form), &form).await
}

/// Deploys a text, or says why not, with the text as it is.
pub(super) async fn attempt(
    dash: &Dash,
    by: &Arc<Actor>,
    id: &ProcessId,
    text: String,
    form: &Form,
) -> Given {
    let base = form.get("base");
    let process = dash.service.process(by, id).await?;
    if !base.is_empty() && base != process.version {
        let refusal = overtaken(&process);
        let beside = Beside { refusal: Some(refusal), ..Beside::default() };
        let answer = page(dash, by, &process, text, beside).await?;
        return Ok(Page(StatusCode::CONFLICT, answer).into_response());
    }
    let deployment = Deployment {
        text: text.clone(),
        expected: Some(id.clone()),
        moves: moves(form),
        ..Deployment::default()
    };
    let Err(refusal) = dash.service.deploy(by, deployment).await else {
        return go(&links::with(&links::process(id.as_str()), &[("said", "deployed")]));
    };
    let status = status(&refusal);
    let beside = match refusal {
        ServiceError::Problems { problems, .. } => Beside { problems, ..Beside::default() },
        ServiceError::Stranded(stranded) => {
            Beside { stranded: leaving(&stranded, &text, form), ..Beside::default() }
        }
        refusal => Beside { refusal: Some(refusal), ..Beside::default() },
    };
    Ok(Page(status, page(dash, by, &process, text, beside).await?).into_response())
}

fn overtaken(process: &ProcessView) -> ServiceError {
    let (version, _) = short(&process.version, 12);
    let message = format!(
        "version {version} was deployed since you began, and nothing was changed; hint: look at what runs \
         now, then deploy again to replace it"
    );
    ServiceError::conflict("overtaken", message)
}

/// What was typed; a browser ends lines as a form does.
fn typed(form: &Form) -> String {
    form.get("text").replace("\r\n", "\n")
}

/// Where tasks go, as the form says.
pub(super) fn moves(form: &Form) -> BTreeMap<NodeName, NodeName> {
    let moves = form.all().filter_map(|(name, to)| {
        Some((NodeName::new(name.strip_prefix(MOVE)?).ok()?, NodeName::new(to).ok()?))
    });
    moves.collect()
}

/// What to ask about tasks that need a place to go in that text.
pub(super) fn leaving(stranded: &[Stranded], text: &str, form: &Form) -> Vec<Leaving> {
    let process = parse(text).ok();
    let nodes: Vec<&NodeName> = process.iter().flat_map(|it| it.nodes.iter().map(|it| &it.name)).collect();
    let leaving = stranded.iter().map(|it| {
        let field = format!("{MOVE}{}", it.node);
        let chosen = form.get(&field);
        let places = nodes.iter().map(|node| (node.to_string(), node.as_str() == chosen)).collect();
        Leaving { node: it.node.to_string(), field, tasks: it.tasks, places }
    });
    leaving.collect()
}
