//! Hashes of what must not be kept as it is, and chance for what nobody may guess.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// What every token begins with, so that a leaked one is recognized.
pub const TOKEN_PREFIX: &str = "blt_";
/// 256 bits: not to be guessed, so that a fast hash is enough.
const TOKEN_BYTES: usize = 32;

/// A new token.
pub fn new_token() -> String {
    let mut bytes = Zeroizing::new([0u8; TOKEN_BYTES]);
    fill(bytes.as_mut_slice());
    format!("{TOKEN_PREFIX}{}", BASE64.encode(bytes.as_slice()))
}

/// What a token is kept and found by.
pub fn of_token(token: &str) -> String {
    BASE64.encode(Sha256::digest(token.as_bytes()))
}

/// The key a submit is remembered by: whoever uses the same word for another process, or is somebody else,
/// has another key. Lengths stand before the parts, so that no two lists of parts are one text.
pub fn of_submit(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_be_bytes());
        hash.update(part.as_bytes());
    }
    BASE64.encode(hash.finalize())
}

/// 32 bits of chance.
pub fn chance() -> u32 {
    let mut bytes = [0u8; 4];
    fill(&mut bytes);
    u32::from_be_bytes(bytes)
}

/// So many bytes of chance.
pub fn chance_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0u8; N];
    fill(&mut bytes);
    bytes
}

fn fill(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the system gives chance; without it no token is safe, and none is made");
}
