//! YAML text → [`Process`], or *all* that is wrong with it.

use std::sync::Arc;

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use sha2::{Digest, Sha256};

use crate::model::kind::KindSpec;
use crate::model::names::{NodeName, ProcessId};
use crate::model::near;
use crate::model::tree::{Branch, MapKey, Spot, Tree};
use crate::nodes::KINDS;
use crate::process::check::check;
use crate::process::check_slips;
use crate::process::file::{COMMON, CommonFields, File, ParamShape};
use crate::process::flows_in::flows;
use crate::process::hook::Hook;
use crate::process::hook_shape::HookRead;
use crate::process::named::named;
use crate::process::parsed::{ParsedNode, ParsedProcess};
use crate::process::problem::{FileProblem, settle};
use crate::process::process::{Limits, Node, ParamSpec, Process, RetryPolicy, TemplateOrigin};
use crate::process::schedule::Schedule;
use crate::process::schedule_shape::ScheduleRead;
use crate::process::yaml;

/// Hexadecimal digits of a version: 64 bits tell all versions of one process apart.
const VERSION_DIGITS: usize = 16;
/// How the line begins that says which template a clone is of: `# from template NAME@VERSION`.
pub const ORIGIN: &str = "# from template ";

/// Reads a process and checks it.
///
/// # Errors
/// All that is wrong with it, in the order of the text.
pub fn parse(text: &str) -> Result<Process, Vec<FileProblem>> {
    parse_with(KINDS, text)
}

/// The version of a process text: the beginning of its hash.
pub fn version(text: &str) -> String {
    let hash = Sha256::digest(text.as_bytes());
    let digits = hash.iter().flat_map(|byte| [byte >> 4, byte & 15]).take(VERSION_DIGITS);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}

/// Reads a process made of `kinds`.
pub(crate) fn parse_with(kinds: &'static [KindSpec], text: &str) -> Result<Process, Vec<FileProblem>> {
    let (tree, mut problems) = yaml::read(text);
    let Some(tree) = tree else {
        if problems.is_empty() {
            let spot = Spot { line: 1, column: 1, start: 0, end: 0 };
            problems.push(FileProblem::new(spot, "the file is empty").hint("begin with `process: name`"));
        }
        return Err(problems);
    };
    let file =
        tree.read::<File>().map_err(|errors| problems.extend(errors.into_iter().map(FileProblem::from))).ok();
    let nodes = tree.get("nodes");
    let parsed = ParsedProcess {
        id: tree.get("process").and_then(Tree::name).and_then(|id| ProcessId::new(&id).ok()),
        params: tree.get("params").map(|tree| params(tree, &mut problems)).unwrap_or_default(),
        hooks: tree.get("hooks").map(|tree| hooks(tree, &mut problems)).unwrap_or_default(),
        schedules: tree.get("schedule").map(|tree| schedules(tree, &mut problems)).unwrap_or_default(),
        nodes_spot: key_spot(&tree, "nodes"),
        nodes: nodes.map(|tree| parsed_nodes(kinds, tree, &mut problems)).unwrap_or_default(),
    };
    if let Some(nodes) = nodes {
        problems.extend(check(&parsed, nodes));
    }
    match (file, problems.is_empty()) {
        (Some(file), true) => {
            let warnings = settle(check_slips::check(&parsed, &tree, text), text);
            let process = finish(file, parsed, text).map_err(|problem| vec![problem])?;
            Ok(Process { warnings, ..process })
        }
        _ => Err(settle(problems, text)),
    }
}

/// Where a key of the top stood, or the top itself.
fn key_spot(tree: &Tree, name: &str) -> Spot {
    let key = tree.entries().iter().find(|(key, _)| key.text == name);
    key.map_or(tree.spot, |(key, _)| key.spot)
}

/// Makes the process of a parsed one that nothing is wrong with.
fn finish(file: File, parsed: ParsedProcess, text: &str) -> Result<Process, FileProblem> {
    let (named, flows) = (named(&parsed), flows(&parsed));
    let nodes: Vec<Node> = parsed.nodes.into_iter().filter_map(|parsed_node| parsed_node.node).collect();
    let start = nodes.iter().find(|node| node.kind_name == "input").map(|node| node.name.clone());
    let Some(start) = start else {
        return Err(FileProblem::new(parsed.nodes_spot, "there is no `input` node"));
    };
    let params: Vec<ParamSpec> = parsed.params.into_iter().map(|(param, ..)| param).collect();
    let those = |pick: fn(&ParamSpec) -> bool| {
        Arc::new(params.iter().filter(|it| pick(it)).map(|it| it.name.clone()).collect())
    };
    Ok(Process {
        version: version(text),
        title: file.title.unwrap_or_else(|| file.process.to_string()),
        about: file.about.unwrap_or_default(),
        limits: file.limits.map_or_else(Limits::default, |it| it.limits()),
        start,
        open_to: file.open_to,
        watched: nodes.iter().filter(|it| it.alarm.is_some()).map(|it| it.name.clone()).collect(),
        nodes,
        schedules: parsed.schedules.into_iter().filter_map(|(schedule, _)| schedule).collect(),
        hooks: parsed.hooks.into_iter().filter_map(|(hook, ..)| hook).collect(),
        secret: those(|it| it.secret),
        hidden: those(|it| it.secret && !it.shared),
        warnings: Vec::new(),
        origin: origin(text),
        named,
        flows,
        id: file.process,
        params,
    })
}

