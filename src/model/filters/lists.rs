//! Filters of lists. What stands in them is what minijinja calls equal.

use minijinja::value::{Kwargs, Value, ValueKind};
use minijinja::{Error, State, filters};

use crate::model::bridge::{float, integer};
use crate::model::budget::{SLOT_BYTES, many};
use crate::model::carried::bad_value;
use crate::model::contains::{Lists, Seen};
use crate::model::costs::{Cost, add_filter, draw};
use crate::model::filters::given::{Given, items};
use crate::model::filters::spec::{FilterSpec, Run, own};
use crate::model::syntax::kind_name;

/// The most items of a list that is sorted, or made.
const ITEMS_MAX: usize = 100_000;
/// The most pieces that a list is cut into.
const PIECES_MAX: i64 = 10_000;

/// The filters.
#[rustfmt::skip]
pub(crate) static LISTS: [FilterSpec; 25] = [
    FilterSpec { name: "length", also: &["count"], takes: "", cost: Cost::One,
        run: Run::Theirs(|to, name, cost| add_filter(to, name, cost, filters::length)),
        about: "how many items, keys or characters", example: ("[3, 1]|length", "2") },
    FilterSpec { name: "first", also: &[], takes: "", cost: Cost::One,
        run: Run::Theirs(|to, name, cost| add_filter(to, name, cost, filters::first)),
        about: "the first item", example: ("[3, 1]|first", "3") },
    FilterSpec { name: "last", also: &[], takes: "", cost: Cost::Items, run: own(|_, it| {
            Ok(it.each(0)?.pop().unwrap_or(Value::UNDEFINED)) }),
        about: "the last item", example: ("[3, 1]|last", "1") },
    FilterSpec { name: "list", also: &[], takes: "",
        cost: Cost::One, run: own(|_, it| it.each(0).map(Value::from)),
        about: "as a list: the characters of a text, the keys of a map",
        example: ("\"ab\"|list", r#"["a","b"]"#) },
    FilterSpec { name: "reverse", also: &[], takes: "", cost: Cost::One, run: own(|_, it| reverse(it)),
        about: "from the end to the start", example: ("[3, 1]|reverse|list", "[1,3]") },
    FilterSpec { name: "sort", also: &[], takes: "; reverse, case_sensitive, attribute", cost: Cost::Sorted,
        run: Run::Theirs(|to, name, cost| add_filter(to, name, cost,
            |state: &State, value: Value, how: Kwargs| {
            filters::sort(state, sortable(&value, &how)?, how)
        })),
        about: "in order, capitals beside small letters; numbers and texts mixed are a fault",
        example: ("[3, 1, 2]|sort(reverse=true)", "[3,2,1]") },
    FilterSpec { name: "min", also: &[], takes: "; case_sensitive, attribute", cost: Cost::Sorted,
        run: Run::Theirs(|to, name, cost| add_filter(to, name, cost,
            |state: &State, value: Value, how: Kwargs| {
            filters::min(state, sortable(&value, &how)?, how)
        })),
        about: "the least item", example: ("[3, 1]|min", "1") },
    FilterSpec { name: "max", also: &[], takes: "; case_sensitive, attribute", cost: Cost::Sorted,
        run: Run::Theirs(|to, name, cost| add_filter(to, name, cost,
            |state: &State, value: Value, how: Kwargs| {
            filters::max(state, sortable(&value, &how)?, how)
        })),
        about: "the greatest item", example: ("[3, 1]|max", "3") },
    FilterSpec { name: "unique", also: &[], takes: "; case_sensitive, attribute", cost: Cost::Sorted,
        run: Run::Theirs(|to, name, cost| add_filter(to, name, cost, filters::unique)),
        about: "each item once", example: ("[1, 2, 1]|unique|list", "[1,2]") },
    FilterSpec { name: "groupby", also: &[], takes: "attribute; default, case_sensitive", cost: Cost::Sorted,
        run: Run::Theirs(|to, name, cost| add_filter(to, name, cost, filters::groupby)),
        about: "pairs of a value of that attribute and the items that have it",
        example: ("[{\"g\": 1}]|groupby(\"g\")", r#"[[1,[{"g":1}]]]"#) },
    FilterSpec { name: "map", also: &[], takes: "filter…; attribute, default", cost: Cost::Items,
        run: Run::Theirs(|to, name, cost| add_filter(to, name, cost, filters::map)),
        about: "an attribute of each item, or what a filter makes of it",
        example: ("[{\"a\": 1}, {}]|map(attribute=\"a\", default=0)|list", "[1,0]") },
    FilterSpec { name: "select", also: &[], takes: "test…", cost: Cost::Items,
        run: Run::Theirs(|to, name, cost| add_filter(to, name, cost, filters::select)),
        about: "the items that pass a test", example: ("[1, 2]|select(\"gt\", 1)|list", "[2]") },
    FilterSpec { name: "reject", also: &[], takes: "test…", cost: Cost::Items,
        run: Run::Theirs(|to, name, cost| add_filter(to, name, cost, filters::reject)),
        about: "the items that do not", example: ("[1, none]|reject(\"none\")|list", "[1]") },
    FilterSpec { name: "selectattr", also: &[], takes: "attribute, test…", cost: Cost::Items,
        run: Run::Theirs(|to, name, cost| add_filter(to, name, cost, filters::selectattr)),
        about: "the items whose attribute passes a test",
        example: ("[{\"a\": 1}, {\"a\": 2}]|selectattr(\"a\", \"gt\", 1)|list", r#"[{"a":2}]"#) },
    FilterSpec { name: "rejectattr", also: &[], takes: "attribute, test…", cost: Cost::Items,
        run: Run::Theirs(|to, name, cost| add_filter(to, name, cost, filters::rejectattr)),
        about: "the items whose attribute does not",
        example: ("[{\"a\": 1}, {}]|rejectattr(\"a\", \"defined\")|list", "[{}]") },
    FilterSpec { name: "batch", also: &[], takes: "linecount/size, fill_with?", cost: Cost::Pieces,
        run: own(|_, it| batch(it)),
        about: "lists of so many items, the last one filled up",
        example: ("[1, 2, 3]|batch(2, 0)", "[[1,2],[3,0]]") },
    FilterSpec { name: "slice", also: &[], takes: "slices/count, fill_with?", cost: Cost::Pieces,
        run: own(|_, it| slice(it)),
        about: "so many lists of nearly the same length", example: ("[1, 2, 3]|slice(2)", "[[1,2],[3]]") },
    FilterSpec { name: "flatten", also: &[], takes: "levels?",
        cost: Cost::Whole, run: own(|_, it| flatten(it)),
        about: "the items of the lists in the list, all or so many levels deep",
        example: ("[1, [2, [3]]]|flatten(1)", "[1,2,[3]]") },
    FilterSpec { name: "zip", also: &[], takes: "*lists", cost: Cost::Pieces, run: own(|_, it| zip(it)),
        about: "lists of the items at the same place", example: ("[1, 2]|zip([3, 4])", "[[1,3],[2,4]]") },
    FilterSpec { name: "union", also: &[], takes: "other", cost: Cost::Pieces, run: own(|_, it| union(it)),
        about: "the items of both lists, each once", example: ("[1, 2]|union([2, 3])", "[1,2,3]") },
    FilterSpec { name: "intersect", also: &[], takes: "other", cost: Cost::Pieces,
        run: own(|_, it| kept(it.items(0)?, it.items(1)?, true)),
        about: "the items that are in both, each once", example: ("[1, 2]|intersect([2, 3])", "[2]") },
    FilterSpec { name: "difference", also: &[], takes: "other", cost: Cost::Pieces,
        run: own(|_, it| kept(it.items(0)?, it.items(1)?, false)),
        about: "the items that are not in the other, each once",
        example: ("[1, 2]|difference([2, 3])", "[1]") },
    FilterSpec { name: "symmetric_difference", also: &[], takes: "other", cost: Cost::Pieces,
        run: own(|_, it| either(it)),
        about: "the items that are in one alone, each once",
        example: ("[1, 2]|symmetric_difference([2, 3])", "[1,3]") },
    FilterSpec { name: "average", also: &[], takes: "default?",
        cost: Cost::Items, run: own(|_, it| average(it)),
        about: "of the numbers", example: ("[1, 2]|average", "1.5") },
    FilterSpec { name: "median", also: &[], takes: "default?",
        cost: Cost::Sorted, run: own(|_, it| median(it)),
        about: "the number in the middle", example: ("[3, 1, 2]|median", "2.0") },
];

/// The items, if they can be ordered.
fn sortable(value: &Value, how: &Kwargs) -> Result<Value, Error> {
    let attributes: Option<String> = how.get("attribute")?;
    let items: Vec<Value> = value.try_iter()?.take(ITEMS_MAX).collect();
    let attributes = attributes.unwrap_or_default();
    for attribute in attributes.split(',').map(str::trim) {
        let steps = || attribute.split('.').filter(|it| !it.is_empty());
        let key = |item: &Value| steps().try_fold(item.clone(), |it, step| it.get_attr(step));
        let keys = items.iter().map(key).collect::<Result<Vec<Value>, Error>>()?;
        keys.windows(2).try_for_each(|pair| order(&pair[0], &pair[1]))?;
    }
    Ok(Value::from(items))
}

/// Refuses to order what has no order.
pub(crate) fn order(a: &Value, b: &Value) -> Result<(), Error> {
    match (a.kind(), b.kind()) {
        (ValueKind::Number, ValueKind::Number) | (ValueKind::String, ValueKind::String) => Ok(()),
        (a, b) => Err(bad_value(&format!(
            "{} and {} have no order; hint: make numbers of texts with `|int` or `|float`",
            kind_name(a),
            kind_name(b)
        ))),
    }
}

fn listed(pieces: impl Iterator<Item = Vec<Value>>) -> Value {
    Value::from(pieces.map(Value::from).collect::<Vec<Value>>())
}

fn reverse(it: Given) -> Result<Value, Error> {
    if let Some(text) = it.at(0).as_str() {
        draw(many(text.len() / 8), 0)?;
        return Ok(Value::from(text.chars().rev().collect::<String>()));
    }
    let mut items = it.each(0)?;
    items.reverse();
    Ok(Value::from(items))
}

fn batch(it: Given) -> Result<Value, Error> {
    let (items, size) = (it.each(0)?, it.size(1, 1, PIECES_MAX)?);
    let fill = |part: &[Value]| {
        let mut part = part.to_vec();
        if it.has(2) {
            part.resize(size, it.at(2).clone());
        }
        part
    };
    draw(0, many(size).saturating_mul(SLOT_BYTES))?;
    Ok(listed(items.chunks(size).map(fill)))
}

fn slice(it: Given) -> Result<Value, Error> {
    let (items, count) = (it.each(0)?, it.size(1, 1, PIECES_MAX)?);
    let (each, longer) = (items.len() / count, items.len() % count);
    let mut rest = items.as_slice();
    let mut made = Vec::with_capacity(count);
    draw(many(count), many(count).saturating_mul(2 * SLOT_BYTES))?;
    for number in 0..count {
        let (part, after) = rest.split_at(each + usize::from(number < longer));
        let mut part = part.to_vec();
        if it.has(2) && number >= longer && longer > 0 {
            part.push(it.at(2).clone());
        }
        made.push(part);
        rest = after;
    }
    Ok(listed(made.into_iter()))
}

fn flatten(it: Given) -> Result<Value, Error> {
    const LEVELS_MAX: i64 = 100;
    let levels = if it.has(1) { it.size(1, 0, LEVELS_MAX)? } else { usize::MAX };
    let mut made = Vec::new();
    flat(it.items(0)?, levels, &mut made)?;
    Ok(Value::from(made))
}

fn flat(list: Vec<Value>, levels: usize, made: &mut Vec<Value>) -> Result<(), Error> {
    for item in list {
        let is_list = matches!(item.kind(), ValueKind::Seq | ValueKind::Iterable);
        match (is_list, levels.checked_sub(1)) {
            (true, Some(levels)) => flat(items(&item)?, levels, made)?,
            _ => made.push(item),
        }
    }
    Ok(())
}

fn zip(it: Given) -> Result<Value, Error> {
    let mut lists = vec![it.items(0)?];
    for list in it.items(1)? {
        lists.push(items(&list)?);
    }
    let shortest = lists.iter().map(Vec::len).min().unwrap_or(0);
    let slots = many(shortest.saturating_mul(lists.len() + 1));
    draw(slots, slots.saturating_mul(SLOT_BYTES))?;
    Ok(listed((0..shortest).map(|at| lists.iter().map(|it| it[at].clone()).collect())))
}

/// Those of `list` that are, or are not, in `other`; each once.
fn kept(list: Vec<Value>, other: Vec<Value>, wanted: bool) -> Result<Value, Error> {
    let other = Value::from(other);
    let mut known = Lists::default();
    let mut made = Vec::new();
    for item in list {
        if known.has(&other, &item)? == wanted {
            made.push(item);
        }
    }
    once(made)
}

fn once(list: Vec<Value>) -> Result<Value, Error> {
    let mut seen = Seen::default();
    let mut made = Vec::new();
    for item in list {
        if seen.add(&item)? {
            made.push(item);
        }
    }
    Ok(Value::from(made))
}

fn union(it: Given) -> Result<Value, Error> {
    let mut both = it.items(0)?;
    both.extend(it.items(1)?);
    once(both)
}

fn either(it: Given) -> Result<Value, Error> {
    let (left, right) = (it.items(0)?, it.items(1)?);
    let mut both = items(&kept(left.clone(), right.clone(), false)?)?;
    both.extend(items(&kept(right, left, false)?)?);
    Ok(Value::from(both))
}

fn numbers(it: Given) -> Result<Vec<f64>, Error> {
    it.items(0)?.iter().map(float).collect()
}

fn average(it: Given) -> Result<Value, Error> {
    let numbers = numbers(it)?;
    #[expect(clippy::cast_precision_loss, reason = "a list has far fewer items")]
    let count = numbers.len() as f64;
    match numbers.is_empty() {
        true => none_of_none(it),
        false => Ok(Value::from(numbers.iter().sum::<f64>() / count)),
    }
}

fn median(it: Given) -> Result<Value, Error> {
    let mut numbers = numbers(it)?;
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    match (numbers.len(), numbers.len() % 2) {
        (0, _) => none_of_none(it),
        (_, 1) => Ok(Value::from(numbers[middle])),
        _ => Ok(Value::from(f64::midpoint(numbers[middle - 1], numbers[middle]))),
    }
}

fn none_of_none(it: Given) -> Result<Value, Error> {
    match it.has(1) {
        true => Ok(it.at(1).clone()),
        false => Err(bad_value("an empty list has no middle; hint: give a default in the brackets")),
    }
}

/// Whether a whole number is odd, or even.
pub(crate) fn leaves(it: Given, rest: u8) -> Result<Value, Error> {
    match (integer(it.at(0)), it.at(0).kind()) {
        (Some(number), _) => Ok(Value::from(number.rem_euclid(2) == i128::from(rest))),
        (None, ValueKind::Number) => {
            Ok(Value::from(float(it.at(0))?.rem_euclid(2.0).total_cmp(&f64::from(rest)).is_eq()))
        }
        (None, kind) => Err(bad_value(&format!("{} is neither odd nor even", kind_name(kind)))),
    }
}

/// Whether a number can be divided by another without a rest. Minijinja's own panics over a zero.
pub(crate) fn divides(a: &Value, by: &Value) -> Result<bool, Error> {
    match (integer(a), integer(by)) {
        (Some(_), Some(0)) => Err(bad_value("a division by zero")),
        (Some(a), Some(by)) => Ok(a.checked_rem(by).is_none_or(|rest| rest == 0)),
        _ => match (a.kind(), by.kind()) {
            (ValueKind::Number, ValueKind::Number) => Ok(float(a)? % float(by)? == 0.0),
            _ => Ok(false),
        },
    }
}
