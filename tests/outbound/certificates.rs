//! Client certificates and private CAs, with a TLS server on loopback that insists.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;

use beltline::engine::resources::{ResourceCache, SecretValue};
use beltline::model::effect::{ClientTls, HttpRequest, mark};
use beltline::model::fault::{Class, Fault};
use beltline::outbound::outbound::OutboundClient;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::RootCertStore;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;

use super::servers::{Server, ask, bytes, get, world};

/// A CA, and what it signed: certificates and keys in PEM.
pub(super) struct Office {
    pub(super) ca: rcgen::Certificate,
    issuer: Issuer<'static, KeyPair>,
}

impl Office {
    pub(super) fn new(name: &str) -> Office {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = params.self_signed(&key).unwrap();
        Office { ca, issuer: Issuer::new(params, key) }
    }

    pub(super) fn sign(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap(), key)
    }

    /// A server at `localhost` that lets in whoever `clients` signed for; anybody if there is none.
    fn server(&self, clients: Option<&Office>) -> SocketAddr {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (cert, key) = self.sign("localhost");
        let builder = match clients {
            Some(clients) => {
                let mut roots = RootCertStore::empty();
                roots.add(clients.ca.der().clone()).unwrap();
                let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build().unwrap();
                rustls::ServerConfig::builder().with_client_cert_verifier(verifier)
            }
            None => rustls::ServerConfig::builder().with_no_client_auth(),
        };
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = Arc::new(builder.with_single_cert(vec![cert.der().clone()], key).unwrap());
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                let mut connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
                while connection.is_handshaking() {
                    if connection.complete_io(&mut stream).is_err() {
                        break;
                    }
                }
                if connection.is_handshaking() {
                    // The alert is told, and what the client has sent is read, so that nothing is cut off.
                    let _ = connection.write_tls(&mut stream);
                    let _ = stream.shutdown(Shutdown::Write);
                    let _ = stream.read_to_end(&mut Vec::new());
                    continue;
                }
                let client = connection.peer_certificates().map_or("nobody", |_| "somebody").to_owned();
                let mut stream = rustls::StreamOwned::new(connection, stream);
                let _ = stream.read(&mut [0; 4096]);
                let _ = stream.write_all(&bytes(200, "", client.as_bytes()));
                stream.conn.send_close_notify();
                let _ = stream.flush();
            }
        });
        address
    }
}

fn knowing(secrets: &[(&str, String)]) -> OutboundClient {
    let resources = ResourceCache::default();
    let secret = |(name, value): &(&str, String)| ((*name).to_owned(), SecretValue::new(value.clone()));
    resources.set_secrets(secrets.iter().map(secret).collect());
    world(resources)
}

fn tls(cert: Option<&str>, key: Option<&str>, ca: Option<&str>) -> ClientTls {
    let text = |it: Option<&str>| it.map(mark);
    ClientTls { cert: text(cert), key: text(key), ca: text(ca) }
}

async fn fetch(world: &OutboundClient, address: SocketAddr, tls: ClientTls) -> Result<String, Fault> {
    let url = format!("https://localhost:{}/x", address.port());
    let request = HttpRequest { tls: Some(tls), ..get(&url) };
    ask(world, request).await.map(|answer| answer.body.as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn a_private_ca_is_trusted_where_it_is_named_and_nowhere_else() {
    let (ours, theirs) = (Office::new("one"), Office::new("other"));
    let address = ours.server(None);
    let world = knowing(&[("ca", ours.ca.pem()), ("other", theirs.ca.pem())]);
    assert_eq!(fetch(&world, address, tls(None, None, Some("ca"))).await.unwrap(), "nobody");
    for tls in [tls(None, None, Some("other")), ClientTls::default()] {
        let fault = fetch(&world, address, tls).await.unwrap_err();
        assert_eq!((fault.code.as_str(), fault.class), ("tls_failed", Class::Lasting), "{}", fault.message);
        assert!(fault.message.contains("`tls.ca`"), "{}", fault.message);
    }
    // Several CAs in one bundle.
    let both = knowing(&[("ca", theirs.ca.pem() + ours.ca.pem().as_str())]);
    assert_eq!(fetch(&both, address, tls(None, None, Some("ca"))).await.unwrap(), "nobody");
}

#[tokio::test]
async fn a_client_shows_its_certificate_and_without_it_is_not_let_in() {
    let (servers, clients) = (Office::new("one"), Office::new("other"));
    let address = servers.server(Some(&clients));
    let (cert, key) = clients.sign("me");
    let (stranger, stranger_key) = servers.sign("me");
    let secrets = [
        ("ca", servers.ca.pem()),
        ("cert", cert.pem()),
        ("key", key.serialize_pem()),
        ("stranger", stranger.pem()),
        ("stranger_key", stranger_key.serialize_pem()),
    ];
    let world = knowing(&secrets);
    for _ in 0..2 {
        let got = fetch(&world, address, tls(Some("cert"), Some("key"), Some("ca"))).await;
        assert_eq!(got.unwrap(), "somebody");
    }
    let nobody = fetch(&world, address, tls(None, None, Some("ca"))).await.unwrap_err();
    assert_eq!((nobody.code.as_str(), nobody.class), ("tls_failed", Class::Lasting), "{}", nobody.message);
    assert!(nobody.message.contains("wants a client's certificate"), "{}", nobody.message);
    let stranger = tls(Some("stranger"), Some("stranger_key"), Some("ca"));
    let fault = fetch(&world, address, stranger).await.unwrap_err();
    assert_eq!(fault.code, "tls_failed", "{}", fault.message);
}

#[tokio::test]
async fn certificates_that_are_none_are_told_of_without_their_content() {
    let office = Office::new("one");
    let (cert, key) = office.sign("me");
    let (_, other_key) = office.sign("other");
    let secrets = [
        ("cert", cert.pem()),
        ("key", key.serialize_pem()),
        ("other", other_key.serialize_pem()),
        ("noise", "-----BEGIN CANARY".to_owned()),
    ];
    let (world, address) = (knowing(&secrets), "127.0.0.1:9".parse().unwrap());
    for tls in [
        tls(Some("cert"), Some("other"), None),
        tls(Some("noise"), Some("key"), None),
        tls(Some("cert"), Some("noise"), None),
        tls(None, None, Some("noise")),
        tls(None, None, Some("key")),
    ] {
        let fault = fetch(&world, address, tls.clone()).await.unwrap_err();
        assert_eq!(
            (fault.code.as_str(), fault.class),
            ("bad_tls", Class::Lasting),
            "{tls:?} {}",
            fault.message
        );
        assert!(!fault.message.contains("CANARY"), "{}", fault.message);
    }
    assert_eq!(
        fetch(&world, address, tls(None, None, Some("nope"))).await.unwrap_err().code,
        "missing_secret"
    );
}

#[tokio::test]
async fn a_redirect_elsewhere_is_followed_without_the_certificate() {
    let office = Office::new("one");
    let elsewhere = Server::saying(200, "", "plain").await;
    let location = elsewhere.url("/y");
    let (cert, key) = office.sign("localhost");
    let (cert_pem, key_pem) = (cert.pem(), key.serialize_pem());
    let world = knowing(&[("ca", office.ca.pem()), ("cert", cert_pem), ("key", key_pem)]);
    // A plain server stands for the first one: its answer leads to another origin all the same.
    let first = Server::saying(302, &format!("Location: {location}\r\n"), "").await;
    let request =
        HttpRequest { tls: Some(tls(Some("cert"), Some("key"), Some("ca"))), ..get(&first.url("/x")) };
    assert_eq!(ask(&world, request).await.unwrap().body, "plain");
}
