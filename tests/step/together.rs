//! The step and the stores together: what a walk writes is seen by what follows, in every store, and nothing
//! of it depends on what is committed at once.

use std::cell::RefCell;
use std::fmt::Write as _;

use beltline::model::signal::{Command, SignalKind};
use beltline::model::task::Phase;
use beltline::model::time::Span;
use serde_json::{Value, json};

use crate::simulation::universe::params;
use crate::step::scene::{Scene, code, everywhere};

/// Waits, and takes what is written to it.
const JOURNAL: &str = "
process: journal
params: {level: {default: info}, key: {secret: true}}
nodes:
  start: {kind: input, next: hold}
  hold: {kind: wait, accept: {over: {required: true}}, next: done}
  done: {kind: end}
";

/// Nodes on a way, one after the other; faults go on as well.
fn walk(nodes: &[String], between: &str) -> String {
    let mut text = "process: w\nnodes:\n  start: {kind: input, next: n0}\n".to_owned();
    for (at, node) in nodes.iter().enumerate() {
        let next = at + 1;
        writeln!(text, "  n{at}: {{{node}, next: r{at}, on_error: e{at}}}").unwrap();
        writeln!(text, "  e{at}: {{kind: set, set: {{e{at}: \"{{{{fault.code}}}}\"}}, next: r{at}}}")
            .unwrap();
        writeln!(text, "  r{at}: {{{between}, next: n{next}}}").unwrap();
    }
    writeln!(text, "  n{}: {{kind: end}}", nodes.len()).unwrap();
    text
}

/// What becomes of such a way: the task's params, and the tasks of the journal with theirs.
fn outcome(scene: &mut Scene) -> Value {
    scene.submit("journal/old", json!({"a": 0})).unwrap();
    scene.settle();
    scene.submit("w/w", json!({})).unwrap();
    scene.later(Span::mins(1));
    let task = scene.task("w/w");
    assert_eq!(task.state.phase(), Phase::Done, "{:?}", task.fault);
    let journal = scene.all("journal").into_iter();
    let mut journal: Vec<Value> = journal.map(|it| json!([it.reference, it.params])).collect();
    journal.sort_by_key(ToString::to_string);
    let mut own = task.params;
    own.unset("x");
    json!({"task": own, "journal": journal})
}

#[test]
fn a_name_given_twice_in_one_step_is_taken_and_either_writes_to_it() {
    let text = "
process: w
nodes:
  start: {kind: input, next: one}
  one: {kind: send, process: journal, ref: new, params: {a: 1}, next: two}
  two: {kind: send, process: journal, ref: new, mode: MODE, params: {a: 2}, next: done}
  done: {kind: end}
";
    for (mode, fault, a) in [("create", "ref_taken", 1), ("either", "", 2), ("modify", "", 2)] {
        everywhere(&[JOURNAL, &text.replace("MODE", mode)], |scene| {
            let task = scene.live("w/w", json!({}));
            assert_eq!(code(&task), fault, "{mode}");
            let made = scene.task("journal/new");
            assert_eq!((made.at.as_str(), made.params.get("a")), ("hold", Some(&json!(a))), "{mode}");
            assert_eq!(scene.alive("journal"), 1);
        });
    }
}

/// Each way is walked in one step, and with a rest between any two of its nodes: all is the same.
#[test]
fn a_walk_means_the_same_with_a_rest_between_any_two_of_its_nodes() {
    let new = ["new", "old", "{{task.ref}}"];
    let mut ways: Vec<Vec<String>> = Vec::new();
    let send = |name: &str, mode: &str, n: usize| {
        let process = if name.starts_with('{') { "w" } else { "journal" };
        format!("kind: send, process: {process}, ref: \"{name}\", mode: {mode}, params: {{a: {n}}}")
    };
    let read = |name: &str, n: usize| {
        let process = if name.starts_with('{') { "w" } else { "journal" };
        format!("kind: set, set: {{g{n}: \"{{{{conv[{process}].ref[{name}].a ?? \\\"none\\\"}}}}\"}}")
    };
    for name in new {
        for first in ["create", "modify", "either"] {
            for second in ["create", "modify", "either"] {
                ways.push(vec![
                    send(name, first, 1),
                    read(name, 1),
                    send(name, second, 2),
                    read(name, 2),
                    send("old", "modify", 3),
                    read("old", 3),
                ]);
            }
        }
    }
    ways.push(vec![
        "kind: send, process: journal, ref: new".to_owned(),
        "kind: set, set: {level: \"{{conv[journal].ref[new].level}}\"}".to_owned(),
        "kind: set, set: {key: \"{{conv[journal].ref[new].key}}\"}".to_owned(),
        "kind: call, process: journal, ref: new".to_owned(),
        "kind: each, items: [1], process: journal, ref: new".to_owned(),
        "kind: each, items: [1, 2], process: journal, ref: \"{{task.ref}}\", failures: all, \
         save: {n: \"{{response.failed}}\"}, limit: {time: 1s, next: n6}"
            .to_owned(),
        "kind: set, set: {x: \"{{conv[journal].ref[w].level}}\"}".to_owned(),
    ]);
    for way in &ways {
        let rests = played(&walk(way, "kind: delay, for: 1s"));
        assert_eq!(played(&walk(way, "kind: set, set: {x: 1}")), rests, "{way:#?}");
    }
}

