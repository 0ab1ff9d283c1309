//! What of a task may be shown: secrets masked, long values shortened.
//!
//! Marks say what is secret, by how it was made. Texts are compared with the secrets beside that: a server
//! may have said back what it was told.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use serde_json::Value;
use zeroize::Zeroizing;

use crate::model::forms::{DIGITS_MIN, FORM_CHARS_MIN, longest, note, without};
use crate::model::marks::{MASK, Marks, keys_of, place_of, step, veiled_value};
use crate::model::params::Params;
use crate::model::scope::dig;
use crate::model::task::Task;

/// Where the marks of a task's result and of its link are among [`Task::marks`].
pub const RESULT: &str = "/result";
/// The same for its link.
pub const LINK: &str = "/link";
/// The longest text shown in a history, in characters.
const SHOWN_CHARS_MAX: usize = 200;
/// The shortest that is looked for of what was made of a secret or says one back: more of it is chance.
const ECHOED_CHARS_MIN: usize = 8;

/// `params` as a person may see them: those in `secret` masked, what is marked, and every other text in which
/// one was copied.
pub fn masked(params: &Params, task: &Task, secret: &BTreeSet<String>) -> Params {
    let nothing = secret.is_empty() && params.marks().is_empty() && task.params.marks().is_empty();
    if nothing || params.is_empty() {
        return params.map().clone().into();
    }
    each_masked(params, task, secret, |value| value)
}

fn each_masked(
    params: &Params,
    task: &Task,
    secret: &BTreeSet<String>,
    then: impl Fn(Value) -> Value,
) -> Params {
    let shown = params.map().iter().filter(|(name, _)| !secret.contains(*name));
    let forms = forms_of(task, secret, shown.map(|(_, value)| longest(value)).max().unwrap_or_default());
    let mask = |(name, value): (&String, &Value)| match secret.contains(name) {
        true if !value.is_null() => (name.clone(), Value::from(MASK)),
        _ => {
            let marks = params.marks().at(&place_of(&[name]));
            (name.clone(), then(clean(&veiled_value(value, &marks), &forms)))
        }
    };
    params.map().iter().map(mask).collect()
}

/// The same, with long values shortened, for a history. Masked first: half a secret is one too.
pub fn shown(params: &Params, task: &Task, secret: &BTreeSet<String>) -> Params {
    if params.is_empty() {
        return params.clone();
    }
    each_masked(params, task, secret, shorten)
}

/// `value`, of which `marks` are secret, with those masked, and every secret of `task` in every text of it.
pub fn cleaned(value: &Value, marks: &Marks, task: &Task, secret: &BTreeSet<String>) -> Value {
    clean(&veiled_value(value, marks), &forms_of(task, secret, longest(value)))
}

/// The places in `set` that are not marked and say a secret back: one that is among `all` of the params.
pub fn echoes(set: &Params, all: [&Params; 2]) -> Marks {
    let mut marks = Marks::default();
    let unmarked = set.map().iter().filter(|(name, _)| !set.marks().covers(&place_of(&[name])));
    let longest = unmarked.map(|(_, value)| longest(value)).max().unwrap_or_default();
    let mut forms = Vec::new();
    for params in all {
        marked_forms(params, &BTreeSet::new(), &(ECHOED_CHARS_MIN..=longest), &mut forms);
    }
    if forms.is_empty() {
        return marks;
    }
    forms.retain(|it| it.len() >= ECHOED_CHARS_MIN);
    forms.sort_unstable_by(|one, other| one.as_str().cmp(other));
    forms.dedup();
    for (name, value) in set.map() {
        note_echoes(value, &mut place_of(&[name]), set.marks(), &forms, &mut marks);
    }
    marks
}

fn note_echoes(
    value: &Value,
    place: &mut String,
    known: &Marks,
    forms: &[Zeroizing<String>],
    found: &mut Marks,
) {
    if known.covers(place) {
        return;
    }
    let here = place.len();
    match value {
        Value::Null | Value::Bool(_) => {}
        Value::String(_) | Value::Number(_) => {
            if clean(value, forms) != *value {
                found.mark(place);
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                step(place, &at.to_string());
                note_echoes(item, place, known, forms, found);
                place.truncate(here);
            }
        }
        Value::Object(map) if map.keys().any(|key| without(key, forms) != *key) => found.mark(place),
        Value::Object(map) => {
            for (key, item) in map {
                step(place, key);
                note_echoes(item, place, known, forms, found);
                place.truncate(here);
            }
        }
    }
}

fn clean(value: &Value, forms: &[Zeroizing<String>]) -> Value {
    if forms.is_empty() {
        return value.clone();
    }
    match value {
        Value::String(text) => Value::from(without(text, forms)),
        Value::Number(number) => {
            let text = number.to_string();
            let is_secret = text.len() >= DIGITS_MIN && forms.iter().any(|it| **it == text);
            if is_secret { Value::from(MASK) } else { value.clone() }
        }
        Value::Array(items) => items.iter().map(|item| clean(item, forms)).collect(),
        Value::Object(map) => {
            map.iter().map(|(name, item)| (without(name, forms), clean(item, forms))).collect()
        }
        Value::Null | Value::Bool(_) => value.clone(),
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
    without(text, &forms_of(task, secret, text.len()))
}

/// All forms in which a secret of `task` can show up in a text of at most so many bytes, the longest first.
fn forms_of(task: &Task, secret: &BTreeSet<String>, longest: usize) -> Vec<Zeroizing<String>> {
    let mut all = Vec::new();
    secret
        .iter()
        .filter_map(|name| task.params.get(name))
        .for_each(|value| note(value, &(FORM_CHARS_MIN..=longest), &mut all));
    marked_forms(&task.params, secret, &(ECHOED_CHARS_MIN..=longest), &mut all);
    all.sort_by(|one, other| (other.len(), other.as_str()).cmp(&(one.len(), one.as_str())));
    all.dedup();
    all
}

/// The forms of what is marked in `params`, beside those named.
fn marked_forms(
    params: &Params,
    but: &BTreeSet<String>,
    chars: &RangeInclusive<usize>,
    all: &mut Vec<Zeroizing<String>>,
) {
    for place in params.marks().places() {
        let keys = keys_of(place);
        match keys.split_first() {
            None => params.map().values().for_each(|value| note(value, chars, all)),
            Some((name, _)) if but.contains(name) => {}
            Some((name, rest)) => {
                let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
                let value = params.get(name).and_then(|it| dig(it, &rest));
                if let Some(value) = value {
                    note(value, chars, all);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// What a server says back is found in the longest of its texts, and in no other.
    #[test]
    fn a_secret_that_is_said_back_is_found_where_it_is() {
        let mut params = Params::default();
        params.set("key", "made-up-secret-1");
        let mut whole = Marks::default();
        whole.mark("/key");
        params.mark(&whole);
        let mut set = Params::default();
        set.set("short", "x");
        set.set("said", json!({"of": ["you sent made-up-secret-1 to us"]}));
        let found = echoes(&set, [&params, &Params::default()]);
        assert!(found.covers("/said/of/0") && !found.covers("/short"), "{found:?}");
    }
}
