//! Cloning: a template, or a process that runs, becomes a process of one's own, as a file that can be read
//! and changed.

use std::path::PathBuf;

use serde::Serialize;
use serde_json::{Map, Value};
use tokio::io::AsyncWriteExt;
use utoipa::ToSchema;

use crate::model::names::ProcessId;
use crate::model::tree::{Branch, Tree};
use crate::process::parse::ORIGIN;
use crate::process::process::Process;
use crate::process::yaml;
use crate::service::actor::{Actor, Right};
use crate::service::deploy::{Deployment, read};
use crate::service::errors::{FieldMistake, ServiceError, ServiceResult};
use crate::service::processes::ParamView;
use crate::service::service::Service;
use crate::service::templates::{Template, all, find};
use crate::service::view::ListPage;

/// A template.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Template)]
pub struct TemplateView {
    /// Its name.
    pub name: String,
    /// For people.
    pub title: String,
    /// What it is for.
    pub about: String,
    /// The hash of its text.
    pub version: String,
    /// Its params: the questions to ask.
    pub params: Vec<ParamView>,
    /// Its text; left out in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// What to make of a template.
#[derive(Clone, Debug, Default)]
pub struct Cloning {
    /// The id of the process.
    pub name: String,
    /// Another title.
    pub title: Option<String>,
    /// Defaults for its params.
    pub values: Map<String, Value>,
}

/// A process that was cloned.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Cloned {
    /// The process.
    pub id: String,
    /// Its version.
    pub version: String,
    /// The file it was written to; none if there is no folder of files.
    pub path: Option<String>,
}

impl Service {
    /// The templates there are.
    pub fn templates(&self) -> ListPage<TemplateView> {
        ListPage::whole(all().map(|it| TemplateView { text: None, ..view(it) }).collect())
    }

    /// One template, with its text.
    pub fn template(&self, name: &str) -> ServiceResult<TemplateView> {
        template(name).map(view)
    }

    /// Writes a process file from a template and deploys it. Nothing is overwritten, and nothing stays of a
    /// clone that cannot be deployed.
    pub async fn clone_template(&self, by: &Actor, name: &str, it: Cloning) -> ServiceResult<Cloned> {
        let template = template(name)?;
        let id =
            ProcessId::new(&it.name).map_err(|bad| ServiceError::bad("bad_process_id", bad.to_string()))?;
        by.need(Right::Edit, &id)?;
        if self.registry().get(&id).is_some() {
            return Err(ServiceError::conflict("process_exists", format!("process `{id}` exists already")));
        }
        let text = written(template, &id, &it)?;
        self.place(by, id, text).await
    }

    /// Makes another process of the present text of one: its own id and title, and else as it is written. No
    /// task goes along, and nothing secret: a text that has a secret in it is refused.
    pub async fn clone_process(
        &self,
        by: &Actor,
        from: &ProcessId,
        name: &str,
        title: Option<&str>,
    ) -> ServiceResult<Cloned> {
        by.need(Right::Read, from)?;
        let process = self.deployed(from)?.process;
        let id = ProcessId::new(name).map_err(|bad| ServiceError::bad("bad_process_id", bad.to_string()))?;
        by.need(Right::Edit, &id)?;
        if self.registry().get(&id).is_some() {
            return Err(ServiceError::conflict("process_exists", format!("process `{id}` exists already")));
        }
        if let Some(param) = process.params.iter().find(|it| it.secret && is_plain(it.default.as_ref())) {
            let message = format!(
                "`{}` is secret and has its value in the text of `{from}`, and secrets are not copied; \
                 hint: take the `default` out of the text, or write `{{{{secret.NAME}}}}` there",
                param.name
            );
            return Err(ServiceError::conflict("secret_in_text", message));
        }
        let text = self.version(by, from, &process.version).await?.text.unwrap_or_default();
        let text = adapted(&text, &id, title, &Map::new());
        let text = text.ok_or_else(|| ServiceError::missing("version", &process.version))?;
        self.place(by, id, text).await
    }

    /// Writes the file of a new process and deploys it.
    async fn place(&self, by: &Actor, id: ProcessId, text: String) -> ServiceResult<Cloned> {
        let by = by.clone();
        self.whole(|service| async move { service.place_now(&by, id, text).await }).await
    }

    async fn place_now(&self, by: &Actor, id: ProcessId, text: String) -> ServiceResult<Cloned> {
        let path = match &self.config.processes {
            Some(folder) => {
                let path = folder.join(format!("{id}.yaml"));
                create(&path, &text).await?;
                Some(path)
            }
            None => None,
        };
        let file = path.as_ref().map(|it| it.display().to_string());
        let expected = Some(id.clone());
        let deployment = Deployment { text, expected, file: file.clone(), ..Deployment::default() };
        match self.deploy(by, deployment).await {
            Ok(report) => Ok(Cloned { id: report.id.to_string(), version: report.version, path: file }),
            Err(refusal) => {
                // Something may have gone wrong after it was deployed.
                if let Some(path) = path.filter(|_| self.registry().get(&id).is_none())
                    && let Err(error) = tokio::fs::remove_file(&path).await
                {
                    tracing::error!(path = %path.display(), %error, "a clone that was not deployed is left");
                }
                Err(refusal)
            }
        }
    }
}

/// Whether a value is written out, and is none that only names a secret.
fn is_plain(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => false,
        Some(Value::String(text)) => !text.is_empty() && !text.contains("{{"),
        Some(_) => true,
    }
}

