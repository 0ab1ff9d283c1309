//! [`RunningEngine`]: everything that runs, put together. The only file that knows all edges.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use crate::api::app::{App, Metrics};
use crate::api::serve::{serve, serve_sealed};
use crate::api::tls::ServerTls;
use crate::cli::assemble::{open_store, processor, service_config, witness, world};
use crate::cli::config::Config;
use crate::cli::data::{DataDir, Lock};
use crate::cli::descriptors::raise;
use crate::cli::files::writable_by_all;
use crate::cli::metrics;
use crate::cli::part::{Part, why};
use crate::cli::watch::FolderWatch;
use crate::dashboard::router::pages;
use crate::engine::ports::StoreError;
use crate::engine::resources::ResourceCache;
use crate::engine::runner::Runner;
use crate::middleware::client::Front;
use crate::middleware::connections::ConnectionLimits;
use crate::model::time::Span;
use crate::outbound::outbound::OutboundClient;
use crate::service::errors::ServiceError;
use crate::service::files::{FileResult, is_process_file};
use crate::service::service::Service;

/// How many tenths of its time a stop gives to requests under way …
const ANSWERS_TENTHS: u64 = 2;
/// … and then to effects that are out.
const RUNNER_TENTHS: u64 = 5;
/// How often it is kept when sessions and tokens were used last.
const USES_PAUSE: Duration = Duration::from_mins(1);
/// How often what was measured is summed up.
const SUM_PAUSE: Duration = Duration::from_secs(10);

/// An engine that runs.
pub struct RunningEngine {
    /// Where it listens.
    pub address: SocketAddr,
    /// What became of the process files at the start.
    pub files: Vec<FileResult>,
    /// The one-time link that lets the first admin be made, while there is none.
    pub setup: Option<Zeroizing<String>>,
    service: Arc<Service>,
    data: DataDir,
    tls: Option<Arc<ServerTls>>,
    stop_answers: CancellationToken,
    stop_runner: CancellationToken,
    world: Arc<OutboundClient>,
    answers: Vec<Part>,
    schedules: Part,
    runner: Part,
    channels: Part,
    watchdog: Part,
    watcher: JoinHandle<()>,
    _lock: Lock,
}

impl RunningEngine {
    /// Starts everything that `config` says; returns when the first request can be answered.
    pub async fn start(config: &Config) -> Result<RunningEngine> {
        config.check_listen()?;
        config.notes.iter().for_each(|note| tracing::warn!("{note}"));
        // Before anything is measured: what is loaded is.
        let metrics = metrics::begin()?;
        let data = DataDir::at(&config.data);
        data.make()?;
        let lock = data.lock()?;
        let tls = certificate(config)?;
        let listener = bind(config.listen).await?;
        let address = listener.local_addr()?;
        let store = open_store(config, &data)?;
        #[cfg(debug_assertions)]
        let store = crate::store::broken::broken(store);
        let resources = Arc::new(ResourceCache::default());
        let files_max = raise();
        let world = world(config, &resources)?;
        let witness = witness(config, &data);
        let processor = processor(config, store, witness, Arc::clone(&world), &resources, address);
        let (runner, handle) = Runner::new(Arc::new(processor));
        let runner = runner.grace(share(config.grace, RUNNER_TENTHS));
        let service = Arc::new(Service::new(handle, resources, service_config(config, &data, files_max)?));
        service.load_all().await.context("what was kept cannot be loaded")?;
        check_people(config, &service)?;
        let setup = open_setup(config, &service, address).await?;
        let (stop_answers, stop_runner) = (CancellationToken::new(), CancellationToken::new());
        let runner = Part::begin("the runner", runner.run(stop_runner.clone()));
        let watching = Arc::clone(&service).watch_channels(stop_runner.clone());
        let channels = Part::begin("the watch over channels", watching);
        tokio::spawn(Arc::clone(&service).follow_clock(stop_answers.clone()));
        let (watch, files) = deploy_folder(config, &service).await?;
        // Not before the processes are there: what it told before is of their tasks.
        let watchdog = Arc::clone(&service).run_watchdog(stop_runner.clone());
        let watchdog = Part::begin("the watchdog", watchdog);
        let schedules = Arc::clone(&service).run_schedules(stop_answers.clone());
        let schedules = Part::begin("the schedules", schedules);
        let (answers, local) =
            answer(config, listener, tls.clone(), Arc::clone(&service), metrics, files_max, &stop_answers)
                .await?;
        tokio::spawn(sum_up(stop_answers.clone()));
        let checks = (Arc::clone(&service), stop_answers.clone());
        tokio::spawn(async move { checks.0.run_checks(checks.1).await });
        tokio::spawn(keep_uses(Arc::clone(&service), stop_answers.clone()));
        if let Some(tls) = &tls {
            tokio::spawn(follow(config, Arc::clone(tls), stop_answers.clone()));
        }
        let watcher = tokio::spawn(redeploy(watch, Arc::clone(&service)));
        if let Err(error) = data.set_address(local) {
            tracing::error!("{error:#}; the command line does not find the engine, only with --server");
        }
        Ok(RunningEngine {
            address,
            files,
            setup,
            service,
            data,
            tls,
            stop_answers,
            stop_runner,
            world,
            answers,
            schedules,
            runner,
            channels,
            watchdog,
            watcher,
            _lock: lock,
        })
    }

