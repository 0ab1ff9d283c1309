//! What a database is handed: writes with their bodies sealed, made beside the one who writes so that it need
//! not wait for that. And back again: tasks, signals and histories from their rows.

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::engine::ports::{HistoryEntry, Record, Refused, StoreError, Write};
use crate::engine::transition::Transition;
use crate::model::names::{Address, NodeName, ProcessId, TaskId};
use crate::model::signal::{Signal, SignalKind, SignalTarget};
use crate::model::task::{Alarm, Phase, Task};
use crate::model::time::Timestamp;
use crate::store::keeping::born;
use crate::store::seal::{SealError, Sealer};

/// A task as a row.
#[derive(Debug)]
pub(super) struct TaskRow {
    pub(super) id: i64,
    pub(super) address: Address,
    pub(super) node: NodeName,
    pub(super) phase: Phase,
    pub(super) due: Option<i64>,
    pub(super) epoch: i64,
    pub(super) alarm: i64,
    pub(super) revision: i64,
    pub(super) body: Vec<u8>,
}

/// Why a write did not happen.
#[derive(Debug)]
pub(super) enum No {
    /// It was refused, and the others go on.
    Refused(Refused),
    /// It failed in a way that may be its own: the row is damaged, or the database does not take it.
    Suspect(StoreError),
    /// The store failed, whatever is written.
    Failed(StoreError),
}

impl From<Refused> for No {
    fn from(refused: Refused) -> No {
        No::Refused(refused)
    }
}

impl From<StoreError> for No {
    fn from(error: StoreError) -> No {
        match error {
            StoreError::Corrupt(_) => No::Suspect(error),
            StoreError::Lost(_) => No::Failed(error),
        }
    }
}

impl From<SealError> for No {
    fn from(error: SealError) -> No {
        StoreError::from(error).into()
    }
}

impl From<rusqlite::Error> for No {
    fn from(error: rusqlite::Error) -> No {
        use rusqlite::ErrorCode::{ConstraintViolation, ParameterOutOfRange, TooBig};
        match error.sqlite_error_code() {
            Some(ConstraintViolation | ParameterOutOfRange | TooBig) => No::Suspect(error.into()),
            _ => StoreError::from(error).into(),
        }
    }
}

impl From<No> for StoreError {
    fn from(no: No) -> StoreError {
        match no {
            No::Refused(refused) => StoreError::Corrupt(refused.to_string()),
            No::Suspect(error) | No::Failed(error) => error,
        }
    }
}

/// A [`Write`], sealed.
#[derive(Debug)]
pub(super) enum Sealed {
    Step(Box<Step>),
    Post(Mail, i64),
    Noted(Mail, RecordRow, i64),
}

/// A [`Record`], sealed.
#[derive(Debug)]
pub(super) struct RecordRow {
    pub(super) collection: &'static str,
    pub(super) name: String,
    pub(super) at: i64,
    pub(super) value: Vec<u8>,
}

impl RecordRow {
    pub(super) fn seal(record: &Record, sealer: &Sealer) -> Result<RecordRow, StoreError> {
        let collection = record.collection.as_str();
        let value = sealer.seal(&record.collection.place(&record.name), &json(&record.value)?)?;
        Ok(RecordRow { collection, name: record.name.clone(), at: record.at.0, value })
    }
}

/// A [`Transition`], sealed.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) row: TaskRow,
    pub(super) base: Option<i64>,
    pub(super) new: bool,
    pub(super) signals: Vec<Mail>,
    pub(super) history: Option<History>,
    pub(super) read: Vec<i64>,
    pub(super) at: i64,
    pub(super) gone: bool,
    pub(super) idempotency: Option<Vec<u8>>,
}

/// As an idempotency key is kept.
pub(super) fn key_hash(key: &str) -> Vec<u8> {
    Sha256::digest(key).to_vec()
}

