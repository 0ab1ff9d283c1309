//! `show`: a task and its history.

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

use crate::cli::moment::now;
use crate::cli::out::Look;
use crate::cli::remote::{encoded, task_path};
use crate::cli::session::CliSession;
use crate::cli::timeline;

/// Show a task and its history
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  beltline show bitrix token
  beltline show orders 1042 --events 20                # the last twenty
  beltline show orders 1042 --id 7301               # one that has ended")]
pub struct Show {
    /// The process
    process: String,
    /// The task
    #[arg(value_name = "REF")]
    reference: String,
    /// An ended task of that name, by its id
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// At most so many events, the newest
    #[arg(long, default_value_t = 1_000)]
    events: usize,
}

impl Show {
    /// Shows.
    pub async fn run(self, session: &CliSession) -> Result<()> {
        let remote = session.remote()?;
        let path = task_path(&self.process, &self.reference);
        let id = self.id.as_deref().map(|it| format!("?id={}", encoded(it))).unwrap_or_default();
        let task = match remote.get(&format!("{path}{id}")).await {
            Ok(task) => task,
            Err(error) => return Err(remote.explained(error, &self.process).await),
        };
        let history = remote.list(&format!("{path}/history{id}"), usize::MAX).await?;
        let out = &session.out;
        out.answer(&json!({"task": task, "history": history}), || {
            out.line(timeline::task(&task, out, now()).join("\n"))?;
            out.line("")?;
            let events: Vec<&Value> = history.iter().flat_map(events).collect();
            let skipped = events.len().saturating_sub(self.events);
            if skipped > 0 {
                out.line(out.paint(Look::Dim, &format!("{skipped} earlier events")))?;
            }
            events[skipped..].iter().try_for_each(|event| out.line(timeline::event(event, out)))
        })
    }
}

/// A history is a list of events, or of commits with events in them.
fn events(item: &Value) -> Vec<&Value> {
    match item.get("events").and_then(Value::as_array) {
        Some(events) => events.iter().collect(),
        None => vec![item],
    }
}
