//! The fields that every kind of node has: `retry`, `on_error`, `limit` and `alarm`.

use std::collections::{BTreeSet, HashMap};

use beltline::model::fault::Class;
use beltline::nodes::KINDS;
use beltline::process::parse::parse;
use beltline::process::parsed::{EdgeKind, ways};
use beltline::process::process::Process;
use beltline::process::schema::examples;
use serde_json::json;

use crate::step::bench::Bench;

const FIELDS: &str = "retry: {times: 4, first: 7s, jitter: 0}, on_error: hurt, \
                      limit: {time: 1h, next: late}, alarm: {count: 30, next: full}";

/// Node `x` of a kind, with all that a node of it must have; placeholders of `{{nope}}` where it can fault.
fn node(kind: &str) -> &'static str {
    match kind {
        "input" => "next: done",
        "http" => "url: \"https://x.example/{{nope}}\", next: done",
        "delay" => "until: \"{{nope}}\", next: done",
        "condition" => "branches: [{when: nope, next: done}], else: done",
        "set" => "set: {a: \"{{nope}}\"}, next: done",
        "escalation" | "notify" => "message: \"{{nope}}\", notify: [author], next: done",
        "call" | "send" => "process: other, ref: r, params: {a: \"{{nope}}\"}, next: done",
        "each" => "items: \"{{nope}}\", process: other, next: done",
        "reply" => "values: {a: \"{{nope}}\"}, next: done",
        "raise" => "code: \"{{nope}}\", message: no",
        "wait" => "link: \"https://x.example/{{nope}}\", next: done",
        "end" => "result: \"{{nope}}\"",
        other => panic!("say here what a node of kind `{other}` needs"),
    }
}

fn text(kind: &str, fields: &str) -> String {
    let (x, before) = match kind {
        // A process needs what is not there: `input` is where that is seen.
        "input" => ("start", "params: {nope: {required: true}}"),
        _ => ("x", ""),
    };
    let start = if kind == "input" { "" } else { "  start: {kind: input, next: x}\n" };
    let ends: Vec<String> = ["done", "hurt", "late", "full"]
        .iter()
        .filter(|end| fields.contains(**end) || node(kind).contains(**end))
        .map(|end| format!("  {end}: {{kind: end}}\n"))
        .collect();
    let ends = ends.concat();
    format!("process: p\n{before}\nnodes:\n{start}  {x}: {{kind: {kind}, {}, {fields}}}\n{ends}", node(kind))
}

fn checked(text: &str) -> Process {
    parse(text).unwrap_or_else(|problems| panic!("{problems:#?}\n{text}"))
}

#[test]
fn every_kind_takes_every_common_field_and_draws_it() {
    for kind in KINDS.iter().map(|it| it.name).filter(|name| *name != "end") {
        let process = checked(&text(kind, FIELDS));
        let node = process.nodes.iter().find(|it| it.kind_name == kind).unwrap();
        assert_eq!(node.retry.times, 4, "{kind}");
        let ways = ways(node);
        for (edge, to) in [(EdgeKind::Error, "hurt"), (EdgeKind::Limit, "late"), (EdgeKind::Alarm, "full")] {
            let way = ways.iter().find(|way| way.kind == edge).unwrap();
            assert_eq!(way.to.as_str(), to, "{kind}");
        }
        assert_eq!(process.watched.len(), 1, "{kind}");
    }
}

#[test]
fn a_fault_of_every_kind_goes_to_on_error() {
    for kind in KINDS.iter().map(|it| it.name) {
        let text = text(kind, "on_error: hurt");
        let others = HashMap::from([("other/r".to_owned(), json!(null))]);
        let mut bench = Bench::new(&text, json!({}), &others);
        let lines = bench.happen("called");
        let fault = lines.iter().find(|line| line.contains("fault lasting missing_param"));
        assert!(fault.is_some_and(|line| line.ends_with("-> hurt")), "{kind}: {lines:#?}");
        assert_eq!(lines.last().unwrap(), "= hurt done, due in 7d", "{kind}");
    }
}

