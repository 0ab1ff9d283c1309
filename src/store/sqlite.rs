//! [`Sqlite`]: the store in one file. Writes go through one thread; reads have connections of their own.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use rusqlite::{Connection, params};
use tokio::sync::Semaphore;

use crate::engine::damage::{Damage, Damaged};
use crate::engine::ports::{
    AlarmCounts, CheckMark, Checked, Claim, Collection, Count, DiskRoom, HistoryEntry, Receipt, Record,
    Refused, Store, StoreError, Stretch, TaskQuery, Write,
};
use crate::engine::transition::SignalId;
use crate::model::names::{Address, ProcessId, TaskId};
use crate::model::task::{Phase, Task};
use crate::model::time::{Span, Timestamp};
use crate::store::leases::Leases;
use crate::store::rows::{
    RecordRow, Sealed, Stand, Taken, key_hash, open, phase_number, signal_place, task_place,
};
use crate::store::seal::Sealer;
use crate::store::sqlite_batch::Batch;
use crate::store::sqlite_read::{Look, one, stands};
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
    damage: Arc<Damage>,
    permits: Arc<Semaphore>,
    idle: Mutex<Vec<Connection>>,
}

impl Sqlite {
    /// Opens the store at `path`, for this program alone; makes it if there is none.
    pub fn open(path: &Path, sealer: Sealer) -> Result<Sqlite, StoreError> {
        let lock = sqlite_schema::lock(path)?;
        let sealer = Arc::new(sealer);
        let damage = Arc::new(Damage::default());
        let log = Arc::new(Log::of(path));
        let db = match sqlite_schema::prepare(path, &sealer, &damage) {
            // To open it takes a little room.
            Err(error) if log.ballast.may_help(&error) && log.ballast.give_up() => {
                sqlite_schema::prepare(path, &sealer, &damage)?
            }
            opened => opened?,
        };
        let checkpointer = Checkpointer::start(connect(path, Use::Checkpoint)?, Arc::clone(&log))?;
        let leases = Arc::default();
        let writer = Writer::start(db, Arc::clone(&sealer), Arc::clone(&leases), log)?;
        let readers = Arc::new(Readers {
            path: path.to_owned(),
            sealer,
            damage,
            permits: Arc::new(Semaphore::new(READERS)),
            idle: Mutex::default(),
        });
        Ok(Sqlite { readers, writer, leases, _checkpointer: checkpointer, _lock: lock })
    }

