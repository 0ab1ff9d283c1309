//! What is told of a scenario that does not hold, or that cannot be understood.

use crate::cli::place::{Place, Ran};

const SHOP: &str = r#"
process: shop
nodes:
  start: {kind: input, next: ask}
  ask:
    kind: http
    url: "https://shop.example/v1/{{task.ref}}?page=1"
    headers: {X-Key: "{{secret.shop}}"}
    json: {n: 1}
    save: {price: = response.body.price}
    retry: {jitter: 0}
    next: nap
    on_error: bad
  nap: {kind: delay, for: 10m, next: tell}
  tell: {kind: notify, message: "it costs {{price}}", notify: [author], next: done}
  done: {kind: end, result: "{{price}}"}
  bad: {kind: end, ok: false}
"#;

/// A scenario of the shop up to its steps.
const HEAD: &str = r#"process: shop
submit: {ref: a}
secrets: {shop: made-up}
world:
  - node: ask
    expect: {headers: {x-key: made-up}, query: {page: "1"}}
    answers: [{status: 503}, {json: {price: 20}}]
then:
"#;

fn place(scenario: &str) -> Place {
    let place = Place::new();
    place.write("processes/shop.yaml", SHOP);
    place.write("scenarios/shop.yaml", scenario);
    place
}

/// The shop with these steps.
fn shop(then: &str) -> Place {
    place(&format!("{HEAD}{then}"))
}

fn tried(place: &Place) -> Ran {
    place.run(&["try", "scenarios/shop.yaml"])
}

/// It said all that.
fn says(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "no {word:?} in {text}");
    }
}

#[test]
fn a_scenario_is_printed_as_a_timeline() {
    let place = shop(
        "  - after: 15m
  - expect: {state: done, result: 20, notified: [it costs 20], asked: {ask: 2}}\n",
    );
    let told = place.ok(&["try", "scenarios/shop.yaml"]);
    says(
        &told,
        &[
            "submit shop/a",
            "ask  came  POST https://shop.example/v1/a",
            "ask  answered 503  http_status (passing) at ask",
            "ask  answered 200  (try 2)  → nap  price=20",
            "told author: Beltline: shop / a",
            "│ it costs 20",
            "ok  15m",
        ],
    );
    assert!(!told.contains("made-up"), "the story holds a secret: {told}");
    let json = place.json(&["try", "scenarios/shop.yaml"]);
    assert_eq!(json["cases"][0]["ok"], true);
    assert_eq!(json["cases"][0]["story"][0]["beats"][0]["event"]["node"], "start");
}

#[test]
fn a_wrong_expectation_is_a_difference_with_its_place() {
    let place = shop(
        r#"  - after: 1m
  - expect:
      node: tell
      state: done
      due: 1m
      alarm: open
      params: {price: 21, more: 1, ask: absent}
      that: ["price > 100"]
      asked: {ask: {times: 1, json: {n: 2}}}
      notified: [hello]
      path: [ask, ..., done]
"#,
    );
    let ran = tried(&place);
    ran.failed(1, &["1 case failed"]);
    let misses = ran.out.split("FAILED").nth(1).unwrap();
    let lines: Vec<&str> = misses.lines().skip(1).filter(|it| !it.contains("after the start")).collect();
    insta::assert_snapshot!(lines.join("\n"));
    let told = place.run(&["try", "scenarios/shop.yaml", "--json"]);
    let told: serde_json::Value = serde_json::from_str(&told.out).unwrap();
    let miss = &told["cases"][0]["misses"][0];
    assert_eq!((&miss["line"], &miss["expected"]), (&11.into(), &"tell".into()), "{told}");
}

#[test]
fn a_request_that_nobody_answers_names_the_node_and_the_request() {
    let ran = tried(&place("process: shop\nsecrets: {shop: s}\nthen:\n  - expect: {node: nap}\n"));
    ran.failed(1, &[]);
    let said = "node `ask` asks `POST https://shop.example/v1/try`, and nobody answers";
    says(&ran.out, &[said, "hint: add `- {node: ask, answer:"]);
}

#[test]
fn a_request_that_is_not_as_the_script_has_it_is_told() {
    let ran = tried(&place(
        r#"process: shop
secrets: {shop: s}
world:
  - node: ask
    expect: {json: {n: 2, m: absent}, query: {page: "= it|int > 3"}}
    answer: {json: {}}
then:
  - expect: {node: nap}
"#,
    ));
    ran.failed(1, &[]);
    says(
        &ran.out,
        &["shop.yaml:5:24: `json.n` of the request of node `ask`", "expected - 2", "got      + 1"],
    );
    says(&ran.out, &["`query.page`", "such that it|int > 3", "\"1\""]);
}

