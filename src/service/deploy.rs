//! Deploying: a new version of a process takes the place of the old one, and no task is left behind.
//!
//! The order of things, so that a crash at any moment leaves a whole state:
//!
//! 1. If nodes go, it is kept that tasks may have to be woken; then the process rests, in memory only, until
//!    nobody asks the world on them any more: an answer is read by the version that asked. A crash now leaves
//!    the old version, and the next start wakes its tasks.
//! 2. The text, the version and the moves are kept in one commit. From here on the new version holds.
//! 3. The new version is registered, still resting while there are moves: a task on a node that went must not
//!    be looked at before it has its signal.
//! 4. Signals move the tasks. Each is exactly once; a task that was moved stands elsewhere and is not found
//!    again.
//! 5. The moves are struck from the record, and the process goes on. After a crash in 4 the record still has
//!    them, and [`Service::load_all`] begins at 3. So it is settled, too, when the store fails on the way.
//! 6. All tasks that lie down are woken, and then it is struck from the record that they may have to be.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::StreamExt;

use crate::engine::ports::{Collection, Count, Record, StoreError, TaskQuery};
use crate::engine::registry::Deployed;
use crate::model::names::{NodeName, ProcessId, TaskId};
use crate::model::signal::{Command, Signal, SignalKind, SignalTarget};
use crate::model::task::Phase;
use crate::model::time::Span;
use crate::process::parse::parse;
use crate::process::problem::{FileProblem, render, settle};
use crate::process::process::Process;
use crate::service::actor::{Actor, Right};
use crate::service::errors::{ServiceError, ServiceResult, Stranded};
use crate::service::kept::{KeptProcess, KeptVersion, record};
use crate::service::reaches::{granted, may_show};
use crate::service::service::{DeployFailure, LIGHT_BYTES, Service, TWO_FILES, lock};

/// How long a deploy waits for answers that are on their way to nodes that go.
const DRAIN_MAX: Span = Span::secs(30);
/// How often it looks.
const DRAIN_PAUSE: Span = Span::millis(50);
/// Some tasks cannot be woken yet.
pub(super) const UNSETTLED: &str = "unsettled";
/// How long it is waited for steps that were decided before …
const SETTLED_MAX: Span = Span::secs(5);
/// … and how often it is looked.
const SETTLED_PAUSE: Span = Span::millis(5);
/// How many tasks are ordered to move at once.
const MOVES_MAX: usize = 200;
/// How often those left are looked for before the rest is left to the next start.
const MOVE_ROUNDS_MAX: usize = 1_000;

/// What to deploy.
#[derive(Clone, Debug, Default)]
pub struct Deployment {
    /// The text.
    pub text: String,
    /// The process it must be.
    pub expected: Option<ProcessId>,
    /// Where tasks go whose node is no more.
    pub moves: BTreeMap<NodeName, NodeName>,
    /// Only say what would be.
    pub dry_run: bool,
    /// The file it comes from.
    pub file: Option<String>,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct Report {
    /// The process.
    #[schema(value_type = String)]
    pub id: ProcessId,
    /// Its version.
    pub version: String,
    /// Whether it is another one than before.
    pub changed: bool,
    /// Whether the process is new.
    pub created: bool,
    /// How many tasks were moved.
    pub moved: u64,
    /// What should be mended: secrets that go where they should not be (they are masked there all the same),
    /// and what was most likely not meant as it is written.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// The other processes that it names to act in: with the rights of who deployed it.
    #[schema(value_type = Vec<String>)]
    pub reaches: Vec<ProcessId>,
}

impl Service {
    /// All that is wrong with a text.
    pub async fn check(&self, text: &str) -> ServiceResult<Vec<FileProblem>> {
        let own = text.to_owned();
        let check = move || parse(&own).map_or_else(|problems| settle(problems, &own), |_| Vec::new());
        self.apart(text.len() > LIGHT_BYTES, check).await
    }

    /// Deploys a text. See the head of this file for the order of things.
    pub async fn deploy(&self, by: &Actor, it: Deployment) -> ServiceResult<Report> {
        let by = by.clone();
        self.whole(|service| async move { service.deploy_now(&by, it).await }).await
    }

