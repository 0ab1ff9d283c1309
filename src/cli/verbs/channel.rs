//! `channel`: the ways to reach a person.

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::cli::moment::{far, now};
use crate::cli::out::{Look, shown, text};
use crate::cli::pairs;
use crate::cli::remote::{Remote, named};
use crate::cli::session::CliSession;

const PATH: &str = "/api/v1/channels";

/// Ways to reach a person
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  beltline channel list
  beltline channel add author --via telegram chat_id=1234 token=-
  beltline channel test author")]
pub struct ChannelArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Add a channel, or set it up anew
    #[command(after_help = "\
Examples:
  beltline channel add author --via telegram chat_id=1234 token=-
  beltline channel add duty --via telegram chat_id=-99 token=- canary=weekly
  beltline channel add office --via smtp host=smtp.example.org user=bot password=- \\
    from=bot@example.org to=me@example.org")]
    Add {
        /// Its name, which a process notifies
        name: String,
        /// What kind: telegram, twilio, smtp, …
        #[arg(long)]
        via: String,
        /// Its settings: name=text, name:=JSON, name=@FILE, name=- (asked without echo)
        #[arg(value_name = "NAME=VALUE")]
        settings: Vec<String>,
    },
    /// List the channels
    List,
    /// Send a real message and print what came back
    Test {
        /// The channel
        name: String,
    },
    /// Remove a channel
    Remove {
        /// The channel
        name: String,
    },
}

impl ChannelArgs {
    /// Does what was asked.
    pub async fn run(self, session: &CliSession) -> Result<()> {
        let (remote, out) = (session.remote()?, &session.out);
        match self.verb {
            Verb::Add { name, via, settings } => {
                let body = json!({"via": via, "config": pairs::read(&settings)?});
                let answer = remote.put(&path(&name)?, &body).await?;
                out.answer(&answer, || {
                    out.line(format!("{name} is set up; `beltline channel test {name}` sends a message"))
                })
            }
            Verb::List => list(&remote, session).await,
            Verb::Test { name } => {
                let answer = remote.post(&format!("{}/test", path(&name)?), &json!({})).await?;
                let detail = text(&answer, "detail");
                out.answer(&answer, || out.line(format!("{name}: {detail}")))?;
                match answer.get("delivered").and_then(Value::as_bool) {
                    Some(true) => Ok(()),
                    _ => bail!("the message was not delivered"),
                }
            }
            Verb::Remove { name } => {
                let answer = remote.delete(&path(&name)?).await?;
                out.answer(&answer, || out.line(format!("{name} is removed")))
            }
        }
    }
}

async fn list(remote: &Remote, session: &CliSession) -> Result<()> {
    let answer = remote.get(PATH).await?;
    let out = &session.out;
    out.answer(&answer, || {
        let items = answer.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
        if items.is_empty() {
            return out.line("no channels; `beltline channel add --help` shows how to add one");
        }
        let rows = items.iter().map(|item| {
            let settings = item.get("config").and_then(Value::as_object).into_iter().flatten();
            let settings: Vec<String> =
                settings.map(|(name, value)| format!("{name}={}", shown(value))).collect();
            let (told, look) = fares(&item["health"]);
            vec![
                (text(item, "name").to_owned(), Look::Bold),
                (text(item, "via").to_owned(), Look::Plain),
                (settings.join(" "), Look::Dim),
                (told, look),
            ]
        });
        out.table(&["CHANNEL", "VIA", "SETTINGS", "LAST"], rows.collect())
    })
}

/// How a channel fares, in a line.
fn fares(health: &Value) -> (String, Look) {
    let when = |name: &str| far(health.get(name), now());
    if health["failing"].as_bool() == Some(true) {
        let (many, detail) = (health["failures"].as_u64().unwrap_or(0), text(health, "detail"));
        return (format!("failing (since {}, {many} in a row): {detail}", when("since")), Look::Bad);
    }
    let told = match health["delivered_at"].is_null() {
        true => "never used".to_owned(),
        false => format!("delivered {}", when("delivered_at")),
    };
    match text(health, "remedy") {
        "" if health["delivered_at"].is_null() => (told, Look::Dim),
        "" => (told, Look::Good),
        remedy => (format!("{told}; {remedy}"), Look::Warn),
    }
}

fn path(name: &str) -> Result<String> {
    named(PATH, name)
}
