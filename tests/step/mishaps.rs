//! What cannot go on for ever: reads, rounds over a refused step, a decision that panics, a row that cannot
//! be written. Each is a fault that names it, and the runner lives.

use std::fmt::Write as _;
use std::sync::Arc;

use beltline::engine::ports::{Store, TaskQuery, Write};
use beltline::model::kind::{Decision, Kind, NodeEvent};
use beltline::model::names::NodeName;
use beltline::model::scope::EvalContext;
use beltline::model::signal::SignalKind;
use beltline::model::task::{Phase, State, Task};
use beltline::model::time::Span;
use beltline::process::process::{Node, Process};
use beltline::store::memory::Memory;
use serde_json::{Value, json};

use crate::simulation::edges::at_once;
use crate::simulation::universe::{BEGINNING, address, params, process};
use crate::step::scene::{Rival, Scene, code, everywhere};
use crate::store::make;

const SLOT: &str = "
process: slot
nodes:
  start: {kind: input, next: hold}
  hold: {kind: wait, next: done}
  done: {kind: end}
";

/// Tasks of which each names the next.
fn rope(scene: &mut Scene, many: usize) {
    for n in 0..many {
        scene.submit(&format!("slot/s{n}"), json!({"next": format!("s{}", n + 1)})).unwrap();
    }
    scene.settle();
}

/// A walk on which each of so many nodes reads the task that the one before gave, after a request.
fn walk(many: usize) -> String {
    let mut text = "process: w\nparams: {r0: {default: s0}}\nnodes:\n  start: {kind: input, next: ask}\n  \
                    ask: {kind: http, method: POST, url: \"https://x.example/\", next: n0}\n"
        .to_owned();
    for n in 0..many {
        let next = n + 1;
        writeln!(
            text,
            "  n{n}: {{kind: set, set: {{r{next}: \"{{{{conv[slot].ref[{{{{r{n}}}}}].next}}}}\"}}, \
             next: n{next}}}"
        )
        .unwrap();
    }
    writeln!(text, "  n{many}: {{kind: end, result: \"{{{{r{many}}}}}\"}}").unwrap();
    text
}

#[test]
fn a_walk_reads_as_many_others_as_it_has_nodes_and_asks_once() {
    for many in [1, 7, 8, 9, 16, 17, 18, 100, 150] {
        everywhere(&[SLOT, &walk(many)], |scene| {
            rope(scene, many + 1);
            let task = scene.live("w/w", json!({}));
            assert_eq!(task.result, Some(json!(format!("s{many}"))), "{many}: {:?}", task.fault);
            assert_eq!(scene.asked.len(), 1, "{many}");
        });
    }
}

#[test]
fn a_submit_whose_first_step_reads_many_others_is_answered() {
    let text = walk(60)
        .replace("next: ask}", "next: n0}")
        .replace("  ask: {kind: http, method: POST, url: \"https://x.example/\", next: n0}\n", "");
    everywhere(&[SLOT, &text], |scene| {
        rope(scene, 61);
        let task = scene.submit("w/w", json!({})).unwrap();
        assert!(task.state.phase().is_live(), "it is on its way");
        scene.settle();
        assert_eq!(scene.task("w/w").result, Some(json!("s60")));
    });
}

/// A kind that reads one task after another, each named by the one before, as many as it is told.
#[derive(Debug)]
struct Reader {
    next: NodeName,
}

impl Kind for Reader {
    fn exits(&self) -> Vec<(String, &NodeName)> {
        vec![(String::new(), &self.next)]
    }

    fn decide(&self, _: NodeEvent, view: &EvalContext) -> Decision {
        let many = view.task.params.get("many").and_then(Value::as_u64).unwrap();
        let mut name = "s0".to_owned();
        for _ in 0..many {
            match view.scope.read(&address(&format!("slot/{name}")), &["next"]) {
                Ok(next) => next.as_str().unwrap().clone_into(&mut name),
                Err(fault) => return Decision::Fail(fault),
            }
        }
        Decision::go_with(&self.next, params(json!({"last": name})))
    }
}

