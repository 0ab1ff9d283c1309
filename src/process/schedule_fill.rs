//! What a schedule makes of a planned time: the task's name and its params.

use serde_json::Value;

use crate::model::fault::Fault;
use crate::model::names::{Address, Ref, TaskId};
use crate::model::params::Params;
use crate::model::scope::{EvalContext, ReadSet};
use crate::model::task::{Birth, Seed, Task};
use crate::model::time::Timestamp;
use crate::process::process::Process;
use crate::process::schedule::Schedule;

/// The name and the params of the task for `planned`.
///
/// # Errors
/// What the texts could not read.
pub fn filled(
    process: &Process,
    schedule: &Schedule,
    planned: Timestamp,
    scope: &ReadSet,
    now: Timestamp,
) -> Result<(String, Params), Fault> {
    let stamp = schedule.stamp(planned);
    let seen = [
        ("planned", Value::from(stamp.as_str())),
        ("planned_at", Value::from(planned.seconds())),
        ("date", Value::from(schedule.date(planned))),
        ("schedule", Value::from(schedule.name.as_str())),
    ];
    let seen: Params = seen.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let own = Ref::new(&schedule.name).map_err(|bad| Fault::lasting("bad_name", bad.to_string()))?;
    let birth = Birth::new(TaskId(0), Seed([0; 16]));
    let address = Address { process: process.id.clone(), reference: own };
    let view = EvalContext::new(Task::new(birth, address, process.start.clone(), seen, now), scope, now);
    let reference = match &schedule.reference {
        Some(draft) => draft.text(&view)?,
        None => format!("{}-{stamp}", schedule.name),
    };
    let params = schedule.params.iter().map(|(name, draft)| Ok((name.clone(), draft.fill(&view)?)));
    Ok((reference, params.collect::<Result<Params, Fault>>()?))
}
