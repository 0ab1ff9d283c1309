//! Processes as people see them: list, one, versions, picture, pause, resume, delete.

use std::collections::{BTreeMap, HashMap};
use std::sync::PoisonError;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::engine::ports::{Collection, Count, Refused, Stretch, TaskQuery, Write};
use crate::engine::registry::Deployed;
use crate::engine::transition::Transition;
use crate::model::names::{NodeName, ProcessId};
use crate::model::task::{Phase, Task};
use crate::model::time::Span;
use crate::process::graph::mermaid;
use crate::process::layout::layout;
use crate::process::process::{Node, ParamKind, ParamSpec};
use crate::process::svg::svg;
use crate::service::actor::{Actor, Right};
use crate::service::deploy::UNSETTLED;
use crate::service::errors::{ServiceError, ServiceResult};
use crate::service::hook_views::HookView;
use crate::service::kept::{KeptProcess, KeptVersion, value, values};
use crate::service::service::{DeployFailure, Service, lock};
use crate::service::templates::find;
use crate::service::view::{ListPage, time};

/// How many ended tasks of a deleted process are removed in one commit.
const REMOVED_MAX: usize = 500;
/// So long births that had begun when a process was closed may take to be committed.
const BIRTH_MAX: Span = Span::secs(5);
const BIRTH_LOOK: Span = Span::millis(2);

/// A process.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Process)]
pub struct ProcessView {
    /// Its id.
    pub id: String,
    /// For people.
    pub title: String,
    /// One line.
    pub about: String,
    /// The hash of its text.
    pub version: String,
    /// It rests.
    pub paused: bool,
    /// No task of it moves now: it is paused, or a deploy waits for answers or moves tasks.
    pub resting: bool,
    /// What a task is submitted with, and what it keeps.
    pub params: Vec<ParamView>,
    /// Its nodes; left out in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nodes: Option<Vec<NodeView>>,
    /// Its named hooks; left out in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hooks: Option<Vec<HookView>>,
    /// How many tasks stand where, by node and state.
    #[schema(value_type = Object)]
    pub counts: BTreeMap<String, BTreeMap<&'static str, u64>>,
    /// Tasks that can still move.
    pub live: u64,
    /// Tasks that came to a bad end.
    pub failed: u64,
    /// The template it was cloned from.
    pub origin: Option<OriginView>,
    /// What is wrong with a newer text that could not be deployed.
    #[schema(value_type = Option<Vec<Object>>)]
    pub problems: Option<Vec<Value>>,
    /// When this version was deployed.
    pub deployed_at: Option<String>,
}

/// A param of a process.
#[expect(clippy::struct_excessive_bools, reason = "they are what the file says, each by itself")]
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Param)]
pub struct ParamView {
    /// Its name.
    pub name: String,
    /// `string`, `number`, `integer`, `boolean`, `object`, `array` or `any`.
    #[serde(rename = "type")]
    #[schema(value_type = String)]
    pub kind: &'static str,
    /// A submit without it is refused.
    pub required: bool,
    /// It is masked.
    pub secret: bool,
    /// Secret, but other processes may read it.
    pub shared: bool,
    /// It is asked for at submit.
    pub input: bool,
    /// Its value dies: the param with that moment, in Unix seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// What it is if it is not given.
    pub default: Option<Value>,
    /// For people.
    pub about: String,
    /// For people.
    pub example: Option<Value>,
}

/// A node of a process.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Node)]
pub struct NodeView {
    /// Its name.
    pub name: String,
    /// Its kind.
    #[schema(value_type = String)]
    pub kind: &'static str,
    /// For people.
    pub title: String,
    /// For people.
    pub about: String,
    /// Where faults go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_error: Option<String>,
}

/// The template a process was cloned from.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Origin)]
pub struct OriginView {
    /// Its name.
    pub template: String,
    /// Its version.
    pub version: String,
    /// The template's version now, if that is another; left out in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newer: Option<String>,
}

/// A version of a process.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Version)]
pub struct VersionView {
    /// The hash of its text.
    pub version: String,
    /// Deployed first at.
    pub at: String,
    /// By whom.
    pub by: String,
    /// The text; left out in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// How a process is pictured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Picture {
    /// As an image.
    Svg,
    /// As Mermaid's text.
    Mermaid,
    /// As data.
    Json,
}

