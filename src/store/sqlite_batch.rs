//! [`Batch`]: one open transaction, and all that can be done in it.
//!
//! A write is first checked as a whole and then written, so a refused one leaves nothing and costs no
//! savepoint.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use rusqlite::{CachedStatement, Connection, OptionalExtension, params};

#[cfg(debug_assertions)]
use crate::engine::broken::{Promise, is_broken};
use crate::engine::ports::{Receipt, Refused, StoreError};
use crate::engine::transition::SignalId;
use crate::model::names::{Address, TaskId};
use crate::model::signal::SignalTarget;
use crate::model::task::Phase;
use crate::model::time::Timestamp;
use crate::store::keeping::{EVENTS_KEPT, EVENTS_MAX};
use crate::store::leases::Leases;
use crate::store::rows::{
    Found, History, Mail, No, RecordRow, Stand, Step, Taken, TaskRow, name, phase, phase_number, signal_place,
};
use crate::store::seal::Sealer;

/// What a batch works with beside its connection.
pub(super) type With<'a> = (&'a Sealer, &'a Mutex<Leases>);

/// Tasks whose rows cannot be read, and why.
pub(super) type Unreadable = Vec<(i64, StoreError)>;

/// What the column says of a row from before it was there.
const REVISION_UNKNOWN: i64 = -1;

/// One open transaction.
pub(super) struct Batch<'c> {
    pub(super) db: &'c Connection,
    sealer: &'c Sealer,
    leases: &'c Mutex<Leases>,
    pub(super) last_event: i64,
    pub(super) last_signal: i64,
    began: (i64, i64),
    pub(super) counts: BTreeMap<Stand, i64>,
    /// A write has failed in a way that may be its own.
    pub(super) suspect: bool,
    /// Each write stands by itself: if one fails in a way that is its own, the others go on.
    pub(super) careful: bool,
}

/// A row as a step found it.
struct Was {
    stand: Stand,
    ended: i64,
    events: i64,
}

/// What a write will do, while it is checked.
struct Plan<'w> {
    /// The task that steps; it no longer holds its name if it is not among the living.
    own: Option<i64>,
    /// Those that will live: the task that steps, and the newborn.
    living: Vec<&'w TaskRow>,
    deliveries: Vec<Delivery<'w>>,
}

