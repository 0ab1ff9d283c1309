//! [`Mail`]: hands messages to mail servers. The server's address passes the guard like any other, and the
//! connection goes to the address that was checked.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lettre::message::header::ContentType;
use lettre::message::{Mailbox, Mailboxes};
use lettre::transport::smtp::PoolConfig;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls as Layer, TlsParameters};
use lettre::transport::smtp::{Error, response::Response};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

use crate::channels::spec::{MailAsk, Tls, bad};
use crate::model::effect::HttpAnswer;
use crate::model::fault::Fault;
use crate::model::time::Span;
use crate::world::deadline::within;
use crate::world::guard::Guard;
use crate::world::secrets::Opener;
use crate::world::trouble;

/// Messages on their way at once; mail servers refuse crowds.
const SENDING_MAX: usize = 8;
/// Connections kept for the next message, over all servers.
const KEPT_MAX: usize = 32;
/// A mail server that takes longer to accept a connection is not there.
const CONNECT_MAX: Duration = Duration::from_secs(20);
/// Addresses of one server that are tried.
const ADDRESSES_MAX: usize = 3;

type Transport = AsyncSmtpTransport<Tokio1Executor>;
type TransportId = [u8; 32];

/// Hands messages to mail servers.
#[derive(Debug)]
pub struct Mail {
    guard: Arc<Guard>,
    sending: Semaphore,
    kept: Mutex<HashMap<TransportId, Vec<Transport>>>,
}

impl Mail {
    /// Mail behind `guard`.
    pub fn new(guard: Arc<Guard>) -> Mail {
        Mail { guard, sending: Semaphore::new(SENDING_MAX), kept: Mutex::default() }
    }

    /// Sends within `timeout`. What the server answered, its code as the status, is for the channel to read.
    ///
    /// # Errors
    /// Whatever keeps an answer from coming.
    pub async fn send(&self, ask: &MailAsk, timeout: Span, opener: &mut Opener) -> Result<HttpAnswer, Fault> {
        let host = crate::channels::marks::masked(&ask.host).into_owned();
        let sent = match opened(ask, opener) {
            Ok(ask) => {
                let sent = within(timeout, self.deliver(&ask, &host)).await;
                sent.unwrap_or_else(|| Err(late(&host, timeout)))
            }
            Err(fault) => Err(fault),
        };
        sent.map_err(|fault| opener.scrubbed(fault))
    }

    async fn deliver(&self, ask: &MailAsk, host: &str) -> Result<HttpAnswer, Fault> {
        let message = letter(ask)?;
        let closed = |why| trouble::closed(why, host);
        let addresses = self.guard.resolve(&ask.host, ask.port).await.map_err(closed)?;
        if ask.tls == Tls::None && !addresses.iter().all(|it| it.ip().is_loopback()) {
            let message = format!("mail to `{host}` would go in the clear; hint: tls: implicit or starttls");
            return Err(bad(message));
        }
        let Ok(_permit) = self.sending.acquire().await else {
            return Err(Fault::passing("mail_connect", "the program is stopping"));
        };
        let mut last = trouble::closed(crate::world::guard::Closed::Unknown, host);
        for address in addresses.into_iter().take(ADDRESSES_MAX) {
            match self.deliver_to(ask, address, host, message.clone()).await {
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
        message: Message,
    ) -> Result<HttpAnswer, Fault> {
        let id = identify(ask, address);
        let transport = match self.take(id) {
            Some(transport) => transport,
            None => connect(ask, address).map_err(|it| broken(&it, host))?,
        };
        match transport.send(message).await {
            Ok(response) => {
                self.keep(id, transport);
                Ok(said(&response))
            }
            Err(error) => refusal(&error).ok_or_else(|| broken(&error, host)),
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
fn opened(ask: &MailAsk, opener: &mut Opener) -> Result<MailAsk, Fault> {
    let ask = MailAsk {
        host: opener.text(&ask.host)?,
        port: ask.port,
        tls: ask.tls,
        user: opener.text(&ask.user)?,
        password: opener.text(&ask.password)?,
        from: opener.text(&ask.from)?,
        to: opener.text(&ask.to)?,
        subject: ask.subject.clone(),
        text: ask.text.clone(),
        message_id: ask.message_id.clone(),
    };
    opener.check_host(&ask.host.to_lowercase(), ask.port)?;
    Ok(ask)
}

/// The message itself. The library writes the headers: none can be slipped in.
fn letter(ask: &MailAsk) -> Result<Message, Fault> {
    let from: Mailbox = ask.from.parse().map_err(|_| bad("the setting `from` is no e-mail address"))?;
    let to: Mailboxes = ask.to.parse().map_err(|_| bad("the setting `to` is no e-mail address"))?;
    let mut builder = Message::builder().from(from);
    for mailbox in to {
        builder = builder.to(mailbox);
    }
    let built = builder
        .subject(ask.subject.clone())
        .message_id(Some(ask.message_id.clone()))
        .header(ContentType::TEXT_PLAIN)
        .body(ask.text.clone());
    built.map_err(|_| bad("the message cannot be made into an e-mail; hint: look at `from` and `to`"))
}

/// A transport to the address that was checked; the certificate must be for the host that was named.
fn connect(ask: &MailAsk, address: SocketAddr) -> Result<Transport, Error> {
    let layer = match ask.tls {
        Tls::Implicit => Layer::Wrapper(TlsParameters::new(ask.host.clone())?),
        Tls::Starttls => Layer::Required(TlsParameters::new(ask.host.clone())?),
        Tls::None => Layer::None,
    };
    let mut builder = Transport::builder_dangerous(address.ip().to_string())
        .port(address.port())
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
    let parts = format!("{address}\0{:?}\0{}\0{}\0{}", ask.tls, ask.host, ask.user, ask.password);
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
    HttpAnswer { status, headers: Map::new(), body: Value::String(text) }
}

/// Anything but an answer of the server.
fn broken(error: &Error, host: &str) -> Fault {
    if let Some(why) = trouble::cause::<rustls::Error>(error) {
        return Fault::lasting("tls_failed", format!("the mail server `{host}` cannot be trusted: {why}"));
    }
    if error.is_timeout() {
        return late(host, Span::millis(u64::try_from(CONNECT_MAX.as_millis()).unwrap_or(u64::MAX)));
    }
    if error.is_tls() || error.is_client() {
        let message = format!("the mail server `{host}` does not offer what is asked of it: TLS or a login");
        return Fault::lasting("mail_refused", message);
    }
    let cut_off = std::error::Error::source(error).is_some_and(|it| it.to_string() == "incomplete response");
    if error.is_response() && !cut_off {
        return Fault::lasting("bad_response", format!("the answer of `{host}` is none of a mail server"));
    }
    // The kind is not told; its name in a debug print is.
    if format!("{error:?}").contains("kind: Connection") {
        let why = trouble::why_unreachable(error);
        return Fault::passing("mail_connect", format!("the mail server `{host}` cannot be reached: {why}"));
    }
    Fault::passing("mail_lost", format!("the mail server `{host}` closed the connection"))
}

fn late(host: &str, timeout: Span) -> Fault {
    Fault::passing("mail_timeout", format!("the mail server `{host}` did not answer within {timeout}"))
}
