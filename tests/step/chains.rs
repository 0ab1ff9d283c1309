//! Limits at every birth: how many tasks a process may have, and how many births may follow each other.

use std::cell::RefCell;

use beltline::engine::batch::SubmitError;
use beltline::model::descent::BIRTHS_MAX;
use beltline::model::signal::Command;
use beltline::model::task::Phase;
use beltline::model::time::Span;
use beltline::process::parse::parse;
use serde_json::json;

use crate::step::scene::{Scene, code, everywhere, in_memory};

const LIMIT: usize = 5;
const SMALL: &str = "
process: small
limits: {tasks: 5}
nodes:
  start: {kind: input, next: hold}
  hold: {kind: wait, next: say}
  say: {kind: reply, next: done}
  done: {kind: end}
";

fn maker(node: &str) -> String {
    format!(
        "process: maker\nparams: {{n: {{default: 0}}}}\nnodes:\n  start: {{kind: input, next: make}}\n  \
         make: {{{node}, next: done}}\n  done: {{kind: end}}\n"
    )
}

#[test]
fn a_process_has_no_more_tasks_than_its_limit_whoever_makes_them() {
    for node in [
        "kind: send, process: small, retry: {times: 1}",
        "kind: call, process: small, retry: {times: 1}",
        "kind: notify, notify: {call: small}, message: m, retry: {times: 1}",
        "kind: each, items: \"= range(20)\", process: small, parallel: 20",
        "kind: each, items: \"= range(20)\", process: small, parallel: 20, failures: all, save: {}",
        "kind: each, items: \"= range(600)\", process: small, parallel: 20, failures: all, save: {}",
    ] {
        everywhere(&[SMALL, &maker(node)], |scene| {
            // All of them in one batch.
            let (items, _told): (Vec<_>, Vec<_>) =
                (0..12).map(|n| scene.entry(&format!("maker/m{n}"), json!({}))).unzip();
            scene.run_batch(items);
            scene.settle();
            scene.later(Span::secs(1));
            assert!(scene.alive("small") <= LIMIT, "{node}: {}", scene.alive("small"));
            let full = |task: &&beltline::model::task::Task| code(task) == "too_many_tasks";
            let makers = scene.all("maker");
            let told = makers.iter().filter(full).count();
            if !node.contains("failures: all") {
                assert!(told > 0, "{node}: nobody was told");
                let fault = makers.iter().find(full).unwrap().fault.clone().unwrap();
                assert!(fault.message.contains("`small` has 5 live tasks"), "{}", fault.message);
            }
            // Calls that are not made with those before them are none.
            let none = node.contains("each") && !node.contains("failures: all");
            assert_eq!(scene.alive("small"), if none { 0 } else { LIMIT }, "{node}");
            // Who ends makes room.
            let one = scene.all("small").into_iter().find(|it| it.state.phase().is_live());
            let Some(one) = one else { return };
            scene.command(&format!("small/{}", one.reference), Command::Cancel);
            scene.settle();
            assert!(scene.submit("small/last", json!({})).is_ok() || node.contains("600"), "{node}");
            assert!(scene.alive("small") <= LIMIT);
        });
    }
}

#[test]
fn submits_in_one_batch_and_in_two_under_way_keep_within_the_limit() {
    everywhere(&[SMALL], |scene| {
        let (one, told): (Vec<_>, Vec<_>) =
            (0..20).map(|n| scene.entry(&format!("small/a{n}"), json!({}))).unzip();
        let (two, more): (Vec<_>, Vec<_>) =
            (0..20).map(|n| scene.entry(&format!("small/b{n}"), json!({}))).unzip();
        let Scene { processor, runtime, .. } = scene;
        runtime.block_on(async { tokio::join!(processor.run(one), processor.run(two)) });
        let told: Vec<_> = told.into_iter().chain(more).map(|mut it| it.try_recv().unwrap()).collect();
        assert_eq!(told.iter().filter(|it| it.is_ok()).count(), LIMIT);
        let full = told.iter().filter(|it| matches!(it, Err(SubmitError::Full { tasks: 5, .. })));
        assert_eq!(full.count(), 40 - LIMIT);
        assert_eq!(scene.alive("small"), LIMIT);
        // A name that is taken takes no place.
        scene.command("small/a0", Command::Cancel);
        scene.settle();
        assert!(matches!(scene.submit("small/a1", json!({})), Err(SubmitError::RefTaken(_))));
        scene.submit("small/c", json!({})).unwrap();
    });
}

#[test]
fn an_alarm_of_a_node_waits_for_a_place_too() {
    let text = "
process: small
limits: {tasks: 3}
nodes:
  start: {kind: input, next: hold}
  hold: {kind: wait, alarm: {count: 3, next: tell}, next: done}
  tell: {kind: delay, for: 1h, next: done}
  done: {kind: end}
";
    everywhere(&[text], |scene| {
        for n in 0..3 {
            scene.submit(&format!("small/{n}"), json!({})).unwrap();
        }
        scene.later(Span::secs(2));
        assert_eq!(scene.alive("small"), 3);
        // Its place is free in the same moment as the alarm is over.
        scene.command("small/0", Command::Cancel);
        scene.later(Span::secs(2));
        assert!(scene.alive("small") <= 3);
    });
}

