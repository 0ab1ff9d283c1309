//! Secrets are opened at the last moment, for their hosts alone, and are in no message.

use beltline::engine::resources::{ChannelConfig, ResourceCache, SecretValue};
use beltline::model::effect::{Auth, Body, BodyFormat, HttpRequest, mark};
use beltline::model::fault::Class;
use serde_json::{Value, json};

use super::servers::{Act, Server, ask, get, say, self_signed, world};

/// With characters that every encoding changes.
const CANARY: &str = "CANARY/1\"&%? ä";
/// What no encoding changes of it.
const TRACE: &str = "canary";

fn resources(secret: SecretValue) -> ResourceCache {
    let resources = ResourceCache::default();
    resources.set_secrets([("k".to_owned(), secret)].into());
    resources
}

/// The secret everywhere that a secret can be.
fn everywhere(base: &str) -> HttpRequest {
    HttpRequest {
        method: "POST".into(),
        url: format!("{base}/p/{}?q={}", mark("k"), mark("k")),
        query: vec![("r".into(), mark("k"))],
        headers: vec![("X-Key".into(), format!("v {}", mark("k")))],
        auth: Some(Auth::Basic { user: "u".into(), password: mark("k") }),
        body: Body::Json(json!({"deep": [{"key": mark("k")}]})),
        accept: BodyFormat::Json,
        ..get("")
    }
}

#[tokio::test]
async fn a_secret_is_put_where_its_mark_stands() {
    let server = Server::saying(200, "", "{}").await;
    ask(&world(resources(SecretValue::new(CANARY))), everywhere(&server.url(""))).await.unwrap();
    let asked = server.asked().remove(0);
    let encoded = "CANARY%2F1%22%26%25%3F%20%C3%A4";
    let line = format!("POST /p/{encoded}?q={encoded}&r=CANARY%2F1%22%26%25%3F+%C3%A4 ");
    assert!(asked.starts_with(&line), "{asked}");
    assert!(asked.contains(&format!("v {CANARY}\r\n")), "{asked}");
    assert!(asked.contains("Basic dTpDQU5BUlkvMSImJT8gw6Q="), "{asked}");
    let (_, body) = asked.split_once("\r\n\r\n").unwrap();
    assert_eq!(serde_json::from_str::<Value>(body).unwrap(), json!({"deep": [{"key": CANARY}]}));
}

#[tokio::test]
async fn a_secret_may_be_a_form_a_text_or_the_beginning_of_a_url() {
    let server = Server::saying(200, "", "").await;
    let base = server.url("/hook");
    let resources = ResourceCache::default();
    resources.set_secrets(
        [("base".to_owned(), SecretValue::new(base)), ("k".to_owned(), SecretValue::new("a&b"))].into(),
    );
    let world = world(resources);
    let request = get(&format!("{}/x", mark("base")));
    let form = HttpRequest { body: Body::Form(vec![("f".into(), mark("k"))]), ..request.clone() };
    let text = HttpRequest { body: Body::Text(format!("<{}>", mark("k"))), ..request };
    for request in [form, text] {
        ask(&world, HttpRequest { method: "POST".into(), ..request }).await.unwrap();
    }
    let asked = server.asked();
    assert!(asked[0].starts_with("POST /hook/x ") && asked[0].ends_with("f=a%26b"), "{}", asked[0]);
    assert!(asked[1].ends_with("<a&b>"), "{}", asked[1]);
}

#[tokio::test]
async fn no_fault_holds_a_secret() {
    let servers = [
        Server::new(|_, _| Act::Say(Vec::new())).await,
        Server::new(|_, _| Act::Hang(Vec::new())).await,
        Server::new(|_, _| Act::Say(b"noise\r\n\r\n".to_vec())).await,
        Server::new(|_, asked| say(200, "Content-Type: application/json\r\n", asked)).await,
        Server::new(|_, _| say(200, "", &"x".repeat(2 << 20))).await,
        Server::new(|_, asked| {
            let path = asked.split(' ').nth(1).unwrap_or_default().to_owned();
            say(302, &format!("Location: http://10.0.0.1{path}\r\n"), "")
        })
        .await,
        Server::new(|_, asked| {
            let path = asked.split(' ').nth(1).unwrap_or_default().to_owned();
            say(302, &format!("Location: {path}\r\n"), "")
        })
        .await,
    ];
    let world = world(resources(SecretValue::new(CANARY)));
    let mut bases: Vec<String> = servers.iter().map(|it| it.url("")).collect();
    bases.push(format!("https://localhost:{}", self_signed().port()));
    bases.extend(["http://10.0.0.1", "http://127.0.0.1:9", "http://x.invalid", "ftp://x"].map(String::from));
    for base in bases {
        let fault = ask(&world, everywhere(&base)).await.unwrap_err();
        assert!(!fault.message.to_lowercase().contains(TRACE), "{}: {}", fault.code, fault.message);
        assert!(!fault.message.contains("dTpDQU5B"), "{}: {}", fault.code, fault.message);
        assert!(!fault.message.contains("q="), "{}: {}", fault.code, fault.message);
    }
    // The control: they all were asked with it.
    for server in servers {
        assert!(server.asked()[0].to_lowercase().contains(TRACE));
    }
}

