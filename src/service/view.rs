//! What of a task a person may see: [`TaskView`] and its parts. Secrets are masked here, and nowhere later.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::engine::damage::Damaged;
use crate::engine::mask::{LINK, RESULT, cleaned, masked, scrub};
use crate::engine::ports::HistoryEntry;
use crate::model::fan_out::FanOut;
use crate::model::fault::Fault;
use crate::model::key;
use crate::model::marks::MASK;
use crate::model::names::NodeName;
use crate::model::params::Params;
use crate::model::task::{Alarm, HistoryEvent, State, Task};
use crate::model::time::Timestamp;
use crate::process::expiry::Expiry;
use crate::process::process::Process;
use crate::service::actor::{Actor, Right};

/// A task as a person sees it. Secrets are `***`.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Task)]
pub struct TaskView {
    /// Unique for ever; a number written as a string.
    pub id: String,
    /// The process.
    pub process: String,
    /// The name others address it by.
    #[serde(rename = "ref")]
    pub reference: String,
    /// `ready`, `doing`, `waiting`, `done`, `failed` or `cancelled`.
    #[schema(value_type = String)]
    pub state: &'static str,
    /// The node it stands on.
    pub node: String,
    /// That node's title.
    pub title: String,
    /// Its data.
    #[schema(value_type = Object)]
    pub params: Params,
    /// Which of it dies, and when.
    pub expiries: Vec<ParamExpiryView>,
    /// The last fault.
    pub fault: Option<FaultView>,
    /// What a person was told about and that has not healed yet.
    pub alarm: Option<AlarmView>,
    /// How the calls of the `each` it stands on are doing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub each: Option<EachView>,
    /// The link that moves it on; shown to who may run it.
    pub link: Option<String>,
    /// When it is looked at next.
    pub due: Option<String>,
    /// What it waits for outside before it can be asked for: `room at api.example.org`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<String>,
    /// When it came to its node.
    pub since: String,
    /// When it was created.
    pub created_at: String,
    /// Which try of its node this is, from 1.
    pub attempt: u32,
    /// Counts arrivals at nodes.
    pub visit: u64,
    /// Counts changes; its `ETag`.
    pub revision: u64,
    /// What `end` gave.
    pub result: Option<Value>,
}

/// How long the value of a param lives.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Expiry)]
pub struct ParamExpiryView {
    /// The param.
    pub param: String,
    /// When its value dies.
    pub expires_at: String,
    /// The last safe moment to wake a person: it still leaves one the time to act before the value dies.
    pub warn_at: String,
    /// That moment has come.
    pub urgent: bool,
    /// The value has died.
    pub dead: bool,
}

/// How the calls of an `each` are doing. Those of a long list are counted chunk by chunk.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Each)]
pub struct EachView {
    /// How many have come to their end.
    pub done: u64,
    /// How many of those failed.
    pub failed: u64,
    /// How many there are in all.
    pub of: u64,
    /// The place of the first in the whole list; more than 0 only in a chunk of it.
    pub first: u64,
}

impl EachView {
    fn new(fan_out: &FanOut) -> EachView {
        EachView { done: fan_out.done, failed: fan_out.failed, of: fan_out.of, first: fan_out.first }
    }
}

/// Something that went wrong inside a process.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Fault)]
pub struct FaultView {
    /// A stable word.
    pub code: String,
    /// `passing`, `lasting` or `unsure`.
    #[schema(value_type = String)]
    pub class: &'static str,
    /// For a person.
    pub message: String,
    /// Where.
    pub node: Option<String>,
    /// When.
    pub at: Option<String>,
    /// The status of the HTTP answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
}

/// What a person was told about, or should be.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Alarm)]
pub struct AlarmView {
    /// The node that raised it.
    pub node: String,
    /// The state it speaks of.
    pub once: String,
    /// Raised at.
    pub since: String,
    /// Last delivered at; none while no channel has delivered it.
    pub notified_at: Option<String>,
    /// The channels that delivered it.
    pub by: Vec<String>,
    /// The message.
    pub text: String,
    /// Why it was not delivered.
    pub problem: Option<String>,
    /// The level that was reached last, from 1.
    pub level: u32,
    /// Who has acknowledged it, and since when.
    pub acknowledged: Option<AckView>,
}

