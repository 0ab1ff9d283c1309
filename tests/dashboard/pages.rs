//! What pages show: all of it, as text, and light.

use serde_json::json;

use crate::dashboard::visitor::{Visitor, shop, whole};
use crate::support::house::{House, task_path};
use crate::support::issuer::{Issuer, KEEPER};

#[tokio::test]
async fn home_shows_what_runs() {
    let house = shop().await;
    let page = Visitor::operator(&house).await.page("/dashboard").await;
    assert!(page.contains("Nothing needs a person."), "{page}");
    assert!(
        page.contains("Orders of the &#60;b&#62;shop&#60;/b&#62;") && !page.contains("<b>shop"),
        "{page}"
    );
}

#[tokio::test]
async fn a_process_shows_its_graph_and_its_tasks() {
    let house = shop().await;
    let visitor = Visitor::operator(&house).await;
    let page = visitor.page("/dashboard/p/shop").await;
    assert!(
        page.contains("<svg") && page.contains("class=\"badge live\"") && page.contains("data-node=\"ask\"")
    );
    assert!(page.contains("href=\"/dashboard/p/shop?node=ask#tasks\""), "a node leads to its tasks");
    assert!(page.contains("<bdi>one</bdi>"));
    let at = async |query: &str| visitor.page(&format!("/dashboard/p/shop?{query}")).await;
    for (query, found) in
        [("node=ask", true), ("node=rest", false), ("state=waiting", true), ("state=done", false)]
    {
        assert_eq!(at(query).await.contains("<bdi>one</bdi>"), found, "{query}");
    }
    assert!(
        at("ref=on").await.contains("<bdi>one</bdi>") && at("ref=x").await.contains("No task is like that.")
    );
    let yaml = visitor.page("/dashboard/p/shop/yaml").await;
    assert!(yaml.contains("process: shop") && yaml.contains("&#60;b&#62;"), "{yaml}");
    let plain = visitor.get("/dashboard/p/shop/yaml?plain=1").await;
    assert_eq!(plain.header("content-type"), "text/plain; charset=utf-8");
    assert_eq!(visitor.get("/dashboard/p/none").await.status, 404);
    assert_eq!(visitor.get("/dashboard/p/no%20such%20id").await.status, 404);
}

