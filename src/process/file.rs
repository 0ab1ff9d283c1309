//! The shapes of a process file around its nodes, as serde reads them and the JSON Schema shows them.

use std::collections::BTreeSet;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};
use serde_json::Value;

use crate::model::names::{NodeName, ProcessId};
use crate::model::time::Span;
use crate::process::process::{
    Backlog, ExpirySpec, Limits, PARAMS_BYTES_MAX, ParamKind, ParamSpec, RetryPolicy, TASKS_MAX_DEFAULT,
    TimeLimit, WARN_DEFAULT,
};

/// More params than this no process may ask for: 16 MiB. A task is read and written whole.
pub const PARAMS_BYTES_LIMIT: usize = 16 * 1024 * 1024;

/// A process.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// The id of the process, which `conv[…]` names.
    pub process: ProcessId,
    /// For people.
    #[serde(default)]
    pub title: Option<String>,
    /// One line, for people.
    #[serde(default)]
    pub about: Option<String>,
    /// What a task is submitted with: checked at submit, shown as a form.
    #[serde(default)]
    pub params: Value,
    /// How much of anything.
    #[serde(default)]
    pub limits: Option<LimitsShape>,
    /// The processes that may create tasks in this one and write to them, whoever deployed them.
    #[serde(default)]
    pub open_to: BTreeSet<ProcessId>,
    /// Named ways in from outside: `POST /hooks/PROCESS/NAME`.
    #[serde(default)]
    pub hooks: Value,
    /// When the process submits tasks by itself.
    #[serde(default)]
    pub schedule: Value,
    /// The nodes, by name.
    pub nodes: Value,
}

/// How much of anything a process may have.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitsShape {
    /// Live tasks.
    #[serde(default)]
    pub tasks: Option<u64>,
    /// The params of one task, such as `256KiB`.
    #[serde(default)]
    pub params: Option<Size>,
}

impl LimitsShape {
    /// With what is not said filled in.
    pub fn limits(&self) -> Limits {
        Limits {
            tasks: self.tasks.unwrap_or(TASKS_MAX_DEFAULT),
            params_bytes: self.params.map_or(PARAMS_BYTES_MAX, |size| size.0),
        }
    }
}

/// A param of a task.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ParamShape {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: ParamKind,
    /// A submit without it is refused.
    pub required: bool,
    /// Masked wherever it is shown, sealed wherever it is kept.
    pub secret: bool,
    /// Secret, but other processes may read it.
    pub shared: bool,
    /// Whether it is asked for at submit; with `false` the process writes it itself.
    pub input: Option<bool>,
    /// With `input: false`: a person may put it in all the same, by `modify`, wherever the task stands.
    pub modify: Option<bool>,
    /// What it is if it is not given.
    pub default: Option<Value>,
    /// For people.
    pub about: String,
    /// For people.
    pub example: Option<Value>,
    /// Its value expires, as a token does.
    pub expiry: Option<ExpiryShape>,
}

/// Where the expiry of a param's value stands: in other params of the same task.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpiryShape {
    /// The name of the param with the moment at which the value expires, as Unix seconds or a date with its
    /// zone.
    pub at: String,
    /// The name of the param with the moment at which it was issued.
    #[serde(default)]
    pub issued: Option<String>,
    /// How much time a person needs to act: the last safe moment to wake one is so long before it expires.
    #[serde(default)]
    pub warn: Option<Span>,
    /// The name of the param with that moment, where the process knows it better.
    #[serde(default)]
    pub warn_at: Option<String>,
}

impl ParamShape {
    /// The param of that name.
    pub fn spec(self, name: &str) -> ParamSpec {
        let expiry = self.expiry.map(|ExpiryShape { at, issued, warn, warn_at }| ExpirySpec {
            at,
            issued,
            warn: warn.unwrap_or(WARN_DEFAULT),
            warn_at,
        });
        ParamSpec {
            name: name.to_owned(),
            kind: self.kind,
            required: self.required,
            secret: self.secret,
            shared: self.shared,
            input: self.input.unwrap_or(true),
            modify: self.modify.unwrap_or(false),
            default: self.default,
            about: self.about,
            example: self.example,
            expiry,
        }
    }
}

/// The names of the fields that every node may have.
pub const COMMON: [&str; 7] = ["kind", "title", "about", "on_error", "retry", "limit", "alarm"];

/// What every node may have beside its kind and the fields of that.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CommonFields {
    /// For people; the name if none is given.
    #[serde(default)]
    pub title: Option<String>,
    /// For people.
    #[serde(default)]
    pub about: Option<String>,
    /// Where a task goes whose fault was not mended by trying again.
    #[serde(default)]
    pub on_error: Option<NodeName>,
    /// How passing faults are tried again.
    #[serde(default)]
    pub retry: Option<RetryPolicy>,
    /// How long a task may stand here, and where it goes then.
    #[serde(default)]
    pub limit: Option<TimeLimit>,
    /// How many tasks are too many here, and where the task that tells of it begins.
    #[serde(default)]
    pub alarm: Option<Backlog>,
}

/// A number of bytes, written `4096`, `256KiB` or `1MiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub usize);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Size, String> {
        let text = text.trim();
        let digits = text.find(|it: char| !it.is_ascii_digit()).unwrap_or(text.len());
        let unit = match text[digits..].trim_start() {
            "" | "B" => Some(1),
            "KiB" => Some(1024),
            "MiB" => Some(1024 * 1024),
            _ => None,
        };
        let number = text[..digits].parse::<usize>().ok();
        let bytes = number.zip(unit).and_then(|(number, unit)| number.checked_mul(unit));
        match bytes {
            None | Some(0) => Err(format!("`{text}` is no size; hint: write `64KiB`, `256KiB` or `1MiB`")),
            Some(bytes) if bytes > PARAMS_BYTES_LIMIT => {
                Err(format!("`{text}` is more than {} MiB", PARAMS_BYTES_LIMIT / 1024 / 1024))
            }
            Some(bytes) => Ok(Size(bytes)),
        }
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Size, D::Error> {
        String::deserialize(from)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Size {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Size".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "integer"],
            "pattern": "^[0-9]+ ?(B|KiB|MiB)?$",
            "description": "A number of bytes, such as `256KiB`."
        })
    }
}
