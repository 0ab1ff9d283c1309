//! `beltline.yaml`: its shape, and what is wrong with it.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Result, bail};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::cli::files::read_text;
use crate::cli::keys::ValueOrigin;
use crate::model::rate::RateLimit;
use crate::model::tree::{Branch, Tree};
use crate::process::problem::{FileProblem, render};
use crate::process::yaml;

/// What the file says.
#[derive(Debug, Default)]
pub struct ConfigFile {
    /// Texts by key, with their origins.
    pub values: Vec<(&'static str, Vec<String>, ValueOrigin)>,
    /// The channels, by name.
    pub channels: Map<String, Value>,
    /// Where the channels stand.
    pub channels_origin: Option<ValueOrigin>,
    /// How much may happen at a host, by patterns of hosts.
    pub host_limits: Vec<(String, RateLimit)>,
    /// Where those limits stand.
    pub limits_origin: Option<ValueOrigin>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Shape {
    listen: Option<String>,
    public_url: Option<String>,
    data: Option<String>,
    store: Option<String>,
    processes: Option<String>,
    grace: Option<String>,
    server: Option<String>,
    log: Option<String>,
    log_format: Option<String>,
    allow: Allow,
    tls: TlsFiles,
    proxy: Proxy,
    grouping: GroupingShape,
    evaluation: Evaluation,
    limits: Limits,
    channels: Map<String, Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct TlsFiles {
    cert: Option<String>,
    key: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Proxy {
    trust: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Allow {
    addresses: Option<Vec<String>>,
    oauth_hosts: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct GroupingShape {
    wait: Option<String>,
    interval: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Evaluation {
    steps: Option<u64>,
    bytes: Option<String>,
    time: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Limits {
    hosts: BTreeMap<String, RateLimit>,
}

/// Reads the file. Paths in it are meant from where it lies.
pub fn read(path: &Path) -> Result<ConfigFile> {
    let name = path.display().to_string();
    let source = read_text(path)?;
    if source.lines().all(|line| line.trim().is_empty() || line.trim().starts_with('#')) {
        return Ok(ConfigFile::default());
    }
    let (tree, mut problems) = yaml::read(&source);
    let mut shape = Shape::default();
    if let (Some(tree), true) = (&tree, problems.is_empty()) {
        match tree.read::<Shape>() {
            Ok(read) => shape = read,
            Err(errors) => problems = errors.into_iter().map(FileProblem::from).collect(),
        }
    }
    if !problems.is_empty() {
        let problems: Vec<FileProblem> = problems.into_iter().map(|it| it.in_file(&name)).collect();
        bail!("`{name}` cannot be used\n{}", render(&problems, &source, false));
    }
    let base = path.parent().unwrap_or(Path::new(""));
    Ok(taken(shape, tree.as_ref(), &name, base))
}

fn taken(shape: Shape, tree: Option<&Tree>, file: &str, base: &Path) -> ConfigFile {
    let origin = |keys: &[&str]| ValueOrigin::File(file.to_owned(), tree.map_or(0, |it| line(it, keys)));
    let from_here = |path: String| match path.starts_with('~') {
        true => path,
        false => base.join(path).display().to_string(),
    };
    let one = |it: Option<String>| it.map(|it| vec![it]);
    let values = [
        ("listen", one(shape.listen), origin(&["listen"])),
        ("public_url", one(shape.public_url), origin(&["public_url"])),
        ("data", one(shape.data.map(from_here)), origin(&["data"])),
        ("store", one(shape.store), origin(&["store"])),
        ("processes", one(shape.processes.map(from_here)), origin(&["processes"])),
        ("grace", one(shape.grace), origin(&["grace"])),
        ("server", one(shape.server), origin(&["server"])),
        ("log", one(shape.log), origin(&["log"])),
        ("log_format", one(shape.log_format), origin(&["log_format"])),
        ("tls.cert", one(shape.tls.cert.map(from_here)), origin(&["tls", "cert"])),
        ("tls.key", one(shape.tls.key.map(from_here)), origin(&["tls", "key"])),
        ("proxy.trust", shape.proxy.trust, origin(&["proxy", "trust"])),
        ("allow.addresses", shape.allow.addresses, origin(&["allow", "addresses"])),
        ("allow.oauth_hosts", shape.allow.oauth_hosts, origin(&["allow", "oauth_hosts"])),
        ("grouping.wait", one(shape.grouping.wait), origin(&["grouping", "wait"])),
        (
            "evaluation.steps",
            one(shape.evaluation.steps.map(|it| it.to_string())),
            origin(&["evaluation", "steps"]),
        ),
        ("evaluation.bytes", one(shape.evaluation.bytes), origin(&["evaluation", "bytes"])),
        ("evaluation.time", one(shape.evaluation.time), origin(&["evaluation", "time"])),
        ("grouping.interval", one(shape.grouping.interval), origin(&["grouping", "interval"])),
    ];
    let values = values.into_iter().filter_map(|(key, values, origin)| Some((key, values?, origin)));
    let channels_origin = (!shape.channels.is_empty()).then(|| origin(&["channels"]));
    let limits_origin = (!shape.limits.hosts.is_empty()).then(|| origin(&["limits", "hosts"]));
    // A name that is written out holds before a pattern that fits it too.
    let mut host_limits: Vec<(String, RateLimit)> = shape.limits.hosts.into_iter().collect();
    host_limits.sort_by_key(|(pattern, _)| (pattern.starts_with("*."), std::cmp::Reverse(pattern.len())));
    let (values, channels) = (values.collect(), shape.channels);
    ConfigFile { values, channels, channels_origin, host_limits, limits_origin }
}

/// The line on which a key stands; 0 if it is not there.
fn line(tree: &Tree, keys: &[&str]) -> usize {
    let (Branch::Map(pairs), Some((first, rest))) = (&tree.branch, keys.split_first()) else { return 0 };
    match pairs.iter().find(|(key, _)| key.text == *first) {
        Some((key, _)) if rest.is_empty() => key.spot.line,
        Some((_, inner)) => line(inner, rest),
        None => 0,
    }
}
