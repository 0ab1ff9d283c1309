//! The address guard.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use beltline::engine::resources::ResourceCache;
use beltline::model::fault::Class;
use beltline::outbound::guard::{Closed, Guard, why_blocked};
use beltline::outbound::outbound::{OutboundClient, OutboundConfig};
use url::Url;

use super::servers::{Server, ask, get};

#[test]
fn what_is_not_the_public_internet_is_refused() {
    for address in [
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "10.255.255.255",
        "100.64.0.1",
        "100.127.255.255",
        "100.100.100.200",
        "127.0.0.1",
        "127.255.255.254",
        "169.254.0.1",
        "169.254.169.254",
        "168.63.129.16",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.0.192",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.0.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::7f00:1",
        "::ffff:127.0.0.1",
        "::ffff:8.8.8.8",
        "::ffff:0:8.8.8.8",
        "64:ff9b::7f00:1",
        "64:ff9b::808:808",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:2::1",
        "2001:10::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "2002:808:808::1",
        "3fff::1",
        "fc00::1",
        "fd00:ec2::254",
        "fd12::1",
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "4000::1",
        "5f00::1",
        "8000::1",
    ] {
        assert!(why_blocked(address.parse().unwrap()).is_some(), "{address}");
    }
}

#[test]
fn the_public_internet_is_let_through() {
    for address in [
        "1.1.1.1",
        "8.8.8.8",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "169.253.255.255",
        "169.255.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.0.1.0",
        "192.169.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "223.255.255.255",
        "2001:200::1",
        "2001:4860:4860::8888",
        "2003::1",
        "2606:4700::1111",
        "2a00:1450::1",
    ] {
        assert_eq!(why_blocked(address.parse().unwrap()), None, "{address}");
    }
}

#[test]
fn an_address_is_known_however_it_is_written() {
    let guard = Guard::default();
    for host in [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "017700000001",
        "0177.0.0.1",
        "127.0.0.1.",
        "%31%32%37.0.0.1",
        "１２７.0.0.1",
        "127。0。0。1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[0:0:0:0:0:0:0:1]",
        "0",
        "0xa9fea9fe",
        "169.254.169.254",
    ] {
        let url = Url::parse(&format!("http://{host}/")).unwrap();
        assert!(guard.check_host(&url.host().unwrap()).is_err(), "{host}");
    }
    let url = Url::parse("http://1.1.1.1/").unwrap();
    assert_eq!(guard.check_host(&url.host().unwrap()), Ok(()));
}

#[test]
fn one_bad_address_of_a_name_spoils_it() {
    let at = |ip: &str| SocketAddr::new(ip.parse().unwrap(), 0);
    let guard = Guard::default();
    assert_eq!(guard.choose(vec![at("1.1.1.1")]), Ok(vec![at("1.1.1.1")]));
    let address: IpAddr = "10.0.0.1".parse().unwrap();
    let blocked = Closed::Blocked { address, why: "private" };
    assert_eq!(guard.choose(vec![at("1.1.1.1"), at("10.0.0.1")]), Err(blocked));
    assert_eq!(guard.choose(Vec::new()), Err(Closed::Unknown));
}

#[test]
fn what_the_operator_allows_is_let_through_and_nothing_beside_it() {
    let at = |ip: &str| SocketAddr::new(ip.parse().unwrap(), 0);
    let guard = Guard::new(vec!["10.20.0.0/16".parse().unwrap()]);
    assert_eq!(guard.check("10.20.3.4".parse().unwrap()), Ok(()));
    assert!(guard.check("10.21.0.1".parse().unwrap()).is_err());
    assert!(guard.check("::ffff:10.20.3.4".parse().unwrap()).is_err());
    // Of a name with several addresses, the one that is allowed is used and no other.
    assert_eq!(guard.choose(vec![at("::1"), at("10.20.0.1")]), Ok(vec![at("10.20.0.1")]));
}

#[tokio::test]
async fn a_blocked_address_is_a_lasting_fault_with_its_remedy() {
    let server = Server::saying(200, "", "hello").await;
    let port = server.address.port();
    let closed = OutboundClient::new(OutboundConfig::default(), Arc::new(ResourceCache::default())).unwrap();
    for host in ["127.0.0.1", "2130706433", "0x7f.1", "localhost", "[::ffff:127.0.0.1]"] {
        let fault = ask(&closed, get(&format!("http://{host}:{port}/"))).await.unwrap_err();
        assert_eq!((fault.code.as_str(), fault.class), ("blocked_address", Class::Lasting), "{host}");
        assert!(fault.message.contains("`allow.addresses`"), "{}", fault.message);
        assert!(fault.message.contains("`--allow-address`"), "{}", fault.message);
    }
    let fault = ask(&closed, get("http://169.254.169.254/latest/meta-data")).await.unwrap_err();
    assert!(fault.message.starts_with("`169.254.169.254` may not be reached"), "{}", fault.message);
    assert_eq!(server.asked(), Vec::<String>::new());
}
