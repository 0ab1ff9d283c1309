//! [`IdGenerator`]: numbers and chance for new tasks. The one place in the engine that draws chance.

use std::sync::atomic::{AtomicI64, Ordering};

use rand::Rng;
use sha2::{Digest, Sha256};

use crate::model::names::TaskId;
use crate::model::task::{Birth, Seed};
use crate::model::time::Timestamp;

/// Bits of a task's number below its milliseconds: ten tell runners apart, twelve count within a millisecond.
const LOW_BITS: u32 = 22;
/// Numbers count milliseconds from 2020-01-01, and so last until 2089.
const EPOCH: Timestamp = Timestamp(1_577_836_800_000);
/// How many milliseconds those are.
const MILLIS_MAX: i64 = 1 << (63 - LOW_BITS);
/// How many runners can be told apart.
const RUNNERS_MAX: u16 = 1 << 10;
/// Bits that count within a millisecond.
const COUNT_BITS: u32 = 12;

/// Gives every new task a number that grows with time and is unique among runners.
#[derive(Debug)]
pub struct IdGenerator {
    /// Milliseconds and count of the last number.
    last: AtomicI64,
    runner: i64,
    /// No chance at all: seeds are made from the numbers.
    foreseen: bool,
}

impl IdGenerator {
    /// For one runner.
    pub fn new() -> IdGenerator {
        let mut bytes = [0u8; 2];
        rand::rng().fill_bytes(&mut bytes);
        let runner = i64::from(u16::from_be_bytes(bytes) >> 6);
        IdGenerator { last: AtomicI64::new(0), runner, foreseen: false }
    }

    /// For the `runner`-th runner of a scenario, which must go the same way each time. Its keys can be
    /// guessed, so nothing real may come of them.
    pub fn foreseen(runner: u16) -> IdGenerator {
        IdGenerator { last: AtomicI64::new(0), runner: i64::from(runner % RUNNERS_MAX), foreseen: true }
    }

    /// A number and chance for a task born at `now`.
    pub fn next(&self, now: Timestamp) -> Birth {
        // A clock that is far off gives numbers that are off, but numbers.
        let floor = (now.0.saturating_sub(EPOCH.0).max(0) % MILLIS_MAX) << COUNT_BITS;
        let step = |last: i64| Some(floor.max(last + 1));
        let last = self.last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, step);
        // `fetch_update` gives the value before; the closure never refuses.
        let tick = floor.max(last.unwrap_or(floor) + 1);
        let (millis, count) = (tick >> COUNT_BITS, tick & ((1 << COUNT_BITS) - 1));
        let id = TaskId(millis << LOW_BITS | self.runner << COUNT_BITS | count);
        let mut seed = [0u8; 16];
        match self.foreseen {
            true => seed.copy_from_slice(&Sha256::digest(id.0.to_be_bytes())[..16]),
            false => rand::rng().fill_bytes(&mut seed),
        }
        Birth::new(id, Seed(seed))
    }
}

impl Default for IdGenerator {
    fn default() -> IdGenerator {
        IdGenerator::new()
    }
}
