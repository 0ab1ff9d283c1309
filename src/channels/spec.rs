//! [`ChannelSpec`]: what a channel is. A message goes in, a request to a provider comes out; the provider's
//! answer goes in, "taken" or a fault comes out.

use serde_json::{Map, Value};

use crate::model::effect::{Body, BodyFormat, HttpAnswer, HttpRequest};
use crate::model::fault::Fault;

/// One way to reach a person.
#[derive(Clone, Copy, Debug)]
pub struct ChannelSpec {
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
    /// What the provider's answer means, or why the message was not taken. The answer of a mail server is
    /// read the same way: its code is the status, its text the body.
    pub read: fn(&HttpAnswer) -> Result<Reply, Fault>,
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
    Http(Box<HttpRequest>),
    /// By SMTP.
    Mail(Box<MailAsk>),
}

/// What a provider's answer that is no failure means.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// The message is taken. The provider's id of it, and what else a person should know.
    Taken(String),
    /// Some of those it is for have it, and others were refused.
    Partly {
        /// As of a message that all have.
        taken: String,
        /// Who was refused, and why.
        refused: Fault,
    },
    /// Whom it is for is known by another name now: the same message is to be sent there.
    Moved {
        /// The setting that is to be changed.
        setting: &'static str,
        /// What it is now.
        to: String,
    },
}

/// A message for a mail server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailAsk {
    /// The server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is kept from others' eyes.
    pub tls: MailTls,
    /// Who logs in; empty: no one does.
    pub user: String,
    /// The password.
    pub password: String,
    /// `bot@example.org` or `Bot <bot@example.org>`.
    pub from: String,
    /// The same; several with commas between.
    pub to: String,
    /// The name we give ourselves; empty: the machine's own.
    pub hello: String,
    /// The certificates that are trusted, as PEM; empty: the machine's.
    pub ca: String,
    /// One line.
    pub subject: String,
    /// Plain text.
    pub text: String,
    /// In angle brackets; the same for every try.
    pub message_id: String,
}

/// How a connection to a mail server is kept from others' eyes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MailTls {
    /// From the first byte, as on port 465.
    Implicit,
    /// After `STARTTLS`, as on port 587; a server that has none is left.
    Starttls,
    /// Not at all; only on loopback.
    None,
}

/// The largest answer of a provider that is read: they are a few hundred bytes, an error page is a few
/// thousand.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;

/// When a canary sings on a channel.
pub const CANARY: &str = "canary";
/// The time zone of that.
pub const CANARY_ZONE: &str = "canary_zone";

/// The settings that every channel has beside its own.
pub const COMMON: [Field; 2] = [
    Field::optional(CANARY, "weekly, or when to send a message that all is well, as `0 9 * * MON`"),
    Field::optional(CANARY_ZONE, "the time zone of the canary, `Europe/Riga`; UTC if not given"),
];

/// The settings of a channel as text, checked against its fields, with the defaults filled in.
#[derive(Clone, Debug)]
pub struct ChannelSettings(Map<String, Value>);

impl ChannelSettings {
    /// Reads `config` by `fields`.
    ///
    /// # Errors
    /// `bad_channel`, naming the setting.
    pub fn read(fields: &[Field], config: &Map<String, Value>) -> Result<ChannelSettings, Fault> {
        let mut settings = Map::new();
        let known = || fields.iter().chain(&COMMON);
        if let Some(name) = config.keys().find(|name| !known().any(|it| it.name == *name)) {
            let names: Vec<&str> = known().map(|it| it.name).collect();
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
        Ok(ChannelSettings(settings))
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

/// A POST to a provider; it follows no redirect.
pub fn post(url: String, body: Body) -> HttpRequest {
    HttpRequest {
        method: "POST".to_owned(),
        url,
        query: Vec::new(),
        headers: Vec::new(),
        auth: None,
        body,
        accept: BodyFormat::Auto,
        bytes_max: ANSWER_BYTES_MAX,
        redirects_max: 0,
        oauth_hosts_only: false,
        tls: None,
        pace: None,
        page: None,
        unread: false,
        keeps_unread: false,
        charset: None,
        fresh: false,
        as_get: false,
    }
}

/// The pairs of a form.
pub fn form<const N: usize>(pairs: [(&str, &str); N]) -> Body {
    Body::Form(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into())
}
