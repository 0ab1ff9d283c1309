//! Hosts as people write them: those a secret is bound to, and those of a list.

use url::{Host, Url};

/// An entry of a list as the URL of an origin.
pub fn origin(entry: &str) -> Option<Url> {
    let entry = entry.trim();
    let whole = if entry.contains("://") { entry.to_owned() } else { format!("https://{entry}") };
    let url = Url::parse(&whole).ok()?;
    let bare = matches!(url.path(), "" | "/") && url.query().is_none() && url.username().is_empty();
    (matches!(url.scheme(), "http" | "https") && url.has_host() && bare).then_some(url)
}

/// Whether `host` and `port` are meant by `pattern`: `api.example.org`, `api.example.org:8443`,
/// `*.example.org`, or an origin such as `https://api.example.org`. A pattern that cannot be read means no
/// host.
pub fn fits(pattern: &str, host: &str, port: u16) -> bool {
    let pattern = pattern.trim().to_ascii_lowercase();
    if let Some(suffix) = pattern.strip_prefix("*.") {
        return host.strip_suffix(suffix).is_some_and(|head| head.len() > 1 && head.ends_with('.'));
    }
    let Some(url) = origin(&pattern) else { return false };
    let given = pattern.contains("://") || url.port().is_some() || pattern.ends_with(":443");
    let same_port = !given || url.port_or_known_default() == Some(port);
    same_port && url.host().is_some_and(|it| same_host(&it, host))
}

/// Whether `pattern` can mean a host at all.
pub fn is_pattern(pattern: &str) -> bool {
    let pattern = pattern.trim();
    origin(pattern.strip_prefix("*.").unwrap_or(pattern)).is_some()
}

fn same_host(pattern: &Host<&str>, host: &str) -> bool {
    pattern.to_string().trim_end_matches('.') == host.trim_end_matches('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_means_its_host_and_no_other() {
        for (pattern, host, port) in [
            ("api.example.org", "api.example.org", 8443),
            ("API.example.org", "api.example.org", 443),
            ("api.example.org:8443", "api.example.org", 8443),
            ("https://api.example.org", "api.example.org", 443),
            ("*.example.org", "a.b.example.org", 443),
            ("127.0.0.1:80", "127.0.0.1", 80),
        ] {
            assert!(fits(pattern, host, port), "{pattern} {host}:{port}");
        }
        for (pattern, host, port) in [
            ("api.example.org", "evil.org", 443),
            ("api.example.org", "api.example.org.evil.org", 443),
            ("api.example.org:8443", "api.example.org", 443),
            ("api.example.org:443", "api.example.org", 8443),
            ("*.example.org", "example.org", 443),
            ("*.example.org", "evilexample.org", 443),
            ("", "example.org", 443),
            ("*", "example.org", 443),
        ] {
            assert!(!fits(pattern, host, port), "{pattern} {host}:{port}");
        }
    }
}
