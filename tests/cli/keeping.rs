//! Tokens that die, as a person and a script see them: with the real binary.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;

use beltline::engine::ports::Clock;
use beltline::outbound::clock::SystemClock;

use crate::cli::place::Place;

/// Gives itself a new token whenever it is woken.
const KEEPER: &str = r#"
process: keeper
params:
  token: {type: string, secret: true, expiry: {at: dies, issued: born, warn: 10m}}
  born: {type: integer}
  dies: {type: integer}
nodes:
  start: {kind: input, next: nap}
  nap: {kind: delay, for: 1d, wake: signal, next: renew}
  renew: {kind: set, set: {token: "token-{{task.visit}}", born: "= now", dies: "= now + 3600"}, next: nap}
"#;

fn place() -> Place {
    let place = Place::new();
    place.write("processes/keeper.yaml", KEEPER);
    place
}

/// A task whose token was born an hour ago and dies in so many seconds.
fn submit(place: &Place, name: &str, lives: i64) {
    let now = SystemClock.now().seconds();
    let (born, dies) = (format!("born:={}", now - 3_600 + lives), format!("dies:={}", now + lives));
    place.ok(&["submit", "keeper", "--ref", name, "token=first-token", &born, &dies]);
}

fn metrics(place: &Place) -> String {
    let token = fs::read_to_string(place.path("data/token")).unwrap();
    let mut stream = TcpStream::connect(place.address()).unwrap();
    let head = format!(
        "GET /metrics HTTP/1.0\r\nHost: {}\r\nAuthorization: Bearer {}\r\n\r\n",
        place.address(),
        token.trim()
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

fn get<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["get", "keeper", "t", "token"], more].concat()
}

#[test]
fn a_script_gets_a_token_that_lives_long_enough() {
    let place = place();
    let _served = place.serve();
    submit(&place, "t", 300);
    assert_eq!(place.ok(&get(&["--fresh-for", "1m"])), "first-token");
    let fresh = place.ok(&get(&["--fresh-for", "10m", "--wait", "20s"]));
    assert!(fresh.starts_with("token-"), "{fresh}");
    assert_eq!(place.ok(&get(&["--fresh-for", "10m"])), fresh, "it is fresh enough already");
    place.run(&get(&["--fresh-for", "2h"])).failed(1, &["a new `token` lives 1h", "hint: ask for `59m`"]);
    place.run(&get(&["--wait", "1s"])).failed(2, &["--fresh-for"]);
}

#[test]
fn everyone_sees_when_a_token_dies() {
    let place = place();
    let served = place.serve();
    submit(&place, "good", 3_000);
    submit(&place, "near \"its\" end", 300);
    submit(&place, "dead", -60);
    let shown = place.ok(&["show", "keeper", "good"]);
    assert!(shown.contains("dies") && shown.contains("wake a person by"), "{shown}");
    let doctor = place.run(&["doctor"]);
    doctor.failed(1, &["1 thing is wrong"]);
    for words in ["token of keeper/dead died", "token of keeper/near \"its\" end dies in"] {
        assert!(doctor.out.contains(words), "no {words:?} in {}", doctor.out);
    }
    assert!(!doctor.out.contains("keeper/good"), "{}", doctor.out);
    served.stop();
    let _served = place.serve();
    let told = metrics(&place);
    for name in ["beltline_param_expires_at_seconds", "beltline_param_warn_at_seconds"] {
        assert!(told.contains(&format!("# TYPE {name} gauge")), "{told}");
        let mine: Vec<&str> = told.lines().filter(|it| it.starts_with(&format!("{name}{{"))).collect();
        assert_eq!(mine.len(), 3, "also after a restart: {told}");
        assert!(mine[0].contains("ref=\"dead\"") && mine[2].contains("ref=\"good\""), "{mine:?}");
        assert!(mine[1].contains(r#"{process="keeper",ref="near \"its\" end",param="token"} "#), "{mine:?}");
    }
    assert!(told.contains("\nbeltline_param_expiries_unlisted 0\n"), "{told}");
    assert!(!told.contains("first-token"));
    place.ok(&["cancel", "keeper", "dead"]);
    assert!(!metrics(&place).contains("ref=\"dead\""), "what has ended is gone");
}
