//! The shapes of a scenario's parts as they stand in YAML. A scenario is made of them where it is read:
//! all that is wrong is told there.

use std::collections::BTreeMap;
use std::str::FromStr;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer, de};
use serde_json::{Map, Value};

use crate::model::calendar::zone;
use crate::model::fault::{Class, Fault};
use crate::model::faults;
use crate::model::names::{Address, NodeName, ProcessId, Ref};
use crate::model::time::{Span, Timestamp};
use crate::scenario::file::AlarmWord;

/// The top of a file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileShape {
    pub(super) title: Option<String>,
    /// For people who read the file.
    #[serde(rename = "about")]
    pub(super) _about: Option<String>,
    #[serde(rename = "process")]
    pub(super) _process: Option<String>,
    #[serde(rename = "with")]
    pub(super) _with: Option<Vec<String>>,
    pub(super) start: Option<Moment>,
    pub(super) vars: Option<Map<String, Value>>,
    pub(super) secrets: Option<BTreeMap<String, String>>,
    pub(super) others: Option<BTreeMap<AddressWord, Map<String, Value>>>,
    pub(super) submit: Option<SubmitShape>,
    #[serde(rename = "world")]
    pub(super) _world: Option<Vec<Value>>,
    #[serde(rename = "then")]
    pub(super) _then: Option<Vec<Value>>,
    #[serde(rename = "cases")]
    pub(super) _cases: Option<Vec<Value>>,
}

/// One case.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CaseShape {
    pub(super) case: String,
    /// For people who read the file.
    #[serde(rename = "about")]
    pub(super) _about: Option<String>,
    pub(super) start: Option<Moment>,
    pub(super) vars: Option<Map<String, Value>>,
    pub(super) secrets: Option<BTreeMap<String, String>>,
    pub(super) others: Option<BTreeMap<AddressWord, Map<String, Value>>>,
    pub(super) submit: Option<SubmitShape>,
    #[serde(rename = "world")]
    pub(super) _world: Option<Vec<Value>>,
    #[serde(rename = "then")]
    pub(super) _then: Vec<Value>,
}

/// A task to submit.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SubmitShape {
    #[serde(rename = "ref")]
    pub(super) reference: Option<Ref>,
    #[serde(default)]
    pub(super) params: Map<String, Value>,
}

/// One line of the world.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LineShape {
    pub(super) node: Option<String>,
    pub(super) ask: Option<String>,
    pub(super) tell: Option<String>,
    pub(super) times: Option<u64>,
    #[serde(rename = "expect")]
    pub(super) _expect: Option<PartsShape>,
    #[serde(rename = "answer")]
    pub(super) _answer: Option<Value>,
    #[serde(rename = "answers")]
    pub(super) _answers: Option<Vec<Value>>,
}

/// What must be in a request.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PartsShape {
    pub(super) times: Option<u64>,
    #[serde(rename = "method")]
    pub(super) _method: Option<Value>,
    #[serde(rename = "url")]
    pub(super) _url: Option<Value>,
    #[serde(rename = "query")]
    pub(super) _query: Option<Value>,
    #[serde(rename = "headers")]
    pub(super) _headers: Option<Value>,
    #[serde(rename = "auth")]
    pub(super) _auth: Option<Value>,
    #[serde(rename = "form")]
    pub(super) _form: Option<Value>,
    #[serde(rename = "json")]
    pub(super) _json: Option<Value>,
    #[serde(rename = "text")]
    pub(super) _text: Option<Value>,
}

/// The parts of a request that can be looked at.
pub(super) const PARTS: [&str; 8] = ["method", "url", "query", "headers", "auth", "form", "json", "text"];

/// One answer.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReplyShape {
    pub(super) status: Option<u16>,
    pub(super) headers: Option<Map<String, Value>>,
    #[serde(rename = "json")]
    pub(super) _json: Option<Value>,
    #[serde(rename = "text")]
    pub(super) _text: Option<String>,
    pub(super) fault: Option<FaultShape>,
    pub(super) by: Option<String>,
    pub(super) took: Option<Span>,
}

