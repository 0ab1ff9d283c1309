//! Schedules as people see them, and what people do with them.

use serde::Serialize;
use utoipa::ToSchema;

use crate::model::names::ProcessId;
use crate::model::time::Timestamp;
use crate::process::process::Process;
use crate::process::schedule::{Missed, Overlap, Schedule, ahead};
use crate::service::actor::{Actor, Right};
use crate::service::errors::{ServiceError, ServiceResult};
use crate::service::schedules::{KeptSchedule, name};
use crate::service::service::Service;
use crate::service::view::{ListPage, time};

/// How many of the next times are told.
const NEXT_MAX: usize = 5;

/// A schedule of a process.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Schedule)]
pub struct ScheduleView {
    /// Its name.
    pub name: String,
    /// One line.
    pub about: String,
    /// When, in words.
    pub when: String,
    /// It rests; so it does while its process rests.
    pub paused: bool,
    /// `skip`, `queue` or `all`.
    #[schema(value_type = String)]
    pub overlap: Overlap,
    /// `none`, `latest` or `all`.
    #[schema(value_type = String)]
    pub missed: Missed,
    /// The next five times; none while it rests.
    pub next: Vec<PlannedView>,
    /// The last task it submitted.
    pub last: Option<LastView>,
    /// How many times wait for that task to end.
    pub queued: usize,
    /// Times that made no task, if none was run since.
    pub left_out: Option<LeftOutView>,
}

/// A planned time.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Planned)]
pub struct PlannedView {
    /// As RFC 3339.
    pub at: String,
    /// In words: `Mon 23 Nov 2026 09:00 Europe/Riga, in 1 d 19 h`.
    pub says: String,
}

/// A task that a schedule submitted.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = LastRun)]
pub struct LastView {
    /// For which time.
    pub planned: String,
    /// The task's name.
    #[serde(rename = "ref")]
    pub reference: String,
    /// Its number, as a string.
    pub id: String,
}

/// Planned times that made no task.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = LeftOut)]
pub struct LeftOutView {
    /// The last of them.
    pub planned: String,
    /// How many in a row.
    pub many: u64,
    /// Why.
    pub why: String,
}

impl Service {
    /// The schedules of a process, and when each runs next.
    pub async fn schedules(&self, by: &Actor, id: &ProcessId) -> ServiceResult<ListPage<ScheduleView>> {
        by.need(Right::Read, id)?;
        let deployed = self.deployed(id)?;
        let kept = self.kept_schedules().await?;
        let rests = self.kept_of(id).map_or(deployed.paused, |it| it.paused);
        let view = |it: &Schedule| self.schedule_view(&deployed.process, it, &kept, rests);
        Ok(ListPage::whole(deployed.process.schedules.iter().map(view).collect()))
    }

    /// Lets a schedule rest: it submits nothing, and what it would have submitted is not made up for.
    pub async fn pause_schedule(
        &self,
        by: &Actor,
        id: &ProcessId,
        schedule: &str,
    ) -> ServiceResult<ScheduleView> {
        self.set_schedule(by, id, schedule, true).await
    }

    /// Lets it go on, from now.
    pub async fn resume_schedule(
        &self,
        by: &Actor,
        id: &ProcessId,
        schedule: &str,
    ) -> ServiceResult<ScheduleView> {
        self.set_schedule(by, id, schedule, false).await
    }

    async fn set_schedule(
        &self,
        by: &Actor,
        id: &ProcessId,
        wanted: &str,
        paused: bool,
    ) -> ServiceResult<ScheduleView> {
        by.need(Right::Edit, id)?;
        let deployed = self.deployed(id)?;
        let process = &deployed.process;
        let schedule = process.schedules.iter().find(|it| it.name == wanted);
        let schedule = schedule.ok_or_else(|| no_schedule(process, wanted))?;
        {
            let _one = self.schedules.looking.lock().await;
            let state = self.kept_schedules().await?.remove(&name(id, wanted));
            let mut state = self.known_schedule(process, schedule, state).await?;
            if state.paused != paused {
                state.paused = paused;
                state.done = state.done.max(self.now());
                self.keep_schedule(process, schedule, &state).await?;
                let did = if paused { "schedule.pause" } else { "schedule.resume" };
                self.audit(by, did, name(id, wanted)).await?;
            }
        }
        self.schedules.changed.notify_one();
        let rests = self.kept_of(id).map_or(deployed.paused, |it| it.paused);
        Ok(self.schedule_view(process, schedule, &self.kept_schedules().await?, rests))
    }

    fn schedule_view(
        &self,
        process: &Process,
        schedule: &Schedule,
        kept: &std::collections::HashMap<String, KeptSchedule>,
        rests: bool,
    ) -> ScheduleView {
        let state = kept.get(&name(&process.id, &schedule.name));
        let paused = rests || state.is_some_and(|it| it.paused);
        let now = self.now();
        let planned = |at: Timestamp| PlannedView {
            at: schedule.stamp(at),
            says: format!("{}, {}", schedule.says(at), ahead(at, now)),
        };
        let from = state.map_or(now, |it| it.done.max(now));
        let next = if paused { Vec::new() } else { schedule.upcoming(from, NEXT_MAX) };
        ScheduleView {
            name: schedule.name.clone(),
            about: schedule.about.clone(),
            when: schedule.words(),
            paused,
            overlap: schedule.overlap,
            missed: schedule.missed,
            next: next.into_iter().map(planned).collect(),
            last: state.and_then(|it| it.last.as_ref()).map(|it| LastView {
                planned: time(it.planned),
                reference: it.reference.to_string(),
                id: it.task.to_string(),
            }),
            queued: state.map_or(0, |it| it.queue.len()),
            left_out: state.and_then(|it| it.left_out.as_ref()).map(|it| LeftOutView {
                planned: schedule.stamp(it.planned),
                many: it.many,
                why: it.why.clone(),
            }),
        }
    }
}

fn no_schedule(process: &Process, wanted: &str) -> ServiceError {
    let names: Vec<&str> = process.schedules.iter().map(|it| it.name.as_str()).collect();
    let hint = match names.as_slice() {
        [] => format!("process `{}` has none", process.id),
        names => format!("process `{}` has {}", process.id, names.join(", ")),
    };
    ServiceError::Missing { what: "schedule", name: wanted.to_owned(), hint: Some(hint) }
}
