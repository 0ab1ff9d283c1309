//! [`Taint`]: whether an evaluation has read something secret. Whatever reads a value notes it here, so that
//! what is made of secrets is known by how it was made, and not by what it looks like.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

/// Whether nothing is noted. For the one test that shows what would be seen without marks.
#[doc(hidden)]
pub static BLIND: AtomicBool = AtomicBool::new(false);

/// Notes that something secret was read. Clones are one and the same.
#[derive(Clone, Default)]
pub struct Taint(Arc<Noted>);

#[derive(Default)]
struct Noted {
    is_secret: AtomicBool,
    /// What was read: a fault may quote it.
    values: Mutex<Vec<Value>>,
}

/// As many values are remembered: a fault quotes what was read last.
const VALUES_MAX: usize = 32;

impl Taint {
    /// These were read, and are secret.
    pub fn note<'a>(&self, secrets: impl Iterator<Item = &'a Value>) {
        if BLIND.load(Ordering::Relaxed) {
            return;
        }
        self.0.is_secret.store(true, Ordering::Relaxed);
        let mut values = self.0.values.lock().unwrap_or_else(PoisonError::into_inner);
        for secret in secrets {
            if !values.contains(secret) {
                let over = (values.len() + 1).saturating_sub(VALUES_MAX);
                values.drain(..over);
                values.push(secret.clone());
            }
        }
    }

    /// What was read that is secret.
    pub fn values(&self) -> Vec<Value> {
        self.0.values.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What `work` gives, and whether it read something secret. What was noted before stays noted.
    pub fn during<T>(&self, work: impl FnOnce() -> T) -> (T, bool) {
        let before = self.0.is_secret.swap(false, Ordering::Relaxed);
        let done = work();
        let is_secret = self.0.is_secret.fetch_or(before, Ordering::Relaxed);
        (done, is_secret)
    }

    /// The same, where what is read decides, but is no part of what comes of it.
    pub fn apart<T>(&self, work: impl FnOnce() -> T) -> T {
        let before = self.0.is_secret.load(Ordering::Relaxed);
        let done = work();
        self.0.is_secret.store(before, Ordering::Relaxed);
        done
    }
}

impl fmt::Debug for Taint {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("Taint")
    }
}
