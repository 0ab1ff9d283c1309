//! The three edges: [`Store`] keeps, [`Outbound`] performs, [`Clock`] tells the time. All I/O passes through
//! them.

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::engine::damage::Damage;
use crate::engine::transition::{SignalId, Transition};
use crate::model::effect::{Effect, Outcome};
use crate::model::names::{Address, NodeName, ProcessId, Ref, TaskId};
use crate::model::signal::Signal;
use crate::model::task::{Alarm, HistoryEvent, Phase, Task};
use crate::model::time::{Span, Ticks, Timestamp};

/// Keeps tasks. Every method is atomic, and durable when it returns.
///
/// What a keeper does by itself, and nothing else:
/// * a signal to a task goes into its inbox; a task that is not doing and has signals is due at once;
/// * a signal to a task that has ended is refused, but for a command to that very task, which may bring it
///   back; a reply to one is dropped: the caller left;
/// * a signal that creates makes a task that is ready and due at once;
/// * counts of tasks by process, node and phase are kept right in the same commit.
#[async_trait]
pub trait Store: Send + Sync {
    /// Takes up to `limit` tasks that are due and that nobody holds: live ones first, longest due first, and
    /// then those that have ended and are to be removed. Until `now + lease`, or until it is committed,
    /// nobody claims it again; its `epoch` is raised, and a commit under an older one is refused. The
    /// claim carries the new epoch, the task as it is, and all signals of the inbox. A store that only one
    /// program can open keeps leases and epochs of claims in memory: they end with that program.
    async fn claim(&self, now: Timestamp, lease: Span, limit: usize) -> Result<Vec<Claim>, StoreError>;

    /// Keeps all of `writes` in one commit, in order; each is taken or refused by itself, whole. An error
    /// concerns the whole store, and nothing of the call was kept.
    async fn commit(&self, writes: Vec<Write>) -> Result<Vec<Result<Receipt, Refused>>, StoreError>;

    /// The live tasks at `addresses`, in their order.
    async fn read(&self, addresses: &[Address]) -> Result<Vec<Option<Task>>, StoreError>;

    /// Makes due at `now` whatever a runner held that is no more: all that is doing something. To be called
    /// by a runner that begins, before it claims. A store that others may have open does nothing: what they
    /// hold is theirs until their leases end.
    async fn resume(&self, now: Timestamp) -> Result<u64, StoreError>;

    /// When the next task can be claimed: it is due, or a lease ends.
    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError>;

    /// Makes the live, not doing tasks of `process` that have no `due` due at `now`; says how many.
    async fn wake_parked(&self, process: &ProcessId, now: Timestamp) -> Result<u64, StoreError>;

    /// Makes the tasks numbered above `after` that are not doing due earlier by `by`, of at most `limit`
    /// tasks at a time: the wall clock was set back. Gives the number to go on after; none if those were the
    /// last. From [`TaskId::FIRST`] on, claims that this process alone knows of end earlier, too.
    async fn pull_due(&self, by: Span, after: TaskId, limit: usize) -> Result<Option<TaskId>, StoreError>;

    /// The task of that number, live or ended.
    async fn task(&self, id: TaskId) -> Result<Option<Task>, StoreError>;

    /// The live task at `address`, or else the one that ended last.
    async fn find(&self, address: &Address) -> Result<Option<Task>, StoreError>;

    /// The task that was submitted under that idempotency key, live or ended.
    async fn keyed(&self, key: &str) -> Result<Option<Task>, StoreError>;

    /// Tasks, oldest first.
    async fn tasks(&self, query: &TaskQuery) -> Result<Vec<Task>, StoreError>;

    /// Some tasks of these processes whose ref begins so, at most `limit`, process by process. It is the way
    /// to look for a name among very many: nothing is sorted.
    async fn named(&self, among: &[ProcessId], prefix: &str, limit: usize) -> Result<Vec<Task>, StoreError>;

    /// A task's history after `after`, oldest first. Each entry is what one commit wrote.
    async fn history(&self, id: TaskId, after: u64, limit: usize) -> Result<Vec<HistoryEntry>, StoreError>;

