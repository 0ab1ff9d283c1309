//! The shapes of what the service keeps in collections. A stored form is renamed by a migration of the store
//! alone; new fields have a default.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::engine::damage::{Damage, Damaged};
use crate::engine::ports::{Collection, Record, StoreError};
use crate::model::names::{NodeName, ProcessId};
use crate::model::time::Timestamp;
use crate::service::actor::{Pass, Right, Role};

/// A deployed process, by its id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeptProcess {
    /// The present version.
    pub version: String,
    /// It rests.
    #[serde(default)]
    pub paused: bool,
    /// Tasks may lie down with no wake-up, because it rests or did: they are to be woken when it goes on. Of
    /// records from before this was kept that is not known, and so it may be.
    #[serde(default = "may_be")]
    pub wake_parked: bool,
    /// Who deployed it.
    pub by: String,
    /// Deployed at.
    pub at: Timestamp,
    /// Where its tasks may act, beside itself: where whoever deployed it might run tasks; none: everywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub granted: Option<BTreeSet<ProcessId>>,
    /// Where tasks go that stand on nodes which this version has no more, until all are moved.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub moves: BTreeMap<NodeName, NodeName>,
    /// The version that came from a file last: a file that was not touched does not undo a later deploy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_version: Option<String>,
}

fn may_be() -> bool {
    true
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
    /// Who set it; secrets from before this was kept have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
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
    /// Used last, or a little later.
    #[serde(default)]
    pub used: Option<Timestamp>,
}

/// A person who may log in, by their name.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct KeptUser {
    /// The hash of their password: argon2id with its settings, as PHC writes it.
    pub password: String,
    /// What they are to all processes.
    #[serde(default)]
    pub role: Option<Role>,
    /// What they are, beside that, to some.
    #[serde(default)]
    pub within: BTreeMap<ProcessId, Role>,
    /// They may not log in.
    #[serde(default)]
    pub disabled: bool,
    /// Who made them.
    pub by: String,
    /// Made at.
    pub at: Timestamp,
    /// Where they logged in from before, the latest last: from there nobody else's guesses keep them out.
    #[serde(default)]
    pub known: Vec<String>,
    /// Logged in last at.
    #[serde(default)]
    pub seen: Option<Timestamp>,
}

/// One who is logged in, by the hash of what their browser holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptSession {
    /// Who.
    pub pass: Pass,
    /// Since when.
    pub since: Timestamp,
    /// Used last, or a little later.
    pub seen: Timestamp,
    /// The address they logged in from.
    #[serde(default)]
    pub from: String,
    /// The browser, as it names itself.
    #[serde(default)]
    pub agent: String,
}

/// The one-time link of the first start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptSetup {
    /// The hash of its key.
    pub hash: String,
    /// Until when it opens.
    pub until: Timestamp,
}

/// One line of the audit, by its number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptAudit {
    /// Who.
    pub by: String,
    /// Did what: `deploy`, `cancel`, `secret.set`, ….
    pub did: String,
    /// To what.
    pub to: String,
    /// Its number; lines from before there was a chain have none.
    #[serde(default)]
    pub seq: u64,
    /// The hash of the line before.
    #[serde(default)]
    pub before: String,
}

/// Where the audit's chain begins or ends.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptLink {
    /// The number of the line.
    pub seq: u64,
    /// Its hash; nothing before the first line of all.
    pub hash: String,
}

/// A record of `value`.
pub fn record<T: Serialize>(
    collection: Collection,
    name: &str,
    value: &T,
    at: Timestamp,
) -> Result<Record, StoreError> {
    let value = serde_json::to_value(value).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    Ok(Record { collection, name: name.to_owned(), value, at })
}

/// The value of a record.
pub fn value<T: DeserializeOwned>(record: Record) -> Result<T, StoreError> {
    let Record { collection, name, value, .. } = record;
    serde_json::from_value(value)
        .map_err(|error| StoreError::Corrupt(format!("`{name}` in the collection {collection:?}: {error}")))
}

/// The values of records, by name. One that does not read as what it should be is noted as damaged, and left
/// out.
pub fn values<T: DeserializeOwned>(records: Vec<Record>, damage: &Damage) -> Vec<(String, T)> {
    let read = |record: Record| {
        let (name, place) = (record.name.clone(), record.collection.place(&record.name));
        match value(record) {
            Ok(value) => Some((name, value)),
            Err(error) => {
                damage.found(Damaged { place, task: None, why: error.to_string() });
                None
            }
        }
    };
    records.into_iter().filter_map(read).collect()
}
