//! [`Mailer`]: hands messages to mail servers. The server's address passes the guard like any other, and the
//! connection goes to the address that was checked.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lettre::address::Envelope;
use lettre::message::Mailbox;
use lettre::message::header::{ContentType, MIME_VERSION_1_0};
use lettre::transport::smtp::PoolConfig;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls as Layer, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::{Error, response::Response};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use rustls::CertificateError;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

use crate::channels::smtp::recipients;
use crate::channels::spec::{MailAsk, MailTls, bad};
use crate::engine::ports::Clock;
use crate::model::effect::HttpAnswer;
use crate::model::fault::Fault;
use crate::model::time::Span;
use crate::outbound::clock::SystemClock;
use crate::outbound::deadline::{left, within};
use crate::outbound::errors;
use crate::outbound::guard::Guard;
use crate::outbound::secrets::SecretResolver;

/// Messages on their way at once; mail servers refuse many at once.
const SENDING_MAX: usize = 8;
/// Connections kept for the next message, over all servers.
const KEPT_MAX: usize = 32;
/// A mail server that takes longer to accept a connection is not there.
const CONNECT_MAX: Duration = Duration::from_secs(20);
/// Addresses of one server that are tried.
const ADDRESSES_MAX: usize = 3;

/// What a certificate begins with in PEM.
const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----";

type Transport = AsyncSmtpTransport<Tokio1Executor>;
type TransportId = [u8; 32];

/// Hands messages to mail servers.
#[derive(Debug)]
pub struct Mailer {
    guard: Arc<Guard>,
    sending: Semaphore,
    kept: Mutex<HashMap<TransportId, Vec<Transport>>>,
}

impl Mailer {
    /// Mail behind `guard`.
    pub fn new(guard: Arc<Guard>) -> Mailer {
        Mailer { guard, sending: Semaphore::new(SENDING_MAX), kept: Mutex::default() }
    }

    /// Sends within `timeout`, to each recipient by itself. What the server answered, its code as the status,
    /// is for the channel to read.
    ///
    /// # Errors
    /// Whatever keeps an answer from coming for the first of them.
    pub async fn send(
        &self,
        ask: &MailAsk,
        timeout: Span,
        resolver: &mut SecretResolver,
    ) -> Result<Vec<Answered>, Fault> {
        let host = crate::channels::marks::masked(&ask.host).into_owned();
        let sent = match opened(ask, resolver) {
            Ok(ask) => {
                let started = SystemClock.ticks();
                self.deliver_all(&ask, &host, || left(timeout, started), timeout).await
            }
            Err(fault) => Err(fault),
        };
        let scrub = |(to, answer): Answered| (to, answer.map_err(|fault| resolver.scrubbed(fault)));
        let sent = sent.map_err(|fault| resolver.scrubbed(fault))?;
        Ok(sent.into_iter().map(scrub).collect())
    }

    async fn deliver_all(
        &self,
        ask: &MailAsk,
        host: &str,
        left: impl Fn() -> Span,
        timeout: Span,
    ) -> Result<Vec<Answered>, Fault> {
        let rendered = RenderedMail::new(ask)?;
        let mut sent: Vec<Answered> = Vec::new();
        for to in &rendered.to {
            let delivered = within(left(), self.deliver(ask, host, &rendered, to)).await;
            let delivered = delivered.unwrap_or_else(|| Err(late(host, timeout)));
            match delivered {
                // Nothing was said of anybody yet, and it would be no better for the others.
                Err(fault) if sent.is_empty() && fault.code != "mail_refused" => return Err(fault),
                delivered => sent.push((to.to_string(), delivered)),
            }
        }
        let no_address = |it: &String| bad(format!("`{it}` in the setting `to` is no e-mail address"));
        sent.extend(rendered.nobody.iter().map(|it| (it.clone(), Err(no_address(it)))));
        Ok(sent)
    }

    async fn deliver(
        &self,
        ask: &MailAsk,
        host: &str,
        rendered: &RenderedMail,
        to: &Address,
    ) -> Result<HttpAnswer, Fault> {
        let closed = |why| errors::closed(why, host);
        let addresses = self.guard.resolve(&ask.host, ask.port).await.map_err(closed)?;
        if ask.tls == MailTls::None && !addresses.iter().all(|it| it.ip().is_loopback()) {
            let message = format!("mail to `{host}` would go in the clear; hint: tls: implicit or starttls");
            return Err(bad(message));
        }
        let Ok(_permit) = self.sending.acquire().await else {
            return Err(Fault::passing("mail_connect", "the program is stopping"));
        };
        let mut last = errors::closed(crate::outbound::guard::Closed::Unknown, host);
        for address in addresses.into_iter().take(ADDRESSES_MAX) {
            match self.deliver_to(ask, address, host, rendered, to).await {
                // Nothing was said yet: the next address may be better.
                Err(fault) if fault.code == "mail_connect" => last = fault,
                done => return done,
            }
        }
        Err(last)
    }

