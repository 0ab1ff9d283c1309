//! Leases: a value that is good for a while yet, renewed first if it is not. And what is shown of its life.

use serde_json::json;

use crate::support::house::{House, Plan, task_path};
use crate::support::issuer::{Issuer, KEEPER};

const TASK: &str = "/processes/keeper/tasks/t";
const TOKEN: &str = "/processes/keeper/tasks/t/params/token";
/// Of `(age, lives)` seconds.
const OLD: (i64, i64) = (3_000, 600);
const NEW: (i64, i64) = (0, 3_600);

/// A house with one token, and its issuer.
async fn keeping(tokens: &[(i64, i64)]) -> (House, Issuer) {
    let (house, issuer) = (House::open().await, Issuer::new(tokens).await);
    house.deploy(KEEPER).await;
    house.submit("keeper", "t", issuer.params()).await;
    house.until(&task_path("keeper", "t"), |it| it["node"] == "nap").await;
    (house, issuer)
}

fn leased(house: &House, query: &str) -> crate::support::call::Call {
    house.api("GET", &format!("{TOKEN}?{query}"))
}

#[tokio::test]
async fn a_value_that_lives_long_enough_is_given_at_once() {
    let (house, issuer) = keeping(&[OLD]).await;
    let answer = leased(&house, "fresh_for=5m").send().await;
    assert_eq!((answer.status, answer.text.as_str()), (200, "token-1"));
    let dies = answer.header("beltline-expires-at").to_owned();
    let task = house.api("GET", TASK).send().await.ok(200);
    assert_eq!(task["expiries"][0]["expires_at"], dies.as_str());
    assert_eq!(issuer.asked(), 1, "nothing was renewed");
}

#[tokio::test]
async fn a_hundred_at_once_cause_one_renewal() {
    let (house, issuer) = keeping(&[OLD, NEW]).await;
    issuer.close();
    let all = futures::future::join_all((0..100).map(|_| leased(&house, "fresh_for=20m").send()));
    let open = async {
        house.until(&task_path("keeper", "t"), |it| it["state"] == "doing").await;
        issuer.open();
    };
    let (answers, ()) = tokio::join!(all, open);
    for answer in answers {
        assert_eq!((answer.status, answer.text.as_str()), (200, "token-2"));
    }
    house.until(&task_path("keeper", "t"), |it| it["node"] == "nap").await;
    assert_eq!(leased(&house, "fresh_for=20m").send().await.text, "token-2");
    assert_eq!(issuer.asked(), 2);
    let history = house.api("GET", &format!("{TASK}/history")).send().await.text;
    assert_eq!(history.matches("modify by local (lease)").count(), 1, "{history}");
}

#[tokio::test]
async fn a_renewal_under_way_is_waited_for_and_not_doubled() {
    let (house, issuer) = keeping(&[OLD, NEW]).await;
    issuer.close();
    house.api("POST", &format!("{TASK}/wake")).send().await;
    house.until(&task_path("keeper", "t"), |it| it["state"] == "doing").await;
    let open = async { issuer.open() };
    let (answer, ()) = tokio::join!(leased(&house, "fresh_for=20m").send(), open);
    assert_eq!((answer.status, answer.text.as_str()), (200, "token-2"));
    let task = house.until(&task_path("keeper", "t"), |it| it["node"] == "nap").await;
    assert_eq!((task["state"].as_str(), issuer.asked()), (Some("waiting"), 2));
}

#[tokio::test]
async fn what_cannot_be_renewed_says_why() {
    let (house, issuer) = keeping(&[OLD]).await;
    issuer.fails(503);
    let answer = leased(&house, "fresh_for=20m").send().await;
    let problem = answer.problem(503, "not_fresh");
    assert_eq!((&problem["node"], &problem["fault"]["code"]), (&json!("rest"), &json!("http_status")));
    assert!(problem["detail"].as_str().unwrap().contains("the present one dies at 20"), "{problem}");
    assert!(problem["expires_at"].as_str().unwrap().starts_with("20"));
    let after: u64 = answer.header("retry-after").parse().unwrap();
    assert!((3_500..=3_600).contains(&after), "when it is tried again: {after}");
    assert!(!answer.text.contains("token-1"));
    assert_eq!(issuer.asked(), 2);
    assert_eq!(leased(&house, "fresh_for=5m").send().await.text, "token-1", "it is still good for that");
}

#[tokio::test]
async fn a_wait_ends_with_its_time_and_the_renewal_goes_on() {
    let (house, issuer) = keeping(&[OLD, NEW]).await;
    issuer.close();
    let problem = leased(&house, "fresh_for=20m&wait=100ms").send().await.problem(503, "not_fresh");
    assert!(["doing", "waiting"].iter().any(|it| problem["detail"].as_str().unwrap().contains(it)));
    issuer.open();
    assert_eq!(leased(&house, "fresh_for=20m").send().await.text, "token-2");
    assert_eq!(issuer.asked(), 2);
}

