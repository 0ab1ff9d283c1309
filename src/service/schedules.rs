//! Schedules: processes that submit tasks by themselves.
//!
//! What was planned last is kept, so that a restart neither forgets a time nor runs one twice: a task is
//! submitted under the key of its planned time *before* that time is noted as done, and the same key again is
//! the same task.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::engine::batch::SubmitError;
use crate::engine::ports::Collection;
use crate::engine::registry::Deployed;
use crate::engine::runner::{Idempotency, NewTask};
use crate::model::budget::within;
use crate::model::names::{Address, ProcessId, Ref, TaskId};
use crate::model::time::{Span, Timestamp};
use crate::process::process::Process;
use crate::process::schedule::{Overlap, Schedule};
use crate::process::schedule_fill::filled;
use crate::service::actor::Actor;
use crate::service::clock::is_beyond;
use crate::service::errors::{ServiceError, ServiceResult};
use crate::service::hash;
use crate::service::kept::record;
use crate::service::service::{Service, lock};
use crate::service::submit::admitted;

/// How many planned times may wait for the task before to end; more are left out.
const QUEUE_MAX: usize = 1_000;
/// How soon a look that failed is tried again.
const AGAIN_PAUSE: Span = Span::secs(1);

/// What is kept of a schedule. New fields have a default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct KeptSchedule {
    /// What it was told by: a schedule that is told otherwise begins anew.
    pub(super) told: String,
    /// Everything up to here is done or left out.
    pub(super) done: Timestamp,
    /// It rests.
    #[serde(default)]
    pub(super) paused: bool,
    /// The last task it submitted.
    #[serde(default)]
    pub(super) last: Option<LastRun>,
    /// Planned times that wait for that task to end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) queue: Vec<Timestamp>,
    /// The last time that was left out, if none was run since.
    #[serde(default)]
    pub(super) left_out: Option<LeftOut>,
}

/// A task that a schedule submitted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct LastRun {
    /// For which time.
    pub(super) planned: Timestamp,
    /// The task.
    pub(super) task: TaskId,
    /// Its name.
    pub(super) reference: Ref,
}

/// Planned times that made no task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct LeftOut {
    /// The last of them.
    pub(super) planned: Timestamp,
    /// How many in a row.
    pub(super) many: u64,
    /// Why.
    pub(super) why: String,
}

/// When to look again.
#[derive(Debug, Default)]
struct Next {
    at: Option<Timestamp>,
    /// Tasks that others wait for.
    ends: HashSet<TaskId>,
}

impl Next {
    fn at(&mut self, at: Option<Timestamp>) {
        self.at = self.at.into_iter().chain(at).min();
    }
}

