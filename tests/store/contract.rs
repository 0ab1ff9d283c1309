//! What every store must do. To add a store: add its line to [`contract!`].

use beltline::engine::ports::{Collection, Record, Refused, Store, Write};
use beltline::engine::transition::Transition;
use beltline::model::names::TaskId;
use beltline::model::signal::{SignalKind, SignalTarget};
use beltline::model::task::{State, Task};
use beltline::model::time::{Span, Timestamp};
use serde_json::json;

use crate::store::claims::*;
use crate::store::looks::*;
use crate::store::make::*;

macro_rules! contract {
    ($($name:ident)*) => {
        mod memory {
            $(#[tokio::test]
            async fn $name() {
                super::$name(&beltline::store::memory::Memory::default()).await;
            })*
        }
        mod sqlite {
            $(#[tokio::test]
            async fn $name() {
                let (store, _folder) = crate::store::sqlite::fresh();
                super::$name(&store).await;
            })*
        }
    };
}

contract! {
    a_task_is_kept_as_it_is
    a_write_is_refused_by_itself_and_leaves_nothing
    a_name_is_unique_among_the_living
    a_name_taken_in_the_same_commit_is_taken
    a_claim_takes_what_is_due_longest_first
    a_claimed_task_is_due_again_when_its_lease_ends
    a_lease_lasts_no_longer_when_the_clock_is_set_back
    a_stale_turn_is_refused
    a_transition_is_committed_once
    what_lives_is_claimed_before_what_is_to_be_removed
    what_was_doing_something_is_resumed
    a_task_with_mail_is_due_at_once
    a_task_that_is_doing_something_is_not_disturbed_by_mail
    signals_left_unread_make_the_task_due_again
    a_signal_to_no_one_refuses_the_whole_write
    an_answer_to_no_one_is_dropped
    an_order_to_an_ended_task_makes_it_due
    an_end_drops_the_mail_and_frees_the_name
    signals_see_what_was_before_them_in_the_write
    a_task_can_write_to_itself
    a_signal_creates_a_task
    a_write_that_cannot_be_written_costs_itself_alone
    a_store_that_takes_writes_says_so
    a_repeated_submit_finds_the_first_task
    what_is_gone_is_gone_with_all_that_belongs_to_it
    a_task_may_come_and_go_in_one_write
    the_one_that_ended_last_is_found
    tasks_without_due_are_woken
    what_is_due_comes_earlier_when_the_clock_was_set_back
    counts_follow_every_move
    tasks_are_listed_by_all_that_narrows
    a_history_is_what_the_commits_wrote
    a_history_is_cut_and_a_number_is_never_given_twice
    open_alarms_are_listed
    open_alarms_are_counted_at_any_number
    records_are_kept_replaced_and_forgotten
    a_stretch_of_a_collection_is_read_and_cut
    a_record_is_kept_with_its_signal_or_not_at_all
    many_at_once_all_get_their_answer
    nothing_is_asked_for_nothing
}

async fn a_task_is_kept_as_it_is(store: &dyn Store) {
    let mut full = task(1, "shop/one");
    full.params.set("deep", json!({"list": [1, null, "ü\u{1F600}", 1.5, {"z": 1, "a": 2}]}));
    full.params.set("big", u64::MAX);
    full.state = doing();
    full.alarm = Some(alarm());
    full.result = Some(json!({"ok": true}));
    full.epoch = 3;
    full.revision = 9;
    put(store, born(full.clone())).await.unwrap();
    assert_eq!(get(store, 1).await, Some(full.clone()));
    assert_eq!(store.find(&full.address()).await.unwrap(), Some(full.clone()));
    let read = store.read(&[address("shop/none"), full.address(), address("other/one")]).await.unwrap();
    assert_eq!(read, [None, Some(full), None]);
    assert_eq!(get(store, 2).await, None);
}

