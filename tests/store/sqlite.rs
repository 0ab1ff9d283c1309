//! What only a store in a file can get wrong.

use std::path::Path;

use beltline::engine::ports::{Collection, Record, Refused, Store, StoreError};
use beltline::engine::transition::Transition;
use beltline::model::fault::Fault;
use beltline::model::names::TaskId;
use beltline::model::params::Params;
use beltline::model::signal::{Signal, SignalKind, SignalTarget};
use beltline::model::task::Task;
use beltline::store::seal::{KEY_BYTES, Key, Sealer};
use beltline::store::sqlite::Sqlite;
use rusqlite::Connection;
use tempfile::TempDir;

use crate::store::make::*;

pub(super) fn sealer() -> Sealer {
    Sealer::from_key(Key::new([7; KEY_BYTES]))
}

/// A store in a folder of its own, which is removed when that goes.
pub(crate) fn fresh() -> (Sqlite, TempDir) {
    let folder = TempDir::new().unwrap();
    (open(folder.path()), folder)
}

pub(crate) fn open(folder: &Path) -> Sqlite {
    Sqlite::open(&folder.join("beltline.db"), sealer()).unwrap()
}

/// Why it does not open.
fn refusal(folder: &Path, sealer: Sealer) -> String {
    Sqlite::open(&folder.join("beltline.db"), sealer).err().unwrap().to_string()
}

/// As another program sees the file.
pub(super) fn look(folder: &Path) -> Connection {
    Connection::open(folder.join("beltline.db")).unwrap()
}

#[tokio::test]
async fn it_opens_again_with_all_that_was_kept() {
    let (store, folder) = fresh();
    let keyed = Transition { idempotency: Some("k".into()), ..born(waiting(1, "shop/one")) };
    put(&store, Transition { events: vec![event("came")], ..keyed.clone() }).await.unwrap();
    put(&store, Transition { events: vec![event("end")], ..born(done(2, "shop/two")) }).await.unwrap();
    let signal = post(&store, modify(to("shop/one")), 5).await.unwrap().signal.unwrap();
    let record = Record { collection: Collection::Var, name: "a".into(), value: 1.into(), at: at(1) };
    store.put(vec![record.clone()]).await.unwrap();
    let (events_before, counts_before) = (events(&store).await, counts(&store).await);
    drop(store);
    let store = open(folder.path());
    assert_eq!(events(&store).await, events_before);
    assert_eq!(counts(&store).await, counts_before);
    assert_eq!(store.collection(Collection::Var).await.unwrap(), [record]);
    let again = Transition { task: waiting(3, "shop/three"), ..keyed };
    assert_eq!(put(&store, again).await, Err(Refused::Repeated(TaskId(1))));
    let next = post(&store, modify(to("shop/one")), 6).await.unwrap().signal.unwrap();
    assert!(next > signal);
    assert_eq!(signals(&claim_one(&store, 5).await), [signal, next]);
    let last = store.last_event().await.unwrap();
    put(&store, Transition { events: vec![event("new")], ..born(task(4, "shop/four")) }).await.unwrap();
    assert!(store.last_event().await.unwrap() > last);
}

#[tokio::test]
async fn it_opens_as_it_was_left_by_a_power_cut() {
    let (store, folder) = fresh();
    for id in 1..=50 {
        put(&store, born(task(id, &format!("shop/{id}")))).await.unwrap();
    }
    let copy = TempDir::new().unwrap();
    for file in ["beltline.db", "beltline.db-wal"] {
        std::fs::copy(folder.path().join(file), copy.path().join(file)).unwrap();
    }
    let left = open(copy.path());
    assert_eq!(claim(&left, 0).await.len(), 50);
}

#[tokio::test]
async fn a_wrong_key_is_refused_before_anything_is_read() {
    let (store, folder) = fresh();
    put(&store, born(task(1, "shop/one"))).await.unwrap();
    drop(store);
    let said = refusal(folder.path(), Sealer::generate().unwrap());
    assert!(said.contains("the key does not open") && said.contains("hint:"), "{said}");
    let both = Sealer::generate().unwrap().and_older(sealer().key().clone());
    let store = Sqlite::open(&folder.path().join("beltline.db"), both).unwrap();
    assert!(get(&store, 1).await.is_some());
}

#[tokio::test]
async fn a_second_engine_is_refused_until_the_first_has_gone() {
    let (store, folder) = fresh();
    let said = refusal(folder.path(), sealer());
    assert!(said.contains("beltline.db` is in use by another engine; hint:"), "{said}");
    drop(store);
    open(folder.path());
}

