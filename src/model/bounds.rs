//! [`Bounds`]: what is known of a step that was decided before and could not be used as it was. It is decided
//! anew within them.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::fault::Fault;
use crate::model::names::{Address, ProcessId};

/// Within what a step is decided.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bounds {
    /// How far reads are followed.
    pub reads: Reads,
    /// The addresses, as text, at which others were faster too often.
    pub contended: BTreeSet<String>,
    /// The runner stops, and asks the world nothing any more.
    pub asks_nothing: bool,
    /// How many tasks may be born in processes that are full or nearly so.
    pub rooms: BTreeMap<ProcessId, ProcessBounds>,
}

/// How far a step follows reads of other tasks: each of them is known only after those before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reads {
    /// As far as they go: nothing is decided before all is fetched.
    #[default]
    Whole,
    /// The walk ends before the node that reads what is not fetched, if it has come to that node by itself.
    Stepwise,
    /// The same, and a node that alone reads further takes the fault `too_many_reads`.
    Spent,
}

/// The room in a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessBounds {
    /// So many tasks may be born in this step.
    pub left: u64,
    /// So many may live at once; 0 where the process is being deleted.
    pub limit: u64,
}

impl Bounds {
    /// Whether `born` tasks of `process` may be born in one step, and one more.
    ///
    /// # Errors
    /// `too_many_tasks`, or `process_not_found` where no task may be born any more.
    pub fn room(&self, process: &ProcessId, born: u64) -> Result<(), Fault> {
        match self.rooms.get(process) {
            Some(room) if room.limit == 0 => {
                Err(Fault::lasting("process_not_found", format!("process `{process}` is being deleted")))
            }
            Some(room) if born >= room.left => {
                let message = format!(
                    "process `{process}` has {} live tasks, and no more are taken; \
                     hint: wait until some have ended, or raise `limits: {{tasks: …}}` in its file",
                    room.limit
                );
                Err(Fault::passing("too_many_tasks", message))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Whether a signal to `address` may be written.
    ///
    /// # Errors
    /// `contended`.
    pub fn may_write(&self, address: &Address) -> Result<(), Fault> {
        if self.contended.is_empty() || !self.contended.contains(&address.to_string()) {
            return Ok(());
        }
        let message = format!("`{address}` comes and goes faster than this task can write to it");
        Err(Fault::passing("contended", message))
    }
}