impl Service {
    /// The processes that `by` may see, by id.
    pub async fn processes(&self, by: &Actor) -> ServiceResult<ListPage<ProcessView>> {
        if !by.has(Right::Read) {
            return Err(ServiceError::Denied { right: Right::Read, process: None });
        }
        let mut counts: HashMap<ProcessId, Vec<Count>> = HashMap::new();
        for count in self.store().counts(None).await? {
            counts.entry(count.process.clone()).or_default().push(count);
        }
        let all = self.registry().all();
        let mut mine: Vec<&Deployed> =
            all.values().filter(|it| by.may(Right::Read, &it.process.id)).collect();
        mine.sort_by(|a, b| a.process.id.cmp(&b.process.id));
        let items = mine.into_iter().map(|it| {
            let counts = counts.get(&it.process.id).map(Vec::as_slice).unwrap_or_default();
            self.brief(it, counts)
        });
        Ok(ListPage::whole(items.collect()))
    }

    /// One process.
    pub async fn process(&self, by: &Actor, id: &ProcessId) -> ServiceResult<ProcessView> {
        by.need(Right::Read, id)?;
        let deployed = self.deployed(id)?;
        let mut view = self.view(&deployed, &self.store().counts(Some(id)).await?);
        if let Some(origin) = &mut view.origin {
            let now = find(&origin.template).map(|it| it.version());
            origin.newer = now.filter(|it| *it != origin.version);
        }
        Ok(view)
    }

    /// With its nodes and hooks. `counts` are those of the process.
    fn view(&self, deployed: &Deployed, counts: &[Count]) -> ProcessView {
        let process = &deployed.process;
        ProcessView {
            nodes: Some(process.nodes.iter().map(NodeView::from).collect()),
            hooks: Some(process.hooks.iter().map(|it| self.hook_view(&process.id, it)).collect()),
            ..self.brief(deployed, counts)
        }
    }

    fn brief(&self, deployed: &Deployed, counts: &[Count]) -> ProcessView {
        let process = &deployed.process;
        let kept = self.kept_of(&process.id);
        let mut by_node: BTreeMap<String, BTreeMap<&'static str, u64>> = BTreeMap::new();
        let (mut live, mut failed) = (0, 0);
        for count in counts {
            let empty = || Phase::ALL.iter().map(|phase| (phase.as_str(), 0)).collect();
            let node = by_node.entry(count.node.to_string()).or_insert_with(empty);
            *node.entry(count.phase.as_str()).or_default() += count.tasks;
            live += if count.phase.is_live() { count.tasks } else { 0 };
            failed += if count.phase == Phase::Failed { count.tasks } else { 0 };
        }
        let troubles = lock(&self.troubles);
        let mine: Vec<&DeployFailure> =
            troubles.values().filter(|it| it.process.as_ref() == Some(&process.id)).collect();
        ProcessView {
            id: process.id.to_string(),
            title: process.title.clone(),
            about: process.about.clone(),
            version: process.version.clone(),
            paused: kept.as_ref().map_or(deployed.paused, |it| it.paused),
            resting: deployed.paused,
            params: process.params.iter().map(ParamView::from).collect(),
            nodes: None,
            hooks: None,
            counts: by_node,
            live,
            failed,
            origin: process.origin.as_ref().map(|it| OriginView {
                template: it.template.clone(),
                version: it.version.clone(),
                newer: None,
            }),
            problems: (!mine.is_empty()).then(|| mine.into_iter().flat_map(DeployFailure::lines).collect()),
            deployed_at: kept.map(|it| time(it.at)),
        }
    }

    /// All versions there were, the newest first.
    pub async fn versions(&self, by: &Actor, id: &ProcessId) -> ServiceResult<ListPage<VersionView>> {
        by.need(Right::Read, id)?;
        self.deployed(id)?;
        let mut mine = Vec::new();
        // `A` comes right behind `@`: between them are the versions of this process, and nothing else.
        let (from, before) = (format!("{id}@"), format!("{id}A"));
        let own =
            Stretch { collection: Collection::Version, from, before, backwards: false, limit: usize::MAX };
        let kept = self.store().scan(&own).await?;
        for (name, kept) in values::<KeptVersion>(kept, &self.store().damage()) {
            let version = name.rsplit('@').next().unwrap_or_default().to_owned();
            mine.push((kept.at, VersionView { version, at: time(kept.at), by: kept.by, text: None }));
        }
        mine.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        Ok(ListPage::whole(mine.into_iter().map(|(_, it)| it).collect()))
    }

