//! What `escalation` and `notify` share: who is told what, and by which way.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::model::effect::{Delivery, ExternalAnswer, Notification, NotificationSubject, Outcome, Request};
use crate::model::fault::Fault;
use crate::model::kind::{Changes, Decision};
use crate::model::marks::Marks;
use crate::model::names::Address;
use crate::model::params::Params;
use crate::model::scope::EvalContext;
use crate::model::signal::{Signal, SignalKind, SignalTarget};
use crate::model::text::StringTemplate;
use crate::model::time::Span;
use crate::nodes::call::{address, free};
use crate::nodes::fields::name;

/// How long all channels together may take, and the message of many tasks be gathered before.
const NOTIFY_TIMEOUT: Span = Span::mins(2);
/// As much of a fault as the message of many tasks quotes.
const WHY_CHARS_MAX: usize = 300;

/// Whom to tell.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(try_from = "Written")]
pub enum Notify {
    /// Channels, in the order they are tried.
    Channels(Vec<String>),
    /// A process that does the telling.
    Process {
        /// Its id.
        call: StringTemplate,
    },
}

/// The same as it is written.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
enum Written {
    Channels(Vec<String>),
    Process {
        call: StringTemplate,
    },
    #[schemars(skip)]
    One(String),
}

impl TryFrom<Written> for Notify {
    type Error = String;

    fn try_from(it: Written) -> Result<Notify, String> {
        match it {
            Written::One(name) => Err(format!("`{name}` stands alone; hint: write `notify: [{name}]`")),
            Written::Process { call } => Ok(Notify::Process { call }),
            Written::Channels(names) => match names.iter().find(|it| it.contains("{{")) {
                Some(name) => Err(format!(
                    "`{name}` has a placeholder, and whom to tell is known from the start; hint: name \
                     channels, or write `notify: {{call: PROCESS}}` for a process that tells whom it likes"
                )),
                None => Ok(Notify::Channels(names)),
            },
        }
    }
}

impl Notify {
    /// The process it names literally.
    pub fn process(&self) -> Option<&str> {
        match self {
            Notify::Process { call } => call.literal(),
            Notify::Channels(_) => None,
        }
    }

    /// The channels it names.
    pub fn channels(&self) -> &[String] {
        match self {
            Notify::Channels(channels) => channels,
            Notify::Process { .. } => &[],
        }
    }
}

/// How many of the channels are told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The first that delivers.
    #[default]
    First,
    /// Every one.
    All,
}

/// A message and its way.
#[derive(Debug)]
pub struct NotificationSpec<'a> {
    /// The message.
    pub message: &'a StringTemplate,
    /// For channels that have one.
    pub subject: Option<&'a StringTemplate>,
    /// Whom.
    pub notify: &'a Notify,
    /// How many.
    pub mode: Mode,
    /// Secret params that it may tell.
    pub reveal: &'a [String],
}

/// What was said, and how it goes out.
#[derive(Debug)]
pub enum NotifyRoute {
    /// The world is asked.
    Ask(Notification),
    /// A process is asked by signal.
    Signal(Signal),
}

impl NotificationSpec<'_> {
    /// The message as whoever sees the task may see it.
    pub fn text(&self, view: &EvalContext) -> Result<String, Fault> {
        view.shown(&[], |view| self.message.fill(view))
    }

    /// The way the message goes out, with what it may tell.
    pub fn way(&self, view: &EvalContext) -> Result<NotifyRoute, Fault> {
        let said = |text: &StringTemplate| {
            let (said, is_secret) =
                view.scope.taint.during(|| view.shown(self.reveal, |view| text.fill(view)));
            let reveals = is_secret && !self.reveal.is_empty();
            Ok::<_, Fault>((said?, if reveals { Marks::whole() } else { Marks::default() }))
        };
        let (text, text_marks) = said(self.message)?;
        let (subject, subject_marks) = match self.subject {
            Some(subject) => said(subject)?,
            None => (format!("Beltline: {} / {}", view.task.process, view.task.reference), Marks::default()),
        };
        let reveals = !text_marks.is_empty() || !subject_marks.is_empty();
        match self.notify {
            Notify::Channels(channels) => {
                let (channels, all) = (channels.clone(), self.mode == Mode::All);
                let about = Some(Box::new(about(view)));
                Ok(NotifyRoute::Ask(Notification {
                    channels,
                    all,
                    subject,
                    text,
                    about,
                    reveals,
                    ..Notification::default()
                }))
            }
            Notify::Process { call } => {
                let to = Self::address(call, view)?;
                let mut params = Params::default();
                params.set_marked("subject", Value::from(subject), &subject_marks);
                params.set_marked("message", Value::from(text), &text_marks);
                let kind = SignalKind::Create { params, caller: None, at: None, birth: None };
                Ok(NotifyRoute::Signal(Signal { to: SignalTarget::Address(to), kind }))
            }
        }
    }

    fn address(call: &StringTemplate, view: &EvalContext) -> Result<Address, Fault> {
        let task = &view.task;
        let nonce = view.now.0;
        let to = address(&name(call, view)?, &format!("notify-{}-{}-{nonce}", task.id, task.visit))?;
        free(&to, view)?;
        Ok(to)
    }
}

/// The decision that asks the world to tell.
pub fn ask(ask: Notification, effects: Changes) -> Decision {
    Decision::Do { ask: Request::Notify(ask), timeout: NOTIFY_TIMEOUT, once: false, effects }
}

/// What a message of this task speaks of.
fn about(view: &EvalContext) -> NotificationSubject {
    let (task, fault) = (&view.task, view.task.fault.as_ref());
    NotificationSubject {
        process: task.process.clone(),
        node: task.at.clone(),
        reference: task.reference.clone(),
        code: fault.map(|it| it.code.clone()).unwrap_or_default(),
        why: fault.map(|it| it.message.chars().take(WHY_CHARS_MAX).collect()).unwrap_or_default(),
        over: false,
        see: format!("{}/dashboard/p/{}", view.scope.public_url, task.process),
    }
}

/// The channels that delivered, or why none did.
pub fn delivered(outcome: Outcome) -> Result<Vec<String>, Fault> {
    let told = match outcome? {
        ExternalAnswer::Notified(told) => told,
        ExternalAnswer::Http(_) | ExternalAnswer::Later(_) => {
            return Err(Fault::lasting("bad_response", "the answer is not one to a message"));
        }
    };
    let by = |it: &Delivery| it.result.is_ok().then(|| it.channel.clone());
    let by: Vec<String> = told.iter().filter_map(by).collect();
    match by.is_empty() {
        true => Err(Fault::passing("not_delivered", "no channel delivered the message")),
        false => Ok(by),
    }
}
