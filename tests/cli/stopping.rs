//! How an engine stops: in time, whatever a process does, and at once when it is told twice.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use crate::cli::place::{Place, Served, until};

/// What a stop takes at most if nothing is said.
const PROMISED: Duration = Duration::from_secs(10);

/// A process that asks a server, and waits for long.
fn asks(listener: &TcpListener) -> String {
    let address = listener.local_addr().unwrap();
    format!(
        "process: asks\nnodes:\n  start: {{kind: input, next: ask}}\n  ask: {{kind: http, url: \
         \"http://{address}/\", timeout: 5m, next: done}}\n  done: {{kind: end}}\n"
    )
}

/// An engine with a request out that is never answered.
fn hanging(place: &Place, grace: &str) -> (Served, TcpListener, std::net::TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    place.write("processes/asks.yaml", &asks(&listener));
    let served = place.serve_with(&["--grace", grace, "--allow-address", "127.0.0.0/8"]);
    place.ok(&["submit", "asks", "--ref", "one"]);
    let (asked, _) = listener.accept().unwrap();
    (served, listener, asked)
}

/// How long a stop took, and its exit code.
fn stopped(served: Served) -> (Duration, Option<i32>) {
    #[expect(clippy::disallowed_methods, reason = "what is promised is a time")]
    let begin = Instant::now();
    let code = served.stop();
    (begin.elapsed(), code)
}

#[test]
fn a_stop_ends_in_time_though_a_request_hangs() {
    let place = Place::new();
    let (served, _listener, _asked) = hanging(&place, "5s");
    let (took, code) = stopped(served);
    assert_eq!(code, Some(0));
    assert!(took < PROMISED, "{took:?}");
    let _served = place.serve_with(&["--allow-address", "127.0.0.0/8"]);
    let shown = place.ok(&["show", "asks", "one"]);
    assert!(shown.contains("doing"), "it is asked again: {shown}");
}

#[test]
fn a_stop_ends_in_time_though_somebody_waits_for_a_task() {
    let place = Place::new();
    let served = place.serve_with(&["--grace", "5m"]);
    let mut submit = place.command(&["submit", "hello", "--ref", "riga", "city=Riga", "--wait", "5m"]);
    let mut submit = submit.stdout(std::process::Stdio::null()).spawn().unwrap();
    until("it is taken in", || (place.run(&["show", "hello", "riga"]).code == Some(0)).then_some(()));
    let (took, code) = stopped(served);
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_mins(1), "{took:?}: it waited for whoever waits");
    submit.wait().unwrap();
}

#[test]
fn a_stop_ends_in_time_though_the_store_hangs() {
    let place = Place::new();
    let (served, _listener, asked) = hanging(&place, "1s");
    let other = rusqlite::Connection::open(place.path("data/beltline.db")).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    // Its answer waits for the store from now on.
    drop(asked);
    served.signal("TERM");
    let log = until("it says so", || Some(served.log()).filter(|it| it.contains("did stop within 1s")));
    assert!(log.contains("nothing is lost"), "{log}");
    let (took, code) = stopped(served);
    assert!(took < PROMISED, "{took:?}");
    assert_eq!(code, Some(1));
    other.execute_batch("ROLLBACK").unwrap();
    drop(other);
    let _served = place.serve_with(&["--allow-address", "127.0.0.0/8"]);
    place.ok(&["show", "asks", "one"]);
}

#[test]
fn a_second_signal_ends_it_at_once_and_the_exit_code_says_so() {
    for (signal, code) in [("TERM", 143), ("INT", 130)] {
        let place = Place::new();
        let (served, _listener, _asked) = hanging(&place, "1h");
        served.signal("TERM");
        until("it begins to stop", || (!place.path("data/address").exists()).then_some(()));
        served.signal(signal);
        assert_eq!(served.ended(), Some(code));
    }
}
