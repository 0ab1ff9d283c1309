//! [`Permission`]: what a door asks of who comes. Every way in has one for each of its routes; what is behind
//! the door asks once more, of the very object.

use crate::model::names::ProcessId;
use crate::service::actor::{Actor, Right};
use crate::service::errors::{ServiceError, ServiceResult};

/// What a door asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
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

impl Permission {
    /// Whether strangers come in.
    pub fn is_open(self) -> bool {
        matches!(self, Permission::Nothing | Permission::Key)
    }

    /// Refuses who may not. `process` is the one the address names; none if it names no process there can be.
    pub fn ask(self, by: &Actor, process: Option<&ProcessId>) -> ServiceResult<()> {
        match (self, process) {
            (Permission::Nothing | Permission::Key | Permission::Known, _) => Ok(()),
            (Permission::Here(right), Some(process)) => by.need(right, process),
            (Permission::Here(right) | Permission::Somewhere(right), _) => match by.has(right) {
                true => Ok(()),
                false => Err(ServiceError::Denied { right, process: None }),
            },
            (Permission::Everywhere(right), _) => by.need_everywhere(right),
        }
    }
}
