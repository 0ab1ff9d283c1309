//! `doctor`: looks at everything an engine needs, and says what to do about what is wrong.

use std::fs::{self, OpenOptions};

use anyhow::{Result, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use crate::cli::config::StoreChoice;
use crate::cli::data::{DataDir, Standing};
use crate::cli::files::yaml_files;
use crate::cli::moment::{far, now, time};
use crate::cli::out::{Look, named, one_line, text};
use crate::cli::remote::{Refusal, Remote};
use crate::cli::session::Session;
use crate::desk::disk::{Disk, Room};
use crate::engine::edges::Clock;
use crate::model::steps::ClockStep;
use crate::model::time::{Span, Timestamp};
use crate::process::parse::parse;
use crate::world::clock::SystemClock;

/// A task later than that is kept waiting by something.
const LATE_S_MAX: f64 = 5.0;
/// Of how many tasks it is asked when their values die, those first that need a person soonest.
const LIVES_MAX: usize = 500;
/// So long it is said that the clock was set.
const STEP_SHOWN: Span = Span::days(7);
/// How many damaged places of the store are named.
const DAMAGED_SHOWN: usize = 10;
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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Ok,
    Warn,
    Fail,
}

/// What one look found.
struct Finding {
    level: Level,
    what: &'static str,
    found: String,
    remedy: String,
}

fn ok(what: &'static str, found: impl Into<String>) -> Finding {
    Finding { level: Level::Ok, what, found: found.into(), remedy: String::new() }
}

