//! What is set up beside tasks: processes, channels, variables.

use std::fs;

use crate::cli::place::{HELLO, Place};

#[test]
fn a_file_is_deployed_and_its_problems_are_told() {
    let place = Place::new();
    let _served = place.serve();
    place.write("other.yaml", &HELLO.replace("process: hello", "process: other"));
    assert!(place.ok(&["deploy", "other.yaml", "--dry-run"]).contains("would be deployed"));
    assert_eq!(place.run(&["processes", "other"]).code, Some(1));
    assert!(place.ok(&["deploy", "other.yaml"]).contains("other  deployed as"));
    assert!(place.ok(&["deploy", "other.yaml"]).contains("already"));
    place.write("bad.yaml", &HELLO.replace("kind: delay", "kind: dely"));
    place.run(&["deploy", "bad.yaml", "other.yaml"]).failed(1, &["`bad.yaml` was not deployed", "dely", "^"]);
}

#[test]
fn a_version_that_would_strand_tasks_says_which() {
    let place = Place::new();
    let _served = place.serve();
    place.ok(&["submit", "hello", "--ref", "riga", "city=Riga"]);
    place.write("next.yaml", &HELLO.replace("nap", "rest"));
    place.run(&["deploy", "next.yaml"]).failed(1, &["1 on `nap`", "hint: "]);
    assert!(place.ok(&["deploy", "next.yaml", "--move", "nap:rest"]).contains("1 tasks moved"));
    assert_eq!(place.json(&["show", "hello", "riga"])["task"]["node"], "rest");
}

#[test]
fn a_template_becomes_a_file_that_is_never_overwritten() {
    let place = Place::new();
    let _served = place.serve();
    assert!(place.ok(&["templates"]).contains("bitrix-oauth"));
    assert!(place.ok(&["templates", "bitrix-oauth"]).contains("process: bitrix-oauth"));
    let told = place.ok(&["clone", "bitrix-oauth", "--as", "bitrix", "--set", "portal=acme"]);
    assert!(told.contains("bitrix is deployed") && told.contains("client_secret=-"), "{told}");
    let text = fs::read_to_string(place.path("processes/bitrix.yaml")).unwrap();
    assert!(text.starts_with("# from template bitrix-oauth@") && text.contains("acme"), "{text}");
    assert_eq!(place.run(&["clone", "bitrix-oauth", "--as", "bitrix"]).code, Some(1));
    assert_eq!(fs::read_to_string(place.path("processes/bitrix.yaml")).unwrap(), text);
}

#[test]
fn a_clone_asks_its_questions_and_writes_no_secret() {
    let place = Place::new();
    let _served = place.serve();
    let ran = place.run_with(&["clone", "bitrix-oauth", "--as", "bitrix", "--ask"], "acme\nlocal.1\n\n\n");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for word in ["a bare name (`acme` is", "such as local.5f1a", "renew_every [25m]: ", "client_secret"] {
        assert!(ran.err.contains(word), "no {word:?} in {ran:?}");
    }
    assert!(!ran.err.contains("client_secret:"), "a secret is not asked for a file: {ran:?}");
    assert!(ran.out.contains("next: beltline submit bitrix client_secret=-\n"), "{ran:?}");
    let text = fs::read_to_string(place.path("processes/bitrix.yaml")).unwrap();
    assert!(text.contains("default: \"acme\"") && text.contains("default: \"local.1\""), "{text}");
    place.run(&["clone", "bitrix-outh"]).failed(1, &["did you mean `bitrix-oauth`?"]);
}

#[test]
fn a_clone_knows_its_template() {
    let place = Place::new();
    let _served = place.serve();
    place.ok(&["clone", "notify-author", "--as", "tell", "--defaults"]);
    assert!(place.ok(&["templates", "diff", "tell"]).contains("nothing has changed there since"));
    assert!(place.ok(&["templates", "update", "tell"]).contains("already"));
    assert!(place.ok(&["templates", "show", "notify-author"]).contains("process: notify-author"));
    let text = fs::read_to_string(place.path("processes/tell.yaml")).unwrap();
    let (head, rest) = text.split_once('\n').unwrap();
    let (name, _) = head.split_once('@').unwrap();
    place.write("older.yaml", &format!("{name}@0123456789abcdef\n{rest}").replace("times: 12", "times: 9"));
    place.ok(&["deploy", "older.yaml"]);
    place.write("processes/tell.yaml", &fs::read_to_string(place.path("older.yaml")).unwrap());
    let diff = place.ok(&["templates", "diff", "tell"]);
    assert!(diff.contains("is not known here any more") && diff.contains("times: 9"), "{diff}");
    place.run(&["templates", "update", "tell"]).failed(1, &["is not known here", "templates diff tell"]);
    place.run(&["templates", "diff", "tel"]).failed(1, &["did you mean `tell`?"]);
}

#[test]
fn a_paused_process_rests_and_goes_on() {
    let place = Place::new();
    let _served = place.serve();
    place.ok(&["pause", "hello"]);
    assert!(place.ok(&["processes"]).contains("paused"));
    place.ok(&["resume", "hello"]);
    assert!(place.ok(&["processes"]).contains("runs"));
}

#[test]
fn channels_and_variables_come_and_go() {
    let place = Place::new();
    let _served = place.serve();
    place.run(&["channel", "add", "author", "--via", "telegran"]).failed(1, &["telegran"]);
    place.run(&["channel", "add", "author", "--via", "telegram"]).failed(1, &["missing"]);
    place.ok(&["channel", "add", "author", "--via", "telegram", "chat_id=1", "token=t0ken-of-a-bot"]);
    let listed = place.ok(&["channel", "list"]);
    assert!(
        listed.contains("author") && listed.contains("telegram") && !listed.contains("t0ken"),
        "{listed}"
    );
    place.ok(&["channel", "remove", "author"]);
    assert!(place.ok(&["channel", "list"]).contains("no channels"));
    place.ok(&["var", "set", "region=eu", "limit:=10"]);
    assert_eq!(place.json(&["var", "list"])["items"].as_array().unwrap().len(), 2);
    place.ok(&["var", "remove", "region"]);
    place.run(&["var", "remove", "region"]).failed(1, &["region"]);
}

#[test]
fn a_channel_may_stand_in_the_configuration() {
    let place = Place::new();
    place.write(
        "beltline.yaml",
        "channels: {author: {via: telegram, chat_id: 1234, token: \"{{secret.bot}}\"}}\n",
    );
    let _served = place.serve();
    assert!(place.ok(&["channel", "list"]).contains("author"));
    place.run(&["channel", "test", "author"]).failed(1, &["not delivered"]);
}
