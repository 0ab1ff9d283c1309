//! [`Story`]: processes made at random out of all kinds, and the model of what a task of each must come to.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::torture::outside::{chance, number_of};

/// How many processes a story has.
const ORDERS: u64 = 4;
/// How many parts the shortest has, and how many more the longest.
const PARTS: (u64, u64) = (4, 4);

/// One step of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Ask,
    Once,
    Delay,
    Condition,
    Call,
    Each,
    Wait,
    Send,
    Escalate,
}

const ALL: [Part; 9] = [
    Part::Ask,
    Part::Once,
    Part::Delay,
    Part::Condition,
    Part::Call,
    Part::Each,
    Part::Wait,
    Part::Send,
    Part::Escalate,
];

/// The processes.
pub(crate) struct Story {
    orders: Vec<Vec<Part>>,
}

/// The processes that every story has beside its orders.
const OTHERS: &str = r#"
process: double
nodes:
  start: {kind: input, next: answer}
  answer: {kind: reply, values: {doubled: '= n * 2'}, next: done}
  done: {kind: end}
---
process: journal
nodes:
  start: {kind: input, next: done}
  done: {kind: end}
---
process: nudge
nodes:
  start: {kind: input, next: rest}
  rest: {kind: delay, for: 100ms, next: poke}
  poke: {kind: send, process: "{{whose}}", ref: "{{name}}", mode: modify, params: {poked: yes}, next: done}
  done: {kind: end}
---
process: keeper
params:
  access_token: {type: string, input: false}
  refresh_token: {type: string, required: true}
nodes:
  start: {kind: input, next: renew}
  renew:
    kind: http
    method: POST
    url: "http://AT/token/{{task.ref}}"
    form: {refresh_token: "{{refresh_token}}"}
    timeout: 6s
    retry: {times: 1}
    save: {access_token: "= response.body.access_token", refresh_token: "= response.body.refresh_token"}
    next: nap
    on_error: look
  look:
    kind: condition
    branches: [{when: "fault.status|default(0) == 400", next: over}]
    else: nap
  nap: {kind: delay, for: 300ms, next: renew}
  over: {kind: wait, accept: {refresh_token: {required: true}}, next: renew}
"#;

impl Story {
    pub(crate) fn new(seed: u64) -> Story {
        let parts = |order: u64| {
            let many = PARTS.0 + chance(seed, &format!("length {order}")) % (PARTS.1 + 1);
            // A part of each kind is in some order, whatever chance says.
            let sure = (0..ALL.len()).filter(|at| u64::try_from(*at).unwrap() % ORDERS == order);
            let mut parts: Vec<Part> = sure.map(|at| ALL[at]).collect();
            let mut tries = 0;
            while u64::try_from(parts.len()).unwrap() < many {
                tries += 1;
                let drawn = chance(seed, &format!("part {order} {tries}"));
                let part = ALL[usize::try_from(drawn % 9).unwrap()];
                if part != Part::Wait || !parts.contains(&Part::Wait) {
                    parts.push(part);
                }
            }
            let turn = usize::try_from(chance(seed, &format!("turn {order}"))).unwrap_or(0) % parts.len();
            parts.rotate_left(turn);
            parts
        };
        Story { orders: (0..ORDERS).map(parts).collect() }
    }

    /// The process of that order.
    pub(crate) fn process(number: u64) -> String {
        format!("order{}", number % ORDERS)
    }

    fn parts(number: u64) -> usize {
        usize::try_from(number % ORDERS).unwrap()
    }

    /// The texts of all processes, by id.
    pub(crate) fn texts(&self, at: SocketAddr) -> BTreeMap<String, String> {
        let others = OTHERS.split("---\n").map(|text| text.replace("AT", &at.to_string()));
        let orders = (0..ORDERS).map(|number| {
            let mut text = format!(
                "\nprocess: {}\nnodes:\n  start: {{kind: input, next: n0}}\n",
                Story::process(number)
            );
            let parts = &self.orders[Story::parts(number)];
            for (place, part) in parts.iter().enumerate() {
                let next = format!("n{}", place + 1);
                text.push_str(&part.text(&format!("n{place}"), &next, at));
            }
            writeln!(text, "  n{}: {{kind: end}}", parts.len()).unwrap();
            text
        });
        let id = |text: &str| text.trim().lines().next().unwrap().replace("process: ", "");
        others.chain(orders).map(|text| (id(&text), text)).collect()
    }

