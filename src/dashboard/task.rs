//! A task: where it stands and why, what wakes it next, its params, its way so far, and what it may be
//! commanded.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde_json::Value;

use crate::dashboard::dash::Dash;
use crate::dashboard::form::{Field, MORE, mistake, optional};
use crate::dashboard::history::{HistoryRow, explained, rows, walked};
use crate::dashboard::links;
use crate::dashboard::locale::words;
use crate::dashboard::page::{Frame, Given, Page, Place, status};
use crate::dashboard::picture::Mark;
use crate::dashboard::show::{self, When, shown, when};
use crate::dashboard::take::{self, Asked, Form, Of, Who};
use crate::model::marks::MASK;
use crate::model::names::{Address, TaskId};
use crate::service::actor::{Actor, Right};
use crate::service::call_tree::{CallTreeView, RelativeView};
use crate::service::errors::{FieldMistake, ServiceError, ServiceResult};
use crate::service::processes::ProcessView;
use crate::service::view::{HistoryEventView, ParamExpiryView, TaskView};

/// How many events a page shows, and how many it looks through for them.
const EVENTS_SHOWN: usize = 50;
const ENTRIES_MAX: usize = 500;
/// How many params a page shows.
const PARAMS_MAX: usize = 100;
/// How many nodes one may choose from.
const NODES_MAX: usize = 300;

#[derive(Template)]
#[template(path = "task.html", config = ".askama.toml")]
struct TaskPage {
    f: Frame,
    it: TaskView,
    process: ProcessView,
    process_to: String,
    live: bool,
    created: When,
    since: When,
    due: Option<When>,
    next: &'static str,
    about: String,
    link: Option<String>,
    host: String,
    expiries: Vec<ExpiryRow>,
    fault: Option<FaultCard>,
    alarm_notified_at: Option<When>,
    alarm_by: String,
    alarm_acked: Option<(String, When)>,
    params: Vec<ParamRow>,
    params_more: usize,
    result: Option<String>,
    events: Vec<HistoryRow>,
    older: Option<String>,
    call_tree: CallTreeCard,
    newer: Option<String>,
    picture: Option<String>,
    fields: Vec<Field>,
    more: String,
    more_wrong: Option<String>,
    /// The form that was refused, which is still open: `modify` or `move`.
    open: &'static str,
    /// The node that is chosen in the form that moves.
    chosen: String,
    runs: bool,
    reveals: bool,
}

struct FaultCard {
    code: String,
    class: &'static str,
    text: String,
    hint: Option<String>,
    explained: Option<String>,
    node: Option<String>,
    at: Option<When>,
}

/// A value that dies.
struct ExpiryRow {
    param: String,
    left: Option<String>,
    dies: When,
    warn: When,
    dying: bool,
}

struct ParamRow {
    name: String,
    about: String,
    value: String,
    masked: bool,
    revealed: bool,
}

/// Its relatives, and what it waits for.
struct CallTreeCard {
    waits: Vec<String>,
    awaited: Vec<Relative>,
    parent: Option<Relative>,
    children: Vec<Relative>,
    more: bool,
}

/// A task that this one is told of with.
struct Relative {
    reference: String,
    process: String,
    to: String,
    state: &'static str,
    title: String,
}

/// What a page shows beside the task.
#[derive(Default)]
pub(super) struct Beside<'a> {
    pub(super) said: Option<&'a String>,
    pub(super) before: Option<&'a String>,
    pub(super) refusal: Option<&'a ServiceError>,
    pub(super) typed: Option<&'a Form>,
    pub(super) revealed: Option<(String, Value)>,
}

/// The page of a task.
pub(super) async fn look(State(dash): State<Dash>, Who(by): Who, Of(id): Of, asked: Asked) -> Given {
    let empty = String::new();
    let (reference, id_text) = (asked.get("ref").unwrap_or(&empty), asked.get("id").unwrap_or(&empty));
    let (address, task) = take::task(&id, reference, id_text)?;
    let beside = Beside { said: asked.get("said"), before: asked.get("before"), ..Beside::default() };
    page(&dash, &by, &address, task, beside).await
}

/// The same with one secret opened. The service asks whether one may, and notes it.
pub(super) async fn reveal(State(dash): State<Dash>, Who(by): Who, Of(id): Of, form: Form) -> Given {
    let (address, task) = take::task(&id, form.get("ref"), form.get("id"))?;
    let name = form.get("param");
    match dash.service.param(&by, &address, task, name).await {
        Ok(value) => {
            let beside = Beside { revealed: Some((name.to_owned(), value)), ..Beside::default() };
            page(&dash, &by, &address, task, beside).await
        }
        Err(refusal) => {
            let beside = Beside { refusal: Some(&refusal), ..Beside::default() };
            page(&dash, &by, &address, task, beside).await
        }
    }
}

