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

    /// Whether their size as JSON is within `max` bytes. Only where that is near are they written to know it.
    pub fn fit(&self, max: usize) -> bool {
        let roomy = self.0.iter().try_fold(2, |sum, (name, value)| most(name, value, sum, max)).is_some();
        roomy || self.bytes() <= max
    }

    /// Their size as JSON, in bytes.
    pub fn bytes(&self) -> usize {
        let mut count = Count(0);
        // Writing JSON into a counter cannot fail: it has no I/O, and keys are strings.
        serde_json::to_writer(&mut count, &self.0).map_or(usize::MAX, |()| count.0)
    }
}

/// The longest that a number, `true`, `false` or `null` is in JSON, in bytes.
const SCALAR_BYTES_MAX: usize = 32;
/// The longest that a byte of a text becomes in JSON: `\u0000`.
const ESCAPED_BYTES_MAX: usize = 6;

/// `sum` and the most that a member can take as JSON; nothing beyond `max`.
fn most(name: &str, value: &Value, sum: usize, max: usize) -> Option<usize> {
    // Two quotes, a colon, a comma and a pair of brackets belong to it.
    let sum = sum.saturating_add(name.len().saturating_mul(ESCAPED_BYTES_MAX)).saturating_add(6);
    let sum = match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => sum.saturating_add(SCALAR_BYTES_MAX),
        Value::String(text) => sum.saturating_add(text.len().saturating_mul(ESCAPED_BYTES_MAX) + 2),
        Value::Array(items) => items.iter().try_fold(sum, |sum, item| most("", item, sum, max))?,
        Value::Object(map) => map.iter().try_fold(sum, |sum, (name, item)| most(name, item, sum, max))?,
    };
    (sum <= max).then_some(sum)
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::hash_map(any::<String>(), inner, 0..4)
                    .prop_map(|it| it.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_fits_is_what_is_small_enough_when_written(
            value in values(), name in ".{0,8}", max in 0..400usize
        ) {
            let params = Params::from_iter([(name, value)]);
            prop_assert_eq!(params.fit(max), params.bytes() <= max);
        }
    }

    #[test]
    fn the_last_byte_counts() {
        let params = Params::from_iter([("a".to_owned(), json!("\u{1}ä"))]);
        assert_eq!(params.bytes(), r#"{"a":"\u0001ä"}"#.len());
        assert!(params.fit(params.bytes()) && !params.fit(params.bytes() - 1));
    }
}
