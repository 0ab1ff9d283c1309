//! What `unisender-sms` and `unisender-email` share. Whether a request was good is in the body alone: the
//! status may be 200 for an error and 400 for another one of the same kind.

use serde_json::Value;

use crate::channels::marks::url_part;
use crate::channels::refusal::{Why, strange};
use crate::channels::spec::{ChannelSettings, Reply};
use crate::channels::words::{noted, unescaped, words};
use crate::model::effect::HttpAnswer;
use crate::model::fault::Fault;
use crate::model::time::Span;

/// Where UniSender is.
pub const BASE_URL: &str = "https://api.unisender.com";
/// The limits are per minute.
const LIMIT: Span = Span::mins(1);
/// Error codes that are about the key.
const KEYS: [&str; 2] = ["invalid_api_key", "access_denied"];
/// Error codes that pass after a while. The last one: a minute must lie between two messages to one phone.
const LIMITED: [&str; 3] =
    ["api_call_limit_exceeded_for_api_key", "api_call_limit_exceeded_for_ip", "has_been_sent"];

/// Where `method` is called. The key is in the body, so that no proxy logs it.
pub fn url(settings: &ChannelSettings, method: &str) -> String {
    let (base, lang) = (settings.url("base_url"), url_part(settings.get("lang")));
    format!("{base}/{lang}/api/{method}?format=json")
}

/// What the answer means. `names` are those under which a result may have the number of its message.
pub fn read(answer: &HttpAnswer, names: &[&str]) -> Result<Reply, Fault> {
    let body = &answer.body;
    if let Some((code, said)) = error(body) {
        return Err(failed(answer, &code, &said));
    }
    let results = match body.get("result") {
        Some(Value::Array(results)) if !results.is_empty() => results.iter().collect(),
        Some(result @ Value::Object(_)) => vec![result],
        _ => return Err(strange(answer, "the answer is none of UniSender's")),
    };
    let errors: Vec<(String, String)> = results.iter().filter_map(|it| error(it)).collect();
    let ids: Vec<String> = results.iter().filter_map(|it| number(it, names)).collect();
    match (ids.as_slice(), errors.as_slice()) {
        ([], []) => Err(strange(answer, "the answer names no message")),
        ([], [(code, _), ..]) => {
            let said: Vec<&str> = errors.iter().map(|(_, said)| said.as_str()).collect();
            Err(failed(answer, code, &said.join(", ")))
        }
        (ids, []) => Ok(Reply::Taken(noted(&ids.join(", "), &warnings(body)))),
        (ids, [(code, _), ..]) => {
            let note = format!("{} of {} refused: {code}", errors.len(), results.len());
            Ok(Reply::Taken(noted(&ids.join(", "), &note)))
        }
    }
}

/// The code and the words of an error: at the top, inside `result`, or in a list of `errors` inside it.
fn error(it: &Value) -> Option<(String, String)> {
    let text = |it: &Value, name: &str| it.get(name).and_then(Value::as_str).map(str::to_owned);
    if let Some(errors) = it.get("errors").and_then(Value::as_array).filter(|it| !it.is_empty()) {
        let code = text(&errors[0], "code").unwrap_or_default();
        let said = errors.iter().filter_map(|it| text(it, "message").or_else(|| text(it, "error")));
        return Some((code, unescaped(&said.collect::<Vec<_>>().join(", "))));
    }
    let said = match it.get("error") {
        Some(Value::String(said)) => unescaped(said),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    };
    let code = text(it, "code").unwrap_or_default();
    (!said.is_empty() || !code.is_empty()).then_some((code, said))
}

fn failed(answer: &HttpAnswer, code: &str, said: &str) -> Fault {
    let why = match code {
        code if KEYS.contains(&code) => Why::Keys,
        code if LIMITED.contains(&code) => Why::Limited,
        "retry_later" => Why::Failed,
        "" => Why::of(answer.status),
        _ => Why::Refused,
    };
    let shown = if code.is_empty() { said.to_owned() } else { format!("{code}: {said}") };
    let mut fault = why.fault(answer, &shown);
    if why == Why::Limited {
        fault.retry_after = fault.retry_after.or(Some(LIMIT));
    }
    if code == "not_enough_money" {
        fault.message.push_str("; hint: the account is empty");
    }
    fault
}

fn number(it: &Value, names: &[&str]) -> Option<String> {
    match names.iter().find_map(|name| it.get(name))? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn warnings(body: &Value) -> String {
    let warnings = body.get("warnings").and_then(Value::as_array).into_iter().flatten();
    let said = warnings.filter_map(|it| it.get("warning").and_then(Value::as_str).map(unescaped));
    words(&said.collect::<Vec<_>>().join(", "))
}
