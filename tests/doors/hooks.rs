//! What comes by hooks: JSON, forms, XML, and what a task replies.

use url::form_urlencoded::Serializer;

use crate::doors::api::{judge, kept, told};
use crate::doors::raw::Raw;
use crate::doors::values::{all_values, may_be_refused, text_values};
use crate::support::house::House;

/// How many values go through each door.
const MANY: usize = 150;

const HOOKS: &str = r#"process: any
hooks:
  json: {public: true, accept: json, ref: "{{body.ref}}", params: {v: "= [body.v]"}}
  form: {public: true, accept: form, ref: "{{body.ref}}", params: {v: "= [body.v]"}}
  xml: {public: true, accept: xml, ref: "{{body.r.ref}}", params: {v: "= [body.r.v]"}}
nodes:
  start: {kind: input, next: rest}
  rest: {kind: wait, accept: {never: {required: true}}, next: done}
  done: {kind: end}
"#;

const SAYS: &str = r#"process: says
hooks:
  it: {public: true, accept: json, answer: reply, params: {v: "= [body.v]"}}
nodes:
  start: {kind: input, next: told}
  told: {kind: reply, values: {v: "= v[0]"}, next: done}
  done: {kind: end}
"#;

async fn sent(house: &House, hook: &str, kind: &str, body: String) -> Option<String> {
    let answer = house.call("POST", &format!("/hooks/any/{hook}")).token("").body(kind, body).send().await;
    (answer.status >= 300).then(|| answer.json()["detail"].as_str().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn json_of_a_hook() {
    let house = House::open().await;
    house.deploy(HOOKS).await;
    let mut wrong = Vec::new();
    for (at, it) in all_values(MANY).iter().enumerate() {
        let body = format!("{{\"ref\": \"r{at}\", \"v\": {}}}", it.write());
        let why = sent(&house, "json", "application/json", body).await;
        let kept = kept(&house, "any", &format!("r{at}"), "v").await;
        wrong.extend(judge("hook", &Raw::List(vec![it.clone()]), kept.as_ref(), why.as_deref()));
    }
    told(&wrong);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_of_a_hook() {
    let house = House::open().await;
    house.deploy(HOOKS).await;
    let mut wrong = Vec::new();
    for (at, text) in text_values(MANY).iter().enumerate() {
        let pairs = [("ref", format!("r{at}")), ("v", text.clone())];
        let body = Serializer::new(String::new()).extend_pairs(pairs).finish();
        let why = sent(&house, "form", "application/x-www-form-urlencoded", body).await;
        let kept = kept(&house, "any", &format!("r{at}"), "v").await;
        wrong.extend(judge("form hook", &Raw::List(vec![Raw::text(text)]), kept.as_ref(), why.as_deref()));
    }
    told(&wrong);
}

#[tokio::test(flavor = "multi_thread")]
async fn xml_of_a_hook() {
    let house = House::open().await;
    house.deploy(HOOKS).await;
    let mut wrong = Vec::new();
    for (at, text) in text_values(MANY).iter().enumerate() {
        let escaped =
            text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('\r', "&#13;");
        let body = format!("<r><ref>r{at}</ref><v>{escaped}</v></r>");
        let why = sent(&house, "xml", "application/xml", body).await;
        let kept = kept(&house, "any", &format!("r{at}"), "v").await;
        // XML knows no control characters, and an element without text is null.
        let control = text.contains(|it: char| it < ' ' && !"\t\n\r".contains(it));
        match control || text.contains(['\u{fffe}', '\u{ffff}']) {
            true if why.is_some() && kept.is_none() => continue,
            _ => {}
        }
        let it = if text.is_empty() { Raw::Null } else { Raw::text(text) };
        wrong.extend(judge("XML hook", &Raw::List(vec![it]), kept.as_ref(), why.as_deref()));
    }
    told(&wrong);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_task_replies() {
    let house = House::open().await;
    house.deploy(SAYS).await;
    let mut wrong = Vec::new();
    for it in all_values(MANY) {
        let call = house.call("POST", "/hooks/says/it").token("");
        let answer = call.body("application/json", format!("{{\"v\": {}}}", it.write())).send().await;
        match answer.status {
            200 => wrong.extend(judge("reply", &it, Raw::read(&answer.text).get("v"), None)),
            400..500 if may_be_refused(&it) => {}
            status => wrong.push(format!("reply: {} is answered with {status}: {}", it.write(), answer.text)),
        }
    }
    told(&wrong);
}

/// What is typed into a page of a link comes as a form as well.
#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_is_not_clear_is_refused() {
    let house = House::open().await;
    house
        .deploy(
            "process: ask\nnodes:\n  start: {kind: input, next: rest}\n  rest: {kind: wait, link: true, \
        accept: {code: {required: true}}, next: done}\n  done: {kind: end}\n",
        )
        .await;
    house.submit("ask", "one", serde_json::json!({})).await;
    let task = house.until("/processes/ask/tasks/one", |it| it["link"].is_string()).await;
    let link = task["link"].as_str().unwrap();
    let path = link.split_once("/hooks/").unwrap().1.to_owned();
    for (body, said) in [("code=1&code=2", "`code` twice"), ("code=%ff", "UTF-8")] {
        let call = house.call("POST", &format!("/hooks/{path}")).token("");
        let answer = call.body("application/x-www-form-urlencoded", body).send().await;
        assert!((400..500).contains(&answer.status) && answer.text.contains(said), "{body}: {}", answer.text);
    }
    let task = house.api("GET", "/processes/ask/tasks/one").send().await.ok(200);
    assert_eq!((&task["state"], &task["params"]["code"]), (&"waiting".into(), &serde_json::Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_calls_a_hook_at_a_wrong_address_needs_no_token_to_be_told() {
    let house = House::open().await;
    house.deploy(HOOKS).await;
    let call = async |path: &str| {
        let body = format!("{{\"ref\": \"{path}\", \"v\": 1}}");
        house.call("POST", path).token("").body("application/json", body).send().await
    };
    for meant in ["/hooks//any/json", "/HOOKS/any/json", "/hooks/any/json/"] {
        let answer = call(meant).await;
        assert_eq!(answer.status, 202, "{meant}: {}", answer.json());
    }
    for wrong in ["/hooks/any/json/more", "/hooks/any", "/hooks", "/hooks/any/jsn", "/hooks//any/jsn"] {
        let problem = call(wrong).await.problem(404, "not_found");
        let told = problem.to_string();
        assert!(told.contains("there is no hook") && told.contains("/hooks/PROCESS/HOOK"), "{wrong}: {told}");
        assert!(!told.contains("xml"), "which hooks there are is not told: {told}");
    }
    call("/hook/any/json").await.problem(401, "no_token");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ref_is_the_same_however_its_number_is_written() {
    let house = House::open().await;
    let hook =
        "in: {public: true, ref: \"n-{{body.of.id}}\", if_exists: modify, params: {v: \"= body.of.id\"}}";
    house
        .deploy(&HOOKS.replace(
            "json: {public: true, accept: json, ref: \"{{body.ref}}\", params: {v: \"= [body.v]\"}}",
            hook,
        ))
        .await;
    for (id, reference) in [("7", "n-7"), ("7.0", "n-7"), ("7.5", "n-7.5"), ("\"7.0\"", "n-7.0")] {
        let body = format!("{{\"of\": {{\"id\": {id}}}, \"more\": [1.0]}}");
        let answer =
            house.call("POST", "/hooks/any/in").token("").body("application/json", body).send().await;
        assert_eq!(
            (answer.status, &answer.json()["ref"]),
            (202, &reference.into()),
            "{id}: {}",
            answer.json()
        );
    }
}
