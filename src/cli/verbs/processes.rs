//! `processes`, `pause`, `resume`: what is deployed.

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

use crate::cli::moment::{far, now};
use crate::cli::out::{Look, Output, text};
use crate::cli::remote::{PROCESSES, process_path};
use crate::cli::session::CliSession;
use crate::cli::verbs::schedule;

/// List the processes
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  beltline processes
  beltline processes bitrix                          # its nodes and params")]
pub struct Processes {
    /// Only this one, with its nodes and params
    process: Option<String>,
}

/// Let no task of a process move; new ones are still taken
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  beltline pause orders")]
pub struct Pause {
    /// The process
    process: String,
}

/// Let the tasks of a paused process move again
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  beltline resume orders")]
pub struct Resume {
    /// The process
    process: String,
}

impl Processes {
    /// Lists.
    pub async fn run(self, session: &CliSession) -> Result<()> {
        let remote = session.remote()?;
        let out = &session.out;
        let Some(process) = &self.process else {
            let processes = remote.list(PROCESSES, usize::MAX).await?;
            return out.answer(&json!({"items": processes}), || table(&processes, out));
        };
        match remote.get(&process_path(process)).await {
            Ok(answer) => {
                let path = format!("{}/schedule", process_path(process));
                let mut answer = answer;
                answer["schedule"] = remote.get(&path).await?["items"].take();
                out.answer(&answer, || one(&answer, out))
            }
            Err(error) => Err(remote.explained(error, process).await),
        }
    }
}

impl Pause {
    /// Pauses.
    pub async fn run(self, session: &CliSession) -> Result<()> {
        switch(session, &self.process, "pause", "paused").await
    }
}

impl Resume {
    /// Resumes.
    pub async fn run(self, session: &CliSession) -> Result<()> {
        switch(session, &self.process, "resume", "resumed").await
    }
}

async fn switch(session: &CliSession, process: &str, verb: &str, done: &str) -> Result<()> {
    let remote = session.remote()?;
    let path = format!("{}/{verb}", process_path(process));
    match remote.post(&path, &json!({})).await {
        Ok(answer) => session.out.answer(&answer, || session.out.line(format!("{process} {done}"))),
        Err(error) => Err(remote.explained(error, process).await),
    }
}

fn table(processes: &[Value], out: &Output) -> Result<()> {
    if processes.is_empty() {
        return out.line("no processes; `beltline templates` lists what can be cloned");
    }
    let now = now();
    let rows = processes.iter().map(|process| {
        let failed = process.get("failed").and_then(Value::as_u64).unwrap_or(0);
        let problems = process.get("problems").and_then(Value::as_array).map_or(0, Vec::len);
        let state = match (problems, process.get("paused").and_then(Value::as_bool)) {
            (0, Some(true)) => ("paused".to_owned(), Look::Warn),
            (0, _) => ("runs".to_owned(), Look::Good),
            (many, _) => (format!("runs; the newer file has problems ({many})"), Look::Bad),
        };
        vec![
            (text(process, "id").to_owned(), Look::Bold),
            (text(process, "title").to_owned(), Look::Plain),
            state,
            (process.get("live").map(Value::to_string).unwrap_or_default(), Look::Plain),
            (failed.to_string(), if failed > 0 { Look::Bad } else { Look::Dim }),
            (text(process, "version").chars().take(8).collect(), Look::Dim),
            (far(process.get("deployed_at"), now), Look::Dim),
        ]
    });
    out.table(&["PROCESS", "TITLE", "STATE", "LIVE", "FAILED", "VERSION", "DEPLOYED"], rows.collect())
}

fn one(process: &Value, out: &Output) -> Result<()> {
    table(std::slice::from_ref(process), out)?;
    let list = |name: &str| process.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let params = list("params").iter().map(param).collect::<Vec<_>>();
    if !params.is_empty() {
        out.line("")?;
        out.table(&["PARAM", "TYPE", "", "ABOUT"], params)?;
    }
    let hooks = list("hooks").iter().map(hook).collect::<Vec<_>>();
    if !hooks.is_empty() {
        out.line("")?;
        out.table(&["HOOK", "CHECK", "ADDRESS"], hooks)?;
    }
    let schedules = list("schedule");
    if !schedules.is_empty() {
        out.line("")?;
        schedule::lines(&schedules, out)?;
    }
    let node =
        |node: &Value| ["name", "kind", "title"].map(|it| (text(node, it).to_owned(), Look::Plain)).to_vec();
    out.line("")?;
    out.table(&["NODE", "KIND", "TITLE"], list("nodes").iter().map(node).collect())
}

fn hook(hook: &Value) -> Vec<(String, Look)> {
    let check = text(hook, "check");
    let methods = hook.get("methods").and_then(Value::as_array).into_iter().flatten();
    let methods: Vec<&str> = methods.filter_map(Value::as_str).collect();
    vec![
        (text(hook, "name").to_owned(), Look::Bold),
        (check.to_owned(), if check == "public" { Look::Warn } else { Look::Plain }),
        (format!("{} {}", methods.join(", "), text(hook, "url")), Look::Plain),
    ]
}

fn param(param: &Value) -> Vec<(String, Look)> {
    let marks = ["required", "secret", "shared"];
    let marks: Vec<&str> = marks.into_iter().filter(|it| param[*it].as_bool() == Some(true)).collect();
    vec![
        (text(param, "name").to_owned(), Look::Bold),
        (text(param, "type").to_owned(), Look::Plain),
        (marks.join(", "), Look::Dim),
        (text(param, "about").to_owned(), Look::Plain),
    ]
}