    /// A connection is kept only after a clean end: a call that was cut short leaves an answer unread in it.
    async fn deliver_to(
        &self,
        ask: &MailAsk,
        address: SocketAddr,
        host: &str,
        rendered: &RenderedMail,
        to: &Address,
    ) -> Result<HttpAnswer, Fault> {
        let id = identify(ask, address);
        let transport = match self.take(id) {
            Some(transport) => transport,
            None => connect(ask, address).map_err(|it| broken(&it, ask, host))?,
        };
        let envelope = Envelope::new(Some(rendered.from.clone()), vec![to.clone()]);
        let envelope = envelope.map_err(|_| bad("the setting `to` names nobody"))?;
        match transport.send_raw(&envelope, &rendered.bytes).await {
            Ok(response) => {
                self.keep(id, transport);
                Ok(said(&response))
            }
            Err(error) => refusal(&error).ok_or_else(|| broken(&error, ask, host)),
        }
    }

    fn take(&self, id: TransportId) -> Option<Transport> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).get_mut(&id)?.pop()
    }

    fn keep(&self, id: TransportId, transport: Transport) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.values().map(Vec::len).sum::<usize>() >= KEPT_MAX {
            kept.clear();
        }
        kept.entry(id).or_default().push(transport);
    }
}

/// The ask with its marks opened, and only what may go to that server.
fn opened(ask: &MailAsk, resolver: &mut SecretResolver) -> Result<MailAsk, Fault> {
    let ask = MailAsk {
        host: resolver.text(&ask.host)?,
        port: ask.port,
        tls: ask.tls,
        user: resolver.text(&ask.user)?,
        password: resolver.text(&ask.password)?,
        from: resolver.text(&ask.from)?,
        to: resolver.text(&ask.to)?,
        hello: resolver.text(&ask.hello)?,
        ca: resolver.text(&ask.ca)?,
        subject: ask.subject.clone(),
        text: ask.text.clone(),
        message_id: ask.message_id.clone(),
    };
    if !ask.ca.is_empty() && !ask.ca.contains(CERTIFICATE) {
        return Err(bad(format!(
            "the setting `ca` holds no certificate; hint: as PEM it has `{CERTIFICATE}`"
        )));
    }
    resolver.check_host(&ask.host.to_lowercase(), ask.port)?;
    Ok(ask)
}

/// A recipient, and what the server said of the message to them.
pub type Answered = (String, Result<HttpAnswer, Fault>);

/// A message, and between whom it goes.
struct RenderedMail {
    from: Address,
    to: Vec<Address>,
    /// Who cannot be written to, for that is no address.
    nobody: Vec<String>,
    bytes: Vec<u8>,
}

impl RenderedMail {
    /// The library writes the headers: none can be slipped in.
    fn new(ask: &MailAsk) -> Result<RenderedMail, Fault> {
        let from: Mailbox = ask.from.parse().map_err(|_| bad("the setting `from` is no e-mail address"))?;
        let (to, nobody) = recipients(&ask.to);
        if to.is_empty() {
            return Err(bad("the setting `to` is no e-mail address"));
        }
        let addresses = to.iter().map(|it| it.email.clone()).collect();
        let mut builder = Message::builder().header(MIME_VERSION_1_0).from(from.clone());
        for mailbox in to {
            builder = builder.to(mailbox);
        }
        let built = builder
            .subject(ask.subject.clone())
            .message_id(Some(ask.message_id.clone()))
            .header(ContentType::TEXT_PLAIN)
            .body(ask.text.clone());
        let hint = "hint: look at `from` and `to`";
        let message = built.map_err(|_| bad(format!("the message cannot be made into an e-mail; {hint}")))?;
        Ok(RenderedMail { from: from.email, to: addresses, nobody, bytes: message.formatted() })
    }
}

/// The name we give ourselves: the setting, the machine's if it is a full one, else an address, as RFC 5321
/// has it for machines without a name (section 4.1.4).
fn hello(ask: &MailAsk) -> ClientId {
    if !ask.hello.is_empty() {
        return ClientId::Domain(ask.hello.clone());
    }
    match ClientId::default() {
        ClientId::Domain(name) if !name.contains('.') => ClientId::Ipv4(Ipv4Addr::LOCALHOST),
        own => own,
    }
}

fn tls(ask: &MailAsk) -> Result<TlsParameters, Error> {
    let builder = TlsParameters::builder(ask.host.clone());
    match ask.ca.as_str() {
        "" => builder.build(),
        pem => {
            let own = builder.certificate_store(CertificateStore::None);
            own.add_root_certificate(Certificate::from_pem(pem.as_bytes())?).build()
        }
    }
}

