//! The page of secrets and variables: written and never shown, missing and named, refused and noted.

use serde_json::{Value, json};

use crate::corpora::naughty_strings;
use crate::dashboard::visitor::Visitor;
use crate::support::house::{House, PASSWORD};

const PAGE: &str = "/dashboard/secrets";
const SET: &str = "/dashboard/secrets/set";
const SET_VAR: &str = "/dashboard/vars/set";

/// A process that names two secrets and a variable.
const ASKS: &str = r#"process: asks
nodes:
  start: {kind: input, next: ask}
  ask:
    kind: http
    url: "https://{{var.shop_host}}/x"
    headers: {Authorization: "Bearer {{secret.api_key}}", X-Other: "{{secret.other-key}}"}
    next: done
  done: {kind: end}
"#;

async fn did(house: &House) -> Vec<String> {
    let lines = house.api("GET", "/audit").send().await.ok(200);
    let words = |it: &Value| format!("{} {}", it["did"].as_str().unwrap(), it["to"].as_str().unwrap());
    lines["items"].as_array().unwrap().iter().map(words).collect()
}

#[tokio::test]
async fn a_secret_is_set_changed_and_removed_and_never_shown() {
    let house = House::open().await;
    let visitor = Visitor::operator(&house).await;
    let empty = visitor.page(PAGE).await;
    assert!(empty.contains("No secret is set") && empty.contains("No variable is set"), "{empty}");
    assert!(empty.contains("aria-current=\"page\">Secrets</a>"), "{empty}");
    let fields = [("name", "api_key"), ("value", "hush-hush-1"), ("hosts", "api.example.org, *.example.com")];
    let page = visitor.done(SET, &fields).await;
    assert!(page.contains("The secret is set.") && page.contains("api.example.org, *.example.com"), "{page}");
    assert!(page.contains("no process</span>") && page.contains("by local"), "{page}");
    assert!(!page.contains("hush-hush-1"));
    let form = visitor.page("/dashboard/secrets/set?name=api_key").await;
    assert!(form.contains("<textarea class=\"veiled\"") && form.contains("readonly"), "{form}");
    assert!(form.contains("value=\"api.example.org, *.example.com\"") && !form.contains("hush"), "{form}");
    let page = visitor.refused(409, SET, &fields).await;
    assert!(page.contains("set already") && !page.contains("hush-hush-1"), "{page}");
    let changed = [("name", "api_key"), ("value", "hush-hush-2"), ("hosts", ""), ("known", "1")];
    let page = visitor.done(SET, &changed).await;
    assert!(page.contains("<span class=\"dim\">any</span>"), "{page}");
    let page = visitor.done("/dashboard/secrets/forget", &[("name", "api_key")]).await;
    assert!(page.contains("The secret is removed.") && page.contains("No secret is set"), "{page}");
    assert_eq!(visitor.post("/dashboard/secrets/forget", &[("name", "api_key")]).await.status, 404);
    let did = did(&house).await;
    assert_eq!(did.iter().filter(|it| *it == "secret.set api_key").count(), 2, "{did:?}");
    assert!(did.contains(&"secret.forget api_key".to_owned()) && !did.join(" ").contains("hush"), "{did:?}");
}

#[tokio::test]
async fn what_is_wrong_with_a_secret_stands_beside_its_field() {
    let house = House::open().await;
    let visitor = Visitor::operator(&house).await;
    let long = "n".repeat(65);
    for (name, value, hosts, field, says) in [
        ("a b", "hush-hush-1", "", "name", "letters, digits"),
        ("", "hush-hush-1", "", "name", "letters, digits"),
        (long.as_str(), "hush-hush-1", "", "name", "letters, digits"),
        ("<script>alert(1)</script>", "hush-hush-1", "", "name", "letters, digits"),
        ("key", "", "", "value", "1 to 65536 bytes"),
        ("key", "hush-hush-1", "https://x/path", "hosts", "Write api.example.org"),
    ] {
        let page = visitor.refused(422, SET, &[("name", name), ("value", value), ("hosts", hosts)]).await;
        let wrong = page.split(&format!("id=\"{field}-wrong\">")).nth(1).unwrap_or_default();
        assert!(wrong.split("</p>").next().unwrap().contains(says), "{name} {field}: {page}");
        assert!(!page.contains("hush-hush-1"), "{page}");
    }
}

