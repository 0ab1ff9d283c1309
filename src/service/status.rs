//! How it goes: for `doctor`, the dashboard and whoever watches.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::engine::ports::StoreError;
use crate::engine::resources::ChannelConfig;
use crate::model::calendar::zone;
use crate::model::effect::marks;
use crate::service::actor::{Actor, Right};
use crate::service::checks::CheckStatus;
use crate::service::clock::ClockStatus;
use crate::service::disk::Disk;
use crate::service::errors::ServiceResult;
use crate::service::files::TroubleView;
use crate::service::health::HealthView;
use crate::service::heart::RunnerStatus;
use crate::service::service::Service;
use crate::service::view::time;
use crate::service::watchdog::WatchdogStatus;

/// How it goes.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Status {
    /// Of this program.
    pub version: String,
    /// Tasks move: the runner's heart beats, and the store takes writes.
    pub ready: bool,
    /// What keeps.
    pub store: StoreStatus,
    /// What moves tasks.
    pub runner: RunnerStatus,
    /// How many processes wait for the store, to be as it has them and to have their tasks woken.
    pub unsettled: usize,
    /// What of it cannot be read, and when all of it was looked at last.
    pub check: CheckStatus,
    /// The disk it is on; nothing if nothing is kept, or the system does not tell.
    pub disk: Option<Disk>,
    /// How long it has been running, in seconds.
    pub uptime_s: i64,
    /// How late the task is that is due longest, in seconds; 0 if none is late.
    #[schema(value_type = f64)]
    pub lateness_s: f64,
    /// How many tasks are in which state.
    #[schema(value_type = Object)]
    pub counts: BTreeMap<&'static str, u64>,
    /// How many processes there are, and how many rest.
    pub processes: ProcessStatus,
    /// Open alarms, and those of them that no channel delivered.
    pub alarms: AlarmStatus,
    /// The values that are about to die, and of which their processes have told nobody.
    pub watchdog: WatchdogStatus,
    /// How many channels are set up, and how many of them work.
    pub channels: ChannelStatus,
    /// Channels that deliver nothing at present.
    pub channels_failing: Vec<FailingChannel>,
    /// How many files and connections the program may open at once; null if there is no limit.
    pub files_max: Option<u64>,
    /// How many of them may be connections to the server; more wait.
    pub connections_max: usize,
    /// How the wall clock was set.
    pub clock: ClockStatus,
    /// The table of time zones that schedules and dates go by: its release, and where it is from.
    pub zones: String,
    /// Texts that could not be deployed.
    pub problems: Vec<TroubleView>,
    /// The number of the newest event.
    pub last_event: u64,
    /// What links begin with.
    pub public_url: String,
}

/// What keeps.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct StoreStatus {
    /// Which kind.
    pub kind: String,
    /// Whether it answers, and takes writes.
    pub ok: bool,
    /// Whether it takes writes.
    pub writable: bool,
    /// Why not.
    pub detail: Option<String>,
}

/// How many processes there are.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ProcessStatus {
    /// Deployed.
    pub deployed: usize,
    /// At rest.
    pub paused: usize,
}

/// How many channels there are.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct ChannelStatus {
    /// Set up.
    pub set_up: usize,
    /// Set up, and delivering nothing at present.
    pub failing: usize,
    /// There are channels, and none of them delivers: alarms reach no one.
    pub dead: bool,
}

/// How many alarms are open.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct AlarmStatus {
    /// Open.
    pub open: u64,
    /// Open, and told to nobody.
    pub undelivered: u64,
    /// Open, and somebody has acknowledged it.
    pub acknowledged: u64,
}

/// A channel that delivers nothing at present.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct FailingChannel {
    /// Its name.
    pub name: String,
    /// Since when.
    pub at: String,
    /// How many messages it has failed to deliver, in a row.
    pub failures: u64,
    /// What the provider said.
    pub detail: String,
    /// What a person can do about it.
    pub remedy: String,
}

impl Service {
    /// How it goes. A store that does not answer is part of the answer.
    pub async fn status(&self, by: &Actor) -> ServiceResult<Status> {
        by.need_everywhere(Right::Read)?;
        let (mut status, writable) = (self.resting_status().await, self.writable().await);
        let filled = self.fill(&mut status).await;
        status.store.writable = writable.is_ok();
        if let Err(error) = filled.and(writable) {
            status.store.ok = false;
            status.store.detail = Some(error.to_string());
        }
        status.ready = status.store.ok && status.runner.ok;
        Ok(status)
    }

    /// Refuses who may not look at all of it.
    pub fn may_watch(&self, by: &Actor) -> ServiceResult<()> {
        by.need_everywhere(Right::Read)
    }

