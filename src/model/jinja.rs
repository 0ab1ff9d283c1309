//! Minijinja as we use it: our functions and filters beside its own, and JSON to and fro. Whatever does
//! more than a step of work draws on the budget of the evaluation.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use minijinja::value::{Enumerator, Kwargs, Object, Rest, Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind, State, UndefinedBehavior, filters, functions, tests};
use serde_json::Value as Json;

use crate::model::budget::{SLOT_BYTES, charge, charge_slots, charge_text, many};
use crate::model::carried::{bad_value, error, fault_of};
use crate::model::contains::Lists;
use crate::model::costs::{Cost, add_filter, add_test, draw, whole};
use crate::model::fault::Fault;
use crate::model::helpers;
use crate::model::hole::address_of;
use crate::model::look::{is_headers, is_missing, look};
use crate::model::rewrite::{Lookup, Root};
use crate::model::scope::View;
use crate::model::syntax::kind_name;
use crate::model::time::Span;

/// The longest text an expression may make by joining and replacing, in bytes, and the most values it may
/// give.
const BYTES_MAX: usize = 1024 * 1024;
const VALUES_MAX: usize = 100_000;
const DEPTH_MAX: usize = 100;

/// The one environment: compiling is cheap because it is shared.
pub(crate) static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut it = Environment::new();
    it.set_undefined_behavior(UndefinedBehavior::Strict);
    // These make texts of any size out of a number, or are reached by nobody who knows our own.
    let foreign = ["format", "indent", "pprint", "batch", "slice", "safe", "escape", "e", "chain", "zip"];
    for name in foreign {
        it.remove_filter(name);
    }
    for name in ["sameas", "filter", "test", "safe", "escaped", "int"] {
        it.remove_test(name);
    }
    add_functions(&mut it);
    add_texts(&mut it);
    add_lists(&mut it);
    add_makers(&mut it);
    add_tests(&mut it);
    it
});

