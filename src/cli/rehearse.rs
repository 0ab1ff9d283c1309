//! Scenarios as verbs use them: found, read with their processes, and told of.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, anyhow, bail};
use serde_json::{Value, json};

use crate::cli::failure::Usage;
use crate::cli::files::{read_text, yaml_files};
use crate::cli::out::{Look, Output, one_line};
use crate::cli::remote::{process_path, task_path};
use crate::cli::session::CliSession;
use crate::cli::timeline;
use crate::model::near::nearest;
use crate::model::time::Timestamp;
use crate::process::parse::parse;
use crate::process::problem::{FileProblem, render};
use crate::process::process::Process;
use crate::scenario::diff::{Miss, Side};
use crate::scenario::file::{Case, Scenario};
use crate::scenario::play::{Cast, Played, play, unknown_names};
use crate::scenario::read::{is_scenario, read};
use crate::scenario::record::{RecordedTask, guesses, record};
use crate::scenario::story::{Beat, Chapter};
use crate::service::templates;
use crate::service::view::HistoryEventView;
use crate::store::memory::Memory;

/// A scenario with the processes it names.
pub struct Rehearsal {
    /// The file, as it was named.
    pub file: String,
    /// What it says.
    pub scenario: Scenario,
    /// Its processes.
    pub cast: Cast,
}

/// A case that was played.
pub struct PlayedCase<'a> {
    /// Where.
    pub file: &'a str,
    /// Which.
    pub case: &'a Case,
    /// What came of it.
    pub played: Played,
    /// How long it took, in milliseconds of this machine.
    pub millis: u128,
}

impl Rehearsal {
    /// Reads the scenario at `path`; `process` is what it is about, if not what the file says.
    pub async fn load(path: &Path, process: Option<&str>, session: &CliSession) -> Result<Rehearsal> {
        let file = path.display().to_string();
        let source = text_of(path)?;
        let scenario = read(&source).map_err(|problems| broken(&file, &source, problems, session))?;
        let beside = path.parent().unwrap_or(Path::new("")).to_path_buf();
        let here = PathBuf::new();
        let process = match (process, &scenario.process) {
            (Some(name), _) => found(name, &here, session).await?,
            (None, Some(name)) => found(&name.it, &beside, session).await?,
            (None, None) => {
                let text = format!(
                    "`{file}` does not say which process it is about; hint: begin with `process: name`"
                );
                bail!(Usage(text))
            }
        };
        let mut with = Vec::new();
        for name in &scenario.with {
            with.push(found(&name.it, &beside, session).await?);
        }
        let problems = unknown_names(&scenario, &process);
        if !problems.is_empty() {
            return Err(broken(&file, &source, problems, session));
        }
        Ok(Rehearsal { file, scenario, cast: Cast { process, with } })
    }

    /// Plays one case.
    pub async fn play<'a>(&'a self, case: &'a Case) -> PlayedCase<'a> {
        #[expect(clippy::disallowed_methods, reason = "a length of time, for people")]
        let begin = Instant::now();
        let played = play(case, &self.cast, Arc::new(Memory::default())).await;
        PlayedCase { file: &self.file, case, played, millis: begin.elapsed().as_millis() }
    }
}

/// All problems of a scenario, as an error that says it cannot be understood.
fn broken(file: &str, source: &str, problems: Vec<FileProblem>, session: &CliSession) -> anyhow::Error {
    let problems: Vec<FileProblem> = problems.into_iter().map(|it| it.in_file(file)).collect();
    let color = session.out.color();
    anyhow::Error::new(Usage(format!("`{file}` is no good scenario\n{}", render(&problems, source, color))))
}

fn text_of(path: &Path) -> Result<String> {
    read_text(path).map_err(|error| anyhow::Error::new(Usage(format!("{error:#}"))))
}

/// The process of that name: a file, one in the processes folder, a template, or one that is deployed.
async fn found(name: &str, beside: &Path, session: &CliSession) -> Result<Arc<Process>> {
    let is_yaml = Path::new(name).extension().is_some_and(|it| it == "yaml" || it == "yml");
    let is_path = is_yaml || name.contains('/');
    let (what, source) = match is_path {
        true => {
            let path = beside.join(name);
            (path.display().to_string(), text_of(&path)?)
        }
        false => (name.to_owned(), by_name(name, session).await?),
    };
    parse(&source).map(Arc::new).map_err(|problems| {
        let problems: Vec<FileProblem> = problems.into_iter().map(|it| it.in_file(&what)).collect();
        let color = session.out.color();
        anyhow::Error::new(Usage(format!(
            "`{what}` is no good process\n{}",
            render(&problems, &source, color)
        )))
    })
}

