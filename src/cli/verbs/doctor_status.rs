//! What `doctor` reads off the status of a server that answers.

use serde_json::Value;

use crate::cli::finding::{Finding, fail, ok, warn};
use crate::cli::moment::{far, now, time};
use crate::cli::out::{named, one_line, text};
use crate::cli::remote::Remote;
use crate::cli::session::CliSession;
use crate::model::steps::ClockStep;
use crate::model::time::Span;

/// What the finding about the tables of time zones is called.
pub(super) const ZONES: &str = "time zones";
/// A task later than that is kept waiting by something.
const LATE_S_MAX: f64 = 5.0;
/// Of how many tasks it is asked when their values die, those first that need a person soonest.
const EXPIRIES_MAX: usize = 500;
/// So long it is said that the clock was set.
const STEP_SHOWN: Span = Span::days(7);
/// How many damaged places of the store are named.
const DAMAGED_SHOWN: usize = 10;
/// With fewer files and connections at once a busy server keeps people waiting.
const FILES_MIN: u64 = 4_096;

/// All of it.
pub(super) async fn status_findings(remote: &Remote, status: &Value) -> Vec<Finding> {
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
    findings.extend(status["zones"].as_str().map(|it| ok(ZONES, it)));
    findings.extend(files(status));
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
        let found = format!("{name} dies at {}: {}", text(it, "expires_at"), text(it, "waits_for"));
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

/// Whether the system lets the server open enough files and connections.
fn files(status: &Value) -> Option<Finding> {
    const REMEDY: &str = "raise the hard limit: `LimitNOFILE=65536` in its unit, or `ulimit -Hn`";
    let files = status["files_max"].as_u64().filter(|it| *it < FILES_MIN)?;
    let each = status["connections_max"].as_u64().unwrap_or(0);
    let found = format!("{files} may be open at once, {each} of them connections to the server");
    Some(warn("open files", found, REMEDY))
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
pub(super) async fn people(session: &CliSession, remote: &Remote) -> Vec<Finding> {
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
            warn(WHAT, format!("{open} open, {in_hand} of them acknowledged"), "see `beltline alarms`")
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
    let Ok(answer) = remote.get(&format!("/api/v1/expiring?limit={EXPIRIES_MAX}")).await else {
        return Vec::new();
    };
    let items = answer.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut findings = Vec::new();
    for task in &items {
        for expiry in task["expiries"].as_array().into_iter().flatten().filter(|it| it["urgent"] == true) {
            let verb = if expiry["dead"] == true { "died" } else { "dies" };
            let (param, far) = (text(expiry, "param"), far(expiry.get("expires_at"), now()));
            let name = format!("{}/{}", text(task, "process"), one_line(text(task, "ref")));
            let found = format!("{param} of {name} {verb} {far}");
            let remedy = "`beltline show` says why it is not renewed";
            findings.push(if expiry["dead"] == true {
                fail(WHAT, found, remedy)
            } else {
                warn(WHAT, found, remedy)
            });
        }
    }
    if findings.is_empty() && !items.is_empty() {
        let which = if items.len() < EXPIRIES_MAX { "of" } else { "of those that die first," };
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
