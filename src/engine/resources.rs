//! [`ResourceCache`]: the secrets, variables and channels as they are now, in memory, shared by the runner,
//! the service and the world. Whoever changes a collection in the store replaces it here; reading costs one
//! count.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use serde_json::{Map, Value};
use zeroize::{Zeroize, Zeroizing};

use crate::engine::health::Health;

/// All secrets, by name.
pub type Secrets = BTreeMap<String, SecretValue>;
/// All channels, by name.
pub type Channels = BTreeMap<String, ChannelConfig>;

/// One secret.
#[derive(Clone)]
pub struct SecretValue {
    /// What it is; wiped from memory when it is dropped.
    pub value: Zeroizing<String>,
    /// The only hosts it may be sent to: `api.example.org`, `api.example.org:8443`, `*.example.org`. None:
    /// any.
    pub hosts: Vec<String>,
}

impl SecretValue {
    /// A secret that may go anywhere.
    pub fn new(value: impl Into<String>) -> SecretValue {
        SecretValue { value: Zeroizing::new(value.into()), hosts: Vec::new() }
    }

    /// The same, for these hosts only.
    #[must_use]
    pub fn only_for(mut self, hosts: &[&str]) -> SecretValue {
        self.hosts = hosts.iter().map(|&host| host.to_owned()).collect();
        self
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_struct("SecretValue").field("value", &"***").field("hosts", &self.hosts).finish()
    }
}

/// One channel, as it is set up.
#[derive(Clone, PartialEq)]
pub struct ChannelConfig {
    /// The kind of channel, such as `telegram`.
    pub via: String,
    /// Its settings; texts may hold marks of secrets, and keys as they are.
    pub config: Map<String, Value>,
}

impl fmt::Debug for ChannelConfig {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&String> = self.config.keys().collect();
        to.debug_struct("ChannelConfig").field("via", &self.via).field("config", &names).finish()
    }
}

impl Drop for ChannelConfig {
    fn drop(&mut self) {
        for value in self.config.values_mut() {
            if let Value::String(text) = value {
                text.zeroize();
            }
        }
    }
}

/// What is in the collections now.
#[derive(Default)]
pub struct ResourceCache {
    secrets: Held<Secrets>,
    names: Held<BTreeSet<String>>,
    vars: Held<Map<String, Value>>,
    channels: Held<Channels>,
    health: Health,
}

impl ResourceCache {
    /// The secrets.
    pub fn secrets(&self) -> Arc<Secrets> {
        self.secrets.get()
    }

    /// The names of the secrets.
    pub fn names(&self) -> Arc<BTreeSet<String>> {
        self.names.get()
    }

    /// The variables.
    pub fn vars(&self) -> Arc<Map<String, Value>> {
        self.vars.get()
    }

    /// The channels.
    pub fn channels(&self) -> Arc<Channels> {
        self.channels.get()
    }

    /// How the channels fare.
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// Replaces all secrets, and with them their names.
    pub fn set_secrets(&self, secrets: Secrets) {
        self.names.set(secrets.keys().cloned().collect());
        self.secrets.set(secrets);
    }

    /// Replaces all variables.
    pub fn set_vars(&self, vars: Map<String, Value>) {
        self.vars.set(vars);
    }

    /// Replaces all channels.
    pub fn set_channels(&self, channels: Channels) {
        self.channels.set(channels);
    }
}

impl fmt::Debug for ResourceCache {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_struct("ResourceCache").field("secrets", &self.names()).finish_non_exhaustive()
    }
}

/// A value that is read often and replaced whole.
#[derive(Default)]
struct Held<T>(RwLock<Arc<T>>);

impl<T> Held<T> {
    fn get(&self) -> Arc<T> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn set(&self, value: T) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(value);
    }
}
