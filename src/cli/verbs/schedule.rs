//! `schedule`: when processes submit tasks by themselves.

use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::cli::failure::Usage;
use crate::cli::out::{Look, Output, text};
use crate::cli::remote::{encoded, process_path};
use crate::cli::session::CliSession;

/// When a process submits tasks by itself, and its next five times
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  beltline schedule report
  beltline schedule pause report morning
  beltline schedule resume report morning"
)]
pub struct ScheduleArgs {
    /// The process
    process: Option<String>,
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Let a schedule rest; what it would have submitted is not made up for
    #[command(after_help = "Example:\n  beltline schedule pause report morning")]
    Pause(One),
    /// Let a schedule go on, from now
    #[command(after_help = "Example:\n  beltline schedule resume report morning")]
    Resume(One),
}

#[derive(Debug, Args)]
struct One {
    /// The process
    process: String,
    /// The schedule
    name: String,
}

impl ScheduleArgs {
    /// Shows, pauses or resumes.
    pub async fn run(self, session: &CliSession) -> Result<()> {
        match (self.verb, self.process) {
            (Some(Verb::Pause(one)), _) => one.switch(session, "pause", "paused").await,
            (Some(Verb::Resume(one)), _) => one.switch(session, "resume", "resumed").await,
            (None, Some(process)) => show(session, &process).await,
            (None, None) => Err(Usage("which process? hint: `beltline schedule PROCESS`".to_owned()).into()),
        }
    }
}

impl One {
    async fn switch(&self, session: &CliSession, verb: &str, done: &str) -> Result<()> {
        let (remote, out) = (session.remote()?, &session.out);
        let path = format!("{}/schedule/{}/{verb}", process_path(&self.process), encoded(&self.name));
        match remote.post(&path, &json!({})).await {
            Ok(answer) => out.answer(&answer, || out.line(format!("{} {} {done}", self.process, self.name))),
            Err(error) => Err(remote.explained(error, &self.process).await),
        }
    }
}

async fn show(session: &CliSession, process: &str) -> Result<()> {
    let (remote, out) = (session.remote()?, &session.out);
    match remote.get(&format!("{}/schedule", process_path(process))).await {
        Ok(answer) => out.answer(&answer, || {
            let items = answer.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
            if items.is_empty() {
                return out.line(format!("{process} has no schedule; it runs when tasks are submitted"));
            }
            lines(&items, out)
        }),
        Err(error) => Err(remote.explained(error, process).await),
    }
}

/// Schedules with their next times, for people.
pub fn lines(schedules: &[Value], out: &Output) -> Result<()> {
    let row = |name: &str, state: (String, Look), says: &str| {
        vec![(name.to_owned(), Look::Bold), state, (says.to_owned(), Look::Plain)]
    };
    let mut rows = Vec::new();
    for schedule in schedules {
        let state = state(schedule);
        let next = schedule.get("next").and_then(Value::as_array).cloned().unwrap_or_default();
        rows.push(row(text(schedule, "name"), state, text(schedule, "when")));
        rows.extend(next.iter().map(|it| row("", (String::new(), Look::Plain), text(it, "says"))));
        if let Some(left_out) = schedule.get("left_out").filter(|it| !it.is_null()) {
            let many = left_out.get("many").and_then(Value::as_u64).unwrap_or(0);
            let (planned, why) = (text(left_out, "planned"), text(left_out, "why"));
            rows.push(vec![
                (String::new(), Look::Plain),
                (format!("left out {many}"), Look::Warn),
                (format!("the last at {planned}: {why}"), Look::Dim),
            ]);
        }
    }
    out.table(&["SCHEDULE", "STATE", "WHEN AND NEXT"], rows)
}

fn state(schedule: &Value) -> (String, Look) {
    let queued = schedule.get("queued").and_then(Value::as_u64).unwrap_or(0);
    match (schedule.get("paused").and_then(Value::as_bool), queued) {
        (Some(true), _) => ("paused".to_owned(), Look::Warn),
        (_, 0) => ("runs".to_owned(), Look::Good),
        (_, many) => (format!("runs; {many} wait"), Look::Good),
    }
}
