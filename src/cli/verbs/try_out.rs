//! `try`: a process against a scripted world, in virtual time.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::{Value, json};

use crate::cli::failure::Usage;
use crate::cli::out::Look;
use crate::cli::rehearse::{PlayedCase, Recorded, Rehearsal, recorded};
use crate::cli::session::CliSession;

/// Run a process against a scripted world, in virtual time
#[derive(Debug, Args)]
#[command(after_help = "\
Nothing real is asked and nothing is waited for: a scenario says what the world answers, what happens and
what is expected then, and the clock jumps to whatever is due next. A year takes a few
seconds.

Examples:
  beltline try scenarios/token.yaml                    # the process is the one that the scenario names
  beltline try processes/bitrix.yaml scenarios/token.yaml
  beltline try bitrix-oauth token.yaml --case heals    # a template; only the cases with that in their name
  beltline try --record bitrix token -o token.yaml     # what became of a real task, as a scenario

A scenario:
  process: hello
  submit: {ref: ada, params: {name: Ada}}
  then:
    - after: 2s
    - expect: {state: done, result: [\"Hello, Ada!\", \"Hello, Ada!\"]}")]
pub struct Try {
    /// The process (a file, a template, or one that is deployed), then the scenario; or the scenario alone.
    /// With --record: a deployed process and a task's ref
    #[arg(required = true, num_args = 1..=2, value_names = ["PROCESS", "SCENARIO"])]
    what: Vec<String>,
    /// Write a scenario of what became of a real task; its secrets are made up
    #[arg(long, conflicts_with = "case")]
    record: bool,
    /// Where the recorded scenario goes, instead of stdout; nothing is overwritten
    #[arg(short, long, value_name = "FILE", requires = "record")]
    output: Option<PathBuf>,
    /// Only the cases with that in their name
    #[arg(long, value_name = "TEXT")]
    case: Option<String>,
}

impl Try {
    /// Tries.
    pub async fn run(self, session: &CliSession) -> Result<()> {
        if self.record {
            return self.recorded(session).await;
        }
        let (process, file) = match self.what.as_slice() {
            [process, file] => (Some(process.as_str()), file),
            [file] => (None, file),
            _ => bail!(Usage("name a scenario".to_owned())),
        };
        let rehearsal = Rehearsal::load(Path::new(file), process, session).await?;
        let wanted = self.case.as_deref().unwrap_or_default();
        let cases = rehearsal.scenario.cases.iter().filter(|case| case.title.contains(wanted));
        let cases: Vec<_> = cases.collect();
        if cases.is_empty() {
            bail!(Usage(format!("no case of `{file}` has `{wanted}` in its name")));
        }
        let (mut told, mut failed) = (Vec::new(), 0);
        for case in cases {
            let done = rehearsal.play(case).await;
            failed += usize::from(!done.is_ok());
            match session.out.json {
                true => told.push(as_json(&done)),
                false => tell(&done, session)?,
            }
        }
        if session.out.json {
            session.out.json(&json!({"process": rehearsal.cast.process.id, "cases": told}))?;
        }
        match failed {
            0 => Ok(()),
            1 => bail!("1 case failed"),
            many => bail!("{many} cases failed"),
        }
    }
}

impl Try {
    async fn recorded(self, session: &CliSession) -> Result<()> {
        let [process, reference] = self.what.as_slice() else {
            bail!(Usage("name the process and the ref of the task to record".to_owned()));
        };
        let Recorded { text, holds } = recorded(process, reference, session).await?;
        if let Some(path) = &self.output {
            let folder = path.parent().filter(|it| !it.as_os_str().is_empty());
            folder.map_or(Ok(()), fs::create_dir_all).with_context(|| cannot(path))?;
            let file = fs::OpenOptions::new().write(true).create_new(true).open(path);
            let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
            written.with_context(|| cannot(path))?;
        }
        let out = &session.out;
        match (out.json, &self.output) {
            (true, _) => out.json(&json!({"scenario": text, "holds": holds}))?,
            (false, None) => out.raw(text.as_bytes())?,
            (false, Some(path)) => out.line(format!("{}: written", path.display()))?,
        }
        if !holds {
            let text = "note: it does not hold yet: complete by hand what the history does not show";
            // With stderr gone there is no one left to tell.
            drop(writeln!(std::io::stderr(), "{text}"));
        }
        Ok(())
    }
}

fn cannot(path: &Path) -> String {
    format!("`{}` cannot be written", path.display())
}

fn tell(done: &PlayedCase, session: &CliSession) -> Result<()> {
    let out = &session.out;
    out.line(out.paint(Look::Bold, &done.case.title))?;
    done.story(out).into_iter().try_for_each(|line| out.line(line))?;
    let word = if done.is_ok() { out.paint(Look::Good, "ok") } else { out.paint(Look::Bad, "FAILED") };
    out.line(format!(
        "{word}  {} in {} ms, {} events",
        done.played.span, done.millis, done.played.story.events
    ))?;
    done.misses(out).into_iter().try_for_each(|line| out.line(line))?;
    out.line("")
}

/// With the story, whose events are as the API has them.
fn as_json(done: &PlayedCase) -> Value {
    let mut value = done.json();
    value["story"] = done.story_json();
    value
}
