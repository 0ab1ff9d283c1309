//! [`Memory`]: a store that forgets. The reference for all others, and the floor of the simulation.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::engine::ports::{
    Claim, Collection, Count, HistoryEntry, Receipt, Record, Refused, Store, StoreError, Stretch, TaskQuery,
    Write,
};
use crate::engine::transition::{SignalId, Transition};
use crate::model::names::{Address, ProcessId, TaskId};
use crate::model::signal::{Signal, SignalKind, SignalTarget};
use crate::model::task::{NodePosition, Phase, Task};
use crate::model::time::{Span, Timestamp};
use crate::store::keeping::{EVENTS_KEPT, EVENTS_MAX, born, due_with_mail};
use crate::store::leases::Leases;

/// Keeps everything in maps behind one lock.
#[derive(Debug, Default)]
pub struct Memory(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    rows: BTreeMap<TaskId, Row>,
    leases: Leases,
    live: BTreeMap<Address, TaskId>,
    entries: BTreeMap<u64, HistoryEntry>,
    records: BTreeMap<(Collection, String), Record>,
    last_event: u64,
    last_signal: i64,
}

#[derive(Clone, Debug)]
struct Row {
    task: Task,
    inbox: Vec<(SignalId, Signal)>,
    /// The numbers of its entries, and how many events each has.
    history: VecDeque<(u64, usize)>,
    /// 0 while it lives, then the number of the next entry of all: orders the tasks that had the same name.
    ended: u64,
    idempotency: Option<String>,
}

/// The rows as they were before a write, to go back to if it is refused.
type Was = Vec<(TaskId, Option<Row>)>;

impl Memory {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn select(&self, wanted: impl Fn(&Task) -> bool, limit: usize) -> Vec<Task> {
        let state = self.lock();
        state.rows.values().map(|row| &row.task).filter(|task| wanted(task)).take(limit).cloned().collect()
    }
}

impl State {
    /// Puts or removes a row, and keeps the names of the live right.
    fn set(&mut self, id: TaskId, row: Option<Row>) -> Option<Row> {
        if let Some(task) = self.rows.get(&id).map(|row| &row.task)
            && self.live.get(&task.address()) == Some(&id)
        {
            self.live.remove(&task.address());
        }
        match row {
            None => self.rows.remove(&id),
            Some(row) => {
                if row.task.state.phase().is_live() {
                    self.live.insert(row.task.address(), id);
                }
                self.rows.insert(id, row)
            }
        }
    }

    fn write(&mut self, write: &Write) -> Result<Receipt, Refused> {
        let (mut was, last_signal) = (Was::new(), self.last_signal);
        let done = match write {
            Write::Step(transition) => {
                let done = self.step(transition, &mut was);
                if done.is_ok() {
                    self.leases.end(transition.task.id, transition.task.epoch);
                }
                done
            }
            Write::Post(signal, at) => {
                self.deliver(signal, *at, &mut was).map(|signal| Receipt { signal, mail: false })
            }
            Write::Noted(signal, record, at) => {
                let done = self.deliver(signal, *at, &mut was);
                if done.is_ok() {
                    self.records.insert((record.collection, record.name.clone()), record.clone());
                }
                done.map(|signal| Receipt { signal, mail: false })
            }
        };
        if done.is_err() {
            for (id, row) in was.into_iter().rev() {
                self.set(id, row);
            }
            self.last_signal = last_signal;
        }
        done
    }

    fn step(&mut self, transition: &Transition, was: &mut Was) -> Result<Receipt, Refused> {
        let task = &transition.task;
        let (id, phase) = (task.id, task.state.phase());
        let mut row = self.row_before(transition)?;
        row.inbox.retain(|(id, _)| transition.read.iter().all(|read| read.signal != *id));
        let had_ended = row.ended > 0;
        row.task = task.clone();
        if !phase.is_live() {
            row.inbox.clear();
        }
        was.push((id, self.set(id, Some(row).filter(|_| !transition.gone))));
        for signal in &transition.signals {
            self.deliver(signal, transition.at, was)?;
        }
        // From here on nothing is refused.
        self.write_history(transition);
        let last_event = self.last_event;
        let Some(row) = self.rows.get_mut(&id) else {
            return Ok(Receipt::default());
        };
        match (phase.is_live(), had_ended) {
            (true, _) => row.ended = 0,
            (false, false) => row.ended = last_event + 1,
            (false, true) => {}
        }
        let mail = phase.is_live() && phase != Phase::Doing && !row.inbox.is_empty();
        if mail {
            row.task.due = Some(due_with_mail(row.task.due, transition.at));
        }
        Ok(Receipt { signal: None, mail })
    }