async fn a_write_is_refused_by_itself_and_leaves_nothing(store: &dyn Store) {
    let mut bad = born(task(2, "shop/two"));
    bad.events = vec![event("came")];
    bad.idempotency = Some("key".into());
    bad.signals = vec![create(3, "shop/three"), modify(to("shop/three")), modify(to("shop/none"))];
    let writes = vec![step(born(task(1, "shop/one"))), step(bad.clone()), step(born(task(4, "shop/four")))];
    let results = commit(store, writes).await;
    assert_eq!(results[1], Err(Refused::NoTask("shop/none".into())));
    assert!(results[0].is_ok() && results[2].is_ok());
    assert_eq!(get(store, 2).await, None);
    assert_eq!(get(store, 3).await, None);
    assert_eq!(events(store).await, []);
    assert_eq!(counts(store).await, ["shop start ready 2"]);
    bad.signals.pop();
    put(store, bad).await.unwrap();
    let claims = claim(store, 0).await;
    assert_eq!(claims.iter().map(|it| it.signals.len()).collect::<Vec<_>>(), [0, 0, 1, 0]);
}

async fn a_name_is_unique_among_the_living(store: &dyn Store) {
    put(store, born(task(1, "shop/one"))).await.unwrap();
    let taken = Err(Refused::RefTaken(address("shop/one")));
    assert_eq!(put(store, born(task(2, "shop/one"))).await, taken);
    assert_eq!(put(store, born(done(2, "shop/one"))).await, taken);
    assert_eq!(post(store, create(2, "shop/one"), 0).await, taken);
    let mut sends = born(task(3, "shop/three"));
    sends.signals = vec![create(2, "shop/one")];
    assert_eq!(put(store, sends).await, taken);
    put(store, born(task(2, "other/one"))).await.unwrap();
    put(store, moved(done(1, "shop/one"))).await.unwrap();
    put(store, born(task(4, "shop/one"))).await.unwrap();
    assert_eq!(put(store, moved(task(1, "shop/one"))).await, taken, "an ended task cannot come back");
    assert_eq!(put(store, born(task(4, "shop/other"))).await, Err(Refused::Stale), "a number is given once");
}

async fn a_name_taken_in_the_same_commit_is_taken(store: &dyn Store) {
    let mut twins = born(task(5, "shop/five"));
    twins.signals = vec![create(6, "shop/six"), create(7, "shop/six")];
    let mut own = born(task(8, "shop/eight"));
    own.signals = vec![create(9, "shop/eight")];
    let writes = vec![
        step(born(task(1, "shop/one"))),
        step(born(task(2, "shop/one"))),
        Write::Post(create(3, "shop/three"), at(0)),
        Write::Post(create(4, "shop/three"), at(0)),
        step(twins),
        step(own),
        step(moved(done(1, "shop/one"))),
        step(born(task(10, "shop/one"))),
    ];
    let taken = |name| Some(Refused::RefTaken(address(name)));
    let refused: Vec<_> = commit(store, writes).await.into_iter().map(Result::err).collect();
    let three = taken("shop/three");
    let expected = [None, taken("shop/one"), None, three, taken("shop/six"), taken("shop/eight"), None, None];
    assert_eq!(refused, expected);
    assert_eq!(counts(store).await, ["shop start done 1", "shop start ready 2"]);
}

async fn a_task_with_mail_is_due_at_once(store: &dyn Store) {
    put(store, born(waiting(1, "shop/one"))).await.unwrap();
    let first = post(store, modify(to("shop/one")), 50).await.unwrap();
    let second = post(store, command(SignalTarget::Task(TaskId(1))), 60).await.unwrap();
    assert_eq!((first.mail, first.signal.is_some()), (false, true));
    assert_eq!(due(store, 1).await, Some(50));
    let claim = claim_one(store, 60).await;
    assert_eq!(signals(&claim), [first.signal.unwrap(), second.signal.unwrap()]);
    assert_eq!(claim.signals[0].1, modify(to("shop/one")));
    assert_eq!(claim.signals[1].1, command(SignalTarget::Task(TaskId(1))));
    put(store, answered(&claim, |task| task.due = None)).await.unwrap();
    assert_eq!(due(store, 1).await, None);
    let later = Task { due: Some(at(500)), ..waiting(2, "shop/two") };
    put(store, born(later)).await.unwrap();
    post(store, modify(to("shop/two")), 900).await.unwrap();
    assert_eq!(due(store, 2).await, Some(500), "mail makes no one later");
}