    async fn deploy_now(&self, by: &Actor, it: Deployment) -> ServiceResult<Report> {
        if let Some(expected) = &it.expected {
            by.need(Right::Edit, expected)?;
        }
        let (text, file) = (it.text.clone(), it.file.clone());
        let read = move || read(&text, file.as_deref());
        let process = Arc::new(self.apart(it.text.len() > LIGHT_BYTES, read).await??);
        by.need(Right::Edit, &process.id)?;
        if let Some(expected) = it.expected.as_ref().filter(|id| **id != process.id) {
            let message = format!("the text is of process `{}`, not `{expected}`", process.id);
            return Err(ServiceError::bad("wrong_process", message));
        }
        let _one = self.deploying.lock().await;
        let place = Collection::Process.place(process.id.as_str());
        if self.kept_of(&process.id).is_none() && it.file.is_some() && self.store().damage().holds(&place) {
            // The file knows nothing of a pause.
            return Err(damaged(&process.id, "its record cannot be read"));
        }
        let report = self.put(by, &process, &it).await?;
        if report.changed && !it.dry_run {
            self.audit(by, "deploy", format!("{}@{}", report.id, report.version)).await?;
        }
        let is_over = |it: &DeployFailure| it.process.as_ref() == Some(&report.id) && it.code != TWO_FILES;
        lock(&self.troubles).retain(|_, trouble| !is_over(trouble));
        Ok(report)
    }

    /// Where secrets go that should not be there.
    ///
    /// # Errors
    /// `problems`, where it could not do what it is for.
    fn leaks(&self, process: &Process, it: &Deployment) -> ServiceResult<Vec<String>> {
        let (hard, soft) = self.reached(process, &it.text);
        if !hard.is_empty() {
            return Err(told(hard, &it.text, it.file.as_deref()));
        }
        Ok(soft.iter().map(ToString::to_string).collect())
    }

    async fn put(&self, by: &Actor, process: &Arc<Process>, it: &Deployment) -> ServiceResult<Report> {
        let id = &process.id;
        let old = self.registry().get(id);
        let kept = self.kept_of(id);
        let (now, unfinished) = (self.now(), kept.as_ref().is_some_and(|it| !it.moves.is_empty()));
        let reaches = self.may_reach(by, process)?;
        may_show(by, old.as_ref(), kept.is_some(), process)?;
        let again = kept.as_ref().filter(|it| it.version == process.version && old.is_some());
        let granted = granted(by, again);
        let same = again.is_some_and(|it| it.granted == granted);
        let mut report = Report {
            id: id.clone(),
            version: process.version.clone(),
            changed: !same,
            created: kept.is_none(),
            moved: 0,
            warnings: if same { Vec::new() } else { self.leaks(process, it)? },
            reaches,
        };
        let moves = moves(it, old.as_ref(), process)?;
        let stranded = self.stranded(process, &moves).await?;
        if !stranded.is_empty() {
            return Err(ServiceError::Stranded(stranded));
        }
        if it.dry_run {
            report.moved = self.standing(process, Phase::is_live).await?.values().sum();
            return Ok(report);
        }
        let next = KeptProcess {
            version: process.version.clone(),
            wake_parked: kept.is_some(),
            paused: kept.as_ref().is_some_and(|it| it.paused),
            by: by.name.clone(),
            at: now,
            granted,
            moves,
            file_version: match &it.file {
                Some(_) => Some(process.version.clone()),
                None => kept.as_ref().and_then(|it| it.file_version.clone()),
            },
        };
        if same && !unfinished {
            let at = kept.as_ref().map_or(now, |it| it.at);
            let by = kept.as_ref().map_or_else(|| by.name.clone(), |it| it.by.clone());
            let wake_parked = kept.as_ref().is_some_and(|it| it.wake_parked);
            self.keep_process(id, KeptProcess { moves: BTreeMap::new(), at, by, wake_parked, ..next })
                .await?;
            return Ok(report);
        }
        let mut unsettled = self.begin(id, old.clone());
        let goes = |old: &Deployed| old.process.nodes.iter().any(|it| process.node(&it.name).is_none());
        if let Some((old, kept)) = old.filter(goes).zip(kept) {
            self.keep_process(id, KeptProcess { wake_parked: true, ..kept }).await?;
            self.drain(&old, process, &next.moves).await?;
        }
        let records = self.records(process, &it.text, &next).await?;
        self.store().put(records).await?;
        unsettled.kept();
        self.remember(id, next.clone());
        match self.install(process, next, by).await {
            Ok(many) => report.moved = many,
            // It is deployed; some of its tasks are woken a little later.
            Err(ServiceError::Conflict { code: UNSETTLED, .. }) => return Ok(report),
            Err(refusal) => return Err(refusal),
        }
        unsettled.over();
        Ok(report)
    }

    /// What is kept of a version that is deployed, in one commit.
    async fn records(&self, process: &Process, text: &str, next: &KeptProcess) -> ServiceResult<Vec<Record>> {
        let (id, now) = (&process.id, next.at);
        let text = KeptVersion { text: text.to_owned(), by: next.by.clone(), at: now };
        let name = format!("{id}@{}", process.version);
        // A damaged text is written anew: its name says what it was.
        let known = match self.store().record(Collection::Version, &name).await {
            Err(StoreError::Corrupt(_)) => false,
            known => known?.is_some(),
        };
        let mut records = vec![record(Collection::Process, id.as_str(), next, now)?];
        if !known {
            records.push(record(Collection::Version, &name, &text, now)?);
        }
        records.extend(self.base_of(process, now).await?);
        Ok(records)
    }

