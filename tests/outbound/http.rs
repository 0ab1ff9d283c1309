//! Requests and their answers, good and ugly.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::ConnectInfo;
use beltline::engine::ports::Outbound;
use beltline::engine::resources::ResourceCache;
use beltline::model::effect::{Auth, Body, BodyFormat, Effect, ExternalAnswer, HttpRequest, Request};
use beltline::model::fault::{Class, Fault};
use beltline::model::time::Span;
use beltline::outbound::outbound::{OutboundClient, OutboundConfig, OutboundError};
use serde_json::{Value, json};

use super::servers::{Act, Server, ask, bytes, effect, fault_of, get, say, self_signed, world};

fn kind(fault: &Fault) -> (&str, Class) {
    (fault.code.as_str(), fault.class)
}

#[tokio::test]
async fn a_request_goes_out_as_it_was_asked() {
    let server =
        Server::saying(201, "X-A: 1\r\nx-a: 2\r\nContent-Type: application/json\r\n", "{\"n\":1}").await;
    let mut request = get(&server.url("/path?a=1#part"));
    request.method = "POST".into();
    request.query = vec![("b".into(), "x y&z".into())];
    request.headers = vec![("X-Own".into(), "mine".into())];
    request.auth = Some(Auth::Basic { user: "u".into(), password: "p".into() });
    request.body = Body::Form(vec![("q".into(), "ä b".into())]);
    let answer = ask(&world(ResourceCache::default()), request).await.unwrap();
    assert_eq!((answer.status, &answer.body), (201, &json!({"n": 1})));
    assert_eq!(answer.headers["x-a"], "1, 2");
    let asked = server.asked().remove(0);
    let lower = asked.to_ascii_lowercase();
    assert!(asked.starts_with("POST /path?a=1&b=x+y%26z HTTP/1.1\r\n"), "{asked}");
    assert!(asked.contains("dTpw"), "{asked}");
    assert!(asked.ends_with("\r\n\r\nq=%C3%A4+b"), "{asked}");
    for header in [
        "x-own: mine",
        "idempotency-key: the-key",
        "content-type: application/x-www-form-urlencoded",
        concat!("user-agent: beltline/", env!("CARGO_PKG_VERSION")),
    ] {
        assert!(lower.contains(&format!("{header}\r\n")), "{header} in {asked}");
    }
}

/// A kept connection may be closed by the server in the very moment that it is used again, and then nobody
/// can say whether the request was heard.
#[tokio::test]
async fn what_may_be_asked_only_once_goes_out_on_a_connection_of_its_own() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let port = |ConnectInfo(from): ConnectInfo<SocketAddr>| async move { from.port().to_string() };
    let app = axum::Router::new().route("/", axum::routing::any(port));
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, app).await });
    let world = world(ResourceCache::default());
    let from = async |once: bool, fresh: bool| {
        let ask = HttpRequest { fresh, ..get(&url) };
        let asked = Effect { once, ..effect(Request::Http(Box::new(ask)), Span::secs(5)) };
        match world.perform(&asked).await.unwrap() {
            ExternalAnswer::Http(answer) => answer.body.to_string(),
            other => panic!("{other:?}"),
        }
    };
    let kept = from(false, false).await;
    let (first, second, third) = (from(true, false).await, from(true, false).await, from(false, true).await);
    let ports = std::collections::BTreeSet::from([&kept, &first, &second, &third]);
    assert_eq!(ports.len(), 4, "{ports:?}");
    assert_eq!(from(false, false).await, kept, "all else shares what is kept");
}

