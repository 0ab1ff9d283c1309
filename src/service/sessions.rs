//! Sessions: who is logged in, since when, from where. Kept under the hash of an id that only the browser
//! has, so that whoever steals what is kept has no id, and a restart logs nobody out.

use std::net::IpAddr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError};

use serde::Serialize;
use utoipa::ToSchema;

use crate::engine::ports::{Collection, StoreError};
use crate::model::time::{Span, Timestamp};
use crate::service::actor::{Actor, Pass, Right};
use crate::service::errors::{ServiceError, ServiceResult};
use crate::service::hash;
use crate::service::kept::{KeptSession, record};
use crate::service::service::{Service, Sitting};
use crate::service::view::{ListPage, time};

/// How long a session lasts without being used.
pub const IDLE_MAX: Span = Span::hours(12);
/// How long a session lasts at most.
pub const LIFE_MAX: Span = Span::days(7);
/// How many there are at most; the one unused longest goes first.
const SESSIONS_MAX: usize = 1_000;
/// When something was used last is kept no oftener than that.
const COARSE: Span = Span::mins(5);
/// How much is kept of how a browser names itself, in characters.
const AGENT_CHARS_MAX: usize = 200;

/// Who asks to come in: where they are, and how their browser names itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionClient {
    /// Their address.
    pub address: IpAddr,
    /// Their browser.
    pub agent: String,
}

/// One who is logged in.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Session)]
pub struct SessionView {
    /// Names the session, and opens nothing.
    pub id: String,
    /// Who.
    pub who: String,
    /// Since when.
    pub since: String,
    /// Used last.
    pub seen: String,
    /// The address they logged in from.
    pub from: String,
    /// The browser.
    pub agent: String,
    /// It is the one that asks.
    pub current: bool,
}

impl SessionClient {
    /// The address as it is remembered. Whoever has one address of version 6 has a whole network of them.
    pub fn place(&self) -> String {
        match self.address.to_canonical() {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
            }
        }
    }
}

impl Sitting {
    fn of(kept: KeptSession) -> Sitting {
        Sitting { seen: AtomicI64::new(kept.seen.0), kept }
    }

    fn seen(&self) -> Timestamp {
        Timestamp(self.seen.load(Ordering::Relaxed))
    }

    fn is_good(&self, now: Timestamp) -> bool {
        now < self.kept.since + LIFE_MAX && now < self.seen() + IDLE_MAX
    }
}

impl Service {
    /// Who has the session of that id, if it still holds.
    pub fn actor_in(&self, id: &str) -> Option<Arc<Actor>> {
        let (hash, now) = (hash::of_token(id), self.now());
        let sessions = self.sessions.read().unwrap_or_else(PoisonError::into_inner);
        let sitting = sessions.get(&hash).filter(|it| it.is_good(now))?;
        let actor = self.actor_by(&sitting.kept.pass)?;
        sitting.seen.fetch_max(now.0, Ordering::Relaxed);
        drop(sessions);
        Some(Arc::new(Actor { session: Some(hash), ..(*actor).clone() }))
    }

    /// Somebody who came before, as they are now: a stream that lasts asks again before it says more.
    pub fn again(&self, by: &Actor) -> Option<Arc<Actor>> {
        let Some(hash) = &by.session else { return self.actor_by(&by.pass) };
        let sessions = self.sessions.read().unwrap_or_else(PoisonError::into_inner);
        sessions.get(hash).filter(|it| it.is_good(self.now()))?;
        let actor = self.actor_by(&by.pass)?;
        Some(Arc::new(Actor { session: Some(hash.clone()), ..(*actor).clone() }))
    }

    fn actor_by(&self, pass: &Pass) -> Option<Arc<Actor>> {
        match pass {
            Pass::Engine => None,
            Pass::Local => self.local.as_ref().map(|(_, actor)| Arc::clone(actor)),
            Pass::Token(hash) => self.actor_of(hash),
            Pass::User(name) => {
                self.member(name).ok().filter(|it| !it.kept.disabled).map(|it| Arc::clone(&it.actor))
            }
        }
    }

    /// Begins a session. Gives its id, for the browser alone.
    pub(super) async fn begin_session(&self, pass: Pass, caller: &SessionClient) -> ServiceResult<String> {
        let (id, now) = (hash::new_token(), self.now());
        let agent = caller.agent.chars().filter(|it| !it.is_control()).take(AGENT_CHARS_MAX).collect();
        let kept = KeptSession { pass, since: now, seen: now, from: caller.place(), agent };
        let hash = hash::of_token(&id);
        self.store().put(vec![record(Collection::Session, &hash, &kept, now)?]).await?;
        let oldest = {
            let mut sessions = self.sessions.write().unwrap_or_else(PoisonError::into_inner);
            sessions.insert(hash, Arc::new(Sitting::of(kept)));
            let oldest = sessions.iter().min_by_key(|(_, it)| it.seen()).map(|(hash, _)| hash.clone());
            oldest.filter(|_| sessions.len() > SESSIONS_MAX)
        };
        if let Some(oldest) = oldest {
            self.end(&oldest).await?;
        }
        Ok(id)
    }

    /// Ends the session of that id, if there is one: who has it may.
    pub async fn leave(&self, id: &str) -> ServiceResult<()> {
        self.end(&hash::of_token(id)).await
    }

