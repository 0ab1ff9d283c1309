//! `serve`: what it makes, what it refuses, what it does when files change, and how it stops.

use std::fs;

use crate::cli::place::{HELLO, Place, until};

#[test]
fn it_says_where_it_is_and_stops_when_told() {
    let place = Place::new();
    let served = place.serve();
    let log = until("it greets", || Some(served.log()).filter(|it| it.contains("Ctrl-C")));
    for word in ["Beltline", "http://127.0.0.1:", "./data", "hello"] {
        assert!(log.contains(word), "no {word:?} in {log}");
    }
    assert_eq!(served.stop(), Some(0));
    assert!(!place.path("data/address").exists());
}

#[test]
fn what_was_submitted_is_there_after_a_restart() {
    let place = Place::new();
    let served = place.serve();
    place.ok(&["submit", "hello", "--ref", "riga", "city=Riga", "key=k"]);
    served.stop();
    let _served = place.serve();
    assert_eq!(place.ok(&["get", "hello", "riga", "key"]), "k");
}

#[test]
fn a_taken_port_is_said() {
    let place = Place::new();
    let _served = place.serve();
    let other = Place::new();
    other.run(&["serve", "--listen", &place.address()]).failed(1, &["is taken", "hint: "]);
}

#[test]
fn one_engine_runs_on_a_folder() {
    let place = Place::new();
    let _served = place.serve();
    let address = place.address();
    let ran = place.run(&["serve", "--listen", "127.0.0.1:0"]);
    ran.failed(1, &["another engine runs on `./data`", address.as_str()]);
    assert_eq!(place.address(), address, "and the first one is not disturbed");
    place.ok(&["list"]);
}

#[test]
fn a_wrong_key_does_not_start_and_the_right_one_does() {
    let place = Place::new();
    let served = place.serve();
    place.ok(&["submit", "hello", "--ref", "riga", "city=Riga", "key=k"]);
    served.stop();
    let key = fs::read_to_string(place.path("data/key")).unwrap();
    let mut wrong = place.command(&["serve", "--listen", "127.0.0.1:0"]);
    wrong.env("BELTLINE_KEY", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    super::place::Ran::from(wrong.output().unwrap()).failed(1, &["key"]);
    fs::remove_file(place.path("data/key")).unwrap();
    place.run(&["serve", "--listen", "127.0.0.1:0"]).failed(1, &["is gone", "BELTLINE_KEY"]);
    let place = place.env("BELTLINE_KEY", key.trim());
    let _served = place.serve();
    assert_eq!(place.ok(&["get", "hello", "riga", "key"]), "k");
}

#[test]
fn a_file_that_changes_is_deployed_and_a_bad_one_changes_nothing() {
    let place = Place::new();
    let _served = place.serve();
    let version = || place.json(&["processes", "hello"])["version"].clone();
    let first = version();
    place.write("processes/hello.yaml", &HELLO.replace("Hello {{", "Good day {{"));
    let second = until("the change is deployed", || Some(version()).filter(|it| *it != first));
    place.write("processes/hello.yaml", &HELLO.replace("kind: delay", "kind: dely"));
    let problems = until("the problem is shown", || {
        let process = place.json(&["processes", "hello"]);
        process["problems"].as_array().filter(|it| !it.is_empty()).cloned()
    });
    assert!(problems[0]["message"].as_str().unwrap().contains("dely"), "{problems:?}");
    assert_eq!(version(), second);
    fs::write(place.path("processes/second.yaml"), HELLO.replace("process: hello", "process: second"))
        .unwrap();
    until("a new file is deployed", || (place.run(&["processes", "second"]).code == Some(0)).then_some(()));
    place.write("processes/hello.yaml", HELLO);
    until("the good file heals it", || Some(version()).filter(|it| *it == first));
}

#[test]
fn a_bad_file_does_not_keep_the_engine_from_its_start() {
    let place = Place::new();
    place.write("processes/bad.yaml", "process: bad\nnodes: {}\n");
    let served = place.serve();
    until("the problem is told", || served.log().contains("bad.yaml").then_some(()));
    place.ok(&["submit", "hello", "city=Riga"]);
    place.run(&["doctor"]).failed(1, &["wrong"]);
}

#[test]
fn doctor_fails_while_the_store_takes_no_writes() {
    let place = Place::new();
    let _served = place.serve();
    let other = rusqlite::Connection::open(place.path("data/beltline.db")).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    // That a write was taken is believed for a second.
    let doctor = until("doctor sees it", || Some(place.run(&["doctor"])).filter(|it| it.code != Some(0)));
    doctor.failed(1, &["1 thing is wrong"]);
    assert!(doctor.out.contains("fail  store: it takes no writes: "), "{doctor:?}");
    assert!(doctor.out.contains("make room on its disk"), "with the remedy: {doctor:?}");
    assert!(doctor.out.contains("ok    runner: its heart beats"), "{doctor:?}");
    other.execute_batch("ROLLBACK").unwrap();
    place.ok(&["doctor"]);
}

#[test]
fn the_store_may_be_memory() {
    let place = Place::new();
    let _served = place.serve_with(&["--store", "memory"]);
    place.ok(&["submit", "hello", "--ref", "riga", "city=Riga"]);
    assert!(!place.path("data/beltline.db").exists());
}

#[test]
fn logs_are_json_where_that_was_asked_for() {
    let place = Place::new();
    let served = place.serve_with(&["--log-format", "json"]);
    place.write("processes/hello.yaml", &HELLO.replace("Hello {{", "Good day {{"));
    let line = until("a line is logged", || {
        served.log().lines().find(|it| it.starts_with('{') && it.contains("deployed")).map(str::to_owned)
    });
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["process"], "hello", "{line}");
}

#[test]
fn a_closed_pipe_is_no_failure() {
    let place = Place::new();
    let _served = place.serve();
    let line = |at: usize| format!("{{\"params\": {{\"city\": \"{at:0>100}\"}}}}\n");
    place.write("many.ndjson", &(0..2_000).map(line).collect::<String>());
    place.ok(&["submit", "hello", "--from", "many.ndjson"]);
    let mut list = place.command(&["list", "--limit", "2000", "--json"]);
    let mut child =
        list.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let ended = child.wait_with_output().unwrap();
    assert_eq!((ended.status.code(), String::from_utf8(ended.stderr).unwrap()), (Some(0), String::new()));
}
