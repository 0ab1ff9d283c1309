//! [`House`]: everything between a store and an address on loopback.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use beltline::api::app::App;
use beltline::api::serve::serve;
use beltline::dashboard::router::pages;
use beltline::engine::apart::Apart;
use beltline::engine::batch::BatchProcessor;
use beltline::engine::ids::IdGenerator;
use beltline::engine::in_flight::InFlight;
use beltline::engine::ports::{Clock, Store};
use beltline::engine::registry::Registry;
use beltline::engine::resources::{ChannelConfig, ResourceCache};
use beltline::engine::runner::Runner;
use beltline::engine::runtime_state::RuntimeState;
use beltline::engine::witness::Unwitnessed;
use beltline::middleware::client::Front;
use beltline::middleware::connections::ConnectionLimits;
use beltline::model::time::Span;
use beltline::outbound::batcher::Grouping;
use beltline::outbound::clock::SystemClock;
use beltline::outbound::outbound::{OutboundClient, OutboundConfig};
use beltline::service::service::{Service, ServiceConfig, facts};
use beltline::store::memory::Memory;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Client;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::call::Call;

/// The operator's token.
pub(crate) const OPERATOR: &str = "blt_the-operator-of-the-tests";

/// The password of every user.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// What a house is built of.
pub(crate) struct Plan {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    /// Where clones are written.
    pub(crate) processes: Option<PathBuf>,
    /// The channels of the configuration file.
    pub(crate) channels: BTreeMap<String, ChannelConfig>,
    /// The proxies in front that are believed.
    pub(crate) proxies: Vec<ipnet::IpNet>,
    /// How long alarms of one kind are gathered.
    pub(crate) grouping: Grouping,
    /// How many effects are performed at once.
    pub(crate) effects_max: usize,
    /// Whether what takes long to work out goes to threads of its own.
    pub(crate) lanes: bool,
    /// How long what is out may take when it stops.
    pub(crate) grace: Option<Span>,
}

impl Default for Plan {
    fn default() -> Plan {
        let store: Arc<dyn Store> = Arc::new(Memory::default());
        Plan {
            store,
            clock: Arc::new(SystemClock),
            processes: None,
            channels: BTreeMap::new(),
            proxies: Vec::new(),
            grouping: Grouping::default(),
            effects_max: 512,
            lanes: true,
            grace: None,
        }
    }
}

/// A running house. Dropping it stops it.
pub(crate) struct House {
    pub(crate) service: Arc<Service>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) address: SocketAddr,
    pub(crate) client: Client,
    stop: CancellationToken,
    world: Arc<OutboundClient>,
    running: Vec<JoinHandle<()>>,
}

impl House {
    /// With a store in memory and the system's clock.
    pub(crate) async fn open() -> House {
        House::build(Plan::default()).await
    }

