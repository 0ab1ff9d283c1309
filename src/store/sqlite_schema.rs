//! The SQLite file: how it is opened, whose it is, and what its tables are.
//!
//! Names are in clear, so that `sqlite3` can show what stands where. Whatever a task carries is sealed.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use crate::engine::edges::StoreError;
use crate::store::seal::{SealError, Sealer};

/// From an empty file to the present form, one step each. A step is never edited: a change is one more step.
const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE store (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        seal BLOB NOT NULL,                 -- a known text, to tell a wrong key at once
        last_event INTEGER NOT NULL,        -- numbers are never given twice, whatever is removed
        last_letter INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE tasks (
        id INTEGER PRIMARY KEY,
        process TEXT NOT NULL,
        ref TEXT NOT NULL,
        node TEXT NOT NULL,
        phase INTEGER NOT NULL,             -- 0 ready, 1 doing, 2 waiting, 3 done, 4 failed, 5 cancelled
        ended INTEGER NOT NULL,             -- 0 while it lives, then grows from end to end
        due INTEGER,                        -- this and `turn` hold over what the body says
        turn INTEGER NOT NULL,
        alarm INTEGER NOT NULL,             -- 1 if it lives and has an open alarm
        hops INTEGER NOT NULL,              -- in the trail
        idempotency BLOB,                   -- SHA-256
        body BLOB NOT NULL                  -- the task, sealed
    ) STRICT;
    CREATE INDEX tasks_ref ON tasks (process, ref, ended);
    CREATE INDEX tasks_place ON tasks (process, node, phase);
    CREATE INDEX tasks_due ON tasks (due) WHERE due IS NOT NULL;
    CREATE INDEX tasks_alarm ON tasks (alarm) WHERE alarm = 1;
    CREATE UNIQUE INDEX tasks_idempotency ON tasks (idempotency) WHERE idempotency IS NOT NULL;
    CREATE TABLE letters (
        id INTEGER PRIMARY KEY,
        task INTEGER NOT NULL,
        body BLOB NOT NULL                  -- the letter, sealed
    ) STRICT;
    CREATE INDEX letters_task ON letters (task);
    CREATE TABLE trail (
        seq INTEGER PRIMARY KEY,
        task INTEGER NOT NULL,
        revision INTEGER NOT NULL,
        phase INTEGER NOT NULL,
        hops INTEGER NOT NULL,
        body BLOB NOT NULL                  -- the hops, sealed
    ) STRICT;
    CREATE INDEX trail_task ON trail (task);
    CREATE TABLE counts (
        process TEXT NOT NULL,
        node TEXT NOT NULL,
        phase INTEGER NOT NULL,
        tasks INTEGER NOT NULL,
        PRIMARY KEY (process, node, phase)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE records (
        shelf TEXT NOT NULL,
        name TEXT NOT NULL,
        at INTEGER NOT NULL,
        value BLOB NOT NULL,                -- sealed
        PRIMARY KEY (shelf, name)
    ) STRICT;
",
    "
    -- A commit is made of one revision; -1 in rows from before this was known here.
    ALTER TABLE tasks ADD COLUMN revision INTEGER NOT NULL DEFAULT -1;
    -- What lives is claimed before what has ended and is to be removed.
    DROP INDEX tasks_due;
    CREATE INDEX tasks_due ON tasks (due) WHERE due IS NOT NULL AND ended = 0;
    CREATE INDEX tasks_removal ON tasks (due) WHERE due IS NOT NULL AND ended > 0;
",
];

/// Says that an SQLite file is a store of Beltline: `BELT`.
const APPLICATION_ID: i64 = 0x4245_4C54;
/// Where the check of the key lives, and what it says.
const SEAL_PLACE: &str = "store/seal";
const SEAL_TEXT: &[u8] = b"Beltline";
/// How long to wait for a person who has the file open in `sqlite3`.
const BUSY: Duration = Duration::from_secs(5);
/// The writer checkpoints by itself when the log has so many pages (64 MiB): only when the checkpointer
/// cannot keep up.
const AUTOCHECKPOINT_PAGES: u32 = 16_000;
/// A log that has grown is cut back to this.
const LOG_BYTES_KEPT: u32 = 64 << 20;
/// Statements kept prepared on a connection; there are fewer in all.
const STATEMENTS_KEPT: usize = 64;

/// What a connection is for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Use {
    Write,
    Checkpoint,
    Read,
}

/// A store is in use while this lives. The system lets go of it when the program dies, however it dies.
#[derive(Debug)]
pub(super) struct Lock(#[expect(dead_code, reason = "held, never read")] File);

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> StoreError {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase, TypeMismatch};
        match error.sqlite_error_code() {
            Some(DatabaseCorrupt | NotADatabase | TypeMismatch) => StoreError::Corrupt(error.to_string()),
            _ => StoreError::Lost(error.to_string()),
        }
    }
}