    /// All histories after `after`, in the order of their commits.
    async fn events(&self, after: u64, limit: usize) -> Result<Vec<HistoryEntry>, StoreError>;

    /// The number of the newest entry of all histories; 0 if there is none.
    async fn last_event(&self) -> Result<u64, StoreError>;

    /// How many tasks stand where, of one process or of all. Places without tasks may be left out.
    async fn counts(&self, process: Option<&ProcessId>) -> Result<Vec<Count>, StoreError>;

    /// Live tasks with an open alarm, those that wait for a person, oldest first, from behind `after` on.
    async fn alarms(&self, after: Option<TaskId>, limit: usize) -> Result<Vec<Task>, StoreError>;

    /// How many live tasks have an open alarm, and how those fare: true at any number.
    async fn alarm_counts(&self) -> Result<AlarmCounts, StoreError> {
        let mut counts = AlarmCounts::default();
        for task in self.alarms(None, usize::MAX).await? {
            task.alarm.iter().for_each(|it| counts.count(it));
        }
        Ok(counts)
    }

    /// Keeps records, replacing those of the same collection and name, in one commit.
    async fn put(&self, records: Vec<Record>) -> Result<(), StoreError>;

    /// Forgets a record; says whether there was one.
    async fn delete(&self, collection: Collection, name: &str) -> Result<bool, StoreError>;

    /// The records of a collection, by name.
    async fn collection(&self, collection: Collection) -> Result<Vec<Record>, StoreError>;

    /// One record.
    async fn record(&self, collection: Collection, name: &str) -> Result<Option<Record>, StoreError>;

    /// The records of a stretch of a collection, by name, and no more than was asked for.
    async fn scan(&self, stretch: &Stretch) -> Result<Vec<Record>, StoreError>;

    /// Forgets all records of a collection whose names come before `name`; says how many there were.
    async fn delete_before(&self, collection: Collection, name: &str) -> Result<u64, StoreError>;

    /// Proves that the store takes writes: a small one is committed, or one was within the last second. An
    /// error says why not. It may take as long as a commit does; who cannot wait sets a limit.
    ///
    /// A store that only wraps another gets an empty commit of itself, and so its own failures.
    async fn probe(&self) -> Result<(), StoreError> {
        self.commit(Vec::new()).await.map(drop)
    }

    /// Finishes what was asked for; a store that outlives the program takes no write after that. What is kept
    /// in one file stands in that file alone once this returns, though others may still read it.
    async fn close(&self) {}

    /// How much room there is for writes, as it was measured last: with every checkpoint, and every few
    /// seconds. No I/O. [`DiskRoom::Low`]: take no new work in. [`DiskRoom::Full`]: ask nothing whose answer
    /// must not be lost.
    fn room(&self) -> DiskRoom {
        DiskRoom::Enough
    }

    /// What is known to be unreadable. A row that cannot be read is left out of lists, is never claimed, and
    /// stays where it is; asked for by its name it is [`StoreError::Corrupt`]. No I/O.
    fn damage(&self) -> Arc<Damage> {
        Arc::default()
    }

    /// Reads on from `from`, about `limit` rows, and notes what cannot be read in [`Store::damage`]. It
    /// begins at the default mark and has ended when there is no next one. Low in cost: it holds up no
    /// writer.
    async fn check(&self, _from: CheckMark, _limit: usize) -> Result<Checked, StoreError> {
        Ok(Checked::default())
    }
}

/// One thing to commit.
#[derive(Clone, Debug, PartialEq)]
pub enum Write {
    /// A task moves, or is new.
    Step(Box<Transition>),
    /// A signal from outside, at that moment.
    Post(Signal, Timestamp),
    /// The same, with a record that it was posted: both or neither.
    Noted(Signal, Record, Timestamp),
}

/// How much room a store has for writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DiskRoom {
    /// For everything.
    #[default]
    Enough,
    /// For what runs. New work is refused until `again_bytes` are free.
    Low {
        /// Free, with what is kept in reserve.
        free_bytes: u64,
        /// From when on new work is taken again.
        again_bytes: u64,
    },
    /// There may be none for one more answer.
    Full {
        /// Free, with what is kept in reserve.
        free_bytes: u64,
    },
}

