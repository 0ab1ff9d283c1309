//! [`Request`]: an ask with its secrets opened, checked and ready to be sent; and what becomes of it at a
//! redirect. Nothing here touches the network.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use reqwest::Method;
use reqwest::header::{
    ACCEPT, ACCEPT_LANGUAGE, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue,
    USER_AGENT,
};
use url::Url;
use url::form_urlencoded::Serializer;

use crate::channels::marks::{MASK, marked, masked};
use crate::model::effect::{Accept, Auth, Body, HttpAsk};
use crate::model::fault::Fault;
use crate::model::helpers::hmac;
use crate::model::time::Timestamp;
use crate::world::secrets::Opener;

/// Sent with every request, so that a repeated one can be told.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Proves who sent a request, and that nobody changed it.
const SIGNATURE: HeaderName = HeaderName::from_static("beltline-signature");

/// Headers that frame a message or name its host are the client's own: a second opinion on them is request
/// smuggling.
const OURS: [&str; 10] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
/// What another host is told after a redirect. Anything else may be a key.
const HARMLESS: [HeaderName; 4] = [ACCEPT, ACCEPT_LANGUAGE, USER_AGENT, IDEMPOTENCY_KEY];
/// A word in a path this long, of letters and digits, may be a key that came by a param.
const KEY_CHARS_MIN: usize = 16;

/// A request, ready to be sent.
#[derive(Clone)]
pub struct Request {
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
pub fn prepare(ask: &HttpAsk, key: &str, now: Timestamp, opener: &mut Opener) -> Result<Request, Fault> {
    let shown = Shown::of(&ask.url);
    let url = address(ask, &shown, opener)?;
    let method = match ask.method.to_ascii_uppercase().parse::<Method>() {
        Ok(method) if method != Method::CONNECT && method != Method::TRACE => method,
        Ok(_) | Err(_) => return Err(Fault::lasting("bad_value", "the method is none of HTTP's")),
    };
    let mut headers = headers(&opener.pairs(&ask.headers)?)?;
    let (body, content_type) = body(&ask.body, opener)?;
    if let Some(auth) = &ask.auth {
        let (name, value) = authorization(auth, body.as_deref().unwrap_or_default(), now, opener)?;
        headers.insert(name, value);
    }
    if let (Some(content_type), false) = (content_type, headers.contains_key(CONTENT_TYPE)) {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    if ask.accept == Accept::Json && !headers.contains_key(ACCEPT) {
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    }
    if !headers.contains_key(IDEMPOTENCY_KEY) {
        headers.insert(IDEMPOTENCY_KEY, header("Idempotency-Key", key)?);
    }
    Ok(Request { method, url, headers, body, shown })
}

fn address(ask: &HttpAsk, shown: &Shown, opener: &mut Opener) -> Result<Url, Fault> {
    let bad = |why: String| Fault::lasting("bad_url", format!("`{}` cannot be asked: {why}", shown.place));
    let mut url = Url::parse(opener.url(&ask.url)?.trim()).map_err(|it| bad(it.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(bad("only http and https can".to_owned()));
    }
    url.set_fragment(None);
    if !ask.query.is_empty() {
        url.query_pairs_mut().extend_pairs(opener.pairs(&ask.query)?);
    }
    Ok(url)
}

fn headers(pairs: &[(String, String)]) -> Result<HeaderMap, Fault> {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        let bad = |why: &str| Fault::lasting("bad_header", format!("the header `{}` {why}", plain(name)));
        let parsed: HeaderName = name.parse().map_err(|_| bad("has a name that HTTP does not allow"))?;
        if OURS.contains(&parsed.as_str()) {
            return Err(bad("is set by Beltline itself"));
        }
        headers.append(parsed, header(name, value)?);
    }
    Ok(headers)
}

/// A value of a header; never shown in a debug print.
fn header(name: &str, value: &str) -> Result<HeaderValue, Fault> {
    let mut header = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| {
        let message = format!("the header `{}` holds a line break or a control character", plain(name));
        Fault::lasting("bad_header", message)
    })?;
    header.set_sensitive(true);
    Ok(header)
}

/// A header's name as a message can carry it.
fn plain(name: &str) -> String {
    name.chars().filter(|it| !it.is_control()).take(64).collect()
}

fn authorization(
    auth: &Auth,
    body: &[u8],
    now: Timestamp,
    opener: &mut Opener,
) -> Result<(HeaderName, HeaderValue), Fault> {
    let value = match auth {
        Auth::Bearer(token) => format!("Bearer {}", opener.text(token)?),
        Auth::Basic { user, password } => {
            let pair = BASE64_STANDARD.encode(format!("{}:{}", opener.text(user)?, opener.text(password)?));
            opener.remember(pair.clone());
            format!("Basic {pair}")
        }
        Auth::Signed(key) => {
            let seconds = now.seconds();
            let signed = format!("{seconds}.{}", String::from_utf8_lossy(body));
            let signature = hmac(&signed, &opener.text(key)?);
            let signature = signature.map_err(|it| Fault::lasting("bad_value", it))?;
            let value = header("Beltline-Signature", &format!("t={seconds},v1={signature}"))?;
            return Ok((SIGNATURE, value));
        }
    };
    Ok((AUTHORIZATION, header("Authorization", &value)?))
}

type Carried = (Option<Vec<u8>>, Option<&'static str>);

fn body(body: &Body, opener: &mut Opener) -> Result<Carried, Fault> {
    Ok(match body {
        Body::None => (None, None),
        Body::Json(value) => (Some(opener.value(value)?.to_string().into_bytes()), Some("application/json")),
        Body::Form(pairs) => {
            let form = Serializer::new(String::new()).extend_pairs(opener.pairs(pairs)?).finish();
            (Some(form.into_bytes()), Some("application/x-www-form-urlencoded"))
        }
        Body::Text(text) => (Some(opener.text(text)?.into_bytes()), Some("text/plain; charset=utf-8")),
    })
}

impl Request {
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
    /// `bad_redirect`.
    pub fn redirected(mut self, status: u16, location: Option<&[u8]>) -> Result<Option<Request>, Fault> {
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
        // What a redirect brings is not ours: no password of its own, and only its host is shown.
        if next.set_username("").and_then(|()| next.set_password(None)).is_err() {
            return Err(bad("redirects to something unreadable"));
        }
        self.change_method(status);
        if !same_place(&self.url, &next) {
            self.drop_private();
        }
        // A host that came from a secret stays unseen.
        if self.shown.host != MASK || self.url.host() != next.host() {
            self.shown = Shown::of_host(&next);
        }
        self.url = next;
        Ok(Some(self))
    }

    /// As browsers do: a POST becomes a GET but after 307 and 308; after 303 anything does.
    fn change_method(&mut self, status: u16) {
        let get = match status {
            303 => self.method != Method::HEAD && self.method != Method::GET,
            301 | 302 => self.method == Method::POST,
            _ => false,
        };
        if get {
            self.method = Method::GET;
            self.drop_body();
        }
    }

    /// Another host gets neither the body nor any header that may be a key.
    fn drop_private(&mut self) {
        self.drop_body();
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
