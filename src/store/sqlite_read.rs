//! [`Look`]: one moment of the store, as a reader sees it. A row that cannot be read is noted and left out;
//! only who asks for that very row is told.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, ToSql, params, params_from_iter};

use crate::engine::damage::{Damage, Damaged};
use crate::engine::ports::{AlarmCounts, Collection, HistoryEntry, Record, StoreError, Stretch, TaskQuery};
use crate::model::names::{Address, ProcessId, TaskId};
use crate::model::task::Task;
use crate::model::time::Timestamp;
use crate::store::rows::{
    EntryRow, Stand, TOLD, UNDELIVERED, history_place, name, open, phase, phase_number, task_place,
};
use crate::store::seal::Sealer;
use crate::store::sqlite_batch::found;

/// A ref of process `?1` that begins with `?2`. No UTF-8 has the byte FF: whatever begins so is less than the
/// prefix with that byte behind it, and nothing else is.
const BEGINS: &str = "process = ?1 AND ref >= ?2 AND ref < ?2 || CAST(x'FF' AS TEXT)";

/// One moment of the store.
pub(super) struct Look<'a> {
    pub(super) db: &'a Connection,
    pub(super) sealer: &'a Sealer,
    pub(super) damage: &'a Damage,
}

impl Look<'_> {
    /// The task of that number. An error if its row is damaged.
    pub(super) fn task(&self, id: i64) -> Result<Option<Task>, StoreError> {
        let read = || {
            let mut task = self.db.prepare_cached("SELECT id, due, epoch, body FROM tasks WHERE id = ?1")?;
            task.query_row([id], found).optional()?.map(|found| found.open(self.sealer)).transpose()
        };
        read().inspect_err(|error| self.note_task(id, error))
    }

    /// The same; none if its row is damaged.
    pub(super) fn whole_task(&self, id: i64) -> Result<Option<Task>, StoreError> {
        whole(self.task(id)).map(Option::flatten)
    }

    /// The task at `address` that lives, or the one that `which` says.
    pub(super) fn task_at(&self, which: &str, address: &Address) -> Result<Option<Task>, StoreError> {
        let at = format!("SELECT id FROM tasks WHERE process = ?1 AND ref = ?2 AND {which}");
        let names = [address.process.as_str(), address.reference.as_str()];
        let id = self.db.prepare_cached(&at)?.query_row(names, |row| row.get(0)).optional()?;
        id.map_or(Ok(None), |id| self.task(id))
    }

    pub(super) fn keyed(&self, hash: &[u8]) -> Result<Option<Task>, StoreError> {
        let mut known = self.db.prepare_cached("SELECT id FROM tasks WHERE idempotency = ?1")?;
        let id = known.query_row([hash], |row| row.get(0)).optional()?;
        id.map_or(Ok(None), |id| self.task(id))
    }

    /// The live task at `address`; none if its row is damaged.
    pub(super) fn live(&self, address: &Address) -> Result<Option<Task>, StoreError> {
        whole(self.task_at("ended = 0", address)).map(Option::flatten)
    }

    /// The tasks that a query asks for. What is damaged is left out, and others come in its place.
    pub(super) fn tasks(&self, query: &TaskQuery) -> Result<Vec<Task>, StoreError> {
        let (mut tasks, mut query, wanted) = (Vec::new(), query.clone(), query.limit);
        loop {
            let ids = select(self.db, &query)?;
            let is_last = ids.len() < query.limit;
            query.after = ids.last().map(|id| TaskId(*id)).or(query.after);
            for id in ids {
                tasks.extend(self.whole_task(id)?);
            }
            query.limit = wanted - tasks.len();
            if is_last || query.limit == 0 {
                return Ok(tasks);
            }
        }
    }

    /// Some tasks of these processes whose ref begins so.
    pub(super) fn named(
        &self,
        among: &[ProcessId],
        prefix: &str,
        limit: usize,
    ) -> Result<Vec<Task>, StoreError> {
        let mut ids: Vec<i64> = Vec::new();
        let mut some = self.db.prepare_cached(&format!("SELECT id FROM tasks WHERE {BEGINS} LIMIT ?3"))?;
        for process in among {
            let left = number(limit.saturating_sub(ids.len()));
            let found = some.query_map(params![process.as_str(), prefix, left], |row| row.get(0))?;
            ids.extend(found.collect::<Result<Vec<i64>, _>>()?);
            if ids.len() == limit {
                break;
            }
        }
        ids.into_iter().filter_map(|id| self.whole_task(id).transpose()).collect()
    }

    /// Live tasks with an open alarm.
    pub(super) fn alarms(&self, after: Option<TaskId>, limit: usize) -> Result<Vec<Task>, StoreError> {
        let alarms = "SELECT id FROM tasks WHERE alarm > 0 AND id > ?1 ORDER BY id LIMIT ?2";
        let mut alarms = self.db.prepare_cached(alarms)?;
        let from = [after.map_or(i64::MIN, |it| it.0), number(limit)];
        let ids = alarms.query_map(from, |row| row.get(0))?.collect::<Result<Vec<i64>, _>>()?;
        ids.into_iter().filter_map(|id| self.whole_task(id).transpose()).collect()
    }

    /// How many alarms are open, and how they fare. A row from before the column told that is opened.
    pub(super) fn alarm_counts(&self) -> Result<AlarmCounts, StoreError> {
        let by_state = "SELECT alarm, count(*) FROM tasks WHERE alarm > 0 AND alarm < 4 GROUP BY alarm";
        let mut counts = AlarmCounts::default();
        let mut by_state = self.db.prepare_cached(by_state)?;
        for row in by_state.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))? {
            let (state, tasks): (i64, i64) = row?;
            let tasks = u64::try_from(tasks).unwrap_or(0);
            match state {
                UNDELIVERED => counts.undelivered = tasks,
                TOLD => counts.notified = tasks,
                _ => counts.acknowledged = tasks,
            }
        }
        let mut before = self.db.prepare_cached("SELECT id FROM tasks WHERE alarm >= 4")?;
        let ids = before.query_map([], |row| row.get(0))?.collect::<Result<Vec<i64>, _>>()?;
        for id in ids {
            let alarm = self.whole_task(id)?.and_then(|task| task.alarm);
            if let Some(alarm) = &alarm {
                counts.count(alarm);
            }
        }
        Ok(counts)
    }

    /// Entries after `after`, of one task or of all. What is damaged is left out, and others come in its
    /// place.
    pub(super) fn entries(
        &self,
        task: Option<i64>,
        after: u64,
        limit: usize,
    ) -> Result<Vec<HistoryEntry>, StoreError> {
        let which = if task.is_some() { "task = ?3" } else { "?3 IS NULL" };
        let sql = format!(
            "SELECT seq, task, phase, revision, body FROM history
             WHERE seq > ?1 AND {which} ORDER BY seq LIMIT ?2"
        );
        let (mut entries, mut after) = (Vec::new(), i64::try_from(after).unwrap_or(i64::MAX));
        while entries.len() < limit {
            let asked = limit - entries.len();
            let rows = self.scan("history", &sql, after, asked, task)?;
            let is_last = rows.len() < asked;
            after = rows.last().map_or(after, |row| row.seq);
            for row in rows {
                entries.extend(self.entry(row)?);
            }
            if is_last {
                break;
            }
        }
        Ok(entries)
    }

    fn entry(&self, row: EntryRow) -> Result<Option<HistoryEntry>, StoreError> {
        let (place, task) = (history_place(row.task, row.revision), row.task);
        let read = || {
            let mut names = self.db.prepare_cached("SELECT process, ref FROM tasks WHERE id = ?1")?;
            let names = names.query_row([task], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
            names.map(|names| row.open(names, self.sealer)).transpose()
        };
        whole(read().inspect_err(|error| self.note(&place, Some(task), error))).map(Option::flatten)
    }

    /// Rows of the history. Where SQLite itself cannot read on, it is looked for the next row that can be
    /// read.
    fn scan(
        &self,
        table: &str,
        sql: &str,
        after: i64,
        limit: usize,
        task: Option<i64>,
    ) -> Result<Vec<EntryRow>, StoreError> {
        let (mut rows, mut after, mut step): (Vec<EntryRow>, _, i64) = (Vec::new(), after, 1);
        while rows.len() < limit && after < i64::MAX {
            let known = rows.len();
            let done = self.scan_on(sql, after, limit - known, task, &mut rows);
            let Err(error @ StoreError::Corrupt(_)) = done else { return done.map(|()| rows) };
            self.note(&format!("table {table}"), None, &error);
            match rows.last().filter(|_| rows.len() > known) {
                Some(row) => (after, step) = (row.seq, 1),
                None => (after, step) = (after.saturating_add(step), step.saturating_mul(2)),
            }
        }
        Ok(rows)
    }

    fn scan_on(
        &self,
        sql: &str,
        after: i64,
        limit: usize,
        task: Option<i64>,
        into: &mut Vec<EntryRow>,
    ) -> Result<(), StoreError> {
        let mut entries = self.db.prepare_cached(sql)?;
        let mut rows = entries.query(params![after, number(limit), task])?;
        while let Some(row) = rows.next()? {
            into.push(EntryRow {
                seq: row.get(0)?,
                task: row.get(1)?,
                phase: row.get(2)?,
                revision: row.get(3)?,
                body: row.get(4)?,
            });
        }
        Ok(())
    }

    /// One record. An error if it is damaged.
    pub(super) fn record(&self, on: Collection, name: &str) -> Result<Option<Record>, StoreError> {
        let read = || {
            let mut one = self
                .db
                .prepare_cached("SELECT at, value FROM records WHERE collection = ?1 AND name = ?2")?;
            let found =
                one.query_row([on.as_str(), name], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
            let Some((at, value)): Option<(i64, Vec<u8>)> = found else { return Ok(None) };
            let value = open(self.sealer, &on.place(name), &value)?;
            Ok(Some(Record { collection: on, name: name.to_owned(), value, at: Timestamp(at) }))
        };
        read().inspect_err(|error| self.note(&on.place(name), None, error))
    }

    /// The records of a collection, by name, without those that are damaged.
    pub(super) fn collection(&self, on: Collection) -> Result<Vec<Record>, StoreError> {
        let names =
            self.names("SELECT name FROM records WHERE collection = ?1 ORDER BY name", params![on.as_str()])?;
        names.iter().filter_map(|name| self.whole_record(on, name).transpose()).collect()
    }

    /// The records of a stretch. What is damaged is left out, and others come in its place.
    pub(super) fn stretch(&self, stretch: &Stretch) -> Result<Vec<Record>, StoreError> {
        let order = if stretch.backwards { "DESC" } else { "ASC" };
        let sql = format!(
            "SELECT name FROM records WHERE collection = ?1 AND name >= ?2 AND name < ?3
             ORDER BY name {order} LIMIT ?4"
        );
        let (mut records, mut left) = (Vec::new(), stretch.clone());
        loop {
            left.limit = stretch.limit - records.len();
            let range = params![left.collection.as_str(), left.from, left.before, number(left.limit)];
            let names = self.names(&sql, range)?;
            for name in &names {
                records.extend(self.whole_record(left.collection, name)?);
            }
            let Some(last) = names.last().filter(|_| names.len() == left.limit) else { return Ok(records) };
            match stretch.backwards {
                true => left.before.clone_from(last),
                false => left.from = format!("{last}\0"),
            }
            if records.len() == stretch.limit {
                return Ok(records);
            }
        }
    }

    fn whole_record(&self, on: Collection, name: &str) -> Result<Option<Record>, StoreError> {
        whole(self.record(on, name)).map(Option::flatten)
    }

    fn names(&self, sql: &str, which: &[&dyn ToSql]) -> Result<Vec<String>, StoreError> {
        let mut names = self.db.prepare_cached(sql)?;
        Ok(names.query_map(which, |row| row.get(0))?.collect::<Result<_, _>>()?)
    }

    /// A task's row cannot be read.
    fn note_task(&self, id: i64, error: &StoreError) {
        self.note(&task_place(id), Some(id), error);
    }

    /// Notes what is damaged, but not that the store is out of reach.
    pub(super) fn note(&self, place: &str, task: Option<i64>, error: &StoreError) {
        let StoreError::Corrupt(why) = error else { return };
        let task = task.and_then(|id| address_of(self.db, id));
        self.damage.found(Damaged { place: place.to_owned(), task, why: why.clone() });
    }
}

/// Nothing, where a row is damaged; other errors are of the whole store.
pub(super) fn whole<T>(read: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
    match read {
        Ok(it) => Ok(Some(it)),
        Err(StoreError::Corrupt(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The name of a task, as far as its row can be read.
fn address_of(db: &Connection, id: i64) -> Option<Address> {
    let mut names = db.prepare_cached("SELECT process, ref FROM tasks WHERE id = ?1").ok()?;
    let (process, reference): (String, String) =
        names.query_row([id], |row| Ok((row.get(0)?, row.get(1)?))).ok()?;
    Some(Address { process: name(&process).ok()?, reference: name(&reference).ok()? })
}

/// The ids that a query asks for.
fn select(db: &Connection, query: &TaskQuery) -> Result<Vec<i64>, StoreError> {
    let (which, places) = places(db, query)?;
    let some = format!("SELECT id FROM tasks WHERE id > ?1 AND {which} ORDER BY id LIMIT ?2");
    let mut some = db.prepare_cached(&some)?;
    let range: [Value; 2] = [query.after.map_or(i64::MIN, |id| id.0).into(), number(query.limit).into()];
    let mut ids = Vec::new();
    for place in places {
        let found = some.query_map(params_from_iter(range.iter().chain(&place)), |row| row.get(0))?;
        ids.extend(found.collect::<Result<Vec<i64>, _>>()?);
    }
    ids.sort_unstable();
    ids.truncate(query.limit);
    Ok(ids)
}

/// Where to look for what a query asks for. Each place is asked for its first tasks, so that a few among
/// millions are found at once, without an index for every way to narrow.
fn places(db: &Connection, query: &TaskQuery) -> Result<(&'static str, Vec<Vec<Value>>), StoreError> {
    let TaskQuery { process, node, phase, ref_prefix, .. } = query;
    if process.is_none() && node.is_none() && phase.is_none() && ref_prefix.is_none() {
        return Ok(("TRUE", vec![Vec::new()]));
    }
    let mut stands: Vec<Stand> = stands(db, process.as_ref())?.into_iter().map(|(stand, _)| stand).collect();
    stands.retain(|stand| {
        node.as_ref().is_none_or(|it| *it == stand.1) && phase.is_none_or(|it| it == stand.2)
    });
    let text = |it: &str| Value::from(it.to_owned());
    let Some(prefix) = ref_prefix else {
        let place = |(process, node, phase): &Stand| {
            vec![text(process.as_str()), text(node.as_str()), phase_number(*phase).into()]
        };
        return Ok(("process = ?3 AND node = ?4 AND phase = ?5", stands.iter().map(place).collect()));
    };
    stands.dedup_by(|one, other| one.0 == other.0);
    let place = |(process, ..): &Stand| {
        let node = node.as_ref().map(|it| it.as_str().to_owned());
        vec![text(process.as_str()), text(prefix), node.into(), phase.map(phase_number).into()]
    };
    // No UTF-8 has the byte FF: whatever begins with the prefix is less than this, and nothing else is.
    let which = "process = ?3 AND ref >= ?4 AND ref < ?4 || CAST(x'FF' AS TEXT)
                 AND (?5 IS NULL OR node = ?5) AND (?6 IS NULL OR phase = ?6)";
    Ok((which, stands.iter().map(place).collect()))
}

/// Where tasks stand, and how many; of all processes if none is given.
pub(super) fn stands(db: &Connection, process: Option<&ProcessId>) -> Result<Vec<(Stand, i64)>, StoreError> {
    let which = if process.is_some() { "WHERE process = ?1" } else { "WHERE ?1 IS NULL" };
    let mut stands = db.prepare_cached(&format!(
        "SELECT process, node, phase, tasks FROM counts {which} ORDER BY process"
    ))?;
    let mut rows = stands.query([process.map(ProcessId::as_str)])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let (process, node): (String, String) = (row.get(0)?, row.get(1)?);
        // A count under a name that is none says nothing; the rest is counted.
        if let (Ok(process), Ok(node), Ok(phase)) = (name(&process), name(&node), phase(row.get(2)?)) {
            found.push(((process, node, phase), row.get(3)?));
        }
    }
    Ok(found)
}

pub(super) fn one<T: rusqlite::types::FromSql>(db: &Connection, sql: &str) -> Result<T, StoreError> {
    Ok(db.prepare_cached(sql)?.query_row([], |row| row.get(0))?)
}

pub(super) fn number(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
