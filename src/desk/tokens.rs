//! Tokens: shown once, kept as a hash, good until they expire or are forgotten.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, PoisonError};

use serde::Serialize;
use subtle::ConstantTimeEq;
use utoipa::ToSchema;

use crate::desk::actor::{Actor, Right, Rights};
use crate::desk::desk::{Desk, Known};
use crate::desk::hash;
use crate::desk::kept::{KeptToken, record, value};
use crate::desk::refusal::{Done, Refusal};
use crate::desk::shelves::good_name;
use crate::desk::view::{Page, time};
use crate::engine::edges::Shelf;
use crate::model::names::ProcessId;
use crate::model::time::Timestamp;

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
    /// The token itself; shown once, when it is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

impl Desk {
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
        let Known { kept, actor } = it;
        let good = same(found, hash) && kept.expires.is_none_or(|at| at > self.now());
        good.then(|| Arc::clone(actor))
    }

    /// All tokens, by name.
    pub fn tokens(&self, by: &Actor) -> Done<Page<TokenView>> {
        by.need_everywhere(Right::Admin)?;
        let tokens = self.tokens.read().unwrap_or_else(PoisonError::into_inner);
        let mut items: Vec<TokenView> = tokens.values().map(|it| view(&it.kept)).collect();
        items.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Page::whole(items))
    }

    /// Makes a token. What it is stands only in this answer.
    pub async fn make_token(&self, by: &Actor, wanted: Wanted) -> Done<TokenView> {
        by.need_everywhere(Right::Admin)?;
        good_name(&wanted.name)?;
        let now = self.now();
        if wanted.scopes.is_empty() {
            return Err(Refusal::bad(
                "bad_scopes",
                "a token needs at least one of read, run, edit, secrets, admin",
            ));
        }
        if wanted.expires.is_some_and(|at| at <= now) {
            return Err(Refusal::bad("bad_expiry", "`expires` lies in the past"));
        }
        let _one = self.shelving.lock().await;
        if self.token_hash(&wanted.name).is_some() {
            let message = format!("there is a token `{}` already", wanted.name);
            return Err(Refusal::conflict("token_exists", message));
        }
        let token = hash::new_token();
        let Wanted { name, scopes, processes, expires } = wanted;
        let kept = KeptToken { name, scopes, processes, expires, by: by.name.clone(), at: now };
        self.store().keep(vec![record(Shelf::Token, &hash::of_token(&token), &kept, now)?]).await?;
        self.load_tokens().await?;
        self.audit(by, "token.make", kept.name.as_str()).await?;
        Ok(TokenView { token: Some(token), ..view(&kept) })
    }

    /// Forgets a token; it opens nothing from now on.
    pub async fn forget_token(&self, by: &Actor, name: &str) -> Done<()> {
        by.need_everywhere(Right::Admin)?;
        let _one = self.shelving.lock().await;
        let hash = self.token_hash(name).ok_or_else(|| Refusal::missing("token", name))?;
        self.store().forget(Shelf::Token, &hash).await?;
        self.load_tokens().await?;
        self.audit(by, "token.forget", name).await
    }

    /// Notes that somebody has logged in.
    pub async fn logged_in(&self, by: &Actor) -> Done<()> {
        self.audit(by, "login", "dashboard").await
    }

    fn token_hash(&self, name: &str) -> Option<String> {
        let tokens = self.tokens.read().unwrap_or_else(PoisonError::into_inner);
        tokens.iter().find(|(_, it)| it.kept.name == name).map(|(hash, _)| hash.clone())
    }

    pub(super) async fn load_tokens(&self) -> Done<()> {
        let mut tokens = HashMap::new();
        for record in self.store().shelf(Shelf::Token).await? {
            let hash = record.name.clone();
            let kept: KeptToken = value(record)?;
            let rights = Rights { scopes: kept.scopes.clone(), processes: kept.processes.clone() };
            let actor = Arc::new(Actor { name: kept.name.clone(), rights });
            tokens.insert(hash, Known { kept, actor });
        }
        *self.tokens.write().unwrap_or_else(PoisonError::into_inner) = tokens;
        Ok(())
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
        token: None,
    }
}
