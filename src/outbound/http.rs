//! [`Http`]: performs HTTP requests. Every event of every request is checked before it is made.

use std::sync::Arc;

use reqwest::header::{HeaderValue, LOCATION};
use reqwest::{Client, Response};

use crate::engine::ports::Clock;
use crate::model::effect::{HttpAnswer, HttpRequest};
use crate::model::fault::Fault;
use crate::model::time::Span;
use crate::outbound::body::Patience;
use crate::outbound::clients::Clients;
use crate::outbound::clock::SystemClock;
use crate::outbound::deadline::{left, within};
use crate::outbound::guard::Guard;
use crate::outbound::hosts::OauthHosts;
use crate::outbound::request::{self, PreparedRequest};
use crate::outbound::secrets::SecretResolver;
use crate::outbound::{body, errors};

/// Performs HTTP requests.
#[derive(Clone, Debug)]
pub struct Http {
    clients: Arc<Clients>,
    guard: Arc<Guard>,
    oauth_hosts: OauthHosts,
}

/// How a request is made.
#[derive(Clone, Copy, Debug)]
pub struct CallOptions<'a> {
    /// The same key again is the same request.
    pub key: &'a str,
    /// How long it may take, with all its events.
    pub timeout: Span,
    /// It is not made again if nobody can say whether it was heard.
    pub once: bool,
}

impl Http {
    /// A client behind `guard`.
    ///
    /// # Errors
    /// The system's certificates cannot be read.
    pub fn new(guard: Arc<Guard>, oauth_hosts: OauthHosts) -> Result<Http, reqwest::Error> {
        let clients = Arc::new(Clients::new(Arc::clone(&guard))?);
        Ok(Http { clients, guard, oauth_hosts })
    }

    /// Asks in time. Any answer is an answer, whatever its status.
    ///
    /// # Errors
    /// Whatever keeps an answer from coming. No message holds a secret, a query or a body; no answer holds a
    /// secret that was opened for it.
    pub async fn ask(
        &self,
        ask: &HttpRequest,
        call: CallOptions<'_>,
        resolver: &mut SecretResolver,
    ) -> Result<HttpAnswer, Fault> {
        let prepared = request::prepare(ask, call.key, SystemClock.now(), resolver);
        let prepared =
            prepared.and_then(|request| Ok((request, self.client(ask, call.once || ask.fresh, resolver)?)));
        let asked = match prepared {
            Ok((request, client)) => self.ask_in_time(ask, request, client, call, resolver).await,
            Err(fault) => Err(fault),
        };
        asked.map(|answer| resolver.scrub_answer(answer)).map_err(|fault| resolver.scrubbed(fault))
    }

    async fn ask_in_time(
        &self,
        ask: &HttpRequest,
        request: PreparedRequest,
        client: Client,
        call: CallOptions<'_>,
        resolver: &SecretResolver,
    ) -> Result<HttpAnswer, Fault> {
        let shown = request.shown.clone();
        let asking = self.follow(ask, request, client, call, resolver);
        within(call.timeout, asking).await.unwrap_or_else(|| Err(errors::late(call.timeout, &shown)))
    }

    async fn follow(
        &self,
        ask: &HttpRequest,
        mut request: PreparedRequest,
        mut client: Client,
        call: CallOptions<'_>,
        resolver: &SecretResolver,
    ) -> Result<HttpAnswer, Fault> {
        let started = SystemClock.ticks();
        let mut redirects_left = ask.redirects_max;
        resolver.check_host(request.host(), request.port())?;
        loop {
            self.check(ask, &request)?;
            let (shown, origin) = (request.shown.clone(), request.url.origin());
            let response = send(&client, &request, resolver).await?;
            let location = response.headers().get(LOCATION).filter(|_| ask.redirects_max > 0);
            let location = location.map(HeaderValue::as_bytes);
            let Some(next) = request.redirected(response.status().as_u16(), location, ask)? else {
                // A status that was heard is no timeout for want of a body that nobody looks at.
                let patience = Patience { left: left(call.timeout, started), timeout: call.timeout };
                return body::read(response, ask, patience, &shown).await;
            };
            if redirects_left == 0 {
                let message = format!("`{}` redirects more than {} times", shown.place, ask.redirects_max);
                return Err(Fault::lasting("too_many_redirects", message));
            }
            redirects_left -= 1;
            resolver.check_carried(next.url.as_str(), next.host(), next.port())?;
            // A client's certificate is for the host that it was given for.
            if next.url.origin() != origin {
                client = self.clients.usual(call.once || ask.fresh);
            }
            request = next;
        }
    }

    /// The address as it is written; the resolver checks what DNS makes of it.
    fn check(&self, ask: &HttpRequest, request: &PreparedRequest) -> Result<(), Fault> {
        if ask.oauth_hosts_only && !self.oauth_hosts.allows(&request.url) {
            let message = format!(
                "`{}` is no OAuth token host; hint: if it is yours, add its origin to `allow.oauth_hosts` or \
                 start with `--allow-oauth-host`",
                request.shown.place
            );
            return Err(Fault::lasting("host_not_allowed", message));
        }
        let closed = |why| errors::closed(why, &request.shown.host);
        request.url.host().map_or(Ok(()), |host| self.guard.check_host(&host).map_err(closed))
    }

    fn client(&self, ask: &HttpRequest, once: bool, resolver: &mut SecretResolver) -> Result<Client, Fault> {
        match &ask.tls {
            None => Ok(self.clients.usual(once)),
            Some(tls) => self.clients.with(tls, once, resolver),
        }
    }
}

async fn send(
    client: &Client,
    request: &PreparedRequest,
    resolver: &SecretResolver,
) -> Result<Response, Fault> {
    let started = SystemClock.ticks();
    let mut builder = client.request(request.method.clone(), request.url.clone());
    builder = builder.headers(request.headers.clone());
    if let Some(body) = &request.body {
        builder = builder.body(body.clone());
    }
    let sent = builder.send().await;
    let (method, host) = (&request.method, resolver.scrub(&request.shown.host));
    let scheme = request.url.scheme();
    let ms = SystemClock.ticks().since(started).0;
    match sent {
        Ok(response) => {
            let status = response.status().as_u16();
            tracing::debug!(%method, scheme, host, status, ms, "asked");
            Ok(response)
        }
        Err(error) => {
            let fault = errors::in_request(&error.without_url(), &request.shown);
            tracing::debug!(%method, scheme, host, code = fault.code, ms, "asked in vain");
            Err(fault)
        }
    }
}
