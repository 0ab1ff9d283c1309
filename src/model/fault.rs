//! [`Fault`]: something that went wrong inside a process. Data, for the process itself to act on.

use serde::{Deserialize, Serialize};

use crate::model::names::NodeName;
use crate::model::time::{Span, Timestamp};

/// What kind of trouble it is, and so what may help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Trying again may help: a timeout, a lost connection, 408, 425, 429, 5xx.
    Passing,
    /// Trying again will not: a 4xx, a bad value, a missing param.
    Lasting,
    /// It was asked, and the answer is unknown.
    Unsure,
}

impl Class {
    /// As it stands in YAML and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Class::Passing => "passing",
            Class::Lasting => "lasting",
            Class::Unsure => "unsure",
        }
    }

    /// The class of that name.
    pub fn named(name: &str) -> Option<Class> {
        [Class::Passing, Class::Lasting, Class::Unsure].into_iter().find(|it| it.as_str() == name)
    }
}

/// Something that went wrong inside a process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// A stable word, such as `http_timeout`.
    pub code: String,
    /// What may help.
    pub class: Class,
    /// For a person: names the thing; lower case, no full stop.
    pub message: String,
    /// Where it happened; set by `step`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<NodeName>,
    /// When it happened; set by `step`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// The status of the HTTP answer, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// How long the other side asked us to wait (`Retry-After`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<Span>,
}

impl Fault {
    /// A fault that may pass.
    pub fn passing(code: &str, message: impl Into<String>) -> Fault {
        Fault::new(Class::Passing, code, message.into())
    }

    /// A fault that lasts.
    pub fn lasting(code: &str, message: impl Into<String>) -> Fault {
        Fault::new(Class::Lasting, code, message.into())
    }

    /// A request whose answer is unknown.
    pub fn unsure(code: &str, message: impl Into<String>) -> Fault {
        Fault::new(Class::Unsure, code, message.into())
    }

    fn new(class: Class, code: &str, message: String) -> Fault {
        Fault { code: code.to_owned(), class, message, node: None, at: None, status: None, retry_after: None }
    }
}