async fn a_task_that_is_doing_something_is_not_disturbed_by_mail(store: &dyn Store) {
    let busy = Task { state: doing(), due: Some(at(900)), ..task(1, "shop/one") };
    put(store, born(busy.clone())).await.unwrap();
    post(store, modify(to("shop/one")), 50).await.unwrap();
    assert_eq!(due(store, 1).await, Some(900));
    assert!(!put(store, Transition { at: at(60), ..moved(busy.clone()) }).await.unwrap().mail);
    assert_eq!(due(store, 1).await, Some(900));
    let rests = Task { state: State::Waiting { until: None }, due: None, ..busy };
    assert!(put(store, Transition { at: at(70), ..moved(rests) }).await.unwrap().mail);
    assert_eq!(due(store, 1).await, Some(70));
}

async fn signals_left_unread_make_the_task_due_again(store: &dyn Store) {
    put(store, born(waiting(1, "shop/one"))).await.unwrap();
    post(store, modify(to("shop/one")), 10).await.unwrap();
    let claim = claim_one(store, 10).await;
    let late = post(store, command(to("shop/one")), 20).await.unwrap().signal.unwrap();
    let mut next = answered(&claim, |task| task.due = None);
    next.at = at(30);
    assert!(put(store, next.clone()).await.unwrap().mail);
    assert_eq!(due(store, 1).await, Some(30));
    let claim = claim_one(store, 30).await;
    assert_eq!(signals(&claim), [late]);
    assert!(!put(store, answered(&claim, |task| task.due = None)).await.unwrap().mail);
}

async fn a_signal_to_no_one_refuses_the_whole_write(store: &dyn Store) {
    let no_one = |name: &str| Err(Refused::NoTask(name.into()));
    assert_eq!(post(store, modify(to("shop/one")), 0).await, no_one("shop/one"));
    assert_eq!(post(store, command(SignalTarget::Task(TaskId(7))), 0).await, no_one("7"));
    put(store, born(done(1, "shop/one"))).await.unwrap();
    assert_eq!(post(store, modify(to("shop/one")), 0).await, no_one("shop/one"));
    assert_eq!(post(store, modify(SignalTarget::Task(TaskId(1))), 0).await, no_one("1"));
    let mut sends = born(task(2, "shop/two"));
    sends.signals = vec![modify(to("shop/one"))];
    assert_eq!(put(store, sends).await, no_one("shop/one"));
    assert_eq!(get(store, 2).await, None);
}

async fn an_answer_to_no_one_is_dropped(store: &dyn Store) {
    put(store, born(done(1, "shop/one"))).await.unwrap();
    assert_eq!(post(store, answer(1), 0).await.unwrap().signal, None);
    assert_eq!(post(store, answer(9), 0).await.unwrap().signal, None);
    let mut replies = born(task(2, "shop/two"));
    replies.signals = vec![answer(1), answer(9)];
    put(store, replies).await.unwrap();
    assert!(post(store, answer(2), 0).await.unwrap().signal.is_some());
    assert_eq!(claim_one(store, 0).await.signals.len(), 1);
}

async fn an_order_to_an_ended_task_makes_it_due(store: &dyn Store) {
    let ended = Task { due: Some(at(700)), ..done(1, "shop/one") };
    put(store, born(ended)).await.unwrap();
    assert!(post(store, command(SignalTarget::Task(TaskId(1))), 20).await.unwrap().signal.is_some());
    let claim = claim_one(store, 20).await;
    assert_eq!(claim.signals.len(), 1);
    let mut back = answered(&claim, |task| task.state = State::Ready { at: at(20) });
    put(store, born(waiting(2, "shop/one"))).await.unwrap();
    assert_eq!(put(store, back.clone()).await, Err(Refused::RefTaken(address("shop/one"))));
    back.task.state = State::Done;
    put(store, back).await.unwrap();
    assert_eq!(claim_one(store, 700).await.signals, []);
}

