//! A real task of the real program becomes a scenario that holds.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc;

use serde_json::json;

use crate::cli::place::{Place, until};

/// A server that answers with these, in order, and tells what it was asked.
fn server(answers: Vec<(u16, &'static str)>) -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        for (status, body) in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut head = [0u8; 4096];
            let read = stream.read(&mut head).unwrap();
            tell.send(String::from_utf8_lossy(&head[..read]).into_owned()).unwrap();
            let length = body.len();
            let head =
                format!("HTTP/1.1 {status} OK\r\ncontent-type: application/json\r\nconnection: close\r\n");
            write!(stream, "{head}content-length: {length}\r\n\r\n{body}").unwrap();
        }
    });
    (url, told)
}

fn order(url: &str) -> String {
    format!(
        r#"process: order
params:
  sku: {{type: string, required: true}}
  key: {{type: string, secret: true}}
  note: {{type: string, default: none}}
nodes:
  start: {{kind: input, next: ask}}
  ask:
    kind: http
    url: "{url}/price"
    query: {{key: "{{{{key}}}}"}}
    retry: {{times: 2, first: 100ms, jitter: 0}}
    save: {{price: = response.body.data.price, tags: "= response.body.tags|default([])"}}
    next: approve
    on_error: bad
  approve: {{kind: wait, link: true, accept: {{approved: {{required: true}}}}, next: book}}
  book:
    kind: http
    url: "{url}/book"
    json: {{sku: "{{{{sku}}}}"}}
    fault: {{code: = response.body.error, message: "{{{{response.body.why}}}}"}}
    next: done
    on_error: sorry
  sorry: {{kind: delay, for: 1h, next: book}}
  done: {{kind: end, result: "{{{{price}}}}"}}
  bad: {{kind: end, ok: false}}
"#
    )
}

#[test]
fn a_real_task_becomes_a_scenario_that_holds() {
    let (url, told) = server(vec![
        (503, "{}"),
        (200, r#"{"data": {"price": 20}, "tags": ["a", "b"]}"#),
        (409, r#"{"error": "SOLD_OUT", "why": "come back in {{an hour}}"}"#),
        (200, "{}"),
    ]);
    let place = Place::new();
    place.write("processes/order.yaml", &order(&url));
    let served = place.serve_with(&["--allow-address", "127.0.0.1/32"]);
    place.ok(&["submit", "order", "--ref", "o-1", "sku=S1", "key=hush-hush-1"]);
    let at = |node: &str| {
        until(node, || (place.json(&["show", "order", "o-1"])["task"]["node"] == node).then_some(()));
    };
    at("approve");
    place.ok(&["modify", "order", "o-1", "approved:=true"]);
    at("sorry");
    place.ok(&["wake", "order", "o-1"]);
    at("done");
    let said = place.ok(&["try", "--record", "order", "o-1"]);
    assert!(said.contains("made-up-key"), "{said}");
    place.ok(&["try", "--record", "order", "o-1", "-o", "scenarios/o-1.yaml"]);
    place
        .run(&["try", "--record", "order", "o-1", "-o", "scenarios/o-1.yaml"])
        .failed(1, &["cannot be written"]);
    assert_eq!(place.json(&["try", "--record", "order", "o-1"])["holds"], true, "{said}");
    place.run(&["try", "--record", "order", "o-2"]).failed(1, &["o-2"]);
    place.run(&["try", "--record", "ordre", "o-1"]).failed(1, &["did you mean `order`"]);
    served.stop();
    assert!(told.iter().take(4).any(|it| it.contains("hush-hush-1")), "the key went where it belongs");
    assert!(!said.contains("hush"), "{said}");
    // Nobody is asked any more, and it all happens again.
    let ran = place.json(&["try", "scenarios/o-1.yaml"]);
    assert_eq!(ran["cases"][0]["ok"], true, "{ran:#}\n{said}");
    let replayed = place.ok(&["try", "processes/order.yaml", "scenarios/o-1.yaml"]);
    for line in
        ["ask  answered 503", "(try 2)  → approve  price=20", "approve  modify by", "sold_out (lasting)"]
    {
        assert!(replayed.contains(line), "no {line:?} in {replayed}\n{said}");
    }
    // What is recorded is what is tested: another price is told.
    let other = said.replace("\"price\":20", "\"price\":21");
    assert_ne!(other, said);
    place.write("scenarios/o-1.yaml", &other.replacen("\"price\":21", "\"price\":20", 1));
    place.run(&["try", "scenarios/o-1.yaml"]).failed(1, &[]);
    assert_eq!(json!(place.run(&["test"]).code), 1);
}
