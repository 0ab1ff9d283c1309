//! What of a task may be shown: secrets masked, long values shortened.

use std::collections::BTreeSet;

use serde_json::Value;

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
    if secret.is_empty() {
        return params.clone();
    }
    let mask = |(name, value): (&String, &Value)| match secret.contains(name) {
        true if !value.is_null() => (name.clone(), Value::from(MASK)),
        _ => (name.clone(), cleaned(value, task, secret)),
    };
    params.map().iter().map(mask).collect()
}

/// The same, with long values shortened, for a trail. Masked first: half a secret is one too.
pub fn shown(params: &Params, task: &Task, secret: &BTreeSet<String>) -> Params {
    let short = |(name, value): (&String, &Value)| (name.clone(), shorten(value));
    masked(params, task, secret).map().iter().map(short).collect()
}

/// `value` with every secret of `task` masked in every text of it.
pub fn cleaned(value: &Value, task: &Task, secret: &BTreeSet<String>) -> Value {
    match value {
        Value::String(text) => Value::from(scrub(text, task, secret)),
        Value::Array(items) => items.iter().map(|item| cleaned(item, task, secret)).collect(),
        Value::Object(map) => {
            map.iter().map(|(name, item)| (name.clone(), cleaned(item, task, secret))).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

fn shorten(value: &Value) -> Value {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Array(_) | Value::Object(_) => value.to_string(),
        Value::Null | Value::Bool(_) | Value::Number(_) => return value.clone(),
    };
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((cut, _)) => Value::from(format!("{}…", &text[..cut])),
        None => value.clone(),
    }
}

/// `text` with every secret of `task` masked.
pub fn scrub(text: &str, task: &Task, secret: &BTreeSet<String>) -> String {
    let values = secret.iter().filter_map(|name| task.params.get(name));
    let mut text = text.to_owned();
    for value in values {
        hide(&mut text, value);
    }
    text
}

fn hide(text: &mut String, value: &Value) {
    match value {
        Value::String(secret) if secret.chars().count() >= SCRUBBED_CHARS_MIN => {
            if text.contains(secret.as_str()) {
                *text = text.replace(secret.as_str(), MASK);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| hide(text, item)),
        Value::Object(map) => map.values().for_each(|item| hide(text, item)),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