#[tokio::test]
async fn a_task_shows_where_it_stands_and_what_is_next() {
    let house = shop().await;
    let visitor = Visitor::operator(&house).await;
    let page = visitor.page("/dashboard/p/shop/task?ref=one").await;
    for words in [
        "Waits for a person",
        "Whoever opens the link lets the order go on.",
        "Wakes by itself at the latest",
        "class=\"button go big\"",
        "Yes, cancel this task",
        "class=\"history\"",
        "class=\"hit now\"",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let found = visitor.page("/dashboard/search?q=on").await;
    assert!(found.contains("<bdi>one</bdi>"), "{found}");
}

#[tokio::test]
async fn what_strangers_wrote_is_text_everywhere() {
    let house = shop().await;
    let visitor = Visitor::operator(&house).await;
    let naughty = [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "'--><svg onload=alert(1)>",
        "../",
        "a/b/../c?d=e&f#g",
        "%2e%2e%2f%00",
        "{{7*7}} {% raw %} ${1}",
        "\u{202e}gnp.exe",
        "Z\u{34f}a\u{300}\u{301}\u{302}l\u{323}\u{324}go",
        "田中さんにあげて下さい",
        "👩‍👩‍👧‍👦 ❤️",
        " leading and trailing ",
        "javascript:alert(1)",
        "&lt;not twice&gt;",
    ];
    for text in naughty {
        let fields = [("ref", text), ("p.city", text), ("p.key", text)];
        let page = visitor.done("/dashboard/p/shop/add", &fields).await;
        assert!(page.contains("The task was added."), "{text}: {page}");
        assert!(!page.contains("<img src=x") && !page.contains("<svg onload"), "{text}: {page}");
        let list = visitor.page("/dashboard/p/shop").await;
        let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("q", text).finish();
        let found = visitor.page(&format!("/dashboard/search?{query}")).await;
        for page in [list, found] {
            assert!(!page.contains("<img src=x") && !page.contains("<svg onload"), "{text}: {page}");
        }
        let order = [("ref", text), ("p.city", "Oslo")];
        visitor.done("/dashboard/p/shop/task/modify", &order).await;
    }
    let odd = visitor.get("/dashboard/%3Cscript%3Ealert(1)%3C/script%3E").await;
    assert_eq!(odd.status, 404);
    whole("an odd path", odd);
}

#[tokio::test]
async fn a_link_that_runs_something_is_not_shown_as_one() {
    let house = House::open().await;
    house
        .deploy(
            "process: bad\nparams: {to: {type: string}}\nnodes:\n  start: {kind: input, next: ask}\n  \
             ask: {kind: wait, link: \"{{to}}{{task.key}}\", next: done}\n  done: {kind: end}\n",
        )
        .await;
    house.submit("bad", "one", json!({"to": "javascript:alert(1)//"})).await;
    house.until("/processes/bad/tasks/one", |it| it["state"] == "waiting").await;
    let page = Visitor::operator(&house).await.page("/dashboard/p/bad/task?ref=one").await;
    assert!(!page.contains("href=\"javascript"), "{page}");
}

#[tokio::test]
async fn pages_stay_light() {
    let house = shop().await;
    let visitor = Visitor::operator(&house).await;
    let long = "word ".repeat(30_000);
    house
        .submit("shop", "heavy", json!({"city": long, "key": "k-1", "lines": vec!["x".repeat(1_000); 100]}))
        .await;
    for at in 0..60 {
        house
            .submit("shop", &format!("{at}-{}", "long ".repeat(40)), json!({"city": "x".repeat(2_000)}))
            .await;
    }
    visitor.page("/dashboard/p/shop/task?ref=heavy").await;
    for _ in 0..60 {
        let fields = [("ref", "heavy"), ("p.city", long.as_str())];
        visitor.done("/dashboard/p/shop/task/modify", &fields).await;
    }
    visitor.page("/dashboard/p/shop/task?ref=heavy").await;
    let page = visitor.page("/dashboard/p/shop").await;
    assert!(page.contains("Next page"));
    let node = |at: u32| {
        let next = at + 1;
        format!("  n{at}: {{kind: delay, for: 1h, title: Node number {at}, next: n{next}}}\n")
    };
    let nodes = (0..600).map(node).collect::<Vec<_>>().concat();
    house
        .deploy(&format!(
            "process: large\nnodes:\n  start: {{kind: input, next: n0}}\n{nodes}  n600: {{kind: end}}\n"
        ))
        .await;
    assert!(visitor.page("/dashboard/p/large").await.contains("The graph is too large"));
    visitor.page("/dashboard/p/large/yaml").await;
    for template in ["bitrix-oauth", "bitrix-lead", "notify-author"] {
        visitor.page(&format!("/dashboard/templates/{template}")).await;
    }
}

#[tokio::test]
async fn the_style_and_the_script_are_ours_and_kept_for_ever() {
    let house = House::open().await;
    let stranger = Visitor::stranger(&house);
    let page = stranger.page("/dashboard/login").await;
    let links: Vec<&str> =
        page.split(['"', '\'']).filter(|it| it.starts_with("/dashboard/assets/")).collect();
    assert!(links.len() >= 3);
    for link in links {
        let answer = stranger.get(link).await;
        assert_eq!(answer.status, 200, "{link}");
        assert!(answer.header("cache-control").contains("immutable"), "{link}");
        assert!(answer.text.len() < 40 * 1024, "{link} weighs {}", answer.text.len());
    }
    assert_eq!(stranger.get("/dashboard/assets/old.css").await.status, 404);
}

#[tokio::test]
async fn a_page_is_told_when_it_is_old() {
    let house = shop().await;
    let visitor = Visitor::operator(&house).await;
    let mut line = visitor.listen("/dashboard/events?process=shop").await;
    let mut next = async || {
        let told = tokio::time::timeout(std::time::Duration::from_secs(20), line.chunk()).await;
        told.expect("it is told").unwrap().unwrap()
    };
    assert_eq!(next().await, ": live\n\n".as_bytes(), "it begins at once");
    house.submit("shop", "new", json!({"city": "Riga"})).await;
    let told = next().await;
    assert!(told.starts_with(b"event: old\ndata: "), "{told:?}");
}

#[tokio::test]
async fn tokens_are_shown_with_how_long_they_live() {
    let (house, issuer) = (shop().await, Issuer::new(&[(0, 3_600), (3_600, -60)]).await);
    house.deploy(KEEPER).await;
    for name in ["alive", "dead"] {
        house.submit("keeper", name, issuer.params()).await;
        house.until(&task_path("keeper", name), |it| it["node"] == "nap").await;
    }
    let visitor = Visitor::operator(&house).await;
    let home = visitor.page("/dashboard").await;
    let (dead, alive) = (home.find("<bdi>dead</bdi>").unwrap(), home.find("<bdi>alive</bdi>").unwrap());
    assert!(dead < alive, "what needs a person is first");
    let needs = home.split("<div id=\"tokens\"").next().unwrap();
    assert!(needs.contains("The last safe moment to wake a person was <time"), "{home}");
    assert!(needs.contains("<bdi>dead</bdi>") && !needs.contains("<bdi>alive</bdi>"), "{home}");
    assert!(!home.contains("Nothing needs a person.") && home.contains("Wake a person by"), "{home}");
    assert!(home.contains("59 min") || home.contains("1 h"), "{home}");
    let task = visitor.page("/dashboard/p/keeper/task?ref=alive").await;
    assert!(task.contains("good for") && task.contains("The last safe moment to wake a person:"), "{task}");
    let task = visitor.page("/dashboard/p/keeper/task?ref=dead").await;
    assert!(task.contains("<strong class=\"badtext\">dead</strong>"), "{task}");
    assert!(!home.contains("token-1") && !task.contains("token-2"));
}

#[tokio::test]
async fn a_process_shows_its_ways_in_and_when_it_runs() {
    let house = House::open().await;
    house
        .deploy(
            "process: doors\nparams: {a: {type: string}}\nhooks:\n  \
             in: {public: true, about: \"<b>Anybody</b>\"}\n\
             schedule:\n  - {name: yearly, cron: \"0 9 1 1 *\", zone: Europe/Riga}\nnodes:\n  \
             start: {kind: input, next: done}\n  done: {kind: end}\n",
        )
        .await;
    let page = Visitor::operator(&house).await.page("/dashboard/p/doors").await;
    assert!(page.contains("/hooks/doors/in") && !page.contains("<b>Anybody"), "{page}");
    assert_eq!(page.matches(" 1 Jan ").count(), 5, "{page}");
}
