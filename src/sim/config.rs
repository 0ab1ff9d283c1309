//! [`SimConfig`]: how a simulation starts. By default it knows one application and runs by the system's time.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::sim::notifiers::Keys;
use crate::sim::settings::{BitrixSettings, SimApp};
use crate::sim::shared::NowMs;

/// The application that is known from the start.
pub const DEMO_CLIENT_ID: &str = "local.65f0a1b2c3d4e5.12345678";
/// Its secret.
pub const DEMO_CLIENT_SECRET: &str = "SimulatedSecretOfTheDemoApplication000000000000001";

/// How a simulation starts.
#[derive(Clone)]
pub struct SimConfig {
    /// The portal's port; 0: any.
    pub portal_port: u16,
    /// The token server's.
    pub token_port: u16,
    /// The providers' and the control API's.
    pub providers_port: u16,
    /// The mail server's.
    pub smtp_port: u16,
    /// The same seed, the same codes and tokens.
    pub seed: u64,
    /// The applications that are known from the start.
    pub apps: Vec<SimApp>,
    /// How Bitrix24 behaves at first.
    pub settings: BitrixSettings,
    /// What the providers accept.
    pub keys: Keys,
    /// Whose time it is.
    pub now: NowMs,
}

impl Default for SimConfig {
    fn default() -> SimConfig {
        let app = SimApp {
            client_id: DEMO_CLIENT_ID.to_owned(),
            client_secret: DEMO_CLIENT_SECRET.to_owned(),
            redirect_url: "http://127.0.0.1:7700/oauth/callback".to_owned(),
            scope: "crm,user".to_owned(),
        };
        SimConfig {
            portal_port: 0,
            token_port: 0,
            providers_port: 0,
            smtp_port: 0,
            seed: 1,
            apps: vec![app],
            settings: BitrixSettings::default(),
            keys: Keys::default(),
            now: Arc::new(system_now_ms),
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place where the simulation asks for the time; tests give their own"
)]
fn system_now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