fn add_functions(to: &mut Environment<'static>) {
    to.add_function("lt", |a: Value, b: Value| order(&a, &b).map(|()| a < b));
    to.add_function("le", |a: Value, b: Value| order(&a, &b).map(|()| a <= b));
    to.add_function("gt", |a: Value, b: Value| order(&a, &b).map(|()| a > b));
    to.add_function("ge", |a: Value, b: Value| order(&a, &b).map(|()| a >= b));
    to.add_function("mul", mul);
    to.add_function("div", div);
    to.add_function("at", |base: Value, key: Value, name: String| at(&base, &key, &name));
    to.add_function("at_soft", |base: Value, key: Value, _: String| {
        base.get_item(&key).unwrap_or(Value::UNDEFINED)
    });
    to.add_function("conv", |state: &State, names: Rest<Value>| conv(state, &names, false));
    to.add_function("conv_soft", |state: &State, names: Rest<Value>| conv(state, &names, true));
    to.add_function("span", |text: Cow<'_, str>| span(&text));
    to.add_function("has", |state: &State, container: Value, value: Value| match container.is_undefined() {
        true => Err(Error::from(ErrorKind::UndefinedError)),
        false => has(state, &container, &value),
    });
    to.add_function("paid", |value: Value| whole(&value, 1).map(|()| value));
    to.add_function("range", |low: isize, high: Option<isize>, step: Option<isize>| {
        let made = functions::range(low, high, step)?;
        draw(many(made.try_iter()?.count()), 0)?;
        Ok::<Value, Error>(made)
    });
}

/// What minijinja makes of texts and numbers.
fn add_texts(to: &mut Environment<'static>) {
    add_filter(to, "abs", Cost::One, filters::abs);
    add_filter(to, "bool", Cost::One, filters::bool);
    add_filter(to, "capitalize", Cost::Whole, filters::capitalize);
    add_filter(to, "float", Cost::Whole, filters::float);
    add_filter(to, "int", Cost::Whole, filters::int);
    add_filter(to, "lines", Cost::Pieces, filters::lines);
    add_filter(to, "lower", Cost::Whole, filters::lower);
    add_filter(to, "round", Cost::One, filters::round);
    add_filter(to, "split", Cost::Pieces, filters::split);
    add_filter(to, "string", Cost::Whole, filters::string);
    add_filter(to, "title", Cost::Whole, filters::title);
    add_filter(to, "trim", Cost::Whole, filters::trim);
    add_filter(to, "upper", Cost::Whole, filters::upper);
}

/// What it makes of lists and maps.
fn add_lists(to: &mut Environment<'static>) {
    add_filter(to, "attr", Cost::One, filters::attr);
    add_filter(to, "count", Cost::One, filters::length);
    add_filter(to, "d", Cost::One, filters::default);
    add_filter(to, "default", Cost::One, filters::default);
    add_filter(to, "dictsort", Cost::Sorted, filters::dictsort);
    add_filter(to, "first", Cost::One, filters::first);
    add_filter(to, "groupby", Cost::Sorted, filters::groupby);
    add_filter(to, "items", Cost::Pieces, filters::items);
    add_filter(to, "last", Cost::Items, filters::last);
    add_filter(to, "length", Cost::One, filters::length);
    add_filter(to, "list", Cost::Pieces, filters::list);
    add_filter(to, "map", Cost::Items, filters::map);
    add_filter(to, "reject", Cost::Items, filters::reject);
    add_filter(to, "rejectattr", Cost::Items, filters::rejectattr);
    add_filter(to, "reverse", Cost::Pieces, filters::reverse);
    add_filter(to, "select", Cost::Items, filters::select);
    add_filter(to, "selectattr", Cost::Items, filters::selectattr);
    add_filter(to, "sum", Cost::Items, filters::sum);
    add_filter(to, "unique", Cost::Sorted, filters::unique);
    add_filter(to, "sort", Cost::Sorted, |state: &State, value: Value, how: Kwargs| {
        filters::sort(state, sortable(&value, &how)?, how)
    });
    add_filter(to, "min", Cost::Sorted, |state: &State, value: Value, how: Kwargs| {
        filters::min(state, sortable(&value, &how)?, how)
    });
    add_filter(to, "max", Cost::Sorted, |state: &State, value: Value, how: Kwargs| {
        filters::max(state, sortable(&value, &how)?, how)
    });
}

/// What we make of any value.
fn add_makers(to: &mut Environment<'static>) {
    add_filter(to, "span", Cost::One, |text: Cow<'_, str>| span(&text));
    add_filter(to, "sha256", Cost::Whole, |value: Value, form: Option<Cow<'_, str>>| {
        helpers::sha256(&text_of(&value)?, form.as_deref()).map_err(|it| bad_value(&it))
    });
    add_filter(to, "base64", Cost::Whole, |value: Value| {
        let text = text_of(&value)?;
        draw(0, many(text.len()))?;
        Ok::<String, Error>(helpers::base64(&text))
    });
    add_filter(to, "urlencode", Cost::Whole, |value: Value| {
        let text = text_of(&value)?;
        draw(0, many(text.len()).saturating_mul(2))?;
        Ok::<String, Error>(helpers::urlencode(&text))
    });
    add_filter(to, "urldecode", Cost::Whole, |value: Value| {
        helpers::urldecode(&text_of(&value)?).map_err(|it| bad_value(&it))
    });
    add_filter(to, "hmac", Cost::Whole, |value: Value, key: Cow<'_, str>, form: Option<Cow<'_, str>>| {
        helpers::hmac_in(&text_of(&value)?, &key, form.as_deref()).map_err(|it| bad_value(&it))
    });
    add_filter(to, "json", Cost::Whole, |value: Value| {
        to_json(&value).map(|it| it.to_string()).map_err(error)
    });
    add_filter(to, "date", Cost::Whole, |value: Value, format: Cow<'_, str>, zone: Option<Cow<'_, str>>| {
        let moment = to_json(&value).map_err(error)?;
        helpers::date(&moment, &format, zone.as_deref()).map_err(|it| bad_value(&it))
    });
    add_filter(to, "join", Cost::Items, join);
    add_filter(to, "replace", Cost::Whole, |value: Cow<'_, str>, from: Cow<'_, str>, by: Cow<'_, str>| {
        replace(&value, &from, &by)
    });
}

fn add_tests(to: &mut Environment<'static>) {
    for name in ["lt", "lessthan", "<"] {
        add_test(to, name, Cost::One, |a: Value, b: Value| order(&a, &b).map(|()| a < b));
    }
    for name in ["le", "<="] {
        add_test(to, name, Cost::One, |a: Value, b: Value| order(&a, &b).map(|()| a <= b));
    }
    for name in ["gt", "greaterthan", ">"] {
        add_test(to, name, Cost::One, |a: Value, b: Value| order(&a, &b).map(|()| a > b));
    }
    for name in ["ge", ">="] {
        add_test(to, name, Cost::One, |a: Value, b: Value| order(&a, &b).map(|()| a >= b));
    }
    for name in ["eq", "equalto", "=="] {
        add_test(to, name, Cost::Whole, |a: Value, b: Value| a == b);
    }
    for name in ["ne", "!="] {
        add_test(to, name, Cost::Whole, |a: Value, b: Value| a != b);
    }
    add_test(to, "lower", Cost::Whole, tests::is_lower);
    add_test(to, "upper", Cost::Whole, tests::is_upper);
    add_test(to, "startingwith", Cost::One, tests::is_startingwith);
    add_test(to, "endingwith", Cost::One, tests::is_endingwith);
    add_test(to, "divisibleby", Cost::One, |a: Value, by: Value| divides(&a, &by));
    to.add_test("in", |state: &State, value: Value, container: Value| has(state, &container, &value));
}