    /// Reads the certificate again, if there is one.
    pub fn reload(&self) {
        if let Some(tls) = &self.tls {
            reload(tls);
        }
    }

    /// Returns when a part has ended though nothing is to stop, and says which and why. Nothing can be
    /// trusted then: what is left would take in work that nobody does. It is to stop, and to be started anew.
    pub async fn broken(&mut self) -> anyhow::Error {
        let RunningEngine { runner, schedules, channels, answers, .. } = self;
        let parts = [runner, schedules, channels].into_iter().chain(answers);
        let ends = parts.map(|part| {
            let name = part.name;
            Box::pin(async move { (name, part.end().await) })
        });
        let ((name, end), ..) = futures::future::select_all(ends).await;
        let why = end.map_or_else(|error| why(&error), |()| "it returned".to_owned());
        tracing::error!("{name} ended by itself: {why}");
        anyhow!("{name} ended by itself: {why}; hint: nothing is lost, start it again")
    }

    /// Stops: no new requests, then those under way, then what was taken in.
    pub async fn stop(mut self) {
        self.data.forget_address();
        self.watcher.abort();
        self.stop_answers.cancel();
        self.world.hurry();
        self.service.stopping();
        for answers in &mut self.answers {
            answers.ended().await;
        }
        self.schedules.ended().await;
        self.stop_runner.cancel();
        self.runner.ended().await;
        self.channels.ended().await;
        self.watchdog.ended().await;
        keep_flows(&self.service).await;
        // A connection, or a reader, may hold it still.
        self.service.close().await;
    }
}

/// So many tenths of the time that a stop takes at most. What is left is for the last commits.
fn share(grace: Span, tenths: u64) -> Span {
    Span(grace.0 / 10 * tenths)
}

/// Where others come by there is somebody who may let them in or not.
fn check_people(config: &Config, service: &Service) -> Result<()> {
    if config.is_local() || service.has_admin() {
        return Ok(());
    }
    bail!(
        "`listen` is {}, which others can reach, and there is no admin yet; hint: start once on 127.0.0.1 \
         and open the link it prints, or run `beltline user add NAME --role admin` there, and start here \
         again",
        config.listen
    )
}

/// The one-time link of the first start, while there is no admin.
async fn open_setup(
    config: &Config,
    service: &Service,
    address: SocketAddr,
) -> Result<Option<Zeroizing<String>>> {
    let setup = match service.open_setup().await {
        // A disk that is full at present does not keep the engine from reading.
        Err(ServiceError::Store(StoreError::Lost(why))) => {
            tracing::error!(why, "the link of the first start is not made");
            None
        }
        setup => setup.context("the link of the first start cannot be made")?,
    };
    Ok(setup.map(|key| Zeroizing::new(setup_link(&config.public_url(address), &key))))
}

fn setup_link(base: &str, key: &str) -> String {
    format!("{base}/dashboard/setup?key={key}")
}

/// Answers where it is configured; and where that is not plain HTTP on loopback, there too, for the command
/// line of this machine. Gives the address of the latter.
async fn answer(
    config: &Config,
    listener: TcpListener,
    tls: Option<Arc<ServerTls>>,
    service: Arc<Service>,
    metrics: Metrics,
    files_max: Option<u64>,
    stop: &CancellationToken,
) -> Result<(Vec<Part>, SocketAddr)> {
    let pages = pages(Arc::clone(&service), stop.clone());
    let app = App::new(service, stop.clone()).with_metrics(metrics).with_pages(pages);
    let app = app.finishing(share(config.grace, ANSWERS_TENTHS).duration());
    let app = app.connecting(ConnectionLimits::of_files(files_max));
    let front = Front { trust: config.proxies.clone(), guarded: !config.is_local() };
    let main = app.clone().behind(front);
    let main =
        if config.is_local() { main.on_loopback() } else { main.in_public(config.public_url.is_some()) };
    let mut local = listener.local_addr()?;
    let mut answers = Vec::new();
    if tls.is_some() || !config.is_local() {
        let beside = bind(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0)).await?;
        local = beside.local_addr()?;
        answers.push(Part::begin("the local server", serve(beside, app.on_loopback(), stop.clone())));
    }
    answers.push(match tls {
        None => Part::begin("the server", serve(listener, main, stop.clone())),
        Some(tls) => Part::begin("the server", serve_sealed(listener, tls, main, stop.clone())),
    });
    Ok((answers, local))
}