#[tokio::test]
async fn what_a_process_names_and_nobody_has_set_is_missing() {
    let house = House::open().await;
    house.deploy(ASKS).await;
    let visitor = Visitor::operator(&house).await;
    let page = visitor.page(PAGE).await;
    assert_eq!(page.matches("<span class=\"tag bad\">not set</span>").count(), 3, "{page}");
    assert!(page.contains("<a href=\"/dashboard/p/asks\">asks</a>"), "{page}");
    let page = visitor.done(SET, &[("name", "api_key"), ("value", "hush-hush-1"), ("hosts", "")]).await;
    assert_eq!(page.matches("not set</span>").count(), 2, "{page}");
    let fields = [("name", "shop_host"), ("as", "text"), ("value", "shop.example.org")];
    let page = visitor.done(SET_VAR, &fields).await;
    assert_eq!(page.matches("not set</span>").count(), 1, "{page}");
    let form = visitor.page("/dashboard/secrets/set?name=api_key").await;
    assert!(form.contains("will fail until it is set again"), "{form}");
    // A channel names secrets, too.
    let config = json!({"via": "telegram", "config": {"chat_id": 1, "token": "{{secret.bot}}"}});
    house.api("PUT", "/channels/author").json(&config).send().await.ok(200);
    let page = visitor.page(PAGE).await;
    assert!(page.contains("<a href=\"/dashboard/channels#c-author\">author</a>"), "{page}");
}

#[tokio::test]
async fn a_variable_is_text_or_json_as_it_was_said() {
    let house = House::open().await;
    let visitor = Visitor::operator(&house).await;
    let page = visitor.done(SET_VAR, &[("name", "a"), ("as", "text"), ("value", "42")]).await;
    assert!(page.contains("as text.") && page.contains("<span class=\"tag\">text</span>"), "{page}");
    let page = visitor.done(SET_VAR, &[("name", "b"), ("as", "json"), ("value", "[42]")]).await;
    assert!(page.contains("as JSON.") && page.contains("<span class=\"tag\">list</span>"), "{page}");
    let vars = house.api("GET", "/vars").send().await.ok(200);
    let values: Vec<&Value> = vars["items"].as_array().unwrap().iter().map(|it| &it["value"]).collect();
    assert_eq!(values, [&json!("42"), &json!([42])]);
    let page = visitor.refused(422, SET_VAR, &[("name", "c"), ("as", "json"), ("value", "{\"x\": }")]).await;
    assert!(page.contains("id=\"value-wrong\">This is no JSON: expected value at line 1"), "{page}");
    assert!(page.contains("{&#34;x&#34;: }") && page.contains("value=\"json\" selected"), "{page}");
    let page = visitor.refused(422, SET_VAR, &[("name", "c d"), ("as", "text"), ("value", "")]).await;
    assert!(page.contains("id=\"name-wrong\""), "{page}");
    let page = visitor.done("/dashboard/vars/forget", &[("name", "b")]).await;
    assert!(page.contains("The variable is removed."), "{page}");
    let did = did(&house).await;
    for line in ["var.set a", "var.set b", "var.forget b"] {
        assert!(did.contains(&line.to_owned()), "{did:?}");
    }
}

#[tokio::test]
async fn a_viewer_sees_variables_and_no_secret() {
    let house = House::open().await;
    house.deploy(ASKS).await;
    let operator = Visitor::operator(&house).await;
    operator.done(SET, &[("name", "mine"), ("value", "hush-hush-1")]).await;
    operator.done(SET_VAR, &[("name", "plain"), ("as", "text"), ("value", "for all")]).await;
    house.user("ann", Some("viewer"), json!({})).await;
    let ann = Visitor::user(&house, "ann", PASSWORD).await;
    let page = ann.page(PAGE).await;
    assert!(page.contains("for all") && page.contains("for who may set them"), "{page}");
    assert!(!page.contains("mine") && !page.contains("api_key") && !page.contains("/vars/set"), "{page}");
    house.user("bob", None, json!({"asks": "editor"})).await;
    let bob = Visitor::user(&house, "bob", PASSWORD).await;
    assert!(!bob.page("/dashboard").await.contains("href=\"/dashboard/secrets\""));
}

#[tokio::test]
async fn naughty_values_are_kept_as_they_are_and_many_have_pages() {
    let house = House::open().await;
    let visitor = Visitor::operator(&house).await;
    let list = naughty_strings();
    let own = ["</textarea><script>x()</script>", "\u{202e}x\u{0}y", "{{secret.api_key}}", " two\nlines "];
    let all: Vec<&str> = own.into_iter().chain(list.iter().map(String::as_str)).collect();
    for (at, text) in all.iter().enumerate() {
        let name = format!("n{at:04}");
        let answer =
            visitor.post(SET_VAR, &[("name", name.as_str()), ("as", "text"), ("value", *text)]).await;
        assert_eq!(answer.status, 303, "{text:?}");
    }
    let vars = house.api("GET", "/vars").send().await.ok(200);
    for (it, text) in vars["items"].as_array().unwrap().iter().zip(&all) {
        assert_eq!(it["value"], json!(text.replace("\r\n", "\n")));
    }
    let (mut seen, mut path) = (0, PAGE.to_owned());
    loop {
        let page = visitor.page(&path).await;
        seen += page.matches("<code class=\"strong\">n").count();
        let next = page.split("href=\"/dashboard/secrets?vars_after=").nth(1);
        let Some(name) = next.map(|it| it.split(['"', '#']).next().unwrap().to_owned()) else { break };
        path = format!("{PAGE}?vars_after={name}");
    }
    assert_eq!(seen, all.len());
}
