//! Undoes what `Content-Encoding` says was done to a body, never to more bytes than are allowed. Pure.

use std::borrow::Cow;
use std::io::{self, Read};

use brotli_decompressor::Decompressor;
use flate2::bufread::GzDecoder;
use flate2::read::{DeflateDecoder, ZlibDecoder};

/// What every request says that it takes.
pub const TAKEN: &str = "gzip, deflate, br";
/// Nobody packs more often than that.
const LAYERS_MAX: usize = 4;
const PIECE_BYTES: usize = 16 * 1024;
/// Codings that there are (IANA's list), and that nothing here undoes.
const NOT_UNDONE: [&str; 9] =
    ["zstd", "compress", "x-compress", "dcb", "dcz", "exi", "aes128gcm", "pack200-gzip", "lzma"];
/// How gzip begins.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Why a body cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packed {
    /// It unfolds into more than is allowed.
    TooLarge,
    /// It is not what it says, or ends too early.
    Broken,
    /// It is packed in a way that is not undone here.
    Unknown(&'static str),
}

/// The body as it was before it was packed. Names that no coding has are taken for a mistake of who wrote
/// them: the body is as it is.
///
/// # Errors
/// Why it cannot be had.
pub fn unpacked<'a>(bytes: Cow<'a, [u8]>, encoding: &str, bytes_max: u64) -> Result<Cow<'a, [u8]>, Packed> {
    let mut bytes = bytes;
    let codings = encoding.split(',').map(|it| it.trim().to_ascii_lowercase());
    let codings: Vec<String> = codings.filter(|it| !it.is_empty()).collect();
    if codings.len() > LAYERS_MAX {
        return Err(Packed::Broken);
    }
    // What was done last stands last.
    for coding in codings.iter().rev() {
        let from = bytes.as_ref();
        if from.is_empty() {
            break;
        }
        bytes = Cow::Owned(match coding.as_str() {
            // Some servers say so of a body that they did not pack.
            "gzip" | "x-gzip" if !from.starts_with(&GZIP) => continue,
            "gzip" | "x-gzip" => gunzipped(from, bytes_max)?,
            "deflate" | "br" if is_text(from) => continue,
            // Half of the world means the bare stream.
            "deflate" => match all(ZlibDecoder::new(from), bytes_max) {
                Err(Packed::Broken) => all(DeflateDecoder::new(from), bytes_max)?,
                done => done?,
            },
            "br" => all(Decompressor::new(from, PIECE_BYTES), bytes_max)?,
            other => match NOT_UNDONE.into_iter().find(|it| *it == other) {
                Some(_) if is_text(from) => continue,
                Some(known) => return Err(Packed::Unknown(known)),
                None => continue,
            },
        });
    }
    Ok(bytes)
}

/// All members, one behind the other. Zeros behind them are padding, as they are to `gzip`.
fn gunzipped(mut from: &[u8], bytes_max: u64) -> Result<Vec<u8>, Packed> {
    let mut whole = Vec::new();
    while from.iter().any(|byte| *byte != 0) {
        let mut member = GzDecoder::new(from);
        whole.extend(all(&mut member, bytes_max.saturating_sub(whole.len() as u64))?);
        from = member.into_inner();
    }
    Ok(whole)
}

/// Whether a body says by its bytes that nobody packed it: it is a text that begins as JSON or XML do. No
/// stream of zlib begins so, and none of brotli is such a text.
fn is_text(bytes: &[u8]) -> bool {
    let text = std::str::from_utf8(bytes).unwrap_or_default().trim_start();
    let is_control = |it: char| it.is_control() && !it.is_whitespace();
    text.starts_with(['{', '[', '<', '"']) && !text.contains(is_control)
}

