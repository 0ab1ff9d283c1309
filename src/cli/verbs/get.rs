//! `get`: one param of a task, bare, for scripts.

use anyhow::Result;
use clap::Args;
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde_json::Value;

use crate::cli::remote::{encoded, task_path};
use crate::cli::session::CliSession;
use crate::model::time::Span;

/// Print one param of a task, bare
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  curl -H \"Authorization: Bearer $(beltline get bitrix token access_token)\" …
  beltline get bitrix token access_token --fresh-for 10m    # renewed first if it dies earlier")]
pub struct Get {
    /// The process
    process: String,
    /// The task
    #[arg(value_name = "REF")]
    reference: String,
    /// The param; a dot or a slash goes deeper, as in body.items.0
    #[arg(value_name = "PARAM")]
    path: String,
    /// Only if it lives so long yet, as in 10m; if not, have it renewed first
    #[arg(long, value_name = "TIME")]
    fresh_for: Option<Span>,
    /// How long to wait for that
    #[arg(long, value_name = "TIME", requires = "fresh_for")]
    wait: Option<Span>,
}

impl Get {
    /// Gets.
    pub async fn run(self, session: &CliSession) -> Result<()> {
        let remote = session.remote()?;
        let parts: Vec<String> = self.path.split('/').map(encoded).collect();
        let lease = self.fresh_for.map(|it| format!("?fresh_for={it}")).unwrap_or_default();
        let wait = self.wait.map(|it| format!("&wait={it}")).unwrap_or_default();
        let task = task_path(&self.process, &self.reference);
        let path = format!("{task}/params/{}{lease}{wait}", parts.join("/"));
        let answer = match remote.send(remote.request(Method::GET, &path)).await {
            Ok(answer) => answer,
            Err(error) => return Err(remote.explained(error, &self.process).await),
        };
        let is_json = answer.headers().get(CONTENT_TYPE).is_some_and(|it| it.as_bytes().starts_with(b"app"));
        let bytes = answer.bytes().await?;
        if session.out.json {
            let value = if is_json {
                serde_json::from_slice(&bytes)?
            } else {
                Value::from(String::from_utf8_lossy(&bytes))
            };
            return session.out.json(&value);
        }
        session.out.raw(&bytes)?;
        // A prompt right behind the value is hard to read; a script wants the value alone.
        if session.out.tty { session.out.raw(b"\n") } else { Ok(()) }
    }
}
