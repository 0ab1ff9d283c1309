//! Whether the schedules of a process make sense.

use crate::model::expr::Expr;
use crate::model::names::NodeName;
use crate::model::near;
use crate::model::text::StringTemplate;
use crate::model::tree::Tree;
use crate::process::parsed::ParsedProcess;
use crate::process::problem::FileProblem;
use crate::process::schedule::{SEEN, Schedule};

/// The most schedules of one process.
pub const SCHEDULES_MAX: usize = 100;

/// All that is wrong with the schedules.
pub fn check(parsed: &ParsedProcess) -> Vec<FileProblem> {
    let mut problems = Vec::new();
    if let Some((_, tree)) = parsed.schedules.get(SCHEDULES_MAX) {
        let message = format!("a process has at most {SCHEDULES_MAX} schedules");
        problems.push(FileProblem::new(tree.spot, message));
    }
    for (at, (schedule, tree)) in parsed.schedules.iter().enumerate() {
        problems.extend(texts(tree));
        let Some(schedule) = schedule else { continue };
        problems.extend(name(schedule, tree));
        let before = parsed.schedules[..at].iter().filter_map(|(it, _)| it.as_ref());
        if before.into_iter().any(|it| it.name == schedule.name) {
            let message = format!("there are two schedules `{}`", schedule.name);
            problems
                .push(FileProblem::new(spot(tree, "name"), message).hint("give each a `name` of its own"));
        }
        problems.extend(required(schedule, tree, parsed));
    }
    problems
}

fn spot(tree: &Tree, field: &str) -> crate::model::tree::Spot {
    tree.get(field).map_or(tree.spot, |it| it.spot)
}

fn name(schedule: &Schedule, tree: &Tree) -> Option<FileProblem> {
    let message = "a schedule's name has 1 to 64 letters, digits, `-` and `_`";
    NodeName::new(&schedule.name).is_err().then(|| FileProblem::new(spot(tree, "name"), message))
}

/// A task without a required param would be refused each time.
fn required(schedule: &Schedule, tree: &Tree, parsed: &ParsedProcess) -> Vec<FileProblem> {
    let given = |name: &str| schedule.params.iter().any(|(it, _)| it == name);
    let lacking = parsed.params.iter().filter(|(param, ..)| param.required && !given(&param.name));
    let problem = |name: &str| {
        let message = format!("the schedule gives no `{name}`, which the process needs");
        FileProblem::new(spot(tree, "params"), message).hint(format!("`params: {{{name}: …}}`"))
    };
    lacking.map(|(param, ..)| problem(&param.name)).collect()
}

fn texts(tree: &Tree) -> Vec<FileProblem> {
    let fields = tree.entries().iter().filter(|(key, _)| matches!(key.text.as_str(), "ref" | "params"));
    let texts = fields.flat_map(|(_, part)| part.texts());
    let mut problems = Vec::new();
    for (_, text, spot) in texts {
        let uses = match text.strip_prefix('=') {
            Some(expr) => Expr::parse(expr).map(|it| it.uses()).unwrap_or_default(),
            None => StringTemplate::parse(text).map(|it| it.uses()).unwrap_or_default(),
        };
        for root in uses.roots.iter().filter(|it| !SEEN.contains(&it.as_str())) {
            let hint = near::hint(root, &SEEN, "it sees");
            problems.push(FileProblem::new(spot, format!("a schedule does not see `{root}`")).hint_if(hint));
        }
        if !uses.convs.is_empty() || !uses.secrets.is_empty() {
            let message = "a schedule reads neither other tasks nor secrets";
            problems.push(FileProblem::new(spot, message).hint("a node of the process can"));
        }
    }
    problems
}
