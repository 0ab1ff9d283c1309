//! `clone`: a template, or a process, becomes a process of one's own.

use std::io::{self, IsTerminal};

use anyhow::{Result, anyhow, bail};
use clap::Args;
use serde_json::{Map, Value, json};

use crate::cli::out::{Output, text};
use crate::cli::pairs;
use crate::cli::questions::{ask, still_needed};
use crate::cli::remote::{Remote, ServerRefusal, encoded, process_path};
use crate::cli::session::CliSession;
use crate::model::near::nearest;

/// Where templates are.
pub const PATH: &str = "/api/v1/templates";

/// Make a process from a template, or from another process
#[derive(Debug, Args)]
#[command(after_help = "\
At a terminal the template's questions are asked, unless --set or --defaults is given. What is secret
is never asked here and never written into the file: it is given with each task.

Examples:
  beltline clone bitrix-oauth --as bitrix
  beltline clone orders --as orders-test             # of a process: its text, no task and no secret
  beltline clone bitrix-lead --as leads --set keeper_process=bitrix
  beltline clone oauth2-keeper --as drive --ask      # the answers are the lines of stdin")]
pub struct Clone {
    /// The template; if there is none of that name, the process
    template: String,
    /// The new process [default: the template's name]
    #[arg(long = "as", value_name = "PROCESS")]
    name: Option<String>,
    /// Its title
    #[arg(long)]
    title: Option<String>,
    /// The answer to a question of the template; may be given again. With it, nothing else is asked
    #[arg(long = "set", value_name = "NAME=VALUE")]
    values: Vec<String>,
    /// Ask nothing: what the template says holds
    #[arg(long, conflicts_with = "ask")]
    defaults: bool,
    /// Ask also where nobody types: the answers are the lines of stdin
    #[arg(long)]
    ask: bool,
}

impl Clone {
    /// Clones.
    pub async fn run(self, session: &CliSession) -> Result<()> {
        let (remote, out) = (session.remote()?, &session.out);
        let found = match template(&remote, &self.template).await {
            Ok(found) => found,
            Err(_) if remote.get(&process_path(&self.template)).await.is_ok() => {
                return self.copy(&remote, out).await;
            }
            Err(error) => return Err(error),
        };
        let mut values = pairs::read(&self.values)?;
        let typed = self.values.is_empty() && !self.defaults && !out.json && io::stdin().is_terminal();
        if self.ask || typed {
            let mut asked = ask(&found, &mut io::stdin().lock(), &mut io::stderr())?;
            asked.extend(values);
            values = asked;
        }
        let mut body = json!({"as": self.name.as_deref().unwrap_or(&self.template), "values": values});
        if let Some(title) = &self.title {
            body["title"] = Value::from(title.as_str());
        }
        let answer = remote.post(&format!("{PATH}/{}/clone", encoded(&self.template)), &body).await?;
        out.answer(&answer, || {
            let id = text(&answer, "id");
            let path = text(&answer, "path");
            let place =
                if path.is_empty() { String::new() } else { format!("; it is yours to edit in {path}") };
            out.line(format!("{id} is deployed{place}"))?;
            out.line(format!("next: {}", next(id, &found, &values)))
        })
    }

    /// Of a process: its text, under another id.
    async fn copy(&self, remote: &Remote, out: &Output) -> Result<()> {
        let from = &self.template;
        if !self.values.is_empty() {
            bail!("`{from}` is a process, and a process asks no questions; hint: leave --set out");
        }
        let Some(name) = &self.name else {
            bail!("`{from}` is a process; hint: name the new one, `beltline clone {from} --as NAME`");
        };
        let body = json!({"as": name, "title": self.title});
        let answer = remote.post(&format!("{}/clone", process_path(from)), &body).await?;
        out.answer(&answer, || out.line(format!("{} is deployed", text(&answer, "id"))))
    }
}

/// The template of that name, or which one may have been meant.
pub async fn template(remote: &Remote, name: &str) -> Result<Value> {
    let error = match remote.get(&format!("{PATH}/{}", encoded(name))).await {
        Ok(template) => return Ok(template),
        Err(error) => error,
    };
    if error.downcast_ref::<ServerRefusal>().is_none_or(|it| it.status != 404) {
        return Err(error);
    }
    let known = remote.get(PATH).await?;
    let names = known.get("items").and_then(Value::as_array).into_iter().flatten().map(|it| text(it, "name"));
    let names: Vec<&str> = names.collect();
    Err(match nearest(name, names.iter().copied()) {
        Some(near) => anyhow!("there is no template `{name}`; hint: did you mean `{near}`?"),
        None => anyhow!("there is no template `{name}`; hint: there are {}", names.join(", ")),
    })
}

/// The command that puts the first task in, with all that it still needs.
fn next(id: &str, template: &Value, answered: &Map<String, Value>) -> String {
    let pairs = still_needed(template, answered).into_iter().map(|it| match it["secret"].as_bool() {
        Some(true) => format!(" {}=-", text(it, "name")),
        _ => format!(" {}=…", text(it, "name")),
    });
    format!("beltline submit {id}{}", pairs.collect::<String>())
}