fn all(from: impl Read, bytes_max: u64) -> Result<Vec<u8>, Packed> {
    let mut whole = Vec::new();
    let read: io::Result<usize> = from.take(bytes_max.saturating_add(1)).read_to_end(&mut whole);
    match read {
        Ok(_) if whole.len() as u64 > bytes_max => Err(Packed::TooLarge),
        Ok(_) => Ok(whole),
        Err(_) => Err(Packed::Broken),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;

    fn unpacked(bytes: Vec<u8>, encoding: &str, bytes_max: u64) -> Result<Vec<u8>, Packed> {
        super::unpacked(Cow::Owned(bytes), encoding, bytes_max).map(Cow::into_owned)
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut to = GzEncoder::new(Vec::new(), Compression::fast());
        to.write_all(text).unwrap();
        to.finish().unwrap()
    }

    fn zlib(text: &[u8]) -> Vec<u8> {
        let mut to = ZlibEncoder::new(Vec::new(), Compression::fast());
        to.write_all(text).unwrap();
        to.finish().unwrap()
    }

    fn bare(text: &[u8]) -> Vec<u8> {
        let mut to = DeflateEncoder::new(Vec::new(), Compression::fast());
        to.write_all(text).unwrap();
        to.finish().unwrap()
    }

    #[test]
    fn a_body_is_unpacked_as_it_says() {
        // `one` as brotli writes it down when it does not compress.
        let brotli = [0x0b, 0x01, 0x80, b'o', b'n', b'e', 0x03];
        for (encoding, body) in [
            ("", b"one".to_vec()),
            ("identity", b"one".to_vec()),
            ("gzip", gzip(b"one")),
            ("GZIP", gzip(b"one")),
            ("x-gzip", gzip(b"one")),
            ("gzip", [gzip(b"o"), gzip(b"ne")].concat()),
            ("deflate", zlib(b"one")),
            ("Deflate", bare(b"one")),
            ("br", brotli.to_vec()),
            ("br, gzip", gzip(&brotli)),
            ("gzip,gzip", gzip(&gzip(b"one"))),
            // These say nothing of a coding.
            ("UTF-8", b"one".to_vec()),
            ("none", b"one".to_vec()),
            ("gzip", b"one".to_vec()),
            ("gzip", [gzip(b"one"), vec![0; 100]].concat()),
            ("gzip", [gzip(b"o"), gzip(b"ne"), vec![0]].concat()),
        ] {
            assert_eq!(unpacked(body, encoding, 100), Ok(b"one".to_vec()), "{encoding}");
        }
        for encoding in ["deflate", "br", "gzip", "br, deflate"] {
            let plain = br#" {"one": 1}"#.to_vec();
            assert_eq!(unpacked(plain.clone(), encoding, 100), Ok(plain), "{encoding}");
        }
        for encoding in NOT_UNDONE {
            let said = unpacked(b"\x28\xb5\x2f\xfdhello".to_vec(), &encoding.to_uppercase(), 100);
            assert_eq!(said, Err(Packed::Unknown(encoding)));
            assert_eq!(unpacked(b"{}".to_vec(), encoding, 100), Ok(b"{}".to_vec()));
        }
        assert_eq!(unpacked(Vec::new(), "gzip", 100), Ok(Vec::new()), "a HEAD has no body");
    }

    #[test]
    fn what_is_broken_or_too_large_is_told() {
        let whole = gzip(b"a text that is cut off");
        assert_eq!(unpacked(whole[..whole.len() - 9].to_vec(), "gzip", 100), Err(Packed::Broken));
        assert_eq!(unpacked(b"no stream".to_vec(), "deflate", 100), Err(Packed::Broken));
        assert_eq!(unpacked([gzip(b"one"), b"more".to_vec()].concat(), "gzip", 100), Err(Packed::Broken));
        assert_eq!(unpacked([gzip(&[1; 60]), gzip(&[1; 60])].concat(), "gzip", 100), Err(Packed::TooLarge));
        assert_eq!(unpacked(gzip(&[0; 101]), "gzip", 100), Err(Packed::TooLarge));
        assert_eq!(unpacked(gzip(&[0; 100]), "gzip", 100).map(|it| it.len()), Ok(100));
        assert_eq!(unpacked(zlib(&vec![0; 1 << 20]), "deflate", 100), Err(Packed::TooLarge));
        assert_eq!(unpacked(gzip(b"one"), "gzip,gzip,gzip,gzip,gzip", 100), Err(Packed::Broken));
    }
}
