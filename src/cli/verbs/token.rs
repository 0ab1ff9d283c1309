//! `token`: who may use the API.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use crate::cli::moment::{far, now};
use crate::cli::out::{Look, shown, text};
use crate::cli::remote::named;
use crate::cli::secret_file::new_private;
use crate::cli::session::CliSession;

const PATH: &str = "/api/v1/tokens";

/// Tokens for the API
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  beltline token create ci --scope run --scope read --process orders
  beltline token create reader --scope read --to reader.token   # then: --token-file reader.token
  beltline token list")]
pub struct Token {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Create a token; it is shown once
    #[command(after_help = "Example:\n  beltline token create ci --scope run --scope read --process orders")]
    Create {
        /// Its name
        name: String,
        /// What it may do; may be given again
        #[arg(long = "scope", required = true, value_name = "SCOPE")]
        scopes: Vec<Scope>,
        /// The only processes it is for; may be given again [default: all]
        #[arg(long = "process", value_name = "PROCESS")]
        processes: Vec<String>,
        /// Write it into this new file, for its owner alone, and show it nowhere
        #[arg(long = "to", value_name = "FILE")]
        to: Option<PathBuf>,
        /// When it ends: a length of time such as 90d, or a moment as 2027-01-01T00:00:00Z [default: never]
        #[arg(long, value_name = "WHEN")]
        expires: Option<String>,
    },
    /// List the tokens
    List,
    /// Take a token back
    Revoke {
        /// The token's name
        name: String,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Scope {
    /// Look
    Read,
    /// Submit tasks and give commands to them
    Run,
    /// Deploy and change processes
    Edit,
    /// Read secret params, set secrets
    Secrets,
    /// Everything
    Admin,
}

impl Token {
    /// Does what was asked.
    pub async fn run(self, session: &CliSession) -> Result<()> {
        let (remote, out) = (session.remote()?, &session.out);
        match self.verb {
            Verb::Create { name, scopes, processes, to, expires } => {
                let file = to.as_deref().map(new_private).transpose()?;
                let scopes: Vec<String> = scopes
                    .iter()
                    .filter_map(ValueEnum::to_possible_value)
                    .map(|it| it.get_name().to_owned())
                    .collect();
                let mut body = json!({"name": name, "scopes": scopes});
                if !processes.is_empty() {
                    body["processes"] = json!(processes);
                }
                if let Some(expires) = expires {
                    body["expires"] = Value::from(moment(&expires));
                }
                let mut answer = remote.post(PATH, &body).await.inspect_err(|_| forget(to.as_deref()))?;
                if let Some((path, mut file)) = to.as_deref().zip(file) {
                    writeln!(file, "{}", text(&answer, "token"))
                        .with_context(|| format!("`{}` cannot be written", path.display()))?;
                    answer["token"] = Value::from("***");
                    return out.answer(&answer, || out.line(format!("{name} is in `{}`", path.display())));
                }
                out.answer(&answer, || {
                    eprintln!("this is the only time it is shown:");
                    out.line(text(&answer, "token"))
                })
            }
            Verb::List => list(session, &remote.get(PATH).await?),
            Verb::Revoke { name } => {
                let answer = remote.delete(&named(PATH, &name)?).await?;
                out.answer(&answer, || out.line(format!("{name} is revoked")))
            }
        }
    }
}

/// The file was made for a token that there is not.
fn forget(path: Option<&Path>) {
    // What is left is empty, and harms nobody.
    if let Some(path) = path {
        drop(fs::remove_file(path));
    }
}

/// A length of time is counted from now; everything else is the server's to read.
fn moment(text: &str) -> String {
    match text.parse() {
        Ok(span) => (now() + span).to_string(),
        Err(_) => text.to_owned(),
    }
}

fn list(session: &CliSession, answer: &Value) -> Result<()> {
    let out = &session.out;
    let names = |item: &Value, name: &str| {
        let them = item.get(name).and_then(Value::as_array).into_iter().flatten();
        them.map(shown).collect::<Vec<_>>().join(", ")
    };
    let row = |item: &Value| {
        let processes = names(item, "processes");
        vec![
            (text(item, "name").to_owned(), Look::Bold),
            (names(item, "scopes"), Look::Plain),
            (if processes.is_empty() { "all".to_owned() } else { processes }, Look::Plain),
            (far(item.get("expires"), now()), Look::Dim),
            (far(item.get("used"), now()), Look::Dim),
        ]
    };
    out.answer(answer, || {
        out.items(answer, "no tokens", &["TOKEN", "SCOPES", "PROCESSES", "EXPIRES", "USED"], row)
    })
}
