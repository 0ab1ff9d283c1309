//! [`Spec`]: what a channel is. A message goes in, a request to a provider comes out; the provider's answer
//! goes in, "delivered" or a fault comes out. What is common to channels is here too.

use serde_json::{Map, Value};

use crate::model::effect::{HttpAnswer, HttpAsk};
use crate::model::fault::Fault;
use crate::model::time::Span;

/// One way to reach a person.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// As it stands after `via`.
    pub name: &'static str,
    /// One line for the manual.
    pub about: &'static str,
    /// The text of its file, whose head is its page in the manual.
    pub source: &'static str,
    /// Its settings, in the order of the form.
    pub fields: &'static [Field],
    /// The request that carries a message.
    pub request: fn(&Map<String, Value>, &Message) -> Result<Post, Fault>,
    /// What the provider's answer means: its id of the message, or why it was not delivered. The answer of a
    /// mail server is read the same way: its code is the status, its text the body.
    pub read: fn(&HttpAnswer) -> Result<String, Fault>,
}

/// One setting of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// One line for the form.
    pub about: &'static str,
    /// Whether it must be given.
    pub required: bool,
    /// Whether it is shown to no one.
    pub secret: bool,
    /// What holds if it is not given.
    pub default: Option<&'static str>,
}

impl Field {
    /// A setting that must be given.
    pub const fn required(name: &'static str, about: &'static str) -> Field {
        Field { name, about, required: true, secret: false, default: None }
    }

    /// A setting that may be left out.
    pub const fn optional(name: &'static str, about: &'static str) -> Field {
        Field { name, about, required: false, secret: false, default: None }
    }

    /// The same, shown to no one.
    #[must_use]
    pub const fn secret(self) -> Field {
        Field { secret: true, ..self }
    }

    /// The same, with what holds if it is not given.
    #[must_use]
    pub const fn or(self, default: &'static str) -> Field {
        Field { default: Some(default), ..self }
    }
}

/// A message to a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// For channels that have one.
    pub subject: String,
    /// What is said.
    pub text: String,
    /// The same for every try of this message by this channel.
    pub key: String,
}

/// A request to a provider. Any text in it may hold marks of secrets.
#[derive(Clone, Debug, PartialEq)]
pub enum Post {
    /// By HTTP.
    Http(Box<HttpAsk>),
    /// By SMTP.
    Mail(Box<MailAsk>),
}

/// A message for a mail server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailAsk {
    /// The server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is kept from others' eyes.
    pub tls: Tls,
    /// Who logs in; empty: no one does.
    pub user: String,
    /// The password.
    pub password: String,
    /// `bot@example.org` or `Bot <bot@example.org>`.
    pub from: String,
    /// The same; several with commas between.
    pub to: String,
    /// One line.
    pub subject: String,
    /// Plain text.
    pub text: String,
    /// In angle brackets; the same for every try.
    pub message_id: String,
}

/// How a connection to a mail server is kept from others' eyes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tls {
    /// From the first byte, as on port 465.
    Implicit,
    /// After `STARTTLS`, as on port 587; a server that has none is left.
    Starttls,
    /// Not at all; only on loopback.
    None,
}

/// The largest answer of a provider that is read: they are a few hundred bytes, an error page is a few
/// thousand.
pub const ANSWER_BYTES_MAX: u64 = 64 * 1024;
/// As much of a provider's own words as a fault quotes.
const WORDS_CHARS_MAX: usize = 200;
/// A run of digits this long may be somebody's number.
const NUMBER_DIGITS_MIN: usize = 7;

/// The settings of a channel as text, checked against its fields, with the defaults filled in.
#[derive(Clone, Debug)]
pub struct Settings(Map<String, Value>);

impl Settings {
    /// Reads `config` by `fields`.
    ///
    /// # Errors
    /// `bad_channel`, naming the setting.
    pub fn read(fields: &[Field], config: &Map<String, Value>) -> Result<Settings, Fault> {
        let mut settings = Map::new();
        if let Some(name) = config.keys().find(|name| !fields.iter().any(|it| it.name == *name)) {
            let names: Vec<&str> = fields.iter().map(|it| it.name).collect();
            return Err(bad(format!("there is no setting `{name}`; hint: there are {}", names.join(", "))));
        }
        for field in fields {
            let text = match config.get(field.name) {
                None | Some(Value::Null) => field.default.unwrap_or_default().to_owned(),
                Some(Value::String(text)) => text.trim().to_owned(),
                Some(Value::Number(number)) => number.to_string(),
                Some(Value::Bool(_) | Value::Array(_) | Value::Object(_)) => {
                    return Err(bad(format!("the setting `{}` is no text", field.name)));
                }
            };
            if field.required && text.is_empty() {
                return Err(bad(format!("the setting `{}` is missing", field.name)));
            }
            settings.insert(field.name.to_owned(), Value::String(text));
        }
        Ok(Settings(settings))
    }

