//! The part of the contract that is about looking things up: lists, counts, histories, alarms and records.

use beltline::engine::ports::{Collection, Record, Store, Stretch, TaskQuery};
use beltline::engine::transition::Transition;
use beltline::model::names::TaskId;
use beltline::model::task::{Alarm, Phase, Task};
use serde_json::json;

use crate::store::make::*;

pub(super) async fn counts_follow_every_move(store: &dyn Store) {
    put(store, born(task(1, "shop/one"))).await.unwrap();
    put(store, born(task(2, "shop/two"))).await.unwrap();
    post(store, create(3, "other/three"), 0).await.unwrap();
    assert_eq!(counts(store).await, ["other start ready 1", "shop start ready 2"]);
    put(store, moved(Task { at: node("nap"), ..waiting(1, "shop/one") })).await.unwrap();
    put(store, moved(Task { at: node("nap"), state: doing(), ..task(2, "shop/two") })).await.unwrap();
    assert_eq!(counts(store).await, ["other start ready 1", "shop nap doing 1", "shop nap waiting 1"]);
    put(store, moved(Task { at: node("end"), ..done(1, "shop/one") })).await.unwrap();
    put(store, Transition { gone: true, ..moved(task(2, "shop/two")) }).await.unwrap();
    assert_eq!(counts(store).await, ["other start ready 1", "shop end done 1"]);
}

pub(super) async fn tasks_are_listed_by_all_that_narrows(store: &dyn Store) {
    let names = ["shop/a-1", "shop/a-2", "other/a-1", "shop/b-1", "shop/ä%_", "shop/a-1x"];
    for (id, name) in (1..).zip(names) {
        put(store, born(task(id, name))).await.unwrap();
    }
    put(store, moved(Task { at: node("nap"), ..waiting(2, "shop/a-2") })).await.unwrap();
    put(store, moved(done(6, "shop/a-1x"))).await.unwrap();
    let all = TaskQuery { limit: 9, ..TaskQuery::default() };
    let shop = TaskQuery { process: Some(process("shop")), ..all.clone() };
    let prefix = |it: &str| Some(it.to_owned());
    for (query, expected) in [
        (all.clone(), vec![1, 2, 3, 4, 5, 6]),
        (TaskQuery { limit: 2, ..all.clone() }, vec![1, 2]),
        (TaskQuery { limit: 0, ..all.clone() }, vec![]),
        (TaskQuery { limit: 2, after: Some(TaskId(2)), ..all.clone() }, vec![3, 4]),
        (shop.clone(), vec![1, 2, 4, 5, 6]),
        (TaskQuery { limit: 2, after: Some(TaskId(1)), ..shop.clone() }, vec![2, 4]),
        (TaskQuery { node: Some(node("nap")), ..shop.clone() }, vec![2]),
        (TaskQuery { node: Some(node("start")), ..all.clone() }, vec![1, 3, 4, 5, 6]),
        (TaskQuery { phase: Some(Phase::Ready), ..shop.clone() }, vec![1, 4, 5]),
        (TaskQuery { phase: Some(Phase::Done), ..all.clone() }, vec![6]),
        (TaskQuery { phase: Some(Phase::Failed), ..all.clone() }, vec![]),
        (TaskQuery { ref_prefix: prefix("a-1"), ..all.clone() }, vec![1, 3, 6]),
        (TaskQuery { ref_prefix: prefix("a-1"), ..shop.clone() }, vec![1, 6]),
        (TaskQuery { ref_prefix: prefix("a-"), phase: Some(Phase::Ready), ..shop.clone() }, vec![1]),
        (TaskQuery { ref_prefix: prefix("a-"), node: Some(node("nap")), ..all.clone() }, vec![2]),
        (TaskQuery { ref_prefix: prefix("ä%"), ..all.clone() }, vec![5]),
        (TaskQuery { ref_prefix: prefix("A"), ..all.clone() }, vec![]),
        (TaskQuery { ref_prefix: prefix("%"), ..all.clone() }, vec![]),
        (TaskQuery { ref_prefix: prefix(""), ..all.clone() }, vec![1, 2, 3, 4, 5, 6]),
        (TaskQuery { process: Some(process("none")), ..all }, vec![]),
    ] {
        let found = store.tasks(&query).await.unwrap();
        assert_eq!(found.iter().map(|task| task.id.0).collect::<Vec<_>>(), expected, "{query:?}");
    }
    let among = |names: &[&str]| names.iter().map(|it| process(it)).collect::<Vec<_>>();
    for (names, prefix, limit, expected) in [
        (among(&["shop"]), "a-1", 9, vec![1, 6]),
        (among(&["none", "shop", "other"]), "a-1", 9, vec![1, 3, 6]),
        (among(&["other", "shop"]), "a-1", 1, vec![3]),
        (among(&["shop"]), "ä%", 9, vec![5]),
        (among(&["shop"]), "%", 9, vec![]),
        (among(&["shop"]), "a-1", 0, vec![]),
        (vec![], "a-1", 9, vec![]),
    ] {
        let found = store.named(&names, prefix, limit).await.unwrap();
        let mut ids = found.iter().map(|task| task.id.0).collect::<Vec<_>>();
        ids.sort_unstable();
        assert_eq!(ids, expected, "{prefix} {limit} among {names:?}");
    }
}

