//! Tokens: shown once, kept as a hash, good until they expire or are forgotten.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError};

use serde::Serialize;
use subtle::ConstantTimeEq;
use utoipa::ToSchema;

use crate::engine::ports::Collection;
use crate::model::names::ProcessId;
use crate::model::time::{Span, Timestamp};
use crate::service::actor::{Actor, Pass, Right, Rights};
use crate::service::collections::good_name;
use crate::service::errors::{ServiceError, ServiceResult};
use crate::service::hash;
use crate::service::kept::{KeptToken, record};
use crate::service::service::{Known, Service};
use crate::service::view::{ListPage, time};

/// A token that was not used yet was used then.
const NEVER: i64 = i64::MIN;

/// What a new token is to open.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// For people.
    pub name: String,
    /// What it opens.
    pub scopes: BTreeSet<Right>,
    /// Where; none: everywhere.
    pub processes: Option<BTreeSet<ProcessId>>,
    /// Until when.
    pub expires: Option<Timestamp>,
}

/// A token, without what it is.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Token)]
pub struct TokenView {
    /// For people.
    pub name: String,
    /// What it opens.
    pub scopes: Vec<String>,
    /// Where; null: everywhere.
    pub processes: Option<Vec<String>>,
    /// Until when.
    pub expires: Option<String>,
    /// Who made it.
    pub by: String,
    /// Made at.
    pub at: String,
    /// Used last at.
    pub used: Option<String>,
    /// The token itself; shown once, when it is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

impl Service {
    /// Who has that token, if it is good now.
    pub fn actor(&self, token: &str) -> Option<Arc<Actor>> {
        self.actor_of(&hash::of_token(token))
    }

    /// Who has the token of that hash, if it is good now.
    pub fn actor_of(&self, hash: &str) -> Option<Arc<Actor>> {
        if let Some((local, actor)) = &self.local
            && same(local, hash)
        {
            return Some(Arc::clone(actor));
        }
        // Found by a hash, which tells a guesser nothing; what is found is compared in constant time all the
        // same.
        let tokens = self.tokens.read().unwrap_or_else(PoisonError::into_inner);
        let (found, it) = tokens.get_key_value(hash)?;
        let (Known { kept, actor, used }, now) = (it, self.now());
        let good = same(found, hash) && kept.expires.is_none_or(|at| at > now);
        good.then(|| {
            used.fetch_max(now.0, Ordering::Relaxed);
            Arc::clone(actor)
        })
    }

    /// All tokens, by name.
    pub fn tokens(&self, by: &Actor) -> ServiceResult<ListPage<TokenView>> {
        by.need_everywhere(Right::Admin)?;
        let tokens = self.tokens.read().unwrap_or_else(PoisonError::into_inner);
        let mut items: Vec<TokenView> = tokens.values().map(|it| view(&it.now())).collect();
        items.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(ListPage::whole(items))
    }

    /// Makes a token. What it is stands only in this answer.
    pub async fn make_token(&self, by: &Actor, wanted: Wanted) -> ServiceResult<TokenView> {
        by.need_everywhere(Right::Admin)?;
        good_name(&wanted.name)?;
        let now = self.now();
        if wanted.scopes.is_empty() {
            return Err(ServiceError::bad(
                "bad_scopes",
                "a token needs at least one of read, run, edit, secrets, admin",
            ));
        }
        if wanted.expires.is_some_and(|at| at <= now) {
            return Err(ServiceError::bad("bad_expiry", "`expires` lies in the past"));
        }
        let _one = self.shelving.lock().await;
        if self.member(&wanted.name.to_lowercase()).is_ok() {
            let message = format!("a user is called `{}`, and one could not tell who did what", wanted.name);
            return Err(ServiceError::conflict("name_taken", message));
        }
        if self.token_hash(&wanted.name).is_some() {
            let message = format!("there is a token `{}` already", wanted.name);
            return Err(ServiceError::conflict("token_exists", message));
        }
        let token = hash::new_token();
        let Wanted { name, scopes, processes, expires } = wanted;
        let kept = KeptToken { name, scopes, processes, expires, by: by.name.clone(), at: now, used: None };
        self.store().put(vec![record(Collection::Token, &hash::of_token(&token), &kept, now)?]).await?;
        self.load_tokens().await?;
        self.audit(by, "token.make", kept.name.as_str()).await?;
        Ok(TokenView { token: Some(token), ..view(&kept) })
    }

