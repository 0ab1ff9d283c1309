//! [`Sqlite`]: the store in one file. Writes go through one thread; reads have connections of their own.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};
use tokio::sync::Semaphore;

use crate::engine::edges::{
    Claim, Count, Entry, Receipt, Record, Refused, Shelf, Store, StoreError, Stretch, TaskQuery, Write,
};
use crate::model::names::{Address, ProcessId, TaskId};
use crate::model::task::{Phase, Task};
use crate::model::time::{Span, Timestamp};
use crate::store::leases::Leases;
use crate::store::rows::{
    EntryRow, RecordRow, Sealed, Stand, Taken, name, open, phase, phase_number, record_place, shelf_name,
};
use crate::store::seal::Sealer;
use crate::store::sqlite_batch::{Batch, found};
use crate::store::sqlite_schema::{self, Lock, Use, connect};
use crate::store::sqlite_writer::{Checkpointer, Log, Writer};

/// Connections that read at the same time.
const READERS: usize = 4;

/// The store in one file.
pub struct Sqlite {
    // Dropped in this order: who closes last checkpoints and removes the log, and must be able to write.
    readers: Arc<Readers>,
    writer: Writer,
    leases: Arc<Mutex<Leases>>,
    _checkpointer: Checkpointer,
    _lock: Lock,
}

struct Readers {
    path: PathBuf,
    sealer: Arc<Sealer>,
    permits: Arc<Semaphore>,
    idle: Mutex<Vec<Connection>>,
}

impl Sqlite {
    /// Opens the store at `path`, for this program alone; makes it if there is none.
    pub fn open(path: &Path, sealer: Sealer) -> Result<Sqlite, StoreError> {
        let lock = sqlite_schema::lock(path)?;
        let sealer = Arc::new(sealer);
        let db = sqlite_schema::prepare(path, &sealer)?;
        let log = Arc::new(Log::default());
        let checkpointer = Checkpointer::start(connect(path, Use::Checkpoint)?, Arc::clone(&log))?;
        let leases = Arc::default();
        let writer = Writer::start(db, Arc::clone(&sealer), Arc::clone(&leases), log)?;
        let readers = Arc::new(Readers {
            path: path.to_owned(),
            sealer,
            permits: Arc::new(Semaphore::new(READERS)),
            idle: Mutex::default(),
        });
        Ok(Sqlite { readers, writer, leases, _checkpointer: checkpointer, _lock: lock })
    }

    /// Lets the file grow no larger than `bytes`. Beyond that it answers as on a full disk.
    pub async fn limit(&self, bytes: u64) -> Result<(), StoreError> {
        self.writer
            .ask(move |batch| {
                let page: u64 =
                    batch.db.query_row("PRAGMA page_size", [], |row| row.get::<_, u32>(0))?.into();
                let pages = u32::try_from(bytes / page).unwrap_or(u32::MAX - 1);
                Ok(batch.db.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?)
            })
            .await
    }

    fn leases(&self) -> MutexGuard<'_, Leases> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads from one moment of the store.
    async fn look<T: Send + 'static>(
        &self,
        act: impl FnOnce(&Connection, &Sealer) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let readers = Arc::clone(&self.readers);
        let lost = |error: &dyn std::fmt::Display| StoreError::Lost(error.to_string());
        let permit = Arc::clone(&readers.permits).acquire_owned().await.map_err(|error| lost(&error))?;
        let look = move || {
            let _permit = permit;
            let db = readers.take()?;
            let seen = {
                let _moment = db.unchecked_transaction()?;
                act(&db, &readers.sealer)
            };
            readers.idle().push(db);
            seen
        };
        tokio::task::spawn_blocking(look).await.map_err(|error| lost(&error))?
    }
}

impl Readers {
    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Result<Connection, StoreError> {
        let idle = self.idle().pop();
        idle.map_or_else(|| connect(&self.path, Use::Read), Ok)
    }
}

#[async_trait]
impl Store for Sqlite {
    async fn claim(&self, now: Timestamp, lease: Span, limit: usize) -> Result<Vec<Claim>, StoreError> {
        let until = now + lease;
        let taken = self.writer.ask(move |batch| batch.claim(now, until, limit)).await?;
        let open = |it: Taken| {
            let id = it.found.id;
            // One that cannot be read must not stop the others. It is due again after its lease, and said
            // again.
            let claim = it.open(&self.readers.sealer);
            claim.inspect_err(|error| tracing::error!(task = id, %error, "a task cannot be run")).ok()
        };
        Ok(taken.into_iter().filter_map(open).collect())
    }

