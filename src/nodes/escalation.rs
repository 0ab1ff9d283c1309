//! `escalation`: tells a person, raises the task's alarm and, if asked, waits for someone to act.
//!
//! ```yaml
//! tell:
//!   kind: escalation
//!   message: "{{city}}: {{fault.message}}"
//!   notify: [author]
//!   once_per: "{{fault.code}}"
//!   next: nap
//! ```
//!
//! ```yaml
//! ask_person:
//!   kind: escalation
//!   message: "a new key for {{portal}}, please: {{task.link}}"
//!   notify: [author, duty]
//!   link: true
//!   accept: {key: {required: true}}
//!   remind: 6h
//!   wait: {for: 7d, next_on_timeout: gone}
//!   next: again
//! ```
//!
//! ```yaml
//! climb:
//!   kind: escalation
//!   message: "{{task.ref}}: {{fault.message}}. Acknowledge: {{task.ack_link}}"
//!   levels:
//!     - {notify: [author]}
//!     - {after: 15m, notify: [duty, phone], mode: all}
//!     - {after: 1h, notify: [boss]}
//!   once_per: "{{fault.code}}"
//!   next: nap
//! ```
//!
//! One message for each new value of `once_per`, and a reminder every `remind` while it lasts. With a
//! `levels` the level above is told when so long after the one before nobody has acknowledged the alarm and
//! it has not healed; reminders go to the level that was reached. It climbs while the task waits here, and
//! also when it does not wait but comes by again. A level that reaches no one is passed over at once. Who
//! acknowledges, by `{{task.ack_link}}` or by command, stops the levels and the reminders until there is a
//! new state; the task goes on as before. `{{task.level}}` is the number of the level, from 1.
//!
//! If no channel delivers, the alarm stays open and undelivered, where a person can see it, and the next try
//! is made, from the first level on, when the task comes by again, or every five minutes while it waits here.
//! A `notify` node with `resolves: true` closes the alarm, and tells whoever was told of it.
//!
//! All of it is explained in [escalation](escalations.md).

use schemars::JsonSchema;
use serde::Deserialize;

use crate::model::fault::Fault;
use crate::model::key;
use crate::model::kind::{AlarmChange, Changes, Decision, Kind, KindSpec, NodeEvent, parse, schema};
use crate::model::names::NodeName;
use crate::model::scope::{AlarmContext, EvalContext};
use crate::model::signal::Signal;
use crate::model::task::Alarm;
use crate::model::text::StringTemplate;
use crate::model::time::{Span, Timestamp};
use crate::model::value::ValueTemplate;
use crate::nodes::fields::AcceptedParams;
use crate::nodes::levels::{EscalationLevel, Levels, Next, asked, heard, unheard};
use crate::nodes::notification::{Mode, NotificationSpec, Notify, NotifyRoute, ask, delivered};
use crate::nodes::wait::Link;

/// The register's line.
pub const SPEC: KindSpec = KindSpec {
    name: "escalation",
    about: "tells a person and, if asked, waits for one",
    source: include_str!("escalation.rs"),
    secrets: false,
    parse: parse::<Escalation>,
    schema: schema::<Shape>,
};

/// How often a person is reminded if nothing else is said.
const REMIND_DEFAULT: Span = Span::hours(6);
/// How soon an undelivered message is tried again while the task waits here.
const UNDELIVERED_PAUSE: Span = Span::mins(5);