/// How many tasks a chain makes, and the message of the fault that stops it.
fn chain(texts: &[&str], first: &str) -> (usize, String) {
    let seen = RefCell::new(None);
    in_memory(texts, |scene| {
        scene.submit(first, json!({})).unwrap();
        scene.settle();
        let mut tasks: Vec<_> = ["a", "b"].into_iter().flat_map(|of| scene.all(of)).collect();
        tasks.sort_by_key(|task| task.id);
        assert!(tasks.iter().all(|task| !task.state.phase().is_live()));
        let stopped = tasks.iter().find(|task| code(task) == "birth_chain");
        let message = stopped.map(|task| task.fault.clone().unwrap().message).unwrap_or_default();
        *seen.borrow_mut() = Some((tasks.len(), message));
    });
    seen.into_inner().unwrap()
}

/// A condition that is always true: what `check` cannot know.
fn breeds(own: &str, node: &str) -> String {
    format!(
        "process: {own}\nnodes:\n  start: {{kind: input, next: which}}\n  \
         which: {{kind: condition, branches: [{{when: \"1 > 0\", next: make}}], else: done}}\n  \
         make: {{{node}, next: done}}\n  done: {{kind: end}}\n"
    )
}

#[test]
fn a_chain_of_births_without_a_rest_is_stopped_and_named() {
    let most = usize::try_from(BIRTHS_MAX).unwrap() + 1;
    for node in [
        "kind: send, process: a",
        "kind: send, process: a, ref: \"{{task.ref}}x\"",
        "kind: call, process: a",
        "kind: each, items: [1], process: a",
        "kind: notify, message: m, notify: {call: a}",
    ] {
        let (tasks, message) = chain(&[&breeds("a", node)], "a/first");
        assert_eq!(tasks, most, "{node}");
        assert!(message.contains("100 births") && message.contains("`a`"), "{node}: {message}");
    }
    for node in ["kind: send, process: ", "kind: call, process: "] {
        let (a, b) = (breeds("a", &format!("{node}b")), breeds("b", &format!("{node}a")));
        let (tasks, message) = chain(&[&a, &b], "a/first");
        assert_eq!(tasks, most, "{node}");
        assert!(message.contains("`a` and `b`"), "{node}: {message}");
    }
}

#[test]
fn a_chain_that_rests_or_ends_by_itself_is_not_stopped() {
    let rests = "
process: a
nodes:
  start: {kind: input, next: nap}
  nap: {kind: delay, for: 1s, next: make}
  make: {kind: send, process: a, next: done}
  done: {kind: end, keep: 1h}
";
    let asks = rests.replace("kind: delay, for: 1s", "kind: http, url: \"https://x.example/\"");
    in_memory(&[rests], |scene| {
        scene.submit("a/first", json!({})).unwrap();
        scene.later(Span::secs(250));
        assert_eq!((scene.all("a").len(), scene.alive("a")), (251, 1));
    });
    // The world's answer is a rest. (It is answered at once here, so it is stopped by hand.)
    in_memory(&[&asks.replace("make: {kind: send", "make: {kind: send, on_error: done")], |scene| {
        scene.submit("a/first", json!({})).unwrap();
        for _ in 0..250 {
            let items = scene.runtime.block_on(scene.processor.claim()).unwrap().items;
            scene.run_batch(items);
        }
        assert!(scene.all("a").len() > 200);
        assert!(scene.all("a").iter().all(|task| code(task).is_empty()));
    });
    let counts = "
process: a
params: {n: {default: 90}}
nodes:
  start: {kind: input, next: which}
  which: {kind: condition, branches: [{when: \"n > 0\", next: make}], else: answer}
  make: {kind: call, process: a, params: {n: \"= n - 1\"}, next: answer}
  answer: {kind: reply, next: done}
  done: {kind: end}
";
    in_memory(&[counts], |scene| {
        assert_eq!(scene.live("a/first", json!({})).state.phase(), Phase::Done);
        assert_eq!(scene.all("a").len(), 91);
    });
}

#[test]
fn check_says_so_where_it_can_see_that_tasks_make_tasks_without_end() {
    let problems = |nodes: &str| {
        let text = format!("process: a\nnodes:\n  start: {{kind: input, next: x}}\n{nodes}");
        parse(&text).err().unwrap_or_default().into_iter().map(|it| it.message).collect::<Vec<_>>()
    };
    let done = "  done: {kind: end}\n";
    let told = ["every task that comes to `make` makes another one of `a`, without end"];
    for node in ["kind: send, process: a", "kind: call, process: a", "kind: send, process: a, on_error: done"]
    {
        let make = format!("  make: {{{node}, next: done}}\n{done}");
        assert_eq!(
            problems(&format!("  x: {{kind: set, set: {{a: 1}}, next: make}}\n{make}")),
            told,
            "{node}"
        );
        for before in [
            "kind: delay, for: 1s, next: make",
            "kind: wait, next: make",
            "kind: http, url: \"https://x.example/\", next: make",
            "kind: condition, branches: [{when: a, next: done}], else: make",
            "kind: set, set: {a: \"{{b}}\"}, on_error: done, next: make",
            "kind: call, process: other, next: make",
        ] {
            let none: [&str; 0] = [];
            assert_eq!(problems(&format!("  x: {{{before}}}\n{make}")), none, "{node} after {before}");
        }
    }
    for node in [
        "kind: send, process: a, ref: one",
        "kind: send, process: a, ref: \"x{{task.ref}}\"",
        "kind: send, process: a, ref: \"{{task.ref}}\", mode: modify",
        "kind: send, process: b",
        "kind: send, process: \"{{p}}\"",
    ] {
        let none: [&str; 0] = [];
        assert_eq!(problems(&format!("  x: {{{node}, next: done}}\n{done}")), none, "{node}");
    }
}
