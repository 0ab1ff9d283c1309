//! A task's life, by the verbs a person has.

use crate::cli::place::Place;

#[test]
fn a_task_is_submitted_seen_changed_and_ended() {
    let place = Place::new();
    let _served = place.serve();
    assert!(
        place
            .ok(&["submit", "hello", "--ref", "riga", "city=Riga"])
            .starts_with("hello/riga  waiting at nap")
    );
    assert_eq!(place.ok(&["get", "hello", "riga", "greeting"]), "Hello Riga", "bare, without a line's end");
    let listed = place.ok(&["list"]);
    assert!(listed.contains("riga") && listed.contains("nap"), "{listed}");
    place.ok(&["modify", "hello", "riga", "city=Oslo"]);
    assert_eq!(place.ok(&["get", "hello", "riga", "city"]), "Oslo");
    let shown = place.ok(&["show", "hello", "riga"]);
    for word in ["hello/riga", "city = Oslo", "start", "greet", "modify by local"] {
        assert!(shown.contains(word), "no {word:?} in {shown}");
    }
    assert!(place.ok(&["wake", "hello", "riga"]).contains("done at done"));
    place.run(&["cancel", "hello", "riga"]).failed(1, &["has ended"]);
    place.ok(&["submit", "hello", "--ref", "riga", "city=Riga"]);
    assert!(place.ok(&["move", "hello", "riga", "greet"]).contains("waiting at nap"));
    assert!(place.ok(&["cancel", "hello", "riga"]).contains("cancelled"));
}

#[test]
fn tasks_are_found_by_what_they_carry_and_a_process_is_cloned() {
    let place = Place::new();
    let _served = place.serve();
    for city in ["Riga", "Oslo"] {
        place.ok(&["submit", "hello", "--ref", city, &format!("city={city}")]);
    }
    let found = place.json(&["list", "hello", "--param", "city=Oslo"]);
    assert_eq!(found["items"].as_array().unwrap().len(), 1, "{found}");
    assert_eq!(found["items"][0]["ref"], "Oslo");
    place.run(&["list", "hello", "--param", "Oslo"]).failed(1, &["write `name=value`"]);
    place.run(&["clone", "hello"]).failed(1, &["--as NAME"]);
    place.run(&["clone", "hello", "--as", "other", "--set", "a=b"]).failed(1, &["leave --set out"]);
    assert!(place.ok(&["clone", "hello", "--as", "other", "--title", "Other"]).contains("other is deployed"));
    assert_eq!(place.json(&["processes", "other"])["title"], "Other");
    place.run(&["clone", "hello", "--as", "other"]).failed(1, &["`other` exists already"]);
    place.run(&["clone", "helo", "--as", "other"]).failed(1, &["there is no template `helo`"]);
}

#[test]
fn everything_comes_as_json() {
    let place = Place::new();
    let _served = place.serve();
    let task = place.json(&["submit", "hello", "--ref", "riga", "city=Riga", r#"tags:=["a", 1]"#]);
    assert_eq!((task["state"].as_str(), &task["params"]["tags"][1]), (Some("waiting"), &1.into()));
    assert_eq!(place.json(&["list", "hello", "--state", "waiting"])["items"][0]["ref"], "riga");
    let shown = place.json(&["show", "hello", "riga"]);
    assert_eq!(shown["task"]["node"], "nap");
    assert!(shown["history"].as_array().unwrap().len() >= 2, "{shown}");
    assert_eq!(place.json(&["get", "hello", "riga", "tags.0"]), "a");
    assert_eq!(place.json(&["processes", "hello"])["live"], 1);
    assert_eq!(place.json(&["alarms"])["items"], serde_json::json!([]));
    assert!(place.json(&["doctor"])["items"].as_array().unwrap().iter().all(|it| it["level"] != "fail"));
}

#[test]
fn a_taken_name_is_refused_returned_or_modified() {
    let place = Place::new();
    let _served = place.serve();
    let first = place.json(&["submit", "hello", "--ref", "riga", "city=Riga"]);
    place
        .run(&["submit", "hello", "--ref", "riga", "city=Oslo"])
        .failed(1, &["has a live task `riga` already"]);
    let again = place.json(&["submit", "hello", "--ref", "riga", "--if-exists", "return", "city=Oslo"]);
    assert_eq!((&again["id"], &again["params"]["city"]), (&first["id"], &"Riga".into()));
    let changed = place.json(&["submit", "hello", "--ref", "riga", "--if-exists", "modify", "city=Oslo"]);
    assert_eq!((&changed["id"], &changed["params"]["city"]), (&first["id"], &"Oslo".into()));
}

#[test]
fn a_revision_that_moved_on_is_refused() {
    let place = Place::new();
    let _served = place.serve();
    place.ok(&["submit", "hello", "--ref", "riga", "city=Riga"]);
    let args = ["modify", "hello", "riga", "city=Oslo", "--if-revision", "999"];
    assert_eq!(place.run(&args).code, Some(1));
    assert_eq!(place.ok(&["get", "hello", "riga", "city"]), "Riga");
}

#[test]
fn many_are_submitted_from_a_file_and_every_refused_line_is_named() {
    let place = Place::new();
    let _served = place.serve();
    let line = |at: usize| format!("{{\"ref\": \"r{at}\", \"params\": {{\"city\": \"c{at}\"}}}}\n");
    place.write("many.ndjson", &(0..2_500).map(line).collect::<String>());
    assert_eq!(place.json(&["submit", "hello", "--from", "many.ndjson"])["submitted"], 2_500);
    let ran = place.run_with(
        &["submit", "hello", "--from", "-"],
        &(line(2_500) + "{\"params\": {}}\n" + line(7).as_str()),
    );
    ran.failed(1, &["line 2: ", "line 3: ref_taken", "2 of 3 lines were refused"]);
    assert!(ran.out.contains("1 tasks submitted"), "{ran:?}");
    assert_eq!(
        place.json(&["list", "hello", "--ref", "r250", "--limit", "5"])["items"].as_array().unwrap().len(),
        2
    );
}

#[test]
fn a_wrong_name_is_understood() {
    let place = Place::new();
    let _served = place.serve();
    for args in [&["submit", "helo", "city=x"][..], &["list", "helo"], &["pause", "helo"], &["graph", "helo"]]
    {
        place.run(args).failed(1, &["no process `helo`", "did you mean `hello`"]);
    }
    place
        .run(&["clone", "bitrix-oath"])
        .failed(1, &["no template `bitrix-oath`", "did you mean `bitrix-oauth`"]);
    place.run(&["show", "hello", "gone"]).failed(1, &["hello/gone"]);
}

#[test]
fn a_missing_param_is_named() {
    let place = Place::new();
    let _served = place.serve();
    place.run(&["submit", "hello"]).failed(1, &["`city`"]);
    place.run(&["submit", "hello", "city:=7"]).failed(1, &["city"]);
}
