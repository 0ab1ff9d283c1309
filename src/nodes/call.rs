//! `call`: runs another process and takes its reply.
//!
//! ```yaml
//! price:
//!   kind: call
//!   process: pricing
//!   params: {sku: "{{sku}}"}
//!   timeout: 10m
//!   save: {price: "= response.body.price"}
//!   next: order
//! ```
//!
//! Without `save`, the reply's values are laid over the params. Without `ref`, the called task gets one of
//! its own.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::model::fault::Fault;
use crate::model::kind::{CallReply, Changes, Decision, Kind, KindSpec, NodeEvent, parse, schema};
use crate::model::names::{Address, NodeName, ProcessId, Ref};
use crate::model::params::Params;
use crate::model::scope::{EvalContext, Located, no_process};
use crate::model::signal::{Signal, SignalKind, SignalTarget};
use crate::model::task::ReplyTo;
use crate::model::text::StringTemplate;
use crate::model::time::Span;
use crate::nodes::fields::{Drafts, fill, name};

/// The register's line.
pub const SPEC: KindSpec = KindSpec {
    name: "call",
    about: "runs another process and takes its reply",
    source: include_str!("call.rs"),
    secrets: false,
    parse: parse::<Call>,
    schema: schema::<Call>,
};

/// How long a reply may take if nothing else is said.
const TIMEOUT_DEFAULT: Span = Span::hours(1);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Call {
    /// Which process.
    process: StringTemplate,
    /// The called task's ref.
    r#ref: Option<StringTemplate>,
    /// What it is submitted with.
    #[serde(default)]
    params: Drafts,
    /// How long the reply may take.
    timeout: Option<Span>,
    /// What is kept of the reply: `response.body` holds its values.
    save: Option<Drafts>,
    /// Where to.
    next: NodeName,
}

impl Kind for Call {
    fn exits(&self) -> Vec<(String, &NodeName)> {
        vec![(String::new(), &self.next)]
    }

    fn decide(&self, event: NodeEvent, view: &EvalContext) -> Decision {
        let decision = match event {
            NodeEvent::Came => self.ask(view),
            NodeEvent::Replied(CallReply { answer, .. }) => answer.and_then(|reply| self.take(&reply, view)),
            NodeEvent::Due => Err(self.late()),
            NodeEvent::Signal(_) | NodeEvent::Answered(_) | NodeEvent::Command(_) => Ok(Decision::Stay),
        };
        decision.unwrap_or_else(Decision::Fail)
    }

    fn rests(&self) -> bool {
        true
    }

    fn calls(&self) -> Vec<&str> {
        self.process.literal().into_iter().collect()
    }

    fn breeds(&self) -> Option<&str> {
        self.process.literal().filter(|_| self.r#ref.is_none())
    }
}

impl Call {
    fn ask(&self, view: &EvalContext) -> Result<Decision, Fault> {
        let task = &view.task;
        let reference = match &self.r#ref {
            Some(text) => name(text, view)?,
            None => format!("call-{}-{}-{}", task.id, task.visit, task.attempt),
        };
        let to = address(&name(&self.process, view)?, &reference)?;
        free(&to, view)?;
        let kind = SignalKind::Create {
            params: fill(&self.params, view)?,
            caller: Some(ReplyTo { task: task.id, visit: task.visit, ticket: None }),
            at: None,
            birth: None,
        };
        let signals = vec![Signal { to: SignalTarget::Address(to), kind }];
        let until = Some(view.now + self.timeout.unwrap_or(TIMEOUT_DEFAULT));
        Ok(Decision::Wait { until, effects: Changes { signals, ..Changes::default() } })
    }

    fn take(&self, reply: &Params, view: &EvalContext) -> Result<Decision, Fault> {
        let set = match &self.save {
            Some(save) => {
                let marks = reply.marks().below("/body");
                fill(save, &view.with_reply(json!({"body": reply.map()}), marks))?
            }
            None => reply.clone(),
        };
        Ok(Decision::go_with(&self.next, set))
    }

    fn late(&self) -> Fault {
        let timeout = self.timeout.unwrap_or(TIMEOUT_DEFAULT);
        let process = self.process.literal().unwrap_or("it called");
        Fault::unsure("call_timeout", format!("process `{process}` did not reply within {timeout}"))
    }
}

/// An address made of filled-in texts.
pub fn address(process: &str, reference: &str) -> Result<Address, Fault> {
    let bad = |error: &dyn std::fmt::Display| Fault::lasting("bad_name", error.to_string());
    Ok(Address {
        process: ProcessId::new(process).map_err(|error| bad(&error))?,
        reference: Ref::new(reference).map_err(|error| bad(&error))?,
    })
}

/// Whether a task can be created at `to`.
pub fn free(to: &Address, view: &EvalContext) -> Result<(), Fault> {
    free_beside(to, 0, view)
}

/// The same, beside so many others of that process in the same decision.
pub fn free_beside(to: &Address, others: u64, view: &EvalContext) -> Result<(), Fault> {
    match view.scope.other(to)? {
        Located::NoProcess => Err(no_process(&to.process)),
        Located::Live { .. } => {
            let message = format!("process `{}` has a live task `{}` already", to.process, to.reference);
            Err(Fault::lasting("ref_taken", message))
        }
        Located::NoTask(_) => {
            view.task.descent.may_go_on(&view.task.process)?;
            view.scope.bounds.room(&to.process, view.scope.born(&to.process).saturating_add(others))
        }
    }
}
