//! What the tests of the stores are made of.

use beltline::engine::ports::{Claim, HistoryEntry, Receipt, Refused, Store, Write};
use beltline::engine::transition::{Reading, SignalId, Transition};
use beltline::model::descent::Descent;
use beltline::model::effect::{Effect, Notification, Request};
use beltline::model::marks::Marks;
use beltline::model::names::{Address, NodeName, ProcessId, Ref, TaskId};
use beltline::model::params::Params;
use beltline::model::signal::{Command, Signal, SignalKind, SignalTarget};
use beltline::model::task::{Acknowledged, Alarm, Birth, HistoryEvent, Seed, State, Task};
use beltline::model::time::{Span, Timestamp};

pub(super) const LEASE: Span = Span::secs(30);
pub(super) const NO_LIMIT: usize = 1_000_000;

pub(super) fn at(ms: i64) -> Timestamp {
    Timestamp(ms)
}

pub(super) fn process(name: &str) -> ProcessId {
    ProcessId::new(name).unwrap()
}

pub(super) fn node(name: &str) -> NodeName {
    NodeName::new(name).unwrap()
}

/// `process/ref`.
pub(super) fn address(text: &str) -> Address {
    let (id, reference) = text.split_once('/').unwrap();
    Address { process: process(id), reference: Ref::new(reference).unwrap() }
}

/// Those of a task, the number of which is secret.
fn params(id: i64) -> Params {
    let mut params = Params::default();
    params.set_marked("id", id.into(), &Marks::whole());
    params
}

/// A task that is ready on the node `start`, due at 0.
pub(crate) fn task(id: i64, name: &str) -> Task {
    let Address { process, reference } = address(name);
    Task {
        id: TaskId(id),
        process,
        reference,
        params: params(id),
        at: node("start"),
        state: State::Ready { at: at(0) },
        due: Some(at(0)),
        epoch: 0,
        revision: 0,
        visit: 0,
        attempt: 0,
        created_at: at(0),
        since: at(0),
        fault: None,
        alarm: None,
        caller: None,
        fan_out: None,
        result: None,
        marks: [String::from("/link")].into_iter().collect(),
        kept_until: None,
        link: None,
        progress: None,
        awaits: None,
        descent: Descent::default(),
        clock: 0,
        awaits_since: Some(Timestamp(7)),
        submitted: Some("what".into()),
        seed: Seed([7; 16]),
    }
}

/// One that waits for a signal.
pub(crate) fn waiting(id: i64, name: &str) -> Task {
    Task { state: State::Waiting { until: None }, due: None, ..task(id, name) }
}

/// One that has come to its end.
pub(super) fn done(id: i64, name: &str) -> Task {
    Task { state: State::Done, due: None, ..task(id, name) }
}

/// The world owes it an answer.
pub(super) fn doing() -> State {
    let tell = Notification { text: "hi".into(), ..Notification::default() };
    State::Doing(Box::new(Effect {
        key: "k".into(),
        request: Request::Notify(tell),
        timeout: Span::secs(5),
        once: false,
    }))
}

pub(super) fn alarm() -> Alarm {
    Alarm {
        node: node("tell"),
        once: String::new(),
        since: at(0),
        notified_at: None,
        by: Vec::new(),
        text: "help".into(),
        problem: None,
        level: 1,
        level_notified_at: Some(at(1)),
        next_level: Some(2),
        reached: vec!["author".into()],
        visit: 1,
        acknowledged: Some(Acknowledged { at: at(2), by: "ann".into() }),
    }
}

pub(super) fn event(what: &str) -> HistoryEvent {
    HistoryEvent {
        at: at(0),
        node: node("start"),
        event: what.to_owned(),
        to: None,
        attempt: 1,
        asked: None,
        set: Params::default(),
        unset: Vec::new(),
        fault: None,
    }
}

