//! `delay`: the task rests here, then goes on. Never early.
//!
//! ```yaml
//! nap: {kind: delay, for: 25m, next: refresh}
//! ```
//!
//! ```yaml
//! morning: {kind: delay, cron: "0 9 * * MON-FRI", zone: Europe/Riga, next: report}
//! ```
//!
//! ```yaml
//! deadline: {kind: delay, until: "{{due_at}}", wake: signal, next: close}
//! ```
//!
//! `for` and `until` take an expression too: seconds, and Unix seconds. `for` is at most a hundred years.

use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::model::calendar::cron::Cron;
use crate::model::calendar::{moment, zone};
use crate::model::fault::Fault;
use crate::model::kind::{Decision, Kind, KindSpec, NodeEvent, parse, schema};
use crate::model::names::NodeName;
use crate::model::scope::EvalContext;
use crate::model::time::{Span, Timestamp};
use crate::model::value::ValueTemplate;

/// The longest `for`: a hundred years.
const FOR_MAX: Span = Span::days(36_525);

/// No process of today was written to wait for anything before 2001-09-09; such a number is a length of time.
const PLANNED_MIN: Timestamp = Timestamp(1_000_000_000_000);

/// The register's line.
pub const SPEC: KindSpec = KindSpec {
    name: "delay",
    about: "rests, then goes on",
    source: include_str!("delay.rs"),
    secrets: false,
    parse: parse::<Delay>,
    schema: schema::<Shape>,
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Shape {
    /// How long, e.g. `25m`, or an expression in seconds; at most a hundred years.
    r#for: Option<Value>,
    /// Until when: RFC 3339, or Unix seconds.
    until: Option<ValueTemplate>,
    /// Until the next moment of a cron expression.
    cron: Option<String>,
    /// The time zone of `cron`, e.g. `Europe/Riga`; UTC if not given.
    zone: Option<String>,
    /// What may end it early, beside a person.
    wake: Option<Wake>,
    /// Where to.
    next: NodeName,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Wake {
    Signal,
}

#[derive(Debug, Deserialize)]
#[serde(try_from = "Shape")]
struct Delay {
    end: Ending,
    wake: Option<Wake>,
    next: NodeName,
}

#[derive(Debug)]
enum Ending {
    After(Span),
    AfterDraft(ValueTemplate),
    Until(ValueTemplate),
    Cron(Box<Cron>, TimeZone),
}

impl TryFrom<Shape> for Delay {
    type Error = String;

    fn try_from(shape: Shape) -> Result<Delay, String> {
        let zone_alone = shape.zone.is_some() && shape.cron.is_none();
        let end = match (shape.r#for, shape.until, shape.cron) {
            (Some(span), None, None) => length(&span)?,
            (None, Some(until), None) => Ending::Until(planned(until)?),
            (None, None, Some(cron)) => schedule(&cron, shape.zone.as_deref())?,
            _ => return Err("a delay has one of `for`, `until` and `cron`; hint: `for: 25m`".to_owned()),
        };
        if zone_alone {
            return Err("`zone` belongs to `cron`; hint: leave it out".to_owned());
        }
        Ok(Delay { end, wake: shape.wake, next: shape.next })
    }
}

fn length(written: &Value) -> Result<Ending, String> {
    match written {
        Value::String(text) if !text.contains("{{") && !text.starts_with('=') => {
            Ok(Ending::After(bounded(text.parse()?)?))
        }
        Value::String(_) => ValueTemplate::new(written).map(Ending::AfterDraft).map_err(|it| it.to_string()),
        other => Err(format!("`{other}` is no length of time; hint: write the unit, as in `25m`")),
    }
}

/// A moment that is written as it is must be one, and one that somebody can wait for.
fn planned(until: ValueTemplate) -> Result<ValueTemplate, String> {
    let Some(value) = until.literal() else { return Ok(until) };
    let at = moment::read(value).map_err(|why| format!("`until: {}` {why}", shown(value)))?;
    if at < PLANNED_MIN {
        let hint = "hint: a length of time belongs to `for`, as in `for: 1h`";
        return Err(format!("`until: {}` is {at}, which is long over; {hint}", shown(value)));
    }
    Ok(until)
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn schedule(cron: &str, zone: Option<&str>) -> Result<Ending, String> {
    let zone = zone::get(zone.unwrap_or("UTC"))?;
    Ok(Ending::Cron(Box::new(cron.parse()?), zone))
}

impl Kind for Delay {
    fn exits(&self) -> Vec<(String, &NodeName)> {
        vec![(String::new(), &self.next)]
    }

    fn decide(&self, event: NodeEvent, view: &EvalContext) -> Decision {
        match event {
            NodeEvent::Came => match self.end.moment(view) {
                Ok(until) => Decision::wait(Some(until)),
                Err(fault) => Decision::Fail(fault),
            },
            NodeEvent::Due | NodeEvent::Command(_) => Decision::go(&self.next),
            NodeEvent::Signal(_) if self.wake == Some(Wake::Signal) => Decision::go(&self.next),
            NodeEvent::Signal(_) | NodeEvent::Answered(_) | NodeEvent::Replied(_) => Decision::Stay,
        }
    }

    fn rests(&self) -> bool {
        true
    }

    fn waits_for_a_moment(&self) -> bool {
        matches!(self.end, Ending::Until(_) | Ending::Cron(..))
    }
}

impl Ending {
    fn moment(&self, view: &EvalContext) -> Result<Timestamp, Fault> {
        match self {
            Ending::After(span) => Ok(view.now + *span),
            Ending::AfterDraft(draft) => Ok(view.now + span_of(&draft.fill(view)?)?),
            Ending::Until(draft) => moment_of(&draft.fill(view)?),
            Ending::Cron(cron, zone) => next(cron, zone, view.now),
        }
    }
}

/// What nobody lives to see is a slip: most often milliseconds, or a moment, where a length of time belongs.
fn bounded(span: Span) -> Result<Span, String> {
    let hint = "hint: a number is seconds, and a moment belongs to `until`";
    let bad = || format!("`for` is {span}, and is at most a hundred years ({FOR_MAX}); {hint}");
    (span <= FOR_MAX).then_some(span).ok_or_else(bad)
}

/// A span from a text such as `25m`, or a number of seconds. Less than nothing is nothing.
fn span_of(value: &Value) -> Result<Span, Fault> {
    let bad = |message: String| Fault::lasting("bad_value", message);
    let span = match (value.as_str(), value.as_f64()) {
        (Some(text), _) => text.parse().map_err(bad)?,
        (None, Some(secs)) if secs.is_finite() => millis(secs.max(0.0) * 1_000.0),
        _ => return Err(bad(format!("`for` is {value}, and must be seconds or a text such as `25m`"))),
    };
    bounded(span).map_err(bad)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, and it is bounded after"
)]
fn millis(millis: f64) -> Span {
    Span(millis.ceil() as u64)
}

fn moment_of(value: &Value) -> Result<Timestamp, Fault> {
    moment::read(value).map_err(|why| Fault::lasting("bad_value", format!("`until: {value}` {why}")))
}

fn next(cron: &Cron, zone: &TimeZone, now: Timestamp) -> Result<Timestamp, Fault> {
    cron.next(zone, now).ok_or_else(|| {
        Fault::lasting("no_next_run", format!("`{}` does not come any more after {now}", cron.as_str()))
    })
}
