//! Whoever connects takes nothing from what the engine has to do outside.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;

use crate::cli::place::{Place, Served, until};

/// Fewer than a machine has, so that a test can use them up.
const FILES: u32 = 200;

fn limit(served: &Served) -> u64 {
    let limits = fs::read_to_string(format!("/proc/{}/limits", served.id())).unwrap();
    let line = limits.lines().find(|it| it.starts_with("Max open files")).unwrap();
    line.split_whitespace().nth(3).unwrap().parse().unwrap()
}

/// Answers everything, and tells of each request.
fn outside() -> (String, mpsc::Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut request = [0; 4_096];
            if stream.read(&mut request).is_ok_and(|bytes| bytes > 0) {
                let answer = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}";
                drop(stream.write_all(answer.as_bytes()));
                if tell.send(()).is_err() {
                    return;
                }
            }
        }
    });
    (url, told)
}

#[test]
fn many_idle_connections_keep_no_request_from_the_outside() {
    let place = Place::new().files(FILES);
    let (url, told) = outside();
    let text = format!(
        "process: asks\nnodes:\n  start: {{kind: input, next: ask}}\n  \
         ask: {{kind: http, url: \"{url}\", next: rest}}\n  \
         rest: {{kind: delay, for: 200ms, next: ask}}\n"
    );
    place.write("processes/asks.yaml", &text);
    let served = place.serve_with(&["--allow-address", "127.0.0.0/8"]);
    assert_eq!(limit(&served), u64::from(FILES));
    place.ok(&["submit", "asks", "--ref", "for-ever"]);
    told.recv().unwrap();
    // More than there are files, and none says anything.
    let idle: Vec<TcpStream> = (0..2 * FILES).map(|_| TcpStream::connect(place.address()).unwrap()).collect();
    let files = || fs::read_dir(format!("/proc/{}/fd", served.id())).unwrap().count();
    until("as many are taken as may be", || (files() >= 100).then_some(()));
    while told.try_recv().is_ok() {}
    for _ in 0..5 {
        told.recv().unwrap();
    }
    assert!(!served.log().contains("Too many open files"), "{}", served.log());
    drop(idle);
    let task = until("it answers again", || {
        let ran = place.run(&["show", "asks", "for-ever", "--json"]);
        (ran.code == Some(0)).then(|| serde_json::from_str::<serde_json::Value>(&ran.out).unwrap())
    });
    assert_eq!(task["task"]["fault"], serde_json::Value::Null, "{task}");
    let doctor = place.run(&["doctor"]);
    assert!(doctor.out.contains("200 may be open at once, 100 of them connections"), "{doctor:?}");
    assert!(doctor.out.contains("LimitNOFILE"), "{doctor:?}");
}

#[test]
fn as_many_files_as_the_system_lets_it_may_be_open() {
    let place = Place::new();
    let served = place.serve();
    // What a shell begins with is less than what may be asked for, on most systems.
    let hard: u64 = {
        let limits = fs::read_to_string(format!("/proc/{}/limits", served.id())).unwrap();
        let line = limits.lines().find(|it| it.starts_with("Max open files")).unwrap();
        line.split_whitespace().nth(4).unwrap().parse().unwrap_or(u64::MAX)
    };
    assert!(limit(&served) >= hard.min(65_536));
}
