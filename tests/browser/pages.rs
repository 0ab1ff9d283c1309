//! Every page, light and dark, wide and narrow: looked at for what makes it hard to use, and kept as a
//! picture.

use beltline::engine::ports::{Collection, Record};
use beltline::model::time::Timestamp;
use beltline::process::parse::version;
use beltline::service::templates::find;
use serde_json::json;

use crate::api::upstream::{NOW, THEN};
use crate::browser::browser::{Browser, NARROW, WIDE};
use crate::browser::make::Make;
use crate::dashboard::timeline::{DEAF, PART, ROUNDS};
use crate::dashboard::visitor::{SHOP, shop};
use crate::support::house::{House, OPERATOR, PASSWORD, task_path};

/// What to look for, as a script for the page.
const LOOK: &str = include_str!("look.js");

/// Logs in.
pub(super) async fn enter(browser: &Browser, house: &House) {
    browser.go(&format!("http://{}/dashboard/login", house.address)).await;
    browser.fill("Token", OPERATOR).await;
    browser.press("Log in").await;
    browser.find("#q").await;
}

/// What is wrong with the page that is shown.
pub(super) async fn look(browser: &Browser) -> Vec<String> {
    let wrong = browser.ask(LOOK).await;
    wrong.as_array().unwrap().iter().map(|it| it.as_str().unwrap().to_owned()).collect()
}

/// A process that names secrets and variables, one of each that nobody has set.
const ASKS: &str = r#"process: asks
title: Asks the shop
nodes:
  start: {kind: input, next: ask}
  ask:
    kind: http
    url: "https://{{var.host}}/x?most={{var.most}}"
    headers: {Authorization: "Bearer {{secret.shop-key}}", X-Api-Key: "{{secret.missing-key}}"}
    next: done
  done: {kind: end}
"#;

/// A house with something on every page.
pub(super) async fn lived_in() -> House {
    let house = shop().await;
    let channel = json!({"via": "webhook", "config": {"url": "http://127.0.0.1:9/", "secret": "made-up-1"}});
    house.api("PUT", "/channels/author").json(&channel).send().await.ok(200);
    orders(&house).await;
    clones(&house).await;
    house.deploy(KINDS).await;
    for text in [ASKS, PART, ROUNDS, DEAF] {
        house.deploy(text).await;
    }
    house.submit("rounds", "one", json!({})).await;
    house.until("/processes/rounds/tasks/one", |it| it["state"] == "waiting").await;
    house.submit("deaf", "one", json!({"long": "Once upon a time. ".repeat(10)})).await;
    house.until("/processes/deaf/tasks/one", |it| it["node"] == "rest").await;
    house.api("POST", "/channels/author/test").send().await;
    let (long, hosts) = ("k".repeat(64), ["api.example.org", "*.shop.example.org:8443"]);
    let all = [("shop-key", &hosts[..]), ("unused", &[]), (&long, &hosts)];
    for (name, hosts) in all {
        let secret = json!({"value": "made-up-3", "hosts": hosts});
        house.api("PUT", &format!("/secrets/{name}")).json(&secret).send().await.ok(200);
    }
    for (name, value) in [("host", json!("shop.example.org")), ("limits", json!({"orders": 40, "on": true}))]
    {
        house.api("PUT", &format!("/vars/{name}")).json(&json!({"value": value})).send().await.ok(200);
    }
    house.api("POST", "/templates/bitrix-oauth/clone").json(&json!({"as": "bitrix"})).send().await.ok(201);
    let params = json!({"portal": "acme", "client_id": "local.1", "client_secret": "made-up-2"});
    house.submit("bitrix", "token", params).await;
    house.until("/processes/bitrix/tasks/token", |it| it["node"] == "authorize").await;
    house
}

/// Kinds that are told apart by outline and colour.
const KINDS: &str = r#"process: kinds
title: Kinds that look alike
nodes:
  start: {kind: input, next: ask}
  ask: {kind: http, title: Asks once, url: "https://api.example.com/", next: all, on_error: refuse}
  all:
    {kind: each, title: Asks for every item, items: ["a"], process: shop, params: {city: "{{item}}"},
     next: done, on_error: tell}
  tell: {kind: escalation, title: Tells a person, message: it failed, notify: [author], next: lost}
  refuse: {kind: raise, title: There is none left, code: out_of_stock, message: there is none left}
  lost: {kind: end, ok: false, title: Lost}
  done: {kind: end, title: Done}
"#;

/// Another version of the shop, with tasks that came and ended.
async fn orders(house: &House) {
    house
        .deploy(
            &SHOP.replace(
                "next_on_timeout: gone\n",
                "next_on_timeout: done\n    limit: {time: 8d, next: gone}\n",
            ),
        )
        .await;
    for at in 0..12 {
        house.submit("shop", &format!("order {at}"), json!({"city": "Riga"})).await;
    }
    for (name, to) in [("order 1", "gone"), ("order 2", "done"), ("order 3", "gone")] {
        house.api("POST", &format!("{}/move", task_path("shop", name))).json(&json!({"to": to})).send().await;
    }
}

