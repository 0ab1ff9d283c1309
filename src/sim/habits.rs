//! [`Habits`]: what the simulated OAuth 2.0 provider does in its own way, changeable while it runs.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// How the client shows who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientAuth {
    /// `client_id` and `client_secret` in the form, and nowhere else.
    Body,
    /// HTTP Basic, and nowhere else.
    Basic,
    /// It has no secret: `client_id` alone, in the form.
    None,
}

/// The habits of a provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is one habit that a person sets by its name")]
pub struct Habits {
    /// How the client shows who it is.
    pub client_auth: ClientAuth,
    /// Without PKCE there is no code.
    pub pkce: bool,
    /// The life of an access token, in seconds; none: it is not told, and it has no end.
    pub expires_in: Option<u32>,
    /// Refresh tokens are given out.
    pub refresh: bool,
    /// Each renewal gives a new refresh token, and ends the one before.
    pub rotation: bool,
    /// The life of a code, in seconds.
    pub code_life_s: u32,
    /// The person at the browser says no.
    pub refuses: bool,
    /// Errors come with status 200.
    pub errors_under_200: bool,
}

impl Default for Habits {
    fn default() -> Habits {
        Habits {
            client_auth: ClientAuth::Body,
            pkce: true,
            expires_in: Some(3_600),
            refresh: true,
            rotation: true,
            code_life_s: 60,
            refuses: false,
            errors_under_200: false,
        }
    }
}

impl Habits {
    /// These with `patch` laid over them; what it does not name stays. Unknown names and bad values are
    /// refused.
    pub fn patched(&self, patch: Map<String, Value>) -> Result<Habits, String> {
        let mut value = serde_json::to_value(self).map_err(|error| error.to_string())?;
        if let Value::Object(map) = &mut value {
            map.extend(patch);
        }
        serde_json::from_value(value).map_err(|error| error.to_string())
    }
}
