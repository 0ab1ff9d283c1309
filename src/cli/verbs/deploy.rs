//! `deploy`: brings files to the server.

use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow, bail};
use clap::Args;
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};

use crate::cli::files::read_text;
use crate::cli::out::{shown, text};
use crate::cli::remote::{Remote, encoded, process_path};
use crate::cli::session::CliSession;
use crate::model::tree::Branch;
use crate::process::yaml;

/// Deploy process files
#[derive(Debug, Args)]
#[command(after_help = "\
A version that would strand live tasks is refused with the list, unless --move says where they go.

Examples:
  beltline deploy processes/hello.yaml
  beltline deploy hello.yaml --move nap=rest")]
pub struct Deploy {
    /// The files
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Where the tasks of a node go that is no longer there; may be given again
    #[arg(long = "move", value_name = "OLD=NEW")]
    moves: Vec<String>,
    /// Only say what would happen
    #[arg(long)]
    dry_run: bool,
}

impl Deploy {
    /// Deploys. Every file is tried, so that all that is wrong is told at once.
    pub async fn run(self, session: &CliSession) -> Result<()> {
        let remote = session.remote()?;
        let mut answers = Vec::new();
        let mut failures = Vec::new();
        for file in &self.files {
            match self.one(&remote, file).await {
                Ok(answer) => answers.push(answer),
                Err(error) => failures.push(error.context(format!("`{}` was not deployed", file.display()))),
            }
        }
        session.out.answer(&json!({"items": answers}), || {
            answers.iter().try_for_each(|it| {
                session.out.line(told(it, self.dry_run))?;
                let warnings = it.get("warnings").and_then(Value::as_array).into_iter().flatten();
                warnings.into_iter().try_for_each(|it| session.out.line(format!("  warning: {}", shown(it))))
            })
        })?;
        match failures.len() {
            0 => Ok(()),
            1 => Err(failures.remove(0)),
            many => {
                let told: Vec<String> = failures.iter().map(|it| format!("{it:#}")).collect();
                bail!("{many} files were not deployed\n{}", told.join("\n"))
            }
        }
    }

    async fn one(&self, remote: &Remote, file: &Path) -> Result<Value> {
        let source = read_text(file)?;
        let id = id(&source)?;
        let moves = self.moves.iter().map(|it| it.replacen('=', ":", 1));
        let mut query: Vec<String> = moves.map(|it| format!("move={}", encoded(&it))).collect();
        if self.dry_run {
            query.push("dry_run=true".to_owned());
        }
        let path = format!("{}?{}", process_path(&id), query.join("&"));
        let request = remote.request(Method::PUT, path.trim_end_matches('?'));
        remote.json(request.header(CONTENT_TYPE, "application/yaml").body(source)).await
    }
}

fn told(answer: &Value, dry_run: bool) -> String {
    let (id, version) = (text(answer, "id"), text(answer, "version"));
    let moved = match answer.get("moved").and_then(Value::as_u64) {
        None | Some(0) => String::new(),
        Some(many) => format!(", {many} tasks moved"),
    };
    let reached = answer.get("reaches").and_then(Value::as_array).into_iter().flatten();
    let reached: Vec<&str> = reached.filter_map(Value::as_str).collect();
    let acts = match reached.as_slice() {
        [] => String::new(),
        reached => format!("; with your rights it acts in {}", reached.join(", ")),
    };
    match (answer.get("changed").and_then(Value::as_bool), dry_run) {
        (Some(false), _) => format!("{id}  is at {version} already"),
        (_, true) => format!("{id}  would be deployed as {version}{moved}{acts}"),
        (_, false) => format!("{id}  deployed as {version}{moved}{acts}"),
    }
}

/// The id that a file gives itself. What else is wrong with it, the server tells.
fn id(source: &str) -> Result<String> {
    let (tree, _) = yaml::read(source);
    let none = || anyhow!("it has no `process: ID`; hint: `beltline check` tells all that is wrong");
    let Some(Branch::Map(pairs)) = tree.map(|it| it.branch) else { return Err(none()) };
    let id = pairs.into_iter().find(|(key, _)| key.text == "process").map(|(_, id)| id.branch);
    match id {
        Some(Branch::Text(id)) => Ok(id),
        Some(Branch::Number(id)) => Ok(id.to_string()),
        _ => Err(none()),
    }
}
