//! How it goes: for `doctor`, the dashboard and whoever watches.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use crate::desk::actor::{Actor, Right};
use crate::desk::clock::ClockStatus;
use crate::desk::desk::Desk;
use crate::desk::disk::Disk;
use crate::desk::files::TroubleView;
use crate::desk::health::HealthView;
use crate::desk::refusal::Done;
use crate::engine::edges::StoreError;

/// How many alarms are counted.
const ALARMS_MAX: usize = 1_000;

/// How it goes.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Status {
    /// Of this program.
    pub version: String,
    /// What keeps.
    pub store: StoreStatus,
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
    /// How many channels are set up, and how many of them work.
    pub channels: ChannelStatus,
    /// Channels that deliver nothing at present.
    pub channels_failing: Vec<FailingChannel>,
    /// How the wall clock was set.
    pub clock: ClockStatus,
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
    /// Whether it answers.
    pub ok: bool,
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
    pub open: usize,
    /// Open, and told to nobody.
    pub undelivered: usize,
    /// Open, and somebody has it in hand.
    pub acknowledged: usize,
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

impl Desk {
    /// How it goes. A store that does not answer is part of the answer.
    pub async fn status(&self, by: &Actor) -> Done<Status> {
        by.need_everywhere(Right::Read)?;
        let mut status = self.resting_status();
        match self.fill(&mut status).await {
            Ok(()) => {}
            Err(error) => {
                status.store.ok = false;
                status.store.detail = Some(error.to_string());
            }
        }
        Ok(status)
    }

    /// Refuses who may not look at all of it.
    pub fn may_watch(&self, by: &Actor) -> Done<()> {
        by.need_everywhere(Right::Read)
    }

    /// Whether the store answers.
    pub async fn ready(&self) -> Done<()> {
        self.store().next_due().await?;
        Ok(())
    }

    fn resting_status(&self) -> Status {
        let all = self.registry().all();
        let paused = all.values().filter(|it| it.paused).count();
        let failing = self.failing_channels();
        let set_up = self.keyring.channels().len();
        let channels =
            ChannelStatus { set_up, failing: failing.len(), dead: set_up > 0 && failing.len() == set_up };
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            store: StoreStatus { kind: self.config.store.clone(), ok: true, detail: None },
            disk: self.disk(),
            uptime_s: self.now().seconds() - self.started.seconds(),
            lateness_s: 0.0,
            counts: BTreeMap::new(),
            processes: ProcessStatus { deployed: all.len(), paused },
            alarms: AlarmStatus::default(),
            channels,
            channels_failing: failing,
            clock: self.clock_status(),
            problems: self.troubles(),
            last_event: 0,
            public_url: self.public_url().to_string(),
        }
    }

    fn disk(&self) -> Option<Disk> {
        Disk::at(self.config.data.as_ref()?)
    }

    fn failing_channels(&self) -> Vec<FailingChannel> {
        let channels = self.keyring.channels();
        let all = self.keyring.health().all().into_iter().filter(|(name, _)| channels.contains_key(name));
        let failing = all.filter_map(|(name, standing)| {
            let fixed = self.config.channels.contains_key(&name);
            let health = HealthView::new(&name, &standing, fixed);
            let at = health.since?;
            let (detail, remedy) = (health.detail.unwrap_or_default(), health.remedy.unwrap_or_default());
            Some(FailingChannel { name, at, failures: standing.failures, detail, remedy })
        });
        failing.collect()
    }

    async fn alarm_status(&self) -> Result<AlarmStatus, StoreError> {
        let tasks = self.store().alarms(ALARMS_MAX).await?;
        let mut status = AlarmStatus { open: tasks.len(), ..AlarmStatus::default() };
        for alarm in tasks.iter().filter_map(|it| it.alarm.as_ref()) {
            match (&alarm.acknowledged, alarm.told) {
                (Some(_), _) => status.acknowledged += 1,
                (None, None) => status.undelivered += 1,
                (None, Some(_)) => {}
            }
        }
        Ok(status)
    }

    /// Measures what is not measured when it happens: for who asks for the metrics.
    pub async fn measure(&self) -> Done<()> {
        let status = self.alarm_status().await?;
        let number = |many: usize| f64::from(u32::try_from(many).unwrap_or(u32::MAX));
        if let Some(disk) = self.disk() {
            // Exact up to eight petabytes.
            #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
            let bytes = |it: u64| it as f64;
            metrics::gauge!("beltline_disk_free_bytes").set(bytes(disk.free_bytes));
            metrics::gauge!("beltline_store_bytes").set(bytes(disk.store_bytes));
        }
        metrics::gauge!("beltline_alarms_open").set(number(status.open));
        metrics::gauge!("beltline_alarms_undelivered").set(number(status.undelivered));
        Ok(())
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
