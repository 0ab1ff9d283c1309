//! `/metrics` as a monitor reads it: every name has its help and its type.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;

use beltline::cli::metrics::{METRICS, MetricKind};

use crate::cli::place::{Place, until};

/// Counts what is rare, too: a planned time, and a value that dies.
const BUSY: &str = r#"
process: busy
params:
  token: {type: string, expiry: {at: dies}}
  dies: {type: integer, default: 4000000000}
schedule: [{name: often, every: 1s, params: {token: "= planned"}}]
nodes:
  start: {kind: input, next: done}
  done: {kind: wait, next: out}
  out: {kind: end}
"#;

fn metrics(place: &Place) -> String {
    let token = fs::read_to_string(place.path("data/token")).unwrap();
    let mut stream = TcpStream::connect(place.address()).unwrap();
    let (host, token) = (place.address(), token.trim());
    write!(stream, "GET /metrics HTTP/1.0\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text.split_once("\r\n\r\n").unwrap().1.to_owned()
}

/// The names of the samples of a text, each without what a kind of metric puts behind its name.
fn names<'a>(text: &'a str, types: &BTreeMap<&'a str, &'a str>) -> BTreeSet<&'a str> {
    let samples = text.lines().filter(|it| !it.is_empty() && !it.starts_with('#'));
    let name = |line: &'a str| {
        let name = line.split(['{', ' ']).next().unwrap();
        let of_several = ["_sum", "_count", "_bucket"].iter().find_map(|it| name.strip_suffix(it));
        of_several.filter(|it| matches!(types.get(it), Some(&("summary" | "histogram")))).unwrap_or(name)
    };
    samples.map(name).collect()
}

#[test]
fn every_metric_has_its_help_and_its_type() {
    let place = Place::new();
    place.write("processes/busy.yaml", BUSY);
    let _served = place.serve();
    let text = until("a planned time is counted", || {
        Some(metrics(&place)).filter(|it| it.contains("beltline_schedule_times_total{"))
    });
    let said = |word: &str| -> BTreeMap<&str, &str> {
        let mark = format!("# {word} ");
        let lines = text.lines().filter_map(|line| line.strip_prefix(&mark)?.split_once(' '));
        lines.filter(|(_, said)| !said.trim().is_empty()).collect()
    };
    let (helps, types) = (said("HELP"), said("TYPE"));
    let names = names(&text, &types);
    for known in ["beltline_ready", "beltline_batch_items", "beltline_param_expires_at_seconds"] {
        assert!(names.contains(known), "{known} is not told: {names:?}");
    }
    let lacking: Vec<_> =
        names.iter().filter(|it| !helps.contains_key(*it) || !types.contains_key(*it)).collect();
    assert!(lacking.is_empty(), "without `# HELP` or `# TYPE`: {lacking:?}");
    let strange: Vec<_> = names.iter().filter(|it| !it.starts_with("beltline_")).collect();
    assert!(strange.is_empty(), "{strange:?}");
}

/// What is counted too rarely for the test above is on the list all the same, and nothing else is.
#[test]
fn what_the_code_measures_is_the_list() {
    let mut measured = BTreeMap::new();
    let mut files = vec![PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))];
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(fs::read_dir(&path).unwrap().map(|it| it.unwrap().path()));
            continue;
        }
        if path.extension().is_none_or(|it| it != "rs") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for (macro_name, way) in [
            ("counter!(", MetricKind::Counter),
            ("gauge!(", MetricKind::Gauge),
            ("histogram!(", MetricKind::Histogram),
        ] {
            let calls = text.split(macro_name).skip(1).filter_map(|rest| rest.trim_start().strip_prefix('"'));
            measured.extend(calls.map(|rest| (rest.split('"').next().unwrap().to_owned(), way)));
        }
    }
    assert!(measured.len() > 20, "{measured:?}");
    let listed: BTreeMap<String, MetricKind> =
        METRICS.iter().map(|(name, way, _)| ((*name).to_owned(), *way)).collect();
    assert_eq!(listed.len(), METRICS.len(), "a name is on the list twice");
    let bad = |it: &&(&str, MetricKind, &str)| it.2.trim().is_empty() || it.2.contains('\n');
    assert_eq!(METRICS.iter().find(bad).map(|it| it.0), None);
    assert_eq!(measured, listed, "`src/cli/metrics.rs` is the list of what the code measures");
}