async fn an_end_drops_the_mail_and_frees_the_name(store: &dyn Store) {
    put(store, born(waiting(1, "shop/one"))).await.unwrap();
    post(store, modify(to("shop/one")), 0).await.unwrap();
    let claim = claim_one(store, 0).await;
    post(store, modify(to("shop/one")), 0).await.unwrap();
    let end = answered(&claim, |task| {
        task.state = State::Cancelled;
        task.due = Some(at(700));
    });
    assert!(!put(store, end).await.unwrap().mail);
    assert_eq!(due(store, 1).await, Some(700));
    assert_eq!(store.read(&[address("shop/one")]).await.unwrap(), [None]);
    assert_eq!(get(store, 1).await.unwrap().state, State::Cancelled);
    let claim = claim_one(store, 700).await;
    assert_eq!(claim.signals, []);
    put(store, answered(&claim, |task| task.state = State::Ready { at: at(0) })).await.unwrap();
    assert!(store.read(&[address("shop/one")]).await.unwrap()[0].is_some(), "it may be tried again");
}

async fn signals_see_what_was_before_them_in_the_write(store: &dyn Store) {
    put(store, born(task(1, "shop/one"))).await.unwrap();
    let mut heir = moved(done(1, "shop/one"));
    heir.signals =
        vec![create(2, "shop/one"), modify(to("shop/one")), command(SignalTarget::Task(TaskId(2)))];
    put(store, heir).await.unwrap();
    assert_eq!(claim_one(store, 0).await.signals.len(), 2);
    let mut alone = moved(Task { epoch: 1, ..done(2, "shop/one") });
    alone.signals = vec![modify(to("shop/one"))];
    assert_eq!(put(store, alone.clone()).await, Err(Refused::NoTask("shop/one".into())));
    alone.signals = vec![modify(SignalTarget::Task(TaskId(2)))];
    assert_eq!(put(store, alone).await, Err(Refused::NoTask("2".into())));
}

async fn a_task_can_write_to_itself(store: &dyn Store) {
    let mut new = born(waiting(1, "shop/one"));
    new.at = at(5);
    new.signals = vec![modify(to("shop/one")), command(SignalTarget::Task(TaskId(1)))];
    assert!(put(store, new).await.unwrap().mail);
    let claim = claim_one(store, 5).await;
    assert_eq!(claim.signals.len(), 2);
    let mut busy = answered(&claim, |task| task.state = doing());
    busy.signals = vec![modify(to("shop/one"))];
    assert!(!put(store, busy).await.unwrap().mail);
}

async fn a_signal_creates_a_task(store: &dyn Store) {
    let mut signal = create(1, "shop/one");
    if let SignalKind::Create { params, .. } = &mut signal.kind {
        params.set("x", 1);
    }
    assert_eq!(post(store, signal, 40).await.unwrap().signal, None);
    let made = get(store, 1).await.unwrap();
    assert_eq!((made.due, made.state), (Some(at(40)), State::Ready { at: at(40) }));
    assert_eq!((made.epoch, made.revision, made.created_at), (0, 0, at(40)));
    assert_eq!(made.params.get("x"), Some(&json!(1)));
    assert_eq!(claim_one(store, 40).await.task.at, node("start"));
}

async fn a_write_that_cannot_be_written_costs_itself_alone(store: &dyn Store) {
    for spoil in 0..3 {
        let mut signal = create(1, "shop/one");
        if let SignalKind::Create { at, birth, .. } = &mut signal.kind {
            match spoil {
                0 => *at = None,
                1 => *birth = None,
                _ => signal.to = SignalTarget::Task(TaskId(1)),
            }
        }
        let mut sends = born(task(2, "shop/two"));
        sends.events = vec![event("came")];
        sends.signals = vec![create(4, "shop/four"), signal.clone()];
        for bad in [Write::Post(signal, at(0)), step(sends)] {
            let results = commit(store, vec![step(born(task(3, "shop/three"))), bad]).await;
            assert!(matches!(&results[1], Err(Refused::Unwritable(why)) if why.contains("creates")));
        }
    }
    assert_eq!(counts(store).await, ["shop start ready 1"], "the other one is kept, and nothing of this one");
    assert_eq!(events(store).await, []);
}

async fn a_store_that_takes_writes_says_so(store: &dyn Store) {
    store.probe().await.unwrap();
    put(store, born(task(1, "shop/one"))).await.unwrap();
    store.probe().await.unwrap();
    assert_eq!(counts(store).await, ["shop start ready 1"], "nothing is left of it");
    assert_eq!(events(store).await, []);
}

