//! What requests carry, and what is made of answers that are no JSON.

use beltline::engine::resources::{ResourceCache, SecretValue};
use beltline::model::effect::{Body, BodyFormat, Content, HttpRequest, MultipartField, mark};
use serde_json::json;

use super::servers::{Act, Server, ask, bytes, get, say, world};

fn resources() -> ResourceCache {
    let resources = ResourceCache::default();
    resources.set_secrets([("k".to_owned(), SecretValue::new("a<&\"b"))].into());
    resources
}

/// The head and the body of what a server got.
async fn carried(body: Body) -> (String, String) {
    let server = Server::saying(200, "", "").await;
    let request = HttpRequest { method: "POST".into(), body, ..get(&server.url("/")) };
    ask(&world(resources()), request).await.unwrap();
    let asked = server.asked().remove(0);
    let (head, body) = asked.split_once("\r\n\r\n").unwrap();
    (head.to_lowercase(), body.to_owned())
}

#[tokio::test]
async fn a_text_goes_out_in_the_charset_that_is_said_of_it() {
    let server = Server::saying(200, "", "").await;
    let kind = "application/x-www-form-urlencoded; charset=windows-1251";
    let request = |body: Body, kind: Option<&str>| HttpRequest {
        method: "POST".into(),
        body,
        headers: kind.map(|it| ("Content-Type".to_owned(), it.to_owned())).into_iter().collect(),
        ..get(&server.url("/"))
    };
    let sent = async |body: Body, kind: Option<&str>| ask(&world(resources()), request(body, kind)).await;
    sent(Body::Form(vec![("a".into(), "Сделка".into())]), Some(kind)).await.unwrap();
    assert!(server.asked().remove(0).ends_with("\r\n\r\na=%D1%E4%E5%EB%EA%E0"), "{:?}", server.asked());
    let raw = |text: &str| Body::Raw {
        content_type: "text/csv; charset=windows-1251".into(),
        content: Content::Text(text.into()),
    };
    let xml = "<?xml version='1.0' encoding='windows-1251'?><a>Сделка</a>";
    for body in [raw("Сделка"), Body::XmlText(xml.into())] {
        sent(body, None).await.unwrap();
        let asked = server.asked().pop().unwrap();
        assert!(asked.to_lowercase().contains("charset=windows-1251\r\n"), "{asked}");
        assert!(asked.contains("content-length: 6\r\n") || asked.contains("<a>\u{fffd}"), "{asked}");
    }
    let fault = sent(raw("你"), None).await.unwrap_err();
    assert_eq!(fault.code, "bad_value");
    assert!(fault.message.contains("a character that windows-1251 does not have"), "{}", fault.message);
}

#[tokio::test]
async fn files_and_fields_go_out_as_browsers_send_them() {
    let part = |name: &str, content, file: Option<&str>, content_type: Option<&str>| MultipartField {
        name: name.into(),
        content,
        file: file.map(str::to_owned),
        content_type: content_type.map(str::to_owned),
    };
    let parts = || {
        vec![
            part("title", Content::Text(format!("Ä {}", mark("k"))), None, None),
            part(
                "file",
                Content::Base64("aGVs\nbG8=".into()),
                Some("my \"ä\"\r\nX: y.png"),
                Some("image/png"),
            ),
            part("file", Content::Text(String::new()), Some("empty"), None),
        ]
    };
    let (head, body) = carried(Body::Multipart(parts())).await;
    let boundary = head.split_once("content-type: multipart/form-data; boundary=").unwrap().1;
    let boundary = boundary.lines().next().unwrap();
    let wanted = [
        "Content-Disposition: form-data; name=\"title\"\r\n\r\nÄ a<&\"b",
        "Content-Disposition: form-data; name=\"file\"; filename=\"my %22ä%22%0D%0AX: y.png\"\r\n\
         Content-Type: image/png\r\n\r\nhello",
        "Content-Disposition: form-data; name=\"file\"; filename=\"empty\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n",
    ];
    let wanted: Vec<String> = wanted.iter().map(|it| format!("--{boundary}\r\n{it}\r\n")).collect();
    let wanted = wanted.concat();
    assert_eq!(body, format!("{wanted}--{boundary}--\r\n"));
    // Asked again, it is the same to the byte.
    assert_eq!(carried(Body::Multipart(parts())).await.1, body);
}

