//! OAuth 2 client credentials, with a token server and an API that are strict.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use beltline::engine::resources::{ResourceCache, SecretValue};
use beltline::model::effect::{Auth, Grant, GrantStyle, HttpRequest, mark};
use beltline::model::fault::Class;
use beltline::outbound::outbound::OutboundClient;
use futures::future::join_all;

use super::servers::{Act, Server, ask, get, say, world};

const SECRET: &str = "CANARY+/=secret";

fn strict() -> OutboundClient {
    let resources = ResourceCache::default();
    resources.set_secrets([("crm".to_owned(), SecretValue::new(SECRET))].into());
    world(resources)
}

fn grant(url: String, style: GrantStyle) -> Grant {
    Grant {
        token_url: url,
        client_id: "me:1".into(),
        client_secret: mark("crm"),
        scope: Some("read write".into()),
        audience: None,
        style,
    }
}

/// Gives tokens `token-number-0`, `token-number-1`, … that live so long.
async fn token_server(seconds: u64) -> Server {
    Server::new(move |n, _| {
        let body = format!(
            "{{\"access_token\":\"token-number-{n}\",\"token_type\":\"Bearer\",\"expires_in\":{seconds}}}"
        );
        say(200, "Content-Type: application/json\r\n", &body)
    })
    .await
}

fn granted(api: &Server, tokens: &Server) -> HttpRequest {
    let grant = grant(tokens.url("/token"), GrantStyle::Basic);
    HttpRequest { auth: Some(Auth::Oauth2(Box::new(grant))), ..get(&api.url("/v1")) }
}

#[tokio::test]
async fn a_token_is_got_once_for_all_who_need_it() {
    let (api, tokens) = (Server::saying(200, "", "").await, token_server(3600).await);
    let world = strict();
    let asked = join_all((0..8).map(|_| ask(&world, granted(&api, &tokens)))).await;
    assert!(asked.iter().all(Result::is_ok), "{asked:?}");
    ask(&world, granted(&api, &tokens)).await.unwrap();
    let all = tokens.asked();
    assert_eq!(all.len(), 1, "{all:?}");
    // `me%3A1:CANARY%2B%2F%3Dsecret`
    assert!(all[0].contains("Basic bWUlM0ExOkNBTkFSWSUyQiUyRiUzRHNlY3JldA=="), "{}", all[0]);
    assert!(all[0].ends_with("\r\n\r\ngrant_type=client_credentials&scope=read+write"), "{}", all[0]);
    assert_eq!(api.asked().len(), 9);
    for request in api.asked() {
        assert!(request.contains("Bearer token-number-0\r\n") && !request.contains("CANARY"), "{request}");
    }
}

#[tokio::test]
async fn a_client_may_name_itself_in_the_form() {
    let (api, tokens) = (Server::saying(200, "", "").await, token_server(3600).await);
    let mut grant = grant(tokens.url("/token"), GrantStyle::Body);
    grant.audience = Some("https://api.example.org".into());
    let request = HttpRequest { auth: Some(Auth::Oauth2(Box::new(grant))), ..get(&api.url("/")) };
    ask(&strict(), request).await.unwrap();
    let asked = tokens.asked().remove(0);
    assert!(!asked.to_lowercase().contains("authorization:"), "{asked}");
    let wanted = "grant_type=client_credentials&scope=read+write&audience=https%3A%2F%2Fapi.example.org\
                  &client_id=me%3A1&client_secret=CANARY%2B%2F%3Dsecret";
    assert!(asked.ends_with(wanted), "{asked}");
}

#[tokio::test]
async fn a_token_that_is_over_or_refused_is_got_anew() {
    let (api, tokens) = (Server::saying(200, "", "").await, token_server(0).await);
    let world = strict();
    for _ in 0..2 {
        ask(&world, granted(&api, &tokens)).await.unwrap();
    }
    assert_eq!(tokens.asked().len(), 2);
    // The API forgets its tokens after the first request.
    let tokens = token_server(3600).await;
    let picky = Server::new(|n, asked| match (n, asked.contains("token-number-0")) {
        (0, _) | (_, false) => say(200, "", ""),
        (_, true) => say(401, "", "token-number-0 is over"),
    })
    .await;
    for _ in 0..3 {
        assert_eq!(ask(&world, granted(&picky, &tokens)).await.unwrap().status, 200);
    }
    assert_eq!((tokens.asked().len(), picky.asked().len()), (2, 4));
    // One that says no to every token is asked twice, and no more.
    let never = Server::new(|_, asked| {
        let token = asked.split("Bearer ").nth(1).unwrap_or_default().split('\r').next().unwrap_or_default();
        say(401, "", &format!("no {token}, {SECRET}"))
    })
    .await;
    let tokens = token_server(3600).await;
    let answer = ask(&world, granted(&never, &tokens)).await.unwrap();
    // What it says back is no token, and the secret was never its.
    assert_eq!((answer.status, answer.body.as_str().unwrap().starts_with("no ")), (401, true));
    assert!(!answer.body.as_str().unwrap().contains("token-"), "{}", answer.body);
    assert_eq!((tokens.asked().len(), never.asked().len()), (1, 1));
    assert_eq!(ask(&world, granted(&never, &tokens)).await.unwrap().status, 401);
    assert_eq!((tokens.asked().len(), never.asked().len()), (2, 3));
}

