//! What is broken in the file, and what that costs: the row, and never the engine.

use std::path::Path;

use beltline::engine::ports::{
    CheckMark, Collection, Record, Refused, Store, StoreError, Stretch, TaskQuery, Write,
};
use beltline::engine::transition::Transition;
use beltline::model::names::TaskId;
use beltline::model::task::Task;
use beltline::store::seal::Sealer;
use beltline::store::sqlite::Sqlite;
use tempfile::TempDir;

use crate::store::make::*;
use crate::store::sqlite::{fresh, look, open, sealer};

/// The database takes no row of that task, whatever it says.
const REFUSES: &str = "CREATE TRIGGER refuses BEFORE INSERT ON tasks WHEN new.ref = 'bad'
                       BEGIN SELECT RAISE(ABORT, 'no room for the bad'); END";

#[tokio::test]
async fn one_row_of_a_thousand_that_cannot_be_written_costs_itself_alone() {
    let (store, folder) = fresh();
    put(&store, born(task(1, "shop/one"))).await.unwrap();
    look(folder.path()).execute_batch(REFUSES).unwrap();
    let mut sends = moved(done(1, "shop/one"));
    sends.events = vec![event("sent")];
    sends.signals = vec![create(5_000, "shop/good"), create(5_001, "shop/bad")];
    let kept = Transition { events: vec![event("came")], ..born(task(9_999, "shop/last")) };
    let mut writes: Vec<Write> = (2..1_000).map(|id| step(born(task(id, &format!("shop/{id}"))))).collect();
    writes.insert(500, Write::Post(create(6_000, "shop/bad"), at(0)));
    writes.insert(700, step(sends));
    writes.push(step(kept));
    let results = commit(&store, writes).await;
    for (place, result) in results.iter().enumerate() {
        match (place, result) {
            (500 | 700, Err(Refused::Unwritable(why))) => {
                assert!(why.contains("no room for the bad"), "{why}");
            }
            (500 | 700, other) => panic!("{place}: {other:?}"),
            (_, result) => assert!(result.is_ok(), "{place}: {result:?}"),
        }
    }
    assert_eq!(
        counts(&store).await,
        ["shop start ready 1000"],
        "nothing of a refused write is kept or counted"
    );
    assert_eq!(events(&store).await.len(), 1);
    assert_eq!(get(&store, 1).await, Some(task(1, "shop/one")));
    assert_eq!(get(&store, 5_000).await, None);
    // Those who wait beside it are kept with it.
    let record = Record { collection: Collection::Var, name: "a".into(), value: 1.into(), at: at(1) };
    let bad = store.commit(vec![step(born(task(7_000, "shop/bad")))]);
    let (bad, kept, good) =
        tokio::join!(bad, store.put(vec![record]), store.commit(vec![step(born(task(7_001, "shop/good")))]));
    assert!(matches!(bad.unwrap()[0], Err(Refused::Unwritable(_))));
    kept.unwrap();
    good.unwrap()[0].clone().unwrap();
    store.probe().await.unwrap();
}

#[tokio::test]
async fn a_table_that_is_gone_is_of_the_whole_store() {
    let (store, folder) = fresh();
    let db = look(folder.path());
    db.execute_batch("ALTER TABLE signals RENAME TO elsewhere").unwrap();
    let probe = store.probe().await;
    assert!(matches!(&probe, Err(StoreError::Lost(why)) if why.contains("signals")), "{probe:?}");
    let new = store.commit(vec![step(born(Task { due: None, ..task(1, "shop/one") }))]).await;
    assert!(matches!(new, Err(StoreError::Lost(_))), "{new:?}");
    db.execute_batch("ALTER TABLE elsewhere RENAME TO signals").unwrap();
    store.probe().await.unwrap();
    put(&store, born(task(1, "shop/one"))).await.unwrap();
}

/// Spoils one thing of the file. No engine has it open.
fn spoil(folder: &Path, sql: &str) {
    look(folder).execute_batch(sql).unwrap();
}