/// A task that is new, at 0, without a history.
pub(crate) fn born(task: Task) -> Transition {
    Transition {
        task,
        before: None,
        base: None,
        signals: Vec::new(),
        events: Vec::new(),
        read: Vec::new(),
        at: at(0),
        gone: false,
        idempotency: None,
        reply: None,
    }
}

/// A task that moves, under the epoch it has.
pub(crate) fn moved(task: Task) -> Transition {
    Transition { before: Some(task.place()), ..born(task) }
}

/// A claimed task that moves, having read all its signals.
pub(super) fn answered(claim: &Claim, change: impl FnOnce(&mut Task)) -> Transition {
    let mut task = claim.task.clone();
    let before = Some(task.place());
    change(&mut task);
    task.revision += 1;
    let read = claim.signals.iter().map(|(signal, _)| Reading { signal: *signal, refused: None });
    Transition { before, read: read.collect(), ..born(task) }
}

pub(crate) fn step(transition: Transition) -> Write {
    Write::Step(Box::new(transition))
}

pub(super) fn modify(to: SignalTarget) -> Signal {
    Signal { to, kind: SignalKind::Modify { params: Params::default() } }
}

pub(super) fn command(to: SignalTarget) -> Signal {
    Signal { to, kind: SignalKind::Command { command: Command::Wake, by: "ann".into() } }
}

pub(super) fn answer(to: i64) -> Signal {
    Signal {
        to: SignalTarget::Task(TaskId(to)),
        kind: SignalKind::Answer { visit: 1, ticket: None, answer: Ok(Params::default()) },
    }
}

/// A signal that creates.
pub(super) fn create(id: i64, name: &str) -> Signal {
    let birth = Some(Birth::new(TaskId(id), Seed([7; 16])));
    let kind = SignalKind::Create { params: Params::default(), caller: None, at: Some(node("start")), birth };
    Signal { to: SignalTarget::Address(address(name)), kind }
}

pub(super) fn to(name: &str) -> SignalTarget {
    SignalTarget::Address(address(name))
}

pub(super) async fn commit(store: &dyn Store, writes: Vec<Write>) -> Vec<Result<Receipt, Refused>> {
    store.commit(writes).await.unwrap()
}

/// One transition.
pub(super) async fn put(store: &dyn Store, transition: Transition) -> Result<Receipt, Refused> {
    commit(store, vec![step(transition)]).await.remove(0)
}

/// One signal from outside.
pub(super) async fn post(store: &dyn Store, signal: Signal, now: i64) -> Result<Receipt, Refused> {
    commit(store, vec![Write::Post(signal, at(now))]).await.remove(0)
}

pub(super) async fn claim(store: &dyn Store, now: i64) -> Vec<Claim> {
    store.claim(at(now), LEASE, NO_LIMIT).await.unwrap()
}

/// The one task that is due.
pub(super) async fn claim_one(store: &dyn Store, now: i64) -> Claim {
    let mut claims = claim(store, now).await;
    assert_eq!(claims.len(), 1, "{claims:?}");
    claims.remove(0)
}

pub(super) async fn get(store: &dyn Store, id: i64) -> Option<Task> {
    store.task(TaskId(id)).await.unwrap()
}

pub(super) async fn due(store: &dyn Store, id: i64) -> Option<i64> {
    get(store, id).await.unwrap().due.map(|due| due.0)
}

pub(super) async fn events(store: &dyn Store) -> Vec<HistoryEntry> {
    store.events(0, NO_LIMIT).await.unwrap()
}

pub(super) fn signals(claim: &Claim) -> Vec<SignalId> {
    claim.signals.iter().map(|(id, _)| *id).collect()
}

/// `process node phase tasks`, a line each.
pub(super) async fn counts(store: &dyn Store) -> Vec<String> {
    let counts = store.counts(None).await.unwrap();
    let line = |it: &beltline::engine::ports::Count| {
        format!("{} {} {} {}", it.process, it.node, it.phase.as_str(), it.tasks)
    };
    let mut lines: Vec<String> = counts.iter().filter(|it| it.tasks > 0).map(line).collect();
    lines.sort();
    lines
}
