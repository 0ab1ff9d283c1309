//! `wait`: parked until a letter, a hook or a person moves it on.
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
//! one-time key. A letter that brings none of what is accepted changes params and leaves the task where it
//! is.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::model::fault::Fault;
use crate::model::kind::{Effects, Event, Kind, Spec, Verdict, parse, schema};
use crate::model::names::NodeName;
use crate::model::scope::View;
use crate::model::text::Text;
use crate::model::time::Span;
use crate::nodes::fields::Accept;

/// The register's line.
pub const SPEC: Spec = Spec {
    name: "wait",
    about: "parked until a letter, a hook or an order",
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
    /// What a letter must bring.
    #[serde(default)]
    accept: Accept,
    /// The `iss` that an OAuth redirect must bring, where the provider says who it is (RFC 9207); or empty.
    issuer: Option<Text>,
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
    Text(Text),
}

impl Link {
    /// The link for the present visit, as it comes with a verdict.
    pub fn fill(link: Option<&Link>, view: &View) -> Result<Effects, Fault> {
        let (link, link_is_secret) = match link {
            None | Some(Link::Own(false)) => (None, false),
            Some(Link::Own(true)) => (Some(view.link()), false),
            Some(Link::Text(text)) => {
                let (link, is_secret) = view.scope.taint.during(|| text.fill_url(view));
                (Some(link?), is_secret)
            }
        };
        Ok(Effects { link, link_is_secret, ..Effects::default() })
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

    fn decide(&self, event: Event, view: &View) -> Verdict {
        match event {
            Event::Came => self.park(view),
            Event::Letter(params) if self.0.accept.takes(&params) => Verdict::go(&self.0.next),
            Event::Order(_) => Verdict::go(&self.0.next),
            Event::Due => match &self.0.next_on_timeout {
                Some(node) => Verdict::go(node),
                None => Verdict::Stay,
            },
            Event::Letter(_) | Event::Answered(_) | Event::Replied(_) => Verdict::Stay,
        }
    }

    fn rests(&self) -> bool {
        true
    }

    fn accepts(&self) -> Option<Vec<&str>> {
        Some(self.0.accept.names())
    }

    fn issuer(&self) -> Option<&Text> {
        self.0.issuer.as_ref()
    }
}

impl Wait {
    fn park(&self, view: &View) -> Verdict {
        let until = self.0.r#for.map(|span| view.task.since + span);
        match Link::fill(self.0.link.as_ref(), view) {
            Ok(effects) => Verdict::Wait { until, effects },
            Err(fault) => Verdict::Fail(fault),
        }
    }
}