/// A store with three tasks that are due, each with a signal and a line of history, and two records.
async fn small() -> (Sqlite, TempDir) {
    let (store, folder) = fresh();
    for id in 1..=3 {
        let name = format!("shop/{id}");
        put(&store, Transition { events: vec![event("came")], ..born(task(id, &name)) }).await.unwrap();
        post(&store, modify(to(&name)), 0).await.unwrap();
    }
    for name in ["a", "b"] {
        store.put(vec![var(name)]).await.unwrap();
    }
    (store, folder)
}

fn var(name: &str) -> Record {
    Record { collection: Collection::Var, name: name.into(), value: 1.into(), at: at(1) }
}

fn places(store: &Sqlite) -> Vec<String> {
    store.damage().all().0.into_iter().map(|it| it.place).collect()
}

async fn check(store: &Sqlite) -> u64 {
    let (mut from, mut rows) = (CheckMark::default(), 0);
    store.damage().round_begins();
    loop {
        let checked = store.check(from, 2).await.unwrap();
        rows += checked.rows;
        match checked.next {
            Some(next) => from = next,
            None => break,
        }
    }
    store.damage().round_ends();
    rows
}

fn ids(tasks: &[Task]) -> Vec<i64> {
    tasks.iter().map(|task| task.id.0).collect()
}

#[tokio::test]
async fn a_check_opens_every_row_of_a_whole_store_and_finds_nothing() {
    let (store, _folder) = small().await;
    assert_eq!(check(&store).await, 3 + 3 + 3 + 2);
    assert_eq!(store.damage().all(), (vec![], 0));
}

#[tokio::test]
async fn a_damaged_task_costs_that_task() {
    for how in ["zeroblob(40)", "x''", "substr(body, 1, 20)", "(SELECT body FROM tasks WHERE id = 1)"] {
        let (store, folder) = small().await;
        drop(store);
        spoil(folder.path(), &format!("UPDATE tasks SET body = {how} WHERE id = 2"));
        let store = open(folder.path());
        let all = TaskQuery { limit: 2, ..TaskQuery::default() };
        assert_eq!(ids(&store.tasks(&all).await.unwrap()), [1, 3], "another one comes in its place");
        assert_eq!(places(&store), ["tasks/2"]);
        assert_eq!(store.damage().all().0[0].task, Some(address("shop/2")));
        let read = [address("shop/1"), address("shop/2"), address("shop/3")];
        let read = store.read(&read).await.unwrap();
        assert_eq!(read.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false, true]);
        assert!(
            matches!(store.task(TaskId(2)).await, Err(StoreError::Corrupt(_))),
            "who asks for it is told"
        );
        assert_eq!(store.named(&[process("shop")], "", 9).await.unwrap().len(), 2);
        assert_eq!(claim(&store, 0).await.iter().map(|it| it.task.id.0).collect::<Vec<_>>(), [1, 3]);
        assert_eq!(counts(&store).await, ["shop start ready 3"], "it is not deleted");
        assert_eq!(check(&store).await, 11);
        assert_eq!(places(&store), ["tasks/2"]);
    }
}

#[tokio::test]
async fn a_damaged_signal_costs_that_signal() {
    let (store, folder) = small().await;
    drop(store);
    spoil(folder.path(), "UPDATE signals SET body = x'00' WHERE task = 2");
    let store = open(folder.path());
    let mut claims = claim(&store, 0).await;
    assert_eq!(claims.iter().map(|it| it.signals.len()).collect::<Vec<_>>(), [1, 0, 1]);
    let receipt = put(&store, answered(&claims.remove(1), |task| task.due = None)).await.unwrap();
    assert!(!receipt.mail, "it makes its task due no more");
    assert_eq!(due(&store, 2).await, None);
    assert_eq!(check(&store).await, 11, "it is still there");
    assert_eq!(places(&store), ["signals/2"]);
}

