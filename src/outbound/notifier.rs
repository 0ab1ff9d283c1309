//! [`Notifier`]: tells a person, by the channels in the order given until one delivers, or by all of them.
//! How each fared is noted where the service sees it.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::future::join_all;
use serde_json::{Map, Value};

use crate::channels;
use crate::channels::marks::{marked, masked};
use crate::channels::spec::{ChannelSpec, Message, Post, Reply, bad};
use crate::channels::words::{noted, one_line};
use crate::engine::health::Moved;
use crate::engine::ports::Clock;
use crate::engine::resources::{ChannelConfig, ResourceCache};
use crate::model::effect::{Delivery, ExternalAnswer, HttpAnswer, Notification, Outcome};
use crate::model::fault::{Class, Fault};
use crate::model::time::Span;
use crate::outbound::clock::SystemClock;
use crate::outbound::deadline::left;
use crate::outbound::http::{CallOptions, Http};
use crate::outbound::mail::Mailer;
use crate::outbound::secrets::SecretResolver;

/// One channel may take so long: a provider that has not answered by then will not.
const CHANNEL_MAX: Span = Span::secs(20);
/// As much of a message as the log gets.
const LOGGED_CHARS_MAX: usize = 200;

/// Tells a person.
#[derive(Debug)]
pub struct Notifier {
    http: Http,
    mail: Mailer,
    resources: Arc<ResourceCache>,
}

impl Notifier {
    /// A notifier with these ways.
    pub fn new(http: Http, mail: Mailer, resources: Arc<ResourceCache>) -> Notifier {
        Notifier { http, mail, resources }
    }

