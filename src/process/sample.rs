//! A few kinds of node, for the tests of this floor.
//!
//! ```yaml
//! start: {kind: input, next: done}
//! ```
//!
//! And again:
//!
//! ```yaml
//! done: {kind: end}
//! ```

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::model::expr::Expr;
use crate::model::kind::{Decision, Kind, KindSpec, NodeEvent, parse, schema};
use crate::model::names::NodeName;
use crate::model::scope::EvalContext;
use crate::model::text::StringTemplate;
use crate::model::time::Span;
use crate::model::value::ValueTemplate;

macro_rules! spec {
    ($kind:ident, $name:literal, $secrets:literal) => {
        KindSpec {
            name: $name,
            about: concat!("the kind `", $name, "` of the tests"),
            source: include_str!("sample.rs"),
            secrets: $secrets,
            parse: parse::<$kind>,
            schema: schema::<$kind>,
        }
    };
}

/// The kinds.
pub(crate) const KINDS: &[KindSpec] = &[
    spec!(Input, "input", false),
    spec!(Http, "http", true),
    spec!(Delay, "delay", false),
    spec!(Condition, "condition", false),
    spec!(Set, "set", false),
    spec!(End, "end", false),
];

/// Where tasks enter.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// Where to.
    next: NodeName,
}

/// One request.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only the shape is wanted")]
struct Http {
    /// GET if not said.
    #[serde(default)]
    method: Method,
    url: StringTemplate,
    #[serde(default)]
    json: Option<ValueTemplate>,
    #[serde(default)]
    ok: Option<Expr>,
    #[serde(default)]
    save: BTreeMap<String, ValueTemplate>,
    #[serde(default)]
    follow: u8,
    #[serde(default)]
    unsure: bool,
    next: NodeName,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
enum Method {
    #[default]
    Get,
    Post,
}

/// Rests.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only the shape is wanted")]
struct Delay {
    /// How long.
    r#for: Span,
    next: NodeName,
}

/// The first true branch wins.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Condition {
    branches: Vec<Branch>,
    r#else: NodeName,
}

/// One of them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only the shape is wanted")]
struct Branch {
    when: Expr,
    next: NodeName,
}

/// Writes params.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only the shape is wanted")]
struct Set {
    set: BTreeMap<String, ValueTemplate>,
    next: NodeName,
}

/// Leaves.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only the shape is wanted")]
struct End {
    #[serde(default = "yes")]
    ok: bool,
}

fn yes() -> bool {
    true
}

macro_rules! kind {
    ($kind:ident, $rests:literal, $exits:expr) => {
        impl Kind for $kind {
            fn exits(&self) -> Vec<(String, &NodeName)> {
                let exits: fn(&$kind) -> Vec<(String, &NodeName)> = $exits;
                exits(self)
            }
            fn decide(&self, _: NodeEvent, _: &EvalContext) -> Decision {
                Decision::Stay
            }
            fn rests(&self) -> bool {
                $rests
            }
        }
    };
}

fn plain(next: &NodeName) -> Vec<(String, &NodeName)> {
    vec![(String::new(), next)]
}

kind!(Input, false, |it| plain(&it.next));
kind!(Http, true, |it| plain(&it.next));
kind!(Delay, true, |it| plain(&it.next));
kind!(Set, false, |it| plain(&it.next));
kind!(End, true, |_| Vec::new());
kind!(Condition, false, |it| {
    let branches =
        it.branches.iter().enumerate().map(|(at, branch)| (format!("branch {}", at + 1), &branch.next));
    branches.chain([("else".to_owned(), &it.r#else)]).collect()
});

/// A process that nothing is wrong with.
pub(crate) const HELLO: &str = r#"# from template hello@0123456789abcdef
process: hello
title: Hello
about: One line.
params:
  city: {type: string, required: true, about: "Where", example: Riga}
  key: {type: string, secret: true}
  token: {type: string, secret: true, shared: true, input: false}
limits: {tasks: 100000, params: 64KiB}
nodes:
  start: {kind: input, next: ask}
  ask:
    kind: http
    title: Ask for the weather, "whatever" <it> is & where
    url: "https://api.example.com/v1/{{city}}?key={{key}}"
    save: {temperature: "= response.body.main.temp"}
    next: warm
    on_error: tell
    retry: {times: 5, first: 2s}
    limit: {time: 1h, next: tell}
  warm:
    kind: condition
    branches:
      - {when: "temperature > 25", next: done}
      - {when: "temperature > 15", next: nap}
    else: nap
  nap: {kind: delay, for: 25m, next: ask}
  tell: {kind: http, url: "https://example.com", next: nap, on_error: gone}
  done: {kind: end}
  gone: {kind: end, ok: false}
"#;
