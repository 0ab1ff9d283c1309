//! [`Engine`]: everything that runs, put together. The only file that knows all edges.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use anyhow::{Context, Result, anyhow, bail};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use serde_json::{Map, Value};
use tokio::net::TcpListener;
use tokio::task::{JoinError, JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::api::app::{App, Metrics};
use crate::api::serve::serve;
use crate::cli::config::{Config, StoreChoice};
use crate::cli::data::{DataDir, Lock};
use crate::cli::watch::Watch;
use crate::dashboard::router::pages;
use crate::desk::canary::Canary;
use crate::desk::desk::{Desk, DeskConfig};
use crate::desk::files::{FileResult, is_process_file};
use crate::engine::births::Births;
use crate::engine::board::Board;
use crate::engine::edges::{Clock, Store};
use crate::engine::registry::Registry;
use crate::engine::runner::Runner;
use crate::engine::shelf::{Channel, Keyring};
use crate::engine::turns::Turns;
use crate::model::scope::Scope;
use crate::store::memory::Memory;
use crate::store::seal::Sealer;
use crate::store::sqlite::Sqlite;
use crate::world::clock::SystemClock;
use crate::world::world::{RealWorld, WorldConfig};

/// An engine that runs.
pub struct Engine {
    /// Where it listens.
    pub address: SocketAddr,
    /// What became of the process files at the start.
    pub files: Vec<FileResult>,
    data: DataDir,
    stop_answers: CancellationToken,
    stop_runner: CancellationToken,
    answers: JoinHandle<()>,
    schedules: JoinHandle<()>,
    runner: JoinHandle<()>,
    channels: JoinHandle<()>,
    watcher: Option<JoinHandle<()>>,
    _lock: Lock,
}

impl Engine {
    /// Starts everything that `config` says; returns when the first request can be answered.
    pub async fn start(config: &Config) -> Result<Engine> {
        config.check_listen()?;
        // Before anything is measured: what is loaded is.
        let metrics = metrics()?;
        let data = DataDir::at(&config.data);
        data.make()?;
        let lock = data.lock()?;
        let listener = bind(config.listen).await?;
        let address = listener.local_addr()?;
        let token = data.token()?;
        let store = open_store(config, &data)?;
        let keyring = Arc::new(Keyring::default());
        let (runner, handle) = Runner::new(Arc::new(turns(config, store, &keyring, address)?));
        let desk_config = DeskConfig {
            processes: Some(config.processes.clone()),
            channels: channels(&config.channels)?,
            local_token: Some(token.to_string()),
            store: store_name(config).to_owned(),
        };
        let desk = Arc::new(Desk::new(handle, keyring, desk_config));
        desk.load_all().await.context("what was kept cannot be loaded")?;
        let (stop_answers, stop_runner) = (CancellationToken::new(), CancellationToken::new());
        let runner = tokio::spawn(runner.run(stop_runner.clone()));
        let channels = tokio::spawn(Arc::clone(&desk).watch_channels(stop_runner.clone()));
        let (watch, files) = deploy_folder(config, &desk).await?;
        let schedules = tokio::spawn(Arc::clone(&desk).run_schedules(stop_answers.clone()));
        let pages = pages(Arc::clone(&desk), stop_answers.clone());
        let app = App::new(Arc::clone(&desk), stop_answers.clone()).on_loopback();
        let app = app.with_metrics(metrics).with_pages(pages);
        let answers = tokio::spawn(serve(listener, app, stop_answers.clone()));
        let watcher = watch.map(|watch| tokio::spawn(redeploy(watch, desk)));
        data.set_address(address)?;
        Ok(Engine {
            address,
            files,
            data,
            stop_answers,
            stop_runner,
            answers,
            schedules,
            runner,
            channels,
            watcher,
            _lock: lock,
        })
    }

    /// Stops: no new requests, then those under way, then what was taken in.
    pub async fn stop(self) {
        self.data.forget_address();
        if let Some(watcher) = self.watcher {
            watcher.abort();
        }
        self.stop_answers.cancel();
        ended("the server", self.answers.await);
        ended("the schedules", self.schedules.await);
        self.stop_runner.cancel();
        ended("the runner", self.runner.await);
        ended("the channels' watch", self.channels.await);
    }
}

fn ended(what: &str, end: Result<(), JoinError>) {
    if let Err(error) = end {
        tracing::error!(%error, "{what} did not stop as it should");
    }
}

async fn bind(listen: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(listen).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => anyhow!(
            "{listen} is taken; hint: is another engine running there? --listen 127.0.0.1:0 takes a free port"
        ),
        _ => anyhow::Error::new(error).context(format!("cannot listen on {listen}")),
    })
}

