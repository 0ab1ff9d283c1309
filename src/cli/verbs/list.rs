//! `list` and `alarms`: tasks, as a table.

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

use crate::cli::moment::{far, now};
use crate::cli::out::{Look, Output, text};
use crate::cli::remote::{encoded, process_path};
use crate::cli::session::CliSession;
use crate::cli::timeline;

/// List tasks
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  beltline list                          # of all processes
  beltline list bitrix --state waiting
  beltline list orders --ref 2026- --limit 500
  beltline list orders --param city=Riga")]
pub struct ListArgs {
    /// The process [default: all]
    process: Option<String>,
    /// In that state: ready, doing, waiting, done, failed, cancelled
    #[arg(long)]
    state: Option<String>,
    /// On that node
    #[arg(long)]
    node: Option<String>,
    /// Whose ref begins so
    #[arg(long = "ref", value_name = "PREFIX")]
    reference: Option<String>,
    /// With such a param: name=value, or name~part of the value
    #[arg(long, value_name = "NAME=VALUE")]
    param: Option<String>,
    /// At most so many
    #[arg(long, default_value_t = 50)]
    limit: usize,
}

/// List the tasks that wait for a person
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  beltline alarms
  beltline alarms --json")]
pub struct Alarms {}

impl ListArgs {
    /// Lists.
    pub async fn run(self, session: &CliSession) -> Result<()> {
        let remote = session.remote()?;
        let path = match &self.process {
            Some(process) => format!("{}/tasks", process_path(process)),
            None => "/api/v1/tasks".to_owned(),
        };
        let filters =
            [("state", &self.state), ("node", &self.node), ("ref", &self.reference), ("param", &self.param)];
        let filters = filters.into_iter().filter_map(|(name, it)| Some((name, it.as_deref()?)));
        let query: Vec<String> = filters.map(|(name, it)| format!("{name}={}", encoded(it))).collect();
        let path = format!("{path}?{}", query.join("&"));
        let tasks = match remote.list(&path, self.limit).await {
            Ok(tasks) => tasks,
            Err(error) => {
                return Err(remote.explained(error, self.process.as_deref().unwrap_or_default()).await);
            }
        };
        session.out.answer(&json!({"items": tasks}), || table(&tasks, &session.out))
    }
}

impl Alarms {
    /// Lists.
    pub async fn run(self, session: &CliSession) -> Result<()> {
        let tasks = session.remote()?.list("/api/v1/alarms", usize::MAX).await?;
        let out = &session.out;
        out.answer(&json!({"items": tasks}), || {
            if tasks.is_empty() {
                return out.line("no task waits for a person");
            }
            for task in &tasks {
                let name = format!("{}/{}", text(task, "process"), text(task, "ref"));
                out.line(format!("{} at {}", out.paint(Look::Bold, &name), text(task, "node")))?;
                out.line(format!("  {}", timeline::alarm(task.get("alarm"), now())))?;
                if !text(task, "link").is_empty() {
                    out.line(format!("  {}", text(task, "link")))?;
                }
            }
            Ok(())
        })
    }
}

fn table(tasks: &[Value], out: &Output) -> Result<()> {
    if tasks.is_empty() {
        return out.line("no tasks");
    }
    let now = now();
    let row = |task: &Value| {
        let state = text(task, "state");
        let fault = task.get("fault").map(|it| text(it, "message")).unwrap_or_default();
        // What is due for an ended task is that it is forgotten.
        let is_over = matches!(state, "done" | "failed" | "cancelled");
        let wrong = matches!(state, "failed") || !task["alarm"].is_null();
        vec![
            (text(task, "process").to_owned(), Look::Plain),
            (text(task, "ref").to_owned(), Look::Bold),
            (state.to_owned(), Look::of_state(state)),
            (text(task, "node").to_owned(), Look::Plain),
            (far(task.get("since"), now), Look::Dim),
            (if is_over { String::new() } else { far(task.get("due"), now) }, Look::Dim),
            (if wrong { fault.to_owned() } else { String::new() }, Look::Bad),
        ]
    };
    let heads = ["PROCESS", "REF", "STATE", "NODE", "SINCE", "DUE", "FAULT"];
    out.table(&heads, tasks.iter().map(row).collect())
}
