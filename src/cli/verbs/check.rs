//! `check`: all that is wrong with process files, as a compiler tells it.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::Args;
use serde_json::json;

use crate::cli::files::{read_text, yaml_files};
use crate::cli::out::Look;
use crate::cli::session::CliSession;
use crate::process::parse::parse;
use crate::process::problem::{FileProblem, render, settle};
use crate::process::process::Process;
use crate::process::secret_flow::{follow, troubles};

/// Check process files; no server is needed
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  beltline check processes/")]
pub struct CheckArgs {
    /// Files, or folders of them [default: the processes folder]
    files: Vec<PathBuf>,
}

impl CheckArgs {
    /// Checks.
    #[expect(clippy::unused_async, reason = "verbs have one shape")]
    pub async fn run(self, session: &CliSession) -> Result<()> {
        let out = &session.out;
        let given = if self.files.is_empty() { vec![session.config.processes.clone()] } else { self.files };
        let (mut found, mut good): (Vec<FileProblem>, Vec<Source>) = (Vec::new(), Vec::new());
        let mut bad_files = 0;
        let mut bad = |problems: Vec<FileProblem>, name: &str, source: &str| {
            bad_files += 1;
            let problems: Vec<FileProblem> = problems.into_iter().map(|it| it.in_file(name)).collect();
            if !out.json {
                out.line(format!("{}\n", render(&problems, source, out.color())))?;
            }
            found.extend(problems);
            anyhow::Ok(())
        };
        for file in expanded(&given)? {
            let name = file.display().to_string();
            let text = read_text(&file)?;
            match parse(&text) {
                Ok(process) => good.push(Source { name, text, process }),
                Err(problems) => bad(problems, &name, &text)?,
            }
        }
        let reaches = follow(&good.iter().map(|it| &it.process).collect::<Vec<_>>());
        let mut warnings = Vec::new();
        for Source { name, text, process } in &good {
            let (hard, mut soft) = troubles(&reaches, &process.id);
            soft.extend(process.warnings.iter().cloned());
            let soft = settle(soft, text).into_iter().map(|it| it.in_file(name));
            match settle(hard, text) {
                hard if !hard.is_empty() => bad(hard, name, text)?,
                _ if out.json => {}
                _ => {
                    let (id, nodes) = (&process.id, process.nodes.len());
                    out.line(format!("{name}: {} {id}, {nodes} nodes", out.paint(Look::Good, "ok")))?;
                }
            }
            warnings.extend(soft);
        }
        if out.json {
            out.json(&json!({"problems": found, "warnings": warnings}))?;
        } else {
            warnings
                .iter()
                .try_for_each(|it| out.line(format!("{}: {it}", out.paint(Look::Warn, "warning"))))?;
        }
        match (found.len(), bad_files) {
            (0, _) => Ok(()),
            (1, _) => bail!("1 problem"),
            (many, 1) => bail!("{many} problems"),
            (many, files) => bail!("{many} problems in {files} files"),
        }
    }
}

/// A file that nothing is wrong with by itself.
struct Source {
    name: String,
    text: String,
    process: Process,
}

/// The files that are meant.
pub(super) fn expanded(given: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in given {
        if path.is_dir() { files.extend(yaml_files(path)?) } else { files.push(Path::to_path_buf(path)) }
    }
    if files.is_empty() {
        let names: Vec<String> = given.iter().map(|it| it.display().to_string()).collect();
        bail!("there are no *.yaml files in {}", names.join(", "));
    }
    Ok(files)
}
