//! `end`: the task leaves; its ref is free again.
//!
//! ```yaml
//! done: {kind: end, result: "{{total}}", keep: 30d}
//! ```
//!
//! ```yaml
//! refused: {kind: end, ok: false}
//! ```

use schemars::JsonSchema;
use serde::Deserialize;

use crate::model::kind::{Decision, Kind, KindSpec, NodeEvent, parse, schema};
use crate::model::names::NodeName;
use crate::model::scope::EvalContext;
use crate::model::time::Span;
use crate::model::value::ValueTemplate;

/// The register's line.
pub const SPEC: KindSpec = KindSpec {
    name: "end",
    about: "the task leaves; frees its ref",
    source: include_str!("end.rs"),
    secrets: false,
    parse: parse::<End>,
    schema: schema::<End>,
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct End {
    /// Whether it is a good end.
    #[serde(default = "yes")]
    ok: bool,
    /// What came of it.
    result: Option<ValueTemplate>,
    /// How long the finished task is kept; 7 days if not given.
    keep: Option<Span>,
}

fn yes() -> bool {
    true
}

impl Kind for End {
    fn exits(&self) -> Vec<(String, &NodeName)> {
        Vec::new()
    }

    fn ends_badly(&self) -> bool {
        !self.ok
    }

    fn decide(&self, event: NodeEvent, view: &EvalContext) -> Decision {
        match event {
            NodeEvent::Came | NodeEvent::Due | NodeEvent::Command(_) => self.leave(view),
            NodeEvent::Answered(_) | NodeEvent::Signal(_) | NodeEvent::Replied(_) => Decision::Stay,
        }
    }
}

impl End {
    fn leave(&self, view: &EvalContext) -> Decision {
        match self.result.as_ref().map(|draft| draft.fill_marked(view)).transpose() {
            Ok(result) => Decision::End { ok: self.ok, result, keep: self.keep },
            Err(fault) => Decision::Fail(fault),
        }
    }
}
