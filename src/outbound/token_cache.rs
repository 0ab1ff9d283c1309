//! [`TokenCache`]: access tokens by OAuth 2 client credentials. A token is kept in memory until shortly
//! before its end; while one task gets it, the others who need the same wait for it.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use sha2::{Digest, Sha256};
use url::form_urlencoded::byte_serialize;
use zeroize::Zeroizing;

use crate::engine::ports::Clock;
use crate::engine::resources::ResourceCache;
use crate::model::effect::{Auth, Body, BodyFormat, ClientTls, Grant, GrantStyle, HttpAnswer, HttpRequest};
use crate::model::fault::{Class, Fault};
use crate::model::time::{Span, Ticks};
use crate::outbound::clock::SystemClock;
use crate::outbound::deadline::within;
use crate::outbound::http::{CallOptions, Http};
use crate::outbound::request::Shown;
use crate::outbound::secrets::SecretResolver;

/// The longest a token server may take.
const TIMEOUT: Span = Span::secs(20);
/// What a token server says is small.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;
/// How long a token is believed in whose end is not told.
const LIFE_DEFAULT: Span = Span::mins(5);
/// A token is not used in its last minute, or its last tenth if it lives shorter.
const MARGIN_MAX: Span = Span::mins(1);
/// Tokens kept before those that are over are looked for.
const KEPT_MAX: usize = 256;
/// The most of a token server's reason that is shown, in characters.
const REASON_CHARS_MAX: usize = 200;

/// Access tokens, as long as they live.
pub struct TokenCache {
    http: Http,
    resources: Arc<ResourceCache>,
    slots: Mutex<HashMap<[u8; 32], Arc<Slot>>>,
}

impl fmt::Debug for TokenCache {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("Grants")
    }
}

/// The token of one client for one scope; whoever holds the lock gets it for all who wait.
type Slot = tokio::sync::Mutex<Kept>;

#[derive(Default)]
struct Kept {
    /// Until when it is used, in ticks: its life is told as a length of time.
    token: Option<(Zeroizing<String>, Ticks)>,
    /// The last failure: for those who waited for the same.
    failed: Option<(Fault, Ticks)>,
}

/// A token.
pub struct CachedToken {
    /// What it is.
    pub token: Zeroizing<String>,
    /// It was got for this very request.
    pub fresh: bool,
}

impl TokenCache {
    /// No tokens yet; secrets are those of `resources`.
    pub fn new(http: Http, resources: Arc<ResourceCache>) -> TokenCache {
        TokenCache { http, resources, slots: Mutex::default() }
    }

    /// A token for `grant`, but not `refused`, within `time`.
    ///
    /// # Errors
    /// `oauth2_failed` (passing), `oauth2_refused` (lasting), and what keeps the token server from being
    /// asked at all.
    pub async fn token(
        &self,
        grant: &Grant,
        tls: Option<&ClientTls>,
        refused: Option<&str>,
        time: Span,
    ) -> Result<CachedToken, Fault> {
        let asked_at = SystemClock.ticks();
        let time = time.min(TIMEOUT);
        let mut resolver = SecretResolver::new(self.resources.secrets());
        let slot = self.slot(id(grant, tls, &mut resolver)?);
        let getting = async {
            let mut kept = slot.lock().await;
            kept.token
                .take_if(|(token, until)| *until <= SystemClock.ticks() || refused == Some(token.as_str()));
            if let Some((token, _)) = &kept.token {
                return Ok(CachedToken { token: token.clone(), fresh: false });
            }
            if let Some((fault, _)) = kept.failed.as_ref().filter(|(_, at)| *at > asked_at) {
                return Err(fault.clone());
            }
            match self.get(grant, tls, time, &mut resolver).await {
                Ok((token, until)) => {
                    *kept = Kept { token: Some((token.clone(), until)), failed: None };
                    Ok(CachedToken { token, fresh: true })
                }
                Err(fault) => {
                    kept.failed = Some((fault.clone(), SystemClock.ticks()));
                    Err(fault)
                }
            }
        };
        within(time, getting).await.unwrap_or_else(|| {
            let place = Shown::of(&grant.token_url).place;
            Err(Fault::passing("oauth2_failed", format!("`{place}` gave no access token within {time}")))
        })
    }

    fn slot(&self, id: [u8; 32]) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= KEPT_MAX {
            let now = SystemClock.ticks();
            let lives = |it: &Kept| it.token.as_ref().is_some_and(|(_, until)| *until > now);
            slots.retain(|_, slot| slot.try_lock().map_or(true, |kept| lives(&kept)));
        }
        Arc::clone(slots.entry(id).or_default())
    }

    async fn get(
        &self,
        grant: &Grant,
        tls: Option<&ClientTls>,
        time: Span,
        resolver: &mut SecretResolver,
    ) -> Result<(Zeroizing<String>, Ticks), Fault> {
        let place = Shown::of(&grant.token_url).place;
        let asked_at = SystemClock.ticks();
        let ask = ask(grant, tls, resolver)?;
        // A token server that knows the key again must not give the token of before.
        let key = uuid::Uuid::now_v7().to_string();
        let call = CallOptions { key: &key, timeout: time, once: false };
        match self.http.ask(&ask, call, resolver).await {
            Ok(answer) => read(&answer, &place, asked_at).map_err(|fault| resolver.scrubbed(fault)),
            Err(fault) if fault.class == Class::Passing => {
                Err(Fault { code: "oauth2_failed".to_owned(), ..no_token(fault) })
            }
            Err(fault) => Err(no_token(fault)),
        }
    }
}

