//! [`LimitedClient`]: asks in turn. A request waits for room at its host and its node, gets the access token
//! it needs, and what the host says of its limits holds for all who ask it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::engine::ports::Clock;
use crate::engine::resources::ResourceCache;
use crate::model::effect::{Auth, EarlierUntil, ExternalAnswer, Grant, HttpAnswer, HttpRequest, Outcome};
use crate::model::fault::Fault;
use crate::model::hosts::fits;
use crate::model::rate::RateLimit;
use crate::model::time::{Span, Ticks, Timestamp};
use crate::outbound::clock::SystemClock;
use crate::outbound::deadline::{left, within};
use crate::outbound::http::{CallOptions, Http};
use crate::outbound::rate_limiter::{Closing, LimitKey, PermitResult, RateLimiter};
use crate::outbound::request;
use crate::outbound::secrets::SecretResolver;
use crate::outbound::token_cache::{CachedToken, TokenCache};

/// So long a request stands in line before it goes and comes again. It is well below the overtime that the
/// runner gives an effect.
const LINE_MAX: Span = Span::secs(2);

/// Asks in turn.
#[derive(Debug)]
pub struct LimitedClient {
    http: Http,
    grants: TokenCache,
    resources: Arc<ResourceCache>,
    hosts: Vec<(String, RateLimit)>,
    rooms: Mutex<RateLimiter>,
}

/// Room that was found; given back when it is dropped.
struct Room<'a> {
    asker: &'a LimitedClient,
    names: Vec<String>,
    since: Ticks,
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        let took = SystemClock.ticks().since(self.since);
        self.asker.rooms().leave(steady(), &self.names, took);
    }
}

impl LimitedClient {
    /// Asks by `http`, within the limits of `hosts`: patterns of hosts and what is allowed there.
    pub fn new(http: Http, resources: Arc<ResourceCache>, hosts: Vec<(String, RateLimit)>) -> LimitedClient {
        let grants = TokenCache::new(http.clone(), Arc::clone(&resources));
        LimitedClient { http, grants, resources, hosts, rooms: Mutex::default() }
    }

    /// Asks in time, or says when there will be room.
    pub async fn ask(&self, ask: &HttpRequest, call: CallOptions<'_>) -> Outcome {
        let mut resolver = SecretResolver::new(self.resources.secrets());
        let wants = self.wants(ask, &mut resolver).map_err(|fault| resolver.scrubbed(fault))?;
        let room = match self.enter(call.key, &wants).await {
            Ok(room) => room,
            Err(later) => return Ok(ExternalAnswer::Later(later)),
        };
        let asked = match &ask.auth {
            Some(Auth::Oauth2(grant)) => self.ask_granted(ask, grant, call, &mut resolver).await,
            _ => self.http.ask(ask, call, &mut resolver).await,
        };
        if let (Ok(answer), Some(host)) = (&asked, wants.first()) {
            self.heard(answer, host, call.key);
        }
        drop(room);
        asked.map(ExternalAnswer::Http)
    }

    /// The host, and the node if it has a limit of its own.
    fn wants(&self, ask: &HttpRequest, resolver: &mut SecretResolver) -> Result<Vec<LimitKey>, Fault> {
        let (origin, shown) = request::origin(ask, resolver)?;
        let url = url::Url::parse(&origin).ok();
        let host = url.as_ref().and_then(|it| it.host_str()).unwrap_or_default();
        let port = url.as_ref().and_then(url::Url::port_or_known_default).unwrap_or_default();
        let limit = self.hosts.iter().find(|(pattern, _)| fits(pattern, host, port));
        let limit = limit.map(|(_, limit)| *limit).unwrap_or_default();
        let mut wants = vec![LimitKey { name: origin, shown: format!("`{shown}`"), limit }];
        if let Some(pace) = &ask.pace {
            let limit = RateLimit { parallel: pace.parallel, rate: pace.rate };
            wants.push(LimitKey { name: pace.node.clone(), shown: format!("node `{}`", pace.node), limit });
        }
        Ok(wants)
    }

    async fn enter(&self, key: &str, wants: &[LimitKey]) -> Result<Room<'_>, EarlierUntil> {
        let room = |names| Room { asker: self, names, since: SystemClock.ticks() };
        loop {
            let entry = self.rooms().enter(steady(), key, wants);
            match entry {
                PermitResult::In(names) => return Ok(room(names)),
                PermitResult::Soon(at) => SystemClock.after(at.since(steady())).await,
                PermitResult::Later(later) => return Err(on_the_wall(later)),
                PermitResult::Line(number, mut receiver) => {
                    if let Some(Ok(names)) = within(LINE_MAX, &mut receiver).await {
                        return Ok(room(names));
                    }
                    match self.rooms().give_up(steady(), number) {
                        Some(later) => return Err(on_the_wall(later)),
                        // It was told in the very moment it gave up.
                        None => {
                            if let Ok(names) = receiver.try_recv() {
                                return Ok(room(names));
                            }
                        }
                    }
                }
            }
        }
    }

    /// What a host says of its limits.
    fn heard(&self, answer: &HttpAnswer, host: &LimitKey, key: &str) {
        let (now, wall) = (steady(), SystemClock.now());
        let closed = matches!(answer.status, 429 | 503).then(|| answer.retry_after(wall)).flatten();
        match closed {
            Some(pause) => {
                let until = now + pause;
                let (place, opens) = (&host.shown, wall + pause);
                tracing::debug!(place, status = answer.status, until = %opens, "asks to be left alone");
                let closing = if answer.status == 503 { Closing::Down } else { Closing::Busy };
                self.rooms().close(now, host, key, until, closing);
            }
            None if answer.status == 429 => {}
            None => self.rooms().ease(now, &host.name, key),
        }
    }

    /// Asks with an access token. One that is refused though it was kept is got anew, once.
    async fn ask_granted(
        &self,
        ask: &HttpRequest,
        grant: &Grant,
        call: CallOptions<'_>,
        resolver: &mut SecretResolver,
    ) -> Result<HttpAnswer, Fault> {
        let started = SystemClock.ticks();
        let left = || left(call.timeout, started).max(Span(1));
        let call = || CallOptions { timeout: left(), ..call };
        let CachedToken { token, fresh } = self.grants.token(grant, ask.tls.as_ref(), None, left()).await?;
        let bearing = bearing(ask, resolver.redact("access token", &token));
        let answer = self.http.ask(&bearing, call(), resolver).await?;
        if answer.status != 401 || fresh {
            return Ok(answer);
        }
        let again = self.grants.token(grant, ask.tls.as_ref(), Some(&token), left()).await?;
        let bearing = self::bearing(ask, resolver.redact("next access token", &again.token));
        self.http.ask(&bearing, call(), resolver).await
    }

    fn rooms(&self) -> MutexGuard<'_, RateLimiter> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The time that rooms go by: what lies in this process alone does not follow the wall clock.
fn steady() -> Timestamp {
    Timestamp(i64::try_from(SystemClock.ticks().0).unwrap_or(i64::MAX))
}

/// When there will be room, as a moment that a task can be kept with.
fn on_the_wall(later: EarlierUntil) -> EarlierUntil {
    EarlierUntil { until: SystemClock.now() + later.until.since(steady()), ..later }
}

/// The same request with that token.
fn bearing(ask: &HttpRequest, token: String) -> HttpRequest {
    HttpRequest { auth: Some(Auth::Bearer(token)), ..ask.clone() }
}
