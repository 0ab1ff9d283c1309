//! What of a task may be shown: secrets masked, long values shortened.

use std::collections::BTreeSet;

use serde_json::Value;
use zeroize::Zeroizing;

use crate::channels::marks::{forms, without};
use crate::model::params::Params;
use crate::model::task::Task;

/// What stands for a secret.
pub const MASK: &str = "***";
/// The longest text shown in a trail, in characters.
const SHOWN_CHARS_MAX: usize = 200;
/// The shortest secret that is looked for in texts: shorter ones would garble every message.
const SCRUBBED_CHARS_MIN: usize = 4;

/// `params` as a person may see them: those in `secret` masked, and every other text in which one was copied.
pub fn masked(params: &Params, task: &Task, secret: &BTreeSet<String>) -> Params {
    if secret.is_empty() || params.is_empty() {
        return params.clone();
    }
    each_masked(params, task, secret, |value| value)
}

fn each_masked(
    params: &Params,
    task: &Task,
    secret: &BTreeSet<String>,
    then: impl Fn(Value) -> Value,
) -> Params {
    let texts = params.map().iter().any(|(name, value)| !secret.contains(name) && has_text(value));
    let forms = if texts { forms_of(task, secret) } else { Vec::new() };
    let mask = |(name, value): (&String, &Value)| match secret.contains(name) {
        true if !value.is_null() => (name.clone(), Value::from(MASK)),
        _ => (name.clone(), then(clean(value, &forms))),
    };
    params.map().iter().map(mask).collect()
}

/// Whether a secret could have been copied into it.
fn has_text(value: &Value) -> bool {
    match value {
        Value::String(text) => text.len() >= SCRUBBED_CHARS_MIN,
        Value::Array(_) | Value::Object(_) => true,
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// The same, with long values shortened, for a trail. Masked first: half a secret is one too.
pub fn shown(params: &Params, task: &Task, secret: &BTreeSet<String>) -> Params {
    if params.is_empty() {
        return params.clone();
    }
    each_masked(params, task, secret, shorten)
}

/// `value` with every secret of `task` masked in every text of it.
pub fn cleaned(value: &Value, task: &Task, secret: &BTreeSet<String>) -> Value {
    clean(value, &forms_of(task, secret))
}

fn clean(value: &Value, forms: &[Zeroizing<String>]) -> Value {
    match value {
        Value::String(text) => Value::from(without(text, forms)),
        Value::Array(items) => items.iter().map(|item| clean(item, forms)).collect(),
        Value::Object(map) => map.iter().map(|(name, item)| (name.clone(), clean(item, forms))).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

fn shorten(value: Value) -> Value {
    let cut = |text: &str| {
        let (end, _) = text.char_indices().nth(SHOWN_CHARS_MAX)?;
        Some(Value::from(format!("{}…", &text[..end])))
    };
    let short = match &value {
        Value::String(text) if text.len() > SHOWN_CHARS_MAX => cut(text),
        Value::Array(_) | Value::Object(_) => cut(&value.to_string()),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => None,
    };
    short.unwrap_or(value)
}

/// `text` with every secret of `task` masked.
pub fn scrub(text: &str, task: &Task, secret: &BTreeSet<String>) -> String {
    without(text, &forms_of(task, secret))
}

/// All forms in which a secret of `task` can show up, the longest first.
fn forms_of(task: &Task, secret: &BTreeSet<String>) -> Vec<Zeroizing<String>> {
    let mut all = Vec::new();
    secret.iter().filter_map(|name| task.params.get(name)).for_each(|value| note(value, &mut all));
    all.sort_by_key(|it| std::cmp::Reverse(it.len()));
    all
}

fn note(value: &Value, all: &mut Vec<Zeroizing<String>>) {
    match value {
        Value::String(secret) if secret.chars().count() >= SCRUBBED_CHARS_MIN => {
            all.extend(forms(secret).into_iter().filter(|it| it.chars().count() >= SCRUBBED_CHARS_MIN));
        }
        Value::Array(items) => items.iter().for_each(|item| note(item, all)),
        Value::Object(map) => map.values().for_each(|item| note(item, all)),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
