//! The headers of a request: names and values that HTTP allows, and none that are the client's own.

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use crate::model::fault::Fault;
use crate::model::header::wrong_name;

/// The headers that `pairs` are.
///
/// # Errors
/// `bad_header`.
pub fn headers(pairs: &[(String, String)]) -> Result<HeaderMap, Fault> {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(self::name(name)?, header(name, value)?);
    }
    Ok(headers)
}

/// A name of a header that a request may set.
///
/// # Errors
/// `bad_header`.
pub fn name(name: &str) -> Result<HeaderName, Fault> {
    let bad = |why: &str| Fault::lasting("bad_header", format!("the header `{}` {why}", plain(name)));
    match wrong_name(name) {
        Some(why) => Err(bad(why)),
        None => name.parse().map_err(|_| bad("has a name that HTTP does not allow")),
    }
}

/// A value of a header; never shown in a debug print.
///
/// # Errors
/// `bad_header`.
pub fn header(name: &str, value: &str) -> Result<HeaderValue, Fault> {
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
