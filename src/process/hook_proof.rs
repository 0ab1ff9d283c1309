//! Whether a request may come in by a hook: signatures, secret headers, passwords. Whatever is secret is
//! compared in constant time.

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use hmac::{Hmac as Mac256, KeyInit, Mac};
use sha2::{Digest, Sha256, Sha512};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::model::fault::Fault;
use crate::model::text::StringTemplate;
use crate::model::time::{Span, Timestamp};
use crate::process::hook::{Algorithm, Hmac, HookProof, ProofEncoding, SignedPart, SignedTime};

/// Numbers above this are milliseconds: as seconds they lie beyond the year 5000.
const SECONDS_MAX: f64 = 1e11;

/// A request as it came.
#[derive(Clone, Copy, Debug)]
pub struct Came<'a> {
    /// Its headers, names in lower case.
    pub headers: &'a [(String, String)],
    /// Its raw body.
    pub body: &'a [u8],
    /// When.
    pub now: Timestamp,
}

/// A signature that was good: it is not good again before `until`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// What it is remembered by; tells nothing of the key.
    pub id: String,
    /// From then on it is too old anyway.
    pub until: Timestamp,
}

/// Why a request may not come in.
#[derive(Clone, Debug, PartialEq)]
pub enum Unproven {
    /// It has not proved that it may. The words are for the log.
    Refused(&'static str),
    /// It cannot be known: a secret is missing.
    Unready(Fault),
}

impl From<Fault> for Unproven {
    fn from(fault: Fault) -> Unproven {
        Unproven::Unready(fault)
    }
}

/// Gives the text of a secret.
pub type OpenSecret<'a> = &'a dyn Fn(&StringTemplate) -> Result<Zeroizing<String>, Fault>;

/// Makes the check of a hook, but for `param`, which asks a task. A signed time gives a signature to
/// remember.
///
/// # Errors
/// Why the request may not come in.
pub fn prove(check: &HookProof, came: Came<'_>, open: OpenSecret<'_>) -> Result<Option<Signature>, Unproven> {
    match check {
        HookProof::Public | HookProof::Param { .. } => Ok(None),
        HookProof::Hmac(hmac) => signature(hmac, came, open),
        HookProof::Header { name, value } => {
            let wanted = secret(value, open)?;
            let found = one(came, name)?.ok_or(Unproven::Refused("the header is missing"))?;
            match same(found, &wanted) {
                true => Ok(None),
                false => Err(Unproven::Refused("the header holds something else")),
            }
        }
        HookProof::Basic { user, password } => {
            let password = secret(password, open)?;
            let wanted = Zeroizing::new(format!("{user}:{}", *password));
            let found = one(came, "authorization")?.and_then(basic);
            let found = found.ok_or(Unproven::Refused("there is no user and password"))?;
            match same(&found, &wanted) {
                true => Ok(None),
                false => Err(Unproven::Refused("the user or the password is another")),
            }
        }
    }
}

/// Whether two texts are one, in the same time whatever differs.
pub fn same(one: &str, other: &str) -> bool {
    Sha256::digest(one.as_bytes()).ct_eq(&Sha256::digest(other.as_bytes())).into()
}

/// A secret that is empty proves nothing.
fn secret(text: &StringTemplate, open: OpenSecret<'_>) -> Result<Zeroizing<String>, Unproven> {
    let secret = open(text)?;
    match secret.is_empty() {
        true => Err(Unproven::Unready(Fault::lasting("missing_secret", "the secret of the check is empty"))),
        false => Ok(secret),
    }
}

/// The only header of that name.
fn one<'a>(came: Came<'a>, name: &str) -> Result<Option<&'a str>, Unproven> {
    let mut found = came.headers.iter().filter(|(it, _)| it == name).map(|(_, value)| value.as_str());
    match (found.next(), found.next()) {
        (_, Some(_)) => Err(Unproven::Refused("the header came twice")),
        (first, None) => Ok(first),
    }
}

fn basic(header: &str) -> Option<Zeroizing<String>> {
    let (kind, word) = header.split_once(' ')?;
    let bytes = BASE64_STANDARD.decode(word.trim()).ok().filter(|_| kind.eq_ignore_ascii_case("basic"))?;
    String::from_utf8(bytes).ok().map(Zeroizing::new)
}

