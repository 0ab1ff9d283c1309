//! [`Throttle`]: how long whoever gave wrong passwords must wait before another one is looked at. It counts
//! by account and address together, by address, and by account for strangers; who has logged in from an
//! address before is kept waiting there by nobody's mistakes but those made from there. Pure: the time is an
//! argument.

use std::collections::HashMap;

use crate::model::time::{Span, Timestamp};

/// So many mistakes cost nothing: people mistype.
const FREE_PAIR: u32 = 3;
/// Behind one address sit several people.
const FREE_ADDRESS: u32 = 20;
/// From all over the world, for one account.
const FREE_ACCOUNT: u32 = 30;
/// The first wait; each mistake after it doubles it.
const WAIT_FIRST: Span = Span::secs(1);
/// The longest wait of an account and address, and of an address.
const WAIT_MAX: Span = Span::mins(15);
/// The longest wait of an account, from an address that it never came from.
const WAIT_ACCOUNT_MAX: Span = Span::secs(30);
/// Mistakes older than that are forgotten.
const MEMORY: Span = Span::hours(1);
/// How many are remembered; the one least lately wrong is forgotten first.
const MARKS_MAX: usize = 20_000;

/// Who was wrong, and how often.
#[derive(Debug, Default)]
pub struct Throttle {
    marks: HashMap<Mark, Wrong>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Mark {
    Pair(String, String),
    Address(String),
    Account(String),
}

#[derive(Clone, Copy, Debug)]
struct Wrong {
    times: u32,
    at: Timestamp,
    until: Timestamp,
}

impl Throttle {
    /// How long who comes to `account` from `address` must wait; none: not at all. `known`: they have logged
    /// in from there before.
    pub fn wait(&self, account: &str, address: &str, known: bool, now: Timestamp) -> Option<Span> {
        let until = |mark: &Mark| self.marks.get(mark).map(|it| it.until);
        let pair = until(&Mark::Pair(account.to_owned(), address.to_owned()));
        let others = [until(&Mark::Address(address.to_owned())), until(&Mark::Account(account.to_owned()))];
        let until = others.into_iter().filter(|_| !known).chain([pair]).flatten().max()?;
        (until > now).then(|| until.since(now))
    }

    /// Notes a mistake.
    pub fn wrong(&mut self, account: &str, address: &str, now: Timestamp) {
        self.forget_old(now);
        self.note(Mark::Pair(account.to_owned(), address.to_owned()), FREE_PAIR, WAIT_MAX, now);
        self.note(Mark::Address(address.to_owned()), FREE_ADDRESS, WAIT_MAX, now);
        self.note(Mark::Account(account.to_owned()), FREE_ACCOUNT, WAIT_ACCOUNT_MAX, now);
    }

    /// They were right, and what was noted last was no mistake: what they mistyped before is forgiven. What
    /// others did is not.
    pub fn right(&mut self, account: &str, address: &str) {
        self.marks.remove(&Mark::Pair(account.to_owned(), address.to_owned()));
        let others = [Mark::Address(address.to_owned()), Mark::Account(account.to_owned())];
        for (mark, free) in others.into_iter().zip([FREE_ADDRESS, FREE_ACCOUNT]) {
            if let Some(it) = self.marks.get_mut(&mark) {
                it.times = it.times.saturating_sub(1);
                it.until = if it.times <= free { it.at } else { it.until };
            }
        }
    }

    fn note(&mut self, mark: Mark, free: u32, most: Span, now: Timestamp) {
        let old = self.marks.get(&mark).filter(|it| it.at + MEMORY > now);
        let times = old.map_or(0, |it| it.times).saturating_add(1);
        let wait = match times.checked_sub(free + 1) {
            None => Span(0),
            Some(doublings) => Span(WAIT_FIRST.0.saturating_mul(1 << doublings.min(20))).min(most),
        };
        self.marks.insert(mark, Wrong { times, at: now, until: now + wait });
    }

    fn forget_old(&mut self, now: Timestamp) {
        if self.marks.len() < MARKS_MAX {
            return;
        }
        self.marks.retain(|_, it| it.at + MEMORY > now);
        if self.marks.len() >= MARKS_MAX {
            let mut times: Vec<Timestamp> = self.marks.values().map(|it| it.at).collect();
            let middle = times.len() / 2;
            let (_, half, _) = times.select_nth_unstable(middle);
            let half = *half;
            self.marks.retain(|_, it| it.at > half);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000_000);

    #[test]
    fn each_mistake_costs_more_than_the_one_before_and_being_right_forgives() {
        let mut throttle = Throttle::default();
        let mut waits = Vec::new();
        for _ in 0..6 {
            throttle.wrong("ann", "1.1.1.1", NOW);
            waits.push(throttle.wait("ann", "1.1.1.1", false, NOW).map_or(0, |it| it.0 / 1_000));
        }
        assert_eq!(waits, [0, 0, 0, 1, 2, 4]);
        assert_eq!(throttle.wait("ann", "2.2.2.2", false, NOW), None, "elsewhere she is let in");
        assert_eq!(throttle.wait("bob", "1.1.1.1", false, NOW), None, "and so are others there");
        assert_eq!(throttle.wait("ann", "1.1.1.1", false, NOW + Span::secs(4)), None);
        throttle.right("ann", "1.1.1.1");
        assert_eq!(throttle.wait("ann", "1.1.1.1", false, NOW), None);
        for _ in 0..100 {
            throttle.wrong("bob", "3.3.3.3", NOW);
            throttle.right("bob", "3.3.3.3");
        }
        assert_eq!(throttle.wait("bob", "3.3.3.3", false, NOW), None, "being right costs nothing");
    }

    #[test]
    fn the_wait_has_an_end() {
        let mut throttle = Throttle::default();
        for _ in 0..200 {
            throttle.wrong("ann", "1.1.1.1", NOW);
        }
        assert_eq!(throttle.wait("ann", "1.1.1.1", true, NOW), Some(WAIT_MAX));
        assert_eq!(throttle.wait("bob", "1.1.1.1", false, NOW), Some(WAIT_MAX), "an address that guesses");
        throttle.wrong("ann", "1.1.1.1", NOW + MEMORY);
        assert_eq!(throttle.wait("ann", "1.1.1.1", true, NOW + MEMORY), None, "an hour later it begins anew");
    }

    #[test]
    fn guesses_from_everywhere_do_not_lock_the_owner_out() {
        let mut throttle = Throttle::default();
        for at in 0..500 {
            throttle.wrong("ann", &format!("10.0.{}.{}", at / 250, at % 250), NOW);
        }
        assert_eq!(throttle.wait("ann", "7.7.7.7", false, NOW), Some(WAIT_ACCOUNT_MAX));
        assert_eq!(throttle.wait("ann", "7.7.7.7", true, NOW), None, "where she has logged in before");
    }

    #[test]
    fn only_so_many_are_remembered() {
        let mut throttle = Throttle::default();
        for at in 0..30_000 {
            let now = NOW + Span::millis(at);
            throttle.wrong(&format!("u{at}"), "1.1.1.1", now);
        }
        assert!(throttle.marks.len() <= MARKS_MAX + 3, "{}", throttle.marks.len());
    }
}
