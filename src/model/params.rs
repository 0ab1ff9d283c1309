//! [`Params`]: the data a task carries. [`ParamChanges`]: what a node does to them.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::model::marks::{Marks, place_of};

/// The params of a task: one JSON object, and which of it is secret wherever it goes. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Params {
    map: Arc<Map<String, Value>>,
    marks: Marks,
}

/// Under this name the marks are kept beside the params. No param can be called so: no text may hold that
/// character.
const MARKS_KEY: &str = "\u{FDD0}marks";

impl Params {
    /// The top-level param `name`.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.map.get(name)
    }

    /// All of them.
    pub fn map(&self) -> &Map<String, Value> {
        &self.map
    }

    /// Which of them hold a secret, or what was made of one.
    pub fn marks(&self) -> &Marks {
        &self.marks
    }

    /// Sets the top-level param `name`.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        Arc::make_mut(&mut self.map).insert(name.to_owned(), value.into());
        self.unmark(name);
    }

    /// The same, with the marks of the value.
    pub fn set_marked(&mut self, name: &str, value: Value, marks: &Marks) {
        self.set(name, value);
        self.mark(&marks.below(&place_of(&[name])));
    }

    /// Marks more of them.
    pub fn mark(&mut self, marks: &Marks) {
        self.marks.add(marks);
    }

    /// Marks what is secret by declaration, as far as it is there.
    pub fn declare(&mut self, secret: &BTreeSet<String>) {
        for name in secret.iter().filter(|it| self.map.get(*it).is_some_and(|it| !it.is_null())) {
            self.marks.mark(&place_of(&[name]));
        }
    }

    /// Removes the top-level param `name`.
    pub fn unset(&mut self, name: &str) {
        if self.map.contains_key(name) {
            Arc::make_mut(&mut self.map).shift_remove(name);
            self.unmark(name);
        }
    }

    /// Lays `other` over this: its params win, and their marks.
    pub fn merge(&mut self, other: &Params) {
        if !other.map.is_empty() {
            let mine = Arc::make_mut(&mut self.map);
            mine.extend(other.map.iter().map(|(name, value)| (name.clone(), value.clone())));
            other.map.keys().for_each(|name| self.unmark(name));
            self.marks.add(&other.marks);
        }
    }

    fn unmark(&mut self, name: &str) {
        if !self.marks.is_empty() {
            self.marks.clear(&place_of(&[name]));
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    /// Whether their size as JSON is within `max` bytes. Only where that is near are they written to know it.
    pub fn fit(&self, max: usize) -> bool {
        let roomy = self.map.iter().try_fold(2, |sum, (name, value)| most(name, value, sum, max)).is_some();
        roomy || self.bytes() <= max
    }

    /// Their size as JSON, in bytes.
    pub fn bytes(&self) -> usize {
        let mut count = Count(0);
        // Writing JSON into a counter cannot fail: it has no I/O, and keys are strings.
        serde_json::to_writer(&mut count, &self.map).map_or(usize::MAX, |()| count.0)
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
        Params::from(pairs.into_iter().collect::<Map<String, Value>>())
    }
}

impl From<Map<String, Value>> for Params {
    fn from(map: Map<String, Value>) -> Self {
        Params { map: Arc::new(map), marks: Marks::default() }
    }
}

impl Serialize for Params {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if self.marks.is_empty() {
            return self.map.serialize(to);
        }
        let mut all = to.serialize_map(Some(self.map.len() + 1))?;
        let others = self.map.iter().filter(|(name, _)| *name != MARKS_KEY);
        others.into_iter().try_for_each(|(name, value)| all.serialize_entry(name, value))?;
        all.serialize_entry(MARKS_KEY, &self.marks)?;
        all.end()
    }
}

impl<'de> Deserialize<'de> for Params {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Params, D::Error> {
        let mut map = Map::deserialize(from)?;
        let marks = map.shift_remove(MARKS_KEY).and_then(|it| serde_json::from_value(it).ok());
        Ok(Params { map: Arc::new(map), marks: marks.unwrap_or_default() })
    }
}

/// What a node does to the params: all of it, or nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ParamChanges {
    /// New values, by name.
    pub set: Params,
    /// Names that go.
    pub unset: Vec<String>,
}

impl ParamChanges {
    /// Only new values.
    pub fn set(set: Params) -> ParamChanges {
        ParamChanges { set, unset: Vec::new() }
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
    fn marks_go_with_the_values_they_belong_to() {
        let marked = |places: &[&str]| places.iter().map(|it| (*it).to_owned()).collect::<Marks>();
        let mut params = Params::from_iter([("a".to_owned(), json!("x")), ("b".to_owned(), json!({"c": 1}))]);
        params.mark(&marked(&["/a", "/b/c"]));
        let mut copy = Params::default();
        copy.merge(&params);
        assert_eq!(copy.marks(), params.marks());
        copy.merge(&Params::from_iter([("b".to_owned(), json!(2))]));
        assert_eq!(copy.marks(), &marked(&["/a"]));
        copy.unset("a");
        assert!(copy.marks().is_empty());
        copy.set_marked("d", json!([1, 2]), &marked(&["/1"]));
        assert_eq!(copy.marks(), &marked(&["/d/1"]));
        copy.declare(&["d".to_owned(), "not there".to_owned()].into());
        assert_eq!(copy.marks(), &marked(&["/d", "/d/1"]));
    }

    #[test]
    fn marks_are_kept_with_the_params_and_are_none_of_them() {
        let mut params = Params::from_iter([("a".to_owned(), json!("x"))]);
        let plain = serde_json::to_string(&params).unwrap();
        assert_eq!(plain, r#"{"a":"x"}"#);
        assert_eq!(serde_json::from_str::<Params>(&plain).unwrap(), params);
        let bytes = params.bytes();
        params.mark(&Marks::whole());
        let kept: Params = serde_json::from_str(&serde_json::to_string(&params).unwrap()).unwrap();
        assert_eq!((&kept, kept.map().len(), kept.bytes()), (&params, 1, bytes));
    }

    #[test]
    fn the_last_byte_counts() {
        let params = Params::from_iter([("a".to_owned(), json!("\u{1}ä"))]);
        assert_eq!(params.bytes(), r#"{"a":"\u0001ä"}"#.len());
        assert!(params.fit(params.bytes()) && !params.fit(params.bytes() - 1));
    }
}
