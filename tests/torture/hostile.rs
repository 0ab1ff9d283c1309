//! A hostile token server: every status with every body, slow, endless, reset, a bomb. The template keeps the
//! pair it has, tells a person or looks again by itself, and renews as soon as the server is good again.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use crate::torture::life::Life;
use crate::torture::outside::read;
use crate::torture::scene::Scene;
use crate::torture::tally::{Tally, rounds, seed};

const STATUSES: [u16; 34] = [
    200, 201, 202, 203, 204, 206, 226, 300, 301, 302, 303, 304, 307, 308, 400, 401, 402, 403, 404, 405, 406,
    408, 409, 410, 418, 421, 422, 425, 429, 451, 500, 502, 503, 599,
];
/// Bodies, `N` is the number of the case. What reads as a whole pair has the refresh token `h-N`.
const BODIES: [&str; 30] = [
    "",
    "{}",
    "[]",
    "null",
    "true",
    "0",
    "\"\"",
    "<html><body>Please log in</body></html>",
    "access_token=a-N&refresh_token=h-N",
    "{\"access_token\":\"a-N\",\"refresh_token\":\"h-N\",\"expires_in\":3600}",
    "{\"access_token\":\"a-N\",\"refresh_token\":\"h-N\",\"expires_in\":\"3600\"}",
    "{\"access_token\":\"a-N\",\"refresh_token\":\"h-N\",\"expires_in\":-1}",
    "{\"access_token\":\"a-N\",\"refresh_token\":\"h-N\",\"expires_in\":1e300}",
    "{\"access_token\":\"a-N\",\"refresh_token\":\"h-N\",\"expires_in\":[]}",
    "{\"access_token\":\"a-N\",\"refresh_token\":\"h-N\",\"note\":\"\\ud83d\"}",
    "{\"access_token\":\"a-N\",\"refresh_token\":12,\"expires_in\":3600}",
    "{\"access_token\":{},\"refresh_token\":[],\"expires_in\":{}}",
    "{\"access_token\":\"\",\"refresh_token\":\"\",\"expires_in\":3600}",
    "{\"access_token\":null,\"refresh_token\":null}",
    "{\"access_token\":\"a-N\"",
    "{\"access_token\":\"a-N\",\"access_token\":\"b-N\",\"refresh_token\":\"h-N\",\"expires_in\":3600}",
    "{\"error\":\"invalid_grant\"}",
    "{\"error\":\"invalid_client\",\"error_description\":\"no\"}",
    "{\"error\":{\"code\":7,\"message\":{\"a\":1}}}",
    "{\"error\":[],\"error_description\":[]}",
    "{\"error\":\"slow_down\"}",
    "{\"error\":\"{{secret.x}} {{#if\"}",
    "\u{feff}{\"access_token\":\"a-N\",\"refresh_token\":\"h-N\",\"expires_in\":3600}",
    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    "{\"access_token\":\"a\\u0000-N\",\"refresh_token\":\"h-N\",\"expires_in\":3600}",
];
/// Answers that are more than a status and a body.
const MANNERS: [&str; 9] =
    ["GZIP", "bomb", "endless", "slow", "hang", "reset", "no length", "garbage", "huge header"];
const BOMB: &[u8] = include_bytes!("../outbound/bomb.gz");

