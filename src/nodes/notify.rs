//! `notify`: tells a person and goes on.
//!
//! ```yaml
//! tell: {kind: notify, message: "order {{order}} is on its way", notify: [author], next: done}
//! ```
//!
//! ```yaml
//! healed: {kind: notify, resolves: true, message: "the token renews again", notify: [author], next: nap}
//! ```
//!
//! With `resolves: true` it speaks only while the task has an open alarm, and closes it, even if no channel
//! delivers. It goes to whoever was told of the alarm, on every level; `notify` is told if none of them can
//! be, and with `mode: all` in any case.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::model::effect::Notification;
use crate::model::fault::Fault;
use crate::model::kind::{AlarmChange, Changes, Decision, Kind, KindSpec, NodeEvent, parse, schema};
use crate::model::names::NodeName;
use crate::model::scope::EvalContext;
use crate::model::text::StringTemplate;
use crate::nodes::notification::{Mode, NotificationSpec, Notify, NotifyRoute, ask, delivered};

/// The register's line.
pub const SPEC: KindSpec = KindSpec {
    name: "notify",
    about: "tells a person and goes on",
    source: include_str!("notify.rs"),
    secrets: false,
    parse: parse::<NotifyNode>,
    schema: schema::<NotifyNode>,
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NotifyNode {
    /// What to say.
    message: StringTemplate,
    /// For channels that have a subject.
    subject: Option<StringTemplate>,
    /// Channels in the order they are tried, or `{call: process}`.
    notify: Notify,
    /// The first that delivers, or all.
    #[serde(default)]
    mode: Mode,
    /// Speak only while there is an open alarm, and close it.
    #[serde(default)]
    resolves: bool,
    /// Secret params that the message may tell; all others are masked in it.
    #[serde(default)]
    reveal: Vec<String>,
    /// Where to.
    next: NodeName,
}

impl Kind for NotifyNode {
    fn exits(&self) -> Vec<(String, &NodeName)> {
        vec![(String::new(), &self.next)]
    }

    fn decide(&self, event: NodeEvent, view: &EvalContext) -> Decision {
        let decision = match event {
            NodeEvent::Came | NodeEvent::Due => self.notify(view),
            NodeEvent::Answered(outcome) => match delivered(outcome) {
                // What is over is over, whether or not that could be told.
                Err(fault) if self.resolves => {
                    Ok(Decision::TryAgain { fault, otherwise: Box::new(self.go(view)) })
                }
                told => told.map(|_| self.go(view)),
            },
            NodeEvent::Signal(_) | NodeEvent::Replied(_) | NodeEvent::Command(_) => Ok(Decision::Stay),
        };
        decision.unwrap_or_else(Decision::Fail)
    }

    fn calls(&self) -> Vec<&str> {
        self.notify.process().into_iter().collect()
    }
}

impl NotifyNode {
    fn notify(&self, view: &EvalContext) -> Result<Decision, Fault> {
        let reached = match (&view.task.alarm, self.resolves) {
            (_, false) => Vec::new(),
            (Some(alarm), true) if alarm.notified_at.is_some() || !alarm.reached.is_empty() => {
                alarm.reached.clone()
            }
            (Some(_) | None, true) => return Ok(self.go(view)),
        };
        let spec = NotificationSpec {
            message: &self.message,
            subject: self.subject.as_ref(),
            notify: &self.notify,
            mode: self.mode,
            reveal: &self.reveal,
        };
        match spec.way(view)? {
            NotifyRoute::Ask(it) if self.resolves => Ok(ask(over(it, reached), Changes::default())),
            // Each says something of its own: only alarms are gathered.
            NotifyRoute::Ask(it) => Ok(ask(Notification { about: None, ..it }, Changes::default())),
            NotifyRoute::Signal(signal) => {
                let effects = Changes { signals: vec![signal], alarm: self.alarm(), ..Changes::default() };
                Ok(Decision::Go { to: self.next.clone(), effects })
            }
        }
    }

    fn go(&self, _: &EvalContext) -> Decision {
        Decision::Go { to: self.next.clone(), effects: Changes { alarm: self.alarm(), ..Changes::default() } }
    }

    fn alarm(&self) -> AlarmChange {
        if self.resolves { AlarmChange::Clear } else { AlarmChange::Keep }
    }
}

/// The message that it is over, for those who were told. Alarms from before that was known have none.
fn over(mut ask: Notification, reached: Vec<String>) -> Notification {
    if let Some(about) = &mut ask.about {
        about.over = true;
    }
    if reached.is_empty() {
        return ask;
    }
    let others = std::mem::replace(&mut ask.channels, reached);
    let others = others.into_iter().filter(|it| !ask.channels.contains(it)).collect::<Vec<_>>();
    match ask.all {
        true => ask.channels.extend(others),
        false => ask.fallback = others,
    }
    ask.all = true;
    ask
}