async fn by_name(name: &str, session: &CliSession) -> Result<String> {
    let folder = &session.config.processes;
    let path = folder.join(format!("{name}.yaml"));
    if path.is_file() {
        return text_of(&path);
    }
    if let Some(template) = templates::find(name) {
        return Ok(template.text.to_owned());
    }
    if let Ok(text) = deployed(name, session).await {
        return Ok(text);
    }
    let files = yaml_files(folder).unwrap_or_default();
    let files = files.iter().filter_map(|it| it.file_stem()?.to_str());
    let known: Vec<&str> = templates::all().map(|it| it.name).chain(files).collect();
    let near = nearest(name, known).map(|it| format!("did you mean `{it}`?"));
    let hint = near.unwrap_or_else(|| "name a file, a template, or a process that is deployed".to_owned());
    Err(anyhow::Error::new(Usage(format!("there is no process `{name}`; hint: {hint}"))))
}

/// A scenario that was made of a real task.
pub struct Recorded {
    /// It, as YAML.
    pub text: String,
    /// Whether it holds when it is played.
    pub holds: bool,
}

/// Makes a scenario of the task at `process` and `reference`, and plays it.
pub async fn recorded(process: &str, reference: &str, session: &CliSession) -> Result<Recorded> {
    let remote = session.remote()?;
    let path = task_path(process, reference);
    let task = match remote.get(&path).await {
        Ok(task) => task,
        Err(error) => return Err(remote.explained(error, process).await),
    };
    let history = remote.list(&format!("{path}/history"), usize::MAX).await?;
    let source = deployed(process, session).await?;
    let known = parse(&source).map_err(|_| anyhow!("process `{process}` cannot be read here"))?;
    let seen =
        RecordedTask { process: &known, source: &source, task: &task, events: history.iter().collect() };
    let texts: Vec<String> = guesses(&seen).iter().map(|guess| record(&seen, guess)).collect();
    let process = Arc::new(known);
    for text in &texts {
        let Ok(scenario) = read(text) else { continue };
        let cast = Cast { process: Arc::clone(&process), with: others(&scenario, session).await };
        let plays = scenario.cases.iter().map(|case| play(case, &cast, Arc::new(Memory::default())));
        if futures::future::join_all(plays).await.iter().all(|it| it.misses.is_empty()) {
            return Ok(Recorded { text: text.clone(), holds: true });
        }
    }
    let text = texts.into_iter().next().unwrap_or_default();
    Ok(Recorded { text, holds: false })
}

/// The other processes of a scenario, as far as they are found.
async fn others(scenario: &Scenario, session: &CliSession) -> Vec<Arc<Process>> {
    let mut all = Vec::new();
    for name in &scenario.with {
        all.extend(found(&name.it, Path::new(""), session).await.ok());
    }
    all
}

/// The text of a deployed process.
pub async fn deployed(id: &str, session: &CliSession) -> Result<String> {
    let remote = session.remote()?;
    let path = process_path(id);
    let version = remote.get(&path).await?;
    let version = version.get("version").and_then(Value::as_str).unwrap_or_default().to_owned();
    let answer = remote.get(&format!("{path}/versions/{version}")).await?;
    let text = answer.get("text").or_else(|| answer.get("yaml")).and_then(Value::as_str);
    text.map(str::to_owned).ok_or_else(|| anyhow!("the server does not give the text of `{id}`"))
}

/// The scenarios in a folder and the folders in it, by name.
pub fn scenarios_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let cannot = || format!("the folder `{}` cannot be read", folder.display());
    let entries = fs::read_dir(folder).with_context(cannot)?;
    let mut paths = entries.map(|it| Ok(it?.path())).collect::<Result<Vec<_>>>().with_context(cannot)?;
    paths.sort();
    for path in &paths {
        if path.is_dir() {
            found.extend(scenarios_in(path)?);
        }
    }
    for path in yaml_files(folder)? {
        if is_scenario(&text_of(&path)?) {
            found.push(path);
        }
    }
    Ok(found)
}

