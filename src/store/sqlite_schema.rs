//! The SQLite file: how it is opened, whose it is, and what its tables are.
//!
//! Names are in clear, so that `sqlite3` can show what stands where. Whatever a task carries is sealed.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

#[cfg(debug_assertions)]
use crate::engine::broken::{Promise, is_broken};
use crate::engine::damage::{Damage, Damaged};
use crate::engine::ports::StoreError;
use crate::store::rows::task_place;
use crate::store::seal::{SealError, Sealer};
use crate::store::sqlite_reword;

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
    "
    -- `alarm` says how an open alarm fares: 1 told to nobody, 2 told, 3 in hand; 4 of those that were open
    -- before they were told apart, until their task moves.
    UPDATE tasks SET alarm = 4 WHERE alarm = 1;
    DROP INDEX tasks_alarm;
    CREATE INDEX tasks_alarm ON tasks (alarm) WHERE alarm > 0;
",
    sqlite_reword::TABLES,
];
/// The step whose rows are to be renamed, too.
const REWORDS: usize = 4;

/// Says that an SQLite file is a store of Beltline: `BELT`.
const APPLICATION_ID: i64 = 0x4245_4C54;
/// Where the check of the key lives, and what it says.
const SEAL_PLACE: &str = "store/seal";
const SEAL_TEXT: &[u8] = b"Beltline";
/// What the name of a store ends in while it is made.
const NEW: &str = ".new";
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
            Some(DatabaseCorrupt | NotADatabase | TypeMismatch) => StoreError::Corrupt(format!(
                "{error}; hint: put back a copy of the data folder, all of its files from one moment"
            )),
            _ => StoreError::Lost(error.to_string()),
        }
    }
}