    async fn commit(&self, writes: Vec<Write>) -> Result<Vec<Result<Receipt, Refused>>, StoreError> {
        let seal = |write| Sealed::try_seal(write, &self.readers.sealer);
        let sealed = writes.iter().map(seal).collect::<Result<Vec<_>, _>>()?;
        let write = |batch: &mut Batch<'_>, sealed: &Result<Sealed, Refused>| match sealed {
            Ok(sealed) => batch.write(sealed),
            Err(refused) => Ok(Err(refused.clone())),
        };
        let act = move |batch: &mut Batch<'_>| sealed.iter().map(|it| write(batch, it)).collect();
        let done: Vec<Result<Receipt, Refused>> = self.writer.ask(act).await?;
        let mut leases = self.leases();
        for (write, done) in writes.iter().zip(&done) {
            if let (Write::Step(step), Ok(_)) = (write, done) {
                leases.end(step.task.id, step.task.turn);
            }
        }
        drop(leases);
        Ok(done)
    }

    async fn read(&self, addresses: &[Address]) -> Result<Vec<Option<Task>>, StoreError> {
        let addresses = addresses.to_vec();
        self.look(move |db, sealer| {
            addresses.iter().map(|address| task_at(db, sealer, "ended = 0", address)).collect()
        })
        .await
    }

    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        let leases = Arc::clone(&self.leases);
        self.look(move |db, _| {
            let leases = leases.lock().unwrap_or_else(PoisonError::into_inner);
            let mut next = leases.next_end();
            for ended in ["ended = 0", "ended > 0"] {
                next = next.into_iter().chain(first_free(db, ended, &leases)?).min();
            }
            Ok(next)
        })
        .await
    }

    async fn resume(&self, now: Timestamp) -> Result<u64, StoreError> {
        self.leases().clear();
        let resumed = self.writer.ask(move |batch| batch.resume(now)).await?;
        Ok(resumed as u64)
    }

    async fn rouse(&self, process: &ProcessId, now: Timestamp) -> Result<u64, StoreError> {
        let process = process.clone();
        let rouse = "UPDATE tasks SET due = ?2 WHERE process = ?1 AND phase IN (?3, ?4) AND due IS NULL";
        let (ready, waiting) = (phase_number(Phase::Ready), phase_number(Phase::Waiting));
        let roused = self.writer.ask(move |batch| {
            let mut rouse = batch.db.prepare_cached(rouse)?;
            Ok(rouse.execute(params![process.as_str(), now.0, ready, waiting])?)
        });
        Ok(roused.await? as u64)
    }

    async fn pull_due(&self, by: Span, after: TaskId, limit: usize) -> Result<Option<TaskId>, StoreError> {
        let by = i64::try_from(by.0).unwrap_or(i64::MAX);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let last = "SELECT max(id) FROM (SELECT id FROM tasks WHERE id > ?1 ORDER BY id LIMIT ?2)";
        // A sum beyond what a number holds would be no number any more.
        let pull = "UPDATE tasks SET due = max(due, ?1 + ?2) - ?1
                    WHERE id > ?3 AND id <= ?4 AND phase <> ?5 AND due IS NOT NULL";
        let pulled = self.writer.ask(move |batch| {
            let mut find = batch.db.prepare_cached(last)?;
            let last: Option<i64> = find.query_row(params![after.0, limit], |row| row.get(0))?;
            if let Some(last) = last {
                let doing = phase_number(Phase::Doing);
                batch.db.prepare_cached(pull)?.execute(params![by, i64::MIN, after.0, last, doing])?;
            }
            Ok(last.map(TaskId))
        });
        pulled.await
    }

    async fn task(&self, id: TaskId) -> Result<Option<Task>, StoreError> {
        self.look(move |db, sealer| task_of(db, sealer, id.0)).await
    }

    async fn find(&self, address: &Address) -> Result<Option<Task>, StoreError> {
        let address = address.clone();
        self.look(move |db, sealer| match task_at(db, sealer, "ended = 0", &address)? {
            Some(task) => Ok(Some(task)),
            None => task_at(db, sealer, "ended > 0 ORDER BY ended DESC, id DESC LIMIT 1", &address),
        })
        .await
    }

    async fn tasks(&self, query: &TaskQuery) -> Result<Vec<Task>, StoreError> {
        let query = query.clone();
        self.look(move |db, sealer| {
            let ids = select(db, &query)?;
            ids.into_iter().filter_map(|id| task_of(db, sealer, id).transpose()).collect()
        })
        .await
    }

    async fn named(&self, among: &[ProcessId], prefix: &str, limit: usize) -> Result<Vec<Task>, StoreError> {
        let (among, prefix) = (among.to_vec(), prefix.to_owned());
        self.look(move |db, sealer| {
            let mut ids: Vec<i64> = Vec::new();
            let mut some = db.prepare_cached(&format!("SELECT id FROM tasks WHERE {BEGINS} LIMIT ?3"))?;
            for process in among {
                let left = number(limit.saturating_sub(ids.len()));
                let found = some.query_map(params![process.as_str(), prefix, left], |row| row.get(0))?;
                ids.extend(found.collect::<Result<Vec<i64>, _>>()?);
                if ids.len() == limit {
                    break;
                }
            }
            ids.into_iter().filter_map(|id| task_of(db, sealer, id).transpose()).collect()
        })
        .await
    }

    async fn trail(&self, id: TaskId, after: u64, limit: usize) -> Result<Vec<Entry>, StoreError> {
        self.look(move |db, sealer| entries(db, sealer, "trail.task = ?3 AND", after, limit, Some(id.0)))
            .await
    }

    async fn events(&self, after: u64, limit: usize) -> Result<Vec<Entry>, StoreError> {
        self.look(move |db, sealer| entries(db, sealer, "?3 IS NULL AND", after, limit, None)).await
    }

    async fn last_event(&self) -> Result<u64, StoreError> {
        let last: i64 = self.look(|db, _| one(db, "SELECT last_event FROM store")).await?;
        Ok(last.cast_unsigned())
    }

    async fn counts(&self, process: Option<&ProcessId>) -> Result<Vec<Count>, StoreError> {
        let count = |((process, node, phase), tasks): (Stand, i64)| Count {
            process,
            node,
            phase,
            tasks: tasks.cast_unsigned(),
        };
        let process = process.cloned();
        let stands = self.look(move |db, _| stands(db, process.as_ref())).await?;
        Ok(stands.into_iter().map(count).collect())
    }

    async fn alarms(&self, limit: usize) -> Result<Vec<Task>, StoreError> {
        let alarms = "SELECT id, due, turn, body FROM tasks WHERE alarm = 1 ORDER BY id LIMIT ?1";
        self.look(move |db, sealer| {
            let mut alarms = db.prepare_cached(alarms)?;
            let found = alarms.query_map([number(limit)], found)?;
            found.map(|found| found?.open(sealer)).collect()
        })
        .await
    }

    async fn keep(&self, records: Vec<Record>) -> Result<(), StoreError> {
        let seal = |record: &Record| RecordRow::seal(record, &self.readers.sealer);
        let sealed = records.iter().map(seal).collect::<Result<Vec<_>, _>>()?;
        self.writer.ask(move |batch| sealed.iter().try_for_each(|record| batch.keep(record))).await
    }

    async fn forget(&self, on: Shelf, name: &str) -> Result<bool, StoreError> {
        let name = name.to_owned();
        self.writer
            .ask(move |batch| {
                let mut forget =
                    batch.db.prepare_cached("DELETE FROM records WHERE shelf = ?1 AND name = ?2")?;
                Ok(forget.execute([shelf_name(on), &name])? > 0)
            })
            .await
    }

    async fn shelf(&self, on: Shelf) -> Result<Vec<Record>, StoreError> {
        self.look(move |db, sealer| records(db, sealer, on, "TRUE ORDER BY name", &[])).await
    }

    async fn record(&self, on: Shelf, name: &str) -> Result<Option<Record>, StoreError> {
        let name = name.to_owned();
        let found = self.look(move |db, sealer| records(db, sealer, on, "name = ?2", &[name.into()]));
        Ok(found.await?.pop())
    }

    async fn stretch(&self, it: &Stretch) -> Result<Vec<Record>, StoreError> {
        let order = if it.backwards { "DESC" } else { "ASC" };
        let which = format!("name >= ?2 AND name < ?3 ORDER BY name {order} LIMIT ?4");
        let (on, range) =
            (it.shelf, [it.from.clone().into(), it.before.clone().into(), number(it.limit).into()]);
        self.look(move |db, sealer| records(db, sealer, on, &which, &range)).await
    }

    async fn forget_before(&self, on: Shelf, name: &str) -> Result<u64, StoreError> {
        let name = name.to_owned();
        let forgot = self.writer.ask(move |batch| {
            let forget = "DELETE FROM records WHERE shelf = ?1 AND name < ?2";
            Ok(batch.db.prepare_cached(forget)?.execute([shelf_name(on), &name])?)
        });
        Ok(forgot.await? as u64)
    }

    async fn probe(&self) -> Result<(), StoreError> {
        match self.writer.committed_lately() {
            true => Ok(()),
            false => self.writer.ask(|batch| batch.probe()).await,
        }
    }
}

