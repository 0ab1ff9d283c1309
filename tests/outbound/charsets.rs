//! Answers of partners who name no charset, or a wrong one: the one that the node names stands above it.

use beltline::engine::resources::ResourceCache;
use beltline::model::effect::{BodyFormat, HttpRequest};
use serde_json::{Value, json};

use crate::outbound::servers::{Act, Server, ask, bytes, get, world};

/// "Пакет" in windows-1251.
const WORD: &[u8] = b"\xcf\xe0\xea\xe5\xf2";

fn around(before: &str, after: &str) -> Vec<u8> {
    [before.as_bytes(), WORD, after.as_bytes()].concat()
}

async fn read(head: &str, body: &[u8], accept: BodyFormat, label: &str) -> Result<Value, String> {
    let act = Act::Say(bytes(200, head, body));
    let server = Server::new(move |_, _| act.clone()).await;
    let charset = Some(label.parse().unwrap());
    let request = HttpRequest { accept, charset, ..get(&server.url("/")) };
    let answer = ask(&world(ResourceCache::default()), request).await;
    answer.map(|it| it.body).map_err(|it| it.message)
}

#[tokio::test]
async fn the_charset_of_a_node_stands_above_what_an_answer_says() {
    let (json, text) = (around("{\"a\": \"", "\"}"), around("", ""));
    let page = around("<html><meta charset=utf-8><p>", "");
    let xml = around("<?xml version='1.0' encoding='utf-8'?><a>", "</a>");
    for (head, body, accept, expected) in [
        ("", &text, BodyFormat::Auto, json!("Пакет")),
        ("Content-Type: text/plain; charset=utf-8\r\n", &text, BodyFormat::Text, json!("Пакет")),
        ("Content-Type: text/csv; charset=klingon-8\r\n", &text, BodyFormat::Auto, json!("Пакет")),
        ("Content-Type: application/json\r\n", &json, BodyFormat::Auto, json!({"a": "Пакет"})),
        ("Content-Type: application/json; charset=utf-8\r\n", &json, BodyFormat::Json, json!({"a": "Пакет"})),
        ("", &json, BodyFormat::Auto, json!({"a": "Пакет"})),
        ("Content-Type: text/xml; charset=iso-8859-1\r\n", &xml, BodyFormat::Xml, json!({"a": "Пакет"})),
        ("Content-Type: text/html\r\n", &page, BodyFormat::Auto, json!("<html><meta charset=utf-8><p>Пакет")),
    ] {
        assert_eq!(read(head, body, accept, "windows-1251").await, Ok(expected), "{head} {accept:?}");
    }
    assert_eq!(read("", b"\x83\x65\x83\x58\x83\x67", BodyFormat::Text, "sjis").await, Ok(json!("テスト")));
    assert_eq!(read("", b"\x1f\x04", BodyFormat::Text, "utf-16le").await, Ok(json!("П")));
    // A mark in the bytes is no claim: they are so.
    let marked = read("", "\u{feff}П".as_bytes(), BodyFormat::Text, "windows-1251").await;
    assert_eq!(marked, Ok(json!("П")));
}

#[tokio::test]
async fn what_is_none_in_the_charset_of_the_node_is_told() {
    let why = read("", b"ab\xff", BodyFormat::Text, "euc-jp").await.unwrap_err();
    assert!(why.contains("is no text in EUC-JP: the byte at offset 2"), "{why}");
    let latin = "Content-Type: text/plain; charset=windows-1252\r\n";
    let why = read(latin, b"caf\xe9", BodyFormat::Text, "utf-8").await.unwrap_err();
    assert!(why.contains("is no text in UTF-8: the byte at offset 3"), "{why}");
}

#[tokio::test]
async fn what_cannot_be_read_is_kept_in_the_charset_of_the_node() {
    let act =
        Act::Say(bytes(200, "Content-Type: application/json\r\n", &around("{\"refresh_token\": \"", "")));
    let server = Server::new(move |_, _| act.clone()).await;
    let charset = Some("windows-1251".parse().unwrap());
    let request = HttpRequest { keeps_unread: true, charset, ..get(&server.url("/")) };
    let answer = ask(&world(ResourceCache::default()), request).await.unwrap();
    assert_eq!(answer.broken.unwrap().code, "bad_response");
    assert_eq!(answer.body, json!("{\"refresh_token\": \"Пакет"));
}
