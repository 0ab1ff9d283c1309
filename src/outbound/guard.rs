//! The address guard: which addresses a request may reach. It looks at the host as written, at all that DNS
//! answers, and at every redirect; what is not the public internet is refused unless the operator allowed it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use thiserror::Error;
use url::Host;

/// What is refused of IPv4, and why. The first that fits is named.
const V4: [(Ipv4Net, &str); 17] = [
    (v4(169, 254, 169, 254, 32), "the cloud's metadata"),
    (v4(168, 63, 129, 16, 32), "the cloud's metadata"),
    (v4(0, 0, 0, 0, 8), "unspecified"),
    (v4(10, 0, 0, 0, 8), "private"),
    (v4(100, 64, 0, 0, 10), "the provider's shared space"),
    (v4(127, 0, 0, 0, 8), "loopback"),
    (v4(169, 254, 0, 0, 16), "link-local"),
    (v4(172, 16, 0, 0, 12), "private"),
    (v4(192, 0, 0, 0, 24), "reserved"),
    (v4(192, 0, 2, 0, 24), "for documentation"),
    (v4(192, 88, 99, 0, 24), "a relay of IPv6"),
    (v4(192, 168, 0, 0, 16), "private"),
    (v4(198, 18, 0, 0, 15), "for benchmarks"),
    (v4(198, 51, 100, 0, 24), "for documentation"),
    (v4(203, 0, 113, 0, 24), "for documentation"),
    (v4(224, 0, 0, 0, 4), "multicast"),
    (v4(240, 0, 0, 0, 4), "reserved"),
];

/// The same of IPv6.
const V6: [(Ipv6Net, &str); 17] = [
    (v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254], 128), "the cloud's metadata"),
    (v6([0, 0, 0, 0, 0, 0, 0, 0], 128), "unspecified"),
    (v6([0, 0, 0, 0, 0, 0, 0, 1], 128), "loopback"),
    (v6([0, 0, 0, 0, 0, 0, 0, 0], 96), "IPv4 in IPv6"),
    (v6([0, 0, 0, 0, 0, 0xffff, 0, 0], 96), "IPv4 in IPv6"),
    (v6([0, 0, 0, 0, 0xffff, 0, 0, 0], 96), "IPv4 in IPv6"),
    (v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96), "translated IPv4"),
    (v6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48), "translated IPv4"),
    (v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16), "IPv4 by 6to4"),
    (v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 32), "IPv4 by Teredo"),
    (v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23), "reserved"),
    (v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32), "for documentation"),
    (v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20), "for documentation"),
    (v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7), "private"),
    (v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10), "link-local"),
    (v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10), "site-local"),
    (v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8), "multicast"),
];

/// All of IPv6 that is handed out to the public. What is outside is reserved.
const V6_PUBLIC: Ipv6Net = v6([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);

const fn v4(a: u8, b: u8, c: u8, d: u8, bits: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), bits)
}

const fn v6(part: [u16; 8], bits: u8) -> Ipv6Net {
    let address = Ipv6Addr::new(part[0], part[1], part[2], part[3], part[4], part[5], part[6], part[7]);
    Ipv6Net::new_assert(address, bits)
}

/// Why `address` is not of the public internet.
pub fn why_blocked(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => V4.iter().find(|(net, _)| net.contains(&address)).map(|(_, why)| *why),
        IpAddr::V6(address) => match V6.iter().find(|(net, _)| net.contains(&address)) {
            Some((_, why)) => Some(why),
            None if V6_PUBLIC.contains(&address) => None,
            None => Some("reserved"),
        },
    }
}

/// Why a host cannot be reached. Names no host: the caller knows what of it may be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Closed {
    /// The guard refuses this address.
    #[error("{address} is {why}")]
    Blocked {
        /// The address.
        address: IpAddr,
        /// What it is.
        why: &'static str,
    },
    /// DNS knows no address.
    #[error("no address was found")]
    Unknown,
}

/// Decides which addresses may be reached.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    allowed: Vec<IpNet>,
}

impl Guard {
    /// A guard that lets the public internet through, and `allowed`.
    pub fn new(allowed: Vec<IpNet>) -> Guard {
        Guard { allowed }
    }

    /// Whether `address` may be reached.
    pub fn check(&self, address: IpAddr) -> Result<(), Closed> {
        match why_blocked(address) {
            Some(why) if !self.allows(address) => Err(Closed::Blocked { address, why }),
            Some(_) | None => Ok(()),
        }
    }

    /// Whether a host may be asked as far as its name tells: an address written out is checked here, because
    /// the resolver never sees it.
    pub fn check_host<S>(&self, host: &Host<S>) -> Result<(), Closed> {
        match host {
            Host::Domain(_) => Ok(()),
            Host::Ipv4(address) => self.check(IpAddr::V4(*address)),
            Host::Ipv6(address) => self.check(IpAddr::V6(*address)),
        }
    }

    /// Of what DNS answered, the addresses that may be reached. One bad address spoils the name, unless the
    /// operator allowed another of its addresses: then only those are used.
    pub fn choose(&self, found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, Closed> {
        let trusted: Vec<SocketAddr> = found.iter().filter(|it| self.allows(it.ip())).copied().collect();
        if !trusted.is_empty() {
            return Ok(trusted);
        }
        found.iter().try_for_each(|it| self.check(it.ip()))?;
        if found.is_empty() { Err(Closed::Unknown) } else { Ok(found) }
    }

    /// The addresses of `host` that may be reached.
    pub async fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, Closed> {
        match parse(host) {
            Some(Host::Domain(name)) => {
                let found = tokio::net::lookup_host((name.as_str(), port)).await;
                self.choose(found.map_err(|_| Closed::Unknown)?.collect())
            }
            Some(Host::Ipv4(address)) => self.literal(IpAddr::V4(address), port),
            Some(Host::Ipv6(address)) => self.literal(IpAddr::V6(address), port),
            None => Err(Closed::Unknown),
        }
    }

    fn literal(&self, address: IpAddr, port: u16) -> Result<Vec<SocketAddr>, Closed> {
        self.check(address).map(|()| vec![SocketAddr::new(address, port)])
    }

    fn allows(&self, address: IpAddr) -> bool {
        self.allowed.iter().any(|net| net.contains(&address))
    }
}

/// A host as URLs have it, in which every way to write an address is known; IPv6 also without brackets.
fn parse(host: &str) -> Option<Host> {
    match host.parse::<Ipv6Addr>() {
        Ok(address) => Some(Host::Ipv6(address)),
        Err(_) => Host::parse(host).ok(),
    }
}

/// The guard as the HTTP client's resolver.
#[derive(Clone, Debug)]
pub struct GuardedDns(pub Arc<Guard>);

impl Resolve for GuardedDns {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = Arc::clone(&self.0);
        Box::pin(async move {
            let found = guard.resolve(name.as_str(), 0).await?;
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}