#[tokio::test]
async fn the_place_of_a_secret_in_a_path_shows_its_mask() {
    let server = Server::new(|_, _| Act::Say(Vec::new())).await;
    let world = world(resources(SecretValue::new("123:CANARY")));
    let fault = ask(&world, get(&format!("{}/bot{}/send?x=1", server.url(""), mark("k")))).await.unwrap_err();
    let place = format!("`{}/bot***/send` closed", server.url(""));
    assert!(fault.message.starts_with(&place), "{}", fault.message);
    assert!(server.asked()[0].starts_with("GET /bot123:CANARY/send?x=1 "));
    let fault = ask(&world, get(&server.url("/rest/1/a1b2c3d4e5f6a7b8c9/crm"))).await.unwrap_err();
    assert!(
        fault.message.starts_with(&format!("`{}/rest/1/***/crm` closed", server.url(""))),
        "{}",
        fault.message
    );
    // A host that came from a secret is not named either.
    let world = super::servers::world(resources(SecretValue::new("http://canary.invalid")));
    let fault = ask(&world, get(&format!("{}/x", mark("k")))).await.unwrap_err();
    assert_eq!(fault.message, "no address was found for `***`");
    let turning = Server::saying(302, "Location: /again\r\n", "").await;
    let world = super::servers::world(resources(SecretValue::new(turning.url("/x"))));
    let fault = ask(&world, get(&mark("k"))).await.unwrap_err();
    assert_eq!(fault.message, "`***` redirects more than 5 times");
}

#[tokio::test]
async fn a_secret_goes_to_its_hosts_alone() {
    let server = Server::saying(200, "", "{}").await;
    let bound = |hosts: &[&str]| world(resources(SecretValue::new(CANARY).only_for(hosts)));
    let fault = ask(&bound(&["api.example.org"]), everywhere(&server.url(""))).await.unwrap_err();
    assert_eq!((fault.code.as_str(), fault.class), ("secret_not_for_host", Class::Lasting));
    assert!(fault.message.contains("`k`") && fault.message.contains("api.example.org"), "{}", fault.message);
    assert_eq!(server.asked(), Vec::<String>::new());
    ask(&bound(&["api.example.org", "127.0.0.1"]), everywhere(&server.url(""))).await.unwrap();
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn an_unknown_secret_is_named() {
    let fault = ask(&world(ResourceCache::default()), everywhere("http://127.0.0.1:9")).await.unwrap_err();
    assert_eq!((fault.code.as_str(), fault.class), ("missing_secret", Class::Lasting));
    assert!(fault.message.starts_with("there is no secret `k`"), "{}", fault.message);
}

#[tokio::test]
async fn a_secret_cannot_begin_another_header() {
    let world = world(resources(SecretValue::new("CANARY\r\nX-Evil: 1")));
    let fault = ask(&world, everywhere("http://127.0.0.1:9")).await.unwrap_err();
    assert_eq!(fault.code, "bad_header");
    assert!(fault.message.contains("`X-Key`") && !fault.message.contains("CANARY"), "{}", fault.message);
}

#[test]
fn no_debug_print_shows_a_secret() {
    let resources = resources(SecretValue::new("CANARY"));
    let config = json!({"token": "CANARY"}).as_object().unwrap().clone();
    resources.set_channels([("a".to_owned(), ChannelConfig { via: "telegram".into(), config })].into());
    let shown = format!("{resources:?} {:?} {:?}", resources.secrets(), resources.channels());
    assert!(!shown.contains("CANARY") && shown.contains("telegram"), "{shown}");
    assert_eq!(resources.names().iter().collect::<Vec<_>>(), ["k"]);
}
