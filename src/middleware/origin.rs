//! Where a write comes from: browsers say so, and a page of somebody else's must not make ours do things.

use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName, Method, header};

use crate::middleware::client::Client;

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Where a request comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Site {
    /// A page of ours.
    Here,
    /// Somebody else's page, or one that hides what it is.
    Elsewhere,
    /// Nothing is said: no browser sent it.
    Unsaid,
}

/// Whether a request only looks.
pub fn is_read(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Where a request comes from. A page of ours is one of the host that was asked, or of `public_url`.
pub fn site(headers: &HeaderMap, client: &Client, public_url: impl Fn() -> Arc<str>) -> Site {
    let text = |name: HeaderName| headers.get(name).map(|it| it.to_str().unwrap_or_default());
    let ours = |origin: &str| {
        let (scheme, host) = origin.split_once("://").unwrap_or_default();
        let sealed = !client.https || scheme == "https";
        let asked = !host.is_empty() && text(header::HOST) == Some(host);
        sealed && (asked || is_origin_of(origin, &public_url()))
    };
    match (text(FETCH_SITE), text(header::ORIGIN).map(ours)) {
        (None, None) => Site::Unsaid,
        (Some("same-origin") | None, Some(true)) | (Some("same-origin"), None) => Site::Here,
        (Some(_), _) | (None, Some(false)) => Site::Elsewhere,
    }
}

fn is_origin_of(origin: &str, url: &str) -> bool {
    url::Url::parse(url).is_ok_and(|it| it.origin().is_tuple() && it.origin().ascii_serialization() == origin)
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    fn from(pairs: &[(&'static str, &'static str)], https: bool) -> Site {
        let headers =
            pairs.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
        let client = Client { address: IpAddr::V4(Ipv4Addr::LOCALHOST), https, welcome: true };
        site(&headers.collect(), &client, || "https://b.example/x".into())
    }

    #[test]
    fn a_write_comes_from_here_or_from_elsewhere() {
        let host = ("host", "localhost:7700");
        for here in [
            vec![host, ("origin", "http://localhost:7700")],
            vec![host, ("sec-fetch-site", "same-origin")],
            vec![host, ("origin", "http://localhost:7700"), ("sec-fetch-site", "same-origin")],
            vec![host, ("origin", "https://b.example")],
        ] {
            assert_eq!(from(&here, false), Site::Here, "{here:?}");
        }
        for elsewhere in [
            vec![host, ("origin", "null")],
            vec![host, ("origin", "http://localhost:7701")],
            vec![host, ("sec-fetch-site", "cross-site")],
            vec![host, ("sec-fetch-site", "none")],
            vec![host, ("origin", "http://localhost:7700"), ("sec-fetch-site", "same-site")],
            vec![host, ("origin", "http://evil.example"), ("sec-fetch-site", "same-origin")],
            vec![host, ("origin", "http://b.example")],
        ] {
            assert_eq!(from(&elsewhere, false), Site::Elsewhere, "{elsewhere:?}");
        }
        assert_eq!(from(&[host], false), Site::Unsaid);
        let unsealed = [host, ("origin", "http://localhost:7700")];
        assert_eq!(from(&unsealed, true), Site::Elsewhere, "who reads along is not us");
    }
}
