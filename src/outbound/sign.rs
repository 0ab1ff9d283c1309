//! Signs a request, at the last moment and with the opened key. Nothing of it is kept.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::header::HeaderMap;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};
use url::Url;
use zeroize::Zeroizing;

use crate::model::effect::{Fact, HashName, Ingredient, KeyForm, SignatureEncoding, Signing};
use crate::model::fault::Fault;
use crate::model::helpers::hex;
use crate::model::time::Timestamp;
use crate::outbound::headers::{header, name};
use crate::outbound::secrets::SecretResolver;

/// What is signed of a request.
#[derive(Clone, Copy, Debug)]
pub struct SignedRequest<'a> {
    /// How.
    pub method: &'a str,
    /// Where.
    pub url: &'a Url,
    /// With what.
    pub body: &'a [u8],
    /// The idempotency key.
    pub key: &'a str,
    /// When.
    pub now: Timestamp,
}

impl SignedRequest<'_> {
    /// Puts the signature and what belongs to it into `headers`.
    ///
    /// # Errors
    /// `bad_header`, `bad_value`, `missing_secret`.
    pub fn sign(
        &self,
        how: &Signing,
        headers: &mut HeaderMap,
        resolver: &mut SecretResolver,
    ) -> Result<(), Fault> {
        for (title, recipe) in &how.headers {
            let value = text(self.mix(recipe, resolver)?)?;
            headers.insert(name(title)?, header(title, &value)?);
        }
        let key = key(how.key_is, &resolver.text(&how.key)?)?;
        let what = self.mix(&how.of, resolver)?;
        let signature = match how.hash {
            HashName::Sha1 => mac::<Hmac<Sha1>>(&key, &what),
            HashName::Sha256 => mac::<Hmac<Sha256>>(&key, &what),
            HashName::Sha512 => mac::<Hmac<Sha512>>(&key, &what),
        }?;
        let signature = match how.encoding {
            SignatureEncoding::Hex => hex(&signature),
            SignatureEncoding::Base64 => BASE64_STANDARD.encode(signature),
        };
        let value = text(self.mix(&how.prefix, resolver)?)? + &signature;
        headers.insert(name(&how.header)?, header(&how.header, &value)?);
        Ok(())
    }

    fn mix(&self, recipe: &[Ingredient], resolver: &mut SecretResolver) -> Result<Vec<u8>, Fault> {
        let mut mixed = Vec::new();
        for ingredient in recipe {
            match ingredient {
                Ingredient::Text(text) => mixed.extend_from_slice(resolver.text(text)?.as_bytes()),
                Ingredient::Fact(Fact::Body) => mixed.extend_from_slice(self.body),
                Ingredient::Fact(fact) => mixed.extend_from_slice(self.fact(*fact).as_bytes()),
            }
        }
        Ok(mixed)
    }

    fn fact(&self, fact: Fact) -> String {
        match fact {
            Fact::Method => self.method.to_owned(),
            Fact::Path => self.url.path().to_owned(),
            Fact::Query => self.url.query().unwrap_or_default().to_owned(),
            Fact::Host => {
                let port = self.url.port().map(|it| format!(":{it}")).unwrap_or_default();
                format!("{}{port}", self.url.host_str().unwrap_or_default())
            }
            Fact::Time => self.now.seconds().to_string(),
            Fact::TimeMs => self.now.0.to_string(),
            Fact::Date => date(self.now),
            Fact::Body => String::from_utf8_lossy(self.body).into_owned(),
            Fact::BodySha256 => hex(&Sha256::digest(self.body)),
            Fact::BodySha256Base64 => BASE64_STANDARD.encode(Sha256::digest(self.body)),
            Fact::Key => self.key.to_owned(),
        }
    }
}

fn key(form: KeyForm, key: &str) -> Result<Zeroizing<Vec<u8>>, Fault> {
    let bytes = match form {
        KeyForm::Text => Some(key.as_bytes().to_vec()),
        KeyForm::Hex => unhex(key.trim()),
        KeyForm::Base64 => BASE64_STANDARD.decode(key.trim()).ok(),
    };
    match bytes {
        Some(bytes) if !bytes.is_empty() => Ok(Zeroizing::new(bytes)),
        Some(_) => Err(Fault::lasting("bad_value", "the key of the signature is empty")),
        None => Err(Fault::lasting("bad_value", "the key of the signature is not written as `key_is` says")),
    }
}

/// HMAC-SHA256 of bytes, in hex.
///
/// # Errors
/// `bad_value`.
pub fn hmac_sha256(key: &[u8], what: &[u8]) -> Result<String, Fault> {
    mac::<Hmac<Sha256>>(key, what).map(|it| hex(&it))
}

