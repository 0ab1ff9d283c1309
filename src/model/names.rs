//! The names of things: [`ProcessId`], [`NodeName`], [`Ref`], [`Address`], [`TaskId`].
//!
//! A name is checked once, where it comes in; after that the type says that it is good.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

/// The longest process id and node name, in characters: they stand in URLs, graphs and file names.
pub const NAME_CHARS_MAX: usize = 64;
/// The longest reference, in characters.
pub const REF_CHARS_MAX: usize = 255;

/// Why a text cannot be a name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct BadName(String);

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $check:path, $kept:path, $pattern:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks `text` and makes a name of it.
            pub fn new(text: &str) -> Result<Self, BadName> {
                $check(text)?;
                Ok(Self(Arc::from(text)))
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        /// Of a name that may be kept already: what was good when it was given is good.
        impl FromStr for $name {
            type Err = BadName;
            fn from_str(text: &str) -> Result<Self, BadName> {
                $kept(text)?;
                Ok(Self(Arc::from(text)))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
                to.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, to)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                from.deserialize_any(Visit).and_then(|text: String| {
                    text.parse().map_err(de::Error::custom)
                })
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({"type": ["string", "integer"], "pattern": $pattern})
            }
        }
    };
}

name!(
    /// The id of a process: `a-z 0-9 - _`, 1 to 64 characters. A number is fine too.
    ProcessId, check_process, check_process, "^[a-z0-9_-]{1,64}$"
);
name!(
    /// The name of a node in its process: letters, digits, `-`, `_`, 1 to 64 characters.
    NodeName, check_node, check_node, "^[A-Za-z0-9_-]{1,64}$"
);
name!(
    /// The name others address a task by: 1 to 255 characters, any but control characters; not `.` and `..`,
    /// which no URL can hold.
    Ref, check_ref, check_ref_kept, "^[^\\u0000-\\u001f\\u007f]{1,255}$"
);

/// Takes a name as it is written: a text, or a whole number.
struct Visit;

impl de::Visitor<'_> for Visit {
    type Value = String;
    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("a name")
    }
    fn visit_str<E>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }
    fn visit_u64<E>(self, number: u64) -> Result<String, E> {
        Ok(number.to_string())
    }
    fn visit_i64<E>(self, number: i64) -> Result<String, E> {
        Ok(number.to_string())
    }
}

fn check_process(text: &str) -> Result<(), BadName> {
    let good = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || "-_".contains(it);
    match text.chars().find(|it| !good(*it)) {
        Some(bad) => Err(BadName(format!(
            "a process id holds only a-z, 0-9, `-` and `_`, and `{}` has {bad:?}",
            shown(text)
        ))),
        None => check_length("a process id", text, NAME_CHARS_MAX),
    }
}

fn check_node(text: &str) -> Result<(), BadName> {
    let good = |it: char| it.is_ascii_alphanumeric() || "-_".contains(it);
    match text.chars().find(|it| !good(*it)) {
        Some(bad) => Err(BadName(format!(
            "a node's name holds only letters, digits, `-` and `_`, and `{}` has {bad:?}",
            shown(text)
        ))),
        None => check_length("a node's name", text, NAME_CHARS_MAX),
    }
}

fn check_ref(text: &str) -> Result<(), BadName> {
    if text == "." || text == ".." {
        let why = "every client takes it for a step in the path";
        return Err(BadName(format!("a ref that is `{text}` cannot stand in a URL: {why}")));
    }
    check_ref_kept(text)
}

fn check_ref_kept(text: &str) -> Result<(), BadName> {
    match text.chars().find(|it| it.is_control()) {
        Some(bad) => Err(BadName(format!("a ref holds no control characters, and has {bad:?}"))),
        None => check_length("a ref", text, REF_CHARS_MAX),
    }
}

fn check_length(what: &str, text: &str, chars_max: usize) -> Result<(), BadName> {
    match text.chars().count() {
        0 => Err(BadName(format!("{what} is empty"))),
        many if many > chars_max => {
            Err(BadName(format!("{what} has at most {chars_max} characters, and this has {many}")))
        }
        _ => Ok(()),
    }
}

/// The beginning of a text that may be anything.
fn shown(text: &str) -> String {
    text.chars().filter(|it| !it.is_control()).take(NAME_CHARS_MAX).collect()
}

/// Names one live task: its process, and its reference in that process.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Address {
    /// The process the task is in.
    pub process: ProcessId,
    /// The task's name there.
    pub reference: Ref,
}

impl fmt::Display for Address {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}/{}", self.process, self.reference)
    }
}

/// The number of a task, unique for ever. Grows with time, so that stores append.
///
/// Written as a string: it does not fit JavaScript's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(pub i64);

impl TaskId {
    /// Before every task.
    pub const FIRST: TaskId = TaskId(i64::MIN);
}

impl fmt::Display for TaskId {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}", self.0)
    }
}

impl Serialize for TaskId {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for TaskId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map(TaskId).map_err(|_| de::Error::custom("a task's id is a whole number"))
    }
}
