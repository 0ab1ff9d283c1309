//! `http` in full: what is wrong with its shape, what it asks with, and lists that come in pages.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use beltline::model::effect::{
    Auth, Body, Content, Effect, Fact, GrantStyle, HttpRequest, Ingredient, PageRequest, Request, mark,
};
use beltline::model::task::State;
use beltline::model::time::{Span, Timestamp};
use beltline::process::parse::parse;
use serde_json::{Value, json};

use crate::simulation::partners::{Partner, Reply, answer};
use crate::simulation::universe::Universe;
use crate::step::bench::Bench;

fn process(node: &str) -> String {
    format!(
        "process: p\nparams: {{city: {{}}, note: {{}}, picture: {{}}}}\nnodes:\n  \
         start: {{kind: input, next: ask}}\n  \
         ask:\n    kind: http\n    url: \"https://x.example/\"\n    next: done\n{node}  done: {{kind: end}}\n"
    )
}

/// What is wrong with a node, and where.
const WRONG: &[(&str, &str)] = &[
    (
        "    method: FETCH\n    form: {}\n    json: {}\n    timeout: 1h\n    max_bytes: 99999999999\n    \
             max_parallel: 0\n    save: {task: 1}\n",
        "9: `FETCH` is no method (GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS)\n\
             11: `form` is carried already (a request carries one of `form`, `json`, `body`, `xml` \
             and `multipart`)\n\
             12: `timeout` is more than 0s and at most 10m\n\
             13: `max_bytes` is at most 16777216\n\
             14: `max_parallel` is from 1 to 10000\n\
             15: `task` is a reserved name and cannot be a param (choose another name)",
    ),
    (
        "    method: GET\n    multipart: {a: b}\n",
        "9: a GET carries no `multipart` (leave `method` out, or write POST or PUT)",
    ),
    ("    multipart: {}\n", "9: there is no part (write `name: text` for each)"),
    ("    multipart: {a: {file: x}}\n", "9: what is sent is one of `text` and `base64`"),
    (
        "    multipart: {a: {fiel: x, text: b}}\n",
        "9: unknown key `fiel` (did you mean `file`? the keys here are: `file`, `type`, \
             `text`, `base64`)",
    ),
    ("    body: {type: a/b, text: x, base64: y}\n", "9: what is sent is one of `text` and `base64`"),
    (
        "    xml: \"<a><b></a>\"\n",
        "9: the XML cannot be read at byte 6: ill-formed document: expected `</b>`, but `</a>` was \
             found",
    ),
    ("    xml: {a: 1, b: 2}\n", "9: the XML is made of a map with one key, its root"),
    (
        "    xml: \"<a>{{#if city}}x{{/if}}</a>\"\n",
        "9: blocks and helpers cannot be escaped (make the document of a value, or make the \
             text in a `set` before)",
    ),
    (
        "    keep_unread: raw\n",
        "9: `keep_unread` names `raw`: there is no such param (declare it under `params`: \
             `raw: {type: string, secret: true, input: false}`)",
    ),
    (
        "    keep_unread: note\n",
        "9: `keep_unread` names `note`: it is not `secret`, but a token may stand in an answer (declare it \
             under `params`: `note: {type: string, secret: true, input: false}`)",
    ),
    (
        "    charset: windows-1521\n",
        "9: nobody knows the charset `windows-1521` (did you mean `windows-1251`? a label of the WHATWG's \
             list, as `koi8-r`)",
    ),
    (
        "    charset: koi8-r\n    accept: binary\n",
        "9: bytes have no charset (leave out `charset` or `accept`)",
    ),
    ("    rate: fast\n", "9: `fast` is no rate (write `10/s`, `300/m` or `5/10s`)"),
    ("    tls: {cert: x}\n", "9: a `cert` needs its `key`"),
    ("    tls: {key: x, ca: y}\n", "9: a `key` needs its `cert`"),
    ("    tls: {}\n", "9: there is nothing in it (`cert` and `key`, or `ca`)"),
    (
        "    auth: {hmac: {key: k, header: \"X A\"}}\n",
        "9: `X A` cannot name a header (such as `X-Signature`)",
    ),
    (
        "    auth: {hmac: {key: k, header: X, of: \"{{request.boddy}}\"}}\n",
        "9: a request has no `boddy` (did you mean `body`? there are: `method`, `path`, `query`, \
             `host`, `time`, `time_ms`, `date`, `body`, `body_sha256`, `body_sha256_base64`, `key`)",
    ),
    (
        "    pages: {next: more, items: \"= response.body\"}\n",
        "9: `more` says nothing about the answer (write `link`, or an expression such as \
             `= response.body.next`)",
    ),
    (
        "    pages: {next: link, items: [1]}\n",
        "9: `items` says nothing about the answer (`= response.body.items`)",
    ),
    ("    pages: {next: link, items: \"= response.body\", max: 0}\n", "9: `max` is from 1 to 1000"),
    (
        "    pages: {next: {query: a, value: \"= response.body.x\", by: 2}, items: \"= response.body\"}\n",
        "9: a param of the query has a `value` or counts, and not both",
    ),
];

