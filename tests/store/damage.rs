//! What is broken in the file, and what that costs: the row, and never the engine.

use beltline::engine::edges::{Record, Refused, Shelf, Store, StoreError, Write};
use beltline::engine::transition::Transition;
use beltline::model::task::Task;

use crate::store::make::*;
use crate::store::sqlite::{fresh, look};

/// The database takes no row of that task, whatever it says.
const REFUSES: &str = "CREATE TRIGGER refuses BEFORE INSERT ON tasks WHEN new.ref = 'bad'
                       BEGIN SELECT RAISE(ABORT, 'no room for the bad'); END";

#[tokio::test]
async fn one_row_of_a_thousand_that_cannot_be_written_costs_itself_alone() {
    let (store, folder) = fresh();
    put(&store, born(task(1, "shop/one"))).await.unwrap();
    look(folder.path()).execute_batch(REFUSES).unwrap();
    let mut sends = moved(done(1, "shop/one"));
    sends.trail = vec![hop("sent")];
    sends.letters = vec![create(5_000, "shop/good"), create(5_001, "shop/bad")];
    let kept = Transition { trail: vec![hop("came")], ..born(task(9_999, "shop/last")) };
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
    let record = Record { shelf: Shelf::Var, name: "a".into(), value: 1.into(), at: at(1) };
    let bad = store.commit(vec![step(born(task(7_000, "shop/bad")))]);
    let (bad, kept, good) =
        tokio::join!(bad, store.keep(vec![record]), store.commit(vec![step(born(task(7_001, "shop/good")))]));
    assert!(matches!(bad.unwrap()[0], Err(Refused::Unwritable(_))));
    kept.unwrap();
    good.unwrap()[0].clone().unwrap();
    store.probe().await.unwrap();
}

#[tokio::test]
async fn a_table_that_is_gone_is_of_the_whole_store() {
    let (store, folder) = fresh();
    let db = look(folder.path());
    db.execute_batch("ALTER TABLE letters RENAME TO elsewhere").unwrap();
    let probe = store.probe().await;
    assert!(matches!(&probe, Err(StoreError::Lost(why)) if why.contains("letters")), "{probe:?}");
    let new = store.commit(vec![step(born(Task { due: None, ..task(1, "shop/one") }))]).await;
    assert!(matches!(new, Err(StoreError::Lost(_))), "{new:?}");
    db.execute_batch("ALTER TABLE elsewhere RENAME TO letters").unwrap();
    store.probe().await.unwrap();
    put(&store, born(task(1, "shop/one"))).await.unwrap();
}
