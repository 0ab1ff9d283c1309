//! What programs and the pages hand in: one task, many lines, a modify, a form, the answers of partners, and
//! secrets on their way out.

use serde_json::json;

use crate::dashboard::visitor::Visitor;
use crate::doors::partner::Partner;
use crate::doors::raw::{Raw, same};
use crate::doors::values::{all_values, may_be_refused, text_values};
use crate::support::call::Answer;
use crate::support::house::{House, task_path};

/// How many values go through each door.
const MANY: usize = 200;

/// Takes whatever is handed in, and keeps it.
pub(super) const ANY: &str = "process: any\nparams:\n  t: {type: string}\n  n: {type: number}\n  \
    j: {type: array}\nnodes:\n  start: {kind: input, next: rest}\n  \
    rest: {kind: wait, accept: {never: {required: true}}, next: done}\n  done: {kind: end}\n";

/// A process that sends the secret `key`, as it is, to the number it is given below `url`.
pub(super) async fn posts(house: &House, url: &str) {
    let text = format!(
        "process: posts\nnodes:\n  start: {{kind: input, next: ask}}\n  ask: {{kind: http, url: \
         \"{url}/{{{{n}}}}\", body: \"{{{{secret.key}}}}\", retry: {{times: 1}}, next: done}}\n  \
         done: {{kind: end}}\n"
    );
    house.api("PUT", "/secrets/key").json(&json!({"value": "first"})).send().await.ok(200);
    house.deploy(&text).await;
}

/// A param of a task, as it is kept.
pub(super) async fn kept(house: &House, process: &str, reference: &str, param: &str) -> Option<Raw> {
    let answer = house.api("GET", &task_path(process, reference)).send().await;
    if answer.status == 404 {
        return None;
    }
    Raw::read(&answer.text).get("params").unwrap().get(param).cloned()
}

/// Judges a value that was handed in: it is there as it was sent, or it was refused and nothing is there.
pub(super) fn judge(door: &str, sent: &Raw, kept: Option<&Raw>, refused: Option<&str>) -> Option<String> {
    let shown = || sent.write().chars().take(300).collect::<String>();
    match (kept, refused) {
        (Some(kept), None) if same(sent, kept) => None,
        (None, Some(why)) if may_be_refused(sent) && why.contains(' ') => None,
        (kept, why) => Some(format!(
            "{door}: {} was sent, {:?} is kept, refused: {why:?}",
            shown(),
            kept.map(|it| it.write().chars().take(300).collect::<String>())
        )),
    }
}

/// Says of all that went wrong the first few.
#[track_caller]
pub(super) fn told(wrong: &[String]) {
    assert!(wrong.is_empty(), "{} were changed:\n{}", wrong.len(), wrong[..wrong.len().min(12)].join("\n"));
}