    /// Registers a version that is kept, moves its tasks, and lets them go on.
    pub(super) async fn install(
        &self,
        process: &Arc<Process>,
        next: KeptProcess,
        by: &Actor,
    ) -> ServiceResult<u64> {
        let id = &process.id;
        let rests = next.paused || !next.moves.is_empty();
        let granted = next.granted.clone().map(Arc::new);
        let resting = Deployed { granted, ..Deployed::new(Arc::clone(process), rests) };
        self.registry().put(resting.clone());
        let mut moved = 0;
        self.load_expiries(process).await?;
        if !next.moves.is_empty() {
            moved = self.move_all(process, &next.moves, by).await?;
            let moved_on = KeptProcess { moves: BTreeMap::new(), ..next.clone() };
            self.keep_process(id, moved_on).await?;
            self.registry().put(Deployed { paused: next.paused, ..resting });
        }
        if next.paused {
            self.watch_others();
        } else {
            self.wake_all(id).await?;
        }
        self.schedules.changed.notify_one();
        Ok(moved)
    }

    /// Lets `old` rest until nobody asks the world on a node that goes.
    async fn drain(
        &self,
        old: &Deployed,
        process: &Process,
        moves: &BTreeMap<NodeName, NodeName>,
    ) -> ServiceResult<()> {
        self.registry().put(Deployed { paused: true, ..old.clone() });
        let deadline = self.clock().ticks() + DRAIN_MAX;
        loop {
            let asking: u64 = self.standing(process, |it| it == Phase::Doing).await?.values().sum();
            if asking == 0 {
                break;
            }
            if self.clock().ticks() >= deadline {
                let message = format!(
                    "{asking} tasks wait for answers on nodes that this version has no more; \
                     hint: try again later"
                );
                return Err(ServiceError::conflict("busy", message));
            }
            self.clock().after(DRAIN_PAUSE).await;
        }
        let stranded = self.stranded(process, moves).await?;
        match stranded.is_empty() {
            true => Ok(()),
            false => Err(ServiceError::Stranded(stranded)),
        }
    }

    /// Commands every live task on a node that went to where `moves` says, until there is none.
    async fn move_all(
        &self,
        process: &Process,
        moves: &BTreeMap<NodeName, NodeName>,
        by: &Actor,
    ) -> ServiceResult<u64> {
        let mut done = BTreeSet::new();
        for _ in 0..MOVE_ROUNDS_MAX {
            let mut found = false;
            for (old, new) in moves {
                for phase in [Phase::Ready, Phase::Waiting, Phase::Doing] {
                    let query = TaskQuery {
                        process: Some(process.id.clone()),
                        node: Some(old.clone()),
                        phase: Some(phase),
                        limit: MOVES_MAX,
                        ..TaskQuery::default()
                    };
                    let tasks: Vec<TaskId> =
                        self.store().tasks(&query).await?.iter().map(|it| it.id).collect();
                    found |= !tasks.is_empty();
                    self.move_these(&tasks, new, by).await?;
                    done.extend(tasks);
                }
            }
            if !found {
                break;
            }
        }
        Ok(done.len() as u64)
    }

    async fn move_these(&self, tasks: &[TaskId], to: &NodeName, by: &Actor) -> ServiceResult<()> {
        let commands = tasks.iter().copied().map(|task| async move {
            let command = Command::Move { to: to.clone() };
            let kind = SignalKind::Command { command, by: by.name.clone() };
            let posted = self.handle.post(Signal { to: SignalTarget::Task(task), kind }).await;
            match posted {
                // A task that ended meanwhile is gone from the node as well.
                Ok(reading) => drop(self.read(reading).await),
                Err(crate::engine::batch::SubmitError::NoTask(_)) => {}
                Err(other) => return Err(ServiceError::from(other)),
            }
            Ok(())
        });
        let mut commands = futures::stream::iter(commands).buffer_unordered(MOVES_MAX);
        while let Some(done) = commands.next().await {
            done?;
        }
        Ok(())
    }

    /// Live tasks on nodes that `process` has no more and `moves` does not name.
    async fn stranded(
        &self,
        process: &Process,
        moves: &BTreeMap<NodeName, NodeName>,
    ) -> ServiceResult<Vec<Stranded>> {
        let standing = self.standing(process, Phase::is_live).await?;
        let left = standing.into_iter().filter(|(node, _)| !moves.contains_key(node));
        Ok(left.map(|(node, tasks)| Stranded { node, tasks }).collect())
    }

