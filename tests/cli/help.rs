//! What a person sees who does not know yet what to type.

use beltline::cli::app::command;
use beltline::service::manual::{Topic, pages};

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
        assert!(help.contains("Example"), "{verb}: {help}");
        assert!(help.lines().all(|line| line.chars().count() <= 100), "{verb}: {help}");
    }
}

/// The lines of a verb's examples, without what explains them.
fn examples(help: &str) -> Vec<String> {
    let lines = help.lines().filter(|line| line.starts_with("  ")).map(str::trim);
    let lines = lines.filter_map(|line| line.find("beltline ").map(|at| &line[at..]));
    let lines =
        lines.map(|line| line.split(" # ").next().unwrap().split([';', '|', '>', ')']).next().unwrap());
    lines.map(|line| line.trim().to_owned()).collect()
}

#[test]
fn every_example_is_understood() {
    let mut understood = 0;
    for verb in command().get_subcommands_mut() {
        let help = verb.render_long_help().to_string();
        for example in examples(&help) {
            let words = example.split_whitespace().map(|word| word.trim_matches(['"', '\'']));
            let parsed = command().try_get_matches_from(words);
            assert!(parsed.is_ok(), "{example}: {}", parsed.unwrap_err());
            understood += 1;
        }
    }
    assert!(understood > 40, "only {understood} examples");
}

#[test]
fn a_page_is_printed_of_whatever_has_one() {
    let place = Place::new();
    let contents = place.ok(&["explain"]);
    for page in pages() {
        assert!(contents.contains(page.name), "{}: {contents}", page.name);
        let text = place.ok(&["explain", page.name]);
        if page.topic == Topic::Guide {
            assert!(text.starts_with(&format!("{}\n\n{}", page.title(), page.about)), "{text}");
            assert!(!text.contains("```") && !text.contains("](") && !text.contains("|---"), "{text}");
            continue;
        }
        assert!(text.starts_with(&format!("`{}`: ", page.name)), "{text}");
        assert!(text.contains("\n    "), "no example: {text}");
    }
    let told: serde_json::Value =
        serde_json::from_str(&place.ok(&["explain", "http_timeout", "--json"])).unwrap();
    assert_eq!(told["items"][0]["topic"], "fault");
    let lines: Vec<&str> = contents.lines().collect();
    assert!(lines[0].starts_with("Manual") && lines[1].starts_with("bitrix "), "{contents}");
    place.run(&["explain", "shedules"]).failed(1, &["did you mean `schedules`?"]);
    place
        .run(&["explain", "telegramm"])
        .failed(1, &["no page about `telegramm`", "did you mean `telegram`?"]);
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
        let script = Place::new().ok(&["completions", shell]);
        assert!(script.contains("COMPLETE"), "{shell}: {script}");
    }
    let offered = Place::new().env("COMPLETE", "fish").ok(&["--", "beltline", "su"]);
    assert!(offered.starts_with("submit"), "{offered}");
}

#[test]
fn completions_know_what_there_is() {
    let place = Place::new();
    let _served = place.serve();
    place.ok(&["clone", "notify-author", "--as", "notices"]);
    place.ok(&["submit", "hello", "--ref", "riga-2026", "city=Riga"]);
    let place = place.env("COMPLETE", "fish");
    for (line, offer) in [
        (&["show", "no"][..], "notices"),
        (&["show", "hello", "ri"], "riga-2026"),
        (&["move", "hello", "riga-2026", "do"], "done"),
        (&["get", "hello", "riga-2026", "ci"], "city"),
        (&["clone", "bitrix-of"], "bitrix-offline"),
        (&["explain", "http_t"], "http_timeout"),
        (&["explain", "schedu"], "schedules"),
    ] {
        let line: Vec<&str> = ["--", "beltline"].into_iter().chain(line.iter().copied()).collect();
        let offered = place.ok(&line);
        assert!(offered.lines().any(|it| it.split('\t').next() == Some(offer)), "{line:?}: {offered}");
    }
}