/// What one commit writes into a history.
#[derive(Debug)]
pub(super) struct History {
    pub(super) revision: i64,
    pub(super) events: usize,
    pub(super) body: Vec<u8>,
}

/// A [`Signal`], ready to be delivered.
#[derive(Debug)]
pub(super) enum Mail {
    /// It creates that task.
    Birth(TaskRow),
    /// It is for a task that lives; an answer is dropped if the task does not. Sealed when it has its number.
    Word { to: SignalTarget, is_answer: bool, is_command: bool, json: Vec<u8> },
}

/// A task's row as it is read: `due`, `epoch` and the sealed body.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) id: i64,
    pub(super) due: Option<i64>,
    pub(super) epoch: i64,
    pub(super) body: Vec<u8>,
}

/// A claimed row with its signals.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) found: Found,
    pub(super) signals: Vec<(i64, Vec<u8>)>,
}

impl TaskRow {
    /// Where it is counted.
    pub(super) fn stand(&self) -> Stand {
        (self.address.process.clone(), self.node.clone(), self.phase)
    }

    fn seal(task: &Task, sealer: &Sealer) -> Result<TaskRow, StoreError> {
        let phase = task.state.phase();
        Ok(TaskRow {
            id: task.id.0,
            address: task.address(),
            node: task.at.clone(),
            phase,
            due: task.due.map(|due| due.0),
            epoch: task.epoch.cast_signed(),
            alarm: task.alarm.as_ref().filter(|_| phase.is_live()).map_or(0, alarm_number),
            revision: task.revision.cast_signed(),
            body: sealer.seal(&task_place(task.id.0), &json(task)?)?,
        })
    }
}

/// The column `alarm` of an open alarm: how it fares, so that it can be counted without opening its task. 0
/// is of tasks without one, and 4 of those that were written before they were told apart.
fn alarm_number(alarm: &Alarm) -> i64 {
    match (&alarm.acknowledged, alarm.notified_at) {
        (None, None) => UNDELIVERED,
        (None, Some(_)) => TOLD,
        (Some(_), _) => ACKNOWLEDGED,
    }
}

/// Told to nobody.
pub(super) const UNDELIVERED: i64 = 1;
/// Told to somebody.
pub(super) const TOLD: i64 = 2;
/// Somebody has acknowledged it.
pub(super) const ACKNOWLEDGED: i64 = 3;

impl Sealed {
    /// Refused if it cannot be sealed; an error is of the sealer, and of all writes.
    pub(super) fn try_seal(write: &Write, sealer: &Sealer) -> Result<Result<Sealed, Refused>, StoreError> {
        match Sealed::seal(write, sealer) {
            Ok(row) => Ok(Ok(row)),
            Err(No::Refused(refused)) => Ok(Err(refused)),
            Err(No::Suspect(error)) => Ok(Err(Refused::Unwritable(error.to_string()))),
            Err(No::Failed(error)) => Err(error),
        }
    }

    fn seal(write: &Write, sealer: &Sealer) -> Result<Sealed, No> {
        match write {
            Write::Step(transition) => Ok(Sealed::Step(Box::new(Step::seal(transition, sealer)?))),
            Write::Post(signal, at) => Ok(Sealed::Post(Mail::seal(signal, *at, sealer)?, at.0)),
            Write::Noted(signal, record, at) => {
                let record = RecordRow::seal(record, sealer)?;
                Ok(Sealed::Noted(Mail::seal(signal, *at, sealer)?, record, at.0))
            }
        }
    }
}

