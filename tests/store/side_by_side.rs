//! The stores side by side: whatever happens to one happens to the other, and both must say the same. Goes on
//! until every kind of request has succeeded and every kind of refusal has been met.

use std::collections::BTreeSet;
use std::fmt::Debug;

use beltline::engine::ports::{Claim, Collection, Receipt, Record, Refused, Store, TaskQuery, Write};
use beltline::engine::transition::{Reading, Transition};
use beltline::model::names::{ProcessId, TaskId};
use beltline::model::signal::{Signal, SignalKind, SignalTarget};
use beltline::model::task::{Phase, State, Task};
use beltline::store::memory::Memory;
use beltline::store::sqlite::Sqlite;
use serde_json::json;

use crate::store::make::*;

const SEEDS: u64 = 3;
const ROUNDS_MIN: u32 = 600;
const ROUNDS_MAX: u32 = 20_000;
/// What must have happened at least once.
const SIGHTS: &[&str] = &[
    "new",
    "new with key",
    "moved",
    "mail",
    "revived",
    "gone",
    "cut",
    "signal",
    "signal dropped",
    "signal creates",
    "noted",
    "stale",
    "taken",
    "no task",
    "repeated",
    "claimed",
    "claimed with signals",
    "claimed ended",
    "woken",
    "resumed",
    "read",
    "read nothing",
    "found",
    "found ended",
    "found nothing",
    "listed",
    "history",
    "events",
    "counts",
    "alarms",
    "due",
    "kept",
    "forgot",
    "forgot nothing",
    "collection",
    "record",
    "no record",
];

