//! Logging in: with a name and a password, with a token, and the first time with a one-time link. Wrong ones
//! are slowed; who has been here before is not locked out by the guesses of others.

use std::collections::BTreeMap;
use std::sync::Arc;

use subtle::ConstantTimeEq;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::engine::ports::Collection;
use crate::model::time::Span;
use crate::service::actor::{Actor, Role};
use crate::service::errors::{ServiceError, ServiceResult};
use crate::service::hash;
use crate::service::kept::{KeptSetup, KeptUser, record, value};
use crate::service::password::{LoginSource, good_password};
use crate::service::service::{Service, lock};
use crate::service::sessions::SessionClient;
use crate::service::users::{NewUser, good_user_name};

/// How long the link of the first start opens.
const SETUP_LIFE: Span = Span::hours(24);
/// The name of its record.
const SETUP: &str = "link";
/// How many addresses are remembered of a user.
const KNOWN_MAX: usize = 10;
/// The longest password that is looked at, in bytes: a hash takes longer for a longer text.
const PASSWORD_BYTES_MAX: usize = 1_024;
/// Under these no user is guessed at: tokens and links have 256 bits.
const TOKENS: &str = "\0token";
const LINKS: &str = "\0link";

/// Why somebody was not let in.
#[derive(Debug, Error)]
pub enum NotIn {
    /// It is not known: the name, the password, or both.
    #[error("the name or the password is wrong")]
    Wrong,
    /// There were too many wrong ones.
    #[error("too many wrong ones; hint: wait a moment, then try again")]
    Wait(Span),
    /// Something else.
    #[error(transparent)]
    Refused(#[from] ServiceError),
}

/// Who is let in: the id of a new session, for the browser alone.
pub type Entered = Result<String, NotIn>;

impl Service {
    /// Lets in who knows the password of the user of that name.
    pub async fn log_in(&self, name: &str, password: &str, caller: &SessionClient) -> Entered {
        let (name, place) = (name.trim().to_lowercase(), caller.place());
        let member = self.member(&name).ok().filter(|it| !it.kept.disabled);
        let known = member.as_ref().is_some_and(|it| it.kept.known.contains(&place));
        if let Some(wait) = lock(&self.throttle).wait(&name, &place, known, self.now()) {
            return Err(NotIn::Wait(wait));
        }
        // Noted before it is known to be wrong: who asks a hundred times at once is not looked at a hundred
        // times.
        lock(&self.throttle).wrong(&name, &place, self.now());
        let hash = member.as_ref().map(|it| it.kept.password.as_str());
        let password = if password.len() > PASSWORD_BYTES_MAX { "" } else { password };
        let asker = if known { LoginSource::Known } else { LoginSource::Stranger };
        let fits = self.passwords.fits(password, hash, asker).await?;
        let (true, Some(member)) = (fits, member) else {
            if let Ok(member) = self.member(&name) {
                self.audit(
                    &Actor::local("stranger"),
                    "login.wrong",
                    format!("{} from {place}", member.actor.name),
                )
                .await?;
            }
            return Err(NotIn::Wrong);
        };
        lock(&self.throttle).right(&name, &place);
        self.note_login(&name, &member.kept.password, &place).await?;
        Ok(self.enter(&member.actor, caller).await?)
    }

    /// Lets in who has a good token. It has 256 bits, so slowing keeps out noise, not guessers; who has a
    /// good one is never kept waiting.
    pub async fn log_in_with_token(&self, token: &str, caller: &SessionClient) -> Entered {
        match self.actor(token) {
            Some(actor) => Ok(self.enter(&actor, caller).await?),
            None => Err(self.wrong(TOKENS, caller)),
        }
    }

