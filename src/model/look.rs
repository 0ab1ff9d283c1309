//! Looking a path up in a [`EvalContext`], and saying which one is missing. Nothing is cloned on the way.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::model::effect::{MARK_CLOSE, MARK_OPEN};
use crate::model::fault::Fault;
use crate::model::names::TaskId;
use crate::model::near::nearest;
use crate::model::scope::{EvalContext, dig};

/// Among so many names of a map is looked for what was meant: maps may be large, and are missed often.
const NAMES_MAX: usize = 100;

/// The value at `keys` below the top-level name `root`.
///
/// # Errors
/// `missing_param`, `missing_var` or `missing_field`, naming the path.
pub(crate) fn look<'v, K: AsRef<str>>(
    view: &'v EvalContext,
    root: &str,
    keys: &[K],
) -> Result<Cow<'v, Value>, Fault> {
    if let Some(keys) = header(view, root, keys) {
        return look(view, root, &keys);
    }
    let found = find(view, root, keys).ok_or_else(|| missing(view, root, keys))?;
    view.noted(root, keys, &found);
    Ok(found)
}

fn find<'v, K: AsRef<str>>(view: &'v EvalContext, root: &str, keys: &[K]) -> Option<Cow<'v, Value>> {
    let (top, rest) = match root {
        "params" | "var" => match keys.split_first() {
            None => (view.name(root).map(Cow::Owned), keys),
            Some((first, rest)) => {
                let map = if root == "var" { &*view.scope.vars } else { view.task.params.map() };
                (map.get(first.as_ref()).map(Cow::Borrowed), rest)
            }
        },
        "response" => (view.response.as_deref().map(Cow::Borrowed), keys),
        "task" | "fault" | "now" => (view.name(root).map(Cow::Owned), keys),
        "item" | "index" if view.item.is_some() => (view.item_name(root).map(Cow::Borrowed), keys),
        param => (view.task.params.get(param).map(Cow::Borrowed), keys),
    };
    match top? {
        Cow::Borrowed(value) => walk(value, rest).map(Cow::Borrowed),
        Cow::Owned(value) if rest.is_empty() => Some(Cow::Owned(value)),
        Cow::Owned(value) => walk(&value, rest).cloned().map(Cow::Owned),
    }
}

/// Whether those are the headers of an answer, or of a request to a hook, where no task is.
pub(crate) fn is_headers<K: AsRef<str>>(view: &EvalContext, root: &str, keys: &[K]) -> bool {
    match (root, keys) {
        ("response", [first]) => first.as_ref() == "headers",
        ("params", [first]) => first.as_ref() == "headers" && view.task.id == TaskId(0),
        ("headers", []) => view.task.id == TaskId(0),
        _ => false,
    }
}

/// The keys as the header is kept, if they name one in another case: names of headers have none (RFC 9110,
/// section 5.1).
fn header<K: AsRef<str>>(view: &EvalContext, root: &str, keys: &[K]) -> Option<Vec<String>> {
    let at = usize::from(root != "headers");
    let name = keys.get(at).map(AsRef::as_ref)?;
    if !is_headers(view, root, &keys[..at]) || !name.bytes().any(|it| it.is_ascii_uppercase()) {
        return None;
    }
    let mut keys: Vec<String> = keys.iter().map(|it| it.as_ref().to_owned()).collect();
    keys[at].make_ascii_lowercase();
    Some(keys)
}

fn walk<'a, K: AsRef<str>>(value: &'a Value, keys: &[K]) -> Option<&'a Value> {
    keys.iter().try_fold(value, |value, key| dig(value, &[key.as_ref()]))
}

/// How many items or letters there are, for a text that asks for `list.length`.
pub(crate) fn len(value: &Value) -> Option<Value> {
    match value {
        Value::Array(items) => Some(Value::from(items.len())),
        Value::String(text) => Some(Value::from(text.chars().count())),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
    }
}

/// The path as a person writes it.
pub(crate) fn shown<K: AsRef<str>>(root: &str, keys: &[K]) -> String {
    let mut text = root.to_owned();
    for key in keys.iter().map(AsRef::as_ref) {
        if !key.is_empty() && key.bytes().all(|it| it.is_ascii_digit()) {
            text.extend(["[", key, "]"]);
        } else if key.chars().all(is_name_char) && !key.is_empty() {
            text.extend([".", key]);
        } else {
            text.extend(["[", &Value::from(key).to_string(), "]"]);
        }
    }
    text
}

/// Whether a name may hold this character without being quoted.
pub(crate) fn is_name_char(it: char) -> bool {
    it.is_alphanumeric()
        || matches!(it, '_' | '-' | '$' | '@' | ':')
        || (!it.is_ascii() && !it.is_whitespace() && !is_typographic(it))
}

/// Whether it is a quote as word processors and messengers make it, which quotes nothing here.
pub(crate) fn is_typographic(it: char) -> bool {
    matches!(it, '\u{2018}'..='\u{201f}' | '\u{2039}' | '\u{203a}' | '\u{ab}' | '\u{bb}')
}

