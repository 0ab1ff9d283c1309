//! `send`: a signal to another task. No answer is awaited.
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
//! signals, `either` does what fits. The nodes that follow see it done. A task that writes to itself reads
//! that before it goes on.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::model::fault::Fault;
use crate::model::kind::{Changes, Decision, Kind, KindSpec, NodeEvent, parse, schema};
use crate::model::names::NodeName;
use crate::model::scope::{EvalContext, Located, no_process, no_task};
use crate::model::signal::{Signal, SignalKind, SignalTarget};
use crate::model::text::StringTemplate;
use crate::nodes::call::{address, free};
use crate::nodes::fields::{Drafts, fill, name};

/// The register's line.
pub const SPEC: KindSpec = KindSpec {
    name: "send",
    about: "a signal to another task, no answer",
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
    process: StringTemplate,
    /// Which task; a new one gets a ref of its own if none is given.
    r#ref: Option<StringTemplate>,
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

    fn decide(&self, event: NodeEvent, view: &EvalContext) -> Decision {
        match event {
            NodeEvent::Came | NodeEvent::Due | NodeEvent::Command(_) => {
                self.post(view).unwrap_or_else(Decision::Fail)
            }
            NodeEvent::Answered(_) | NodeEvent::Signal(_) | NodeEvent::Replied(_) => Decision::Stay,
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
    fn post(&self, view: &EvalContext) -> Result<Decision, Fault> {
        let task = &view.task;
        let reference = match &self.0.r#ref {
            Some(text) => name(text, view)?,
            None => format!("send-{}-{}-{}", task.id, task.visit, task.attempt),
        };
        let to = address(&name(&self.0.process, view)?, &reference)?;
        let params = fill(&self.0.params, view)?;
        let create = match (self.0.mode, view.scope.other(&to)?) {
            (_, Located::NoProcess) => return Err(no_process(&to.process)),
            (Mode::Modify, Located::NoTask(_)) => return Err(no_task(&to)),
            (Mode::Create, _) | (Mode::Either, Located::NoTask(_)) => free(&to, view).map(|()| true)?,
            (Mode::Modify | Mode::Either, Located::Live { .. }) => false,
        };
        let kind = match create {
            true => SignalKind::Create { params, caller: None, at: None, birth: None },
            false => SignalKind::Modify { params },
        };
        let signals = vec![Signal { to: SignalTarget::Address(to), kind }];
        Ok(Decision::Go { to: self.0.next.clone(), effects: Changes { signals, ..Changes::default() } })
    }
}
