//! What a filter was handed, read as it needs it: as text, as a number, as the items of a list.

use std::borrow::Cow;

use minijinja::Error;
use minijinja::value::{Value, ValueKind};

use crate::model::bridge::{integer, text_of};
use crate::model::budget::{SLOT_BYTES, many};
use crate::model::carried::bad_value;
use crate::model::costs::draw;
use crate::model::syntax::kind_name;

/// The widest that a text is padded or broken to, in characters.
pub(crate) const WIDTH_MAX: i64 = 10_000;

/// The value that a filter works on, and what stood in its brackets. What was not given is null.
#[derive(Clone, Copy)]
pub(crate) struct Given<'v>(pub &'v [Value]);

impl<'v> Given<'v> {
    /// The value at that place: 0 is what the filter works on.
    pub(crate) fn at(self, place: usize) -> &'v Value {
        self.0.get(place).unwrap_or(&Value::UNDEFINED)
    }

    /// Whether there is one there.
    pub(crate) fn has(self, place: usize) -> bool {
        !self.at(place).is_none() && !self.at(place).is_undefined()
    }

    /// What stands there, as it is in a text.
    pub(crate) fn text(self, place: usize) -> Result<Cow<'v, str>, Error> {
        text_of(self.at(place))
    }

    /// The same, if anything does.
    pub(crate) fn maybe(self, place: usize) -> Result<Option<Cow<'v, str>>, Error> {
        if self.has(place) { self.text(place).map(Some) } else { Ok(None) }
    }

    /// A whole number.
    pub(crate) fn whole(self, place: usize) -> Result<i64, Error> {
        let number = integer(self.at(place)).and_then(|it| i64::try_from(it).ok());
        number.ok_or_else(|| {
            bad_value(&format!("a whole number is needed, and {} is none", shown(self.at(place))))
        })
    }

    /// A number of characters or items, between `low` and `high`.
    pub(crate) fn size(self, place: usize, low: i64, high: i64) -> Result<usize, Error> {
        let number = self.whole(place)?;
        match usize::try_from(number) {
            Ok(size) if (low..=high).contains(&number) => Ok(size),
            _ => Err(bad_value(&format!("{number} is not between {low} and {high}"))),
        }
    }

    /// A number of characters.
    pub(crate) fn width(self, place: usize) -> Result<usize, Error> {
        self.size(place, 0, WIDTH_MAX)
    }

    /// True or false.
    pub(crate) fn flag(self, place: usize) -> Result<bool, Error> {
        let value = self.at(place);
        match value.kind() {
            ValueKind::Bool => Ok(value.is_true()),
            _ => Err(bad_value(&format!("true or false is needed, and {} is neither", shown(value)))),
        }
    }

    /// The items of a list, paid for.
    pub(crate) fn items(self, place: usize) -> Result<Vec<Value>, Error> {
        items(self.at(place))
    }

    /// The items of a list, the letters of a text, the keys of a map.
    pub(crate) fn each(self, place: usize) -> Result<Vec<Value>, Error> {
        let value = self.at(place);
        match value.kind() {
            ValueKind::String => {
                let letters = many(value.as_str().map_or(0, str::len));
                draw(letters, letters.saturating_mul(SLOT_BYTES))?;
                Ok(value.try_iter()?.collect())
            }
            ValueKind::Map => Ok(self.pairs(place)?.into_iter().map(|(key, _)| key).collect()),
            _ => self.items(place),
        }
    }

    /// The pairs of a map, paid for.
    pub(crate) fn pairs(self, place: usize) -> Result<Vec<(Value, Value)>, Error> {
        pairs(self.at(place))
    }
}

/// The items of a list, paid for.
pub(crate) fn items(value: &Value) -> Result<Vec<Value>, Error> {
    if !matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable) {
        return Err(bad_value(&format!("a list is needed, and {} is none", shown(value))));
    }
    let count = many(value.len().unwrap_or(0));
    draw(count, count.saturating_mul(SLOT_BYTES))?;
    let items: Vec<Value> = value.try_iter()?.collect();
    draw(many(items.len()).saturating_sub(count), 0)?;
    Ok(items)
}

/// The pairs of a map, paid for.
pub(crate) fn pairs(value: &Value) -> Result<Vec<(Value, Value)>, Error> {
    if value.kind() != ValueKind::Map {
        return Err(bad_value(&format!("a map is needed, and {} is none", shown(value))));
    }
    let count = many(value.len().unwrap_or(0));
    draw(count.saturating_mul(2), count.saturating_mul(2 * SLOT_BYTES))?;
    value.try_iter()?.map(|key| value.get_item(&key).map(|it| (key, it))).collect()
}

/// A value in a message: a short text or a number as it is, all else by its kind.
pub(crate) fn shown(value: &Value) -> String {
    const CHARS_MAX: usize = 40;
    match (value.as_str(), value.kind()) {
        (Some(text), _) if text.chars().count() <= CHARS_MAX => format!("{text:?}"),
        (None, ValueKind::Number | ValueKind::Bool) => {
            text_of(value).map_or_else(|_| "a number".to_owned(), |it| format!("`{it}`"))
        }
        (_, kind) => kind_name(kind).to_owned(),
    }
}
