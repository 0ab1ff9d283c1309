//! `tail`: what happens, as it happens.

use anyhow::Result;
use clap::Args;
use serde_json::Value;

use crate::cli::events::Events;
use crate::cli::moment::rest;
use crate::cli::out::{Look, Output, one_line, text};
use crate::cli::remote::{Remote, ServerRefusal};
use crate::cli::session::CliSession;
use crate::cli::timeline;
use crate::model::time::Span;

/// A server that restarts is back within seconds.
const AGAIN_PAUSE: Span = Span::secs(1);

/// Follow what happens, until Ctrl-C
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  beltline tail
  beltline tail --process bitrix                    # of one process
  beltline tail --json | jq .ref")]
pub struct Tail {
    /// Of that process only
    #[arg(long)]
    process: Option<String>,
    /// Of that task only
    #[arg(long = "ref", value_name = "REF")]
    reference: Option<String>,
    /// From after this event, instead of from now; 0 for all
    #[arg(long, value_name = "SEQ")]
    after: Option<String>,
}

impl Tail {
    /// Follows.
    pub async fn run(self, session: &CliSession) -> Result<()> {
        let remote = session.remote()?;
        let mut after = self.after.clone();
        let mut events = self.open(&remote, after.as_deref()).await?;
        loop {
            while let Some(event) = events.next().await? {
                after = event.get("seq").map(|it| one_line(&it.to_string()).trim_matches('"').to_owned());
                self.tell(&event, &session.out)?;
            }
            eprintln!("the stream ended; connecting again");
            events = loop {
                rest(AGAIN_PAUSE).await;
                match self.open(&remote, after.as_deref()).await {
                    Ok(events) => break events,
                    // A server that says no will say no again.
                    Err(error) if error.downcast_ref::<ServerRefusal>().is_some_and(|it| it.status < 500) => {
                        return Err(error);
                    }
                    Err(_) => {}
                }
            };
        }
    }

    async fn open(&self, remote: &Remote, after: Option<&str>) -> Result<Events> {
        let process = self.process.as_deref();
        match (Events::open(remote, process, after).await, process) {
            (Err(error), Some(process)) => Err(remote.explained(error, process).await),
            (opened, _) => opened,
        }
    }

    fn tell(&self, event: &Value, out: &Output) -> Result<()> {
        if self.reference.as_deref().is_some_and(|it| it != text(event, "ref")) {
            return Ok(());
        }
        if out.json {
            return out.line(event.to_string());
        }
        let name = format!("{}/{}", text(event, "process"), one_line(text(event, "ref")));
        let state = text(event, "state");
        let events = event.get("events").and_then(Value::as_array).into_iter().flatten();
        for event in events {
            let state = out.paint(Look::of_state(state), state);
            out.line(format!("{name}  {state}  {}", timeline::event(event, out)))?;
        }
        Ok(())
    }
}