/// What comes of it in every store, which must be the same.
fn played(text: &str) -> Value {
    let seen = RefCell::new(Vec::new());
    everywhere(&[JOURNAL, text], |scene| seen.borrow_mut().push(outcome(scene)));
    let seen = seen.into_inner();
    assert_eq!(seen[0], seen[1]);
    seen[0].clone()
}

#[test]
fn a_signal_to_itself_is_read_before_the_task_goes_on() {
    let text = "
process: w
nodes:
  start: {kind: input, next: FIRST}
  nap: {kind: delay, for: 1s, next: tell}
  tell: {kind: send, process: w, ref: \"{{task.ref}}\", mode: modify, params: {a: 2}, next: done}
  done: {kind: end, result: \"{{a}}\"}
";
    let straight = text.replace("FIRST", "tell").replace("  nap: {kind: delay, for: 1s, next: tell}\n", "");
    for text in [text.replace("FIRST", "nap"), straight] {
        everywhere(&[&text], |scene| {
            scene.live("w/w", json!({}));
            scene.later(Span::secs(2));
            let task = scene.task("w/w");
            assert_eq!((task.state.phase(), task.result), (Phase::Done, Some(json!(2))));
        });
    }
}

#[test]
fn a_task_that_would_start_one_of_its_own_name_takes_the_fault_and_the_submit_is_taken() {
    let text = "
process: w
nodes:
  start: {kind: input, next: tell}
  tell: {kind: send, process: w, ref: \"{{task.ref}}\", next: done}
  done: {kind: end}
";
    everywhere(&[text], |scene| {
        let task = scene.submit("w/w", json!({})).unwrap();
        assert_eq!((task.state.phase(), code(&task)), (Phase::Failed, "ref_taken"));
    });
}

#[test]
fn parts_that_are_made_and_let_go_in_one_step_make_no_calls() {
    let text = "
process: w
nodes:
  start: {kind: input, next: hold}
  hold: {kind: wait, accept: {go: {}}, next: run}
  run: {kind: each, items: \"= range(600)\", process: journal, next: done}
  done: {kind: end}
";
    everywhere(&[JOURNAL, text], |scene| {
        scene.live("w/w", json!({}));
        scene.post("w/w", SignalKind::Modify { params: params(json!({"go": 1})) });
        scene.command("w/w", Command::Cancel);
        scene.settle();
        assert_eq!(scene.task("w/w").state.phase(), Phase::Cancelled);
        assert_eq!(scene.all("w").len(), 1, "the part is gone");
        assert_eq!(scene.all("journal").len(), 0, "and called nobody");
    });
}

#[test]
fn many_signals_in_one_step_are_all_read_though_one_of_them_yields() {
    let text = "
process: w
params: {n: {default: 0}}
nodes:
  start: {kind: input, next: hold}
  hold: {kind: wait, accept: {go: {}}, next: tell}
  tell: {kind: send, process: w, ref: \"{{task.ref}}\", mode: modify, params: {mine: 1}, next: again}
  again: {kind: set, set: {n: \"= n + 1\"}, next: hold}
";
    everywhere(&[text], |scene| {
        scene.live("w/w", json!({}));
        for n in 0..5 {
            scene.post("w/w", SignalKind::Modify { params: params(json!({"go": n, format!("p{n}"): n})) });
        }
        scene.settle();
        let task = scene.task("w/w");
        for n in 0..5 {
            assert_eq!(task.params.get(&format!("p{n}")), Some(&json!(n)), "{:?}", task.params);
        }
        assert_eq!((task.at.as_str(), task.params.get("mine")), ("hold", Some(&json!(1))));
    });
}
