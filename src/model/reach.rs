//! [`Reach`]: in which other processes the tasks of a process may act: create tasks, and write to them.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::model::fault::Fault;
use crate::model::names::ProcessId;

/// Some processes; none: all there are and will be.
pub type Granted = Option<Arc<BTreeSet<ProcessId>>>;

/// Where a process may act.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// Where whoever deployed it may run tasks.
    pub granted: Granted,
    /// Those that are `open_to` it.
    pub opened: Arc<BTreeSet<ProcessId>>,
}

impl Reach {
    /// Whether tasks of `from` may act in `to`.
    ///
    /// # Errors
    /// `not_open`.
    pub fn may_act(&self, from: &ProcessId, to: &ProcessId) -> Result<(), Fault> {
        let Some(granted) = &self.granted else { return Ok(()) };
        if from == to || granted.contains(to) || self.opened.contains(to) {
            return Ok(());
        }
        let message = format!(
            "`{from}` may not act in process `{to}`: who deployed it may not run tasks there; \
             hint: write `open_to: [{from}]` in `{to}`, or let somebody deploy `{from}` who may"
        );
        Err(Fault::lasting("not_open", message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reaches_itself_what_was_granted_and_what_is_open() {
        let [shop, mill, store, bank] =
            ["shop", "mill", "store", "bank"].map(|it| ProcessId::new(it).unwrap());
        let reach = Reach {
            granted: Some(Arc::new(BTreeSet::from([mill.clone()]))),
            opened: Arc::new(BTreeSet::from([store.clone()])),
        };
        for near in [&shop, &mill, &store] {
            reach.may_act(&shop, near).unwrap();
        }
        let fault = reach.may_act(&shop, &bank).unwrap_err();
        assert_eq!(fault.code, "not_open");
        assert!(fault.message.contains("`open_to: [shop]` in `bank`"), "{}", fault.message);
        Reach::default().may_act(&shop, &bank).unwrap();
    }
}
