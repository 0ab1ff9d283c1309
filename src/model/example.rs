//! A view to try texts and expressions on. For tests alone.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::model::descent::Descent;
use crate::model::fault::Fault;
use crate::model::marks::Marks;
use crate::model::names::{Address, NodeName, ProcessId, Ref, TaskId};
use crate::model::params::Params;
use crate::model::scope::{EvalContext, Newborn, Other, ReadSet};
use crate::model::task::{Seed, State, Task};
use crate::model::time::Timestamp;

/// A view of a task with these params. There are the variable `region`, the secret `key`, and the other tasks
/// `bitrix/token` (its `client_secret` hidden), `bitrix/gone` and `nowhere/x`, the last two not there.
#[expect(clippy::needless_pass_by_value, reason = "it reads better where it is called")]
pub fn view(params: Value) -> EvalContext {
    let now = Timestamp(1_700_000_000_000);
    let task = Task {
        id: TaskId(7),
        process: ProcessId::new("hello").unwrap(),
        reference: Ref::new("r1").unwrap(),
        params: params.as_object().cloned().map(Params::from).unwrap_or_default(),
        at: NodeName::new("ask").unwrap(),
        state: State::Ready { at: now },
        due: Some(now),
        epoch: 1,
        revision: 1,
        visit: 3,
        attempt: 0,
        created_at: now,
        since: now,
        fault: Some(Fault::passing("http_timeout", "no answer")),
        alarm: None,
        caller: None,
        fan_out: None,
        result: None,
        marks: Marks::default(),
        kept_until: None,
        link: None,
        progress: None,
        awaits: None,
        descent: Descent::default(),
        clock: 0,
        awaits_since: None,
        submitted: None,
        seed: Seed([7; 16]),
    };
    let live =
        json!({"access_token": "T0", "client_secret": "S", "list": [{"n": 1}], "a b": 2, "none": null});
    let live = Other::Live {
        params: Params::from(live.as_object().cloned().unwrap()),
        hidden: Arc::new(["client_secret".to_owned()].into()),
        secret: Arc::new(["access_token", "client_secret"].map(str::to_owned).into()),
    };
    let others = [
        ("bitrix", "token", live),
        ("bitrix", "gone", Other::NoTask(Newborn::default())),
        ("nowhere", "x", Other::NoProcess),
    ];
    let others: HashMap<Address, Other> =
        others.into_iter().map(|(process, reference, it)| (address(process, reference), it)).collect();
    let mut scope = ReadSet::default();
    scope.vars = Arc::new(json!({"region": "eu", "deep": {"x": 1}}).as_object().cloned().unwrap());
    scope.secrets = Arc::new(["key".to_owned()].into());
    scope.public_url = "https://here".into();
    scope.others = Arc::new(others);
    EvalContext::new(task, &scope, now)
}

/// The address of another task.
pub fn address(process: &str, reference: &str) -> Address {
    Address { process: ProcessId::new(process).unwrap(), reference: Ref::new(reference).unwrap() }
}

/// Texts that break programs: our own, and those of a folder of corpora where there is one.
#[expect(clippy::disallowed_methods, reason = "a test's configuration is its own")]
pub fn naughty_strings() -> Vec<String> {
    let here = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/corpora").to_owned();
    let folder = std::env::var("BELTLINE_CORPORA").unwrap_or(here);
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/naughty.json").to_owned();
    let outside = format!("{folder}/naughty-strings/blns.json");
    let read = |path: String| std::fs::read_to_string(path).ok();
    let mut all: Vec<String> = serde_json::from_str(&read(own).unwrap()).unwrap();
    all.extend(read(outside).iter().flat_map(|it| serde_json::from_str::<Vec<String>>(it).unwrap()));
    all
}