/// What tells one token from another. A changed secret makes another one.
fn id(grant: &Grant, tls: Option<&ClientTls>, resolver: &mut SecretResolver) -> Result<[u8; 32], Fault> {
    let mut hash = Sha256::new();
    let none = String::new();
    let secret = Zeroizing::new(resolver.text(&grant.client_secret)?);
    let tls = tls.cloned().unwrap_or_default();
    let optional = [&grant.scope, &grant.audience, &tls.cert, &tls.ca].map(|it| it.as_ref().unwrap_or(&none));
    let style = format!("{:?}", grant.style);
    let texts = [&resolver.url(&grant.token_url)?, &resolver.text(&grant.client_id)?, &*secret, &style];
    for text in texts.into_iter().chain(optional) {
        hash.update(text.len().to_be_bytes());
        hash.update(text);
    }
    Ok(hash.finalize().into())
}

fn no_token(fault: Fault) -> Fault {
    Fault { message: format!("there is no access token: {}", fault.message), ..fault }
}

fn ask(grant: &Grant, tls: Option<&ClientTls>, resolver: &mut SecretResolver) -> Result<HttpRequest, Fault> {
    let mut form = vec![("grant_type".to_owned(), "client_credentials".to_owned())];
    let optional = [("scope", &grant.scope), ("audience", &grant.audience)];
    form.extend(optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value.clone()?))));
    let auth = match grant.style {
        GrantStyle::Basic => {
            // RFC 6749 wants both written as in a form before they are put into Base64.
            let encoded = |text: String| byte_serialize(text.as_bytes()).collect::<String>();
            let user = encoded(resolver.text(&grant.client_id)?);
            let password = encoded(resolver.text(&grant.client_secret)?);
            let password = resolver.redact("client secret", &password);
            Some(Auth::Basic { user, password })
        }
        GrantStyle::Body => {
            form.push(("client_id".to_owned(), grant.client_id.clone()));
            form.push(("client_secret".to_owned(), grant.client_secret.clone()));
            None
        }
    };
    Ok(HttpRequest {
        method: "POST".to_owned(),
        url: grant.token_url.clone(),
        query: Vec::new(),
        headers: Vec::new(),
        auth,
        body: Body::Form(form),
        accept: BodyFormat::Json,
        bytes_max: ANSWER_BYTES_MAX,
        redirects_max: 0,
        oauth_hosts_only: false,
        tls: tls.cloned(),
        pace: None,
        page: None,
        unread: false,
        keeps_unread: false,
        charset: None,
        fresh: false,
        as_get: false,
    })
}

fn read(answer: &HttpAnswer, place: &str, asked_at: Ticks) -> Result<(Zeroizing<String>, Ticks), Fault> {
    let HttpAnswer { status, body, .. } = answer;
    if matches!(status, 408 | 425 | 429 | 500..=599) {
        let message = format!("`{place}` gave no access token: its answer's status is {status}");
        let fault = Fault::passing("oauth2_failed", message);
        return Err(Fault {
            status: Some(*status),
            retry_after: answer.retry_after(SystemClock.now()),
            ..fault
        });
    }
    let text = |name: &str| body.get(name).and_then(Value::as_str).filter(|it| !it.trim().is_empty());
    let refused = |why: &str| {
        let why: String = why.chars().filter(|it| !it.is_control()).take(REASON_CHARS_MAX).collect();
        let fault = Fault::lasting("oauth2_refused", format!("`{place}` gave no access token: {why}"));
        Fault { status: Some(*status), ..fault }
    };
    if let Some(error) = text("error") {
        let more = text("error_description").map(|it| format!(": {it}")).unwrap_or_default();
        return Err(refused(&format!("{error}{more}")));
    }
    if !(200..300).contains(status) {
        return Err(refused(&format!("its answer's status is {status}")));
    }
    let Some(token) = text("access_token") else {
        return Err(refused("there is no `access_token` in its answer"));
    };
    if let Some(other) = text("token_type").filter(|it| !it.eq_ignore_ascii_case("bearer")) {
        return Err(refused(&format!("its token is none to bear, but of type {other}")));
    }
    let seconds = match body.get("expires_in") {
        Some(Value::Number(seconds)) => seconds.as_u64(),
        Some(Value::String(seconds)) => seconds.trim().parse().ok(),
        Some(_) | None => None,
    };
    let life = seconds.map_or(LIFE_DEFAULT, |it| Span::secs(it.min(Span::days(365).0 / 1_000)));
    let margin = Span(life.0 / 10).min(MARGIN_MAX);
    Ok((Zeroizing::new(token.to_owned()), asked_at + Span(life.0 - margin.0)))
}