    /// The row that a transition changes, or a new one.
    fn row_before(&self, transition: &Transition) -> Result<Row, Refused> {
        let task = &transition.task;
        let key = &transition.idempotency;
        if let Some(row) = self.rows.values().find(|row| key.is_some() && row.idempotency == *key) {
            return Err(Refused::Repeated(row.task.id));
        }
        let row = self.rows.get(&task.id);
        let holder = self.live.get(&task.address());
        let comes_alive = match row {
            _ if transition.before.is_none() => true,
            Some(row) if self.is_current(row, transition) => {
                task.state.phase().is_live() && !row.task.state.phase().is_live()
            }
            _ => return Err(Refused::Stale),
        };
        match (row, transition.before.is_none()) {
            _ if comes_alive && holder.is_some() => Err(Refused::RefTaken(task.address())),
            (Some(row), false) => Ok(row.clone()),
            (None, true) => Ok(Row { idempotency: key.clone(), ..row_of(task.clone()) }),
            (Some(_), true) | (None, false) => Err(Refused::Stale),
        }
    }

    /// Whether the transition was made of the row as it is, by whoever claimed it last.
    fn is_current(&self, row: &Row, transition: &Transition) -> bool {
        let epoch = self.leases.epoch(row.task.id).unwrap_or(row.task.epoch);
        epoch == transition.task.epoch && transition.base.is_none_or(|base| base == row.task.revision)
    }

    fn deliver(
        &mut self,
        signal: &Signal,
        now: Timestamp,
        was: &mut Was,
    ) -> Result<Option<SignalId>, Refused> {
        if let Some(task) = born(signal, now)? {
            if self.live.contains_key(&task.address()) {
                return Err(Refused::RefTaken(task.address()));
            }
            if self.rows.contains_key(&task.id) {
                return Err(Refused::Stale);
            }
            was.push((task.id, self.set(task.id, Some(row_of(task)))));
            return Ok(None);
        }
        let id = match &signal.to {
            SignalTarget::Address(address) => self.live.get(address).copied(),
            SignalTarget::Task(id) => Some(*id),
        };
        // A command to that very task may bring it back from its end.
        let revives =
            matches!((&signal.kind, &signal.to), (SignalKind::Command { .. }, SignalTarget::Task(_)));
        let takes = |row: &&mut Row| revives || row.task.state.phase().is_live();
        let row = id.and_then(|id| self.rows.get_mut(&id)).filter(takes);
        match (row, &signal.kind, &signal.to) {
            (Some(row), ..) => {
                was.push((row.task.id, Some(row.clone())));
                self.last_signal += 1;
                row.inbox.push((SignalId(self.last_signal), signal.clone()));
                if row.task.state.phase() != Phase::Doing {
                    row.task.due = Some(due_with_mail(row.task.due, now));
                }
                Ok(Some(SignalId(self.last_signal)))
            }
            (None, SignalKind::Answer { .. }, _) => Ok(None),
            (None, _, SignalTarget::Address(address)) => Err(Refused::NoTask(address.to_string())),
            (None, _, SignalTarget::Task(id)) => Err(Refused::NoTask(id.to_string())),
        }
    }

    fn write_history(&mut self, transition: &Transition) {
        let (task, events) = (&transition.task, &transition.events);
        if transition.gone {
            self.entries.retain(|_, entry| entry.task != task.id);
            return;
        }
        let Some(row) = self.rows.get_mut(&task.id).filter(|_| !events.is_empty()) else {
            return;
        };
        self.last_event += 1;
        let entry = HistoryEntry {
            seq: self.last_event,
            task: task.id,
            process: task.process.clone(),
            reference: task.reference.clone(),
            phase: task.state.phase(),
            events: events.clone(),
        };
        row.history.push_back((entry.seq, events.len()));
        self.entries.insert(entry.seq, entry);
        let mut all: usize = row.history.iter().map(|(_, events)| events).sum();
        if all > EVENTS_MAX {
            while let Some((seq, events)) =
                row.history.front().copied().filter(|(_, events)| all - events >= EVENTS_KEPT)
            {
                row.history.pop_front();
                self.entries.remove(&seq);
                all -= events;
            }
        }
    }
}

