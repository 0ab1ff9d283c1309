//! [`Story`]: what happened in a case, to be printed: the steps, the events of the tasks, the messages.

use crate::model::names::Address;
use crate::model::task::HistoryEvent;
use crate::model::time::Timestamp;
use crate::scenario::script::ScriptMessage;

/// As many beats are kept from the beginning and from the end of each step. A year has a quarter of a
/// million.
const BEATS_KEPT: usize = 60;

/// What happened in a case.
#[derive(Clone, Debug, Default)]
pub struct Story {
    steps: Vec<Chapter>,
    /// How many events there were in all.
    pub events: u64,
}

/// A step, and what came of it.
#[derive(Clone, Debug)]
pub struct Chapter {
    /// What happened.
    pub title: String,
    /// When.
    pub at: Timestamp,
    /// How it began.
    pub first: Vec<Beat>,
    /// How many beats are left out here.
    pub skipped: u64,
    /// How it ended.
    pub last: std::collections::VecDeque<Beat>,
}

/// One thing that came of it.
#[derive(Clone, Debug)]
pub enum Beat {
    /// A task moved.
    Event(Address, HistoryEvent),
    /// Somebody was told.
    Notified(Timestamp, ScriptMessage),
}

impl Story {
    /// A new step begins.
    pub fn begin(&mut self, title: impl Into<String>, at: Timestamp) {
        self.steps.push(Chapter {
            title: title.into(),
            at,
            first: Vec::new(),
            skipped: 0,
            last: std::collections::VecDeque::new(),
        });
    }

    /// Something came of the step.
    pub fn add(&mut self, beat: Beat) {
        if matches!(beat, Beat::Event(..)) {
            self.events += 1;
        }
        let Some(step) = self.steps.last_mut() else { return };
        if step.first.len() < BEATS_KEPT {
            step.first.push(beat);
            return;
        }
        step.last.push_back(beat);
        if step.last.len() > BEATS_KEPT {
            step.last.pop_front();
            step.skipped += 1;
        }
    }

    /// The steps.
    pub fn chapters(&self) -> &[Chapter] {
        &self.steps
    }
}
