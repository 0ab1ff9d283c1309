//! Hooks and the OAuth callback: the key in the address is the right.

use serde_json::{Value, json};

use crate::api::tasks::HOLD;
use crate::support::house::House;

const LOGIN: &str = r#"
process: login
nodes:
  start: {kind: input, next: ask}
  ask:
    kind: wait
    link: "https://portal.example/authorize?state={{task.key}}"
    accept: {code: {required: true}, callback: {}}
    next: have
  have: {kind: end, result: {code: "{{code}}", domain: "{{callback.domain}}"}}
"#;

/// The path of a task's link.
fn path(task: &Value) -> String {
    let link = url::Url::parse(task["link"].as_str().unwrap()).unwrap();
    link.path().to_owned()
}

#[tokio::test]
async fn a_link_asks_first_and_then_moves_the_task_on_once() {
    let house = House::open().await;
    house.deploy(HOLD).await;
    let link = path(&house.submit("hold", "one", json!({"city": "Riga"})).await);
    let page = house.call("GET", &link).token("").header("accept", "text/html").send().await;
    assert_eq!(page.status, 200);
    assert!(
        page.text.contains("<form method=\"post\">") && page.text.contains("name=\"approved\""),
        "{}",
        page.text
    );
    assert!(page.header("content-security-policy").contains("form-action 'self'"));
    let task = house.api("GET", "/processes/hold/tasks/one").send().await.ok(200);
    assert_eq!(task["state"], "waiting", "a look moves nothing");
    let empty = house.call("POST", &link).token("").body("application/x-www-form-urlencoded", "approved=");
    empty.send().await.problem(422, "waits");
    let body = "approved=yes&city=Oslo&portal=evil";
    let form = house.call("POST", &link).token("").header("accept", "text/html");
    let done = form.body("application/x-www-form-urlencoded", body).send().await;
    assert_eq!(done.status, 200);
    assert!(done.text.contains("Done"));
    let task = house.api("GET", "/processes/hold/tasks/one").send().await.ok(200);
    assert_eq!((&task["state"], &task["result"]["city"]), (&json!("done"), &json!("Riga")));
    assert!(task["params"].get("portal").is_none(), "only what is accepted is taken");
    house.call("POST", &link).token("").json(&json!({"approved": "no"})).send().await.problem(410, "gone");
    let over = house.call("GET", &link).token("").header("accept", "text/html").send().await;
    assert_eq!(over.status, 410);
    assert!(over.text.contains("This link is over"));
}

#[tokio::test]
async fn of_many_who_come_at_once_one_is_let_in() {
    let house = House::open().await;
    house.deploy(HOLD).await;
    let link = path(&house.submit("hold", "one", json!({"city": "Riga"})).await);
    let calls = (0..20)
        .map(|n| house.call("POST", &link).token("").json(&json!({"approved": format!("by {n}")})).send());
    let answers = futures::future::join_all(calls).await;
    let in_ = answers.iter().filter(|it| it.status == 200).count();
    assert_eq!(in_, 1, "{:?}", answers.iter().map(|it| it.status).collect::<Vec<_>>());
    assert!(answers.iter().all(|it| [200, 410, 409].contains(&it.status)));
}

#[tokio::test]
async fn a_wrong_key_opens_nothing() {
    let house = House::open().await;
    house.deploy(HOLD).await;
    let link = path(&house.submit("hold", "one", json!({"city": "Riga"})).await);
    let (_, key) = link.rsplit_once('/').unwrap();
    let other = if key.ends_with('A') { "B" } else { "A" };
    let forged = format!("/hooks/hold/{}{other}", &key[..key.len() - 1]);
    house.call("POST", &forged).token("").json(&json!({"approved": "yes"})).send().await.problem(410, "gone");
    house.call("POST", "/hooks/hold/x").token("").json(&json!({})).send().await.problem(404, "not_found");
    let elsewhere = format!("/hooks/other/{key}");
    house.call("POST", &elsewhere).token("").json(&json!({"approved": 1})).send().await.problem(410, "gone");
    let bad = house.call("POST", &link).token("").body("text/plain", "approved=yes").send().await;
    bad.problem(415, "not_json");
    house
        .call("POST", &link)
        .token("")
        .body("application/json", "[1]")
        .send()
        .await
        .problem(422, "bad_shape");
    assert_eq!(house.api("GET", "/processes/hold/tasks/one").send().await.ok(200)["state"], "waiting");
}

