//! A write of a [`Batch`] by itself: if one of a thousand cannot be written, it is told apart from a store
//! that takes nothing at all, and costs none of the others.

use crate::engine::ports::{Receipt, Refused, StoreError};
use crate::store::rows::{No, Sealed};
use crate::store::sqlite_batch::Batch;

/// A row for each table that no task and no record can have.
const CANARIES: [&str; 5] = [
    "INSERT INTO tasks (id, process, ref, node, phase, ended, epoch, alarm, events, body)
     VALUES (-1, '', '', '', 0, 0, 0, 0, 0, x'')",
    "INSERT INTO signals (id, task, body) VALUES (-1, -1, x'')",
    "INSERT INTO history (seq, task, revision, phase, events, body) VALUES (-1, -1, 0, 0, 0, x'')",
    "INSERT INTO counts (process, node, phase, tasks) VALUES ('', '', 0, 0)",
    "INSERT INTO records (collection, name, at, value) VALUES ('', '', 0, x'')",
];

impl Batch<'_> {
    pub(super) fn write(&mut self, write: &Sealed) -> Result<Result<Receipt, Refused>, StoreError> {
        let done = if self.careful { self.write_apart(write) } else { self.try_write(write) };
        match done {
            Ok(receipt) => Ok(Ok(receipt)),
            Err(No::Refused(refused)) => Ok(Err(refused)),
            Err(No::Suspect(error)) => {
                self.suspect = true;
                Err(error)
            }
            Err(No::Failed(error)) => Err(error),
        }
    }

    fn try_write(&mut self, write: &Sealed) -> Result<Receipt, No> {
        match write {
            Sealed::Step(step) => self.step(step),
            Sealed::Post(signal, at) => self.post(signal, *at),
            Sealed::Noted(signal, record, at) => {
                let receipt = self.post(signal, *at)?;
                self.keep(record)?;
                Ok(receipt)
            }
        }
    }

    /// What of a write that failed was done is undone. Then it is seen whether the others can be written: if
    /// so, this one is unwritable, and if not, the store is.
    fn write_apart(&mut self, write: &Sealed) -> Result<Receipt, No> {
        let before = (self.last_event, self.last_signal, std::mem::take(&mut self.counts));
        self.sql("SAVEPOINT apart")?.execute([])?;
        let done = self.try_write(write);
        let (last_event, last_signal, mut counts) = before;
        match done {
            Ok(_) => std::mem::take(&mut self.counts).into_iter().for_each(|(stand, tasks)| {
                *counts.entry(stand).or_default() += tasks;
            }),
            Err(_) => (self.last_event, self.last_signal) = (last_event, last_signal),
        }
        self.counts = counts;
        if let Err(No::Suspect(_) | No::Refused(_)) = &done {
            self.sql("ROLLBACK TO apart")?.execute([])?;
        }
        if !matches!(done, Err(No::Failed(_))) {
            self.sql("RELEASE apart")?.execute([])?;
        }
        match done {
            Err(No::Suspect(error)) => match self.takes_rows() {
                Ok(()) => Err(Refused::Unwritable(reason(&error)).into()),
                Err(_) => Err(No::Failed(error)),
            },
            done => done,
        }
    }

    /// Whether every table takes a row: one is put into each and taken back.
    fn takes_rows(&self) -> Result<(), StoreError> {
        self.sql("SAVEPOINT canary")?.execute([])?;
        let done = CANARIES.iter().try_for_each(|canary| self.sql(canary)?.execute([]).map(drop));
        self.sql("ROLLBACK TO canary")?.execute([])?;
        self.sql("RELEASE canary")?.execute([])?;
        Ok(done?)
    }

    /// Proves that the store can be written: each table takes a row, and the commit has something to sync.
    pub(super) fn probe(&self) -> Result<(), StoreError> {
        self.takes_rows()?;
        self.sql("UPDATE store SET last_event = last_event")?.execute([])?;
        Ok(())
    }
}

/// What is wrong, without what a person is told of the store as a whole.
fn reason(error: &StoreError) -> String {
    match error {
        StoreError::Lost(why) | StoreError::Corrupt(why) => why.clone(),
    }
}
