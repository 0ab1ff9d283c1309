//! An answer of a token server that breaks off behind the new pair: it is kept sealed, and a person puts it
//! right by hand, having been told or not.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use crate::cli::place::{Place, until};

const FIRST: &str = "refresh-1-9be20c";
const SECOND: &str = "refresh-2-51d7fa";

/// What becomes of a refresh token that was used.
#[derive(Clone, Copy, PartialEq)]
enum Used {
    Refused,
    /// The same answer again, as far as it goes.
    Repeated,
}

/// Rotates, and hangs up in the middle of saying so.
fn answer(stream: &mut TcpStream, asked: &str, has_rotated: &mut bool, used: Used) -> std::io::Result<()> {
    let pair = |refresh: &str| {
        format!(
            "{{\"access_token\":\"made-up-{refresh}\",\"refresh_token\":\"{refresh}\",\"expires_in\":3600"
        )
    };
    let rotates = asked.contains(FIRST) && (used == Used::Repeated || !*has_rotated);
    let (status, body, missing) = if asked.contains("authorization_code") {
        (200, pair(FIRST) + "}", 0)
    } else if rotates {
        (200, pair(SECOND) + ",\"scope\":\"c", 7)
    } else if asked.contains(SECOND) {
        (200, pair("refresh-3-a0c4e8") + "}", 0)
    } else {
        (400, "{\"error\":\"invalid_grant\"}".to_owned(), 0)
    };
    *has_rotated |= rotates;
    let length = body.len() + missing;
    let kind = "Connection: close\r\nContent-Type: application/json";
    write!(stream, "HTTP/1.1 {status} X\r\n{kind}\r\nContent-Length: {length}\r\n\r\n{body}")
}

/// A request as it comes, until its body is whole.
fn request(stream: &mut TcpStream) -> String {
    let (mut text, mut buffer) = (String::new(), [0; 4096]);
    while !is_whole(&text) {
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(read) => text += &String::from_utf8_lossy(&buffer[..read]),
        }
    }
    text
}

fn is_whole(request: &str) -> bool {
    let Some((head, body)) = request.split_once("\r\n\r\n") else { return false };
    let head = head.to_ascii_lowercase();
    let length = head.lines().find_map(|it| it.strip_prefix("content-length: "));
    length.is_none_or(|it| it.trim().parse().is_ok_and(|length: usize| body.len() >= length))
}

fn token_server(used: Used) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let mut has_rotated = false;
        for mut stream in listener.incoming().flatten() {
            let asked = request(&mut stream);
            drop(answer(&mut stream, &asked, &mut has_rotated, used));
        }
    });
    origin
}

/// Keeps a token of that server.
fn keep(place: &Place, origin: &str) {
    place.ok(&["clone", "bitrix-oauth", "--as", "bitrix"]);
    let given =
        ["portal=acme", "client_id=local.1", "client_secret=made-up-1", "code=c-1", "renew_every=10s"];
    let host = format!("oauth_host={origin}");
    place.ok(&[&["submit", "bitrix", "--ref", "token", &host], &given[..]].concat());
}

fn node(place: &Place) -> String {
    place.json(&["show", "bitrix", "token"])["task"]["node"].as_str().unwrap().to_owned()
}

#[test]
fn a_pair_that_was_found_is_put_in_while_nobody_is_asked_for_anything() {
    let (place, origin) = (Place::new(), token_server(Used::Repeated));
    let served = place.serve_with(&["--allow-address", "127.0.0.1", "--allow-oauth-host", &origin]);
    keep(&place, &origin);
    until("it rests", || (node(&place) == "rest").then_some(()));
    let ran = place.run_with(&["modify", "bitrix", "token", "refresh_token=-"], &format!("{SECOND}\n"));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    until("it goes on with it", || (node(&place) == "nap").then_some(()));
    assert_eq!(place.ok(&["get", "bitrix", "token", "refresh_token"]).trim(), "refresh-3-a0c4e8");
    for own in ["access_token", "unread_answer", "previous_refresh_token"] {
        let ran = place.run(&["modify", "bitrix", "token", &format!("{own}=x")]);
        assert_ne!(ran.code, Some(0), "the process alone writes {own}");
    }
    assert_eq!(served.stop(), Some(0));
}

#[test]
fn a_pair_in_half_an_answer_is_kept_sealed_and_put_in_by_hand() {
    let (place, origin) = (Place::new(), token_server(Used::Refused));
    let served = place.serve_with(&["--allow-address", "127.0.0.1", "--allow-oauth-host", &origin]);
    keep(&place, &origin);
    until("a person is asked", || (node(&place) == "escalate").then_some(()));
    let seen = [
        place.ok(&["show", "bitrix", "token"]),
        place.ok(&["show", "bitrix", "token", "--json"]),
        place.ok(&["list", "--json"]),
    ];
    let told = seen.concat();
    assert!(told.contains("`unread_answer`") && told.contains("refresh_token=-"), "{told}");
    let kept = place.ok(&["get", "bitrix", "token", "unread_answer"]);
    assert!(kept.contains(&format!("\"refresh_token\":\"{SECOND}\"")), "{kept}");
    let ran = place.run_with(&["modify", "bitrix", "token", "refresh_token=-"], &format!("{SECOND}\n"));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    until("it goes on", || (node(&place) != "escalate").then_some(()));
    let all = [told, served.log(), ran.out, ran.err].concat();
    assert!(!all.contains(SECOND) && !all.contains(FIRST), "{all}");
    assert_eq!(served.stop(), Some(0));
    for file in fs::read_dir(place.path("data")).unwrap() {
        let bytes = fs::read(file.unwrap().path()).unwrap_or_default();
        assert!(!bytes.windows(SECOND.len()).any(|it| it == SECOND.as_bytes()), "it is sealed on disk");
    }
}
