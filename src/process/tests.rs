//! What is told of processes that something is wrong with, as it is shown.

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::Value;

use crate::model::tree::{Branch, Tree};
use crate::process::parse::{parse_with, version};
use crate::process::problem::{FileProblem, render};
use crate::process::process::Process;
use crate::process::sample::{HELLO, KINDS};
use crate::process::schema::{examples, schema};

fn parse(text: &str) -> Result<Process, Vec<FileProblem>> {
    parse_with(KINDS, text)
}

fn shown(text: &str) -> String {
    render(&parse(text).expect_err("something is wrong"), text, false)
}

/// A process with these lines for nodes between its `start` and its `done`.
fn nodes(lines: &str) -> String {
    let lines = lines.replace('\n', "\n  ");
    format!("process: p\nnodes:\n  start: {{kind: input, next: a}}\n  {lines}\n  done: {{kind: end}}\n")
}

#[test]
fn a_good_process_is_read_whole() {
    let process = parse(HELLO).unwrap();
    assert_eq!(process.version, version(HELLO));
    assert_eq!(process.version.len(), 16);
    let origin = process.origin.as_ref().unwrap();
    assert_eq!((origin.template.as_str(), origin.version.as_str()), ("hello", "0123456789abcdef"));
    assert_eq!(process.limits.params_bytes, 64 * 1024);
    assert_eq!(process.secret.iter().collect::<Vec<_>>(), ["key", "token"]);
    assert_eq!(process.hidden.iter().collect::<Vec<_>>(), ["key"]);
    let ask = &process.nodes[1];
    assert_eq!((ask.kind_name, ask.retry.times, ask.on_error.is_some()), ("http", 5, true));
    assert_eq!(process.start.as_str(), "start");
}

#[test]
fn the_top_is_checked() {
    insta::assert_snapshot!(shown("proces: Hello World\nlimits: {tasks: many, params: 1GB}\nnodes: []\n"));
    insta::assert_snapshot!(shown(""));
    insta::assert_snapshot!(shown("- a\n- b\n"));
    insta::assert_snapshot!(shown("process: Hello\nnodes: {}\n"));
    insta::assert_snapshot!(shown("process: 31281\nnodes: {a: {kind: end}}\n"));
}

#[test]
fn params_are_checked() {
    let text = "process: p\nparams:\n  task: {type: string}\n  \
                a: {type: integer, default: 1.5, required: true}\n  \
                b: {shared: true}\n  c: {typ: string, secret: yes}\n  d: {type: text}\n  e: string\n  f:\n  \
                g: {required: true, input: false}\n  h: {modify: true}\n\
                nodes:\n  start: {kind: input, next: done}\n  done: {kind: end}\n";
    insta::assert_snapshot!(shown(text));
}

#[test]
fn the_expiries_of_params_are_checked() {
    let text = "process: p\nparams:\n  a: {expiry: {at: expire_at, warn: 5m, warn_at: word}}\n  \
                b: {expiry: {warn: 5m, issued: expires_at}}\n  \
                c: {expiry: {at: hidden, issued: expires_at}}\n  \
                d: {expiry: {at: expires_at, warn: soon}}\n  \
                e: {expiry: {at: expires_at, warn_at: expires_at}}\n  \
                f: {expiry: {at: millis}}\n  millis: {default: 1996050800000}\n  g: {expiry: {at: iso}}\n  \
                h: {expires_at: iso}\n  i: {expiry: iso}\n  \
                iso: {type: string, default: \"2033-04-02T10:33:20Z\"}\n  \
                expires_at: {type: integer}\n  word: {type: boolean}\n  hidden: {secret: true}\n\
                nodes:\n  start: {kind: input, next: done}\n  done: {kind: end}\n";
    insta::assert_snapshot!(shown(text));
}

