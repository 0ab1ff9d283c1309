//! [`Bench`]: one task under the pure step, without a world or a clock. What happens to it is written as a
//! line, and so is what came of it; every store must take it.

use std::collections::HashMap;
use std::sync::Arc;

use beltline::engine::step::{Cause, StepResult, step};
use beltline::engine::transition::{SignalId, Transition};
use beltline::model::descent::Descent;
use beltline::model::effect::{Delivery, EarlierUntil, ExternalAnswer, HttpAnswer};
use beltline::model::fault::{Class, Fault};
use beltline::model::marks::Marks;
use beltline::model::names::{Address, NodeName, Ref, TaskId};
use beltline::model::params::Params;
use beltline::model::scope::{Newborn, Other, ReadSet};
use beltline::model::signal::{Command, Signal, SignalKind, SignalTarget};
use beltline::model::task::{HistoryEvent, ReplyTo, Seed, State, Task, Ticket};
use beltline::model::time::{Span, Timestamp};
use beltline::process::process::Process;
use serde_json::{Map, Value};

use crate::simulation::universe::{BEGINNING, address, params, process};
use crate::step::law::Law;

/// A task under the step.
pub(super) struct Bench {
    pub(super) process: Process,
    pub(super) task: Option<Task>,
    pub(super) scope: ReadSet,
    pub(super) now: Timestamp,
    given: Params,
    law: Law,
}

/// Another task, of which nothing is secret.
fn live(params: Params) -> Other {
    Other::Live { params, hidden: Arc::default(), secret: Arc::default() }
}

impl Bench {
    pub(super) fn new(text: &str, given: Value, others: &HashMap<String, Value>) -> Bench {
        let others_in_store = others;
        let process = process(text);
        let other = |it: &Value| match it {
            Value::Null => Other::NoTask(Newborn::default()),
            params_of => live(params(params_of.clone())),
        };
        let others: HashMap<Address, Other> =
            others.iter().map(|(at, it)| (address(at), other(it))).collect();
        let scope = ReadSet::default().with(&process.id, false, Arc::new(others));
        let law = Law::new(others_in_store, BEGINNING);
        Bench { process, task: None, scope, now: BEGINNING, given: params(given), law }
    }

