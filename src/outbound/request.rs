//! [`PreparedRequest`]: an ask with its secrets opened, checked and ready to be sent; and what becomes of it
//! at a redirect. Nothing here touches the network.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use reqwest::Method;
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap,
    HeaderName, HeaderValue, USER_AGENT,
};
use url::Url;

use crate::channels::marks::{marked, masked};
use crate::model::effect::{Auth, BodyFormat, HttpRequest, MARK_OPEN, PageRequest};
use crate::model::fault::Fault;
use crate::model::hosts::fits;
use crate::model::marks::MASK;
use crate::model::time::Timestamp;
use crate::model::unpack::TAKEN;
use crate::outbound::headers::{header, headers};
use crate::outbound::load::RequestPayload;
use crate::outbound::secrets::SecretResolver;
use crate::outbound::sign::{SignedRequest, hmac_sha256};

/// Sent with every request, so that a repeated one can be told.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Proves who sent a request, and that nobody changed it.
const SIGNATURE: HeaderName = HeaderName::from_static("beltline-signature");

/// What another host is told after a redirect. Anything else may be a key.
const HARMLESS: [HeaderName; 6] =
    [ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE, CONTENT_TYPE, USER_AGENT, IDEMPOTENCY_KEY];
/// A word in a path this long, of letters and digits, may be a key that came by a param.
const KEY_CHARS_MIN: usize = 16;

/// A request, ready to be sent.
#[derive(Clone)]
pub struct PreparedRequest {
    /// How.
    pub method: Method,
    /// Where; holds secrets.
    pub url: Url,
    /// With which headers; they hold secrets.
    pub headers: HeaderMap,
    /// With what.
    pub body: Option<Vec<u8>>,
    /// What people may see of it.
    pub shown: Shown,
}

/// What people may see of where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Scheme, host and path.
    pub place: String,
    /// The host alone.
    pub host: String,
}

/// Opens and checks `ask`.
///
/// # Errors
/// `bad_url`, `bad_header`, `bad_value`, `missing_secret`.
pub fn prepare(
    ask: &HttpRequest,
    key: &str,
    now: Timestamp,
    resolver: &mut SecretResolver,
) -> Result<PreparedRequest, Fault> {
    let shown = Shown::of(&ask.url);
    let url = address(ask, &shown, resolver)?;
    let method = match ask.method.to_ascii_uppercase().parse::<Method>() {
        Ok(method) if method != Method::CONNECT && method != Method::TRACE => method,
        Ok(_) | Err(_) => return Err(Fault::lasting("bad_value", "the method is none of HTTP's")),
    };
    let mut headers = headers(&resolver.pairs(&ask.headers)?)?;
    let said = headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok());
    let load = RequestPayload::of(&ask.body, said, resolver)?;
    let content_type = load.as_ref().map(|it| it.content_type.clone());
    let body = load.map(|it| it.bytes);
    let signed = SignedRequest {
        method: method.as_str(),
        url: &url,
        body: body.as_deref().unwrap_or_default(),
        key,
        now,
    };
    if let Some(auth) = &ask.auth {
        authorize(auth, &signed, &mut headers, resolver)?;
    }
    if let (Some(content_type), false) = (content_type, headers.contains_key(CONTENT_TYPE)) {
        headers.insert(CONTENT_TYPE, header("Content-Type", &content_type)?);
    }
    if !headers.contains_key(ACCEPT_ENCODING) {
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(TAKEN));
    }
    if let (Some(accept), false) = (accepted(ask.accept), headers.contains_key(ACCEPT)) {
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
    }
    if !headers.contains_key(IDEMPOTENCY_KEY) {
        headers.insert(IDEMPOTENCY_KEY, header("Idempotency-Key", key)?);
    }
    Ok(PreparedRequest { method, url, headers, body, shown })
}

/// The origin a request goes to, and what people may see of it.
///
/// # Errors
/// As [`prepare`].
pub fn origin(ask: &HttpRequest, resolver: &mut SecretResolver) -> Result<(String, String), Fault> {
    let shown = Shown::of(&ask.url);
    let url = address(ask, &shown, resolver)?;
    let port = url.port().map(|it| format!(":{it}")).unwrap_or_default();
    let host = if shown.host == MASK {
        MASK.to_owned()
    } else {
        url.host_str().unwrap_or_default().to_owned() + &port
    };
    Ok((url.origin().ascii_serialization(), host))
}

fn unparsed(error: url::ParseError) -> String {
    match error {
        url::ParseError::RelativeUrlWithoutBase => {
            "it begins neither with `https://` nor with `http://`; hint: write the whole URL".to_owned()
        }
        other => other.to_string(),
    }
}

