//! Runs `cases.yaml`.

use std::collections::HashMap;

use beltline::process::yaml;
use serde::Deserialize;
use serde_json::Value;

use crate::step::bench::Bench;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// A sentence.
    it: String,
    /// The params of the process, as YAML.
    #[serde(default)]
    params: String,
    /// Its nodes, as YAML; `start` leads to the first.
    nodes: String,
    /// What the task is submitted with.
    #[serde(default)]
    given: Value,
    /// Other live tasks; null: none of that name.
    #[serde(default)]
    others: HashMap<String, Value>,
    /// What happens, each with what comes of it.
    then: Vec<HashMap<String, Vec<String>>>,
}

fn indented(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| format!("  {line}\n")).collect();
    lines.concat()
}

fn play(case: &Case) -> Vec<(String, Vec<String>)> {
    let first = case.nodes.split(':').next().unwrap().trim();
    let params = match case.params.as_str() {
        "" => String::new(),
        params => format!("params:\n{}", indented(params)),
    };
    let text = format!(
        "process: p\n{params}nodes:\n  start: {{kind: input, next: {first}}}\n{}",
        indented(&case.nodes)
    );
    let given = if case.given.is_null() { serde_json::json!({}) } else { case.given.clone() };
    let mut bench = Bench::new(&text, given, &case.others);
    let events = case.then.iter().flat_map(HashMap::keys);
    events.map(|event| (event.clone(), bench.happen(event))).collect()
}

#[test]
fn every_case_comes_out_as_it_is_written() {
    let text =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/step/cases.yaml")).unwrap();
    let (tree, problems) = yaml::read(&text);
    assert!(problems.is_empty(), "{problems:?}");
    let cases: Vec<Case> = tree.unwrap().read().unwrap();
    let mut wrong = 0;
    for case in &cases {
        let played = play(case);
        let expected = case.then.iter().flatten().map(|(event, lines)| (event.clone(), lines.clone()));
        if !expected.eq(played.iter().cloned()) {
            wrong += 1;
            println!("- it: {}", case.it);
            for (event, lines) in played {
                println!("    - {}:", serde_json::to_string(&event).unwrap());
                for line in lines {
                    println!("        - {}", serde_json::to_string(&line).unwrap());
                }
            }
        }
    }
    println!("{} cases", cases.len());
    assert_eq!(wrong, 0, "of {} cases", cases.len());
}