    /// Lets something happen, written as a line; tells what came of it in lines.
    pub(super) fn happen(&mut self, line: &str) -> Vec<String> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let cause = match word {
            "new" => return self.begin(None),
            "called" => return self.begin(Some(ReplyTo { task: TaskId(7), visit: 3, ticket: None })),
            "pause" | "resume" => {
                self.scope.paused = word == "pause";
                return Vec::new();
            }
            "later" => {
                self.now = self.now + rest.parse::<Span>().unwrap();
                Cause::Claimed(Vec::new())
            }
            "due" => {
                let due = self.task.as_ref().and_then(|it| it.due).expect("nothing is due");
                self.now = due.max(self.now);
                Cause::Claimed(Vec::new())
            }
            "signal" => self.signal(SignalKind::Modify { params: params(json(rest)) }),
            "command" => self.signal(SignalKind::Command { command: command(rest), by: "ann".to_owned() }),
            "reply" => self.reply(Ok(params(json(rest))), 0),
            "late-reply" => self.reply(Ok(params(json(rest))), 1),
            "item" => self.item_reply(rest, 0),
            "old-item" => self.item_reply(rest, 1),
            "bad-reply" => self.reply(Err(fault(rest)), 0),
            "answer" => Cause::Answered(Ok(answer(rest))),
            "told" => Cause::Answered(Ok(ExternalAnswer::Notified(vec![Delivery {
                channel: rest.to_owned(),
                result: Ok("1".to_owned()),
            }]))),
            "no-room" => Cause::Answered(Ok(ExternalAnswer::Later(EarlierUntil {
                until: self.now + rest.parse::<Span>().unwrap(),
                place: "x.example".to_owned(),
            }))),
            "unread" => Cause::Answered(Ok(unread(rest))),
            "fail" => Cause::Answered(Err(fault(rest))),
            other => panic!("{other} cannot happen"),
        };
        self.step(cause)
    }

    fn begin(&mut self, caller: Option<ReplyTo>) -> Vec<String> {
        self.task = Some(Task {
            id: TaskId(42),
            process: self.process.id.clone(),
            reference: Ref::new("r").unwrap(),
            params: self.given.clone(),
            at: self.process.start.clone(),
            state: State::Ready { at: self.now },
            due: Some(self.now),
            epoch: 0,
            revision: 0,
            visit: 0,
            attempt: 0,
            created_at: self.now,
            since: self.now,
            fault: None,
            alarm: None,
            caller,
            fan_out: None,
            result: None,
            marks: Marks::default(),
            kept_until: None,
            link: None,
            progress: None,
            awaits: None,
            descent: Descent::default(),
            clock: 0,
            awaits_since: None,
            submitted: None,
            seed: Seed([0; 16]),
        });
        self.step(Cause::New)
    }

    pub(super) fn step(&mut self, cause: Cause) -> Vec<String> {
        let task = self.task.take().expect("the task is there");
        match step(&self.process, task, cause, &self.scope, self.now) {
            StepResult::Moved(transition) => {
                for (at, params) in self.law.commit(&transition) {
                    Arc::make_mut(&mut self.scope.others).insert(at, live(params));
                }
                let lines = self.tell(&transition);
                self.task = Some(transition.task);
                lines
            }
            StepResult::Fetch(addresses) => panic!("say what is in {addresses:?}"),
        }
    }

    fn signal(&self, kind: SignalKind) -> Cause {
        let to = SignalTarget::Task(self.task.as_ref().unwrap().id);
        Cause::Claimed(vec![(SignalId(1), Signal { to, kind })])
    }

    fn reply(&self, answer: Result<Params, Fault>, late: u64) -> Cause {
        let task = self.task.as_ref().unwrap();
        self.signal(SignalKind::Answer { visit: task.visit - late, ticket: None, answer })
    }

    /// `3 {"a": 1}` or `3 fault passing busy: later`: what came back of one of the calls of an `each`.
    fn item_reply(&self, text: &str, tries_ago: u32) -> Cause {
        let task = self.task.as_ref().unwrap();
        let (index, rest) = text.split_once(' ').unwrap_or((text, ""));
        let ticket = Ticket { attempt: task.attempt - tries_ago, index: index.parse().unwrap() };
        let answer = match rest.strip_prefix("fault ") {
            Some(text) => Err(fault(text)),
            None => Ok(params(json(rest))),
        };
        self.signal(SignalKind::Answer { visit: task.visit, ticket: Some(ticket), answer })
    }

    fn tell(&self, transition: &Transition) -> Vec<String> {
        let mut lines: Vec<String> = transition.events.iter().map(event).collect();
        for reading in &transition.read {
            lines.extend(reading.refused.as_ref().map(|it| format!("refused {}", it.code)));
        }
        lines.extend(transition.signals.iter().map(signal));
        let task = &transition.task;
        let mut chunks = vec![format!("= {} {}", task.at, task.state.phase().as_str())];
        chunks.extend(task.due.map(|due| format!(", due in {}", due.since(self.now))));
        chunks.extend(task.awaits.as_ref().map(|it| format!(", awaits {it}")));
        if let Some(alarm) = &task.alarm {
            let told = if alarm.notified_at.is_some() { "" } else { " untold" };
            let level =
                if alarm.level > 0 { format!(" on level {}", alarm.level + 1) } else { String::new() };
            let acked = if alarm.acknowledged.is_some() { " acknowledged" } else { "" };
            chunks.push(format!(", alarm `{}`{told}{level}{acked}", alarm.once));
        }
        chunks.extend(task.link.as_ref().map(|_| ", link".to_owned()));
        chunks.extend(task.result.as_ref().map(|result| format!(", result {result}")));
        lines.push(if transition.gone { "gone".to_owned() } else { chunks.concat() });
        lines
    }
}