pub(super) async fn a_history_is_what_the_commits_wrote(store: &dyn Store) {
    assert_eq!(store.last_event().await.unwrap(), 0);
    put(store, Transition { events: vec![event("a"), event("b")], ..born(task(1, "shop/one")) })
        .await
        .unwrap();
    put(store, Transition { events: vec![event("c")], ..born(task(2, "shop/two")) }).await.unwrap();
    put(store, moved(task(1, "shop/one"))).await.unwrap();
    put(store, Transition { events: vec![event("d")], ..moved(done(1, "shop/one")) }).await.unwrap();
    let all = events(store).await;
    let line = |it: &beltline::engine::ports::HistoryEntry| {
        let events: Vec<&str> = it.events.iter().map(|event| event.event.as_str()).collect();
        format!("{} {}/{} {} {}", it.task, it.process, it.reference, it.phase.as_str(), events.join("+"))
    };
    let lines: Vec<String> = all.iter().map(line).collect();
    assert_eq!(lines, ["1 shop/one ready a+b", "2 shop/two ready c", "1 shop/one done d"]);
    assert!(all.is_sorted_by_key(|it| it.seq));
    assert_eq!(store.last_event().await.unwrap(), all[2].seq);
    assert_eq!(store.history(TaskId(1), 0, 9).await.unwrap(), [all[0].clone(), all[2].clone()]);
    assert_eq!(store.history(TaskId(1), 0, 1).await.unwrap(), all[..1]);
    assert_eq!(store.history(TaskId(1), all[0].seq, 9).await.unwrap(), all[2..]);
    assert_eq!(store.events(all[0].seq, 1).await.unwrap(), all[1..2]);
    assert_eq!(store.events(u64::MAX, 9).await.unwrap(), []);
}

pub(super) async fn a_history_is_cut_and_a_number_is_never_given_twice(store: &dyn Store) {
    put(store, born(task(1, "shop/one"))).await.unwrap();
    put(store, Transition { events: vec![event("other")], ..born(task(2, "shop/two")) }).await.unwrap();
    let mut most = 0;
    for epoch in 0..150 {
        let history = (0..10).map(|it| event(&format!("{}", epoch * 10 + it))).collect();
        put(store, Transition { events: history, ..moved(task(1, "shop/one")) }).await.unwrap();
        let kept = store.history(TaskId(1), 0, NO_LIMIT).await.unwrap();
        most = most.max(kept.iter().map(|it| it.events.len()).sum());
        assert_eq!(kept.last().unwrap().events[9].event, format!("{}", epoch * 10 + 9));
    }
    let kept = store.history(TaskId(1), 0, NO_LIMIT).await.unwrap();
    let all: usize = kept.iter().map(|it| it.events.len()).sum();
    assert!((1_000..=1_100).contains(&all) && most == 1_100, "{all}, {most}");
    assert_eq!(events(store).await.len(), kept.len() + 1, "of others nothing is cut");
    let last = store.last_event().await.unwrap();
    put(store, Transition { gone: true, ..moved(task(1, "shop/one")) }).await.unwrap();
    assert_eq!(store.last_event().await.unwrap(), last);
    put(store, Transition { events: vec![event("new")], ..moved(task(2, "shop/two")) }).await.unwrap();
    assert!(store.last_event().await.unwrap() > last);
}

pub(super) async fn open_alarms_are_listed(store: &dyn Store) {
    let rings = |task| Task { alarm: Some(alarm()), ..task };
    for id in 1..=3 {
        put(store, born(rings(waiting(id, &format!("shop/{id}"))))).await.unwrap();
    }
    put(store, born(rings(done(4, "shop/4")))).await.unwrap();
    put(store, born(waiting(5, "shop/5"))).await.unwrap();
    put(store, moved(waiting(1, "shop/1"))).await.unwrap();
    let ids = async |limit| -> Vec<i64> {
        store.alarms(None, limit).await.unwrap().iter().map(|task| task.id.0).collect()
    };
    assert_eq!((ids(9).await, ids(1).await), (vec![2, 3], vec![2]));
    let behind = store.alarms(Some(TaskId(2)), 9).await.unwrap();
    assert_eq!(behind.iter().map(|task| task.id.0).collect::<Vec<_>>(), [3]);
}

