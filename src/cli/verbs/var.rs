//! `var`: what processes read as `var.NAME`.

use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::cli::failure::Usage;
use crate::cli::out::{Look, shown, text};
use crate::cli::pairs;
use crate::cli::remote::named;
use crate::cli::session::CliSession;

const PATH: &str = "/api/v1/vars";

/// Variables that processes share
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  beltline var set region=eu
  beltline var list")]
pub struct Var {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Set variables, read as {{var.NAME}}
    #[command(after_help = "Example:\n  beltline var set region=eu limit:=10")]
    Set {
        /// name=text, name:=JSON, name=@FILE
        #[arg(value_name = "NAME=VALUE", required = true)]
        vars: Vec<String>,
    },
    /// List the variables
    List,
    /// Remove a variable
    Remove {
        /// The variable
        name: String,
    },
}

impl Var {
    /// Does what was asked.
    pub async fn run(self, session: &CliSession) -> Result<()> {
        let (remote, out) = (session.remote()?, &session.out);
        match self.verb {
            Verb::Set { vars } => {
                if vars.iter().any(|it| it.ends_with("=-")) {
                    let message = "a variable is shown to all; hint: `beltline secret set` keeps a secret";
                    return Err(Usage(message.to_owned()).into());
                }
                for (name, value) in pairs::read(&vars)? {
                    let answer = remote.put(&path(&name)?, &json!({"value": value})).await?;
                    out.answer(&answer, || out.line(format!("{name} is set")))?;
                }
                Ok(())
            }
            Verb::List => {
                let answer = remote.get(PATH).await?;
                let row = |item: &Value| {
                    vec![
                        (text(item, "name").to_owned(), Look::Bold),
                        (item.get("value").map(shown).unwrap_or_default(), Look::Plain),
                    ]
                };
                out.answer(&answer, || out.items(&answer, "no variables", &["VARIABLE", "VALUE"], row))
            }
            Verb::Remove { name } => {
                let answer = remote.delete(&path(&name)?).await?;
                out.answer(&answer, || out.line(format!("{name} is removed")))
            }
        }
    }
}

fn path(name: &str) -> Result<String> {
    named(PATH, name)
}