#[test]
fn every_kind_that_rests_goes_on_when_its_limit_is_over() {
    for (kind, fields) in [
        ("delay", "for: 3d"),
        ("wait", "link: true"),
        ("escalation", "message: m, notify: [author], wait: {}"),
        ("call", "process: other, ref: r"),
        ("each", "items: [1], process: other, ref: r"),
        ("http", "url: \"https://x.example/\""),
        ("notify", "message: m, notify: [author]"),
        ("raise", "code: busy, message: m, class: passing, retry: {times: 9, first: 2h, max: 2h}"),
    ] {
        let next = if kind == "raise" { "" } else { ", next: done" };
        let text = format!(
            "process: p\nnodes:\n  start: {{kind: input, next: x}}\n  x: {{kind: {kind}, {fields}{next}, \
             limit: {{time: 1h, next: late}}, on_error: done}}\n  done: {{kind: end}}\n  \
             late: {{kind: end}}\n"
        );
        let others = HashMap::from([("other/r".to_owned(), json!(null))]);
        let mut bench = Bench::new(&text, json!({}), &others);
        bench.happen("new");
        let until = bench.task.as_ref().unwrap().due.unwrap().since(bench.now);
        assert!(until.0 <= 3_600_000, "{kind}: looked at after {until}");
        let asks = matches!(kind, "http" | "notify" | "escalation");
        // What is asked is asked to its end; a fault that comes after the limit is not tried again.
        if asks {
            bench.now = bench.now + beltline::model::time::Span::hours(2);
            let lines = bench.happen("fail passing http_timeout: too slow");
            assert!(lines.last().unwrap().starts_with("= x "), "{kind}: {lines:?}");
        }
        let lines = bench.happen("due");
        let late = |line: &String| line.starts_with("x: stood here for 1h") && line.ends_with("-> late");
        assert!(lines.iter().any(late), "{kind}: {lines:?}");
    }
}

#[test]
fn passing_faults_that_come_from_other_tasks_are_tried_again() {
    let spare = ", retry: {times: 2, first: 5s, jitter: 0}, next: done";
    for (kind, fields, bad) in [
        ("call", "process: other, ref: \"{{task.attempt}}\"", "bad-reply passing busy: later"),
        ("each", "items: [1], process: other, ref: \"{{task.attempt}}\"", "item 0 fault passing busy: later"),
    ] {
        let text = format!(
            "process: p\nnodes:\n  start: {{kind: input, next: x}}\n  \
             x: {{kind: {kind}, {fields}{spare}}}\n  done: {{kind: end}}\n"
        );
        let others = ["other/1", "other/2"].map(|it| (it.to_owned(), json!(null)));
        let mut bench = Bench::new(&text, json!({}), &HashMap::from(others));
        bench.happen("new");
        assert_eq!(bench.happen(bad).last().unwrap(), "= x ready, due in 5s", "{kind}");
        let lines = bench.happen("due");
        assert!(lines.iter().any(|line| line == "calls other/2 {}"), "{kind}: {lines:?}");
        bench.happen(bad);
        let fault = bench.task.as_ref().unwrap().fault.clone().unwrap();
        assert_eq!((fault.code.as_str(), fault.class), ("busy", Class::Passing), "{kind}");
    }
}

#[test]
fn what_makes_no_sense_is_a_problem() {
    let problems = |nodes: &str| {
        let text = format!("process: p\nnodes:\n  start: {{kind: input, next: x}}\n{nodes}");
        let problems = parse(&text).err().unwrap_or_default();
        problems.into_iter().map(|it| it.message).collect::<Vec<String>>()
    };
    assert_eq!(
        problems("  x: {kind: end, retry: {}, limit: {time: 1h, next: x}, alarm: {count: 1, next: x}}\n"),
        [
            "`retry` makes no sense at an `end`: no task stays there",
            "`limit` makes no sense at an `end`: no task stays there",
            "`alarm` makes no sense at an `end`: no task stays there",
            "`next` is another node: the task that tells would stand here too",
        ]
    );
    assert_eq!(
        problems("  x: {kind: wait, alarm: {count: 0, next: gone}, next: y}\n  y: {kind: end}\n"),
        ["`count` is 1 or more", "there is no node `gone`"]
    );
    assert_eq!(
        problems("  x: {kind: wait, alarm: {count: 3, clear: 3, next: y}, next: y}\n  y: {kind: end}\n"),
        ["`clear` is less than `count`, which is 3"]
    );
    assert_eq!(
        problems("  x: {kind: raise, code: out of stock, message: m, next: y}\n  y: {kind: end}\n").len(),
        2,
        "a code with blanks, and a way out"
    );
    for bad in
        ["items: 5", "items: [1], parallel: 0", "items: [1], parallel: 501", "items: [1], save: {task: 1}"]
    {
        let node = format!("  x: {{kind: each, {bad}, process: other, next: y}}\n  y: {{kind: end}}\n");
        assert_eq!(problems(&node).len(), 1, "{bad}: {:?}", problems(&node));
    }
    // `item` and `index` are no slips of a param's name in an `each`.
    let node = "  x: {kind: each, items: [1], process: o, params: {a: \"{{index}}\"}, next: y}\n  \
                y: {kind: set, set: {indexx: 1, itemm: 1}, next: z}\n  z: {kind: end}\n";
    assert_eq!(problems(node), [""; 0]);
}

#[test]
fn every_kind_has_an_example_of_its_own() {
    let all: BTreeSet<String> = KINDS.iter().flat_map(examples).collect();
    assert!(all.len() >= KINDS.len());
}
