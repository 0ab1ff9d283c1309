//! `serve` with people: the link it prints, the certificate it shows, whom it refuses to listen for; and the
//! verbs for all of it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::cli::place::{Place, Served, until};

/// A certificate of ours, put where `serve` is told to look.
fn with_certificate(place: &Place) -> CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    // The key first: a certificate that is seen is seen with its key.
    place.write("key.pem", &made.signing_key.serialize_pem());
    place.write("cert.pem", &made.cert.pem());
    made.cert.der().clone()
}

/// A first admin, made on loopback.
fn with_admin(place: &Place) {
    let served = place.serve();
    let ran = place.run_with(&["user", "add", "ann", "--role", "admin"], "correct horse battery\n");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(served.stop(), Some(0));
}

fn setup_link(served: &Served) -> String {
    let link = || {
        let log = served.log();
        let line = log.lines().find(|it| it.trim_start().starts_with("setup"))?;
        Some(line.split_whitespace().last().unwrap().to_owned())
    };
    until("the link is printed", link)
}

/// What a plain request is answered with, head and all.
fn said(address: &str, path: &str, headers: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{headers}\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

fn status(text: &str) -> &str {
    text.split(' ').nth(1).unwrap_or_default()
}

/// What a request over TLS is answered with, of a server that shows that certificate.
fn sealed(shown: &CertificateDer<'static>, address: &str, path: &str) -> std::io::Result<String> {
    drop(rustls::crypto::ring::default_provider().install_default());
    let mut roots = RootCertStore::empty();
    roots.add(shown.clone()).unwrap();
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = StreamOwned::new(connection, TcpStream::connect(address)?);
    write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

/// Where it says that it listens.
fn listens(served: &Served) -> String {
    let line = || {
        let log = served.log();
        let line = log.lines().find(|it| it.contains("address"))?.to_owned();
        Some(line.rsplit("://").next()?.trim().to_owned())
    };
    until("it says where it listens", line)
}

#[test]
fn the_first_start_prints_a_link_and_so_does_the_next_until_somebody_came() {
    let place = Place::new();
    let served = place.serve();
    let first = setup_link(&served);
    assert!(first.starts_with("http://127.0.0.1:") && first.contains("/dashboard/setup?key=blt_"), "{first}");
    served.stop();
    let served = place.serve();
    let second = setup_link(&served);
    let path = |link: &str| link[link.find("/dashboard").unwrap()..].to_owned();
    assert_eq!(status(&said(&place.address(), &path(&first), "")), "410");
    assert_eq!(status(&said(&place.address(), &path(&second), "")), "200");
    let ran = place.run_with(&["user", "add", "ann", "--role", "admin"], "correct horse battery\n");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(status(&said(&place.address(), &path(&second), "")), "410", "there is an admin now");
    served.stop();
    let served = place.serve();
    let log = until("it greets", || Some(served.log()).filter(|it| it.contains("Ctrl-C")));
    assert!(!log.contains("setup"), "{log}");
}

#[test]
fn users_are_looked_after_from_the_command_line() {
    let place = Place::new();
    let _served = place.serve();
    let warned = place.run(&["doctor"]);
    assert!(warned.out.contains("no admin can log in"), "{warned:?}");
    place.run(&["user", "add", "bob"]).failed(2, &["a user needs a role"]);
    let ran = place.run_with(&["user", "add", "ann", "--role", "admin"], "short\n");
    ran.failed(1, &["at least 10 characters"]);
    for (name, roles) in [("ann", &["--role", "admin"][..]), ("bob", &["--in", "hello=operator"])] {
        let ran = place.run_with(&[&["user", "add", name], roles].concat(), "correct horse battery\n");
        assert_eq!((ran.code, ran.out.trim()), (Some(0), format!("{name} can log in").as_str()), "{ran:?}");
    }
    let list = place.ok(&["user", "list"]);
    assert!(list.contains("ann") && list.contains("hello=operator"), "{list}");
    place.ok(&["user", "role", "bob", "--role", "viewer"]);
    let bob = &place.json(&["user", "list"])["items"][1];
    assert_eq!((&bob["role"], &bob["processes"]), (&"viewer".into(), &serde_json::json!({})));
    place.ok(&["user", "disable", "bob"]);
    place.ok(&["user", "enable", "bob"]);
    place.run(&["user", "remove", "ann"]).failed(1, &["is the last admin", "hint: "]);
    place.ok(&["user", "remove", "bob"]);
    assert!(place.ok(&["user", "sessions"]).contains("nobody"));
    let lines = place.ok(&["audit", "list"]);
    assert!(lines.contains("user.make") && lines.contains("user.forget"), "{lines}");
    let good = place.ok(&["audit", "verify"]);
    assert!(good.contains("all good"), "{good}");
    let noted = good.trim().rsplit(' ').next().unwrap();
    place.ok(&["audit", "verify", "--noted", noted]);
    place.run(&["audit", "verify", "--noted", "1:forged"]).failed(1, &["line 1 is not as it was written"]);
}

#[test]
fn a_line_that_was_taken_out_of_the_file_is_named() {
    let place = Place::new();
    let served = place.serve();
    for at in 0..5 {
        place.ok(&["var", "set", &format!("v{at}=x")]);
    }
    served.stop();
    let db = rusqlite::Connection::open(place.path("data/beltline.db")).unwrap();
    let names =
        db.prepare("SELECT name FROM records WHERE collection = 'audit' AND name LIKE 'c%' ORDER BY name");
    let names: Vec<String> =
        names.unwrap().query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
    let third = &names[2];
    let taken = "UPDATE records SET value = (SELECT value FROM records WHERE name = ?2) WHERE name = ?1";
    db.execute(taken, [third, &names[1]]).unwrap();
    drop(db);
    let served = place.serve();
    let number = third.trim_start_matches(['c', '0']);
    place.run(&["audit", "verify"]).failed(1, &[&format!("line {number} is not"), "moved here"]);
    served.stop();
    let db = rusqlite::Connection::open(place.path("data/beltline.db")).unwrap();
    db.execute("DELETE FROM records WHERE name = ?1", [third]).unwrap();
    drop(db);
    let _served = place.serve();
    place.run(&["audit", "verify"]).failed(1, &[&format!("line {number} is not"), "it is missing"]);
}

#[test]
fn it_listens_for_others_only_with_users_and_a_sealed_line() {
    let place = Place::new();
    let ours = with_certificate(&place);
    let tls = ["--tls-cert", "cert.pem", "--tls-key", "key.pem"];
    let open = |args: &[&str]| place.run(&[&["serve", "--listen", "0.0.0.0:0"], args].concat());
    open(&[]).failed(1, &["others can reach", "--tls-cert", "--behind-proxy"]);
    open(&tls).failed(1, &["no admin", "hint: ", "127.0.0.1"]);
    open(&["--behind-proxy", "127.0.0.1"]).failed(1, &["no admin", "hint: "]);
    open(&tls[..2]).failed(2, &["`tls.cert` is given", "`tls.key` is not"]);
    place.write("other.pem", "nothing\n");
    open(&["--tls-cert", "other.pem", "--tls-key", "key.pem"]).failed(1, &["other.pem", "certificate"]);
    with_admin(&place);
    let served = place.serve_at("0.0.0.0:0", &tls);
    let port = listens(&served).rsplit(':').next().unwrap().to_owned();
    let answer = sealed(&ours, &format!("127.0.0.1:{port}"), "/healthz").unwrap();
    assert_eq!(status(&answer), "200", "{answer}");
    assert!(answer.contains("strict-transport-security: max-age=31536000"), "{answer}");
    // The command line of this machine has a door of its own.
    place.ok(&["submit", "hello", "--ref", "riga", "city=Riga"]);
    assert!(said(&place.address(), "/healthz", "").starts_with("HTTP/1.1 200"));
    assert!(place.address().starts_with("127.0.0.1:") && !place.address().ends_with(&port));
}

#[test]
fn a_certificate_is_read_again_when_it_changes() {
    let place = Place::new();
    let first = with_certificate(&place);
    let served = place.serve_with(&["--tls-cert", "cert.pem", "--tls-key", "key.pem"]);
    let address = listens(&served);
    let shows = |it: &CertificateDer<'static>| sealed(it, &address, "/healthz").ok();
    assert_eq!(shows(&first).as_deref().map(status), Some("200"));
    place.write("cert.pem", "broken\n");
    until("the bad one is told", || served.log().contains("stays as it was").then_some(()));
    assert!(shows(&first).is_some(), "and changes nothing");
    let second = with_certificate(&place);
    until("the new one is shown", || shows(&second));
    assert!(shows(&first).is_none());
    assert!(said(&place.address(), "/healthz", "").starts_with("HTTP/1.1 200"), "it runs on");
    let third = with_certificate(&place);
    served.signal("HUP");
    until("the next one is shown", || shows(&third));
    assert_eq!(served.stop(), Some(0));
}

#[test]
fn behind_a_proxy_nobody_comes_around_it() {
    let place = Place::new();
    with_admin(&place);
    // A network that no interface of ours has: nobody is the proxy.
    let served = place.serve_at("0.0.0.0:0", &["--behind-proxy", "203.0.113.0/24"]);
    let port = listens(&served).rsplit(':').next().unwrap().to_owned();
    let here = format!("127.0.0.1:{port}");
    assert_eq!(status(&said(&here, "/healthz", "")), "200", "this machine is no stranger");
    let others = other_address();
    if let Some(address) = others {
        let around = said(&format!("{address}:{port}"), "/healthz", "x-forwarded-proto: https\r\n");
        assert_eq!(status(&around), "403", "{around}");
        assert!(around.contains("around_the_proxy"), "{around}");
    }
    place.ok(&["list"]);
}

/// An address of this machine that is not loopback, if it has one.
fn other_address() -> Option<std::net::IpAddr> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
    // Nothing is sent: only the way is asked for.
    socket.connect("192.0.2.1:9").ok()?;
    Some(socket.local_addr().ok()?.ip()).filter(|it| !it.is_loopback() && !it.is_unspecified())
}