    /// What an order must end with, by param. `once` says how often that node was asked, and may give either.
    pub(crate) fn expected(&self, number: u64) -> BTreeMap<String, Value> {
        let parts = self.orders[Story::parts(number)].iter().enumerate();
        let values = parts.filter_map(|(place, part)| {
            let node = format!("n{place}");
            let value = match part {
                Part::Ask => json!(number_of(&ask(number, place))),
                Part::Condition => json!(if number.is_multiple_of(2) { "even" } else { "odd" }),
                Part::Call => json!(number * 2),
                Part::Each => json!([0, 2, 4]),
                Part::Once | Part::Delay | Part::Wait | Part::Send | Part::Escalate => return None,
            };
            Some((node, value))
        });
        values.collect()
    }

    /// The paths at which that order asks, once for each visit: those that may be repeated, and those not.
    pub(crate) fn asks(&self, number: u64) -> (Vec<String>, Vec<(String, String)>) {
        let parts = || self.orders[Story::parts(number)].iter().enumerate();
        let asks = parts().filter(|(_, part)| **part == Part::Ask).map(|(place, _)| ask(number, place));
        let once = parts().filter(|(_, part)| **part == Part::Once);
        let once = once.map(|(place, _)| {
            (format!("n{place}"), format!("once/{}/o{number}/n{place}", Story::process(number)))
        });
        (asks.collect(), once.collect())
    }

    /// How many tasks of other processes that order makes.
    pub(crate) fn births(&self, number: u64) -> BTreeMap<&'static str, i64> {
        let mut births = BTreeMap::new();
        for part in &self.orders[Story::parts(number)] {
            let (process, many) = match part {
                Part::Call => ("double", 1),
                Part::Each => ("double", 3),
                Part::Wait => ("nudge", 1),
                Part::Send => ("journal", 1),
                Part::Ask | Part::Once | Part::Delay | Part::Condition | Part::Escalate => continue,
            };
            *births.entry(process).or_default() += many;
        }
        births
    }
}

fn ask(number: u64, place: usize) -> String {
    format!("ask/{}/o{number}/n{place}", Story::process(number))
}

impl Part {
    /// Its nodes.
    fn text(self, node: &str, next: &str, at: SocketAddr) -> String {
        let url = |kind: &str| format!("\"http://{at}/{kind}/{{{{task.process}}}}/{{{{task.ref}}}}/{node}\"");
        let text = match self {
            Part::Ask => format!(
                "{{kind: http, method: POST, url: {}, timeout: 6s, json: {{of: 1}}, \
                 retry: {{times: 40, first: 200ms, factor: 1.5, max: 1s}}, \
                 save: {{{node}: '= response.body.n'}}, next: {next}}}",
                url("ask")
            ),
            Part::Once => format!(
                "{{kind: http, method: POST, url: {}, timeout: 6s, json: {{of: 1}}, unsure: stop, \
                 save: {{{node}: asked}}, next: {next}, on_error: {node}x}}\n  \
                 {node}x: {{kind: set, set: {{{node}: \"{{{{fault.code}}}}\"}}, next: {next}}}",
                url("once")
            ),
            Part::Delay => format!("{{kind: delay, for: 150ms, next: {next}}}"),
            Part::Condition => format!(
                "{{kind: condition, branches: [{{when: number % 2 == 0, next: {node}a}}], else: {node}b}}\n  \
                 {node}a: {{kind: set, set: {{{node}: even}}, next: {next}}}\n  \
                 {node}b: {{kind: set, set: {{{node}: odd}}, next: {next}}}"
            ),
            Part::Call => format!(
                "{{kind: call, process: double, params: {{n: '= number'}}, \
                 save: {{{node}: '= response.body.doubled'}}, next: {next}}}"
            ),
            Part::Each => format!(
                "{{kind: each, items: '= range(3)', process: double, params: {{n: '= item'}}, parallel: 2, \
                 save: {{{node}: '= response.body|map(attribute=\"doubled\")|list'}}, next: {next}}}"
            ),
            Part::Wait => format!(
                "{{kind: send, process: nudge, params: \
                 {{whose: '{{{{task.process}}}}', name: '{{{{task.ref}}}}'}}, next: {node}w}}\n  \
                 {node}w: {{kind: wait, accept: {{poked: {{required: true}}}}, next: {next}}}"
            ),
            Part::Send => {
                format!("{{kind: send, process: journal, params: {{of: '{{{{task.ref}}}}'}}, next: {next}}}")
            }
            Part::Escalate => format!(
                "{{kind: escalation, message: '{{{{task.process}}}}/{{{{task.ref}}}} {node}', notify: [ops], \
                 retry: {{times: 1}}, next: {next}}}"
            ),
        };
        format!("  {node}: {text}\n")
    }
}