#[derive(Clone, Copy, Debug)]
enum Case {
    Plain(u16, &'static str),
    Manner(&'static str),
}

struct Server {
    cases: Vec<Case>,
    good: AtomicBool,
    /// How often each case was asked to renew, and the refresh tokens that were shown and are not of it.
    asked: Mutex<BTreeMap<usize, u64>>,
    strange: Mutex<Vec<String>>,
}

fn cases(all: bool) -> Vec<Case> {
    let statuses: Vec<u16> = if all { STATUSES.to_vec() } else { vec![200, 302, 400, 503] };
    let plain = statuses.iter().flat_map(|status| BODIES.iter().map(|body| Case::Plain(*status, body)));
    let rest = STATUSES.iter().map(|status| Case::Plain(*status, BODIES[2]));
    plain.chain(rest).chain(MANNERS.iter().map(|manner| Case::Manner(manner))).collect()
}

async fn serve(server: Arc<Server>, listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(talk(Arc::clone(&server), stream));
    }
}

async fn talk(server: Arc<Server>, mut stream: TcpStream) {
    let mut buffer = Vec::new();
    while let Some(request) = read(&mut stream, &mut buffer).await {
        let number: Option<usize> = request.what.strip_prefix("token/").and_then(|it| it.parse().ok());
        let renews = request.body.contains("grant_type=refresh_token");
        let answer = match number {
            Some(number) if renews => {
                let shown = request.body.split("&refresh_token=").nth(1).unwrap_or_default();
                let shown = shown.split('&').next().unwrap_or_default().to_owned();
                if ![format!("r-{number}"), format!("h-{number}"), format!("g-{number}")].contains(&shown) {
                    server.strange.lock().unwrap().push(format!("case {number} was shown `{shown}`"));
                }
                *server.asked.lock().unwrap().entry(number).or_default() += 1;
                match server.good.load(Ordering::Relaxed) {
                    true => whole(200, "", &pair("g", number)),
                    false => match be_hostile(server.cases[number], number, &mut stream).await {
                        Some(answer) => answer,
                        None => return,
                    },
                }
            }
            Some(number) => whole(200, "", &pair("r", number)),
            None => whole(200, "", "{}"),
        };
        if stream.write_all(&answer).await.is_err() {
            return;
        }
    }
}

fn pair(kind: &str, number: usize) -> String {
    format!(r#"{{"access_token":"a{kind}-{number}","refresh_token":"{kind}-{number}","expires_in":3600}}"#)
}

fn whole(status: u16, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    let head = format!("HTTP/1.1 {status} x\r\n{headers}content-type: application/json\r\n");
    format!("{head}content-length: {length}\r\n\r\n{body}").into_bytes()
}

/// An answer, unless it was written already, or there is none.
async fn be_hostile(case: Case, number: usize, stream: &mut TcpStream) -> Option<Vec<u8>> {
    let good = pair("h", number);
    let manner = match case {
        Case::Plain(status @ 300..=399, body) => {
            let elsewhere = "location: http://127.0.0.1:1/\r\n";
            return Some(whole(status, elsewhere, &body.replace('N', &number.to_string())));
        }
        Case::Plain(status, body) => return Some(whole(status, "", &body.replace('N', &number.to_string()))),
        Case::Manner(manner) => manner,
    };
    match manner {
        "GZIP" => return Some(whole(200, "content-encoding: GZIP\r\n", &good)),
        "bomb" => {
            let length = BOMB.len();
            let head =
                format!("HTTP/1.1 200 x\r\ncontent-encoding: gzip\r\ncontent-length: {length}\r\n\r\n");
            return Some([head.as_bytes(), BOMB].concat());
        }
        "endless" => {
            drop(stream.write_all(b"HTTP/1.1 200 x\r\ntransfer-encoding: chunked\r\n\r\n").await);
            while stream.write_all(b"1000\r\n").await.is_ok()
                && stream.write_all(&[b' '; 4_096]).await.is_ok()
                && stream.write_all(b"\r\n").await.is_ok()
            {
                pause(Duration::from_millis(5)).await;
            }
        }
        "slow" => {
            for byte in whole(200, "", &good) {
                pause(Duration::from_millis(500)).await;
                if stream.write_all(&[byte]).await.is_err() {
                    break;
                }
            }
        }
        "hang" => pause(Duration::from_mins(1)).await,
        "reset" => drop(stream.set_zero_linger()),
        "no length" => drop(stream.write_all(format!("HTTP/1.1 200 x\r\n\r\n{good}").as_bytes()).await),
        "garbage" => drop(stream.write_all(&BOMB[..1_000]).await),
        "huge header" => {
            let header = "x".repeat(300_000);
            return Some(whole(200, &format!("x-huge: {header}\r\n"), &good));
        }
        other => panic!("{other}"),
    }
    None
}

#[expect(clippy::disallowed_methods, reason = "the server is slow on purpose, and is another program's")]
async fn pause(time: Duration) {
    tokio::time::sleep(time).await;
}

/// Looks until it is so; false if it is not so in four minutes.
#[expect(clippy::disallowed_methods, reason = "the engine is another program")]
async fn until(look: impl AsyncFn() -> bool) -> bool {
    let began = Instant::now();
    while began.elapsed() < Duration::from_mins(4) {
        if look().await {
            return true;
        }
        pause(Duration::from_millis(200)).await;
    }
    false
}

async fn keepers(scene: &Scene, life: &Life) -> Vec<Value> {
    let (mut items, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = scene.get(life, &format!("processes/guarded/tasks?limit=500{cursor}")).await.unwrap();
        items.extend(page["items"].as_array().unwrap().iter().cloned());
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return items,
        }
    }
}

/// One keeper for each case, each with its first pair.
async fn begin(scene: &Scene, life: &Life, at: SocketAddr, cases: usize) {
    for number in 0..cases {
        let params = json!({
            "authorize_url": format!("http://{at}/authorize"),
            "token_url": format!("http://{at}/token/{number}"),
            "client_id": "c", "client_secret": "s", "pkce": false, "renew_every": "10s",
        });
        let body = json!({"ref": format!("k{number}"), "params": params});
        assert_eq!(scene.post(life, "processes/guarded/tasks", &body).await, Some(201));
    }
    let waits = async || keepers(scene, life).await.iter().all(|it| it["node"] == "authorize");
    assert!(until(waits).await, "the keepers do not wait for their codes");
    for number in 0..cases {
        let path = format!("processes/guarded/tasks/k{number}/modify");
        let status = scene.post(life, &path, &json!({"params": {"code": "c"}})).await;
        assert!(status.is_some_and(|it| it < 300), "{status:?}");
    }
}

fn judge(tasks: &[Value], server: &Server, tally: &mut Tally) {
    for task in tasks {
        let number: usize = task["ref"].as_str().unwrap()[1..].parse().unwrap();
        let case = server.cases[number];
        let ended = ["done", "failed", "cancelled"].iter().any(|it| task["state"] == *it);
        let alone = task["due"].is_null() && task["alarm"].is_null() && task["state"] != "doing";
        if ended || alone {
            tally.wrong.push(format!("{case:?}: {} on {}, with no alarm", task["state"], task["node"]));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_token_server() {
    let mut scene = Scene::new(seed() + 9, None).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let server = Arc::new(Server {
        cases: cases(rounds(0, 1) > 0),
        good: AtomicBool::new(false),
        asked: Mutex::default(),
        strange: Mutex::default(),
    });
    let running = tokio::spawn(serve(Arc::clone(&server), listener));
    let template = format!("{}/templates/oauth2-keeper.yaml", env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(template).unwrap();
    let text = text.replacen("process: oauth2-keeper", "process: guarded", 1);
    fs::write(scene.home().join("processes/guarded.yaml"), text).unwrap();
    let config = format!(
        "channels: {{author: {{via: webhook, url: \"http://{at}/tell\"}}}}\n\
         grouping: {{wait: 20ms, interval: 100ms}}\nallow: {{oauth_hosts: [\"http://{at}\"]}}\n"
    );
    fs::write(scene.home().join("beltline.yaml"), config).unwrap();
    let mut life = scene.live();
    scene.close();
    let cases = server.cases.len();
    begin(&scene, &life, at, cases).await;
    let mut tally = Tally { rounds: cases.try_into().unwrap(), ..Tally::default() };
    let all_asked = async || server.asked.lock().unwrap().len() == cases;
    if !until(all_asked).await {
        tally.wrong.push(format!("{} of {cases} were asked to renew", server.asked.lock().unwrap().len()));
    }
    let at_rest = async || keepers(&scene, &life).await.iter().all(|it| it["state"] != "doing");
    until(at_rest).await;
    judge(&keepers(&scene, &life).await, &server, &mut tally);
    server.good.store(true, Ordering::Relaxed);
    for number in 0..cases {
        let path = format!("processes/guarded/tasks/k{number}/wake");
        scene.post(&life, &path, &json!({})).await;
    }
    let is_healed = |task: &Value| task["alarm"].is_null() && task["node"] != "escalate";
    let healed = async || keepers(&scene, &life).await.iter().all(is_healed);
    if !until(healed).await {
        for task in keepers(&scene, &life).await.iter().filter(|it| !is_healed(it)) {
            let number: usize = task["ref"].as_str().unwrap()[1..].parse().unwrap();
            let case = server.cases[number];
            tally
                .wrong
                .push(format!("{case:?} does not heal: on {}, {}", task["node"], task["params"]["why"]));
        }
    }
    tally.pairs_lost.clone_from(&server.strange.lock().unwrap());
    tally.renewals = server.asked.lock().unwrap().values().sum();
    if life.has_ended() {
        tally.wrong.push(format!("the engine has ended: {}", life.log()));
    }
    running.abort();
    scene.no_more_at_all();
    tally.stands("hostile token server");
}
