//! A store of the third form: one file of a release before names were changed, in which a task waits for a
//! request, another for an `each` in chunks, an alarm is open and a signal has not been read.

use std::fs;

use beltline::engine::ports::{Collection, Store, StoreError, TaskQuery};
use beltline::model::effect::Request;
use beltline::model::signal::{Command, SignalKind};
use beltline::model::task::{State, Task};
use beltline::model::time::Span;
use beltline::process::parse::{parse, version};
use beltline::store::seal::Sealer;
use beltline::store::sqlite::Sqlite;
use serde_json::Value;
use tempfile::TempDir;

const OLD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/store/old/beltline.db");

fn old() -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::copy(OLD, folder.path().join("beltline.db")).unwrap();
    folder
}

fn open(folder: &TempDir, key: u8) -> Result<Sqlite, StoreError> {
    Sqlite::open(&folder.path().join("beltline.db"), Sealer::from_key([key; 32].into()))
}

#[tokio::test]
async fn a_store_from_before_the_names_changed_opens_with_all_that_was_in_it() {
    let folder = old();
    let store = open(&folder, 7).unwrap();
    let all = store.tasks(&TaskQuery { limit: 100, ..TaskQuery::default() }).await.unwrap();
    assert_eq!(all.len(), 7, "{all:#?}");
    let find = |process: &str| -> Task {
        all.iter().find(|it| it.process.as_str() == process).unwrap_or_else(|| panic!("{process}")).clone()
    };

    let keeper = find("keeper");
    assert_eq!((keeper.epoch, keeper.params.get("token")), (1, Some(&Value::from("made-up-1"))));
    let events = store.history(keeper.id, 0, 100).await.unwrap();
    let events: Vec<String> = events.into_iter().flat_map(|it| it.events).map(|it| it.event).collect();
    assert_eq!(events.last().map(String::as_str), Some("came"), "{events:?}");
    assert!(events.contains(&"wake by local".to_owned()), "{events:?}");

    let asks = find("asks");
    assert!(matches!(&asks.state, State::Doing(effect) if matches!(effect.request, Request::Http(_))));
    let alarm = find("sad").alarm.unwrap();
    assert!(alarm.notified_at.is_none() && alarm.problem.is_some(), "{alarm:?}");

    let many: Vec<&Task> = all.iter().filter(|it| it.process.as_str() == "many").collect();
    let (chunk, whole) = match many[0].is_chunk() {
        true => (many[0], many[1]),
        false => (many[1], many[0]),
    };
    assert_eq!(whole.fan_out.as_ref().unwrap().of, 600);
    assert_eq!(chunk.address(), whole.chunk(0), "the one looks for the other under this name");
    assert_eq!(store.find(&chunk.address()).await.unwrap().unwrap().id, chunk.id);

    let now = asks.created_at + Span::hours(1);
    store.resume(now).await.unwrap();
    let claims = store.claim(now, Span::mins(1), 100).await.unwrap();
    let read = claims.iter().find(|it| it.task.id == asks.id).unwrap();
    let SignalKind::Command { command: Command::Modify { params, .. }, .. } = &read.signals[0].1.kind else {
        panic!("{:?}", read.signals)
    };
    assert_eq!(params.get("later"), Some(&Value::from(1)));

    for name in ["keeper", "sad", "many", "one", "asks"] {
        let process = store.record(Collection::Process, name).await.unwrap().unwrap().value;
        let of = process["version"].as_str().unwrap();
        let kept = store.record(Collection::Version, &format!("{name}@{of}")).await.unwrap().unwrap().value;
        let text = kept["text"].as_str().unwrap();
        assert_eq!(version(text), of);
        let parsed = parse(text).unwrap_or_else(|wrong| panic!("{text}: {wrong:#?}"));
        let expiries = parsed.expiries(&keeper.params).len();
        assert_eq!(expiries, if name == "keeper" { 2 } else { 0 }, "{text}");
    }
    let damage: Vec<_> = store.damage().all().0;
    assert!(damage.is_empty(), "{damage:?}");
}

#[tokio::test]
async fn the_wrong_key_changes_nothing_in_an_old_store() {
    let folder = old();
    let refused = open(&folder, 8).err().unwrap().to_string();
    assert!(refused.contains("the key does not open"), "{refused}");
    let store = open(&folder, 7).unwrap();
    let all = store.tasks(&TaskQuery { limit: 100, ..TaskQuery::default() }).await.unwrap();
    assert_eq!(all.len(), 7, "all of it opens with the right one");
    assert!(store.damage().all().0.is_empty());
}
