//! Secrets and variables: kept first, then shown to the engine.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use zeroize::Zeroizing;

use crate::engine::ports::Collection;
use crate::engine::resources::{SecretValue, Secrets};
use crate::model::effect::marks;
use crate::model::hosts::is_pattern;
use crate::model::names::ProcessId;
use crate::service::actor::{Actor, Right};
use crate::service::errors::{ServiceError, ServiceResult};
use crate::service::kept::{KeptSecret, record, values};
use crate::service::service::Service;
use crate::service::view::{ListPage, time};

/// The longest name of a secret, variable, channel or token.
const NAME_CHARS_MAX: usize = 64;
/// The largest secret or variable, in bytes: they are held in memory.
const VALUE_BYTES_MAX: usize = 64 * 1024;

/// A secret, without what it is.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Secret)]
pub struct SecretView {
    /// Its name.
    pub name: String,
    /// The only hosts it may be sent to; none: any.
    pub hosts: Vec<String>,
    /// When it was set.
    pub at: String,
    /// Who set it, if that was kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// A variable.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Var)]
pub struct VarView {
    /// Its name.
    pub name: String,
    /// What it is.
    pub value: Value,
    /// When it was set.
    pub at: String,
}

/// Who names what.
#[derive(Clone, Debug, Default)]
pub struct Namers {
    /// Of each secret that is named.
    pub secrets: BTreeMap<String, NamedBy>,
    /// Of each variable that is named.
    pub vars: BTreeMap<String, NamedBy>,
}

/// Who names one thing.
#[derive(Clone, Debug, Default)]
pub struct NamedBy {
    /// Deployed processes.
    pub processes: BTreeSet<ProcessId>,
    /// Channels.
    pub channels: BTreeSet<String>,
}

impl Service {
    /// The names of all secrets.
    pub async fn secrets(&self, by: &Actor) -> ServiceResult<ListPage<SecretView>> {
        by.need_everywhere(Right::Secrets)?;
        let mut items = Vec::new();
        for record in self.store().collection(Collection::Secret).await? {
            let at = time(record.at);
            let kept = values::<KeptSecret>(vec![record], &self.store().damage());
            items.extend(kept.into_iter().map(|(name, it)| SecretView {
                name,
                hosts: it.hosts,
                at: at.clone(),
                by: it.by,
            }));
        }
        Ok(ListPage::whole(items))
    }

    /// Sets a secret.
    pub async fn set_secret(
        &self,
        by: &Actor,
        name: &str,
        text: String,
        hosts: Vec<String>,
    ) -> ServiceResult<SecretView> {
        by.need_everywhere(Right::Secrets)?;
        good_name(name)?;
        if text.is_empty() || text.len() > VALUE_BYTES_MAX {
            let message = format!("a secret has 1 to {VALUE_BYTES_MAX} bytes");
            return Err(ServiceError::bad("bad_value", message));
        }
        if let Some(bad) = hosts.iter().find(|it| !is_pattern(it)) {
            let message = format!(
                "`{bad}` is no host; hint: write api.example.org, api.example.org:8443 or *.example.org"
            );
            return Err(ServiceError::bad("bad_host", message));
        }
        let _one = self.shelving.lock().await;
        let now = self.now();
        let setter = Some(by.name.clone());
        let kept = KeptSecret { value: text, hosts: hosts.clone(), by: setter.clone() };
        self.store().put(vec![record(Collection::Secret, name, &kept, now)?]).await?;
        self.load_secrets().await?;
        self.audit(by, "secret.set", name).await?;
        Ok(SecretView { name: name.to_owned(), hosts, at: time(now), by: setter })
    }

    /// Forgets a secret.
    pub async fn forget_secret(&self, by: &Actor, name: &str) -> ServiceResult<()> {
        by.need_everywhere(Right::Secrets)?;
        let _one = self.shelving.lock().await;
        self.forget(Collection::Secret, "secret", name).await?;
        self.load_secrets().await?;
        self.audit(by, "secret.forget", name).await
    }

