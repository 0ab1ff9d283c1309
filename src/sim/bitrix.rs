//! [`Bitrix`]: all that the simulated portal and its token server know. A state without a clock: `now` is
//! an argument, in milliseconds since 1970. What they answer is in `portal` and `token_server`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::sim::answer::SimAnswer;
use crate::sim::counts::Counts;
use crate::sim::request::SimRequest;
use crate::sim::script::TroubleScript;
use crate::sim::settings::{BitrixSettings, SimApp};
use crate::sim::tokens::{PairId, TokenStatus, Tokens};
use crate::sim::troubles::{self, SimTrouble, Troubles};

/// The most leads kept; the oldest go first.
pub const LEADS_MAX: usize = 1_000;
/// The most applications.
pub const APPS_MAX: usize = 1_000;
/// The most long-lived tokens.
pub const STATIC_TOKENS_MAX: usize = 1_000;
/// Where `moved` leads if the portal was given no new name.
const MOVED_TO: &str = "https://renamed.bitrix24.example";

/// What the simulation starts with.
#[derive(Clone)]
pub struct BitrixConfig {
    /// The portal, such as `http://127.0.0.1:7801`, without a slash at the end.
    pub portal_url: String,
    /// The token server, likewise.
    pub token_url: String,
    /// The portal's stable id: 32 hexadecimal digits.
    pub member_id: String,
    /// Whose rights the tokens have.
    pub user_id: u32,
    /// For codes and tokens.
    pub seed: u64,
    /// The applications that are known from the start.
    pub apps: Vec<SimApp>,
    /// How it behaves at first.
    pub settings: BitrixSettings,
}

/// A lead that was created.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Lead {
    /// Its number, from 1.
    pub id: u64,
    /// When, in milliseconds since 1970.
    pub at: i64,
    /// As they came.
    pub fields: Map<String, Value>,
}

/// The simulated portal and its token server.
pub struct Bitrix {
    /// How it behaves.
    pub settings: BitrixSettings,
    /// What is to go wrong.
    pub troubles: Troubles,
    /// What was asked, and how it went.
    pub counts: Counts,
    /// Codes and pairs.
    pub tokens: Tokens,
    config: BitrixConfig,
    apps: BTreeMap<String, SimApp>,
    static_tokens: BTreeSet<String>,
    /// By application: what proves the portal's events to it.
    application_tokens: BTreeMap<String, String>,
    leads: VecDeque<Lead>,
    leads_made: u64,
}

/// Where a token stands that came with a REST call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// From the token server.
    Chain(TokenStatus),
    /// Long-lived, issued by the portal itself.
    Static,
}

impl Bitrix {
    /// As configured, with nothing asked yet.
    pub fn new(config: BitrixConfig) -> Bitrix {
        let apps = config.apps.iter().map(|it| (it.client_id.clone(), it.clone())).collect();
        Bitrix {
            settings: config.settings.clone(),
            troubles: Troubles::default(),
            counts: Counts::default(),
            tokens: Tokens::new(config.seed),
            apps,
            static_tokens: BTreeSet::new(),
            application_tokens: BTreeMap::new(),
            leads: VecDeque::new(),
            leads_made: 0,
            config,
        }
    }

    /// Back to the beginning: apps, settings, tokens, counters.
    pub fn reset(&mut self) {
        *self = Bitrix::new(self.config.clone());
    }

    /// What it started with.
    pub fn config(&self) -> &BitrixConfig {
        &self.config
    }

    /// The portal's present URL.
    pub fn portal_url(&self) -> &str {
        let renamed = self.settings.renamed_to.as_deref().unwrap_or(&self.config.portal_url);
        renamed.trim_end_matches('/')
    }

    /// Where `moved` leads.
    pub fn moved_to(&self) -> &str {
        self.settings.renamed_to.as_deref().map_or(MOVED_TO, |it| it.trim_end_matches('/'))
    }

    /// Whether an access token works at `now`: one of a pair, or a long-lived one.
    pub fn is_valid(&self, access: &str, now: i64) -> bool {
        matches!(self.access(access, now), Access::Static | Access::Chain(TokenStatus::Live))
    }

    /// Where an access token stands.
    pub fn access(&self, access: &str, now: i64) -> Access {
        if self.static_tokens.contains(access) {
            return Access::Static;
        }
        Access::Chain(self.tokens.standing(access, now))
    }

    /// The application `client_id`.
    pub fn app(&self, client_id: &str) -> Option<&SimApp> {
        self.apps.get(client_id)
    }

    /// Adds an application, or puts it in the place of the one with its id (a new secret, say).
    pub fn add_app(&mut self, app: SimApp) -> Result<(), String> {
        let app = app.checked()?;
        if self.apps.len() >= APPS_MAX && !self.apps.contains_key(&app.client_id) {
            return Err(format!("there are at most {APPS_MAX} apps"));
        }
        self.apps.insert(app.client_id.clone(), app);
        Ok(())
    }

    /// Deletes an application; its tokens die with it.
    pub fn remove_app(&mut self, client_id: &str) {
        self.apps.remove(client_id);
    }

