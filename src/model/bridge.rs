//! Values of minijinja as JSON, as text and as numbers, and JSON as they see it. What a value is in a text is
//! said here alone, so that `~`, `|string`, `|join` and all that takes a text write the same.

use std::borrow::Cow;
use std::sync::Arc;

use minijinja::Error;
use minijinja::value::{Enumerator, Object, Value, ValueKind};
use serde_json::{Map, Value as Json};

use crate::model::budget::{SLOT_BYTES, charge, charge_slots, charge_text};
use crate::model::carried::{bad_value, error, fault_of};
use crate::model::fault::Fault;
use crate::model::syntax::kind_name;

/// The most values an expression may give, and how deep they may stand in each other.
const VALUES_MAX: usize = 100_000;
const DEPTH_MAX: usize = 100;
/// The longest text that an expression may make at once, in bytes.
pub(crate) const BYTES_MAX: usize = 1024 * 1024;

/// A value as it stands in a text: strings as they are, all else as compact JSON.
///
/// # Errors
/// `bad_value` for null and for what is missing: in a text it would be a silent nothing.
pub(crate) fn text_of(value: &Value) -> Result<Cow<'_, str>, Error> {
    match value.as_str() {
        Some(text) => Ok(Cow::Borrowed(text)),
        None if value.is_none() || value.is_undefined() => {
            Err(bad_value("null is no text; hint: `\"…\" if x is none else x`"))
        }
        None => to_json(value).map(|it| Cow::Owned(it.to_string())).map_err(error),
    }
}

/// The same for a part of a text, which a fault names.
///
/// # Errors
/// `missing_param` for null, `bad_value` for what JSON cannot hold.
pub(crate) fn part_of<'v>(value: &'v Value, name: &str) -> Result<Cow<'v, str>, Error> {
    if value.is_none() || value.is_undefined() {
        let message = format!("`{name}` is null; hint: write `\"…\" if {name} is none else {name}`");
        return Err(error(Fault::lasting("missing_param", message)));
    }
    text_of(value)
}

/// The fault of a text that has grown too long.
pub(crate) fn too_long() -> Error {
    bad_value(&format!("an expression makes a text of more than {BYTES_MAX} bytes"))
}

/// A whole number, however it is held.
pub(crate) fn integer(value: &Value) -> Option<i128> {
    if value.is_integer() { i128::try_from(value.clone()).ok() } else { None }
}

/// A number as a float.
pub(crate) fn float(value: &Value) -> Result<f64, Error> {
    match integer(value) {
        #[expect(clippy::cast_precision_loss, reason = "a float is what the other side is")]
        Some(it) => Ok(it as f64),
        None if value.kind() == ValueKind::Number => f64::try_from(value.clone()),
        None => Err(bad_value(&format!("{} is no number", kind_name(value.kind())))),
    }
}

/// As an expression sees a value.
///
/// # Errors
/// `budget_exceeded`.
pub(crate) fn of_json(value: &Json) -> Result<Value, Fault> {
    Ok(match value {
        Json::Null => Value::from(()),
        Json::Bool(it) => Value::from(*it),
        Json::String(it) => {
            charge_text(it.len())?;
            Value::from(it.as_str())
        }
        Json::Number(it) => match (it.as_i64(), it.as_u64()) {
            (Some(it), _) => Value::from(it),
            (None, Some(it)) => Value::from(it),
            (None, None) => Value::from(it.as_f64().unwrap_or(f64::NAN)),
        },
        Json::Array(items) => {
            charge_slots(items.len())?;
            items.iter().map(of_json).collect::<Result<Vec<Value>, Fault>>()?.into()
        }
        Json::Object(map) => Value::from_pairs(pairs(map)?),
    })
}

fn pairs(map: &Map<String, Json>) -> Result<Vec<(&str, Value)>, Fault> {
    charge_slots(map.len().saturating_mul(3))?;
    map.iter().map(|(key, value)| Ok((key.as_str(), of_json(value)?))).collect()
}

/// Headers, to be asked for by name in any case.
///
/// # Errors
/// As [`of_json`].
pub(crate) fn headers_of(map: &Map<String, Json>) -> Result<Value, Fault> {
    let pairs = pairs(map)?.into_iter().map(|(name, value)| (name.to_owned(), value));
    Ok(Value::from_object(Headers(pairs.collect())))
}

/// By name in lower case.
#[derive(Debug)]
struct Headers(Vec<(String, Value)>);

impl Object for Headers {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let name = key.as_str()?;
        let found = self.0.iter().find(|(it, _)| it.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.clone())
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.0.iter().map(|(name, _)| Value::from(name.as_str())).collect())
    }
}

/// What an expression gave, as JSON.
///
/// # Errors
/// `missing_param` for what is undefined, `bad_value` for what JSON cannot hold.
pub(crate) fn to_json(value: &Value) -> Result<Json, Fault> {
    let mut left = VALUES_MAX;
    json_of(value, 0, &mut left)
}

fn json_of(value: &Value, depth: usize, left: &mut usize) -> Result<Json, Fault> {
    let bad = |it: &str| Fault::lasting("bad_value", format!("an expression gives {it}"));
    if depth > DEPTH_MAX {
        return Err(bad("too deep a value"));
    }
    *left = left.checked_sub(1).ok_or_else(|| bad("too many values"))?;
    charge(1, SLOT_BYTES)?;
    let failed = |it: Error| fault_of(&it, "…");
    match value.kind() {
        ValueKind::Undefined => {
            Err(Fault::lasting("missing_param", "the value of the expression is missing"))
        }
        ValueKind::None => Ok(Json::Null),
        ValueKind::Bool => Ok(Json::Bool(value.is_true())),
        ValueKind::String => {
            let text = value.as_str().unwrap_or_default();
            charge_text(text.len())?;
            Ok(Json::String(text.to_owned()))
        }
        ValueKind::Number => {
            let number = match integer(value) {
                Some(it) => serde_json::Number::from_i128(it),
                None => f64::try_from(value.clone()).ok().and_then(serde_json::Number::from_f64),
            };
            number.map(Json::Number).ok_or_else(|| bad("a number that JSON cannot hold"))
        }
        ValueKind::Seq | ValueKind::Iterable => {
            let items = value.try_iter().map_err(failed)?;
            items.map(|it| json_of(&it, depth + 1, left)).collect::<Result<_, _>>().map(Json::Array)
        }
        ValueKind::Map => {
            let mut map = serde_json::Map::new();
            for key in value.try_iter().map_err(failed)? {
                let item = value.get_item(&key).map_err(failed)?;
                map.insert(key_of(&key)?, json_of(&item, depth + 1, left)?);
            }
            Ok(Json::Object(map))
        }
        _ => Err(value.try_iter().err().map_or_else(|| bad("what is no JSON"), failed)),
    }
}

/// A key of a map, as JSON has it.
fn key_of(key: &Value) -> Result<String, Fault> {
    match key.as_str() {
        Some(text) => Ok(text.to_owned()),
        None if key.is_none() => Err(Fault::lasting("bad_value", "null is no key of a map")),
        None => to_json(key).map(|it| it.to_string()),
    }
}