/// A ref of process `?1` that begins with `?2`. No UTF-8 has the byte FF: whatever begins so is less than the
/// prefix with that byte behind it, and nothing else is.
const BEGINS: &str = "process = ?1 AND ref >= ?2 AND ref < ?2 || CAST(x'FF' AS TEXT)";

fn task_of(db: &Connection, sealer: &Sealer, id: i64) -> Result<Option<Task>, StoreError> {
    let mut task = db.prepare_cached("SELECT id, due, turn, body FROM tasks WHERE id = ?1")?;
    task.query_row([id], found).optional()?.map(|found| found.open(sealer)).transpose()
}

fn task_at(
    db: &Connection,
    sealer: &Sealer,
    which: &str,
    address: &Address,
) -> Result<Option<Task>, StoreError> {
    let at = format!("SELECT id, due, turn, body FROM tasks WHERE process = ?1 AND ref = ?2 AND {which}");
    let names = [address.process.as_str(), address.reference.as_str()];
    let found = db.prepare_cached(&at)?.query_row(names, found).optional()?;
    found.map(|found| found.open(sealer)).transpose()
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
fn stands(db: &Connection, process: Option<&ProcessId>) -> Result<Vec<(Stand, i64)>, StoreError> {
    let which = if process.is_some() { "WHERE process = ?1" } else { "WHERE ?1 IS NULL" };
    let mut stands = db.prepare_cached(&format!(
        "SELECT process, node, phase, tasks FROM counts {which} ORDER BY process"
    ))?;
    let mut rows = stands.query([process.map(ProcessId::as_str)])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let (process, node): (String, String) = (row.get(0)?, row.get(1)?);
        found.push(((name(&process)?, name(&node)?, phase(row.get(2)?)?), row.get(3)?));
    }
    Ok(found)
}

