//! `try`: a process against a scripted world, in virtual time.

use std::path::Path;

use anyhow::{Result, bail};
use clap::Args;
use serde_json::{Value, json};

use crate::cli::failure::Usage;
use crate::cli::out::Look;
use crate::cli::rehearse::{Done, Rehearsal};
use crate::cli::session::Session;

/// Run a process against a scripted world, in virtual time
#[derive(Debug, Args)]
#[command(after_help = "\
Nothing real is asked and nothing is waited for: a scenario says what the world answers, what happens and
what is expected then, and the clock jumps to whatever is due next. A year takes about a second.

Examples:
  beltline try scenarios/token.yaml                    # the process is the one that the scenario names
  beltline try processes/bitrix.yaml scenarios/token.yaml
  beltline try bitrix-oauth token.yaml --case heals    # a template; only the cases with that in their name

A scenario:
  process: hello
  submit: {ref: ada, params: {name: Ada}}
  then:
    - after: 2s
    - expect: {state: done, result: [\"Hello, Ada!\", \"Hello, Ada!\"]}")]
pub struct Try {
    /// The process (a file, a template, or one that is deployed), then the scenario; or the scenario alone
    #[arg(required = true, num_args = 1..=2, value_names = ["PROCESS", "SCENARIO"])]
    what: Vec<String>,
    /// Only the cases with that in their name
    #[arg(long, value_name = "TEXT")]
    case: Option<String>,
}

impl Try {
    /// Tries.
    pub async fn run(self, session: &Session) -> Result<()> {
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

fn tell(done: &Done, session: &Session) -> Result<()> {
    let out = &session.out;
    out.line(out.paint(Look::Bold, &done.case.title))?;
    done.story(out).into_iter().try_for_each(|line| out.line(line))?;
    let word = if done.is_ok() { out.paint(Look::Good, "ok") } else { out.paint(Look::Bad, "FAILED") };
    out.line(format!("{word}  {} in {} ms, {} hops", done.played.span, done.millis, done.played.story.hops))?;
    done.misses(out).into_iter().try_for_each(|line| out.line(line))?;
    out.line("")
}

/// With the story, whose hops are as the API has them.
fn as_json(done: &Done) -> Value {
    let mut value = done.json();
    value["story"] = done.story_json();
    value
}