fn address(ask: &HttpRequest, shown: &Shown, resolver: &mut SecretResolver) -> Result<Url, Fault> {
    let bad = |why: String| Fault::lasting("bad_url", format!("`{}` cannot be asked: {why}", shown.place));
    let mut url = Url::parse(resolver.url(&ask.url)?.trim()).map_err(|it| bad(unparsed(it)))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(bad("only http and https can".to_owned()));
    }
    url.set_fragment(None);
    if !ask.query.is_empty() {
        url.query_pairs_mut().extend_pairs(resolver.pairs(&ask.query)?);
    }
    match &ask.page {
        Some(PageRequest { at: Some(at), hosts, .. }) => turned(&url, at, hosts, shown),
        Some(_) | None => Ok(url),
    }
}

/// The address of a next page. It stays where the first one is: what goes with it are keys.
fn turned(first: &Url, at: &str, hosts: &[String], shown: &Shown) -> Result<Url, Fault> {
    let bad = |why: &str| Fault::lasting("bad_page", format!("the next page of `{}` {why}", shown.place));
    let mut next = first.join(at.trim()).map_err(|_| bad("is no address"))?;
    next.set_fragment(None);
    if !next.username().is_empty() || next.password().is_some() {
        return Err(bad("brings a password of its own"));
    }
    let port = next.port_or_known_default().unwrap_or_default();
    let host = next.host_str().unwrap_or_default();
    let same_scheme = next.scheme() == first.scheme();
    let allowed = same_scheme && hosts.iter().any(|it| fits(it, host, port));
    if next.origin() != first.origin() && !allowed {
        let place = Shown::of_host(&next).place;
        let why =
            format!("is elsewhere, at `{place}`; hint: if it is to be trusted, add it to `pages.hosts`");
        return Err(bad(&why));
    }
    if next.path().contains(MASK) {
        return Err(bad("holds a secret in its path; hint: see `pages.next: {query, value}`"));
    }
    // A secret that the answer said back was taken out of it; it is put where it was.
    if next.query().is_some_and(|it| it.contains(MASK)) {
        let known: Vec<(String, String)> = first.query_pairs().into_owned().collect();
        let pairs: Vec<(String, String)> = next.query_pairs().into_owned().collect();
        let again = pairs.into_iter().map(|(name, value)| {
            let own = known.iter().find(|(it, _)| *it == name).filter(|_| value.contains(MASK));
            let value = own.map_or(value, |(_, own)| own.clone());
            (name, value)
        });
        let again: Vec<(String, String)> = again.collect();
        next.query_pairs_mut().clear().extend_pairs(again);
    }
    Ok(next)
}

fn accepted(accept: BodyFormat) -> Option<&'static str> {
    match accept {
        BodyFormat::Json => Some("application/json"),
        BodyFormat::Xml => Some("application/xml, text/xml;q=0.9"),
        BodyFormat::Auto | BodyFormat::Text | BodyFormat::Binary => None,
    }
}

fn authorize(
    auth: &Auth,
    signed: &SignedRequest,
    headers: &mut HeaderMap,
    resolver: &mut SecretResolver,
) -> Result<(), Fault> {
    let value = match auth {
        Auth::Bearer(token) => format!("Bearer {}", resolver.text(token)?),
        Auth::Basic { user, password } => {
            let pair =
                BASE64_STANDARD.encode(format!("{}:{}", resolver.text(user)?, resolver.text(password)?));
            resolver.remember(pair.clone());
            format!("Basic {pair}")
        }
        Auth::Signed(key) => {
            let seconds = signed.now.seconds();
            let what = [format!("{seconds}.").as_bytes(), signed.body].concat();
            let signature = hmac_sha256(resolver.text(key)?.as_bytes(), &what)?;
            let value = header("Beltline-Signature", &format!("t={seconds},v1={signature}"))?;
            headers.insert(SIGNATURE, value);
            return Ok(());
        }
        Auth::Hmac(how) => return signed.sign(how, headers, resolver),
        Auth::Oauth2(_) => {
            return Err(Fault::lasting("oauth2_failed", "there is no access token to ask with"));
        }
    };
    headers.insert(AUTHORIZATION, header("Authorization", &value)?);
    Ok(())
}