fn entries(
    db: &Connection,
    sealer: &Sealer,
    which: &str,
    after: u64,
    limit: usize,
    task: Option<i64>,
) -> Result<Vec<Entry>, StoreError> {
    let mut entries = db.prepare_cached(&format!(
        "SELECT seq, trail.task, process, ref, trail.phase, trail.revision, trail.body
         FROM trail JOIN tasks ON tasks.id = trail.task WHERE {which} seq > ?1 ORDER BY seq LIMIT ?2"
    ))?;
    let after = i64::try_from(after).unwrap_or(i64::MAX);
    let found = entries.query_map(params![after, number(limit), task], |row| {
        Ok(EntryRow {
            seq: row.get(0)?,
            task: row.get(1)?,
            process: row.get(2)?,
            reference: row.get(3)?,
            phase: row.get(4)?,
            revision: row.get(5)?,
            body: row.get(6)?,
        })
    })?;
    found.map(|entry| entry?.open(sealer)).collect()
}

fn records(
    db: &Connection,
    sealer: &Sealer,
    on: Shelf,
    which: &str,
    rest: &[Value],
) -> Result<Vec<Record>, StoreError> {
    let shelf = shelf_name(on);
    let some = format!("SELECT name, at, value FROM records WHERE shelf = ?1 AND {which}");
    let mut records = db.prepare_cached(&some)?;
    let mut rows = records.query(params_from_iter([Value::from(shelf.to_owned())].iter().chain(rest)))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let (name, value): (String, Vec<u8>) = (row.get(0)?, row.get(2)?);
        let value = open(sealer, &record_place(shelf, &name), &value)?;
        found.push(Record { shelf: on, name, value, at: Timestamp(row.get(1)?) });
    }
    Ok(found)
}

/// When the first of those that nobody holds is due.
fn first_free(db: &Connection, which: &str, leases: &Leases) -> Result<Option<Timestamp>, StoreError> {
    let mut due = db.prepare_cached(&format!(
        "SELECT id, due FROM tasks WHERE due IS NOT NULL AND {which} ORDER BY due"
    ))?;
    let mut rows = due.query([])?;
    while let Some(row) = rows.next()? {
        if !leases.knows(TaskId(row.get(0)?)) {
            return Ok(Some(Timestamp(row.get(1)?)));
        }
    }
    Ok(None)
}

fn one<T: rusqlite::types::FromSql>(db: &Connection, sql: &str) -> Result<T, StoreError> {
    Ok(db.prepare_cached(sql)?.query_row([], |row| row.get(0))?)
}

fn number(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