enum Delivery<'w> {
    Birth(&'w TaskRow),
    Word { task: i64, json: &'w [u8] },
}

impl<'c> Batch<'c> {
    pub(super) fn begin(db: &'c Connection, (sealer, leases): With<'c>) -> Result<Batch<'c>, StoreError> {
        db.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let mut last = db.prepare_cached("SELECT last_event, last_signal FROM store")?;
        let began: (i64, i64) = last.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let (last_event, last_signal) = began;
        let counts = BTreeMap::new();
        Ok(Batch {
            db,
            sealer,
            leases,
            last_event,
            last_signal,
            began,
            counts,
            suspect: false,
            careful: false,
        })
    }

    /// The same, and each write stands by itself. It costs a savepoint for each, so it is for batches in
    /// which one has failed.
    pub(super) fn begin_careful(db: &'c Connection, with: With<'c>) -> Result<Batch<'c>, StoreError> {
        Ok(Batch { careful: true, ..Batch::begin(db, with)? })
    }

    /// Writes what is gathered over the batch; to be called once, before the commit.
    pub(super) fn finish(&mut self) -> Result<(), StoreError> {
        for ((process, node, phase), tasks) in std::mem::take(&mut self.counts) {
            let stand = params![process.as_str(), node.as_str(), phase_number(phase), tasks];
            if tasks != 0 {
                self.sql(
                    "INSERT INTO counts VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT DO UPDATE SET tasks = tasks + excluded.tasks",
                )?
                .execute(stand)?;
            }
            if tasks < 0 {
                self.sql(
                    "DELETE FROM counts WHERE process = ?1 AND node = ?2 AND phase = ?3 AND tasks = 0 * ?4",
                )?
                .execute(stand)?;
            }
        }
        if self.began != (self.last_event, self.last_signal) {
            self.sql("UPDATE store SET last_event = ?1, last_signal = ?2")?
                .execute(params![self.last_event, self.last_signal])?;
        }
        Ok(())
    }

    pub(super) fn keep(&self, record: &RecordRow) -> Result<(), StoreError> {
        self.sql("INSERT OR REPLACE INTO records (collection, name, at, value) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![record.collection, record.name, record.at, record.value])?;
        Ok(())
    }

    /// Claims what is due and free; nothing is written. A group whose commit fails may have claimed in vain:
    /// those leases end by themselves. Gives the claims, and the tasks whose rows SQLite itself cannot read.
    pub(super) fn claim(
        &mut self,
        now: Timestamp,
        until: Timestamp,
        limit: usize,
    ) -> Result<(Vec<Taken>, Unreadable), StoreError> {
        let mut leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut taken, mut damaged) = (Vec::new(), Vec::new());
        for which in ["ended = 0", "ended > 0"] {
            let due = format!("SELECT id FROM tasks WHERE due <= ?1 AND {which} ORDER BY due, id");
            let mut due = self.sql(&due)?;
            let mut rows = due.query([now.0])?;
            while taken.len() < limit
                && let Some(row) = rows.next()?
            {
                let id = TaskId(row.get(0)?);
                if leases.holds(id, now) {
                    continue;
                }
                match self.take(id) {
                    Ok(mut it) => {
                        let epoch = it.found.epoch.cast_unsigned();
                        it.found.epoch = leases.take(id, epoch, until).cast_signed();
                        taken.push(it);
                    }
                    Err(error @ StoreError::Corrupt(_)) => damaged.push((id.0, error)),
                    Err(error) => return Err(error),
                }
            }
        }
        Ok((taken, damaged))
    }

    fn take(&self, id: TaskId) -> Result<Taken, StoreError> {
        let mut row = self.sql("SELECT id, due, epoch, body FROM tasks WHERE id = ?1")?;
        let found = row.query_row([id.0], found)?;
        let mut inbox = self.sql("SELECT id, body FROM signals WHERE task = ?1 ORDER BY id")?;
        let signals = inbox.query_map([id.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(Taken { signals: signals.collect::<Result<_, _>>()?, found })
    }

    /// Makes due whatever is doing something.
    pub(super) fn resume(&mut self, now: Timestamp) -> Result<usize, StoreError> {
        let doing = phase_number(Phase::Doing);
        let mut places = self.sql("SELECT process, node FROM counts WHERE phase = ?1")?;
        let places = places.query_map([doing], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let places: Vec<(String, String)> = places.collect::<Result<_, _>>()?;
        let mut resume = self.sql(
            "UPDATE tasks SET due = ?4
             WHERE process = ?1 AND node = ?2 AND phase = ?3 AND (due IS NULL OR due > ?4)",
        )?;
        let each = places.iter().map(|(process, node)| resume.execute(params![process, node, doing, now.0]));
        Ok(each.sum::<Result<usize, _>>()?)
    }

    /// Takes signals out of their inboxes without deleting them: under the number below zero of its task a
    /// signal is nobody's.
    pub(super) fn lay_aside(&self, signals: &[i64]) -> Result<(), StoreError> {
        let mut lay = self.sql("UPDATE signals SET task = -task WHERE id = ?1 AND task > 0")?;
        signals.iter().try_for_each(|id| lay.execute([id]).map(drop))?;
        Ok(())
    }

    pub(super) fn post(&mut self, signal: &Mail, at: i64) -> Result<Receipt, No> {
        let mut plan = Plan { own: None, living: Vec::new(), deliveries: Vec::new() };
        self.address(signal, &mut plan)?;
        let mut receipt = Receipt::default();
        for delivery in &plan.deliveries {
            receipt.signal = self.deliver(delivery, at)?;
        }
        Ok(receipt)
    }

    pub(super) fn step(&mut self, step: &Step) -> Result<Receipt, No> {
        let row = &step.row;
        let was = self.check(step)?;
        let lives = row.phase.is_live() && !step.gone;
        let living = if lives { vec![row] } else { Vec::new() };
        let mut plan = Plan { own: Some(row.id), living, deliveries: Vec::new() };
        for signal in &step.signals {
            self.address(signal, &mut plan)?;
        }
        // From here on nothing is refused.
        match (step.gone, &was) {
            (false, _) => self.put(step, was.as_ref())?,
            (true, Some(was)) => self.remove(row.id, was)?,
            (true, None) => {}
        }
        if was.is_some() {
            self.clear(step, lives)?;
        }
        for delivery in &plan.deliveries {
            self.deliver(delivery, step.at)?;
        }
        let mail = lives && row.phase != Phase::Doing && self.has_mail(row.id)?;
        if mail {
            self.wake(row.id, step.at)?;
        }
        Ok(Receipt { signal: None, mail })
    }

    /// The row that the step changes; none for a new task.
    fn check(&self, step: &Step) -> Result<Option<Was>, No> {
        let row = &step.row;
        if let Some(key) = step.idempotency.as_ref().filter(|_| step.new) {
            let mut known = self.sql("SELECT id FROM tasks WHERE idempotency = ?1")?;
            if let Some(id) = known.query_row([key], |row| row.get(0)).optional()? {
                return Err(No::Refused(Refused::Repeated(TaskId(id))));
            }
        }
        let was = if step.new { None } else { self.was(step)? };
        if was.is_none() && !step.new {
            return Err(No::Refused(Refused::Stale));
        }
        let comes_alive = was.as_ref().is_none_or(|was| was.ended > 0 && row.phase.is_live());
        if comes_alive && self.living(&row.address)?.is_some() {
            return Err(No::Refused(Refused::RefTaken(row.address.clone())));
        }
        if step.new && self.is_live(row.id)?.is_some() {
            return Err(No::Refused(Refused::Stale));
        }
        Ok(was)
    }

    /// The row that the step was made of, if it is still as it was, and claimed by nobody else since.
    fn was(&self, step: &Step) -> Result<Option<Was>, StoreError> {
        let row = &step.row;
        let mut was =
            self.sql("SELECT node, phase, ended, events, epoch, revision FROM tasks WHERE id = ?1")?;
        let mut rows = was.query([row.id])?;
        let Some(found) = rows.next()? else {
            return Ok(None);
        };
        let (epoch, revision): (i64, i64) = (found.get(4)?, found.get(5)?);
        let leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        let epoch = leases.epoch(TaskId(row.id)).map_or(epoch, u64::cast_signed);
        let is_base = step.base.is_none_or(|base| base == revision || revision == REVISION_UNKNOWN);
        #[cfg(debug_assertions)]
        let (epoch, is_base) = if is_broken(Promise::Fence) { (row.epoch, true) } else { (epoch, is_base) };
        if epoch != row.epoch || !is_base {
            return Ok(None);
        }
        let node = name(found.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?)?;
        let stand = (row.address.process.clone(), node, phase(found.get(1)?)?);
        Ok(Some(Was { stand, ended: found.get(2)?, events: found.get(3)? }))
    }

    /// Finds out for whom a signal is, and plans its delivery.
    fn address<'w>(&self, signal: &'w Mail, plan: &mut Plan<'w>) -> Result<(), No> {
        let task = match signal {
            Mail::Birth(row) => {
                if self.holder(&row.address, plan)?.is_some() {
                    return Err(No::Refused(Refused::RefTaken(row.address.clone())));
                }
                let is_planned =
                    plan.own == Some(row.id) || plan.living.iter().any(|other| other.id == row.id);
                if is_planned || self.is_live(row.id)?.is_some() {
                    return Err(No::Refused(Refused::Stale));
                }
                plan.living.push(row);
                plan.deliveries.push(Delivery::Birth(row));
                return Ok(());
            }
            Mail::Word { to: SignalTarget::Address(address), .. } => self.holder(address, plan)?,
            // A command may bring an ended task back.
            Mail::Word { to: SignalTarget::Task(id), is_command: true, .. }
                if self.is_live(id.0)?.is_some() =>
            {
                Some(id.0)
            }
            Mail::Word { to: SignalTarget::Task(id), .. } => self.lives(id.0, plan)?.then_some(id.0),
        };
        match (task, signal) {
            (Some(task), Mail::Word { json, .. }) => plan.deliveries.push(Delivery::Word { task, json }),
            (None, Mail::Word { to, is_answer: false, .. }) => {
                return Err(No::Refused(Refused::NoTask(match to {
                    SignalTarget::Address(address) => address.to_string(),
                    SignalTarget::Task(id) => id.to_string(),
                })));
            }
            _ => {}
        }
        Ok(())
    }

    /// Who will have that name when the plan is done.
    fn holder(&self, address: &Address, plan: &Plan<'_>) -> Result<Option<i64>, StoreError> {
        match plan.living.iter().find(|row| row.address == *address) {
            Some(row) => Ok(Some(row.id)),
            None => Ok(self.living(address)?.filter(|id| plan.own != Some(*id))),
        }
    }

    /// Whether that task will live when the plan is done.
    fn lives(&self, id: i64, plan: &Plan<'_>) -> Result<bool, StoreError> {
        let planned = plan.living.iter().any(|row| row.id == id);
        Ok(planned || (plan.own != Some(id) && self.is_live(id)? == Some(true)))
    }

    fn living(&self, address: &Address) -> Result<Option<i64>, StoreError> {
        let mut living = self.sql("SELECT id FROM tasks WHERE process = ?1 AND ref = ?2 AND ended = 0")?;
        let names = [address.process.as_str(), address.reference.as_str()];
        Ok(living.query_row(names, |row| row.get(0)).optional()?)
    }

    /// None if there is no such task at all.
    fn is_live(&self, id: i64) -> Result<Option<bool>, StoreError> {
        let mut ended = self.sql("SELECT ended = 0 FROM tasks WHERE id = ?1")?;
        Ok(ended.query_row([id], |row| row.get(0)).optional()?)
    }

    fn put(&mut self, step: &Step, was: Option<&Was>) -> Result<(), No> {
        let row = &step.row;
        let events = self.keep_history(row, step.history.as_ref(), was.map_or(0, |was| was.events))?;
        let ended = match (row.phase.is_live(), was.map_or(0, |was| was.ended)) {
            (true, _) => 0,
            (false, 0) => self.last_event + 1,
            (false, before) => before,
        };
        match was {
            None => self.insert(row, ended, events, step.idempotency.as_deref()),
            Some(was) => {
                self.sql(
                    "UPDATE tasks SET node = ?2, phase = ?3, ended = ?4, due = ?5, alarm = ?6, events = ?7,
                     body = ?8, epoch = ?9, revision = ?10 WHERE id = ?1",
                )?
                .execute(params![
                    row.id,
                    row.node.as_str(),
                    phase_number(row.phase),
                    ended,
                    row.due,
                    row.alarm,
                    events,
                    row.body,
                    row.epoch,
                    row.revision,
                ])?;
                self.count(was.stand.clone(), -1);
                self.count(row.stand(), 1);
                Ok(())
            }
        }
    }

    fn insert(
        &mut self,
        row: &TaskRow,
        ended: i64,
        events: i64,
        idempotency: Option<&[u8]>,
    ) -> Result<(), No> {
        self.sql("INSERT INTO tasks VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)")?
            .execute(params![
                row.id,
                row.address.process.as_str(),
                row.address.reference.as_str(),
                row.node.as_str(),
                phase_number(row.phase),
                ended,
                row.due,
                row.epoch,
                row.alarm,
                events,
                idempotency,
                row.body,
                row.revision,
            ])?;
        self.count(row.stand(), 1);
        Ok(())
    }

    fn remove(&mut self, id: i64, was: &Was) -> Result<(), No> {
        self.sql("DELETE FROM tasks WHERE id = ?1")?.execute([id])?;
        self.sql("DELETE FROM history WHERE task = ?1")?.execute([id])?;
        self.count(was.stand.clone(), -1);
        Ok(())
    }

    /// Takes from the inbox what was read, or everything when there is no one left to read it.
    fn clear(&self, step: &Step, lives: bool) -> Result<(), No> {
        if !lives {
            self.sql("DELETE FROM signals WHERE task = ?1")?.execute([step.row.id])?;
            return Ok(());
        }
        for signal in &step.read {
            self.sql("DELETE FROM signals WHERE id = ?1 AND task = ?2")?.execute([*signal, step.row.id])?;
        }
        Ok(())
    }

    /// Adds an entry to a history of so many events; says how many it has then.
    fn keep_history(&mut self, row: &TaskRow, history: Option<&History>, before: i64) -> Result<i64, No> {
        let Some(history) = history else {
            return Ok(before);
        };
        self.last_event += 1;
        let events = i64::try_from(history.events).unwrap_or(i64::MAX);
        self.sql("INSERT INTO history VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?.execute(params![
            self.last_event,
            row.id,
            history.revision,
            phase_number(row.phase),
            events,
            history.body,
        ])?;
        match before.saturating_add(events) {
            all if usize::try_from(all).is_ok_and(|all| all > EVENTS_MAX) => self.cut_history(row.id),
            all => Ok(all),
        }
    }

    /// Removes the oldest entries, as long as the rest has events enough; says how many events that has.
    fn cut_history(&self, task: i64) -> Result<i64, No> {
        let mut entries = self.sql("SELECT seq, events FROM history WHERE task = ?1 ORDER BY seq DESC")?;
        let mut entries = entries.query([task])?;
        let mut kept = 0_i64;
        while let Some(entry) = entries.next()? {
            let (seq, events): (i64, i64) = (entry.get(0)?, entry.get(1)?);
            kept = kept.saturating_add(events);
            if usize::try_from(kept).is_ok_and(|kept| kept >= EVENTS_KEPT) {
                self.sql("DELETE FROM history WHERE task = ?1 AND seq < ?2")?.execute([task, seq])?;
                break;
            }
        }
        Ok(kept)
    }

    fn deliver(&mut self, delivery: &Delivery<'_>, at: i64) -> Result<Option<SignalId>, No> {
        match delivery {
            Delivery::Birth(row) => self.insert(row, 0, 0, None).map(|()| None),
            Delivery::Word { task, json } => {
                let id = self.last_signal + 1;
                let body = self.sealer.seal(&signal_place(id), json)?;
                self.sql("INSERT INTO signals VALUES (?1, ?2, ?3)")?.execute(params![id, task, body])?;
                self.last_signal = id;
                self.wake(*task, at)?;
                Ok(Some(SignalId(id)))
            }
        }
    }

    fn has_mail(&self, task: i64) -> Result<bool, No> {
        let mut mail = self.sql("SELECT EXISTS (SELECT 1 FROM signals WHERE task = ?1)")?;
        Ok(mail.query_row([task], |row| row.get(0))?)
    }

    /// Makes a task due that has mail, unless it is doing something.
    fn wake(&self, task: i64, at: i64) -> Result<(), No> {
        self.sql("UPDATE tasks SET due = ?2 WHERE id = ?1 AND phase <> ?3 AND (due IS NULL OR due > ?2)")?
            .execute([task, at, phase_number(Phase::Doing)])?;
        Ok(())
    }

    fn count(&mut self, stand: Stand, tasks: i64) {
        *self.counts.entry(stand).or_default() += tasks;
    }

    pub(super) fn sql(&self, text: &str) -> Result<CachedStatement<'c>, rusqlite::Error> {
        self.db.prepare_cached(text)
    }
}

/// The columns id, due, epoch and body.
pub(super) fn found(row: &rusqlite::Row<'_>) -> rusqlite::Result<Found> {
    Ok(Found { id: row.get(0)?, due: row.get(1)?, epoch: row.get(2)?, body: row.get(3)? })
}