    /// Makes the key of a one-time link that lets the first admin be made; none if there is one. Whatever was
    /// made before opens nothing from now on.
    pub async fn open_setup(&self) -> ServiceResult<Option<Zeroizing<String>>> {
        if self.has_admin() {
            self.store().delete(Collection::Setup, SETUP).await?;
            return Ok(None);
        }
        let (key, now) = (Zeroizing::new(hash::new_token()), self.now());
        let kept = KeptSetup { hash: hash::of_token(&key), until: now + SETUP_LIFE };
        self.store().put(vec![record(Collection::Setup, SETUP, &kept, now)?]).await?;
        Ok(Some(key))
    }

    /// Whether that key opens. A wrong one is noted.
    pub async fn may_set_up(&self, key: &str, caller: &SessionClient) -> Result<(), NotIn> {
        let kept = self.store().record(Collection::Setup, SETUP).await.map_err(ServiceError::from)?;
        let kept: Option<KeptSetup> = kept.map(value).transpose().map_err(ServiceError::from)?;
        let hash = hash::of_token(key);
        let fits = |it: &KeptSetup| bool::from(it.hash.as_bytes().ct_eq(hash.as_bytes()));
        match kept.filter(|it| it.until > self.now() && fits(it)) {
            Some(_) if !self.has_admin() => Ok(()),
            Some(_) | None => Err(self.wrong(LINKS, caller)),
        }
    }

    /// Makes the first admin, and lets them in. The link opens nothing from now on.
    pub async fn set_up(
        &self,
        key: &str,
        name: &str,
        password: Zeroizing<String>,
        caller: &SessionClient,
    ) -> Entered {
        self.may_set_up(key, caller).await?;
        // What is wrong with the name or the password leaves the link as it is.
        let name = good_user_name(name)?;
        good_password(&name, &password)?;
        let _one = self.setting_up.lock().await;
        // Of two who come at once, one is the first.
        self.may_set_up(key, caller).await?;
        let new = NewUser { name: name.clone(), password, role: Some(Role::Admin), within: BTreeMap::new() };
        self.make_user(&Actor::local("setup"), new).await?;
        self.store().delete(Collection::Setup, SETUP).await.map_err(ServiceError::from)?;
        let member = self.member(&name)?;
        self.note_login(&name, &member.kept.password, &caller.place()).await?;
        Ok(self.enter(&member.actor, caller).await?)
    }

    /// Begins a session for who has just changed their password, in place of those that this ended.
    pub async fn enter_again(&self, by: &Actor, caller: &SessionClient) -> ServiceResult<String> {
        self.begin_session(by.pass.clone(), caller).await
    }

    async fn enter(&self, actor: &Arc<Actor>, caller: &SessionClient) -> ServiceResult<String> {
        let id = self.begin_session(actor.pass.clone(), caller).await?;
        self.audit(actor, "login", format!("from {}", caller.place())).await?;
        Ok(id)
    }

    fn wrong(&self, what: &str, caller: &SessionClient) -> NotIn {
        let (place, now) = (caller.place(), self.now());
        let mut throttle = lock(&self.throttle);
        match throttle.wait(what, &place, false, now) {
            Some(wait) => NotIn::Wait(wait),
            None => {
                throttle.wrong(what, &place, now);
                NotIn::Wrong
            }
        }
    }

    /// Remembers that they came, and from where. Refused if their password changed or they went in between.
    async fn note_login(&self, name: &str, password: &str, place: &str) -> Result<(), NotIn> {
        let _one = self.shelving.lock().await;
        let mut kept: KeptUser = self.member(name)?.kept;
        if kept.disabled || kept.password != password {
            return Err(NotIn::Wrong);
        }
        kept.seen = Some(self.now());
        kept.known.retain(|it| it != place);
        kept.known.push(place.to_owned());
        let more = kept.known.len().saturating_sub(KNOWN_MAX);
        kept.known.drain(..more);
        Ok(self.keep_user(name, kept).await?)
    }
}

impl From<crate::engine::ports::StoreError> for NotIn {
    fn from(error: crate::engine::ports::StoreError) -> NotIn {
        NotIn::Refused(error.into())
    }
}
