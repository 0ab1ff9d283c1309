//! Mail, to small servers that speak SMTP.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use beltline::engine::ports::Outbound;
use beltline::engine::resources::{ChannelConfig, ResourceCache, SecretValue};
use beltline::model::effect::{ExternalAnswer, Notification, Request, mark};
use beltline::model::fault::{Class, Fault};
use beltline::model::time::Span;
use beltline::outbound::outbound::{OutboundClient, OutboundConfig};
use rustls::pki_types::PrivateKeyDer;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::certificates::Office;
use super::servers::{effect, self_signed, world};

/// A mail server: its greeting, and what it says to each command that begins so, instead of yes.
struct Server {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn new(greeting: &'static str, answers: &'static [(&'static str, &'static str)]) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&heard);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                log.lock().unwrap().push("CONNECTED".to_owned());
                tokio::spawn(talk(stream, greeting, answers, Arc::clone(&log)));
            }
        });
        Server { address, heard }
    }

    /// The same behind TLS, with a certificate that `office` signed.
    async fn sealed(office: &Office) -> Server {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (cert, key) = office.sign("localhost");
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = rustls::ServerConfig::builder().with_no_client_auth();
        let config = config.with_single_cert(vec![cert.der().clone()], key).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&heard);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if let Ok(stream) = acceptor.accept(stream).await {
                    tokio::spawn(talk(stream, HELLO, &[], Arc::clone(&log)));
                }
            }
        });
        Server { address, heard }
    }

    fn heard(&self) -> String {
        self.heard.lock().unwrap().join("\n")
    }

    fn config(&self) -> Value {
        json!({
            "host": "127.0.0.1", "port": self.address.port(), "tls": "none", "user": "bot",
            "password": mark("mail"),
            "from": "Bot <bot@example.org>", "to": "author@example.org",
        })
    }
}

async fn talk(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    greeting: &str,
    answers: &[(&str, &str)],
    log: Arc<Mutex<Vec<String>>>,
) -> Option<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(greeting.as_bytes()).await.ok()?;
    let mut in_data = false;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let line = line.trim_end().to_owned();
        log.lock().unwrap().push(line.clone());
        let own = answers.iter().find(|(begin, _)| line.starts_with(begin)).map(|(_, say)| *say);
        let answer = match (&line[..line.len().min(4)], own) {
            (_, Some("hang up")) => return None,
            (_, Some("say nothing")) => "",
            (_, Some(own)) => own,
            (".", None) if in_data => {
                in_data = false;
                "250 2.0.0 Ok: queued as ABC\r\n"
            }
            _ if in_data => "",
            ("EHLO", None) => "250-hello\r\n250 AUTH PLAIN LOGIN\r\n",
            ("AUTH", None) => "235 welcome\r\n",
            ("DATA", None) => {
                in_data = true;
                "354 go on\r\n"
            }
            _ => "250 yes\r\n",
        };
        stream.write_all(answer.as_bytes()).await.ok()?;
    }
}

const HELLO: &str = "220 mail ESMTP\r\n";

fn resources(config: Value) -> ResourceCache {
    let Value::Object(config) = config else { panic!("no settings") };
    let resources = ResourceCache::default();
    resources.set_secrets([("mail".to_owned(), SecretValue::new("CANARY"))].into());
    resources.set_channels([("m".to_owned(), ChannelConfig { via: "smtp".into(), config })].into());
    resources
}

async fn notify(world: &OutboundClient, timeout: Span) -> Result<String, Fault> {
    let (subject, text) =
        ("Тревога\r\nBcc: evil@example.org".to_owned(), "the portal is gone\n.\nreally".to_owned());
    let ask = Notification { channels: vec!["m".into()], subject, text, ..Notification::default() };
    match world.perform(&effect(Request::Notify(ask), timeout)).await? {
        ExternalAnswer::Notified(mut told) => told.remove(0).result,
        ExternalAnswer::Http(_) | ExternalAnswer::Later(_) => panic!("not told"),
    }
}

async fn failure(config: Value) -> (String, Class) {
    let fault = notify(&world(resources(config)), Span::secs(2)).await.unwrap_err();
    assert!(!fault.message.contains("CANARY"), "{}", fault.message);
    assert_eq!(fault.code, "not_delivered");
    (fault.message, fault.class)
}

#[tokio::test]
async fn a_message_arrives_with_a_stable_id_and_no_header_slipped_in() {
    let server = Server::new(HELLO, &[]).await;
    let world = world(resources(server.config()));
    assert_eq!(notify(&world, Span::secs(2)).await.unwrap(), "2.0.0 Ok: queued as ABC");
    let heard = server.heard();
    assert!(heard.contains("MAIL FROM:<bot@example.org>") && heard.contains("RCPT TO:<author@example.org>"));
    assert!(heard.contains("Message-ID: <the-key-m@example.org>"), "{heard}");
    assert!(heard.contains("AUTH PLAIN AGJvdABDQU5BUlk="), "{heard}");
    assert!(!heard.contains("\nBcc:") && heard.contains("Subject: =?utf-8?"), "{heard}");
    assert!(heard.contains("the portal is gone\n..\nreally"), "{heard}");
    // The connection is kept for the next message, as soon as it has been put back.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    notify(&world, Span::secs(2)).await.unwrap();
    assert_eq!(server.heard().matches("CONNECTED").count(), 1);
    assert_eq!(server.heard().matches("Message-ID: <the-key-m@example.org>").count(), 2);
}

