//! What every keeper does by itself, said once for all of them.

use std::sync::Arc;

use crate::engine::ports::Refused;
use crate::model::params::Params;
use crate::model::signal::{Signal, SignalKind, SignalTarget};
use crate::model::task::Task;
use crate::model::time::Timestamp;

/// A history keeps at least so many of a task's last events.
pub const EVENTS_KEPT: usize = 1_000;
/// A history is cut to [`EVENTS_KEPT`] when it has grown longer than this: not at every commit, as cutting
/// costs.
pub const EVENTS_MAX: usize = 1_100;

/// The task that a signal makes which creates; none for any other signal.
///
/// Refused as unwritable if the runner has not said where the task begins, or given it a number.
pub fn born(signal: &Signal, now: Timestamp) -> Result<Option<Task>, Refused> {
    let (params, caller, at, birth, fan_out) = match &signal.kind {
        SignalKind::Create { params, caller, at, birth } => {
            (params, caller.as_ref(), at.as_ref(), birth, None)
        }
        SignalKind::Chunk { caller, at, fan_out, birth } => {
            (&Params::default(), Some(caller), Some(at), birth, Some(Arc::clone(fan_out)))
        }
        SignalKind::Modify { .. } | SignalKind::Answer { .. } | SignalKind::Command { .. } => {
            return Ok(None);
        }
    };
    let (SignalTarget::Address(address), Some(at), Some(birth)) = (&signal.to, at, birth) else {
        let to = &signal.to;
        return Err(Refused::Unwritable(format!(
            "a signal to {to:?} creates, but does not say where or as whom"
        )));
    };
    let task = Task::new(birth.clone(), address.clone(), at.clone(), params.clone(), now);
    Ok(Some(Task { caller: caller.cloned(), fan_out, ..task }))
}

/// When a task is due that has mail since `now`: at once, and no later than it was before.
pub fn due_with_mail(due: Option<Timestamp>, now: Timestamp) -> Timestamp {
    due.map_or(now, |due| due.min(now))
}