    async fn resting_status(&self) -> Status {
        let all = self.registry().all();
        let paused = all.values().filter(|it| it.paused).count();
        let failing = self.failing_channels();
        let set_up = self.resources.channels().len();
        let channels =
            ChannelStatus { set_up, failing: failing.len(), dead: set_up > 0 && failing.len() == set_up };
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ready: true,
            store: StoreStatus { kind: self.config.store.clone(), ok: true, writable: true, detail: None },
            runner: self.runner_status().await,
            unsettled: self.unsettled(),
            check: self.check_status(),
            disk: self.disk(),
            uptime_s: self.now().seconds() - self.started.seconds(),
            lateness_s: 0.0,
            counts: BTreeMap::new(),
            processes: ProcessStatus { deployed: all.len(), paused },
            alarms: AlarmStatus::default(),
            watchdog: self.watchdog_status(),
            channels,
            channels_failing: failing,
            files_max: self.config.files_max,
            connections_max: self.config.connections_max,
            clock: self.clock_status(),
            zones: zone::says(),
            problems: self.troubles(),
            last_event: 0,
            public_url: self.public_url().to_string(),
        }
    }

    fn disk(&self) -> Option<Disk> {
        Disk::at(self.config.data.as_ref()?)
    }

    fn failing_channels(&self) -> Vec<FailingChannel> {
        let channels = self.resources.channels();
        let all = self.resources.health().all().into_iter().filter(|(name, _)| channels.contains_key(name));
        let failing = all.filter_map(|(name, standing)| {
            let fixed = self.config.channels.contains_key(&name);
            let health = HealthView::new(&name, &standing, fixed);
            let at = health.since?;
            let (detail, remedy) = (health.detail.unwrap_or_default(), health.remedy.unwrap_or_default());
            Some(FailingChannel { name, at, failures: standing.failures, detail, remedy })
        });
        let mut failing: Vec<FailingChannel> = failing.collect();
        let bare = channels.iter().filter(|(name, _)| !failing.iter().any(|it| it.name == **name));
        let bare: Vec<FailingChannel> = bare.filter_map(|(name, it)| self.without_secret(name, it)).collect();
        failing.extend(bare);
        failing
    }

    /// A channel that delivers nothing as long as a secret that it names is not set.
    fn without_secret(&self, name: &str, channel: &ChannelConfig) -> Option<FailingChannel> {
        let known = self.resources.names();
        let mut named = channel.config.values().filter_map(Value::as_str).flat_map(marks);
        let missing = named.find(|it| !known.contains(*it))?;
        Some(FailingChannel {
            name: name.to_owned(),
            at: time(self.started),
            failures: 0,
            detail: format!("there is no secret `{missing}`"),
            remedy: format!("`beltline secret set {missing}` asks for it"),
        })
    }

    async fn alarm_status(&self) -> Result<AlarmStatus, StoreError> {
        let counts = self.store().alarm_counts().await?;
        let (open, undelivered) = (counts.open(), counts.undelivered);
        Ok(AlarmStatus { open, undelivered, acknowledged: counts.acknowledged })
    }

    /// Measures what is not measured when it happens: for who asks for the metrics.
    /// What cannot be measured keeps the metrics of a sick engine from nobody.
    pub async fn measure(&self) {
        self.measure_check();
        let number = |many: u64| f64::from(u32::try_from(many).unwrap_or(u32::MAX));
        if let Some(disk) = self.disk() {
            // Exact up to eight petabytes.
            #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
            let bytes = |it: u64| it as f64;
            metrics::gauge!("beltline_disk_free_bytes").set(bytes(disk.free_bytes));
            metrics::gauge!("beltline_store_bytes").set(bytes(disk.store_bytes));
        }
        let (runner, writable) = tokio::join!(self.runner_status(), self.writable());
        let truth = |it: bool| f64::from(u8::from(it));
        metrics::gauge!("beltline_ready").set(truth(runner.ok && writable.is_ok()));
        metrics::gauge!("beltline_runner_heartbeat_age_seconds").set(runner.heartbeat_age_s);
        metrics::gauge!("beltline_store_writable").set(truth(writable.is_ok()));
        metrics::gauge!("beltline_processes_unsettled").set(number(self.unsettled() as u64));
        metrics::gauge!("beltline_waiters").set(number(self.waiting() as u64));
        match self.alarm_status().await {
            Ok(status) => {
                metrics::gauge!("beltline_alarms_open").set(number(status.open));
                metrics::gauge!("beltline_alarms_undelivered").set(number(status.undelivered));
            }
            Err(error) => tracing::warn!(%error, "open alarms are not counted"),
        }
    }

    async fn fill(&self, status: &mut Status) -> Result<(), StoreError> {
        for count in self.store().counts(None).await? {
            *status.counts.entry(count.phase.as_str()).or_default() += count.tasks;
        }
        status.alarms = self.alarm_status().await?;
        status.last_event = self.store().last_event().await?;
        if let Some(due) = self.store().next_due().await? {
            #[expect(
                clippy::cast_precision_loss,
                reason = "a lateness in seconds needs no more than 52 bits"
            )]
            let late = self.now().since(due).0 as f64 / 1_000.0;
            status.lateness_s = late;
        }
        Ok(())
    }
}
