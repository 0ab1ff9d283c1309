//! The OAuth token hosts that may be asked.

use url::Url;

use crate::model::hosts::origin;

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

#[cfg(test)]
mod tests {
    use super::*;

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