fn why(answer: &Answer) -> Option<String> {
    (answer.status >= 300).then(|| answer.json()["detail"].as_str().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_task_at_a_time() {
    let house = House::open().await;
    house.deploy(ANY).await;
    let mut wrong = Vec::new();
    for (at, sent) in all_values(MANY).iter().enumerate() {
        let body = format!("{{\"ref\": \"r{at}\", \"params\": {{\"v\": {}}}}}", sent.write());
        let call = house.api("POST", "/processes/any/tasks").body("application/json", body);
        let answer = call.send().await;
        let kept = kept(&house, "any", &format!("r{at}"), "v").await;
        wrong.extend(judge("submit", sent, kept.as_ref(), why(&answer).as_deref()));
    }
    told(&wrong);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_lines_at_once() {
    let house = House::open().await;
    house.deploy(ANY).await;
    let all = all_values(MANY);
    let line =
        |(at, it): (usize, &Raw)| format!("{{\"ref\": \"r{at}\", \"params\": {{\"v\": {}}}}}\n", it.write());
    let lines: Vec<String> = all.iter().enumerate().map(line).collect();
    let call = house.api("POST", "/processes/any/tasks").body("application/x-ndjson", lines.concat());
    let answers = call.send().await.text;
    let answers: Vec<Raw> = answers.lines().map(Raw::read).collect();
    assert_eq!(answers.len(), all.len());
    let mut wrong = Vec::new();
    for (at, (sent, answer)) in all.iter().zip(&answers).enumerate() {
        let why = answer.get("error").and_then(|it| it.get("detail")).map(Raw::write);
        let kept = kept(&house, "any", &format!("r{at}"), "v").await;
        wrong.extend(judge("lines", sent, kept.as_ref(), why.as_deref()));
    }
    told(&wrong);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_laid_over_a_task() {
    let house = House::open().await;
    house.deploy(ANY).await;
    house.submit("any", "one", json!({})).await;
    let mut wrong = Vec::new();
    for (at, sent) in all_values(MANY).iter().enumerate() {
        // Null takes a param away.
        let sent = &Raw::List(vec![sent.clone()]);
        let body = format!("{{\"params\": {{\"v{at}\": {}}}}}", sent.write());
        let path = format!("{}/modify", task_path("any", "one"));
        let answer = house.api("POST", &path).body("application/json", body).send().await;
        let kept = kept(&house, "any", "one", &format!("v{at}")).await;
        wrong.extend(judge("modify", sent, kept.as_ref(), why(&answer).as_deref()));
        let none = format!("{{\"params\": {{\"v{at}\": null}}}}");
        house.api("POST", &path).body("application/json", none).send().await.ok(200);
    }
    told(&wrong);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_form_of_a_task() {
    let house = House::open().await;
    house.deploy(ANY).await;
    let visitor = Visitor::operator(&house).await;
    let mut wrong = Vec::new();
    for (at, text) in text_values(MANY).iter().enumerate() {
        let reference = format!("t{at}");
        let answer = visitor.post("/dashboard/p/any/add", &[("ref", &reference), ("p.t", text)]).await;
        let kept = kept(&house, "any", &reference, "t").await;
        // A form ends its lines so, whatever was typed; an empty field is none.
        let sent = Raw::Text(text.replace("\r\n", "\n"));
        let refused = (answer.status != 303).then_some("it says why on the page");
        match text.is_empty() {
            true => assert_eq!((answer.status, kept), (303, None)),
            false => wrong.extend(judge("form", &sent, kept.as_ref(), refused)),
        }
    }
    for (at, sent) in all_values(MANY).iter().enumerate() {
        let (reference, more) = (format!("m{at}"), format!("{{\"v\": {}}}", sent.write()));
        let answer = visitor.post("/dashboard/p/any/add", &[("ref", &reference), ("more", &more)]).await;
        let kept = kept(&house, "any", &reference, "v").await;
        let refused = (answer.status != 303).then_some("it says why on the page");
        wrong.extend(judge("form, as JSON", sent, kept.as_ref(), refused));
    }
    told(&wrong);
}

#[tokio::test]
async fn what_is_named_twice_says_which_and_where() {
    let house = House::open().await;
    house.deploy(ANY).await;
    let body = r#"{"ref": "r", "params": {"city": "Riga", "list": [{"a.b": 1, "a.b": 1}]}}"#;
    let answer = house.api("POST", "/processes/any/tasks").body("application/json", body).send().await;
    let detail = answer.problem(400, "bad_json")["detail"].clone();
    assert_eq!(detail, "the name `a.b` stands twice in one object at line 1 column 65");
    assert_eq!(kept(&house, "any", "r", "list").await, None);
}

#[tokio::test]
async fn a_form_in_another_charset_is_refused() {
    let house = House::open().await;
    house.deploy(ANY).await;
    let visitor = Visitor::operator(&house).await;
    let call = house.call("POST", "/dashboard/p/any/add").token("").header("cookie", visitor.cookie());
    let call = call.header("origin", &format!("http://{}", house.address));
    let answer = call.body("application/x-www-form-urlencoded", "ref=r&p.t=caf%e9").send().await;
    assert_eq!(answer.status, 400, "{}", answer.text);
    assert!(answer.text.contains("The form is not in UTF-8"), "{}", answer.text);
    assert_eq!(kept(&house, "any", "r", "t").await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_partner_answers() {
    let house = House::open().await;
    let all = all_values(MANY);
    let partner = Partner::start(all.iter().map(|it| format!("{{\"v\": {}}}", it.write())).collect()).await;
    let text = format!(
        "process: asks\nnodes:\n  start: {{kind: input, next: ask}}\n  ask: {{kind: http, url: \
         \"{}/{{{{n}}}}\", save: {{v: \"= [response.body.v]\"}}, retry: {{times: 1}}, next: done}}\n  \
         done: {{kind: end}}\n",
        partner.url
    );
    house.deploy(&text).await;
    let mut wrong = Vec::new();
    for (at, sent) in all.iter().enumerate() {
        let reference = format!("r{at}");
        house.submit("asks", &reference, json!({"n": at})).await;
        let ended = |it: &serde_json::Value| it["state"] == "done" || it["state"] == "failed";
        let task = house.until(&task_path("asks", &reference), ended).await;
        let why = task["fault"]["message"].as_str().map(str::to_owned);
        let kept = kept(&house, "asks", &reference, "v").await;
        wrong.extend(judge("answer", &Raw::List(vec![sent.clone()]), kept.as_ref(), why.as_deref()));
    }
    told(&wrong);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_on_its_way_out() {
    let house = House::open().await;
    let partner = Partner::start(Vec::new()).await;
    posts(&house, &partner.url).await;
    let mut wrong = Vec::new();
    for (at, secret) in text_values(MANY / 2).iter().enumerate() {
        let set = house.api("PUT", "/secrets/key").json(&json!({"value": secret})).send().await;
        if set.status >= 300 {
            let why = set.json()["detail"].as_str().unwrap().to_owned();
            let fine = secret.is_empty() || secret.len() > 60_000 || may_be_refused(&Raw::text(secret));
            wrong.extend((!fine).then(|| format!("secret {secret:?} is refused: {why}")));
            continue;
        }
        house.submit("posts", &format!("r{at}"), json!({"n": at})).await;
        let ended = |it: &serde_json::Value| it["state"] == "done" || it["state"] == "failed";
        house.until(&task_path("posts", &format!("r{at}")), ended).await;
        let heard = partner.heard(at);
        let is_same = heard.as_deref() == Some(secret.as_bytes());
        wrong.extend((!is_same).then(|| format!("secret {secret:?} went out as {heard:?}")));
    }
    told(&wrong);
}
