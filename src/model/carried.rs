//! Faults on their way through minijinja: each travels as the source of an error, and comes out as the
//! fault it was.

use std::fmt;

use minijinja::{Error, ErrorKind};

use crate::model::fault::Fault;

/// A fault on its way through minijinja.
#[derive(Debug)]
struct Carried(Fault);

impl fmt::Display for Carried {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(&self.0.message)
    }
}

impl std::error::Error for Carried {}

/// The error that a fault travels as.
pub(crate) fn error(fault: Fault) -> Error {
    Error::new(ErrorKind::InvalidOperation, fault.message.clone()).with_source(Carried(fault))
}

/// The same, for `bad_value`.
pub(crate) fn bad_value(message: &str) -> Error {
    error(Fault::lasting("bad_value", message))
}

/// The fault that an error is.
pub(crate) fn fault_of(failed: &Error, source: &str) -> Fault {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(failed);
    while let Some(it) = cause {
        if let Some(Carried(fault)) = it.downcast_ref::<Carried>() {
            return fault.clone();
        }
        cause = it.source();
    }
    if failed.kind() == ErrorKind::UndefinedError {
        return Fault::lasting("missing_param", format!("a value in `{source}` is missing"));
    }
    let message = failed.detail().map_or_else(|| failed.kind().to_string(), uncapped);
    Fault::lasting("bad_expression", format!("`{source}`: {message}"))
}

/// What a library says, beginning in small letters; names in it keep theirs.
pub(crate) fn uncapped(message: &str) -> String {
    let mut letters = message.chars();
    let first: String = letters.next().into_iter().flat_map(char::to_lowercase).collect();
    first + letters.as_str()
}
