//! The first page: what needs a person, then everything that runs.

use askama::Template;
use axum::extract::State;

use crate::dashboard::dash::Dash;
use crate::dashboard::links;
use crate::dashboard::page::{Frame, Given, Place, ok};
use crate::dashboard::show::{When, at_seconds, sentence, span, when};
use crate::dashboard::take::{Asked, Who};
use crate::desk::actor::{Actor, Right};
use crate::desk::look::Filter;
use crate::desk::processes::ProcessView;
use crate::desk::refusal::Done;
use crate::desk::status::Status;
use crate::desk::view::TaskView;
use crate::model::names::ProcessId;

/// How many alarms the page shows.
const ALARMS_MAX: usize = 30;
/// How many tokens it looks for in each process.
const TOKENS_MAX: usize = 50;
/// How many processes it shows; the rest are found by searching.
const PROCESSES_MAX: usize = 150;
/// The param a process keeps the end of a token in, in seconds since 1970.
const EXPIRES: &str = "expires_at";
/// A token that lives less long is shown as dying, in seconds.
const DYING: i64 = 10 * 60;

#[derive(Template)]
#[template(path = "home.html", config = ".askama.toml")]
struct HomePage {
    f: Frame,
    status: Option<Status>,
    alarms: Vec<AlarmCard>,
    alarms_more: usize,
    failing: Vec<FailingCard>,
    problems: Vec<ProblemCard>,
    tokens: Vec<TokenRow>,
    processes: Vec<ProcessRow>,
    processes_more: usize,
    edits: bool,
}

/// An open alarm.
struct AlarmCard {
    reference: String,
    process: String,
    to: String,
    title: String,
    since: When,
    told: Option<When>,
    by: String,
    text: String,
    trouble: Option<String>,
    link: Option<String>,
    host: String,
    acked: Option<(String, When)>,
    ack: Option<AckForm>,
}

/// What the button that acknowledges sends.
struct AckForm {
    id: String,
}

struct FailingCard {
    name: String,
    at: When,
    detail: String,
    remedy: String,
}

struct ProblemCard {
    file: String,
    message: String,
}

/// A token and how long it lives.
struct TokenRow {
    reference: String,
    process: String,
    to: String,
    expires: When,
    left: Option<String>,
    dying: bool,
}

struct ProcessRow {
    id: String,
    title: String,
    about: String,
    to: String,
    paused: bool,
    broken: bool,
    waiting: u64,
    doing: u64,
    failed: u64,
    done: u64,
}

/// What needs a person, then everything that runs.
pub(super) async fn look(State(dash): State<Dash>, Who(by): Who, asked: Asked) -> Given {
    let status = match by.may_everywhere(Right::Read) {
        true => Some(dash.desk.status(&by).await?),
        false => None,
    };
    let alarms = dash.desk.alarms(&by).await?.items;
    let processes = dash.desk.processes(&by).await?.items;
    let mut tokens = Vec::new();
    for process in processes.iter().filter(|it| it.live > 0 && keeps_a_token(it)) {
        tokens.extend(kept_tokens(&dash, &by, process).await?);
    }
    tokens.sort_by(|a, b| a.expires.0.cmp(&b.expires.0));
    let failing = status.iter().flat_map(|it| &it.channels_failing);
    let problems = status.iter().flat_map(|it| &it.problems);
    ok(HomePage {
        f: Frame::new(&by, Place::Home).live(None).said(asked.get("said")),
        alarms_more: alarms.len().saturating_sub(ALARMS_MAX),
        failing: failing
            .map(|it| FailingCard {
                name: it.name.clone(),
                at: When(it.at.clone()),
                detail: it.detail.clone(),
                remedy: it.remedy.clone(),
            })
            .collect(),
        problems: problems
            .map(|it| ProblemCard { file: it.file.clone(), message: sentence(&it.message).0 })
            .collect(),
        alarms: alarms.iter().take(ALARMS_MAX).filter_map(|it| alarm(it, &by)).collect(),
        tokens,
        processes_more: processes.len().saturating_sub(PROCESSES_MAX),
        processes: processes.iter().take(PROCESSES_MAX).map(row).collect(),
        edits: by.may_everywhere(Right::Edit),
        status,
    })
}

fn alarm(task: &TaskView, by: &Actor) -> Option<AlarmCard> {
    let alarm = task.alarm.as_ref()?;
    let acked = alarm.acknowledged.as_ref().map(|it| (it.by.clone(), When(it.at.clone())));
    let runs = ProcessId::new(&task.process).is_ok_and(|it| by.may(Right::Run, &it));
    let link = links::outward(task.link.as_ref());
    Some(AlarmCard {
        reference: task.reference.clone(),
        process: task.process.clone(),
        to: links::task(task),
        title: task.title.clone(),
        since: When(alarm.since.clone()),
        told: when(alarm.told.as_ref()),
        by: alarm.by.join(", "),
        text: alarm.text.clone(),
        trouble: alarm.trouble.clone(),
        host: link.as_deref().map(links::host).unwrap_or_default(),
        link,
        ack: (runs && acked.is_none()).then(|| AckForm { id: task.id.clone() }),
        acked,
    })
}

fn keeps_a_token(process: &ProcessView) -> bool {
    process.params.iter().any(|it| it.name == EXPIRES) && process.params.iter().any(|it| it.shared)
}

async fn kept_tokens(dash: &Dash, by: &Actor, process: &ProcessView) -> Done<Vec<TokenRow>> {
    let id = ProcessId::new(&process.id).ok();
    let filter = Filter { process: id, limit: Some(TOKENS_MAX), ..Filter::default() };
    let tasks = dash.desk.tasks(by, filter).await?.items;
    let now = dash.desk.now().seconds();
    let live = tasks.iter().filter(|it| ["ready", "doing", "waiting"].contains(&it.state));
    Ok(live
        .filter_map(|task| {
            let expires = task.params.get(EXPIRES)?.as_i64()?;
            let left = expires - now;
            Some(TokenRow {
                reference: task.reference.clone(),
                process: task.process.clone(),
                to: links::task(task),
                expires: at_seconds(expires),
                left: (left > 0).then(|| span(left)),
                dying: left < DYING,
            })
        })
        .collect())
}

fn row(process: &ProcessView) -> ProcessRow {
    let many = |state: &str| process.counts.values().filter_map(|it| it.get(state)).sum::<u64>();
    ProcessRow {
        id: process.id.clone(),
        title: process.title.clone(),
        about: process.about.clone(),
        to: links::process(&process.id),
        paused: process.paused,
        broken: process.problems.is_some(),
        waiting: many("waiting"),
        doing: many("ready") + many("doing"),
        failed: process.failed,
        done: many("done"),
    }
}
