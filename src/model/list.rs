//! [`ListSource`]: a list as it is written in YAML: literally, as `{{items}}`, or as an expression. Read by
//! reference where that is possible, for it may be long; `= range(…)` is never laid out at all.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::model::expr::Expr;
use crate::model::fault::Fault;
use crate::model::marks::Marks;
use crate::model::mistake::Mistake;
use crate::model::scope::EvalContext;
use crate::model::value::ValueTemplate;

/// The most items of a list that is worked through: a day's work at a hundred a second.
pub const ITEMS_MAX: u64 = 10_000_000;

/// A list, or what gives one. Cheap to clone.
#[derive(Clone, Debug)]
pub enum ListSource {
    /// `= range(…)`: the numbers between its brackets.
    Range(Expr),
    /// Anything else.
    Draft(ValueTemplate),
}

/// The items of a list.
#[derive(Clone, Debug)]
pub enum Items<'v> {
    /// As they are.
    Listed(Cow<'v, [Value]>),
    /// Numbers at the same distance from each other.
    Range {
        /// The first one.
        first: i64,
        /// The distance.
        step: i64,
        /// How many.
        count: u64,
    },
}

impl ListSource {
    /// Compiles `value`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(value: &Value) -> Result<ListSource, Mistake> {
        if let Some(numbers) = value.as_str().and_then(range)
            && let Ok(expr) = Expr::parse(&format!("[{numbers}]"))
        {
            return Ok(ListSource::Range(expr));
        }
        let draft = ValueTemplate::new(value)?;
        match draft.literal() {
            None | Some(Value::Array(_)) => Ok(ListSource::Draft(draft)),
            Some(_) => {
                Err(Mistake::new("this is no list").hint("write `\"{{items}}\"`, `= expression` or `[…]`"))
            }
        }
    }

    /// Its items, and what of the list is secret.
    ///
    /// # Errors
    /// As [`ListSource::read`].
    pub fn read_marked<'v>(&'v self, view: &'v EvalContext) -> Result<(Items<'v>, Marks), Fault> {
        let (items, is_secret) = view.scope.taint.during(|| self.read(view));
        let marks = match self {
            ListSource::Draft(draft) if is_secret && items.is_ok() => draft.fill_marked(view)?.1,
            // Numbers say no more than how many there are.
            ListSource::Draft(_) | ListSource::Range(_) => Marks::default(),
        };
        Ok((items?, marks))
    }

    /// Its items.
    ///
    /// # Errors
    /// What is missing, by name; `bad_value` for what is no list; `too_many_items`.
    pub fn read<'v>(&'v self, view: &'v EvalContext) -> Result<Items<'v>, Fault> {
        let items = match self {
            ListSource::Range(numbers) => numbered(&numbers.eval(view)?)?,
            ListSource::Draft(draft) => match draft.look(view)? {
                Cow::Borrowed(Value::Array(items)) => Items::Listed(Cow::Borrowed(items)),
                Cow::Owned(Value::Array(items)) => Items::Listed(Cow::Owned(items)),
                other => return Err(bad(&format!("the items are {}, and no list", kind(&other)))),
            },
        };
        match items.count() {
            count if count > ITEMS_MAX => {
                let message =
                    format!("the list has {count} items, and {ITEMS_MAX} are allowed; hint: split it");
                Err(Fault::lasting("too_many_items", message))
            }
            _ => Ok(items),
        }
    }
}

impl Items<'_> {
    /// How many there are.
    pub fn count(&self) -> u64 {
        match self {
            Items::Listed(items) => items.len() as u64,
            Items::Range { count, .. } => *count,
        }
    }

    /// The one at `index`, if there is one.
    pub fn get(&self, index: u64) -> Option<Cow<'_, Value>> {
        match self {
            Items::Listed(items) => items.get(usize::try_from(index).ok()?).map(Cow::Borrowed),
            Items::Range { first, step, count } => {
                let index = i64::try_from(index).ok().filter(|_| index < *count)?;
                Some(Cow::Owned(Value::from(first + step * index)))
            }
        }
    }

    /// What tells this list from any other.
    pub fn print(&self) -> String {
        match self {
            Items::Listed(items) => {
                let mut hash = Hash(Sha256::new());
                // Writing JSON into a hash cannot fail: it has no I/O, and keys are strings.
                serde_json::to_writer(&mut hash, items).expect("a hash takes all that is written to it");
                let digest = hash.0.finalize();
                let mut start = [0; 8];
                start.copy_from_slice(&digest[..8]);
                format!("{} {:016x}", items.len(), u64::from_be_bytes(start))
            }
            Items::Range { first, step, count } => format!("{count} from {first} by {step}"),
        }
    }
}

