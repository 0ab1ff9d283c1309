//! What needs no server.

use crate::cli::place::Place;

const BAD: &str =
    "process: bad\nnodes:\n  start: {kind: inputt, next: nap}\n  nap: {kind: delay, fr: 1h, next: gone}\n";

#[test]
fn all_problems_are_told_at_once_like_a_compiler() {
    let place = Place::new();
    place.write("processes/bad.yaml", BAD);
    let ran = place.run(&["check"]);
    ran.failed(1, &["problems"]);
    for word in ["hello.yaml: ok hello", "bad.yaml:3:", "bad.yaml:4:", "inputt", "did you mean", "^"] {
        assert!(ran.out.contains(word), "no {word:?} in {}", ran.out);
    }
    assert!(!ran.out.contains('\x1b'), "colors where no terminal is");
}

#[test]
fn problems_come_as_json() {
    let place = Place::new();
    place.write("bad.yaml", BAD);
    let ran = place.run(&["check", "bad.yaml", "--json"]);
    assert_eq!(ran.code, Some(1));
    let told: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    let first = &told["problems"][0];
    assert_eq!((first["file"].as_str(), first["line"].as_u64()), (Some("bad.yaml"), Some(2)), "{told}");
}

#[test]
fn a_good_file_ends_with_nothing() {
    assert_eq!(Place::new().json(&["check", "processes/hello.yaml"])["problems"], serde_json::json!([]));
}

#[test]
fn a_file_is_drawn() {
    let place = Place::new();
    assert!(place.ok(&["graph", "processes/hello.yaml"]).starts_with("flowchart"));
    assert!(place.ok(&["graph", "processes/hello.yaml", "--svg"]).contains("<svg"));
}

#[test]
fn the_schema_is_json() {
    let schema: serde_json::Value = serde_json::from_str(&Place::new().ok(&["schema"])).unwrap();
    assert!(schema.to_string().contains("escalation"));
}