    /// Keeps a file beside the store that is given up when the disk is full, so that what was received can
    /// still be committed, and made again when there is room.
    pub fn keep_ballast(&self) {
        self.writer.log.ballast.keep();
        self.writer.log.ballast.refresh();
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

    /// Nobody claims that task any more while this store is open: its row cannot be read.
    async fn set_aside(&self, id: i64, error: &StoreError) {
        self.leases().set_aside(TaskId(id));
        // Whoever reads it notes its name too, as far as that can be read.
        drop(self.look(move |look| look.whole_task(id).map(drop)).await);
        self.readers.damage.found(damaged(task_place(id), None, error));
    }

    /// Opens what was claimed. What cannot be read is set aside.
    async fn open_claims(&self, taken: Vec<Taken>) -> Result<Vec<Claim>, StoreError> {
        let Readers { sealer, damage, .. } = &*self.readers;
        let (mut claims, mut signals) = (Vec::with_capacity(taken.len()), Vec::new());
        for Taken { found, signals: inbox } in taken {
            let id = found.id;
            let task = match found.open(sealer) {
                Ok(task) => task,
                Err(error) => {
                    self.set_aside(id, &error).await;
                    continue;
                }
            };
            let mut claim = Claim { task, signals: Vec::with_capacity(inbox.len()) };
            for (id, body) in inbox {
                match open(sealer, &signal_place(id), &body) {
                    Ok(signal) => claim.signals.push((SignalId(id), signal)),
                    Err(error) => {
                        damage.found(damaged(signal_place(id), Some(claim.task.address()), &error));
                        signals.push(id);
                    }
                }
            }
            claims.push(claim);
        }
        if !signals.is_empty() {
            self.writer.ask(move |batch| batch.lay_aside(&signals)).await?;
        }
        Ok(claims)
    }

    fn leases(&self) -> MutexGuard<'_, Leases> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads from one moment of the store.
    async fn look<T: Send + 'static>(
        &self,
        act: impl FnOnce(&Look<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let readers = Arc::clone(&self.readers);
        let lost = |error: &dyn std::fmt::Display| StoreError::Lost(error.to_string());
        let permit = Arc::clone(&readers.permits).acquire_owned().await.map_err(|error| lost(&error))?;
        let look = move || {
            let _permit = permit;
            let db = readers.take()?;
            let seen = {
                let _moment = db.unchecked_transaction()?;
                act(&Look { db: &db, sealer: &readers.sealer, damage: &readers.damage })
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
        let (taken, damaged) = self.writer.ask(move |batch| batch.claim(now, until, limit)).await?;
        for (id, error) in damaged {
            self.set_aside(id, &error).await;
        }
        self.open_claims(taken).await
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
                leases.end(step.task.id, step.task.epoch);
            }
        }
        drop(leases);
        Ok(done)
    }

    async fn read(&self, addresses: &[Address]) -> Result<Vec<Option<Task>>, StoreError> {
        let addresses = addresses.to_vec();
        self.look(move |look| addresses.iter().map(|address| look.live(address)).collect()).await
    }

    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        let leases = Arc::clone(&self.leases);
        self.look(move |look| {
            let leases = leases.lock().unwrap_or_else(PoisonError::into_inner);
            let mut next = leases.next_end();
            for ended in ["ended = 0", "ended > 0"] {
                next = next.into_iter().chain(first_free(look.db, ended, &leases)?).min();
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

    async fn wake_parked(&self, process: &ProcessId, now: Timestamp) -> Result<u64, StoreError> {
        let process = process.clone();
        let wake_parked =
            "UPDATE tasks SET due = ?2 WHERE process = ?1 AND phase IN (?3, ?4) AND due IS NULL";
        let (ready, waiting) = (phase_number(Phase::Ready), phase_number(Phase::Waiting));
        let woken = self.writer.ask(move |batch| {
            let mut wake_parked = batch.db.prepare_cached(wake_parked)?;
            Ok(wake_parked.execute(params![process.as_str(), now.0, ready, waiting])?)
        });
        Ok(woken.await? as u64)
    }

    async fn pull_due(&self, by: Span, after: TaskId, limit: usize) -> Result<Option<TaskId>, StoreError> {
        let back = i64::try_from(by.0).unwrap_or(i64::MAX);
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
                batch.db.prepare_cached(pull)?.execute(params![back, i64::MIN, after.0, last, doing])?;
            }
            Ok(last.map(TaskId))
        });
        let pulled = pulled.await?;
        if after == TaskId::FIRST {
            self.leases().pull(by);
        }
        Ok(pulled)
    }

    async fn task(&self, id: TaskId) -> Result<Option<Task>, StoreError> {
        self.look(move |look| look.task(id.0)).await
    }

    async fn find(&self, address: &Address) -> Result<Option<Task>, StoreError> {
        let address = address.clone();
        self.look(move |look| match look.task_at("ended = 0", &address)? {
            Some(task) => Ok(Some(task)),
            None => look.task_at("ended > 0 ORDER BY ended DESC, id DESC LIMIT 1", &address),
        })
        .await
    }

    async fn keyed(&self, key: &str) -> Result<Option<Task>, StoreError> {
        let hash = key_hash(key);
        self.look(move |look| look.keyed(&hash)).await
    }

    async fn tasks(&self, query: &TaskQuery) -> Result<Vec<Task>, StoreError> {
        let query = query.clone();
        self.look(move |look| look.tasks(&query)).await
    }

    async fn named(&self, among: &[ProcessId], prefix: &str, limit: usize) -> Result<Vec<Task>, StoreError> {
        let (among, prefix) = (among.to_vec(), prefix.to_owned());
        self.look(move |look| look.named(&among, &prefix, limit)).await
    }

    async fn history(&self, id: TaskId, after: u64, limit: usize) -> Result<Vec<HistoryEntry>, StoreError> {
        self.look(move |look| look.entries(Some(id.0), after, limit)).await
    }

    async fn events(&self, after: u64, limit: usize) -> Result<Vec<HistoryEntry>, StoreError> {
        self.look(move |look| look.entries(None, after, limit)).await
    }

    async fn last_event(&self) -> Result<u64, StoreError> {
        let last: i64 = self.look(|look| one(look.db, "SELECT last_event FROM store")).await?;
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
        let stands = self.look(move |look| stands(look.db, process.as_ref())).await?;
        Ok(stands.into_iter().map(count).collect())
    }

    async fn alarms(&self, after: Option<TaskId>, limit: usize) -> Result<Vec<Task>, StoreError> {
        self.look(move |look| look.alarms(after, limit)).await
    }

    async fn alarm_counts(&self) -> Result<AlarmCounts, StoreError> {
        self.look(alarm_counts).await
    }

    async fn put(&self, records: Vec<Record>) -> Result<(), StoreError> {
        let seal = |record: &Record| RecordRow::seal(record, &self.readers.sealer);
        let places: Vec<String> = records.iter().map(|it| it.collection.place(&it.name)).collect();
        let sealed = records.iter().map(seal).collect::<Result<Vec<_>, _>>()?;
        self.writer.ask(move |batch| sealed.iter().try_for_each(|record| batch.keep(record))).await?;
        for place in &places {
            self.readers.damage.healed(place);
        }
        Ok(())
    }

    async fn delete(&self, on: Collection, name: &str) -> Result<bool, StoreError> {
        let name = name.to_owned();
        self.writer
            .ask(move |batch| {
                let mut forget =
                    batch.db.prepare_cached("DELETE FROM records WHERE collection = ?1 AND name = ?2")?;
                Ok(forget.execute([on.as_str(), &name])? > 0)
            })
            .await
    }

    async fn collection(&self, on: Collection) -> Result<Vec<Record>, StoreError> {
        self.look(move |look| look.collection(on)).await
    }

    async fn record(&self, on: Collection, name: &str) -> Result<Option<Record>, StoreError> {
        let name = name.to_owned();
        self.look(move |look| look.record(on, &name)).await
    }

    async fn scan(&self, it: &Stretch) -> Result<Vec<Record>, StoreError> {
        let it = it.clone();
        self.look(move |look| look.stretch(&it)).await
    }

    async fn delete_before(&self, on: Collection, name: &str) -> Result<u64, StoreError> {
        let name = name.to_owned();
        let forgot = self.writer.ask(move |batch| {
            let forget = "DELETE FROM records WHERE collection = ?1 AND name < ?2";
            Ok(batch.db.prepare_cached(forget)?.execute([on.as_str(), &name])?)
        });
        Ok(forgot.await? as u64)
    }

    async fn probe(&self) -> Result<(), StoreError> {
        match self.writer.committed_lately() {
            true => Ok(()),
            false => self.writer.ask(|batch| batch.probe()).await,
        }
    }

    async fn close(&self) {
        self.writer.close().await;
    }

    fn room(&self) -> DiskRoom {
        self.writer.log.ballast.room()
    }

    fn damage(&self) -> Arc<Damage> {
        Arc::clone(&self.readers.damage)
    }

    async fn check(&self, from: CheckMark, limit: usize) -> Result<Checked, StoreError> {
        self.look(move |look| look.check(from, limit)).await
    }
}

fn damaged(place: String, task: Option<Address>, error: &StoreError) -> Damaged {
    let (StoreError::Lost(why) | StoreError::Corrupt(why)) = error;
    Damaged { place, task, why: why.clone() }
}

fn alarm_counts(look: &Look<'_>) -> Result<AlarmCounts, StoreError> {
    look.alarm_counts()
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
