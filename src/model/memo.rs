//! [`Memo`]: what one evaluation remembers, so that the same list or regular expression is not worked
//! through for every item of another list.

use std::sync::{Arc, Mutex, PoisonError};

use minijinja::value::{Object, Value};
use minijinja::{Error, State};

use crate::model::contains::Lists;
use crate::model::pattern::{Pattern, Patterns, Way};

/// The name by which minijinja finds it. No name of an author reaches minijinja as it was written.
pub(crate) const NAME: &str = "memo";

/// What an evaluation remembers.
#[derive(Debug, Default)]
pub(crate) struct Memo {
    lists: Mutex<Lists>,
    patterns: Mutex<Patterns>,
}

impl Object for Memo {}

fn memo(state: &State) -> Arc<Memo> {
    state.lookup(NAME).and_then(|it| it.downcast_object::<Memo>()).unwrap_or_default()
}

/// Whether `value` is in `container`.
pub(crate) fn has(state: &State, container: &Value, value: &Value) -> Result<bool, Error> {
    memo(state).lists.lock().unwrap_or_else(PoisonError::into_inner).has(container, value)
}

/// The regular expression.
pub(crate) fn pattern(state: &State, text: &str, way: Way) -> Result<Arc<Pattern>, Error> {
    memo(state).patterns.lock().unwrap_or_else(PoisonError::into_inner).get(text, way)
}
