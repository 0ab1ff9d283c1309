//! `input`: where tasks enter. Each process has exactly one.
//!
//! ```yaml
//! start: {kind: input, next: ask}
//! ```

use schemars::JsonSchema;
use serde::Deserialize;

use crate::model::kind::{Event, Kind, Spec, Verdict, parse, schema};
use crate::model::names::NodeName;
use crate::model::scope::View;

/// The register's line.
pub const SPEC: Spec = Spec {
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

    fn decide(&self, event: Event, _: &View) -> Verdict {
        match event {
            Event::Came | Event::Due | Event::Order(_) => Verdict::go(&self.next),
            Event::Answered(_) | Event::Letter(_) | Event::Replied(_) => Verdict::Stay,
        }
    }
}
