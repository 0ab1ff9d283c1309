//! Upstream: what became of the template since a process was cloned from it, and taking that over.
//!
//! The text that a clone began with is kept when it is deployed, for the program that knows it will be
//! replaced by one that does not. From it, the clone's file and the present template come out merged, or the
//! places where a person must choose; then nothing is written.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::engine::ports::{Collection, Record};
use crate::model::names::{NodeName, ProcessId};
use crate::model::time::Timestamp;
use crate::process::parse::{ORIGIN, parse, version};
use crate::process::process::{Process, TemplateOrigin};
use crate::service::actor::{Actor, Right};
use crate::service::cloning::{adapted, origin_line, template};
use crate::service::deploy::{Deployment, read};
use crate::service::errors::{ServiceError, ServiceResult};
use crate::service::kept::{KeptVersion, record, value};
use crate::service::merge::{three_way, unified};
use crate::service::service::Service;
use crate::service::templates::{Template, find};

/// How a clone and its template stand to each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct UpstreamView {
    /// The process.
    pub process: String,
    /// The template it was cloned from.
    pub template: String,
    /// The template's version then.
    pub from: String,
    /// The template's version now.
    pub to: String,
    /// Whether the text of then is known. If not, `diff` is from the process to the template of now.
    pub known: bool,
    /// What changed in the template, as a unified diff; empty if nothing did.
    pub diff: String,
}

/// How to take over what changed.
#[derive(Clone, Debug, Default)]
pub struct Update {
    /// Only say what would be.
    pub dry_run: bool,
    /// Where tasks go whose node is no more.
    pub moves: BTreeMap<NodeName, NodeName>,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Updated {
    /// The process.
    pub process: String,
    /// The template it was cloned from.
    pub template: String,
    /// The template's version until now.
    pub from: String,
    /// The template's version now.
    pub to: String,
    /// The process's version now.
    pub version: String,
    /// Whether anything was to be taken over.
    pub changed: bool,
    /// What changed in the process, as a unified diff.
    pub diff: String,
    /// The file it was written to; none if there is none, or if it was only asked what would be.
    pub path: Option<String>,
    /// Where the file is as it was before.
    pub backup: Option<String>,
}

/// A clone, and where it comes from.
struct Clone {
    id: ProcessId,
    /// As it is now.
    text: String,
    process: Process,
    origin: TemplateOrigin,
    /// Its file, if it has one.
    path: Option<PathBuf>,
    /// The template's text when it was cloned, if it is known.
    base: Option<String>,
    /// The template as it is now.
    now: Template,
}

impl Service {
    /// What changed in the template of a process since it was cloned.
    pub async fn upstream(&self, by: &Actor, id: &ProcessId) -> ServiceResult<UpstreamView> {
        by.need(Right::Read, id)?;
        let it = self.cloned(id).await?;
        let to = it.now.version();
        let new = format!("{}@{to}", it.now.name);
        let diff = match &it.base {
            Some(base) => {
                unified((&format!("{}@{}", it.now.name, it.origin.version), base), (&new, it.now.text))
            }
            None => unified((id.as_str(), &it.text), (&new, &it.like_mine(it.now.text)?)),
        };
        Ok(UpstreamView {
            process: id.to_string(),
            template: it.now.name.to_owned(),
            from: it.origin.version.clone(),
            to,
            known: it.base.is_some(),
            diff,
        })
    }

    /// Takes over what changed in the template: merges, checks, keeps the file as it was, writes and deploys.
    /// Of what cannot be merged nothing is written.
    pub async fn update_from_template(
        &self,
        by: &Actor,
        id: &ProcessId,
        how: Update,
    ) -> ServiceResult<Updated> {
        by.need(Right::Edit, id)?;
        let (by, id) = (by.clone(), id.clone());
        self.whole(|service| async move { service.update_now(&by, &id, how).await }).await
    }

    async fn update_now(&self, by: &Actor, id: &ProcessId, how: Update) -> ServiceResult<Updated> {
        let it = self.cloned(id).await?;
        let mut done = Updated {
            process: id.to_string(),
            template: it.now.name.to_owned(),
            from: it.origin.version.clone(),
            to: it.now.version(),
            version: it.process.version.clone(),
            changed: false,
            diff: String::new(),
            path: None,
            backup: None,
        };
        if done.from == done.to {
            return Ok(done);
        }
        let text = it.merged()?;
        (done.changed, done.version) = (true, version(&text));
        done.diff = unified((id.as_str(), &it.text), (id.as_str(), &text));
        let file = it.path.as_ref().map(|it| it.display().to_string());
        let deployment =
            Deployment { text, expected: Some(id.clone()), moves: how.moves, dry_run: true, file };
        self.deploy(by, deployment.clone()).await?;
        if how.dry_run {
            return Ok(done);
        }
        if let Some(path) = &it.path {
            let backup = PathBuf::from(format!("{}.{}.bak", path.display(), it.process.version));
            write(&backup, &it.text).await?;
            write(path, &deployment.text).await?;
            (done.path, done.backup) = (deployment.file.clone(), Some(backup.display().to_string()));
        }
        match self.deploy(by, Deployment { dry_run: false, ..deployment }).await {
            Ok(_) => Ok(done),
            Err(refusal) => {
                // Something may have gone wrong after it was deployed.
                let deployed = self.registry().get(id).is_some_and(|it| it.process.version == done.version);
                if let Some(path) = it.path.as_ref().filter(|_| !deployed) {
                    write(path, &it.text).await?;
                }
                Err(refusal)
            }
        }
    }

