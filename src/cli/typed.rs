//! Params as they are typed on the command line: `n=5` is a number where the process says that `n` is one.

use std::collections::HashMap;

use anyhow::Result;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::cli::pairs;
use crate::cli::remote::{Remote, process_path};
use crate::model::json;
use crate::process::process::ParamKind;
use crate::process::validate::coerce;

/// What is read of a process.
#[derive(Debug, Default, Deserialize)]
struct Declared {
    params: Vec<Param>,
}

#[derive(Debug, Deserialize)]
struct Param {
    name: String,
    #[serde(rename = "type")]
    kind: ParamKind,
}

/// The params that `pairs` are to `process`. It is asked for their types if that may make a difference; who
/// may not read it sends texts.
pub async fn params(remote: &Remote, process: &str, pairs: &[String]) -> Result<Map<String, Value>> {
    let declared = match pairs.iter().any(|pair| may_be_typed(pair)) {
        true => remote.get(&process_path(process)).await.ok(),
        false => None,
    };
    let declared = declared.and_then(|it| serde_json::from_value(it).ok()).unwrap_or_default();
    let Declared { params } = declared;
    let kinds: HashMap<String, ParamKind> = params.into_iter().map(|it| (it.name, it.kind)).collect();
    pairs::read_as(pairs, |name, text| match kinds.get(name) {
        Some(kind) => coerce(*kind, text),
        None => Value::from(text),
    })
}

/// Whether its value is JSON other than a text, or comes from elsewhere.
fn may_be_typed(pair: &str) -> bool {
    let value = pair.split_once('=').filter(|(name, _)| !name.ends_with(':'));
    let is_truth = |text: &str| ["true", "false"].iter().any(|it| text.eq_ignore_ascii_case(it));
    value.is_some_and(|(_, text)| {
        let is_elsewhere = text == "-" || text.starts_with('@');
        is_elsewhere || is_truth(text) || json::read::<Value>(text).is_ok_and(|it| !it.is_string())
    })
}
