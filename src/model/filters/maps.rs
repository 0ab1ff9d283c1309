//! Filters of maps, and those that choose between values.

use minijinja::value::{Kwargs, Value, ValueKind};
use minijinja::{Error, filters};

use crate::model::budget::{SLOT_BYTES, many};
use crate::model::carried::bad_value;
use crate::model::costs::{Cost, add_filter, draw};
use crate::model::filters::given::{Given, items, pairs, shown};
use crate::model::filters::lists::order;
use crate::model::filters::spec::{FilterSpec, Run, own};

/// How deep maps are combined.
const DEPTH_MAX: usize = 100;

/// The filters.
#[rustfmt::skip]
pub(crate) static MAPS: [FilterSpec; 11] = [
    FilterSpec { name: "keys", also: &[], takes: "", cost: Cost::Pieces,
        run: own(|_, it| Ok(it.pairs(0)?.into_iter().map(|it| it.0).collect::<Vec<_>>().into())),
        about: "the keys of a map", example: ("{\"a\": 1}|keys", r#"["a"]"#) },
    FilterSpec { name: "values", also: &[], takes: "", cost: Cost::Pieces,
        run: own(|_, it| Ok(it.pairs(0)?.into_iter().map(|it| it.1).collect::<Vec<_>>().into())),
        about: "the values of a map", example: ("{\"a\": 1}|values", "[1]") },
    FilterSpec { name: "items", also: &[], takes: "", cost: Cost::Pieces,
        run: Run::Theirs(|to, name, cost| add_filter(to, name, cost, filters::items)),
        about: "its pairs of key and value", example: ("{\"a\": 1}|items|list", r#"[["a",1]]"#) },
    FilterSpec { name: "get", also: &[], takes: "key, default?", cost: Cost::One, run: own(|_, it| get(it)),
        about: "the value at that key, or the default, or null", example: ("{\"a\": 1}|get(\"b\", 2)", "2") },
    FilterSpec { name: "attr", also: &[], takes: "name", cost: Cost::One,
        run: Run::Theirs(|to, name, cost| add_filter(to, name, cost, filters::attr)),
        about: "the value at that key", example: ("{\"a\": 1}|attr(\"a\")", "1") },
    FilterSpec { name: "dictsort", also: &[], takes: "; case_sensitive, by, reverse", cost: Cost::Sorted,
        run: Run::Theirs(|to, name, cost| add_filter(to, name, cost, |value: Value, how: Kwargs| {
            let by: Option<String> = how.get("by")?;
            if by.as_deref() == Some("value") {
                let pairs = pairs(&value)?;
                pairs.windows(2).try_for_each(|two| order(&two[0].1, &two[1].1))?;
            }
            filters::dictsort(&value, how)
        })),
        about: "its pairs in the order of the keys, or with `by=\"value\"` of the values",
        example: ("{\"b\": 1, \"a\": 2}|dictsort", r#"[["a",2],["b",1]]"#) },
    FilterSpec { name: "dict2items", also: &[], takes: "key_name=\"key\", value_name=\"value\"",
        cost: Cost::Pieces,
        run: own(|_, it| dict2items(it)), about: "a list of maps with `key` and `value`",
        example: ("{\"a\": 1}|dict2items", r#"[{"key":"a","value":1}]"#) },
    FilterSpec { name: "items2dict", also: &[], takes: "key_name=\"key\", value_name=\"value\"",
        cost: Cost::Pieces,
        run: own(|_, it| items2dict(it)), about: "a map of such a list",
        example: ("[{\"key\": \"a\", \"value\": 1}]|items2dict", r#"{"a":1}"#) },
    FilterSpec { name: "combine", also: &[], takes: "*maps, recursive=false", cost: Cost::Pieces,
        run: own(|_, it| combine(it)),
        about: "one map of several, the last one wins",
        example: ("{\"a\": 1}|combine({\"b\": 2})", r#"{"a":1,"b":2}"#) },
    FilterSpec { name: "default", also: &["d"], takes: "default_value/value=\"\", boolean=false",
        cost: Cost::One,
        run: own(|_, it| default(it)),
        about: "another value for what is missing, with `true` also for null, false, 0 and what is empty",
        example: ("nope|default(\"Riga\")", r#""Riga""#) },
    FilterSpec { name: "ternary", also: &["iif"], takes: "true_val=true, false_val=false, none_val?",
        cost: Cost::One,
        run: own(|_, it| Ok(ternary(it))),
        about: "the first for true, the second for false, as `a if x else b`",
        example: ("true|ternary(\"on\", \"off\")", r#""on""#) },
];

fn get(it: Given) -> Result<Value, Error> {
    if it.at(0).kind() != ValueKind::Map {
        return Err(bad_value(&format!("a map is needed, and {} is none", shown(it.at(0)))));
    }
    let found = it.at(0).get_item(it.at(1))?;
    let default = if it.has(2) { it.at(2).clone() } else { Value::from(()) };
    Ok(if found.is_undefined() { default } else { found })
}

fn dict2items(it: Given) -> Result<Value, Error> {
    let (key_name, value_name) = (it.text(1)?, it.text(2)?);
    let pairs = it.pairs(0)?;
    draw(0, many(pairs.len()).saturating_mul(6 * SLOT_BYTES))?;
    let item = |(key, value)| Value::from_pairs([(&*key_name, key), (&*value_name, value)]);
    Ok(Value::from(pairs.into_iter().map(item).collect::<Vec<Value>>()))
}

fn items2dict(it: Given) -> Result<Value, Error> {
    let (key_name, value_name) = (it.text(1)?, it.text(2)?);
    let mut pairs = Vec::new();
    for item in it.items(0)? {
        let read = |name: &str| match item.get_item(&Value::from(name)) {
            Ok(found) if !found.is_undefined() => Ok(found),
            _ => Err(bad_value(&format!("an item of the list has no `{name}`"))),
        };
        pairs.push((read(&key_name)?, read(&value_name)?));
    }
    map_of(pairs)
}

/// A map of the pairs; of those with one key the last counts, in the place of the first.
fn map_of(pairs: Vec<(Value, Value)>) -> Result<Value, Error> {
    draw(many(pairs.len()), many(pairs.len()).saturating_mul(3 * SLOT_BYTES))?;
    Ok(Value::from_pairs(pairs))
}

fn combine(it: Given) -> Result<Value, Error> {
    let recursive = it.flag(2)?;
    let mut maps = match it.at(0).kind() {
        ValueKind::Seq | ValueKind::Iterable => it.items(0)?,
        _ => vec![it.at(0).clone()],
    };
    maps.extend(it.items(1)?);
    let mut maps = maps.into_iter();
    let first = maps.next().unwrap_or_else(|| Value::from_pairs::<[(&str, Value); 0], _, _>([]));
    pairs(&first)?;
    maps.try_fold(first, |made, next| combined(&made, &next, recursive, 0))
}

fn combined(one: &Value, two: &Value, recursive: bool, depth: usize) -> Result<Value, Error> {
    let mut both = pairs(one)?;
    for (key, value) in pairs(two)? {
        let before = one.get_item(&key).ok().filter(|it| it.kind() == ValueKind::Map);
        let deeper = recursive && depth < DEPTH_MAX && value.kind() == ValueKind::Map;
        let value = match before.filter(|_| deeper) {
            Some(before) => combined(&before, &value, recursive, depth + 1)?,
            None => value,
        };
        both.push((key, value));
    }
    map_of(both)
}

fn default(it: Given) -> Result<Value, Error> {
    let value = it.at(0);
    let goes = value.is_undefined() || (it.flag(2)? && !value.is_true());
    Ok(if goes { it.at(1).clone() } else { value.clone() })
}

fn ternary(it: Given) -> Value {
    let place = match it.at(0) {
        value if value.is_none() && it.has(3) => 3,
        value if value.is_true() => 1,
        _ => 2,
    };
    it.at(place).clone()
}

/// What a list of lists of two says.
pub(crate) fn pairs_of(value: &Value) -> Result<Vec<(Value, Value)>, Error> {
    let two = |it: &Value| match items(it)?.as_slice() {
        [key, value] => Ok((key.clone(), value.clone())),
        _ => Err(bad_value("a list of pairs is needed")),
    };
    items(value)?.iter().map(two).collect()
}
