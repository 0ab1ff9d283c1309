//! How it goes: for `doctor`, the dashboard and whoever watches.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use crate::desk::actor::{Actor, Right};
use crate::desk::desk::{Desk, lock};
use crate::desk::files::TroubleView;
use crate::desk::refusal::Done;
use crate::desk::view::time;
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
    /// Channels whose last test failed.
    pub channels_failing: Vec<FailingChannel>,
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

/// How many alarms are open.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct AlarmStatus {
    /// Open.
    pub open: usize,
    /// Open, and told to nobody.
    pub undelivered: usize,
}

/// A channel whose last test failed.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct FailingChannel {
    /// Its name.
    pub name: String,
    /// When it was tested.
    pub at: String,
    /// What the provider said.
    pub detail: String,
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
        let tests = lock(&self.tests);
        let failing = tests.iter().filter(|(_, it)| !it.delivered).map(|(name, it)| FailingChannel {
            name: name.clone(),
            at: time(it.at),
            detail: it.detail.clone(),
        });
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            store: StoreStatus { kind: self.config.store.clone(), ok: true, detail: None },
            uptime_s: self.now().seconds() - self.started.seconds(),
            lateness_s: 0.0,
            counts: BTreeMap::new(),
            processes: ProcessStatus { deployed: all.len(), paused },
            alarms: AlarmStatus::default(),
            channels_failing: failing.collect(),
            problems: self.troubles(),
            last_event: 0,
            public_url: self.public_url().to_string(),
        }
    }

    async fn fill(&self, status: &mut Status) -> Result<(), StoreError> {
        for count in self.store().counts().await? {
            *status.counts.entry(count.phase.as_str()).or_default() += count.tasks;
        }
        let alarms = self.store().alarms(ALARMS_MAX).await?;
        let told = |it: &&crate::model::task::Task| it.alarm.as_ref().is_some_and(|it| it.told.is_none());
        status.alarms = AlarmStatus { open: alarms.len(), undelivered: alarms.iter().filter(told).count() };
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
