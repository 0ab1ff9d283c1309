//! `submit`: puts a task into a process, or all tasks of a file.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use reqwest::Method;
use reqwest::header::{HeaderName, HeaderValue};
use serde_json::{Value, json};

use crate::cli::failure::Usage;
use crate::cli::moment::now;
use crate::cli::out::text;
use crate::cli::remote::{encoded, process_path};
use crate::cli::session::CliSession;
use crate::cli::stream;
use crate::cli::timeline;
use crate::cli::typed;

/// The longest that a server waits.
const WAIT_MAX: &str = "5m";

/// Put a task into a process
#[derive(Debug, Args)]
#[command(after_help = "\
Values:  name=text   name:=JSON   name=@FILE   name=-  (asked without echo, or stdin)
         n=5 is a number where the process says that n is one
With --wait the exit code is 1 if the task fails.

Examples:
  beltline submit hello city=Riga
  beltline submit bitrix --ref token portal=acme client_id=local.1 client_secret=- scope=crm
  beltline submit hello --wait 30s city=Riga
  beltline submit hello --from cities.ndjson       # each line {\"ref\": \"riga\", \"params\": {…}}")]
pub struct SubmitArgs {
    /// The process
    process: String,
    /// The params
    #[arg(value_name = "NAME=VALUE")]
    params: Vec<String>,
    /// The name others address it by [default: a new UUID]
    #[arg(long = "ref", value_name = "REF")]
    reference: Option<String>,
    /// If a live task has the name: give that one, or lay the params over its own
    #[arg(long, value_name = "WHAT")]
    if_exists: Option<IfExists>,
    /// Answer when the task has ended, or after this time [default: 5m]
    #[arg(long, value_name = "TIME", num_args = 0..=1, default_missing_value = WAIT_MAX)]
    wait: Option<String>,
    /// Makes a retry safe: the same key gives the same task
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// Submit every line of an NDJSON file (`-` is stdin)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["params", "reference", "if_exists", "wait"])]
    from: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum IfExists {
    Return,
    Modify,
}

impl SubmitArgs {
    /// Submits.
    pub async fn run(mut self, session: &CliSession) -> Result<()> {
        // No time has a `=` in it: what follows a bare --wait is a param.
        if let Some(param) = self.wait.take_if(|it| it.contains('=')) {
            self.params.push(param);
            self.wait = Some(WAIT_MAX.to_owned());
        }
        if let Some(file) = &self.from {
            return stream::submit(session, &self.process, file, self.idempotency_key.as_deref()).await;
        }
        let remote = session.remote()?;
        let mut body = json!({"params": typed::params(&remote, &self.process, &self.params).await?});
        if let Some(reference) = &self.reference {
            body["ref"] = Value::from(reference.as_str());
        }
        if let Some(what) = self.if_exists {
            body["if_exists"] = Value::from(match what {
                IfExists::Return => "return",
                IfExists::Modify => "modify",
            });
        }
        let wait = self.wait.as_deref().map(|it| format!("?wait={}", encoded(it))).unwrap_or_default();
        let path = format!("{}/tasks{wait}", process_path(&self.process));
        let mut request = remote.request(Method::POST, &path).json(&body);
        if let Some(key) = &self.idempotency_key {
            let value = HeaderValue::from_str(key);
            let value = value.map_err(|_| Usage("the idempotency key is no header value".to_owned()))?;
            request = request.header(HeaderName::from_static("idempotency-key"), value);
        }
        let task = match remote.json(request).await {
            Ok(task) => task,
            Err(error) => return Err(remote.explained(error, &self.process).await),
        };
        session.out.answer(&task, || {
            let lines = match self.wait {
                Some(_) => timeline::task(&task, &session.out, now()),
                None => vec![format!(
                    "{}/{}  {} at {}",
                    text(&task, "process"),
                    text(&task, "ref"),
                    text(&task, "state"),
                    text(&task, "node")
                )],
            };
            session.out.line(lines.join("\n"))
        })?;
        match self.wait {
            Some(_) if text(&task, "state") == "failed" => bail!("{}", failed(&task)),
            _ => Ok(()),
        }
    }
}

/// That the task has come to a bad end, and of what.
fn failed(task: &Value) -> String {
    let name = format!("{}/{}", text(task, "process"), text(task, "ref"));
    match task.get("fault").filter(|it| !it.is_null()) {
        Some(fault) => format!("{name} failed: {}: {}", text(fault, "code"), text(fault, "message")),
        None => format!("{name} failed at {}", text(task, "node")),
    }
}