#[tokio::test]
async fn what_is_raw_goes_out_as_it_is() {
    let raw = |content| Body::Raw { content_type: "text/csv".into(), content };
    let (head, body) = carried(raw(Content::Text("a;b".into()))).await;
    assert!(head.contains("content-type: text/csv\r\n"), "{head}");
    assert_eq!(body, "a;b");
    assert_eq!(carried(raw(Content::Base64("aGVsbG8=".into()))).await.1, "hello");
    let server = Server::saying(200, "", "").await;
    for body in [
        raw(Content::Base64("no base64!".into())),
        Body::Xml(json!([])),
        Body::Xml(json!({"a b": 1})),
        Body::XmlText("<a>".into()),
        Body::XmlText("<!DOCTYPE a><a/>".into()),
    ] {
        let request = HttpRequest { method: "POST".into(), body, ..get(&server.url("/")) };
        let fault = ask(&world(resources()), request).await.unwrap_err();
        assert_eq!(fault.code, "bad_value", "{}", fault.message);
    }
    assert_eq!(server.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn xml_is_made_of_a_value_and_a_secret_cannot_break_out_of_it() {
    let (head, body) = carried(Body::Xml(json!({"a": {"@n": mark("k"), "b": [1, mark("k")]}}))).await;
    assert!(head.contains("content-type: application/xml; charset=utf-8"), "{head}");
    let escaped = "a&lt;&amp;&quot;b";
    let wanted = format!("<a n=\"{escaped}\"><b>1</b><b>{escaped}</b></a>");
    assert_eq!(body.split_once("?>\n").unwrap().1, wanted);
    let (_, body) = carried(Body::XmlText(format!("<a>{}</a>", mark("k")))).await;
    assert_eq!(body, format!("<a>{escaped}</a>"));
}

#[tokio::test]
async fn an_answer_may_be_xml_or_bytes() {
    let xml = "<?xml version=\"1.0\"?><r ok=\"1\"><id>7</id><id>8</id></r>";
    let server = Server::saying(200, "Content-Type: text/xml\r\n", xml).await;
    let request = HttpRequest { accept: BodyFormat::Xml, ..get(&server.url("/")) };
    let answer = ask(&world(resources()), request).await.unwrap();
    assert_eq!(answer.body, json!({"r": {"@ok": "1", "id": ["7", "8"]}}));
    assert!(server.asked()[0].to_lowercase().contains("accept: application/xml"));
    let request = HttpRequest { accept: BodyFormat::Binary, ..get(&server.url("/")) };
    let body = ask(&world(resources()), request).await.unwrap().body;
    assert_eq!((&body["type"], &body["size"]), (&json!("text/xml"), &json!(xml.len())));
    let bad = Server::saying(200, "Content-Type: text/xml\r\n", "<!DOCTYPE r><r/>").await;
    let request = HttpRequest { accept: BodyFormat::Xml, ..get(&bad.url("/x")) };
    let fault = ask(&world(resources()), request).await.unwrap_err();
    assert_eq!((fault.code.as_str(), fault.status), ("bad_response", Some(200)));
    let wanted = format!("the answer of `{}` is no XML: it has a DTD, which is not read", bad.url("/x"));
    assert_eq!(fault.message, wanted);
}

/// What token servers have said around a pair that was the only one: each costs a grant if it is not read.
#[tokio::test]
async fn an_answer_is_read_where_it_can_only_be_meant_so() {
    let pair = r#"{"access_token": "a", "refresh_token": "r"}"#;
    let longer = |by: usize| {
        let said = format!("HTTP/1.1 200 X\r\nContent-Length: {}\r\n\r\n{pair}", pair.len() + by);
        Act::Say(said.into_bytes())
    };
    let plain = |headers: &str| say(200, &format!("Content-Type: application/json{headers}\r\n"), pair);
    for (what, act) in [
        ("a charset that is none", plain("; charset=none")),
        ("a name of UTF-8 that is none", plain("; charset=UTF_8")),
        ("not packed by deflate", plain("\r\nContent-Encoding: deflate")),
        ("not packed by br", plain("\r\nContent-Encoding: br")),
        ("counted wrongly", longer(10)),
    ] {
        let server = Server::new(move |_, _| act.clone()).await;
        let answer = ask(&world(resources()), get(&server.url("/"))).await;
        let body = answer.unwrap_or_else(|fault| panic!("{what}: {fault:?}")).body;
        assert_eq!(body, json!({"access_token": "a", "refresh_token": "r"}), "{what}");
    }
    // What ends in the middle is no pair.
    let half =
        Server::new(|_, _| Act::Say(b"HTTP/1.1 200 X\r\nContent-Length: 99\r\n\r\n{\"a\": 1".to_vec())).await;
    assert_eq!(ask(&world(resources()), get(&half.url("/"))).await.unwrap_err().code, "http_lost");
}

#[tokio::test]
async fn a_body_that_nobody_looks_at_decides_nothing() {
    for (what, act) in [
        ("cut off", Act::Say(b"HTTP/1.1 201 X\r\nContent-Length: 99\r\n\r\nhalf".to_vec())),
        ("silent", Act::Hang(b"HTTP/1.1 201 X\r\nContent-Length: 99\r\n\r\nhalf".to_vec())),
        ("broken", Act::Say(bytes(201, "Content-Encoding: gzip\r\n", b"\x1f\x8bno"))),
    ] {
        let server = Server::new(move |_, _| act.clone()).await;
        let request = HttpRequest { unread: true, bytes_max: 1 << 20, ..get(&server.url("/")) };
        let answer = ask(&world(resources()), request.clone()).await;
        assert_eq!(answer.unwrap_or_else(|fault| panic!("{what}: {fault:?}")).status, 201, "{what}");
        let looked_at = HttpRequest { unread: false, ..request };
        assert!(ask(&world(resources()), looked_at).await.is_err(), "{what}");
    }
}