/// Two clones of a template that has changed since: one fits together with it, one does not.
async fn clones(house: &House) {
    let base = find("notify-author").unwrap().text.replace(NOW, THEN);
    let from = version(&base);
    let value = json!({"text": base, "by": "template", "at": Timestamp(0)});
    let name = format!("template:notify-author@{from}");
    let record = Record { collection: Collection::Version, name, value, at: Timestamp(0) };
    house.store.put(vec![record]).await.unwrap();
    for (id, mine) in [("tell", THEN), ("clash", "about: Tried as I like it.")] {
        let text = base.replace("process: notify-author", &format!("process: {id}")).replace(THEN, mine);
        house.deploy(&format!("# from template notify-author@{from}\n{text}")).await;
    }
}

/// Users with roles, and a token for a program.
async fn people(house: &House) {
    house.user("ann", Some("admin"), json!({})).await;
    house.user("bob.of-a-long-name@example.org", Some("viewer"), json!({"shop": "operator"})).await;
    let token = json!({"name": "ci", "scopes": ["run"], "processes": ["shop"]});
    house.api("POST", "/tokens").json(&token).send().await.ok(201);
}

/// The pages there are, with names for their pictures.
const PAGES: [(&str, &str); 38] = [
    ("home", "/dashboard"),
    ("process", "/dashboard/p/bitrix"),
    ("yaml", "/dashboard/p/bitrix/yaml"),
    ("process-shop", "/dashboard/p/shop"),
    ("process-kinds", "/dashboard/p/kinds"),
    ("versions", "/dashboard/p/shop#versions"),
    ("param-wrong", "/dashboard/p/shop?param=key%3Dx#tasks"),
    ("param-found", "/dashboard/p/shop?param=city~rig#tasks"),
    ("diff", "/dashboard/p/shop/diff"),
    ("clone", "/dashboard/p/bitrix/clone"),
    ("upstream", "/dashboard/p/tell/template"),
    ("upstream-clash", "/dashboard/p/clash/template"),
    ("edit", "/dashboard/p/bitrix/edit"),
    ("add", "/dashboard/p/bitrix/add"),
    ("task-link", "/dashboard/p/bitrix/task?ref=token"),
    ("task", "/dashboard/p/shop/task?ref=one"),
    ("task-calls", "/dashboard/p/rounds/task?ref=one"),
    ("task-fault", "/dashboard/p/deaf/task?ref=one"),
    ("fault", "/dashboard/faults/http_connect"),
    ("manual", "/dashboard/manual"),
    ("manual-kind", "/dashboard/manual/http"),
    ("manual-filters", "/dashboard/manual/filters"),
    ("manual-tokens", "/dashboard/manual/tokens"),
    ("templates", "/dashboard/templates"),
    ("template", "/dashboard/templates/bitrix-oauth"),
    ("channels", "/dashboard/channels"),
    ("channel", "/dashboard/channels/set?via=telegram"),
    ("secrets", "/dashboard/secrets"),
    ("secrets-end", "/dashboard/secrets?after=z&vars_after=z"),
    ("secret", "/dashboard/secrets/set?name=shop-key"),
    ("var", "/dashboard/vars/set?name=limits"),
    ("search", "/dashboard/search?q=o"),
    ("users", "/dashboard/users"),
    ("account", "/dashboard/account"),
    ("audit", "/dashboard/audit"),
    ("audit-verified", "/dashboard/audit?verify=1"),
    ("about", "/dashboard/about"),
    ("nowhere", "/dashboard/no-such-page"),
];

/// Looks at pages and keeps their pictures; says what is wrong with them.
async fn tour(browser: &Browser, house: &House, pages: &[(&str, &str)], manner: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, path) in pages {
        browser.go(&format!("http://{}{path}", house.address)).await;
        browser.find("main").await;
        let found = look(browser).await;
        wrong.extend(found.into_iter().map(|it| format!("{name} {manner}: {it}")));
        browser.picture(&format!("{name}-{manner}")).await;
    }
    wrong
}