/// What an expression sees: numbered names, each looked up when it is reached.
#[derive(Debug)]
pub(crate) struct Sight {
    pub view: View,
    pub lookups: Arc<[Lookup]>,
    pub lists: Mutex<Lists>,
}

impl Object for Sight {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        if key == "view" {
            return Some(Value::from_dyn_object(self.clone()));
        }
        let number: usize = key.strip_prefix('v')?.parse().ok()?;
        let lookup = self.lookups.get(number)?;
        let found = match &lookup.root {
            Root::Name(root) => look(&self.view, root, &lookup.keys).and_then(|it| {
                let headers = it.as_object().filter(|_| is_headers(&self.view, root, &lookup.keys));
                headers.map_or_else(|| of_json(&it), headers_of)
            }),
            Root::Other(address) => {
                let keys: Vec<&str> = lookup.keys.iter().map(String::as_str).collect();
                self.view.scope.read(address, &keys).and_then(|it| of_json(&it))
            }
        };
        match found {
            Ok(value) => Some(value),
            Err(fault) if lookup.soft && is_missing(&fault) => None,
            Err(fault) => Some(Value::from(error(fault))),
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::NonEnumerable
    }
}

fn headers_of(map: &serde_json::Map<String, Json>) -> Result<Value, Fault> {
    let pairs = pairs(map)?.into_iter().map(|(name, value)| (name.to_owned(), value));
    Ok(Value::from_object(Headers(pairs.collect())))
}

/// Headers by name in lower case, to be asked for in any case.
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

fn order(a: &Value, b: &Value) -> Result<(), Error> {
    match (a.kind(), b.kind()) {
        (ValueKind::Number, ValueKind::Number) | (ValueKind::String, ValueKind::String) => Ok(()),
        (a, b) => Err(bad_value(&format!(
            "{} and {} have no order; hint: make numbers of texts with `|int` or `|float`",
            kind_name(a),
            kind_name(b)
        ))),
    }
}

/// Numbers only: minijinja would also repeat a text a hundred million times.
fn mul(a: &Value, b: &Value) -> Result<Value, Error> {
    let bad = |it: &str| bad_value(&format!("`*` {it}"));
    if a.kind() != ValueKind::Number || b.kind() != ValueKind::Number {
        return Err(bad(&format!(
            "multiplies numbers, not {} and {}",
            kind_name(a.kind()),
            kind_name(b.kind())
        )));
    }
    if let (Some(a), Some(b)) = (integer(a), integer(b)) {
        return a.checked_mul(b).map(Value::from).ok_or_else(|| bad("gives too large a number"));
    }
    Ok(Value::from(float(a)? * float(b)?))
}

/// What divides evenly stays whole, as it would in JSON.
fn div(a: &Value, b: &Value) -> Result<Value, Error> {
    if a.kind() != ValueKind::Number || b.kind() != ValueKind::Number {
        let kinds = format!("{} and {}", kind_name(a.kind()), kind_name(b.kind()));
        return Err(bad_value(&format!("`/` divides numbers, not {kinds}")));
    }
    if float(b)? == 0.0 {
        return Err(bad_value("a division by zero"));
    }
    match (integer(a), integer(b)) {
        (Some(a), Some(b)) if a.checked_rem(b) == Some(0) => Ok(Value::from(a / b)),
        _ => Ok(Value::from(float(a)? / float(b)?)),
    }
}

fn integer(value: &Value) -> Option<i128> {
    if value.is_integer() { i128::try_from(value.clone()).ok() } else { None }
}

fn float(value: &Value) -> Result<f64, Error> {
    match integer(value) {
        #[expect(clippy::cast_precision_loss, reason = "a float is what the other side is")]
        Some(it) => Ok(it as f64),
        None => f64::try_from(value.clone()),
    }
}

fn at(base: &Value, key: &Value, name: &str) -> Result<Value, Error> {
    match base.get_item(key) {
        Ok(value) if !value.is_undefined() => Ok(value),
        _ => {
            let key = text_of(key).unwrap_or(Cow::Borrowed("?"));
            let message = format!("there is no `{name}` (`{key}`)");
            Err(error(Fault::lasting("missing_param", message)))
        }
    }
}

