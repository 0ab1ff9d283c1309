//! [`Taint`]: whether an evaluation has read something secret. Whatever reads a value notes it here, so that
//! what is made of secrets is known by how it was made, and not by what it looks like.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether nothing is noted. For the one test that shows what would be seen without marks.
#[doc(hidden)]
pub static BLIND: AtomicBool = AtomicBool::new(false);

/// Notes that something secret was read. Clones are one and the same.
#[derive(Clone, Default)]
pub struct Taint(Arc<AtomicBool>);

impl Taint {
    /// Something secret was read.
    pub fn note(&self) {
        if !BLIND.load(Ordering::Relaxed) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    /// What `work` gives, and whether it read something secret. What was noted before stays noted.
    pub fn during<T>(&self, work: impl FnOnce() -> T) -> (T, bool) {
        let before = self.0.swap(false, Ordering::Relaxed);
        let done = work();
        let is_secret = self.0.fetch_or(before, Ordering::Relaxed);
        (done, is_secret)
    }

    /// The same, where what is read decides, but is no part of what comes of it.
    pub fn apart<T>(&self, work: impl FnOnce() -> T) -> T {
        let before = self.0.load(Ordering::Relaxed);
        let done = work();
        self.0.store(before, Ordering::Relaxed);
        done
    }
}

impl fmt::Debug for Taint {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("Taint")
    }
}
