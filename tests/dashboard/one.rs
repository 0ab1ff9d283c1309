//! The page of one process: what its versions changed.

use crate::dashboard::visitor::{SHOP, Visitor, shop};
use crate::support::house::{House, PASSWORD};

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
    let moved = house.api("POST", "/processes/shop/tasks/one/move").json(&serde_json::json!({"to": "hold"}));
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
    house.user("vic", Some("viewer"), serde_json::json!({})).await;
    let viewer = Visitor::user(&house, "vic", PASSWORD).await;
    assert!(!viewer.page("/dashboard/p/shop").await.contains("/again"));
    assert_eq!(viewer.post("/dashboard/p/shop/again", &[("version", second.as_str())]).await.status, 403);
}
