//! [`Params`]: the data a task carries. [`Changes`]: what a node does to them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The params of a task: one JSON object. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Params(Arc<Map<String, Value>>);

impl Params {
    /// The top-level param `name`.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// All of them.
    pub fn map(&self) -> &Map<String, Value> {
        &self.0
    }

    /// Sets the top-level param `name`.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        Arc::make_mut(&mut self.0).insert(name.to_owned(), value.into());
    }

    /// Removes the top-level param `name`.
    pub fn unset(&mut self, name: &str) {
        if self.0.contains_key(name) {
            Arc::make_mut(&mut self.0).shift_remove(name);
        }
    }

    /// Lays `other` over this: its params win.
    pub fn merge(&mut self, other: &Params) {
        if !other.0.is_empty() {
            let mine = Arc::make_mut(&mut self.0);
            mine.extend(other.0.iter().map(|(name, value)| (name.clone(), value.clone())));
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Their size as JSON, in bytes.
    pub fn bytes(&self) -> usize {
        let mut count = Count(0);
        // Writing JSON into a counter cannot fail: it has no I/O, and keys are strings.
        serde_json::to_writer(&mut count, &self.0).map_or(usize::MAX, |()| count.0)
    }
}

struct Count(usize);

impl std::io::Write for Count {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl FromIterator<(String, Value)> for Params {
    fn from_iter<I: IntoIterator<Item = (String, Value)>>(pairs: I) -> Self {
        Params(Arc::new(pairs.into_iter().collect()))
    }
}

impl From<Map<String, Value>> for Params {
    fn from(map: Map<String, Value>) -> Self {
        Params(Arc::new(map))
    }
}

/// What a node does to the params: all of it, or nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    /// New values, by name.
    pub set: Params,
    /// Names that go.
    pub unset: Vec<String>,
}

impl Changes {
    /// Only new values.
    pub fn set(set: Params) -> Changes {
        Changes { set, unset: Vec::new() }
    }
}