#[tokio::test]
async fn a_file_of_a_newer_version_or_of_something_else_is_refused() {
    let (store, folder) = fresh();
    drop(store);
    look(folder.path()).execute_batch("PRAGMA user_version = 99").unwrap();
    let said = refusal(folder.path(), sealer());
    assert!(said.contains("newer version") && said.contains("99"), "{said}");
    let other = TempDir::new().unwrap();
    look(other.path()).execute_batch("CREATE TABLE theirs (x)").unwrap();
    let said = refusal(other.path(), sealer());
    assert!(said.contains("a database of something else"), "{said}");
    let junk = TempDir::new().unwrap();
    std::fs::write(junk.path().join("beltline.db"), "no database at all ".repeat(100)).unwrap();
    assert!(refusal(junk.path(), sealer()).contains("not a database"));
}

#[tokio::test]
async fn no_secret_stands_in_the_files() {
    const SECRET: &str = "hush-4711-hush";
    let (store, folder) = fresh();
    let secret: Params = [(SECRET.to_owned(), SECRET.into())].into_iter().collect();
    let fault = Fault::lasting("code", SECRET);
    let mut full = Task { params: secret.clone(), fault: Some(fault), ..waiting(1, "shop/visible-ref") };
    full.alarm = Some(beltline::model::task::Alarm { text: SECRET.into(), ..alarm() });
    let told = event(SECRET);
    let step = Transition { events: vec![told], idempotency: Some(SECRET.into()), ..born(full) };
    put(&store, step).await.unwrap();
    let signal = Signal { to: to("shop/visible-ref"), kind: SignalKind::Modify { params: secret.clone() } };
    post(&store, signal, 1).await.unwrap();
    let mut birth = create(2, "shop/second");
    if let SignalKind::Create { params, .. } = &mut birth.kind {
        params.merge(&secret);
    }
    post(&store, birth, 1).await.unwrap();
    let record = Record {
        collection: Collection::Secret,
        name: "visible-name".into(),
        value: SECRET.into(),
        at: at(1),
    };
    store.put(vec![record]).await.unwrap();
    let files = || -> Vec<u8> {
        let entries = std::fs::read_dir(folder.path()).unwrap();
        entries.flat_map(|entry| std::fs::read(entry.unwrap().path()).unwrap()).collect()
    };
    let holds = |all: &[u8], text: &str| all.windows(text.len()).any(|part| part == text.as_bytes());
    let check = |all: &[u8]| {
        assert!(holds(all, "visible-ref") && holds(all, "visible-name"), "the search finds what is there");
        assert!(!holds(all, SECRET));
    };
    check(&files());
    drop(store);
    check(&files());
}

#[tokio::test]
async fn a_value_moved_to_another_row_does_not_open_and_stops_no_one_else() {
    let (store, folder) = fresh();
    for id in 1..=3 {
        put(&store, born(task(id, &format!("shop/{id}")))).await.unwrap();
    }
    let db = look(folder.path());
    db.execute_batch("UPDATE tasks SET body = (SELECT body FROM tasks WHERE id = 1) WHERE id = 2").unwrap();
    let error = store.task(TaskId(2)).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the store holds something unreadable: `tasks/2` is damaged or was moved here \
        from another place"
    );
    let claims = claim(&store, 0).await;
    assert_eq!(claims.iter().map(|claim| claim.task.id.0).collect::<Vec<_>>(), [1, 3]);
}

#[tokio::test]
async fn a_full_disk_loses_nothing_that_was_acknowledged() {
    let (store, folder) = fresh();
    let big = |id: i64| {
        let mut task = task(id, &format!("shop/{id}"));
        task.params.set("big", "x".repeat(20_000));
        born(task)
    };
    store.limit(1 << 20).await.unwrap();
    let mut kept = Vec::new();
    let full = loop {
        let id = i64::try_from(kept.len()).unwrap() + 1;
        match store.commit(vec![step(big(id))]).await {
            Ok(results) => kept.push((id, results[0].clone().unwrap())),
            Err(error) => break error,
        }
        assert!(kept.len() < 1_000, "the disk is never full");
    };
    assert!(matches!(&full, StoreError::Lost(why) if why.contains("full")), "{full}");
    assert!(kept.len() > 10);
    // Who fits in is not turned away with those who do not.
    let small =
        store.put(vec![Record { collection: Collection::Var, name: "a".into(), value: 1.into(), at: at(1) }]);
    let (small, big_one, other) =
        tokio::join!(small, store.commit(vec![step(big(900))]), store.commit(vec![step(big(901))]));
    assert!(small.is_ok() && big_one.is_err() && other.is_err());
    assert_eq!(get(&store, 900).await, None);
    let ids = |tasks: Vec<Task>| tasks.iter().map(|task| task.id.0).collect::<Vec<_>>();
    let all = beltline::engine::ports::TaskQuery { limit: NO_LIMIT, ..Default::default() };
    let expected: Vec<i64> = kept.iter().map(|(id, _)| *id).collect();
    assert_eq!(ids(store.tasks(&all).await.unwrap()), expected);
    // It heals by itself as soon as there is room, whoever makes it.
    let gone = |id: i64| step(Transition { gone: true, ..moved(task(id, &format!("shop/{id}"))) });
    store.commit(vec![gone(1), gone(2)]).await.unwrap();
    store.commit(vec![step(big(902))]).await.unwrap();
    store.limit(1 << 30).await.unwrap();
    store.commit(vec![step(big(903)), step(big(904))]).await.unwrap();
    drop(store);
    let store = open(folder.path());
    let expected: Vec<i64> = expected[2..].iter().copied().chain([902, 903, 904]).collect();
    assert_eq!(ids(store.tasks(&all).await.unwrap()), expected);
    assert_eq!(counts(&store).await, [format!("shop start ready {}", expected.len())]);
}

