//! [`OutboundClient`]: performs effects for real.

use std::sync::Arc;

use async_trait::async_trait;
use ipnet::IpNet;
use thiserror::Error;

use crate::engine::ports::Outbound;
use crate::engine::resources::ResourceCache;
use crate::model::effect::{Effect, Outcome, Request};
use crate::model::hosts::is_pattern;
use crate::model::rate::RateLimit;
use crate::outbound::batcher::{Grouping, NotificationBatcher};
use crate::outbound::guard::Guard;
use crate::outbound::hosts::OauthHosts;
use crate::outbound::http::{CallOptions, Http};
use crate::outbound::limited_client::LimitedClient;
use crate::outbound::mail::Mailer;
use crate::outbound::notifier::Notifier;

/// What the operator allows beyond the public internet.
#[derive(Clone, Debug, Default)]
pub struct OutboundConfig {
    /// Addresses that requests may reach though they are not public.
    pub allow_addresses: Vec<IpNet>,
    /// OAuth token hosts beside the vendor's two: hosts, for https, or whole origins.
    pub oauth_hosts: Vec<String>,
    /// How long the messages of many tasks are gathered into one.
    pub grouping: Grouping,
    /// How much may happen at hosts at a time; the first pattern that fits holds.
    pub host_limits: Vec<(String, RateLimit)>,
}

/// Why the world cannot be set up.
#[derive(Debug, Error)]
pub enum OutboundError {
    /// An entry of the list cannot be read.
    #[error("`{0}` is no OAuth host; hint: write `oauth.example.org` or `https://oauth.example.org`")]
    OauthHost(String),
    /// An entry of the limits cannot be read, or lets nobody in.
    #[error("`limits.hosts` cannot be used at `{0}`: {1}")]
    HostLimit(String, &'static str),
    /// The system's certificates cannot be read.
    #[error("the HTTP client cannot be made: {0}")]
    Client(String),
}

/// Performs effects for real.
#[derive(Debug)]
pub struct OutboundClient {
    asker: LimitedClient,
    burst: NotificationBatcher,
}

impl OutboundClient {
    /// A world within what `config` allows.
    pub fn new(
        config: OutboundConfig,
        resources: Arc<ResourceCache>,
    ) -> Result<OutboundClient, OutboundError> {
        let guard = Arc::new(Guard::new(config.allow_addresses));
        let oauth_hosts = OauthHosts::new(&config.oauth_hosts).map_err(OutboundError::OauthHost)?;
        config.host_limits.iter().try_for_each(check_limit)?;
        let http = Http::new(Arc::clone(&guard), oauth_hosts);
        let http = http.map_err(|it| OutboundError::Client(it.without_url().to_string()))?;
        let notifier = Notifier::new(http.clone(), Mailer::new(guard), Arc::clone(&resources));
        let asker = LimitedClient::new(http, resources, config.host_limits);
        Ok(OutboundClient { asker, burst: NotificationBatcher::new(notifier, config.grouping) })
    }

    /// The engine stops: what only waits for company goes out now.
    pub fn hurry(&self) {
        self.burst.hurry();
    }
}

/// A limit that means no host, or lets nobody in, is a slip that would never be seen.
fn check_limit((pattern, limit): &(String, RateLimit)) -> Result<(), OutboundError> {
    let bad = |why| Err(OutboundError::HostLimit(pattern.clone(), why));
    match (is_pattern(pattern), limit.parallel, limit.rate) {
        (false, _, _) => bad("it is no host; hint: write `api.example.org` or `*.example.org`"),
        (true, Some(0), _) => bad("`parallel` is at least 1"),
        (true, None, None) => bad("there is neither `parallel` nor `rate`"),
        (true, _, _) => Ok(()),
    }
}

#[async_trait]
impl Outbound for OutboundClient {
    async fn perform(&self, effect: &Effect) -> Outcome {
        match &effect.request {
            Request::Http(ask) => {
                let call = CallOptions { key: &effect.key, timeout: effect.timeout, once: effect.once };
                self.asker.ask(ask, call).await
            }
            Request::Notify(ask) => self.burst.notify(ask, &effect.key, effect.timeout).await,
        }
    }
}
