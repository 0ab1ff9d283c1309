//! A process: its picture with live counts, its tasks, its versions, its text.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;

use crate::dashboard::chart::Chart;
use crate::dashboard::dash::Dash;
use crate::dashboard::links;
use crate::dashboard::page::{Frame, Given, Oops, Place, go, ok};
use crate::dashboard::picture::Mark;
use crate::dashboard::show::{When, sentence, short, when};
use crate::dashboard::take::{Asked, Of, Who};
use crate::model::names::{NodeName, ProcessId};
use crate::model::task::Phase;
use crate::service::actor::Right;
use crate::service::errors::ServiceError;
use crate::service::look::Filter;
use crate::service::param_filter::ParamFilter;
use crate::service::processes::{NodeView, ProcessView, VersionView};
use crate::service::schedule_views::ScheduleView;
use crate::service::view::{ListPage, TaskView};

/// How many tasks a page shows.
const TASKS_MAX: usize = 50;
/// How many versions a page shows.
const VERSIONS_MAX: usize = 20;
/// How many nodes stand in the list to choose from.
const NODES_MAX: usize = 300;
/// How much of a text a page shows, in characters; the rest is in the plain text.
const TEXT_CHARS_MAX: usize = 60_000;

#[derive(Template)]
#[template(path = "process.html", config = ".askama.toml")]
struct ProcessPage {
    f: Frame,
    it: ProcessView,
    short_version: String,
    deployed: Option<When>,
    picture: Option<String>,
    flow: Chart,
    problems: Vec<String>,
    nodes: Vec<NodeRow>,
    states: Vec<Choice>,
    find: String,
    param: String,
    param_wrong: Option<String>,
    param_names: Vec<String>,
    looked: Option<u64>,
    filtered: bool,
    tasks: Vec<TaskRow>,
    next: Option<String>,
    versions: Vec<VersionRow>,
    versions_more: usize,
    schedules: Vec<ScheduleView>,
    may: May,
}

/// What who looks may do as well.
struct May {
    runs: bool,
    edits: bool,
    /// Make another process of it.
    clones: bool,
}

struct NodeRow {
    name: String,
    title: String,
    live: u64,
    chosen: bool,
}

struct Choice {
    name: &'static str,
    chosen: bool,
}

/// A task in a list.
pub(super) struct TaskRow {
    pub(super) reference: String,
    /// Its process, in a list of several.
    pub(super) process: Option<String>,
    pub(super) to: String,
    pub(super) state: &'static str,
    pub(super) title: String,
    pub(super) since: When,
    pub(super) due: Option<When>,
    pub(super) alarm: bool,
}

impl TaskRow {
    /// Of a task of any process.
    pub(super) fn anywhere(task: &TaskView) -> TaskRow {
        TaskRow { process: Some(task.process.clone()), ..TaskRow::of(task) }
    }

    /// Of a task of the process the page is about.
    pub(super) fn of(task: &TaskView) -> TaskRow {
        TaskRow {
            reference: task.reference.clone(),
            process: None,
            to: links::task(task),
            state: task.state,
            title: task.title.clone(),
            since: When(task.since.clone()),
            due: when(task.due.as_ref()),
            alarm: task.alarm.is_some(),
        }
    }
}

struct VersionRow {
    short: String,
    at: When,
    by: String,
    now: bool,
    to: String,
    /// What changed; none for the first one of all.
    diff: Option<String>,
    version: String,
}

/// A process and its tasks.
pub(super) async fn look(State(dash): State<Dash>, Who(by): Who, Of(id): Of, asked: Asked) -> Given {
    let it = dash.service.process(&by, &id).await?;
    let state = asked.get("state").map(String::as_str);
    let (param, param_wrong) = filter(&asked);
    let filter = Filter {
        process: Some(id.clone()),
        node: asked.get("node").and_then(|it| NodeName::new(it).ok()),
        phase: Phase::ALL.into_iter().find(|it| Some(it.as_str()) == state),
        ref_prefix: asked.get("ref").cloned(),
        param,
        cursor: asked.get("cursor").cloned(),
        limit: Some(TASKS_MAX),
    };
    let (node, phase) = (filter.node.clone(), filter.phase);
    let (tasks, param_wrong) = match dash.service.tasks(&by, filter).await {
        _ if param_wrong.is_some() => (ListPage::whole(Vec::new()), param_wrong),
        Err(refusal) if refusal.code() == "secret_param_filter" => {
            (ListPage::whole(Vec::new()), Some(beside(&refusal)))
        }
        done => (done?, None),
    };
    let versions = dash.service.versions(&by, &id).await?.items;
    let schedules = dash.service.schedules(&by, &id).await?.items;
    let find = asked.get("ref").cloned().unwrap_or_default();
    let next = tasks.next.as_deref().map(|cursor| next_page(&id, &asked, cursor));
    let f = Frame::new(&by, Place::Home).live(Some(&it.id)).said(asked.get("said"));
    let drawn = dash.pictures.of(&dash.service, &by, &id, &it.version)?;
    ok(ProcessPage {
        flow: Chart::new(f.w, &dash.service.flow(&by, &id)?),
        f,
        short_version: short(&it.version, 12).0,
        deployed: when(it.deployed_at.as_ref()),
        picture: drawn.with(&marks(&id, &it)),
        problems: it.problems.iter().flatten().map(problem).collect(),
        nodes: it
            .nodes
            .iter()
            .flatten()
            .take(NODES_MAX)
            .map(|one| node_row(&it, one, node.as_ref()))
            .collect(),
        states: Phase::ALL
            .into_iter()
            .map(|one| Choice { name: one.as_str(), chosen: Some(one) == phase })
            .collect(),
        filtered: ["node", "state", "ref", "param", "cursor"].iter().any(|it| asked.get(it).is_some()),
        find,
        param: asked.get("param").cloned().unwrap_or_default(),
        param_wrong,
        param_names: it.params.iter().filter(|it| !it.secret).map(|it| it.name.clone()).collect(),
        looked: tasks.looked,
        tasks: tasks.items.iter().map(TaskRow::of).collect(),
        next,
        versions_more: versions.len().saturating_sub(VERSIONS_MAX),
        versions: version_rows(&id, &it, &versions),
        schedules,
        may: May {
            runs: by.may(Right::Run, &id),
            edits: by.may(Right::Edit, &id),
            clones: by.has(Right::Edit),
        },
        it,
    })
}