    /// All variables.
    pub async fn vars(&self, by: &Actor) -> ServiceResult<ListPage<VarView>> {
        by.need_everywhere(Right::Read)?;
        let records = self.store().collection(Collection::Var).await?.into_iter();
        let view =
            |it: crate::engine::ports::Record| VarView { name: it.name, value: it.value, at: time(it.at) };
        Ok(ListPage::whole(records.map(view).collect()))
    }

    /// Sets a variable.
    pub async fn set_var(&self, by: &Actor, name: &str, it: Value) -> ServiceResult<VarView> {
        by.need_everywhere(Right::Edit)?;
        good_name(name)?;
        if it.to_string().len() > VALUE_BYTES_MAX {
            return Err(ServiceError::bad(
                "bad_value",
                format!("a variable has at most {VALUE_BYTES_MAX} bytes"),
            ));
        }
        let _one = self.shelving.lock().await;
        let now = self.now();
        self.store().put(vec![record(Collection::Var, name, &it, now)?]).await?;
        self.load_vars().await?;
        self.audit(by, "var.set", name).await?;
        Ok(VarView { name: name.to_owned(), value: it, at: time(now) })
    }

    /// Who names which secrets and variables; those that are not set are among them.
    pub fn namers(&self, by: &Actor) -> ServiceResult<Namers> {
        by.need_everywhere(Right::Read)?;
        let mut namers = Namers::default();
        for deployed in self.registry().all().values() {
            let process = &deployed.process;
            for name in &process.named.secrets {
                namers.secrets.entry(name.clone()).or_default().processes.insert(process.id.clone());
            }
            for name in &process.named.vars {
                namers.vars.entry(name.clone()).or_default().processes.insert(process.id.clone());
            }
        }
        for (channel, it) in self.resources.channels().iter() {
            for name in it.config.values().filter_map(Value::as_str).flat_map(marks) {
                namers.secrets.entry(name.to_owned()).or_default().channels.insert(channel.clone());
            }
        }
        Ok(namers)
    }

    /// Forgets a variable.
    pub async fn forget_var(&self, by: &Actor, name: &str) -> ServiceResult<()> {
        by.need_everywhere(Right::Edit)?;
        let _one = self.shelving.lock().await;
        self.forget(Collection::Var, "variable", name).await?;
        self.load_vars().await?;
        self.audit(by, "var.forget", name).await
    }

    pub(super) async fn forget(&self, from: Collection, what: &'static str, it: &str) -> ServiceResult<()> {
        match self.store().delete(from, it).await? {
            true => Ok(()),
            false => Err(ServiceError::missing(what, it)),
        }
    }

    pub(super) async fn load_secrets(&self) -> ServiceResult<()> {
        let mut secrets: Secrets = BTreeMap::new();
        for (name, kept) in self.kept_on::<KeptSecret>(Collection::Secret).await? {
            secrets.insert(name, SecretValue { value: Zeroizing::new(kept.value), hosts: kept.hosts });
        }
        self.resources.set_secrets(secrets);
        Ok(())
    }

    pub(super) async fn load_vars(&self) -> ServiceResult<()> {
        let records = self.store().collection(Collection::Var).await?.into_iter();
        self.resources.set_vars(records.map(|it| (it.name, it.value)).collect::<Map<_, _>>());
        Ok(())
    }
}

/// Checks the name of a thing in a collection: one that can stand in `{{secret.NAME}}`.
pub(super) fn good_name(name: &str) -> ServiceResult<()> {
    let good = |it: char| it.is_ascii_alphanumeric() || "-_".contains(it);
    match (name.is_empty() || name.len() > NAME_CHARS_MAX, name.chars().all(good)) {
        (false, true) => Ok(()),
        _ => {
            let message = format!("a name has 1 to {NAME_CHARS_MAX} letters, digits, `-` and `_`");
            Err(ServiceError::bad("bad_name", message))
        }
    }
}
