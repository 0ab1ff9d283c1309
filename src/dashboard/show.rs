//! How things look on every page: moments, values, lengths of time, states.

use std::fmt;

use askama::filters::HtmlSafe;
use serde_json::Value;

use crate::dashboard::words::Words;
use crate::service::errors::ServiceError;

/// The longest value shown whole on a page, in characters.
const VALUE_CHARS_MAX: usize = 1_500;

/// A moment: RFC 3339 for machines and for readers without script, which makes it local otherwise.
#[derive(Clone, Debug)]
pub(super) struct When(pub(super) String);

impl fmt::Display for When {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Moments are written by this program: digits, `-`, `:`, `T`, `Z` and nothing to escape.
        let safe: String =
            self.0.chars().filter(|it| it.is_ascii_alphanumeric() || "-:.+".contains(*it)).collect();
        let plain = match safe.split_once('T') {
            Some((day, hour)) => {
                let hour = hour.trim_end_matches('Z').split('.').next().unwrap_or_default();
                format!("{day} {hour} UTC")
            }
            None => safe.clone(),
        };
        write!(to, "<time datetime=\"{safe}\">{plain}</time>")
    }
}

impl HtmlSafe for When {}

/// A moment that may not be.
pub(super) fn when(at: Option<&String>) -> Option<When> {
    at.map(|it| When(it.clone()))
}

/// A moment of the service in seconds since 1970.
pub(super) fn seconds(at: &str) -> Option<i64> {
    at.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_second)
}

/// A value as text: a string as it is, all else as JSON.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(_) | Value::Array(_) => serde_json::to_string_pretty(value).unwrap_or_default(),
        other => other.to_string(),
    }
}

/// The beginning of a text, and whether there is more.
pub(super) fn short(text: &str, chars: usize) -> (String, bool) {
    match text.char_indices().nth(chars) {
        Some((end, _)) => (text[..end].to_owned(), true),
        None => (text.to_owned(), false),
    }
}

/// A value as a page shows it.
pub(super) fn shown(value: &Value) -> String {
    let (text, cut) = short(&text(value), VALUE_CHARS_MAX);
    if cut { format!("{text}…") } else { text }
}

/// A size in words.
pub(super) fn bytes(many: u64) -> String {
    indicatif::HumanBytes(many).to_string()
}

/// A length of time in words of at most two units.
pub(super) fn span(seconds: i64, w: &Words) -> String {
    let parts = [(86_400, w.unit_d), (3_600, w.unit_h), (60, w.unit_min), (1, w.unit_s)];
    let mut left = seconds.max(0);
    let mut words = Vec::new();
    for (size, unit) in parts {
        if left >= size && words.len() < 2 {
            words.push(format!("{} {unit}", left / size));
            left %= size;
        } else if !words.is_empty() {
            break;
        }
    }
    if words.is_empty() { format!("0 {}", w.unit_s) } else { words.join(" ") }
}

/// A short length of time, in milliseconds.
pub(super) fn pause(millis: i64, w: &Words) -> String {
    match millis {
        ..1_000 => format!("{} {}", millis.max(0), w.unit_ms),
        1_000..60_000 => format!("{}.{} {}", millis / 1_000, millis % 1_000 / 100, w.unit_s),
        _ => span(millis / 1_000, w),
    }
}

/// A sentence of the service as a sentence of a page: it begins with a capital letter and ends with a full
/// stop. What stands behind `hint:` comes apart.
pub(super) fn sentence(text: &str) -> (String, Option<String>) {
    let (text, hint) = match text.split_once("; hint: ") {
        Some((text, hint)) => (text, Some(capital(hint))),
        None => (text, None),
    };
    (capital(text), hint)
}

/// A refusal as one line beside a field.
pub(super) fn beside(refusal: &ServiceError) -> String {
    let (text, hint) = sentence(&refusal.to_string());
    hint.map_or_else(|| text.clone(), |hint| format!("{text} {hint}"))
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|it| it.to_uppercase().to_string()).unwrap_or_default();
    let stop = if text.ends_with(['.', '?', '!', '…']) { "" } else { "." };
    format!("{first}{}{stop}", chars.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::words::ENGLISH;

    #[test]
    fn lengths_of_time_are_read_at_a_glance() {
        for (seconds, words) in
            [(-5, "0 s"), (0, "0 s"), (59, "59 s"), (3_600, "1 h"), (3_660, "1 h 1 min"), (90_061, "1 d 1 h")]
        {
            assert_eq!(span(seconds, &ENGLISH), words);
        }
    }

    #[test]
    fn a_moment_is_for_machines_and_for_people() {
        let html = When("2026-11-05T03:04:05.678Z".to_owned()).to_string();
        assert_eq!(html, "<time datetime=\"2026-11-05T03:04:05.678Z\">2026-11-05 03:04:05 UTC</time>");
        assert!(!When("\"><script>".to_owned()).to_string().contains("<script"));
    }

    #[test]
    fn a_refusal_is_a_sentence_and_a_hint() {
        assert_eq!(
            sentence("it is so; hint: do that"),
            ("It is so.".to_owned(), Some("Do that.".to_owned()))
        );
        assert_eq!(sentence(""), (".".to_owned(), None));
    }
}
