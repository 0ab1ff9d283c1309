//! [`Again`]: what became of a step when it was decided before, for the next time.

use std::collections::BTreeSet;

use crate::engine::census::Reserved;
use crate::engine::registry::DeployedProcess;
use crate::model::fault::Fault;

/// How often a step is decided anew because another was faster at an address, before that is a fault: who
/// loses so often meets something that never rests.
pub const ROUNDS_MAX: u32 = 8;

/// What became of a step when it was decided before.
#[derive(Debug, Default)]
pub struct Again {
    /// How often the store refused it for what it writes to others.
    rounds: u32,
    /// The addresses, as text, that it writes to no more.
    pub contended: BTreeSet<String>,
    /// How it is decided.
    pub way: StepMode,
    /// Places for the tasks that are born of it.
    pub places: Option<Reserved>,
    /// By what was deployed it was decided.
    pub held: Option<DeployedProcess>,
}

/// How a step is decided.
#[derive(Clone, Debug, Default)]
pub enum StepMode {
    /// As it is.
    #[default]
    Whole,
    /// With the first of its signals alone: one of them does harm.
    OneSignal,
    /// This happens to the task where it stands. Whether the signals are to blame, and so are refused.
    Fall(Fault, bool),
    /// The task ends with this.
    End(Fault),
}

impl Again {
    /// Another was faster at that address.
    pub fn refused(&mut self, address: String) {
        self.rounds += 1;
        if self.rounds >= ROUNDS_MAX {
            self.contended.insert(address);
        }
    }

    /// What was decided cannot be used for `fault`, and signals are to blame, or are not. Says whether there
    /// is another way.
    pub fn fell(&mut self, fault: Fault, signals: Blame) -> bool {
        let (way, other) = match (std::mem::take(&mut self.way), signals) {
            (StepMode::Whole, Blame::OneOfMany) => (StepMode::OneSignal, true),
            (StepMode::Whole | StepMode::OneSignal, blame) => {
                (StepMode::Fall(fault, blame != Blame::None), true)
            }
            (StepMode::Fall(..), _) => (StepMode::End(fault), true),
            (StepMode::End(fault), _) => (StepMode::End(fault), false),
        };
        self.way = way;
        other
    }
}

/// Whether the signals that a task reads are to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// There are none, or without them it is the same.
    None,
    /// The only one, or the first.
    First,
    /// It is not known which.
    OneOfMany,
}
