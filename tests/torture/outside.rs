//! [`Outside`]: a web service on loopback that writes every request to a ledger and syncs it before it
//! answers, and then answers well, badly, slowly, in half or not at all, as its seed has it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::torture::pulse::Pulse;
use crate::torture::tokens::{Families, Told};

/// How long an answer may lie unwritten to the disk of the engine when a fault comes, on a machine that is
/// not slow just then: an answer that came so long before it or less was in flight.
const IN_FLIGHT: Duration = Duration::from_secs(3);
/// How much later than it was sent a request may be read here.
const READ_LATE: Duration = Duration::from_secs(1);

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// The path, such as `ask/order1/o7/n2`.
    pub(crate) what: String,
    pub(crate) key: String,
    pub(crate) at: Duration,
    /// The status that was written whole to the socket, and when; none where that never happened.
    pub(crate) answered: Option<(u16, Duration)>,
}

/// What the outside knows.
pub(crate) struct Book {
    began: Instant,
    seed: u64,
    calm: AtomicBool,
    file: Mutex<File>,
    asked: Mutex<Vec<Asked>>,
    faults: Mutex<Vec<Duration>>,
    pulse: Pulse,
    pub(crate) families: Mutex<Families>,
}

/// A service that runs until it is dropped.
pub(crate) struct Outside {
    pub(crate) address: SocketAddr,
    pub(crate) book: Arc<Book>,
    server: JoinHandle<()>,
}

/// How a request is met.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Mood {
    Good,
    Refuses,
    Slow,
    Resets,
    Hangs,
    Cuts,
}

/// A request as it came.
pub(crate) struct Request {
    pub(crate) what: String,
    key: String,
    pub(crate) body: String,
}

/// A number that depends on all of these alone.
pub(crate) fn chance(seed: u64, words: &str) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64 ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for byte in words.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash ^= hash >> 32;
    hash = hash.wrapping_mul(0xd6e8_feb8_6659_fd93);
    hash ^ (hash >> 32)
}

/// What the outside answers when it is asked for that.
pub(crate) fn number_of(what: &str) -> u64 {
    chance(7, what) % 1_000_000
}

impl Book {
    #[expect(clippy::disallowed_methods, reason = "the outside has a clock of its own")]
    fn new(ledger: &Path, seed: u64) -> Book {
        let began = Instant::now();
        Book {
            began,
            pulse: Pulse::new(&ledger.with_extension("pulse"), began),
            seed,
            calm: AtomicBool::new(false),
            file: Mutex::new(File::create(ledger).unwrap()),
            asked: Mutex::default(),
            faults: Mutex::default(),
            families: Mutex::default(),
        }
    }

    pub(crate) fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// From now on every request is answered well.
    pub(crate) fn calm_down(&self) {
        self.calm.store(true, Ordering::Relaxed);
    }

    /// The engine loses what is in flight at this moment, and may.
    pub(crate) fn fault(&self) {
        let now = self.now();
        self.faults.lock().unwrap().push(now);
    }

    pub(crate) fn had_faults(&self) -> bool {
        !self.faults.lock().unwrap().is_empty()
    }

    /// Whether a fault came while the engine could still hold that answer in its memory alone.
    pub(crate) fn in_flight(&self, asked: Duration, answered: Option<Duration>, again: Duration) -> bool {
        let until =
            answered.map_or(again, |answered| again.min(answered + IN_FLIGHT + self.pulse.late(answered)));
        let read_late = READ_LATE + self.pulse.late(asked);
        self.faults.lock().unwrap().iter().any(|fault| asked <= *fault + read_late && *fault <= until)
    }

    /// All requests by what they asked for.
    pub(crate) fn asked(&self) -> BTreeMap<String, Vec<Asked>> {
        let mut by_what: BTreeMap<String, Vec<Asked>> = BTreeMap::new();
        for asked in self.asked.lock().unwrap().iter() {
            by_what.entry(asked.what.clone()).or_default().push(asked.clone());
        }
        by_what
    }

