//! Who called a task, and which tasks it called: for who looks from one to the other.

use crate::engine::ports::TaskQuery;
use crate::model::names::{Address, ProcessId, TaskId};
use crate::model::task::Task;
use crate::process::process::Node;
use crate::service::actor::{Actor, Right};
use crate::service::errors::ServiceResult;
use crate::service::service::Service;

/// How many called tasks are shown.
const CHILDREN_MAX: usize = 20;
/// How many nodes that call are looked through.
const NODES_MAX: usize = 10;
/// How the refs begin that the engine gives to called tasks: `call-TASK-VISIT-TRY`, and so on.
const PREFIXES: [&str; 3] = ["call-", "each-", "chunk-"];

/// Who called a task, and which tasks it called.
#[derive(Clone, Debug, Default)]
pub struct CallTreeView {
    /// The task that called it.
    pub parent: Option<RelativeView>,
    /// The tasks it called, of those that have refs of the engine's: the oldest first.
    pub children: Vec<RelativeView>,
    /// There are more of them.
    pub more: bool,
    /// The processes that the node calls on which it stands now.
    pub calls: Vec<String>,
}

/// A task that another one is told of with.
#[derive(Clone, Debug)]
pub struct RelativeView {
    /// Its process.
    pub process: String,
    /// Its name.
    pub reference: String,
    /// That very task.
    pub id: String,
    /// `ready`, `doing`, `waiting`, `done`, `failed` or `cancelled`.
    pub state: &'static str,
    /// The title of the node it stands on.
    pub title: String,
    /// The other task waits for its reply now.
    pub awaited: bool,
}

impl Service {
    /// The relatives of the task at `address`, as far as `by` may see them.
    pub async fn call_tree(
        &self,
        by: &Actor,
        address: &Address,
        id: Option<TaskId>,
    ) -> ServiceResult<CallTreeView> {
        by.need(Right::Read, &address.process)?;
        let task = self.task_at(address, id).await?;
        let mut call_tree = CallTreeView { parent: self.parent(by, &task).await?, ..CallTreeView::default() };
        let Some(deployed) = self.registry().get(&task.process) else { return Ok(call_tree) };
        let calls = |node: &Node| node.kind.calls().into_iter().map(str::to_owned).collect();
        call_tree.calls =
            deployed.process.node(&task.at).filter(|it| is_call(it)).map(calls).unwrap_or_default();
        let callers = deployed.process.nodes.iter().filter(|it| is_call(it)).take(NODES_MAX);
        let mut wanted: Vec<(ProcessId, String)> = callers.flat_map(|it| prefixes(&task, it)).collect();
        wanted.sort();
        wanted.dedup();
        let mut found = Vec::new();
        for (process, prefix) in wanted.into_iter().filter(|(it, _)| by.may(Right::Read, it)) {
            let query = TaskQuery {
                process: Some(process),
                ref_prefix: Some(prefix),
                limit: CHILDREN_MAX + 1,
                ..TaskQuery::default()
            };
            found.extend(self.store().tasks(&query).await?);
        }
        found.sort_by_key(|it| it.id);
        call_tree.more = found.len() > CHILDREN_MAX;
        call_tree.children =
            found.iter().take(CHILDREN_MAX).map(|it| self.relative(it, Some(&task))).collect();
        Ok(call_tree)
    }

    /// The task that called: the one that waits for the reply, or the one that the ref tells of.
    async fn parent(&self, by: &Actor, task: &Task) -> ServiceResult<Option<RelativeView>> {
        if let Some(caller) = &task.caller {
            let parent = self.store().task(caller.task).await?;
            return Ok(self.seen(by, parent));
        }
        let told = PREFIXES.iter().find_map(|it| task.reference.as_str().strip_prefix(it));
        let told = told.and_then(|it| it.split('-').next()?.parse().ok()).map(TaskId);
        let Some(id) = told.filter(|it| *it != task.id) else { return Ok(None) };
        // Anybody may call a task so; only a process that calls this one can have done it.
        let parent = self.store().task(id).await?.filter(|it| self.may_call(it, task));
        Ok(self.seen(by, parent))
    }

    fn seen(&self, by: &Actor, parent: Option<Task>) -> Option<RelativeView> {
        parent.filter(|it| by.may(Right::Read, &it.process)).map(|it| self.relative(&it, None))
    }

    fn may_call(&self, parent: &Task, child: &Task) -> bool {
        let deployed = self.registry().get(&parent.process);
        let mut nodes = deployed.iter().flat_map(|it| &it.process.nodes).filter(|it| is_call(it));
        nodes.any(|it| {
            let calls = it.kind.calls();
            calls.is_empty() || calls.contains(&child.process.as_str())
        })
    }

    fn relative(&self, it: &Task, caller: Option<&Task>) -> RelativeView {
        let deployed = self.registry().get(&it.process);
        let node = deployed.as_ref().and_then(|deployed| deployed.process.node(&it.at));
        let waits = |caller: &Task| it.caller.as_ref().is_some_and(|own| own.task == caller.id);
        RelativeView {
            process: it.process.to_string(),
            reference: it.reference.to_string(),
            id: it.id.to_string(),
            state: it.state.phase().as_str(),
            title: node.map_or_else(|| it.at.to_string(), |node| node.title.clone()),
            awaited: it.state.phase().is_live() && caller.is_some_and(waits),
        }
    }
}

fn is_call(node: &Node) -> bool {
    matches!(node.kind_name, "call" | "each")
}

/// Where the tasks are that this node of the task calls, and how their refs begin.
fn prefixes(task: &Task, node: &Node) -> Vec<(ProcessId, String)> {
    let kind = node.kind_name;
    let called = node.kind.calls().into_iter().filter_map(|it| ProcessId::new(it).ok());
    let mut all: Vec<_> = called.map(|it| (it, format!("{kind}-{}-", task.id))).collect();
    if kind == "each" {
        all.push((task.process.clone(), format!("chunk-{}-", task.id)));
    }
    all
}