async fn a_repeated_submit_finds_the_first_task(store: &dyn Store) {
    let keyed = |id, name: &str| Transition { idempotency: Some("k".into()), ..born(task(id, name)) };
    let results = commit(store, vec![step(keyed(1, "shop/one")), step(keyed(2, "shop/two"))]).await;
    assert_eq!(results[1], Err(Refused::Repeated(TaskId(1))));
    assert_eq!(put(store, keyed(3, "shop/one")).await, Err(Refused::Repeated(TaskId(1))));
    let found = async |key: &str| store.keyed(key).await.unwrap().map(|it| it.id);
    assert_eq!((found("k").await, found("other").await), (Some(TaskId(1)), None));
    put(store, moved(done(1, "shop/one"))).await.unwrap();
    assert_eq!(found("k").await, Some(TaskId(1)), "also when it has ended");
    assert_eq!(put(store, keyed(3, "shop/one")).await, Err(Refused::Repeated(TaskId(1))));
    put(store, Transition { gone: true, ..moved(done(1, "shop/one")) }).await.unwrap();
    assert_eq!(found("k").await, None, "and no longer");
    put(store, keyed(3, "shop/one")).await.unwrap();
}

async fn what_is_gone_is_gone_with_all_that_belongs_to_it(store: &dyn Store) {
    for (id, name) in [(1, "shop/one"), (2, "shop/two")] {
        put(store, Transition { events: vec![event("came")], ..born(task(id, name)) }).await.unwrap();
        post(store, modify(to(name)), 0).await.unwrap();
    }
    put(store, Transition { gone: true, ..moved(task(1, "shop/one")) }).await.unwrap();
    assert_eq!(get(store, 1).await, None);
    assert_eq!(store.find(&address("shop/one")).await.unwrap(), None);
    assert_eq!(store.history(TaskId(1), 0, 9).await.unwrap(), []);
    assert_eq!(events(store).await.iter().map(|it| it.task.0).collect::<Vec<_>>(), [2]);
    assert_eq!(counts(store).await, ["shop start ready 1"]);
    let again = Transition { gone: true, ..moved(task(1, "shop/one")) };
    assert_eq!(put(store, again).await, Err(Refused::Stale));
    put(store, born(task(1, "shop/one"))).await.unwrap();
    assert_eq!(claim(store, 0).await[0].signals, []);
}

async fn a_task_may_come_and_go_in_one_write(store: &dyn Store) {
    let mut brief = born(task(1, "shop/one"));
    brief.gone = true;
    brief.events = vec![event("came")];
    brief.signals = vec![create(2, "shop/one")];
    assert!(!put(store, brief.clone()).await.unwrap().mail);
    assert_eq!(get(store, 1).await, None);
    assert_eq!(events(store).await, []);
    assert_eq!(counts(store).await, ["shop start ready 1"]);
    assert_eq!(put(store, brief).await, Err(Refused::RefTaken(address("shop/one"))));
}

async fn the_one_that_ended_last_is_found(store: &dyn Store) {
    let find = async || store.find(&address("shop/one")).await.unwrap().map(|task| task.id.0);
    let ends = |id| Transition { events: vec![event("end")], ..moved(done(id, "shop/one")) };
    assert_eq!(find().await, None);
    for id in [5, 3] {
        put(store, born(task(id, "shop/one"))).await.unwrap();
        assert_eq!(find().await, Some(id));
        put(store, ends(id)).await.unwrap();
    }
    assert_eq!(find().await, Some(3));
    put(store, moved(task(5, "shop/one"))).await.unwrap();
    assert_eq!(find().await, Some(5));
    put(store, ends(5)).await.unwrap();
    assert_eq!(find().await, Some(5));
    put(store, ends(3)).await.unwrap();
    assert_eq!(find().await, Some(5), "it had ended before");
}