fn missing<K: AsRef<str>>(view: &EvalContext, root: &str, keys: &[K]) -> Fault {
    let path = shown(root, keys);
    let fault = match root {
        "var" => Fault::lasting("missing_var", format!("there is no variable `{path}`")),
        "response" if view.response.is_none() => {
            Fault::lasting("missing_field", format!("`{path}` is read where there is no response"))
        }
        "response" => Fault::lasting("missing_field", format!("the answer has no `{path}`")),
        "fault" if view.task.fault.is_none() => {
            Fault::lasting("missing_param", format!("`{path}` is read where there is no fault"))
        }
        _ => Fault::lasting("missing_param", format!("there is no param `{path}`")),
    };
    let hint = match keys.split_last() {
        Some((last, above)) if last.as_ref() == "length" => {
            format!("in an expression it is `{}|length`", shown(root, above))
        }
        _ => match near(view, root, keys) {
            Some(path) => format!("did you mean `{path}`?"),
            None => return fault,
        },
    };
    Fault { message: format!("{}; hint: {hint}", fault.message), ..fault }
}

/// The path of what was most likely meant: a slip of the finger, or another case, as the headers of an answer
/// have that were kept.
fn near<K: AsRef<str>>(view: &EvalContext, root: &str, keys: &[K]) -> Option<String> {
    let names = |map: &Map<String, Value>, word: &str| {
        nearest(word, map.keys().take(NAMES_MAX).map(String::as_str)).map(str::to_owned)
    };
    let Some((last, above)) = keys.split_last() else {
        return names(view.task.params.map(), root);
    };
    let name = names(find(view, root, above)?.as_object()?, last.as_ref())?;
    let keys: Vec<&str> = above.iter().map(AsRef::as_ref).chain([name.as_str()]).collect();
    Some(shown(root, &keys))
}

/// The fault of a null where a value is needed.
pub(crate) fn null(path: &str) -> Fault {
    Fault::lasting("missing_param", format!("`{path}` is null; hint: write `{path} ?? \"a default\"`"))
}

/// Whether `fault` says that something is not there, so that a default may stand in.
pub(crate) fn is_missing(fault: &Fault) -> bool {
    matches!(
        fault.code.as_str(),
        "missing_param"
            | "missing_var"
            | "missing_field"
            | "missing_secret"
            | "ref_not_found"
            | "process_not_found"
    )
}

/// Refuses data that could be taken for the mark of a secret.
///
/// # Errors
/// `bad_value`.
pub(crate) fn refuse_marks(value: &Value) -> Result<(), Fault> {
    if holds_mark(value) {
        let message = "a value holds U+FDD0 or U+FDD1, which no text may";
        return Err(Fault::lasting("bad_value", message));
    }
    Ok(())
}

/// Whether a text holds a character that marks of secrets are made of.
pub(crate) fn has_mark(text: &str) -> bool {
    text.contains([MARK_OPEN, MARK_CLOSE])
}

/// Whether a value does, anywhere in it.
pub(crate) fn holds_mark(value: &Value) -> bool {
    match value {
        Value::String(text) => has_mark(text),
        Value::Array(items) => items.iter().any(holds_mark),
        Value::Object(map) => map.iter().any(|(key, value)| has_mark(key) || holds_mark(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// A value as it stands in a text: strings as they are, all else as JSON.
///
/// # Errors
/// `missing_param` for null: in a text it would be a silent nothing.
pub(crate) fn as_text<'v>(value: Cow<'v, Value>, path: &str) -> Result<Cow<'v, str>, Fault> {
    match value {
        Cow::Borrowed(Value::String(text)) => Ok(Cow::Borrowed(text)),
        Cow::Owned(Value::String(text)) => Ok(Cow::Owned(text)),
        value if value.is_null() => Err(null(path)),
        value => Ok(Cow::Owned(value.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::model::example::view;
    use crate::model::expr::Expr;
    use crate::model::text::StringTemplate;

    #[test]
    fn a_header_is_found_in_any_case() {
        let answer = json!({"status": 200, "headers": {"x-total": "3"}, "body": {"X-Total": 1}});
        let view = view(json!({"name": "X-TOTAL", "headers": {"x-total": 5}})).with_response(answer);
        for expr in [
            "response.headers[\"X-Total\"]",
            "response[\"headers\"][\"x-Total\"]",
            "response.headers[name]",
            "response.headers[\"x-total\"]",
            "(response.headers|items|first)[1]",
        ] {
            assert_eq!(Expr::parse(expr).unwrap().eval(&view).unwrap(), "3", "{expr}");
        }
        for text in ["{{response.headers.X-Total}}", "{{response.headers[\"X-TOTAL\"]}}"] {
            assert_eq!(StringTemplate::parse(text).unwrap().fill(&view).unwrap(), "3", "{text}");
        }
        let missing = Expr::parse("response.headers[\"X-Other\"]").unwrap().eval(&view).unwrap_err();
        assert_eq!(missing.code, "missing_field");
        // Only headers: fields of bodies, and params, have their case.
        for (expr, there) in [
            ("response.body[\"x-total\"]", "did you mean `response.body.X-Total`?"),
            ("headers[\"X-Total\"]", "did you mean `headers.x-total`?"),
            ("headers[\"x_total\"]", "did you mean `headers.x-total`?"),
            ("Name", "did you mean `name`?"),
        ] {
            let fault = Expr::parse(expr).unwrap().eval(&view).unwrap_err();
            assert!(fault.message.contains(there), "{expr}: {}", fault.message);
        }
    }
}
