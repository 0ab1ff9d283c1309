//! [`Service`]: every verb a person has. The verbs are in the files after this one; here is what they share:
//! whom it speaks to, what it remembers, and how it asks whether somebody may.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, AtomicU64};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, Weak};

use serde::de::DeserializeOwned;
use tokio::sync::Notify;

use crate::engine::ports::{Clock, Collection, Store, StoreError};
use crate::engine::registry::{Deployed, Registry};
use crate::engine::resources::{ChannelConfig, ResourceCache};
use crate::engine::runner::Handle;
use crate::engine::runtime_state::RuntimeState;
use crate::model::names::ProcessId;
use crate::model::near::nearest;
use crate::model::scope::ReadSet;
use crate::model::time::{Span, Timestamp};
use crate::process::problem::FileProblem;
use crate::service::actor::{Actor, Pass};
use crate::service::audit_log::{AuditLine, Chain};
use crate::service::errors::{ServiceError, ServiceResult};
use crate::service::kept::{KeptProcess, KeptSession, KeptToken, KeptUser, values};
use crate::service::pace::Pace;
use crate::service::password::Passwords;
use crate::service::quiet::Quiet;
use crate::service::seen::{LastCheck, Replays, Schedules, Watch};
use crate::service::throttle::Throttle;
use crate::service::wakes::Wakes;

/// How long a command waits for its signal to be read before the answer is "kept".
pub const READ_WAIT: Span = Span::secs(2);

/// A longer text or body is read where it holds up nobody, in bytes.
pub const LIGHT_BYTES: usize = 16 * 1024;

/// What the service is told at the start.
#[derive(Debug, Default)]
pub struct ServiceConfig {
    /// The folder of process files, where clones are written.
    pub processes: Option<PathBuf>,
    /// The channels of the configuration file: shown, and changed only there.
    pub channels: BTreeMap<String, ChannelConfig>,
    /// The local operator's token; who has it may do everything.
    pub local_token: Option<String>,
    /// What the store is, for the status: `sqlite`, `postgres`, `memory`.
    pub store: String,
    /// The folder of all that is kept, if anything is.
    pub data: Option<PathBuf>,
    /// How many files and connections the program may open at once; none if there is no limit.
    pub files_max: Option<u64>,
    /// How many of them may be connections to the server.
    pub connections_max: usize,
}

/// Every verb a person has.
pub struct Service {
    pub(super) handle: Handle,
    pub(super) resources: Arc<ResourceCache>,
    pub(super) config: ServiceConfig,
    pub(super) started: Timestamp,
    /// This service, for work that goes on without whoever asked for it. Set when it is loaded.
    pub(super) me: OnceLock<Weak<Service>>,
    /// Processes that are to be settled.
    pub(super) debts: Mutex<BTreeSet<ProcessId>>,
    /// When the runner came round last, in ticks, as far as anybody asked.
    pub(super) beaten: AtomicU64,
    /// One deploy, pause or delete at a time.
    pub(super) deploying: tokio::sync::Mutex<()>,
    /// One change of collections at a time, so that the resources never shows an older state than the store.
    pub(super) shelving: tokio::sync::Mutex<()>,
    /// What is kept of the deployed processes.
    pub(super) kept: RwLock<HashMap<ProcessId, KeptProcess>>,
    /// By file or process: what is wrong with a newer text.
    pub(super) troubles: Mutex<BTreeMap<String, DeployFailure>>,
    /// The file that each process comes from, of those that do.
    pub(super) homes: Mutex<BTreeMap<ProcessId, PathBuf>>,
    /// By hash.
    pub(super) tokens: RwLock<HashMap<String, Known>>,
    /// The hash of the local operator's token, and who that is.
    pub(super) local: Option<(String, Arc<Actor>)>,
    /// The tasks that are being woken for somebody.
    pub(super) wakes: Wakes,
    /// By name.
    pub(super) users: RwLock<BTreeMap<String, Member>>,
    /// By the hash of what the browser holds.
    pub(super) sessions: RwLock<HashMap<String, Arc<Sitting>>>,
    pub(super) passwords: Passwords,
    pub(super) throttle: Mutex<Throttle>,
    /// One first admin at a time.
    pub(super) setting_up: tokio::sync::Mutex<()>,
    pub(super) chain: Arc<Chain>,
    /// Signed requests that came by hooks.
    pub(super) replays: Replays,
    /// What schedules are looked after by.
    pub(super) schedules: Schedules,
    /// The last check of the store.
    pub(super) checked: Mutex<LastCheck>,
    /// What the log was told of late.
    pub(super) quiet: Mutex<Quiet>,
    /// How much hooks took of late.
    pub(super) pace: Mutex<Pace>,
    /// Somebody wants the store checked now.
    pub(super) check_now: Notify,
    /// What the watchdog remembers.
    pub(super) watch: Watch,
}

/// A token that is known, and who has it.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) kept: KeptToken,
    pub(super) actor: Arc<Actor>,
    /// Used last, in milliseconds; kept now and then.
    pub(super) used: AtomicI64,
}

/// A user, as the service has them at hand.
#[derive(Clone)]
pub(super) struct Member {
    pub(super) kept: KeptUser,
    pub(super) actor: Arc<Actor>,
}

/// A session, as the service has it at hand.
#[derive(Debug)]
pub(super) struct Sitting {
    pub(super) kept: KeptSession,
    /// Used last, in milliseconds; kept now and then.
    pub(super) seen: AtomicI64,
}

/// Two files are of one process.
pub const TWO_FILES: &str = "two_files";

