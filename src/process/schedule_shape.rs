//! The shape of `schedule:` in a process file.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::model::calendar::zone;
use crate::model::scope::RESERVED;
use crate::model::time::Span;
use crate::model::value::ValueTemplate;
use crate::process::schedule::{Missed, Overlap, Rhythm, Schedule, WINDOW, WINDOW_MAX};

/// What runs more often than that is no schedule but a loop.
const EVERY_MIN: Span = Span::secs(1);

/// A schedule as it is written.
#[derive(Debug, Deserialize)]
#[serde(try_from = "ScheduleShape")]
pub struct ScheduleRead(Schedule);

/// When a process submits a task by itself.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Schedule")]
pub struct ScheduleShape {
    /// Its name; its number in the list if not given.
    name: Option<String>,
    /// One line, for people.
    #[serde(default)]
    about: String,
    /// A cron expression: minute hour day month weekday, as in `0 9 * * MON-FRI`.
    cron: Option<String>,
    /// Or how often, such as `15m`: at every multiple of it.
    every: Option<Span>,
    /// The time zone of `cron`, such as `Europe/Riga`; UTC if not given.
    zone: Option<String>,
    /// The tasks' name, such as `"report-{{date}}"`; the name and the planned time if not given.
    r#ref: Option<ValueTemplate>,
    /// What the tasks are given.
    #[serde(default)]
    params: BTreeMap<String, ValueTemplate>,
    /// What becomes of a time at which the task before still lives: `skip`, `queue` or `all`.
    #[serde(default)]
    overlap: Overlap,
    /// What becomes of times at which the engine was down or the process rested: `none`, `latest` or `all`.
    #[serde(default)]
    missed: Missed,
    /// How far back missed times count; 1d if not given.
    window: Option<Span>,
}

impl TryFrom<ScheduleShape> for ScheduleRead {
    type Error = String;

    fn try_from(shape: ScheduleShape) -> Result<ScheduleRead, String> {
        let zone_name = shape.zone.clone().unwrap_or_else(|| "UTC".to_owned());
        let zone = zone::get(&zone_name)?;
        let rhythm = match (shape.cron, shape.every) {
            (Some(cron), None) => Rhythm::Cron(Box::new(cron.parse()?)),
            (None, Some(_)) if shape.zone.is_some() => {
                return Err("`zone` belongs to `cron`; hint: leave it out".to_owned());
            }
            (None, Some(every)) if every < EVERY_MIN => {
                return Err(format!("`every` is {EVERY_MIN} or more; hint: a loop with a `delay` is faster"));
            }
            (None, Some(every)) => Rhythm::Every(every),
            (Some(_), Some(_)) | (None, None) => {
                let hint = "hint: `cron: \"0 9 * * MON-FRI\"`, or `every: 15m`";
                return Err(format!("a schedule has one of `cron` and `every`; {hint}"));
            }
        };
        if shape.window.is_some_and(|it| it > WINDOW_MAX) {
            return Err(format!("`window` is at most {WINDOW_MAX}"));
        }
        if shape.window.is_some() && shape.missed == Missed::None {
            return Err("`window` belongs to `missed: latest` and `missed: all`".to_owned());
        }
        if let Some(name) = shape.params.keys().find(|it| RESERVED.contains(&it.as_str())) {
            return Err(format!("`{name}` is a reserved name and cannot be a param; hint: choose another"));
        }
        Ok(ScheduleRead(Schedule {
            name: shape.name.unwrap_or_default(),
            about: shape.about,
            rhythm,
            zone,
            zone_name,
            reference: shape.r#ref,
            params: shape.params.into_iter().collect(),
            overlap: shape.overlap,
            missed: shape.missed,
            window: shape.window.unwrap_or(WINDOW),
        }))
    }
}

impl ScheduleRead {
    /// The schedule, the `number`-th of its list from 1.
    pub fn schedule(self, number: usize) -> Schedule {
        let name = if self.0.name.is_empty() { number.to_string() } else { self.0.name.clone() };
        Schedule { name, ..self.0 }
    }
}