fn mac<M: Mac + KeyInit>(key: &[u8], what: &[u8]) -> Result<Vec<u8>, Fault> {
    let mac = <M as KeyInit>::new_from_slice(key);
    let mac = mac.map_err(|it| Fault::lasting("bad_value", it.to_string()))?;
    Ok(mac.chain_update(what).finalize().into_bytes().to_vec())
}

fn text(bytes: Vec<u8>) -> Result<String, Fault> {
    let bad = |_| Fault::lasting("bad_value", "what goes into a header of the signature is no text");
    String::from_utf8(bytes).map_err(bad)
}

/// The time as HTTP writes it: `Sun, 06 Nov 1994 08:49:37 GMT`.
fn date(now: Timestamp) -> String {
    let zoned = jiff::Timestamp::from_millisecond(now.0).map(|it| it.to_zoned(jiff::tz::TimeZone::UTC));
    zoned.map(|it| it.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()).unwrap_or_default()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> =
        text.chars().map(|it| it.to_digit(16).and_then(|it| u8::try_from(it).ok())).collect::<Option<_>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::engine::resources::{SecretValue, Secrets};
    use crate::model::effect::mark;

    fn signed(how: &Signing) -> Result<HeaderMap, Fault> {
        let secrets = Secrets::from([
            ("k".to_owned(), SecretValue::new("Jefe")),
            ("hex".to_owned(), SecretValue::new("4a656665")),
        ]);
        let url = Url::parse("https://api.example.org:8443/v1/orders?a=1").unwrap();
        let body = b"what do ya want for nothing?";
        let (now, mut headers) = (Timestamp(784_111_777_123), HeaderMap::new());
        let what = SignedRequest { method: "POST", url: &url, body, key: "visit", now };
        what.sign(how, &mut headers, &mut SecretResolver::new(Arc::new(secrets))).map(|()| headers)
    }

    fn how(hash: HashName) -> Signing {
        Signing {
            key: mark("k"),
            key_is: KeyForm::Text,
            hash,
            header: "X-Sign".into(),
            of: vec![Ingredient::Fact(Fact::Body)],
            prefix: Vec::new(),
            encoding: SignatureEncoding::Hex,
            headers: Vec::new(),
        }
    }

    #[test]
    fn signatures_are_those_of_the_standards() {
        // RFC 2202 and RFC 4231, the second case of each.
        for (hash, wanted) in [
            (HashName::Sha1, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
            (HashName::Sha256, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
            (
                HashName::Sha512,
                "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65\
                 f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
            ),
        ] {
            assert_eq!(signed(&how(hash)).unwrap()["x-sign"], wanted);
        }
        let hex_key = Signing { key: mark("hex"), key_is: KeyForm::Hex, ..how(HashName::Sha1) };
        assert_eq!(signed(&hex_key).unwrap()["x-sign"], "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
        let base64 = Signing { encoding: SignatureEncoding::Base64, ..how(HashName::Sha1) };
        assert_eq!(signed(&base64).unwrap()["x-sign"], "7/zfauXrL6LSdBbV8YTfnCWafHk=");
    }

    #[test]
    fn whatever_a_provider_wants_is_mixed() {
        let all = Fact::ALL
            .into_iter()
            .flat_map(|(_, fact)| [Ingredient::Fact(fact), Ingredient::Text("|".into())]);
        let how = Signing {
            headers: vec![("X-All".into(), all.collect())],
            prefix: vec![
                Ingredient::Text("t=".into()),
                Ingredient::Fact(Fact::Time),
                Ingredient::Text(",v1=".into()),
            ],
            ..how(HashName::Sha1)
        };
        let headers = signed(&how).unwrap();
        let hash = "b381e7fec653fc3ab9b178272366b8ac87fed8d31cb25ed1d0e1f3318644c89c";
        let hash64 = "s4Hn/sZT/Dq5sXgnI2a4rIf+2NMcsl7R0OHzMYZEyJw=";
        let wanted = format!(
            "POST|/v1/orders|a=1|api.example.org:8443|784111777|784111777123|Sun, 06 Nov 1994 08:49:37 GMT|\
             what do ya want for nothing?|{hash}|{hash64}|visit|"
        );
        assert_eq!(headers["x-all"], wanted);
        assert_eq!(headers["x-sign"], "t=784111777,v1=effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
        assert!(headers["x-sign"].is_sensitive());
    }

    #[test]
    fn a_key_that_is_none_is_refused() {
        for (key, key_is) in
            [("", KeyForm::Text), ("xyz", KeyForm::Hex), ("abc", KeyForm::Hex), ("!", KeyForm::Base64)]
        {
            let fault = signed(&Signing { key: key.into(), key_is, ..how(HashName::Sha1) }).unwrap_err();
            assert_eq!(fault.code, "bad_value", "{key}");
        }
    }
}
