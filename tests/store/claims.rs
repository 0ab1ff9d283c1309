//! The part of the contract that says who holds what: claims, leases, epochs, and who goes on after a crash.

use beltline::engine::ports::{Claim, Refused, Store};
use beltline::model::names::TaskId;
use beltline::model::task::{State, Task};
use beltline::model::time::Span;

use crate::store::make::*;

pub(super) async fn a_claim_takes_what_is_due_longest_first(store: &dyn Store) {
    for (id, due) in [(1, Some(30)), (2, Some(10)), (3, None), (4, Some(20)), (5, Some(10)), (6, Some(31))] {
        let due = due.map(at);
        put(store, born(Task { due, ..task(id, &format!("shop/{id}")) })).await.unwrap();
    }
    assert_eq!(store.next_due().await.unwrap(), Some(at(10)));
    let some = store.claim(at(30), LEASE, 3).await.unwrap();
    assert_eq!(some.iter().map(|it| it.task.id.0).collect::<Vec<_>>(), [2, 5, 4]);
    assert_eq!(some[0].task.due, Some(at(10)), "the claim says when it was due");
    assert_eq!(claim_one(store, 30).await.task.id, TaskId(1));
    assert_eq!(claim(store, 30).await, []);
    assert_eq!(store.next_due().await.unwrap(), Some(at(31)));
}

pub(super) async fn a_claimed_task_is_due_again_when_its_lease_ends(store: &dyn Store) {
    put(store, born(task(1, "shop/one"))).await.unwrap();
    let first = claim_one(store, 100).await;
    assert_eq!(first.task, Task { epoch: 1, ..task(1, "shop/one") });
    let end = 100 + i64::try_from(LEASE.0).unwrap();
    assert_eq!(store.next_due().await.unwrap(), Some(at(end)));
    assert_eq!(claim(store, end - 1).await, []);
    let second = claim_one(store, end).await;
    assert_eq!((second.task.epoch, second.task.due), (2, Some(at(0))));
    put(store, answered(&second, |task| task.due = Some(at(end)))).await.unwrap();
    assert_eq!(claim_one(store, end).await.task.epoch, 3, "a commit ends the lease");
}

pub(super) async fn a_lease_lasts_no_longer_when_the_clock_is_set_back(store: &dyn Store) {
    put(store, born(task(1, "shop/one"))).await.unwrap();
    let (back, lease) = (50_000, i64::try_from(LEASE.0).unwrap());
    claim_one(store, 100_000).await;
    store.pull_due(Span(50_000), TaskId::FIRST, 10).await.unwrap();
    let end = 100_000 - back + lease;
    assert_eq!(store.next_due().await.unwrap(), Some(at(end)));
    assert_eq!(claim(store, end - 1).await, [], "nor shorter");
    assert_eq!(claim_one(store, end).await.task.epoch, 2);
}

pub(super) async fn a_stale_turn_is_refused(store: &dyn Store) {
    put(store, born(task(1, "shop/one"))).await.unwrap();
    let first = claim_one(store, 0).await;
    let second = claim_one(store, 40_000).await;
    let mut late = answered(&first, |task| task.state = State::Done);
    late.events = vec![event("late")];
    late.signals = vec![create(2, "shop/two")];
    assert_eq!(put(store, late).await, Err(Refused::Stale));
    assert_eq!(get(store, 2).await, None);
    assert_eq!(events(store).await, []);
    put(store, answered(&second, |task| task.due = None)).await.unwrap();
    put(store, answered(&second, |task| task.due = None)).await.unwrap();
    assert_eq!(get(store, 1).await.unwrap().epoch, 2, "an epoch may commit more than once");
    assert_eq!(put(store, moved(task(9, "shop/nine"))).await, Err(Refused::Stale), "there is no such task");
}

pub(super) async fn a_transition_is_committed_once(store: &dyn Store) {
    put(store, born(waiting(1, "shop/one"))).await.unwrap();
    let mut first = moved(Task { revision: 1, ..waiting(1, "shop/one") });
    first.base = Some(0);
    first.signals = vec![create(2, "shop/two")];
    put(store, first.clone()).await.unwrap();
    first.signals = vec![create(3, "shop/three")];
    assert_eq!(put(store, first.clone()).await, Err(Refused::Stale), "it was committed already");
    assert_eq!(get(store, 3).await, None);
    let mut second = moved(Task { revision: 2, ..waiting(1, "shop/one") });
    second.base = Some(1);
    put(store, second).await.unwrap();
    assert_eq!(get(store, 1).await.unwrap().revision, 2);
}

pub(super) async fn what_lives_is_claimed_before_what_is_to_be_removed(store: &dyn Store) {
    for id in 1..=3 {
        put(store, born(Task { due: Some(at(id)), ..done(id, &format!("shop/{id}")) })).await.unwrap();
        put(store, born(Task { due: Some(at(50 + id)), ..task(10 + id, &format!("shop/{id}")) }))
            .await
            .unwrap();
    }
    assert_eq!(store.next_due().await.unwrap(), Some(at(1)));
    let ids = |claims: Vec<Claim>| claims.iter().map(|it| it.task.id.0).collect::<Vec<_>>();
    assert_eq!(ids(store.claim(at(52), LEASE, 3).await.unwrap()), [11, 12, 1]);
    assert_eq!(store.next_due().await.unwrap(), Some(at(2)));
    assert_eq!(ids(claim(store, 60).await), [13, 2, 3]);
}

pub(super) async fn what_was_doing_something_is_resumed(store: &dyn Store) {
    let busy = |id: i64| Task { state: doing(), due: Some(at(900)), ..task(id, &format!("shop/{id}")) };
    put(store, born(busy(1))).await.unwrap();
    put(store, born(Task { due: None, ..busy(2) })).await.unwrap();
    put(store, born(Task { due: Some(at(700)), ..waiting(3, "shop/3") })).await.unwrap();
    put(store, born(task(4, "shop/4"))).await.unwrap();
    assert_eq!(claim_one(store, 5).await.task.id, TaskId(4));
    assert_eq!(store.resume(at(7)).await.unwrap(), 2);
    assert_eq!(store.resume(at(8)).await.unwrap(), 0);
    assert_eq!(store.next_due().await.unwrap(), Some(at(0)), "what was claimed is free again");
    let ids: Vec<i64> = claim(store, 7).await.iter().map(|it| it.task.id.0).collect();
    assert_eq!(ids, [4, 1, 2]);
}