    /// One version and its text.
    pub async fn version(&self, by: &Actor, id: &ProcessId, version: &str) -> ServiceResult<VersionView> {
        by.need(Right::Read, id)?;
        self.deployed(id)?;
        let record = self.store().record(Collection::Version, &format!("{id}@{version}")).await?;
        let kept: KeptVersion = value(record.ok_or_else(|| ServiceError::missing("version", version))?)?;
        let (at, text) = (time(kept.at), Some(kept.text));
        Ok(VersionView { version: version.to_owned(), at, by: kept.by, text })
    }

    /// Lets a process rest: tasks are taken in, and none moves.
    pub async fn pause(&self, by: &Actor, id: &ProcessId) -> ServiceResult<ProcessView> {
        self.set_paused(by, id, true).await
    }

    /// Lets it go on.
    pub async fn resume(&self, by: &Actor, id: &ProcessId) -> ServiceResult<ProcessView> {
        self.set_paused(by, id, false).await
    }

    async fn set_paused(&self, by: &Actor, id: &ProcessId, paused: bool) -> ServiceResult<ProcessView> {
        by.need(Right::Edit, id)?;
        let (by, id) = (by.clone(), id.clone());
        self.whole(|service| async move { service.set_paused_now(&by, &id, paused).await }).await
    }

    async fn set_paused_now(&self, by: &Actor, id: &ProcessId, paused: bool) -> ServiceResult<ProcessView> {
        let _one = self.deploying.lock().await;
        let deployed = self.deployed(id)?;
        let kept = self.kept_of(id).ok_or_else(|| ServiceError::missing("process", id.as_str()))?;
        let (changed, moving) = (kept.paused != paused, !kept.moves.is_empty());
        let unsettled = self.begin(id, None);
        if changed {
            let next = KeptProcess { paused, wake_parked: true, ..kept };
            self.keep_process(id, next).await?;
            self.registry().put(Deployed { paused: paused || moving, ..deployed });
        }
        // While tasks are moved, all rest; they are woken when that is over.
        let woken = if paused || moving { Ok(()) } else { self.wake_all(id).await };
        match woken {
            Ok(()) => unsettled.over(),
            // It goes on; some of its tasks are woken a little later, when that is settled.
            Err(ServiceError::Conflict { code: UNSETTLED, .. }) => drop(unsettled),
            Err(refusal) => return Err(refusal),
        }
        self.schedules.changed.notify_one();
        if changed {
            self.audit(by, if paused { "pause" } else { "resume" }, id.as_str()).await?;
        }
        Ok(self.view(&self.deployed(id)?, &self.store().counts(Some(id)).await?))
    }

    /// Forgets a process and its ended tasks. Refused while it has live ones. Its versions are kept.
    pub async fn delete(&self, by: &Actor, id: &ProcessId) -> ServiceResult<()> {
        by.need(Right::Edit, id)?;
        let (by, id) = (by.clone(), id.clone());
        self.whole(|service| async move { service.delete_now(&by, &id).await }).await
    }

    async fn delete_now(&self, by: &Actor, id: &ProcessId) -> ServiceResult<()> {
        let _one = self.deploying.lock().await;
        let deployed = self.deployed(id)?;
        let unsettled = self.begin(id, Some(deployed));
        // Nobody comes in any more while the tasks are counted. Those that live go on: it may be refused.
        self.registry().close(id);
        self.until_none_is_born(id).await?;
        self.emptied(id).await?;
        self.registry().remove(id);
        unsettled.over();
        self.kept.write().unwrap_or_else(PoisonError::into_inner).remove(id);
        lock(&self.troubles).retain(|_, it| it.process.as_ref() != Some(id));
        self.schedules.changed.notify_one();
        self.audit(by, "delete", id.as_str()).await
    }

