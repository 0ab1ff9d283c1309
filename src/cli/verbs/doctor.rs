//! `doctor`: looks at everything an engine needs, and says what to do about what is wrong.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use crate::cli::config::StoreChoice;
use crate::cli::data::{DataDir, FileStatus};
use crate::cli::files::{read_text, writable_by_all, yaml_files};
use crate::cli::finding::{Finding, Level, fail, ok, warn};
use crate::cli::moment::now;
use crate::cli::out::Look;
use crate::cli::remote::{Remote, ServerRefusal};
use crate::cli::session::CliSession;
use crate::cli::verbs::doctor_status::{ZONES, people, status_findings};
use crate::engine::ports::Clock;
use crate::model::calendar::zone;
use crate::model::names::ProcessId;
use crate::model::time::{Span, Timestamp};
use crate::outbound::clock::SystemClock;
use crate::process::parse::parse;
use crate::service::disk::{Disk, DiskSpace};
use crate::service::files::process_of;

/// How often it is asked how far the check of the store is.
const CHECK_LOOK: Span = Span::millis(100);
const CHECK_BAR: &str = "opening every row of the store: {human_pos} so far, {elapsed}";
/// No machine of today believes it is earlier: 2025-01-01.
const EARLIEST: Timestamp = Timestamp(1_735_689_600_000);

/// Look whether everything is as it should be
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  beltline doctor
  beltline doctor --json
  beltline doctor --no-check     # with millions of tasks the check of the store takes a while")]
pub struct Doctor {
    /// Take what the last check of the store found, and make none
    #[arg(long)]
    no_check: bool,
}

impl Doctor {
    /// Looks.
    pub async fn run(self, session: &CliSession) -> Result<()> {
        let data = DataDir::at(&session.config.data);
        let mut findings = vec![configuration(session)];
        if session.config.server.is_none() {
            findings.extend(lost_store(session, &data));
            findings.extend([folder(&data), key(session, &data), disk(&data), processes(session)]);
        }
        findings.push(clock());
        findings.extend(server(session, &data, !self.no_check).await);
        // An engine goes by what it has chosen at its start; without one it is what it would choose now.
        if session.config.server.is_none() && findings.iter().all(|it| it.what != ZONES) {
            findings.push(ok(ZONES, zone::says()));
        }
        tell(session, &findings)?;
        match findings.iter().filter(|it| it.level == Level::Fail).count() {
            0 => Ok(()),
            1 => bail!("1 thing is wrong"),
            many => bail!("{many} things are wrong"),
        }
    }
}

fn tell(session: &CliSession, findings: &[Finding]) -> Result<()> {
    let out = &session.out;
    let word = |level| match level {
        Level::Ok => ("ok", Look::Good),
        Level::Warn => ("warn", Look::Warn),
        Level::Fail => ("fail", Look::Bad),
    };
    let items: Vec<Value> = findings
        .iter()
        .map(|it| json!({"what": it.what, "level": word(it.level).0, "found": it.found, "remedy": it.remedy}))
        .collect();
    out.answer(&json!({"items": items}), || {
        for it in findings {
            let (word, look) = word(it.level);
            out.line(format!("{}  {}: {}", out.paint(look, &format!("{word:<4}")), it.what, it.found))?;
            if !it.remedy.is_empty() {
                out.line(format!("      {}", it.remedy))?;
            }
        }
        Ok(())
    })
}

fn configuration(session: &CliSession) -> Finding {
    const WHAT: &str = "configuration";
    if let Err(error) = session.config.check_listen() {
        return fail(WHAT, error.to_string(), "`beltline config` shows where the value comes from");
    }
    let files = session.config.tls.iter().flat_map(|(cert, key)| [cert, key]);
    for path in files {
        if let Err(error) = fs::read(path) {
            let found = format!("`{}` cannot be read: {error}", path.display());
            return fail(WHAT, found, "without its certificate `serve` does not start");
        }
    }
    match session.config.notes.first() {
        Some(note) => warn(WHAT, note.as_str(), "`beltline config` lists what is known"),
        None => ok(WHAT, format!("listens on {}", session.config.listen)),
    }
}

fn folder(data: &DataDir) -> Finding {
    const WHAT: &str = "data folder";
    let path = data.path().display().to_string();
    match data.standing("") {
        FileStatus::Missing => warn(WHAT, format!("`{path}` is not there yet"), "`beltline serve` makes it"),
        FileStatus::Open(mode) => {
            fail(WHAT, format!("`{path}` is open to others (mode {mode:03o})"), "chmod 700 it")
        }
        FileStatus::Private => {
            let probe = data.path().join(".doctor");
            let written = OpenOptions::new().write(true).create(true).truncate(true).open(&probe);
            // The probe may be gone already; nothing depends on it.
            drop(fs::remove_file(&probe));
            match written {
                Ok(_) => ok(WHAT, path),
                Err(error) => {
                    fail(WHAT, format!("`{path}` cannot be written: {error}"), "give it to this user")
                }
            }
        }
    }
}

fn key(session: &CliSession, data: &DataDir) -> Finding {
    const WHAT: &str = "key";
    if session.config.store == StoreChoice::Memory {
        return ok(WHAT, "not needed, the store is memory");
    }
    let given = session.config.key.as_ref();
    match (data.standing("key"), given) {
        (FileStatus::Missing, None) if !data.database().exists() => {
            warn(WHAT, "there is none yet", "`beltline serve` makes it")
        }
        _ => match data.key(given) {
            Ok(_) if given.is_some() => ok(WHAT, "from BELTLINE_KEY"),
            Ok(_) => ok(WHAT, "in the data folder, for its owner alone; keep a copy elsewhere"),
            Err(error) => {
                fail(WHAT, format!("{error:#}"), "without the right key nothing sealed can be read")
            }
        },
    }
}

