//! [`Wakes`]: of all who want one task woken, one wakes it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::model::names::TaskId;

/// The tasks that are being woken for somebody, and whether that was heard.
#[derive(Debug, Default)]
pub struct Wakes(Mutex<HashMap<TaskId, Arc<AtomicBool>>>);

/// The one who wakes a task, while this lives.
#[derive(Debug)]
pub struct Waking<'a> {
    wakes: &'a Wakes,
    task: TaskId,
    heard: Arc<AtomicBool>,
}

impl Wakes {
    /// Begins to wake a task; an error is that somebody does already, with what tells whether it heard.
    pub fn begin(&self, task: TaskId) -> Result<Waking<'_>, Arc<AtomicBool>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(heard) = all.get(&task) {
            return Err(Arc::clone(heard));
        }
        let heard = Arc::new(AtomicBool::new(false));
        all.insert(task, Arc::clone(&heard));
        Ok(Waking { wakes: self, task, heard })
    }
}

impl Waking<'_> {
    /// Whether the task heard it.
    pub fn heard(&self, heard: bool) {
        self.heard.store(heard, Ordering::Release);
    }
}

impl Drop for Waking<'_> {
    fn drop(&mut self) {
        self.wakes.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.task);
    }
}