impl DiskRoom {
    /// Whether there is room for new work.
    pub fn is_enough(self) -> bool {
        self == DiskRoom::Enough
    }

    /// Whether there is room for one more answer.
    pub fn takes_answers(self) -> bool {
        !matches!(self, DiskRoom::Full { .. })
    }

    /// How much is free, if it is less than enough.
    pub fn free_bytes(self) -> u64 {
        match self {
            DiskRoom::Enough => u64::MAX,
            DiskRoom::Low { free_bytes, .. } | DiskRoom::Full { free_bytes } => free_bytes,
        }
    }
}

/// How far a check has come: which part of the store, and the last row of it that was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CheckMark {
    /// The number of the part, as the store counts them.
    pub part: usize,
    /// The number of the last row.
    pub after: Option<i64>,
}

/// What a stretch of a check has read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// How many rows.
    pub rows: u64,
    /// Where it goes on; none at the end.
    pub next: Option<CheckMark>,
}

/// What a write that was taken brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// The number of the signal, for [`Write::Post`] to a task.
    pub signal: Option<SignalId>,
    /// The stepped task has signals waiting and is due at once.
    pub mail: bool,
}

/// Why a write was refused. Nothing of it was kept.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refused {
    /// The task was claimed again since, or is gone.
    #[error("the task was claimed by another runner")]
    Stale,
    /// A new task's name is taken, its own or that of one it creates.
    #[error("`{0}` is taken")]
    RefTaken(Address),
    /// A signal is for a task that is not there or has ended.
    #[error("there is no live task `{0}`")]
    NoTask(String),
    /// A task was submitted under that idempotency key before.
    #[error("submitted before as task {0}")]
    Repeated(TaskId),
    /// This one write cannot be kept, however often it is tried, while others can: why.
    #[error("it cannot be written: {0}")]
    Unwritable(String),
}

/// A task in hand.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// The task; `due` as it was before the claim, `epoch` as the claim raised it.
    pub task: Task,
    /// Its inbox, oldest first.
    pub signals: Vec<(SignalId, Signal)>,
}

/// Which tasks to list. Every field narrows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TaskQuery {
    /// Of that process.
    pub process: Option<ProcessId>,
    /// On that node.
    pub node: Option<NodeName>,
    /// In that phase.
    pub phase: Option<Phase>,
    /// Whose ref begins with that.
    pub ref_prefix: Option<String>,
    /// Numbered above that.
    pub after: Option<TaskId>,
    /// At most so many.
    pub limit: usize,
}

/// What one commit wrote into a task's history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HistoryEntry {
    /// Its number among all entries; grows with each commit.
    pub seq: u64,
    /// The task.
    pub task: TaskId,
    /// Its process.
    pub process: ProcessId,
    /// Its name.
    pub reference: Ref,
    /// Its state after.
    pub phase: Phase,
    /// The events.
    pub events: Vec<HistoryEvent>,
}

/// How many tasks stand somewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// The process.
    pub process: ProcessId,
    /// The node.
    pub node: NodeName,
    /// The state.
    pub phase: Phase,
    /// How many.
    pub tasks: u64,
}

/// How many alarms are open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlarmCounts {
    /// Told to nobody, and nobody has acknowledged it.
    pub undelivered: u64,
    /// Told to somebody, and nobody has acknowledged it.
    pub notified: u64,
    /// Somebody has acknowledged it.
    pub acknowledged: u64,
}

impl AlarmCounts {
    /// All of them.
    pub fn open(&self) -> u64 {
        self.undelivered + self.notified + self.acknowledged
    }

    /// One more, that fares so.
    pub fn count(&mut self, alarm: &Alarm) {
        match (&alarm.acknowledged, alarm.notified_at) {
            (Some(_), _) => self.acknowledged += 1,
            (None, None) => self.undelivered += 1,
            (None, Some(_)) => self.notified += 1,
        }
    }
}