#[test]
fn all_that_is_wrong_with_the_nodes_is_told_at_once() {
    let text = nodes(
        "a: {kind: htp, url: x, next: b}\n\
         b: {kind: http, metod: GET, follow: 300, unsure: yes, on_eror: a, save: [], next: c}\n\
         c: {kind: http, method: get, retry: {times: 0, jitter: 7}, limit: {time: 1x, next: done}}\n\
         d: {next: done}\n\
         e: 5\n\
         a b: {kind: end}\n\
         f: {kind: delay}\n\
         g: {kind: condition, branches: [{when: 'a'}, {next: done}, {when: 'a', then: x}], else: done}\n\
         h: {kind: delay, for: 25 minutes, next: done}\n\
         i: {kind: delay, for: 25, next: done, limit: 5}",
    );
    insta::assert_snapshot!(shown(&text));
}

#[test]
fn numbers_of_retry_are_checked() {
    let text = nodes("a: {kind: http, url: x, retry: {times: 0, factor: 0.5, jitter: 7}, next: done}");
    insta::assert_snapshot!(shown(&text));
}

#[test]
fn ways_lead_somewhere() {
    let text = nodes(
        "a:\n\
         \x20 kind: condition\n\
         \x20 branches:\n\
         \x20   - {when: x, next: dnoe}\n\
         \x20   - {when: y, next: dnoe}\n\
         \x20 else: nowhere\n\
         \x20 on_error: strat\n\
         \x20 limit: {time: 1h, next: 42}\n\
         lost: {kind: delay, for: 1m, next: lost}",
    );
    insta::assert_snapshot!(shown(&text));
    let text = nodes("a: {kind: input, next: done}");
    insta::assert_snapshot!(shown(&text));
}

#[test]
fn a_task_cannot_go_round_for_ever() {
    let text = nodes(
        "a: {kind: set, set: {x: 1}, next: b}\n\
         b: {kind: condition, branches: [{when: 'x > 1', next: done}], else: c}\n\
         c: {kind: set, set: {x: 1}, next: a}",
    );
    insta::assert_snapshot!(shown(&text));
    let rests = text.replace("c: {kind: set, set: {x: 1}", "c: {kind: delay, for: 1s");
    assert!(parse(&rests).is_ok());
    let by_error = nodes("a: {kind: set, set: {x: 1}, next: done, on_error: a}");
    assert!(shown(&by_error).contains("go round for ever: `a` → `a`"));
}

#[test]
fn texts_are_checked_where_they_stand() {
    let text = nodes(
        "a: {kind: set, set: {token: 'x {{secret.telegram}}', b: ['= secret.y'], access_token: 1}, next: b}\n\
         b: {kind: http, url: 'https://x/{{secret.ok}}/{{acces_token}}', next: done}",
    );
    insta::assert_snapshot!(shown(&text));
}

