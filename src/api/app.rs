//! [`App`]: what every handler may use.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio_util::sync::CancellationToken;

use crate::api::body::BodyMemory;
use crate::middleware::client::Front;
use crate::middleware::connections::ConnectionLimits;
use crate::middleware::shares::Shares;
use crate::service::service::Service;

/// How long requests under way may take when the server stops, if nothing is said.
const FINISH_MAX: Duration = Duration::from_secs(3);

/// How many streams of events one person or token listens to at once: more than windows anybody looks at.
pub const STREAMS_EACH: usize = 50;

/// Gives the metrics as text.
pub type Metrics = Arc<dyn Fn() -> String + Send + Sync>;

/// What every handler may use. Every layer and every handler of a request has one of its own, so a clone is
/// one count.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// What an [`App`] is made of.
#[derive(Clone)]
pub struct Parts {
    /// Every verb.
    pub service: Arc<Service>,
    /// The metrics, if they are gathered.
    pub metrics: Option<Metrics>,
    /// The names a request may call this server by; none: any.
    pub hosts: Option<Arc<[String]>>,
    /// The pages for people, if there are any; they have doors of their own.
    pub pages: Option<Router>,
    /// What stands in front of the server.
    pub front: Arc<Front>,
    /// Where bodies from anybody are held while they are read.
    pub room: BodyMemory,
    /// The streams of events that are open, by who listens.
    pub streams: Arc<Shares<String>>,
    /// How many connections there may be.
    pub connections: ConnectionLimits,
    /// The server is stopping: streams end.
    pub stop: CancellationToken,
    /// How long requests under way may take then.
    pub finish_max: Duration,
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl App {
    /// Without metrics, for any host.
    pub fn new(service: Arc<Service>, stop: CancellationToken) -> App {
        App(Arc::new(Parts {
            service,
            metrics: None,
            hosts: None,
            pages: None,
            front: Arc::default(),
            room: BodyMemory::default(),
            streams: Shares::new(STREAMS_EACH),
            connections: ConnectionLimits::default(),
            stop,
            finish_max: FINISH_MAX,
        }))
    }

    fn with(mut self, change: impl FnOnce(&mut Parts)) -> App {
        change(Arc::make_mut(&mut self.0));
        self
    }

    /// With so much time for requests under way when the server stops.
    #[must_use]
    pub fn finishing(self, finish_max: Duration) -> App {
        self.with(|parts| parts.finish_max = finish_max)
    }

    /// With so many connections at most.
    #[must_use]
    pub fn connecting(self, connections: ConnectionLimits) -> App {
        self.with(|parts| parts.connections = connections)
    }

    /// With metrics.
    #[must_use]
    pub fn with_metrics(self, metrics: Metrics) -> App {
        self.with(|parts| parts.metrics = Some(metrics))
    }

    /// With pages for people.
    #[must_use]
    pub fn with_pages(self, pages: Router) -> App {
        self.with(|parts| parts.pages = Some(pages))
    }

    /// Behind that.
    #[must_use]
    pub fn behind(self, front: Front) -> App {
        self.with(|parts| parts.front = Arc::new(front))
    }

    /// Where strangers come by: only requests that call the server by the host of its public URL, or by a
    /// name of loopback. Without a public URL of its own, by any name: certificates tell who it is.
    #[must_use]
    pub fn in_public(self, has_url: bool) -> App {
        if has_url { self.on_loopback() } else { self }
    }

    /// On loopback: only requests that call the server by a name of loopback or by the host of its public
    /// URL. A page from elsewhere whose name was made to point here (DNS rebinding) is refused.
    #[must_use]
    pub fn on_loopback(self) -> App {
        let mut hosts: Vec<String> = ["localhost", "127.0.0.1", "[::1]"].map(str::to_owned).into();
        let public = url::Url::parse(&self.service.public_url()).ok();
        hosts.extend(public.as_ref().and_then(|it| it.host_str()).map(str::to_ascii_lowercase));
        self.with(|parts| parts.hosts = Some(hosts.into()))
    }
}

impl fmt::Debug for App {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_struct("App").field("hosts", &self.hosts).finish_non_exhaustive()
    }
}
