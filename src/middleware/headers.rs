//! What every answer carries, whatever it is: a browser runs and loads nothing that is not ours, keeps no
//! copy, and shows us in no frame.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

const fn named(name: &'static str) -> HeaderName {
    HeaderName::from_static(name)
}

const fn value(text: &'static str) -> HeaderValue {
    HeaderValue::from_static(text)
}

/// What every answer carries, unless it says otherwise itself.
const HEADERS: [(HeaderName, HeaderValue); 8] = [
    (header::CONTENT_SECURITY_POLICY, value("default-src 'none'; frame-ancestors 'none'")),
    (header::X_CONTENT_TYPE_OPTIONS, value("nosniff")),
    (header::REFERRER_POLICY, value("no-referrer")),
    (header::CACHE_CONTROL, value("no-store")),
    (header::X_FRAME_OPTIONS, value("DENY")),
    (named("permissions-policy"), value("camera=(), geolocation=(), microphone=(), payment=(), usb=()")),
    (named("cross-origin-opener-policy"), value("same-origin")),
    (named("cross-origin-resource-policy"), value("same-origin")),
];

/// A year.
const SEALED: HeaderValue = value("max-age=31536000");

/// Puts them on an answer. One that went over a sealed line says that all do from now on.
pub fn guard(headers: &mut HeaderMap, https: bool) {
    headers.reserve(HEADERS.len() + 1);
    for (name, value) in &HEADERS {
        if !headers.contains_key(name) {
            headers.insert(name.clone(), value.clone());
        }
    }
    if https {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, SEALED);
    }
}