fn event(event: &HistoryEvent) -> String {
    let mut chunks = vec![format!("{}: {}", event.node, event.event)];
    chunks.extend((event.attempt > 1).then(|| format!(" ({})", event.attempt)));
    chunks.extend(event.asked.as_ref().map(|asked| format!(" asks {asked}")));
    if !event.set.is_empty() {
        chunks.push(format!(" sets {}", serde_json::to_string(&event.set).unwrap()));
    }
    if !event.unset.is_empty() {
        chunks.push(format!(" unsets {}", event.unset.join(" ")));
    }
    if let Some(Fault { class, code, message, .. }) = &event.fault {
        chunks.push(format!(" fault {} {code}: {message}", class.as_str()));
    }
    chunks.extend(event.to.as_ref().map(|to| format!(" -> {to}")));
    chunks.concat()
}

fn signal(signal: &Signal) -> String {
    let to = match &signal.to {
        SignalTarget::Address(address) => address.to_string(),
        SignalTarget::Task(id) => format!("task {id}"),
    };
    let shown = |params: &Params| serde_json::to_string(params).unwrap();
    match &signal.kind {
        SignalKind::Create { params, caller, .. } => {
            let called = if caller.is_some() { "calls" } else { "creates" };
            format!("{called} {to} {}", shown(params))
        }
        SignalKind::Modify { params } => format!("modifies {to} {}", shown(params)),
        SignalKind::Answer { answer: Ok(params), .. } => format!("answers {to} {}", shown(params)),
        SignalKind::Answer { answer: Err(fault), .. } => {
            format!("answers {to} fault {}: {}", fault.code, fault.message)
        }
        SignalKind::Chunk { fan_out, .. } => {
            format!("runs {} items from {} in {to}", fan_out.of, fan_out.first)
        }
        SignalKind::Command { command, .. } => format!("commands {to} {}", command.as_str()),
    }
}

fn json(text: &str) -> Value {
    match text {
        "" => Value::Object(Map::new()),
        text => serde_json::from_str(text).unwrap_or_else(|it| panic!("{text}: {it}")),
    }
}

fn answer(text: &str) -> ExternalAnswer {
    let (status, body) = text.split_once(' ').unwrap_or((text, ""));
    let (body, headers) = body.split_once(" with ").unwrap_or((body, "{}"));
    let Value::Object(headers) = json(headers) else { panic!("headers are a map") };
    ExternalAnswer::Http(HttpAnswer {
        status: status.parse().unwrap(),
        headers,
        body: json(body),
        broken: None,
    })
}

/// `lasting bad_response: it is no JSON | {"half": `, of status 200.
fn unread(text: &str) -> ExternalAnswer {
    let (why, came) = text.split_once(" | ").unwrap();
    let (body, broken) = (came.into(), Some(Box::new(fault(why))));
    ExternalAnswer::Http(HttpAnswer { status: 200, headers: Map::new(), body, broken })
}

/// `passing http_timeout: too slow`.
fn fault(text: &str) -> Fault {
    let (head, message) = text.split_once(": ").unwrap_or((text, "it failed"));
    let (class, code) = head.split_once(' ').unwrap();
    Fault { class: Class::named(class).unwrap(), ..Fault::lasting(code, message) }
}

fn command(text: &str) -> Command {
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    match word {
        "wake" => Command::Wake,
        "retry" => Command::Retry,
        "cancel" => Command::Cancel,
        "ack" => Command::Acknowledge { key: (!rest.is_empty()).then(|| rest.to_owned()) },
        "move" => Command::Move { to: NodeName::new(rest).unwrap() },
        "modify" => Command::Modify { params: params(json(rest)), revision: None },
        "modify-if-99" => Command::Modify { params: params(json(rest)), revision: Some(99) },
        other => panic!("there is no command {other}"),
    }
}