/// A newer text that could not be deployed.
#[derive(Clone, Debug)]
pub struct DeployFailure {
    /// The file it came from.
    pub file: String,
    /// The process it would be, if that can be told.
    pub process: Option<ProcessId>,
    /// The word for what is wrong.
    pub code: &'static str,
    /// What is wrong, in a sentence.
    pub message: String,
    /// The problems of the text.
    pub problems: Vec<FileProblem>,
}

impl fmt::Debug for Service {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_struct("Service").field("config", &self.config.processes).finish_non_exhaustive()
    }
}

impl Service {
    /// A service that speaks to the runner behind `handle`. Nothing is loaded yet: see [`Service::load_all`].
    pub fn new(handle: Handle, resources: Arc<ResourceCache>, config: ServiceConfig) -> Service {
        let (started, ticks) = (handle.processor().clock.now(), handle.processor().clock.ticks());
        let local = config.local_token.as_deref().map(|token| {
            (
                crate::service::hash::of_token(token),
                Arc::new(Actor { pass: Pass::Local, ..Actor::local("local") }),
            )
        });
        Service {
            handle,
            resources,
            config: ServiceConfig { local_token: None, ..config },
            started,
            beaten: AtomicU64::new(ticks.0),
            me: OnceLock::new(),
            debts: Mutex::default(),
            deploying: tokio::sync::Mutex::default(),
            shelving: tokio::sync::Mutex::default(),
            kept: RwLock::default(),
            troubles: Mutex::default(),
            homes: Mutex::default(),
            tokens: RwLock::default(),
            local,
            wakes: Wakes::default(),
            users: RwLock::default(),
            sessions: RwLock::default(),
            passwords: Passwords::default(),
            throttle: Mutex::default(),
            setting_up: tokio::sync::Mutex::default(),
            chain: Arc::default(),
            replays: Replays::default(),
            schedules: Schedules::default(),
            checked: Mutex::default(),
            quiet: Mutex::default(),
            pace: Mutex::default(),
            check_now: Notify::new(),
            watch: Watch::default(),
        }
    }

    /// Keeps.
    pub(super) fn store(&self) -> &dyn Store {
        self.handle.processor().store.as_ref()
    }

    /// What is kept in a collection, by name. What cannot be read is noted, and left out.
    pub(super) async fn kept_on<T: DeserializeOwned>(
        &self,
        on: Collection,
    ) -> Result<Vec<(String, T)>, StoreError> {
        Ok(values(self.store().collection(on).await?, &self.store().damage()))
    }

    /// Tells the time.
    pub(super) fn clock(&self) -> &dyn Clock {
        self.handle.processor().clock.as_ref()
    }

    /// The present moment.
    pub fn now(&self) -> Timestamp {
        self.clock().now()
    }

    /// The deployed processes.
    pub(super) fn registry(&self) -> &Registry {
        &self.handle.processor().registry
    }

    /// Who waits for what.
    pub(super) fn board(&self) -> &RuntimeState {
        &self.handle.processor().state
    }

    /// The engine stops: who waits for what may take long is answered now.
    pub fn stopping(&self) {
        self.board().waiters.close();
    }

    /// The engine has stopped: what was asked of its store is done, and nothing more is kept.
    pub async fn close(&self) {
        self.store().close().await;
    }

    /// How much is held in memory for those who wait for a task: 0 when nobody does.
    pub fn waiting(&self) -> usize {
        self.board().waiters.held()
    }

    /// What links begin with.
    pub fn public_url(&self) -> Arc<str> {
        (self.handle.processor().facts)().public_url
    }

    /// Works something out, where it holds up nobody if it takes long.
    pub async fn apart<T, W>(&self, is_large: bool, work: W) -> ServiceResult<T>
    where
        T: Send + 'static,
        W: Fn() -> T + Send + Sync + 'static,
    {
        Ok(self.handle.processor().apart.request(is_large, work).await?)
    }

    /// The process of that id, if it is deployed.
    pub(super) fn deployed(&self, id: &ProcessId) -> ServiceResult<Deployed> {
        self.registry().get(id).ok_or_else(|| self.no_process(id))
    }

    fn no_process(&self, id: &ProcessId) -> ServiceError {
        let all = self.registry().all();
        let near = nearest(id.as_str(), all.keys().map(ProcessId::as_str));
        let refused = lock(&self.troubles).values().find(|it| it.process.as_ref() == Some(id)).cloned();
        let hint = match refused {
            Some(DeployFailure { file, message, .. }) => {
                Some(format!("its file `{file}` was refused: {message}; `beltline doctor` says more"))
            }
            None => near.map(|it| format!("did you mean `{it}`?")),
        };
        ServiceError::Missing { what: "process", name: id.to_string(), hint }
    }

    /// Notes who did what. Kept before the caller is answered.
    pub(super) async fn audit(&self, by: &Actor, did: &str, to: impl Into<String>) -> ServiceResult<()> {
        let line = AuditLine { by: by.name.clone(), did: did.to_owned(), to: to.into() };
        Ok(self.chain.add(&self.handle.processor().store, line, self.now()).await?)
    }
}

/// What every decision may see beside its task, read from the resources each time: for
/// [`crate::engine::batch::Turns`].
pub fn facts(resources: Arc<ResourceCache>, public_url: &str) -> Arc<dyn Fn() -> ReadSet + Send + Sync> {
    let mut base = ReadSet::default();
    base.public_url = Arc::from(public_url.trim_end_matches('/'));
    Arc::new(move || {
        let mut scope = base.clone();
        scope.vars = resources.vars();
        scope.secrets = resources.names();
        scope
    })
}

/// A lock whose holder cannot have left anything half done.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