    /// Waits until whatever was about to be born in a process when it was closed is there, or is not.
    async fn until_none_is_born(&self, id: &ProcessId) -> ServiceResult<()> {
        let processor = self.handle.processor();
        let last = processor.clock.ticks() + BIRTH_MAX;
        while processor.state.census.is_expecting(id) {
            if processor.clock.ticks() > last {
                let message = format!("tasks are being born in process `{id}`; hint: try again");
                return Err(ServiceError::conflict("process_has_tasks", message));
            }
            processor.clock.after(BIRTH_LOOK).await;
        }
        Ok(())
    }

    async fn emptied(&self, id: &ProcessId) -> ServiceResult<()> {
        let counts = self.store().counts(Some(id)).await?;
        let live: u64 = counts.iter().filter(|it| it.phase.is_live()).map(|it| it.tasks).sum();
        if live > 0 {
            let message = format!("process `{id}` has {live} live tasks; hint: cancel them first");
            return Err(ServiceError::conflict("process_has_tasks", message));
        }
        self.forget_flow(id).await?;
        for told in self.store().collection(Collection::Alarm).await? {
            if told.name.split_once('/').is_some_and(|(process, _)| process == id.as_str()) {
                self.store().delete(Collection::Alarm, &told.name).await?;
            }
        }
        let query = TaskQuery { process: Some(id.clone()), limit: REMOVED_MAX, ..TaskQuery::default() };
        loop {
            let ended: Vec<Task> = self.store().tasks(&query).await?;
            let writes: Vec<Write> = ended.into_iter().map(|task| self.removal(task)).collect();
            if writes.is_empty() {
                break;
            }
            let results = self.store().commit(writes).await?;
            if results.iter().all(|it| matches!(it, Err(Refused::Stale))) {
                break;
            }
        }
        // The last of all: until here it is there, with fewer ended tasks.
        self.store().delete(Collection::Process, id.as_str()).await?;
        Ok(())
    }

    fn removal(&self, task: Task) -> Write {
        Write::Step(Box::new(Transition {
            before: Some(task.place()),
            base: None,
            task,
            signals: Vec::new(),
            events: Vec::new(),
            read: Vec::new(),
            at: self.now(),
            gone: true,
            reply: None,
            idempotency: None,
        }))
    }

    /// The picture of a process.
    pub fn picture(&self, by: &Actor, id: &ProcessId, picture: Picture) -> ServiceResult<String> {
        by.need(Right::Read, id)?;
        let process = self.deployed(id)?.process;
        Ok(match picture {
            Picture::Svg => svg(&layout(&process), &process.title),
            Picture::Mermaid => mermaid(&process),
            Picture::Json => serde_json::json!(layout(&process)).to_string(),
        })
    }
}

impl DeployFailure {
    /// Its problems as they stand in JSON.
    pub(super) fn lines(&self) -> Vec<Value> {
        match self.problems.as_slice() {
            [] => {
                vec![serde_json::json!({"file": self.file, "line": 1, "column": 1, "message": self.message})]
            }
            them => them.iter().filter_map(|it| serde_json::to_value(it).ok()).collect(),
        }
    }
}

impl From<&ParamSpec> for ParamView {
    fn from(param: &ParamSpec) -> ParamView {
        ParamView {
            name: param.name.clone(),
            kind: kind(param.kind),
            required: param.required,
            secret: param.secret,
            shared: param.shared,
            input: param.input,
            expires_at: param.expiry.as_ref().map(|it| it.at.clone()),
            default: param.default.clone().filter(|_| !param.secret),
            about: param.about.clone(),
            example: param.example.clone(),
        }
    }
}

impl From<&Node> for NodeView {
    fn from(node: &Node) -> NodeView {
        NodeView {
            name: node.name.to_string(),
            kind: node.kind_name,
            title: node.title.clone(),
            about: node.about.clone(),
            on_error: node.on_error.as_ref().map(NodeName::to_string),
        }
    }
}

fn kind(kind: ParamKind) -> &'static str {
    match kind {
        ParamKind::String => "string",
        ParamKind::Number => "number",
        ParamKind::Integer => "integer",
        ParamKind::Boolean => "boolean",
        ParamKind::Object => "object",
        ParamKind::Array => "array",
        ParamKind::Any => "any",
    }
}