#[derive(Debug, Deserialize)]
#[serde(try_from = "Shape")]
struct Escalation {
    message: StringTemplate,
    subject: Option<StringTemplate>,
    levels: Levels,
    once_per: Option<ValueTemplate>,
    remind: Span,
    wait: Option<Waiting>,
    accept: AcceptedParams,
    issuer: Option<StringTemplate>,
    link: Option<Link>,
    reveal: Vec<String>,
    next: NodeName,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Shape {
    /// What to say.
    message: StringTemplate,
    /// For channels that have a subject.
    subject: Option<StringTemplate>,
    /// Channels in the order they are tried, or `{call: process}`.
    notify: Option<Notify>,
    /// The first that delivers, or all.
    mode: Option<Mode>,
    /// Who is told one after the other, until somebody acknowledges or it heals; in place of `notify`.
    levels: Option<Vec<EscalationLevel>>,
    /// One message for each new value of this.
    once_per: Option<ValueTemplate>,
    /// How often a person is reminded while it lasts.
    remind: Option<Span>,
    /// Wait here for a signal, a hook or a person.
    wait: Option<Waiting>,
    /// What a signal must bring to move the task on.
    #[serde(default)]
    accept: AcceptedParams,
    /// The `iss` that an OAuth redirect must bring, where the provider says who it is (RFC 9207); or empty.
    issuer: Option<StringTemplate>,
    /// A link to show and to put into the message as `{{task.link}}`.
    link: Option<Link>,
    /// Secret params that the message may tell; all others are masked in it.
    #[serde(default)]
    reveal: Vec<String>,
    /// Where to.
    next: NodeName,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Waiting {
    /// How long at most; for ever if not given.
    r#for: Option<Span>,
    /// Where a task goes that waited so long.
    next_on_timeout: Option<NodeName>,
}

impl TryFrom<Shape> for Escalation {
    type Error = String;
    fn try_from(shape: Shape) -> Result<Escalation, String> {
        let mut wrong = Vec::new();
        if let Some(wait) = &shape.wait
            && wait.r#for.is_some() != wait.next_on_timeout.is_some()
        {
            wrong.push("`wait` has both `for` and `next_on_timeout`, or neither".to_owned());
        }
        if shape.link.is_some() && shape.wait.is_none() {
            let why = "`link` needs `wait`: nobody follows a link to a task that went on; hint: `wait: {}`";
            wrong.push(why.to_owned());
        }
        match Levels::new(shape.notify, shape.mode, shape.levels) {
            Ok(levels) if wrong.is_empty() => Ok(Escalation {
                message: shape.message,
                subject: shape.subject,
                levels,
                once_per: shape.once_per,
                remind: shape.remind.unwrap_or(REMIND_DEFAULT),
                wait: shape.wait,
                accept: shape.accept,
                issuer: shape.issuer,
                link: shape.link,
                reveal: shape.reveal,
                next: shape.next,
            }),
            levels => {
                wrong.extend(levels.err());
                Err(wrong.join("; "))
            }
        }
    }
}

impl Kind for Escalation {
    fn exits(&self) -> Vec<(String, &NodeName)> {
        let timeout = self.wait.iter().filter_map(|wait| wait.next_on_timeout.as_ref());
        let timeout = timeout.map(|node| ("timeout".to_owned(), node));
        std::iter::once((String::new(), &self.next)).chain(timeout).collect()
    }

    fn decide(&self, event: NodeEvent, view: &EvalContext) -> Decision {
        let decision = match event {
            NodeEvent::Came => self.look(view),
            NodeEvent::Due => self.due(view),
            NodeEvent::Answered(outcome) => self.notified(delivered(outcome), view),
            NodeEvent::Signal(params) if self.wait.is_some() && self.accept.takes(&params) => {
                Ok(Decision::go(&self.next))
            }
            NodeEvent::Command(_) => Ok(Decision::go(&self.next)),
            NodeEvent::Signal(_) | NodeEvent::Replied(_) => Ok(Decision::Stay),
        };
        decision.unwrap_or_else(Decision::Fail)
    }

    fn rests(&self) -> bool {
        self.wait.is_some()
    }

    fn calls(&self) -> Vec<&str> {
        self.levels.levels().iter().filter_map(|level| level.notify.process()).collect()
    }

    fn alerts(&self) -> Vec<&str> {
        let levels = self.levels.levels().iter();
        levels.flat_map(|level| level.notify.channels()).map(String::as_str).collect()
    }

    fn accepts(&self) -> Option<Vec<&str>> {
        self.wait.as_ref().map(|_| self.accept.names())
    }

    fn issuer(&self) -> Option<&StringTemplate> {
        self.issuer.as_ref()
    }
}

impl Escalation {
    /// What is due of the alarm, for a task that comes by or whose time has come.
    fn look(&self, view: &EvalContext) -> Result<Decision, Fault> {
        match self.levels.next(self.same(view)?, self.remind, view.now) {
            Next::Notify(level) => self.notify(level, view),
            Next::Rest(at) => self.rest(at, AlarmChange::Keep, view),
        }
    }

    fn due(&self, view: &EvalContext) -> Result<Decision, Fault> {
        let over = self.deadline(view).is_some_and(|deadline| deadline <= view.now);
        match self.wait.as_ref().and_then(|wait| wait.next_on_timeout.as_ref()) {
            Some(node) if over => Ok(Decision::go(node)),
            _ => self.look(view),
        }
    }

    /// Which level is told stands in the alarm before it is: an answer is known to be that level's.
    fn notify(&self, level: u32, view: &EvalContext) -> Result<Decision, Fault> {
        let alarm = self.alarm(view)?;
        let change = match level == asked(self.same(view)?) {
            true => AlarmChange::Keep,
            false => AlarmChange::Set(Box::new(Alarm { next_level: Some(level), ..alarm.clone() })),
        };
        self.notify_of(&alarm, level, change, view)
    }

    fn notify_of(
        &self,
        alarm: &Alarm,
        level: u32,
        change: AlarmChange,
        view: &EvalContext,
    ) -> Result<Decision, Fault> {
        let said = seen(alarm, level, view);
        let spec = self.spec(level);
        match spec.way(&said)? {
            NotifyRoute::Ask(mut it) => {
                it.serial = key::serial(&alarm.once, level, alarm.notified_at);
                Ok(ask(it, Changes { alarm: change, ..Changes::default() }))
            }
            NotifyRoute::Signal(signal) => {
                let by = vec![self.levels.level(level).notify.process().unwrap_or("a process").to_owned()];
                let alarm = heard(self.said(alarm.clone(), level, view)?, level, by, false, view.now);
                let decision = self.rest_after(&alarm, view)?;
                Ok(with_signal(decision, signal))
            }
        }
    }

    /// The message went out, or it did not: the task goes on, or waits, all the same.
    fn notified(&self, by: Result<Vec<String>, Fault>, view: &EvalContext) -> Result<Decision, Fault> {
        let level = asked(self.same(view)?);
        let alarm = self.said(self.alarm(view)?, level, view)?;
        let fault = match by {
            Ok(by) => return self.rest_after(&heard(alarm, level, by, true, view.now), view),
            Err(fault) => fault,
        };
        // The level above is told at once, as long as there is one.
        let climbed = alarm.notified_at.is_none() || alarm.next_level.is_some();
        let above = self.levels.above(level).filter(|_| climbed && alarm.acknowledged.is_none());
        let alarm = unheard(alarm, &fault, above);
        let otherwise = match above {
            Some(above) => self.notify_of(&alarm, above, set(&alarm), view)?,
            None => self.rest(Some(view.now + UNDELIVERED_PAUSE), set(&alarm), view)?,
        };
        Ok(Decision::TryAgain { fault, otherwise: Box::new(otherwise) })
    }

    fn rest_after(&self, alarm: &Alarm, view: &EvalContext) -> Result<Decision, Fault> {
        let again = match self.levels.next(Some(alarm), self.remind, view.now) {
            Next::Notify(_) => Some(view.now),
            Next::Rest(at) => at,
        };
        self.rest(again, set(alarm), view)
    }

    /// Waits until `again` if it waits at all, else goes on.
    fn rest(
        &self,
        again: Option<Timestamp>,
        alarm: AlarmChange,
        view: &EvalContext,
    ) -> Result<Decision, Fault> {
        if self.wait.is_none() {
            let effects = Changes { alarm, ..Changes::default() };
            return Ok(Decision::Go { to: self.next.clone(), effects });
        }
        let until = [again, self.deadline(view)].into_iter().flatten().min();
        let effects = Changes { alarm, ..Link::fill(self.link.as_ref(), view)? };
        Ok(Decision::Wait { until, effects })
    }

    /// The alarm the task has, if it speaks of the present state.
    fn same<'a>(&self, view: &'a EvalContext) -> Result<Option<&'a Alarm>, Fault> {
        let once = self.once(view)?;
        Ok(view.task.alarm.as_ref().filter(|alarm| alarm.once == once))
    }