    /// Tells, within `timeout`.
    ///
    /// # Errors
    /// `no_channel`, `not_delivered`: the message lists each channel and why.
    pub async fn notify(&self, ask: &Notification, key: &str, timeout: Span) -> Outcome {
        let key = if ask.serial.is_empty() { key.to_owned() } else { format!("{key}-{}", ask.serial) };
        let mut seen = BTreeSet::new();
        let mut fresh = |names: &'_ [String]| -> Vec<String> {
            names.iter().filter(|it| seen.insert((*it).clone())).cloned().collect()
        };
        let (names, fallback) = (fresh(&ask.channels), fresh(&ask.fallback));
        let started = SystemClock.ticks();
        let mut deliveries = if ask.all {
            join_all(names.iter().map(|name| self.try_one(ask, name, &key, timeout))).await
        } else {
            self.first(ask, &names, &key, timeout).await
        };
        if !deliveries.iter().any(|it| it.result.is_ok()) {
            let left = left(timeout, started);
            deliveries.extend(self.first(ask, &fallback, &key, left).await);
        }
        for failed in &deliveries {
            if let Err(fault) = &failed.result {
                tracing::warn!(
                    channel = failed.channel,
                    code = fault.code,
                    why = fault.message,
                    "not notified"
                );
            }
        }
        if deliveries.iter().any(|it| it.result.is_ok()) {
            return Ok(ExternalAnswer::Notified(deliveries));
        }
        let said = match ask.reveals {
            true => "(it tells a secret)",
            false if ask.subject.trim().is_empty() => &ask.text,
            false => &ask.subject,
        };
        tracing::warn!(message = logged(said), "a message reached no one");
        Err(undelivered(&deliveries))
    }

    /// Each gets its share of the time that is left, so that a slow one leaves some for the next.
    async fn first(&self, ask: &Notification, names: &[String], key: &str, timeout: Span) -> Vec<Delivery> {
        let started = SystemClock.ticks();
        let mut deliveries = Vec::new();
        for (n, name) in names.iter().enumerate() {
            let share = left(timeout, started).0.div_ceil((names.len() - n) as u64);
            let delivery = self.try_one(ask, name, key, Span::millis(share)).await;
            let done = delivery.result.is_ok();
            deliveries.push(delivery);
            if done {
                break;
            }
        }
        deliveries
    }

    async fn try_one(&self, ask: &Notification, name: &str, key: &str, timeout: Span) -> Delivery {
        let timeout = timeout.min(CHANNEL_MAX);
        let Some(channel) = self.resources.channels().get(name).cloned() else {
            let message = format!("there is no channel `{name}`; hint: `beltline channel add {name}`");
            return Delivery { channel: name.to_owned(), result: Err(Fault::lasting("no_channel", message)) };
        };
        let result = self.by(&channel, name, ask, key, timeout).await;
        // A message that cannot be sent by anything says nothing about the channel.
        let fault = result.as_ref().map_or_else(Some, |it| it.refused.as_ref());
        if fault.is_none_or(|it| it.code != "bad_value") {
            self.resources.health().heard(name, fault, SystemClock.now());
        }
        Delivery { channel: name.to_owned(), result: result.map(|it| it.id) }
    }

    async fn by(
        &self,
        channel: &ChannelConfig,
        name: &str,
        ask: &Notification,
        key: &str,
        timeout: Span,
    ) -> Result<Sent, Fault> {
        let Some(spec) = channels::find(&channel.via) else {
            return Err(bad(format!("there is no way to tell called `{}`", channel.via)));
        };
        let mut resolver = SecretResolver::new(self.resources.secrets());
        let config = hidden(spec, channel, name, &mut resolver);
        // A message is for a person: no secret is put into it.
        let message = Message {
            subject: masked(&ask.subject).into_owned(),
            text: masked(&ask.text).into_owned(),
            key: format!("{key}-{name}"),
        };
        let mut errand = Errand { spec, config, message, resolver };
        let started = SystemClock.ticks();
        match self.send(&mut errand, timeout).await? {
            Reply::Taken(id) => {
                self.resources.health().moved(name, None);
                Ok(Sent { id, refused: None })
            }
            Reply::Partly { taken, refused } => {
                tracing::warn!(
                    channel = name,
                    code = refused.code,
                    why = refused.message,
                    "not all were notified"
                );
                Ok(Sent { id: noted(&taken, &refused.message), refused: Some(refused) })
            }
            Reply::Moved { setting, to } => {
                tracing::warn!(
                    channel = name,
                    setting,
                    "it has moved; hint: `beltline channel list` says where"
                );
                let sent = self.send_on(&mut errand, setting, &to, left(timeout, started)).await;
                self.resources.health().moved(name, Some(Moved { setting: setting.to_owned(), to }));
                sent.map(|id| Sent { id, refused: None })
            }
        }
    }

    async fn send(&self, errand: &mut Errand, timeout: Span) -> Result<Reply, Fault> {
        let Errand { spec, config, message, resolver } = errand;
        let answer = match (spec.request)(config, message)? {
            Post::Http(ask) => {
                let call = CallOptions { key: &message.key, timeout, once: false };
                self.http.ask(&ask, call, resolver).await?
            }
            Post::Mail(ask) => {
                let answers = self.mail.send(&ask, timeout, resolver).await?;
                let read = |it: Result<HttpAnswer, Fault>| it.and_then(|it| heard(spec, it, resolver));
                return mailed(answers.into_iter().map(|(to, it)| (to, read(it))).collect());
            }
        };
        heard(spec, answer, resolver)
    }

    /// Sends to where the provider says that the person is now, once.
    async fn send_on(
        &self,
        errand: &mut Errand,
        setting: &str,
        to: &str,
        timeout: Span,
    ) -> Result<String, Fault> {
        errand.config.insert(setting.to_owned(), Value::from(to));
        let hint = format!("hint: set {setting} to {to}");
        match self.send(errand, timeout).await {
            Ok(Reply::Taken(id)) => Ok(noted(&id, &hint)),
            Ok(Reply::Moved { .. } | Reply::Partly { .. }) => {
                Err(Fault::lasting("channel_moved", format!("it moved twice; {hint}")))
            }
            Err(fault) => Err(Fault { message: format!("{}; {hint}", fault.message), ..fault }),
        }
    }
}

/// What a provider's answer means.
fn heard(spec: &ChannelSpec, answer: HttpAnswer, resolver: &SecretResolver) -> Result<Reply, Fault> {
    // Before anything is cut: half a key is not known again.
    let answer = HttpAnswer { body: scrubbed(&answer.body, resolver), ..answer };
    match (spec.read)(&answer) {
        Ok(Reply::Taken(id)) => Ok(Reply::Taken(resolver.scrub(&id))),
        Ok(other) => Ok(other),
        Err(fault) => Err(resolver.scrubbed(fault)),
    }
}

