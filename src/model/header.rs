//! Names of headers that a request may carry.

/// Headers that frame a message or name its host are the client's own: a second opinion on them is request
/// smuggling.
const OURS: [&str; 10] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Why a request cannot carry a header of that name, as it goes on after the name; `None`: it can.
pub fn wrong_name(name: &str) -> Option<&'static str> {
    // What RFC 9110 calls a token.
    let fits = |it: u8| it.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&it);
    if name.is_empty() || !name.bytes().all(fits) {
        return Some("has a name that HTTP does not allow");
    }
    OURS.iter().any(|it| it.eq_ignore_ascii_case(name)).then_some("is set by Beltline itself")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_token_and_none_of_ours() {
        for good in ["X-Key", "accept", "x_1", "Idempotency-Key"] {
            assert_eq!(wrong_name(good), None, "{good}");
        }
        for bad in ["", "A b", "X-Key:", "ключ", "Content-Length", "HOST", "te"] {
            assert!(wrong_name(bad).is_some(), "{bad}");
        }
    }
}
