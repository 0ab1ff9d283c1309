//! The first page: what needs a person, then everything that runs.

use askama::Template;
use axum::extract::State;

use crate::dashboard::dash::Dash;
use crate::dashboard::links;
use crate::dashboard::locale::words;
use crate::dashboard::page::{Frame, Given, Place, ok};
use crate::dashboard::show::{When, seconds, sentence, span, when};
use crate::dashboard::take::{Asked, Who};
use crate::model::names::ProcessId;
use crate::service::actor::{Actor, Right};
use crate::service::disk::DiskSpace;
use crate::service::expiring::ExpiringView;
use crate::service::processes::ProcessView;
use crate::service::status::Status;
use crate::service::view::{ParamExpiryView, TaskView};

/// How many alarms the page shows.
const ALARMS_MAX: usize = 30;
/// Of how many tasks it shows the values that die, those first that need a person soonest.
const TOKENS_MAX: usize = 50;
/// How many processes it shows; the rest are on the pages after it.
const PROCESSES_MAX: usize = 150;
/// How many damaged places of the store it shows; `doctor` names more.
const DAMAGED_MAX: usize = 20;
/// How many values it shows whose last safe moment has come.
const URGENT_MAX: usize = 10;

#[derive(Template)]
#[template(path = "home.html", config = ".askama.toml")]
struct HomePage {
    f: Frame,
    shouts: Vec<&'static str>,
    alarms: Vec<AlarmCard>,
    /// As it is shown.
    alarms_more: String,
    alarms_next: Option<String>,
    urgent: Vec<TokenRow>,
    failing: Vec<FailingCard>,
    problems: Vec<ProblemCard>,
    damaged: Vec<ProblemCard>,
    tokens: Vec<TokenRow>,
    tokens_more: bool,
    processes: Vec<ProcessRow>,
    processes_more: usize,
    processes_next: Option<String>,
    /// A page that begins later.
    begun: bool,
    edits: bool,
}

/// An open alarm.
struct AlarmCard {
    reference: String,
    process: String,
    to: String,
    title: String,
    since: When,
    notified_at: Option<When>,
    by: String,
    text: String,
    problem: Option<String>,
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
#[derive(Clone)]
struct TokenRow {
    reference: String,
    param: String,
    process: String,
    to: String,
    expires: When,
    warn: When,
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
        true => Some(dash.service.status(&by).await?),
        false => None,
    };
    let alarms =
        dash.service.alarms(&by, asked.get("alarms_after").map(String::as_str), Some(ALARMS_MAX)).await?;
    let seen = asked.get("alarms_seen").and_then(|it| it.parse::<usize>().ok()).unwrap_or(0);
    let seen = seen.saturating_add(alarms.items.len());
    // Who does not see everything is not told how many there are.
    let open = status.as_ref().and_then(|it| usize::try_from(it.alarms.open).ok());
    let alarms_more = open.map_or(0, |it| it.saturating_sub(seen));
    let alarms_next = alarms.next.map(|after| {
        links::with(links::HOME, &[("alarms_after", &after), ("alarms_seen", &seen.to_string())])
    });
    let mut processes = dash.service.processes(&by).await?.items;
    if let Some(after) = asked.get("after") {
        processes.retain(|it| it.id > *after);
    }
    let (expiring, now) =
        (dash.service.expiries(&by, None, Some(TOKENS_MAX + 1)).await?.items, dash.service.now().seconds());
    let tokens_more = expiring.len() > TOKENS_MAX;
    let expiring = expiring.iter().take(TOKENS_MAX);
    let tokens = expiring.flat_map(|it| it.expiries.iter().map(move |expiry| token(it, expiry, now)));
    let tokens: Vec<TokenRow> = tokens.collect();
    let processes_more = processes.len().saturating_sub(PROCESSES_MAX);
    let last = processes.iter().take(PROCESSES_MAX).next_back().filter(|_| processes_more > 0);
    let failing = status.iter().flat_map(|it| &it.channels_failing);
    let problems = status.iter().flat_map(|it| &it.problems);
    let damaged = status.iter().flat_map(|it| it.check.places.iter().take(DAMAGED_MAX));
    ok(HomePage {
        f: Frame::new(&by, Place::Home).live(None).said(asked.get("said")),
        alarms_more: alarms_more.to_string(),
        alarms_next,
        urgent: tokens.iter().filter(|it| it.dying).take(URGENT_MAX).cloned().collect(),
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
        damaged: damaged
            .map(|it| {
                let names = [it.process.as_deref(), it.reference.as_deref(), Some(&*it.place)];
                let names: Vec<&str> = names.into_iter().flatten().collect();
                ProblemCard { file: names.join(" "), message: sentence(&it.why).0 }
            })
            .collect(),
        alarms: alarms.items.iter().filter_map(|it| alarm(it, &by)).collect(),
        tokens,
        tokens_more,
        processes_more,
        processes_next: last
            .map(|it| format!("{}#processes", links::with(links::HOME, &[("after", &it.id)]))),
        begun: asked.get("alarms_after").is_some() || asked.get("after").is_some(),
        processes: processes.iter().take(PROCESSES_MAX).map(row).collect(),
        edits: by.may_everywhere(Right::Edit),
        shouts: status.iter().flat_map(shouts).collect(),
    })
}

/// What concerns everything that runs.
fn shouts(it: &Status) -> impl Iterator<Item = &'static str> {
    let w = words();
    let scarce = it.disk.is_some_and(|it| it.room() != DiskSpace::Enough);
    let silent = !it.store.ok && it.store.writable;
    let all = [
        (!it.runner.ok, w.runner_bad),
        (silent, w.store_bad),
        (!it.store.writable, w.store_full),
        (it.unsettled > 0, w.unsettled),
        (scarce, w.disk_scarce),
        (it.channels.dead, w.channels_dead),
    ];
    all.into_iter().filter_map(|(holds, text)| holds.then_some(text))
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
        notified_at: when(alarm.notified_at.as_ref()),
        by: alarm.by.join(", "),
        text: alarm.text.clone(),
        problem: alarm.problem.clone(),
        host: link.as_deref().map(links::host).unwrap_or_default(),
        link,
        ack: (runs && acked.is_none()).then(|| AckForm { id: task.id.clone() }),
        acked,
    })
}

fn token(it: &ExpiringView, expiry: &ParamExpiryView, now: i64) -> TokenRow {
    let left = seconds(&expiry.expires_at).map_or(0, |at| at - now);
    TokenRow {
        reference: it.reference.clone(),
        param: expiry.param.clone(),
        process: it.process.clone(),
        to: links::with(
            &format!("/dashboard/p/{}/task", it.process),
            &[("ref", &it.reference), ("id", &it.id)],
        ),
        expires: When(expiry.expires_at.clone()),
        warn: When(expiry.warn_at.clone()),
        left: (!expiry.dead).then(|| span(left, words())),
        dying: expiry.urgent,
    }
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
