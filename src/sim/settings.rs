//! [`BitrixSettings`]: how the simulated Bitrix24 behaves, changeable while it runs. [`SimApp`]: an
//! application known to it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::sim::tokens::Rules;

/// The longest life that can be set: ten years. Beyond it, a token's end does not fit its four bytes.
const LIFE_S_MAX: u32 = 315_360_000;
/// The largest clock skew that can be set: a year either way.
const SKEW_S_MAX: u32 = 31_536_000;

/// What becomes of a refresh token that was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rotation {
    /// It dies at once, and the access token given out with it (unless `old_access_survives`).
    Strict,
    /// It lives on, and so does its access token.
    Lenient,
}

/// How the simulated Bitrix24 behaves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is one switch that a person sets by its name")]
pub struct BitrixSettings {
    /// The life of an access token, in seconds.
    pub access_life_s: u32,
    /// The life of a refresh token, in seconds. Sources say 28, 30 and 180 days.
    pub refresh_life_s: u32,
    /// The life of a one-time code, in seconds.
    pub code_life_s: u32,
    /// What becomes of a used refresh token.
    pub rotation: Rotation,
    /// For so many seconds after its first use, a spent refresh token gives the answer of that use once more.
    pub forgiven_s: u32,
    /// Under strict rotation, the old access token lives to its end.
    pub old_access_survives: bool,
    /// Token answers have no `expires` and no `user_id`, as in the documented code exchange.
    pub expires_missing: bool,
    /// Token answers say `"scope":"app"`, as recorded for local applications.
    pub scope_app: bool,
    /// Token answers write numbers as strings.
    pub numbers_as_strings: bool,
    /// Token answers write `\/`.
    pub slashes_escaped: bool,
    /// The token server's clock is ahead by so many seconds (behind if negative): it shows in `expires`.
    pub clock_skew_s: i32,
    /// The authorization page asks a person first.
    pub ask: bool,
    /// The portal refuses to authorize, on its own page and without a redirect.
    pub portal_refuses: bool,
    /// The subscription is paid; else no tokens, and no REST.
    pub paid: bool,
    /// The application is installed.
    pub installed: bool,
    /// The user may use the application.
    pub user_allowed: bool,
    /// The user still works there.
    pub user_active: bool,
    /// The portal's new URL: requests to another host get 302, token answers name the new one.
    pub renamed_to: Option<String>,
}

impl Default for BitrixSettings {
    fn default() -> BitrixSettings {
        BitrixSettings {
            access_life_s: 3_600,
            // The least that any source promises.
            refresh_life_s: 28 * 86_400,
            code_life_s: 30,
            rotation: Rotation::Strict,
            forgiven_s: 0,
            old_access_survives: false,
            expires_missing: false,
            scope_app: false,
            numbers_as_strings: false,
            slashes_escaped: false,
            clock_skew_s: 0,
            ask: false,
            portal_refuses: false,
            paid: true,
            installed: true,
            user_allowed: true,
            user_active: true,
            renamed_to: None,
        }
    }
}

impl BitrixSettings {
    /// These with `patch` laid over them; what it does not name stays. Unknown names and bad values are
    /// refused.
    pub fn patched(&self, patch: Map<String, Value>) -> Result<BitrixSettings, String> {
        let mut value = serde_json::to_value(self).map_err(|error| error.to_string())?;
        if let Value::Object(map) = &mut value {
            map.extend(patch);
        }
        let patched: BitrixSettings = serde_json::from_value(value).map_err(|error| error.to_string())?;
        patched.checked()
    }

    /// These, if they make sense.
    pub fn checked(self) -> Result<BitrixSettings, String> {
        let lives = [
            ("access_life_s", self.access_life_s),
            ("refresh_life_s", self.refresh_life_s),
            ("code_life_s", self.code_life_s),
        ];
        if let Some((name, life)) = lives.iter().find(|(_, it)| !(1..=LIFE_S_MAX).contains(it)) {
            return Err(format!("`{name}` is between 1 and {LIFE_S_MAX} seconds, and not {life}"));
        }
        if self.clock_skew_s.unsigned_abs() > SKEW_S_MAX {
            return Err(format!("`clock_skew_s` is at most {SKEW_S_MAX} either way"));
        }
        match &self.renamed_to {
            Some(url) if !is_http_url(url) => Err("`renamed_to` is an http or https URL".to_owned()),
            Some(_) | None => Ok(self),
        }
    }

    /// The rules that tokens live by.
    pub fn rules(&self, user_id: u32) -> Rules {
        let lenient = self.rotation == Rotation::Lenient;
        Rules {
            access_ms: i64::from(self.access_life_s) * 1_000,
            refresh_ms: i64::from(self.refresh_life_s) * 1_000,
            refresh_survives: lenient,
            forgiven_ms: i64::from(self.forgiven_s) * 1_000,
            access_survives: lenient || self.old_access_survives,
            user_id,
        }
    }
}

/// An application that the portal and the token server know.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SimApp {
    /// `local.<14 hex>.<8 digits>`, say.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
    /// Where the portal sends the code; empty: the code is shown for copying by hand.
    #[serde(default)]
    pub redirect_url: String,
    /// What it may do, as a comma list.
    #[serde(default)]
    pub scope: String,
}

impl SimApp {
    /// The application, if it makes sense.
    pub fn checked(self) -> Result<SimApp, String> {
        if self.client_id.is_empty() || self.client_secret.is_empty() {
            return Err("an app has a `client_id` and a `client_secret`".to_owned());
        }
        if !self.redirect_url.is_empty() && !is_http_url(&self.redirect_url) {
            return Err("`redirect_url` is an http or https URL, or empty".to_owned());
        }
        Ok(self)
    }

    /// Whether it was granted any of `scopes`.
    pub fn may(&self, scopes: &[&str]) -> bool {
        scopes.is_empty() || self.scope.split(',').any(|it| scopes.contains(&it.trim()))
    }
}

fn is_http_url(text: &str) -> bool {
    url::Url::parse(text).is_ok_and(|it| matches!(it.scheme(), "http" | "https"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn patch(patch: &Value) -> Result<BitrixSettings, String> {
        BitrixSettings::default().patched(patch.as_object().cloned().unwrap())
    }

    #[test]
    fn a_patch_changes_what_it_names_and_nothing_else() {
        let patched = patch(&json!({"access_life_s": 20, "rotation": "lenient"})).unwrap();
        let expected =
            BitrixSettings { access_life_s: 20, rotation: Rotation::Lenient, ..BitrixSettings::default() };
        assert_eq!(patched, expected);
    }

    #[test]
    fn unknown_names_and_bad_values_are_refused() {
        for bad in [
            json!({"acces_life_s": 20}),
            json!({"access_life_s": 0}),
            json!({"access_life_s": -1}),
            json!({"access_life_s": 4_000_000_000u32}),
            json!({"rotation": "sometimes"}),
            json!({"renamed_to": "ftp://x"}),
            json!({"clock_skew_s": 40_000_000}),
        ] {
            assert!(patch(&bad).is_err(), "{bad}");
        }
    }
}
