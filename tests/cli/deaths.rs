//! A task that takes the whole engine with it does so twice at most.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value;

use crate::cli::place::{Place, until};

const NAPS: &str = "\
process: naps
nodes:
  start: {kind: input, next: nap}
  nap: {kind: delay, for: 1s, next: done}
  done: {kind: end}
";

/// Somebody who is told by a webhook: where, and what.
fn author() -> (SocketAddr, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, (tell, told)) = (listener.local_addr().unwrap(), channel());
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut bytes = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            if let Some((_, length)) = line.to_lowercase().split_once("content-length:") {
                bytes = length.trim().parse().unwrap();
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut body = vec![0; bytes];
        reader.read_exact(&mut body).unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").unwrap();
        tell.send(String::from_utf8(body).unwrap()).unwrap();
    });
    (address, told)
}

/// Runs an engine until it dies by itself.
fn dies(place: &Place) {
    let mut child = place.command(&["serve", "--listen", "127.0.0.1:0"]).spawn().unwrap();
    let status = until("the engine dies", || child.try_wait().unwrap());
    assert_eq!(status.code(), None, "it did not end by itself");
}

#[test]
fn a_task_under_which_the_engine_died_twice_is_set_aside() {
    let (address, told) = author();
    let place = Place::new().env("BELTLINE_BREAK", "deadly_task");
    let channels = format!("channels: {{author: {{via: webhook, url: \"http://{address}/told\"}}}}\n");
    place.write("beltline.yaml", &format!("allow: {{addresses: [127.0.0.0/8]}}\n{channels}"));
    place.write("processes/naps.yaml", NAPS);
    let served = place.serve();
    for name in ["deadly", "other"] {
        place.ok(&["submit", "naps", "--ref", name]);
    }
    assert_eq!(served.ended(), None, "it dies of it once");
    dies(&place);
    let served = place.serve();
    let task = |name: &str| -> Value { place.json(&["show", "naps", name])["task"].clone() };
    let state = |name: &str, state: &str| {
        until("it comes to that state", || Some(task(name)).filter(|it| it["state"] == state))
    };
    let deadly = state("deadly", "failed");
    assert_eq!(deadly["fault"]["code"], "engine_error", "{deadly}");
    assert!(deadly["fault"]["message"].as_str().unwrap().contains("died twice"), "{deadly}");
    state("other", "done");
    assert!(served.log().contains("the engine died twice while it decided this task"), "{}", served.log());
    let message = told.recv_timeout(Duration::from_mins(1)).unwrap();
    for words in ["naps/deadly is set aside", "at node `nap`", "retry the task"] {
        assert!(message.contains(words), "{message}");
    }
    assert_eq!(served.stop(), Some(0));
}
