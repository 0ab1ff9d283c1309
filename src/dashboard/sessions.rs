//! [`Sessions`]: who is logged in. They live in memory, under the hash of an id that only the browser has;
//! whoever steals our memory's content has no id, and a restart asks everybody again.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::desk::hash;
use crate::model::time::{Span, Timestamp};

/// How long a session lasts without being used.
const IDLE_MAX: Span = Span::hours(12);
/// How long a session lasts at most.
const LIFE_MAX: Span = Span::days(7);
/// How many there are at most; the one unused longest goes first.
const SESSIONS_MAX: usize = 1_000;
/// How many wrong tokens are read at once. A token has 256 bits, so this keeps out noise, not guessers; who
/// has a good one is never kept waiting by it.
const WRONG_MAX: u64 = 10;
/// How long until one more is read.
const WRONG_PAUSE: Span = Span::secs(6);

/// Who is logged in.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    all: Mutex<HashMap<String, Session>>,
    /// When the last of the wrong tokens is forgiven.
    forgiven: Mutex<Option<Timestamp>>,
}

/// One who is logged in.
#[derive(Clone, Debug)]
struct Session {
    /// The hash of the token they came with: what it opens is asked of the desk each time.
    token: String,
    since: Timestamp,
    seen: Timestamp,
}

impl Sessions {
    /// A new session for who has the token of that hash. Gives its id, for the browser alone.
    pub(super) fn begin(&self, token: String, now: Timestamp) -> String {
        let id = hash::new_token();
        let mut all = self.lock();
        all.retain(|_, it| good(it, now));
        if all.len() >= SESSIONS_MAX {
            let oldest = all.iter().min_by_key(|(_, it)| it.seen).map(|(id, _)| id.clone());
            oldest.and_then(|id| all.remove(&id));
        }
        all.insert(hash::of_token(&id), Session { token, since: now, seen: now });
        id
    }

    /// The hash of the token that the session with `id` began with, if it still holds.
    pub(super) fn token(&self, id: &str, now: Timestamp) -> Option<String> {
        let mut all = self.lock();
        let session = all.get_mut(&hash::of_token(id)).filter(|it| good(it, now))?;
        session.seen = now;
        Some(session.token.clone())
    }

    /// Ends it.
    pub(super) fn end(&self, id: &str) {
        self.lock().remove(&hash::of_token(id));
    }

    /// Notes a wrong token. Whether it was one too many.
    pub(super) fn wrong(&self, now: Timestamp) -> bool {
        let mut forgiven = self.forgiven.lock().unwrap_or_else(PoisonError::into_inner);
        let from = forgiven.unwrap_or(now).max(now);
        let room = now + Span(WRONG_PAUSE.0 * WRONG_MAX);
        match from + WRONG_PAUSE > room {
            true => true,
            false => {
                *forgiven = Some(from + WRONG_PAUSE);
                false
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Session>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn good(session: &Session, now: Timestamp) -> bool {
    now < session.since + LIFE_MAX && now < session.seen + IDLE_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000_000);

    #[test]
    fn a_session_ends_when_it_is_not_used_or_is_old() {
        let sessions = Sessions::default();
        let id = sessions.begin("t".to_owned(), NOW);
        assert_eq!(sessions.token(&id, NOW + Span::hours(11)).as_deref(), Some("t"));
        assert_eq!(sessions.token(&id, NOW + Span::hours(22)).as_deref(), Some("t"));
        assert_eq!(sessions.token(&id, NOW + Span::hours(35)), None);
        let id = sessions.begin("t".to_owned(), NOW);
        let uses = (0..30).map(|at| NOW + Span::hours(at * 6));
        assert_eq!(uses.filter(|now| sessions.token(&id, *now).is_some()).count(), 28);
        let id = sessions.begin("t".to_owned(), NOW);
        sessions.end(&id);
        assert_eq!(sessions.token(&id, NOW), None);
        assert_eq!(sessions.token("", NOW), None);
    }

    #[test]
    fn there_are_not_too_many() {
        let sessions = Sessions::default();
        let first = sessions.begin("t".to_owned(), NOW);
        for at in 0..SESSIONS_MAX {
            sessions.begin("t".to_owned(), NOW + Span::millis(u64::try_from(at).unwrap() + 1));
        }
        assert_eq!(sessions.lock().len(), SESSIONS_MAX);
        assert_eq!(sessions.token(&first, NOW), None);
    }

    #[test]
    fn many_wrong_tokens_are_too_many_for_a_while() {
        let sessions = Sessions::default();
        assert_eq!((0..20).filter(|_| sessions.wrong(NOW)).count(), 10);
        assert!(!sessions.wrong(NOW + WRONG_PAUSE));
        assert!(sessions.wrong(NOW + WRONG_PAUSE));
        assert!(!sessions.wrong(NOW + Span::hours(1)));
    }
}
