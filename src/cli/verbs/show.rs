//! `show`: a task and its trail.

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

use crate::cli::moment::now;
use crate::cli::out::Look;
use crate::cli::remote::{encoded, task_path};
use crate::cli::session::CliSession;
use crate::cli::timeline;

/// Show a task and its trail
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  beltline show bitrix token
  beltline show orders 1042 --hops 20                # the last twenty
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
    /// At most so many hops, the newest
    #[arg(long, default_value_t = 1_000)]
    hops: usize,
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
        let trail = remote.list(&format!("{path}/trail{id}"), usize::MAX).await?;
        let out = &session.out;
        out.answer(&json!({"task": task, "trail": trail}), || {
            out.line(timeline::task(&task, out, now()).join("\n"))?;
            out.line("")?;
            let hops: Vec<&Value> = trail.iter().flat_map(hops).collect();
            let skipped = hops.len().saturating_sub(self.hops);
            if skipped > 0 {
                out.line(out.paint(Look::Dim, &format!("{skipped} earlier hops")))?;
            }
            hops[skipped..].iter().try_for_each(|hop| out.line(timeline::hop(hop, out)))
        })
    }
}

/// A trail is a list of hops, or of commits with hops in them.
fn hops(item: &Value) -> Vec<&Value> {
    match item.get("hops").and_then(Value::as_array) {
        Some(hops) => hops.iter().collect(),
        None => vec![item],
    }
}
