//! What requests carry, and what is made of answers that are no JSON.

use beltline::engine::shelf::{Keyring, Secret};
use beltline::model::effect::{Accept, Body, Content, HttpAsk, Part, mark};
use serde_json::json;

use super::servers::{Server, ask, get, world};

fn keyring() -> Keyring {
    let keyring = Keyring::default();
    keyring.set_secrets([("k".to_owned(), Secret::new("a<&\"b"))].into());
    keyring
}

/// The head and the body of what a server got.
async fn carried(body: Body) -> (String, String) {
    let server = Server::saying(200, "", "").await;
    let request = HttpAsk { method: "POST".into(), body, ..get(&server.url("/")) };
    ask(&world(keyring()), request).await.unwrap();
    let asked = server.asked().remove(0);
    let (head, body) = asked.split_once("\r\n\r\n").unwrap();
    (head.to_lowercase(), body.to_owned())
}

#[tokio::test]
async fn files_and_fields_go_out_as_browsers_send_them() {
    let part = |name: &str, content, file: Option<&str>, content_type: Option<&str>| Part {
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
        let request = HttpAsk { method: "POST".into(), body, ..get(&server.url("/")) };
        let fault = ask(&world(keyring()), request).await.unwrap_err();
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
    let request = HttpAsk { accept: Accept::Xml, ..get(&server.url("/")) };
    let answer = ask(&world(keyring()), request).await.unwrap();
    assert_eq!(answer.body, json!({"r": {"@ok": "1", "id": ["7", "8"]}}));
    assert!(server.asked()[0].to_lowercase().contains("accept: application/xml"));
    let request = HttpAsk { accept: Accept::Binary, ..get(&server.url("/")) };
    let body = ask(&world(keyring()), request).await.unwrap().body;
    assert_eq!((&body["type"], &body["size"]), (&json!("text/xml"), &json!(xml.len())));
    let bad = Server::saying(200, "Content-Type: text/xml\r\n", "<!DOCTYPE r><r/>").await;
    let request = HttpAsk { accept: Accept::Xml, ..get(&bad.url("/x")) };
    let fault = ask(&world(keyring()), request).await.unwrap_err();
    assert_eq!((fault.code.as_str(), fault.status), ("bad_response", Some(200)));
    let wanted = format!("the answer of `{}` is no XML: it has a DTD, which is not read", bad.url("/x"));
    assert_eq!(fault.message, wanted);
}