#[tokio::test]
async fn an_oauth_redirect_brings_its_code_to_the_task_that_waits_for_it() {
    let house = House::open().await;
    house.deploy(LOGIN).await;
    let task = house.submit("login", "one", json!({})).await;
    let (_, state) = task["link"].as_str().unwrap().split_once("state=").unwrap();
    let call = |query: String| house.call("GET", &format!("/oauth/callback?{query}")).token("").send();
    let denied = call(format!("error=access_denied&error_description=%3Cb%3Eno&state={state}")).await;
    assert_eq!(denied.status, 400);
    assert!(denied.text.contains("&lt;b&gt;no") && !denied.text.contains("<b>"));
    assert_eq!(call("code=c0de".to_owned()).await.status, 422);
    assert_eq!(call("code=c0de&state=none".to_owned()).await.status, 404);
    let query = format!("code=c0de&state={state}&domain=acme.example&member_id=m&evil=1");
    let done = call(query.clone()).await;
    assert_eq!((done.status, done.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(done.text.contains("You can close this page"));
    let task = house.api("GET", "/processes/login/tasks/one").send().await.ok(200);
    assert_eq!(task["result"], json!({"code": "c0de", "domain": "acme.example"}));
    assert_eq!(task["params"]["callback"], json!({"domain": "acme.example", "member_id": "m"}));
    assert_eq!(call(query).await.status, 410);
}

const DOORS: &str = "
process: doors
params: {times: {type: integer}, key: {type: string, secret: true, input: false}}
nodes:
  start: {kind: input, next: bare}
  bare: {kind: wait, link: true, next: named}
  named: {kind: wait, link: true, accept: {times: {required: true}}, next: done}
  done: {kind: end}
";

#[tokio::test]
async fn a_link_takes_what_its_node_names_and_nothing_else() {
    let house = House::open().await;
    house.deploy(DOORS).await;
    let link = path(&house.submit("doors", "one", json!({})).await);
    let brought = json!({"times": 7, "key": "made-up", "other": 1});
    house.call("POST", &link).token("").json(&brought).send().await.ok(200);
    let task = house.until("/processes/doors/tasks/one", |it| it["node"] == "named").await;
    assert_eq!(task["params"], json!({}), "the first names nothing");
    let link = path(&task);
    let wrong = house.call("POST", &link).token("").json(&json!({"times": "seven"})).send().await;
    wrong.problem(422, "invalid_params");
    let wrong = house.call("POST", &link).token("").body("application/x-www-form-urlencoded", "times=seven");
    wrong.send().await.problem(422, "invalid_params");
    let modify = house.api("POST", "/processes/doors/tasks/one/modify");
    modify.json(&json!({"params": {"times": "seven"}})).send().await.problem(422, "invalid_params");
    let form = house.call("POST", &link).token("").body("application/x-www-form-urlencoded", "times=7&key=x");
    form.send().await.ok(200);
    let task = house.until("/processes/doors/tasks/one", |it| it["state"] == "done").await;
    assert_eq!(task["params"], json!({"times": 7}), "a form has texts, and the process an integer");
}

#[tokio::test]
async fn the_callback_shows_nobodys_words_and_says_that_a_process_is_paused() {
    let house = House::open().await;
    house.deploy(LOGIN).await;
    let words = "Call+this+number";
    let stranger = format!("/oauth/callback?state=made-up&error=access_denied&error_description={words}");
    let page = house.call("GET", &stranger).token("").send().await;
    assert_eq!(page.status, 400);
    assert!(!page.text.contains("Call this number"), "{}", page.text);
    let task = house.submit("login", "one", json!({})).await;
    let (_, state) = task["link"].as_str().unwrap().split_once("state=").unwrap();
    let good = format!("/oauth/callback?state={state}&code=made-up-code&domain=acme.example");
    let looked = house.call("HEAD", &good).token("").send().await;
    assert_eq!((looked.status, looked.text.as_str()), (200, ""));
    let task = house.api("GET", "/processes/login/tasks/one").send().await.ok(200);
    assert_eq!(task["state"], "waiting", "a look uses nothing up");
    house.api("POST", "/processes/login/pause").send().await.ok(200);
    let page = house.call("GET", &good).token("").send().await;
    assert_eq!(page.status, 202);
    assert!(page.text.contains("the process is paused"), "{}", page.text);
    house.api("POST", "/processes/login/resume").send().await.ok(200);
    house.until("/processes/login/tasks/one", |it| it["state"] == "done").await;
}

#[tokio::test]
async fn a_link_reads_a_form_by_its_charset() {
    let house = House::open().await;
    house.deploy(LOGIN).await;
    house.submit("login", "one", json!({})).await;
    let task = house.api("GET", "/processes/login/tasks/one").send().await.ok(200);
    let key = task["link"].as_str().unwrap().split("state=").nth(1).unwrap().to_owned();
    let path = format!("/hooks/login/{key}");
    let form = |charset: &str| {
        let kind = format!("application/x-www-form-urlencoded; charset={charset}");
        house.call("POST", &path).token("").body(&kind, "code=%CF%F0%E8%E2%E5%F2")
    };
    form("klingon-8").send().await.problem(415, "bad_charset");
    form("windows-1251").send().await.ok(200);
    let task = house.api("GET", "/processes/login/tasks/one").send().await.ok(200);
    assert_eq!(task["params"]["code"], "Привет");
}
