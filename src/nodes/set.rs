//! `set`: gives params new values, all of them or none. No value sees another's new one.
//!
//! ```yaml
//! count:
//!   kind: set
//!   set: {attempts: "= attempts + 1", greeting: "Hello, {{name}}"}
//!   unset: [draft]
//!   next: ask
//! ```

use schemars::JsonSchema;
use serde::Deserialize;

use crate::model::kind::{Changes, Decision, Kind, KindSpec, NodeEvent, parse, schema};
use crate::model::names::NodeName;
use crate::model::params::ParamChanges;
use crate::model::scope::EvalContext;
use crate::nodes::fields::{Drafts, fill, refuse_reserved};

/// The register's line.
pub const SPEC: KindSpec = KindSpec {
    name: "set",
    about: "writes params, all or nothing",
    source: include_str!("set.rs"),
    secrets: false,
    parse: parse::<Set>,
    schema: schema::<Shape>,
};

#[derive(Debug, Deserialize)]
#[serde(try_from = "Shape")]
struct Set(Shape);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Shape {
    /// New values, by name.
    #[serde(default)]
    set: Drafts,
    /// Names that go.
    #[serde(default)]
    unset: Vec<String>,
    /// Where to.
    next: NodeName,
}

impl TryFrom<Shape> for Set {
    type Error = String;
    fn try_from(shape: Shape) -> Result<Set, String> {
        refuse_reserved(shape.set.keys())?;
        Ok(Set(shape))
    }
}

impl Kind for Set {
    fn exits(&self) -> Vec<(String, &NodeName)> {
        vec![(String::new(), &self.0.next)]
    }

    fn decide(&self, event: NodeEvent, view: &EvalContext) -> Decision {
        match event {
            NodeEvent::Came | NodeEvent::Due | NodeEvent::Command(_) => self.write(view),
            NodeEvent::Answered(_) | NodeEvent::Signal(_) | NodeEvent::Replied(_) => Decision::Stay,
        }
    }
}

impl Set {
    fn write(&self, view: &EvalContext) -> Decision {
        match fill(&self.0.set, view) {
            Ok(set) => {
                let changes = ParamChanges { set, unset: self.0.unset.clone() };
                let effects = Changes { changes, ..Changes::default() };
                Decision::Go { to: self.0.next.clone(), effects }
            }
            Err(fault) => Decision::Fail(fault),
        }
    }
}
