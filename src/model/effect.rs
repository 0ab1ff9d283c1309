//! [`Effect`]: what the world is asked. [`Outcome`]: what it answered.
//!
//! An effect is data. It is stored with the task *before* it is performed, so a crash can only make the
//! world be asked twice, never not at all; `key` is the same both times. A `secret.NAME` stands in it as a
//! mark (see [`mark`]), which the world replaces at the last moment.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::model::fault::Fault;
use crate::model::names::{NodeName, ProcessId, Ref};
use crate::model::time::Span;

/// What the world is asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// The same for every asking on the same visit of the same task to the same node.
    pub key: String,
    /// The request.
    pub ask: Ask,
    /// How long the world may take over all of it.
    pub timeout: Span,
    /// Ask at most once: a lost answer is the fault `outcome_unknown`.
    pub once: bool,
}

/// One request to the outside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ask {
    /// An HTTP request.
    Http(Box<HttpAsk>),
    /// A message to a person.
    Tell(TellAsk),
}

/// An HTTP request. Any text in it may hold marks of secrets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HttpAsk {
    /// `GET`, `POST`, ….
    pub method: String,
    /// Absolute, `http` or `https`.
    pub url: String,
    /// Appended to the URL's query, percent-encoded.
    pub query: Vec<(String, String)>,
    /// As given; the names are checked when the file is.
    pub headers: Vec<(String, String)>,
    /// How it authorizes itself.
    pub auth: Option<Auth>,
    /// What it carries.
    pub body: Body,
    /// How the answer is read.
    pub accept: Accept,
    /// The largest answer taken, in bytes after decompression.
    pub bytes_max: u64,
    /// How many redirects are followed; each is checked like the first address. 0: none, a 3xx is the answer.
    pub redirects_max: u8,
    /// Only hosts on the operator's list of OAuth token hosts may be asked.
    pub oauth_hosts_only: bool,
}

/// How a request authorizes itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Auth {
    /// HTTP Basic.
    Basic {
        /// The user.
        user: String,
        /// The password.
        password: String,
    },
    /// `Authorization: Bearer …`.
    Bearer(String),
    /// `Beltline-Signature: t=SECONDS,v1=HEX`: the HMAC-SHA256 of the seconds since 1970, a dot and the body,
    /// under this key. It is made when the request is, of the opened key.
    Signed(String),
}

/// What a request carries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Body {
    /// Nothing.
    None,
    /// JSON.
    Json(Value),
    /// `application/x-www-form-urlencoded`.
    Form(Vec<(String, String)>),
    /// Text as it is; the content type is among the headers, or `text/plain`.
    Text(String),
}

/// How an answer's body is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Accept {
    /// JSON if it says so or parses, else text.
    #[default]
    Auto,
    /// JSON; anything else is the fault `bad_response`.
    Json,
    /// Text, whatever it says.
    Text,
}

/// A message to a person, by the channels named.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TellAsk {
    /// Names of channels, in the order they are tried.
    pub channels: Vec<String>,
    /// All of them, not the first that delivers.
    pub all: bool,
    /// For channels that have one.
    pub subject: String,
    /// The message.
    pub text: String,
    /// Tried in their order if none of the channels delivers.
    #[serde(default)]
    pub fallback: Vec<String>,
    /// Tells this message from others of the same visit, such as a reminder; the same for every try of it.
    #[serde(default)]
    pub serial: String,
    /// What it speaks of, so that many of one kind become one. None: it goes out by itself.
    #[serde(default)]
    pub about: Option<Box<About>>,
}

/// What a message speaks of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// The process.
    pub process: ProcessId,
    /// The node that tells.
    pub node: NodeName,
    /// The task.
    pub reference: Ref,
    /// The code of its fault; empty if it has none.
    pub code: String,
    /// The fault in words.
    pub why: String,
    /// It is over, or it has come.
    pub over: bool,
    /// Where a person sees all of them.
    pub see: String,
}

/// What the world answered, or why it did not.
pub type Outcome = Result<Answer, Fault>;

/// An answer of the world.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// To [`Ask::Http`].
    Http(HttpAnswer),
    /// To [`Ask::Tell`]: at least one channel delivered.
    Told(Vec<Delivery>),
}

/// An HTTP answer, of any status.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HttpAnswer {
    /// The status code.
    pub status: u16,
    /// Names in lower case; several of one name joined by `, `.
    pub headers: Map<String, Value>,
    /// JSON, or a text.
    pub body: Value,
}

/// What one channel made of a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    /// The channel's name.
    pub channel: String,
    /// The provider's id of the message, or why it was not delivered.
    pub result: Result<String, Fault>,
}

/// Opens the mark of a secret in a text of an effect: U+FDD0, the secret's name, U+FDD1. Both are Unicode
/// noncharacters; data that holds one is refused as `bad_value`, so no param can name a secret.
pub const MARK_OPEN: char = '\u{FDD0}';
/// Closes the mark of a secret.
pub const MARK_CLOSE: char = '\u{FDD1}';

/// The mark that stands for the secret `name` until the last moment.
pub fn mark(name: &str) -> String {
    format!("{MARK_OPEN}{name}{MARK_CLOSE}")
}
