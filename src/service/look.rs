//! Looking: tasks, histories, params, alarms, events. What is shown is masked.

use serde_json::Value;
use tokio::sync::watch;

use crate::engine::mask::cleaned;
use crate::engine::ports::TaskQuery;
use crate::model::marks::{Marks, place_of};
use crate::model::names::{Address, NodeName, ProcessId, TaskId};
use crate::model::task::Phase;
use crate::process::process::Process;
use crate::service::actor::{Actor, Right};
use crate::service::errors::{ServiceError, ServiceResult};
use crate::service::param_filter::{ParamFilter, dig};
use crate::service::service::Service;
use crate::service::view::{EventView, HistoryEventView, ListPage, TaskView};

/// How many items a page has if nothing is said.
pub const PAGE_DEFAULT: usize = 50;
/// How many items a page has at most.
pub const PAGE_MAX: usize = 500;
/// How many history entries are looked at for one page; each holds a few events.
const ENTRIES_MAX: usize = 500;
/// How many pages are looked through for one page of what somebody may see.
const LOOKS_MAX: usize = 20;
/// How many tasks are read at once where they are found by what they carry, which is sealed: all the looks
/// together are the most that one answer costs.
const FILTERED_MAX: usize = 100;

/// Which tasks to list.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of that process.
    pub process: Option<ProcessId>,
    /// On that node.
    pub node: Option<NodeName>,
    /// In that state.
    pub phase: Option<Phase>,
    /// Whose ref begins with that.
    pub ref_prefix: Option<String>,
    /// With such a param. Of what is not looked at in one answer, a cursor says where to look on.
    pub param: Option<ParamFilter>,
    /// Where the page begins.
    pub cursor: Option<String>,
    /// How many.
    pub limit: Option<usize>,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Hits {
    /// Processes: id and title.
    pub processes: Vec<(ProcessId, String)>,
    /// Tasks.
    pub tasks: Vec<TaskView>,
}

impl Service {
    /// The task at `address`, live or ended last, or that very one.
    pub async fn task(&self, by: &Actor, address: &Address, id: Option<TaskId>) -> ServiceResult<TaskView> {
        by.need(Right::Read, &address.process)?;
        let task = self.task_at(address, id).await?;
        Ok(self.shown_if_deployed(by, &task))
    }

    /// Tasks, oldest first, a page at a time. Without a process: of all that `by` may see.
    pub async fn tasks(&self, by: &Actor, filter: Filter) -> ServiceResult<ListPage<TaskView>> {
        match &filter.process {
            Some(process) => {
                by.need(Right::Read, process)?;
                let deployed = self.deployed(process)?;
                filter.param.as_ref().map_or(Ok(()), |it| it.allowed_in(&deployed.process))?;
            }
            None if by.has(Right::Read) => {}
            None => return Err(ServiceError::Denied { right: Right::Read, process: None }),
        }
        let (limit, by_param) = (limit(filter.limit)?, filter.param);
        let mut query = TaskQuery {
            process: filter.process,
            node: filter.node,
            phase: filter.phase,
            ref_prefix: filter.ref_prefix.filter(|it| !it.is_empty()),
            after: filter.cursor.as_deref().map(cursor).transpose()?.map(TaskId),
            limit: if by_param.is_some() { FILTERED_MAX } else { limit },
        };
        let (mut items, mut looked, process) = (Vec::new(), 0, query.process.clone());
        let aside = || self.set_aside(by, process.as_ref());
        let told = |looked: u64| by_param.is_some().then_some(looked);
        for _ in 0..LOOKS_MAX {
            let found = self.store().tasks(&query).await?;
            let whole = found.len() < query.limit;
            for task in found {
                query.after = Some(task.id);
                if by.may(Right::Read, &task.process) {
                    looked += 1;
                    let shown = self.shown_if_deployed(by, &task);
                    items.extend(Some(shown).filter(|it| by_param.as_ref().is_none_or(|by| by.finds(it))));
                }
                if items.len() == limit {
                    break;
                }
            }
            if whole && items.len() < limit {
                return Ok(ListPage { looked: told(looked), damaged: aside(), ..ListPage::whole(items) });
            }
            if items.len() == limit {
                break;
            }
        }
        let next = query.after.map(|it| it.to_string());
        Ok(ListPage { next, looked: told(looked), damaged: aside(), ..ListPage::whole(items) })
    }

    /// Processes and tasks that `by` may see: those with `text` in their id or title, and those whose ref
    /// begins with it. At most `many` of each.
    pub async fn search(&self, by: &Actor, text: &str, many: usize) -> ServiceResult<Hits> {
        if !by.has(Right::Read) {
            return Err(ServiceError::Denied { right: Right::Read, process: None });
        }
        if text.is_empty() {
            return Ok(Hits::default());
        }
        let low = text.to_lowercase();
        let all = self.registry().all();
        let mine = all.values().filter(|it| by.may(Right::Read, &it.process.id));
        let mut mine: Vec<&Process> = mine.map(|it| &*it.process).collect();
        mine.sort_by(|one, other| one.id.cmp(&other.id));
        let like = |it: &&&Process| format!("{} {}", it.id, it.title).to_lowercase().contains(&low);
        let processes = mine.iter().filter(like).take(many).map(|it| (it.id.clone(), it.title.clone()));
        let among: Vec<ProcessId> = mine.iter().map(|it| it.id.clone()).collect();
        let tasks = self.store().named(&among, text, many).await?;
        let tasks = tasks.iter().map(|task| self.shown_if_deployed(by, task)).collect();
        Ok(Hits { processes: processes.collect(), tasks })
    }

