//! What several kinds share in their shapes: maps of drafts, what a waiting node accepts, how to tell a
//! person.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::model::fault::Fault;
use crate::model::params::Params;
use crate::model::scope::{RESERVED, View};
use crate::model::value::Draft;

/// Values with holes, by name.
pub type Drafts = BTreeMap<String, Draft>;

/// All of `drafts` filled in, or the first fault.
pub fn fill(drafts: &Drafts, view: &View) -> Result<Params, Fault> {
    drafts.iter().map(|(name, draft)| Ok((name.clone(), draft.fill(view)?))).collect()
}

/// All of `drafts` as texts, or the first fault.
pub fn texts(drafts: &Drafts, view: &View) -> Result<Vec<(String, String)>, Fault> {
    drafts.iter().map(|(name, draft)| Ok((name.clone(), draft.text(view)?))).collect()
}

/// Says which of `names` is reserved, for the `try_from` of a shape that writes params.
pub fn refuse_reserved<'a>(mut names: impl Iterator<Item = &'a String>) -> Result<(), String> {
    match names.find(|name| RESERVED.contains(&name.as_str())) {
        Some(name) => {
            Err(format!("`{name}` is a reserved name and cannot be a param; hint: choose another name"))
        }
        None => Ok(()),
    }
}

/// What a letter must bring to move a waiting task on. None named: any letter does.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Accept(BTreeMap<String, Accepted>);

/// One param that a letter may bring.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Accepted {
    /// A letter without it does not move the task on.
    pub required: bool,
    /// For people.
    pub about: String,
}

impl Accept {
    /// Whether a letter with `params` moves the task on: it brings all that is required, and at least one
    /// of those named.
    pub fn takes(&self, params: &Params) -> bool {
        let has = |name: &String| params.get(name).is_some_and(|value| *value != Value::Null);
        let complete = self.0.iter().filter(|(_, it)| it.required).all(|(name, _)| has(name));
        self.0.is_empty() || (complete && self.0.keys().any(has))
    }

    /// The names a hook may set; empty: any.
    pub fn names(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }
}