#[tokio::test]
async fn headers_of_the_asker_win() {
    let server = Server::saying(200, "", "").await;
    let mut request = get(&server.url("/"));
    request.headers = [("Idempotency-Key", "own"), ("Content-Type", "text/csv"), ("User-Agent", "me")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    request.body = Body::Text("a,b".into());
    ask(&world(ResourceCache::default()), request).await.unwrap();
    let asked = server.asked().remove(0).to_ascii_lowercase();
    assert!(asked.contains("idempotency-key: own\r\n") && !asked.contains("the-key"), "{asked}");
    assert!(asked.contains("content-type: text/csv\r\n") && asked.contains("user-agent: me\r\n"), "{asked}");
}

#[tokio::test]
async fn an_answer_of_any_status_is_an_answer() {
    for status in [204, 400, 404, 429, 500, 503] {
        let server = Server::saying(status, "Retry-After: 7\r\n", "").await;
        let answer = ask(&world(ResourceCache::default()), get(&server.url("/"))).await.unwrap();
        assert_eq!((answer.status, &answer.headers["retry-after"]), (status, &json!("7")));
    }
}

#[tokio::test]
async fn an_error_page_is_an_answer_though_json_was_wanted() {
    let server = Server::saying(502, "Content-Type: text/html\r\n", "<h1>Bad gateway</h1>").await;
    let request = HttpRequest { accept: BodyFormat::Json, ..get(&server.url("/")) };
    let answer = ask(&world(ResourceCache::default()), request).await.unwrap();
    assert_eq!(answer.body, Value::from("<h1>Bad gateway</h1>"));
}

#[tokio::test]
async fn a_success_that_is_not_what_was_asked_for_is_a_fault() {
    let html = Server::saying(200, "Content-Type: text/html\r\n", "<h1>Hello</h1>").await;
    let request = HttpRequest { accept: BodyFormat::Json, ..get(&html.url("/a")) };
    let fault = ask(&world(ResourceCache::default()), request).await.unwrap_err();
    assert_eq!(kind(&fault), ("bad_response", Class::Lasting));
    assert_eq!(fault.status, Some(200));
    assert!(
        fault.message.starts_with(&format!("the answer of `{}` is no JSON", html.url("/a"))),
        "{}",
        fault.message
    );
    let brotli = Server::saying(200, "Content-Encoding: br\r\n", "xxxx").await;
    assert_eq!(kind(&fault_of(&brotli.url("/")).await), ("bad_response", Class::Lasting));
    let plain = Server::saying(200, "Content-Encoding: gzip\r\n", "this is no gzip").await;
    assert_eq!(
        ask(&world(ResourceCache::default()), get(&plain.url("/"))).await.unwrap().body,
        "this is no gzip"
    );
    let noise = Server::new(|_, _| Act::Say(b"220 mail.example.org ESMTP\r\n".to_vec())).await;
    assert_eq!(kind(&fault_of(&noise.url("/")).await), ("bad_response", Class::Lasting));
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_given_up() {
    let silent = Server::new(|_, _| Act::Hang(Vec::new())).await;
    let slow_head = Server::new(|_, _| Act::Hang(b"HTTP/1.1 200 OK\r\nX-A".to_vec())).await;
    let slow_body =
        Server::new(|_, _| Act::Hang(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf".to_vec())).await;
    for server in [silent, slow_head, slow_body] {
        let fault = fault_of(&server.url("/a?b=c")).await;
        assert_eq!(kind(&fault), ("http_timeout", Class::Passing));
        assert_eq!(fault.message, format!("`{}` did not answer within 2s", server.url("/a")));
    }
}

#[tokio::test]
async fn a_lost_connection_is_told_from_one_that_never_was() {
    let closes = Server::new(|_, _| Act::Say(Vec::new())).await;
    assert_eq!(kind(&fault_of(&closes.url("/")).await), ("http_lost", Class::Passing));
    let half =
        Server::new(|_, _| Act::Say(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf".to_vec())).await;
    assert_eq!(kind(&fault_of(&half.url("/")).await), ("http_lost", Class::Passing));
    let half_head = Server::new(|_, _| Act::Say(b"HTTP/1.1 200 OK\r\nX-A".to_vec())).await;
    assert_eq!(kind(&fault_of(&half_head.url("/")).await), ("http_lost", Class::Passing));
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let fault = fault_of(&format!("http://{nobody}/")).await;
    assert_eq!(kind(&fault), ("http_connect", Class::Passing));
    assert_eq!(fault.message, format!("`http://{nobody}/` cannot be reached: it refuses connections"));
    assert_eq!(kind(&fault_of("http://no-such-host.invalid/").await), ("dns_failed", Class::Passing));
}

#[tokio::test]
async fn an_answer_is_never_larger_than_asked_for() {
    let large = Server::saying(200, "", &"x".repeat(2_000_000)).await;
    let endless =
        Server::new(|_, _| Act::Endless(b"HTTP/1.1 200 OK\r\n\r\nxxxxxxxxxxxxxxxxxxxxxxxx".to_vec())).await;
    let bomb =
        Server::new(|_, _| Act::Say(bytes(200, "Content-Encoding: gzip\r\n", include_bytes!("bomb.gz"))))
            .await;
    for server in [large, endless, bomb] {
        let request = HttpRequest { bytes_max: 100_000, ..get(&server.url("/")) };
        let fault = ask(&world(ResourceCache::default()), request).await.unwrap_err();
        assert_eq!(kind(&fault), ("response_too_large", Class::Lasting));
        assert!(fault.message.contains("100000 bytes"), "{}", fault.message);
    }
    let headers = format!("X-A: {}\r\n", "x".repeat(100_000));
    let fault = fault_of(&Server::saying(200, &headers, "").await.url("/")).await;
    assert_eq!(kind(&fault), ("response_too_large", Class::Lasting));
    // The same bytes are fine where there is room for them.
    let bomb =
        Server::new(|_, _| Act::Say(bytes(200, "Content-Encoding: gzip\r\n", include_bytes!("bomb.gz"))))
            .await;
    let answer = ask(&world(ResourceCache::default()), get(&bomb.url("/"))).await.unwrap();
    assert_eq!(answer.body.as_str().map(str::len), Some(1 << 20));
}

#[tokio::test]
async fn a_certificate_that_nobody_signed_is_not_trusted() {
    let address = self_signed();
    let fault = fault_of(&format!("https://localhost:{}/", address.port())).await;
    assert_eq!(kind(&fault), ("tls_failed", Class::Lasting), "{}", fault.message);
    let plain = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/", plain.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut stream, _) = plain.accept().unwrap();
        stream.write_all(&bytes(400, "", b"this is http")).unwrap();
        stream.read_to_end(&mut Vec::new())
    });
    let fault = fault_of(&url).await;
    assert_eq!(kind(&fault), ("tls_failed", Class::Lasting), "{}", fault.message);
}

#[tokio::test]
async fn what_cannot_be_asked_is_a_lasting_fault() {
    for url in
        ["nowhere", "ftp://example.org/", "file:///etc/passwd", "http://", "http://a b/", "http://[::1/"]
    {
        let fault = fault_of(url).await;
        assert_eq!(kind(&fault), ("bad_url", Class::Lasting), "{url}: {}", fault.message);
    }
    for (name, value) in [
        ("X-A", "a\r\nX-B: b"),
        ("X A", "a"),
        ("X-A\r\nX-B", "a"),
        ("Host", "evil.org"),
        ("Content-Length", "3"),
        ("Transfer-Encoding", "chunked"),
    ] {
        let mut request = get("http://127.0.0.1:9/");
        request.headers = vec![(name.into(), value.into())];
        let fault = ask(&world(ResourceCache::default()), request).await.unwrap_err();
        assert_eq!(kind(&fault), ("bad_header", Class::Lasting), "{name}: {}", fault.message);
        assert!(!fault.message.contains(['\r', '\n']));
    }
    for method in ["", "CONNECT", "TRACE", "G T"] {
        let request = HttpRequest { method: method.into(), ..get("http://127.0.0.1:9/") };
        let fault = ask(&world(ResourceCache::default()), request).await.unwrap_err();
        assert_eq!(kind(&fault), ("bad_value", Class::Lasting), "{method}");
    }
}

#[tokio::test]
async fn only_token_hosts_get_what_is_for_token_hosts() {
    let server = Server::new(|_, _| say(200, "", "token")).await;
    let request = HttpRequest { oauth_hosts_only: true, ..get(&server.url("/oauth/token/")) };
    let fault = ask(&world(ResourceCache::default()), request.clone()).await.unwrap_err();
    assert_eq!(kind(&fault), ("host_not_allowed", Class::Lasting));
    assert!(fault.message.contains("`allow.oauth_hosts`"), "{}", fault.message);
    assert_eq!(server.asked(), Vec::<String>::new());
    let config = |host: String| OutboundConfig {
        allow_addresses: vec!["127.0.0.0/8".parse().unwrap()],
        oauth_hosts: vec![host],
        ..OutboundConfig::default()
    };
    let open = OutboundClient::new(config(server.url("")), Arc::new(ResourceCache::default())).unwrap();
    assert_eq!(ask(&open, request).await.unwrap().body, "token");
    let error =
        OutboundClient::new(config("https://a/b".into()), Arc::new(ResourceCache::default())).unwrap_err();
    assert!(matches!(error, OutboundError::OauthHost(entry) if entry == "https://a/b"));
}

/// A refresh token is good once: a pair that came must not be lost for want of form.
#[tokio::test]
async fn a_token_server_may_answer_with_a_form() {
    let form = "access_token=A&refresh_token=R";
    let server = Server::saying(200, "Content-Type: application/x-www-form-urlencoded\r\n", form).await;
    let config = OutboundConfig {
        allow_addresses: vec!["127.0.0.0/8".parse().unwrap()],
        oauth_hosts: vec![server.url("")],
        ..OutboundConfig::default()
    };
    let world = OutboundClient::new(config, Arc::new(ResourceCache::default())).unwrap();
    let request = HttpRequest { oauth_hosts_only: true, ..get(&server.url("/")) };
    let pair = json!({"access_token": "A", "refresh_token": "R"});
    assert_eq!(ask(&world, request).await.unwrap().body, pair);
    assert_eq!(ask(&world, get(&server.url("/"))).await.unwrap().body, form);
}

#[tokio::test]
async fn an_answer_may_have_many_headers() {
    let headers = |many: usize| -> String {
        let lines: Vec<String> = (0..many).map(|at| format!("X-{at}: v\r\n")).collect();
        lines.concat()
    };
    let many = Server::saying(200, &headers(1_500), "{}").await;
    assert_eq!(
        ask(&world(ResourceCache::default()), get(&many.url("/"))).await.unwrap().headers["x-1499"],
        "v"
    );
    let too_many = Server::saying(200, &headers(2_500), "{}").await;
    let fault = fault_of(&too_many.url("/")).await;
    assert_eq!(kind(&fault), ("response_too_large", Class::Lasting));
    assert!(fault.message.contains("more than 2000 headers"), "{}", fault.message);
}

#[tokio::test]
async fn what_is_packed_in_a_way_that_nobody_undoes_is_named() {
    let zstd = b"\x28\xb5\x2f\xfdhello";
    let server = Server::new(|_, _| Act::Say(bytes(200, "Content-Encoding: zstd\r\n", zstd))).await;
    let fault = fault_of(&server.url("/")).await;
    assert_eq!(kind(&fault), ("bad_response", Class::Lasting));
    assert!(
        fault.message.contains("packed by `zstd`") && fault.message.contains("identity"),
        "{}",
        fault.message
    );
}
