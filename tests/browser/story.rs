//! The whole story of keeping a token, by clicking.

use beltline::cli::config::Config;
use beltline::cli::env::Env;
use beltline::cli::stage::DemoStage;
use beltline::sim::config::{DEMO_CLIENT_ID, DEMO_CLIENT_SECRET};
use beltline::sim::notifiers::Keys;
use serde_json::json;

use crate::browser::browser::Browser;
use crate::browser::front;
use crate::browser::make::Make;

/// The engine, the simulated portal and its Telegram, and a channel to the author.
async fn stage() -> DemoStage {
    drop(rustls::crypto::ring::default_provider().install_default());
    let stage = DemoStage::set(&Config::gather(&[], None, &Env::default()).unwrap()).await.unwrap();
    let config = json!({
        "chat_id": "1234", "token": Keys::default().telegram_token, "base_url": stage.sim.providers_url,
    });
    let channel = json!({"via": "telegram", "config": config});
    stage.remote.put("/api/v1/channels/author", &channel).await.unwrap();
    stage
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_got_kept_lost_and_healed_by_clicking() {
    by_clicking(Make::Chromium).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_got_kept_lost_and_healed_by_clicking_in_firefox() {
    by_clicking(Make::Firefox).await;
}

async fn by_clicking(make: Make) {
    let stage = stage().await;
    let browser = Browser::open(make).await;
    // The old tutorial: clone the template …
    browser.go(stage.remote.base()).await;
    browser.fill("Token", stage.remote.token()).await;
    browser.press("Log in").await;
    browser.reads("No process runs here yet").await;
    browser.press("Choose a template").await;
    browser.press("Bitrix24 access token").await;
    browser.fill("Id of the new process", "bitrix").await;
    browser.press("Clone").await;
    browser.reads("The process was made and deployed").await;
    // … "Add task", untick "Autogenerate reference", type `token`, "Send task".
    browser.press("Add task").await;
    browser.tick("Autogenerate reference", false).await;
    browser.fill("Reference", "token").await;
    browser.fill("portal", &stage.sim.portal_url).await;
    browser.fill("client_id", DEMO_CLIENT_ID).await;
    browser.fill("client_secret", DEMO_CLIENT_SECRET).await;
    browser.fill("scope", "crm").await;
    browser.fill("renew_every", "10s").await;
    browser.fill("oauth_host", &stage.sim.token_url).await;
    browser.press("Send task").await;
    browser.reads("Waits for a person to open the authorization link").await;
    // No code is pasted: the one big button leads to the portal, which sends the browser back.
    authorize(&browser).await;
    browser.reads("All is well until the next renewal").await;
    // Renewed while one looks.
    let renewed = async || stage.task("bitrix", "token").await.unwrap()["params"]["renewed_at"].as_i64();
    let first = renewed().await;
    browser.until("the token is renewed", async || renewed().await > first).await;
    if make == Make::Chromium {
        front::take(&browser).await;
    }
    // Broken: the page says so, and so does Telegram.
    stage.refuse(true).await.unwrap();
    browser.reads("doesn't update").await;
    browser.until("Telegram tells", async || told(&stage, "doesn't update").await).await;
    // Healed by following its link.
    stage.refuse(false).await.unwrap();
    authorize(&browser).await;
    browser.reads("All is well until the next renewal").await;
    browser.until("Telegram tells", async || told(&stage, "Resolved").await).await;
    browser.close().await;
    stage.strike().await;
}

/// Follows the link in another tab, as the button does, and comes back.
async fn authorize(browser: &Browser) {
    let here = browser.driver.window().await.unwrap();
    browser.press("Open").await;
    browser.until("a tab opens", async || browser.driver.windows().await.unwrap().len() == 2).await;
    let tabs = browser.driver.windows().await.unwrap();
    let there = tabs.into_iter().find(|tab| *tab != here).unwrap();
    browser.driver.switch_to_window(there).await.unwrap();
    browser.until("the callback answers", async || browser.path().await == "/oauth/callback").await;
    browser.driver.close_window().await.unwrap();
    browser.driver.switch_to_window(here).await.unwrap();
}

async fn told(stage: &DemoStage, words: &str) -> bool {
    stage.messages().await.unwrap().iter().any(|it| it.contains(words))
}
