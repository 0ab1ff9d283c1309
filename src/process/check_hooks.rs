//! Whether the hooks of a process make sense.

use crate::model::expr::Expr;
use crate::model::near;
use crate::model::text::StringTemplate;
use crate::model::tree::{MapKey, Spot, Tree};
use crate::model::uses::Uses;
use crate::process::hook::{Hook, HookAnswer, SEEN};
use crate::process::parsed::ParsedProcess;
use crate::process::problem::FileProblem;

/// The most hooks of one process.
pub const HOOKS_MAX: usize = 100;

/// All that is wrong with the hooks.
pub fn check(parsed: &ParsedProcess) -> Vec<FileProblem> {
    let mut problems = Vec::new();
    if let Some((_, key, _)) = parsed.hooks.get(HOOKS_MAX) {
        problems.push(FileProblem::new(key.spot, format!("a process has at most {HOOKS_MAX} hooks")));
    }
    problems.extend(parsed.hooks.iter().flat_map(|(hook, key, tree)| {
        let mut found = texts(tree);
        found.extend(hook.iter().flat_map(|hook| whole(hook, key, tree, parsed)));
        found
    }));
    problems
}

fn whole(hook: &Hook, key: &MapKey, tree: &Tree, parsed: &ParsedProcess) -> Vec<FileProblem> {
    let spot = |field: &str| tree.get(field).map_or(key.spot, |it| it.spot);
    let mut problems = Vec::new();
    let replies = parsed.nodes.iter().any(|it| it.spec.is_some_and(|it| it.name == "reply"));
    if hook.answer == HookAnswer::Reply && !replies {
        let message = "`answer: reply` waits for a `reply` node, and the process has none";
        let hint = "add `answer: {kind: reply, values: {…}, next: …}`";
        problems.push(FileProblem::new(spot("answer"), message).hint(hint));
    }
    if hook.params.is_none() && !parsed.params.iter().any(|(param, ..)| param.input) {
        let message = format!("hook `{}` would take nothing: the process declares no params", hook.name);
        let hint = "declare them, or say `params: {body: \"= body\"}`";
        problems.push(FileProblem::new(key.spot, message).hint(hint));
    }
    problems
}

/// The texts read what a hook can see, and secrets stand in its check alone.
fn texts(tree: &Tree) -> Vec<FileProblem> {
    let mut problems = Vec::new();
    for (key, part) in tree.entries().iter().filter(|(key, _)| key.text != "about") {
        for (under, text, spot) in part.texts() {
            let under = if under.is_empty() { key.text.as_str() } else { under };
            problems.extend(text_problems(key.text == "check", under, text, spot));
        }
    }
    problems
}

fn text_problems(of_check: bool, under: &str, text: &str, spot: Spot) -> Vec<FileProblem> {
    let uses: Uses = match text.strip_prefix('=').or((under == "when").then_some(text)) {
        Some(expr) => Expr::parse(expr).map(|it| it.uses()).unwrap_or_default(),
        None => StringTemplate::parse(text).map(|it| it.uses()).unwrap_or_default(),
    };
    let mut problems = Vec::new();
    for root in uses.roots.iter().filter(|it| !SEEN.contains(&it.as_str())) {
        let hint = near::hint(root, &SEEN, "it sees");
        problems.push(FileProblem::new(spot, format!("a hook does not see `{root}`")).hint_if(hint));
    }
    if !uses.convs.is_empty() {
        let message = "a hook does not read other tasks";
        problems.push(FileProblem::new(spot, message).hint("a node of the process can"));
    }
    if let Some(secret) = uses.secrets.iter().next().filter(|_| !of_check) {
        let message = format!("`secret.{secret}` stands in the `check` of a hook, and nowhere else in it");
        problems.push(FileProblem::new(spot, message));
    }
    problems
}
