//! `condition`: the first branch that is true wins; `else` takes the rest.
//!
//! ```yaml
//! warm:
//!   kind: condition
//!   branches:
//!     - {when: "temperature > 25", next: hot}
//!     - {when: "temperature > 15 and wind < 5", next: mild}
//!   else: cold
//! ```

use schemars::JsonSchema;
use serde::Deserialize;

use crate::model::expr::Expr;
use crate::model::kind::{Decision, Kind, KindSpec, NodeEvent, parse, schema};
use crate::model::names::NodeName;
use crate::model::scope::EvalContext;

/// The register's line.
pub const SPEC: KindSpec = KindSpec {
    name: "condition",
    about: "the first true branch wins",
    source: include_str!("condition.rs"),
    secrets: false,
    parse: parse::<Condition>,
    schema: schema::<Condition>,
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Condition {
    /// Tried from top to bottom.
    branches: Vec<Branch>,
    /// Where a task goes for which no branch is true.
    r#else: NodeName,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Branch {
    /// An expression that is true or false.
    when: Expr,
    /// Where to.
    next: NodeName,
}

impl Kind for Condition {
    fn exits(&self) -> Vec<(String, &NodeName)> {
        let branches = self.branches.iter().map(|branch| (branch.when.text().to_owned(), &branch.next));
        branches.chain([("else".to_owned(), &self.r#else)]).collect()
    }

    fn decide(&self, event: NodeEvent, view: &EvalContext) -> Decision {
        match event {
            NodeEvent::Came | NodeEvent::Due | NodeEvent::Command(_) => self.choose(view),
            NodeEvent::Answered(_) | NodeEvent::Signal(_) | NodeEvent::Replied(_) => Decision::Stay,
        }
    }
}

impl Condition {
    fn choose(&self, view: &EvalContext) -> Decision {
        for branch in &self.branches {
            match branch.when.truth(view) {
                Ok(true) => return Decision::go(&branch.next),
                Ok(false) => {}
                Err(fault) => return Decision::Fail(fault),
            }
        }
        Decision::go(&self.r#else)
    }
}