    fn note(&self, request: &Request) -> (usize, usize) {
        let line = format!("{} {}\n", request.what, request.key);
        {
            let mut file = self.file.lock().unwrap();
            file.write_all(line.as_bytes()).unwrap();
            file.sync_data().unwrap();
        }
        let mut asked = self.asked.lock().unwrap();
        let before = asked.iter().rev().filter(|it| it.key == request.key).count();
        let (what, key) = (request.what.clone(), request.key.clone());
        asked.push(Asked { what, key, at: self.now(), answered: None });
        (asked.len() - 1, before)
    }

    fn answered(&self, number: usize, status: u16) {
        let now = self.now();
        self.asked.lock().unwrap()[number].answered = Some((status, now));
    }

    /// The third try of the same is always met well, so that everything comes to an end.
    fn mood(&self, what: &str, before: usize) -> Mood {
        if before >= 2 || self.calm.load(Ordering::Relaxed) {
            return Mood::Good;
        }
        match (chance(self.seed, &format!("{what} {before}")) % 100, what.starts_with("once/")) {
            (0..=9, false) => Mood::Refuses,
            (10..=19, _) => Mood::Slow,
            (20..=23, _) => Mood::Resets,
            (24, _) => Mood::Hangs,
            (25..=28, _) => Mood::Cuts,
            _ => Mood::Good,
        }
    }
}

impl Outside {
    pub(crate) async fn start(ledger: &Path, seed: u64) -> Outside {
        let book = Arc::new(Book::new(ledger, seed));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::clone(&book);
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Outside { address, book, server }
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(mut stream: TcpStream, book: Arc<Book>) {
    let mut buffer = Vec::new();
    while let Some(request) = read(&mut stream, &mut buffer).await {
        let (number, before) = book.note(&request);
        let mut mood = book.mood(&request.what, before);
        let (status, body) = match request.what.strip_prefix("token/") {
            Some(name) => {
                let told = book.families.lock().unwrap().ask(name, &request.body, &mut mood, &book);
                match told {
                    Told::Pair(body) => (200, body),
                    Told::Refused => (400, r#"{"error":"invalid_grant"}"#.to_owned()),
                    Told::Nothing => (503, "{}".to_owned()),
                }
            }
            None if mood == Mood::Refuses => (503, "{}".to_owned()),
            None => (200, format!(r#"{{"n":{},"id":"m{number}"}}"#, number_of(&request.what))),
        };
        let length = body.len();
        let whole = format!(
            "HTTP/1.1 {status} x\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        let end = match mood {
            Mood::Good | Mood::Refuses => stream.write_all(whole.as_bytes()).await,
            Mood::Slow => {
                pause(Duration::from_millis(250)).await;
                stream.write_all(whole.as_bytes()).await
            }
            Mood::Cuts => return drop(stream.write_all(&whole.as_bytes()[..whole.len() - 3]).await),
            Mood::Resets => return drop(stream.set_zero_linger()),
            Mood::Hangs => return pause(Duration::from_secs(20)).await,
        };
        if end.is_err() {
            return;
        }
        book.answered(number, status);
        if let Some(name) = request.what.strip_prefix("token/").filter(|_| status == 200) {
            book.families.lock().unwrap().answered(name, book.now());
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the outside is slow on purpose")]
async fn pause(time: Duration) {
    tokio::time::sleep(time).await;
}

/// The next request of a connection; none when it is over.
pub(crate) async fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Request> {
    loop {
        if let Some(head) = buffer.windows(4).position(|it| it == b"\r\n\r\n") {
            let text = String::from_utf8_lossy(&buffer[..head]).into_owned();
            let header = |name: &str| {
                let lines = text.lines().skip(1).filter_map(|line| line.split_once(':'));
                let mut found = lines.filter(|(it, _)| it.eq_ignore_ascii_case(name));
                found.next().map(|(_, value)| value.trim().to_owned())
            };
            let length: usize = header("content-length").map_or(0, |it| it.parse().unwrap());
            if buffer.len() >= head + 4 + length {
                let body = String::from_utf8_lossy(&buffer[head + 4..head + 4 + length]).into_owned();
                let what = text.split(' ').nth(1)?.trim_start_matches('/').to_owned();
                let key = header("idempotency-key").unwrap_or_default();
                buffer.drain(..head + 4 + length);
                return Some(Request { what, key, body });
            }
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
}
