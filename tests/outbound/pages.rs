//! Addresses of next pages: they stay where the first one is.

use beltline::engine::resources::{ResourceCache, SecretValue};
use beltline::model::effect::{Auth, HttpRequest, PageRequest, mark};
use beltline::model::fault::Class;

use super::servers::{Server, ask, get, world};

fn page(first: &str, at: &str, hosts: &[&str]) -> HttpRequest {
    let hosts = hosts.iter().map(|&it| it.to_owned()).collect();
    let page = PageRequest { number: 2, at: Some(at.into()), hosts };
    HttpRequest { page: Some(page), auth: Some(Auth::Bearer("key".into())), ..get(first) }
}

#[tokio::test]
async fn a_next_page_may_be_told_in_any_way() {
    let server = Server::saying(200, "", "").await;
    let world = world(ResourceCache::default());
    let first = server.url("/v1/items?n=2");
    for (at, asked) in [
        (server.url("/v1/items?page=2#x"), "/v1/items?page=2"),
        ("/v1/items?page=2".to_owned(), "/v1/items?page=2"),
        ("?page=2".to_owned(), "/v1/items?page=2"),
        ("more".to_owned(), "/v1/more"),
    ] {
        ask(&world, page(&first, &at, &[])).await.unwrap();
        let got = server.asked().pop().unwrap();
        assert!(got.starts_with(&format!("GET {asked} HTTP/1.1\r\n")), "{at}: {got}");
        assert!(got.contains("Bearer key"), "{got}");
    }
}

#[tokio::test]
async fn a_next_page_leads_no_credentials_elsewhere() {
    let (server, other) = (Server::saying(200, "", "").await, Server::saying(200, "", "").await);
    let world = world(ResourceCache::default());
    let with_user = format!("http://u:p@{}/", server.address);
    let https = format!("https://{}/", server.address);
    for at in
        [other.url("/"), "//evil.example.org/".to_owned(), with_user, https, "file:///etc/passwd".to_owned()]
    {
        let fault = ask(&world, page(&server.url("/"), &at, &[])).await.unwrap_err();
        assert_eq!(
            (fault.code.as_str(), fault.class),
            ("bad_page", Class::Lasting),
            "{at}: {}",
            fault.message
        );
    }
    let fault = ask(&world, page(&server.url("/"), &other.url("/x"), &[])).await.unwrap_err();
    assert!(
        fault.message.ends_with("hint: if it is to be trusted, add it to `pages.hosts`"),
        "{}",
        fault.message
    );
    assert!(server.asked().is_empty() && other.asked().is_empty());
    let trusted = other.address.to_string();
    ask(&world, page(&server.url("/"), &other.url("/x"), &[&trusted])).await.unwrap();
    assert!(other.asked()[0].contains("Bearer key"));
}

#[tokio::test]
async fn a_secret_that_the_answer_said_back_is_put_where_it_was() {
    let server = Server::saying(200, "", "").await;
    let resources = ResourceCache::default();
    resources.set_secrets([("k".to_owned(), SecretValue::new("CANARY&1"))].into());
    let world = world(resources);
    let mut request = page(&server.url("/items"), "/items?page=2&key=***&q=a%20b", &[]);
    request.query = vec![("key".into(), mark("k"))];
    ask(&world, request.clone()).await.unwrap();
    let asked = server.asked().remove(0);
    assert!(asked.starts_with("GET /items?page=2&key=CANARY%261&q=a+b HTTP/1.1"), "{asked}");
    request.page = Some(PageRequest { number: 2, at: Some("/items/***/2".into()), hosts: Vec::new() });
    let fault = ask(&world, request).await.unwrap_err();
    assert!(
        fault.code == "bad_page" && fault.message.contains("holds a secret in its path"),
        "{}",
        fault.message
    );
}
