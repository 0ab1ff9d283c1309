//! Processes made at random, from all kinds of nodes. A seed gives the same ones for ever.

use std::fmt::Write;

use crate::simulation::dice::Dice;

/// How many random processes there are.
pub(crate) const PLANS: u64 = 3;
/// As many boxes stand in a row, each with the name of the next.
pub(crate) const CHAIN: u64 = 40;

/// A box only holds params, whatever signals come.
const BOX: &str = r"
process: box
nodes:
  start: {kind: input, next: hold}
  hold: {kind: wait, next: hold}
";

/// What is called: it computes, rests or asks, and replies.
const WORKER: &str = r#"
process: worker
params: {how: {type: integer, default: 0}}
nodes:
  start: {kind: input, next: which}
  which:
    kind: condition
    branches: [{when: "how % 3 == 1", next: nap}, {when: "how % 3 == 2", next: ask}]
    else: answer
  nap: {kind: delay, for: 2s, next: answer}
  ask: {kind: http, method: POST, url: "https://worker.example/", next: answer, on_error: sorry}
  sorry: {kind: raise, code: sorry, message: "it did not work"}
  answer: {kind: reply, values: {did: "{{how}}"}, next: done}
  done: {kind: end}
"#;

/// Renews a value for ever.
const KEEPER: &str = r#"
process: keeper
nodes:
  start: {kind: input, next: renew}
  renew:
    kind: http
    method: POST
    url: "https://token.example/"
    timeout: 20s
    save: {pair: "= response.body.n"}
    retry: {times: 2, first: 2s, jitter: 0}
    next: nap
    on_error: tell
  nap: {kind: delay, for: 10m, wake: signal, next: renew}
  tell:
    {kind: escalation, message: "{{fault.code}}", notify: [author], once_per: "{{fault.code}}", next: pause}
  pause: {kind: delay, for: 10s, next: renew}
"#;

/// The texts of all processes of a seed.
pub(crate) fn plans(dice: &mut Dice) -> Vec<String> {
    let fixed = [BOX, WORKER, KEEPER].map(str::to_owned);
    fixed.into_iter().chain((0..PLANS).map(|number| plan(number, dice))).collect()
}

/// The number-th random process.
fn plan(number: u64, dice: &mut Dice) -> String {
    let mut text = format!("process: p{number}\nnodes:\n  start: {{kind: input, next: n0}}\n");
    let nodes = dice.from(2, 8);
    for node in 0..nodes {
        let next = format!("n{}", node + 1);
        random_node(&mut text, node, &next, dice);
    }
    // Some go round, so that they live on; most of them rest on the way.
    match dice.from(0, 4) {
        0 => writeln!(text, "  n{nodes}: {{kind: delay, for: 1h, next: n0}}"),
        _ => writeln!(text, "  n{nodes}: {{kind: end}}"),
    }
    .unwrap();
    text
}

fn random_node(text: &mut String, node: u64, next: &str, dice: &mut Dice) {
    let on = format!("next: {next}, on_error: {next}");
    let post = "kind: http, method: POST";
    let line = match dice.from(0, 17) {
        0..3 => {
            let retry = if dice.once_in(2) { ", retry: {times: 3, first: 1s, jitter: 0}" } else { "" };
            format!("{{{post}, url: \"https://a.example/{node}\", timeout: 10s{retry}, {on}}}")
        }
        3..5 => {
            format!("{{{post}, url: \"https://b.example/{node}\", unsure: stop, {on}}}")
        }
        5..7 => format!("{{kind: delay, for: {}s, next: {next}}}", dice.from(1, 20)),
        7..12 => send(node, &on, 5, dice),
        12 => format!("{{kind: call, process: worker, params: {{how: {node}}}, timeout: 2m, {on}}}"),
        13 => format!(
            "{{kind: each, items: [0, 1, 2], process: worker, params: {{how: \"{{{{item}}}}\"}}, {on}}}"
        ),
        14 => format!("{{kind: wait, for: {}s, next_on_timeout: {next}, next: {next}}}", dice.from(1, 30)),
        15 => return read(text, node, next),
        _ => return chain(text, node, next, dice),
    };
    writeln!(text, "  n{node}: {line}").unwrap();
}

/// A signal to a new task, to the same one as others, to itself, or to the keeper.
fn send(node: u64, on: &str, ways: u64, dice: &mut Dice) -> String {
    let mode = *dice.of(&["create", "modify", "either"]);
    let own = "process: \"{{task.process}}\", ref: \"{{task.ref}}\"";
    let given = "params: {made: 1}";
    match dice.from(0, ways) {
        0 => {
            let to = format!("process: box, ref: \"new-{{{{task.ref}}}}-{node}\"");
            format!("{{kind: send, {to}, mode: {mode}, {given}, {on}}}")
        }
        1 | 2 => format!(
            "{{kind: send, process: box, ref: \"mine-{{{{task.ref}}}}\", mode: {mode}, {given}, {on}}}"
        ),
        3 => format!("{{kind: send, {own}, mode: modify, params: {{x: 1}}, {on}}}"),
        _ => format!("{{kind: send, process: keeper, ref: k, mode: modify, {on}}}"),
    }
}

/// Each node reads the task that the one before it gave.
fn chain(text: &mut String, node: u64, next: &str, dice: &mut Dice) {
    let links = *dice.of(&[2, 5, 12, 20, 30]);
    writeln!(text, "  n{node}: {{kind: set, set: {{at: \"c0\"}}, next: n{node}x0}}").unwrap();
    for link in 0..links {
        let to = if link + 1 == links { next.to_owned() } else { format!("n{node}x{}", link + 1) };
        let read = "{{conv[box].ref[{{at}}].next}}";
        let line = format!("{{kind: set, set: {{at: \"{read}\"}}, next: {to}, on_error: {next}}}");
        writeln!(text, "  n{node}x{link}: {line}").unwrap();
    }
}

/// A random process that neither asks nor rests, and the same with a rest before each of its nodes.
pub(crate) fn unrested(dice: &mut Dice) -> (String, String) {
    let mut text = String::from("process: p0\nnodes:\n  start: {kind: input, next: n0}\n");
    let nodes = dice.from(2, 8);
    for node in 0..nodes {
        let next = format!("n{}", node + 1);
        let on = format!("next: {next}, on_error: {next}");
        match dice.from(0, 8) {
            0 => chain(&mut text, node, &next, dice),
            1 => read(&mut text, node, &next),
            _ => writeln!(text, "  n{node}: {}", send(node, &on, 4, dice)).unwrap(),
        }
    }
    writeln!(text, "  n{nodes}: {{kind: end}}").unwrap();
    let rested = rested(&text);
    (text, rested)
}

/// Reads a task that may have been made just before.
fn read(text: &mut String, node: u64, next: &str) {
    let value = "{{conv[box].ref[mine-{{task.ref}}].made}}";
    writeln!(text, "  n{node}: {{kind: set, set: {{got: \"{value}\"}}, next: {next}, on_error: {next}}}")
        .unwrap();
}

fn rested(text: &str) -> String {
    let mut rested = String::new();
    for line in text.lines() {
        match line.trim().split_once(": {kind: ").filter(|(name, _)| *name != "start") {
            None => writeln!(rested, "{line}").unwrap(),
            Some((name, kind)) => {
                writeln!(rested, "  {name}: {{kind: delay, for: 3s, next: at-{name}}}").unwrap();
                writeln!(rested, "  at-{name}: {{kind: {kind}").unwrap();
            }
        }
    }
    rested
}
