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
//! One message for each new value of `once_per`, and a reminder every `remind` while it lasts. If no
//! channel delivers, the alarm stays open and undelivered, where a person can see it, and the next try is
//! made when the task comes by again, or every five minutes while it waits here. A `notify` node with
//! `resolves: true` closes the alarm.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::model::fault::Fault;
use crate::model::kind::{AlarmChange, Effects, Event, Kind, Spec, Verdict, parse, schema};
use crate::model::names::NodeName;
use crate::model::scope::View;
use crate::model::task::Alarm;
use crate::model::text::Text;
use crate::model::time::{Span, Timestamp};
use crate::model::value::Draft;
use crate::nodes::fields::Accept;
use crate::nodes::tell::{Mode, Notify, Telling, Way, ask, delivered};
use crate::nodes::wait::Link;

/// The register's line.
pub const SPEC: Spec = Spec {
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
struct Escalation(Shape);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Shape {
    /// What to say.
    message: Text,
    /// For channels that have a subject.
    subject: Option<Text>,
    /// Channels in the order they are tried, or `{call: process}`.
    notify: Notify,
    /// The first that delivers, or all.
    #[serde(default)]
    mode: Mode,
    /// One message for each new value of this.
    once_per: Option<Draft>,
    /// How often a person is reminded while it lasts.
    remind: Option<Span>,
    /// Wait here for a letter, a hook or a person.
    wait: Option<Waiting>,
    /// What a letter must bring to move the task on.
    #[serde(default)]
    accept: Accept,
    /// A link to show and to put into the message as `{{task.link}}`.
    link: Option<Link>,
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
        if let Some(wait) = &shape.wait
            && wait.r#for.is_some() != wait.next_on_timeout.is_some()
        {
            return Err("`wait` has both `for` and `next_on_timeout`, or neither".to_owned());
        }
        if shape.link.is_some() && shape.wait.is_none() {
            return Err(
                "`link` needs `wait`: nobody follows a link to a task that went on; hint: `wait: {}`"
                    .to_owned(),
            );
        }
        Ok(Escalation(shape))
    }
}

impl Kind for Escalation {
    fn exits(&self) -> Vec<(String, &NodeName)> {
        let timeout = self.0.wait.iter().filter_map(|wait| wait.next_on_timeout.as_ref());
        let timeout = timeout.map(|node| ("timeout".to_owned(), node));
        std::iter::once((String::new(), &self.0.next)).chain(timeout).collect()
    }

    fn decide(&self, event: Event, view: &View) -> Verdict {
        let verdict = match event {
            Event::Came => self.arrive(view),
            Event::Due => self.due(view),
            Event::Answered(outcome) => self.told(delivered(outcome), view),
            Event::Letter(params) if self.0.wait.is_some() && self.0.accept.takes(&params) => {
                Ok(Verdict::go(&self.0.next))
            }
            Event::Order(_) => Ok(Verdict::go(&self.0.next)),
            Event::Letter(_) | Event::Replied(_) => Ok(Verdict::Stay),
        };
        verdict.unwrap_or_else(Verdict::Fail)
    }

    fn rests(&self) -> bool {
        self.0.wait.is_some()
    }

    fn calls(&self) -> Vec<&str> {
        match &self.0.notify {
            Notify::Process { call } => call.literal().into_iter().collect(),
            Notify::Channels(_) => Vec::new(),
        }
    }

    fn accepts(&self) -> Option<Vec<&str>> {
        self.0.wait.as_ref().map(|_| self.0.accept.names())
    }
}

impl Escalation {
    fn arrive(&self, view: &View) -> Result<Verdict, Fault> {
        let once = self.once(view)?;
        let told = view.task.alarm.as_ref().filter(|alarm| alarm.once == once).and_then(|alarm| alarm.told);
        match told {
            Some(told) if told + self.remind() > view.now => {
                self.rest(told + self.remind(), AlarmChange::Keep, view)
            }
            _ => self.tell(view),
        }
    }

    fn due(&self, view: &View) -> Result<Verdict, Fault> {
        let over = self.deadline(view).is_some_and(|deadline| deadline <= view.now);
        match self.0.wait.as_ref().and_then(|wait| wait.next_on_timeout.as_ref()) {
            Some(node) if over => Ok(Verdict::go(node)),
            _ => self.tell(view),
        }
    }

