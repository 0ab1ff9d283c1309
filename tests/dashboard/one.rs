//! The page of one process: what its versions changed, how much comes and goes.

use serde_json::json;

use crate::api::upstream::{NOW, Old, THEN};
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
    let at = SHOP.lines().position(|it| it.contains("title: Pack it")).unwrap() + 1;
    let cells = format!("<td class=\"n\"></td><td class=\"n\">{at}</td><td class=\"sign\">+</td>");
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
    // A bad end looks like one, whichever way leads there.
    let bad = "class=\"node k-end trouble\" data-node=\"gone\"";
    assert!(page.contains(bad) && page.contains("class=\"node k-end\" data-node=\"done\""), "{page}");
    house.service.keep_flows().await.unwrap();
    let since = house.api("GET", "/processes/shop/flow").send().await.ok(200)["since"].clone();
    let house = House::build(Plan { store: house.close().await, ..Plan::default() }).await;
    let again = house.api("GET", "/processes/shop/flow").send().await.ok(200);
    let came: u64 = again["hours"].as_array().unwrap().iter().map(|it| it["came"].as_u64().unwrap()).sum();
    assert_eq!((came, &again["since"]), (4, &since), "{again}");
    house.api("GET", "/processes/none/flow").send().await.problem(404, "no_such_process");
}

#[tokio::test]
async fn tasks_are_found_by_what_they_carry() {
    let house = shop().await;
    for (name, city, many) in [("a", "Oslo", 12), ("b", "Olaine", 12), ("c", "Oslo", 3)] {
        let params = json!({"city": city, "many": many, "lines": [{"sku": city}], "key": "open-sesame-17"});
        house.submit("shop", name, params).await;
    }
    let visitor = Visitor::operator(&house).await;
    let find = async |query: &str| -> Vec<&str> {
        let page = visitor.page(&format!("/dashboard/p/shop?{query}")).await;
        ["one", "a", "b", "c"].into_iter().filter(|it| page.contains(&format!("<bdi>{it}</bdi>"))).collect()
    };
    for (query, found) in [
        ("param=city%3DOslo", vec!["a", "c"]),
        ("param=city%3DOsl", vec![]),
        ("param=city%7EOL", vec!["b"]),
        ("param=many%3D12", vec!["a", "b"]),
        ("param=many%3D12&ref=a", vec!["a"]),
        ("param=lines.0.sku%3DOlaine", vec!["b"]),
        ("param=city%3DOslo&node=rest", vec![]),
        ("param=none%3D1", vec![]),
        // Whoever cannot see a secret does not find it, nor all that have one.
        ("param=copy%3Dopen-sesame-17", vec![]),
        ("param=copy%3D***", vec![]),
    ] {
        assert_eq!(find(query).await, found, "{query}");
    }
    let page = visitor.page("/dashboard/p/shop?param=city%3DOslo").await;
    assert!(page.contains("Tasks looked through: 4") && page.contains("value=\"city=Oslo\""), "{page}");
    for (query, words) in [
        ("param=Oslo", "Write `name=value`"),
        ("param=key%3Dopen", "`key` is secret, so no task is found by it."),
    ] {
        let page = visitor.page(&format!("/dashboard/p/shop?{query}")).await;
        let wrong = page.split("id=\"param-wrong\"").nth(1).and_then(|it| it.split("</p>").next());
        let wrong = wrong.unwrap_or_default().replace("&#39;", "'");
        assert!(wrong.contains(words) && page.contains("aria-invalid"), "{query}: {page}");
    }
    let tasks = "/processes/shop/tasks";
    let found = house.api("GET", &format!("{tasks}?param=many%3D12&limit=1")).send().await.ok(200);
    assert_eq!((&found["items"][0]["ref"], found["items"].as_array().unwrap().len()), (&json!("a"), 1));
    let next = found["next"].as_str().unwrap();
    let rest = house.api("GET", &format!("{tasks}?param=many%3D12&cursor={next}")).send().await.ok(200);
    assert_eq!(
        (&rest["items"][0]["ref"], &rest["looked"], &rest["next"]),
        (&json!("b"), &json!(2), &json!(null))
    );
    house.api("GET", &format!("{tasks}?param=many")).send().await.problem(422, "bad_param_filter");
    house.api("GET", &format!("{tasks}?param=key~o")).send().await.problem(422, "secret_param_filter");
    let all = house.api("GET", "/tasks?param=city~OL").send().await.ok(200);
    assert_eq!(all["items"].as_array().unwrap().len(), 1, "{all}");
}

#[tokio::test]
async fn what_is_not_looked_through_is_said() {
    let house = House::open().await;
    house
        .deploy(
            "process: many\nparams: {n: {type: integer}}\nnodes:\n  start: {kind: input, next: hold}\n  \
                 hold: {kind: wait, next: done}\n  done: {kind: end}\n",
        )
        .await;
    let lines: Vec<String> =
        (0..2_010).map(|n| format!("{{\"ref\":\"t{n}\",\"params\":{{\"n\":{n}}}}}")).collect();
    let call = house.api("POST", "/processes/many/tasks");
    call.body("application/x-ndjson", lines.join("\n")).send().await;
    house.submit("many", "last", json!({"n": 2_010})).await;
    let visitor = Visitor::operator(&house).await;
    let page = visitor.page("/dashboard/p/many?param=n%3D2010").await;
    assert!(page.contains("None of those looked through is like that; there are more."), "{page}");
    assert!(page.contains("Tasks looked through: 2000"), "{page}");
    let link = page.split("href=\"").find(|it| it.contains("cursor=")).unwrap();
    let link = link.split('"').next().unwrap().replace("&#38;", "&").replace("#tasks", "");
    let further = visitor.page(&link).await;
    assert!(further.contains("<bdi>last</bdi>") && further.contains("Tasks looked through: 11"), "{further}");
}