/// What became of a message that each recipient was sent by itself. If all were refused and one of them only
/// for now, it is worth another try.
fn mailed(replies: Vec<(String, Result<Reply, Fault>)>) -> Result<Reply, Fault> {
    let said = |it: &(String, Result<Reply, Fault>)| it.1.as_ref().err().map(|it| it.message.clone());
    let several = replies.windows(2).any(|pair| said(&pair[0]) != said(&pair[1]));
    let (mut taken, mut refused) = (None, Vec::new());
    for (to, reply) in replies {
        match reply {
            Ok(Reply::Taken(id)) => taken = taken.or(Some(id)),
            Ok(other) => return Ok(other),
            Err(fault) if several => {
                refused.push(Fault { message: format!("`{to}` was refused: {}", fault.message), ..fault });
            }
            Err(fault) => refused.push(fault),
        }
    }
    let mut messages: Vec<&str> = refused.iter().map(|it| it.message.as_str()).collect();
    messages.dedup();
    let message = messages.join("; ");
    refused.sort_by_key(|it| it.class != Class::Passing);
    let refused = refused.into_iter().next().map(|fault| Fault { message, ..fault });
    match (taken, refused) {
        (Some(id), None) => Ok(Reply::Taken(id)),
        (Some(taken), Some(refused)) => Ok(Reply::Partly { taken, refused }),
        (None, Some(fault)) => Err(fault),
        (None, None) => Err(bad("the setting `to` names nobody")),
    }
}

/// What became of one message by one channel.
struct Sent {
    /// The provider's id of it, and what else there is to say of it.
    id: String,
    /// Who of several does not have it.
    refused: Option<Fault>,
}

/// One message on its way by one channel.
struct Errand {
    spec: &'static ChannelSpec,
    config: Map<String, Value>,
    message: Message,
    resolver: SecretResolver,
}

/// The settings with every key behind a mark, so that none is seen before the last moment.
fn hidden(
    spec: &ChannelSpec,
    channel: &ChannelConfig,
    name: &str,
    resolver: &mut SecretResolver,
) -> Map<String, Value> {
    let mut config = channel.config.clone();
    for field in spec.fields.iter().filter(|it| it.secret) {
        if let Some(Value::String(text)) = config.get_mut(field.name)
            && !text.trim().is_empty()
        {
            *text = resolver.redact(&format!("channel/{name}/{}", field.name), text.trim());
        }
    }
    config
}

/// What a provider said, without our own keys in it.
fn scrubbed(said: &Value, resolver: &SecretResolver) -> Value {
    match said {
        Value::String(text) => Value::String(resolver.scrub(text)),
        Value::Array(items) => items.iter().map(|it| scrubbed(it, resolver)).collect(),
        Value::Object(map) => map.iter().map(|(name, it)| (name.clone(), scrubbed(it, resolver))).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => said.clone(),
    }
}

/// The fault of a message that reached no one.
fn undelivered(deliveries: &[Delivery]) -> Fault {
    let faults: Vec<(&str, &Fault)> = deliveries
        .iter()
        .filter_map(|it| it.result.as_ref().err().map(|fault| (it.channel.as_str(), fault)))
        .collect();
    if faults.is_empty() {
        return Fault::lasting("no_channel", "no channel is named; hint: `beltline channel add`");
    }
    let why: Vec<String> =
        faults.iter().map(|(channel, fault)| format!("`{channel}`: {}", fault.message)).collect();
    let message = format!("the message reached no one: {}", why.join("; "));
    let lasting = faults.iter().all(|(_, fault)| fault.class == Class::Lasting);
    let make = if lasting { Fault::lasting } else { Fault::passing };
    let mut fault = make("not_delivered", message);
    // The next try asks all of them again, also the one that asked for the longest rest.
    fault.retry_after = faults.iter().filter_map(|(_, fault)| fault.retry_after).max();
    fault
}

/// The head of a message for the log. Links may let whoever holds them act: they are left out.
fn logged(text: &str) -> String {
    let words = masked(text);
    let words = words.split_whitespace().map(|it| if it.contains("://") { "(link)" } else { it });
    let line = one_line(&words.collect::<Vec<_>>().join(" "));
    debug_assert!(!marked(&line));
    line.chars().take(LOGGED_CHARS_MAX).collect()
}
