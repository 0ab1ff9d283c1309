//! What is told of processes that something is wrong with, as it is shown.

use crate::process::parse::{parse_with, version};
use crate::process::problem::{Problem, render};
use crate::process::process::Process;
use crate::process::sample::{HELLO, KINDS};

fn parse(text: &str) -> Result<Process, Vec<Problem>> {
    parse_with(KINDS, text)
}

fn shown(text: &str) -> String {
    render(&parse(text).expect_err("something is wrong"), text, false)
}

/// A process with these lines for nodes between its `start` and its `done`.
fn nodes(lines: &str) -> String {
    let lines: String = lines.lines().map(|line| format!("  {line}\n")).collect();
    format!("process: p\nnodes:\n  start: {{kind: input, next: a}}\n{lines}  done: {{kind: end}}\n")
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
    insta::assert_snapshot!(shown("proces: Hello World\nlimits: {tasks: many, params: 1GB}\nnodes: []\n"), @r#"
        error: unknown key `proces`
         --> the process:1:1
          |
        1 | proces: Hello World
          | ^^^^^^
          |
          = hint: did you mean `process`? the keys here are: `process`, `title`, `about`, `params`, `limits`, `nodes`

        error: expected a whole number, 0 or more, found a text
         --> the process:2:17
          |
        2 | limits: {tasks: many, params: 1GB}
          |                 ^^^^

        error: `1GB` is no size
         --> the process:2:31
          |
        2 | limits: {tasks: many, params: 1GB}
          |                               ^^^
          |
          = hint: write `64KiB`, `256KiB` or `1MiB`

        error: the nodes are a map
         --> the process:3:8
          |
        3 | nodes: []
          |        ^^
          |
          = hint: write `name: {kind: …}` for each
        "#);
    insta::assert_snapshot!(shown(""), @r#"
        error: the file is empty
         --> the process:1:1
          |
        1 |
          | ^
          |
          = hint: begin with `process: name`
        "#);
    insta::assert_snapshot!(shown("- a\n- b\n"), @r#"
        error: expected a map, found a list
         --> the process:1:3
          |
        1 | - a
          |   ^
        "#);
    insta::assert_snapshot!(shown("process: Hello\nnodes: {}\n"), @r#"
        error: a process id holds only a-z, 0-9, `-` and `_`, and `Hello` has 'H'
         --> the process:1:10
          |
        1 | process: Hello
          |          ^^^^^

        error: there are no nodes
         --> the process:2:1
          |
        2 | nodes: {}
          | ^^^^^
          |
          = hint: tasks enter at `start: {kind: input, next: …}`
        "#);
    insta::assert_snapshot!(shown("process: 31281\nnodes: {a: {kind: end}}\n"), @r#"
        error: there is no `input` node
         --> the process:2:1
          |
        2 | nodes: {a: {kind: end}}
          | ^^^^^
          |
          = hint: tasks enter at `start: {kind: input, next: …}`
        "#);
}

#[test]
fn params_are_checked() {
    let text = "process: p\nparams:\n  task: {type: string}\n  a: {type: integer, default: 1.5, required: true}\n  \
                b: {shared: true}\n  c: {typ: string, secret: yes}\n  d: {type: text}\n  e: string\n  f:\n  \
                g: {required: true, input: false}\nnodes:\n  start: {kind: input, next: done}\n  done: {kind: end}\n";
    insta::assert_snapshot!(shown(text), @r#"
        error: `task` is a reserved name: templates know something else by it
         --> the process:3:3
          |
        3 |   task: {type: string}
          |   ^^^^

        error: the default of `a` is a number, not a whole number
         --> the process:4:31
          |
        4 |   a: {type: integer, default: 1.5, required: true}
          |                               ^^^

        error: param `a` is `required` and has a `default`
         --> the process:4:36
          |
        4 |   a: {type: integer, default: 1.5, required: true}
          |                                    ^^^^^^^^
          |
          = hint: leave one of them out

        error: param `b` is `shared` but not `secret`
         --> the process:5:7
          |
        5 |   b: {shared: true}
          |       ^^^^^^
          |
          = hint: what is not secret may be read by every process; leave `shared` out, or add `secret: true`

        error: unknown key `typ`
         --> the process:6:7
          |
        6 |   c: {typ: string, secret: yes}
          |       ^^^
          |
          = hint: did you mean `type`? the keys here are: `type`, `required`, `secret`, `shared`, `input`, `default`, `about`, `example`

        error: expected true or false, found a text
         --> the process:6:28
          |
        6 |   c: {typ: string, secret: yes}
          |                            ^^^
          |
          = hint: write `true`

        error: `text` is not known here
         --> the process:7:13
          |
        7 |   d: {type: text}
          |             ^^^^
          |
          = hint: it may be: `string`, `number`, `integer`, `boolean`, `object`, `array`, `any`

        error: expected a map, found a text
         --> the process:8:6
          |
        8 |   e: string
          |      ^^^^^^

        error: param `g` is `required`, but `input: false` says that nobody is asked for it
          --> the process:10:23
           |
        10 |   g: {required: true, input: false}
           |                       ^^^^^
           |
           = hint: leave one of them out
        "#);
}

#[test]
fn all_that_is_wrong_with_the_nodes_is_told_at_once() {
    let text = nodes(
        "a: {kind: htp, url: x, next: b}\n\
         b: {kind: http, metod: GET, follow: 300, unsure: yes, on_eror: a, save: [], next: c, on_error: done}\n\
         c: {kind: http, method: get, retry: {times: 0, jitter: 7}, limit: {time: 1x, next: done}}\n\
         d: {next: done}\n\
         e: 5\n\
         a b: {kind: end}\n\
         f: {kind: delay}\n\
         g: {kind: condition, branches: [{when: 'a'}, {next: done}, {when: 'a', next: done, then: x}], else: done}\n\
         h: {kind: delay, for: 25 minutes, next: done}\n\
         i: {kind: delay, for: 25, next: done, limit: 5}",
    );
    insta::assert_snapshot!(shown(&text), @r#"
        error: there is no kind `htp`
         --> the process:4:13
          |
        4 |   a: {kind: htp, url: x, next: b}
          |             ^^^
          |
          = hint: did you mean `http`? the kinds are: `input`, `http`, `delay`, `condition`, `set`, `end`

        error: `url` is missing
         --> the process:5:3
          |
        5 |   b: {kind: http, metod: GET, follow: 300, unsure: yes, on_eror: a, save: [], next: c, on_error: done}
          |   ^

        error: unknown key `metod`
         --> the process:5:19
          |
        5 |   b: {kind: http, metod: GET, follow: 300, unsure: yes, on_eror: a, save: [], next: c, on_error: done}
          |                   ^^^^^
          |
          = hint: did you mean `method`? the keys of `http` are: `method`, `url`, `json`, `ok`, `save`, `follow`, `unsure`, `next`, `kind`, `title`, `about`, `on_error`, `retry`, `limit`

        error: expected a whole number from 0 to 255, found 300
         --> the process:5:39
          |
        5 |   b: {kind: http, metod: GET, follow: 300, unsure: yes, on_eror: a, save: [], next: c, on_error: done}
          |                                       ^^^

        error: expected true or false, found a text
         --> the process:5:52
          |
        5 |   b: {kind: http, metod: GET, follow: 300, unsure: yes, on_eror: a, save: [], next: c, on_error: done}
          |                                                    ^^^
          |
          = hint: write `true`

        error: unknown key `on_eror`
         --> the process:5:57
          |
        5 |   b: {kind: http, metod: GET, follow: 300, unsure: yes, on_eror: a, save: [], next: c, on_error: done}
          |                                                         ^^^^^^^
          |
          = hint: did you mean `on_error`? the keys of `http` are: `method`, `url`, `json`, `ok`, `save`, `follow`, `unsure`, `next`, `kind`, `title`, `about`, `on_error`, `retry`, `limit`

        error: expected a map, found a list
         --> the process:5:75
          |
        5 |   b: {kind: http, metod: GET, follow: 300, unsure: yes, on_eror: a, save: [], next: c, on_error: done}
          |                                                                           ^^

        error: `url`, `next` are missing
         --> the process:6:3
          |
        6 |   c: {kind: http, method: get, retry: {times: 0, jitter: 7}, limit: {time: 1x, next: done}}
          |   ^

        error: `get` is not known here
         --> the process:6:27
          |
        6 |   c: {kind: http, method: get, retry: {times: 0, jitter: 7}, limit: {time: 1x, next: done}}
          |                           ^^^
          |
          = hint: did you mean `GET`? it may be: `GET`, `POST`

        error: `1x` is no length of time
         --> the process:6:76
          |
        6 |   c: {kind: http, method: get, retry: {times: 0, jitter: 7}, limit: {time: 1x, next: done}}
          |                                                                            ^^
          |
          = hint: write `30s`, `25m`, `1h30m` or `7d`

        error: node `d` has no `kind`
         --> the process:7:3
          |
        7 |   d: {next: done}
          |   ^
          |
          = hint: begin with `kind:` and one of: `input`, `http`, `delay`, `condition`, `set`, `end`

        error: node `e` has no `kind`
         --> the process:8:3
          |
        8 |   e: 5
          |   ^
          |
          = hint: begin with `kind:` and one of: `input`, `http`, `delay`, `condition`, `set`, `end`

        error: a node's name holds only letters, digits, `-` and `_`, and `a b` has ' '
         --> the process:9:3
          |
        9 |   a b: {kind: end}
          |   ^^^

        error: `for`, `next` are missing
          --> the process:10:3
           |
        10 |   f: {kind: delay}
           |   ^

        error: `next` is missing
          --> the process:11:35
           |
        11 |   g: {kind: condition, branches: [{when: 'a'}, {next: done}, {when: 'a', next: done, then: x}], else: done}
           |                                   ^^^^^^^^^^^

        error: `when` is missing
          --> the process:11:48
           |
        11 |   g: {kind: condition, branches: [{when: 'a'}, {next: done}, {when: 'a', next: done, then: x}], else: done}
           |                                                ^^^^^^^^^^^^

        error: unknown key `then`
          --> the process:11:86
           |
        11 |   g: {kind: condition, branches: [{when: 'a'}, {next: done}, {when: 'a', next: done, then: x}], else: done}
           |                                                                                      ^^^^
           |
           = hint: did you mean `when`? the keys here are: `when`, `next`

        error: `25 minutes` is no length of time
          --> the process:12:25
           |
        12 |   h: {kind: delay, for: 25 minutes, next: done}
           |                         ^^^^^^^^^^
           |
           = hint: write `30s`, `25m`, `1h30m` or `7d`

        error: `25` is no length of time
          --> the process:13:25
           |
        13 |   i: {kind: delay, for: 25, next: done, limit: 5}
           |                         ^^
           |
           = hint: write `30s`, `25m`, `1h30m` or `7d`

        error: expected a map, found a number
          --> the process:13:48
           |
        13 |   i: {kind: delay, for: 25, next: done, limit: 5}
           |                                                ^
        "#);
}

#[test]
fn numbers_of_retry_are_checked() {
    let text = nodes("a: {kind: http, url: x, retry: {times: 0, factor: 0.5, jitter: 7}, next: done}");
    insta::assert_snapshot!(shown(&text), @r#"
        error: `times` is 1 or more; 1 is never again
         --> the process:4:42
          |
        4 |   a: {kind: http, url: x, retry: {times: 0, factor: 0.5, jitter: 7}, next: done}
          |                                          ^

        error: `factor` is from 1 to 100
         --> the process:4:53
          |
        4 |   a: {kind: http, url: x, retry: {times: 0, factor: 0.5, jitter: 7}, next: done}
          |                                                     ^^^

        error: `jitter` is from 0 to 1
         --> the process:4:66
          |
        4 |   a: {kind: http, url: x, retry: {times: 0, factor: 0.5, jitter: 7}, next: done}
          |                                                                  ^
        "#);
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
    insta::assert_snapshot!(shown(&text), @r#"
        error: there is no node `dnoe`
         --> the process:7:25
          |
        7 |       - {when: x, next: dnoe}
          |                         ^^^^
          |
          = hint: did you mean `done`?

        error: there is no node `dnoe`
         --> the process:8:25
          |
        8 |       - {when: y, next: dnoe}
          |                         ^^^^
          |
          = hint: did you mean `done`?

        error: there is no node `nowhere`
         --> the process:9:11
          |
        9 |     else: nowhere
          |           ^^^^^^^

        error: there is no node `strat`
          --> the process:10:15
           |
        10 |     on_error: strat
           |               ^^^^^
           |
           = hint: did you mean `start`?

        error: there is no node `42`
          --> the process:11:29
           |
        11 |     limit: {time: 1h, next: 42}
           |                             ^^

        error: no way leads to node `lost`
          --> the process:12:3
           |
        12 |   lost: {kind: delay, for: 1m, next: lost}
           |   ^^^^
           |
           = hint: name it as a `next`, or remove it

        error: no way leads to node `done`
          --> the process:13:3
           |
        13 |   done: {kind: end}
           |   ^^^^
           |
           = hint: name it as a `next`, or remove it
        "#);
    let text = nodes("a: {kind: input, next: done}");
    insta::assert_snapshot!(shown(&text), @r#"
        error: `a` is a second `input` node
         --> the process:4:3
          |
        4 |   a: {kind: input, next: done}
          |   ^
          |
          = hint: tasks enter at `start` already
        "#);
}

#[test]
fn a_task_cannot_go_round_for_ever() {
    let text = nodes(
        "a: {kind: set, set: {x: 1}, next: b}\n\
         b: {kind: condition, branches: [{when: 'x > 1', next: done}], else: c}\n\
         c: {kind: set, set: {x: 1}, next: a}",
    );
    insta::assert_snapshot!(shown(&text), @r#"
        error: a task would go round for ever: `a` → `b` → `c` → `a`
         --> the process:4:3
          |
        4 |   a: {kind: set, set: {x: 1}, next: b}
          |   ^
          |
          = hint: let it rest or ask on the way, as in a `delay` or an `http` node
        "#);
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
    insta::assert_snapshot!(shown(&text), @r#"
        error: `secret.telegram` cannot stand in a node of kind `set`
         --> the process:4:36
          |
        4 |   a: {kind: set, set: {token: 'x {{secret.telegram}}', b: ['= secret.y'], access_token: 1}, next: b}
          |                                    ^^^^^^^^^^^^^^^
          |
          = hint: a secret is put only into what goes straight to the world, such as an `http` node

        error: `secret.y` cannot stand in a node of kind `set`
         --> the process:4:63
          |
        4 |   a: {kind: set, set: {token: 'x {{secret.telegram}}', b: ['= secret.y'], access_token: 1}, next: b}
          |                                                               ^^^^^^^^
          |
          = hint: a secret is put only into what goes straight to the world, such as an `http` node

        error: no param is called `acces_token`
         --> the process:5:51
          |
        5 |   b: {kind: http, url: 'https://x/{{secret.ok}}/{{acces_token}}', next: done}
          |                                                   ^^^^^^^^^^^
          |
          = hint: did you mean `access_token`? if not, declare `acces_token` under `params`
        "#);
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
    let many: String = (0..1_001).map(|at| format!("  n{at}: {{kind: end}}\n")).collect();
    let text = format!("process: p\nnodes:\n  start: {{kind: input, next: n0}}\n{many}");
    assert!(shown(&text).contains("a process has at most 1000 nodes, and this has 1002"));
}

#[test]
fn a_problem_is_json_too() {
    let text = nodes("a: {kind: htp}");
    let problem = parse(&text).unwrap_err().remove(0).in_file("p.yaml");
    let json = serde_json::to_string(&problem).unwrap();
    insta::assert_snapshot!(json, @r#"{"file":"p.yaml","line":4,"column":13,"end_line":4,"end_column":16,"message":"there is no kind `htp`","hint":"did you mean `http`? the kinds are: `input`, `http`, `delay`, `condition`, `set`, `end`"}"#);
    insta::assert_snapshot!(problem, @r#"p.yaml:4:13: there is no kind `htp`; hint: did you mean `http`? the kinds are: `input`, `http`, `delay`, `condition`, `set`, `end`"#);
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
