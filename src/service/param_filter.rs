//! [`ParamFilter`]: which tasks a person looks for by what they carry. What is secret is not looked at:
//! whoever may not read it could guess it.

use std::str::FromStr;

use serde_json::Value;

use crate::model::marks::MASK;
use crate::model::params::Params;
use crate::process::process::Process;
use crate::service::errors::ServiceError;
use crate::service::view::TaskView;

/// Which tasks to find, by one of their params: `city=Riga` or `city~ri`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParamFilter {
    /// The param, or what is in it: `address.city`.
    path: String,
    how: How,
    text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    /// It is that value.
    Is,
    /// Its text has that in it, in capitals or not.
    Holds,
}

impl FromStr for ParamFilter {
    type Err = ServiceError;
    fn from_str(text: &str) -> Result<ParamFilter, ServiceError> {
        let place = text.find(['=', '~']);
        let parts = place.map(|at| (text[..at].trim(), &text[at..=at], text[at + 1..].trim()));
        match parts {
            Some((path, sign, text)) if !path.is_empty() => {
                let (how, text) = match sign {
                    "=" => (How::Is, text.to_owned()),
                    _ => (How::Holds, text.to_lowercase()),
                };
                Ok(ParamFilter { path: path.to_owned(), how, text })
            }
            _ => {
                let message = format!(
                    "`{text}` does not say which tasks to find; hint: write `name=value`, or \
                     `name~part of the value`"
                );
                Err(ServiceError::bad("bad_param_filter", message))
            }
        }
    }
}

impl ParamFilter {
    /// Refuses to look for what that process keeps secret.
    pub(super) fn allowed_in(&self, process: &Process) -> Result<(), ServiceError> {
        let is_secret = |name: &String| {
            *name == self.path || self.path.strip_prefix(name).is_some_and(|it| it.starts_with(['.', '/']))
        };
        match process.secret.iter().find(|it| is_secret(it)) {
            None => Ok(()),
            Some(name) => {
                let message = format!(
                    "`{name}` is secret, so no task is found by it; hint: give tasks a reference, or \
                     another param, to find them by"
                );
                Err(ServiceError::bad("secret_param_filter", message))
            }
        }
    }

    /// Whether it is such a task, by what may be seen of it.
    pub(super) fn finds(&self, task: &TaskView) -> bool {
        let Some((_, value)) = dig(&task.params, &self.path) else { return false };
        match (self.how, value) {
            (_, Value::String(text)) if text == MASK => false,
            (How::Is, Value::String(text)) => *text == self.text,
            (How::Is, value) => serde_json::from_str::<Value>(&self.text).is_ok_and(|it| it == *value),
            (How::Holds, Value::String(text)) => text.to_lowercase().contains(&self.text),
            (How::Holds, value) => value.to_string().to_lowercase().contains(&self.text),
        }
    }
}

/// The value at `path`, and the keys that lead there, the top-level param first. Parts stand between `/`, or
/// else between `.`; a param may have dots in its name.
pub(super) fn dig<'a>(params: &'a Params, path: &'a str) -> Option<(Vec<&'a str>, &'a Value)> {
    if let Some(value) = params.get(path) {
        return Some((vec![path], value));
    }
    let keys: Vec<&str> = path.split(if path.contains('/') { '/' } else { '.' }).collect();
    let (name, rest) = keys.split_first()?;
    let mut value = params.get(name)?;
    for part in rest {
        value = match value {
            Value::Object(map) => map.get(*part)?,
            Value::Array(items) => items.get(part.parse::<usize>().ok()?)?,
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return None,
        };
    }
    Some((keys, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_filter_is_told() {
        for text in ["", "Riga", "=Riga", " ~x"] {
            let refusal = text.parse::<ParamFilter>().unwrap_err();
            assert_eq!(refusal.code(), "bad_param_filter", "{text}");
        }
        let filter: ParamFilter = " a.b = c=d~e ".parse().unwrap();
        assert_eq!((filter.path.as_str(), filter.how, filter.text.as_str()), ("a.b", How::Is, "c=d~e"));
        assert_eq!("a~B=c".parse::<ParamFilter>().unwrap().text, "b=c");
    }
}
