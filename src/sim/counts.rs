//! [`Counts`]: what was asked and how it went, for tests to assert on and for people to look at. No secrets.

use std::collections::BTreeMap;

use serde::Serialize;

/// What was asked of the simulated Bitrix24, and how it went.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Requests by endpoint (`authorize`, `token/refresh_token`, `rest/profile`, …), then by result (`ok`
    /// or a code).
    pub requests: BTreeMap<String, BTreeMap<String, u64>>,
    /// One-time codes given out.
    pub codes_issued: u64,
    /// Codes exchanged for a first pair.
    pub exchanges: u64,
    /// Refresh tokens exchanged for the next pair.
    pub rotations: u64,
    /// Spent refresh tokens shown again although their successor had been delivered.
    pub reuses_plain: u64,
    /// Spent refresh tokens shown again because the answer with their successor was never delivered.
    pub reuses_after_loss: u64,
    /// Codes shown a second time.
    pub code_reuses: u64,
    /// Codes shown after their life had ended.
    pub codes_expired: u64,
    /// Requests to the portal that carried a `client_secret`: there must be none.
    pub portal_secrets: u64,
    /// Requests with a secret or a token in the URL.
    pub url_secrets: u64,
}

impl Counts {
    /// Counts one request.
    pub fn add(&mut self, endpoint: &str, result: &str) {
        let results = self.requests.entry(endpoint.to_owned()).or_default();
        *results.entry(result.to_owned()).or_default() += 1;
    }

    /// How often `endpoint` ended in `result`.
    pub fn of(&self, endpoint: &str, result: &str) -> u64 {
        self.requests.get(endpoint).and_then(|it| it.get(result)).copied().unwrap_or(0)
    }

    /// How often `endpoint` was asked.
    pub fn total(&self, endpoint: &str) -> u64 {
        self.requests.get(endpoint).map_or(0, |it| it.values().sum())
    }
}
