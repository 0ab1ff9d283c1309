//! Bytes are read in one way wherever they come in: by the API, by the link of a task, by a hook.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;

use crate::support::call::{Answer, Call};
use crate::support::house::House;

const DOORS: &str = "process: doors\nparams:\n  s: {}\n  i: {type: integer}\n  b: {type: boolean}\nhooks:\n  \
    in: {public: true, ref: \"{{headers.x-ref}}\"}\n  \
    ask: {public: true, accept: query, methods: [GET], ref: \"{{query.ref}}\"}\nnodes:\n  \
    start: {kind: input, next: wait}\n  \
    wait: {kind: wait, link: true, accept: {s: {required: true}}, next: done}\n  done: {kind: end}\n";
const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut to = GzEncoder::new(Vec::new(), Compression::fast());
    to.write_all(bytes).unwrap();
    to.finish().unwrap()
}

/// A body as it is sent: content type, content encoding, bytes.
type Sent = (String, &'static str, Vec<u8>);

/// The same JSON in every way to write it down.
fn ways(json: &str) -> Vec<Sent> {
    let russian: Vec<u8> = json.chars().map(|it| u8::try_from(it).unwrap_or(0xcf)).collect();
    let wide: Vec<u8> =
        std::iter::once(0xfeff).chain(json.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    vec![
        (format!("{JSON}; charset=windows-1251"), "", russian.clone()),
        (JSON.to_owned(), "", wide),
        (JSON.to_owned(), "gzip", gzip(json.as_bytes())),
        (JSON.to_owned(), "utf-8", json.as_bytes().to_vec()),
    ]
}

/// What is no JSON in any way, with its status and what is said of it.
fn wrongs(json: &str) -> Vec<(Sent, u16, &'static str)> {
    let latin: Vec<u8> = json.chars().map(|it| u8::try_from(it).unwrap_or(0xe9)).collect();
    vec![
        ((JSON.to_owned(), "", latin.clone()), 400, "is no text in UTF-8: the byte at offset "),
        ((format!("{JSON}; charset=klingon-8"), "", latin), 415, "`klingon-8`, which nobody knows"),
        ((JSON.to_owned(), "zstd", b"\x28\xb5\x2f\xfdx".to_vec()), 415, "packed by `zstd`"),
    ]
}

async fn sent(call: Call, (kind, coding, bytes): Sent) -> Answer {
    let call = call.body(&kind, bytes);
    if coding.is_empty() { call.send().await } else { call.header("content-encoding", coding).send().await }
}

fn refused(answer: &Answer, status: u16, told: &str) {
    let detail = answer.json()["detail"].clone();
    assert!(answer.status == status && detail.as_str().unwrap().contains(told), "{} {detail}", answer.status);
}

async fn kept(house: &House, reference: &str) -> serde_json::Value {
    house.api("GET", &format!("/processes/doors/tasks/{reference}")).send().await.ok(200)["params"].clone()
}

#[tokio::test]
async fn the_api() {
    let house = House::open().await;
    house.deploy(DOORS).await;
    let post = || house.api("POST", "/processes/doors/tasks");
    for (at, way) in ways("{\"params\": {\"s\": \"П\"}}").into_iter().enumerate() {
        let task = sent(post(), way).await.ok(201);
        assert_eq!(task["params"]["s"], "П", "{at}");
    }
    for (wrong, status, told) in wrongs("{\"params\": {\"s\": \"П\"}}") {
        refused(&sent(post(), wrong).await, status, told);
    }
    let lines = b"{\"ref\": \"n\", \"params\": {\"s\": \"\xcf\"}}\n".to_vec();
    let kind = "application/x-ndjson; charset=windows-1251".to_owned();
    assert_eq!(sent(post(), (kind, "", lines)).await.status, 200);
    assert_eq!(kept(&house, "n").await, json!({"s": "П"}));
    let packed = sent(post(), ("application/x-ndjson".to_owned(), "gzip", gzip(b"{}"))).await;
    refused(&packed, 415, "not unpacked");
    let file = DOORS.replace("process: doors", "process: doors\nabout: П");
    let wide = std::iter::once(0xfeff).chain(file.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    sent(house.api("PUT", "/processes/doors"), ("application/yaml".to_owned(), "", wide)).await.ok(200);
    let large = gzip(&vec![b' '; 5 * 1024 * 1024]);
    refused(&sent(post(), (JSON.to_owned(), "gzip", large)).await, 413, "unfolds to more than");
}

#[tokio::test]
async fn the_link_of_a_task() {
    let house = House::open().await;
    house.deploy(DOORS).await;
    let link = async |reference: &str| {
        house.submit("doors", reference, json!({})).await;
        let path = format!("/processes/doors/tasks/{reference}");
        let task = house.until(&path, |it| it["link"].is_string()).await;
        let link = task["link"].as_str().unwrap().to_owned();
        format!("/{}", link.splitn(4, '/').nth(3).unwrap())
    };
    let form = (format!("{FORM}; charset=windows-1251"), "", b"s=%CF".to_vec());
    for (at, way) in ways("{\"s\": \"П\"}").into_iter().chain([form]).enumerate() {
        let reference = format!("l{at}");
        let path = link(&reference).await;
        sent(house.call("POST", &path).token(""), way).await.ok(200);
        assert_eq!(kept(&house, &reference).await, json!({"s": "П"}), "{at}");
    }
    let path = link("wrong").await;
    let latin = ((FORM.to_owned(), "", b"s=caf%E9".to_vec()), 400, "the field `s` is no text in UTF-8");
    for (wrong, status, told) in wrongs("{\"s\": \"П\"}").into_iter().chain([latin]) {
        refused(&sent(house.call("POST", &path).token(""), wrong).await, status, told);
    }
}

#[tokio::test]
async fn a_hook() {
    let house = House::open().await;
    house.deploy(DOORS).await;
    let post = |reference: &str| house.call("POST", "/hooks/doors/in").token("").header("x-ref", reference);
    for (at, way) in ways("{\"s\": \"П\"}").into_iter().enumerate() {
        sent(post(&format!("h{at}")), way).await.ok(202);
        assert_eq!(kept(&house, &format!("h{at}")).await, json!({"s": "П"}), "{at}");
    }
    for (wrong, status, told) in wrongs("{\"s\": \"П\"}") {
        // What a hook is sent in another form than it says is 422 there.
        let status = if status == 400 { 422 } else { status };
        refused(&sent(post("x"), wrong).await, status, told);
    }
    let form = || (FORM.to_owned(), "", b"s=caf%E9".to_vec());
    refused(&sent(post("x"), form()).await, 422, "the field `s` is no text in UTF-8: the byte at offset 3");
}

/// Bodies whose sender names no charset, or a wrong one: what the file says stands above it.
const SAID: &str = "process: said\nparams:\n  s: {}\nhooks:\n  \
    in: {public: true, ref: \"{{headers.x-ref}}\", charset: cp1251}\nnodes:\n  \
    start: {kind: input, next: wait}\n  wait: {kind: wait, next: done}\n  done: {kind: end}\n";

/// The same text in windows-1251 as JSON, a form and XML, with what is said of it.
fn unsaid() -> Vec<Sent> {
    let xml = "<?xml version='1.0' encoding='utf-8'?><o><s>\u{cf}</s></o>";
    let narrow = |text: &str| text.chars().map(|it| u8::try_from(it).unwrap()).collect::<Vec<u8>>();
    vec![
        (JSON.to_owned(), "", narrow("{\"s\": \"\u{cf}\"}")),
        (format!("{JSON}; charset=utf-8"), "", narrow("{\"s\": \"\u{cf}\"}")),
        (format!("{JSON}; charset=klingon-8"), "", narrow("{\"s\": \"\u{cf}\"}")),
        (JSON.to_owned(), "gzip", gzip(&narrow("{\"s\": \"\u{cf}\"}"))),
        ("text/xml; charset=iso-8859-1".to_owned(), "", narrow(xml)),
    ]
}

#[tokio::test]
async fn a_hook_that_names_the_charset_of_its_sender() {
    let house = House::open().await;
    house.deploy(SAID).await;
    let post = |reference: &str| house.call("POST", "/hooks/said/in").token("").header("x-ref", reference);
    let forms = ["s=%CF", "s=%CF&_charset_=utf-8"].map(|it| (FORM.to_owned(), "", it.as_bytes().to_vec()));
    let raw = (format!("{FORM}; charset=utf-8"), "", b"s=\xcf".to_vec());
    let wide = std::iter::once(0xfeff).chain("{\"s\": \"П\"}".encode_utf16()).flat_map(u16::to_le_bytes);
    // A mark in the bytes is no claim: they are so.
    let marked = (JSON.to_owned(), "", wide.collect());
    for (at, way) in unsaid().into_iter().chain(forms).chain([raw, marked]).enumerate() {
        let reference = format!("h{at}");
        sent(post(&reference), way).await.ok(202);
        let path = format!("/processes/said/tasks/{reference}");
        let task = house.api("GET", &path).send().await.ok(200);
        assert_eq!(task["params"]["s"], "П", "{at}");
    }
}

/// A form, a query and XML have nothing but texts.
#[tokio::test]
async fn texts_of_a_hook_are_what_the_process_declares() {
    let house = House::open().await;
    house.deploy(DOORS).await;
    let post = |reference: &str| house.call("POST", "/hooks/doors/in").token("").header("x-ref", reference);
    let read = json!({"i": 7, "b": true, "s": "7"});
    post("f").body(FORM, "i=7&b=true&s=7").send().await.ok(202);
    post("x").body("text/xml", "<o><i>7</i><b>true</b><s>7</s></o>").send().await.ok(202);
    let query = house.call("GET", "/hooks/doors/ask?ref=q&i=7&b=true&s=7").token("");
    query.send().await.ok(202);
    for reference in ["f", "x", "q"] {
        assert_eq!(kept(&house, reference).await, read, "{reference}");
    }
    let typed = post("j").body(JSON, "{\"i\": \"7\"}").send().await;
    refused(&typed, 422, "the param `i` of process `doors` is a text, not a whole number");
    let other = post("o").body(FORM, "i=seven").send().await;
    refused(&other, 422, "the param `i` of process `doors` is a text, not a whole number");
    let many = post("m").body(JSON, "{\"i\": 18446744073709551616}").send().await;
    refused(&many, 422, "has more digits than a number keeps");
}
