//! From what went wrong on a connection to a fault. Messages are our own words and the place as it may be
//! seen: what libraries print has URLs in it.

use std::error::Error;
use std::io;

use crate::model::fault::Fault;
use crate::model::time::Span;
use crate::outbound::guard::Closed;
use crate::outbound::request::Shown;

/// The most headers that an answer may have: some servers say many a thing.
pub const HEADERS_MAX: usize = 2_000;

/// The fault of a request that got no answer.
pub fn in_request(error: &reqwest::Error, shown: &Shown) -> Fault {
    let Shown { place, host } = shown;
    if let Some(why) = cause::<Closed>(error) {
        return closed(*why, host);
    }
    if error.is_connect() {
        return in_connect(error, place);
    }
    // With TLS 1.3 a server refuses a client only after the client thinks that all is well.
    if let Some(why) = cause::<rustls::Error>(error).filter(|it| refuses_client(it)) {
        return untrusted(why, place);
    }
    match cause::<hyper::Error>(error) {
        Some(why) if why.is_parse_too_large() => {
            let message =
                format!("the answer of `{place}` has more than {HEADERS_MAX} headers, or too long ones");
            Fault::lasting("response_too_large", message)
        }
        Some(why) if why.is_parse() => {
            Fault::lasting("bad_response", format!("the answer of `{place}` is none of HTTP's"))
        }
        Some(_) | None if error.is_builder() => {
            Fault::lasting("bad_url", format!("`{place}` cannot be asked: the request cannot be built"))
        }
        Some(_) | None if error.is_timeout() => {
            Fault::passing("http_timeout", format!("`{place}` did not answer in time"))
        }
        Some(_) | None => lost(place, "closed the connection before it answered"),
    }
}

/// The fault of an answer that broke off.
pub fn in_body(shown: &Shown) -> Fault {
    lost(&shown.place, "closed the connection in the middle of its answer")
}

/// The fault of an answer that did not come within `timeout`.
pub fn late(timeout: Span, shown: &Shown) -> Fault {
    Fault::passing("http_timeout", format!("`{}` did not answer within {timeout}", shown.place))
}

/// The fault of a host that the guard refuses or DNS does not know.
pub fn closed(why: Closed, host: &str) -> Fault {
    match why {
        Closed::Blocked { .. } => Fault::lasting(
            "blocked_address",
            format!(
                "`{host}` may not be reached: {why}; hint: if it is yours, add its address to \
                 `allow.addresses` or start with `--allow-address`"
            ),
        ),
        Closed::Unknown => Fault::passing("dns_failed", format!("no address was found for `{host}`")),
    }
}

/// The error of that type among the causes of `error`. An `io::Error` hides what it carries from `source`.
pub fn cause<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut at = Some(error);
    while let Some(error) = at {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        at = match inner {
            Some(inner) => Some(inner as &(dyn Error + 'static)),
            None => error.source(),
        };
    }
    None
}

/// Why no connection came to be, in a few words.
pub fn why_unreachable(error: &(dyn Error + 'static)) -> &'static str {
    match cause::<io::Error>(error).map(io::Error::kind) {
        Some(io::ErrorKind::ConnectionRefused) => "it refuses connections",
        Some(io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable) => "no way leads there",
        Some(io::ErrorKind::TimedOut) => "it does not answer",
        Some(io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset) => "it hangs up at once",
        Some(_) | None => "no connection came to be",
    }
}

fn in_connect(error: &reqwest::Error, place: &str) -> Fault {
    if let Some(why) = cause::<rustls::Error>(error) {
        return untrusted(why, place);
    }
    let why = if error.is_timeout() { "it does not answer" } else { why_unreachable(error) };
    Fault::passing("http_connect", format!("`{place}` cannot be reached: {why}"))
}

/// Whether the server breaks off because of who we are, and not because something is wrong with it.
pub fn refuses_client(error: &rustls::Error) -> bool {
    use rustls::AlertDescription as Alert;
    matches!(
        error,
        rustls::Error::AlertReceived(
            Alert::CertificateRequired
                | Alert::BadCertificate
                | Alert::UnsupportedCertificate
                | Alert::CertificateRevoked
                | Alert::CertificateExpired
                | Alert::CertificateUnknown
                | Alert::UnknownCA
                | Alert::AccessDenied
                | Alert::HandshakeFailure
                | Alert::DecryptError
        )
    )
}

fn untrusted(why: &rustls::Error, place: &str) -> Fault {
    use rustls::{AlertDescription as Alert, CertificateError, Error};
    let message = match why {
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            format!("`{place}` cannot be trusted: {why}; hint: if its CA is your own, name it in `tls.ca`")
        }
        Error::AlertReceived(Alert::CertificateRequired) => {
            format!("`{place}` wants a client's certificate; hint: see `tls.cert` and `tls.key`")
        }
        Error::AlertReceived(alert) => format!("`{place}` breaks off the handshake: {alert:?}"),
        why => format!("`{place}` cannot be trusted: {why}"),
    };
    Fault::lasting("tls_failed", message)
}

fn lost(place: &str, how: &str) -> Fault {
    Fault::passing("http_lost", format!("`{place}` {how}"))
}
