//! `x in many`: by hash, from the second time on that the same list is asked.
//!
//! Two values that are equal always have the same [`Mark`]; who shares one is compared as minijinja does.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use minijinja::value::{Value, ValueKind};
use minijinja::{Error, ErrorKind};

use crate::model::budget::{SLOT_BYTES, many, text_steps};
use crate::model::carried::bad_value;
use crate::model::costs::{draw, whole};
use crate::model::syntax::kind_name;

/// How many items a list has at least that is looked up by hash.
const ITEMS_MIN: usize = 16;
/// How many lists one evaluation remembers at most. An expression names few.
const LISTS_MAX: usize = 16;

/// The lists that an evaluation has looked into.
#[derive(Debug, Default)]
pub(crate) struct Lists(Vec<Known>);

#[derive(Debug)]
struct Known {
    /// Held, so that its place in memory is no other list's.
    list: Value,
    index: Option<HashMap<Mark, Vec<Value>>>,
}

/// What equal values have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Mark {
    Text(u64),
    /// Of numbers and truths, the bits of the nearest float.
    Number(u64),
    Other,
}

impl Mark {
    fn of(value: &Value) -> Mark {
        if let Some(text) = value.as_str() {
            let mut hasher = DefaultHasher::new();
            text.hash(&mut hasher);
            return Mark::Text(hasher.finish());
        }
        match value.kind() {
            ValueKind::Bool => Mark::float(if value.is_true() { 1.0 } else { 0.0 }),
            ValueKind::Number => Mark::number(value),
            _ => Mark::Other,
        }
    }

    fn number(value: &Value) -> Mark {
        let whole = if value.is_integer() { i128::try_from(value.clone()).ok() } else { None };
        #[expect(clippy::cast_precision_loss, reason = "who shares a mark is compared exactly")]
        let near = whole.map(|it| it as f64);
        Mark::float(near.or_else(|| f64::try_from(value.clone()).ok()).unwrap_or(f64::NAN))
    }

    /// The two zeros are equal.
    fn float(float: f64) -> Mark {
        Mark::Number((float + 0.0).to_bits())
    }
}

impl Lists {
    /// Whether `value` is in `many`: a piece of a text, a key of a map, or an item of a list.
    ///
    /// # Errors
    /// `budget_exceeded`; an error of minijinja for what nothing can be in.
    pub(crate) fn has(&mut self, container: &Value, value: &Value) -> Result<bool, Error> {
        if let Some(text) = container.as_str() {
            draw(text_steps(text.len()), 0)?;
            return match value.as_str() {
                Some(piece) => Ok(text.contains(piece)),
                None => {
                    let message = format!("{} is no piece of a text", kind_name(value.kind()));
                    Err(bad_value(&format!("{message}; hint: make a text of it with `|string`")))
                }
            };
        }
        match container.kind() {
            ValueKind::Map => {
                draw(1, 0)?;
                Ok(container.get_item(value).is_ok_and(|it| !it.is_undefined()))
            }
            ValueKind::Seq | ValueKind::Iterable => self.lists(container, value),
            ValueKind::Undefined => Ok(false),
            _ => {
                let message = "cannot perform a containment check on this value";
                Err(Error::new(ErrorKind::InvalidOperation, message))
            }
        }
    }

    fn lists(&mut self, list: &Value, value: &Value) -> Result<bool, Error> {
        let place = place(list).filter(|_| list.len().is_some_and(|it| it >= ITEMS_MIN));
        let Some(place) = place else { return among(list.try_iter()?, value) };
        match self.0.iter_mut().find(|it| self::place(&it.list) == Some(place)) {
            Some(Known { index: Some(index), .. }) => {
                draw(2, 0)?;
                let same = index.get(&Mark::of(value)).map(Vec::as_slice).unwrap_or_default();
                among(same.iter().cloned(), value)
            }
            Some(known) => {
                let index = known.index.insert(indexed(list)?);
                let same = index.get(&Mark::of(value)).map(Vec::as_slice).unwrap_or_default();
                among(same.iter().cloned(), value)
            }
            None => {
                if self.0.len() < LISTS_MAX {
                    self.0.push(Known { list: list.clone(), index: None });
                }
                among(list.try_iter()?, value)
            }
        }
    }
}

/// Where a list lies in memory. Lists that are worked out item by item have no such place.
fn place(list: &Value) -> Option<*const Vec<Value>> {
    list.downcast_object_ref::<Vec<Value>>().map(std::ptr::from_ref)
}

fn indexed(list: &Value) -> Result<HashMap<Mark, Vec<Value>>, Error> {
    let items = list.try_iter()?;
    let mut index: HashMap<Mark, Vec<Value>> = HashMap::with_capacity(list.len().unwrap_or(0));
    for item in items {
        let bytes = item.as_str().map_or(0, str::len);
        draw(4 + text_steps(bytes), 3 * SLOT_BYTES)?;
        index.entry(Mark::of(&item)).or_default().push(item);
    }
    Ok(index)
}

/// What was met before.
#[derive(Default)]
pub(crate) struct Seen(HashMap<Mark, Vec<Value>>);

impl Seen {
    /// Keeps the value; whether it is new.
    ///
    /// # Errors
    /// `budget_exceeded`.
    pub(crate) fn add(&mut self, value: &Value) -> Result<bool, Error> {
        draw(4 + text_steps(value.as_str().map_or(0, str::len)), 3 * SLOT_BYTES)?;
        let same = self.0.entry(Mark::of(value)).or_default();
        if among(same.iter().cloned(), value)? {
            return Ok(false);
        }
        same.push(value.clone());
        Ok(true)
    }
}

/// Whether one of `items` is the value; each is compared, and paid for.
fn among(items: impl Iterator<Item = Value>, value: &Value) -> Result<bool, Error> {
    let is_plain = !matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable | ValueKind::Map);
    for item in items {
        match is_plain {
            true => draw(1 + value.as_str().map_or(0, |it| many(it.len() / 64)), 0)?,
            false => whole(&item, 1)?,
        }
        if item.kind() == ValueKind::Invalid {
            // Trying to read it says why.
            item.try_iter()?;
        }
        if item == *value {
            return Ok(true);
        }
    }
    Ok(false)
}