#[tokio::test]
async fn a_token_server_that_gives_none_is_a_clear_fault() {
    let api = Server::saying(200, "", "").await;
    let json = "Content-Type: application/json\r\n";
    let refusal = r#"{"error":"invalid_client","error_description":"no such client CANARY+/=secret"}"#;
    for (act, code, class, says) in [
        (say(401, json, refusal), "oauth2_refused", Class::Lasting, "invalid_client: no such client ***"),
        (say(200, json, "{}"), "oauth2_refused", Class::Lasting, "no `access_token`"),
        (say(404, "", "what?"), "oauth2_refused", Class::Lasting, "status is 404"),
        (say(302, "Location: /x\r\n", ""), "oauth2_refused", Class::Lasting, "status is 302"),
        (
            say(200, json, r#"{"access_token":"x","token_type":"mac"}"#),
            "oauth2_refused",
            Class::Lasting,
            "of type mac",
        ),
        (say(503, "Retry-After: 9\r\n", ""), "oauth2_failed", Class::Passing, "status is 503"),
        (Act::Say(Vec::new()), "oauth2_failed", Class::Passing, "closed the connection"),
        (Act::Hang(Vec::new()), "oauth2_failed", Class::Passing, "within 2s"),
    ] {
        let tokens = Server::new(move |_, _| act.clone()).await;
        let fault = ask(&strict(), granted(&api, &tokens)).await.unwrap_err();
        assert_eq!((fault.code.as_str(), fault.class), (code, class), "{}", fault.message);
        assert!(fault.message.contains(says), "{}", fault.message);
        assert!(!fault.message.contains("CANARY"), "{}", fault.message);
    }
    assert_eq!(api.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn a_failure_is_shared_by_those_who_waited_for_it() {
    let api = Server::saying(200, "", "").await;
    let seen = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&seen);
    let tokens = Server::new(move |_, _| {
        counted.fetch_add(1, Ordering::SeqCst);
        say(500, "", "")
    })
    .await;
    let world = strict();
    let asked = join_all((0..8).map(|_| ask(&world, granted(&api, &tokens)))).await;
    assert!(asked.iter().all(|it| it.as_ref().is_err_and(|it| it.code == "oauth2_failed")), "{asked:?}");
    assert_eq!(seen.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn the_guard_watches_over_token_servers_too() {
    let api = Server::saying(200, "", "").await;
    let grant = grant("http://10.0.0.1/token".into(), GrantStyle::Basic);
    let request = HttpRequest { auth: Some(Auth::Oauth2(Box::new(grant))), ..get(&api.url("/")) };
    let fault = ask(&strict(), request).await.unwrap_err();
    assert_eq!(fault.code, "blocked_address");
    assert!(fault.message.starts_with("there is no access token: "), "{}", fault.message);
    // A secret that is bound to the API's host goes to no other, and one bound to the token server's is fine.
    let tokens = token_server(60).await;
    let resources = ResourceCache::default();
    let bound = SecretValue::new(SECRET).only_for(&[&tokens.address.to_string()]);
    resources.set_secrets([("crm".to_owned(), bound)].into());
    ask(&world(resources), granted(&api, &tokens)).await.unwrap();
    let resources = ResourceCache::default();
    let bound = SecretValue::new(SECRET).only_for(&[&api.address.to_string()]);
    resources.set_secrets([("crm".to_owned(), bound)].into());
    let fault = ask(&world(resources), granted(&api, &tokens)).await.unwrap_err();
    assert_eq!(fault.code, "secret_not_for_host", "{}", fault.message);
}
