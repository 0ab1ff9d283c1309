//! [`Descent`]: the births that stand above a task and followed each other without a rest. A task that starts
//! a task that starts a task has no end; this is how its end is known.

use serde::{Deserialize, Serialize};

use crate::model::fault::Fault;
use crate::model::names::ProcessId;

/// How many births may follow each other before one of the tasks must rest: recursion that ends by itself is
/// rarely half as deep, and what goes on for ever is stopped within a second.
pub const BIRTHS_MAX: u32 = 100;
/// As many processes of a chain are remembered: enough to name any loop that a person can find.
const NAMES_MAX: usize = 8;

/// The births above a task since one of its ancestors came from a timer, an answer, a person or a hook.
/// Written at its birth, emptied by its own step when the task has rested.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Descent {
    /// How many.
    births: u32,
    /// The processes of those above, each once, the oldest first.
    through: Vec<ProcessId>,
}

impl Descent {
    /// That of a task which is born of one of `parent` that has this.
    #[must_use]
    pub fn below(&self, parent: &ProcessId) -> Descent {
        let mut through = self.through.clone();
        if !through.contains(parent) && through.len() < NAMES_MAX {
            through.push(parent.clone());
        }
        Descent { births: self.births.saturating_add(1), through }
    }

    /// Whether there are none.
    pub fn is_none(&self) -> bool {
        self.births == 0
    }

    /// Whether a task of `parent` may give birth.
    ///
    /// # Errors
    /// `birth_chain`, which names the processes.
    pub fn may_go_on(&self, parent: &ProcessId) -> Result<(), Fault> {
        if self.births < BIRTHS_MAX {
            return Ok(());
        }
        let names: Vec<String> =
            self.below(parent).through.iter().map(|process| format!("`{process}`")).collect();
        let message = format!(
            "{} births followed each other without a rest, through {}; \
             hint: let a `condition` end the chain, or let its tasks rest, as in a `delay`",
            self.births,
            names.join(" and ")
        );
        Err(Fault::lasting("birth_chain", message))
    }
}
