//! [`RateLimiter`]: who may ask now, and who comes again when. Pure: the time is an argument.
//!
//! A *place* is a host, or a node with a limit of its own. A place has so much room at once, and opens at a
//! certain pace; a host that says `Retry-After` is closed until then, and its pace is slow at first. Whoever
//! finds no room gets a *ticket* and comes again with it: those who came first have the earlier one.
//!
//! A host that is *down* (503) speaks for what it saw of one request, and others may reach it all the same:
//! so one of those who wait asks now and then, and the first good answer to such a *probe* opens it for all.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use tokio::sync::oneshot;

use crate::model::effect::EarlierUntil;
use crate::model::rate::RateLimit;
use crate::model::time::{Span, Timestamp};

/// So short a time is waited for on the spot, in microseconds.
const SOON_US: i64 = 250_000;
/// Who stand at a full place for it to have room; all others come again.
const PRESENT_MAX: usize = 16;
/// The pace after a place was closed, in microseconds from one to the next; halved by each good answer.
const GAP_FIRST_US: i64 = 50_000;
/// The slowest pace.
const GAP_MAX_US: i64 = 10_000_000;
/// A pace that nobody would notice.
const GAP_MIN_US: i64 = 5_000;
/// Whoever comes so long after its time has lost it, in microseconds: many who are late must not come at
/// once.
const LATE_US: i64 = 1_000_000;
/// How long a ticket is kept whose holder does not come.
const TICKET_TIME: Span = Span::mins(10);
/// Tickets, or places, that are kept before those of no use are looked for.
const SWEEP_MIN: usize = 512;
/// Whoever finds a place full comes again no sooner,
const AGAIN_MIN: Span = Span::millis(500);
/// and no later.
const AGAIN_MAX: Span = Span::mins(1);
/// A host that is down is asked by one of those who wait, so often.
const PROBE_EVERY: Span = Span::mins(1);
/// How long a request is thought to take before one was seen, in milliseconds.
const USUAL_MS: u64 = 1_000;

/// A place that a request needs room at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitKey {
    /// Which; the same for all who mean it.
    pub name: String,
    /// The same for people.
    pub shown: String,
    /// What the operator or the author allows there.
    pub limit: RateLimit,
}

/// What a host means that says when to come again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closing {
    /// It is asked too often (429): nobody asks before.
    Busy,
    /// It cannot answer at present (503): one asks before, now and then.
    Down,
}

/// What becomes of a request.
#[derive(Debug)]
pub enum PermitResult {
    /// It may be made; these places are to be left after it.
    In(Vec<String>),
    /// To be asked for again then, on the spot.
    Soon(Timestamp),
    /// It stands in line under this number until it is told.
    Line(u64, oneshot::Receiver<Vec<String>>),
    /// To come again then.
    Later(EarlierUntil),
}

/// All places that have a limit, or are closed.
#[derive(Debug, Default)]
pub struct RateLimiter {
    places: HashMap<String, Place>,
    line: BTreeMap<u64, Standing>,
    next: u64,
}

#[derive(Debug)]
struct Standing {
    key: String,
    wants: Vec<LimitKey>,
    /// The place it found full.
    at: String,
    sender: oneshot::Sender<Vec<String>>,
}

#[derive(Debug, Default)]
struct Place {
    limit: RateLimit,
    running: u32,
    closed_until: Timestamp,
    /// It is down: until then, each time it opens, one request alone is let in.
    down_until: Timestamp,
    /// The request that was let in last while it was down.
    probe: Option<String>,
    /// When the next one without a ticket may ask.
    free_us: i64,
    /// The pace after it was closed.
    gap_us: i64,
    /// When who may ask.
    tickets: HashMap<String, i64>,
    /// Who came when to find it full: a number, and when that was seen last.
    numbers: HashMap<String, (u64, Timestamp)>,
    order: BTreeSet<u64>,
    present: usize,
    usual_ms: Option<u64>,
    sweep_at: usize,
}

impl RateLimiter {
    /// Whether the request `key` may be made at all of `wants`.
    pub fn enter(&mut self, now: Timestamp, key: &str, wants: &[LimitKey]) -> PermitResult {
        self.sweep(now);
        for want in wants.iter().filter(|it| it.limit != RateLimit::default()) {
            self.places.entry(want.name.clone()).or_default().limit = want.limit;
        }
        if let Some((at, want)) = self.not_before(now, key, wants) {
            for want in wants {
                if let Some(place) = self.places.get_mut(&want.name) {
                    place.reserve(key, now);
                }
            }
            let until = Timestamp(at.div_euclid(1_000) + i64::from(at.rem_euclid(1_000) > 0));
            return match at - micros(now) <= SOON_US {
                true => PermitResult::Soon(until),
                false => PermitResult::Later(EarlierUntil { until, place: want.shown.clone() }),
            };
        }
        let Some(full) = self.full(wants) else { return PermitResult::In(self.take(now, key, wants)) };
        let number = self.number(now, key, &full.name);
        let Some(place) = self.places.get_mut(&full.name) else { return PermitResult::In(Vec::new()) };
        if place.present >= PRESENT_MAX {
            return PermitResult::Later(self.again(now, number, full));
        }
        place.present += 1;
        let (sender, receiver) = oneshot::channel();
        self.line.insert(
            number,
            Standing { key: key.to_owned(), wants: wants.to_vec(), at: full.name.clone(), sender },
        );
        PermitResult::Line(number, receiver)
    }

