//! [`Steps`]: when and by how much the wall clock was set, as far as that was found out. What is stored as a
//! length of time is stored as the moment of its end; who knows the steps since can move that moment along.

use serde::{Deserialize, Serialize};

use crate::model::time::{Span, Timestamp};

/// So many steps are remembered. Of a task that has slept through more, the oldest are not made up for.
const STEPS_MAX: usize = 1_000;
/// A clock that was set back by less than that was right before: what it planned for the hours that come
/// again is not planned twice. Set back by more, it was wrong before, and is planned by anew.
pub const CORRECTION: Span = Span::hours(3);

/// The steps of the wall clock. Kept in the store, and nothing is ever taken back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Steps {
    /// How many there were in all; a task remembers which of them it has heard of.
    pub many: u32,
    /// The last ones, the newest last.
    pub last: Vec<ClockStep>,
}

/// One step of the wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockStep {
    /// When it was found out, by the clock as it went from then on.
    pub at: Timestamp,
    /// By how many milliseconds it was set; ahead if that is more than nothing.
    pub by_ms: i64,
}

impl ClockStep {
    /// How far, whichever way.
    pub fn span(&self) -> Span {
        Span(self.by_ms.unsigned_abs())
    }

    /// In words, to the second: `ahead by 2h`.
    pub fn words(&self) -> String {
        let way = if self.by_ms > 0 { "ahead" } else { "back" };
        // Two looks at two clocks are a millisecond apart, whoever sets one.
        let seconds = self.span().0.saturating_add(500) / 1_000;
        format!("{way} by {}", Span(seconds.saturating_mul(1_000)))
    }
}

impl Steps {
    /// Adds one.
    pub fn add(&mut self, step: ClockStep) {
        self.many = self.many.saturating_add(1);
        self.last.push(step);
        if self.last.len() > STEPS_MAX {
            self.last.remove(0);
        }
    }

    /// The steps after the first `heard` of all.
    pub fn after(&self, heard: u32) -> &[ClockStep] {
        let new = usize::try_from(self.many.saturating_sub(heard)).unwrap_or(usize::MAX);
        &self.last[self.last.len().saturating_sub(new)..]
    }

    /// By how many milliseconds the clock was set after the first `heard` steps, all in all.
    pub fn since(&self, heard: u32) -> i64 {
        self.after(heard).iter().fold(0, |sum, step| sum.saturating_add(step.by_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_heard_of_some_is_moved_by_the_rest() {
        let mut steps = Steps::default();
        for by_ms in [7_000, -2_000, 30_000] {
            steps.add(ClockStep { at: Timestamp(0), by_ms });
        }
        assert_eq!([0, 1, 2, 3, 4].map(|heard| steps.since(heard)), [35_000, 28_000, 30_000, 0, 0]);
        assert_eq!(steps.last[1].words(), "back by 2s");
    }

    #[test]
    fn only_the_last_are_remembered() {
        let mut steps = Steps::default();
        for _ in 0..=STEPS_MAX {
            steps.add(ClockStep { at: Timestamp(0), by_ms: 1 });
        }
        assert_eq!((steps.many, steps.last.len()), (1_001, STEPS_MAX));
        assert_eq!(steps.since(0), 1_000);
    }
}
