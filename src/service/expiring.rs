//! The values that die: which task needs a person soonest, read anew for a list, and from memory for metrics.

use serde::Serialize;
use utoipa::ToSchema;

use crate::engine::expiries::{EXPIRIES_MAX, ExpiringValue, ExpiryIndex};
use crate::engine::ports::TaskQuery;
use crate::model::names::{ProcessId, TaskId};
use crate::model::task::{Phase, Task};
use crate::process::process::Process;
use crate::service::actor::{Actor, Right};
use crate::service::errors::{ServiceError, ServiceResult};
use crate::service::look::limit;
use crate::service::service::Service;
use crate::service::view::{ListPage, ParamExpiryView};

/// How many tasks are read from the store at once.
const PAGE: usize = 500;
/// How many tasks are looked through for a list.
const LOOKS_MAX: usize = 2_000;

/// A task with values that die.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Expiring)]
pub struct ExpiringView {
    /// Its process.
    pub process: String,
    /// Its name.
    #[serde(rename = "ref")]
    pub reference: String,
    /// That very task.
    pub id: String,
    /// The node it stands on.
    pub node: String,
    /// Which of its values die, and when.
    pub expiries: Vec<ParamExpiryView>,
}

/// The store is being read for the lives, for as long as this is there, however that ends.
struct BeingRead<'a>(&'a ExpiryIndex);

impl BeingRead<'_> {
    fn begin(expiries: &ExpiryIndex) -> BeingRead<'_> {
        expiries.reading();
        BeingRead(expiries)
    }
}

impl Drop for BeingRead<'_> {
    fn drop(&mut self) {
        self.0.read();
    }
}

impl Service {
    /// The live tasks with values that die, of all that `by` may see; the one that needs a person soonest is
    /// first.
    pub async fn expiries(
        &self,
        by: &Actor,
        process: Option<&ProcessId>,
        many: Option<usize>,
    ) -> ServiceResult<ListPage<ExpiringView>> {
        match process {
            Some(process) => {
                by.need(Right::Read, process)?;
                self.deployed(process)?;
            }
            None if by.has(Right::Read) => {}
            None => return Err(ServiceError::Denied { right: Right::Read, process: None }),
        }
        let many = limit(many)?;
        let mine = |it: &ExpiringValue| {
            let own = &it.address.process;
            by.may(Right::Read, own) && process.is_none_or(|it| it == own)
        };
        let mut items = Vec::new();
        for expiring in self.board().expiries.soonest(LOOKS_MAX).0.into_iter().filter(mine).take(many) {
            items.extend(self.expiring(expiring.id).await?);
        }
        Ok(ListPage::whole(items))
    }

    /// A task as the store has it, if it still has values that die. Another engine on the same store may have
    /// moved it.
    async fn expiring(&self, id: TaskId) -> ServiceResult<Option<ExpiringView>> {
        let task = self.store().task(id).await?.filter(|it| it.state.phase().is_live());
        let Some(task) = task else {
            self.board().expiries.forget(id);
            return Ok(None);
        };
        let Some(deployed) = self.registry().get(&task.process) else { return Ok(None) };
        self.board().expiries.note(&deployed.process, &task);
        let expiries = deployed.process.expiries(&task.params);
        let view = |task: &Task| ExpiringView {
            process: task.process.to_string(),
            reference: task.reference.to_string(),
            id: task.id.to_string(),
            node: task.at.to_string(),
            expiries: expiries.iter().map(|expiry| ParamExpiryView::new(expiry, self.now())).collect(),
        };
        Ok((!expiries.is_empty()).then(|| view(&task)))
    }

    /// The same from memory alone: the `many` that need a person soonest, and how many there are in all.
    pub fn soonest(&self, many: usize) -> (Vec<ExpiringValue>, usize) {
        self.board().expiries.soonest(many)
    }

    /// Reads the lives of a process's tasks, as at the start, or when it has just come to name them.
    pub(super) async fn load_expiries(&self, process: &Process) -> ServiceResult<()> {
        // What an earlier version said of them does not hold any more.
        self.board().expiries.clear(&process.id);
        if !process.has_expiries() {
            return Ok(());
        }
        let _being_read = BeingRead::begin(&self.board().expiries);
        self.read_expiries(process).await
    }

    async fn read_expiries(&self, process: &Process) -> ServiceResult<()> {
        let mut seen = 0;
        for phase in Phase::ALL.into_iter().filter(|it| it.is_live()) {
            let id = Some(process.id.clone());
            let mut query =
                TaskQuery { process: id, phase: Some(phase), limit: PAGE, ..TaskQuery::default() };
            loop {
                let tasks = self.store().tasks(&query).await?;
                for task in &tasks {
                    self.board().expiries.note(process, task);
                }
                seen += tasks.len();
                match tasks.last().filter(|_| tasks.len() == PAGE && seen < EXPIRIES_MAX) {
                    Some(last) => query.after = Some(last.id),
                    None => break,
                }
            }
        }
        Ok(())
    }
}