const READS: &str = "
process: w
nodes:
  start: {kind: input, next: FIRST}
  hold: {kind: wait, accept: {go: {}}, next: read}
  read: {kind: wait, next: done, on_error: bad}
  bad: {kind: end, ok: false, result: \"{{fault.code}}: {{fault.message}}\"}
  done: {kind: end, result: \"{{last}}\"}
";

#[test]
fn a_node_that_reads_too_many_others_takes_a_fault_that_names_it() {
    for (many, wait) in [(40, false), (40, true), (200, false), (300, false), (300, true)] {
        let text = match wait {
            true => READS.replace("FIRST", "hold"),
            false => READS
                .replace("FIRST", "read")
                .replace("  hold: {kind: wait, accept: {go: {}}, next: read}\n", ""),
        };
        let mut reads = process(&text);
        let node = reads.nodes.iter_mut().find(|node| node.name.as_str() == "read").unwrap();
        node.kind = Box::new(Reader { next: "done".parse().unwrap() });
        let mut scene = Scene::over(Arc::new(Memory::default()), vec![process(SLOT), reads]);
        rope(&mut scene, many + 1);
        scene.live("w/w", json!({"many": many}));
        if wait {
            for go in 0..3 {
                scene.post("w/w", SignalKind::Modify { params: params(json!({"go": go})) });
            }
            scene.settle();
        }
        let result = scene.task("w/w").result.unwrap_or_default().to_string();
        match many {
            300 => assert!(result.starts_with("\"too_many_reads: node `read`"), "{result}"),
            _ => assert_eq!(result, format!("\"s{many}\"")),
        }
    }
}

#[test]
fn what_one_node_reads_beside_each_other_is_fetched_at_once() {
    let sets: Vec<String> =
        (0..300).map(|n| format!("v{n}: \"{{{{conv[slot].ref[{{{{s}}}}{n}].next}}}}\"")).collect();
    let text = format!(
        "process: w\nparams: {{s: {{default: s}}}}\nnodes:\n  start: {{kind: input, next: read}}\n  \
         read: {{kind: set, set: {{{}}}, next: done}}\n  done: {{kind: end, result: \"{{{{v299}}}}\"}}\n",
        sets.join(", ")
    );
    let mut scene = Scene::over(Arc::new(Memory::default()), vec![process(SLOT), process(&text)]);
    rope(&mut scene, 300);
    assert_eq!(scene.live("w/w", json!({})).result, Some(json!("s300")));
}

/// Whoever looks finds `slot/one` other than it is when the commit comes.
fn busy() -> Scene {
    let mut rival = Rival::new();
    rival.before = Box::new(|disk| {
        let one = at_once(disk.read(&[address("slot/one")])).unwrap().remove(0);
        let write = match one {
            Some(task) => make::step(make::moved(Task { state: State::Done, due: None, ..task })),
            None => {
                let id = i64::try_from(at_once(disk.last_event()).unwrap()).unwrap();
                let query = TaskQuery { limit: 10_000, ..TaskQuery::default() };
                let all = at_once(disk.tasks(&query));
                let id = id + i64::try_from(all.unwrap().len()).unwrap() + 1;
                make::step(make::born(make::waiting(id, "slot/one")))
            }
        };
        at_once(disk.commit(vec![write])).unwrap().remove(0).unwrap();
    });
    let text = "
process: w
nodes:
  start: {kind: input, next: one}
  one:
    {kind: send, process: slot, ref: one, mode: either, next: done, on_error: bad,
     retry: {times: 2, first: 5s, jitter: 0}}
  bad: {kind: end, ok: false, result: \"{{fault.code}} {{fault.class}} at {{fault.node}}: {{fault.message}}\"}
  done: {kind: end}
";
    Scene::over(Arc::new(rival), vec![process(SLOT), process(text)])
}

#[test]
fn who_loses_the_race_for_a_name_again_and_again_takes_a_fault_that_names_it() {
    let mut scene = busy();
    let task = scene.live("w/w", json!({}));
    assert_eq!(
        (task.state.phase(), code(&task), task.due),
        (Phase::Ready, "contended", Some(BEGINNING + Span::secs(5)))
    );
    scene.later(Span::mins(1));
    let result = scene.task("w/w").result.unwrap_or_default().to_string();
    assert!(result.starts_with("\"contended passing at one: `slot/one` comes and goes"), "{result}");
}

/// A kind that panics where it is told to. No kind of ours may.
#[derive(Debug)]
struct Bomb {
    next: NodeName,
}

impl Kind for Bomb {
    fn exits(&self) -> Vec<(String, &NodeName)> {
        vec![(String::new(), &self.next)]
    }

    fn decide(&self, event: NodeEvent, view: &EvalContext) -> Decision {
        let armed = |name: &str| view.task.params.get(name).is_some();
        assert!(!armed("bomb"), "it goes off");
        assert!(!armed("mine") || view.task.at.as_str() != "y", "it goes off where the fault leads");
        match event {
            NodeEvent::Came if armed("stay") => Decision::wait(None),
            NodeEvent::Signal(signal) => {
                assert!(signal.get("poison").is_none(), "it is poisoned");
                Decision::Stay
            }
            _ => Decision::go(&self.next),
        }
    }
}

/// The process of that text, with bombs in the place of those nodes.
fn mined(text: &str, nodes: &[&str]) -> Process {
    let mut process = process(text);
    for node in process.nodes.iter_mut().filter(|node| nodes.contains(&node.name.as_str())) {
        let next = node.kind.exits()[0].1.clone();
        let node: &mut Node = node;
        node.kind = Box::new(Bomb { next });
    }
    process
}

const MINE: &str = "
process: w
nodes:
  start: {kind: input, next: x}
  x: {kind: wait, next: done, on_error: y}
  y: {kind: wait, next: done}
  done: {kind: end}
";

#[test]
fn a_panic_in_a_decision_is_a_fault_of_that_task_and_the_others_go_on() {
    let mut scene = Scene::over(Arc::new(Memory::default()), vec![mined(MINE, &["x"])]);
    let (bad, mut told) = scene.entry("w/bad", json!({"bomb": 1}));
    let (good, mut well) = scene.entry("w/good", json!({}));
    scene.run_batch(vec![bad, good]);
    assert_eq!(well.try_recv().unwrap().unwrap().state.phase(), Phase::Done);
    let task = told.try_recv().unwrap().unwrap();
    assert_eq!((task.at.as_str(), code(&task)), ("start", "engine_error"));
    assert!(task.fault.unwrap().message.contains("node `start`"));
}

#[test]
fn a_panic_where_the_fault_leads_ends_the_task() {
    let mut scene = Scene::over(Arc::new(Memory::default()), vec![mined(MINE, &["x", "y"])]);
    scene.live("w/w", json!({"stay": 1, "mine": 1}));
    scene.post("w/w", SignalKind::Modify { params: params(json!({"poison": 1})) });
    scene.settle();
    let task = scene.task("w/w");
    assert_eq!((task.state.phase(), task.at.as_str(), code(&task)), (Phase::Failed, "x", "engine_error"));
}

#[test]
fn a_signal_over_which_a_decision_panics_is_refused_and_those_beside_it_are_read() {
    let mut scene = Scene::over(Arc::new(Memory::default()), vec![mined(MINE, &["x"])]);
    scene.live("w/w", json!({"stay": 1}));
    for signal in [json!({"a": 1}), json!({"b": 1}), json!({"poison": 1}), json!({"c": 1})] {
        scene.post("w/w", SignalKind::Modify { params: params(signal) });
    }
    scene.settle();
    let task = scene.task("w/w");
    let has = |name: &str| task.params.get(name).is_some();
    assert!(has("a") && has("b") && has("c") && !has("poison"), "{:?}", task.params);
    let fault = scene.events("w/w").into_iter().find_map(|event| event.fault).unwrap();
    assert_eq!((fault.code.as_str(), fault.node.unwrap().as_str()), ("engine_error", "x"));
}

/// A store that cannot write a task of which `bad` is true.
fn picky(bad: impl Fn(&Task) -> bool + Send + Sync + 'static) -> (Arc<Rival>, Scene) {
    let mut rival = Rival::new();
    rival.unwritable = Box::new(move |write| matches!(write, Write::Step(step) if bad(&step.task)));
    let rival = Arc::new(rival);
    let text = "
process: w
nodes:
  start: {kind: input, next: nap}
  nap: {kind: delay, for: 1s, next: grow, on_error: bad}
  grow: {kind: set, set: {big: 1}, next: hold}
  hold: {kind: wait, next: done}
  bad: {kind: wait, next: done}
  done: {kind: end}
";
    (Arc::clone(&rival), Scene::over(rival, vec![process(text)]))
}

#[test]
fn a_task_that_cannot_be_written_takes_a_fault_and_those_beside_it_are_kept() {
    let (_, mut scene) = picky(|task| task.params.get("big").is_some());
    scene.live("w/w", json!({}));
    scene.later(Span::secs(2));
    let task = scene.task("w/w");
    assert_eq!((task.at.as_str(), code(&task)), ("bad", "unwritable"), "{task:?}");
}

#[test]
fn a_task_of_which_nothing_can_be_written_is_left_alone_and_not_tried_in_a_hot_loop() {
    let (rival, mut scene) = picky(|task| task.revision > 1);
    scene.live("w/w", json!({}));
    let before = *rival.commits.lock().unwrap();
    scene.later(Span::secs(30));
    let commits = *rival.commits.lock().unwrap() - before;
    assert!(commits < 30, "{commits} commits in half a minute");
    assert_eq!(scene.task("w/w").at.as_str(), "nap");
}
