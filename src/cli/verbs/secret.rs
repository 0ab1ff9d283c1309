//! `secret`: what processes read as `secret.NAME`. Written, never shown.

use std::path::PathBuf;

use anyhow::{Result, anyhow};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::cli::files::read_text;
use crate::cli::moment::{far, now};
use crate::cli::out::{Look, shown, text};
use crate::cli::pairs;
use crate::cli::remote::named;
use crate::cli::session::CliSession;
use crate::cli::verbs::check::expanded;
use crate::process::parse::parse;
use crate::process::secret_flow::{Reached, follow};

const PATH: &str = "/api/v1/secrets";

/// Secrets: written, never shown
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  beltline secret set shop                          # asks without echo
  beltline secret list
  beltline secret flow processes/                   # where each secret can go")]
pub struct SecretArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Set a secret; asks without echo, or takes all of stdin
    Set {
        /// Its name, read as {{secret.NAME}}
        name: String,
        /// The only hosts it may be sent to; may be given again [default: any]
        #[arg(long = "host", value_name = "HOST")]
        hosts: Vec<String>,
    },
    /// List the names
    List,
    /// List every place that each secret of process files can reach; no server is needed
    Flow {
        /// Files, or folders of them [default: the processes folder]
        files: Vec<PathBuf>,
    },
    /// Remove a secret
    Remove {
        /// The secret
        name: String,
    },
}

impl SecretArgs {
    /// Does what was asked.
    pub async fn run(self, session: &CliSession) -> Result<()> {
        let out = &session.out;
        let remote = match &self.verb {
            Verb::Flow { files } => return flow(files, session),
            Verb::Set { .. } | Verb::List | Verb::Remove { .. } => session.remote()?,
        };
        match self.verb {
            Verb::Flow { .. } => Ok(()),
            Verb::Set { name, hosts } => {
                let body = json!({"value": pairs::whole(&name)?, "hosts": hosts});
                let answer = remote.put(&path(&name)?, &body).await?;
                out.answer(&answer, || out.line(format!("{name} is set")))
            }
            Verb::List => {
                let answer = remote.get(PATH).await?;
                let row = |item: &Value| {
                    let hosts = item.get("hosts").and_then(Value::as_array).into_iter().flatten();
                    let hosts: Vec<String> = hosts.map(shown).collect();
                    let hosts = if hosts.is_empty() { "any".to_owned() } else { hosts.join(", ") };
                    vec![
                        (text(item, "name").to_owned(), Look::Bold),
                        (hosts, Look::Plain),
                        (far(item.get("at"), now()), Look::Dim),
                    ]
                };
                out.answer(&answer, || out.items(&answer, "no secrets", &["SECRET", "HOSTS", "SET"], row))
            }
            Verb::Remove { name } => {
                let answer = remote.delete(&path(&name)?).await?;
                out.answer(&answer, || out.line(format!("{name} is removed")))
            }
        }
    }
}

/// Where secrets go, by what is written in the files.
fn flow(files: &[PathBuf], session: &CliSession) -> Result<()> {
    let given = if files.is_empty() { vec![session.config.processes.clone()] } else { files.to_vec() };
    let mut processes = Vec::new();
    for file in expanded(&given)? {
        let name = file.display().to_string();
        let source = read_text(&file)?;
        let process = parse(&source).map_err(|problems| {
            let many = problems.len();
            anyhow!("`{name}` has {many} problems; hint: `beltline check` tells them")
        });
        processes.push(process?);
    }
    let line = |it: &Reached| {
        let at = if it.node.is_empty() { it.process.clone() } else { format!("{}/{}", it.process, it.node) };
        let note = it.trouble.map(|_| [it.message(), it.hint().unwrap_or_default()].join("; hint: "));
        json!({"secret": it.secret, "at": at, "reaches": it.sink.to_string(), "note": note})
    };
    let reaches = follow(&processes.iter().collect::<Vec<_>>());
    let answer = json!({"items": reaches.iter().map(line).collect::<Vec<_>>()});
    let row = |item: &Value| {
        let is_bad = item.get("note").is_some_and(|it| !it.is_null());
        vec![
            (text(item, "secret").to_owned(), Look::Bold),
            (text(item, "at").to_owned(), Look::Plain),
            (text(item, "reaches").to_owned(), if is_bad { Look::Bad } else { Look::Plain }),
        ]
    };
    let out = &session.out;
    out.answer(&answer, || out.items(&answer, "no secret goes anywhere", &["SECRET", "AT", "REACHES"], row))
}

fn path(name: &str) -> Result<String> {
    named(PATH, name)
}