    /// Keeps the text of the template that a process says it is of, while it is known.
    pub(super) async fn base_of(&self, process: &Process, now: Timestamp) -> ServiceResult<Option<Record>> {
        let Some(origin) = &process.origin else { return Ok(None) };
        let Some(template) = find(&origin.template).filter(|it| it.version() == origin.version) else {
            return Ok(None);
        };
        let name = base_name(origin);
        if self.store().record(Collection::Version, &name).await?.is_some() {
            return Ok(None);
        }
        let kept = KeptVersion { text: template.text.to_owned(), by: "template".to_owned(), at: now };
        Ok(Some(record(Collection::Version, &name, &kept, now)?))
    }

    async fn cloned(&self, id: &ProcessId) -> ServiceResult<Clone> {
        let deployed = self.deployed(id)?.process;
        let file = match &self.config.processes {
            Some(folder) => Some(folder.join(format!("{id}.yaml"))).filter(|it| it.is_file()),
            None => None,
        };
        let text = match &file {
            Some(path) => tokio::fs::read_to_string(path).await.map_err(|error| failed(path, error))?,
            None => {
                let name = format!("{id}@{}", deployed.version);
                let kept = self.store().record(Collection::Version, &name).await?;
                let kept = kept.ok_or_else(|| ServiceError::missing("version", &deployed.version))?;
                value::<KeptVersion>(kept)?.text
            }
        };
        let process = read(&text, file.as_ref().map(|it| it.display().to_string()).as_deref())?;
        let Some(origin) = process.origin.clone() else {
            let message = format!(
                "process `{id}` was not cloned from a template; \
                 hint: a clone begins with `{ORIGIN}NAME@VERSION`"
            );
            return Err(ServiceError::conflict("no_template", message));
        };
        let now = template(&origin.template)?;
        let base = if now.version() == origin.version {
            Some(now.text.to_owned())
        } else {
            let kept = self.store().record(Collection::Version, &base_name(&origin)).await?;
            kept.map(value::<KeptVersion>).transpose()?.map(|it| it.text)
        };
        Ok(Clone { id: id.clone(), text, process, origin, path: file, base, now })
    }
}

fn base_name(origin: &TemplateOrigin) -> String {
    // A colon stands in no id of a process.
    format!("template:{}@{}", origin.template, origin.version)
}

impl Clone {
    /// A template's text with this clone's answers in it, so that only what else was changed is a difference.
    fn like_mine(&self, text: &str) -> ServiceResult<String> {
        let broken =
            || ServiceError::bad("bad_template", format!("template `{}` cannot be read", self.now.name));
        let origin = parse(self.base.as_deref().unwrap_or(text)).map_err(|_| broken())?;
        let theirs = parse(text).map_err(|_| broken())?;
        let title = (self.process.title != origin.title).then_some(self.process.title.as_str());
        let mut values: Map<String, Value> = Map::new();
        for param in &self.process.params {
            let of = |process: &Process| {
                process.params.iter().find(|it| it.name == param.name).map(|it| it.default.clone())
            };
            let asked = of(&theirs).is_some() && of(&origin).is_some_and(|it| it != param.default);
            if let Some(default) = param.default.clone().filter(|_| asked) {
                values.insert(param.name.clone(), default);
            }
        }
        let text = adapted(text, &self.id, title, &values).ok_or_else(broken)?;
        Ok(format!("{}\n{text}", origin_line(self.now.name, &self.now.version())))
    }

    /// This clone with what changed in its template.
    fn merged(&self) -> ServiceResult<String> {
        let Some(base) = &self.base else {
            let message = format!(
                "the text of `{}@{}` is not known here, so nothing can be merged; \
                 hint: take over by hand what `beltline templates diff {}` shows, and write `{}` into its \
                 first line",
                self.now.name,
                self.origin.version,
                self.id,
                origin_line(self.now.name, &self.now.version())
            );
            return Err(ServiceError::conflict("unknown_base", message));
        };
        let old = origin_line(self.now.name, &self.origin.version);
        let mine = self.text.replacen(&old, &origin_line(self.now.name, &self.now.version()), 1);
        three_way(&self.like_mine(base)?, &mine, &self.like_mine(self.now.text)?)
            .map_err(ServiceError::Unmerged)
    }
}

fn failed(path: &Path, error: std::io::Error) -> ServiceError {
    ServiceError::File { path: path.display().to_string(), error }
}

/// Puts a file in its place whole: whoever reads it meanwhile sees the old one or the new one.
async fn write(path: &Path, text: &str) -> ServiceResult<()> {
    let beside = PathBuf::from(format!("{}.part", path.display()));
    let done = async {
        tokio::fs::write(&beside, text).await?;
        tokio::fs::File::open(&beside).await?.sync_all().await?;
        tokio::fs::rename(&beside, path).await
    };
    done.await.map_err(|error| failed(path, error))
}