#[tokio::test]
async fn a_no_of_the_server_is_temporary_or_lasting_as_it_says() {
    for (answers, class, part) in [
        (&[("MAIL", "451 4.3.0 try again later\r\n")][..], Class::Passing, "try again later (code 451)"),
        (
            &[("RCPT", "550 5.1.1 <author@example.org> unknown\r\n")][..],
            Class::Lasting,
            "*** unknown (code 550)",
        ),
        (&[("AUTH", "535 5.7.8 bad login\r\n")][..], Class::Lasting, "bad login (code 535)"),
        (&[("AUTH", "454 4.7.0 CANARY later\r\n")][..], Class::Passing, "*** later (code 454)"),
        (&[("RCPT", "hang up")][..], Class::Passing, "closed the connection"),
        (&[("RCPT", "what?\r\n")][..], Class::Lasting, "none of a mail server"),
        (&[("EHLO", "250 hello\r\n")][..], Class::Lasting, "none of the logins PLAIN and LOGIN"),
    ] {
        let server = Server::new(HELLO, answers).await;
        let (message, got) = failure(server.config()).await;
        assert!(message.contains(part), "{part} in {message}");
        assert_eq!(got, class, "{message}");
    }
    let busy = Server::new("421 come back later\r\n", &[]).await;
    assert_eq!(failure(busy.config()).await.1, Class::Passing);
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_given_up() {
    let silent = Server::new("", &[]).await;
    let fault = notify(&world(resources(silent.config())), Span::millis(300)).await.unwrap_err();
    assert!(fault.message.contains("`127.0.0.1` did not answer within 300ms"), "{}", fault.message);
    assert_eq!(fault.class, Class::Passing);
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut config = silent.config();
    config["port"] = port.into();
    let (message, class) = failure(config).await;
    assert!(message.contains("cannot be reached: it refuses connections"), "{message}");
    assert_eq!(class, Class::Passing);
}

#[tokio::test]
async fn a_call_that_was_cut_short_leaves_no_connection_behind() {
    let server = Server::new(HELLO, &[("RCPT", "say nothing")]).await;
    let world = world(resources(server.config()));
    notify(&world, Span::millis(200)).await.unwrap_err();
    notify(&world, Span::millis(200)).await.unwrap_err();
    assert_eq!(server.heard().matches("CONNECTED").count(), 2);
}

#[tokio::test]
async fn nothing_goes_in_the_clear_that_should_not() {
    let server = Server::new(HELLO, &[]).await;
    let mut config = server.config();
    config["tls"] = "starttls".into();
    let (message, class) = failure(config.clone()).await;
    assert!(message.contains("offers no STARTTLS") && class == Class::Lasting, "{message}");
    config["tls"] = "implicit".into();
    let (message, class) = failure(config.clone()).await;
    assert!(message.contains("hint: tls=starttls") && class == Class::Lasting, "{message}");
    config["host"] = "localhost".into();
    config["port"] = self_signed().port().into();
    let (message, class) = failure(config.clone()).await;
    assert!(message.contains("cannot be trusted") && class == Class::Lasting, "{message}");
    assert!(!server.heard().contains("AUTH"), "{}", server.heard());
    config["tls"] = "none".into();
    config["host"] = "10.20.0.1".into();
    let allow_addresses = vec!["10.20.0.0/16".parse().unwrap()];
    let config =
        (OutboundConfig { allow_addresses, ..OutboundConfig::default() }, Arc::new(resources(config)));
    let fault = notify(&OutboundClient::new(config.0, config.1).unwrap(), Span::secs(2)).await.unwrap_err();
    assert!(fault.message.contains("in the clear"), "{}", fault.message);
}

#[tokio::test]
async fn a_mail_server_passes_the_guard() {
    let server = Server::new(HELLO, &[]).await;
    let resources = Arc::new(resources(server.config()));
    let closed = OutboundClient::new(OutboundConfig::default(), resources).unwrap();
    let fault = notify(&closed, Span::secs(2)).await.unwrap_err();
    assert!(
        fault.message.contains("`127.0.0.1` may not be reached: 127.0.0.1 is loopback"),
        "{}",
        fault.message
    );
    assert_eq!((fault.class, server.heard().as_str()), (Class::Lasting, ""));
    let bound = SecretValue::new("CANARY").only_for(&["mail.example.org"]);
    let open = super::mail::resources(server.config());
    open.set_secrets([("mail".to_owned(), bound)].into());
    let fault = notify(&world(open), Span::secs(2)).await.unwrap_err();
    assert!(fault.message.contains("may not be sent to `127.0.0.1`"), "{}", fault.message);
    assert_eq!(server.heard(), "");
}

#[tokio::test]
async fn a_recipient_that_is_refused_keeps_it_from_no_other() {
    let answers =
        &[("RCPT TO:<gone", "550 5.1.1 no such person\r\n"), ("RCPT TO:<later", "451 4.2.1 a full box\r\n")];
    let server = Server::new(HELLO, answers).await;
    let mut config = server.config();
    config["to"] = "gone@x.org, boss@x.org, Later <later@x.org>".into();
    let resources = Arc::new(self::resources(config.clone()));
    let allow_addresses = vec!["127.0.0.0/8".parse().unwrap()];
    let open = OutboundConfig { allow_addresses, ..OutboundConfig::default() };
    let world = OutboundClient::new(open, Arc::clone(&resources)).unwrap();
    let taken = "2.0.0 Ok: queued as ABC";
    let said = notify(&world, Span::secs(5)).await.unwrap();
    let refused = "`gone@x.org` was refused: 5.1.1 no such person (code 550); \
                   `later@x.org` was refused: 4.2.1 a full box (code 451)";
    assert_eq!(said, format!("{taken}; {refused}"));
    let heard = server.heard();
    assert_eq!(heard.matches("\nDATA").count(), 1, "{heard}");
    assert!(heard.contains("To: gone@x.org, boss@x.org, Later <later@x.org>"), "{heard}");
    let standing = resources.health().of("m");
    assert_eq!(standing.fault.map(|it| it.message).as_deref(), Some(refused), "the channel is marked");

    config["to"] = "boss@x.org; nobody".into();
    let resources = self::resources(config.clone());
    let allow_addresses = vec!["127.0.0.0/8".parse().unwrap()];
    let open = OutboundConfig { allow_addresses, ..OutboundConfig::default() };
    let said = notify(&OutboundClient::new(open, Arc::new(resources)).unwrap(), Span::secs(5)).await.unwrap();
    assert!(
        said.starts_with(taken) && said.contains("`nobody` in the setting `to` is no e-mail address"),
        "{said}"
    );

    config["to"] = "gone@x.org, later@x.org".into();
    let (message, class) = failure(config.clone()).await;
    assert!(message.contains("no such person") && message.contains("a full box"), "{message}");
    assert_eq!(class, Class::Passing, "one of them may have it later");
    config["to"] = "gone@x.org".into();
    assert_eq!(failure(config).await.1, Class::Lasting);
}

#[tokio::test]
async fn a_message_is_what_mail_servers_and_readers_expect() {
    let server = Server::new(HELLO, &[]).await;
    let mut config = server.config();
    let many: Vec<String> =
        (0..40).map(|n| format!("Somebody {n} <somebody.{n}@mail.example.org>")).collect();
    config["to"] = many.join(", ").into();
    config["hello"] = "bot.example.org".into();
    notify(&world(resources(config.clone())), Span::secs(5)).await.unwrap();
    let heard = server.heard();
    assert!(heard.contains("EHLO bot.example.org\n"), "{heard}");
    assert!(heard.contains("\nMIME-Version: 1.0\n"), "{heard}");
    let longest = heard.lines().map(str::len).max().unwrap();
    assert!(longest <= 998, "RFC 5322, 2.1.1: {longest}");
    let folded = heard.lines().filter(|it| it.starts_with(' ') && it.contains("Somebody")).count();
    assert!(folded > 5, "the long header is folded: {heard}");
    assert_eq!(heard.matches("RCPT TO:").count(), 40);

    config["hello"] = "".into();
    config["to"] = "ünï@example.org".into();
    let (message, class) = failure(config).await;
    assert!(message.contains("SMTPUTF8") && class == Class::Lasting, "{message}");
    let name =
        server.heard().lines().rev().find_map(|it| it.strip_prefix("EHLO ").map(str::to_owned)).unwrap();
    assert!(name.contains('.'), "{name} is a full name or an address");
}

#[tokio::test]
async fn a_ca_of_ones_own_is_trusted_and_no_other_then() {
    let (ours, theirs) = (Office::new("ours"), Office::new("theirs"));
    let server = Server::sealed(&ours).await;
    let mut config = server.config();
    config["host"] = "localhost".into();
    config["tls"] = "implicit".into();
    config["ca"] = ours.ca.pem().into();
    assert_eq!(
        notify(&world(resources(config.clone())), Span::secs(5)).await.unwrap(),
        "2.0.0 Ok: queued as ABC"
    );
    config["ca"] = theirs.ca.pem().into();
    let (message, _) = failure(config.clone()).await;
    assert!(message.contains("hint: ca=@FILE with the CA"), "{message}");
    config["ca"] = "no certificate".into();
    let (message, _) = failure(config).await;
    assert!(message.contains("`ca`"), "{message}");
}
