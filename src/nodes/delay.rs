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
//! deadline: {kind: delay, until: "{{due_at}}", wake: letter, next: close}
//! ```
//!
//! `for` and `until` take an expression too: seconds, and Unix seconds.

use std::str::FromStr;

use croner::Cron;
use jiff::Zoned;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::model::fault::Fault;
use crate::model::kind::{Event, Kind, Spec, Verdict, parse, schema};
use crate::model::names::NodeName;
use crate::model::scope::View;
use crate::model::time::{SPAN_MAX, Span, Timestamp};
use crate::model::value::Draft;

/// The register's line.
pub const SPEC: Spec = Spec {
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
    /// How long, e.g. `25m`, or an expression in seconds.
    r#for: Option<Value>,
    /// Until when: RFC 3339, or Unix seconds.
    until: Option<Draft>,
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
    Letter,
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
    AfterDraft(Draft),
    Until(Draft),
    Cron(Box<Cron>, TimeZone),
}

impl TryFrom<Shape> for Delay {
    type Error = String;

    fn try_from(shape: Shape) -> Result<Delay, String> {
        let zone_alone = shape.zone.is_some() && shape.cron.is_none();
        let end = match (shape.r#for, shape.until, shape.cron) {
            (Some(span), None, None) => length(&span)?,
            (None, Some(until), None) => Ending::Until(until),
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
            Ok(Ending::After(text.parse()?))
        }
        Value::String(_) => Draft::new(written).map(Ending::AfterDraft).map_err(|it| it.to_string()),
        other => Err(format!("`{other}` is no length of time; hint: write the unit, as in `25m`")),
    }
}

fn schedule(cron: &str, zone: Option<&str>) -> Result<Ending, String> {
    let zone = zone.unwrap_or("UTC");
    let zone = TimeZone::get(zone)
        .map_err(|_| format!("there is no time zone `{zone}`; hint: write it as in `Europe/Riga`"))?;
    let cron = Cron::from_str(cron).map_err(|error| {
        let hint = "minute hour day month weekday, as in `0 9 * * MON-FRI`";
        format!("`{cron}` is no cron expression: {error}; hint: {hint}")
    })?;
    Ok(Ending::Cron(Box::new(cron), zone))
}

impl Kind for Delay {
    fn exits(&self) -> Vec<(String, &NodeName)> {
        vec![(String::new(), &self.next)]
    }

    fn decide(&self, event: Event, view: &View) -> Verdict {
        match event {
            Event::Came => match self.end.moment(view) {
                Ok(until) => Verdict::wait(Some(until)),
                Err(fault) => Verdict::Fail(fault),
            },
            Event::Due | Event::Order(_) => Verdict::go(&self.next),
            Event::Letter(_) if self.wake == Some(Wake::Letter) => Verdict::go(&self.next),
            Event::Letter(_) | Event::Answered(_) | Event::Replied(_) => Verdict::Stay,
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
    fn moment(&self, view: &View) -> Result<Timestamp, Fault> {
        match self {
            Ending::After(span) => Ok(view.now + *span),
            Ending::AfterDraft(draft) => Ok(view.now + span_of(&draft.fill(view)?)?),
            Ending::Until(draft) => moment_of(&draft.fill(view)?),
            Ending::Cron(cron, zone) => next(cron, zone, view.now),
        }
    }
}

/// A span from a text such as `25m`, or a number of seconds. Less than nothing is nothing.
fn span_of(value: &Value) -> Result<Span, Fault> {
    let bad = |message: String| Fault::lasting("bad_value", message);
    match (value.as_str(), value.as_f64()) {
        (Some(text), _) => text.parse().map_err(bad),
        (None, Some(secs)) if secs.is_finite() => Ok(millis(secs.max(0.0) * 1_000.0).min(SPAN_MAX)),
        _ => Err(bad(format!("`for` is {value}, and must be seconds or a text such as `25m`"))),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, and it is bounded after"
)]
fn millis(millis: f64) -> Span {
    Span(millis.ceil() as u64)
}

/// A moment from RFC 3339 text, or Unix seconds.
fn moment_of(value: &Value) -> Result<Timestamp, Fault> {
    let bad =
        || Fault::lasting("bad_value", format!("`until` is {value}, and must be RFC 3339 or Unix seconds"));
    let text = value.as_str().map(str::trim);
    match text.map_or_else(|| value.as_f64(), |text| text.parse().ok()) {
        Some(secs) if secs.is_finite() => {
            let span = millis(secs.abs() * 1_000.0).min(SPAN_MAX);
            let epoch = Timestamp(0);
            Ok(if secs < 0.0 { epoch - span } else { epoch + span })
        }
        _ => {
            let time: jiff::Timestamp = text.and_then(|it| it.parse().ok()).ok_or_else(bad)?;
            Ok(Timestamp(time.as_millisecond()))
        }
    }
}

fn next(cron: &Cron, zone: &TimeZone, now: Timestamp) -> Result<Timestamp, Fault> {
    let bad = |error: &dyn std::fmt::Display| {
        Fault::lasting("no_next_run", format!("cron has no next run: {error}"))
    };
    let now = jiff::Timestamp::from_millisecond(now.0).map_err(|error| bad(&error))?;
    let next: Zoned =
        cron.find_next_occurrence(&now.to_zoned(zone.clone()), false).map_err(|error| bad(&error))?;
    Ok(Timestamp(next.timestamp().as_millisecond()))
}
