//! [`Need`]: what a door asks of who comes. Every way in has one for each of its routes; what is behind the
//! door asks once more, of the very object.

use crate::desk::actor::{Actor, Right};
use crate::desk::refusal::{Done, Refusal};
use crate::model::names::ProcessId;

/// What a door asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Nothing: it is open to everybody.
    Nothing,
    /// The key in the address is the right.
    Key,
    /// To be known.
    Known,
    /// A right in the process that the address names.
    Here(Right),
    /// A right somewhere; what is shown is what one may see.
    Somewhere(Right),
    /// A right in all processes, and for what belongs to none.
    Everywhere(Right),
}

impl Need {
    /// Whether strangers come in.
    pub fn is_open(self) -> bool {
        matches!(self, Need::Nothing | Need::Key)
    }

    /// Refuses who may not. `process` is the one the address names; none if it names no process there can be.
    pub fn ask(self, by: &Actor, process: Option<&ProcessId>) -> Done<()> {
        match (self, process) {
            (Need::Nothing | Need::Key | Need::Known, _) => Ok(()),
            (Need::Here(right), Some(process)) => by.need(right, process),
            (Need::Here(right) | Need::Somewhere(right), _) => match by.has(right) {
                true => Ok(()),
                false => Err(Refusal::Denied { right, process: None }),
            },
            (Need::Everywhere(right), _) => by.need_everywhere(right),
        }
    }
}
