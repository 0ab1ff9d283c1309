//! [`SecretResolver`]: puts secrets where their marks stand, at the last moment, and takes them out of all
//! that people read.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use zeroize::Zeroizing;

use crate::channels::marks::{Piece, marked, pieces, url_part};
use crate::engine::resources::Secrets;
use crate::model::effect::{HttpAnswer, mark};
use crate::model::fault::Fault;
use crate::model::forms::{forms, without};
use crate::model::hosts::fits;

/// A shorter secret is not taken out of messages: it would tear them apart, and so show itself.
const SCRUBBED_BYTES_MIN: usize = 4;
/// The same for answers, which are data: no shorter one is taken out of what a process goes on with.
const ANSWER_SCRUBBED_BYTES_MIN: usize = 8;

/// Opens the marks of one request, and remembers which.
#[derive(Debug)]
pub struct SecretResolver {
    secrets: Arc<Secrets>,
    own: BTreeMap<String, Zeroizing<String>>,
    opened: Vec<Opened>,
}

struct Opened {
    name: String,
    value: Zeroizing<String>,
    hosts: Vec<String>,
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.write_str(&self.name)
    }
}

impl SecretResolver {
    /// A resolver of these secrets.
    pub fn new(secrets: Arc<Secrets>) -> SecretResolver {
        SecretResolver { secrets, own: BTreeMap::new(), opened: Vec::new() }
    }

    /// Hides `value`, which may hold marks itself, behind a mark of its own.
    pub fn redact(&mut self, name: &str, value: &str) -> String {
        self.own.insert(name.to_owned(), Zeroizing::new(value.to_owned()));
        mark(name)
    }

    /// `text` with its marks opened.
    ///
    /// # Errors
    /// `missing_secret`.
    pub fn text(&mut self, text: &str) -> Result<String, Fault> {
        if !marked(text) {
            return Ok(text.to_owned());
        }
        let mut whole = String::with_capacity(text.len());
        for piece in pieces(text) {
            match piece {
                Piece::Plain(text) => whole.push_str(text),
                Piece::Secret(name) => whole.push_str(&self.secret(name)?),
            }
        }
        Ok(whole)
    }

    /// A URL with its marks opened. They are percent-encoded, but for one at the very start.
    ///
    /// # Errors
    /// `missing_secret`.
    pub fn url(&mut self, url: &str) -> Result<String, Fault> {
        let mut whole = String::with_capacity(url.len());
        for (n, piece) in pieces(url).into_iter().enumerate() {
            match piece {
                Piece::Plain(text) => whole.push_str(text),
                Piece::Secret(name) if n == 0 => whole.push_str(&self.secret(name)?),
                Piece::Secret(name) => whole.push_str(&url_part(&self.secret(name)?)),
            }
        }
        Ok(whole)
    }

    /// Pairs of texts with their marks opened.
    ///
    /// # Errors
    /// `missing_secret`.
    pub fn pairs(&mut self, pairs: &[(String, String)]) -> Result<Vec<(String, String)>, Fault> {
        pairs.iter().map(|(name, value)| Ok((self.text(name)?, self.text(value)?))).collect()
    }

