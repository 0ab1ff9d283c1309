//! `reply`: answers the caller, a task or a hook; the task goes on. Without a caller it just goes on.
//!
//! ```yaml
//! answer: {kind: reply, values: {price: "{{price}}"}, next: done}
//! ```
//!
//! ```yaml
//! refuse: {kind: reply, fault: {code: unknown_sku, message: "there is no {{sku}}"}, next: done}
//! ```
//!
//! A hook is answered the values as JSON with 200, or the fault with its `status`, 422 if it has none.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::model::fault::Fault;
use crate::model::kind::{Changes, Decision, Kind, KindSpec, NodeEvent, parse, schema};
use crate::model::names::NodeName;
use crate::model::params::Params;
use crate::model::scope::EvalContext;
use crate::model::signal::{Signal, SignalKind, SignalTarget};
use crate::nodes::fields::{Drafts, Raised, fill};

/// The register's line.
pub const SPEC: KindSpec = KindSpec {
    name: "reply",
    about: "answers the caller, the task goes on",
    source: include_str!("reply.rs"),
    secrets: false,
    parse: parse::<Reply>,
    schema: schema::<Shape>,
};

#[derive(Debug, Deserialize)]
#[serde(try_from = "Shape")]
struct Reply(Shape);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Shape {
    /// What the caller gets.
    values: Option<Drafts>,
    /// Or the fault that the caller takes.
    fault: Option<Raised>,
    /// Where to.
    next: NodeName,
}

impl TryFrom<Shape> for Reply {
    type Error = String;
    fn try_from(shape: Shape) -> Result<Reply, String> {
        match (&shape.values, &shape.fault) {
            (Some(_), Some(_)) => Err("a reply has `values` or `fault`, not both".to_owned()),
            (_, Some(fault)) if !fault.has_good_status() => {
                Err("the `status` of a fault is from 400 to 599".to_owned())
            }
            _ => Ok(Reply(shape)),
        }
    }
}

impl Kind for Reply {
    fn exits(&self) -> Vec<(String, &NodeName)> {
        vec![(String::new(), &self.0.next)]
    }

    fn decide(&self, event: NodeEvent, view: &EvalContext) -> Decision {
        match event {
            NodeEvent::Came | NodeEvent::Due | NodeEvent::Command(_) => {
                self.answer(view).unwrap_or_else(Decision::Fail)
            }
            NodeEvent::Answered(_) | NodeEvent::Signal(_) | NodeEvent::Replied(_) => Decision::Stay,
        }
    }
}

impl Reply {
    fn answer(&self, view: &EvalContext) -> Result<Decision, Fault> {
        let said = self.said(view).map_err(|fault| view.hushed(fault));
        let answer = match (said, &view.task.caller) {
            (Ok(answer), _) => answer,
            (Err(fault), Some(_)) => return Err(fault),
            // Nobody waits, or a hook does: that is told, and the task goes on.
            (Err(fault), None) => Err(Fault { status: Some(500), ..fault }),
        };
        let signals = view.task.caller.iter().map(|caller| {
            let kind = SignalKind::answer(caller, answer.clone());
            Signal { to: SignalTarget::Task(caller.task), kind }
        });
        let signals = signals.collect();
        let effects = Changes { signals, reply: Some(answer), ..Changes::default() };
        Ok(Decision::Go { to: self.0.next.clone(), effects })
    }

    fn said(&self, view: &EvalContext) -> Result<Result<Params, Fault>, Fault> {
        Ok(match &self.0.fault {
            Some(fault) => Err(fault.fault(view)?),
            None => Ok(self.0.values.as_ref().map_or(Ok(Params::default()), |values| fill(values, view))?),
        })
    }
}
