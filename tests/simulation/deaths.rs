//! The runner dies at every door it goes through, before and after it, once and twice over. Whatever the
//! moment, the tasks come to the same end.

use std::collections::BTreeSet;
use std::sync::Arc;

use beltline::engine::ports::{Store, TaskQuery};
use beltline::engine::registry::{Deployed, Registry};
use beltline::model::effect::{Effect, HttpRequest};
use beltline::model::fault::Fault;
use beltline::model::time::{Span, Timestamp};
use beltline::sim::settings::{BitrixSettings, Rotation};
use serde_json::json;

use crate::simulation::edges::at_once;
use crate::simulation::partners::{Partner, Reply, answer};
use crate::simulation::portal::Portal;
use crate::simulation::universe::{Universe, process, template};

const ORDER: &str = r#"
process: order
nodes:
  start: {kind: input, next: ask}
  ask:
    kind: http
    url: "https://shop.example/{{task.ref}}"
    save: {price: = response.body.price}
    retry: {times: 5, first: 1s, jitter: 0}
    next: book
  book:
    {kind: call, process: ledger, params: {price: "{{price}}"}, timeout: 10m, next: rest, on_error: bad}
  rest: {kind: delay, for: 20s, next: note}
  note: {kind: send, process: journal, ref: "line-{{task.ref}}", params: {booked: "{{booked}}"}, next: broken}
  broken:
    kind: http
    url: "https://down.example/"
    retry: {times: 2, first: 1s, jitter: 0}
    on_error: tell
    next: bad
  tell: {kind: escalation, message: "{{task.ref}}: {{fault.code}}", notify: [author], next: token}
  token:
    kind: set
    set: {reads: "{{conv[bitrix-oauth].ref[token].client_endpoint}}"}
    next: done
    on_error: later
  later: {kind: delay, for: 1m, next: token}
  done: {kind: end, result: "{{booked}} {{reads}}"}
  bad: {kind: end, ok: false}
"#;

const LEDGER: &str = r#"
process: ledger
nodes:
  start: {kind: input, next: add}
  add: {kind: set, set: {sum: "= price + 1"}, next: nap}
  nap: {kind: delay, for: 3s, next: answer}
  answer: {kind: reply, values: {booked: "{{sum}}"}, next: done}
  done: {kind: end}
"#;

const JOURNAL: &str = r"
process: journal
nodes:
  start: {kind: input, next: hold}
  hold: {kind: wait, for: 3h, next_on_timeout: done, next: done}
  done: {kind: end}
";

/// A shop that is busy every second time it is asked, a server that is down, and Bitrix24.
struct Town {
    portal: Portal,
    asked: usize,
    keys: BTreeSet<String>,
}

impl Partner for Town {
    fn ask(&mut self, ask: &HttpRequest, effect: &Effect, now: Timestamp) -> Reply {
        if ask.url.starts_with("https://down.") {
            return Reply::new(Err(Fault::passing("http_connect", "down")));
        }
        if !ask.url.starts_with("https://shop.") {
            return self.portal.ask(ask, effect, now);
        }
        self.keys.insert(effect.key.clone());
        assert!(self.keys.len() <= 2, "one visit has one key, however often it is asked");
        self.asked += 1;
        let busy = self.asked % 2 == 1;
        Reply::new(answer(if busy { 503 } else { 200 }, json!({"price": 20})))
    }

    fn lose(&mut self, pair: u64) {
        self.portal.lose(pair);
    }
}

/// All that is parsed once.
fn town() -> Arc<Registry> {
    let registry = Registry::default();
    for text in [ORDER, LEDGER, JOURNAL, &template("bitrix-oauth")] {
        registry.put(Deployed::new(Arc::new(process(text)), false));
    }
    Arc::new(registry)
}