/// Takes the store at `path` for this program alone.
pub(super) fn lock(path: &Path) -> Result<Lock, StoreError> {
    let beside = beside(path, ".lock");
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

/// Makes the file if there is none, brings it to the present form and proves the key. Where there is nothing
/// to bring forward, nothing is written: a full disk does not keep it from being read.
pub(super) fn prepare(path: &Path, sealer: &Sealer, damage: &Damage) -> Result<Connection, StoreError> {
    let lost = |error: &dyn std::fmt::Display| StoreError::Lost(format!("`{}`: {error}", path.display()));
    if !path.try_exists().map_err(|error| lost(&error))? {
        make(path, sealer)?;
    }
    refuse_empty(path)?;
    let mut db = connect(path, Use::Write)?;
    migrate(&mut db, path, sealer)?;
    let seal = db.query_row("SELECT seal FROM store", [], |row| row.get(0)).optional();
    let seal: Option<Option<Vec<u8>>> = readable(seal.map_err(StoreError::from))?;
    if seal == Some(None) && (opens_any(&db, sealer) || holds_nothing(&db)?) {
        let seal = sealer.seal(SEAL_PLACE, SEAL_TEXT)?;
        db.execute("INSERT INTO store VALUES (1, ?1, 0, 0)", params![seal])?;
        never_twice(&db)?;
        return Ok(db);
    }
    let seal = seal.flatten();
    let proof =
        seal.map_or(Err(SealError::Broken(SEAL_PLACE.to_owned())), |seal| sealer.open(SEAL_PLACE, &seal));
    match proof {
        Ok(_) => {}
        // The proof may be damaged, while the key is the right one.
        Err(error) if opens_any(&db, sealer) => {
            let why = error.to_string();
            damage.found(Damaged { place: SEAL_PLACE.to_owned(), task: None, why });
        }
        Err(SealError::WrongKey(_)) => return Err(wrong_key(path)),
        Err(error) => return Err(error.into()),
    }
    never_twice(&db)?;
    Ok(db)
}

/// Makes the store beside its place and puts it there whole: a store that is there is never half made.
fn make(path: &Path, sealer: &Sealer) -> Result<(), StoreError> {
    let lost = |error: &dyn std::fmt::Display| StoreError::Lost(format!("`{}`: {error}", path.display()));
    let log = beside(path, "-wal");
    if fs::metadata(&log).is_ok_and(|it| it.len() > 0) {
        return Err(StoreError::Corrupt(format!(
            "`{}` is gone, and its log `{}` is still there with what was written last; hint: put the file \
             back beside it (and nothing is lost), or move the log away to begin anew",
            path.display(),
            log.display()
        )));
    }
    let new = beside(path, NEW);
    for old in [new.clone(), beside(&new, "-wal"), beside(&new, "-shm"), beside(&new, "-journal")] {
        match fs::remove_file(&old) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(lost(&error)),
            _ => {}
        }
    }
    private().truncate(false).open(&new).map_err(|error| lost(&error))?;
    let mut db = connect(&new, Use::Write)?;
    migrate(&mut db, &new, sealer)?;
    let seal = sealer.seal(SEAL_PLACE, SEAL_TEXT)?;
    db.execute("INSERT INTO store VALUES (1, ?1, 0, 0)", params![seal])?;
    // The last one who closes moves the log into the file and removes it.
    db.close().map_err(|(_, error)| StoreError::from(error))?;
    let place = || -> io::Result<()> {
        File::open(&new)?.sync_all()?;
        fs::rename(&new, path)?;
        #[cfg(unix)]
        if let Some(folder) = path.parent() {
            let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    };
    place().map_err(|error| lost(&error))
}

/// A store is made whole: one without a byte is what is left of one.
fn refuse_empty(path: &Path) -> Result<(), StoreError> {
    let bytes = fs::metadata(path).map(|it| it.len());
    match bytes.map_err(|error| StoreError::Lost(format!("`{}`: {error}", path.display())))? {
        0 => Err(emptied(path)),
        _ => Ok(()),
    }
}

fn emptied(path: &Path) -> StoreError {
    StoreError::Corrupt(format!(
        "`{}` is empty: what it held is gone; hint: put back the file from a backup, or, to begin anew, move \
         it and the files beside it (`-wal`, `-shm`, the key) away",
        path.display()
    ))
}

fn wrong_key(path: &Path) -> StoreError {
    StoreError::Corrupt(format!(
        "the key does not open `{}`; hint: put back the key file that belongs to it, or start with an empty \
         data directory",
        path.display()
    ))
}

/// Whether the key opens what was sealed to prove it.
fn is_proved(db: &Connection, sealer: &Sealer) -> bool {
    let seal: rusqlite::Result<Vec<u8>> = db.query_row("SELECT seal FROM store", [], |row| row.get(0));
    seal.is_ok_and(|seal| sealer.open(SEAL_PLACE, &seal).is_ok())
}

/// Whether anything that is kept opens with the key.
fn opens_any(db: &Connection, sealer: &Sealer) -> bool {
    let mut opened = false;
    let mut some = |sql: &str, place: &dyn Fn(i64, String) -> String| -> rusqlite::Result<()> {
        let mut some = db.prepare(sql)?;
        let mut rows = some.query([])?;
        while let Some(row) = rows.next()? {
            let (id, name, body): (i64, String, Vec<u8>) = (row.get(0)?, row.get(1)?, row.get(2)?);
            opened |= sealer.open(&place(id, name), &body).is_ok();
        }
        Ok(())
    };
    // What cannot be read proves nothing.
    drop(some("SELECT id, '', body FROM tasks LIMIT 16", &|id, _| task_place(id)));
    drop(some("SELECT 0, collection || '/' || name, value FROM records LIMIT 16", &|_, it| {
        format!("records/{it}")
    }));
    opened
}

fn holds_nothing(db: &Connection) -> Result<bool, StoreError> {
    let nothing = "SELECT NOT EXISTS (SELECT 1 FROM tasks) AND NOT EXISTS (SELECT 1 FROM records)";
    Ok(db.query_row(nothing, [], |row| row.get(0))?)
}

/// Numbers are never given twice, even where the row that says which were given is damaged.
fn never_twice(db: &Connection) -> Result<(), StoreError> {
    let given = "SELECT last_event < (SELECT ifnull(max(seq), 0) FROM history)
                     OR last_signal < (SELECT ifnull(max(id), 0) FROM signals) FROM store";
    let behind = readable(db.query_row(given, [], |row| row.get(0)).map_err(StoreError::from))?;
    if behind == Some(true) {
        db.execute_batch(
            "UPDATE store SET last_event = max(last_event, (SELECT ifnull(max(seq), 0) FROM history)),
                              last_signal = max(last_signal, (SELECT ifnull(max(id), 0) FROM signals))",
        )?;
    }
    Ok(())
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
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = {}; PRAGMA foreign_keys = OFF;
         PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -{cache_kib};
         PRAGMA journal_size_limit = {LOG_BYTES_KEPT};
         PRAGMA wal_autocheckpoint = {AUTOCHECKPOINT_PAGES}",
        synchronous()
    ))?;
    let journal: String = db.query_row("PRAGMA journal_mode", [], |row| row.get(0))?;
    let synchronous: i64 = db.query_row("PRAGMA synchronous", [], |row| row.get(0))?;
    if journal != "wal" || synchronous != self::synchronous() {
        let path = path.display();
        return Err(StoreError::Lost(format!(
            "`{path}` cannot be written durably here (journal {journal}, synchronous {synchronous}); \
             hint: use a local disk"
        )));
    }
    Ok(db)
}

/// FULL: a commit is synced before it is acknowledged.
fn synchronous() -> i64 {
    #[cfg(debug_assertions)]
    if is_broken(Promise::FullSync) {
        return 1;
    }
    2
}

/// A file beside the store.
fn beside(path: &Path, ending: &str) -> PathBuf {
    PathBuf::from(format!("{}{ending}", path.display()))
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.create(true).write(true).read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn is_new(path: &Path) -> bool {
    path.to_string_lossy().ends_with(NEW)
}

fn migrate(db: &mut Connection, file: &Path, sealer: &Sealer) -> Result<(), StoreError> {
    let path = file.display();
    let pragma = |name: &str| db.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0));
    let (owner, version) = (pragma("application_id")?, pragma("user_version")?);
    let tables: i64 = db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables == 0 && !is_new(file) {
        return Err(emptied(file));
    }
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
        if done + at + 1 == REWORDS {
            if !holds_nothing(&change)? && !is_proved(&change, sealer) && !opens_any(&change, sealer) {
                return Err(wrong_key(file));
            }
            sqlite_reword::rows(&change, sealer)?;
        }
        change.execute_batch(&format!(
            "PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {}",
            done + at + 1
        ))?;
        change.commit()?;
    }
    Ok(())
}

/// Nothing, where it is damaged.
fn readable<T>(read: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
    match read {
        Ok(it) => Ok(Some(it)),
        Err(StoreError::Corrupt(_)) => Ok(None),
        Err(error) => Err(error),
    }
}
