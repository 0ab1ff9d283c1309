//! `secret`: what processes read as `secret.NAME`. Written, never shown.

use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::cli::moment::{far, now};
use crate::cli::out::{Look, shown, text};
use crate::cli::pairs;
use crate::cli::remote::encoded;
use crate::cli::session::Session;

const PATH: &str = "/api/v1/secrets";

/// Secrets: written, never shown
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  beltline secret set shop                          # asks without echo
  beltline secret list")]
pub struct Secret {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Set a secret; asks without echo, or reads a line of stdin
    Set {
        /// Its name, read as {{secret.NAME}}
        name: String,
        /// The only hosts it may be sent to; may be given again [default: any]
        #[arg(long = "host", value_name = "HOST")]
        hosts: Vec<String>,
    },
    /// List the names
    List,
    /// Remove a secret
    Remove {
        /// The secret
        name: String,
    },
}

impl Secret {
    /// Does what was asked.
    pub async fn run(self, session: &Session) -> Result<()> {
        let (remote, out) = (session.remote()?, &session.out);
        match self.verb {
            Verb::Set { name, hosts } => {
                let body = json!({"value": pairs::asked(&name)?, "hosts": hosts});
                let answer = remote.put(&path(&name), &body).await?;
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
                let answer = remote.delete(&path(&name)).await?;
                out.answer(&answer, || out.line(format!("{name} is removed")))
            }
        }
    }
}

fn path(name: &str) -> String {
    format!("{PATH}/{}", encoded(name))
}
