//! A body that cannot be read, where what came of it is kept: it is given with the fault that it would be.

use beltline::engine::resources::ResourceCache;
use beltline::model::effect::HttpRequest;
use serde_json::json;

use crate::outbound::servers::{Act, Server, ask, bytes, get, say, world};

const HALF: &str = "{\"access_token\": \"A\", \"refresh_token\": \"R\", \"sco";
const JSON: &str = "Content-Type: application/json\r\n";

fn cut(head: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 X\r\n{JSON}{head}Content-Length: 99\r\n\r\n{HALF}").into_bytes()
}

#[tokio::test]
async fn what_came_of_a_body_is_given_with_its_fault() {
    let packed = b"\x1f\x8b\x08\x00no";
    for (act, code, came) in [
        (say(200, JSON, HALF), "bad_response", HALF),
        (Act::Say(cut("")), "http_lost", HALF),
        (Act::Hang(cut("")), "http_timeout", HALF),
        (say(200, JSON, &format!("{HALF:200}")), "response_too_large", HALF),
        (say(200, "Content-Type: application/json; charset=klingon-8\r\n", HALF), "bad_response", HALF),
        (
            Act::Say(bytes(200, "Content-Encoding: gzip\r\n", packed)),
            "bad_response",
            "base64 of gzip: H4sIAG5v",
        ),
    ] {
        let server = Server::new(move |_, _| act.clone()).await;
        let plain = HttpRequest { bytes_max: 100, ..get(&server.url("/")) };
        let fault = ask(&world(ResourceCache::default()), plain.clone()).await.unwrap_err();
        let keeps = HttpRequest { keeps_unread: true, ..plain };
        let answer = ask(&world(ResourceCache::default()), keeps).await.unwrap();
        let broken = answer.broken.unwrap();
        assert_eq!((fault.code.as_str(), broken.code.as_str(), answer.status), (code, code, 200));
        assert_eq!(answer.body.as_str().unwrap().trim(), came, "{code}");
        assert!(!broken.message.contains("\"R\""), "{}", broken.message);
    }
}

#[tokio::test]
async fn what_claims_no_success_or_can_be_read_is_as_ever() {
    let keeps = |server: &Server| HttpRequest { keeps_unread: true, ..get(&server.url("/")) };
    let cut_off = Act::Say(b"HTTP/1.1 500 X\r\nContent-Length: 99\r\n\r\nhalf of a page".to_vec());
    let server = Server::new(move |_, _| cut_off.clone()).await;
    assert_eq!(ask(&world(ResourceCache::default()), keeps(&server)).await.unwrap_err().code, "http_lost");
    let nothing = Act::Say(b"HTTP/1.1 200 X\r\nContent-Length: 99\r\n\r\n".to_vec());
    let server = Server::new(move |_, _| nothing.clone()).await;
    assert_eq!(ask(&world(ResourceCache::default()), keeps(&server)).await.unwrap_err().code, "http_lost");
    let server = Server::saying(200, JSON, "{\"a\": 1}").await;
    let answer = ask(&world(ResourceCache::default()), keeps(&server)).await.unwrap();
    assert_eq!((answer.body, answer.broken), (json!({"a": 1}), None));
}
