//! The check of a store: every row is opened, a stretch at a time, and SQLite looks at its own pages. What is
//! damaged is noted, and never touched.

use rusqlite::{Row, params};

use crate::engine::ports::{CheckMark, Checked, StoreError};
use crate::model::names::Address;
use crate::model::signal::Signal;
use crate::model::task::{HistoryEvent, Task};
use crate::store::rows::{history_place, name, open, phase, signal_place, task_place};
use crate::store::sqlite_read::{Look, number, whole};

/// A part of the check whose rows are opened: its table, and what is read of each row. The first column is
/// the number of the row.
struct Part {
    table: &'static str,
    sql: &'static str,
    open: fn(&Look<'_>, &Row<'_>) -> Result<(), StoreError>,
}

const PARTS: &[Part] = &[
    Part {
        table: "tasks",
        sql: "SELECT id, process, ref, node, phase, body FROM tasks WHERE id > ?1 ORDER BY id LIMIT ?2",
        open: open_task,
    },
    Part {
        table: "signals",
        sql: "SELECT id, body, abs(task) FROM signals WHERE id > ?1 ORDER BY id LIMIT ?2",
        open: open_signal,
    },
    Part {
        table: "history",
        sql: "SELECT seq, task, revision, body FROM history WHERE seq > ?1 ORDER BY seq LIMIT ?2",
        open: open_entry,
    },
    Part {
        table: "records",
        sql: "SELECT rowid, collection, name, value FROM records WHERE rowid > ?1 ORDER BY rowid LIMIT ?2",
        open: open_record,
    },
];

/// The tables whose pages SQLite checks, each a part of its own behind [`PARTS`].
const TABLES: &[&str] = &["store", "tasks", "signals", "history", "counts", "records"];

impl Look<'_> {
    /// Reads on from `from`; notes what is damaged.
    pub(super) fn check(&self, from: CheckMark, limit: usize) -> Result<Checked, StoreError> {
        let next_part = CheckMark { part: from.part + 1, after: None };
        if let Some(part) = PARTS.get(from.part) {
            let (rows, last) = self.open_rows(part, from.after.unwrap_or(i64::MIN), limit)?;
            let next = last.map_or(next_part, |last| CheckMark { after: Some(last), ..from });
            return Ok(Checked { rows, next: Some(next) });
        }
        let Some(table) = TABLES.get(from.part - PARTS.len()) else { return Ok(Checked::default()) };
        self.check_pages(table)?;
        let is_last = from.part + 1 == PARTS.len() + TABLES.len();
        Ok(Checked { rows: 0, next: (!is_last).then_some(next_part) })
    }

    /// Opens the rows after `after`; gives how many, and the last one's number if there are more. Where
    /// SQLite itself cannot read on, it is looked for the next row that can be read.
    fn open_rows(&self, part: &Part, after: i64, limit: usize) -> Result<(u64, Option<i64>), StoreError> {
        let (mut rows, mut after, mut step): (_, _, i64) = (0, after, 1);
        loop {
            let before = after;
            match self.open_some(part, limit, &mut after, &mut rows) {
                Ok(()) if rows < limit as u64 => return Ok((rows, None)),
                Ok(()) => return Ok((rows, Some(after))),
                Err(error @ StoreError::Corrupt(_)) => {
                    self.note(&format!("table {}", part.table), None, &error);
                    step = if after == before { step.saturating_mul(2) } else { 1 };
                    after = after.saturating_add(step);
                    if after == i64::MAX {
                        return Ok((rows, None));
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn open_some(
        &self,
        part: &Part,
        limit: usize,
        after: &mut i64,
        rows: &mut u64,
    ) -> Result<(), StoreError> {
        let mut some = self.db.prepare_cached(part.sql)?;
        let left = (limit as u64).saturating_sub(*rows);
        let mut some = some.query(params![*after, number(usize::try_from(left).unwrap_or(limit))])?;
        while let Some(row) = some.next()? {
            *after = row.get(0)?;
            *rows += 1;
            whole((part.open)(self, row))?;
        }
        Ok(())
    }

    fn check_pages(&self, table: &str) -> Result<(), StoreError> {
        let check = || -> Result<Vec<String>, StoreError> {
            let mut check = self.db.prepare(&format!("PRAGMA quick_check({table})"))?;
            Ok(check.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
        };
        let found = match check() {
            Ok(said) if said == ["ok"] => return Ok(()),
            Ok(said) => StoreError::Corrupt(said.join("; ")),
            Err(error) => error,
        };
        let place = format!("table {table}");
        self.note(&place, None, &found);
        whole(Err(found)).map(|_: Option<()>| ())
    }

    /// Notes what is damaged of a row that was opened, and that it is whole again.
    fn seen(&self, place: &str, task: Option<i64>, done: Result<(), StoreError>) -> Result<(), StoreError> {
        match &done {
            Ok(()) => self.damage.healed(place),
            Err(error) => self.note(place, task, error),
        }
        done
    }
}

fn open_task(look: &Look<'_>, row: &Row<'_>) -> Result<(), StoreError> {
    let id: i64 = row.get(0)?;
    let place = task_place(id);
    let read = || {
        let (process, reference, node): (String, String, String) = (row.get(1)?, row.get(2)?, row.get(3)?);
        let task: Task = open(look.sealer, &place, &row.get::<_, Vec<u8>>(5)?)?;
        let address = Address { process: name(&process)?, reference: name(&reference)? };
        let agrees = task.id.0 == id
            && task.address() == address
            && task.at.as_str() == node
            && task.state.phase() == phase(row.get(4)?)?;
        match agrees {
            true => Ok(()),
            false => {
                Err(StoreError::Corrupt("its columns say something else than what is sealed".to_owned()))
            }
        }
    };
    look.seen(&place, Some(id), read())
}

fn open_signal(look: &Look<'_>, row: &Row<'_>) -> Result<(), StoreError> {
    let place = signal_place(row.get(0)?);
    let read = || open::<Signal>(look.sealer, &place, &row.get::<_, Vec<u8>>(1)?).map(drop);
    look.seen(&place, row.get(2)?, read())
}

fn open_entry(look: &Look<'_>, row: &Row<'_>) -> Result<(), StoreError> {
    let (task, place) = (row.get(1)?, history_place(row.get(1)?, row.get(2)?));
    let read = || open::<Vec<HistoryEvent>>(look.sealer, &place, &row.get::<_, Vec<u8>>(3)?).map(drop);
    look.seen(&place, Some(task), read())
}

fn open_record(look: &Look<'_>, row: &Row<'_>) -> Result<(), StoreError> {
    let (collection, name): (String, String) = (row.get(1)?, row.get(2)?);
    let place = format!("records/{collection}/{name}");
    let read = || open::<serde_json::Value>(look.sealer, &place, &row.get::<_, Vec<u8>>(3)?).map(drop);
    look.seen(&place, None, read())
}