async fn tasks_without_due_are_woken(store: &dyn Store) {
    let rests = |id: i64| Task { due: None, ..task(id, &format!("shop/{id}")) };
    put(store, born(rests(1))).await.unwrap();
    put(store, born(waiting(2, "shop/2"))).await.unwrap();
    put(store, born(Task { state: doing(), ..rests(3) })).await.unwrap();
    put(store, born(Task { due: Some(at(99)), ..rests(4) })).await.unwrap();
    put(store, born(done(5, "shop/5"))).await.unwrap();
    put(store, born(waiting(6, "other/6"))).await.unwrap();
    assert_eq!(store.wake_parked(&process("shop"), at(7)).await.unwrap(), 2);
    assert_eq!(store.wake_parked(&process("shop"), at(8)).await.unwrap(), 0);
    let mut all = Vec::new();
    for id in 1..=6 {
        all.push(due(store, id).await);
    }
    assert_eq!(all, [Some(7), Some(7), None, Some(99), None, None]);
}

async fn what_is_due_comes_earlier_when_the_clock_was_set_back(store: &dyn Store) {
    let due = |id: i64, at: Option<Timestamp>| Task { due: at, ..waiting(id, &format!("shop/{id}")) };
    put(store, born(due(1, Some(at(1_000))))).await.unwrap();
    put(store, born(due(2, None))).await.unwrap();
    put(store, born(Task { state: doing(), ..due(3, Some(at(1_000))) })).await.unwrap();
    put(store, born(due(4, Some(at(1_500))))).await.unwrap();
    put(store, born(due(5, Some(Timestamp(i64::MIN + 1))))).await.unwrap();
    let mut after = Some(TaskId::FIRST);
    let mut chunks = Vec::new();
    while let Some(last) = after {
        after = store.pull_due(Span(400), last, 2).await.unwrap();
        chunks.extend(after.map(|it| it.0));
    }
    assert_eq!(chunks, [2, 4, 5]);
    let mut all = Vec::new();
    for id in 1..=5 {
        all.push(get(store, id).await.unwrap().due.map(|it| it.0));
    }
    assert_eq!(all, [Some(600), None, Some(1_000), Some(1_100), Some(i64::MIN)]);
    assert_eq!(store.next_due().await.unwrap(), Some(Timestamp(i64::MIN)));
}

async fn a_record_is_kept_with_its_signal_or_not_at_all(store: &dyn Store) {
    let record =
        |n: i64| Record { collection: Collection::Alarm, name: "shop/a".into(), value: json!(n), at: at(n) };
    let note = |signal, n| Write::Noted(signal, record(n), at(n));
    let writes = vec![note(create(1, "shop/one"), 1), note(create(2, "shop/one"), 2)];
    let results = commit(store, writes).await;
    assert_eq!(results[1], Err(Refused::RefTaken(address("shop/one"))));
    assert_eq!(get(store, 1).await.unwrap().due, Some(at(1)));
    assert_eq!(store.collection(Collection::Alarm).await.unwrap(), [record(1)]);
    commit(store, vec![note(modify(to("shop/one")), 3)]).await.remove(0).unwrap();
    assert_eq!(store.record(Collection::Alarm, "shop/a").await.unwrap(), Some(record(3)));
    assert_eq!(claim(store, 3).await[0].signals.len(), 1);
}

async fn many_at_once_all_get_their_answer(store: &dyn Store) {
    let tries = (0..200)
        .map(|it| async move { put(store, born(task(it + 1, &format!("shop/{}", it / 2)))).await.is_ok() });
    let taken = futures::future::join_all(tries).await;
    assert_eq!(taken.iter().filter(|ok| **ok).count(), 100);
    assert_eq!(counts(store).await, ["shop start ready 100"]);
    let claims = futures::future::join_all((0..4).map(|_| store.claim(at(0), LEASE, 30))).await;
    let mut ids: Vec<_> = claims.into_iter().flat_map(Result::unwrap).map(|claim| claim.task.id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 100, "no one is claimed twice");
}

async fn nothing_is_asked_for_nothing(store: &dyn Store) {
    assert_eq!(commit(store, Vec::new()).await, []);
    assert_eq!(store.read(&[]).await.unwrap(), []);
    store.put(Vec::new()).await.unwrap();
    assert_eq!(claim(store, i64::MAX).await, []);
    assert_eq!(store.next_due().await.unwrap(), None);
    assert_eq!(store.last_event().await.unwrap(), 0);
}