#[tokio::test]
async fn a_file_that_another_program_holds_is_an_error_and_not_a_death() {
    let (store, folder) = fresh();
    let db = look(folder.path());
    db.execute_batch("BEGIN IMMEDIATE").unwrap();
    let lost = store.commit(vec![step(born(task(1, "shop/one")))]).await;
    assert!(matches!(lost, Err(StoreError::Lost(_))), "{lost:?}");
    assert_eq!(get(&store, 1).await, None, "one can still read");
    db.execute_batch("ROLLBACK").unwrap();
    put(&store, born(task(1, "shop/one"))).await.unwrap();
}

#[tokio::test]
async fn what_was_asked_for_is_finished_before_it_closes() {
    let (store, folder) = fresh();
    let posts = (1..=20).map(|id| store.commit(vec![step(born(task(id, &format!("shop/{id}"))))]));
    let started = futures::future::join_all(posts);
    started.await.into_iter().for_each(|it| assert!(it.unwrap()[0].is_ok()));
    drop(store);
    assert!(!folder.path().join("beltline.db-wal").exists(), "the log is moved to the file");
    let store = open(folder.path());
    assert_eq!(claim(&store, 0).await.len(), 20);
    assert_eq!(
        post(&store, command(SignalTarget::Task(TaskId(21))), 0).await,
        Err(Refused::NoTask("21".into()))
    );
}

#[tokio::test]
async fn what_is_closed_stands_in_one_file_though_it_is_still_held() {
    let (store, folder) = fresh();
    put(&store, born(waiting(1, "shop/one"))).await.unwrap();
    let log = folder.path().join("beltline.db-wal");
    assert!(log.metadata().unwrap().len() > 0, "it is written to the log first");
    let soon = put(&store, born(waiting(2, "shop/two")));
    let (soon, ()) = tokio::join!(soon, store.close());
    soon.unwrap();
    assert_eq!(log.metadata().unwrap().len(), 0);
    let copy = TempDir::new().unwrap();
    std::fs::copy(folder.path().join("beltline.db"), copy.path().join("beltline.db")).unwrap();
    let copied = open(copy.path());
    assert!(get(&copied, 1).await.is_some() && get(&copied, 2).await.is_some());
    // It can still be read. Nothing more is kept, and nobody is told otherwise.
    assert!(get(&store, 2).await.is_some());
    let late = store.commit(vec![step(born(waiting(3, "shop/three")))]).await;
    assert!(late.is_err_and(|it| it.to_string().contains("closed")));
    assert!(store.probe().await.is_err());
    store.close().await;
    assert!(get(&store, 3).await.is_none());
}

#[tokio::test]
#[cfg(unix)]
async fn only_its_owner_may_read_the_file() {
    use std::os::unix::fs::PermissionsExt;
    let (store, folder) = fresh();
    put(&store, born(task(1, "shop/one"))).await.unwrap();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let mode = entry.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{mode:o}");
    }
}

#[tokio::test]
async fn alarms_that_were_kept_before_they_were_told_apart_are_counted_right() {
    let (store, folder) = fresh();
    for id in 1..=3 {
        put(&store, born(Task { alarm: Some(alarm()), ..waiting(id, &format!("shop/{id}")) })).await.unwrap();
    }
    drop(store);
    look(folder.path()).execute("UPDATE tasks SET alarm = 4 WHERE alarm > 0", []).unwrap();
    let store = open(folder.path());
    let counts = store.alarm_counts().await.unwrap();
    assert_eq!((counts.acknowledged, counts.open()), (3, 3));
    put(&store, moved(waiting(1, "shop/1"))).await.unwrap();
    assert_eq!(store.alarm_counts().await.unwrap().open(), 2);
}
