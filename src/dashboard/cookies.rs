//! What browsers keep for the dashboard: a session, and a language. Read and written by the `cookie` crate.

use axum::http::{HeaderMap, HeaderValue, header};
use cookie::time::Duration;
use cookie::{Cookie, SameSite};

/// The value of the first cookie of that name.
pub(super) fn value(headers: &HeaderMap, name: &str) -> Option<String> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|it| it.to_str().ok());
    let mut all = all.flat_map(Cookie::split_parse).filter_map(Result::ok);
    all.find(|it| it.name() == name).map(|it| it.value().to_owned())
}

/// The header that sets a cookie which no script and no other site sees. It lives for `max_age_s` seconds, or
/// as long as the browser. Nothing if what it should hold cannot stand in a header.
pub(super) fn set(name: &str, value: &str, is_secure: bool, max_age_s: Option<i64>) -> Option<HeaderValue> {
    let mut cookie = Cookie::build((name, value)).path("/").http_only(true).same_site(SameSite::Strict);
    if is_secure {
        cookie = cookie.secure(true);
    }
    if let Some(seconds) = max_age_s {
        cookie = cookie.max_age(Duration::seconds(seconds));
    }
    HeaderValue::from_str(&cookie.build().to_string()).ok()
}