/// By which param tasks are to be found, or why not.
fn filter(asked: &Asked) -> (Option<ParamFilter>, Option<String>) {
    match asked.get("param").map(|it| it.parse()) {
        None => (None, None),
        Some(Ok(filter)) => (Some(filter), None),
        Some(Err(refusal)) => (None, Some(beside(&refusal))),
    }
}

/// What stands beside a field.
fn beside(refusal: &ServiceError) -> String {
    match sentence(&refusal.to_string()) {
        (text, Some(hint)) => format!("{text} {hint}"),
        (text, None) => text,
    }
}

fn next_page(id: &ProcessId, asked: &Asked, cursor: &str) -> String {
    let mut pairs = vec![("cursor", cursor)];
    for name in ["node", "state", "ref", "param"] {
        pairs.extend(asked.get(name).map(|it| (name, it.as_str())));
    }
    format!("{}#tasks", links::with(&links::process(id.as_str()), &pairs))
}

/// How many stand where; a click shows which.
fn marks(id: &ProcessId, it: &ProcessView) -> BTreeMap<String, Mark> {
    let mark = |node: &NodeView| {
        let to = Some(links::node(id, &node.name));
        let (live, failed) = (live(it, &node.name), count(it, &node.name, "failed"));
        (node.name.clone(), Mark { live, failed, to, class: "" })
    };
    it.nodes.iter().flatten().map(mark).collect()
}

fn count(it: &ProcessView, node: &str, state: &str) -> u64 {
    it.counts.get(node).and_then(|it| it.get(state)).copied().unwrap_or(0)
}

fn live(it: &ProcessView, node: &str) -> u64 {
    ["ready", "doing", "waiting"].iter().map(|state| count(it, node, state)).sum()
}

fn node_row(it: &ProcessView, node: &NodeView, chosen: Option<&NodeName>) -> NodeRow {
    NodeRow {
        name: node.name.clone(),
        title: short(&node.title, 60).0,
        live: live(it, &node.name),
        chosen: chosen.is_some_and(|it| it.as_str() == node.name),
    }
}

/// The versions, the newest first, each with what it changed.
fn version_rows(id: &ProcessId, it: &ProcessView, all: &[VersionView]) -> Vec<VersionRow> {
    let row = |(at, one): (usize, &VersionView)| VersionRow {
        short: short(&one.version, 12).0,
        at: When(one.at.clone()),
        by: one.by.clone(),
        now: one.version == it.version,
        to: links::with(&links::below(id, "yaml"), &[("version", &one.version)]),
        diff: all.get(at + 1).map(|before| {
            let pairs = [("from", before.version.as_str()), ("to", one.version.as_str())];
            links::with(&links::below(id, "diff"), &pairs)
        }),
        version: one.version.clone(),
    };
    all.iter().enumerate().take(VERSIONS_MAX).map(row).collect()
}

fn problem(it: &serde_json::Value) -> String {
    let text = |name: &str| it[name].as_str().unwrap_or_default();
    let hint = if text("hint").is_empty() { String::new() } else { format!(" ({})", text("hint")) };
    format!("{}:{}: {}{hint}", text("file"), it["line"], text("message"))
}

/// Lets it rest.
pub(super) async fn pause(State(dash): State<Dash>, Who(by): Who, Of(id): Of) -> Given {
    dash.service.pause(&by, &id).await?;
    go(&links::with(&links::process(id.as_str()), &[("said", "paused")]))
}

/// Lets it go on.
pub(super) async fn resume(State(dash): State<Dash>, Who(by): Who, Of(id): Of) -> Given {
    dash.service.resume(&by, &id).await?;
    go(&links::with(&links::process(id.as_str()), &[("said", "resumed")]))
}

#[derive(Template)]
#[template(path = "yaml.html", config = ".askama.toml")]
struct YamlPage {
    f: Frame,
    id: String,
    title: String,
    to: String,
    raw: String,
    at: When,
    by: String,
    now: bool,
    numbers: String,
    text: String,
    cut: bool,
}

/// The text of a version; plain if it is asked for so.
pub(super) async fn yaml(State(dash): State<Dash>, Who(by): Who, Of(id): Of, asked: Asked) -> Given {
    let process = dash.service.process(&by, &id).await?;
    let version = asked.get("version").unwrap_or(&process.version);
    let it = dash.service.version(&by, &id, version).await?;
    let text = it.text.unwrap_or_default();
    if asked.get("plain").is_some() {
        let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
        return Ok::<_, Oops>((headers, text).into_response());
    }
    let (text, cut) = short(&text, TEXT_CHARS_MAX);
    let lines: Vec<String> = (1..=text.lines().count()).map(|it| it.to_string()).collect();
    ok(YamlPage {
        f: Frame::new(&by, Place::Home),
        title: process.title.clone(),
        to: links::process(&process.id),
        raw: links::with(&links::below(&id, "yaml"), &[("version", &it.version), ("plain", "1")]),
        at: When(it.at),
        by: it.by,
        now: it.version == process.version,
        numbers: lines.join("\n"),
        text,
        cut,
        id: process.id,
    })
}