    /// The setting `name`; empty if it was not given.
    pub fn get(&self, name: &str) -> &str {
        self.0.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// The setting `name` as the beginning of a URL, without a slash at the end.
    pub fn url(&self, name: &str) -> &str {
        self.get(name).trim_end_matches('/')
    }
}

/// The fault of a channel that is set up wrongly.
pub fn bad(message: impl Into<String>) -> Fault {
    Fault::lasting("bad_channel", message)
}

/// What a channel without subjects says, cut to `units_max` UTF-16 units, as the providers count.
///
/// # Errors
/// `bad_value` if there is nothing to say.
pub fn said(message: &Message, units_max: usize) -> Result<String, Fault> {
    let text = [&message.text, &message.subject].into_iter().find(|it| !it.trim().is_empty());
    match text {
        Some(text) => Ok(cut(text, units_max)),
        None => Err(Fault::lasting("bad_value", "the message is empty")),
    }
}

/// The head of `text`, with `…` in place of what is cut off.
fn cut(text: &str, units_max: usize) -> String {
    if text.encode_utf16().count() <= units_max {
        return text.to_owned();
    }
    let mut units = 1;
    let head = text.chars().take_while(|it| {
        units += it.len_utf16();
        units <= units_max
    });
    let mut head: String = head.collect();
    head.push('…');
    head
}

/// `text` as one line: what could begin another header becomes a space.
pub fn one_line(text: &str) -> String {
    let line: String = text.chars().map(|it| if it.is_control() { ' ' } else { it }).collect();
    line.trim().to_owned()
}

/// A provider's own words, fit for a fault: one line, not long, without anybody's number or address.
pub fn words(text: &str) -> String {
    let line = one_line(text);
    let mut shown = String::new();
    for (n, word) in line.split_whitespace().enumerate() {
        if n > 0 {
            shown.push(' ');
        }
        let digits = word.chars().filter(char::is_ascii_digit).count();
        let private = word.contains('@') || (digits >= NUMBER_DIGITS_MIN && !word.contains("://"));
        shown.push_str(if private { "***" } else { word });
    }
    cut(shown.trim_end_matches('.'), WORDS_CHARS_MAX)
}

/// The fault of a failed answer by its status alone; what the provider said is in `why`.
pub fn refused(answer: &HttpAnswer, why: &str) -> Fault {
    let status = answer.status;
    let said = match words(why) {
        it if it.is_empty() => format!("status {status}"),
        it => format!("{it} (status {status})"),
    };
    let mut fault = match status {
        408 | 425 | 500..=599 => Fault::passing("channel_failed", said),
        429 => Fault::passing("channel_limited", said),
        401 => Fault::lasting("channel_keys", format!("{said}; hint: look at the keys of the channel")),
        _ => Fault::lasting("channel_refused", said),
    };
    fault.status = Some(status);
    fault.retry_after = retry_after(&answer.headers);
    fault
}

/// The fault of an answer that cannot be understood.
pub fn strange(answer: &HttpAnswer, what: &str) -> Fault {
    if answer.status >= 400 {
        return refused(answer, "");
    }
    let mut fault = Fault::lasting("bad_response", format!("{what} (status {})", answer.status));
    fault.status = Some(answer.status);
    fault
}

/// How long the provider asks us to wait, in its headers.
fn retry_after(headers: &Map<String, Value>) -> Option<Span> {
    let seconds: u64 = headers.get("retry-after")?.as_str()?.trim().parse().ok()?;
    seconds.checked_mul(1_000).map(Span::millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_keeps_its_head() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcd", 3), "ab…");
        assert_eq!(cut("😀😀", 3), "😀…");
    }

    #[test]
    fn the_words_of_a_provider_name_no_one() {
        assert_eq!(words("The 'To' number +15558675310 is not valid."), "The 'To' number *** is not valid");
        assert_eq!(words("550 <a@b.org>: no\r\nsuch user"), "550 *** no such user");
        assert_eq!(words("error code 20003"), "error code 20003");
    }
}