/// What is kept beside tasks. Every value is sealed on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Collection {
    /// Deployed processes, by id: the current version and whether it is paused.
    Process,
    /// Texts of all versions, by `id@version`.
    Version,
    /// `secret.NAME`.
    Secret,
    /// `var.NAME`.
    Var,
    /// Channels.
    Channel,
    /// How the channels fare, by name.
    Health,
    /// API tokens, by the hash of each.
    Token,
    /// Who did what.
    Audit,
    /// Signed requests that were taken by hooks.
    Replay,
    /// What schedules have planned, by `process/schedule`.
    Schedule,
    /// What was told of the backlogs on nodes with an alarm, by `process/node`.
    Alarm,
    /// People who may log in, by name.
    User,
    /// Who is logged in, by the hash of what their browser holds.
    Session,
    /// The one-time link of the first start.
    Setup,
    /// How many tasks came and ended of late, by process.
    Flow,
    /// When and by how much the wall clock was set.
    Clock,
    /// What was told of values that are about to die, by `task/param`.
    Watchdog,
}

impl Collection {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Collection::Process => "process",
            Collection::Version => "version",
            Collection::Secret => "secret",
            Collection::Var => "var",
            Collection::Channel => "channel",
            Collection::Token => "token",
            Collection::Audit => "audit",
            Collection::Alarm => "alarm",
            Collection::User => "user",
            Collection::Session => "session",
            Collection::Setup => "setup",
            Collection::Health => "health",
            Collection::Replay => "replay",
            Collection::Schedule => "schedule",
            Collection::Flow => "flow",
            Collection::Clock => "clock",
            Collection::Watchdog => "watchdog",
        }
    }

    /// The place of a record on it, as a store names it.
    pub fn place(self, name: &str) -> String {
        format!("records/{}/{name}", self.as_str())
    }
}

/// Which records of a collection: those from `from` on and before `before`, the first or the last of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// Which collection.
    pub collection: Collection,
    /// The least name.
    pub from: String,
    /// The name that is no longer part of it.
    pub before: String,
    /// The greatest names first.
    pub backwards: bool,
    /// At most so many.
    pub limit: usize,
}

/// One thing in a collection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Which collection.
    pub collection: Collection,
    /// Its name there.
    pub name: String,
    /// What it is.
    pub value: serde_json::Value,
    /// When it was put there.
    pub at: Timestamp,
}

/// The store cannot do its work. Nothing of the call was kept, or it is not known whether it was.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StoreError {
    /// It cannot be reached or written now: a full disk, a lost connection.
    #[error("the store is out of reach: {0}")]
    Lost(String),
    /// What it holds cannot be read.
    #[error("the store holds something unreadable: {0}")]
    Corrupt(String),
}

/// Performs effects.
#[async_trait]
pub trait Outbound: Send + Sync {
    /// Asks, and gives the answer within the effect's timeout.
    async fn perform(&self, effect: &Effect) -> Outcome;
}

/// Tells the time, and wakes at a time. There are two: the *wall clock* is what people mean and what moments
/// are stored in, and it may be set; *ticks* are what this process has lived, and what lies in the process
/// alone is counted in them.
#[async_trait]
pub trait Clock: Send + Sync {
    /// The present moment, by the wall clock. It may step, ahead and back.
    fn now(&self) -> Timestamp;
    /// What this process has lived until now. It never goes back, and neither a step of the wall clock nor a
    /// pause of the process (a stop, a suspend, a starved machine) makes it jump: a pause counts as a second
    /// at most.
    fn ticks(&self) -> Ticks;
    /// How long the machine has been up, suspends included, from any beginning. It goes with the wall clock
    /// for as long as nobody sets that: where the two part, the wall clock has stepped.
    fn up(&self) -> Span;
    /// Returns at `at` or soon after, never before, by the wall clock; it is looked at again every two
    /// seconds, for it may step meanwhile.
    async fn at(&self, at: Timestamp);
    /// Returns when this process has lived until `at`, or soon after.
    async fn at_tick(&self, at: Ticks);
    /// Returns when this process has lived so much longer.
    async fn after(&self, span: Span) {
        self.at_tick(self.ticks() + span).await;
    }
}