/// Keeps how many tasks came and ended.
async fn keep_flows(service: &Service) {
    if let Err(error) = service.keep_flows().await {
        tracing::warn!(%error, "how many tasks came and ended is not kept");
    }
}

/// Keeps now and then when sessions and tokens were used last, and how many tasks came and ended.
async fn keep_uses(service: Arc<Service>, stop: CancellationToken) {
    while tokio::time::timeout(USES_PAUSE, stop.cancelled()).await.is_err() {
        if let Err(error) = service.keep_uses().await {
            tracing::warn!(%error, "when sessions and tokens were used last is not kept");
        }
        keep_flows(&service).await;
    }
}

/// Reads the certificate again whenever something watches where it lies.
fn follow(config: &Config, tls: Arc<ServerTls>, stop: CancellationToken) -> impl Future<Output = ()> + use<> {
    let files = config.tls.iter().flat_map(|(cert, key)| [cert.clone(), key.clone()]);
    let folders: BTreeSet<PathBuf> = files
        .map(|it| it.parent().filter(|it| *it != Path::new("")).unwrap_or(Path::new(".")).into())
        .collect();
    async move {
        let mut watches: Vec<FolderWatch> = folders.iter().map(|it| FolderWatch::new(it)).collect();
        while !watches.is_empty() {
            let next = futures::future::select_all(watches.iter_mut().map(|it| Box::pin(it.next())));
            tokio::select! {
                () = stop.cancelled() => return,
                _ = next => reload(&tls),
            }
        }
    }
}

fn reload(tls: &ServerTls) {
    match tls.reload() {
        Ok(()) => tracing::info!("the certificate was read again"),
        Err(error) => tracing::error!(%error, "the certificate stays as it was"),
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

/// Deploys what lies in the folder. It is watched from before, so that nothing changes unseen.
async fn deploy_folder(config: &Config, service: &Service) -> Result<(FolderWatch, Vec<FileResult>)> {
    let folder = &config.processes;
    fs::create_dir_all(folder)
        .with_context(|| format!("the folder `{}` cannot be made", folder.display()))?;
    for path in writable_by_all(folder) {
        tracing::warn!(
            path = %path.display(),
            "everybody on this machine may change it, and deploy with the operator's rights; hint: chmod o-w"
        );
    }
    let watch = FolderWatch::new(folder);
    Ok((watch, service.deploy_folder(folder).await.context("the processes were not deployed")?))
}

/// Deploys each file that changes. A bad one changes nothing, and the service says so.
async fn redeploy(mut watch: FolderWatch, service: Arc<Service>) {
    loop {
        let changed = watch.next().await;
        for path in &changed {
            look_at(path, &service).await;
        }
        for path in service.second_files().iter().filter(|it| !changed.contains(*it)) {
            look_at(path, &service).await;
        }
    }
}

async fn look_at(path: &Path, service: &Service) {
    if !path.exists() {
        service.file_removed(path);
    } else if is_process_file(path)
        && let Ok(report) = service.deploy_file(path).await
        && report.changed
    {
        tracing::info!(process = %report.id, version = report.version, file = %path.display(), "deployed");
    }
}

/// Sums up what was measured now and then.
async fn sum_up(stop: CancellationToken) {
    while tokio::time::timeout(SUM_PAUSE, stop.cancelled()).await.is_err() {
        metrics::sum_up();
    }
}

/// The certificate that is configured, if one is.
fn certificate(config: &Config) -> Result<Option<Arc<ServerTls>>> {
    let files = config.tls.as_ref();
    Ok(files.map(|(cert, key)| ServerTls::read(cert, key)).transpose()?.map(Arc::new))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::env::Env;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_part_that_ends_by_itself_is_told_with_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let below = |name: &str| vec![folder.path().join(name).display().to_string()];
        let said = [
            ("listen", vec!["127.0.0.1:0".to_owned()]),
            ("store", vec!["memory".to_owned()]),
            ("data", below("data")),
            ("processes", below("processes")),
        ];
        let config = Config::gather(&said, None, &Env::default()).unwrap();
        let mut engine = RunningEngine::start(&config).await.unwrap();
        engine.runner.abort();
        let broken = engine.broken().await.to_string();
        assert!(broken.starts_with("the runner ended by itself: "), "{broken}");
        engine.stop().await;
    }
}
