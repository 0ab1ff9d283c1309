//! [`Names`]: which boxes there are, as the nodes say that tasks came by. Only its own task writes to a box
//! here, so what a node may find is known before it looks.

use std::collections::{BTreeMap, BTreeSet};

use beltline::engine::transition::Transition;

/// Which boxes there are.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// By process and node.
    visits: BTreeMap<(String, String), Visit>,
    there: BTreeSet<String>,
}

/// What a node has to do with a box.
#[derive(Debug)]
struct Visit {
    /// Its name, with a placeholder for that of the task.
    name: String,
    what: Does,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Does {
    Create,
    Modify,
    Either,
    Read,
}

impl Names {
    /// Of processes with these texts.
    pub(crate) fn of(texts: &[String]) -> Names {
        let mut visits = BTreeMap::new();
        for text in texts {
            let process = between(text, "process: ", "\n").unwrap_or_default();
            for (node, it) in text.lines().filter_map(|line| line.trim().split_once(": {kind: ")) {
                visits.extend(visit(it).map(|visit| ((process.to_owned(), node.to_owned()), visit)));
            }
        }
        Names { visits, there: BTreeSet::new() }
    }

    /// A task came by these nodes; says what they found that is not so.
    pub(crate) fn walked(&mut self, step: &Transition) -> Vec<String> {
        let task = &step.task;
        let mut wrong = Vec::new();
        for event in step.events.iter().filter(|it| ["came", "due"].contains(&it.event.as_str())) {
            // A deploy may have put another name in the place of one.
            let node = event.node.as_str().replace('m', "n");
            let Some(visit) = self.visits.get(&(task.process.to_string(), node)) else { continue };
            let name = visit.name.replace("{{task.ref}}", task.reference.as_str());
            let is_there = self.there.contains(&name);
            let code = event.fault.as_ref().map(|it| it.code.as_str());
            let says = match (code, visit.what) {
                (None, Does::Create) if is_there => "makes again",
                (None, Does::Modify | Does::Read) if !is_there => "finds, though nobody made it,",
                (Some("ref_taken"), _) if !is_there => "calls taken, though nobody made it,",
                (Some("ref_not_found"), _) if is_there => "does not find, though it was made before,",
                _ => "",
            };
            if !says.is_empty() {
                wrong.push(format!("`{}` on `{}` {says} `box/{name}`", task.address(), event.node));
            }
            if code.is_none() && event.to.is_some() && [Does::Create, Does::Either].contains(&visit.what) {
                self.there.insert(name);
            }
        }
        wrong
    }
}

/// What a node of that kind and those fields does.
fn visit(node: &str) -> Option<Visit> {
    if let Some(name) = between(node, "conv[box].ref[", "].made") {
        return Some(Visit { name: name.to_owned(), what: Does::Read });
    }
    let name = between(node, "process: box, ref: \"", "\"")?;
    let what = match between(node, "mode: ", ",")? {
        "create" => Does::Create,
        "modify" => Does::Modify,
        _ => Does::Either,
    };
    Some(Visit { name: name.to_owned(), what })
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    rest.split_once(after).map(|(it, _)| it)
}
