//! Looks at a task and compares it with what is expected.

use serde_json::Value;

use crate::model::names::Address;
use crate::model::scope::EvalContext;
use crate::model::task::Task;
use crate::model::time::Timestamp;
use crate::model::tree::Spot;
use crate::scenario::compare::{compare, same};
use crate::scenario::diff::{Miss, path_fits, shown};
use crate::scenario::file::{AlarmWord, Expect, ExpectedRequests, ExpectedValue, Spotted, ValueCheck};
use crate::scenario::script::{Requests, parts_wrong};
use crate::scenario::stage::VirtualStage;

/// All that is not as expected. What was asked, told and come to is forgotten where it was looked at.
pub(super) fn look(expect: &Expect, task: &Task, stage: &VirtualStage) -> Vec<Miss> {
    let name = task.address();
    let view = EvalContext::new(task.clone(), stage.facts(), stage.now());
    let mut misses = stands(expect, task, &name, stage.now());
    for (param, want) in &expect.params {
        let got = task.params.get(param);
        misses.extend(compare(want, &format!("param `{param}` of `{name}`"), got, &view));
    }
    misses.extend(expect.that.iter().filter_map(|it| true_of(it, &name, &view)));
    let result = task.result.as_ref();
    let fault = task.fault.as_ref().map(|it| Value::from(it.code.as_str()));
    let wanted = [(&expect.result, "result", result), (&expect.fault, "fault", fault.as_ref())];
    for (want, what, got) in wanted {
        let Some(want) = want else { continue };
        misses.extend(compare(want, &format!("the {what} of `{name}`"), got, &view));
    }
    misses.extend(expect.link.as_ref().and_then(|want| link(want, task, &name, &view)));
    misses.extend(expect.asked.iter().flat_map(|it| asked(it, stage, &view)));
    misses.extend(expect.notified.as_ref().and_then(|it| notified(it, stage)));
    misses.extend(expect.path.as_ref().and_then(|it| path(it, &name, stage)));
    misses.sort_by_key(|miss| miss.spot.start);
    misses
}

/// Where it stands and how.
fn stands(expect: &Expect, task: &Task, name: &Address, now: Timestamp) -> Vec<Miss> {
    let mut misses = Vec::new();
    let mut differ = |spot: Spot, what: &str, expected: &str, got: &str| {
        if expected != got {
            misses.push(
                Miss::new(spot, format!("the {what} of `{name}` is not as expected")).texts(expected, got),
            );
        }
    };
    let fault = task
        .fault
        .as_ref()
        .map(|it| format!("\nits last fault: {}: {}", it.code, it.message))
        .unwrap_or_default();
    if let Some(node) = expect.node.as_ref().filter(|it| it.it != task.at.as_str()) {
        differ(node.spot, "node", &node.it, &format!("{}{fault}", task.at));
    }
    if let Some(state) = &expect.state {
        differ(state.spot, "state", state.it.as_str(), task.state.phase().as_str());
    }
    if let Some(due) = &expect.due {
        let got = task.due.map_or_else(|| "never".to_owned(), |at| format!("in {}", at.since(now)));
        differ(due.spot, "due time", &format!("in {}", due.it), &got);
    }
    if let Some(word) = &expect.alarm {
        let got = match &task.alarm {
            None => AlarmWord::Closed,
            Some(_) if word.it == AlarmWord::Open => AlarmWord::Open,
            Some(alarm) if alarm.notified_at.is_some() => AlarmWord::Notified,
            Some(_) => AlarmWord::Undelivered,
        };
        let text = task.alarm.as_ref().map(|it| format!("\n{}", it.text)).unwrap_or_default();
        if got != word.it {
            differ(word.spot, "alarm", word.it.as_str(), &format!("{}{text}", got.as_str()));
        }
    }
    misses
}

fn true_of(that: &Spotted<crate::model::expr::Expr>, name: &Address, view: &EvalContext) -> Option<Miss> {
    let text = that.it.text();
    match that.it.truth(view) {
        Ok(true) => None,
        Ok(false) => {
            let roots = that.it.uses().roots;
            let values = roots.iter().filter_map(|root| Some(format!("{root} = {}", view.name(root)?)));
            let values: Vec<String> = values.collect();
            let what = format!("`{text}` is not true of `{name}`");
            Some(Miss::new(that.spot, what).texts("", &values.join("\n")))
        }
        Err(fault) => Some(Miss::new(that.spot, format!("`{text}` cannot be told: {}", fault.message))),
    }
}

/// A piece of a link is enough.
fn link(want: &ExpectedValue, task: &Task, name: &Address, view: &EvalContext) -> Option<Miss> {
    let got = task.link.as_deref().map(Value::from);
    if let (ValueCheck::Is(draft), Some(link)) = (&want.what, &task.link)
        && let Ok(Value::String(piece)) = draft.fill(view)
        && link.contains(&piece)
    {
        return None;
    }
    compare(want, &format!("the link of `{name}`"), got.as_ref(), view)
}

fn asked(asked: &ExpectedRequests, stage: &VirtualStage, view: &EvalContext) -> Vec<Miss> {
    let none = &mut Requests::default();
    let mut seen = stage.seen();
    let requests = seen.script.asked.get_mut(&asked.node).unwrap_or(none);
    let times = std::mem::take(&mut requests.times);
    let of = format!("the last request of node `{}`", asked.node);
    let mut misses = match (requests.last.is_null(), asked.parts.is_empty()) {
        (true, false) => vec![Miss::new(asked.spot, format!("node `{}` asked nothing", asked.node))],
        (true, true) | (false, _) => parts_wrong(&asked.parts, &of, &requests.last, view),
    };
    if let Some(wanted) = asked.times.filter(|wanted| !same(&(*wanted).into(), &times.into())) {
        let what = format!("node `{}` did not ask as often as expected", asked.node);
        misses.push(Miss::new(asked.spot, what).texts(&wanted.to_string(), &times.to_string()));
    }
    misses
}

fn notified(wanted: &Spotted<Vec<Spotted<String>>>, stage: &VirtualStage) -> Option<Miss> {
    let notified = std::mem::take(&mut stage.seen().script.notified);
    let texts: Vec<String> = notified.iter().map(|it| format!("{}\n{}", it.subject, it.text)).collect();
    let fits = |(piece, text): (&Spotted<String>, &String)| text.contains(&piece.it);
    if wanted.it.len() == texts.len() && wanted.it.iter().zip(&texts).all(fits) {
        return None;
    }
    let pieces: Vec<String> = wanted
        .it
        .iter()
        .map(|it| format!("a message with {}", shown(Some(&it.it.as_str().into()))))
        .collect();
    let got: Vec<String> = notified.iter().map(|it| shown(Some(&it.text.as_str().into()))).collect();
    let what = match (wanted.it.len(), texts.len()) {
        (same, now) if same == now => "what was notified is not as expected".to_owned(),
        (many, now) => format!("{now} messages were sent, and {many} were expected"),
    };
    Some(Miss::new(wanted.spot, what).texts(&pieces.join("\n"), &got.join("\n")))
}

fn path(wanted: &Spotted<Vec<String>>, name: &Address, stage: &VirtualStage) -> Option<Miss> {
    let got = stage.seen().paths.remove(name).unwrap_or_default();
    let got: Vec<String> = got.iter().map(ToString::to_string).collect();
    let what = format!("the path of `{name}` is not as expected");
    (!path_fits(&wanted.it, &got)).then(|| Miss::new(wanted.spot, what).path(&wanted.it, &got))
}