/// Who has acknowledged an alarm.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Acknowledged)]
pub struct AckView {
    /// When.
    pub at: String,
    /// Who; `link` if by the link in a message.
    pub by: String,
}

/// One line of a history.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = HistoryEvent)]
pub struct HistoryEventView {
    /// The number of the commit that wrote it.
    pub seq: u64,
    /// When.
    pub at: String,
    /// The node it speaks of.
    pub node: String,
    /// What happened.
    pub event: String,
    /// The node the task went to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Which try it was, from 1.
    pub attempt: u32,
    /// What was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked: Option<String>,
    /// New values, masked and shortened.
    #[schema(value_type = Object)]
    pub set: Params,
    /// Removed params.
    pub unset: Vec<String>,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<FaultView>,
}

/// What one commit wrote into a history.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Event)]
pub struct EventView {
    /// Its number; grows.
    pub seq: u64,
    /// The task's id.
    pub task: String,
    /// Its process.
    pub process: String,
    /// Its name.
    #[serde(rename = "ref")]
    pub reference: String,
    /// Its state after.
    #[schema(value_type = String)]
    pub state: &'static str,
    /// What happened.
    pub events: Vec<HistoryEventView>,
}

/// A list, or a page of one.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ListPage<T> {
    /// What is listed.
    pub items: Vec<T>,
    /// Where the next page begins, if there is one.
    pub next: Option<String>,
    /// How many tasks were looked through, where they are found by what they carry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub looked: Option<u64>,
    /// Tasks that belong here, cannot be read and are therefore left out: the first hundred of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub damaged: Vec<DamagedView>,
}

impl<T> ListPage<T> {
    /// A list that is whole.
    pub fn whole(items: Vec<T>) -> ListPage<T> {
        ListPage { items, next: None, looked: None, damaged: Vec::new() }
    }
}

/// A place in the store that cannot be read.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Damaged)]
pub struct DamagedView {
    /// Where: `tasks/17`, `records/secret/telegram`.
    pub place: String,
    /// The process of the task it belongs to, if it is one's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process: Option<String>,
    /// That task's ref.
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// What is wrong.
    pub why: String,
}

impl DamagedView {
    pub(super) fn new(it: Damaged) -> DamagedView {
        let (process, reference) = match it.task {
            Some(task) => (Some(task.process.to_string()), Some(task.reference.to_string())),
            None => (None, None),
        };
        DamagedView { place: it.place, process, reference, why: it.why }
    }
}

/// A moment as it stands in JSON.
pub fn time(at: Timestamp) -> String {
    at.to_string()
}

impl TaskView {
    /// `task` as `by` may see it at `now`: the link is for who may run it.
    pub fn seen_by(by: &Actor, task: &Task, process: Option<&Process>, now: Timestamp) -> TaskView {
        let expiries = process.filter(|_| task.state.phase().is_live()).map(|it| it.expiries(&task.params));
        let expiries = expiries.iter().flatten().map(|expiry| ParamExpiryView::new(expiry, now)).collect();
        // A link made of a secret is one.
        let is_open = !task.marks.covers(LINK) || by.may(Right::Secrets, &task.process);
        TaskView { expiries, ..TaskView::new(task, process, by.may(Right::Run, &task.process) && is_open) }
    }

