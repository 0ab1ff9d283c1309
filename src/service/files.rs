//! The folder of process files: what lies there is deployed at the start, and again when it changes.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;

use crate::model::charset::saved;
use crate::model::names::ProcessId;
use crate::process::parse::version;
use crate::process::yaml::FILE_BYTES_MAX;
use crate::service::actor::Actor;
use crate::service::deploy::{Deployment, Report};
use crate::service::errors::{ServiceError, ServiceResult};
use crate::service::service::{DeployFailure, Service, TWO_FILES, lock};

/// What became of one file.
#[derive(Debug)]
pub struct FileResult {
    /// The file.
    pub path: PathBuf,
    /// What was deployed, or why nothing was.
    pub result: ServiceResult<Report>,
}

/// A text that could not be deployed, for the status.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct TroubleView {
    /// The file.
    pub file: String,
    /// The process it would be.
    pub process: Option<String>,
    /// What is wrong, in a sentence.
    pub message: String,
    /// All problems of the text.
    #[schema(value_type = Vec<Object>)]
    pub problems: Vec<Value>,
}

impl Service {
    /// Deploys all `*.yaml` and `*.yml` of a folder, by name. A bad one keeps none of the others from it.
    pub async fn deploy_folder(&self, folder: &Path) -> ServiceResult<Vec<FileResult>> {
        let failed = |error| ServiceError::File { path: folder.display().to_string(), error };
        let mut entries = tokio::fs::read_dir(folder).await.map_err(failed)?;
        let mut paths = Vec::new();
        while let Some(entry) = entries.next_entry().await.map_err(failed)? {
            if is_process_file(&entry.path()) {
                paths.push(entry.path());
            }
        }
        paths.sort();
        // What was deployed last goes first: a second file of its process does not take its place at a start.
        let mut second = Vec::new();
        let mut results = Vec::with_capacity(paths.len());
        for path in paths {
            match read_text(&path).await.is_ok_and(|text| self.untouched(&text).is_some()) {
                true => results.push(FileResult { result: self.deploy_file(&path).await, path }),
                false => second.push(path),
            }
        }
        for path in second {
            results.push(FileResult { result: self.deploy_file(&path).await, path });
        }
        results.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(results)
    }

    /// Deploys a file, unless it is as it was when it was deployed last. A bad file changes nothing, and is
    /// shown.
    pub async fn deploy_file(&self, path: &Path) -> ServiceResult<Report> {
        let name = path.display().to_string();
        let read = read_text(path).await;
        let result = match read {
            Ok(text) => match self.alone(&text, path).map(|()| self.untouched(&text)) {
                Err(refusal) => Err((refusal, process_of(&text))),
                Ok(Some(report)) => Ok(report),
                Ok(None) => self.deploy_text(text, &name).await,
            },
            Err(refusal) => Err((refusal, None)),
        };
        match result {
            Ok(report) => {
                lock(&self.troubles).remove(&name);
                lock(&self.homes).insert(report.id.clone(), path.to_path_buf());
                Ok(report)
            }
            Err((refusal, process)) => {
                self.trouble(&name, process, &refusal);
                Err(refusal)
            }
        }
    }

    /// A file that went: its process goes on, but what was wrong with the file is over.
    pub fn file_removed(&self, path: &Path) {
        lock(&self.troubles).remove(&path.display().to_string());
    }

    /// Refuses a file of a process that another file in its folder is of: each change of one would be laid
    /// over the other, in silence.
    fn alone(&self, text: &str, path: &Path) -> ServiceResult<()> {
        let Some(id) = process_of(text) else { return Ok(()) };
        let home = lock(&self.homes).get(&id).filter(|it| *it != path).cloned();
        // A file that was renamed, or is of another process now, stands in nobody's way.
        let is_there = |it: &PathBuf| {
            let text = std::fs::read(it).ok().and_then(|it| saved(&it));
            text.and_then(|it| process_of(&it)) == Some(id.clone())
        };
        let Some(home) = home.filter(is_there) else { return Ok(()) };
        let message = format!(
            "`{}` is of process `{id}`, and so is `{}`, which goes on; hint: remove one of them, or give it \
             another `process:`",
            path.display(),
            home.display()
        );
        Err(ServiceError::conflict(TWO_FILES, message))
    }

    /// The files that were refused for another of the same process: what changed may have made way for them.
    pub fn second_files(&self) -> Vec<PathBuf> {
        let troubles = lock(&self.troubles);
        troubles.values().filter(|it| it.code == TWO_FILES).map(|it| PathBuf::from(&it.file)).collect()
    }

    async fn deploy_text(
        &self,
        text: String,
        name: &str,
    ) -> Result<Report, (ServiceError, Option<ProcessId>)> {
        let process = process_of(&text);
        let deployment = Deployment { text, file: Some(name.to_owned()), ..Deployment::default() };
        self.deploy(&Actor::local("file"), deployment).await.map_err(|refusal| (refusal, process))
    }

    /// The report of a text that came from a file before, whatever was deployed since.
    fn untouched(&self, text: &str) -> Option<Report> {
        let id = process_of(text)?;
        let kept = self.kept_of(&id)?;
        if kept.file_version.as_deref() != Some(&version(text)) || !kept.moves.is_empty() {
            return None;
        }
        self.registry().get(&id)?;
        Some(Report {
            id,
            version: kept.version,
            changed: false,
            created: false,
            moved: 0,
            warnings: Vec::new(),
            reaches: Vec::new(),
        })
    }

    /// What could not be deployed.
    pub(super) fn troubles(&self) -> Vec<TroubleView> {
        let view = |it: &DeployFailure| TroubleView {
            file: it.file.clone(),
            process: it.process.as_ref().map(ProcessId::to_string),
            message: it.message.clone(),
            problems: it.lines(),
        };
        lock(&self.troubles).values().map(view).collect()
    }
}

/// Whether a file is one to deploy.
pub fn is_process_file(path: &Path) -> bool {
    let hidden = path.file_name().and_then(|it| it.to_str()).is_none_or(|it| it.starts_with('.'));
    let yaml = path.extension().is_some_and(|it| it == "yaml" || it == "yml");
    yaml && !hidden && path.is_file()
}

async fn read_text(path: &Path) -> ServiceResult<String> {
    let failed = |error| ServiceError::File { path: path.display().to_string(), error };
    let size = tokio::fs::metadata(path).await.map_err(failed)?.len();
    if size > FILE_BYTES_MAX as u64 {
        let message = format!("`{}` has {size} bytes, and at most {FILE_BYTES_MAX} are read", path.display());
        return Err(ServiceError::bad("file_too_large", message));
    }
    let bytes = tokio::fs::read(path).await.map_err(failed)?;
    saved(&bytes).ok_or_else(|| {
        let message = format!("`{}` is no text in UTF-8; hint: save it as UTF-8", path.display());
        ServiceError::bad("bad_file", message)
    })
}

/// The process that a text says it is, also if it is full of problems.
pub fn process_of(text: &str) -> Option<ProcessId> {
    let line = text.lines().find_map(|line| line.strip_prefix("process:"))?;
    let name = line.split(" #").next().unwrap_or_default().trim().trim_matches(['"', '\'']);
    ProcessId::new(name).ok()
}