/// The template of that name.
pub(super) fn template(name: &str) -> ServiceResult<Template> {
    find(name).ok_or_else(|| {
        let names: Vec<&str> = all().map(|it| it.name).collect();
        let hint = format!("there are: {}", names.join(", "));
        ServiceError::Missing { what: "template", name: name.to_owned(), hint: Some(hint) }
    })
}

fn view(template: Template) -> TemplateView {
    let process = template.process();
    TemplateView {
        name: template.name.to_owned(),
        title: process.map_or_else(|| template.name.to_owned(), |it| it.title.clone()),
        about: process.map(|it| it.about.clone()).unwrap_or_default(),
        version: template.version(),
        params: process.map(|it| it.params.iter().map(ParamView::from).collect()).unwrap_or_default(),
        text: Some(template.text.to_owned()),
    }
}

async fn create(path: &PathBuf, text: &str) -> ServiceResult<()> {
    let failed = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            let message = format!("`{}` is there already; hint: choose another name", path.display());
            ServiceError::conflict("file_exists", message)
        }
        _ => ServiceError::File { path: path.display().to_string(), error },
    };
    if let Some(folder) = path.parent() {
        tokio::fs::create_dir_all(folder).await.map_err(failed)?;
    }
    let mut file =
        tokio::fs::OpenOptions::new().write(true).create_new(true).open(path).await.map_err(failed)?;
    file.write_all(text.as_bytes()).await.map_err(failed)?;
    file.sync_all().await.map_err(failed)
}

/// The text of a clone: the template's, with its own id, title and defaults.
fn written(template: Template, id: &ProcessId, it: &Cloning) -> ServiceResult<String> {
    let process = template.process().ok_or_else(|| broken(template.name))?;
    let mistakes: Vec<FieldMistake> = it.values.keys().filter_map(|name| refused(process, name)).collect();
    if !mistakes.is_empty() {
        return Err(ServiceError::Fields(mistakes));
    }
    let text = adapted(template.text, id, it.title.as_deref(), &it.values);
    let text = text.ok_or_else(|| broken(template.name))?;
    let text = format!("{}\n{text}", origin_line(template.name, &template.version()));
    let clone = read(&text, None)?;
    let set =
        |name: &String| clone.params.iter().find(|it| it.name == *name).and_then(|it| it.default.clone());
    match it.values.iter().find(|(name, value)| set(name).as_ref() != Some(value)) {
        Some((name, _)) => {
            let message = format!("param `{name}` of template `{}` cannot be given a default", template.name);
            Err(ServiceError::bad("bad_value", message))
        }
        None => Ok(text),
    }
}

/// The line that a clone begins with.
pub(super) fn origin_line(template: &str, version: &str) -> String {
    format!("{ORIGIN}{template}@{version}")
}

/// A template's text with another id, another title and other defaults, and else as it was written; none if
/// it is no process.
pub(super) fn adapted(
    text: &str,
    id: &ProcessId,
    title: Option<&str>,
    values: &Map<String, Value>,
) -> Option<String> {
    let tree = yaml::read(text).0?;
    let mut edits = vec![at(&tree, "process", id.as_str())?];
    if let Some(title) = title {
        edits.push(at(&tree, "title", &quoted(title)).unwrap_or_else(|| {
            let end = edits[0].end;
            Edit { start: end, end, text: format!("\ntitle: {}", quoted(title)) }
        }));
    }
    let params = tree.get("params");
    for (name, value) in values {
        edits.extend(params.and_then(|it| it.get(name)).map(|it| defaults(it, value)).unwrap_or_default());
    }
    edits.sort_by_key(|it| std::cmp::Reverse(it.start));
    let mut text = text.to_owned();
    for edit in edits {
        text.replace_range(edit.start..edit.end, &edit.text);
    }
    Some(text)
}

fn broken(name: &str) -> ServiceError {
    ServiceError::bad("bad_template", format!("template `{name}` cannot be read"))
}

/// Why a param cannot be given a default in a file.
fn refused(process: &Process, name: &str) -> Option<FieldMistake> {
    let mistake = |code: &str, message: String| {
        Some(FieldMistake { name: name.to_owned(), code: code.to_owned(), message })
    };
    match process.params.iter().find(|it| it.name == name) {
        None => mistake("unknown_param", format!("the template has no param `{name}`")),
        Some(param) if param.secret => mistake(
            "secret_param",
            format!("`{name}` is secret and stands in no file; hint: give it at submit"),
        ),
        Some(_) => None,
    }
}

/// A piece of text in place of another.
struct Edit {
    start: usize,
    end: usize,
    text: String,
}

fn at(tree: &Tree, key: &str, text: &str) -> Option<Edit> {
    let spot = tree.get(key)?.spot;
    Some(Edit { start: spot.start, end: spot.end, text: text.to_owned() })
}

/// JSON is YAML: quotes and escapes mean the same in both.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// Gives a param a default. What is required has none, so it is required no more.
fn defaults(param: &Tree, value: &Value) -> Vec<Edit> {
    let mut edits = Vec::new();
    if let Some(required) = at(param, "required", "false") {
        edits.push(required);
    }
    let value = value.to_string();
    match (at(param, "default", &value), &param.branch) {
        (Some(edit), _) => edits.push(edit),
        (None, Branch::Map(pairs)) => {
            if let Some((first, _)) = pairs.first() {
                // Before the first key, in the manner of the map: in braces, or a line of its own.
                let flow = param.spot.start < first.spot.start;
                let rest =
                    if flow { ", ".to_owned() } else { format!("\n{}", " ".repeat(first.spot.column - 1)) };
                let start = first.spot.start;
                edits.push(Edit { start, end: start, text: format!("default: {value}{rest}") });
            }
        }
        (None, _) => {}
    }
    edits
}
