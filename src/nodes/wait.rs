//! `wait`: parked until a signal, a hook or a person moves it on.
//!
//! ```yaml
//! approval:
//!   kind: wait
//!   link: true
//!   accept: {approved: {required: true}}
//!   for: 2d
//!   next_on_timeout: remind
//!   next: decide
//! ```
//!
//! `link: true` gives the task a one-time URL; a text is a link of your own, in which `{{task.key}}` is the
//! one-time key. A signal that brings none of what is accepted changes params and leaves the task where it
//! is.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::model::fault::Fault;
use crate::model::kind::{Changes, Decision, Kind, KindSpec, NodeEvent, parse, schema};
use crate::model::names::NodeName;
use crate::model::scope::EvalContext;
use crate::model::text::StringTemplate;
use crate::model::time::Span;
use crate::nodes::fields::AcceptedParams;

/// The register's line.
pub const SPEC: KindSpec = KindSpec {
    name: "wait",
    about: "parked until a signal, a hook or a command",
    source: include_str!("wait.rs"),
    secrets: false,
    parse: parse::<Wait>,
    schema: schema::<Shape>,
};

#[derive(Debug, Deserialize)]
#[serde(try_from = "Shape")]
struct Wait(Shape);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Shape {
    /// How long at most; for ever if not given.
    r#for: Option<Span>,
    /// Where a task goes that waited so long.
    next_on_timeout: Option<NodeName>,
    /// `true`: a one-time link of the engine's; a text: a link of your own.
    link: Option<Link>,
    /// What a signal must bring.
    #[serde(default)]
    accept: AcceptedParams,
    /// The `iss` that an OAuth redirect must bring, where the provider says who it is (RFC 9207); or empty.
    issuer: Option<StringTemplate>,
    /// Where to.
    next: NodeName,
}

/// A link that moves the task on.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Link {
    /// The engine's own, or none.
    Own(bool),
    /// One that leads elsewhere first.
    Text(StringTemplate),
}

impl Link {
    /// The link for the present visit, as it comes with a decision.
    pub fn fill(link: Option<&Link>, view: &EvalContext) -> Result<Changes, Fault> {
        let (link, link_is_secret) = match link {
            None | Some(Link::Own(false)) => (None, false),
            Some(Link::Own(true)) => (Some(view.link()), false),
            Some(Link::Text(text)) => {
                let (link, is_secret) = view.scope.taint.during(|| text.fill_url(view));
                (Some(link?), is_secret)
            }
        };
        Ok(Changes { link, link_is_secret, ..Changes::default() })
    }
}

impl TryFrom<Shape> for Wait {
    type Error = String;
    fn try_from(shape: Shape) -> Result<Wait, String> {
        match (&shape.r#for, &shape.next_on_timeout) {
            (Some(_), None) => Err("`for` needs `next_on_timeout`, where the task goes then".to_owned()),
            (None, Some(_)) => Err("`next_on_timeout` needs `for`; hint: `for: 2d`".to_owned()),
            _ => Ok(Wait(shape)),
        }
    }
}

impl Kind for Wait {
    fn exits(&self) -> Vec<(String, &NodeName)> {
        let timeout = self.0.next_on_timeout.iter().map(|node| ("timeout".to_owned(), node));
        std::iter::once((String::new(), &self.0.next)).chain(timeout).collect()
    }

    fn decide(&self, event: NodeEvent, view: &EvalContext) -> Decision {
        match event {
            NodeEvent::Came => self.park(view),
            NodeEvent::Signal(params) if self.0.accept.takes(&params) => Decision::go(&self.0.next),
            NodeEvent::Command(_) => Decision::go(&self.0.next),
            NodeEvent::Due => match &self.0.next_on_timeout {
                Some(node) => Decision::go(node),
                None => Decision::Stay,
            },
            NodeEvent::Signal(_) | NodeEvent::Answered(_) | NodeEvent::Replied(_) => Decision::Stay,
        }
    }

    fn rests(&self) -> bool {
        true
    }

    fn accepts(&self) -> Option<Vec<&str>> {
        Some(self.0.accept.names())
    }

    fn issuer(&self) -> Option<&StringTemplate> {
        self.0.issuer.as_ref()
    }
}

impl Wait {
    fn park(&self, view: &EvalContext) -> Decision {
        let until = self.0.r#for.map(|span| view.task.since + span);
        match Link::fill(self.0.link.as_ref(), view) {
            Ok(effects) => Decision::Wait { until, effects },
            Err(fault) => Decision::Fail(fault),
        }
    }
}
