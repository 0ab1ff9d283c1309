//! `templates`: what can be cloned, and what became of it since.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, anyhow};
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use crate::cli::failure::Usage;
use crate::cli::out::{Look, Output, text};
use crate::cli::remote::{ServerRefusal, process_path};
use crate::cli::session::CliSession;
use crate::cli::verbs::clone::{PATH, template};

/// List what can be cloned, and take over what changed in it since
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  beltline templates
  beltline templates bitrix-oauth                    # its YAML
  beltline templates diff bitrix                     # what changed since `bitrix` was cloned
  beltline templates update bitrix --dry-run"
)]
pub struct Templates {
    #[command(subcommand)]
    verb: Option<Verb>,
    /// Only this one, as YAML
    template: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List what can be cloned
    List,
    /// Print one as YAML
    Show {
        /// The template
        template: String,
    },
    /// Show what changed in the template of a process since it was cloned
    Diff {
        /// The process
        process: String,
    },
    /// Take over what changed: merge it with your own changes, check, deploy
    #[command(after_help = "\
The file is kept as it was beside it. If you and the template have changed the same lines, nothing is
written, and what must be chosen is listed.

Examples:
  beltline templates update bitrix
  beltline templates update bitrix --marked bitrix.merged.yaml")]
    Update {
        /// The process
        process: String,
        /// Only say what would happen
        #[arg(long)]
        dry_run: bool,
        /// Where the tasks of a node go that is no longer there; may be given again
        #[arg(long = "move", value_name = "OLD=NEW")]
        moves: Vec<String>,
        /// If it cannot be merged, write all of it here, with marks around what must be chosen
        #[arg(long, value_name = "FILE")]
        marked: Option<PathBuf>,
    },
}

impl Templates {
    /// Does what was asked.
    pub async fn run(self, session: &CliSession) -> Result<()> {
        match (self.verb, self.template) {
            (None, None) | (Some(Verb::List), _) => list(session).await,
            (None, Some(name)) | (Some(Verb::Show { template: name }), _) => show(session, &name).await,
            (Some(Verb::Diff { process }), _) => diff(session, &process).await,
            (Some(Verb::Update { process, dry_run, moves, marked }), _) => {
                let body = json!({"dry_run": dry_run, "move": moved(&moves)?});
                update(session, &process, &body, marked).await
            }
        }
    }
}

async fn list(session: &CliSession) -> Result<()> {
    let (remote, out) = (session.remote()?, &session.out);
    let answer = remote.get(PATH).await?;
    let row = |item: &Value| {
        vec![(text(item, "name").to_owned(), Look::Bold), (text(item, "about").to_owned(), Look::Plain)]
    };
    out.answer(&answer, || out.items(&answer, "no templates", &["TEMPLATE", "WHAT IT IS FOR"], row))
}

async fn show(session: &CliSession, name: &str) -> Result<()> {
    let answer = template(&session.remote()?, name).await?;
    session.out.answer(&answer, || session.out.raw(text(&answer, "text").as_bytes()))
}

async fn diff(session: &CliSession, id: &str) -> Result<()> {
    let (remote, out) = (session.remote()?, &session.out);
    let answer = remote.get(&format!("{}/template", process_path(id))).await?;
    out.answer(&answer, || {
        let (name, from) = (text(&answer, "template"), text(&answer, "from"));
        if from == text(&answer, "to") {
            return out.line(format!("{id}  is of {name}@{from}, and nothing has changed there since"));
        }
        if answer["known"] == Value::Bool(false) {
            out.line(format!(
                "{name}@{from} is not known here any more; this is how {id} differs from the template of now"
            ))?;
        }
        colored(out, text(&answer, "diff"))
    })
}

async fn update(session: &CliSession, id: &str, body: &Value, marked: Option<PathBuf>) -> Result<()> {
    let (remote, out) = (session.remote()?, &session.out);
    let answer = match remote.post(&format!("{}/template/update", process_path(id)), body).await {
        Ok(answer) => answer,
        Err(error) => return Err(unmerged(error, marked)?),
    };
    out.answer(&answer, || {
        let (name, to) = (text(&answer, "template"), text(&answer, "to"));
        if answer["changed"] == Value::Bool(false) {
            return out.line(format!("{id}  is of {name}@{to} already"));
        }
        colored(out, text(&answer, "diff"))?;
        if body["dry_run"] == Value::Bool(true) {
            return out.line(format!("{id}  would be deployed as {}", text(&answer, "version")));
        }
        let kept = match text(&answer, "backup") {
            "" => String::new(),
            backup => format!("; as it was it is in {backup}"),
        };
        out.line(format!("{id}  deployed as {}, of {name}@{to}{kept}", text(&answer, "version")))
    })
}

/// Writes down what could not be merged, if that is wanted, and gives the error back.
fn unmerged(error: anyhow::Error, marked: Option<PathBuf>) -> Result<anyhow::Error> {
    let refusal = error.downcast_ref::<ServerRefusal>().filter(|it| it.code() == "merge_conflicts");
    let (Some(refusal), Some(path)) = (refusal, marked) else { return Ok(error) };
    let cannot = || format!("`{}` cannot be written", path.display());
    fs::write(&path, text(&refusal.problem, "marked")).with_context(cannot)?;
    let hint = format!("choose in {0}, then `beltline deploy {0}`", path.display());
    Ok(anyhow!("{refusal}; hint: {hint}"))
}

fn moved(moves: &[String]) -> Result<Map<String, Value>> {
    let one = |it: &String| {
        let (old, new) = it
            .split_once(['=', ':'])
            .ok_or_else(|| Usage(format!("`{it}` is no move; hint: write --move old=new")))?;
        Ok((old.to_owned(), Value::from(new)))
    };
    moves.iter().map(one).collect()
}

fn colored(out: &Output, diff: &str) -> Result<()> {
    diff.lines().try_for_each(|line| {
        let look = match line.as_bytes().first() {
            Some(b'+') => Look::Good,
            Some(b'-') => Look::Bad,
            Some(b'@') => Look::Dim,
            _ => Look::Plain,
        };
        out.line(out.paint(look, line))
    })
}
