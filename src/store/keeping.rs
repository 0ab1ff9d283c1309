//! What every keeper does by itself, said once for all of them.

use std::sync::Arc;

use crate::engine::ports::Refused;
use crate::model::params::Params;
use crate::model::task::{Signal, SignalKind, SignalTarget, Task};
use crate::model::time::Timestamp;

/// A trail keeps at least so many of a task's last hops.
pub const HOPS_KEPT: usize = 1_000;
/// A trail is cut to [`HOPS_KEPT`] when it has grown longer than this: not at every commit, as cutting costs.
pub const HOPS_MAX: usize = 1_100;

/// The task that a letter makes which creates; none for any other letter.
///
/// Refused as unwritable if the runner has not said where the task begins, or given it a number.
pub fn born(letter: &Signal, now: Timestamp) -> Result<Option<Task>, Refused> {
    let (params, caller, at, birth, round) = match &letter.word {
        SignalKind::Create { params, caller, at, birth } => {
            (params, caller.as_ref(), at.as_ref(), birth, None)
        }
        SignalKind::Part { caller, at, round, birth } => {
            (&Params::default(), Some(caller), Some(at), birth, Some(Arc::clone(round)))
        }
        SignalKind::Modify { .. } | SignalKind::Answer { .. } | SignalKind::Order { .. } => return Ok(None),
    };
    let (SignalTarget::Address(address), Some(at), Some(birth)) = (&letter.to, at, birth) else {
        let to = &letter.to;
        return Err(Refused::Unwritable(format!(
            "a letter to {to:?} creates, but does not say where or as whom"
        )));
    };
    let task = Task::new(birth.clone(), address.clone(), at.clone(), params.clone(), now);
    Ok(Some(Task { caller: caller.cloned(), round, ..task }))
}

/// When a task is due that has mail since `now`: at once, and no later than it was before.
pub fn due_with_mail(due: Option<Timestamp>, now: Timestamp) -> Timestamp {
    due.map_or(now, |due| due.min(now))
}