pub(super) async fn open_alarms_are_counted_at_any_number(store: &dyn Store) {
    let counts = async || {
        let counts = store.alarm_counts().await.unwrap();
        (counts.undelivered, counts.notified, counts.acknowledged, counts.open())
    };
    assert_eq!(counts().await, (0, 0, 0, 0));
    let unheard = Alarm { acknowledged: None, notified_at: None, ..alarm() };
    let told = Alarm { notified_at: Some(at(3)), ..unheard.clone() };
    let rings = |id, alarm: &Alarm| Task { alarm: Some(alarm.clone()), ..waiting(id, &format!("shop/{id}")) };
    let births = (1..=3_000).map(|id| step(born(rings(id, &unheard)))).collect();
    assert!(commit(store, births).await.iter().all(Result::is_ok));
    put(store, born(rings(3_001, &told))).await.unwrap();
    put(store, born(rings(3_002, &alarm()))).await.unwrap();
    put(store, born(waiting(3_003, "shop/well"))).await.unwrap();
    assert_eq!(counts().await, (3_000, 1, 1, 3_002));
    put(store, moved(rings(1, &told))).await.unwrap();
    put(store, moved(rings(2, &alarm()))).await.unwrap();
    put(store, moved(waiting(3, "shop/3"))).await.unwrap();
    put(store, moved(Task { alarm: Some(unheard), ..done(4, "shop/4") })).await.unwrap();
    assert_eq!(counts().await, (2_996, 2, 2, 3_000), "those that ended ring no more");
}

pub(super) async fn records_are_kept_replaced_and_forgotten(store: &dyn Store) {
    let record = |collection, name: &str, value: i64| Record {
        collection,
        name: name.to_owned(),
        value: json!({"value": value, "a": [1.5, null]}),
        at: at(value),
    };
    let (b, a) = (record(Collection::Var, "b", 1), record(Collection::Var, "a", 2));
    let other = record(Collection::Secret, "a", 3);
    store.put(vec![b.clone(), a.clone(), other.clone()]).await.unwrap();
    assert_eq!(store.collection(Collection::Var).await.unwrap(), [a.clone(), b.clone()]);
    assert_eq!(store.record(Collection::Secret, "a").await.unwrap(), Some(other));
    assert_eq!(store.record(Collection::Secret, "b").await.unwrap(), None);
    let new = record(Collection::Var, "a", 4);
    store.put(vec![record(Collection::Var, "a", 9), new.clone()]).await.unwrap();
    assert_eq!(store.collection(Collection::Var).await.unwrap(), [new, b.clone()]);
    assert!(store.delete(Collection::Var, "a").await.unwrap());
    assert!(!store.delete(Collection::Var, "a").await.unwrap());
    assert_eq!(store.collection(Collection::Var).await.unwrap(), [b]);
    let rest = [
        Collection::Process,
        Collection::Version,
        Collection::Channel,
        Collection::Health,
        Collection::Token,
        Collection::Audit,
        Collection::User,
        Collection::Session,
        Collection::Setup,
    ];
    for collection in rest {
        store.put(vec![record(collection, "it", 1)]).await.unwrap();
        assert_eq!(store.collection(collection).await.unwrap(), [record(collection, "it", 1)]);
    }
}

pub(super) async fn a_stretch_of_a_collection_is_read_and_cut(store: &dyn Store) {
    let record =
        |collection, name: &str| Record { collection, name: name.to_owned(), value: json!(name), at: at(1) };
    let names = ["a", "b1", "b2", "b3", "c"];
    store.put(names.iter().map(|it| record(Collection::Audit, it)).collect()).await.unwrap();
    store.put(vec![record(Collection::Token, "b2"), record(Collection::Version, "b2")]).await.unwrap();
    let read = async |from: &str, before: &str, backwards, limit| -> Vec<String> {
        let (from, before) = (from.to_owned(), before.to_owned());
        let stretch = Stretch { collection: Collection::Audit, from, before, backwards, limit };
        store.scan(&stretch).await.unwrap().into_iter().map(|it| it.name).collect()
    };
    assert_eq!(read("b", "c", false, 9).await, ["b1", "b2", "b3"]);
    assert_eq!(read("b", "c", true, 2).await, ["b3", "b2"]);
    assert_eq!(read("b2", "b3", false, 9).await, ["b2"]);
    assert_eq!(read("c", "b", false, 9).await, [""; 0]);
    assert_eq!(read("", "z", true, 0).await, [""; 0]);
    assert_eq!(store.delete_before(Collection::Audit, "b2").await.unwrap(), 2);
    assert_eq!(store.delete_before(Collection::Audit, "b2").await.unwrap(), 0);
    assert_eq!(read("", "z", false, 9).await, ["b2", "b3", "c"]);
    assert!(
        store.record(Collection::Token, "b2").await.unwrap().is_some(),
        "other collections stay as they are"
    );
}