impl PlayedCase<'_> {
    /// Whether all is as expected.
    pub fn is_ok(&self) -> bool {
        self.played.misses.is_empty()
    }

    /// What is wrong, for a person.
    pub fn misses(&self, out: &Output) -> Vec<String> {
        self.played.misses.iter().flat_map(|miss| self.miss(miss, out)).collect()
    }

    fn miss(&self, miss: &Miss, out: &Output) -> Vec<String> {
        let place = format!("{}:{}:{}", self.file, miss.spot.line, miss.spot.column);
        let mut lines = vec![format!("  {}: {}", out.paint(Look::Bold, &place), one_line(&miss.what))];
        let later = self.played.at.since(self.case.start);
        lines.push(out.paint(Look::Dim, &format!("    at {}, {later} after the start", self.played.at)));
        for line in &miss.lines {
            let (look, word) = match line.side {
                Side::Both => (Look::Dim, "        "),
                Side::Expected => (Look::Good, "expected"),
                Side::Got => (Look::Bad, "got     "),
            };
            let text = format!("    {word} {} {}", line.side.sign(), one_line(&line.text));
            lines.push(out.paint(look, text.trim_end()));
        }
        if let Some(hint) = &miss.hint {
            lines.push(format!("    hint: {hint}"));
        }
        lines
    }

    /// The same for a program.
    pub fn json(&self) -> Value {
        let misses = self.played.misses.iter().map(|miss| {
            let side = |side| {
                let lines = miss.lines.iter().filter(|it| it.side == Side::Both || it.side == side);
                lines.map(|it| it.text.as_str()).collect::<Vec<_>>().join("\n")
            };
            json!({
                "file": self.file, "line": miss.spot.line, "column": miss.spot.column, "message": miss.what,
                "expected": side(Side::Expected), "got": side(Side::Got), "hint": miss.hint,
            })
        });
        json!({
            "file": self.file, "case": self.case.title, "line": self.case.spot.line, "ok": self.is_ok(),
            "virtual_seconds": self.played.span.0 / 1_000, "events": self.played.story.events,
            "millis": u64::try_from(self.millis).unwrap_or(u64::MAX), "misses": misses.collect::<Vec<_>>(),
        })
    }

    /// What happened, as a timeline.
    pub fn story(&self, out: &Output) -> Vec<String> {
        let chapters = self.played.story.chapters().iter();
        chapters.flat_map(|chapter| self.chapter(chapter, out)).collect()
    }

    fn chapter(&self, chapter: &Chapter, out: &Output) -> Vec<String> {
        let head = format!("{}  {}", out.paint(Look::Dim, &chapter.at.to_string()), chapter.title);
        let mut lines = vec![out.paint(Look::Bold, &head)];
        lines.extend(chapter.first.iter().flat_map(|beat| self.beat(beat, out)));
        if chapter.skipped > 0 {
            lines.push(out.paint(Look::Dim, &format!("    … {} more …", chapter.skipped)));
        }
        lines.extend(chapter.last.iter().flat_map(|beat| self.beat(beat, out)));
        lines
    }

    /// What happened, for a program.
    pub fn story_json(&self) -> Value {
        let beat = |beat: &Beat| match beat {
            Beat::Event(address, event) => {
                json!({"task": address.to_string(), "event": HistoryEventView::new(0, event.clone())})
            }
            Beat::Notified(at, message) => json!({
                "at": at.to_string(), "by": message.by, "subject": message.subject, "text": message.text,
            }),
        };
        let chapter = |it: &Chapter| {
            let beats = it.first.iter().chain(&it.last).map(beat);
            json!({
                "at": it.at.to_string(), "what": it.title, "skipped": it.skipped,
                "beats": beats.collect::<Vec<_>>(),
            })
        };
        self.played.story.chapters().iter().map(chapter).collect()
    }

    fn beat(&self, beat: &Beat, out: &Output) -> Vec<String> {
        let later = |at: Timestamp| format!("  +{:<14}", at.since(self.case.start).to_string());
        match beat {
            Beat::Event(address, event) => {
                let home = address.reference == self.case.submit.reference;
                let whose = if home { String::new() } else { format!("[{address}] ") };
                let value = serde_json::to_value(HistoryEventView::new(0, event.clone())).unwrap_or_default();
                let when = format!("{}{whose}", later(event.at));
                vec![timeline::event_at(&value, &when, out)]
            }
            Beat::Notified(at, message) => {
                let by = message.by.join(", ");
                let mut lines = vec![format!(
                    "{}{}",
                    later(*at),
                    out.paint(Look::Warn, &format!("told {by}: {}", message.subject))
                )];
                let quoted = message.text.lines().map(|line| format!("{:18}│ {}", "", one_line(line)));
                lines.extend(quoted);
                lines
            }
        }
    }
}