fn conv(state: &State, names: &[Value], soft: bool) -> Result<Value, Error> {
    let sight = state.lookup("view").and_then(|it| it.downcast_object::<Sight>());
    let (Some(sight), [process, reference, keys @ ..]) = (sight, names) else {
        return Err(bad_value("`conv` takes a process and a ref"));
    };
    let address = address_of(&text_of(process)?, &text_of(reference)?).map_err(error)?;
    let keys: Vec<&str> = keys.iter().filter_map(Value::as_str).collect();
    match sight.view.scope.read(&address, &keys).and_then(|it| of_json(&it)) {
        Ok(value) => Ok(value),
        Err(fault) if soft && is_missing(&fault) => Ok(Value::UNDEFINED),
        Err(fault) => Err(error(fault)),
    }
}

/// Whether `value` is in `container`, of which the evaluation remembers what it has seen.
fn has(state: &State, container: &Value, value: &Value) -> Result<bool, Error> {
    match state.lookup("view").and_then(|it| it.downcast_object::<Sight>()) {
        Some(sight) => sight.lists.lock().unwrap_or_else(PoisonError::into_inner).has(container, value),
        None => Lists::default().has(container, value),
    }
}

/// Whether a number can be divided by another without a rest. Minijinja's own panics over a zero.
fn divides(a: &Value, by: &Value) -> Result<bool, Error> {
    match (integer(a), integer(by)) {
        (Some(_), Some(0)) => Err(bad_value("a division by zero")),
        (Some(a), Some(by)) => Ok(a.checked_rem(by).is_none_or(|rest| rest == 0)),
        _ => match (a.kind(), by.kind()) {
            (ValueKind::Number, ValueKind::Number) => Ok(float(a)? % float(by)? == 0.0),
            _ => Ok(false),
        },
    }
}

fn span(text: &str) -> Result<Value, Error> {
    let span: Span = text.parse().map_err(|it: String| bad_value(&it))?;
    match span.0 % 1_000 {
        0 => Ok(Value::from(span.0 / 1_000)),
        _ => Ok(Value::from(span.duration().as_secs_f64())),
    }
}

/// Strings as they are, all else as JSON; null and what is missing are faults.
fn text_of(value: &Value) -> Result<Cow<'_, str>, Error> {
    match value.as_str() {
        Some(text) => Ok(Cow::Borrowed(text)),
        None if value.is_none() || value.is_undefined() => Err(bad_value("null is no text")),
        None => to_json(value).map(|it| Cow::Owned(it.to_string())).map_err(error),
    }
}

fn join(value: &Value, between: Option<Cow<'_, str>>) -> Result<String, Error> {
    let between = between.unwrap_or_default();
    let mut text = String::new();
    for (index, item) in value.try_iter()?.enumerate() {
        if index > 0 {
            text.push_str(&between);
        }
        whole(&item, 1)?;
        text.push_str(&text_of(&item)?);
        if text.len() > BYTES_MAX {
            return Err(too_long());
        }
    }
    Ok(text)
}

fn replace(value: &str, from: &str, to: &str) -> Result<String, Error> {
    let bytes = value.matches(from).count().saturating_mul(to.len()).saturating_add(value.len());
    if bytes > BYTES_MAX { Err(too_long()) } else { Ok(value.replace(from, to)) }
}

fn too_long() -> Error {
    bad_value(&format!("an expression makes a text of more than {BYTES_MAX} bytes"))
}

/// The items, if they can be ordered.
fn sortable(value: &Value, how: &Kwargs) -> Result<Value, Error> {
    let attributes: Option<String> = how.get("attribute")?;
    let items: Vec<Value> = value.try_iter()?.take(VALUES_MAX).collect();
    let attributes = attributes.unwrap_or_default();
    for attribute in attributes.split(',').map(str::trim) {
        let steps = || attribute.split('.').filter(|it| !it.is_empty());
        let key = |item: &Value| steps().try_fold(item.clone(), |it, step| it.get_attr(step));
        let keys = items.iter().map(key).collect::<Result<Vec<Value>, Error>>()?;
        keys.windows(2).try_for_each(|pair| order(&pair[0], &pair[1]))?;
    }
    Ok(Value::from(items))
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

fn pairs(map: &serde_json::Map<String, Json>) -> Result<Vec<(&str, Value)>, Fault> {
    charge_slots(map.len().saturating_mul(3))?;
    map.iter().map(|(key, value)| Ok((key.as_str(), of_json(value)?))).collect()
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
                map.insert(key.to_string(), json_of(&item, depth + 1, left)?);
            }
            Ok(Json::Object(map))
        }
        _ => Err(value.try_iter().err().map_or_else(|| bad("what is no JSON"), failed)),
    }
}