    /// Whoever stands in line under `number` goes and comes again; none if it was just told to enter.
    pub fn give_up(&mut self, now: Timestamp, number: u64) -> Option<EarlierUntil> {
        let Standing { wants, at, .. } = self.line.remove(&number)?;
        if let Some(place) = self.places.get_mut(&at) {
            place.present = place.present.saturating_sub(1);
        }
        let full = self.full(&wants).or(wants.iter().find(|it| it.name == at))?;
        Some(self.again(now, number, full))
    }

    /// The request that was let in is over, after `took`.
    pub fn leave(&mut self, now: Timestamp, names: &[String], took: Span) {
        for name in names {
            if let Some(place) = self.places.get_mut(name) {
                place.running = place.running.saturating_sub(1);
                place.usual_ms = Some(place.usual_ms.map_or(took.0, |it| (it * 3 + took.0) / 4));
            }
        }
        let numbers: Vec<u64> = self.line.keys().copied().collect();
        for number in numbers {
            let Some(standing) = self.line.get(&number) else { continue };
            let (key, wants, at) = (standing.key.clone(), standing.wants.clone(), standing.at.clone());
            if self.full(&wants).is_some() || self.not_before(now, &key, &wants).is_some() {
                continue;
            }
            if let Some(place) = self.places.get_mut(&at) {
                place.present = place.present.saturating_sub(1);
            }
            let names = self.take(now, &key, &wants);
            let receiver = self.line.remove(&number).map(|it| it.sender.send(names.clone()));
            if receiver.is_none_or(|it| it.is_err()) {
                self.unmake(&names);
            }
        }
    }

    /// A host said to `key` when to come again.
    pub fn close(&mut self, now: Timestamp, want: &LimitKey, key: &str, until: Timestamp, closing: Closing) {
        if until <= now {
            return;
        }
        let place = self.places.entry(want.name.clone()).or_default();
        let is_new = place.closed_until <= now;
        if is_new {
            place.gap_us = (place.gap_us * 2).clamp(GAP_FIRST_US, GAP_MAX_US);
        }
        let shut = match closing {
            Closing::Busy => until,
            Closing::Down => until.min(now + PROBE_EVERY),
        };
        if closing == Closing::Down {
            place.down_until = place.down_until.max(until);
        }
        place.closed_until = place.closed_until.max(shut);
        place.tickets.remove(key);
        // Who was refused first comes before all that wait.
        place.keep_off(if is_new { place.gap() } else { 0 });
        let open_us = micros(place.closed_until);
        let taken = place.tickets.values().any(|it| *it == open_us);
        let own = if taken { place.free_us } else { open_us };
        place.tickets.insert(key.to_owned(), own);
        if taken {
            place.free_us += place.gap();
        }
    }

    /// A host gave an answer to `key` that asks nobody to wait.
    pub fn ease(&mut self, now: Timestamp, name: &str, key: &str) {
        let Some(place) = self.places.get_mut(name) else { return };
        if place.probe.as_deref() == Some(key) {
            place.open(now);
        }
        if place.closed_until > now {
            return;
        }
        place.gap_us /= 2;
        if place.gap_us < GAP_MIN_US {
            place.gap_us = 0;
        }
    }