#[tokio::test]
async fn a_process_is_cloned_with_its_comments_and_without_tasks_or_secrets() {
    let house = House::open().await;
    let text = SHOP.replace("nodes:", "# Ours, and to stay.\nnodes:");
    house.deploy(&text).await;
    house.submit("shop", "one", json!({"city": "Riga", "key": "open-sesame-17"})).await;
    let visitor = Visitor::operator(&house).await;
    assert!(visitor.page("/dashboard/p/shop").await.contains("href=\"/dashboard/p/shop/clone\""));
    visitor.page("/dashboard/p/shop/clone").await;
    for (name, status, words) in
        [("shop", 409, "Process `shop` exists already."), ("No such id!", 422, "name-wrong")]
    {
        let page =
            visitor.refused(status, "/dashboard/p/shop/clone", &[("name", name), ("title", "x")]).await;
        assert!(page.contains(words) && page.contains("aria-invalid"), "{name}: {page}");
    }
    let fields = [("name", "shop-2"), ("title", "The <other> \"one\"")];
    let page = visitor.done("/dashboard/p/shop/clone", &fields).await;
    assert!(page.contains("The process was cloned and deployed.") && page.contains("No task has come in"));
    let plain = visitor.get("/dashboard/p/shop-2/yaml?plain=1").await.text;
    let wanted = text
        .replace("process: shop\n", "process: shop-2\n")
        .replace("title: Orders of the <b>shop</b>", "title: \"The <other> \\\"one\\\"\"");
    assert_eq!(plain, wanted);
    let body = json!({"as": "shop-3"});
    let done = house.api("POST", "/processes/shop-2/clone").json(&body).send().await.ok(201);
    assert_eq!(done["id"], "shop-3");
    house.api("POST", "/processes/none/clone").json(&body).send().await.problem(404, "no_such_process");
    // A secret that is written out is not carried along.
    let open =
        SHOP.replace("key: {type: string, secret: true,", "key: {type: string, secret: true, default: kept,");
    house.deploy(&open).await;
    let refused = house.api("POST", "/processes/shop/clone").json(&json!({"as": "shop-4"})).send().await;
    let refused = refused.problem(409, "secret_in_text");
    assert!(!refused.to_string().contains("kept"), "{refused}");
    // Rights: to look at the one, and to edit the other.
    house.user("vic", Some("viewer"), json!({})).await;
    house.user("eve", None, json!({"own": "editor"})).await;
    let viewer = Visitor::user(&house, "vic", PASSWORD).await;
    assert!(!viewer.page("/dashboard/p/shop").await.contains("shop/clone"));
    assert_eq!(viewer.post("/dashboard/p/shop/clone", &[("name", "mine")]).await.status, 403);
    let other = Visitor::user(&house, "eve", PASSWORD).await;
    assert_eq!(other.post("/dashboard/p/shop/clone", &[("name", "own")]).await.status, 403);
}

#[tokio::test]
async fn what_changed_in_the_template_is_told_shown_and_taken_over() {
    let old = Old::new(true, &[("times: 12", "times: 20")]).await;
    let visitor = Visitor::operator(&old.house).await;
    let page = visitor.page("/dashboard/p/tell").await;
    assert!(page.contains("The template this was cloned from has changed since."), "{page}");
    let news = visitor.page("/dashboard/p/tell/template").await;
    assert!(news.contains(THEN) && news.contains(NOW) && news.contains("Take it over and deploy"), "{news}");
    let page = visitor.done("/dashboard/p/tell/template", &[]).await;
    assert!(page.contains("What changed in the template is taken over."), "{page}");
    assert!(!page.contains("has changed since"), "{page}");
    let text = visitor.get("/dashboard/p/tell/yaml?plain=1").await.text;
    assert!(text.contains(NOW) && text.contains("times: 20"), "{text}");
    assert!(visitor.page("/dashboard/p/tell/template").await.contains("Nothing changed in the template."));
}

#[tokio::test]
async fn where_both_changed_the_same_a_person_chooses() {
    let old = Old::new(true, &[(THEN, "about: Tried as I like it.")]).await;
    let visitor = Visitor::operator(&old.house).await;
    let news = visitor.page("/dashboard/p/tell/template").await;
    for part in ["You and the template changed the same lines", "Tried as I like it.", NOW, "Open both"] {
        assert!(news.contains(part), "{part}: {news}");
    }
    assert!(!news.contains("Take it over and deploy"), "{news}");
    let page = visitor.refused(409, "/dashboard/p/tell/template", &[]).await;
    assert!(page.contains("You and the template changed the same lines"), "{page}");
    let answer = visitor.post("/dashboard/p/tell/template", &[("open", "1")]).await;
    let marked = "&#60;&#60;&#60;&#60;&#60;&#60;&#60; ours";
    assert!(answer.status == 200 && answer.text.contains(marked), "{}", answer.text);
    // Whose base is not known is shown what differs; who may only look is offered nothing.
    let old = Old::new(false, &[]).await;
    let visitor = Visitor::operator(&old.house).await;
    let news = visitor.page("/dashboard/p/tell/template").await;
    assert!(
        news.contains("is not known here") && news.contains(NOW) && !news.contains("Take it over"),
        "{news}"
    );
    old.house.user("vic", Some("viewer"), json!({})).await;
    let viewer = Visitor::user(&old.house, "vic", PASSWORD).await;
    let news = viewer.page("/dashboard/p/tell/template").await;
    assert!(news.contains(NOW) && !news.contains("<form class=\"card form\""), "{news}");
    assert_eq!(visitor.get("/dashboard/p/none/template").await.status, 404);
}