#[tokio::test]
async fn what_no_renewal_gives_is_not_asked_for() {
    let (house, issuer) = keeping(&[OLD]).await;
    let problem = leased(&house, "fresh_for=2h").send().await.problem(422, "fresh_for_too_long");
    assert_eq!(problem["detail"], "a new `token` lives 1h, and one that lives 2h yet was asked for");
    assert_eq!(problem["hint"], "ask for `59m` at most");
    assert_eq!(issuer.asked(), 1, "no renewal would help");
    let (house, issuer) = keeping(&[NEW]).await;
    leased(&house, "fresh_for=59m59s999ms").send().await.problem(422, "fresh_for_too_long");
    assert_eq!(issuer.asked(), 1, "it could not be younger");
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let (house, _issuer) = keeping(&[OLD]).await;
    let ask = |path: &str| house.api("GET", &format!("{TASK}/params/{path}")).send();
    ask("server?fresh_for=1m").await.problem(422, "no_expiry");
    let missing = ask("tokn?fresh_for=1m").await.problem(404, "no_such_param");
    assert_eq!(missing["hint"], "did you mean `token`?");
    ask("token?wait=1m").await.problem(422, "bad_query");
    ask("token?fresh_for=1m&wait=1h").await.problem(422, "bad_wait");
    ask("token?fresh_for=soon").await.problem(422, "bad_query");
    house.api("POST", "/processes/keeper/pause").send().await.ok(200);
    ask("token?fresh_for=20m").await.problem(409, "process_paused");
    assert_eq!(ask("token?fresh_for=5m").await.text, "token-1");
    house.api("POST", "/processes/keeper/resume").send().await.ok(200);
    house.api("POST", &format!("{TASK}/cancel")).send().await.ok(200);
    ask("token?fresh_for=1m").await.problem(409, "task_ended");
}

#[tokio::test]
async fn a_lease_of_a_secret_needs_the_right_to_it_and_to_run() {
    let (house, issuer) = keeping(&[OLD, NEW]).await;
    let reader = house.token("reader", &["read", "run"], None).await;
    leased(&house, "fresh_for=20m").token(&reader).send().await.problem(403, "denied");
    let looker = house.token("looker", &["read", "secrets"], None).await;
    leased(&house, "fresh_for=20m").token(&looker).send().await.problem(403, "denied");
    assert_eq!(issuer.asked(), 1, "nor does it wake anything");
    let consumer = house.token("consumer", &["read", "run", "secrets"], Some(&["keeper"])).await;
    assert_eq!(leased(&house, "fresh_for=20m").token(&consumer).send().await.text, "token-2");
    let audit = house.api("GET", "/audit").send().await.ok(200);
    let lines: Vec<_> =
        audit["items"].as_array().unwrap().iter().filter(|it| it["by"] == "consumer").collect();
    assert_eq!(lines.len(), 1);
    assert_eq!((&lines[0]["did"], &lines[0]["to"]), (&json!("secret.read"), &json!("keeper/t token")));
}

#[tokio::test]
async fn a_life_is_shown_on_its_task_and_in_the_list() {
    let (house, issuer) = keeping(&[OLD, NEW, (0, 7_200)]).await;
    let task = house.api("GET", TASK).send().await.ok(200);
    let life = &task["expiries"][0];
    assert_eq!(
        (&life["param"], &life["dead"], &life["urgent"]),
        (&json!("token"), &json!(false), &json!(true))
    );
    let span = |name: &str| life[name].as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_second();
    assert_eq!(span("expires_at") - span("warn_at"), 600, "ten minutes for a person");
    house.submit("keeper", "other", issuer.params()).await;
    house.until(&task_path("keeper", "other"), |it| it["node"] == "nap").await;
    let names = async || {
        let list = house.api("GET", "/expiring").send().await.ok(200);
        let refs = list["items"].as_array().unwrap().iter().map(|it| it["ref"].as_str().unwrap().to_owned());
        refs.collect::<Vec<_>>()
    };
    assert_eq!(names().await, ["t", "other"], "the one that needs a person soonest is first");
    house.api("POST", &format!("{TASK}/wake")).send().await;
    house.until(&task_path("keeper", "t"), |it| it["expiries"][0]["urgent"] == false).await;
    assert_eq!(names().await, ["other", "t"]);
    house.api("POST", "/processes/keeper/tasks/other/cancel").send().await.ok(200);
    assert_eq!(names().await, ["t"]);
    let stranger = house.token("stranger", &["read"], Some(&["hello"])).await;
    let none = house.api("GET", "/expiring").token(&stranger).send().await.ok(200);
    assert_eq!(none["items"], json!([]));
}

#[tokio::test]
async fn lives_are_known_again_after_a_restart_and_after_a_new_version() {
    let (house, issuer) = (House::open().await, Issuer::new(&[NEW]).await);
    let without = KEEPER.replace(", expiry: {at: dies, issued: born, warn: 10m}", "");
    house.deploy(&without).await;
    house.submit("keeper", "t", issuer.params()).await;
    house.until(&task_path("keeper", "t"), |it| it["node"] == "nap").await;
    let many = async |house: &House| house.api("GET", "/expiring").send().await.ok(200)["items"].clone();
    assert_eq!(many(&house).await, json!([]));
    house.deploy(KEEPER).await;
    assert_eq!(many(&house).await[0]["ref"], "t");
    house.deploy(&without).await;
    assert_eq!(house.service.soonest(9).1, 0, "a version that says nothing of it");
    house.deploy(KEEPER).await;
    let store = house.close().await;
    let house = House::build(Plan { store, ..Plan::default() }).await;
    assert_eq!(many(&house).await[0]["expiries"][0]["param"], "token");
}