/// The same, light and dark, wide and narrow.
async fn tours(browser: &Browser, house: &House, pages: &[(&str, &str)]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (size, screen) in [("wide", WIDE), ("narrow", NARROW)] {
        browser.size(screen).await;
        for (shade, dark) in [("light", false), ("dark", true)] {
            browser.dark(dark).await;
            wrong.extend(tour(browser, house, pages, &format!("{shade}-{size}")).await);
        }
    }
    wrong
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_easy_to_use_light_and_dark_wide_and_narrow() {
    let house = lived_in().await;
    let browser = Browser::open(Make::Chromium).await;
    let key = house.service.open_setup().await.unwrap().unwrap();
    let setup = format!("/dashboard/setup?key={}", *key);
    let outside = [("login", "/dashboard/login"), ("setup", setup.as_str())];
    let mut wrong = tours(&browser, &house, &outside).await;
    enter(&browser, &house).await;
    people(&house).await;
    wrong.extend(tours(&browser, &house, &PAGES).await);
    // Words are longer in Russian, and a phone has the least room.
    browser.dark(false).await;
    browser.press("По-русски").await;
    browser.reads("In English").await;
    wrong.extend(tour(&browser, &house, &PAGES, "ru-narrow").await);
    browser.close().await;
    assert!(wrong.is_empty(), "{} things are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// A form of a page without any referrer comes from `Origin: null`, and is refused.
async fn first_admin(make: Make) {
    let house = House::open().await;
    let browser = Browser::open(make).await;
    let key = house.service.open_setup().await.unwrap().unwrap();
    browser.go(&format!("http://{}/dashboard/setup?key={}", house.address, *key)).await;
    browser.fill("Name", "ada").await;
    browser.fill("Password", PASSWORD).await;
    browser.fill("The same again", "something else").await;
    browser.press("Begin").await;
    browser.reads("was not typed the same twice").await;
    browser.fill("Password", PASSWORD).await;
    browser.fill("The same again", PASSWORD).await;
    browser.press("Begin").await;
    browser.reads("No process runs here yet").await;
    assert_eq!(browser.path().await, "/dashboard");
    assert!(house.service.open_setup().await.unwrap().is_none(), "there is an admin");
    browser.close().await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_link_of_the_first_start_makes_the_first_admin() {
    first_admin(Make::Chromium).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_link_of_the_first_start_makes_the_first_admin_in_firefox() {
    first_admin(Make::Firefox).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_look_finds_what_is_wrong() {
    let browser = Browser::open(Make::Chromium).await;
    let page = "data:text/html,<body style='background:white'><main><h3 style='color:%23ccc'>x</h3>\
        <input><img src='x'><div style='width:5000px'>y</div></main>";
    browser.go(page).await;
    let wrong = look(&browser).await.join("\n");
    browser.close().await;
    for word in [
        "has no name",
        "has no alt",
        "shows nothing",
        "no language",
        "no title",
        "0 h1",
        "skips a level",
        "hard to read",
    ] {
        assert!(wrong.contains(word), "{word}: {wrong}");
    }
    assert!(wrong.contains("and the screen"), "{wrong}");
}

/// Refs, titles and params that break pages: each would set `window.ran` or the title if it ran.
fn naughty() -> Vec<String> {
    let mut all: Vec<String> = [
        "<script>window.ran=true</script>",
        "</title><script>document.title='RAN'</script>",
        "\"><img src=x onerror=window.ran=true>",
        "' autofocus onfocus='window.ran=true",
        "<svg/onload=window.ran=true>",
        "javascript:window.ran=true",
        "{{7*7}} {% if %} ${window.ran=true} `x`",
        "--><iframe srcdoc=\"<script>parent.ran=true</script>\"></iframe><!--",
        "../../etc/passwd?x=1#y&z=%00%2e",
        "\u{202e}txt.exe \u{200f}\u{61c}שלום مرحبا",
        "Z\u{34f}\u{337}\u{316}a\u{336}\u{30d}l\u{321}g\u{335}\u{31b}o\u{338}\u{344}",
        "👩‍👩‍👧‍👦🏳️‍🌈🇱🇻",
        "田中さんにあげて下さい",
        " leading and trailing ",
        "null",
        "0",
    ]
    .map(str::to_owned)
    .into();
    all.push("W".repeat(255));
    all.push("界".repeat(255));
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn naughty_strings_run_nothing_and_break_nothing() {
    let house = House::open().await;
    let naughty = naughty();
    for (at, text) in naughty.iter().enumerate() {
        let title = serde_json::to_string(text).unwrap();
        let process = SHOP.replace("process: shop", &format!("process: shop{at}"));
        let process = process.replace("title: Orders of the <b>shop</b>", &format!("title: {title}"));
        house.deploy(&process).await;
        house.submit(&format!("shop{at}"), text, json!({"city": text, "lines": [text]})).await;
    }
    let browser = Browser::open(Make::Chromium).await;
    enter(&browser, &house).await;
    browser.size(NARROW).await;
    let mut wrong = Vec::new();
    let mut visit = async |path: String| {
        browser.go(&format!("http://{}{path}", house.address)).await;
        let found = look(&browser).await;
        wrong.extend(found.into_iter().map(|it| format!("{path}: {it}")));
        let ran = browser.ask("return window.ran ?? document.title === 'RAN'").await;
        assert_eq!(ran, json!(false), "{path}: a stranger's script ran");
        let scripts = browser.ask("return document.scripts.length").await;
        assert_eq!(scripts, json!(1), "{path}");
    };
    visit("/dashboard".to_owned()).await;
    for (at, text) in naughty.iter().enumerate() {
        visit(format!("/dashboard/p/shop{at}")).await;
        let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("ref", text).finish();
        visit(format!("/dashboard/p/shop{at}/task?{query}")).await;
        let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("q", text).finish();
        visit(format!("/dashboard/search?{query}")).await;
    }
    browser.close().await;
    assert!(wrong.is_empty(), "{} things are wrong:\n{}", wrong.len(), wrong.join("\n"));
}
