//! Killed between an answer that nobody can read and its commit. It carries the rotated pair, so it is kept
//! once it has been committed, or the renewal is asked again with the same refresh token.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::cli::place::until;
use crate::torture::life::{Life, Start};
use crate::torture::strikes::Tracer;
use crate::torture::tally::rounds;

/// The calls at which it is struck, counted from the answer, and how far apart the strikes of the small run
/// are.
const CALLS: [(&str, usize); 4] =
    [("recvfrom,read", 4), ("pwrite64", 5), ("fsync,fdatasync", 1), ("write,writev,sendto", 4)];
/// A task that renews whenever it is told to, and says when it is over.
const PROCESS: &str = r#"
process: rotator
params:
  refresh_token: {type: string, secret: true, required: true}
  unread_answer: {type: string, secret: true, input: false, default: ""}
  said: {type: string, default: ""}
nodes:
  start: {kind: input, next: hold}
  hold: {kind: wait, accept: {go: {}}, next: renew}
  renew:
    kind: http
    method: POST
    url: http://ADDRESS/new
    form: {token: "{{refresh_token}}"}
    unsure: RULE
    keep_unread: unread_answer
    retry: {times: 1}
    save: {refresh_token: "= response.body.refresh_token", unread_answer: ""}
    next: hold
    on_error: note
  note: {kind: set, set: {said: "{{fault.code}}"}, next: over}
  over: {kind: http, method: POST, url: "http://ADDRESS/over", next: hold, on_error: hold}
"#;

/// What the token server was asked, and whether it answers.
#[derive(Default)]
struct Book {
    /// The number of the refresh token and the key of the request, in the order they came.
    renewals: Vec<(u64, String)>,
    overs: usize,
    is_open: bool,
}

/// Answers a refresh token of any number with half of a document that holds the next.
struct TokenServer {
    address: SocketAddr,
    book: Arc<Mutex<Book>>,
}

impl TokenServer {
    fn start() -> TokenServer {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, book) = (listener.local_addr().unwrap(), Arc::<Mutex<Book>>::default());
        let shared = Arc::clone(&book);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let book = Arc::clone(&shared);
                // Who was killed does not hear it.
                std::thread::spawn(move || drop(serve(stream, &book)));
            }
        });
        TokenServer { address, book }
    }

    fn see<T>(&self, look: impl FnOnce(&mut Book) -> T) -> T {
        look(&mut self.book.lock().unwrap())
    }
}

