//! Watching over the channels: what is known of them is kept, a person who has moved is followed, and
//! canaries sing.

use std::sync::Arc;

use futures::future::join_all;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::engine::health::{ChannelHealth, Moved};
use crate::engine::ports::Collection;
use crate::model::effect::{Effect, Notification, Request};
use crate::model::fault::Class;
use crate::model::time::{Span, Timestamp};
use crate::service::actor::Actor;
use crate::service::canary::Canary;
use crate::service::errors::ServiceResult;
use crate::service::health::Kept;
use crate::service::kept::{KeptChannel, record, value};
use crate::service::service::Service;

/// How long a canary may take.
const CANARY_TIMEOUT: Span = Span::secs(30);
/// When it failed for something that may pass, it sings again so soon: one bad minute is no week of alarm.
const CANARY_AGAIN: Span = Span::hours(1);
/// How soon a store that did not answer is asked again.
const STORE_PAUSE: Span = Span::mins(1);
/// Who is noted when a setting follows a person.
const BY: &str = "beltline";

impl Service {
    /// Watches over the channels until `stop`. What is known then is kept.
    pub async fn watch_channels(self: Arc<Self>, stop: CancellationToken) {
        let mut kept = Kept::default();
        loop {
            let next = match self.watch_once(&mut kept, &stop).await {
                Ok(next) => next,
                Err(error) => {
                    tracing::warn!(%error, "the channels' health was not kept");
                    Some(self.now() + STORE_PAUSE)
                }
            };
            let time = async {
                match next {
                    Some(next) => self.clock().at(next).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = self.resources.health().changed() => {}
                () = time => {}
            }
        }
        if let Err(error) = self.keep_health(&mut kept, true).await {
            tracing::warn!(%error, "the channels' health was not kept");
        }
    }

    /// Does what is due, and says when to look again.
    async fn watch_once(
        &self,
        kept: &mut Kept,
        stop: &CancellationToken,
    ) -> ServiceResult<Option<Timestamp>> {
        self.follow().await?;
        let singing = self.sing(stop).await?;
        let keeping = self.keep_health(kept, false).await?;
        Ok([singing, keeping].into_iter().flatten().min())
    }

    /// Writes where a person is now into the settings, if they are ours to write.
    async fn follow(&self) -> ServiceResult<()> {
        for (name, standing) in self.resources.health().all() {
            let Some(Moved { setting, to }) = standing.moved else { continue };
            if self.config.channels.contains_key(&name) {
                continue;
            }
            let _one = self.shelving.lock().await;
            let Some(channel) = self.store().record(Collection::Channel, &name).await? else { continue };
            let mut channel: KeptChannel = value(channel)?;
            channel.config.insert(setting.clone(), Value::from(to));
            self.store().put(vec![record(Collection::Channel, &name, &channel, self.now())?]).await?;
            self.load_channels().await?;
            self.resources.health().moved(&name, None);
            tracing::info!(channel = name, setting, "follows who has moved");
            self.audit(&Actor::local(BY), "channel.moved", &name).await?;
        }
        Ok(())
    }

    /// Lets the canaries sing that are due. It is kept before that they did: none sings twice after a crash.
    async fn sing(&self, stop: &CancellationToken) -> ServiceResult<Option<Timestamp>> {
        let (now, health) = (self.now(), self.resources.health());
        let (mut due, mut next) = (Vec::new(), None);
        for (name, channel) in self.resources.channels().iter() {
            let Ok(Some(canary)) = Canary::read(&channel.config) else { continue };
            let standing = health.of(name);
            let from = standing.canary_at.unwrap_or(now);
            let sings = [canary.after(from), again(&standing, from)].into_iter().flatten().min();
            let at = match sings {
                Some(at) if at <= now => {
                    due.push(name.clone());
                    canary.after(now)
                }
                later => {
                    if standing.canary_at.is_none() {
                        health.canary(name, now);
                    }
                    later
                }
            };
            next = [next, at].into_iter().flatten().min();
        }
        if due.is_empty() {
            return Ok(next);
        }
        let kept = due.iter().map(|name| {
            let standing = ChannelHealth { canary_at: Some(now), ..health.of(name) };
            record(Collection::Health, name, &standing, now)
        });
        self.store().put(kept.collect::<Result<Vec<_>, _>>()?).await?;
        for name in &due {
            health.canary(name, now);
        }
        tokio::select! {
            _ = join_all(due.iter().map(|name| self.sing_one(name, now))) => {}
            // What comes of them then is not known, as after a crash.
            () = stop.cancelled() => {}
        }
        Ok(Some(now))
    }

    async fn sing_one(&self, name: &str, now: Timestamp) {
        let ask = Notification {
            channels: vec![name.to_owned()],
            subject: "Beltline canary".to_owned(),
            text: "Beltline canary: this channel works.".to_owned(),
            ..Notification::default()
        };
        let key = format!("canary-{name}-{}", now.0);
        let effect = Effect { key, request: Request::Notify(ask), timeout: CANARY_TIMEOUT, once: true };
        if let Err(fault) = self.handle.processor().world.perform(&effect).await {
            tracing::warn!(channel = name, why = fault.message, "the canary did not arrive");
        }
    }
}

/// When a canary that failed sings again.
fn again(standing: &ChannelHealth, from: Timestamp) -> Option<Timestamp> {
    let passing = standing.fault.as_ref().is_some_and(|it| it.class == Class::Passing);
    (standing.failing_since.is_some() && passing).then(|| from + CANARY_AGAIN)
}