#[tokio::test]
async fn a_damaged_line_of_history_costs_that_line() {
    let (store, folder) = small().await;
    drop(store);
    spoil(folder.path(), "UPDATE history SET body = zeroblob(99) WHERE task = 2");
    let store = open(folder.path());
    let two = store.events(0, 2).await.unwrap();
    assert_eq!(two.iter().map(|it| it.task.0).collect::<Vec<_>>(), [1, 3]);
    assert_eq!(store.history(TaskId(2), 0, 9).await.unwrap(), []);
    assert!(get(&store, 2).await.is_some());
    assert_eq!(places(&store), ["history/2/0"]);
}

#[tokio::test]
async fn a_damaged_record_costs_that_record_until_it_is_written_anew() {
    let (store, folder) = small().await;
    drop(store);
    spoil(folder.path(), "UPDATE records SET value = zeroblob(99) WHERE name = 'a'");
    let store = open(folder.path());
    assert_eq!(store.collection(Collection::Var).await.unwrap(), [var("b")]);
    let range = |backwards| Stretch {
        collection: Collection::Var,
        from: "a".into(),
        before: "z".into(),
        backwards,
        limit: 1,
    };
    for backwards in [false, true] {
        assert_eq!(store.scan(&range(backwards)).await.unwrap(), [var("b")]);
    }
    assert!(matches!(store.record(Collection::Var, "a").await, Err(StoreError::Corrupt(_))));
    assert_eq!(places(&store), ["records/var/a"]);
    store.put(vec![var("a")]).await.unwrap();
    assert_eq!(store.record(Collection::Var, "a").await.unwrap(), Some(var("a")));
    assert_eq!(places(&store), [""; 0]);
}

#[tokio::test]
async fn columns_that_say_something_else_than_what_is_sealed_are_found() {
    let (store, folder) = small().await;
    drop(store);
    spoil(folder.path(), "UPDATE tasks SET ref = 'other' WHERE id = 3");
    let store = open(folder.path());
    check(&store).await;
    assert_eq!(places(&store), ["tasks/3"]);
}

#[tokio::test]
async fn a_number_is_given_once_even_where_the_row_that_counts_is_damaged() {
    let (store, folder) = small().await;
    drop(store);
    spoil(folder.path(), "UPDATE store SET last_event = 0, last_signal = 1");
    let store = open(folder.path());
    let more = Transition { events: vec![event("new")], ..born(task(4, "shop/4")) };
    put(&store, more).await.unwrap();
    post(&store, modify(to("shop/4")), 0).await.unwrap();
    assert_eq!(store.last_event().await.unwrap(), 4);
}

#[tokio::test]
async fn the_proof_of_the_key_may_be_damaged_but_the_key_may_not_be_another() {
    let (store, folder) = small().await;
    drop(store);
    spoil(folder.path(), "UPDATE store SET seal = zeroblob(60)");
    let store = open(folder.path());
    assert_eq!(places(&store), ["store/seal"]);
    assert_eq!(claim(&store, 0).await.len(), 3);
    drop(store);
    let other = Sqlite::open(&folder.path().join("beltline.db"), Sealer::generate().unwrap());
    assert!(other.is_err());
}

#[tokio::test]
async fn what_is_left_of_a_store_is_no_new_one() {
    let said = |folder: &TempDir| {
        let opened = Sqlite::open(&folder.path().join("beltline.db"), sealer());
        opened.err().unwrap().to_string()
    };
    let (store, folder) = small().await;
    let file = folder.path().join("beltline.db");
    let log = folder.path().join("beltline.db-wal");
    let kept = std::fs::read(&log).unwrap();
    drop(store);
    std::fs::write(&file, "").unwrap();
    assert!(said(&folder).contains("is empty: what it held is gone; hint: put back the file"));
    std::fs::remove_file(&file).unwrap();
    rusqlite::Connection::open(&file).unwrap().execute_batch("PRAGMA user_version = 0; VACUUM").unwrap();
    assert!(said(&folder).contains("is empty"), "a database without a table");
    std::fs::remove_file(&file).unwrap();
    std::fs::write(&log, &kept).unwrap();
    let gone = said(&folder);
    assert!(gone.contains("is gone, and its log") && gone.contains("hint: put the file back"), "{gone}");
    assert_eq!(std::fs::read(&log).unwrap(), kept, "and the log is left as it is");
}

