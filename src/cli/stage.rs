//! [`DemoStage`]: an engine and a simulated world beside it, on a folder that is thrown away: where `demo`
//! plays.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use url::Url;

use crate::cli::config::{Config, StoreChoice};
use crate::cli::data::DataDir;
use crate::cli::remote::{Remote, task_path};
use crate::cli::serve::RunningEngine;
use crate::cli::temp::TempDir;
use crate::sim::config::{DEMO_CLIENT_ID, DEMO_CLIENT_SECRET, SimConfig};
use crate::sim::server::Sim;
use crate::sim::settings::{BitrixSettings, SimApp};

/// How long a simulated access token lives: ten minutes, of which it is renewed long before.
const TOKEN_LIFE_S: u32 = 600;
/// Everything is on this machine.
const TIMEOUT: Duration = Duration::from_secs(10);
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// An engine and a simulated world.
pub struct DemoStage {
    /// The engine's REST, with all rights.
    pub remote: Remote,
    /// The simulated world.
    pub sim: Sim,
    engine: RunningEngine,
    http: reqwest::Client,
    dir: TempDir,
}

impl DemoStage {
    /// The link that opens the dashboard for its first admin.
    pub fn setup(&self) -> Option<&str> {
        self.engine.setup.as_ref().map(|it| it.as_str())
    }

    /// Sets everything up.
    pub async fn set(config: &Config) -> Result<DemoStage> {
        let dir = TempDir::new("demo")?;
        let settings = BitrixSettings { access_life_s: TOKEN_LIFE_S, ..BitrixSettings::default() };
        let sim = Sim::start(SimConfig { apps: Vec::new(), settings, ..SimConfig::default() }).await;
        let sim = sim.context("the simulation does not start")?;
        let config = Config {
            listen: SocketAddr::new(HERE, 0),
            public_url: None,
            tls: None,
            proxies: Vec::new(),
            data: dir.path().join("data"),
            processes: dir.path().join("processes"),
            store: StoreChoice::Sqlite,
            allow_addresses: vec![HERE.into()],
            oauth_hosts: vec![sim.token_url.clone()],
            channels: serde_json::Map::new(),
            key: None,
            ..config.clone()
        };
        let engine = RunningEngine::start(&config).await?;
        let base = Url::parse(&format!("http://{}", engine.address))?;
        let app = SimApp {
            client_id: DEMO_CLIENT_ID.to_owned(),
            client_secret: DEMO_CLIENT_SECRET.to_owned(),
            redirect_url: format!("http://{}/oauth/callback", engine.address),
            scope: "crm,user".to_owned(),
        };
        if let Err(why) = sim.bitrix().add_app(app) {
            bail!("the simulation takes no app: {why}");
        }
        let remote = Remote::new(base, DataDir::at(&config.data).read_token())?;
        let http = reqwest::Client::builder().no_proxy().timeout(TIMEOUT).build()?;
        Ok(DemoStage { remote, sim, engine, http, dir })
    }

    /// The data folder.
    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// A task as it stands.
    pub async fn task(&self, process: &str, reference: &str) -> Result<Value> {
        self.remote.get(&task_path(process, reference)).await
    }

    /// Opens a link as a browser does, redirects and all; gives the status of the page at the end.
    pub async fn open(&self, link: &str) -> Result<u16> {
        let page = self.http.get(link).send().await.context("the link leads nowhere")?;
        Ok(page.status().as_u16())
    }

    /// The messages that the simulated providers took, oldest first.
    pub async fn messages(&self) -> Result<Vec<String>> {
        let url = format!("{}/sim/messages", self.sim.providers_url);
        let messages: Value = self.http.get(url).send().await?.json().await?;
        let messages = messages.as_array().cloned().unwrap_or_default();
        Ok(messages.iter().filter_map(|it| Some(it["text"].as_str()?.to_owned())).collect())
    }

    /// How many leads the simulated portal has.
    pub async fn leads(&self) -> Result<usize> {
        let url = format!("{}/sim/state", self.sim.providers_url);
        let state: Value = self.http.get(url).send().await?.json().await?;
        Ok(state["bitrix"]["leads"].as_array().map_or(0, Vec::len))
    }

    /// Lets the token server refuse every token, or no more.
    pub async fn refuse(&self, refuse: bool) -> Result<()> {
        let fail = if refuse { json!({"token": "invalid_grant"}) } else { Value::Null };
        let url = format!("{}/sim/bitrix", self.sim.providers_url);
        self.http.put(url).json(&json!({"fail": fail})).send().await?.error_for_status()?;
        Ok(())
    }

    /// Takes everything down.
    pub async fn strike(self) {
        self.engine.stop().await;
        self.sim.stop().await;
    }
}