#[test]
fn what_could_never_work_is_told() {
    for (node, told) in [
        ("kind: http, url: example.com/x", "write `https://example.com/x`"),
        ("kind: http, url: 'www.example.com/{{id}}'", "`www.example.com/` is no URL"),
        ("kind: http, url: '//example.com/x'", "write `https://example.com/x`"),
        ("kind: http, url: 'ftp://example.com/x'", "begins with `https://` or `http://`"),
        ("kind: http, url: 'https:///x'", "its host cannot be one"),
        ("kind: http, url: https://e.org/{{id}}", "put quotes around the whole value"),
        ("kind: http, url: 'https://exa mple.com/'", "its host has a ` ` in it"),
        ("kind: http, url: “https://example.com/”", "typographic quote"),
        (
            "kind: http, url: 'http://x', auth: {oauth2: {token_url: e.org, client_id: a, client_secret: b}}",
            "write `https://e.org`",
        ),
        (
            "kind: http, url: 'https://e.org', save: {s: '= response.status_code'}",
            "did you mean `response.status`?",
        ),
        (
            "kind: http, url: 'https://e.org', ok: 'response.statusCode == 200'",
            "did you mean `response.status`?",
        ),
        ("kind: http, url: 'https://e.org', save: {s: '= response.json'}", "did you mean `response.body`?"),
        (
            "kind: http, url: 'https://e.org', save: {s: '{{response.header.x}}'}",
            "did you mean `response.headers`?",
        ),
        ("kind: http, url: 'https://e.org', save: {s: '= response.order'}", "`response.body.order`"),
        ("kind: set, set: {a: '= “x”'}", "quote with"),
        ("kind: set, set: {a: '{{b ?? “x”}}'}", "a default is JSON (`\"Riga\"`"),
        (
            "kind: notify, message: x, notify: ['{{who}}']",
            "has a placeholder, and whom to tell is known from the start",
        ),
        ("kind: notify, message: x, notify: office", "write `notify: [office]`"),
        ("kind: set, set: {version: 3.10}", "would lose its last 0"),
        ("kind: set, set: {a: '{{task.reff}}'}", "did you mean `task.ref`?"),
        ("kind: set, set: {a: '= task.params.city'}", "all of them are `params`"),
        ("kind: set, set: {a: '{{fault.msg}}'}", "no fault has `fault.msg`"),
        ("kind: http, url: 'https://e.org', body: '= n'", "write `{{n}}`"),
        ("kind: http, url: \"= base ~ '/h'\"", "work it out in a `set` node"),
        ("kind: notify, message: '= order.id', notify: [office]", "write `{{order.id}}`"),
    ] {
        let text = nodes(&format!("a: {{{node}, next: done}}"));
        let problems = parse_with(crate::nodes::KINDS, &text).expect_err(node);
        let told_all = render(&problems, &text, false);
        assert!(told_all.contains(told), "{node}: {told_all}");
        assert!(told_all.contains("--> "), "{node}: it says where: {told_all}");
    }
    for node in [
        "kind: http, url: 'HTTPS://Example.com/{{id}}'",
        "kind: http, url: '{{base}}/x'",
        "kind: http, url: ' https://example.com'",
        "kind: http, url: 'http://[::1]:8080/{{id}}', save: {a: '= response', b: '= response.headers.x'}",
        "kind: set, set: {a: '{{b ?? \"“x”\"}}', c: '= \"“x”\"', price: 3.0}",
    ] {
        let text = nodes(&format!("a: {{{node}, next: done}}"));
        let problems = parse_with(crate::nodes::KINDS, &text).err().unwrap_or_default();
        assert!(problems.is_empty(), "{node}: {}", render(&problems, &text, false));
    }
}

/// Every required key of every kind, left out and misspelt, in block and in flow style.
#[test]
fn a_key_that_is_missing_or_misspelt_is_named() {
    for spec in crate::nodes::KINDS {
        let example = examples(spec).into_iter().next().unwrap();
        let (tree, problems) = crate::process::yaml::read(&example);
        assert!(problems.is_empty(), "{example}");
        let Value::Object(all) = json_of(&tree.unwrap()) else { panic!("no node: {example}") };
        let node = all.values().next().unwrap().as_object().unwrap();
        let mut generator = SchemaGenerator::new(SchemaSettings::draft2020_12());
        let schema = (spec.schema)(&mut generator);
        let required = schema.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
        for key in required.iter().filter_map(Value::as_str).filter(|key| node.contains_key(*key)) {
            let without = |other: Option<String>| {
                let pairs = node.iter().filter(|(name, _)| *name != key);
                let mut pairs: Vec<(String, Value)> = pairs.map(|(n, v)| (n.clone(), v.clone())).collect();
                pairs.extend(other.map(|name| (name, node[key].clone())));
                pairs
            };
            let slip = format!("{key}x");
            for (other, told) in
                [(None, format!("`{key}`")), (Some(slip.clone()), format!("unknown key `{slip}`"))]
            {
                let pairs = without(other.clone());
                let flow: Vec<String> = pairs.iter().map(|(name, it)| format!("{name}: {it}")).collect();
                let flow = format!("{{{}}}", flow.join(", "));
                let block: Vec<String> =
                    pairs.iter().map(|(name, it)| format!("\n    {name}: {it}")).collect();
                for node in [flow, block.concat()] {
                    let text = nodes(&format!("a: {node}"));
                    let problems = parse_with(crate::nodes::KINDS, &text).expect_err(key);
                    let shown = render(&problems, &text, false);
                    assert!(shown.contains(&told), "{} without `{key}`: {shown}", spec.name);
                    assert!(!shown.contains("unknown key `kind`"), "{shown}");
                    let hint = other.is_none() || shown.contains(&format!("did you mean `{key}`?"));
                    assert!(hint, "{} with `{slip}`: {shown}", spec.name);
                }
            }
        }
    }
}