#[test]
fn all_that_is_wrong_with_a_request_is_told_at_once_and_where() {
    for (node, wanted) in WRONG {
        let problems = parse(&process(node)).unwrap_err();
        let told: Vec<String> = problems
            .iter()
            .map(|it| {
                let hint = it.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
                format!("{}: {}{hint}", it.spot.line, it.message)
            })
            .collect();
        assert_eq!(told.join("\n"), *wanted, "{node}");
    }
}

/// What a node asks of a task with these params.
fn asked(node: &str, given: Value) -> HttpRequest {
    let mut bench = Bench::new(&process(node), given, &HashMap::new());
    bench.scope.secrets = Arc::new(["k".to_owned()].into());
    bench.happen("new");
    match bench.task.unwrap().state {
        State::Doing(effect) => match effect.request {
            Request::Http(ask) => *ask,
            Request::Notify(_) => panic!("it tells"),
        },
        state => panic!("{state:?}"),
    }
}

#[test]
fn what_has_one_try_goes_out_on_a_connection_of_its_own() {
    assert!(asked("    retry: {times: 1}\n", json!({})).fresh);
    assert!(!asked("    retry: {times: 2}\n", json!({})).fresh && !asked("", json!({})).fresh);
}

#[test]
fn the_charset_of_a_node_goes_with_its_request() {
    let charset = "windows-1251".parse().unwrap();
    assert_eq!(asked("    charset: CP1251\n", json!({})).charset, Some(charset));
    assert_eq!(asked("", json!({})).charset, None);
}

#[test]
fn a_body_is_filled_in_whatever_its_form() {
    let given = json!({"city": "<Rīga> & \"co\"", "note": [1, 2], "picture": "aGk="});
    let body = |node: &str| asked(node, given.clone()).body;
    let node = "    multipart:\n      b: \"{{city}}\"\n      a:\n        - 3\n        \
                - {file: \"{{city}}.png\", \
                type: image/png, base64: \"{{picture}}\"}\n      k: \"{{secret.k}}\"\n";
    let Body::Multipart(parts) = body(node) else { panic!("no parts") };
    let told: Vec<(&str, &Content)> = parts.iter().map(|it| (it.name.as_str(), &it.content)).collect();
    let wanted = [
        ("b", &Content::Text("<Rīga> & \"co\"".into())),
        ("a", &Content::Text("3".into())),
        ("a", &Content::Base64("aGk=".into())),
        ("k", &Content::Text(mark("k"))),
    ];
    assert_eq!(told, wanted);
    assert_eq!(parts[2].file.as_deref(), Some("<Rīga> & \"co\".png"));
    let raw = body("    body: {type: \"text/{{picture}}\", text: \"= note\"}\n");
    assert_eq!(raw, Body::Raw { content_type: "text/aGk=".into(), content: Content::Text("[1,2]".into()) });
    let xml = body("    xml: {a: {b: \"= note\", \"@k\": \"{{secret.k}}\"}}\n");
    assert_eq!(xml, Body::Xml(json!({"a": {"b": [1, 2], "@k": mark("k")}})));
    let text = body("    xml: \"<a n='{{city}}'>{{{picture}}}{{secret.k}}</a>\"\n");
    let wanted = format!("<a n='&lt;Rīga&gt; &amp; &quot;co&quot;'>aGk={}</a>", mark("k"));
    assert_eq!(text, Body::XmlText(wanted));
}

