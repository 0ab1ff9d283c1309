//! [`Pace`]: whether a hook takes one more request now, by its `rate`. Many may come at once, as long as no
//! more come in all. Pure: the time is an argument.

use std::collections::HashMap;

use crate::model::rate::Rate;
use crate::model::time::{Span, Ticks};

/// Until when what each hook took is used up, in microseconds.
#[derive(Debug, Default)]
pub(super) struct Pace {
    taken: HashMap<String, i64>,
}

impl Pace {
    /// Takes one more request at `place`, or says in how long there is room for one.
    pub(super) fn take(&mut self, place: &str, rate: Rate, now: Ticks) -> Result<(), Span> {
        let (now, per) = (micros(now.0), micros(rate.per.0));
        let used = self.taken.get(place).copied().unwrap_or(now).max(now).saturating_add(rate.gap_us());
        let over = used - now - per;
        // What cannot be divided evenly is nobody's loss.
        if over >= rate.gap_us().min(1_000) {
            return Err(Span::millis(over.unsigned_abs().div_ceil(1_000)));
        }
        match self.taken.get_mut(place) {
            Some(taken) => *taken = used,
            None => drop(self.taken.insert(place.to_owned(), used)),
        }
        Ok(())
    }

    /// Forgets what is over.
    pub(super) fn sweep(&mut self, now: Ticks) {
        self.taken.retain(|_, used| *used > micros(now.0));
    }
}

fn micros(millis: u64) -> i64 {
    i64::try_from(millis.saturating_mul(1_000)).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_come_in_at_once_and_then_one_after_the_other() {
        let (mut pace, rate) = (Pace::default(), "3/m".parse::<Rate>().unwrap());
        let at = |s: u64| Ticks(1_000_000 + s * 1_000);
        for _ in 0..3 {
            pace.take("shop/orders", rate, at(0)).unwrap();
        }
        assert_eq!(pace.take("shop/orders", rate, at(0)), Err(Span::secs(20)));
        pace.take("shop/other", rate, at(0)).unwrap();
        assert_eq!(pace.take("shop/orders", rate, at(19)), Err(Span::secs(1)));
        pace.take("shop/orders", rate, at(20)).unwrap();
        assert_eq!(pace.take("shop/orders", rate, at(20)), Err(Span::secs(20)));
        // Who was refused used nothing up.
        let taken = (0..3_600).filter(|s| pace.take("shop/orders", rate, at(21 + s)).is_ok()).count();
        assert_eq!(taken, 180, "three a minute, for an hour");
        pace.sweep(at(100_000));
        assert!(pace.taken.is_empty());
    }

    #[test]
    fn a_rate_that_cannot_be_divided_holds() {
        let (mut pace, rate) = (Pace::default(), "7/s".parse::<Rate>().unwrap());
        let taken = (0..10_000).filter(|ms| pace.take("a", rate, Ticks(*ms)).is_ok()).count();
        assert!((70..=77).contains(&taken), "{taken}");
        assert_eq!((0..20).filter(|_| pace.take("b", rate, Ticks(0)).is_ok()).count(), 7);
    }
}
