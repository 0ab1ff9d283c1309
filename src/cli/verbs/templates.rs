//! `templates` and `clone`: processes to start from.

use std::io::{self, BufRead, IsTerminal, Write};

use anyhow::{Context, Result, anyhow};
use clap::Args;
use serde_json::{Map, Value, json};

use crate::cli::out::{Look, shown, text};
use crate::cli::pairs;
use crate::cli::remote::{Refusal, Remote, encoded};
use crate::cli::session::Session;
use crate::cli::suggest::nearest;

const PATH: &str = "/api/v1/templates";

/// List what can be cloned
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  beltline templates
  beltline templates bitrix-oauth                    # its YAML")]
pub struct Templates {
    /// Only this one, as YAML
    template: Option<String>,
}

/// Make a process from a template
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  beltline clone bitrix-oauth --as bitrix
  beltline clone bitrix-lead --as leads --set keeper=bitrix")]
pub struct Clone {
    /// The template
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
    #[arg(long)]
    defaults: bool,
}

impl Templates {
    /// Lists.
    pub async fn run(self, session: &Session) -> Result<()> {
        let (remote, out) = (session.remote()?, &session.out);
        let Some(name) = &self.template else {
            let answer = remote.get(PATH).await?;
            let row = |item: &Value| {
                vec![
                    (text(item, "name").to_owned(), Look::Bold),
                    (text(item, "about").to_owned(), Look::Plain),
                ]
            };
            return out.answer(&answer, || {
                out.items(&answer, "no templates", &["TEMPLATE", "WHAT IT IS FOR"], row)
            });
        };
        let answer = template(&remote, name).await?;
        out.answer(&answer, || out.raw(text(&answer, "text").as_bytes()))
    }
}

impl Clone {
    /// Clones.
    pub async fn run(self, session: &Session) -> Result<()> {
        let (remote, out) = (session.remote()?, &session.out);
        let found = template(&remote, &self.template).await?;
        let ask = self.values.is_empty() && !self.defaults && !out.json && io::stdin().is_terminal();
        let values = if ask { asked(&found)? } else { pairs::read(&self.values)? };
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
            out.line(format!("next: {}", next(id, &found)))
        })
    }
}

async fn template(remote: &Remote, name: &str) -> Result<Value> {
    let error = match remote.get(&format!("{PATH}/{}", encoded(name))).await {
        Ok(template) => return Ok(template),
        Err(error) => error,
    };
    if error.downcast_ref::<Refusal>().is_none_or(|it| it.status != 404) {
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

/// Asks at the terminal for every param that may stand in the file. An empty answer leaves it as it is.
fn asked(template: &Value) -> Result<Map<String, Value>> {
    let mut values = Map::new();
    eprintln!("What you answer holds for every task; Enter leaves it open, to be given with each.");
    let params = template.get("params").and_then(Value::as_array).into_iter().flatten();
    for param in params.filter(|it| is_question(it)) {
        let (name, default) = (text(param, "name"), shown(&param["default"]));
        let about = match text(param, "about") {
            "" => String::new(),
            about => format!(" ({about})"),
        };
        let default = if default.is_empty() { String::new() } else { format!(" [{default}]") };
        eprint!("{name}{about}{default}: ");
        io::stderr().flush()?;
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line).context("nothing was typed")?;
        let line = line.trim();
        if !line.is_empty() {
            values.insert(name.to_owned(), typed(line, text(param, "type")));
        }
    }
    Ok(values)
}

/// A secret is never written into a file, and what the process writes itself is asked of no one.
fn is_question(param: &Value) -> bool {
    let is = |name: &str| param.get(name).and_then(Value::as_bool);
    is("secret") != Some(true) && is("input") != Some(false)
}

fn typed(line: &str, kind: &str) -> Value {
    match kind {
        "string" => Value::from(line),
        _ => serde_json::from_str(line).unwrap_or_else(|_| Value::from(line)),
    }
}

/// The command that puts the first task in.
fn next(id: &str, template: &Value) -> String {
    let params = template.get("params").and_then(Value::as_array).into_iter().flatten();
    let required = params.filter(|it| it["required"].as_bool() == Some(true));
    let pairs = required.map(|it| match it["secret"].as_bool() {
        Some(true) => format!(" {}=-", text(it, "name")),
        _ => format!(" {}=…", text(it, "name")),
    });
    format!("beltline submit {id}{}", pairs.collect::<String>())
}
