//! `send`: a letter to another task. No answer is awaited.
//!
//! ```yaml
//! wake: {kind: send, process: bitrix, ref: token, mode: modify, next: again}
//! ```
//!
//! ```yaml
//! log: {kind: send, process: journal, params: {line: "{{text}}"}, next: done}
//! ```
//!
//! `mode: create` makes a task, `modify` lays the params over a live one and wakes it if it waits for
//! letters, `either` does what fits. The nodes that follow see it done. A task that writes to itself reads
//! that before it goes on.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::model::fault::Fault;
use crate::model::kind::{Effects, Event, Kind, Spec, Verdict, parse, schema};
use crate::model::names::NodeName;
use crate::model::scope::{Found, View, no_process, no_task};
use crate::model::task::{Letter, To, Word};
use crate::model::text::Text;
use crate::nodes::call::{address, free};
use crate::nodes::fields::{Drafts, fill, name};

/// The register's line.
pub const SPEC: Spec = Spec {
    name: "send",
    about: "a letter to another task, no answer",
    source: include_str!("send.rs"),
    secrets: false,
    parse: parse::<Send>,
    schema: schema::<Shape>,
};

#[derive(Debug, Deserialize)]
#[serde(try_from = "Shape")]
struct Send(Shape);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Shape {
    /// Which process.
    process: Text,
    /// Which task; a new one gets a ref of its own if none is given.
    r#ref: Option<Text>,
    /// What it brings.
    #[serde(default)]
    params: Drafts,
    /// What it does there.
    #[serde(default)]
    mode: Mode,
    /// Where to.
    next: NodeName,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Mode {
    #[default]
    Create,
    Modify,
    Either,
}

impl TryFrom<Shape> for Send {
    type Error = String;
    fn try_from(shape: Shape) -> Result<Send, String> {
        match (&shape.r#ref, shape.mode) {
            (None, Mode::Modify | Mode::Either) => {
                Err("this mode needs `ref`, the task it writes to".to_owned())
            }
            _ => Ok(Send(shape)),
        }
    }
}

impl Kind for Send {
    fn exits(&self) -> Vec<(String, &NodeName)> {
        vec![(String::new(), &self.0.next)]
    }

    fn decide(&self, event: Event, view: &View) -> Verdict {
        match event {
            Event::Came | Event::Due | Event::Order(_) => self.post(view).unwrap_or_else(Verdict::Fail),
            Event::Answered(_) | Event::Letter(_) | Event::Replied(_) => Verdict::Stay,
        }
    }

    fn calls(&self) -> Vec<&str> {
        self.0.process.literal().into_iter().collect()
    }

    fn breeds(&self) -> Option<&str> {
        self.0.process.literal().filter(|_| self.0.r#ref.is_none())
    }
}

impl Send {
    fn post(&self, view: &View) -> Result<Verdict, Fault> {
        let task = &view.task;
        let reference = match &self.0.r#ref {
            Some(text) => name(text, view)?,
            None => format!("send-{}-{}-{}", task.id, task.visit, task.attempt),
        };
        let to = address(&name(&self.0.process, view)?, &reference)?;
        let params = fill(&self.0.params, view)?;
        let create = match (self.0.mode, view.scope.other(&to)?) {
            (_, Found::NoProcess) => return Err(no_process(&to.process)),
            (Mode::Modify, Found::NoTask(_)) => return Err(no_task(&to)),
            (Mode::Create, _) | (Mode::Either, Found::NoTask(_)) => free(&to, view).map(|()| true)?,
            (Mode::Modify | Mode::Either, Found::Live { .. }) => false,
        };
        let word = match create {
            true => Word::Create { params, caller: None, at: None, birth: None },
            false => Word::Modify { params },
        };
        let letters = vec![Letter { to: To::Address(to), word }];
        Ok(Verdict::Go { to: self.0.next.clone(), effects: Effects { letters, ..Effects::default() } })
    }
}
