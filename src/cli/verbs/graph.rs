//! `graph`: a picture of a process, from a file or from the server.

use std::path::Path;

use anyhow::{Context, Result, bail};
use clap::Args;
use reqwest::Method;
use serde_json::json;

use crate::cli::files::read_text;
use crate::cli::remote::process_path;
use crate::cli::session::CliSession;
use crate::process::graph::mermaid;
use crate::process::layout::layout;
use crate::process::parse::parse;
use crate::process::problem::{FileProblem, render};
use crate::process::process::Process;
use crate::process::svg::svg;

/// Draw a process
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  beltline graph processes/hello.yaml --svg > hello.svg
  beltline graph bitrix                # as it is deployed, for Mermaid")]
pub struct Graph {
    /// A file, or a deployed process
    what: String,
    /// As SVG
    #[arg(long, conflicts_with = "mermaid")]
    svg: bool,
    /// As Mermaid text, which is the default
    #[arg(long)]
    mermaid: bool,
}

impl Graph {
    /// Draws.
    pub async fn run(self, session: &CliSession) -> Result<()> {
        let path = Path::new(&self.what);
        let is_file = path.is_file() || self.what.contains(['/', '.']);
        let picture = if is_file { self.local(path)? } else { self.deployed(session).await? };
        let format = self.format();
        session
            .out
            .answer(&json!({"format": format, "graph": picture}), || session.out.line(picture.trim_end()))
    }

    fn format(&self) -> &'static str {
        if self.svg { "svg" } else { "mermaid" }
    }

    fn local(&self, path: &Path) -> Result<String> {
        let process = read(path)?;
        Ok(if self.svg { svg(&layout(&process), &process.title) } else { mermaid(&process) })
    }

    async fn deployed(&self, session: &CliSession) -> Result<String> {
        let remote = session.remote()?;
        let path = format!("{}/graph?format={}", process_path(&self.what), self.format());
        match remote.send(remote.request(Method::GET, &path)).await {
            Ok(answer) => answer.text().await.context("the answer broke off"),
            Err(error) => Err(remote.explained(error, &self.what).await),
        }
    }
}

fn read(path: &Path) -> Result<Process> {
    let name = path.display().to_string();
    let source = read_text(path)?;
    match parse(&source) {
        Ok(process) => Ok(process),
        Err(problems) => {
            let problems: Vec<FileProblem> = problems.into_iter().map(|it| it.in_file(&name)).collect();
            bail!("`{name}` cannot be drawn\n{}", render(&problems, &source, false))
        }
    }
}
