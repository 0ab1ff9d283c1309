//! A process that was stopped for longer than its requests may take, and then goes on.

use beltline::engine::ports::Clock;
use beltline::model::time::Span;
use beltline::outbound::clock::SystemClock;

use crate::cli::place::{Place, until};
use crate::clock::partner::Slow;

const TASKS: usize = 30;
/// The timeout of the requests, the overtime that an effect is given, and some.
const STOPPED: Span = Span::secs(10);

fn process(address: &str) -> String {
    format!(
        "process: ask\nnodes:\n  start: {{kind: input, next: ask}}\n  ask: {{kind: http, method: POST, \
         url: \"http://{address}/{{{{task.ref}}}}\", timeout: 2s, next: done}}\n  done: {{kind: end}}\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_came_while_the_process_was_stopped_is_taken() {
    let slow = Slow::start().await;
    let place = Place::new();
    place.write("processes/ask.yaml", &process(&slow.address.to_string()));
    let served = place.serve_with(&["--allow-address", "127.0.0.0/8"]);
    let lines: Vec<String> = (0..TASKS).map(|n| format!("{{\"ref\": \"r{n}\", \"params\": {{}}}}")).collect();
    let many = place.run_with(&["submit", "ask", "--from", "-"], &lines.join("\n"));
    assert_eq!(many.code, Some(0), "{many:?}");
    until("all requests are out", || (slow.asked().len() == TASKS).then_some(()));
    served.signal("STOP");
    slow.answer();
    // Nothing tells that a process is still stopped but time.
    SystemClock.after(STOPPED).await;
    served.signal("CONT");
    until("all tasks are done", || {
        let tasks = place.json(&["list", "ask", "--state", "done", "--limit", "100"]);
        (tasks["items"].as_array().unwrap().len() == TASKS).then_some(())
    });
    assert!(slow.asked().values().all(|times| *times == 1), "{:?}", slow.asked());
}
