//! Lists of hosts: the OAuth token hosts that may be asked, and the hosts a secret is bound to.

use url::{Host, Url};

/// The vendor's token hosts.
const VENDOR: [&str; 2] = ["oauth.bitrix.info", "oauth.bitrix24.tech"];

/// The OAuth token hosts that may be asked: the vendor's two and the operator's.
#[derive(Clone, Debug)]
pub struct OauthHosts(Vec<Url>);

impl OauthHosts {
    /// The vendor's hosts and `more`: each a host, for `https`, or a whole origin such as
    /// `http://127.0.0.1:7801`.
    ///
    /// # Errors
    /// The entry that is neither.
    pub fn new(more: &[String]) -> Result<OauthHosts, String> {
        let all = VENDOR.iter().copied().chain(more.iter().map(String::as_str));
        let parsed = all.map(|entry| origin(entry).ok_or_else(|| entry.to_owned()));
        parsed.collect::<Result<_, _>>().map(OauthHosts)
    }

    /// Whether `url` is on a host of the list: same scheme, host and port.
    pub fn allows(&self, url: &Url) -> bool {
        self.0.iter().any(|it| it.origin() == url.origin())
    }
}

/// An entry of a list as the URL of an origin.
fn origin(entry: &str) -> Option<Url> {
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

    #[test]
    fn only_token_hosts_of_the_list_are_allowed() {
        let hosts = OauthHosts::new(&["http://127.0.0.1:7801".into(), "oauth.example.org".into()]).unwrap();
        let allows = |url: &str| hosts.allows(&Url::parse(url).unwrap());
        assert!(allows("https://oauth.bitrix.info/oauth/token/"));
        assert!(allows("https://oauth.bitrix24.tech:443/oauth/token/"));
        assert!(allows("http://127.0.0.1:7801/oauth/token/"));
        assert!(allows("https://oauth.example.org/token"));
        assert!(!allows("http://oauth.bitrix.info/oauth/token/"));
        assert!(!allows("https://oauth.bitrix24.info/oauth/token/"));
        assert!(!allows("https://oauth.bitrix.info:8443/"));
        assert!(!allows("https://oauth.bitrix.info.evil.org/"));
        assert!(!allows("https://oauth.bitrix.info@evil.org/"));
        assert!(OauthHosts::new(&["ftp://x".into()]).is_err());
        assert!(OauthHosts::new(&["https://x/path".into()]).is_err());
    }
}
