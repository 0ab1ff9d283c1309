//! YAML against the readers of others: `tests/language/yaml.jsonl` holds what ruamel.yaml and the `yaml` of
//! npm make of each document, and what we make of it. Where we are with neither, the row names a kind of
//! difference that the manual gives the reason of.

use std::collections::BTreeSet;

use beltline::process::yaml::read;
use serde_json::{Map, Value, json};

use crate::support::manual;

const ROWS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/language/yaml.jsonl");
const TABLE: &str = "## Where YAML differs from YAML 1.2";

fn ours(text: &str) -> Value {
    let (tree, problems) = read(text);
    match problems.first() {
        None => json!({"is": tree.map_or(Value::Null, |tree| tree.to_value())}),
        Some(problem) => json!({"problem": problem.message, "line": problem.spot.line}),
    }
}

/// The kinds of difference that the manual has a reason for.
fn reasons() -> BTreeSet<String> {
    let text = manual::page("differences");
    let start = text.find(TABLE).unwrap_or_else(|| panic!("the manual has no {TABLE}"));
    let rows = text[start..].lines().skip_while(|it| !it.starts_with("|---")).skip(1);
    let rows = rows.take_while(|it| it.starts_with('|'));
    rows.map(|it| it.split('|').nth(1).unwrap().trim().to_owned()).collect()
}

#[test]
fn yaml_is_what_others_read_but_for_what_the_manual_says() {
    let (text, reasons) = (std::fs::read_to_string(ROWS).unwrap(), reasons());
    let mut lines = text.lines();
    let mut written = vec![lines.next().unwrap().to_owned()];
    let (mut wrong, mut kinds) = (Vec::new(), BTreeSet::new());
    for line in lines {
        let mut row: Map<String, Value> = serde_json::from_str(line).unwrap();
        let source = row["of"].as_str().unwrap().to_owned();
        let ours = ours(&source);
        if row.get("ours") != Some(&ours) {
            wrong.push(format!("{source:?}: {ours}, and not {}", row.get("ours").unwrap_or(&Value::Null)));
        }
        let with = |them: &str| row[them].get("is") == ours.get("is");
        let is_same = with("ruamel") || with("yaml");
        match row.get("differs").and_then(Value::as_str) {
            None if is_same => {}
            Some(kind) if !is_same && reasons.contains(kind) => {
                kinds.insert(kind.to_owned());
            }
            kind => wrong.push(format!(
                "{source:?}: {ours}, {} and {}: the kind is {kind:?}",
                row["ruamel"], row["yaml"]
            )),
        }
        row.insert("ours".to_owned(), ours);
        written.push(Value::from(row).to_string());
    }
    assert!(written.len() > 200, "there are only {}", written.len());
    wrong.extend(reasons.difference(&kinds).map(|it| format!("no row differs by `{it}`")));
    if std::env::var_os("BELTLINE_WRITE").is_some() {
        std::fs::write(ROWS, written.join("\n") + "\n").unwrap();
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
}