fn signature(hmac: &Hmac, came: Came<'_>, open: OpenSecret<'_>) -> Result<Option<Signature>, Unproven> {
    let key = secret(&hmac.secret, open)?;
    let header = one(came, &hmac.header)?.ok_or(Unproven::Refused("the signature is missing"))?;
    let written = match &hmac.time {
        None => None,
        Some(moment) => {
            let written = match moment {
                SignedTime::Header(name) => one(came, name)?,
                SignedTime::Field(name) => fields(header, name).next(),
            };
            Some(written.ok_or(Unproven::Refused("the time is missing"))?)
        }
    };
    let until = written.map(|it| fresh(it, hmac.window, came.now)).transpose()?;
    let found: Vec<Vec<u8>> = match &hmac.field {
        Some(field) => fields(header, field).filter_map(|it| decoded(hmac, it)).collect(),
        None => decoded(hmac, header.trim()).into_iter().collect(),
    };
    let parts = hmac.signed.iter().map(|part| match part {
        SignedPart::Body => came.body,
        SignedPart::Time => written.unwrap_or_default().as_bytes(),
        SignedPart::Plain(text) => text.as_bytes(),
    });
    let mac = match hmac.algorithm {
        Algorithm::Sha256 => mac::<Mac256<Sha256>>(key.as_bytes(), parts),
        Algorithm::Sha512 => mac::<Mac256<Sha512>>(key.as_bytes(), parts),
    };
    // All are looked at, so that the time tells nothing of which was good.
    let good = found.iter().fold(false, |good, it| bool::from(mac.ct_eq(it)) | good);
    match good {
        true => Ok(until.map(|until| Signature { id: id(&mac), until })),
        false => Err(Unproven::Refused("the signature is another")),
    }
}

fn mac<'a, M: Mac + KeyInit>(key: &[u8], parts: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("HMAC takes a key of any length");
    parts.for_each(|part| mac.update(part));
    mac.finalize().into_bytes().to_vec()
}

/// The MAC itself would prove a request; its hash does not.
fn id(mac: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(mac))
}

/// The values after `name=` in a header like `t=1,v1=ab`.
fn fields<'a>(header: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let pairs = header.split(',').filter_map(|it| it.trim().split_once('='));
    pairs.filter(move |(it, _)| *it == name).map(|(_, value)| value)
}

fn decoded(hmac: &Hmac, text: &str) -> Option<Vec<u8>> {
    let text = text.strip_prefix(hmac.prefix.as_str())?;
    match hmac.encoding {
        ProofEncoding::Base64 => {
            let plain = text.trim_end_matches('=').replace('+', "-").replace('/', "_");
            BASE64_URL_SAFE_NO_PAD.decode(plain).ok()
        }
        ProofEncoding::Hex => {
            let digits: Option<Vec<u32>> = text.chars().map(|it| it.to_digit(16)).collect();
            let digits = digits.filter(|it| it.len().is_multiple_of(2))?;
            digits.chunks(2).map(|pair| u8::try_from(pair[0] << 4 | pair[1]).ok()).collect()
        }
    }
}

/// Until when a request with that time is fresh.
fn fresh(written: &str, window: Span, now: Timestamp) -> Result<Timestamp, Unproven> {
    let at = moment(written.trim()).ok_or(Unproven::Refused("the time is none"))?;
    let off = at.since(now).max(now.since(at));
    match off <= window {
        true => Ok(at + window),
        false => Err(Unproven::Refused("the time is too far from now")),
    }
}

/// Unix seconds or milliseconds, or RFC 3339.
fn moment(text: &str) -> Option<Timestamp> {
    match text.parse::<f64>() {
        Ok(number) if !number.is_finite() || number < 0.0 => None,
        #[expect(clippy::cast_possible_truncation, reason = "the cast saturates, and a far time is refused")]
        Ok(number) if number < SECONDS_MAX => Some(Timestamp((number * 1_000.0) as i64)),
        #[expect(clippy::cast_possible_truncation, reason = "the cast saturates, and a far time is refused")]
        Ok(number) => Some(Timestamp(number as i64)),
        Err(_) => {
            let time: jiff::Timestamp = text.parse().ok()?;
            Some(Timestamp(time.as_millisecond()))
        }
    }
}