fn serve(mut stream: TcpStream, book: &Mutex<Book>) -> std::io::Result<()> {
    let (mut asked, mut piece) = (String::new(), [0; 4096]);
    let after = |text: &str, word: &str| Some(text.split_once(word)?.1.lines().next()?.trim().to_owned());
    let number = loop {
        if asked.starts_with("POST /over") && asked.contains("\r\n\r\n") {
            book.lock().unwrap().overs += 1;
            return stream.write_all(b"HTTP/1.1 200 x\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
        }
        if let Some(number) = after(&asked, "token=made-up-refresh-").and_then(|it| it.parse::<u64>().ok()) {
            break number;
        }
        match stream.read(&mut piece)? {
            0 => return Ok(()),
            read => asked += &String::from_utf8_lossy(&piece[..read]),
        }
    };
    let key = after(&asked.to_ascii_lowercase(), "idempotency-key:").unwrap_or_default();
    book.lock().unwrap().renewals.push((number, key));
    until("the answer may go out", || book.lock().unwrap().is_open.then_some(()));
    let half =
        format!("{{\"access_token\":\"made-up-access\",\"refresh_token\":\"{}\",\"exp", pair(number + 1));
    let head = "connection: close\r\ncontent-type: application/json";
    write!(stream, "HTTP/1.1 200 x\r\n{head}\r\ncontent-length: {}\r\n\r\n{half}", half.len() + 99)
}

fn pair(number: u64) -> String {
    format!("made-up-refresh-{number:04}")
}

/// A folder, the server, and the one task.
struct Row {
    _home: tempfile::TempDir,
    start: Start,
    server: TokenServer,
    /// Of the refresh token that the task has.
    number: u64,
    kept: usize,
    lost: usize,
}

impl Row {
    fn new(rule: &str) -> (Row, Life) {
        let (home, server) = (tempfile::tempdir().unwrap(), TokenServer::start());
        fs::create_dir(home.path().join("processes")).unwrap();
        let text = PROCESS.replace("ADDRESS", &server.address.to_string()).replace("RULE", rule);
        fs::write(home.path().join("processes/rotator.yaml"), text).unwrap();
        let start = Start::at(home.path());
        let row = Row { _home: home, start, server, number: 1, kept: 0, lost: 0 };
        let life = row.live();
        row.verb(&["submit", "rotator", "--ref", "x", &format!("refresh_token={}", pair(1))]);
        (row, life)
    }

    fn live(&self) -> Life {
        self.start.go().unwrap_or_else(|refusal| panic!("{refusal:?}"))
    }

    fn verb(&self, words: &[&str]) -> String {
        let (code, told) = self.start.verb(words);
        assert_eq!(code, Some(0), "{words:?}: {told}");
        told
    }

    /// A param, as a person with the right to read it sees it.
    fn param(&self, name: &str) -> String {
        self.verb(&["get", "rotator", "x", name]).trim().to_owned()
    }

    /// Puts the next refresh token in, as a person does who found it, and renews with it; gives how often
    /// the server was asked before.
    fn renew(&mut self) -> (usize, usize) {
        self.number += 1;
        let before = self.server.see(|it| {
            it.is_open = false;
            (it.renewals.len(), it.overs)
        });
        let token = format!("refresh_token={}", pair(self.number));
        self.verb(&["modify", "rotator", "x", &token, "go=1", "said="]);
        until("it is asked", || self.server.see(|it| it.renewals.len() > before.0).then_some(()));
        before
    }

    /// Strikes at the `nth` of those calls after the answer has gone out; whether there were so many.
    fn struck(&mut self, life: &mut Life, call: &str, nth: usize) -> bool {
        let before = self.renew();
        let tracer = Tracer::attach(life, call, nth);
        self.server.see(|it| it.is_open = true);
        until("it dies, or the answer is committed", || {
            (life.has_ended() || self.server.see(|it| it.overs > before.1)).then_some(())
        });
        drop(tracer);
        // It may have struck at the last moment: only what answers lives.
        if !life.has_ended() && self.start.verb(&["show", "rotator", "x"]).0 == Some(0) {
            return false;
        }
        *life = self.live();
        self.judge(before.0, &format!("{call} {nth}"));
        true
    }

    /// The answer is kept whole, or the same refresh token is there and asked with again.
    fn judge(&mut self, before: usize, strike: &str) {
        until("it is over", || {
            let shown: Value = serde_json::from_str(&self.verb(&["show", "rotator", "x", "--json"])).unwrap();
            (shown["task"]["node"] == "hold").then_some(())
        });
        assert_eq!(self.param("refresh_token"), pair(self.number), "{strike}");
        let asked = self.server.see(|it| it.renewals[before..].to_vec());
        assert!(asked.iter().all(|it| it.0 == self.number), "{strike}: {asked:?}");
        assert!(asked.iter().all(|it| !it.1.is_empty() && it.1 == asked[0].1), "{strike}: {asked:?}");
        let found = pair(self.number + 1);
        match self.param("said").as_str() {
            "outcome_unknown" if asked.len() == 1 && !self.param("unread_answer").contains(&found) => {
                self.lost += 1;
                self.verb(&["modify", "rotator", "x", "go=1"]);
                let again = || self.server.see(|it| it.renewals.len() > before + 1).then_some(());
                until("it is asked again", again);
                until("it is kept", || self.param("unread_answer").contains(&found).then_some(()));
                assert_eq!(self.server.see(|it| it.renewals[before + 1].0), self.number, "{strike}");
            }
            _ => {
                self.lost += asked.len() - 1;
                self.kept += usize::from(asked.len() == 1);
                let kept = self.param("unread_answer");
                assert!(kept.contains(&found), "{strike}: {} {asked:?} {kept}", self.param("said"));
            }
        }
    }
}

/// Kills at every of those calls, and once more when the answer is kept.
fn killed(rule: &str) {
    let (mut row, mut life) = Row::new(rule);
    for (call, apart) in CALLS {
        let apart = if rounds(0, 1) == 0 { apart } else { 1 };
        let strikes = (1..).step_by(apart).take_while(|nth| row.struck(&mut life, call, *nth)).count();
        assert!(strikes > 0, "{call} does not occur");
    }
    println!("unsure: {rule}: the answer was kept {} times, and asked for again {}", row.kept, row.lost);
    assert!(row.lost > 0, "no strike came before the commit");
    assert!(row.kept > 0, "no strike came after the commit");
    let before = row.renew();
    row.server.see(|it| it.is_open = true);
    until("the answer is committed", || row.server.see(|it| it.overs > before.1).then_some(()));
    life.kill();
    let _life = row.live();
    let kept = row.param("unread_answer");
    assert!(kept.ends_with(&format!("\"refresh_token\":\"{}\",\"exp", pair(row.number + 1))), "{kept}");
    assert_eq!(row.param("refresh_token"), pair(row.number));
}

#[test]
fn killed_over_an_unread_answer_where_a_renewal_is_asked_again() {
    killed("ask");
}

#[test]
fn killed_over_an_unread_answer_where_a_renewal_is_asked_at_most_once() {
    killed("stop");
}