/// Chance that can be had again: `SplitMix64`.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut it = self.0;
        it = (it ^ (it >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        it = (it ^ (it >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (it ^ (it >> 31)) % end
    }

    fn one_in(&mut self, many: u64) -> bool {
        self.below(many) == 0
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        let many = u64::try_from(from.len()).unwrap();
        (many > 0).then(|| &from[usize::try_from(self.below(many)).unwrap()])
    }
}

struct Pair {
    memory: Memory,
    sqlite: Sqlite,
    chance: Chance,
    now: i64,
    last_id: i64,
    claims: Vec<Claim>,
    seen: BTreeSet<&'static str>,
}

#[tokio::test]
async fn both_stores_say_the_same() {
    for seed in 0..SEEDS {
        let (sqlite, _folder) = crate::store::sqlite::fresh();
        let memory = Memory::default();
        let (claims, seen) = (Vec::new(), BTreeSet::new());
        let mut pair = Pair { memory, sqlite, chance: Chance(seed), now: 0, last_id: 0, claims, seen };
        let mut rounds = 0;
        while rounds < ROUNDS_MIN || SIGHTS.iter().any(|sight| !pair.seen.contains(sight)) {
            rounds += 1;
            let missing: Vec<_> = SIGHTS.iter().filter(|sight| !pair.seen.contains(*sight)).collect();
            assert!(rounds < ROUNDS_MAX, "seed {seed}: never seen {missing:?}");
            pair.round().await;
        }
        pair.compare_all().await;
    }
}

impl Pair {
    async fn round(&mut self) {
        self.now += i64::try_from(self.chance.below(3_000)).unwrap();
        match self.chance.below(12) {
            0..=6 => self.commit().await,
            7..=8 => self.claim().await,
            9 => self.keep().await,
            10 => self.look().await,
            _ if self.chance.one_in(4) => {
                let (process, now) = (self.process(), at(self.now));
                let woken = self.both(async |store| store.wake_parked(&process, now).await.unwrap()).await;
                self.saw(woken > 0, "woken");
            }
            _ if self.chance.one_in(8) => {
                let now = at(self.now);
                let resumed = self.both(async |store| store.resume(now).await.unwrap()).await;
                self.saw(resumed > 0, "resumed");
            }
            _ => self.compare_all().await,
        }
    }

    async fn commit(&mut self) {
        let mut writes = Vec::new();
        for _ in 0..=self.chance.below(4) {
            writes.push(self.write().await);
        }
        let results = self.both(async |store| store.commit(writes.clone()).await.unwrap()).await;
        for (write, result) in writes.iter().zip(&results) {
            self.note(write, result);
        }
    }

    fn note(&mut self, write: &Write, result: &Result<Receipt, Refused>) {
        let receipt = match result {
            Ok(receipt) => receipt,
            Err(Refused::Stale) => return self.saw(true, "stale"),
            Err(Refused::RefTaken(_)) => return self.saw(true, "taken"),
            Err(Refused::NoTask(_)) => return self.saw(true, "no task"),
            Err(Refused::Repeated(_)) => return self.saw(true, "repeated"),
            Err(Refused::Unwritable(why)) => unreachable!("{why}"),
        };
        self.saw(receipt.mail, "mail");
        match write {
            Write::Step(step) => {
                self.saw(step.before.is_none(), "new");
                self.saw(step.idempotency.is_some(), "new with key");
                let before = step.before.as_ref().map(|place| place.phase.is_live());
                let after = step.task.state.phase().is_live();
                self.saw(before == Some(true) && after, "moved");
                self.saw(before == Some(false) && after, "revived");
                self.saw(before.is_some() && step.gone, "gone");
                self.saw(step.events.len() > 1_000, "cut");
            }
            Write::Post(signal, _) | Write::Noted(signal, ..) => {
                self.saw(matches!(write, Write::Noted(..)), "noted");
                let creates = matches!(signal.kind, SignalKind::Create { .. });
                self.saw(creates, "signal creates");
                self.saw(receipt.signal.is_some(), "signal");
                self.saw(!creates && receipt.signal.is_none(), "signal dropped");
            }
        }
    }

    async fn write(&mut self) -> Write {
        let claim = self.chance.pick(&self.claims).cloned();
        match (self.chance.below(10), claim) {
            (0..=1, _) => {
                let (signal, now) = (self.signal(), at(self.now));
                let value = json!({"at": self.now});
                let record = Record { collection: Collection::Var, name: "1".to_owned(), value, at: now };
                match self.now % 3 {
                    0 => Write::Noted(signal, record, now),
                    _ => Write::Post(signal, now),
                }
            }
            (2..=6, Some(claim)) => {
                let mut step = self.step(claim.task.clone(), Some(&claim));
                step.before = Some(claim.task.place());
                step.base = Some(claim.task.revision).filter(|_| self.chance.one_in(2));
                let read = claim.signals.iter().filter(|_| !self.chance.one_in(4));
                step.read = read.map(|(signal, _)| Reading { signal: *signal, refused: None }).collect();
                Write::Step(Box::new(step))
            }
            (7, _) => {
                let id = TaskId(self.any_id());
                match self.memory.task(id).await.unwrap() {
                    Some(task) => {
                        let step = Transition { before: Some(task.place()), ..self.step(task, None) };
                        Write::Step(Box::new(step))
                    }
                    None => Write::Step(Box::new(moved(task(id.0, "shop/none")))),
                }
            }
            _ => {
                // A number that is in use may come again, when a commit is repeated; one that is gone never
                // does.
                let again = Some(self.any_id()).filter(|_| self.chance.one_in(12));
                let id = match again {
                    Some(id) if self.memory.task(TaskId(id)).await.unwrap().is_some() => id,
                    _ => self.new_id(),
                };
                let name = self.name();
                let mut step = self.step(task(id, &name), None);
                let key = self.chance.below(60);
                step.idempotency = (key < 20).then(|| format!("key {key}"));
                Write::Step(Box::new(step))
            }
        }
    }

    /// The task as it might stand next.
    fn step(&mut self, mut task: Task, claim: Option<&Claim>) -> Transition {
        let soon = at(self.now + i64::try_from(self.chance.below(10_000)).unwrap());
        (task.state, task.due) = match self.chance.below(8) {
            0 | 1 => (State::Ready { at: soon }, Some(soon)),
            2 | 3 => (doing(), Some(soon)),
            4 | 5 => (State::Waiting { until: None }, None),
            6 => (State::Failed, Some(soon)),
            _ => (State::Done, None),
        };
        task.at = node(["start", "nap", "ask"][usize::try_from(self.chance.below(3)).unwrap()]);
        task.alarm = self.chance.one_in(3).then(alarm);
        task.revision += u64::from(claim.is_some());
        task.params.set("n", self.chance.below(1_000));
        let signals = (0..self.chance.below(4).saturating_sub(1)).map(|_| self.signal()).collect();
        let events = if self.chance.one_in(60) { 1_050 } else { self.chance.below(3) };
        let history = (0..events).map(|it| event(&it.to_string())).collect();
        let gone = !task.state.phase().is_live() && self.chance.one_in(2);
        Transition { signals, events: history, gone, at: at(self.now), ..born(task) }
    }

    fn signal(&mut self) -> Signal {
        let name = self.name();
        let target =
            if self.chance.one_in(2) { to(&name) } else { SignalTarget::Task(TaskId(self.any_id())) };
        match self.chance.below(4) {
            0 => create(self.new_id(), &name),
            1 => modify(target),
            2 => command(target),
            _ => answer(self.any_id()),
        }
    }

    async fn claim(&mut self) {
        let (now, limit) = (at(self.now), usize::try_from(self.chance.below(8)).unwrap());
        let claims = self.both(async |store| store.claim(now, LEASE, limit).await.unwrap()).await;
        for claim in &claims {
            self.saw(true, "claimed");
            self.saw(!claim.signals.is_empty(), "claimed with signals");
            self.saw(!claim.task.state.phase().is_live(), "claimed ended");
        }
        self.claims.extend(claims);
        let old = self.claims.len().saturating_sub(12);
        self.claims.drain(..old);
    }

    async fn keep(&mut self) {
        let on = [Collection::Var, Collection::Secret][usize::try_from(self.chance.below(2)).unwrap()];
        let name = self.chance.below(5).to_string();
        match self.chance.below(4) {
            0 => {
                let forgot = self.both(async |store| store.delete(on, &name).await.unwrap()).await;
                self.saw(true, if forgot { "forgot" } else { "forgot nothing" });
            }
            1 => {
                let some = self.both(async |store| store.collection(on).await.unwrap()).await;
                self.saw(!some.is_empty(), "collection");
            }
            2 => {
                let one = self.both(async |store| store.record(on, &name).await.unwrap()).await;
                self.saw(true, if one.is_some() { "record" } else { "no record" });
            }
            _ => {
                let record =
                    Record { collection: on, name, value: json!({"at": self.now}), at: at(self.now) };
                self.both(async |store| store.put(vec![record.clone()]).await.unwrap()).await;
                self.saw(true, "kept");
            }
        }
    }

    async fn look(&mut self) {
        let names = [address(&self.name()), address(&self.name())];
        for read in self.both(async |store| store.read(&names).await.unwrap()).await {
            self.saw(true, if read.is_some() { "read" } else { "read nothing" });
        }
        match self.both(async |store| store.find(&names[0]).await.unwrap()).await {
            None => self.saw(true, "found nothing"),
            Some(task) if task.state.phase().is_live() => self.saw(true, "found"),
            Some(_) => self.saw(true, "found ended"),
        }
        let query = TaskQuery {
            process: self.chance.one_in(2).then(|| self.process()),
            node: self.chance.one_in(2).then(|| node("nap")),
            phase: self.chance.one_in(2).then(|| *self.chance.pick(&Phase::ALL).unwrap()),
            ref_prefix: self.chance.one_in(2).then(|| "a".to_owned()),
            after: self.chance.one_in(2).then(|| TaskId(self.any_id())),
            limit: usize::try_from(self.chance.below(9)).unwrap(),
        };
        let listed = self.both(async |store| store.tasks(&query).await.unwrap()).await;
        self.saw(!listed.is_empty(), "listed");
        let (id, after) = (TaskId(self.any_id()), self.chance.below(50));
        let history = self.both(async |store| store.history(id, after, 3).await.unwrap()).await;
        self.saw(!history.is_empty(), "history");
    }

    /// All that there is.
    async fn compare_all(&mut self) {
        let all = TaskQuery { limit: NO_LIMIT, ..TaskQuery::default() };
        self.both(async |store| store.tasks(&all).await.unwrap()).await;
        let events = self.both(async |store| store.events(0, NO_LIMIT).await.unwrap()).await;
        self.saw(!events.is_empty(), "events");
        self.both(async |store| store.last_event().await.unwrap()).await;
        let counts = self.both(async |store| counts(store).await).await;
        self.saw(!counts.is_empty(), "counts");
        let alarms = self.both(async |store| store.alarms(None, NO_LIMIT).await.unwrap()).await;
        self.saw(!alarms.is_empty(), "alarms");
        self.both(async |store| store.alarm_counts().await.unwrap()).await;
        let due = self.both(async |store| store.next_due().await.unwrap()).await;
        self.saw(due.is_some(), "due");
    }

    async fn both<T: PartialEq + Debug>(&self, act: impl AsyncFn(&dyn Store) -> T) -> T {
        let (one, other) = (act(&self.memory).await, act(&self.sqlite).await);
        assert_eq!(one, other, "memory and sqlite differ at {} ms", self.now);
        one
    }

    fn saw(&mut self, it: bool, what: &'static str) {
        if it {
            assert!(SIGHTS.contains(&what), "{what}");
            self.seen.insert(what);
        }
    }

    fn new_id(&mut self) -> i64 {
        self.last_id += 1;
        self.last_id
    }

    fn any_id(&mut self) -> i64 {
        1 + i64::try_from(self.chance.below(u64::try_from(self.last_id + 1).unwrap())).unwrap()
    }

    fn name(&mut self) -> String {
        format!(
            "{}/{}",
            self.process(),
            ["a", "ab", "b", "c", "é", "z"][usize::try_from(self.chance.below(6)).unwrap()]
        )
    }

    fn process(&mut self) -> ProcessId {
        process(["shop", "other"][usize::try_from(self.chance.below(2)).unwrap()])
    }
}
