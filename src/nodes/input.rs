//! `input`: where tasks enter. Each process has exactly one.
//!
//! ```yaml
//! start: {kind: input, next: ask}
//! ```

use schemars::JsonSchema;
use serde::Deserialize;

use crate::model::kind::{Decision, Kind, KindSpec, NodeEvent, parse, schema};
use crate::model::names::NodeName;
use crate::model::scope::EvalContext;

/// The register's line.
pub const SPEC: KindSpec = KindSpec {
    name: "input",
    about: "where tasks enter; exactly one",
    source: include_str!("input.rs"),
    secrets: false,
    parse: parse::<Input>,
    schema: schema::<Input>,
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// The node a new task goes to.
    next: NodeName,
}

impl Kind for Input {
    fn exits(&self) -> Vec<(String, &NodeName)> {
        vec![(String::new(), &self.next)]
    }

    fn decide(&self, event: NodeEvent, _: &EvalContext) -> Decision {
        match event {
            NodeEvent::Came | NodeEvent::Due | NodeEvent::Command(_) => Decision::go(&self.next),
            NodeEvent::Answered(_) | NodeEvent::Signal(_) | NodeEvent::Replied(_) => Decision::Stay,
        }
    }
}