/// A store that is gone, or what is left of one.
fn lost_store(session: &CliSession, data: &DataDir) -> Option<Finding> {
    const WHAT: &str = "store file";
    if session.config.store == StoreChoice::Memory {
        return None;
    }
    if let Err(error) = data.refuse_lost_store() {
        return Some(fail(WHAT, format!("{error:#}"), "an engine does not start until it is back"));
    }
    let empty = fs::metadata(data.database()).is_ok_and(|it| it.len() == 0);
    let found = || format!("`{}` is empty: what it held is gone", data.database().display());
    empty.then(|| fail(WHAT, found(), "put it back from a backup; an engine does not start until it is back"))
}

fn disk(data: &DataDir) -> Finding {
    const WHAT: &str = "disk";
    let path = if data.path().exists() { data.path().to_path_buf() } else { ".".into() };
    let Some(disk) = Disk::at(&path) else {
        return warn(WHAT, "how much is free is not known", "look with `df`");
    };
    let free = format!("{} MB free", disk.free_bytes / 1_024 / 1_024);
    match disk.room() {
        DiskSpace::None => fail(WHAT, free, "make room, now"),
        DiskSpace::Scarce => warn(WHAT, free, "make room soon"),
        DiskSpace::Enough => ok(WHAT, free),
    }
}

fn processes(session: &CliSession) -> Finding {
    const WHAT: &str = "processes";
    let folder = &session.config.processes;
    let Ok(files) = yaml_files(folder) else {
        let found = format!("`{}` is not there", folder.display());
        return warn(
            WHAT,
            found,
            "`beltline clone` writes the first file into it, or name one with --processes",
        );
    };
    if let Some(path) = writable_by_all(folder).first() {
        let found = format!("everybody on this machine may change `{}`, and so deploy", path.display());
        return warn(WHAT, found, "chmod o-w");
    }
    if let Some((id, first, second)) = twice(&files) {
        let found = format!("`{}` and `{}` are both of process `{id}`", first.display(), second.display());
        return fail(WHAT, found, "only one is deployed: remove the other, or give it another `process:`");
    }
    let bad = |file: &&PathBuf| read_text(file).map_or(true, |it| parse(&it).is_err());
    match files.iter().filter(bad).count() {
        0 => ok(WHAT, format!("{} in `{}`, all good", files.len(), folder.display())),
        many => {
            fail(WHAT, format!("{many} of {} files cannot be deployed", files.len()), "see `beltline check`")
        }
    }
}

/// The first two files that are of one process.
fn twice(files: &[PathBuf]) -> Option<(ProcessId, &Path, &Path)> {
    let mut seen: BTreeMap<ProcessId, &Path> = BTreeMap::new();
    files.iter().find_map(|file| {
        let id = process_of(&read_text(file).ok()?)?;
        seen.insert(id.clone(), file).map(|first| (id, first, file.as_path()))
    })
}

fn clock() -> Finding {
    const WHAT: &str = "clock";
    match now() {
        at if at < EARLIEST => {
            fail(WHAT, format!("it is {at} here"), "set the clock; tokens will look expired")
        }
        at => ok(WHAT, at.to_string()),
    }
}

async fn server(session: &CliSession, data: &DataDir, checks: bool) -> Vec<Finding> {
    const WHAT: &str = "server";
    let remote = match session.remote() {
        Ok(remote) => remote,
        Err(error) => return vec![fail(WHAT, format!("{error:#}"), "")],
    };
    let error = match remote.get("/api/v1/status").await {
        Ok(mut status) => {
            if checks && let Some(later) = check(&remote).await {
                status = later;
            }
            let mut findings = status_findings(&remote, &status).await;
            findings.extend(people(session, &remote).await);
            return findings;
        }
        Err(error) => error,
    };
    if error.downcast_ref::<ServerRefusal>().is_some() {
        return vec![fail(WHAT, format!("{} refuses: {error}", remote.base()), "see BELTLINE_TOKEN")];
    }
    if session.config.server.is_some() {
        return vec![fail(WHAT, format!("none answers at {}", remote.base()), "start it there")];
    }
    let locked = data.path().exists() && data.lock().is_err();
    vec![if locked {
        fail(WHAT, "one runs on the data folder and does not answer", "look into its log")
    } else {
        warn(WHAT, format!("none runs at {}", remote.base()), "start it: `beltline serve`")
    }]
}

/// Has every row of the store opened, and gives the status after that; none if that cannot be had.
async fn check(remote: &Remote) -> Option<Value> {
    // Who may not have it made is told what the last one found.
    remote.post("/api/v1/status/check", &Value::Null).await.ok()?;
    let bar = ProgressBar::no_length().with_style(ProgressStyle::with_template(CHECK_BAR).ok()?);
    loop {
        let status = remote.get("/api/v1/status").await.ok()?;
        let Some(rows) = status["check"]["running"].as_u64() else {
            bar.finish_and_clear();
            return Some(status);
        };
        bar.set_position(rows);
        SystemClock.after(CHECK_LOOK).await;
    }
}