fn json_of(tree: &Tree) -> Value {
    match &tree.branch {
        Branch::Null => Value::Null,
        Branch::Bool(it) => Value::from(*it),
        Branch::Number(it) => Value::Number(it.clone()),
        Branch::Text(it) => Value::from(it.as_str()),
        Branch::List(items) => items.iter().map(json_of).collect(),
        Branch::Map(pairs) => pairs.iter().map(|(key, it)| (key.text.clone(), json_of(it))).collect(),
    }
}

#[test]
fn a_mistake_in_a_text_is_shown_inside_it() {
    let text = nodes("a: {kind: http, url: 'https://x/é/{{a', json: {b: ['x', \"é {{\"]}, next: done}");
    let problems = parse(&text).unwrap_err();
    let places: Vec<(usize, usize)> = problems.iter().map(|it| (it.spot.line, it.spot.column)).collect();
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(places[0].0 == 4 && (36..=40).contains(&places[0].1), "{places:?}");
    assert!(places[1].0 == 4 && (60..=64).contains(&places[1].1), "{places:?}");
}

#[test]
fn too_many_nodes_are_refused() {
    let many: Vec<String> = (0..1_001).map(|at| format!("  n{at}: {{kind: end}}\n")).collect();
    let text = format!("process: p\nnodes:\n  start: {{kind: input, next: n0}}\n{}", many.concat());
    assert!(shown(&text).contains("a process has at most 1000 nodes, and this has 1002"));
}

#[test]
fn a_problem_is_json_too() {
    let text = nodes("a: {kind: htp}");
    let problem = parse(&text).unwrap_err().remove(0).in_file("p.yaml");
    let json = serde_json::to_string(&problem).unwrap();
    insta::assert_snapshot!(json);
    insta::assert_snapshot!(problem);
}

#[test]
fn no_text_makes_it_panic() {
    let word = proptest::sample::select(vec![
        "process", "nodes", "params", "kind", "input", "http", "next", "limits", "retry", "a", "7", "x y",
        ": ", ": ", ", ", "{", "}", "[", "]", "\n", "\n  ", "- ", "\"", "=", "&a ", "*a", "{{", "}}", "é",
    ]);
    proptest::proptest!(|(words in proptest::collection::vec(word, 0..40))| {
        let text = words.concat();
        for text in [nodes(&format!("a: {text}")), text] {
            if let Err(problems) = parse(&text) {
                render(&problems, &text, true);
            }
        }
    });
}

/// What a node on a page of its own cannot have: the nodes around it.
fn is_about_others(problem: &FileProblem) -> bool {
    ["there is no node", "no way leads", "there is no `input`", "a task would go round"]
        .iter()
        .any(|it| problem.message.starts_with(it))
}

#[test]
fn the_examples_of_every_kind_are_read() {
    for spec in crate::nodes::KINDS {
        let examples = examples(spec);
        assert!(!examples.is_empty(), "{} shows no example", spec.name);
        for example in examples {
            let text = format!("process: p\nnodes:\n  {}\n", example.trim_end().replace('\n', "\n  "));
            let mut problems = parse_with(crate::nodes::KINDS, &text).err().unwrap_or_default();
            problems.retain(|it| !is_about_others(it));
            assert!(problems.is_empty(), "{}", render(&problems, &text, false));
        }
    }
}

