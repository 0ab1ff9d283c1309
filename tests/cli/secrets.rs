//! A secret appears nowhere but where it is meant for.

use std::fs;

use crate::cli::place::{Place, is_private};

const HUSH: &str = "hush-3f1c9a";

#[test]
fn a_secret_is_read_without_being_shown_and_never_shown_after() {
    let place = Place::new();
    let served = place.serve();
    let mut seen = Vec::new();
    let mut run = |args: &[&str], stdin: &str| {
        let ran = place.run_with(args, stdin);
        assert_eq!(ran.code, Some(0), "{args:?}: {ran:?}");
        seen.push(ran.out + ran.err.as_str());
    };
    let line = format!("{HUSH}\n");
    run(&["submit", "hello", "--ref", "riga", "city=Riga", "key=-"], &line);
    run(&["secret", "set", "bot", "--host", "api.example.org"], &line);
    run(&["channel", "add", "author", "--via", "telegram", "chat_id=1", "token=-"], &line);
    for args in [
        &["show", "hello", "riga"][..],
        &["list"],
        &["modify", "hello", "riga", "city=Oslo"],
        &["processes", "hello"],
        &["secret", "list"],
        &["channel", "list"],
        &["config"],
        &["doctor"],
        &["tail", "--help"],
    ] {
        run(args, "");
        run(&[args, &["--json"]].concat(), "");
    }
    seen.push(served.log());
    for text in &seen {
        assert!(!text.contains(HUSH), "{text}");
    }
    assert!(seen.iter().any(|it| it.contains("bot") && it.contains("api.example.org")));
    assert_eq!(place.ok(&["get", "hello", "riga", "key"]), HUSH, "but who may, can read it by name");
    assert_eq!(served.stop(), Some(0));
    let database = fs::read(place.path("data/beltline.db")).unwrap();
    assert!(!database.windows(HUSH.len()).any(|it| it == HUSH.as_bytes()), "it is sealed on disk");
}

#[test]
fn the_data_folder_is_for_its_owner_alone() {
    let place = Place::new();
    let _served = place.serve();
    for name in ["data", "data/beltline.db", "data/key", "data/token", "data/lock", "data/address"] {
        assert!(is_private(&place.path(name)), "{name}");
    }
}

#[test]
fn a_wrong_token_is_refused_and_not_repeated() {
    let place = Place::new().env("BELTLINE_TOKEN", HUSH);
    let _served = place.serve();
    let ran = place.run(&["list"]);
    ran.failed(1, &["hint: "]);
    assert!(!ran.err.contains(HUSH), "{ran:?}");
}

#[test]
fn a_token_does_what_its_scopes_say_until_it_is_revoked() {
    let place = Place::new();
    let _served = place.serve();
    let made = place.ok(&["token", "create", "reader", "--scope", "read", "--expires", "1h"]);
    let reader = |args: &[&str]| {
        let mut command = place.command(args);
        super::place::Ran::from(command.env("BELTLINE_TOKEN", made.trim()).output().unwrap())
    };
    assert_eq!(reader(&["list"]).code, Some(0));
    reader(&["submit", "hello", "city=Riga"]).failed(1, &["run"]);
    assert!(place.ok(&["token", "list"]).contains("reader"));
    place.ok(&["token", "revoke", "reader"]);
    assert_eq!(reader(&["list"]).code, Some(1));
}