impl PreparedRequest {
    /// The host, as the guard and the lists know it.
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.url.port_or_known_default().unwrap_or_default()
    }

    /// The request that follows an answer of `status` with that `Location`; none if the answer is no
    /// redirect.
    ///
    /// # Errors
    /// `bad_redirect`, `redirected`.
    pub fn redirected(
        mut self,
        status: u16,
        location: Option<&[u8]>,
        ask: &HttpRequest,
    ) -> Result<Option<PreparedRequest>, Fault> {
        let (true, Some(location)) = (matches!(status, 301 | 302 | 303 | 307 | 308), location) else {
            return Ok(None);
        };
        let place = self.shown.place.clone();
        let bad = |why: &str| Fault::lasting("bad_redirect", format!("`{place}` {why}"));
        let location = std::str::from_utf8(location).map_err(|_| bad("redirects to something unreadable"))?;
        let mut next = self.url.join(location).map_err(|_| bad("redirects to something unreadable"))?;
        if !matches!(next.scheme(), "http" | "https") {
            return Err(bad("redirects away from http"));
        }
        if self.url.scheme() == "https" && next.scheme() == "http" {
            return Err(bad("redirects from https to http"));
        }
        next.set_fragment(None);
        // What a redirect brings is not ours: no password of its own, and where it is followed only its host
        // is shown.
        if next.set_username("").and_then(|()| next.set_password(None)).is_err() {
            return Err(bad("redirects to something unreadable"));
        }
        if matches!(status, 301..=303) && !matches!(self.method, Method::GET | Method::HEAD) {
            if !ask.as_get {
                return Err(self.redirected_away(status, &next));
            }
            self.method = Method::GET;
            self.drop_body();
        }
        if !same_place(&self.url, &next) {
            if self.body.is_some() && carries_secret(ask) {
                return Err(bad("redirects elsewhere what carries a secret"));
            }
            self.drop_private();
        }
        // A host that came from a secret stays unseen.
        if self.shown.host != MASK || self.url.host() != next.host() {
            self.shown = Shown::of_host(&next);
        }
        self.url = next;
        Ok(Some(self))
    }

    /// A write is answered with another address. Whether it was made there nobody knows, and a look at that
    /// address would not make it.
    fn redirected_away(&self, status: u16, next: &Url) -> Fault {
        let (place, method) = (&self.shown.place, &self.method);
        let is_hidden = self.shown.host == MASK && self.url.host() == next.host();
        let to = if is_hidden { MASK.to_owned() } else { Shown::of(next.as_str()).place };
        let message = format!(
            "`{place}` answers a {method} with {status} to `{to}`, which is not followed: it would become a \
             GET; hint: ask that address, or say `follow: as_get` if a look at it is what is wanted"
        );
        Fault { status: Some(status), ..Fault::lasting("redirected", message) }
    }

    /// Another host gets no header that may be a key.
    fn drop_private(&mut self) {
        let kept = HARMLESS.into_iter().filter_map(|name| {
            let value = self.headers.get(&name)?.clone();
            Some((name, value))
        });
        self.headers = kept.collect();
    }

    fn drop_body(&mut self) {
        self.body = None;
        self.headers.remove(CONTENT_TYPE);
        self.headers.remove(CONTENT_LENGTH);
    }
}

/// Whether a secret is put into the body.
fn carries_secret(ask: &HttpRequest) -> bool {
    // What cannot be written down is not known to be harmless.
    serde_json::to_string(&ask.body).map_or(true, |it| it.contains(MARK_OPEN))
}

/// The same host and port, or the same host gone from http to https.
fn same_place(one: &Url, other: &Url) -> bool {
    let upgrade = one.scheme() == "http"
        && other.scheme() == "https"
        && (one.port_or_known_default(), other.port_or_known_default()) == (Some(80), Some(443));
    one.host() == other.host() && (upgrade || one.port_or_known_default() == other.port_or_known_default())
}

impl Shown {
    /// What may be seen of a URL with its marks still closed.
    pub fn of(url: &str) -> Shown {
        // A mark at the start may be any part of a URL.
        let secret = Shown { place: MASK.to_owned(), host: MASK.to_owned() };
        if url.trim_start().starts_with(crate::model::effect::MARK_OPEN) {
            return secret;
        }
        match Url::parse(masked(url).trim()) {
            Ok(parsed) if parsed.has_host() => {
                let Shown { place, host } = Shown::of_host(&parsed);
                let path: Vec<&str> = parsed.path().split('/').map(word).collect();
                Shown { place: place + &path.join("/"), host }
            }
            Ok(_) | Err(_) if marked(url) => secret,
            Ok(_) | Err(_) => Shown { place: "the url".to_owned(), host: "the host".to_owned() },
        }
    }

    /// Scheme, host and port alone.
    pub fn of_host(url: &Url) -> Shown {
        let host = url.host_str().unwrap_or_default().to_owned();
        let port = url.port().map(|it| format!(":{it}")).unwrap_or_default();
        Shown { place: format!("{}://{host}{port}", url.scheme()), host }
    }
}

/// A word of a path, unless it looks like a key.
fn word(word: &str) -> &str {
    let long = word.len() >= KEY_CHARS_MIN;
    let mixed = word.contains(|it: char| it.is_ascii_digit()) && word.contains(|it: char| it.is_alphabetic());
    if long && mixed { MASK } else { word }
}
