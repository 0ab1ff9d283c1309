//! A graph under a person's hands: dragged, made larger and smaller, with the mouse and with keys.

use serde_json::{Value, json};
use thirtyfour::prelude::*;

use crate::browser::browser::Browser;
use crate::browser::make::Make;
use crate::browser::pages::enter;
use crate::dashboard::visitor::shop;
use crate::support::house::House;

/// Where it is scrolled to, and how wide the picture is.
async fn stands(browser: &Browser) -> (i64, i64, i64) {
    let script = "const it = document.getElementById('graph');\
        const wide = it.querySelector('svg.bl').getBoundingClientRect().width;\
        return [it.scrollLeft, it.scrollTop, wide]";
    let found: Vec<i64> = serde_json::from_value::<Vec<f64>>(browser.ask(script).await)
        .unwrap()
        .into_iter()
        .map(|it| format!("{it:.0}").parse().unwrap())
        .collect();
    (found[0], found[1], found[2])
}

/// A drag from the middle of what `css` finds.
async fn drag(browser: &Browser, css: &str, by: (i64, i64)) {
    let it = browser.find(css).await;
    let drag = browser.driver.action_chain().drag_and_drop_element_by_offset(&it, by.0, by.1);
    drag.release().perform().await.unwrap();
}

async fn open(house: &House) -> Browser {
    let browser = Browser::open(Make::Chromium).await;
    enter(&browser, house).await;
    browser.go(&format!("http://{}/dashboard/p/shop", house.address)).await;
    browser.find("#graph .zoom button").await;
    browser
        .ask("document.getElementById('graph').scrollIntoView({block: 'center', behavior: 'instant'})")
        .await;
    browser
}

#[tokio::test(flavor = "multi_thread")]
async fn a_graph_is_dragged_and_a_node_is_still_clicked() {
    let house = shop().await;
    let browser = open(&house).await;
    for _ in 0..6 {
        browser.find("#graph .zoom button:nth-child(2)").await.click().await.unwrap();
    }
    browser.ask("document.getElementById('graph').scrollTo({left: 0, top: 0, behavior: 'instant'})").await;
    let before = stands(&browser).await;
    // From a node on: it is moved, and nothing is opened.
    drag(&browser, "#graph a[aria-label=ask] .hit", (-120, -80)).await;
    let after = stands(&browser).await;
    assert_eq!(
        (after.0 - before.0, after.1 - before.1, after.2),
        (120, 80, before.2),
        "{before:?} {after:?}"
    );
    assert_eq!(browser.ask("return location.search").await, json!(""));
    // What happens elsewhere makes the picture anew, and leaves it where it was.
    house.submit("shop", "two", json!({"city": "Riga"})).await;
    let live = "return document.querySelector('#graph .badge.live text').textContent";
    browser.until("two tasks stand there", async || browser.ask(live).await == json!("2")).await;
    assert_eq!(stands(&browser).await, after);
    drag(&browser, "#graph a[aria-label=ask] .hit", (20, 20)).await;
    assert_eq!(stands(&browser).await.0, after.0 - 20);
    // A click is a click.
    let node = browser.find("#graph a[aria-label=ask] .hit").await;
    browser.driver.action_chain().click_element(&node).perform().await.unwrap();
    browser
        .until("the tasks of the node are shown", async || {
            browser.ask("return location.search").await == json!("?node=ask")
        })
        .await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_graph_is_made_larger_with_the_wheel_and_with_keys() {
    let house = shop().await;
    let browser = open(&house).await;
    let wheel = |keys: &str| -> String {
        format!(
            "const it = document.getElementById('graph');\
             const turn = new WheelEvent('wheel', {{deltaY: -300, bubbles: true, cancelable: true, {keys}}});\
             it.dispatchEvent(turn); return turn.defaultPrevented"
        )
    };
    let first = stands(&browser).await.2;
    assert_eq!(browser.ask(&wheel("")).await, Value::Bool(false), "the page scrolls");
    assert_eq!(stands(&browser).await.2, first);
    assert_eq!(browser.ask(&wheel("ctrlKey: true, clientX: 600, clientY: 400")).await, Value::Bool(true));
    let larger = stands(&browser).await;
    assert!(larger.2 > first * 2, "{first} {larger:?}");
    browser.ask("document.getElementById('graph').focus()").await;
    let keys = async |keys: &str| {
        browser.driver.action_chain().send_keys(keys).perform().await.unwrap();
        stands(&browser).await
    };
    let moved = keys(&Key::Down.value().to_string()).await;
    assert!(moved.1 > larger.1, "{larger:?} {moved:?}");
    assert!(keys("-").await.2 < larger.2);
    let whole = keys("0").await;
    let fits = "const it = document.getElementById('graph'); return it.scrollHeight <= it.clientHeight + 1";
    assert_eq!(browser.ask(fits).await, Value::Bool(true), "{whole:?}");
    browser.close().await;
}
