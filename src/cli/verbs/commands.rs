//! `modify`, `wake`, `retry`, `move`, `cancel`, `ack`: what a person may want done with a task.
//! Siblings of one shape.

use anyhow::Result;
use clap::Args;
use reqwest::Method;
use reqwest::header::IF_MATCH;
use serde_json::{Value, json};

use crate::cli::out::{Look, one_line, text};
use crate::cli::remote::task_path;
use crate::cli::session::CliSession;
use crate::cli::typed;

/// A task, as it is named after a verb.
#[derive(Debug, Args)]
pub struct Whom {
    /// The process
    process: String,
    /// The task
    #[arg(value_name = "REF")]
    reference: String,
}

/// Lay params over a task's own
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  beltline modify bitrix token code=6dm7…")]
pub struct Modify {
    #[command(flatten)]
    whom: Whom,
    /// The params: name=text, name:=JSON, name=@FILE, name=-
    #[arg(value_name = "NAME=VALUE", required = true)]
    params: Vec<String>,
    /// Only if the task still has this revision
    #[arg(long, value_name = "REVISION")]
    if_revision: Option<u64>,
}

/// Let a waiting task go on now
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  beltline wake bitrix token")]
pub struct Wake {
    #[command(flatten)]
    whom: Whom,
}

/// Try the node again on which a task failed
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  beltline retry orders 1042")]
pub struct RetryArgs {
    #[command(flatten)]
    whom: Whom,
}

/// Put a task on another node
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  beltline move orders 1042 ship")]
pub struct Move {
    #[command(flatten)]
    whom: Whom,
    /// The node
    #[arg(value_name = "NODE")]
    to: String,
}

/// End a task here
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  beltline cancel orders 1042")]
pub struct Cancel {
    #[command(flatten)]
    whom: Whom,
}

/// Acknowledge a task's alarm: no more reminders, no next level
#[derive(Debug, Args)]
#[command(after_help = "\
The task itself goes on as before. A new trouble tells people again.

Example:
  beltline ack bitrix token")]
pub struct Ack {
    #[command(flatten)]
    whom: Whom,
}

impl Modify {
    /// Modifies.
    pub async fn run(self, session: &CliSession) -> Result<()> {
        let params = typed::params(&session.remote()?, &self.whom.process, &self.params).await?;
        let body = json!({"params": params});
        order(session, &self.whom, "modify", &body, self.if_revision).await
    }
}

impl Wake {
    /// Wakes.
    pub async fn run(self, session: &CliSession) -> Result<()> {
        order(session, &self.whom, "wake", &json!({}), None).await
    }
}

impl RetryArgs {
    /// Retries.
    pub async fn run(self, session: &CliSession) -> Result<()> {
        order(session, &self.whom, "retry", &json!({}), None).await
    }
}

impl Move {
    /// Moves.
    pub async fn run(self, session: &CliSession) -> Result<()> {
        order(session, &self.whom, "move", &json!({"to": self.to}), None).await
    }
}

impl Cancel {
    /// Cancels.
    pub async fn run(self, session: &CliSession) -> Result<()> {
        order(session, &self.whom, "cancel", &json!({}), None).await
    }
}

impl Ack {
    /// Acknowledges.
    pub async fn run(self, session: &CliSession) -> Result<()> {
        order(session, &self.whom, "ack", &json!({}), None).await
    }
}

async fn order(
    session: &CliSession,
    whom: &Whom,
    verb: &str,
    body: &Value,
    revision: Option<u64>,
) -> Result<()> {
    let remote = session.remote()?;
    let path = format!("{}/{verb}", task_path(&whom.process, &whom.reference));
    let mut request = remote.request(Method::POST, &path).json(body);
    if let Some(revision) = revision {
        request = request.header(IF_MATCH, format!("\"{revision}\""));
    }
    let task = match remote.json(request).await {
        Ok(task) => task,
        Err(error) => return Err(remote.explained(error, &whom.process).await),
    };
    let out = &session.out;
    out.answer(&task, || {
        let state = text(&task, "state");
        let name = format!("{}/{}", whom.process, one_line(&whom.reference));
        out.line(format!("{name}  {} at {}", out.paint(Look::of_state(state), state), text(&task, "node")))
    })
}