impl Step {
    fn seal(transition: &Transition, sealer: &Sealer) -> Result<Step, No> {
        let Transition {
            task,
            before,
            base,
            signals,
            events: history,
            read,
            at,
            gone,
            idempotency,
            reply: _,
        } = transition;
        let mail = |signal| Mail::seal(signal, *at, sealer);
        let revision = task.revision.cast_signed();
        let history = match history.len() {
            0 => None,
            events => {
                let body = sealer.seal(&history_place(task.id.0, revision), &json(history)?)?;
                Some(History { revision, events, body })
            }
        };
        Ok(Step {
            row: TaskRow::seal(task, sealer)?,
            base: base.map(u64::cast_signed),
            new: before.is_none(),
            signals: signals.iter().map(mail).collect::<Result<_, _>>()?,
            history,
            read: read.iter().map(|reading| reading.signal.0).collect(),
            at: at.0,
            gone: *gone,
            idempotency: idempotency.as_deref().map(key_hash),
        })
    }
}

impl Mail {
    fn seal(signal: &Signal, at: Timestamp, sealer: &Sealer) -> Result<Mail, No> {
        if let Some(task) = born(signal, at)? {
            return Ok(Mail::Birth(TaskRow::seal(&task, sealer)?));
        }
        let is_answer = matches!(signal.kind, SignalKind::Answer { .. });
        let is_command = matches!(signal.kind, SignalKind::Command { .. });
        Ok(Mail::Word { to: signal.to.clone(), is_answer, is_command, json: json(signal)? })
    }
}

impl Found {
    pub(super) fn open(self, sealer: &Sealer) -> Result<Task, StoreError> {
        let task: Task = open(sealer, &task_place(self.id), &self.body)?;
        Ok(Task { due: self.due.map(Timestamp), epoch: self.epoch.cast_unsigned(), ..task })
    }
}

/// An entry as it is read, with the sealed events.
pub(super) struct EntryRow {
    pub(super) seq: i64,
    pub(super) task: i64,
    pub(super) phase: i64,
    pub(super) revision: i64,
    pub(super) body: Vec<u8>,
}

impl EntryRow {
    /// With the names of its task, the process and the ref.
    pub(super) fn open(self, names: (String, String), sealer: &Sealer) -> Result<HistoryEntry, StoreError> {
        let (process, reference) = names;
        Ok(HistoryEntry {
            seq: self.seq.cast_unsigned(),
            task: TaskId(self.task),
            process: name(&process)?,
            reference: name(&reference)?,
            phase: phase(self.phase)?,
            events: open(sealer, &history_place(self.task, self.revision), &self.body)?,
        })
    }
}

pub(super) fn phase_number(phase: Phase) -> i64 {
    match phase {
        Phase::Ready => 0,
        Phase::Doing => 1,
        Phase::Waiting => 2,
        Phase::Done => 3,
        Phase::Failed => 4,
        Phase::Cancelled => 5,
    }
}

pub(super) fn phase(number: i64) -> Result<Phase, StoreError> {
    let phase = Phase::ALL.into_iter().find(|phase| phase_number(*phase) == number);
    phase.ok_or_else(|| StoreError::Corrupt(format!("there is no phase {number}")))
}

/// A name from a row.
pub(super) fn name<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, StoreError> {
    text.parse().map_err(broken)
}

/// Where a process' task stands, as it is counted.
pub(super) type Stand = (ProcessId, NodeName, Phase);

pub(super) fn signal_place(id: i64) -> String {
    format!("signals/{id}")
}

pub(super) fn task_place(id: i64) -> String {
    format!("tasks/{id}")
}

pub(super) fn history_place(task: i64, revision: i64) -> String {
    format!("history/{task}/{revision}")
}

pub(super) fn json(value: &impl Serialize) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(value).map_err(broken)
}

pub(super) fn open<T: DeserializeOwned>(sealer: &Sealer, place: &str, body: &[u8]) -> Result<T, StoreError> {
    let plain = sealer.open(place, body)?;
    // What serde says may quote what it read, and that may be secret.
    serde_json::from_slice(&plain).map_err(|error| {
        StoreError::Corrupt(format!(
            "`{place}` does not read as what it should be, at byte {}",
            error.column()
        ))
    })
}

fn broken(error: impl std::fmt::Display) -> StoreError {
    StoreError::Corrupt(error.to_string())
}
