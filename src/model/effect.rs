//! [`Effect`]: what the world is asked. [`Outcome`]: what it answered.
//!
//! An effect is data. It is stored with the task *before* it is performed, so a crash can only make the
//! world be asked twice, never not at all; `key` is the same both times. A `secret.NAME` stands in it as a
//! mark (see [`mark`]), which the world replaces at the last moment.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::model::charset_name::Charset;
use crate::model::fault::Fault;
use crate::model::names::{NodeName, ProcessId, Ref};
use crate::model::rate::Rate;
use crate::model::retry_after::retry_after;
use crate::model::time::{Span, Timestamp};

/// What the world is asked. Committed with its task before it is asked, so after a crash the same is asked
/// again under the same key, or is a fault where it may be asked only once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// The same for every asking on the same visit of the same task to the same node, and on the same page
    /// where there are several. Written by the walk; goes out as `Idempotency-Key`.
    pub key: String,
    /// The request. Secrets stand in it as marks, and are put in at the last moment.
    pub request: Request,
    /// How long the world may take over all of it, redirects and the reading of the answer included. Counted
    /// from when it is asked, not while it waits for its place.
    pub timeout: Span,
    /// Ask at most once: a lost answer is the fault `outcome_unknown`. Set by `unsure: stop`.
    pub once: bool,
}

impl Effect {
    /// An effect whose key is not known yet.
    pub fn new(request: Request, timeout: Span, once: bool) -> Effect {
        Effect { key: String::new(), request, timeout, once }
    }
}

/// One request to the outside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Request {
    /// An HTTP request.
    Http(Box<HttpRequest>),
    /// A message to a person.
    Notify(Notification),
}

/// An HTTP request. Any text in it may hold marks of secrets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each says one thing of how it is asked")]
pub struct HttpRequest {
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
    pub accept: BodyFormat,
    /// The charset of the answer, whatever the answer says.
    #[serde(default)]
    pub charset: Option<Charset>,
    /// The largest answer taken, in bytes after decompression.
    pub bytes_max: u64,
    /// How many redirects are followed; each is checked like the first address. 0: none, a 3xx is the answer.
    pub redirects_max: u8,
    /// Where another address is to be looked at instead of asked, it is.
    #[serde(default)]
    pub as_get: bool,
    /// Only hosts on the operator's list of OAuth token hosts may be asked.
    pub oauth_hosts_only: bool,
    /// Who asks, and who is trusted, if not as usual.
    #[serde(default)]
    pub tls: Option<ClientTls>,
    /// How much of it may happen at once.
    #[serde(default)]
    pub pace: Option<Pace>,
    /// Which page of a list it is, if it is one of several.
    #[serde(default)]
    pub page: Option<PageRequest>,
    /// Nobody looks at the body of the answer: whatever it is, nothing is wrong with it.
    #[serde(default)]
    pub unread: bool,
    /// Where the body of an answer that claims success cannot be read, it is given as it came.
    #[serde(default)]
    pub keeps_unread: bool,
    /// There is no second try: it goes out on a connection of its own, for one that was kept may be closed by
    /// the server in the very moment.
    #[serde(default)]
    pub fresh: bool,
}

/// Certificates, in PEM; each may be the mark of a secret.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClientTls {
    /// The client's certificate, with those between it and its CA.
    pub cert: Option<String>,
    /// The certificate's private key.
    pub key: Option<String>,
    /// The only CAs that are trusted.
    pub ca: Option<String>,
}

/// How much of one node's asking may happen at once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pace {
    /// The node, as people know it.
    pub node: String,
    /// So many requests at once.
    pub parallel: Option<u32>,
    /// So many requests in a time.
    pub rate: Option<Rate>,
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PageRequest {
    /// From 1.
    pub number: u32,
    /// The address the page before gave for this one: whole, or from where that page was.
    pub at: Option<String>,
    /// Hosts such an address may lead to beside the first page's.
    pub hosts: Vec<String>,
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
    /// OAuth 2: an access token by client credentials, which the world gets and keeps.
    Oauth2(Box<Grant>),
    /// An HMAC over whatever the provider wants.
    Hmac(Box<Signing>),
}

/// OAuth 2 client credentials.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Where tokens are given.
    pub token_url: String,
    /// The client.
    pub client_id: String,
    /// Sent nowhere else.
    pub client_secret: String,
    /// What is asked for.
    pub scope: Option<String>,
    /// For whom the token is, where the provider asks that.
    pub audience: Option<String>,
    /// How the client names itself.
    pub style: GrantStyle,
}

/// How a client names itself to a token server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum GrantStyle {
    /// With HTTP Basic.
    #[default]
    Basic,
    /// With `client_id` and `client_secret` in the form.
    Body,
}