fn row_of(task: Task) -> Row {
    Row { task, inbox: Vec::new(), history: VecDeque::new(), ended: 0, idempotency: None }
}

#[async_trait]
impl Store for Memory {
    async fn claim(&self, now: Timestamp, lease: Span, limit: usize) -> Result<Vec<Claim>, StoreError> {
        let mut state = self.lock();
        let State { rows, leases, .. } = &mut *state;
        let is_due = |row: &&Row| row.task.due.is_some_and(|due| due <= now);
        let mut due: Vec<&Row> =
            rows.values().filter(is_due).filter(|row| !leases.holds(row.task.id, now)).collect();
        due.sort_by_key(|row| (row.ended > 0, row.task.due, row.task.id));
        let claim = |row: &Row| {
            let epoch = leases.take(row.task.id, row.task.epoch, now + lease);
            Claim { task: Task { epoch, ..row.task.clone() }, signals: row.inbox.clone() }
        };
        Ok(due.into_iter().take(limit).map(claim).collect())
    }

    async fn commit(&self, writes: Vec<Write>) -> Result<Vec<Result<Receipt, Refused>>, StoreError> {
        let mut state = self.lock();
        Ok(writes.iter().map(|write| state.write(write)).collect())
    }

    async fn read(&self, addresses: &[Address]) -> Result<Vec<Option<Task>>, StoreError> {
        let state = self.lock();
        let read = |address| Some(state.rows[state.live.get(address)?].task.clone());
        Ok(addresses.iter().map(read).collect())
    }

    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        let state = self.lock();
        let free = state.rows.values().map(|row| &row.task).filter(|task| !state.leases.knows(task.id));
        Ok(free.filter_map(|task| task.due).chain(state.leases.next_end()).min())
    }

    async fn resume(&self, now: Timestamp) -> Result<u64, StoreError> {
        let mut state = self.lock();
        state.leases.clear();
        let mut resumed = 0;
        for task in state.rows.values_mut().map(|row| &mut row.task) {
            if task.state.phase() == Phase::Doing && task.due.is_none_or(|due| due > now) {
                task.due = Some(now);
                resumed += 1;
            }
        }
        Ok(resumed)
    }

    async fn wake_parked(&self, process: &ProcessId, now: Timestamp) -> Result<u64, StoreError> {
        let mut woken = 0;
        for task in self.lock().rows.values_mut().map(|row| &mut row.task) {
            let rests = matches!(task.state.phase(), Phase::Ready | Phase::Waiting) && task.due.is_none();
            if rests && task.process == *process {
                task.due = Some(now);
                woken += 1;
            }
        }
        Ok(woken)
    }

    async fn pull_due(&self, by: Span, after: TaskId, limit: usize) -> Result<Option<TaskId>, StoreError> {
        let mut last = None;
        let mut state = self.lock();
        if after == TaskId::FIRST {
            state.leases.pull(by);
        }
        for (id, row) in state.rows.range_mut((Bound::Excluded(after), Bound::Unbounded)).take(limit) {
            if row.task.state.phase() != Phase::Doing {
                row.task.due = row.task.due.map(|due| due - by);
            }
            last = Some(*id);
        }
        Ok(last)
    }

    async fn task(&self, id: TaskId) -> Result<Option<Task>, StoreError> {
        Ok(self.lock().rows.get(&id).map(|row| row.task.clone()))
    }

    async fn find(&self, address: &Address) -> Result<Option<Task>, StoreError> {
        let state = self.lock();
        let rows = state.rows.values().filter(|row| row.task.address() == *address);
        let found = rows.max_by_key(|row| (row.task.state.phase().is_live(), row.ended, row.task.id));
        Ok(found.map(|row| row.task.clone()))
    }

    async fn keyed(&self, key: &str) -> Result<Option<Task>, StoreError> {
        let state = self.lock();
        let found = state.rows.values().find(|row| row.idempotency.as_deref() == Some(key));
        Ok(found.map(|row| row.task.clone()))
    }

    async fn named(&self, among: &[ProcessId], prefix: &str, limit: usize) -> Result<Vec<Task>, StoreError> {
        let state = self.lock();
        let all = || state.rows.values().map(|row| &row.task);
        let begins = |it: &&Task| it.reference.as_str().starts_with(prefix);
        let found = among.iter().flat_map(|own| all().filter(move |it| it.process == *own)).filter(begins);
        Ok(found.take(limit).cloned().collect())
    }

    async fn tasks(&self, query: &TaskQuery) -> Result<Vec<Task>, StoreError> {
        let wanted = |task: &Task| {
            query.process.as_ref().is_none_or(|it| task.process == *it)
                && query.node.as_ref().is_none_or(|it| task.at == *it)
                && query.phase.is_none_or(|it| task.state.phase() == it)
                && query.ref_prefix.as_ref().is_none_or(|it| task.reference.as_str().starts_with(it))
                && query.after.is_none_or(|it| task.id > it)
        };
        Ok(self.select(wanted, query.limit))
    }

    async fn history(&self, id: TaskId, after: u64, limit: usize) -> Result<Vec<HistoryEntry>, StoreError> {
        let state = self.lock();
        let Some(row) = state.rows.get(&id) else {
            return Ok(Vec::new());
        };
        let seqs = row.history.iter().filter(|(seq, _)| *seq > after).take(limit);
        Ok(seqs.map(|(seq, _)| state.entries[seq].clone()).collect())
    }

    async fn events(&self, after: u64, limit: usize) -> Result<Vec<HistoryEntry>, StoreError> {
        let state = self.lock();
        Ok(state
            .entries
            .range(after.saturating_add(1)..)
            .take(limit)
            .map(|(_, entry)| entry.clone())
            .collect())
    }

    async fn last_event(&self) -> Result<u64, StoreError> {
        Ok(self.lock().last_event)
    }

    async fn counts(&self, process: Option<&ProcessId>) -> Result<Vec<Count>, StoreError> {
        let mut counts = BTreeMap::new();
        let of = |task: &&Task| process.is_none_or(|it| *it == task.process);
        for task in self.lock().rows.values().map(|row| &row.task).filter(of) {
            *counts.entry((task.process.clone(), task.place())).or_default() += 1;
        }
        let count = |((process, place), tasks): ((_, NodePosition), _)| Count {
            process,
            node: place.node,
            phase: place.phase,
            tasks,
        };
        Ok(counts.into_iter().map(count).collect())
    }

    async fn alarms(&self, after: Option<TaskId>, limit: usize) -> Result<Vec<Task>, StoreError> {
        let rings = |task: &Task| task.alarm.is_some() && task.state.phase().is_live();
        Ok(self.select(|task| after.is_none_or(|it| task.id > it) && rings(task), limit))
    }

    async fn put(&self, records: Vec<Record>) -> Result<(), StoreError> {
        let kept = records.into_iter().map(|record| ((record.collection, record.name.clone()), record));
        self.lock().records.extend(kept);
        Ok(())
    }

    async fn delete(&self, on: Collection, name: &str) -> Result<bool, StoreError> {
        Ok(self.lock().records.remove(&(on, name.to_owned())).is_some())
    }

    async fn collection(&self, on: Collection) -> Result<Vec<Record>, StoreError> {
        let state = self.lock();
        Ok(state.records.values().filter(|record| record.collection == on).cloned().collect())
    }

    async fn record(&self, on: Collection, name: &str) -> Result<Option<Record>, StoreError> {
        Ok(self.lock().records.get(&(on, name.to_owned())).cloned())
    }

    async fn scan(&self, it: &Stretch) -> Result<Vec<Record>, StoreError> {
        if it.from >= it.before {
            return Ok(Vec::new());
        }
        let state = self.lock();
        let range = state.records.range((it.collection, it.from.clone())..(it.collection, it.before.clone()));
        let records = range.map(|(_, record)| record);
        Ok(match it.backwards {
            true => records.rev().take(it.limit).cloned().collect(),
            false => records.take(it.limit).cloned().collect(),
        })
    }

    async fn delete_before(&self, on: Collection, name: &str) -> Result<u64, StoreError> {
        let mut state = self.lock();
        let before = state.records.len();
        state.records.retain(|(collection, it), _| *collection != on || it.as_str() >= name);
        Ok((before - state.records.len()) as u64)
    }
}
