//! What the real binary says of channels that are dead, and of alarms that nobody heard.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::Value;

use crate::cli::place::{Place, Served, until};

const CALL: &str = r"
process: call-me
nodes:
  start: {kind: input, next: tell}
  tell: {kind: escalation, message: help, notify: [author], retry: {times: 1}, wait: {}, next: done}
  done: {kind: end}
";

fn serve(place: &Place) -> Served {
    place.serve_with(&["--allow-address", "127.0.0.0/8"])
}

fn metrics(place: &Place) -> String {
    let token = std::fs::read_to_string(place.path("data/token")).unwrap();
    let mut server = TcpStream::connect(place.address()).unwrap();
    let head = format!("Host: localhost\r\nAuthorization: Bearer {}\r\nConnection: close", token.trim());
    write!(server, "GET /metrics HTTP/1.1\r\n{head}\r\n\r\n").unwrap();
    let mut said = String::new();
    server.read_to_string(&mut said).unwrap();
    said
}

#[test]
fn dead_channels_are_seen_everywhere_and_an_alarm_is_acknowledged_by_order() {
    let place = Place::new();
    place.write("processes/call-me.yaml", CALL);
    let served = serve(&place);
    place.ok(&["doctor"]);
    place.ok(&[
        "channel",
        "add",
        "author",
        "--via",
        "telegram",
        "chat_id=1",
        "token=1:x",
        "base_url=http://127.0.0.1:9",
    ]);
    place.ok(&["doctor"]);
    place.ok(&["submit", "call-me", "--ref", "one"]);
    until("the alarm is open", || {
        place.json(&["alarms"])["items"][0]["alarm"]["problem"].is_string().then_some(())
    });
    let dead = ["`author` is failing", "none of them delivers", "1 told to no one", "things are wrong"];
    let ran = place.run(&["doctor"]);
    let said = format!("{}{}", ran.out, ran.err);
    assert!(ran.code == Some(1) && dead.iter().all(|it| said.contains(it)), "{said}");
    let listed = place.ok(&["channel", "list"]);
    assert!(listed.contains("failing (since"), "{listed}");
    served.stop();
    let _served = serve(&place);
    let ran = place.run(&["doctor"]);
    assert!(ran.code == Some(1) && ran.out.contains("`author` is failing"), "{ran:?}");
    let seen = metrics(&place);
    for line in [
        "beltline_channel_failing{channel=\"author\"} 1",
        "beltline_channel_failing_since_seconds{channel=\"author\"} 1",
        "beltline_alarms_undelivered 1",
        "beltline_alarms_open 1",
    ] {
        assert!(seen.contains(line), "{line}: {seen}");
    }
    let said = place.ok(&["ack", "call-me", "one"]);
    assert!(said.contains("call-me/one  waiting at tell"), "{said}");
    assert!(place.ok(&["alarms"]).contains("acknowledged by local"), "{}", place.ok(&["alarms"]));
    place.run(&["ack", "call-me", "one"]).failed(1, &["local acknowledged it already"]);
    let doctor: Value = serde_json::from_str(&place.run(&["doctor", "--json"]).out).unwrap();
    let alarms = doctor["items"].as_array().unwrap().iter().find(|it| it["what"] == "alarms").unwrap();
    assert_eq!(alarms["level"], "warn", "{alarms}");
}
