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

const KEEPER: &str = "process: keeper\nparams: {token: {secret: true, shared: true}}\nnodes:\n  \
    start: {kind: input, next: hold}\n  hold: {kind: wait, next: done}\n  done: {kind: end}\n";

const TAKER: &str = "process: taker\nparams: {key: {secret: true}}\nnodes:\n  \
    start: {kind: input, next: take}\n  \
    take: {kind: set, set: {copy: \"{{conv[keeper].ref[t].token}}\"}, next: ask}\n  \
    ask: {kind: http, url: \"https://x.example/\", headers: {X-Key: \"{{key}} {{copy}}\"}, next: done}\n  \
    done: {kind: end}\n";

#[test]
fn where_secrets_go_is_found_through_all_files() {
    let place = Place::new();
    place.write("processes/keeper.yaml", KEEPER);
    place.write("processes/taker.yaml", TAKER);
    for verb in ["secret", "secrets"] {
        let flow = place.json(&[verb, "flow"]);
        let line =
            |it: &serde_json::Value| [&it["secret"], &it["at"], &it["reaches"]].map(ToString::to_string);
        let mut lines: Vec<String> =
            flow["items"].as_array().unwrap().iter().map(|it| line(it).join(" ").replace('"', "")).collect();
        lines.retain(|it| it.contains("keeper") || it.contains("taker"));
        assert_eq!(
            lines,
            [
                "keeper.token taker/take param copy",
                "keeper.token taker/ask header X-Key",
                "taker.key taker/ask header X-Key"
            ]
        );
    }
    let told = place.ok(&["check"]);
    assert!(told.contains("warning: "), "{told}");
    assert!(told.contains("`keeper.token` reaches param copy, which is not declared secret"), "{told}");
    place.write("processes/taker.yaml", &TAKER.replace("params: {", "params: {copy: {secret: true}, "));
    assert!(!place.ok(&["check"]).contains("warning"), "what is declared is as it should be");
}

#[test]
fn a_secret_leaves_by_no_hook_that_anybody_may_ask() {
    let place = Place::new();
    let text = "process: doors\nparams: {key: {secret: true}}\nhooks:\n  \
                open: {public: true, answer: reply}\nnodes:\n  start: {kind: input, next: say}\n  \
                say: {kind: reply, values: {key: \"{{key}}\"}, next: done}\n  done: {kind: end}\n";
    place.write("processes/doors.yaml", text);
    place.run(&["check"]).failed(1, &["1 problem"]);
    assert!(place.run(&["check"]).out.contains("reaches the answer of the hook open, which is public"));
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