    /// A value with the marks in all its texts opened.
    ///
    /// # Errors
    /// `missing_secret`.
    pub fn value(&mut self, value: &Value) -> Result<Value, Fault> {
        Ok(match value {
            Value::String(text) => Value::String(self.text(text)?),
            Value::Array(items) => {
                Value::Array(items.iter().map(|it| self.value(it)).collect::<Result<_, _>>()?)
            }
            Value::Object(map) => {
                let opened = map.iter().map(|(name, it)| Ok((self.text(name)?, self.value(it)?)));
                Value::Object(opened.collect::<Result<_, Fault>>()?)
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        })
    }

    /// Whether all that was opened may go to that host.
    ///
    /// # Errors
    /// `secret_not_for_host`.
    pub fn check_host(&self, host: &str, port: u16) -> Result<(), Fault> {
        self.opened.iter().try_for_each(|it| it.check_host(host, port))
    }

    /// Whether `url`, which another server sent us to, carries a secret to a host that may not have it.
    ///
    /// # Errors
    /// `secret_not_for_host`.
    pub fn check_carried(&self, url: &str, host: &str, port: u16) -> Result<(), Fault> {
        let carried = |it: &&Opened| it.forms().any(|form| url.contains(form.as_str()));
        self.opened.iter().filter(carried).try_for_each(|it| it.check_host(host, port))
    }

    /// Remembers what was made of secrets, such as a password in Base64, so that it is taken out too.
    pub fn remember(&mut self, value: String) {
        if !self.opened.is_empty() {
            let value = Zeroizing::new(value);
            self.opened.push(Opened { name: String::new(), value, hosts: Vec::new() });
        }
    }

    /// `text` without any secret that was opened.
    pub fn scrub(&self, text: &str) -> String {
        without(text, &self.forms(SCRUBBED_BYTES_MIN))
    }

    /// An answer without any secret that was opened: some servers say back what they were told, and what they
    /// say is kept.
    pub fn scrub_answer(&self, answer: HttpAnswer) -> HttpAnswer {
        let forms = self.forms(ANSWER_SCRUBBED_BYTES_MIN);
        if forms.is_empty() {
            return answer;
        }
        let headers = answer.headers.into_iter().map(|(name, value)| (name, hidden(&value, &forms)));
        HttpAnswer { headers: headers.collect(), body: hidden(&answer.body, &forms), ..answer }
    }

    fn forms(&self, bytes_min: usize) -> Vec<Zeroizing<String>> {
        let mut forms: Vec<Zeroizing<String>> = self.opened.iter().flat_map(Opened::forms).collect();
        forms.retain(|it| it.len() >= bytes_min);
        forms.sort_by_key(|it| std::cmp::Reverse(it.len()));
        forms
    }

    /// The same for a fault.
    pub fn scrubbed(&self, mut fault: Fault) -> Fault {
        fault.message = self.scrub(&fault.message);
        fault
    }

    fn secret(&mut self, name: &str) -> Result<Zeroizing<String>, Fault> {
        if let Some(own) = self.own.get(name).cloned() {
            // Taken out while it is opened, so that it cannot stand in itself.
            self.own.remove(name);
            let value = self.text(&own).map(Zeroizing::new);
            self.own.insert(name.to_owned(), own);
            let value = value?;
            self.note(name, &value, &[]);
            return Ok(value);
        }
        let Some(secret) = self.secrets.get(name).cloned() else {
            let message =
                format!("there is no secret `{name}`; hint: set it with `beltline secret set {name}`");
            return Err(Fault::lasting("missing_secret", message));
        };
        self.note(name, &secret.value, &secret.hosts);
        Ok(secret.value)
    }

    fn note(&mut self, name: &str, value: &Zeroizing<String>, hosts: &[String]) {
        if !self.opened.iter().any(|it| it.name == name) {
            let (name, value, hosts) = (name.to_owned(), value.clone(), hosts.to_vec());
            self.opened.push(Opened { name, value, hosts });
        }
    }
}

impl Opened {
    fn check_host(&self, host: &str, port: u16) -> Result<(), Fault> {
        if self.hosts.is_empty() || self.hosts.iter().any(|it| fits(it, host, port)) {
            return Ok(());
        }
        let message = format!(
            "the secret `{}` may not be sent to `{host}`; hint: it is bound to {}",
            self.name,
            self.hosts.join(", ")
        );
        Err(Fault::lasting("secret_not_for_host", message))
    }

    /// The ways it can show up in a message.
    fn forms(&self) -> impl Iterator<Item = Zeroizing<String>> {
        forms(&self.value).into_iter().filter(|it| it.len() >= SCRUBBED_BYTES_MIN)
    }
}

fn hidden(value: &Value, forms: &[Zeroizing<String>]) -> Value {
    match value {
        Value::String(text) => Value::String(without(text, forms)),
        Value::Array(items) => items.iter().map(|it| hidden(it, forms)).collect(),
        Value::Object(map) => {
            map.iter().map(|(name, it)| (without(name, forms), hidden(it, forms))).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}