    fn tell(&self, view: &View) -> Result<Verdict, Fault> {
        let telling = self.telling();
        match telling.way(self.text(view)?, view)? {
            Way::Ask(it) => Ok(ask(it)),
            Way::Letter(letter) => {
                let alarm = AlarmChange::Set(self.alarm(Ok(letter_name(&self.0.notify)), view)?);
                let verdict = self.rest(view.now + self.remind(), alarm, view)?;
                Ok(with_letter(verdict, letter))
            }
        }
    }

    /// The message went out, or it did not: the task goes on, or waits, all the same.
    fn told(&self, by: Result<Vec<String>, Fault>, view: &View) -> Result<Verdict, Fault> {
        let again = view.now + if by.is_ok() { self.remind() } else { UNDELIVERED_PAUSE };
        let fault = by.as_ref().err().cloned();
        let alarm = AlarmChange::Set(self.alarm(by, view)?);
        let otherwise = Box::new(self.rest(again, alarm, view)?);
        match fault {
            Some(fault) => Ok(Verdict::TryAgain { fault, otherwise }),
            None => Ok(*otherwise),
        }
    }

    /// Waits until `again` if it waits at all, else goes on.
    fn rest(&self, again: Timestamp, alarm: AlarmChange, view: &View) -> Result<Verdict, Fault> {
        if self.0.wait.is_none() {
            let effects = Effects { alarm, ..Effects::default() };
            return Ok(Verdict::Go { to: self.0.next.clone(), effects });
        }
        let until = self.deadline(view).map_or(again, |deadline| deadline.min(again));
        let effects = Effects { alarm, link: self.link(view)?, ..Effects::default() };
        Ok(Verdict::Wait { until: Some(until), effects })
    }

    fn alarm(&self, by: Result<Vec<String>, Fault>, view: &View) -> Result<Alarm, Fault> {
        let once = self.once(view)?;
        let old = view.task.alarm.as_ref();
        let same = old.filter(|alarm| alarm.once == once);
        let (told, by, trouble) = match by {
            Ok(by) => (Some(view.now), by, None),
            Err(fault) => (same.and_then(|it| it.told), Vec::new(), Some(fault.message)),
        };
        let since = same.map_or(view.now, |it| it.since);
        Ok(Alarm { node: view.task.at.clone(), once, since, told, by, text: self.text(view)?, trouble })
    }

    fn text(&self, view: &View) -> Result<String, Fault> {
        self.telling().text(view)
    }

    fn telling(&self) -> Telling<'_> {
        let shape = &self.0;
        let subject = shape.subject.as_ref();
        Telling { message: &shape.message, subject, notify: &shape.notify, mode: shape.mode }
    }

    /// What the message speaks of: without `once_per`, this visit.
    fn once(&self, view: &View) -> Result<String, Fault> {
        match &self.0.once_per {
            Some(draft) => draft.text(view),
            None => Ok(format!("visit {}", view.task.visit)),
        }
    }

    fn link(&self, view: &View) -> Result<Option<String>, Fault> {
        self.0.link.as_ref().map_or(Ok(None), |link| link.fill(view))
    }

    fn remind(&self) -> Span {
        self.0.remind.unwrap_or(REMIND_DEFAULT)
    }

    fn deadline(&self, view: &View) -> Option<Timestamp> {
        let wait = self.0.wait.as_ref()?;
        Some(view.task.since + wait.r#for?)
    }
}

fn letter_name(notify: &Notify) -> Vec<String> {
    match notify {
        Notify::Process { call } => vec![call.literal().unwrap_or("a process").to_owned()],
        Notify::Channels(channels) => channels.clone(),
    }
}

fn with_letter(verdict: Verdict, letter: crate::model::task::Letter) -> Verdict {
    match verdict {
        Verdict::Go { to, mut effects } => {
            effects.letters.push(letter);
            Verdict::Go { to, effects }
        }
        Verdict::Wait { until, mut effects } => {
            effects.letters.push(letter);
            Verdict::Wait { until, effects }
        }
        other => other,
    }
}