/// The template named in the comment a clone begins with: `# from template NAME@VERSION`.
fn origin(text: &str) -> Option<TemplateOrigin> {
    let mut head =
        text.trim_start_matches('\u{FEFF}').lines().take_while(|it| it.starts_with('#') || it.is_empty());
    let line = head.find_map(|line| line.strip_prefix(ORIGIN))?;
    let (template, version) = line.trim().split_once('@')?;
    let id = ProcessId::new(template).ok()?;
    Some(TemplateOrigin { template: id.to_string(), version: version.to_owned() })
}

fn params(tree: &Tree, problems: &mut Vec<FileProblem>) -> Vec<(ParamSpec, MapKey, Tree)> {
    if !matches!(tree.branch, Branch::Map(_) | Branch::Null) {
        let hint = "write `name: {type: string, about: …}` for each";
        problems.push(FileProblem::new(tree.spot, "the params are a map").hint(hint));
    }
    let mut all = Vec::new();
    for (key, tree) in tree.entries() {
        let shape = match tree.branch {
            Branch::Null => Ok(ParamShape::default()),
            _ => tree.read::<ParamShape>(),
        };
        match shape {
            Ok(shape) => all.push((shape.spec(&key.text), key.clone(), tree.clone())),
            Err(errors) => {
                problems.extend(errors.into_iter().map(FileProblem::from));
                all.push((ParamShape::default().spec(&key.text), key.clone(), tree.clone()));
            }
        }
    }
    all
}

fn hooks(tree: &Tree, problems: &mut Vec<FileProblem>) -> Vec<(Option<Hook>, MapKey, Tree)> {
    if !matches!(tree.branch, Branch::Map(_) | Branch::Null) {
        let hint = "write `name: {check: …, ref: …}` for each";
        problems.push(FileProblem::new(tree.spot, "the hooks are a map").hint(hint));
    }
    let mut all = Vec::new();
    for (key, tree) in tree.entries() {
        if NodeName::new(&key.text).is_err() {
            let message = "a hook's name has 1 to 64 letters, digits, `-` and `_`";
            problems.push(FileProblem::new(key.spot, message));
        }
        let hook = tree.read::<HookRead>().map(|it| it.hook(&key.text));
        let hook = hook.map_err(|errors| problems.extend(errors.into_iter().map(FileProblem::from)));
        all.push((hook.ok(), key.clone(), tree.clone()));
    }
    all
}

fn schedules(tree: &Tree, problems: &mut Vec<FileProblem>) -> Vec<(Option<Schedule>, Tree)> {
    let items: &[Tree] = match &tree.branch {
        Branch::List(items) => items,
        Branch::Null => &[],
        Branch::Bool(_) | Branch::Number(_) | Branch::Text(_) | Branch::Map(_) => {
            let hint = "write `- {cron: \"0 9 * * MON-FRI\", params: {…}}` for each";
            problems.push(FileProblem::new(tree.spot, "`schedule` is a list").hint(hint));
            &[]
        }
    };
    let mut all = Vec::new();
    for (at, tree) in items.iter().enumerate() {
        let schedule = tree.read::<ScheduleRead>().map(|it| it.schedule(at + 1));
        let schedule = schedule.map_err(|errors| problems.extend(errors.into_iter().map(FileProblem::from)));
        all.push((schedule.ok(), tree.clone()));
    }
    all
}

fn parsed_nodes(kinds: &'static [KindSpec], tree: &Tree, problems: &mut Vec<FileProblem>) -> Vec<ParsedNode> {
    if !matches!(tree.branch, Branch::Map(_)) {
        let hint = "write `name: {kind: …}` for each";
        problems.push(FileProblem::new(tree.spot, "the nodes are a map").hint(hint));
    }
    let mut all = Vec::new();
    for (key, tree) in tree.entries() {
        match NodeName::new(&key.text) {
            Ok(name) => all.push(parsed_node(kinds, name, key, tree, problems)),
            Err(bad) => problems.push(FileProblem::new(key.spot, bad.to_string())),
        }
    }
    all
}