/// Lives a universe to its end: how it ended, and how many doors there were.
fn live(town: &Arc<Registry>, rotation: Rotation, deaths: Vec<u64>) -> (String, u64) {
    let portal = Portal::new(BitrixSettings { rotation, ..BitrixSettings::default() }, 1);
    let partner = Town { portal: portal.clone(), asked: 0, keys: BTreeSet::new() };
    let mut universe = Universe::with(Box::new(partner), town.clone(), deaths);
    let mut given = Portal::params();
    given["code"] = portal.code(universe.now()).into();
    universe.submit("bitrix-oauth/token", given);
    universe.run(Span::secs(1));
    universe.submit("order/a", json!({}));
    universe.submit("order/b", json!({}));
    let mut heard = 0;
    for _ in 0..14 {
        universe.run(Span::mins(5));
        heard = follow_links(&mut universe, &portal, heard);
    }
    universe.run(Span::mins(3));
    (ending(&universe, &portal), universe.edges.doors())
}

/// The author taps each link that is new, if it still works.
fn follow_links(universe: &mut Universe, portal: &Portal, heard: usize) -> usize {
    let told = universe.edges.author().told.clone();
    let mut texts = told[heard..].iter().filter(|it| it.text.contains("/oauth/authorize/"));
    if let Some(told) = texts.next_back() {
        let link = told.text.split_whitespace().find(|it| it.contains("/oauth/authorize/")).unwrap();
        let (code, _) = portal.open(link, universe.now());
        universe.modify("bitrix-oauth/token", json!({"code": code}));
    }
    told.len()
}

/// What must not depend on when the runner died.
fn ending(universe: &Universe, portal: &Portal) -> String {
    let query = TaskQuery { limit: usize::MAX, ..TaskQuery::default() };
    let mut lines = Vec::new();
    for task in at_once(universe.edges.disk.tasks(&query)).unwrap() {
        assert!(task.due.is_some(), "nobody will ever look at {task:?}");
        // The names of called tasks hold numbers that chance gives.
        let name = task.reference.as_str().split("-9").next().unwrap_or_default().to_owned();
        let result = task.result.unwrap_or_default();
        lines.push(format!("{}/{name} {} {} {result}", task.process, task.at, task.state.phase().as_str()));
    }
    lines.sort();
    let access = universe.param("bitrix-oauth/token", "access_token");
    lines.push(format!("good token: {}", portal.takes(access.as_str().unwrap_or_default(), universe.now())));
    let told: BTreeSet<String> = universe.edges.author().told.iter().map(|it| it.text.clone()).collect();
    lines.extend(told.into_iter().filter(|it| !it.contains("access_token")));
    let counts = portal.bitrix().counts.clone();
    assert_eq!((counts.reuses_plain, counts.url_secrets, counts.portal_secrets), (0, 0, 0));
    lines.join("\n")
}

#[test]
fn every_death_comes_to_the_same_end() {
    let town = town();
    let mut lives = 0;
    for rotation in [Rotation::Lenient, Rotation::Strict] {
        let (well, doors) = live(&town, rotation, Vec::new());
        println!("{well}\n{doors} doors");
        assert!(well.contains("good token: true") && !well.contains("failed"));
        for door in 0..doors {
            assert_eq!(live(&town, rotation, vec![door]).0, well, "died at door {door}, {rotation:?}");
        }
        lives += doors + 1;
    }
    println!("{lives} lives");
}

#[test]
fn every_two_deaths_come_to_the_same_end() {
    let town = town();
    let (well, doors) = live(&town, Rotation::Lenient, Vec::new());
    let mut lives = 1;
    // The second death close behind the first, and some far from it.
    for first in 0..doors {
        for gap in [1, 2, 3, 5, 8, 13, 21, 34, 55] {
            let second = first + gap;
            let end = live(&town, Rotation::Lenient, vec![first, second]).0;
            assert_eq!(end, well, "died at doors {first} and {second}");
            lives += 1;
        }
    }
    println!("{lives} lives");
}