/// The page of a task and what just happened to it.
pub(super) async fn page(
    dash: &Dash,
    by: &std::sync::Arc<Actor>,
    address: &Address,
    id: Option<TaskId>,
    beside: Beside<'_>,
) -> Given {
    let it = dash.service.task(by, address, id).await?;
    let process = dash.service.process(by, &address.process).await?;
    let events = events(dash, by, address, id).await?;
    let call_tree = dash.service.call_tree(by, address, id).await?;
    let picture = dash.pictures.of(&dash.service, by, &address.process, &process.version)?;
    let live = ["ready", "doing", "waiting"].contains(&it.state);
    let (here, before) = (links::task(&it), beside.before.and_then(|it| it.parse::<u64>().ok()));
    let older_than = before.unwrap_or(u64::MAX);
    let shown: Vec<&HistoryEventView> =
        events.iter().rev().filter(|it| it.seq < older_than).take(EVENTS_SHOWN).collect();
    let last = shown.last().map_or(0, |it| it.seq);
    let older = events.iter().any(|it| it.seq < last).then(|| format!("{here}&before={last}#history"));
    let link = links::outward(it.link.as_ref()).filter(|_| live);
    let runs = by.may(Right::Run, &address.process);
    let f = Frame::new(by, Place::Home).said(beside.said).refused(beside.refusal);
    let due = due(&it, dash.service.now().seconds());
    let moves = beside.typed.filter(|it| it.has("to")).map(|it| it.get("to").to_owned());
    let expiries =
        it.expiries.iter().map(|expiry| expiry_row(expiry, dash.service.now().seconds(), &f)).collect();
    let page = TaskPage {
        next: next(&it, &process, due.as_ref(), &f),
        call_tree: call_tree_card(&it, &call_tree, &events, &f),
        // A secret that was asked for stays until one leaves.
        f: if beside.revealed.is_some() || before.is_some() { f } else { f.live(Some(&process.id)) },
        process_to: links::process(&process.id),
        live,
        created: When(it.created_at.clone()),
        since: When(it.since.clone()),
        due,
        about: node_about(&process, &it.node),
        host: link.as_deref().map(links::host).unwrap_or_default(),
        link,
        expiries,
        fault: it.fault.as_ref().map(fault),
        alarm_notified_at: it.alarm.as_ref().and_then(|it| when(it.notified_at.as_ref())),
        alarm_by: it.alarm.as_ref().map(|it| it.by.join(", ")).unwrap_or_default(),
        alarm_acked: acked(&it),
        params: params(&it, &process, beside.revealed.as_ref()),
        params_more: it.params.map().len().saturating_sub(PARAMS_MAX),
        result: it.result.as_ref().map(shown_whole),
        events: rows(&events, &shown, &process, words()),
        older,
        newer: before.is_some().then(|| format!("{here}#history")),
        picture: picture.lit(&marks(&it, &events), &walked(&events)),
        fields: optional(&process.params, beside.typed, wrong(beside.refusal)),
        more_wrong: mistake(wrong(beside.refusal), MORE),
        open: beside.typed.map_or("", opened),
        chosen: moves.unwrap_or_else(|| it.node.clone()),
        more: beside.typed.map(|it| it.get(MORE).to_owned()).unwrap_or_default(),
        runs,
        reveals: by.may(Right::Secrets, &address.process),
        it,
        process,
    };
    Ok(Page(beside.refusal.map_or(StatusCode::OK, status), page).into_response())
}

/// Who has acknowledged its alarm, and since when.
fn acked(it: &TaskView) -> Option<(String, When)> {
    let acked = it.alarm.as_ref()?.acknowledged.as_ref()?;
    Some((acked.by.clone(), When(acked.at.clone())))
}

/// Which form it is that was refused, if it has fields.
fn opened(form: &Form) -> &'static str {
    match (form.has(MORE), form.has("to")) {
        (true, _) => "modify",
        (_, true) => "move",
        _ => "",
    }
}

/// What is wrong with single fields.
fn wrong(refusal: Option<&ServiceError>) -> &[FieldMistake] {
    match refusal {
        Some(ServiceError::Fields(wrong)) => wrong,
        _ => &[],
    }
}

fn shown_whole(value: &Value) -> String {
    shown(value)
}

/// All that is kept of its history: it is bounded by the engine.
async fn events(
    dash: &Dash,
    by: &Actor,
    address: &Address,
    id: Option<TaskId>,
) -> ServiceResult<Vec<HistoryEventView>> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = dash.service.history(by, address, id, after.as_deref(), Some(ENTRIES_MAX)).await?;
        all.extend(page.items);
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(all),
        }
    }
}

/// When it is looked at next. What is ready now is looked at at once.
fn due(it: &TaskView, now: i64) -> Option<When> {
    let later = |due: &&String| it.state != "ready" || show::seconds(due).is_some_and(|due| due > now);
    when(it.due.as_ref().filter(later))
}