    /// `task` as it may be shown; `process` is none if it is not deployed, and then every param is masked.
    fn new(task: &Task, process: Option<&Process>, links: bool) -> TaskView {
        let nothing = BTreeSet::new();
        let secret = process.map_or(&nothing, |it| &it.secret);
        let params = match process {
            Some(_) => masked(&task.params, task, secret),
            None => task.params.map().keys().map(|name| (name.clone(), MASK.into())).collect(),
        };
        let node = process.and_then(|it| it.node(&task.at));
        TaskView {
            id: task.id.to_string(),
            process: task.process.to_string(),
            reference: task.reference.to_string(),
            state: task.state.phase().as_str(),
            node: task.at.to_string(),
            title: node.map_or_else(|| task.at.to_string(), |it| it.title.clone()),
            params,
            expiries: Vec::new(),
            fault: task.fault.as_ref().map(|fault| FaultView::new(fault, &|text| scrub(text, task, secret))),
            alarm: task.alarm.as_ref().map(|alarm| AlarmView::new(alarm, task, secret, links)),
            each: task.fan_out.as_deref().map(EachView::new),
            link: task.link.clone().filter(|_| links),
            due: task.due.map(time),
            waits_for: waits_for(task).map(|it| scrub(it, task, secret)),
            since: time(task.since),
            created_at: time(task.created_at),
            attempt: task.attempt + 1,
            visit: task.visit,
            revision: task.revision,
            result: task
                .result
                .as_ref()
                .filter(|_| process.is_some())
                .map(|it| cleaned(it, &task.marks.at(RESULT), task, secret)),
        }
    }
}

impl ParamExpiryView {
    /// As it stands at `now`.
    pub fn new(expiry: &Expiry, now: Timestamp) -> ParamExpiryView {
        ParamExpiryView {
            param: expiry.param.clone(),
            expires_at: time(expiry.expires_at),
            warn_at: time(expiry.warn_at),
            urgent: expiry.warn_at <= now,
            dead: expiry.expires_at <= now,
        }
    }
}

/// What a task waits for that is to ask, and has found no room.
fn waits_for(task: &Task) -> Option<&str> {
    matches!(task.state, State::Ready { .. }).then_some(task.awaits.as_deref()).flatten()
}

impl FaultView {
    fn new(fault: &Fault, scrub: &dyn Fn(&str) -> String) -> FaultView {
        FaultView {
            code: fault.code.clone(),
            class: fault.class.as_str(),
            message: scrub(&fault.message),
            node: fault.node.as_ref().map(NodeName::to_string),
            at: fault.at.map(time),
            status: fault.status,
        }
    }
}

impl AlarmView {
    fn new(alarm: &Alarm, task: &Task, secret: &BTreeSet<String>, links: bool) -> AlarmView {
        let mut text = scrub(&alarm.text, task, secret);
        // The message of an escalation carries the link, which is the right to move the task on.
        if let Some(link) = task.link.as_ref().filter(|_| !links) {
            text = text.replace(link.as_str(), MASK);
        }
        if !links {
            text = text.replace(&key::acknowledging(task, alarm.visit, &alarm.once), MASK);
        }
        AlarmView {
            node: alarm.node.to_string(),
            once: scrub(&alarm.once, task, secret),
            since: time(alarm.since),
            notified_at: alarm.notified_at.map(time),
            by: alarm.by.clone(),
            text,
            problem: alarm.problem.as_ref().map(|it| scrub(it, task, secret)),
            level: alarm.level + 1,
            acknowledged: alarm
                .acknowledged
                .as_ref()
                .map(|it| AckView { at: time(it.at), by: it.by.clone() }),
        }
    }
}

impl HistoryEventView {
    /// An event that the commit `seq` wrote. Its secrets were masked before it was kept.
    pub fn new(seq: u64, event: HistoryEvent) -> HistoryEventView {
        let fault = event.fault.as_ref().map(|it| FaultView::new(it, &|text| text.to_owned()));
        HistoryEventView {
            seq,
            at: time(event.at),
            node: event.node.to_string(),
            event: event.event,
            to: event.to.map(|it| it.to_string()),
            attempt: event.attempt,
            asked: event.asked,
            set: event.set,
            unset: event.unset,
            fault,
        }
    }
}

impl From<HistoryEntry> for EventView {
    fn from(entry: HistoryEntry) -> EventView {
        let seq = entry.seq;
        EventView {
            seq,
            task: entry.task.to_string(),
            process: entry.process.to_string(),
            reference: entry.reference.to_string(),
            state: entry.phase.as_str(),
            events: entry.events.into_iter().map(|event| HistoryEventView::new(seq, event)).collect(),
        }
    }
}
