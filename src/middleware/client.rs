//! [`Client`]: who is at the other end. Behind a declared proxy that is whom the proxy says; nobody else is
//! believed.

use std::net::{IpAddr, Ipv4Addr};

use axum::http::{Extensions, HeaderMap, HeaderName};
use ipnet::IpNet;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The other end of a connection, as the server sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its address.
    pub address: IpAddr,
    /// The connection is ours to seal, and is sealed.
    pub tls: bool,
}

/// What stands in front of the server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Front {
    /// The proxies that are believed.
    pub trust: Vec<IpNet>,
    /// Strangers reach the server, and only through them or through TLS.
    pub guarded: bool,
}

/// Who a request is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    /// Their address.
    pub address: IpAddr,
    /// Nobody between reads or changes what is said.
    pub https: bool,
    /// The way they came is one that may be come.
    pub welcome: bool,
}

impl Front {
    /// Whether that is a declared proxy.
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.trust.iter().any(|it| it.contains(&address))
    }

    /// Whether somebody on this machine speaks for others, and nobody said that they may.
    pub fn is_undeclared(&self, peer: Peer, headers: &HeaderMap) -> bool {
        let address = peer.address.to_canonical();
        address.is_loopback() && !self.trusts(address) && headers.contains_key(FORWARDED_FOR)
    }

    /// Who sent the request with these headers.
    pub fn client(&self, peer: Peer, headers: &HeaderMap) -> Client {
        let address = peer.address.to_canonical();
        if !self.trusts(address) {
            let welcome = peer.tls || address.is_loopback() || !self.guarded;
            return Client { address, https: peer.tls, welcome };
        }
        let proto = headers.get(FORWARDED_PROTO).and_then(|it| it.to_str().ok());
        let https = peer.tls || proto.is_some_and(|it| it.trim().eq_ignore_ascii_case("https"));
        // Each proxy adds whom it heard from at the end; what stands before the first one that is not ours is
        // only what somebody said.
        let values = headers.get_all(FORWARDED_FOR).iter().filter_map(|it| it.to_str().ok());
        let mut said: Vec<&str> = values.flat_map(|it| it.split(',')).collect();
        let mut from = address;
        while let Some(one) = said.pop().and_then(|it| read(it.trim())) {
            from = one;
            if !self.trusts(one) {
                break;
            }
        }
        Client { address: from, https, welcome: true }
    }
}

impl Client {
    /// As it was noted on the request; without a server around it, as in a test of one part, it is us.
    pub fn of(extensions: &Extensions) -> Client {
        let here = Client { address: IpAddr::V4(Ipv4Addr::LOCALHOST), https: false, welcome: true };
        extensions.get::<Client>().copied().unwrap_or(here)
    }
}

/// An address, with a port or without.
fn read(text: &str) -> Option<IpAddr> {
    let plain = text.parse().or_else(|_| text.parse().map(|it: std::net::SocketAddr| it.ip()));
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    plain.or_else(|_| bare.parse()).ok().map(|it: IpAddr| it.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(trust: &[&str], peer: &str, said: &[(&'static str, &'static str)]) -> Client {
        let trust = trust.iter().map(|it| it.parse().unwrap()).collect();
        let headers =
            said.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
        let peer = Peer { address: peer.parse().unwrap(), tls: false };
        Front { trust, guarded: true }.client(peer, &headers.collect())
    }

    #[test]
    fn only_a_declared_proxy_is_believed() {
        let said = [("x-forwarded-for", "6.6.6.6, 1.2.3.4"), ("x-forwarded-proto", "https")];
        let seen = |it: Client| (it.address.to_string(), it.https, it.welcome);
        assert_eq!(seen(client(&["10.0.0.1/32"], "10.0.0.1", &said)), ("1.2.3.4".into(), true, true));
        assert_eq!(seen(client(&["10.0.0.1/32"], "10.0.0.2", &said)), ("10.0.0.2".into(), false, false));
        assert_eq!(seen(client(&[], "127.0.0.1", &said)), ("127.0.0.1".into(), false, true));
        let through_two = [("x-forwarded-for", "6.6.6.6, 1.2.3.4:555, 10.0.0.9")];
        assert_eq!(seen(client(&["10.0.0.0/24"], "10.0.0.1", &through_two)), ("1.2.3.4".into(), false, true));
        let odd = [("x-forwarded-for", "unknown")];
        assert_eq!(seen(client(&["10.0.0.0/24"], "::ffff:10.0.0.1", &odd)), ("10.0.0.1".into(), false, true));
    }
}
