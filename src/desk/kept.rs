//! The shapes of what the desk keeps on shelves. A stored form is never renamed; new fields have a default.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::desk::actor::Right;
use crate::engine::edges::{Record, Shelf, StoreError};
use crate::model::names::{NodeName, ProcessId};
use crate::model::time::Timestamp;

/// A deployed process, by its id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeptProcess {
    /// The present version.
    pub version: String,
    /// It rests.
    #[serde(default)]
    pub paused: bool,
    /// Who deployed it.
    pub by: String,
    /// Deployed at.
    pub at: Timestamp,
    /// Where tasks go that stand on nodes which this version has no more, until all are moved.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub moves: BTreeMap<NodeName, NodeName>,
    /// The version that came from a file last: a file that was not touched does not undo a later deploy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_version: Option<String>,
}

/// A version of a process, by `id@version`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeptVersion {
    /// The text.
    pub text: String,
    /// Who deployed it first.
    pub by: String,
    /// Deployed first at.
    pub at: Timestamp,
}

/// A secret, by its name.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct KeptSecret {
    /// What it is.
    pub value: String,
    /// The only hosts it may be sent to; none: any.
    #[serde(default)]
    pub hosts: Vec<String>,
}

/// A channel, by its name.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct KeptChannel {
    /// The kind of channel.
    pub via: String,
    /// Its settings.
    pub config: Map<String, Value>,
}

/// A token, by its hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptToken {
    /// For people.
    pub name: String,
    /// What it opens.
    pub scopes: BTreeSet<Right>,
    /// Where; none: everywhere.
    #[serde(default)]
    pub processes: Option<BTreeSet<ProcessId>>,
    /// Until when.
    #[serde(default)]
    pub expires: Option<Timestamp>,
    /// Who made it.
    pub by: String,
    /// Made at.
    pub at: Timestamp,
}

/// One line of the audit, by time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptAudit {
    /// Who.
    pub by: String,
    /// Did what: `deploy`, `cancel`, `secret.set`, ….
    pub did: String,
    /// To what.
    pub to: String,
}

/// A record of `value`.
pub fn record<T: Serialize>(
    shelf: Shelf,
    name: &str,
    value: &T,
    at: Timestamp,
) -> Result<Record, StoreError> {
    let value = serde_json::to_value(value).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    Ok(Record { shelf, name: name.to_owned(), value, at })
}

/// The value of a record.
pub fn value<T: DeserializeOwned>(record: Record) -> Result<T, StoreError> {
    let Record { shelf, name, value, .. } = record;
    serde_json::from_value(value)
        .map_err(|error| StoreError::Corrupt(format!("`{name}` on the shelf {shelf:?}: {error}")))
}
