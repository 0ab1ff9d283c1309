//! What a person sees who does not know yet what to type.

use crate::cli::place::Place;

#[test]
fn the_help_lists_every_verb_with_examples() {
    let help = Place::new().ok(&["--help"]);
    for word in
        ["serve", "clone", "submit", "doctor", "Examples:", "beltline demo", "BELTLINE_SERVER", "Exit codes"]
    {
        assert!(help.contains(word), "{word}: {help}");
    }
    assert!(help.lines().all(|line| line.chars().count() <= 100), "{help}");
}

#[test]
fn every_verb_explains_itself() {
    let place = Place::new();
    let help = place.ok(&["--help"]);
    let verbs = help.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let verbs: Vec<&str> = verbs
        .filter_map(|line| line.split_whitespace().next())
        .filter(|word| word.chars().all(|it| it.is_ascii_lowercase()) && *word != "beltline")
        .collect();
    assert!(verbs.len() > 25, "{verbs:?}");
    for verb in verbs {
        let help = place.ok(&[verb, "--help"]);
        assert!(help.contains("Usage: beltline"), "{verb}: {help}");
    }
}

#[test]
fn what_cannot_be_understood_ends_with_two() {
    let place = Place::new();
    for args in [
        &["sumbit"][..],
        &["submit"],
        &["list", "--limit", "x"],
        &["get", "hello", "riga"],
        &["submit", "hello", "city"],
        &["submit", "hello", "city:=Riga"],
        &["var", "set", "x=-"],
        &["config", "--store", "sqlight"],
    ] {
        let ran = place.run(args);
        assert_eq!(ran.code, Some(2), "{args:?}: {ran:?}");
        assert!(ran.err.contains("error: "), "{args:?}: {ran:?}");
    }
    assert_eq!(place.run(&[]).code, Some(2));
}

#[test]
fn no_server_is_said_with_what_to_do() {
    let ran = Place::new().env("BELTLINE_LISTEN", "127.0.0.1:9").run(&["list"]);
    ran.failed(
        1,
        &["error: no server answers at http://127.0.0.1:9", "hint: start it with `beltline serve`"],
    );
    assert_eq!(ran.err.lines().count(), 2, "{ran:?}");
}

#[test]
fn an_error_is_json_where_json_was_asked_for() {
    let ran = Place::new().env("BELTLINE_LISTEN", "127.0.0.1:9").run(&["list", "--json"]);
    let error: serde_json::Value = serde_json::from_str(&ran.err).unwrap();
    assert!(error["error"].as_str().unwrap().contains("no server answers"), "{error}");
}

#[test]
fn completions_know_the_verbs() {
    for shell in ["bash", "zsh", "fish"] {
        assert!(Place::new().ok(&["completions", shell]).contains("submit"), "{shell}");
    }
}