#[test]
fn what_cannot_be_understood_is_told_at_once_as_a_compiler_does() {
    let place = place(
        r#"process: shop
beginning: now
world:
  - {nod: ask, answer: los}
  - {node: aks, answer: {}}
  - {node: ask}
cases:
  - case: one
    then:
      - after: soon
      - wakeup
      - {after: 1m, wake: true}
      - expect: {state: asleep, nodes: x, params: {a: "= 1 +"}}
  - case: one
    then:
      - after: 1m
"#,
    );
    let ran = tried(&place);
    ran.failed(2, &[]);
    insta::assert_snapshot!(ran.err);
    // What only the process knows is told when the rest is right.
    place.write(
        "scenarios/shop.yaml",
        r"process: shop
world:
  - {node: aks, answer: {}}
then:
  - move: dnoe
  - expect: {node: naps, path: [ask, tel], asked: {tell: 1}}
",
    );
    tried(&place).failed(2, &["has no node `dnoe`", "did you mean `done`", "`naps`", "`tel`", "`aks`"]);
}

#[test]
fn what_an_order_meets_with_is_told() {
    for (step, want) in [
        ("- hook: {a: 1}", "stands on `ask`, where no link is open"),
        ("- {wake: true, task: shop/b}", "there is no task `shop/b`"),
        ("- until: 2020-01-01 00:00", "time does not go back"),
        ("- submit: {ref: a}", "has a live task `a` already"),
    ] {
        let ran = tried(&shop(&format!("  {step}\n  - expect: {{node: ask}}\n")));
        ran.failed(1, &[]);
        says(&ran.out, &[want, "scenarios/shop.yaml:9:"]);
    }
}

#[test]
fn params_that_will_not_do_are_told_where_they_are_submitted() {
    let place = Place::new();
    place.write(
        "scenarios/a.yaml",
        "process: hello\nsubmit: {params: {key: 1}}\nthen:\n  - expect: {node: nap}\n",
    );
    let ran = place.run(&["try", "scenarios/a.yaml"]);
    ran.failed(1, &[]);
    says(&ran.out, &["a.yaml:2:", "needs the param `city`", "the param `key`"]);
}

#[test]
fn a_task_that_goes_round_without_time_is_found_out() {
    let place = Place::new();
    place.write(
        "processes/round.yaml",
        r#"process: round
nodes:
  start: {kind: input, next: ask}
  ask: {kind: http, url: "https://a.example", next: ask}
"#,
    );
    place.write(
        "scenarios/round.yaml",
        "process: round\nworld:\n  - {node: ask, answer: {json: {}}}\nthen:\n  - expect: {node: ask}\n",
    );
    let ran = place.run(&["try", "scenarios/round.yaml"]);
    ran.failed(1, &[]);
    says(&ran.out, &["goes round and round", "hint: a `delay`"]);
}

#[test]
fn nothing_to_test_says_what_to_do() {
    let place = Place::new();
    place.run(&["test"]).failed(2, &["no scenarios in tests/scenarios or scenarios", "scenarios/NAME.yaml"]);
    std::fs::create_dir_all(place.path("empty")).unwrap();
    place.run(&["test", "empty"]).failed(2, &["no scenarios in empty", "hint:"]);
    place.run(&["test", "missing.yaml"]).failed(2, &["broken"]);
    place.run(&["try", "missing.yaml"]).failed(2, &["`missing.yaml` cannot be read"]);
    place.write("a.yaml", "process: hallo\nthen:\n  - expect: {node: nap}\n");
    place.run(&["try", "a.yaml"]).failed(2, &["there is no process `hallo`", "did you mean `hello`"]);
}

#[test]
fn a_folder_is_tested_and_what_no_scenario_took_is_listed() {
    let place = shop("  - after: 15m\n  - expect: {state: done}\n");
    place.write(
        "scenarios/deep/more.yaml",
        r"process: ../../processes/shop.yaml
secrets: {shop: s}
world:
  - {node: ask, answer: {status: 404}}
cases:
  - case: wrong
    then:
      - expect: {node: nap}
",
    );
    place.write("scenarios/no-scenario.yaml", "just: data\n");
    let ran = place.run(&["test"]);
    ran.failed(1, &["1 case failed"]);
    says(
        &ran.out,
        &[
            "ok      scenarios/shop.yaml: the case (15m",
            "FAILED  scenarios/deep/more.yaml: wrong",
            "shop: 6 of 6 nodes, 5 of 5 ways",
            "1 ok, 1 failed",
        ],
    );
    let told = place.ok(&["test", "scenarios/shop.yaml"]);
    says(&told, &["shop: 5 of 6 nodes, 4 of 5 ways", "no scenario comes to  bad"]);
    says(&told, &["no scenario goes      ask → bad (on error)"]);
    place.run(&["test", "scenarios/shop.yaml", "--min-cover", "100"]).failed(1, &["81% of `shop`"]);
    place.ok(&["test", "scenarios/shop.yaml", "--min-cover", "80"]);
    let told = place.json(&["test", "scenarios/shop.yaml"]);
    assert_eq!(told["processes"][0]["nodes_missed"], serde_json::json!(["bad"]));
}

#[test]
fn a_broken_scenario_keeps_none_of_the_others_from_being_tested() {
    let place = shop("  - after: 15m\n  - expect: {state: done}\n");
    place.write("scenarios/bad.yaml", "process: shop\nthen:\n  - exepct: {}\n");
    let ran = place.run(&["test"]);
    ran.failed(2, &["1 scenario is broken"]);
    says(&ran.out, &["BROKEN", "ok      scenarios/shop.yaml"]);
}
