//! `test`: all scenarios of a folder, and what of their processes none of them took.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Result, bail};
use clap::Args;
use serde_json::{Value, json};

use crate::cli::failure::Usage;
use crate::cli::out::{Look, Output};
use crate::cli::rehearse::{PlayedCase, Rehearsal, scenarios_in};
use crate::cli::session::CliSession;
use crate::process::process::Process;
use crate::scenario::cover::{Cover, Sum};

/// Run the scenarios of a folder; list what no scenario took
#[derive(Debug, Args)]
#[command(after_help = "\
Every scenario is a file with `cases:`; `beltline try --help` shows one. Each case is told in a line, and
then, for each process, the nodes and the ways between them that no case took.

Examples:
  beltline test                        # ./tests/scenarios, or ./scenarios
  beltline test scenarios/token.yaml
  beltline test --min-cover 100        # fails unless every node and way was taken")]
pub struct Test {
    /// Files, or folders of them [default: tests/scenarios, else scenarios]
    files: Vec<PathBuf>,
    /// Only the cases with that in their name; what they did not take is not told then
    #[arg(long, value_name = "TEXT")]
    case: Option<String>,
    /// Fail if less than that was taken of a process, in per cent of its nodes and ways
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    min_cover: Option<u8>,
}

/// The folders that are looked into if none is named.
const FOLDERS: [&str; 2] = ["tests/scenarios", "scenarios"];
/// What to do where there is nothing to do.
const FIRST: &str = "write `scenarios/NAME.yaml`; `beltline try --help` shows what is in it";

impl Test {
    /// Tests.
    pub async fn run(self, session: &CliSession) -> Result<()> {
        let out = &session.out;
        let mut sums = Sums::default();
        for path in self.paths()? {
            let rehearsal = match Rehearsal::load(&path, None, session).await {
                Ok(rehearsal) => rehearsal,
                Err(error) => {
                    sums.broken(&path, &error, out)?;
                    continue;
                }
            };
            let wanted = self.case.as_deref().unwrap_or_default();
            for case in rehearsal.scenario.cases.iter().filter(|case| case.title.contains(wanted)) {
                let done = rehearsal.play(case).await;
                sums.take(done, &rehearsal.cast.process, out)?;
            }
        }
        if sums.cases.is_empty() && sums.broken == 0 {
            bail!(Usage(format!("no case has `{}` in its name", self.case.unwrap_or_default())));
        }
        let covers = if self.case.is_some() { Vec::new() } else { sums.covers() };
        if out.json {
            out.json(&json!({"cases": sums.cases, "processes": covers}))?;
        } else {
            tell(&sums, &covers, out)?;
        }
        decision(&sums, &covers, self.min_cover)
    }

    fn paths(&self) -> Result<Vec<PathBuf>> {
        let given = match self.files.as_slice() {
            [] => FOLDERS.iter().map(PathBuf::from).find(|it| it.is_dir()).into_iter().collect(),
            files => files.to_vec(),
        };
        let mut paths = Vec::new();
        for path in &given {
            if path.is_dir() { paths.extend(scenarios_in(path)?) } else { paths.push(path.clone()) }
        }
        if paths.is_empty() {
            let names: Vec<String> = match given.as_slice() {
                [] => FOLDERS.iter().map(ToString::to_string).collect(),
                given => given.iter().map(|it| it.display().to_string()).collect(),
            };
            bail!(Usage(format!("there are no scenarios in {}; hint: {FIRST}", names.join(" or "))));
        }
        Ok(paths)
    }
}

/// What came of all cases.
#[derive(Default)]
struct Sums {
    cases: Vec<Value>,
    failed: usize,
    broken: usize,
    millis: u128,
    cover: Cover,
    processes: BTreeMap<String, Arc<Process>>,
}

impl Sums {
    fn broken(&mut self, path: &Path, error: &anyhow::Error, out: &Output) -> Result<()> {
        self.broken += 1;
        let text = format!("{error:#}");
        self.cases
            .push(json!({"file": path.display().to_string(), "case": null, "ok": false, "error": text}));
        if out.json { Ok(()) } else { out.line(format!("{}  {text}", out.paint(Look::Bad, "BROKEN"))) }
    }

    fn take(&mut self, done: PlayedCase, process: &Arc<Process>, out: &Output) -> Result<()> {
        self.cases.push(done.json());
        self.failed += usize::from(!done.is_ok());
        self.millis += done.millis;
        self.processes.insert(process.id.to_string(), Arc::clone(process));
        if !out.json {
            let word =
                if done.is_ok() { out.paint(Look::Good, "ok    ") } else { out.paint(Look::Bad, "FAILED") };
            let time = out.paint(Look::Dim, &format!("({}, {} ms)", done.played.span, done.millis));
            out.line(format!("{word}  {}: {} {time}", done.file, done.case.title))?;
            done.misses(out).into_iter().try_for_each(|line| out.line(line))?;
        }
        self.cover.add(done.played.cover);
        Ok(())
    }

    fn covers(&self) -> Vec<Sum> {
        self.processes.values().map(|process| self.cover.sum(process)).collect()
    }
}

fn tell(sums: &Sums, covers: &[Sum], out: &Output) -> Result<()> {
    out.line("")?;
    for sum in covers {
        let (nodes, ways) = (sum.nodes - sum.nodes_missed.len(), sum.ways - sum.ways_missed.len());
        let look = if nodes == sum.nodes && ways == sum.ways { Look::Good } else { Look::Warn };
        let text = format!("{}: {nodes} of {} nodes, {ways} of {} ways", sum.process, sum.nodes, sum.ways);
        out.line(out.paint(look, &text))?;
        for node in &sum.nodes_missed {
            out.line(format!("  no scenario comes to  {node}"))?;
        }
        for way in &sum.ways_missed {
            out.line(format!("  no scenario goes      {way}"))?;
        }
    }
    let good = sums.cases.len() - sums.failed - sums.broken;
    let broken = if sums.broken > 0 { format!(", {} broken", sums.broken) } else { String::new() };
    let text = format!("{good} ok, {} failed{broken} in {} ms", sums.failed, sums.millis);
    out.line(out.paint(if sums.failed + sums.broken > 0 { Look::Bad } else { Look::Good }, &text))
}

fn decision(sums: &Sums, covers: &[Sum], min_cover: Option<u8>) -> Result<()> {
    if sums.broken > 0 {
        bail!(Usage(match sums.broken {
            1 => "1 scenario is broken".to_owned(),
            many => format!("{many} scenarios are broken"),
        }));
    }
    match sums.failed {
        0 => {}
        1 => bail!("1 case failed"),
        many => bail!("{many} cases failed"),
    }
    let Some(least) = min_cover else { return Ok(()) };
    for sum in covers {
        let missed = sum.nodes_missed.len() + sum.ways_missed.len();
        let all = (sum.nodes + sum.ways).max(1);
        let percent = (all - missed) * 100 / all;
        if percent < usize::from(least) {
            bail!("{percent}% of `{}` was taken, and {least}% is wanted", sum.process);
        }
    }
    Ok(())
}
