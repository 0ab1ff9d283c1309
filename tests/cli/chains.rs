//! What goes on for ever by itself, on the real binary: it comes to a stop, and the engine stops when told.

use crate::cli::place::{Place, until};

/// Two births to one name in one step, in every mode.
fn twice(mode: &str) -> String {
    format!(
        "process: twice\nnodes:\n  start: {{kind: input, next: one}}\n  \
         one: {{kind: send, process: hello, ref: riga, params: {{city: Riga}}, next: two}}\n  \
         two: {{kind: send, process: hello, ref: riga, mode: {mode}, params: {{city: Oslo}}, next: done, \
         on_error: bad}}\n  bad: {{kind: end, ok: false, result: \"{{{{fault.code}}}}\"}}\n  \
         done: {{kind: end, result: sent}}\n"
    )
}

const BREEDS: &str = "
process: breeds
nodes:
  start: {kind: input, next: which}
  which: {kind: condition, branches: [{when: \"1 > 0\", next: make}], else: done}
  make: {kind: send, process: breeds, next: done}
  done: {kind: end}
";

#[test]
fn tasks_that_write_to_one_new_name_twice_end_and_the_engine_stops_when_told() {
    let place = Place::new();
    place.write("processes/twice.yaml", &twice("either"));
    place.write(
        "processes/again.yaml",
        &twice("create").replace("process: twice", "process: again").replace("riga", "oslo"),
    );
    let served = place.serve();
    let ended = |process: &str| {
        until("it ends", || {
            let task = place.json(&["show", process, "a"])["task"].clone();
            let state = task["state"].as_str()?.to_owned();
            matches!(state.as_str(), "done" | "failed").then(|| (state, task["result"].clone()))
        })
    };
    place.ok(&["submit", "twice", "--ref", "a"]);
    assert_eq!(ended("twice"), ("done".to_owned(), "sent".into()));
    place.ok(&["submit", "again", "--ref", "a"]);
    assert_eq!(ended("again"), ("failed".to_owned(), "ref_taken".into()));
    assert_eq!(served.stop(), Some(0));
}

#[test]
fn a_process_that_starts_itself_comes_to_a_stop_with_a_fault_that_names_it() {
    let place = Place::new();
    place.write("processes/breeds.yaml", BREEDS);
    let served = place.serve();
    place.ok(&["submit", "breeds", "--ref", "first"]);
    let failed = until("the chain is stopped", || {
        let list = place.json(&["list", "breeds", "--state", "failed"]);
        let tasks = list["items"].as_array()?.clone();
        tasks.into_iter().next()
    });
    let fault = &failed["fault"];
    assert_eq!(fault["code"], "birth_chain", "{failed}");
    assert!(fault["message"].as_str().unwrap().contains("`breeds`"), "{fault}");
    assert_eq!(served.stop(), Some(0));
    let at_once = BREEDS
        .replace("next: which", "next: make")
        .replace("  which: {kind: condition, branches: [{when: \"1 > 0\", next: make}], else: done}\n", "");
    place.write("alone/breeds.yaml", &at_once);
    let told = place.run(&["check", "alone/breeds.yaml"]);
    assert_eq!(told.code, Some(1), "{told:?}");
    assert!(told.out.contains("every task that comes to `make` makes another one of `breeds`"), "{told:?}");
}

#[test]
fn a_rehearsal_of_two_births_to_one_name_ends() {
    let place = Place::new();
    let text = "
process: twice
nodes:
  start: {kind: input, next: which}
  which: {kind: condition, branches: [{when: \"task.ref == 'riga'\", next: hold}], else: one}
  one: {kind: send, process: twice, ref: riga, next: two}
  two: {kind: send, process: twice, ref: riga, mode: MODE, next: done}
  hold: {kind: wait, next: done}
  done: {kind: end}
";
    for (mode, state) in [("create", "failed"), ("either", "done"), ("modify", "done")] {
        place.write("processes/twice.yaml", &text.replace("MODE", mode));
        let expect = format!("process: twice\nsubmit: {{ref: a}}\nthen:\n  - expect: {{state: {state}}}\n");
        place.write("scenarios/twice.yaml", &expect);
        place.ok(&["try", "scenarios/twice.yaml"]);
    }
}