/// How a request is signed, at the last moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Signing {
    /// The key; it is in no request.
    pub key: String,
    /// How the key is written.
    pub key_is: KeyForm,
    /// The hash beneath the HMAC.
    pub hash: HashName,
    /// The header that carries the signature.
    pub header: String,
    /// What is signed.
    pub of: Vec<Ingredient>,
    /// What stands before the signature.
    pub prefix: Vec<Ingredient>,
    /// How the signature is written.
    pub encoding: SignatureEncoding,
    /// More headers that the receiver needs, such as the time.
    pub headers: Vec<(String, Vec<Ingredient>)>,
}

/// A piece of what is signed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ingredient {
    /// As it is.
    Text(String),
    /// Known when the request is made.
    Fact(Fact),
}

/// What is known of a request when it is made: `{{request.NAME}}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fact {
    /// `POST`.
    Method,
    /// `/v1/orders`.
    Path,
    /// `a=1&b=2`, without `?`; may be empty.
    Query,
    /// `api.example.org`, with a port that is not the usual one.
    Host,
    /// Seconds since 1970.
    Time,
    /// Milliseconds since 1970.
    TimeMs,
    /// The time as HTTP writes it.
    Date,
    /// All of the body.
    Body,
    /// The SHA-256 of the body, in hex.
    BodySha256,
    /// The SHA-256 of the body, in Base64.
    BodySha256Base64,
    /// The idempotency key.
    Key,
}

impl Fact {
    /// All of them, by name.
    pub const ALL: [(&str, Fact); 11] = [
        ("method", Fact::Method),
        ("path", Fact::Path),
        ("query", Fact::Query),
        ("host", Fact::Host),
        ("time", Fact::Time),
        ("time_ms", Fact::TimeMs),
        ("date", Fact::Date),
        ("body", Fact::Body),
        ("body_sha256", Fact::BodySha256),
        ("body_sha256_base64", Fact::BodySha256Base64),
        ("key", Fact::Key),
    ];
}

/// How a key is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum KeyForm {
    /// The text itself is the key.
    #[default]
    Text,
    /// In hex.
    Hex,
    /// In Base64.
    Base64,
}

/// A hash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum HashName {
    /// SHA-1, for providers that know no better.
    Sha1,
    /// SHA-256.
    #[default]
    Sha256,
    /// SHA-512.
    Sha512,
}

/// How bytes are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SignatureEncoding {
    /// In hex.
    #[default]
    Hex,
    /// In Base64.
    Base64,
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
    /// Whatever, and what it is.
    Raw {
        /// Such as `text/csv`.
        content_type: String,
        /// What is sent.
        content: Content,
    },
    /// Parts, as browsers send files.
    Multipart(Vec<MultipartField>),
    /// XML, made of a value (see [`crate::model::xml`]).
    Xml(Value),
    /// XML as it is; secrets are escaped when they are opened.
    XmlText(String),
}

/// One part of several.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MultipartField {
    /// The field.
    pub name: String,
    /// What is in it.
    pub content: Content,
    /// The file's name, if it is one.
    pub file: Option<String>,
    /// Such as `image/png`.
    pub content_type: Option<String>,
}

/// What is sent, as a text can hold it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Content {
    /// The text.
    Text(String),
    /// The bytes that this is the Base64 of.
    Base64(String),
}

/// How an answer's body is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BodyFormat {
    /// JSON if it says so or parses, else text.
    #[default]
    Auto,
    /// JSON; anything else is the fault `bad_response`.
    Json,
    /// Text, whatever it says.
    Text,
    /// XML, as a value (see [`crate::model::xml`]); anything else is the fault `bad_response`.
    Xml,
    /// Bytes: `{base64, type, size}`.
    Binary,
}

/// A message to a person, by the channels named.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Notification {
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
    pub about: Option<Box<NotificationSubject>>,
    /// It tells a secret, which its node may reveal: nothing of it goes into the log.
    #[serde(default, skip_serializing_if = "is_false")]
    pub reveals: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_false(it: &bool) -> bool {
    !*it
}

/// What a message speaks of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotificationSubject {
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
pub type Outcome = Result<ExternalAnswer, Fault>;

/// An answer of the world.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExternalAnswer {
    /// To [`Request::Http`].
    Http(HttpAnswer),
    /// To [`Request::Notify`]: at least one channel delivered.
    Notified(Vec<Delivery>),
    /// Nothing was asked: there was no room. To be asked again then, as the same try.
    Later(EarlierUntil),
}

/// When there will be room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EarlierUntil {
    /// The moment.
    pub until: Timestamp,
    /// What is full, as people know it.
    pub place: String,
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
    /// Why the body is no more than what came of it; with `keeps_unread` alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken: Option<Box<Fault>>,
}

impl HttpAnswer {
    /// How long the server asks to wait, counted from `now`.
    pub fn retry_after(&self, now: Timestamp) -> Option<Span> {
        retry_after(self.headers.get("retry-after")?.as_str()?, now)
    }
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

/// The names in the marks of a text.
pub fn marks(text: &str) -> impl Iterator<Item = &str> {
    let opened = text.split(MARK_OPEN).skip(1);
    opened.filter_map(|it| it.split_once(MARK_CLOSE).map(|(name, _)| name))
}
