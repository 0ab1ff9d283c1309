//! What whoever installs it looks at: what it is made of, where its token is, who else may change it.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::cli::place::{Place, is_private};

const HELLO: &str = "process: hello
params: {word: {type: string}}
nodes:
  start: {kind: input, next: rest}
  rest: {kind: wait, next: rest}
";

#[test]
fn the_licences_of_all_that_is_in_it_are_in_it() {
    let place = Place::new();
    let told = place.json(&["licenses"]);
    assert_eq!(told["license"], "MIT OR Apache-2.0");
    let items = told["items"].as_array().unwrap();
    let of = |name: &str| items.iter().find(|it| it["name"] == name).unwrap_or_else(|| panic!("no {name}"));
    // What is linked, and what only that needs.
    for name in ["tokio", "rusqlite", "libsqlite3-sys", "rustls", "ring", "minijinja", "serde_core"] {
        let texts = of(name)["texts"].as_array().unwrap();
        assert!(texts.iter().all(|it| it.as_str().unwrap().len() > 100), "{name}: {texts:?}");
        assert!(!texts.is_empty(), "{name} has no text");
    }
    assert!(!items.iter().any(|it| it["name"] == "thirtyfour"), "what only tests need is not in it");
    let nameless: Vec<&Value> = items.iter().filter(|it| it["license"] == "").map(|it| &it["name"]).collect();
    assert!(nameless.iter().all(|it| *it == "ring"), "these do not say: {nameless:?}");
    let list = place.ok(&["licenses"]);
    assert!(list.contains("tokio") && !list.contains("Permission is hereby granted"), "{list}");
    let texts = place.ok(&["licenses", "--texts"]);
    assert!(texts.contains("Permission is hereby granted") && texts.contains("==== beltline"), "{texts}");
}

#[test]
fn a_token_is_written_into_a_file_and_read_from_it() {
    let place = Place::new();
    place.write("processes/hello.yaml", HELLO);
    let served = place.serve();
    let file = place.path("reader.token");
    let (path, there) = (file.to_str().unwrap(), format!("http://{}", place.address()));
    let said = place.ok(&["token", "create", "reader", "--scope", "read", "--to", path]);
    assert!(!said.contains("blt_") && is_private(&file), "{said}");
    let token = fs::read_to_string(&file).unwrap();
    assert!(token.starts_with("blt_"));
    let elsewhere = ["--server", &there, "--data", "nowhere"];
    let with = |args: &[&'static str]| {
        let all: Vec<&str> = args.iter().copied().chain(elsewhere).collect();
        all.iter().map(|it| (*it).to_owned()).collect::<Vec<String>>()
    };
    let run = |args: &[&'static str]| {
        let all = with(args);
        place.run(&all.iter().map(String::as_str).collect::<Vec<_>>())
    };
    run(&["processes"]).failed(1, &["--token-file"]);
    let all = with(&["processes", "--token-file", "reader.token"]);
    assert!(place.ok(&all.iter().map(String::as_str).collect::<Vec<_>>()).contains("hello"));
    // It opens what it is for, and no more.
    run(&["submit", "hello", "--token-file", "reader.token"]).failed(1, &["`run`"]);
    // A name that is taken makes no token, and leaves no file.
    run(&["token", "create", "x", "--scope", "read", "--to", "x.token", "--token-file", "reader.token"])
        .failed(1, &["`admin`"]);
    assert!(!place.path("x.token").exists());
    place.run(&["token", "create", "y", "--scope", "read", "--to", path]).failed(1, &["reader.token"]);
    assert_eq!(fs::read_to_string(&file).unwrap(), token, "what is there is not written over");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    run(&["processes", "--token-file", "reader.token"]).failed(1, &["chmod 600"]);
    assert_eq!(served.stop(), Some(0));
}

#[test]
fn what_everybody_may_change_or_pretend_is_told() {
    let place = Place::new().env("BELTLINE_PROXY_TRUST", "0.0.0.0/0,10.0.0.0/8");
    place.write("processes/hello.yaml", HELLO);
    let folder = place.path("processes");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
    fs::set_permissions(folder.join("hello.yaml"), fs::Permissions::from_mode(0o666)).unwrap();
    let served = place.serve();
    let log = served.log();
    assert_eq!(log.matches("everybody on this machine may change it").count(), 2, "{log}");
    assert!(log.contains("`proxy.trust` holds 0.0.0.0/0") && !log.contains("holds 10."), "{log}");
    let found = |what: &str| {
        let told = place.run(&["doctor", "--json", "--no-check"]).out;
        let told: Value = serde_json::from_str(told.lines().next().unwrap()).unwrap();
        let items = told["items"].as_array().unwrap().clone();
        items.into_iter().find(|it| it["what"] == what).unwrap()
    };
    let (configuration, processes) = (found("configuration"), found("processes"));
    assert_eq!(configuration["level"], "warn");
    assert!(configuration["found"].as_str().unwrap().contains("0.0.0.0/0"), "{configuration}");
    assert_eq!((&processes["level"], &processes["remedy"]), (&"warn".into(), &"chmod o-w".into()));
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    assert!(found("processes")["found"].as_str().unwrap().contains("hello.yaml"));
    fs::set_permissions(folder.join("hello.yaml"), fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(found("processes")["level"], "ok");
    assert_eq!(served.stop(), Some(0));
}

#[test]
fn marks_of_direction_are_written_out() {
    let place = Place::new();
    place.write("processes/hello.yaml", HELLO);
    let served = place.serve();
    place.ok(&["submit", "hello", "--ref", "in\u{202e}txt.exe", "word=a\u{2066}b\u{202e}c"]);
    let shown = place.ok(&["show", "hello", "in\u{202e}txt.exe"]);
    assert!(shown.contains("in\\u202etxt.exe") && shown.contains("a\\u2066b\\u202ec"), "{shown}");
    let listed = place.ok(&["list", "hello"]);
    for text in [&shown, &listed] {
        assert!(!text.contains(['\u{202e}', '\u{2066}']), "{text}");
    }
    let value = place.ok(&["get", "hello", "in\u{202e}txt.exe", "word"]);
    assert_eq!(value.trim_end(), "a\u{2066}b\u{202e}c", "a program gets what it is");
    assert_eq!(served.stop(), Some(0));
}