/// What wakes it.
fn next(it: &TaskView, process: &ProcessView, due: Option<&When>, f: &Frame) -> &'static str {
    match (it.state, process.paused, due.is_some()) {
        ("ready" | "waiting" | "doing", true, _) => f.w.next_paused,
        ("ready", _, true) => f.w.next_again,
        ("ready", ..) => f.w.next_ready,
        ("doing", ..) => f.w.next_doing,
        ("waiting", _, true) => f.w.next_due,
        ("waiting", _, false) => f.w.next_person,
        ("failed", ..) => f.w.next_failed,
        _ => f.w.next_never,
    }
}

fn node_about(process: &ProcessView, node: &str) -> String {
    let node = process.nodes.iter().flatten().find(|it| it.name == node);
    node.map(|it| it.about.clone()).unwrap_or_default()
}

fn fault(it: &crate::service::view::FaultView) -> FaultCard {
    let (text, hint) = show::sentence(&it.message);
    FaultCard {
        code: it.code.clone(),
        class: it.class,
        text,
        hint,
        explained: explained(&it.code),
        node: it.node.clone(),
        at: when(it.at.as_ref()),
    }
}

fn expiry_row(it: &ParamExpiryView, now: i64, f: &Frame) -> ExpiryRow {
    let left = show::seconds(&it.expires_at).map_or(0, |at| at - now);
    ExpiryRow {
        param: it.param.clone(),
        left: (!it.dead).then(|| show::span(left, f.w)),
        dies: When(it.expires_at.clone()),
        warn: When(it.warn_at.clone()),
        dying: it.urgent,
    }
}

fn params(it: &TaskView, process: &ProcessView, revealed: Option<&(String, Value)>) -> Vec<ParamRow> {
    let row = |(name, value): (&String, &Value)| {
        let open = revealed.filter(|(it, _)| it == name).map(|(_, value)| value);
        let spec = process.params.iter().find(|it| it.name == *name);
        ParamRow {
            name: name.clone(),
            about: spec.map(|it| it.about.clone()).unwrap_or_default(),
            value: open.map_or_else(|| shown(value), show::text),
            masked: open.is_none() && value == MASK,
            revealed: open.is_some(),
        }
    };
    it.params.map().iter().take(PARAMS_MAX).map(row).collect()
}

fn call_tree_card(
    it: &TaskView,
    call_tree: &CallTreeView,
    events: &[HistoryEventView],
    f: &Frame,
) -> CallTreeCard {
    let (awaited, children): (Vec<_>, Vec<_>) = call_tree.children.iter().partition(|it| it.awaited);
    CallTreeCard {
        waits: waits(it, call_tree, events, f),
        awaited: awaited.into_iter().map(relative).collect(),
        parent: call_tree.parent.as_ref().map(relative),
        children: children.into_iter().map(relative).collect(),
        more: call_tree.more,
    }
}

fn relative(it: &RelativeView) -> Relative {
    let page = format!("/dashboard/p/{}/task", it.process);
    Relative {
        to: links::with(&page, &[("ref", &it.reference), ("id", &it.id)]),
        reference: it.reference.clone(),
        process: it.process.clone(),
        state: it.state,
        title: it.title.clone(),
    }
}

/// What it waits for, in words.
fn waits(it: &TaskView, call_tree: &CallTreeView, events: &[HistoryEventView], f: &Frame) -> Vec<String> {
    let mut words = Vec::new();
    if let Some(place) = &it.waits_for {
        words.push(match place.strip_prefix("room at ") {
            Some(place) => format!("{} {place}. {}", f.w.waits_room, f.w.waits_room_about),
            None => place.clone(),
        });
    }
    match (it.state, &it.each) {
        ("waiting", Some(each)) => {
            words.push(format!("{}: {} {} {}", f.w.waits_each, each.done, f.w.of, each.of));
            if each.failed > 0 {
                words.push(format!("{}: {}", f.w.waits_each_failed, each.failed));
            }
        }
        ("waiting", None) if !call_tree.calls.is_empty() => {
            words.push(format!("{} {}", f.w.waits_reply, call_tree.calls.join(", ")));
        }
        ("doing", _) => {
            let asked =
                events.iter().rev().find_map(|event| event.asked.as_ref().filter(|_| event.node == it.node));
            words.extend(asked.map(|it| format!("{} {it}", f.w.waits_answer)));
        }
        ("ready", _) if it.attempt > 1 => words.push(format!("{} {}", f.w.waits_try, it.attempt)),
        _ => {}
    }
    words
}

/// Where it is, and where it was.
fn marks(it: &TaskView, events: &[HistoryEventView]) -> BTreeMap<String, Mark> {
    let been: BTreeSet<&String> =
        events.iter().flat_map(|it| [Some(&it.node), it.to.as_ref()]).flatten().collect();
    let mark = |class| Mark { class, ..Mark::default() };
    let mut marks: BTreeMap<String, Mark> = been.into_iter().map(|it| (it.clone(), mark("been"))).collect();
    marks.insert(it.node.clone(), mark("now"));
    marks
}