    /// The moment before which the request may not be made, and the place that says so.
    fn not_before<'w>(
        &self,
        now: Timestamp,
        key: &str,
        wants: &'w [LimitKey],
    ) -> Option<(i64, &'w LimitKey)> {
        let slots = wants.iter().filter_map(|want| Some((self.places.get(&want.name)?.slot(key, now), want)));
        slots.filter(|(at, _)| *at > micros(now)).max_by_key(|(at, _)| *at)
    }

    /// The first of `wants` without room.
    fn full<'w>(&self, wants: &'w [LimitKey]) -> Option<&'w LimitKey> {
        wants.iter().find(|want| {
            let place = self.places.get(&want.name);
            place.is_some_and(|it| it.limit.parallel.is_some_and(|parallel| it.running >= parallel))
        })
    }

    fn take(&mut self, now: Timestamp, key: &str, wants: &[LimitKey]) -> Vec<String> {
        let mut names = Vec::new();
        for want in wants {
            if let Some(place) = self.places.get_mut(&want.name) {
                place.reserve(key, now);
                place.tickets.remove(key);
                place.probed(key, now);
                place.running += 1;
                if let Some((number, _)) = place.numbers.remove(key) {
                    place.order.remove(&number);
                }
                names.push(want.name.clone());
            }
        }
        names
    }

    fn unmake(&mut self, names: &[String]) {
        for name in names {
            if let Some(place) = self.places.get_mut(name) {
                place.running = place.running.saturating_sub(1);
            }
        }
    }

    /// The number under which `key` came to find the place full, from before or new.
    fn number(&mut self, now: Timestamp, key: &str, name: &str) -> u64 {
        let place = self.places.entry(name.to_owned()).or_default();
        let number = place.numbers.get(key).map_or(self.next, |(number, _)| *number);
        self.next += u64::from(number == self.next);
        place.numbers.insert(key.to_owned(), (number, now));
        place.order.insert(number);
        number
    }

    /// When those before `number` are likely to be through.
    fn again(&self, now: Timestamp, number: u64, want: &LimitKey) -> EarlierUntil {
        let place = self.places.get(&want.name);
        let pause = place.map_or(AGAIN_MIN, |place| {
            let first = place.order.first().copied().unwrap_or(number);
            let before = number.saturating_sub(first).min(place.order.len() as u64);
            let at_once = u64::from(place.limit.parallel.unwrap_or(1).max(1));
            Span(place.usual_ms.unwrap_or(USUAL_MS).saturating_mul(before + 1) / at_once)
        });
        EarlierUntil { until: now + pause.clamp(AGAIN_MIN, AGAIN_MAX), place: want.shown.clone() }
    }

    /// Forgets places that nobody is at or waits for.
    fn sweep(&mut self, now: Timestamp) {
        if self.places.len() >= SWEEP_MIN {
            self.places.retain(|_, place| !place.is_idle(now));
        }
    }
}

impl Place {
    fn gap(&self) -> i64 {
        self.gap_us.max(self.limit.rate.map_or(0, crate::model::rate::Rate::gap_us))
    }

    /// When `key` may ask.
    fn slot(&self, key: &str, now: Timestamp) -> i64 {
        match self.tickets.get(key).filter(|at| **at > micros(now) - LATE_US) {
            Some(at) => *at,
            None if self.is_paced(now) => micros(now).max(self.free_us).max(micros(self.closed_until)),
            None => micros(now),
        }
    }

    /// Nobody comes before it opens, nor so long after; those who wait keep their distances.
    fn keep_off(&mut self, after_us: i64) {
        let open_us = micros(self.closed_until);
        let first = self.tickets.values().copied().min().unwrap_or(self.free_us);
        let shift = (open_us + after_us - first).max(0);
        self.tickets.values_mut().for_each(|it| *it += shift);
        self.free_us = (self.free_us + shift).max(open_us + self.gap());
    }

    /// The request `key` was let in. If the place is down, no other is for a while.
    fn probed(&mut self, key: &str, now: Timestamp) {
        if self.down_until <= now {
            return;
        }
        self.probe = Some(key.to_owned());
        self.closed_until = self.down_until.min(now + PROBE_EVERY);
        self.keep_off(0);
    }

    /// It was down, and is not: all that wait come as much earlier as the first may.
    fn open(&mut self, now: Timestamp) {
        self.probe = None;
        self.down_until = now;
        self.closed_until = self.closed_until.min(now);
        let first = self.tickets.values().copied().min().unwrap_or(self.free_us);
        let shift = (first - micros(now)).max(0);
        self.tickets.values_mut().for_each(|it| *it -= shift);
        self.free_us -= shift;
    }

    fn is_paced(&self, now: Timestamp) -> bool {
        self.gap() > 0 || self.closed_until > now || !self.tickets.is_empty()
    }

    fn reserve(&mut self, key: &str, now: Timestamp) {
        let at = self.slot(key, now);
        if self.tickets.get(key) == Some(&at) || !self.is_paced(now) {
            return;
        }
        self.free_us = at + self.gap();
        self.tickets.insert(key.to_owned(), at);
        if self.tickets.len() + self.numbers.len() > self.sweep_at.max(SWEEP_MIN) {
            self.sweep(now);
        }
    }

    /// Forgets those who did not come again.
    fn sweep(&mut self, now: Timestamp) {
        let old = now - TICKET_TIME;
        self.tickets.retain(|_, at| *at > micros(old));
        let order = &mut self.order;
        self.numbers.retain(|_, (number, seen)| *seen > old || !order.remove(number));
        self.sweep_at = 2 * (self.tickets.len() + self.numbers.len());
    }

    fn is_idle(&self, now: Timestamp) -> bool {
        let waited_for = self.tickets.values().any(|at| *at > micros(now - TICKET_TIME));
        let paced =
            self.closed_until.max(self.down_until) > now || self.gap_us > 0 || self.free_us > micros(now);
        self.running == 0 && self.present == 0 && self.numbers.is_empty() && !waited_for && !paced
    }
}

fn micros(at: Timestamp) -> i64 {
    at.0.saturating_mul(1_000)
}
