//! `raise`: a fault of the author's own. It is handled like any other: it goes to `on_error`, or the task
//! fails here; a passing one is tried again where `retry` says so.
//!
//! ```yaml
//! refuse: {kind: raise, code: out_of_stock, message: "there is no {{sku}} left", on_error: again}
//! ```
//!
//! A task that was called and fails here gives the fault to its caller: `class: passing` lets that one try
//! the call again.

use serde::Deserialize;

use crate::model::fault::Fault;
use crate::model::kind::{Decision, Kind, KindSpec, NodeEvent, parse, schema};
use crate::model::names::NodeName;
use crate::model::scope::EvalContext;
use crate::nodes::fields::Raised;

/// The register's line.
pub const SPEC: KindSpec = KindSpec {
    name: "raise",
    about: "a fault of the author's own",
    source: include_str!("raise.rs"),
    secrets: false,
    parse: parse::<Raise>,
    schema: schema::<Raised>,
};

#[derive(Debug, Deserialize)]
#[serde(try_from = "Raised")]
struct Raise(Raised);

impl TryFrom<Raised> for Raise {
    type Error = String;
    fn try_from(raised: Raised) -> Result<Raise, String> {
        match raised.has_good_status() {
            true => Ok(Raise(raised)),
            false => Err("the `status` of a fault is from 400 to 599".to_owned()),
        }
    }
}

impl Kind for Raise {
    fn exits(&self) -> Vec<(String, &NodeName)> {
        Vec::new()
    }

    fn decide(&self, event: NodeEvent, view: &EvalContext) -> Decision {
        match event {
            NodeEvent::Came | NodeEvent::Due | NodeEvent::Command(_) => {
                Decision::Fail(self.0.fault(view).unwrap_or_else(|fault: Fault| fault))
            }
            NodeEvent::Answered(_) | NodeEvent::Signal(_) | NodeEvent::Replied(_) => Decision::Stay,
        }
    }

    fn tries_again(&self) -> bool {
        false
    }
}