/// Takes the store at `path` for this program alone.
pub(super) fn lock(path: &Path) -> Result<Lock, StoreError> {
    let beside = PathBuf::from(format!("{}.lock", path.display()));
    let lost = |error: &dyn std::fmt::Display| StoreError::Lost(format!("`{}`: {error}", beside.display()));
    let file = private().truncate(false).open(&beside).map_err(|error| lost(&error))?;
    match file.try_lock() {
        Ok(()) => Ok(Lock(file)),
        Err(TryLockError::WouldBlock) => Err(StoreError::Lost(format!(
            "`{}` is in use by another engine; hint: stop that one, or choose another data directory",
            path.display()
        ))),
        Err(TryLockError::Error(error)) => Err(lost(&error)),
    }
}

/// Makes the file if there is none, brings it to the present form and proves the key.
pub(super) fn prepare(path: &Path, sealer: &Sealer) -> Result<Connection, StoreError> {
    create(path).map_err(|error| StoreError::Lost(format!("`{}`: {error}", path.display())))?;
    let mut db = connect(path, Use::Write)?;
    migrate(&mut db, path)?;
    let seal: Option<Vec<u8>> = db.query_row("SELECT seal FROM store", [], |row| row.get(0)).optional()?;
    match seal.map(|seal| sealer.open(SEAL_PLACE, &seal)) {
        Some(Ok(_)) => Ok(db),
        Some(Err(SealError::WrongKey(_))) => Err(StoreError::Corrupt(format!(
            "the key does not open `{}`; hint: put back the key file that belongs to it, or start with an \
             empty data directory",
            path.display()
        ))),
        Some(Err(error)) => Err(error.into()),
        None => {
            let seal = sealer.seal(SEAL_PLACE, SEAL_TEXT)?;
            db.execute("INSERT INTO store VALUES (1, ?1, 0, 0)", params![seal])?;
            Ok(db)
        }
    }
}

/// A connection to a store that [`prepare`] has prepared.
pub(super) fn connect(path: &Path, to: Use) -> Result<Connection, StoreError> {
    let (access, cache_kib) = match to {
        Use::Write => (OpenFlags::SQLITE_OPEN_READ_WRITE, 16_384),
        Use::Checkpoint => (OpenFlags::SQLITE_OPEN_READ_WRITE, 256),
        Use::Read => (OpenFlags::SQLITE_OPEN_READ_ONLY, 1_024),
    };
    let db = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    db.busy_timeout(BUSY)?;
    db.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    db.execute_batch(&format!(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = OFF;
         PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -{cache_kib};
         PRAGMA journal_size_limit = {LOG_BYTES_KEPT};
         PRAGMA wal_autocheckpoint = {AUTOCHECKPOINT_PAGES}"
    ))?;
    let journal: String = db.query_row("PRAGMA journal_mode", [], |row| row.get(0))?;
    let synchronous: i64 = db.query_row("PRAGMA synchronous", [], |row| row.get(0))?;
    if journal != "wal" || synchronous != 2 {
        let path = path.display();
        return Err(StoreError::Lost(format!(
            "`{path}` cannot be written durably here (journal {journal}, synchronous {synchronous}); \
             hint: use a local disk"
        )));
    }
    Ok(db)
}

/// Creates the file for its owner alone, and makes sure that the directory remembers it after a power cut.
fn create(path: &Path) -> std::io::Result<()> {
    if path.exists() {
        return Ok(());
    }
    private().truncate(false).open(path)?.sync_all()?;
    #[cfg(unix)]
    if let Some(folder) = path.parent() {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.create(true).write(true).read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn migrate(db: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let path = path.display();
    let pragma = |name: &str| db.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0));
    let (owner, version) = (pragma("application_id")?, pragma("user_version")?);
    let tables: i64 = db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if owner != APPLICATION_ID && tables > 0 {
        return Err(StoreError::Corrupt(format!("`{path}` is a database of something else")));
    }
    let known = MIGRATIONS.len();
    let done = usize::try_from(version).unwrap_or(usize::MAX);
    let Some(open) = MIGRATIONS.get(done..) else {
        return Err(StoreError::Corrupt(format!(
            "`{path}` was written by a newer version of Beltline (form {version}, this one knows {known}); \
             hint: update"
        )));
    };
    for (at, step) in open.iter().enumerate() {
        let change = db.transaction()?;
        change.execute_batch(step)?;
        change.execute_batch(&format!(
            "PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {}",
            done + at + 1
        ))?;
        change.commit()?;
    }
    Ok(())
}