    /// A fresh one-time code without the detour through a browser.
    pub fn code(&mut self, client_id: &str, now: i64) -> Option<String> {
        self.apps.get(client_id)?;
        self.counts.codes_issued += 1;
        let life_ms = i64::from(self.settings.code_life_s) * 1_000;
        Some(self.tokens.code(client_id, now, life_ms))
    }

    /// What the portal's events prove themselves with to an application: one for each installation.
    pub fn application_token(&mut self, client_id: &str, new: bool) -> String {
        if new {
            let made = self.tokens.name();
            self.application_tokens.insert(client_id.to_owned(), made);
        }
        self.application_tokens.get(client_id).cloned().unwrap_or_default()
    }

    /// Offline mode: the portal itself issues a long-lived token.
    pub fn allow_static(&mut self, token: &str) -> Result<(), String> {
        if token.is_empty() {
            return Err("a token is not empty".to_owned());
        }
        if self.static_tokens.len() >= STATIC_TOKENS_MAX {
            return Err(format!("there are at most {STATIC_TOKENS_MAX} long-lived tokens"));
        }
        self.static_tokens.insert(token.to_owned());
        Ok(())
    }

    /// Offline mode: the portal takes a long-lived token back.
    pub fn revoke_static(&mut self, token: &str) {
        self.static_tokens.remove(token);
    }

    /// Somebody else who has a copy of the newest pair of an application renews it, and keeps the new one.
    pub fn renew_elsewhere(&mut self, client_id: &str, now: i64) -> Result<(), String> {
        let pair = self.tokens.latest(client_id).ok_or("the app has no pair yet")?;
        let (refresh, rules) = (pair.refresh.clone(), self.settings.rules(self.config.user_id));
        let (result, _) = self.tokens.rotate(&refresh, client_id, now, rules);
        result.map(drop).map_err(|_| "the app's newest refresh token is dead".to_owned())
    }

    /// The answer that carried this pair was not delivered.
    pub fn lose(&mut self, pair: PairId) {
        self.tokens.lose(pair);
    }

    /// The leads still kept, oldest first.
    pub fn leads(&self) -> Vec<Lead> {
        self.leads.iter().cloned().collect()
    }

    /// Keeps a lead and gives its number.
    pub fn add_lead(&mut self, fields: Map<String, Value>, now: i64) -> u64 {
        if self.leads.len() == LEADS_MAX {
            self.leads.pop_front();
        }
        self.leads_made += 1;
        self.leads.push_back(Lead { id: self.leads_made, at: now, fields });
        self.leads_made
    }

    /// What stands in the way of giving tokens out, if anything.
    pub fn obstacle(&self) -> Option<SimTrouble> {
        let settings = &self.settings;
        if !settings.installed {
            return Some(SimTrouble::NotInstalled);
        }
        if !settings.paid {
            return Some(SimTrouble::PaymentRequired);
        }
        (!settings.user_allowed).then_some(SimTrouble::UserAccessError)
    }

    /// Everything a person may see; no secret, no token, no code.
    pub fn state(&self, now: i64) -> Value {
        let apps: Vec<Value> = self
            .apps
            .values()
            .map(|it| {
                json!({
                    "client_id": it.client_id,
                    "redirect_url": it.redirect_url,
                    "scope": it.scope,
                })
            })
            .collect();
        json!({
            "portal_url": self.portal_url(),
            "token_url": self.config.token_url,
            "member_id": self.config.member_id,
            "settings": self.settings,
            "fail": self.troubles,
            "counts": self.counts,
            "apps": apps,
            "live_access_tokens": self.tokens.live(now),
            "static_tokens": self.static_tokens.len(),
            "leads": self.leads,
        })
    }
}

/// Answers with `honest`, disturbed by the plan that is due at the place that `script` picks.
pub fn answer_through(
    bitrix: &mut Bitrix,
    script: fn(&mut Troubles) -> &mut TroubleScript<SimTrouble>,
    request: &SimRequest,
    honest: impl FnOnce(&mut Bitrix) -> SimAnswer,
) -> SimAnswer {
    let Some(plan) = script(&mut bitrix.troubles).take() else {
        return honest(bitrix);
    };
    let answer = troubles::is_carried_out(&plan).then(|| honest(bitrix));
    let pair = answer.as_ref().and_then(|it| it.pair);
    let moved_to = target(bitrix.moved_to(), request);
    let answer = troubles::disturbed(&plan, answer, &moved_to);
    if let (Some(id), None) = (pair, answer.pair) {
        bitrix.lose(id);
    }
    answer
}

/// The same path and query on another host.
pub fn target(base: &str, request: &SimRequest) -> String {
    match request.query.as_str() {
        "" => format!("{base}{}", request.path),
        query => format!("{base}{}?{query}", request.path),
    }
}

/// `host[:port]` of a URL.
pub fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split('/').next().unwrap_or_default()
}

/// A body that cannot be read.
pub fn bad_body() -> SimAnswer {
    SimAnswer::error(400, "INVALID_REQUEST", Some("The request body cannot be read."))
}