    /// Forgets a token; it opens nothing from now on.
    pub async fn forget_token(&self, by: &Actor, name: &str) -> ServiceResult<()> {
        by.need_everywhere(Right::Admin)?;
        let _one = self.shelving.lock().await;
        let hash = self.token_hash(name).ok_or_else(|| ServiceError::missing("token", name))?;
        self.store().delete(Collection::Token, &hash).await?;
        self.load_tokens().await?;
        self.audit(by, "token.forget", name).await
    }

    pub(super) fn token_named(&self, name: &str) -> bool {
        let tokens = self.tokens.read().unwrap_or_else(PoisonError::into_inner);
        tokens.values().any(|it| it.kept.name.eq_ignore_ascii_case(name))
    }

    fn token_hash(&self, name: &str) -> Option<String> {
        let tokens = self.tokens.read().unwrap_or_else(PoisonError::into_inner);
        tokens.iter().find(|(_, it)| it.kept.name == name).map(|(hash, _)| hash.clone())
    }

    /// Keeps when tokens were used last, where that changed by more than `coarse`. Nothing else changes them
    /// meanwhile: the caller holds the collections.
    pub(super) async fn keep_token_uses(&self, coarse: Span) -> ServiceResult<()> {
        let used: Vec<(String, KeptToken)> = {
            let tokens = self.tokens.read().unwrap_or_else(PoisonError::into_inner);
            let much = |it: &Known| {
                let used = it.now().used;
                used.is_some_and(|now| it.kept.used.is_none_or(|before| now >= before + coarse))
            };
            tokens.iter().filter(|(_, it)| much(it)).map(|(hash, it)| (hash.clone(), it.now())).collect()
        };
        if used.is_empty() {
            return Ok(());
        }
        let records = used.iter().map(|(hash, kept)| record(Collection::Token, hash, kept, kept.at));
        self.store().put(records.collect::<Result<_, _>>()?).await?;
        self.load_tokens().await
    }

    pub(super) async fn load_tokens(&self) -> ServiceResult<()> {
        let mut tokens = HashMap::new();
        for (hash, kept) in self.kept_on::<KeptToken>(Collection::Token).await? {
            let rights = Rights::of(&kept.scopes, kept.processes.as_ref());
            let actor = Arc::new(Actor::new(&kept.name, Pass::Token(hash.clone()), rights));
            let used = AtomicI64::new(kept.used.map_or(NEVER, |it| it.0));
            tokens.insert(hash, Known { kept, actor, used });
        }
        let mut all = self.tokens.write().unwrap_or_else(PoisonError::into_inner);
        for (hash, it) in &tokens {
            if let Some(before) = all.get(hash) {
                it.used.fetch_max(before.used.load(Ordering::Relaxed), Ordering::Relaxed);
            }
        }
        *all = tokens;
        Ok(())
    }
}

impl Known {
    /// With when it was used last, as it is now.
    fn now(&self) -> KeptToken {
        let used = Some(self.used.load(Ordering::Relaxed)).filter(|it| *it != NEVER).map(Timestamp);
        KeptToken { used, ..self.kept.clone() }
    }
}

fn same(a: &str, b: &str) -> bool {
    a.as_bytes().ct_eq(b.as_bytes()).into()
}

fn view(kept: &KeptToken) -> TokenView {
    TokenView {
        name: kept.name.clone(),
        scopes: kept.scopes.iter().map(Right::to_string).collect(),
        processes: kept.processes.as_ref().map(|them| them.iter().map(ProcessId::to_string).collect()),
        expires: kept.expires.map(time),
        by: kept.by.clone(),
        at: time(kept.at),
        used: kept.used.map(time),
        token: None,
    }
}