    /// Who is logged in: one's own sessions, or for an admin all, those used last first.
    pub fn sessions(&self, by: &Actor) -> ListPage<SessionView> {
        let now = self.now();
        let sessions = self.sessions.read().unwrap_or_else(PoisonError::into_inner);
        let mut mine: Vec<(&String, &Arc<Sitting>)> =
            sessions.iter().filter(|(_, it)| it.is_good(now) && sees(by, it)).collect();
        mine.sort_by_key(|(_, it)| std::cmp::Reverse(it.seen()));
        let view = |(hash, it): (&String, &Arc<Sitting>)| {
            Some(SessionView {
                id: hash.clone(),
                who: self.actor_by(&it.kept.pass)?.name.clone(),
                since: time(it.kept.since),
                seen: time(it.seen()),
                from: it.kept.from.clone(),
                agent: it.kept.agent.clone(),
                current: by.session.as_ref() == Some(hash),
            })
        };
        ListPage::whole(mine.into_iter().filter_map(view).collect())
    }

    /// Ends a session by its name: one's own, or for an admin any.
    pub async fn end_session(&self, by: &Actor, name: &str) -> ServiceResult<()> {
        let sitting = {
            let sessions = self.sessions.read().unwrap_or_else(PoisonError::into_inner);
            sessions.get(name).filter(|it| sees(by, it)).cloned()
        };
        // Whose it is stays hidden from who may not end it.
        let sitting = sitting.ok_or_else(|| ServiceError::missing("session", name))?;
        let who = self.actor_by(&sitting.kept.pass).map_or_else(|| "?".to_owned(), |it| it.name.clone());
        self.end(name).await?;
        self.audit(by, "session.end", format!("{who} from {}", sitting.kept.from)).await
    }

    /// Ends all sessions of somebody.
    pub(super) async fn end_all_of(&self, pass: &Pass) -> ServiceResult<()> {
        let theirs: Vec<String> = {
            let sessions = self.sessions.read().unwrap_or_else(PoisonError::into_inner);
            sessions.iter().filter(|(_, it)| it.kept.pass == *pass).map(|(hash, _)| hash.clone()).collect()
        };
        for hash in theirs {
            self.end(&hash).await?;
        }
        Ok(())
    }

    /// It opens nothing from here on, whether the store answers or not.
    async fn end(&self, hash: &str) -> ServiceResult<()> {
        let ended = self.sessions.write().unwrap_or_else(PoisonError::into_inner).remove(hash);
        if ended.is_some() {
            self.store().delete(Collection::Session, hash).await?;
        }
        Ok(())
    }

    /// Keeps when sessions and tokens were used last, where that changed by much, and forgets sessions that
    /// are over. Now and then: not with each request.
    pub async fn keep_uses(&self) -> ServiceResult<()> {
        self.tell_quiet();
        let _one = self.shelving.lock().await;
        let now = self.now();
        let (mut records, mut over) = (Vec::new(), Vec::new());
        {
            let sessions = self.sessions.read().unwrap_or_else(PoisonError::into_inner);
            for (hash, it) in &*sessions {
                match it.is_good(now) && self.actor_by(&it.kept.pass).is_some() {
                    false => over.push(hash.clone()),
                    true if it.seen() >= it.kept.seen + COARSE => {
                        let kept = KeptSession { seen: it.seen(), ..it.kept.clone() };
                        records.push((hash.clone(), kept));
                    }
                    true => {}
                }
            }
        }
        for hash in over {
            self.end(&hash).await?;
        }
        for (hash, kept) in records {
            self.store().put(vec![record(Collection::Session, &hash, &kept, now)?]).await?;
            // One that was ended in between stays ended.
            let ended = self.replace_sitting(&hash, kept).is_none();
            if ended {
                self.store().delete(Collection::Session, &hash).await?;
            }
        }
        self.keep_token_uses(COARSE).await
    }

    fn replace_sitting(&self, hash: &str, kept: KeptSession) -> Option<()> {
        let mut sessions = self.sessions.write().unwrap_or_else(PoisonError::into_inner);
        let it = sessions.get_mut(hash)?;
        let seen = it.seen();
        *it = Arc::new(Sitting::of(kept));
        it.seen.fetch_max(seen.0, Ordering::Relaxed);
        Some(())
    }

    pub(super) async fn load_sessions(&self) -> Result<(), StoreError> {
        let kept = self.kept_on(Collection::Session).await?.into_iter();
        let sessions = kept.map(|(name, it)| (name, Arc::new(Sitting::of(it)))).collect();
        *self.sessions.write().unwrap_or_else(PoisonError::into_inner) = sessions;
        Ok(())
    }
}

fn sees(by: &Actor, it: &Sitting) -> bool {
    by.pass == it.kept.pass || by.may_everywhere(Right::Admin)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000_000);

    #[test]
    fn a_session_ends_when_it_is_not_used_or_is_old() {
        let (from, agent) = (String::new(), String::new());
        let sitting = |seen| {
            Sitting::of(KeptSession {
                pass: Pass::Local,
                since: NOW,
                seen,
                from: from.clone(),
                agent: agent.clone(),
            })
        };
        assert!(sitting(NOW).is_good(NOW + Span::hours(11)));
        assert!(!sitting(NOW).is_good(NOW + Span::hours(12)));
        assert!(sitting(NOW + Span::hours(160)).is_good(NOW + Span::hours(167)));
        assert!(!sitting(NOW + Span::hours(167)).is_good(NOW + Span::hours(168)));
    }

    #[test]
    fn a_network_of_version_6_is_one_place() {
        let place =
            |address: &str| SessionClient { address: address.parse().unwrap(), agent: String::new() }.place();
        assert_eq!(place("2001:db8:1:2:aaaa::1"), place("2001:db8:1:2:bbbb::9"));
        assert_ne!(place("2001:db8:1:2::1"), place("2001:db8:1:3::1"));
        assert_eq!(place("::ffff:10.0.0.7"), "10.0.0.7");
    }
}
