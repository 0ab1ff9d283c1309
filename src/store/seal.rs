//! [`Sealer`]: keeps secrets unreadable on disk, each bound to the place where it lives.
//!
//! A sealed value is one version byte, four bytes that name the key, a nonce of 24 bytes, and
//! XChaCha20-Poly1305's ciphertext and tag. The place is authenticated with it: a value that was moved
//! elsewhere does not open.

use std::fmt;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use rand::Rng;
use sha2::{Digest, Sha256};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::engine::ports::StoreError;

/// The length of a key.
pub const KEY_BYTES: usize = 32;
/// The form of a sealed value; another form gets another number, and this one stays readable.
const VERSION: u8 = 1;
const KEY_ID_BYTES: usize = 4;
const NONCE_BYTES: usize = 24;
const HEAD_BYTES: usize = 1 + KEY_ID_BYTES + NONCE_BYTES;

/// A key: wiped from memory when it is dropped.
pub type Key = Zeroizing<[u8; KEY_BYTES]>;

/// Seals with one key, and opens with that one and with older ones.
pub struct Sealer {
    /// The first seals.
    keys: Vec<(KeyId, Key)>,
}

type KeyId = [u8; KEY_ID_BYTES];

/// Why a value was not sealed or opened.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SealError {
    /// It was sealed under another key.
    #[error("`{0}` was sealed under another key")]
    WrongKey(String),
    /// It is damaged, was changed, or comes from another place.
    #[error("`{0}` is damaged or was moved here from another place")]
    Broken(String),
    /// A newer Beltline sealed it, or it is no sealed value.
    #[error("`{0}` is sealed in a form that this version does not know")]
    UnknownForm(String),
    /// The system gave no random bytes.
    #[error("the system gives no random bytes: {0}")]
    NoChance(String),
}

impl Sealer {
    /// Seals and opens with `key`.
    pub fn from_key(key: Key) -> Sealer {
        Sealer { keys: vec![(key_id(&key), key)] }
    }

    /// With a new key from the system's chance.
    pub fn generate() -> Result<Sealer, SealError> {
        let mut key = Key::default();
        getrandom::fill(key.as_mut_slice()).map_err(|error| SealError::NoChance(error.to_string()))?;
        Ok(Sealer::from_key(key))
    }

    /// Opens what `old` sealed, too: for the time in which keys change.
    #[must_use]
    pub fn and_older(mut self, old: Key) -> Sealer {
        self.keys.push((key_id(&old), old));
        self
    }

    /// The key that seals, for the file it is kept in.
    pub fn key(&self) -> &Key {
        &self.keys[0].1
    }

    /// Seals `plain` for `place`.
    pub fn seal(&self, place: &str, plain: &[u8]) -> Result<Vec<u8>, SealError> {
        let (id, key) = &self.keys[0];
        let mut nonce = [0; NONCE_BYTES];
        rand::rng().fill_bytes(&mut nonce);
        let payload = Payload { msg: plain, aad: &bound(*id, place) };
        let sealed = cipher(key)
            .encrypt(&XNonce::from(nonce), payload)
            .map_err(|_| SealError::Broken(place.to_owned()))?;
        let mut value = Vec::with_capacity(HEAD_BYTES + sealed.len());
        value.push(VERSION);
        value.extend_from_slice(id);
        value.extend_from_slice(&nonce);
        value.extend_from_slice(&sealed);
        Ok(value)
    }

    /// Opens what was sealed for `place`.
    pub fn open(&self, place: &str, value: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let unknown = || SealError::UnknownForm(place.to_owned());
        let (head, sealed) = value.split_at_checked(HEAD_BYTES).ok_or_else(unknown)?;
        let (version, head) = head.split_at(1);
        if version != [VERSION] {
            return Err(unknown());
        }
        let (id, nonce) = head.split_at(KEY_ID_BYTES);
        let key = self.keys.iter().find(|(known, _)| known == id);
        let (id, key) = key.ok_or_else(|| SealError::WrongKey(place.to_owned()))?;
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().map_err(|_| unknown())?;
        let payload = Payload { msg: sealed, aad: &bound(*id, place) };
        let plain = cipher(key).decrypt(&XNonce::from(nonce), payload);
        plain.map(Zeroizing::new).map_err(|_| SealError::Broken(place.to_owned()))
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("Sealer(masked)")
    }
}

impl From<SealError> for StoreError {
    fn from(error: SealError) -> StoreError {
        match error {
            SealError::NoChance(_) => StoreError::Lost(error.to_string()),
            _ => StoreError::Corrupt(error.to_string()),
        }
    }
}

/// What is authenticated with a value: its form, its key and its place.
fn bound(id: KeyId, place: &str) -> Vec<u8> {
    [&[VERSION], id.as_slice(), place.as_bytes()].concat()
}

fn cipher(key: &Key) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new((&**key).into())
}

/// Names a key without telling anything about it.
fn key_id(key: &Key) -> KeyId {
    let hash = Sha256::new().chain_update(b"beltline key id").chain_update(key.as_slice()).finalize();
    let mut id = KeyId::default();
    id.copy_from_slice(&hash[..KEY_ID_BYTES]);
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sealed by the first version, under the key of 32 sevens.
    const FIRST_FORM: &str = "0184896b660f530c08ecbab6322e880db7f7ed22a25713d92798f7e2a387c346\
        75d797444611e4a84b19dc0396baf50d886b4fcc2e";

    fn sevens() -> Sealer {
        Sealer::from_key(Key::new([7; KEY_BYTES]))
    }

    #[test]
    fn a_value_opens_only_in_its_place_and_only_whole() {
        let sealer = Sealer::generate().unwrap();
        let value = sealer.seal("tasks/1", b"secret").unwrap();
        assert!(!value.windows(6).any(|part| part == b"secret"));
        assert_eq!(sealer.open("tasks/1", &value).unwrap().as_slice(), b"secret");
        assert_eq!(sealer.open("tasks/2", &value), Err(SealError::Broken("tasks/2".into())));
        for byte in 0..value.len() {
            let mut bad = value.clone();
            bad[byte] ^= 1;
            assert!(sealer.open("tasks/1", &bad).is_err(), "byte {byte}");
            assert!(sealer.open("tasks/1", &value[..byte]).is_err(), "cut at {byte}");
        }
    }

    #[test]
    fn the_same_text_is_sealed_differently_each_time() {
        let sealer = sevens();
        assert_ne!(sealer.seal("a", b"x").unwrap(), sealer.seal("a", b"x").unwrap());
    }

    #[test]
    fn a_wrong_key_is_named_as_such_and_an_older_one_still_opens() {
        let value = sevens().seal("a", b"x").unwrap();
        let new = Sealer::generate().unwrap();
        assert_eq!(new.open("a", &value), Err(SealError::WrongKey("a".into())));
        let both = new.and_older(Key::new([7; KEY_BYTES]));
        assert_eq!(both.open("a", &value).unwrap().as_slice(), b"x");
        let value = both.seal("a", b"y").unwrap();
        assert!(matches!(sevens().open("a", &value), Err(SealError::WrongKey(_))));
    }

    #[test]
    fn the_first_form_stays_readable() {
        let value: Vec<u8> = (0..FIRST_FORM.len() / 2)
            .map(|at| u8::from_str_radix(&FIRST_FORM[at * 2..at * 2 + 2], 16).unwrap())
            .collect();
        assert_eq!(sevens().open("tasks/1", &value).unwrap().as_slice(), b"Beltline");
    }

    #[test]
    fn a_sealer_shows_no_key() {
        assert_eq!(format!("{:?}", sevens()), "Sealer(masked)");
    }
}
