//! What a person does on the pages beside the story: mistakes in a form, mistakes in a text, a deploy that
//! would strand tasks, a task that failed, and all of it without a mouse.

use beltline::model::time::Span;
use beltline::outbound::batcher::Grouping;
use serde_json::json;
use thirtyfour::prelude::*;

use crate::browser::browser::{Browser, NARROW, WIDE};
use crate::browser::make::Make;
use crate::browser::pages::{enter, look};
use crate::dashboard::home::{ALARMS, TELLS};
use crate::dashboard::visitor::{SHOP, shop};
use crate::support::house::{House, Plan};

async fn at(browser: &Browser, house: &House, path: &str) {
    browser.go(&format!("http://{}{path}", house.address)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_says_beside_each_field_what_is_wrong() {
    let house = shop().await;
    let browser = Browser::open(Make::Chromium).await;
    enter(&browser, &house).await;
    at(&browser, &house, "/dashboard/p/shop/add").await;
    browser.tick("Autogenerate reference", false).await;
    browser.fill("Reference", "one").await;
    browser.fill("many", "a dozen").await;
    browser.press("Send task").await;
    browser.find("#ref-wrong, .bad .wrong").await;
    // What was typed stays, and the first wrong field has the focus.
    assert_eq!(browser.field("many").await.value().await.unwrap().as_deref(), Some("a dozen"));
    let focused = browser.ask("return document.activeElement.closest('.field.bad') !== null").await;
    assert_eq!(focused, json!(true));
    assert_eq!(look(&browser).await, Vec::<String>::new());
    browser.fill("city", "Riga").await;
    browser.fill("many", "12").await;
    browser.press("Send task").await;
    // The name is another task's, and a link leads to that.
    browser.press("Show that task").await;
    browser.reads("Waits for a person").await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_text_is_underlined_and_nothing_is_lost() {
    let house = shop().await;
    let browser = Browser::open(Make::Chromium).await;
    enter(&browser, &house).await;
    at(&browser, &house, "/dashboard/p/shop").await;
    browser.press("Edit").await;
    browser.find(".editor .numbers span").await;
    type_text(&browser, &SHOP.replace("next: rest, on_error: gone", "next: rset, on_error: gone")).await;
    browser.reads("did you mean `rest`").await;
    let marked =
        browser.ask("return [...document.querySelectorAll('.under mark')].map(it => it.textContent)").await;
    // The slip, and the nodes that nobody reaches because of it.
    assert_eq!(marked, json!(["rset", "rest", "done"]));
    assert_eq!(look(&browser).await, Vec::<String>::new());
    // A reload loses nothing.
    browser.driver.refresh().await.unwrap();
    browser.reads("What you typed here before is back").await;
    browser.reads("did you mean `rest`").await;
    browser.press("Deploy").await;
    browser.reads("did you mean `rest`").await;
    // Mended, the graph is drawn anew, and it can be deployed.
    type_text(&browser, &SHOP.replace("title: Rests for a day", "title: Rests for two days")).await;
    browser.reads("Nothing is wrong with it").await;
    browser.until("the graph is drawn anew", async || graph(&browser).await.contains("two days")).await;
    browser.press("Deploy").await;
    browser.reads("The process is deployed").await;
    at(&browser, &house, "/dashboard/p/shop/edit").await;
    let text = browser.field("The YAML").await.value().await.unwrap().unwrap();
    assert!(text.contains("two days"), "{text}");
    assert_eq!(browser.ask("return document.getElementById('restored').hidden").await, json!(true));
    browser.close().await;
}

async fn graph(browser: &Browser) -> String {
    browser.ask("return document.getElementById('graph').textContent").await.as_str().unwrap().to_owned()
}

/// In place of all that stands there, as somebody who pastes.
async fn type_text(browser: &Browser, text: &str) {
    let script = "const area = document.getElementById('text'); area.focus(); area.select(); \
        document.execCommand('insertText', false, arguments[0]);";
    browser.driver.execute(script, vec![json!(text)]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_that_strands_asks_where_the_tasks_go() {
    let house = shop().await;
    let browser = Browser::open(Make::Chromium).await;
    enter(&browser, &house).await;
    at(&browser, &house, "/dashboard/p/shop/edit").await;
    browser.find(".editor .numbers span").await;
    let renamed = SHOP.replace("next: ask}", "next: asks}").replace("  ask:\n", "  asks:\n");
    type_text(&browser, &renamed).await;
    browser.reads("Nothing is wrong with it").await;
    browser.press("Deploy").await;
    browser.reads("Say where they go").await;
    assert_eq!(look(&browser).await, Vec::<String>::new());
    browser.driver.find(By::Css("option[value=rest]")).await.unwrap().click().await.unwrap();
    browser.press("Deploy").await;
    browser.reads("The process is deployed").await;
    house.until("/processes/shop/tasks/one", |it| it["node"] == "rest").await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_task_is_retried_without_a_mouse() {
    let house = House::open().await;
    house
        .deploy(
            "process: once\nparams: {city: {type: string}}\nnodes:\n  start: {kind: input, next: say}\n  \
        say: {kind: set, set: {copy: \"{{city}}\"}, next: done}\n  done: {kind: end}\n",
        )
        .await;
    house.submit("once", "x", json!({})).await;
    house.until("/processes/once/tasks/x", |it| it["state"] == "failed").await;
    let browser = Browser::open(Make::Chromium).await;
    enter(&browser, &house).await;
    at(&browser, &house, "/dashboard").await;
    // `/` searches, Enter goes, and Tab reaches every button in the order it is read.
    let body = browser.driver.find(By::Tag("body")).await.unwrap();
    body.send_keys("/").await.unwrap();
    type_keys(&browser, "once").await;
    type_keys(&browser, Key::Enter).await;
    browser.reads("once").await;
    tab_to(&browser, "once").await;
    type_keys(&browser, Key::Enter).await;
    browser.find("#tasks").await;
    tab_to(&browser, "x").await;
    type_keys(&browser, Key::Enter).await;
    browser.reads("missing_param").await;
    house.api("POST", "/processes/once/tasks/x/retry").json(&json!({})).send().await;
    tab_to(&browser, "Retry from here").await;
    type_keys(&browser, Key::Enter).await;
    browser.reads("The task tries again").await;
    browser.close().await;
}

async fn type_keys(browser: &Browser, keys: impl Into<TypingData>) {
    browser.driver.active_element().await.unwrap().send_keys(keys).await.unwrap();
}

/// Presses Tab until that has the focus; it is seen that it has.
async fn tab_to(browser: &Browser, name: &str) {
    for _ in 0..80 {
        type_keys(browser, Key::Tab).await;
        let active = browser.driver.active_element().await.unwrap();
        if active.text().await.unwrap().trim() == name {
            let outline = active.css_value("outline-style").await.unwrap();
            assert_ne!(outline, "none", "nobody sees that `{name}` has the focus");
            return;
        }
    }
    panic!("`{name}` is not reached by Tab");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_many_alarms_goes_from_page_to_page() {
    let house = House::build(Plan { grouping: Grouping::new(Span(0), Span(0)), ..Plan::default() }).await;
    house.deploy(TELLS).await;
    for at in 0..ALARMS {
        house.submit("a", &format!("t{at}"), json!({})).await;
    }
    house.until("/alarms", |it| it["items"].as_array().unwrap().len() == ALARMS).await;
    let browser = Browser::open(Make::Chromium).await;
    enter(&browser, &house).await;
    browser.reads("and more: 10").await;
    for (name, size) in [("wide", WIDE), ("narrow", NARROW)] {
        for dark in [false, true] {
            browser.size(size).await;
            browser.dark(dark).await;
            assert_eq!(look(&browser).await, Vec::<String>::new());
            browser.find("a.button[href*=alarms_after]").await.scroll_into_view().await.unwrap();
            browser.picture(&format!("alarms-{name}-{}", if dark { "dark" } else { "light" })).await;
        }
    }
    browser.press("Next page").await;
    browser.reads("t39").await;
    assert!(!browser.text().await.contains("and more"), "there is no third page");
    browser.close().await;
}
