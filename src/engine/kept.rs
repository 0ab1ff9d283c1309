//! What a failing node keeps all the same, in the commit of its fault.

use crate::engine::mask::shown;
use crate::engine::walk::Walk;
use crate::model::fault::Fault;
use crate::model::params::ParamChanges;
use crate::process::process::Node;

impl Walk<'_> {
    /// A fault with changes. Where there is no room for them the fault says so: it is the one that counts.
    pub(super) fn fail_with(
        &mut self,
        node: &Node,
        fault: Fault,
        changes: ParamChanges,
        event: &str,
    ) -> bool {
        let (fault, set) = match self.change_params(changes) {
            Ok(changes) => (fault, Some(changes.set)),
            Err(why) => {
                let message = format!("{}, but for this: {}", fault.message, why.message);
                (Fault { message, ..fault }, None)
            }
        };
        let before = self.events.len();
        let goes_on = self.fail(node, fault, event);
        let set = set.map(|set| shown(&set, &self.task, &self.process.secret));
        if let (Some(set), Some(event)) = (set, self.events.get_mut(before)) {
            event.set = set;
        }
        goes_on
    }
}
