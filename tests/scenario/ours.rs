//! The scenarios of the processes that ship with the program: all hold, and they take every node and way.

use std::process::Command;

use serde_json::Value;

/// What no scenario takes, and why that is so: process, and the node or way.
const NOT_TAKEN: [(&str, &str); 0] = [];

#[test]
fn every_scenario_holds_and_every_way_is_taken() {
    let run = Command::new(env!("CARGO_BIN_EXE_beltline"))
        .args(["test", "tests/scenarios", "--json"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let told: Value = serde_json::from_slice(&run.stdout).unwrap_or_else(|_| panic!("{run:?}"));
    let wrong: Vec<&Value> = told["cases"].as_array().unwrap().iter().filter(|it| it["ok"] != true).collect();
    assert!(wrong.is_empty() && run.status.success(), "{wrong:#?}");
    let processes = told["processes"].as_array().unwrap();
    let mut missed = Vec::new();
    for process in processes {
        let id = process["process"].as_str().unwrap();
        for what in ["nodes_missed", "ways_missed"] {
            let names = process[what].as_array().unwrap().iter();
            missed.extend(names.map(|it| (id, it.as_str().unwrap())));
        }
    }
    assert_eq!(missed, NOT_TAKEN);
    for file in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/templates")).unwrap() {
        let name = file.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned();
        let has = processes.iter().any(|it| it["process"] == name.as_str());
        assert!(has, "template `{name}` has no scenario");
    }
}