/// A fault instead of an answer: a word, or all of it.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum FaultShape {
    /// One of those the world gives.
    Word(String),
    /// Any.
    Whole { code: String, class: Option<String>, message: Option<String>, retry_after: Option<Span> },
}

/// One step.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StepShape {
    pub(super) after: Option<Span>,
    pub(super) until: Option<Moment>,
    pub(super) submit: Option<SubmitShape>,
    pub(super) modify: Option<Map<String, Value>>,
    pub(super) wake: Option<bool>,
    pub(super) retry: Option<bool>,
    pub(super) r#move: Option<NodeName>,
    pub(super) cancel: Option<bool>,
    pub(super) hook: Option<Map<String, Value>>,
    pub(super) restart: Option<bool>,
    pub(super) task: Option<AddressWord>,
    #[serde(rename = "expect")]
    pub(super) _expect: Option<Value>,
}

/// What is expected.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExpectShape {
    pub(super) state: Option<crate::model::task::Phase>,
    pub(super) node: Option<String>,
    #[serde(rename = "params")]
    pub(super) _params: Option<Map<String, Value>>,
    #[serde(rename = "that")]
    pub(super) _that: Option<Value>,
    #[serde(rename = "asked")]
    pub(super) _asked: Option<Map<String, Value>>,
    #[serde(rename = "notified")]
    pub(super) _notified: Option<Value>,
    pub(super) alarm: Option<AlarmWord>,
    pub(super) path: Option<Vec<String>>,
    #[serde(rename = "result")]
    pub(super) _result: Option<Value>,
    #[serde(rename = "fault")]
    pub(super) _fault: Option<Value>,
    #[serde(rename = "link")]
    pub(super) _link: Option<Value>,
    pub(super) due: Option<Span>,
}

/// A task's address as `process/ref`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct AddressWord(pub(super) Address);

impl FromStr for AddressWord {
    type Err = String;

    fn from_str(text: &str) -> Result<AddressWord, String> {
        let (process, reference) = text
            .split_once('/')
            .ok_or_else(|| format!("`{text}` is no address of a task; hint: write `process/ref`"))?;
        let process = ProcessId::new(process).map_err(|it| it.to_string())?;
        let reference = Ref::new(reference).map_err(|it| it.to_string())?;
        Ok(AddressWord(Address { process, reference }))
    }
}

impl<'de> Deserialize<'de> for AddressWord {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<AddressWord, D::Error> {
        String::deserialize(from)?.parse().map_err(de::Error::custom)
    }
}

/// A moment: a date and a time in UTC, or one that names its zone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment(pub(super) Timestamp);

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Moment, String> {
        let text = text.trim();
        let zoned = || zone::moment(text);
        let civil = || text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok().map(|it| it.timestamp());
        let at = text.parse::<jiff::Timestamp>().ok().or_else(zoned).or_else(civil);
        let at = at.ok_or_else(|| {
            format!("`{text}` is no moment; hint: write `2026-03-01 09:00` (UTC) or `2026-03-01T09:00+02:00`")
        })?;
        Ok(Moment(Timestamp(at.as_millisecond())))
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Moment, D::Error> {
        String::deserialize(from)?.parse().map_err(de::Error::custom)
    }
}

/// The words that stand for a fault: those that the world makes.
pub(super) fn fault_words() -> Vec<&'static str> {
    faults::all().filter(|it| it.outside).map(|it| it.code).collect()
}

/// The fault that a word stands for.
pub(super) fn fault_of(word: &str) -> Option<Fault> {
    let entry = faults::find(word)?;
    let class = entry.class.unwrap_or(Class::Lasting);
    Some(Fault { class, ..Fault::lasting(entry.code, entry.about) })
}