#[test]
fn who_asks_is_filled_in_and_secrets_stay_marks() {
    let given = json!({"city": "Riga"});
    let node = "    auth:\n      oauth2: {token_url: \"https://id.example/{{city}}/a\", \
                client_id: \"{{city}}\", client_secret: \"{{secret.k}}\", scope: a b, style: body}\n";
    let Some(Auth::Oauth2(grant)) = asked(node, given.clone()).auth else { panic!("no grant") };
    assert_eq!((grant.token_url.as_str(), grant.client_secret), ("https://id.example/Riga/a", mark("k")));
    assert_eq!((grant.scope.as_deref(), grant.style), (Some("a b"), GrantStyle::Body));
    let node = "    auth:\n      hmac:\n        key: \"{{secret.k}}\"\n        header: X-Sign\n        \
                prefix: v1=\n        of: \"{{request.time}}.{{ request.body }}.{{city}}\"\n        \
                headers: {X-Time: \"{{request.time}}\"}\n";
    let Some(Auth::Hmac(how)) = asked(node, given.clone()).auth else { panic!("no signature") };
    let text = |it: &str| Ingredient::Text(it.into());
    let (time, body) = (Ingredient::Fact(Fact::Time), Ingredient::Fact(Fact::Body));
    assert_eq!(how.of, [time.clone(), text("."), body.clone(), text(".Riga")]);
    assert_eq!(
        (how.key, how.prefix, how.headers),
        (mark("k"), vec![text("v1=")], vec![("X-Time".into(), vec![time])])
    );
    let node = "    auth: {hmac: {key: a, header: X}}\n    max_parallel: 3\n    rate: 5/s\n    \
                tls: {ca: \"{{secret.k}}\"}\n";
    let ask = asked(node, given);
    let Some(Auth::Hmac(how)) = ask.auth else { panic!("no signature") };
    assert_eq!(how.of, [body]);
    let pace = ask.pace.unwrap();
    assert_eq!((pace.node.as_str(), pace.parallel, pace.rate), ("p/ask", Some(3), "5/s".parse().ok()));
    assert_eq!(ask.tls.unwrap().ca, Some(mark("k")));
}

/// Has items 1 to 7, three on a page.
struct Collection(Arc<Mutex<Vec<(String, HttpRequest)>>>);

impl Partner for Collection {
    fn ask(&mut self, ask: &HttpRequest, effect: &Effect, _: Timestamp) -> Reply {
        self.0.lock().unwrap().push((effect.key.clone(), ask.clone()));
        let number = ask.page.as_ref().map_or(1, |it| it.number);
        let items: Vec<u32> = (1..=7).filter(|it: &u32| it.div_ceil(3) == number).collect();
        let next = (number < 3).then(|| format!("/?page={}", number + 1));
        Reply::new(answer(200, json!({"items": items, "next": next, "cursor": next})))
    }
}

const LISTS: &str = r#"
process: p
nodes:
  start: {kind: input, next: ask}
  ask:
    kind: http
    url: "https://x.example/"
    query: {size: 3}
    pages: {next: "= response.body.next", items: "= response.body.items", MORE}
    save:
      {items: = response.items, pages: = response.pages, cut: = response.truncated, last: = response.status}
    next: done
  done: {kind: end}
"#;

type Asked = Vec<(String, HttpRequest)>;