struct Hash(Sha256);

impl std::io::Write for Hash {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What stands in the brackets of `= range(…)`, if that is all of the text.
fn range(text: &str) -> Option<&str> {
    text.strip_prefix('=')?.trim().strip_prefix("range(")?.strip_suffix(')')
}

/// As Jinja's `range`: the end; the start and the end; the start, the end and the step.
fn numbered(numbers: &Value) -> Result<Items<'static>, Fault> {
    let numbers: Option<Vec<i64>> = numbers.as_array().into_iter().flatten().map(Value::as_i64).collect();
    let (first, end, step) = match numbers.as_deref() {
        Some([end]) => (0, *end, 1),
        Some([first, end]) => (*first, *end, 1),
        Some([first, end, step]) if *step != 0 => (*first, *end, *step),
        _ => return Err(bad("`range` takes one, two or three whole numbers, and the third is not 0")),
    };
    let (way, pace) = if step > 0 {
        (i128::from(end) - i128::from(first), i128::from(step))
    } else {
        (i128::from(first) - i128::from(end), -i128::from(step))
    };
    // `div_ceil` of signed numbers is not stable yet; the way is positive here.
    let count = u64::try_from((way.max(0) + pace - 1) / pace).unwrap_or(u64::MAX);
    Ok(Items::Range { first, step, count })
}

fn bad(message: &str) -> Fault {
    Fault::lasting("bad_value", message)
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}

impl<'de> Deserialize<'de> for ListSource {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        ListSource::new(&Value::deserialize(from)?).map_err(de::Error::custom)
    }
}

impl JsonSchema for ListSource {
    fn schema_name() -> Cow<'static, str> {
        "List".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["array", "string"],
            "description": "A list: `[…]`, `{{items}}`, or an expression such as `= range(100)`."
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::example::view;

    fn read(list: &Value) -> Result<Vec<Value>, String> {
        let view = view(json!({"list": [3, "a", {"b": 1}], "n": 3, "none": null, "text": "a,b"}));
        let list = ListSource::new(list).map_err(|it| it.message)?;
        let items = list.read(&view).map_err(|it| it.code)?;
        Ok((0..items.count()).map(|at| items.get(at).unwrap().into_owned()).collect())
    }

    #[test]
    fn a_list_is_literal_or_a_placeholder_or_an_expression() {
        for (list, items) in [
            (json!([1, "{{n}}"]), json!([1, 3])),
            (json!([]), json!([])),
            (json!("{{list}}"), json!([3, "a", {"b": 1}])),
            (json!("= list[1:]"), json!(["a", {"b": 1}])),
            (json!("= text|split(\",\")"), json!(["a", "b"])),
            (json!("= range(n)"), json!([0, 1, 2])),
            (json!("=range(5, n + 4)"), json!([5, 6])),
            (json!("= range(9, 0, -4)"), json!([9, 5, 1])),
            (json!("= range(1, 8, n)"), json!([1, 4, 7])),
            (json!("= range(n, 1)"), json!([])),
            (json!("= range(2)|list + range(1)|list"), json!([0, 1, 0])),
        ] {
            assert_eq!(read(&list).map(Value::Array), Ok(items), "{list}");
        }
        for (list, code) in [
            (json!("{{nope}}"), "missing_param"),
            (json!("{{none}}"), "bad_value"),
            (json!("= n"), "bad_value"),
            (json!("in {{n}}"), "bad_value"),
            (json!("= range(text)"), "bad_value"),
            (json!("= range(1, 2, 0)"), "bad_value"),
            (json!("= range(99999999)"), "too_many_items"),
            (json!("= range(-9223372036854775808, 9223372036854775807)"), "too_many_items"),
            (json!("text"), "this is no list"),
            (json!(5), "this is no list"),
        ] {
            assert_eq!(read(&list), Err(code.to_owned()), "{list}");
        }
    }

    #[test]
    fn two_lists_have_two_prints() {
        let print = |list: Value| {
            let view = view(json!({}));
            ListSource::new(&list).unwrap().read(&view).unwrap().print()
        };
        assert_eq!(print(json!([1, "a"])), print(json!([1, "a"])));
        assert_ne!(print(json!([1, "a"])), print(json!([1, "b"])));
        assert_eq!(print(json!("= range(1000000)")), "1000000 from 0 by 1");
    }
}
