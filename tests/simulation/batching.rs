//! How many nodes a task comes by in one step has no meaning: it takes the same way with the same faults
//! when it rests before each of them.

use beltline::model::time::Span;
use serde_json::json;

use crate::simulation::dice::Dice;
use crate::simulation::partners::Scripted;
use crate::simulation::plans::{CHAIN, plans, unrested};
use crate::simulation::universe::Universe;

/// The nodes that a task came to, and the codes of its faults.
fn story(text: &str, boxes: &str) -> Vec<String> {
    let mut universe = Universe::new(Box::new(Scripted::new(Vec::new())), &[text, boxes]);
    for link in 0..CHAIN {
        universe.submit(&format!("box/c{link}"), json!({"next": format!("c{}", link + 1)}));
    }
    universe.run(Span::secs(5));
    universe.submit("p0/t", json!({}));
    universe.run(Span::mins(20));
    let events = universe.history("p0/t").into_iter().flat_map(|entry| entry.events);
    events
        .filter(|event| !text.contains("at-") || event.node.as_str().starts_with("at-"))
        // A task may see its own signal at once, or on the rest after it.
        .filter(|event| event.event != "signal")
        .map(|event| {
            let code = event.fault.map(|fault| fault.code).unwrap_or_default();
            format!("{} {code}", event.node.as_str().trim_start_matches("at-"))
        })
        .filter(|it| !it.starts_with("start"))
        .collect()
}

#[test]
fn it_means_nothing_how_much_is_done_in_one_step() {
    let boxes = plans(&mut Dice(0)).remove(0);
    let mut wrong = Vec::new();
    for seed in 1..=60 {
        let (text, rested) = unrested(&mut Dice(seed));
        let told = std::panic::catch_unwind(|| (story(&text, &boxes), story(&rested, &boxes)));
        match told {
            Ok((one, other)) if one == other => {}
            Ok((one, other)) => wrong.push(format!("seed {seed}\n{text}{one:?}\n{other:?}")),
            Err(_) => wrong.push(format!("seed {seed} hangs\n{text}")),
        }
    }
    assert!(wrong.is_empty(), "{} seeds:\n{}", wrong.len(), wrong.join("\n"));
}