    /// How many tasks in such a phase stand on nodes that `process` has no more.
    async fn standing(
        &self,
        process: &Process,
        phase: fn(Phase) -> bool,
    ) -> ServiceResult<BTreeMap<NodeName, u64>> {
        let counts = self.store().counts(Some(&process.id)).await?;
        let gone = |it: &&Count| it.tasks > 0 && phase(it.phase) && process.node(&it.node).is_none();
        let mut standing = BTreeMap::new();
        for count in counts.iter().filter(gone) {
            *standing.entry(count.node.clone()).or_default() += count.tasks;
        }
        Ok(standing)
    }

    /// Lets the runner look at every task of a process that lay down, and notes that none does any more.
    pub(super) async fn wake_all(&self, id: &ProcessId) -> ServiceResult<()> {
        let is_settled = self.all_settled(id).await;
        self.store().wake_parked(id, self.now()).await?;
        self.watch_others();
        if !is_settled {
            let message = format!("tasks of `{id}` are woken as soon as the store has taken what they did");
            return Err(ServiceError::conflict(UNSETTLED, message));
        }
        if let Some(kept) = self.kept_of(id).filter(|it| it.wake_parked)
            && let Err(error) = self.keep_process(id, KeptProcess { wake_parked: false, ..kept }).await
        {
            // They are woken once more at the next start, and rest again.
            tracing::warn!(process = %id, %error, "that no task lies down is not kept");
        }
        Ok(())
    }

    /// Waits for the steps that were decided while the process rested: those that are committed after the
    /// tasks are woken would lie down for ever. Says whether there are none any more.
    async fn all_settled(&self, id: &ProcessId) -> bool {
        let deadline = self.clock().ticks() + SETTLED_MAX;
        while self.registry().is_held(id) {
            if self.clock().ticks() >= deadline {
                return false;
            }
            self.clock().after(SETTLED_PAUSE).await;
        }
        true
    }

    /// A new version may watch other nodes.
    fn watch_others(&self) {
        let now = self.now();
        self.board().wake_by(self.board().backlogs.touch(now));
        self.board().wake_by(now);
    }

    /// What is kept of a deployed process.
    pub(super) fn kept_of(&self, id: &ProcessId) -> Option<KeptProcess> {
        self.kept.read().unwrap_or_else(std::sync::PoisonError::into_inner).get(id).cloned()
    }

    pub(super) async fn keep_process(&self, id: &ProcessId, kept: KeptProcess) -> ServiceResult<()> {
        if self.kept_of(id).as_ref() != Some(&kept) {
            self.store().put(vec![record(Collection::Process, id.as_str(), &kept, kept.at)?]).await?;
            self.remember(id, kept);
        }
        Ok(())
    }

    pub(super) fn remember(&self, id: &ProcessId, kept: KeptProcess) {
        let mut all = self.kept.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        all.insert(id.clone(), kept);
    }
}

/// The process of a text, or all that is wrong with it.
pub(super) fn read(text: &str, file: Option<&str>) -> ServiceResult<Process> {
    parse(text).map_err(|problems| told(settle(problems, text), text, file))
}

fn told(problems: Vec<FileProblem>, text: &str, file: Option<&str>) -> ServiceError {
    let problems = problems.into_iter();
    let problems: Vec<FileProblem> = match file {
        Some(file) => problems.map(|it| it.in_file(file)).collect(),
        None => problems.collect(),
    };
    let text = render(&problems, text, false);
    ServiceError::Problems { problems, text }
}

/// Where tasks go whose node is no more, checked. An `input` holds nothing, so a new one takes the place of
/// the old.
fn moves(
    it: &Deployment,
    old: Option<&Deployed>,
    process: &Process,
) -> ServiceResult<BTreeMap<NodeName, NodeName>> {
    for (from, to) in &it.moves {
        if process.node(from).is_some() {
            let message = format!("node `{from}` is in this version too, so tasks stay on it");
            return Err(ServiceError::bad("bad_move", message));
        }
        if process.node(to).is_none() {
            let message = format!("tasks cannot move to `{to}`: this version has no such node");
            return Err(ServiceError::bad("bad_move", message));
        }
    }
    let mut moves = it.moves.clone();
    if let Some(old) = old
        && process.node(&old.process.start).is_none()
    {
        moves.entry(old.process.start.clone()).or_insert_with(|| process.start.clone());
    }
    Ok(moves)
}

/// What is kept of a process cannot be read.
pub(super) fn damaged(id: &ProcessId, why: &str) -> ServiceError {
    let message = format!(
        "what the store keeps of process `{id}` is damaged ({why}), and it does not run; hint: deploy it by \
         hand, which writes it anew (it does not rest then), or restore a backup"
    );
    ServiceError::conflict("damaged", message)
}
