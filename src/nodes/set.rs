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

use crate::model::kind::{Effects, Event, Kind, Spec, Verdict, parse, schema};
use crate::model::names::NodeName;
use crate::model::params::Changes;
use crate::model::scope::View;
use crate::nodes::fields::{Drafts, fill, refuse_reserved};

/// The register's line.
pub const SPEC: Spec = Spec {
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

    fn decide(&self, event: Event, view: &View) -> Verdict {
        match event {
            Event::Came | Event::Due | Event::Order(_) => self.write(view),
            Event::Answered(_) | Event::Letter(_) | Event::Replied(_) => Verdict::Stay,
        }
    }
}

impl Set {
    fn write(&self, view: &View) -> Verdict {
        match fill(&self.0.set, view) {
            Ok(set) => {
                let changes = Changes { set, unset: self.0.unset.clone() };
                let effects = Effects { changes, ..Effects::default() };
                Verdict::Go { to: self.0.next.clone(), effects }
            }
            Err(fault) => Verdict::Fail(fault),
        }
    }
}
