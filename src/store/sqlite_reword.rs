//! The fourth form of an SQLite store has other names than the third: every row is opened, renamed and sealed
//! anew for its place. What does not open stays as it is, and is found to be damaged where it is read.

use std::collections::HashMap;

use rusqlite::{Connection, params};
use serde_json::Value;

use crate::engine::ports::StoreError;
use crate::process::parse::version;
use crate::store::renames;
use crate::store::rows::{history_place, json, signal_place, task_place};
use crate::store::seal::Sealer;

/// The names of tables and columns.
pub(super) const TABLES: &str = "
    ALTER TABLE store RENAME COLUMN last_letter TO last_signal;
    ALTER TABLE tasks RENAME COLUMN turn TO epoch;
    ALTER TABLE tasks RENAME COLUMN hops TO events;
    DROP INDEX letters_task;
    ALTER TABLE letters RENAME TO signals;
    CREATE INDEX signals_task ON signals (task);
    DROP INDEX trail_task;
    ALTER TABLE trail RENAME TO history;
    ALTER TABLE history RENAME COLUMN hops TO events;
    CREATE INDEX history_task ON history (task);
    ALTER TABLE records RENAME COLUMN shelf TO collection;
";

/// Renames what is in the rows.
pub(super) fn rows(db: &Connection, sealer: &Sealer) -> Result<(), StoreError> {
    let from = |id: i64| format!("letters/{id}");
    each(db, "SELECT id, 0, body FROM signals", |id, _, body| {
        let Some(body) = opened(sealer, &from(id), &body, renames::signal) else { return Ok(()) };
        let body = sealer.seal(&signal_place(id), &json(&body)?)?;
        db.prepare_cached("UPDATE signals SET body = ?2 WHERE id = ?1")?.execute(params![id, body])?;
        Ok(())
    })?;
    each(db, "SELECT task, revision, body FROM history", |task, revision, body| {
        let from = format!("trail/{task}/{revision}");
        let Some(body) = opened(sealer, &from, &body, renames::events) else { return Ok(()) };
        let body = sealer.seal(&history_place(task, revision), &json(&body)?)?;
        db.prepare_cached("UPDATE history SET body = ?3 WHERE task = ?1 AND revision = ?2")?
            .execute(params![task, revision, body])?;
        Ok(())
    })?;
    each(db, "SELECT id, 0, body FROM tasks", |id, _, body| {
        let place = task_place(id);
        let Some(task) = opened(sealer, &place, &body, renames::task) else { return Ok(()) };
        let body = sealer.seal(&place, &json(&task)?)?;
        db.prepare_cached("UPDATE tasks SET body = ?2, ref = ?3 WHERE id = ?1")?.execute(params![
            id,
            body,
            task["reference"].as_str().unwrap_or_default()
        ])?;
        Ok(())
    })?;
    records(db, sealer)
}

/// A version of a process is known by the hash of its text: with the text, its name changes.
fn records(db: &Connection, sealer: &Sealer) -> Result<(), StoreError> {
    let mut new_versions: HashMap<String, String> = HashMap::new();
    record(db, sealer, "version", |name, value| {
        let text = renames::text(value["text"].as_str().unwrap_or_default());
        let (id, old) = name.split_once('@')?;
        let new = version(&text);
        new_versions.insert(old.to_owned(), new.clone());
        value["text"] = text.into();
        Some(format!("{id}@{new}"))
    })?;
    record(db, sealer, "process", |name, value| {
        renames::process(value, |old| new_versions.get(old).cloned());
        Some(name.to_owned())
    })?;
    record(db, sealer, "watchdog", |name, value| {
        renames::notices(value);
        Some(name.to_owned())
    })
}

/// Renames the records of a collection by `renamed`, which gives the name of each.
fn record(
    db: &Connection,
    sealer: &Sealer,
    collection: &str,
    mut renamed: impl FnMut(&str, &mut Value) -> Option<String>,
) -> Result<(), StoreError> {
    let mut all = db.prepare("SELECT name, value FROM records WHERE collection = ?1")?;
    let all: Vec<(String, Vec<u8>)> =
        all.query_map([collection], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    for (name, body) in all {
        let place = |name: &str| format!("records/{collection}/{name}");
        let mut new = None;
        let Some(value) = opened(sealer, &place(&name), &body, |value| new = renamed(&name, value)) else {
            continue;
        };
        let new = new.unwrap_or_else(|| name.clone());
        let body = sealer.seal(&place(&new), &json(&value)?)?;
        db.execute(
            "UPDATE OR REPLACE records SET name = ?3, value = ?4 WHERE collection = ?1 AND name = ?2",
            params![collection, name, new, body],
        )?;
    }
    Ok(())
}

/// Does `with` with every row of two numbers and a body, a thousand at a time.
fn each(
    db: &Connection,
    sql: &str,
    mut with: impl FnMut(i64, i64, Vec<u8>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut some = db.prepare(&format!("SELECT * FROM ({sql}) LIMIT 1000 OFFSET ?1"))?;
    for from in (0i64..).step_by(1_000) {
        let rows = some.query_map([from], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let rows: Vec<(i64, i64, Vec<u8>)> = rows.collect::<Result<_, _>>()?;
        if rows.is_empty() {
            break;
        }
        for (one, two, body) in rows {
            with(one, two, body)?;
        }
    }
    Ok(())
}

/// What is in a body, renamed; nothing if it is damaged.
fn opened(sealer: &Sealer, place: &str, body: &[u8], rename: impl FnOnce(&mut Value)) -> Option<Value> {
    let mut value: Value = serde_json::from_slice(&sealer.open(place, body).ok()?).ok()?;
    rename(&mut value);
    Some(value)
}
