//! Every cell of the table that stands at the head of `step.rs`: a task in each state meets with each cause.

use beltline::engine::step::{Cause, StepResult, step};
use beltline::engine::transition::{SignalId, Transition};
use beltline::model::effect::{ExternalAnswer, HttpAnswer};
use beltline::model::names::{Address, TaskId};
use beltline::model::params::Params;
use beltline::model::scope::ReadSet;
use beltline::model::signal::{Command, Signal, SignalKind, SignalTarget};
use beltline::model::task::{Birth, Seed, State, Task};
use beltline::model::time::{Span, Timestamp};

use crate::simulation::universe::{BEGINNING, process};

const STEP: &str = include_str!("../../src/engine/step.rs");
const TEXT: &str = "
process: p
nodes:
  start: {kind: input, next: ask}
  ask: {kind: http, url: 'https://example.com', next: done}
  done: {kind: end}
";

/// A task of the process on `ask`, in `state`.
fn task(state: &str) -> Task {
    let process = process(TEXT);
    let address = Address { process: process.id.clone(), reference: "r".parse().unwrap() };
    let birth = Birth::new(TaskId(1), Seed([0; 16]));
    let new = Task::new(birth, address, process.start.clone(), Params::default(), BEGINNING);
    let StepResult::Moved(moved) = step(&process, new, Cause::New, &ReadSet::default(), BEGINNING) else {
        panic!("nothing is read")
    };
    let doing = moved.task;
    let end = |state| Task { state, due: Some(later()), kept_until: Some(later()), ..doing.clone() };
    match state {
        "Ready" => Task { state: State::Ready { at: BEGINNING }, due: Some(BEGINNING), ..doing },
        "Doing" => doing,
        "Waiting" => Task { state: State::Waiting { until: None }, due: None, ..doing },
        "Done" => end(State::Done),
        "Failed" => end(State::Failed),
        "Cancelled" => end(State::Cancelled),
        other => panic!("there is no state {other}"),
    }
}

fn later() -> Timestamp {
    BEGINNING + Span::days(7)
}

fn cause(name: &str) -> Cause {
    let kind = SignalKind::Command { command: Command::Wake, by: "ann".to_owned() };
    let wake = vec![(SignalId(1), Signal { to: SignalTarget::Task(TaskId(1)), kind })];
    match name {
        "New" => Cause::New,
        "Claimed" => Cause::Claimed(Vec::new()),
        "Claimed with a wake" => Cause::Claimed(wake),
        "NameTaken" => Cause::NameTaken(wake),
        "Answered" => Cause::Answered(Ok(ExternalAnswer::Http(HttpAnswer {
            status: 200,
            headers: serde_json::Map::new(),
            body: serde_json::Value::Null,
            broken: None,
        }))),
        "Held" => Cause::Held,
        "NoPlace" => Cause::NoPlace,
        "Unasked" => Cause::Unasked,
        other => panic!("there is no cause {other}"),
    }
}

/// In words: what state it is in after it, what its history says first, and whether a signal was refused.
fn came_of(before: &Task, moved: &Transition) -> String {
    let (was, is) = (before.state.phase(), moved.task.state.phase());
    let stays = was == is && moved.events.is_empty();
    let mut words = vec![if stays { "=".to_owned() } else { is.as_str().to_owned() }];
    words.extend(moved.events.first().map(|it| format!("`{}`", it.event)));
    words.extend(moved.read.iter().filter(|it| it.refused.is_some()).map(|_| "refused".to_owned()));
    words.join(", ")
}

#[test]
fn every_state_meets_with_every_cause_as_the_table_says() {
    let rows: Vec<Vec<&str>> = STEP
        .lines()
        .filter_map(|line| line.strip_prefix("//! |")?.strip_suffix('|'))
        .map(|line| line.split('|').map(str::trim).collect())
        .filter(|row: &Vec<&str>| row.len() > 1 && !row[0].starts_with('-'))
        .collect();
    let (head, rows) = rows.split_first().expect("there is a table");
    let mut wrong = Vec::new();
    let mut cells = 0;
    for row in rows {
        for (name, cell) in head.iter().zip(row).skip(1) {
            let states: &[&str] = if *name == "Ended" { &["Done", "Failed", "Cancelled"] } else { &[*name] };
            for state in states {
                let before = task(state);
                let StepResult::Moved(moved) = step(
                    &process(TEXT),
                    before.clone(),
                    cause(row[0].trim_matches('`')),
                    &ReadSet::default(),
                    BEGINNING,
                ) else {
                    panic!("nothing is read")
                };
                let came = came_of(&before, &moved);
                if came != *cell {
                    wrong.push(format!("{state} and {}: {came}, and the table says: {cell}", row[0]));
                }
                cells += 1;
            }
        }
    }
    assert_eq!(cells, 6 * 8, "all of it is there");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
