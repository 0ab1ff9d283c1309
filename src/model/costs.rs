//! What the functions, filters and tests of an expression cost: each draws on the budget before it works,
//! by the size of what it works on, and afterwards by what it made.

use minijinja::functions::Function;
use minijinja::value::{FunctionArgs, FunctionResult, Rest, Value, ValueKind, ValueOrKwargs};
use minijinja::{Environment, Error, State};

use crate::model::budget::{SLOT_BYTES, charge, charge_slots, charge_text, many, text_steps};
use crate::model::carried::error;

/// How deep values are measured; those of JSON are never deeper.
const DEPTH_MAX: usize = 200;

/// What a filter or a test looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cost {
    /// The value alone, not what is in it.
    One,
    /// Each item of a list once.
    Items,
    /// Each piece of a text or item of a list, and a value is made of it.
    Pieces,
    /// All that is in the value, however deep.
    Whole,
    /// The same, as often as sorting takes.
    Sorted,
}

/// Adds a filter that costs so much.
pub(crate) fn add_filter<F, R, A>(to: &mut Environment<'static>, name: &'static str, cost: Cost, filter: F)
where
    F: Function<R, A>,
    R: FunctionResult,
    A: for<'a> FunctionArgs<'a>,
{
    let filter = Value::from_function(filter);
    to.add_filter(name, move |state: &mut State, given: Rest<ValueOrKwargs>| {
        let mut given = given.into_values();
        paid(cost, &given)?;
        if cost == Cost::Items {
            given.iter_mut().skip(1).try_for_each(settle)?;
        }
        let made = filter.call(state, &given)?;
        shallow(&made)?;
        Ok(made)
    });
}

/// Adds a test that costs so much.
pub(crate) fn add_test<F, R, A>(to: &mut Environment<'static>, name: &'static str, cost: Cost, test: F)
where
    F: Function<R, A>,
    R: FunctionResult,
    A: for<'a> FunctionArgs<'a>,
{
    let test = Value::from_function(test);
    to.add_test(name, move |state: &mut State, given: Rest<ValueOrKwargs>| {
        let given = given.into_values();
        paid(cost, &given)?;
        test.call(state, &given).map(|it| it.is_true())
    });
}

/// Adds a filter of ours that costs so much.
pub(crate) fn add_filter_of<F>(to: &mut Environment<'static>, name: &'static str, cost: Cost, filter: F)
where
    F: Fn(&State, &[Value]) -> Result<Value, Error> + Send + Sync + 'static,
{
    to.add_filter(name, move |state: &State, given: Rest<ValueOrKwargs>| {
        let given = given.into_values();
        paid(cost, &given)?;
        let made = filter(state, &given)?;
        shallow(&made)?;
        Ok::<Value, Error>(made)
    });
}

/// Adds a test of ours that costs so much.
pub(crate) fn add_test_of<F>(to: &mut Environment<'static>, name: &'static str, cost: Cost, test: F)
where
    F: Fn(&State, &[Value]) -> Result<bool, Error> + Send + Sync + 'static,
{
    to.add_test(name, move |state: &State, given: Rest<ValueOrKwargs>| {
        let given = given.into_values();
        paid(cost, &given)?;
        test(state, &given)
    });
}

/// Draws on the budget for what a filter or a test is about to do.
fn paid(cost: Cost, given: &[Value]) -> Result<(), Error> {
    charge(1, 0).map_err(error)?;
    let Some((subject, others)) = given.split_first() else { return Ok(()) };
    // The path of an attribute is followed for every item.
    let names: usize = others.iter().map(|it| it.as_str().map_or(0, str::len)).sum();
    let each = text_steps(names);
    match cost {
        Cost::One => draw(length(subject).min(1).saturating_mul(each), 0),
        Cost::Items => draw(length(subject).saturating_mul(each), 0),
        Cost::Pieces => {
            let pieces = length(subject);
            draw(pieces.saturating_mul(each), pieces.saturating_mul(SLOT_BYTES))
        }
        Cost::Whole => {
            draw(each, 0)?;
            whole(subject, 1)
        }
        Cost::Sorted => {
            let rounds = u64::from(length(subject).max(2).ilog2()) + 1;
            whole(subject, rounds.saturating_mul(each))
        }
    }
}

/// Makes a list of what is worked out item by item each time it is looked at, such as `a + b`: a filter
/// looks at what it is handed once for every item of its own.
fn settle(value: &mut Value) -> Result<(), Error> {
    if value.kind() == ValueKind::Iterable {
        draw(length(value), length(value).saturating_mul(SLOT_BYTES))?;
        *value = value.try_iter()?.collect::<Vec<Value>>().into();
    }
    Ok(())
}

/// How many characters, items or keys a value has.
fn length(value: &Value) -> u64 {
    match (value.as_str(), value.kind()) {
        (Some(text), _) => many(text.len()),
        (None, ValueKind::Seq | ValueKind::Iterable | ValueKind::Map) => {
            many(value.len().or_else(|| value.try_iter().ok().map(Iterator::count)).unwrap_or(0))
        }
        (None, _) => 0,
    }
}

/// Draws on the budget for all that is in a value, once for each round.
pub(crate) fn whole(value: &Value, rounds: u64) -> Result<(), Error> {
    deep(value, rounds, 0)
}

fn deep(value: &Value, rounds: u64, depth: usize) -> Result<(), Error> {
    if let Some(text) = value.as_str() {
        return draw(text_steps(text.len()).saturating_mul(rounds), 0);
    }
    let is_map = value.kind() == ValueKind::Map;
    if !is_map && !matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable) || depth > DEPTH_MAX {
        return draw(rounds, 0);
    }
    for item in value.try_iter()? {
        draw(rounds, 0)?;
        if is_map {
            deep(&value.get_item(&item)?, rounds, depth + 1)?;
        }
        deep(&item, rounds, depth + 1)?;
    }
    Ok(())
}

/// Draws on the budget for a value that was made, without what is in it.
pub(crate) fn shallow(made: &Value) -> Result<(), Error> {
    match (made.as_str(), made.kind()) {
        (Some(text), _) => charge_text(text.len()),
        (None, ValueKind::Seq | ValueKind::Map) => charge_slots(made.len().unwrap_or(0)),
        (None, _) => Ok(()),
    }
    .map_err(error)
}

/// Draws so much on the budget.
pub(crate) fn draw(steps: u64, bytes: u64) -> Result<(), Error> {
    charge(steps, bytes).map_err(error)
}