fn warn(what: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Finding {
    Finding { level: Level::Warn, what, found: found.into(), remedy: remedy.into() }
}

fn fail(what: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Finding {
    Finding { level: Level::Fail, what, found: found.into(), remedy: remedy.into() }
}

impl Doctor {
    /// Looks.
    pub async fn run(self, session: &Session) -> Result<()> {
        let data = DataDir::at(&session.config.data);
        let mut findings = vec![configuration(session)];
        if session.config.server.is_none() {
            findings.extend(lost_store(session, &data));
            findings.extend([folder(&data), key(session, &data), disk(&data), processes(session)]);
        }
        findings.push(clock());
        findings.extend(server(session, &data, !self.no_check).await);
        tell(session, &findings)?;
        match findings.iter().filter(|it| it.level == Level::Fail).count() {
            0 => Ok(()),
            1 => bail!("1 thing is wrong"),
            many => bail!("{many} things are wrong"),
        }
    }
}

fn tell(session: &Session, findings: &[Finding]) -> Result<()> {
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

fn configuration(session: &Session) -> Finding {
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
        Standing::Missing => warn(WHAT, format!("`{path}` is not there yet"), "`beltline serve` makes it"),
        Standing::Open(mode) => {
            fail(WHAT, format!("`{path}` is open to others (mode {mode:03o})"), "chmod 700 it")
        }
        Standing::Private => {
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

fn key(session: &Session, data: &DataDir) -> Finding {
    const WHAT: &str = "key";
    if session.config.store == StoreChoice::Memory {
        return ok(WHAT, "not needed, the store is memory");
    }
    let given = session.config.key.as_ref();
    match (data.standing("key"), given) {
        (Standing::Missing, None) if !data.database().exists() => {
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
fn lost_store(session: &Session, data: &DataDir) -> Option<Finding> {
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
        Room::None => fail(WHAT, free, "make room, now"),
        Room::Scarce => warn(WHAT, free, "make room soon"),
        Room::Enough => ok(WHAT, free),
    }
}

fn processes(session: &Session) -> Finding {
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
    let bad = |file: &&std::path::PathBuf| fs::read_to_string(file).map_or(true, |it| parse(&it).is_err());
    match files.iter().filter(bad).count() {
        0 => ok(WHAT, format!("{} in `{}`, all good", files.len(), folder.display())),
        many => {
            fail(WHAT, format!("{many} of {} files cannot be deployed", files.len()), "see `beltline check`")
        }
    }
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

async fn server(session: &Session, data: &DataDir, checks: bool) -> Vec<Finding> {
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
    if error.downcast_ref::<Refusal>().is_some() {
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

async fn status_findings(remote: &Remote, status: &Value) -> Vec<Finding> {
    let version = text(status, "version");
    let mut findings = vec![if version == env!("CARGO_PKG_VERSION") {
        ok("server", format!("{} answers, version {version}", remote.base()))
    } else {
        warn("server", format!("it is version {version}, this is another"), "use the same on both sides")
    }];
    let store = &status["store"];
    findings.push(match store["ok"].as_bool() {
        Some(true) => ok("store", text(store, "kind")),
        _ if store["writable"].as_bool() == Some(false) => fail(
            "store",
            format!("it takes no writes: {}", text(store, "detail")),
            "make room on its disk, or see whether that is read-only; nothing is lost meanwhile",
        ),
        _ => fail("store", text(store, "detail"), "nothing is lost, and nothing moves until it answers"),
    });
    findings.extend(runner(status));
    findings.push(checked(&status["check"]));
    let late = status["lateness_s"].as_f64().unwrap_or(0.0);
    if late > LATE_S_MAX {
        let found = format!("the task that is due longest is {late:.0} s late");
        findings.push(warn("timers", found, "is the machine too slow, or the store?"));
    }
    findings.extend(stepped(&status["clock"]));
    let problems = status["problems"].as_array().cloned().unwrap_or_default();
    for problem in &problems {
        let found = named(text(problem, "file"), text(problem, "message"));
        findings.push(fail("processes", found, "the version before it goes on; see `beltline check`"));
    }
    findings.extend(channels(status));
    findings.extend(tokens(remote).await);
    findings.push(alarms(status));
    findings.extend(watchdog(status));
    findings
}

/// Values that are about to die, and of which their processes have told nobody.
fn watchdog(status: &Value) -> Vec<Finding> {
    const WHAT: &str = "watchdog";
    const SHOWN_MAX: usize = 5;
    let dog = &status["watchdog"];
    // An engine from before there was one says nothing of it.
    if dog.is_null() {
        return Vec::new();
    }
    if dog["ok"].as_bool() != Some(true) {
        let last = dog["looked_at"].as_str().unwrap_or("never");
        let found = format!("it does not look after the values that die; it did last: {last}");
        return vec![fail(WHAT, found, "start the engine again, and look into its log")];
    }
    let values = dog["values"].as_array().cloned().unwrap_or_default();
    let open = dog["open"].as_u64().unwrap_or(0);
    let one = |it: &Value| {
        let name = format!("`{}` of {}/{}", text(it, "param"), text(it, "process"), text(it, "ref"));
        let found = format!("{name} dies at {}: {}", text(it, "dies_at"), text(it, "waits_for"));
        fail(WHAT, found, text(it, "remedy"))
    };
    let mut findings: Vec<Finding> = values.iter().take(SHOWN_MAX).map(one).collect();
    let more = open.saturating_sub(findings.len() as u64);
    if more > 0 {
        findings.push(fail(
            WHAT,
            format!("{more} more values are about to die"),
            "the first page of the dashboard lists them",
        ));
    }
    if findings.is_empty() {
        findings.push(ok(WHAT, "no value is about to die unseen"));
    }
    findings
}

/// Whether tasks move, and whether there are some that nobody has woken yet.
fn runner(status: &Value) -> Vec<Finding> {
    // A server of before says nothing of it.
    let Some(runner) = status.get("runner") else { return Vec::new() };
    let mut findings = vec![match runner["ok"].as_bool() {
        Some(true) => ok("runner", "its heart beats"),
        _ => fail("runner", text(runner, "detail"), "nothing is lost: stop the server, and start it again"),
    }];
    let unsettled = status["unsettled"].as_u64().unwrap_or(0);
    if unsettled > 0 {
        let found = format!("{unsettled} wait for the store, and then their tasks are woken");
        findings.push(warn("processes", found, "that is tried until it is done; the log says what fails"));
    }
    findings
}

/// Whether the wall clock was set of late.
fn stepped(clock: &Value) -> Option<Finding> {
    const REMEDY: &str =
        "keep the clock right with chrony or systemd-timesyncd, and let that start before this";
    let at = time(clock.get("stepped_at"))?;
    let words = ClockStep { at, by_ms: clock["by_ms"].as_i64()? }.words();
    let found = format!("the server's was set {words}, {}", far(clock.get("stepped_at"), now()));
    (now().since(at) < STEP_SHOWN).then(|| warn("clock", found, REMEDY))
}

/// What the last check of the store found.
fn checked(check: &Value) -> Finding {
    const WHAT: &str = "store check";
    const REMEDY: &str = "it is set aside and the rest goes on; to have it back, stop the engine, put \
                          the last backup of the data folder in its place and start again";
    let places = check["places"].as_array().map(Vec::as_slice).unwrap_or_default();
    let place = |it: &Value| {
        let task = match it["process"].as_str() {
            Some(process) => format!(" ({process}/{})", one_line(text(it, "ref"))),
            None => String::new(),
        };
        format!("{}{task}: {}", one_line(text(it, "place")), one_line(text(it, "why")))
    };
    let (rows, at) = (check["rows"].as_u64().unwrap_or(0), check["at"].as_str());
    match (check["damaged"].as_u64().unwrap_or(0), check["error"].as_str(), at) {
        (0, None, None) => ok(WHAT, "none yet; the first begins a minute after the start"),
        (0, None, Some(at)) => ok(WHAT, format!("{rows} rows were opened at {at}, none is damaged")),
        (0, Some(error), _) => {
            fail(WHAT, format!("it was cut off: {error}"), "it is begun again in ten minutes")
        }
        (many, ..) => {
            let named: Vec<String> = places.iter().take(DAMAGED_SHOWN).map(place).collect();
            let more = if many > named.len() as u64 { ", and more" } else { "" };
            fail(WHAT, format!("{many} damaged: {}{more}", named.join("; ")), REMEDY)
        }
    }
}

/// Whether somebody can log in who may do everything.
async fn people(session: &Session, remote: &Remote) -> Vec<Finding> {
    const WHAT: &str = "people";
    const REMEDY: &str = "open the link that `serve` printed, or `beltline user add NAME --role admin`";
    // Who may not look at users is told nothing about them.
    let Ok(answer) = remote.get("/api/v1/users").await else { return Vec::new() };
    let users = answer["items"].as_array().cloned().unwrap_or_default();
    let admins = users.iter().filter(|it| it["role"] == "admin" && it["disabled"] == false).count();
    let found = format!("{} can log in, {admins} of them as admin", users.len());
    vec![match (admins, session.config.is_local()) {
        (0, true) => warn(WHAT, "no admin can log in; there is only the operator's token", REMEDY),
        (0, false) => fail(WHAT, "others can reach it, and no admin can log in", REMEDY),
        _ => ok(WHAT, found),
    }]
}

fn alarms(status: &Value) -> Finding {
    const WHAT: &str = "alarms";
    let many = |name: &str| status["alarms"][name].as_u64().unwrap_or(0);
    match (many("open"), many("undelivered"), many("acknowledged")) {
        (0, ..) => ok(WHAT, "none open"),
        (open, 0, in_hand) => {
            warn(WHAT, format!("{open} open, {in_hand} of them in hand"), "see `beltline alarms`")
        }
        (open, missed, _) => fail(
            WHAT,
            format!("{open} open, {missed} told to no one"),
            "see `beltline alarms`; they are told again every five minutes, once a channel works",
        ),
    }
}

/// The values that are dead, or whose last safe moment to wake a person has passed.
async fn tokens(remote: &Remote) -> Vec<Finding> {
    const WHAT: &str = "tokens";
    let Ok(answer) = remote.get(&format!("/api/v1/lives?limit={LIVES_MAX}")).await else { return Vec::new() };
    let items = answer.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut findings = Vec::new();
    for task in &items {
        for life in task["lives"].as_array().into_iter().flatten().filter(|it| it["urgent"] == true) {
            let verb = if life["dead"] == true { "died" } else { "dies" };
            let (param, far) = (text(life, "param"), far(life.get("dies_at"), now()));
            let name = format!("{}/{}", text(task, "process"), one_line(text(task, "ref")));
            let found = format!("{param} of {name} {verb} {far}");
            let remedy = "`beltline show` says why it is not renewed";
            findings.push(if life["dead"] == true {
                fail(WHAT, found, remedy)
            } else {
                warn(WHAT, found, remedy)
            });
        }
    }
    if findings.is_empty() && !items.is_empty() {
        let which = if items.len() < LIVES_MAX { "of" } else { "of those that die first," };
        findings.push(ok(WHAT, format!("{which} {} tasks, none near its death", items.len())));
    }
    findings
}

fn channels(status: &Value) -> Vec<Finding> {
    const WHAT: &str = "channels";
    let set_up = status["channels"]["set_up"].as_u64().unwrap_or(0);
    if set_up == 0 {
        let found = "none: alarms are seen on the dashboard and in the log only";
        return vec![warn(WHAT, found, "`beltline channel add --help`")];
    }
    let failing = status["channels_failing"].as_array().cloned().unwrap_or_default();
    let mut findings: Vec<Finding> = failing
        .iter()
        .map(|it| {
            let (name, detail) = (text(it, "name"), text(it, "detail"));
            let (since, many) = (far(it.get("at"), now()), it["failures"].as_u64().unwrap_or(0));
            let found = format!("`{name}` is failing (since {since}, {many} in a row): {detail}");
            fail(WHAT, found, text(it, "remedy"))
        })
        .collect();
    if status["channels"]["dead"].as_bool() == Some(true) {
        let found = "none of them delivers: alarms reach no one";
        findings.push(fail(WHAT, found, "put one right, or add another: `beltline channel add --help`"));
    }
    if findings.is_empty() {
        findings.push(ok(WHAT, format!("{set_up} set up, none is failing")));
    }
    findings
}
