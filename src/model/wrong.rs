//! [`Wrong`]: what a shape says against a tree, in words for people.

use std::fmt;

use serde::de::{Error, Expected, Unexpected};

use crate::model::near;

/// What a shape says against a tree.
#[derive(Clone, Debug, PartialEq)]
pub enum Wrong {
    /// Anything, with a hint.
    Message(String, Option<String>),
    /// A word from the value itself: a name, a text or a span that does not parse.
    Custom(String),
    /// A key that does not belong there, and the keys that do.
    Unknown(String, Vec<&'static str>),
    /// A key that is not there.
    Missing(&'static str),
}

impl fmt::Display for Wrong {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wrong::Message(message, _) | Wrong::Custom(message) => to.write_str(message),
            Wrong::Unknown(key, _) => write!(to, "unknown key `{key}`"),
            Wrong::Missing(key) => write!(to, "`{key}` is missing"),
        }
    }
}

impl std::error::Error for Wrong {}

impl Error for Wrong {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Wrong::Custom(message.to_string())
    }

    fn invalid_type(found: Unexpected, expected: &dyn Expected) -> Self {
        let hint = match (found, expected.to_string().as_str()) {
            (Unexpected::Str("yes" | "on" | "Yes" | "On"), "a boolean") => Some("write `true`"),
            (Unexpected::Str("no" | "off" | "No" | "Off"), "a boolean") => Some("write `false`"),
            (Unexpected::Bool(_) | Unexpected::Float(_), "a string") => {
                Some("put it in quotes to make it a text")
            }
            _ => None,
        };
        let message = format!("expected {}, found {}", wanted(expected), kind_of(found));
        Wrong::Message(message, hint.map(str::to_owned))
    }

    fn invalid_value(found: Unexpected, expected: &dyn Expected) -> Self {
        let found = match found {
            Unexpected::Unsigned(number) => number.to_string(),
            Unexpected::Signed(number) => number.to_string(),
            Unexpected::Float(number) => number.to_string(),
            Unexpected::Str(text) => format!("`{text}`"),
            other => kind_of(other).to_owned(),
        };
        Wrong::Message(format!("expected {}, found {found}", wanted(expected)), None)
    }

    fn invalid_length(found: usize, expected: &dyn Expected) -> Self {
        Wrong::Message(format!("expected {}, found {found} of them", wanted(expected)), None)
    }

    fn unknown_variant(found: &str, expected: &'static [&'static str]) -> Self {
        Wrong::Message(format!("`{found}` is not known here"), near::hint(found, expected, "it may be"))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Wrong::Unknown(field.to_owned(), expected.to_vec())
    }

    fn missing_field(field: &'static str) -> Self {
        Wrong::Missing(field)
    }

    fn duplicate_field(field: &'static str) -> Self {
        Wrong::Message(format!("`{field}` stands here twice"), None)
    }
}

/// What was found, as people call it.
fn kind_of(found: Unexpected) -> &'static str {
    match found {
        Unexpected::Bool(true) => "`true`",
        Unexpected::Bool(false) => "`false`",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) | Unexpected::Float(_) => "a number",
        Unexpected::Char(_) | Unexpected::Str(_) | Unexpected::Bytes(_) => "a text",
        Unexpected::Unit | Unexpected::Option => "nothing",
        Unexpected::Seq | Unexpected::TupleVariant => "a list",
        Unexpected::NewtypeStruct | Unexpected::Map | Unexpected::Enum | Unexpected::StructVariant => "a map",
        Unexpected::NewtypeVariant | Unexpected::UnitVariant => "a word",
        Unexpected::Other(_) => "something else",
    }
}

/// What serde expected, as people call it.
fn wanted(expected: &dyn Expected) -> String {
    let expected = expected.to_string();
    let words = match expected.as_str() {
        "a string" | "a character" | "string" | "str" => "a text",
        "a boolean" => "true or false",
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" => "a whole number from 0 to 4294967295",
        "u64" | "usize" | "u128" => "a whole number, 0 or more",
        "i8" | "i16" | "i32" | "i64" | "i128" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "a sequence" | "sequence" => "a list",
        "string or map" => "a word or a map",
        "unit" | "unit value" => "nothing",
        text if text.starts_with("struct ") => "a map",
        text if text.starts_with("tuple ") || text.starts_with("an array ") => "a list",
        text if text.starts_with("enum ") || text.starts_with("variant ") => "a word",
        text => text,
    };
    words.to_owned()
}
