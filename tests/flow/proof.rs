//! In processes that nobody wrote, a canary is seen only where it was said that it can go, nearly wherever
//! that was said, and by no person.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

use beltline::model::taint::BLIND;
use beltline::process::flow::Sink;
use beltline::process::parse::parse;
use beltline::process::secret_flow::{Reached, follow};

use crate::flow::made::Made;
use crate::flow::world::Ran;
use crate::simulation::dice::Dice;
use crate::support::log::Log;

/// As many sets are made with every run of the tests; `BELTLINE_FLOW_SETS=10000` makes more.
const SETS: u64 = 200;

#[expect(clippy::disallowed_methods, reason = "a test's configuration is its own")]
fn sets() -> u64 {
    std::env::var("BELTLINE_FLOW_SETS").ok().map_or(SETS, |it| it.parse().unwrap())
}

/// A secret, and where it goes: process, node where that matters, place.
type Place = (String, String, String, String);

fn predicted(made: &Made) -> BTreeSet<Place> {
    let processes: Vec<_> = made
        .texts
        .iter()
        .map(|text| parse(text).unwrap_or_else(|problems| panic!("{problems:#?}\n{text}")))
        .collect();
    let reaches = follow(&processes.iter().collect::<Vec<_>>());
    reaches.into_iter().filter_map(place).collect()
}

/// The places at which the test can look.
fn place(reach: Reached) -> Option<Place> {
    let Reached { secret, process, node, sink, .. } = reach;
    let (process, node, place) = match sink {
        Sink::Param(name) => (process, String::new(), format!("param {name}")),
        Sink::Given(Some(process), name) => (process, String::new(), format!("param {name}")),
        Sink::Reply(_) | Sink::Result | Sink::Link => (process, String::new(), sink.to_string()),
        Sink::Url | Sink::Query | Sink::Header(_) | Sink::Body | Sink::Auth | Sink::Message => {
            (process, node, sink.to_string())
        }
        Sink::Given(None, _) | Sink::Taken(_) | Sink::Name | Sink::Hook(_) => return None,
    };
    Some((secret, process, node, place))
}

fn found(made: &Made, ran: &Ran) -> BTreeSet<Place> {
    let mut found = BTreeSet::new();
    for (process, node, place, what) in &ran.went {
        for canary in made.canaries.iter().filter(|it| it.is_in(what)) {
            let own = format!("{process}.{}", place.trim_start_matches("param "));
            if canary.name != own {
                found.insert((canary.name.clone(), process.clone(), node.clone(), place.clone()));
            }
        }
    }
    found
}

/// What a person has seen of a canary.
fn leak(made: &Made, seen: &[String]) -> Option<String> {
    made.canaries.iter().find_map(|canary| {
        let text = seen.iter().find(|text| canary.is_in(text))?;
        Some(format!("{} ({}) in {text}", canary.name, canary.value))
    })
}

#[test]
fn a_secret_is_found_only_where_it_was_said_to_go_and_seen_by_nobody() {
    let (mut said, mut idle) = (0, BTreeMap::<String, usize>::new());
    for seed in 0..sets() {
        let made = Made::by(&mut Dice(seed));
        let predicted = predicted(&made);
        let log = Log::start();
        let mut ran = Ran::of(&made);
        ran.seen.push(log.text());
        drop(log);
        let all = || made.texts.join("\n");
        let found = found(&made, &ran);
        let unsaid: Vec<_> = found.difference(&predicted).collect();
        assert!(unsaid.is_empty(), "seed {seed}: not said: {unsaid:#?}\n{}", all());
        if let Some(leak) = leak(&made, &ran.seen) {
            panic!("seed {seed}: seen: {leak}\n{}", all());
        }
        said += predicted.len();
        for (.., place) in predicted.difference(&found) {
            *idle.entry(place.clone()).or_default() += 1;
        }
    }
    let many: usize = idle.values().sum();
    assert!(many * 100 <= said * 5, "{many} of {said} places that were said are never come to: {idle:?}");
    assert!(said > 20, "there is something to see");
}

#[test]
fn without_marks_canaries_are_seen() {
    BLIND.store(true, Ordering::Relaxed);
    let seen = (0..30).filter(|seed| {
        let made = Made::by(&mut Dice(*seed));
        let ran = Ran::of(&made);
        leak(&made, &ran.seen).is_some()
    });
    let many = seen.count();
    BLIND.store(false, Ordering::Relaxed);
    assert!(many > 10, "canaries were seen in {many} sets of 30");
}