impl Service {
    /// Submits what the schedules of all processes plan, each at its time, until `stop`.
    pub async fn run_schedules(self: Arc<Self>, stop: CancellationToken) {
        loop {
            let next = match self.look_at_schedules().await {
                Ok(next) => next,
                Err(error) => {
                    tracing::error!(%error, "schedules were not looked at");
                    Next { at: Some(self.now() + AGAIN_PAUSE), ends: HashSet::new() }
                }
            };
            let mut ends: FuturesUnordered<_> = next.ends.iter().map(|id| self.end_of(*id)).collect();
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.schedules.changed.notified() => {}
                Some(()) = ends.next(), if !ends.is_empty() => {}
                () = self.clock().at(next.at.unwrap_or_default()), if next.at.is_some() => {}
            }
        }
    }

    /// Returns when a task has ended.
    async fn end_of(&self, id: TaskId) {
        let end = self.board().waiters.end(id);
        // It may have ended before anybody listened.
        if self.is_live(id).await.unwrap_or(true) {
            drop(end.await);
        }
    }

    async fn is_live(&self, id: TaskId) -> ServiceResult<bool> {
        Ok(self.store().task(id).await?.is_some_and(|it| it.state.phase().is_live()))
    }

    async fn look_at_schedules(&self) -> ServiceResult<Next> {
        let _one = self.schedules.looking.lock().await;
        let mut next = Next::default();
        let mut kept = self.kept_schedules().await?;
        let all = self.registry().all();
        for deployed in all.values() {
            self.look_at_process(deployed, &mut kept, &mut next).await?;
        }
        // What is left is of schedules that are no more; a process that cannot be read now keeps its own.
        for (name, _) in kept {
            let of = name.split_once('/').and_then(|(id, _)| ProcessId::new(id).ok());
            if of.is_none_or(|id| all.contains_key(&id) || self.kept_of(&id).is_none()) {
                self.store().delete(Collection::Schedule, &name).await?;
            }
        }
        Ok(next)
    }

    pub(super) async fn kept_schedules(&self) -> ServiceResult<HashMap<String, KeptSchedule>> {
        Ok(self.kept_on(Collection::Schedule).await?.into_iter().collect())
    }

    async fn look_at_process(
        &self,
        deployed: &Deployed,
        kept: &mut HashMap<String, KeptSchedule>,
        next: &mut Next,
    ) -> ServiceResult<()> {
        let process = &deployed.process;
        let now = self.now();
        let since = match deployed.paused {
            true => {
                lock(&self.schedules.since).remove(&process.id);
                None
            }
            false => Some(*lock(&self.schedules.since).entry(process.id.clone()).or_insert(now)),
        };
        for schedule in &process.schedules {
            let name = name(&process.id, &schedule.name);
            let state = kept.remove(&name);
            let mut state = self.known_schedule(process, schedule, state).await?;
            self.back_to_now(process, schedule, &mut state, now).await?;
            let Some(since) = since.filter(|_| !state.paused) else { continue };
            let due = schedule.due(state.done, since, now);
            if due.left_out > 0 {
                let last = schedule.previous(due.upto).unwrap_or(due.upto);
                self.leave_out(process, schedule, &mut state, last, due.left_out, "nobody was there").await?;
            }
            for planned in due.runs {
                self.plan(process, schedule, &mut state, planned).await?;
                state.done = planned;
                self.keep_schedule(process, schedule, &state).await?;
            }
            self.go_on(process, schedule, &mut state).await?;
            let waits = state.queue.first().and(state.last.as_ref());
            next.ends.extend(waits.map(|it| it.task));
            next.at(if due.upto < now { Some(now) } else { schedule.next(now.max(state.done)) });
        }
        Ok(())
    }

    /// A schedule that was planned by a clock far ahead goes on from now. After a short step it waits for the
    /// times it has not planned yet: those that come again were done.
    async fn back_to_now(
        &self,
        process: &Process,
        schedule: &Schedule,
        state: &mut KeptSchedule,
        now: Timestamp,
    ) -> ServiceResult<()> {
        if !is_beyond(state.done, now) {
            return Ok(());
        }
        let (name, done) = (name(&process.id, &schedule.name), state.done);
        tracing::warn!(schedule = name, planned = %done, "the clock was set back; it goes on from now");
        state.done = now;
        state.queue.retain(|planned| !is_beyond(*planned, now));
        self.keep_schedule(process, schedule, state).await
    }

    /// What is kept of a schedule. One that is new, or told otherwise than before, begins when its process
    /// was deployed.
    pub(super) async fn known_schedule(
        &self,
        process: &Process,
        schedule: &Schedule,
        state: Option<KeptSchedule>,
    ) -> ServiceResult<KeptSchedule> {
        let told = schedule.told();
        let begin = || self.kept_of(&process.id).map_or_else(|| self.now(), |it| it.at);
        let state = match state {
            Some(state) if state.told == told => return Ok(state),
            Some(state) => KeptSchedule { told, done: begin(), ..state },
            None => KeptSchedule {
                told,
                done: begin(),
                paused: false,
                last: None,
                queue: Vec::new(),
                left_out: None,
            },
        };
        self.keep_schedule(process, schedule, &state).await?;
        Ok(state)
    }

    pub(super) async fn keep_schedule(
        &self,
        process: &Process,
        schedule: &Schedule,
        state: &KeptSchedule,
    ) -> ServiceResult<()> {
        let name = name(&process.id, &schedule.name);
        Ok(self.store().put(vec![record(Collection::Schedule, &name, state, self.now())?]).await?)
    }

    /// A planned time has come.
    async fn plan(
        &self,
        process: &Arc<Process>,
        schedule: &Schedule,
        state: &mut KeptSchedule,
        planned: Timestamp,
    ) -> ServiceResult<()> {
        let live = match &state.last {
            // The very task of this time, submitted before a crash.
            Some(last) if last.planned == planned => return Ok(()),
            Some(last) => self.is_live(last.task).await?,
            None => false,
        };
        match schedule.overlap {
            Overlap::Skip if live => {
                self.leave_out(process, schedule, state, planned, 1, "the task before still lives").await
            }
            Overlap::Queue if live || !state.queue.is_empty() => match state.queue.len() < QUEUE_MAX {
                true => {
                    // After a crash it may stand there already.
                    if !state.queue.contains(&planned) {
                        state.queue.push(planned);
                    }
                    Ok(())
                }
                false => {
                    let why = format!("{QUEUE_MAX} times wait already");
                    self.leave_out(process, schedule, state, planned, 1, &why).await
                }
            },
            Overlap::Skip | Overlap::Queue | Overlap::All => {
                self.submit_planned(process, schedule, state, planned).await
            }
        }
    }

    /// What waits goes on when the task before has ended.
    async fn go_on(
        &self,
        process: &Arc<Process>,
        schedule: &Schedule,
        state: &mut KeptSchedule,
    ) -> ServiceResult<()> {
        while let Some(planned) = state.queue.first().copied() {
            if let Some(last) = &state.last
                && self.is_live(last.task).await?
            {
                break;
            }
            state.queue.remove(0);
            self.submit_planned(process, schedule, state, planned).await?;
            self.keep_schedule(process, schedule, state).await?;
            if state.queue.first() == Some(&planned) {
                break;
            }
        }
        Ok(())
    }

    async fn submit_planned(
        &self,
        process: &Arc<Process>,
        schedule: &Schedule,
        state: &mut KeptSchedule,
        planned: Timestamp,
    ) -> ServiceResult<()> {
        let (own, name_of, facts, now) =
            (Arc::clone(process), schedule.name.clone(), (self.handle.processor().facts)(), self.now());
        let fill = move || {
            let schedule = own.schedules.iter().find(|it| it.name == name_of);
            schedule.map(|schedule| within(&facts.budget, || filled(&own, schedule, planned, &facts, now)))
        };
        let Some(filled) = self.apart(false, fill).await? else { return Ok(()) };
        let (reference, params) = match filled.map_err(|it| it.message) {
            Ok(filled) => filled,
            Err(why) => return self.leave_out(process, schedule, state, planned, 1, &why).await,
        };
        let reference = match Ref::new(&reference) {
            Ok(reference) => reference,
            Err(why) => {
                return self.leave_out(process, schedule, state, planned, 1, &why.to_string()).await;
            }
        };
        let checked = admitted(process, params).and_then(|it| self.room(process).map(|()| it));
        let params = match checked {
            Ok(params) => params,
            Err(why) => {
                return self.leave_out(process, schedule, state, planned, 1, &why.to_string()).await;
            }
        };
        let at = planned.0.to_string();
        let key = hash::of_submit(&["schedule", &name(&process.id, &schedule.name), &at]);
        let entry = NewTask {
            process: process.id.clone(),
            reference: reference.clone(),
            params,
            // Another version of the process may plan the same moment with other params: it is the same run.
            idempotency: Some(Idempotency { key, digest: String::new() }),
            by: Some(format!("schedule {}", schedule.name)),
        };
        let task = match self.handle.submit(entry).await {
            Ok(task) => task.id,
            Err(SubmitError::Repeated(task)) => task,
            Err(SubmitError::RefTaken(address)) => {
                return self.taken(process, schedule, state, planned, &address).await;
            }
            Err(not) => return Err(not.into()),
        };
        count(process, schedule, "submitted", 1);
        state.last = Some(LastRun { planned, task, reference });
        state.left_out = None;
        Ok(())
    }

    /// A live task has the name already: that is the one before, whoever submitted it.
    async fn taken(
        &self,
        process: &Arc<Process>,
        schedule: &Schedule,
        state: &mut KeptSchedule,
        planned: Timestamp,
        address: &Address,
    ) -> ServiceResult<()> {
        let there = self.live(address).await?;
        match (schedule.overlap, there) {
            (Overlap::Queue, Some(task)) => {
                let reference = task.reference.clone();
                state.last = Some(LastRun { planned: task.created_at, task: task.id, reference });
                state.queue.insert(0, planned);
                Ok(())
            }
            (Overlap::Queue, None) => {
                Err(ServiceError::conflict("busy", format!("`{address}` changes hands")))
            }
            (Overlap::Skip | Overlap::All, _) => {
                let why = format!("there is a live task `{address}`");
                self.leave_out(process, schedule, state, planned, 1, &why).await
            }
        }
    }

    /// Notes that planned times make no task. The first in a row is audited.
    async fn leave_out(
        &self,
        process: &Process,
        schedule: &Schedule,
        state: &mut KeptSchedule,
        planned: Timestamp,
        many: u64,
        why: &str,
    ) -> ServiceResult<()> {
        let name = name(&process.id, &schedule.name);
        let at = schedule.stamp(planned);
        tracing::warn!(schedule = name, planned = at, many, why, "a schedule left out planned times");
        count(process, schedule, "left_out", many);
        let before = state.left_out.take();
        if before.is_none() {
            let by = Actor::local("schedule");
            self.audit(&by, "schedule.left_out", format!("{name} {at}: {why}")).await?;
        }
        let many = before.map_or(0, |it| it.many) + many;
        state.left_out = Some(LeftOut { planned, many, why: why.to_owned() });
        self.keep_schedule(process, schedule, state).await
    }
}

/// What a schedule is kept under.
pub(super) fn name(process: &ProcessId, schedule: &str) -> String {
    format!("{process}/{schedule}")
}

fn count(process: &Process, schedule: &Schedule, outcome: &'static str, many: u64) {
    let (process, schedule) = (process.id.to_string(), schedule.name.clone());
    metrics::counter!("beltline_schedule_times_total", "process" => process, "schedule" => schedule,
        "outcome" => outcome)
    .increment(many);
}
