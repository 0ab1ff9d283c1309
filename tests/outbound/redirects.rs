//! Redirects: each is checked like the first address.

use beltline::engine::resources::{ResourceCache, SecretValue};
use beltline::model::effect::{Auth, Body, HttpRequest, mark};
use beltline::model::fault::Class;

use super::servers::{Server, ask, get, say, world};

/// A server that redirects its first request to `location`, and answers "there" to the rest.
async fn turning(status: u16, location: &str) -> Server {
    let headers = format!("Location: {location}\r\n");
    Server::new(move |n, _| if n == 0 { say(status, &headers, "") } else { say(200, "", "there") }).await
}

fn post(url: &str) -> HttpRequest {
    HttpRequest {
        method: "POST".into(),
        body: Body::Text("the body".into()),
        auth: Some(Auth::Bearer("the token".into())),
        headers: vec![("Cookie".into(), "the cookie".into()), ("X-Api-Key".into(), "the key".into())],
        ..get(url)
    }
}

#[tokio::test]
async fn a_write_stays_one_or_fails() {
    let resources = ResourceCache::default;
    for (status, as_get, then) in [
        (301, true, Some("GET")),
        (302, true, Some("GET")),
        (303, true, Some("GET")),
        (301, false, None),
        (302, false, None),
        (303, false, None),
        (307, false, Some("POST")),
        (308, true, Some("POST")),
    ] {
        let location = if then.is_none() { "/next?key=k" } else { "/next" };
        let server = turning(status, location).await;
        let answer = ask(&world(resources()), HttpRequest { as_get, ..post(&server.url("/")) }).await;
        let Some(then) = then else {
            let fault = answer.unwrap_err();
            assert_eq!((fault.code.as_str(), fault.class), ("redirected", Class::Lasting));
            assert_eq!((fault.status, server.asked().len()), (Some(status), 1));
            let to = format!("to `http://{}/next`", server.address);
            assert!(fault.message.contains(&to) && fault.message.contains("as_get"), "{}", fault.message);
            continue;
        };
        assert_eq!(answer.unwrap().body, "there");
        let asked = server.asked().remove(1);
        assert!(asked.starts_with(&format!("{then} /next ")), "{status}: {asked}");
        assert_eq!(asked.contains("the body"), then == "POST", "{status}: {asked}");
        assert!(asked.contains("the token") && asked.contains("the key"), "{status}: {asked}");
    }
    for method in ["PUT", "PATCH", "DELETE"] {
        let server = turning(302, "/next").await;
        let put = HttpRequest { method: method.into(), ..post(&server.url("/")) };
        assert_eq!(ask(&world(resources()), put).await.unwrap_err().code, "redirected", "{method}");
    }
    for (status, method) in [(301, "GET"), (302, "HEAD"), (303, "GET")] {
        let server = turning(status, "/next").await;
        let look = HttpRequest { method: method.into(), ..get(&server.url("/")) };
        ask(&world(resources()), look).await.unwrap();
        assert!(server.asked()[1].starts_with(&format!("{method} /next ")), "{status}");
    }
}

#[tokio::test]
async fn another_host_gets_the_body_and_no_keys() {
    for (status, as_get) in [(307, false), (308, false), (302, true)] {
        let other = Server::saying(200, "", "there").await;
        let server = turning(status, &other.url("/next")).await;
        ask(&world(ResourceCache::default()), HttpRequest { as_get, ..post(&server.url("/")) })
            .await
            .unwrap();
        let asked = other.asked().remove(0);
        assert_eq!(asked.contains("the body"), !as_get, "{status}: {asked}");
        assert!(asked.starts_with(if as_get { "GET " } else { "POST " }), "{asked}");
        for private in ["the token", "the cookie", "the key"] {
            assert!(!asked.contains(private), "{status}: {asked}");
            assert!(server.asked()[0].contains(private), "{private}");
        }
        assert!(asked.to_ascii_lowercase().contains("idempotency-key: the-key"), "{asked}");
    }
}

#[tokio::test]
async fn a_body_with_a_secret_goes_nowhere_else() {
    let other = Server::saying(200, "", "there").await;
    let server = turning(307, &other.url("/next")).await;
    let resources = ResourceCache::default();
    resources.set_secrets([("shop".to_owned(), SecretValue::new("CANARY-8"))].into());
    let request = HttpRequest { body: Body::Text(format!("key={}", mark("shop"))), ..post(&server.url("/")) };
    let fault = ask(&world(resources), request).await.unwrap_err();
    assert_eq!(fault.code, "bad_redirect", "{}", fault.message);
    assert!(server.asked()[0].contains("CANARY-8") && other.asked().is_empty());
}

#[tokio::test]
async fn redirects_end() {
    let server = Server::saying(302, "Location: /again\r\n", "").await;
    let fault = ask(&world(ResourceCache::default()), get(&server.url("/"))).await.unwrap_err();
    assert_eq!((fault.code.as_str(), fault.class), ("too_many_redirects", Class::Lasting));
    assert_eq!(server.asked().len(), 6);
}

#[tokio::test]
async fn without_redirects_a_redirect_is_the_answer() {
    let server = turning(302, "/next").await;
    let answer =
        ask(&world(ResourceCache::default()), HttpRequest { redirects_max: 0, ..get(&server.url("/")) })
            .await;
    let answer = answer.unwrap();
    assert_eq!((answer.status, &answer.headers["location"]), (302, &"/next".into()));
    let nowhere = Server::saying(302, "", "").await;
    let answer = ask(&world(ResourceCache::default()), get(&nowhere.url("/"))).await.unwrap();
    assert_eq!(answer.status, 302);
}

#[tokio::test]
async fn a_redirect_passes_the_guard() {
    for location in ["http://10.0.0.1/", "http://169.254.169.254/latest", "http://[::1]/", "//0x0a000001/"] {
        let server = turning(302, location).await;
        let fault = ask(&world(ResourceCache::default()), get(&server.url("/"))).await.unwrap_err();
        assert_eq!(fault.code, "blocked_address", "{location}: {}", fault.message);
    }
    for location in ["ftp://example.org/", "file:///etc/passwd", "http://"] {
        let server = turning(302, location).await;
        let fault = ask(&world(ResourceCache::default()), get(&server.url("/"))).await.unwrap_err();
        assert_eq!((fault.code.as_str(), fault.class), ("bad_redirect", Class::Lasting), "{location}");
    }
}

#[tokio::test]
async fn a_bound_secret_does_not_travel_on_by_a_redirect() {
    let other = Server::saying(200, "", "there").await;
    let server = turning(302, &other.url("/next?echo=CANARY-7")).await;
    let secret = SecretValue::new("CANARY-7").only_for(&[&server.address.to_string()]);
    let resources = ResourceCache::default();
    resources.set_secrets([("bound".to_owned(), secret)].into());
    let request = HttpRequest { auth: Some(Auth::Bearer(mark("bound"))), ..get(&server.url("/")) };
    let fault = ask(&world(resources), request).await.unwrap_err();
    assert_eq!(fault.code, "secret_not_for_host");
    assert_eq!(other.asked(), Vec::<String>::new());
    assert!(server.asked()[0].contains("CANARY-7"));
}