    pub(crate) async fn build(plan: Plan) -> House {
        // Installed by whichever test is first.
        drop(rustls::crypto::ring::default_provider().install_default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let public_url = format!("http://{address}");
        let resources = Arc::new(ResourceCache::default());
        let allow = OutboundConfig {
            allow_addresses: vec!["127.0.0.0/8".parse().unwrap()],
            grouping: plan.grouping,
            ..OutboundConfig::default()
        };
        let world = Arc::new(OutboundClient::new(allow, Arc::clone(&resources)).unwrap());
        let processor = Arc::new(BatchProcessor {
            store: Arc::clone(&plan.store),
            world: Arc::<OutboundClient>::clone(&world),
            clock: plan.clock,
            registry: Arc::new(Registry::default()),
            state: RuntimeState::default(),
            facts: facts(Arc::clone(&resources), &public_url),
            ids: IdGenerator::new(),
            in_flight: InFlight::default(),
            apart: if plan.lanes { Apart::new(|| ()) } else { Apart::default() },
            witness: Arc::new(Unwitnessed),
        });
        let (runner, handle) = Runner::new(processor);
        let runner = runner.at_once(plan.effects_max).grace(plan.grace.unwrap_or(Span::secs(8)));
        let config = ServiceConfig {
            processes: plan.processes,
            channels: plan.channels,
            local_token: Some(OPERATOR.to_owned()),
            store: "memory".to_owned(),
            data: None,
            files_max: None,
            connections_max: ConnectionLimits::default().all,
        };
        let service = Arc::new(Service::new(handle, resources, config));
        service.load_all().await.unwrap();
        let stop = CancellationToken::new();
        let pages = pages(Arc::clone(&service), stop.clone());
        let app = App::new(Arc::clone(&service), stop.clone()).on_loopback().with_pages(pages);
        let app = app.behind(Front { trust: plan.proxies, guarded: false });
        let running = vec![
            tokio::spawn(runner.run(stop.clone())),
            tokio::spawn(Arc::clone(&service).watch_channels(stop.clone())),
            tokio::spawn(Arc::clone(&service).run_watchdog(stop.clone())),
            tokio::spawn(serve(listener, app, stop.clone())),
            tokio::spawn(Arc::clone(&service).run_schedules(stop.clone())),
        ];
        // An idle connection is given up before the server closes it: never is a request sent into that.
        let idle = std::time::Duration::from_secs(5);
        let client = Client::builder().no_proxy().pool_idle_timeout(idle).build().unwrap();
        House { service, store: plan.store, address, client, stop, world, running }
    }

    /// Stops as `serve` does, and gives back what is kept.
    pub(crate) async fn close(mut self) -> Arc<dyn Store> {
        self.world.hurry();
        self.service.stopping();
        self.stop.cancel();
        for running in std::mem::take(&mut self.running) {
            running.await.unwrap();
        }
        Arc::clone(&self.store)
    }

    /// Dies on the spot, and gives back what was kept.
    pub(crate) async fn crash(mut self) -> Arc<dyn Store> {
        for running in std::mem::take(&mut self.running) {
            running.abort();
            // It was aborted, as it should be.
            drop(running.await);
        }
        Arc::clone(&self.store)
    }

    /// Its runner dies, and nothing else.
    pub(crate) async fn lose_runner(&mut self) {
        let runner = self.running.remove(0);
        runner.abort();
        // It was aborted, as it should be.
        drop(runner.await);
    }

    /// A request with the operator's token.
    pub(crate) fn call(&self, method: &str, path: &str) -> Call {
        Call::new(&self.client, method, format!("http://{}{path}", self.address)).token(OPERATOR)
    }

    /// The same, below `/api/v1`.
    pub(crate) fn api(&self, method: &str, path: &str) -> Call {
        self.call(method, &format!("/api/v1{path}"))
    }

    #[track_caller]
    pub(crate) fn deploy(&self, text: &str) -> impl Future<Output = Value> {
        let id = text.split_once("process: ").unwrap().1.split_whitespace().next().unwrap();
        let call = self.api("PUT", &format!("/processes/{id}")).yaml(text);
        async move {
            let answer = call.send().await;
            assert!(answer.status < 300, "{}", answer.text);
            answer.json()
        }
    }

    /// Submits a task and gives it as it was answered.
    pub(crate) async fn submit(&self, process: &str, reference: &str, params: Value) -> Value {
        let body = json!({"ref": reference, "params": params});
        self.api("POST", &format!("/processes/{process}/tasks")).json(&body).send().await.ok(201)
    }

    /// A new token with such rights.
    pub(crate) async fn token(&self, name: &str, scopes: &[&str], processes: Option<&[&str]>) -> String {
        let body = json!({"name": name, "scopes": scopes, "processes": processes});
        let made = self.api("POST", "/tokens").json(&body).send().await.ok(201);
        made["token"].as_str().unwrap().to_owned()
    }

    /// A new user with such roles: of all processes, and of some.
    pub(crate) async fn user(&self, name: &str, role: Option<&str>, within: Value) {
        let body = json!({"name": name, "password": PASSWORD, "role": role, "processes": within});
        self.api("POST", "/users").json(&body).send().await.ok(201);
    }

    /// What is at `path` when `good` is true of it, whether anything is committed meanwhile or not.
    pub(crate) async fn becomes(&self, path: &str, good: impl Fn(&Value) -> bool) -> Value {
        let mut looks = tokio::time::interval(std::time::Duration::from_millis(20));
        let wait = async {
            loop {
                looks.tick().await;
                let seen = self.api("GET", path).send().await.json();
                if good(&seen) {
                    return seen;
                }
            }
        };
        let wait = tokio::time::timeout(std::time::Duration::from_mins(1), wait);
        wait.await.unwrap_or_else(|_| panic!("it never came to that at {path}"))
    }

    /// The task when `good` is true of it: looked at again after every commit.
    pub(crate) async fn until(&self, path: &str, good: impl Fn(&Value) -> bool) -> Value {
        let mut commits = self.service.commits();
        let wait = async {
            loop {
                commits.mark_unchanged();
                let task = self.api("GET", path).send().await.json();
                if good(&task) {
                    return task;
                }
                commits.changed().await.unwrap();
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(20), wait).await.expect("it never came to that")
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// The path of a task.
pub(crate) fn task_path(process: &str, reference: &str) -> String {
    format!("/processes/{process}/tasks/{}", utf8_percent_encode(reference, NON_ALPHANUMERIC))
}
