//! The page of one process: what its versions changed, how much comes and goes.

use serde_json::json;

use crate::dashboard::visitor::{SHOP, Visitor, shop};
use crate::support::house::{House, PASSWORD, Plan};

/// The version that runs now.
async fn version(house: &House) -> String {
    house.api("GET", "/processes/shop").send().await.ok(200)["version"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn what_a_version_changed_is_shown_line_by_line() {
    let house = shop().await;
    let first = version(&house).await;
    let visitor = Visitor::operator(&house).await;
    let only = visitor.page("/dashboard/p/shop/diff").await;
    assert!(only.contains("There is no version before this one."), "{only}");
    house.deploy(&SHOP.replace("title: Pack it", "title: \"<i>Wrap</i> it\"")).await;
    let second = version(&house).await;
    let page = visitor.page("/dashboard/p/shop").await;
    let link = format!("/dashboard/p/shop/diff?from={first}&#38;to={second}");
    assert!(page.contains(&link) && page.contains("Yes, deploy"), "{link}: {page}");
    let diff = visitor.page(&format!("/dashboard/p/shop/diff?from={first}&to={second}")).await;
    for part in ["<tr class=\"del\">", "<tr class=\"add\">", "title: Pack it", "&#60;i&#62;Wrap", "+1", "−1"]
    {
        assert!(diff.contains(part), "{part}: {diff}");
    }
    let row = diff.lines().find(|it| it.contains("class=\"add\"")).unwrap();
    let line = SHOP.lines().position(|it| it.contains("title: Pack it")).unwrap() + 1;
    let cells = format!("<td class=\"n\"></td><td class=\"n\">{line}</td><td class=\"sign\">+</td>");
    assert!(row.contains(&cells), "{row}");
    // The one that runs, against the one before, is what is shown if nothing is said.
    assert!(visitor.page("/dashboard/p/shop/diff").await.contains("&#60;i&#62;Wrap"));
    let plain = visitor.get("/dashboard/p/shop/diff?plain=1").await;
    assert!(plain.text.contains("\n+") && plain.header("content-type").starts_with("text/plain"));
    let same = visitor.page(&format!("/dashboard/p/shop/diff?from={second}&to={second}")).await;
    assert!(same.contains("The two texts are the same."), "{same}");
    assert_eq!(visitor.get("/dashboard/p/shop/diff?from=none").await.status, 404);
    let told = house.api("GET", "/processes/shop/diff").send().await.ok(200);
    assert_eq!((&told["from"]["version"], &told["to"]["version"]), (&first.into(), &second.into()));
    assert!(told["diff"].as_str().unwrap().contains("-  pack: {kind: set, title: Pack it"), "{told}");
}

#[tokio::test]
async fn an_earlier_version_is_deployed_again_and_strands_no_task() {
    let house = shop().await;
    let first = version(&house).await;
    let wider = SHOP.replace("next: pack", "next: hold");
    let wider = format!("{wider}  hold: {{kind: wait, next: pack}}\n");
    house.deploy(&wider).await;
    let second = version(&house).await;
    house.api("POST", "/processes/shop/tasks/one/wake").send().await;
    let moved = house.api("POST", "/processes/shop/tasks/one/move").json(&json!({"to": "hold"}));
    moved.send().await.ok(200);
    let visitor = Visitor::operator(&house).await;
    let fields = [("version", first.as_str()), ("base", second.as_str())];
    let page = visitor.refused(409, "/dashboard/p/shop/again", &fields).await;
    assert!(page.contains("name=\"move-hold\"") && page.contains("title: Pack it"), "{page}");
    assert_eq!(version(&house).await, second, "nothing was deployed");
    let fields = [("version", first.as_str()), ("move-hold", "rest")];
    let page = visitor.done("/dashboard/p/shop/again", &fields).await;
    assert!(page.contains("The process is deployed."), "{page}");
    assert_eq!(version(&house).await, first);
    house.until("/processes/shop/tasks/one", |it| it["node"] == "rest").await;
    // Another one was deployed meanwhile.
    let fields = [("version", second.as_str()), ("base", second.as_str())];
    let page = visitor.refused(409, "/dashboard/p/shop/again", &fields).await;
    assert!(page.contains("was deployed since you began"), "{page}");
    assert_eq!(visitor.post("/dashboard/p/shop/again", &[("version", "none")]).await.status, 404);
    // Who looks is not offered it.
    house.user("vic", Some("viewer"), json!({})).await;
    let viewer = Visitor::user(&house, "vic", PASSWORD).await;
    assert!(!viewer.page("/dashboard/p/shop").await.contains("/again"));
    assert_eq!(viewer.post("/dashboard/p/shop/again", &[("version", second.as_str())]).await.status, 403);
}

#[tokio::test]
async fn what_came_in_and_what_ended_is_counted_and_kept_over_a_restart() {
    let house = shop().await;
    let visitor = Visitor::operator(&house).await;
    house.deploy("process: quiet\nnodes: {start: {kind: input, next: done}, done: {kind: end}}").await;
    let quiet = visitor.page("/dashboard/p/quiet").await;
    assert!(quiet.contains("No task came in or ended in the last 24 hours."), "{quiet}");
    for name in ["two", "three", "four"] {
        house.submit("shop", name, json!({"city": "Riga"})).await;
    }
    house.api("POST", "/processes/shop/tasks/two/cancel").json(&json!({})).send().await.ok(200);
    let gone = house.api("POST", "/processes/shop/tasks/three/move").json(&json!({"to": "gone"}));
    gone.send().await.ok(200);
    // Taken up again, it has come in once more.
    house.until("/processes/shop/tasks/three", |it| it["state"] == "failed").await;
    house.submit("quiet", "one", json!({})).await;
    let told = house.api("GET", "/processes/shop/flow").send().await.ok(200);
    let hours = told["hours"].as_array().unwrap();
    let newest = |at: &str| hours.iter().take(2).map(|it| it[at].as_u64().unwrap()).sum::<u64>();
    assert_eq!((hours.len(), newest("came"), newest("ended"), newest("failed")), (24, 4, 2, 1), "{told}");
    let told = house.api("GET", "/processes/quiet/flow").send().await.ok(200);
    assert_eq!((&told["hours"][0]["came"], &told["hours"][0]["ended"]), (&json!(1), &json!(1)), "{told}");
    let page = visitor.page("/dashboard/p/shop").await;
    for part in ["<rect class=\"in\"", "<rect class=\"out\"", "<rect class=\"failed\"", "Counted since"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(page.contains("4 in, 2 out (1 failed)"), "{page}");
    house.desk.keep_flows().await.unwrap();
    let since = house.api("GET", "/processes/shop/flow").send().await.ok(200)["since"].clone();
    let house = House::build(Plan { store: house.close().await, ..Plan::default() }).await;
    let again = house.api("GET", "/processes/shop/flow").send().await.ok(200);
    let came: u64 = again["hours"].as_array().unwrap().iter().map(|it| it["came"].as_u64().unwrap()).sum();
    assert_eq!((came, &again["since"]), (4, &since), "{again}");
    house.api("GET", "/processes/none/flow").send().await.problem(404, "no_such_process");
}
