//! Whether a value is what a scenario wants, and what is told if it is not.

use std::sync::Arc;

use serde_json::Value;

use crate::model::scope::EvalContext;
use crate::scenario::diff::{Miss, shown};
use crate::scenario::file::{ExpectedValue, ValueCheck};
use crate::scenario::read::IT;

/// What is wrong with `got`, which `name` is for people; none if it is as wanted. Expressions see `view`.
pub(super) fn compare(
    want: &ExpectedValue,
    name: &str,
    got: Option<&Value>,
    view: &EvalContext,
) -> Option<Miss> {
    let miss = |expected: &str| {
        Some(Miss::new(want.spot, format!("{name} is not as expected")).texts(expected, &shown(got)))
    };
    match &want.what {
        ValueCheck::Absent => got.and_then(|_| miss("absent")),
        ValueCheck::Is(draft) => match draft.fill(view) {
            Ok(wanted) if got.is_some_and(|got| same(&wanted, got)) => None,
            Ok(wanted) => miss(&shown(Some(&wanted))),
            Err(fault) => Some(Miss::new(want.spot, format!("{name} cannot be compared: {}", fault.message))),
        },
        ValueCheck::Such(expr) => {
            let Some(it) = got else { return miss(&format!("such that {}", expr.text())) };
            match expr.truth(&with(view, it)) {
                Ok(true) => None,
                Ok(false) => miss(&format!("such that {}", expr.text())),
                Err(fault) => {
                    Some(Miss::new(want.spot, format!("{name} cannot be compared: {}", fault.message)))
                }
            }
        }
    }
}

/// The view, in which the value that is looked at has its name.
fn with(view: &EvalContext, it: &Value) -> EvalContext {
    let mut task = view.task.as_ref().clone();
    task.params.set(IT, it.clone());
    EvalContext { task: Arc::new(task), ..view.clone() }
}

/// Whether two values are the same; `3` and `3.0` are.
pub(super) fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one == other || one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            let in_other = |(key, value)| other.get(key).is_some_and(|it| same(value, it));
            one.len() == other.len() && one.iter().all(in_other)
        }
        _ => one == other,
    }
}