fn parsed_node(
    kinds: &'static [KindSpec],
    name: NodeName,
    key: &MapKey,
    tree: &Tree,
    problems: &mut Vec<FileProblem>,
) -> ParsedNode {
    let mut found = Vec::new();
    let spec = spec(kinds, key, tree, &mut found);
    let node = spec.and_then(|spec| node(spec, &name, key, tree, &mut found));
    let good = found.is_empty();
    problems.extend(found);
    ParsedNode { name, spot: key.spot, tree: tree.clone(), spec, node: node.filter(|_| good) }
}

/// The kind a node names.
fn spec(
    kinds: &'static [KindSpec],
    key: &MapKey,
    tree: &Tree,
    problems: &mut Vec<FileProblem>,
) -> Option<&'static KindSpec> {
    let names: Vec<&str> = kinds.iter().map(|spec| spec.name).collect();
    let missing = |spot| {
        let message = format!("node `{}` has no `kind`", key.text);
        let is_unspaced = |text: &str| text.starts_with("kind:") && !text.starts_with("kind: ");
        let is_text = matches!(&tree.branch, Branch::Text(text) if is_unspaced(text));
        if is_text || tree.entries().iter().any(|(key, _)| is_unspaced(&key.text)) {
            return FileProblem::new(spot, message).hint("write `kind: …`, with a space after the `:`");
        }
        FileProblem::new(spot, message).hint(format!("begin with `kind:` and one of: {}", listed(&names)))
    };
    if !matches!(tree.branch, Branch::Map(_)) {
        problems.push(missing(key.spot));
        return None;
    }
    let Some(kind) = tree.get("kind") else {
        problems.push(missing(key.spot));
        return None;
    };
    let Some(word) = kind.name() else {
        problems.push(
            FileProblem::new(kind.spot, "the kind is a word").hint(format!("one of: {}", listed(&names))),
        );
        return None;
    };
    let spec = kinds.iter().find(|spec| spec.name == word);
    if spec.is_none() {
        let hint = near::hint(&word, &names, "the kinds are");
        problems.push(FileProblem::new(kind.spot, format!("there is no kind `{word}`")).hint_if(hint));
    }
    spec
}

fn listed(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// Reads the fields every node may have, and hands the rest to the kind.
fn node(
    spec: &KindSpec,
    name: &NodeName,
    key: &MapKey,
    tree: &Tree,
    problems: &mut Vec<FileProblem>,
) -> Option<Node> {
    let part = |common: bool| {
        let its =
            |it: &&(MapKey, Tree)| it.0.text != "kind" && COMMON.contains(&it.0.text.as_str()) == common;
        let pairs = tree.entries().iter().filter(its).cloned().collect();
        Tree { spot: tree.spot, branch: Branch::Map(pairs) }
    };
    let common = part(true).read::<CommonFields>();
    let kind = (spec.parse)(&part(false));
    let (common, kind) = match (common, kind) {
        (Ok(common), Ok(kind)) => (common, kind),
        (common, kind) => {
            let errors = [common.err(), kind.err()].into_iter().flatten().flatten();
            problems.extend(errors.map(|error| {
                // In block style a map begins where its first key does.
                let is_said = |own: &MapKey| own.spot == error.spot && error.message == unknown(own);
                match tree.entries().iter().find(|(own, _)| is_said(own)) {
                    Some((unknown, _)) => unknown_key(spec, unknown),
                    None if error.spot == tree.spot => {
                        FileProblem { spot: key.spot, ..FileProblem::from(error) }
                    }
                    None => FileProblem::from(error),
                }
            }));
            return None;
        }
    };
    Some(Node {
        name: name.clone(),
        kind_name: spec.name,
        title: common.title.unwrap_or_else(|| name.to_string()),
        about: common.about.unwrap_or_default(),
        retry: common.retry.unwrap_or_else(|| RetryPolicy::unsaid(kind.as_ref())),
        kind,
        on_error: common.on_error,
        limit: common.limit,
        alarm: common.alarm,
    })
}

/// A key that a node cannot have: the ones it can have are its kind's and the common ones.
fn unknown_key(spec: &KindSpec, key: &MapKey) -> FileProblem {
    let mut generator = SchemaGenerator::new(SchemaSettings::draft2020_12());
    let schema = (spec.schema)(&mut generator);
    let own = schema.get("properties").and_then(|it| it.as_object());
    let own: Vec<&str> = own.into_iter().flat_map(|it| it.keys().map(String::as_str)).collect();
    let known: Vec<&str> = own.into_iter().chain(COMMON).collect();
    let hint = near::hint(&key.text, &known, &format!("the keys of `{}` are", spec.name));
    FileProblem::new(key.spot, unknown(key)).hint_if(hint)
}

fn unknown(key: &MapKey) -> String {
    format!("unknown key `{}`", key.text)
}
