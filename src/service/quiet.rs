//! [`Quiet`]: what may happen a hundred thousand times a minute is told of once, and then how often it was.
//! Pure: the time is an argument.

use std::collections::BTreeMap;

use crate::model::time::{Span, Ticks};

/// How often the same is told of again while it goes on.
const EVERY: Span = Span::mins(1);
/// Of so many different things it is counted; those beyond are told of together.
const KINDS_MAX: usize = 1_000;
const OTHERS: &str = "others";

/// What was told of late, and how often it has been since.
#[derive(Debug, Default)]
pub(super) struct Quiet {
    told: BTreeMap<String, Told>,
}

#[derive(Debug)]
struct Told {
    at: Ticks,
    since: u64,
}

impl Quiet {
    /// It has happened again. Gives how often it has been since it was told of last, if it is to be told of
    /// now: 0 the first time.
    pub(super) fn happens(&mut self, what: &str, now: Ticks) -> Option<u64> {
        let full = self.told.len() >= KINDS_MAX && !self.told.contains_key(what);
        let what = if full { OTHERS } else { what };
        match self.told.get_mut(what) {
            None => {
                self.told.insert(what.to_owned(), Told { at: now, since: 0 });
                Some(0)
            }
            Some(told) if told.at + EVERY <= now => {
                told.at = now;
                Some(std::mem::take(&mut told.since))
            }
            Some(told) => {
                told.since += 1;
                None
            }
        }
    }

    /// What has ended without being told of: how often each was, since it was told of last.
    pub(super) fn ended(&mut self, now: Ticks) -> Vec<(String, u64)> {
        let over: Vec<String> =
            self.told.iter().filter(|(_, it)| it.at + EVERY <= now).map(|(what, _)| what.clone()).collect();
        let ended = over.into_iter().filter_map(|what| self.told.remove(&what).map(|it| (what, it.since)));
        ended.filter(|(_, since)| *since > 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_told_once_a_minute_and_counted() {
        let (mut quiet, minute) = (Quiet::default(), EVERY.0);
        assert_eq!(quiet.happens("a", Ticks(0)), Some(0));
        for at in 1..1_000 {
            assert_eq!(quiet.happens("a", Ticks(at)), None);
        }
        assert_eq!(quiet.happens("b", Ticks(7)), Some(0), "another is told by itself");
        assert_eq!(quiet.happens("a", Ticks(minute)), Some(999));
        assert_eq!(quiet.happens("a", Ticks(minute + 1)), None);
        assert_eq!(quiet.ended(Ticks(minute + 7)), [], "it may go on");
        assert_eq!(quiet.ended(Ticks(2 * minute)), [("a".to_owned(), 1)]);
        assert_eq!(quiet.happens("a", Ticks(2 * minute)), Some(0), "and is told at once when it comes back");
    }

    #[test]
    fn it_remembers_no_more_than_it_may() {
        let mut quiet = Quiet::default();
        let told = (0..5_000).filter(|it| quiet.happens(&it.to_string(), Ticks(0)).is_some()).count();
        assert_eq!(told, KINDS_MAX + 1, "and the rest together");
    }
}