/// What the system's chance would be, the same each time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }
}

#[tokio::test]
async fn whatever_bytes_are_flipped_or_cut_nothing_false_is_read_and_nothing_panics() {
    let (store, folder) = fresh();
    for id in 1..=200 {
        let name = format!("shop/{id}");
        put(&store, Transition { events: vec![event("came")], ..born(waiting(id, &name)) }).await.unwrap();
        store.put(vec![var(&name)]).await.unwrap();
    }
    post(&store, modify(to("shop/7")), 0).await.unwrap();
    let all: Vec<Task> = store.tasks(&TaskQuery { limit: NO_LIMIT, ..TaskQuery::default() }).await.unwrap();
    drop(store);
    let whole = std::fs::read(folder.path().join("beltline.db")).unwrap();
    let (mut chance, mut opened, mut harmed) = (Chance(7), 0, 0);
    for round in 0..40 {
        let mut bytes = whole.clone();
        match round % 5 {
            0 => bytes.truncate(chance.below(whole.len())),
            1 => bytes[chance.below(4_096)] ^= 0x10,
            2 => {
                let at = chance.below(whole.len());
                bytes[at..].iter_mut().take(512).for_each(|it| *it = 0);
            }
            _ => (0..30).for_each(|_| bytes[chance.below(whole.len())] ^= 0xFF),
        }
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join("beltline.db"), &bytes).unwrap();
        let Ok(store) = Sqlite::open(&folder.path().join("beltline.db"), sealer()) else { continue };
        opened += 1;
        for task in &all {
            if let Ok(Some(read)) = store.task(task.id).await {
                // What stands in clear may be false; what is sealed may not.
                let read = Task { due: task.due, epoch: task.epoch, ..read };
                assert_eq!(read, *task, "round {round}");
            }
        }
        drop(store.claim(at(0), LEASE, NO_LIMIT).await);
        drop(store.collection(Collection::Var).await);
        drop(store.events(0, 50).await);
        drop(store.counts(None).await);
        drop(store.probe().await);
        store.damage().round_begins();
        let mut from = CheckMark::default();
        while let Ok(checked) = store.check(from, 50).await {
            let Some(next) = checked.next else { break };
            from = next;
        }
        store.damage().round_ends();
        harmed += usize::from(store.damage().all().1 > 0);
    }
    assert!(opened > 15 && harmed > 8, "of 40, {opened} opened, and damage was found in {harmed}");
}

#[tokio::test]
async fn a_damaged_task_is_claimed_never_again_and_makes_nobody_look_for_it() {
    let (store, folder) = small().await;
    drop(store);
    spoil(folder.path(), "UPDATE tasks SET body = x'01', due = -5 WHERE id = 2");
    let store = open(folder.path());
    let claims = claim(&store, 0).await;
    assert_eq!(claims.iter().map(|it| it.task.id.0).collect::<Vec<_>>(), [1, 3]);
    for claim in &claims {
        put(&store, answered(claim, |task| task.due = Some(at(9_000_000)))).await.unwrap();
    }
    assert_eq!(claim(&store, 8_000_000).await, []);
    assert_eq!(store.next_due().await.unwrap(), Some(at(9_000_000)));
    post(&store, command(to("shop/2")), 8_000_000).await.unwrap();
    assert_eq!(claim(&store, 8_000_000).await, [], "not for a signal either");
    assert_eq!(check(&store).await, 3 + 2 + 3 + 2, "its signals and its row stay");
    assert_eq!(places(&store), ["tasks/2"]);
}