/// A transport to the address that was checked; the certificate must be for the host that was named.
fn connect(ask: &MailAsk, address: SocketAddr) -> Result<Transport, Error> {
    let layer = match ask.tls {
        MailTls::Implicit => Layer::Wrapper(tls(ask)?),
        MailTls::Starttls => Layer::Required(tls(ask)?),
        MailTls::None => Layer::None,
    };
    let mut builder = Transport::builder_dangerous(address.ip().to_string())
        .port(address.port())
        .hello_name(hello(ask))
        .tls(layer)
        .timeout(Some(CONNECT_MAX))
        .pool_config(PoolConfig::new().max_size(1));
    if !ask.user.is_empty() {
        builder = builder.credentials(Credentials::new(ask.user.clone(), ask.password.clone()));
    }
    Ok(builder.build())
}

/// What makes two transports the same.
fn identify(ask: &MailAsk, address: SocketAddr) -> TransportId {
    let MailAsk { tls, host, user, password, hello, ca, .. } = ask;
    let parts = format!("{address}\0{tls:?}\0{host}\0{user}\0{password}\0{hello}\0{ca}");
    Sha256::digest(zeroize::Zeroizing::new(parts)).into()
}

fn said(response: &Response) -> HttpAnswer {
    answer(u16::from(response.code()), response.message().collect::<Vec<_>>().join(" "))
}

/// The server's own no, if that is what it was.
fn refusal(error: &Error) -> Option<HttpAnswer> {
    let words = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    error.status().map(|code| answer(u16::from(code), words))
}

fn answer(status: u16, text: String) -> HttpAnswer {
    HttpAnswer { status, headers: Map::new(), body: Value::String(text), broken: None }
}

/// Anything but an answer of the server.
fn broken(error: &Error, ask: &MailAsk, host: &str) -> Fault {
    if let Some(why) = errors::cause::<rustls::Error>(error) {
        return distrusted(why, ask, host);
    }
    if error.is_timeout() {
        return late(host, Span::millis(u64::try_from(CONNECT_MAX.as_millis()).unwrap_or(u64::MAX)));
    }
    if error.is_tls() || error.is_client() {
        return unoffered(error, ask, host);
    }
    let cut_off = std::error::Error::source(error).is_some_and(|it| it.to_string() == "incomplete response");
    if error.is_response() && !cut_off {
        return Fault::lasting("bad_response", format!("the answer of `{host}` is none of a mail server"));
    }
    // The kind is not told; its name in a debug print is.
    if format!("{error:?}").contains("kind: Connection") {
        let why = errors::why_unreachable(error);
        return Fault::passing("mail_connect", format!("the mail server `{host}` cannot be reached: {why}"));
    }
    Fault::passing("mail_lost", format!("the mail server `{host}` closed the connection"))
}

fn late(host: &str, timeout: Span) -> Fault {
    Fault::passing("mail_timeout", format!("the mail server `{host}` did not answer within {timeout}"))
}

fn distrusted(why: &rustls::Error, ask: &MailAsk, host: &str) -> Fault {
    let message = match why {
        rustls::Error::AlertReceived(alert) if errors::refuses_client(why) => {
            format!("the mail server `{host}` breaks off the handshake: {alert:?}")
        }
        // Something is wrong with it, and may not be later.
        rustls::Error::AlertReceived(alert) => {
            let message = format!("the mail server `{host}` breaks off the handshake: {alert:?}");
            return Fault::passing("mail_connect", message);
        }
        rustls::Error::InvalidMessage(_) => {
            let hint = match ask.tls {
                MailTls::Implicit => "; hint: tls=starttls, which is usual on port 587",
                MailTls::Starttls | MailTls::None => "",
            };
            format!("the mail server `{host}` speaks no TLS on port {}{hint}", ask.port)
        }
        // The signature is bad where somebody else has the same name, as those have who sign for themselves.
        rustls::Error::InvalidCertificate(
            CertificateError::UnknownIssuer | CertificateError::BadSignature,
        ) => format!(
            "the mail server `{host}` cannot be trusted: nobody whom this machine knows has signed its \
             certificate; hint: ca=@FILE with the CA that has"
        ),
        why => format!("the mail server `{host}` cannot be trusted: {why}"),
    };
    Fault::lasting("tls_failed", message)
}

/// What was asked of the server, which it does not offer. The library says which by words alone.
fn unoffered(error: &Error, ask: &MailAsk, host: &str) -> Fault {
    let said = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    let message = if said.contains("authentication mechanism") {
        format!(
            "the mail server `{host}` takes none of the logins PLAIN and LOGIN here; hint: see what it \
             takes, or leave `user` and `password` out"
        )
    } else if said.contains("STARTTLS") {
        format!(
            "the mail server `{host}` offers no STARTTLS on port {}; hint: tls=implicit, as is usual on 465",
            ask.port
        )
    } else if said.contains("SMTPUTF8") || said.contains("non-ascii") || said.contains("UTF-8") {
        format!(
            "the mail server `{host}` takes no addresses beyond ASCII (SMTPUTF8); hint: use another address"
        )
    } else {
        format!("the mail server `{host}` does not offer what is asked of it: {said}")
    };
    Fault::lasting("mail_refused", message)
}