    /// A task's history, oldest first, a page at a time.
    pub async fn history(
        &self,
        by: &Actor,
        address: &Address,
        id: Option<TaskId>,
        after: Option<&str>,
        many: Option<usize>,
    ) -> ServiceResult<ListPage<HistoryEventView>> {
        by.need(Right::Read, &address.process)?;
        let task = self.task_at(address, id).await?;
        let entries_max = limit(many)?.min(ENTRIES_MAX);
        let after = after.map(cursor).transpose()?.unwrap_or(0);
        let after = u64::try_from(after).map_err(|_| bad_cursor())?;
        let entries = self.store().history(task.id, after, entries_max).await?;
        let next = (entries.len() == entries_max).then(|| entries.last().map(|it| it.seq.to_string()));
        let events = entries.into_iter().flat_map(|entry| {
            let seq = entry.seq;
            entry.events.into_iter().map(move |event| HistoryEventView::new(seq, event))
        });
        Ok(ListPage { next: next.flatten(), ..ListPage::whole(events.collect()) })
    }

    /// The value at `path` of a task's params. A secret needs the right, and is noted.
    pub async fn param(
        &self,
        by: &Actor,
        address: &Address,
        id: Option<TaskId>,
        path: &str,
    ) -> ServiceResult<Value> {
        by.need(Right::Read, &address.process)?;
        let task = self.task_at(address, id).await?;
        let (keys, value) = dig(&task.params, path).ok_or_else(|| ServiceError::missing("param", path))?;
        let deployed = self.registry().get(&task.process);
        let open = deployed.is_some_and(|it| {
            let secret = &it.process.secret;
            let is_secret = secret.contains(keys[0]) || task.params.marks().touches(&place_of(&keys));
            !is_secret && cleaned(value, &Marks::default(), &task, secret) == *value
        });
        if !open {
            by.need(Right::Secrets, &address.process)?;
            self.audit(by, "secret.read", format!("{address} {path}")).await?;
        }
        Ok(value.clone())
    }

    /// Live tasks with an open alarm that `by` may see, oldest first, from behind `after` on, a page at a
    /// time.
    pub async fn alarms(
        &self,
        by: &Actor,
        after: Option<&str>,
        many: Option<usize>,
    ) -> ServiceResult<ListPage<TaskView>> {
        if !by.has(Right::Read) {
            return Err(ServiceError::Denied { right: Right::Read, process: None });
        }
        let limit = limit(many.or(Some(PAGE_MAX)))?;
        let mut after = after.map(cursor).transpose()?.map(TaskId);
        let mut items = Vec::new();
        for _ in 0..LOOKS_MAX {
            let found = self.store().alarms(after, PAGE_MAX).await?;
            let whole = found.len() < PAGE_MAX;
            for task in &found {
                if items.len() == limit {
                    break;
                }
                after = Some(task.id);
                if by.may(Right::Read, &task.process) {
                    items.push(self.shown_if_deployed(by, task));
                }
            }
            let is_last = found.last().map(|it| it.id) == after || found.is_empty();
            if whole && is_last {
                return Ok(ListPage::whole(items));
            }
            if items.len() == limit {
                break;
            }
        }
        Ok(ListPage { next: after.map(|it| it.to_string()), ..ListPage::whole(items) })
    }

    /// What happened after `after`, oldest first, of what `by` may see; and where to look on from.
    pub async fn events(
        &self,
        by: &Actor,
        process: Option<&ProcessId>,
        after: u64,
    ) -> ServiceResult<(Vec<EventView>, u64)> {
        match process {
            Some(process) => by.need(Right::Read, process)?,
            None if by.has(Right::Read) => {}
            None => return Err(ServiceError::Denied { right: Right::Read, process: None }),
        }
        let entries = self.store().events(after, ENTRIES_MAX).await?;
        let last = entries.last().map_or(after, |it| it.seq);
        let mine = entries.into_iter().filter(|entry| {
            by.may(Right::Read, &entry.process) && process.is_none_or(|it| *it == entry.process)
        });
        Ok((mine.map(EventView::from).collect(), last))
    }

    /// The number of the newest event.
    pub async fn last_event(&self) -> ServiceResult<u64> {
        Ok(self.store().last_event().await?)
    }

    /// How many times tasks have moved, as far as this engine knows.
    pub fn last_move(&self) -> u64 {
        self.board().last_move()
    }

    /// Whether a task has moved since that `by` may see, of that process if one is given. From memory: it
    /// costs the same however much happens.
    pub fn moved_since(&self, by: &Actor, last: u64, process: Option<&ProcessId>) -> bool {
        self.board().moved_since(last, process, |it| by.may(Right::Read, it))
    }

    /// Changes with every commit.
    pub fn commits(&self) -> watch::Receiver<u64> {
        self.board().commits()
    }
}

/// How many items a page has.
pub(super) fn limit(many: Option<usize>) -> ServiceResult<usize> {
    match many {
        None => Ok(PAGE_DEFAULT),
        Some(many @ 1..=PAGE_MAX) => Ok(many),
        Some(many) => {
            let message = format!("`limit` is from 1 to {PAGE_MAX}, and this is {many}");
            Err(ServiceError::bad("bad_limit", message))
        }
    }
}

fn cursor(text: &str) -> ServiceResult<i64> {
    text.parse().map_err(|_| bad_cursor())
}

fn bad_cursor() -> ServiceError {
    ServiceError::bad("bad_cursor", "this is no cursor; hint: take `next` of the page before")
}
