//! [`Hook`]: a named way in from outside, `/hooks/PROCESS/NAME`. What it checks, what it takes, and what it
//! answers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::charset_name::Charset;
use crate::model::expr::Expr;
use crate::model::rate::Rate;
use crate::model::text::StringTemplate;
use crate::model::time::Span;
use crate::model::value::ValueTemplate;

/// The names that the texts of a hook can see.
pub const SEEN: [&str; 6] = ["body", "query", "headers", "method", "var", "now"];
/// The largest body a hook takes if it does not say: 1 MiB.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;
/// How long a request waits for the task's reply if its hook does not say.
pub const REPLY_TIMEOUT: Span = Span::secs(30);
/// The longest a request may wait: nobody holds a connection longer.
pub const REPLY_TIMEOUT_MAX: Span = Span::mins(5);
/// How old a signed request may be if its hook does not say.
pub const WINDOW: Span = Span::mins(5);
/// The oldest a signed request may ever be: so long must every signature be remembered.
pub const WINDOW_MAX: Span = Span::days(1);

/// A named way in from outside.
#[derive(Debug)]
pub struct Hook {
    /// Its name in the address.
    pub name: String,
    /// One line, for people.
    pub about: String,
    /// How a request proves that it may come in.
    pub check: HookProof,
    /// The bodies it reads; none named: any.
    pub accept: Vec<Format>,
    /// The charset of its bodies, whatever they say.
    pub charset: Option<Charset>,
    /// The requests that count; others are answered and change nothing.
    pub when: Option<Expr>,
    /// The task's name; a UUID if it does not say.
    pub reference: Option<ValueTemplate>,
    /// What becomes of a request for a live task.
    pub if_exists: HookIfExists,
    /// What becomes of a request for no live task.
    pub if_missing: IfMissing,
    /// What the task is given; the declared params among the body's fields if it does not say.
    pub params: Option<Vec<(String, ValueTemplate)>>,
    /// What the caller is answered.
    pub answer: HookAnswer,
    /// How long the caller waits for a reply.
    pub timeout: Span,
    /// How it may be called.
    pub methods: Vec<Method>,
    /// The largest body it takes.
    pub bytes_max: usize,
    /// How many requests that may come in it takes in a time.
    pub rate: Option<Rate>,
}

/// How a request proves that it may come in.
#[derive(Debug)]
pub enum HookProof {
    /// Not at all: the file says `public: true`.
    Public,
    /// By a signature over its body.
    Hmac(Box<Hmac>),
    /// By a header that holds a secret.
    Header {
        /// The header, in lower case.
        name: String,
        /// What it must hold.
        value: StringTemplate,
    },
    /// By a user and a password.
    Basic {
        /// The user.
        user: String,
        /// The password.
        password: StringTemplate,
    },
    /// By what the task it is for knows already.
    Param {
        /// The param of the task.
        name: String,
        /// What must be the same.
        value: ValueTemplate,
        /// What becomes of a request for a task that does not know it yet.
        first: First,
    },
}

impl HookProof {
    /// As it is called.
    pub fn as_str(&self) -> &'static str {
        match self {
            HookProof::Public => "public",
            HookProof::Hmac(_) => "hmac",
            HookProof::Header { .. } => "header",
            HookProof::Basic { .. } => "basic",
            HookProof::Param { .. } => "param",
        }
    }

    /// Whether it can be made before the body is read.
    pub fn is_of_the_head(&self) -> bool {
        match self {
            HookProof::Public | HookProof::Header { .. } | HookProof::Basic { .. } => true,
            HookProof::Hmac(_) | HookProof::Param { .. } => false,
        }
    }
}

/// A signature over the raw body.
#[derive(Debug)]
pub struct Hmac {
    /// The key.
    pub secret: StringTemplate,
    /// The header with the signature, in lower case.
    pub header: String,
    /// Of a header like `t=1,v1=ab`: the name before the signature. There may be several.
    pub field: Option<String>,
    /// What stands before the signature.
    pub prefix: String,
    /// The hash.
    pub algorithm: Algorithm,
    /// How the signature is written.
    pub encoding: ProofEncoding,
    /// Where the time of the signature stands.
    pub time: Option<SignedTime>,
    /// How far that time may be from now.
    pub window: Span,
    /// What is signed.
    pub signed: Vec<SignedPart>,
}

/// Where the time of a signature stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignedTime {
    /// In a header of its own, in lower case.
    Header(String),
    /// In the header of the signature, after that name.
    Field(String),
}

/// A part of what is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignedPart {
    /// The raw body.
    Body,
    /// The time as it was sent.
    Time,
    /// Text as it is.
    Plain(String),
}

/// A hash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    /// SHA-256.
    #[default]
    Sha256,
    /// SHA-512.
    Sha512,
}

/// How a signature is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ProofEncoding {
    /// Hexadecimal digits.
    #[default]
    Hex,
    /// Base64, of either alphabet.
    Base64,
}

/// What becomes of a request that is the first to bring what later ones must bring too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum First {
    /// It is refused.
    #[default]
    Refuse,
    /// It is let in.
    Accept,
}

/// How a body is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// JSON.
    Json,
    /// `application/x-www-form-urlencoded`; `a[b]=c` is nested.
    Form,
    /// XML.
    Xml,
    /// The query of the address instead of a body.
    Query,
}

/// What becomes of a request for a live task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum HookIfExists {
    /// It is refused.
    #[default]
    Refuse,
    /// It is answered with that task.
    Return,
    /// Its params are laid over the task's.
    Modify,
}

/// What becomes of a request for no live task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum IfMissing {
    /// It makes one.
    #[default]
    Create,
    /// It is refused.
    Refuse,
}

/// What the caller is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum HookAnswer {
    /// That it was taken, and where to look.
    #[default]
    Accepted,
    /// What the task's `reply` node says.
    Reply,
}

/// How a hook may be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// `GET`: only where the hook says so, as links are followed by machines too.
    Get,
    /// `POST`.
    Post,
    /// `PUT`.
    Put,
}

impl Method {
    /// As it is sent.
    pub fn as_str(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Put => "PUT",
        }
    }
}