#[test]
fn the_schema_of_all_kinds_is_whole() {
    let schema = schema();
    let nodes = schema["$defs"]["Node"]["oneOf"].as_array().unwrap();
    for (node, spec) in nodes.iter().zip(crate::nodes::KINDS) {
        assert_eq!(node["properties"]["kind"]["const"], spec.name);
        assert!(node["properties"].as_object().unwrap().len() > 5, "{}", spec.name);
    }
}

/// The first process of the manual.
const MANUAL: &str = r#"process: hello                # what conv[...] names
title: Hello
about: One line.
params:                       # what a task is submitted with; checked at submit, shown as a form
  city: {type: string, required: true, about: "Where", example: Riga}
  key:  {type: string, secret: true}
limits: {tasks: 100000, params: 256KiB}      # optional
nodes:                        # `kind` comes first in each
  start:   {kind: input, next: ask}
  ask:
    kind: http
    url: "https://api.example.com/v1/{{city}}?key={{key}}"
    save: {temperature: "= response.body.main.temp"}
    next: warm
    on_error: tell
  warm:
    kind: condition
    branches:
      - {when: "temperature > 25", next: done}
    else: nap
  nap:     {kind: delay, for: 25m, next: ask}
  tell:    {kind: escalation, message: "{{city}}: {{fault.message}}", notify: [author], next: nap}
  done:    {kind: end}
"#;

#[test]
fn the_first_process_of_the_manual_is_read() {
    let process = parse_with(crate::nodes::KINDS, MANUAL);
    assert!(process.is_ok(), "{}", render(&process.unwrap_err(), MANUAL, false));
}

/// What is told of a process with those params and this node: its warnings, or what is wrong with it.
fn told(params: &str, node: &str) -> Result<Vec<String>, Vec<String>> {
    let text = format!(
        "process: p\nparams: {params}\nnodes:\n  start: {{kind: input, next: a}}\n  a:\n    {}\n    \
         next: done\n  done: {{kind: end}}\n",
        node.replace('\n', "\n    ")
    );
    let lines = |all: Vec<FileProblem>| all.iter().map(ToString::to_string).collect();
    match parse_with(crate::nodes::KINDS, &text) {
        Ok(process) => Ok(lines(process.warnings)),
        Err(problems) => Err(lines(problems)),
    }
}

#[test]
fn what_can_never_work_is_told_at_check() {
    let http = "kind: http\nurl: https://example.com/x";
    for (node, wrong) in [
        ("kind: delay\nuntil: 2026-11-30".to_owned(), "is a date without a zone"),
        ("kind: delay\nuntil: 1796056575000".to_owned(), "is in milliseconds"),
        ("kind: delay\nuntil: tomorrow".to_owned(), "is no moment"),
        ("kind: delay\nuntil: 3600".to_owned(), "a length of time belongs to `for`"),
        ("kind: http\nurl: https://{host}/x".to_owned(), "a placeholder has two of them"),
        ("kind: http\nurl: https://${HOST}/x".to_owned(), "a placeholder has two of them"),
        ("kind: http\nurl: https://{host}/{{city}}".to_owned(), "a placeholder has two of them"),
        ("kind: http\nurl: https://example..com/x".to_owned(), "its host has an empty part"),
        ("kind: http\nurl: 'https:///x'".to_owned(), "its host cannot be one"),
        ("kind: http\nurl: 'https://exa mple.com'".to_owned(), "its host has a ` ` in it"),
        (format!("{http}\nheaders: {{A b: c}}"), "`A b` has a name that HTTP does not allow"),
        (format!("{http}\nheaders: {{Content-Length: 5}}"), "is set by Beltline itself"),
        (format!("{http}\nheaders: {{Host: x}}"), "is set by Beltline itself"),
        (format!("{http}\nheaders: {{X-A: \"a\\nb\"}}"), "has a line break"),
        (format!("{http}\nok: '200'"), "hint: `response.status == 200`"),
        (format!("{http}\nsave: {{v: = response.items}}"), "without `pages`"),
        (format!("{http}\nsave: {{v: = response.itmes}}"), "did you mean `response.items`"),
        (format!("{http}\nquery: {{v: = response.body}}"), "there is no answer in `query`"),
        ("kind: set\nset: {v: = response.body}".to_owned(), "there is no answer in `set`"),
        ("kind: set\nset: {v: \"{{response.status}}\"}".to_owned(), "there is no answer in `set`"),
        ("kind: set\nset: {v: = task.reff}".to_owned(), "did you mean `task.ref`?"),
    ] {
        let told = told("{city: {}}", &node).expect_err(&node);
        assert!(told.len() == 1 && told[0].contains(wrong), "{node}: {told:#?}");
    }
}

