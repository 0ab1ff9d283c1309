//! `audit`: who did what, and whether all of it is still there.

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::cli::out::{Look, text};
use crate::cli::remote::encoded;
use crate::cli::session::CliSession;

const PATH: &str = "/api/v1/audit";
/// How many lines are listed if nothing is said.
const LIMIT: usize = 50;

/// Who did what; and whether all of it is still there
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  beltline audit list --limit 200
  beltline audit verify
  beltline audit verify --noted 1042:mW0xq3…        # an end that `verify` printed before")]
pub struct Audit {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List who did what, the newest first
    List {
        /// How many lines
        #[arg(long, value_name = "N", default_value_t = LIMIT)]
        limit: usize,
    },
    /// Walk along the whole chain; names the first line that is not as it was written
    Verify {
        /// An end that was noted before: it must still be part of the chain
        #[arg(long, value_name = "LINE:HASH")]
        noted: Option<String>,
    },
}

impl Audit {
    /// Does what was asked.
    pub async fn run(self, session: &CliSession) -> Result<()> {
        let (remote, out) = (session.remote()?, &session.out);
        match self.verb {
            Verb::List { limit } => {
                let answer = json!({"items": remote.list(PATH, limit).await?});
                let row = |item: &Value| {
                    vec![
                        (item["seq"].to_string(), Look::Dim),
                        (text(item, "at").to_owned(), Look::Dim),
                        (text(item, "by").to_owned(), Look::Bold),
                        (text(item, "did").to_owned(), Look::Plain),
                        (text(item, "to").to_owned(), Look::Plain),
                    ]
                };
                let heads = ["LINE", "AT", "WHO", "DID", "TO"];
                out.answer(&answer, || out.items(&answer, "no command was given yet", &heads, row))
            }
            Verb::Verify { noted } => {
                let noted = noted.map(|it| format!("?noted={}", encoded(&it))).unwrap_or_default();
                let walk = remote.get(&format!("{PATH}/verify{noted}")).await?;
                let (first, last) = (&walk["first"], &walk["last"]);
                out.answer(&walk, || {
                    if walk["ok"] == true {
                        out.line(format!("{} lines, {first} to {last}: all good", walk["good"]))?;
                    }
                    out.line(format!("the end of the chain is {last}:{}", text(&walk, "head")))
                })?;
                match walk["broken"].is_null() {
                    true => Ok(()),
                    false => {
                        let broken = &walk["broken"];
                        bail!("line {} is not as it was written: {}", broken["seq"], text(broken, "why"))
                    }
                }
            }
        }
    }
}