fn store_name(config: &Config) -> &'static str {
    match config.store {
        StoreChoice::Sqlite => "sqlite",
        StoreChoice::Memory => "memory",
    }
}

fn open_store(config: &Config, data: &DataDir) -> Result<Arc<dyn Store>> {
    Ok(match config.store {
        StoreChoice::Memory => Arc::new(Memory::default()),
        StoreChoice::Sqlite => {
            let sealer = Sealer::from_key(data.key(config.key.as_ref())?);
            let path = data.database();
            let opened = Sqlite::open(&path, sealer);
            Arc::new(opened.with_context(|| format!("`{}` cannot be opened", path.display()))?)
        }
    })
}

fn turns(
    config: &Config,
    store: Arc<dyn Store>,
    keyring: &Arc<Keyring>,
    address: SocketAddr,
) -> Result<Turns> {
    let world = WorldConfig {
        allow_addresses: config.allow_addresses.clone(),
        oauth_hosts: config.oauth_hosts.clone(),
        digest: config.digest,
        host_limits: config.host_limits.clone(),
    };
    let world = RealWorld::new(world, Arc::clone(keyring)).context("requests cannot be made")?;
    let public_url: Arc<str> = Arc::from(config.public_url(address));
    let keyring = Arc::clone(keyring);
    let facts = move || {
        let mut scope = Scope::default();
        scope.vars = keyring.vars();
        scope.secrets = keyring.names();
        scope.public_url = Arc::clone(&public_url);
        scope
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    Ok(Turns {
        store,
        world: Arc::new(world),
        clock,
        registry: Arc::new(Registry::default()),
        board: Board::default(),
        facts: Arc::new(facts),
        births: Births::new(),
    })
}

/// The channels of the configuration file, as the engine has them.
fn channels(configured: &Map<String, Value>) -> Result<BTreeMap<String, Channel>> {
    let channel = |(name, value): (&String, &Value)| {
        let Value::Object(settings) = value else {
            bail!("channel `{name}` is no map; hint: write {{via: telegram, chat_id: 1234, token: …}}")
        };
        let mut config = settings.clone();
        let via = config.shift_remove("via");
        let Some(Value::String(via)) = via else {
            bail!("channel `{name}` has no `via`; hint: via: telegram")
        };
        if crate::channels::find(&via).is_none() {
            bail!("channel `{name}`: there is no kind of channel `{via}`");
        }
        if let Err(wrong) = Canary::read(&config) {
            bail!("channel `{name}`: {wrong}");
        }
        Ok((name.clone(), Channel { via, config }))
    };
    configured.iter().map(channel).collect()
}

/// Deploys what lies in the folder. It is watched from before, so that nothing changes unseen.
async fn deploy_folder(config: &Config, desk: &Desk) -> Result<(Option<Watch>, Vec<FileResult>)> {
    let folder = &config.processes;
    fs::create_dir_all(folder)
        .with_context(|| format!("the folder `{}` cannot be made", folder.display()))?;
    let watch = match Watch::new(folder) {
        Ok(watch) => Some(watch),
        Err(error) => {
            tracing::warn!("{error:#}; changes are seen at the next start, or with `beltline deploy`");
            None
        }
    };
    Ok((watch, desk.deploy_folder(folder).await.context("the processes were not deployed")?))
}

/// Deploys each file that changes. A bad one changes nothing, and the desk says so.
async fn redeploy(mut watch: Watch, desk: Arc<Desk>) {
    while let Some(changed) = watch.next().await {
        for path in changed {
            look_at(&path, &desk).await;
        }
    }
}

async fn look_at(path: &Path, desk: &Desk) {
    if !path.exists() {
        desk.file_removed(path);
    } else if is_process_file(path)
        && let Ok(report) = desk.deploy_file(path).await
        && report.changed
    {
        tracing::info!(process = %report.id, version = report.version, file = %path.display(), "deployed");
    }
}

/// Begins to count; gives what was counted as text. The counts are of this process, whatever runs in it.
fn metrics() -> Result<Metrics> {
    static COUNTS: OnceLock<PrometheusHandle> = OnceLock::new();
    if COUNTS.get().is_none() {
        let counts = PrometheusBuilder::new().install_recorder().context("the metrics do not begin")?;
        // Somebody was faster, and counts for all.
        drop(COUNTS.set(counts));
    }
    let render = |counts: &PrometheusHandle| {
        counts.run_upkeep();
        counts.render()
    };
    Ok(Arc::new(move || COUNTS.get().map(render).unwrap_or_default()))
}