#[test]
fn what_may_work_is_not_told() {
    for node in [
        "kind: delay\nuntil: 2026-11-30T10:00:00+02:00",
        "kind: delay\nuntil: 1796056575",
        "kind: delay\nuntil: \"{{city}}\"",
        "kind: http\nurl: https://{{city}}.example.com:{{city}}/x",
        "kind: http\nurl: https://a_b.example.com.:8080?q=1",
        "kind: http\nurl: http://user:word@[::1]:8080/x",
        "kind: http\nurl: https://пример.рф/x",
        "kind: http\nurl: https://example.com/x\nok: 'true'\nheaders: {x_key: '{{city}}'}",
        "kind: http\nurl: https://example.com/x\npages: {next: = response.body.n, items: = response.body.i}\n\
         save: {v: = response.items}",
        "kind: call\nprocess: other\nparams: {}\nsave: {v: = response.body.reply}",
        "kind: set\nset: {v: rest-response, w: 'city', x: 'so {the} rest', y: 'see p. 4'}   # a comment",
        "kind: set\nset: {v: 'Order #5', w: 'a/b', x: '{{city}} {city', y: a.b}",
        "kind: set   #\nset:   # all\n  v: 1 # a number\n  w: a#b\n  x: |\n    city #5\n  y: \"a\" #b",
    ] {
        assert_eq!(told("{city: {}}", node), Ok(Vec::new()), "{node}");
    }
}

#[test]
fn what_was_most_likely_not_meant_is_a_warning() {
    let http = "kind: http\nurl: https://example.com/x";
    for (node, doubt) in [
        (format!("{http}\nsave: {{a: response.body.id}}"), "begins with `=`: \"= response.body.id\""),
        ("kind: set\nset: {n: n + 1}".to_owned(), "begins with `=`: \"= n + 1\""),
        (format!("{http}\nsave: {{a: '{{response.body.id}}'}}"), "write `{{response.body.id}}`"),
        ("kind: http\nurl: https://example.com/${n}".to_owned(), "write `{{n}}`"),
        ("kind: notify\nmessage: '{{n}} and {n}'\nnotify: [author]".to_owned(), "write `{{n}}`"),
        (format!("{http}\njson: '{{\"a\": 1}}'"), "is sent as a text in quotes"),
        (format!("{http}\njson: '[{{{{n}}}}]'"), "is sent as a text in quotes"),
        ("kind: notify\nmessage: Order #5 is late\nnotify: [author]".to_owned(), "is a comment"),
    ] {
        let told = told("{n: {}}", &node).expect(&node);
        assert!(told.len() == 1 && told[0].contains(doubt), "{node}: {told:#?}");
    }
    let nothing_is_left = told("{n: {}}", "kind: set\nset:\n  color: #fff\n  b: 1").unwrap_err();
    assert!(nothing_is_left.len() == 1 && nothing_is_left[0].contains("`#fff` is a comment"));
}
