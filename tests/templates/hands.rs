//! A person's hand at a keeper of a token: a code or a pair that is put in by `modify` is heard wherever the
//! task rests, and asked with while nothing else helps.

use std::sync::{Arc, Mutex};

use beltline::model::effect::{Effect, HttpRequest};
use beltline::model::names::NodeName;
use beltline::model::params::Params;
use beltline::model::signal::Command;
use beltline::model::time::{Span, Timestamp};
use beltline::process::process::Process;
use beltline::process::validate::{accepted, handed_in};
use serde_json::{Value, json};

use crate::simulation::partners::{Partner, Reply, answer};
use crate::simulation::universe::{Universe, process, template};
use crate::templates::provider::with_defaults;

const BY_HAND: &str = "by-hand-71c0";
/// What a keeper is told, or makes of it, before it rests anywhere.
const KEEPERS: [(&str, &[&str]); 3] = [
    ("bitrix-oauth", &["code", "refresh_token"]),
    ("bitrix-install", &["refresh_token"]),
    ("oauth2-keeper", &["code", "refresh_token"]),
];

/// A token server whose answers nobody can read, but the one to what a person has put in.
struct Unreadable(Arc<Mutex<Vec<String>>>);

impl Partner for Unreadable {
    fn ask(&mut self, ask: &HttpRequest, _: &Effect, _: Timestamp) -> Reply {
        let asked = format!("{:?}", ask.body);
        let pair = json!({
            "access_token": "access-2",
            "refresh_token": "refresh-2",
            "expires_in": 3600,
            "client_endpoint": "https://acme.bitrix24.ru/rest/",
        });
        let body = if asked.contains(BY_HAND) { pair } else { json!("<p>It is all well with you</p>") };
        self.0.lock().unwrap().push(asked);
        Reply::new(answer(200, body))
    }
}

struct Keeper {
    process: Process,
    task: String,
    universe: Universe,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Keeper {
    /// One with a pair of half an hour ago, which stands on that node.
    fn at(name: &str, node: &NodeName) -> Keeper {
        let (text, asked) = (template(name), Arc::<Mutex<Vec<String>>>::default());
        let universe = Universe::new(Box::new(Unreadable(Arc::clone(&asked))), &[&text]);
        let task = format!("{name}/token");
        let mut keeper = Keeper { process: process(&text), task, universe, asked };
        let given = json!({
            "portal": "acme", "client_id": "app-1", "client_secret": "made-up-1",
            "authorize_url": "https://id.example/authorize", "token_url": "https://id.example/token",
        });
        keeper.universe.submit(&keeper.task, with_defaults(&text, given));
        keeper.universe.run(Span::secs(1));
        let now = keeper.universe.now().0 / 1_000;
        keeper.universe.modify(&keeper.task, json!({
            "refresh_token": "refresh-1", "access_token": "access-1", "previous_refresh_token": "refresh-0",
            "renewed_at": now - 1_800, "asked_at": now - 30, "expires_at": now + 1_800,
            "refresh_by": now + 86_400, "wake_by": now + 1_200, "renew_at": now + 600, "try_at": now + 300,
            "earliest": now + 31, "life": "", "why": "it must be", "as_in": "",
            "authorize_link": "https://id.example/?x",
        }));
        keeper.universe.run(Span::millis(1));
        keeper.universe.command(&keeper.task, Command::Move { to: node.clone() });
        keeper.universe.run(Span::millis(500));
        assert_eq!(keeper.universe.node(&keeper.task), node.as_str(), "{name}");
        keeper.asked.lock().unwrap().clear();
        keeper
    }

    /// As the service does it.
    fn put_in(&mut self, param: &str) {
        let given = json!({param: BY_HAND});
        let params: Params = serde_json::from_value(given.clone()).unwrap();
        let node = self.universe.task(&self.task).at;
        let refused = handed_in(&self.process, &params, &accepted(&self.process, &node)).err();
        assert_eq!(refused, None, "{} at {node}", self.task);
        self.universe.modify(&self.task, given);
    }
}

/// Where a task of that process rests until its time comes, or a signal.
fn resting(process: &Process) -> Vec<NodeName> {
    let rests = |kind: &str| ["delay", "wait", "escalation"].contains(&kind);
    let nodes = process.nodes.iter().filter(|it| rests(it.kind_name) && it.kind.rests());
    nodes.map(|it| it.name.clone()).collect()
}

#[test]
fn a_code_or_a_pair_that_a_person_puts_in_is_heard_wherever_a_keeper_rests() {
    for (name, params) in KEEPERS {
        let nodes = resting(&process(&template(name)));
        assert!(nodes.len() >= 7, "{nodes:?}");
        for (node, param) in nodes.iter().flat_map(|node| params.iter().map(move |it| (node, *it))) {
            let mut keeper = Keeper::at(name, node);
            keeper.put_in(param);
            keeper.universe.run(Span::secs(65));
            let asked = keeper.asked.lock().unwrap().clone();
            let way = keeper.universe.way(&keeper.task);
            let place = format!("{param} at {name}.{node}: {way:?}");
            assert!(asked.iter().any(|it| it.contains(BY_HAND)), "{place} {asked:?}");
            assert_eq!(keeper.universe.param(&keeper.task, "access_token"), json!("access-2"), "{place}");
        }
    }
}

/// While its answers stay unreadable and it refuses nothing, nobody is asked for anything.
#[test]
fn a_pair_that_was_found_ends_the_time_of_answers_that_nobody_can_read() {
    for (name, _) in KEEPERS {
        let mut keeper = Keeper::at(name, &NodeName::new("nap").unwrap());
        keeper.universe.run(Span::mins(20));
        assert_eq!(keeper.universe.node(&keeper.task), "rest", "{name}");
        let kept = keeper.universe.param(&keeper.task, "unread_answer");
        assert_eq!(kept, Value::from("<p>It is all well with you</p>"), "{name}");
        keeper.put_in("refresh_token");
        keeper.universe.run(Span::secs(65));
        assert_eq!(keeper.universe.node(&keeper.task), "nap", "{name}");
        assert_eq!(keeper.universe.param(&keeper.task, "unread_answer"), json!(""), "{name}");
        assert_eq!(keeper.universe.param(&keeper.task, "previous_refresh_token"), json!(BY_HAND), "{name}");
    }
}
