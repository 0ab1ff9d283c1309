//! `smtp`: an e-mail by your own mail server.
//!
//! ```yaml
//! author:
//!   via: smtp
//!   host: smtp.example.org
//!   user: bot
//!   password: "{{secret.mail}}"
//!   from: Beltline <bot@example.org>
//!   to: author@example.org
//! ```
//!
//! Each of several recipients is sent the message by itself: one that is refused does not keep it from the
//! others, and the channel says who it was.

use lettre::message::{Mailbox, Mailboxes};
use serde_json::{Map, Value};

use crate::channels::refusal::strange;
use crate::channels::spec::{
    ChannelSettings, ChannelSpec, Field, MailAsk, MailTls, Message, Post, Reply, bad,
};
use crate::channels::words::{one_line, subject, words};
use crate::model::effect::HttpAnswer;
use crate::model::fault::Fault;
use crate::model::look::has_mark;

/// How this channel is set up.
pub const SPEC: ChannelSpec = ChannelSpec {
    name: "smtp",
    about: "an e-mail by your own mail server",
    source: include_str!("smtp.rs"),
    fields: &FIELDS,
    request,
    read,
};

const FIELDS: [Field; 9] = [
    Field::required("host", "the mail server"),
    Field::optional("port", "its port; 465 with implicit TLS, 587 with STARTTLS"),
    Field::optional("tls", "implicit, starttls, or none (only on loopback); by the port if not given"),
    Field::optional("user", "who logs in"),
    Field::optional("password", "the password").secret(),
    Field::required("from", "the sender: bot@example.org or Bot <bot@example.org>"),
    Field::required("to", "who gets it; several with commas between"),
    Field::optional("hello", "the name given in EHLO; the machine's if not given"),
    Field::optional("ca", "the certificates that are trusted, as PEM; the machine's if not given"),
];

/// Where a mail server speaks in the clear first (RFC 6409, RFC 5321).
const STARTTLS_PORTS: [u16; 2] = [587, 25];

/// The recipients that a text names, with commas or semicolons between, and what of it is no address.
pub fn recipients(text: &str) -> (Vec<Mailbox>, Vec<String>) {
    if let Ok(all) = text.parse::<Mailboxes>() {
        return (all.into_iter().collect(), Vec::new());
    }
    let pieces = text.split([',', ';']).map(str::trim).filter(|it| !it.is_empty());
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for piece in pieces {
        match piece.parse::<Mailbox>() {
            Ok(mailbox) => good.push(mailbox),
            Err(_) => bad.push(piece.to_owned()),
        }
    }
    (good, bad)
}

/// What of the settings cannot work, whatever the server says. What a secret stands for is not known yet.
///
/// # Errors
/// What, and what would.
pub fn check(ask: &MailAsk) -> Result<(), String> {
    let MailAsk { host, from, to, user, password, .. } = ask;
    if let Some((_, rest)) = host.split_once("://") {
        return Err(format!("the setting `host` is a name and no URL; hint: `{rest}`"));
    }
    if let Some((name, port)) = host.rsplit_once(':').filter(|(name, _)| !name.contains(':')) {
        return Err(format!("the setting `host` has a port in it; hint: host `{name}`, and port `{port}`"));
    }
    if !has_mark(from) && from.parse::<Mailbox>().is_err() {
        return Err(format!("the setting `from` is no e-mail address: `{from}`; hint: bot@example.org"));
    }
    if !has_mark(to) {
        let (good, bad) = recipients(to);
        if let Some(bad) = bad.first() {
            return Err(format!("the setting `to` has `{bad}`, which is no e-mail address"));
        }
        if good.is_empty() {
            return Err("the setting `to` names nobody".to_owned());
        }
    }
    if !user.is_empty() && password.is_empty() {
        return Err("the setting `user` is given, and no `password`".to_owned());
    }
    Ok(())
}

fn request(config: &Map<String, Value>, message: &Message) -> Result<Post, Fault> {
    let settings = ChannelSettings::read(&FIELDS, config)?;
    let port: Option<u16> = match settings.get("port") {
        "" => None,
        text => Some(text.parse().map_err(|_| bad(format!("`{text}` is no port")))?),
    };
    let tls = match settings.get("tls") {
        "" if port.is_some_and(|it| STARTTLS_PORTS.contains(&it)) => MailTls::Starttls,
        "" | "implicit" => MailTls::Implicit,
        "starttls" => MailTls::Starttls,
        "none" => MailTls::None,
        other => return Err(bad(format!("`{other}` is no tls; hint: implicit, starttls or none"))),
    };
    let port = port.unwrap_or(match tls {
        MailTls::Implicit => 465,
        MailTls::Starttls => 587,
        MailTls::None => 25,
    });
    let from = one_line(settings.get("from"));
    Ok(Post::Mail(Box::new(MailAsk {
        host: settings.get("host").to_owned(),
        port,
        tls,
        user: settings.get("user").to_owned(),
        password: settings.get("password").to_owned(),
        to: one_line(settings.get("to")),
        hello: one_line(settings.get("hello")),
        ca: settings.get("ca").to_owned(),
        subject: subject(message),
        text: message.text.clone(),
        message_id: message_id(&message.key, &from),
        from,
    })))
}

/// The answer of a mail server: its code is the status, its text the body.
fn read(answer: &HttpAnswer) -> Result<Reply, Fault> {
    let said = answer.body.as_str().unwrap_or_default();
    let (status, shown) = (answer.status, format!("{} (code {})", words(said), answer.status));
    let mut fault = match status {
        200..=299 => return Ok(Reply::Taken(words(said))),
        400..=499 => Fault::passing("channel_failed", shown),
        530 | 534 | 535 | 538 => Fault::lasting("channel_keys", shown),
        500..=599 => Fault::lasting("channel_refused", shown),
        _ => strange(answer, "the answer is none of a mail server"),
    };
    fault.status = Some(status);
    Err(fault)
}

/// The same for every try, so that a mail server or a reader can tell a double.
fn message_id(key: &str, from: &str) -> String {
    let fit = |it: &char| it.is_ascii_alphanumeric() || "-_.".contains(*it);
    let domain = from.rsplit_once('@').map_or("", |(_, it)| it);
    let domain: String = domain.chars().take_while(fit).collect();
    let domain = if domain.is_empty() { "beltline.invalid" } else { &domain };
    let key: String = key.chars().map(|it| if fit(&it) { it } else { '-' }).collect();
    format!("<{key}@{domain}>")
}