    /// The same, or a new one that nobody knows of yet.
    fn alarm(&self, view: &EvalContext) -> Result<Alarm, Fault> {
        if let Some(alarm) = self.same(view)? {
            return Ok(Alarm { node: view.task.at.clone(), ..alarm.clone() });
        }
        Ok(Alarm {
            node: view.task.at.clone(),
            once: self.once(view)?,
            since: view.now,
            notified_at: None,
            by: Vec::new(),
            text: String::new(),
            problem: None,
            level: 0,
            level_notified_at: None,
            next_level: None,
            reached: view.task.alarm.as_ref().map(|it| it.reached.clone()).unwrap_or_default(),
            visit: view.task.visit,
            acknowledged: None,
        })
    }

    /// The alarm with what is said of it.
    fn said(&self, alarm: Alarm, level: u32, view: &EvalContext) -> Result<Alarm, Fault> {
        let text = self.spec(level).text(&seen(&alarm, level, view))?;
        Ok(Alarm { text, ..alarm })
    }

    fn spec(&self, level: u32) -> NotificationSpec<'_> {
        let EscalationLevel { notify, mode, .. } = self.levels.level(level);
        let (subject, reveal) = (self.subject.as_ref(), self.reveal.as_slice());
        NotificationSpec { message: &self.message, subject, notify, mode: *mode, reveal }
    }

    /// What the message speaks of: without `once_per`, this visit.
    fn once(&self, view: &EvalContext) -> Result<String, Fault> {
        let Some(draft) = &self.once_per else { return Ok(format!("visit {}", view.task.visit)) };
        let (text, is_secret) = view.scope.taint.during(|| draft.text(view));
        // It is shown; made of a secret, it tells one state from another and nothing else.
        if is_secret { text.map(|it| key::print(&view.task, &it)) } else { text }
    }

    fn deadline(&self, view: &EvalContext) -> Option<Timestamp> {
        let wait = self.wait.as_ref()?;
        Some(view.task.since + wait.r#for?)
    }
}

/// What the message of an alarm can see.
fn seen(alarm: &Alarm, level: u32, view: &EvalContext) -> EvalContext {
    let key = key::acknowledging(&view.task, alarm.visit, &alarm.once);
    view.with_telling(AlarmContext { key, level })
}

fn set(alarm: &Alarm) -> AlarmChange {
    AlarmChange::Set(Box::new(alarm.clone()))
}

fn with_signal(decision: Decision, signal: Signal) -> Decision {
    match decision {
        Decision::Go { to, mut effects } => {
            effects.signals.push(signal);
            Decision::Go { to, effects }
        }
        Decision::Wait { until, mut effects } => {
            effects.signals.push(signal);
            Decision::Wait { until, effects }
        }
        other => other,
    }
}