/// What a task gathers with more said of its pages, and what was asked for that.
fn gather(text: &str, deaths: Vec<u64>) -> (Value, Asked, u64) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let mut universe = Universe::mortal(Box::new(Collection(Arc::clone(&asked))), &[text], deaths);
    universe.submit("p/a", json!({}));
    universe.run(Span::mins(10));
    let task = universe.task("p/a");
    assert_eq!(task.state, State::Done, "{:?}", task.fault);
    assert_eq!(task.progress, None);
    let asked = asked.lock().unwrap().clone();
    (Value::Object(task.params.map().clone()), asked, universe.edges.doors())
}

#[test]
fn the_items_of_all_pages_are_gathered_in_one_visit() {
    let whole = json!([1, 2, 3, 4, 5, 6, 7]);
    let (params, asked, _) = gather(&LISTS.replace(", MORE", ""), Vec::new());
    assert_eq!(params, json!({"items": whole, "pages": 3, "cut": false, "last": 200}));
    let page = |number: u32, at: Option<&str>| {
        Some(PageRequest { number, at: at.map(str::to_owned), hosts: Vec::new() })
    };
    let pages: Vec<Option<PageRequest>> = asked.iter().map(|(_, it)| it.page.clone()).collect();
    assert_eq!(pages, [page(1, None), page(2, Some("/?page=2")), page(3, Some("/?page=3"))]);
    let first = &asked[0].0;
    let keys: Vec<&String> = asked.iter().map(|(key, _)| key).collect();
    assert_eq!(keys, [first, &format!("{first}-2"), &format!("{first}-3")]);
    // A limit that was reached is seen.
    for (more, items, pages, cut) in [
        ("max: 2", json!([1, 2, 3, 4, 5, 6]), 2, true),
        ("max: 3", whole.clone(), 3, false),
        ("max_items: 4", json!([1, 2, 3, 4]), 2, true),
        ("max_items: 6", json!([1, 2, 3, 4, 5, 6]), 2, true),
        ("max_items: 7", whole.clone(), 3, false),
    ] {
        let (params, asked, _) = gather(&LISTS.replace("MORE", more), Vec::new());
        assert_eq!(params, json!({"items": items, "pages": pages, "cut": cut, "last": 200}), "{more}");
        assert_eq!(asked.len(), pages, "{more}");
    }
}

#[test]
fn a_param_of_the_query_may_lead_to_the_next_page() {
    let with = |next: &str| LISTS.replace(", MORE", "").replace("\"= response.body.next\"", next);
    let queries = |asked: &Asked| -> Vec<String> {
        let query =
            |ask: &HttpRequest| ask.query.iter().map(|(name, it)| format!("{name}={it}")).collect::<Vec<_>>();
        asked.iter().map(|(_, ask)| query(ask).join("&")).collect()
    };
    let (params, asked, _) = gather(&with("{query: size, value: \"= response.body.cursor\"}"), Vec::new());
    assert_eq!(
        (&params["pages"], queries(&asked)),
        (&json!(3), ["size=3", "size=/?page=2", "size=/?page=3"].map(str::to_owned).into())
    );
    // One that counts ends with a page that is empty.
    let (params, asked, _) = gather(&with("{query: start, from: 0, by: 50}"), Vec::new());
    assert_eq!(params["items"], json!([1, 2, 3, 4, 5, 6, 7]));
    assert_eq!(
        queries(&asked),
        ["size=3&start=0", "size=3&start=50", "size=3&start=100", "size=3&start=150"]
    );
}

#[test]
fn wherever_the_runner_dies_the_same_page_is_asked_again_and_not_all() {
    let text = LISTS.replace(", MORE", "");
    let (whole, once, doors) = gather(&text, Vec::new());
    for door in 1..=doors {
        let (params, asked, _) = gather(&text, vec![door]);
        assert_eq!(params, whole, "dead at {door}");
        // No page is asked more than twice, and pages come in their order.
        let keys: Vec<&String> = asked.iter().map(|(key, _)| key).collect();
        assert!(keys.len() <= once.len() + 1, "dead at {door}: {keys:?}");
        let mut dedup = keys.clone();
        dedup.dedup();
        assert_eq!(dedup, once.iter().map(|(key, _)| key).collect::<Vec<_>>(), "dead at {door}");
    }
}
