//! [`Office`]: a mail server, and an engine with a channel to it.

use std::fs;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::cli::place::{Place, Ran, Served, until};
use crate::support::daemon::{Daemon, address_of_its_own, give};

/// Says something to the channel `people`: as an alarm, and as a message whose failure is seen.
const PROCESSES: [(&str, &str); 2] = [
    (
        "processes/alarm.yaml",
        r#"
process: alarm
params: {subject: {type: string}, message: {type: string}}
nodes:
  start: {kind: input, next: tell}
  tell: {kind: escalation, subject: "{{subject}}", message: "{{message}}", notify: [people], next: done}
  done: {kind: end}
"#,
    ),
    (
        "processes/letter.yaml",
        r#"
process: letter
nodes:
  start: {kind: input, next: tell}
  tell: {kind: notify, message: hello, notify: [people], retry: {times: 1}, next: told, on_error: lost}
  told: {kind: end}
  lost: {kind: end, ok: false, result: "{{fault.message}}"}
"#,
    ),
];

/// Reads a message as another program does: Python's library, which also says what is wrong with it.
const READER: &str = r#"
import email, email.policy, json, sys
raw = open(sys.argv[1], "rb").read()
it = email.message_from_bytes(raw, policy=email.policy.default)
head = raw.replace(b"\r\n", b"\n").split(b"\n\n")[0]
print(json.dumps({
    "subject": it["subject"], "version": it["mime-version"], "id": it["message-id"], "date": str(it["date"]),
    "from": str(it["from"]), "to": [[a.display_name, a.addr_spec] for a in it["to"].addresses],
    "text": it.get_content().replace("\r\n", "\n"), "defects": [str(d) for d in it.defects],
    "is_ascii": head.isascii(), "longest": max(map(len, raw.splitlines())),
    "to_lines": len([l for l in head.decode().split("\nTo:")[1].split("\n")[1:] if l.startswith(" ")]),
}))
"#;

/// A mail server of Debian that takes mail for `author@example.org` and for nobody else.
pub(super) struct Server {
    pub(super) name: &'static str,
    /// What it reads. `ADDRESS` is where it shall listen.
    pub(super) files: &'static [(&'static str, &'static str)],
    /// Folders, and whose they are. All know `/here/mail`, where the mail is.
    pub(super) folders: &'static [(&'static str, &'static str)],
    /// To whom it reads its key.
    pub(super) keeper: &'static str,
    pub(super) command: &'static [&'static str],
    /// How one comes in: whether over TLS, with the name `bot` and the password `made-up`.
    pub(super) is_sealed: bool,
}

pub(super) struct Office {
    // The folder goes last, when nobody is in it any more.
    _engine: Served,
    daemon: Daemon,
    address: Ipv4Addr,
    pub(super) place: Place,
}

impl Office {
    pub(super) fn open(server: &Server) -> Office {
        let (place, address) = (Place::new(), address_of_its_own());
        let made = rcgen::generate_simple_self_signed(vec![address.to_string()]).unwrap();
        place.write("mail/cert.pem", &made.cert.pem());
        place.write("mail/key.pem", &made.signing_key.serialize_pem());
        place.write("ca.pem", &made.cert.pem());
        let other = rcgen::generate_simple_self_signed(vec!["elsewhere".to_owned()]).unwrap();
        place.write("other.pem", &other.cert.pem());
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        fs::set_permissions(place.path("mail/key.pem"), private).unwrap();
        give(&place.path("mail/key.pem"), server.keeper);
        for (name, text) in server.files {
            place.write(&format!("mail/{name}"), &text.replace("ADDRESS", &address.to_string()));
        }
        for (name, owner) in server.folders.iter().chain(&[("mail", "author")]) {
            let folder = place.path(&format!("mail/{name}"));
            fs::create_dir_all(&folder).unwrap();
            give(&folder, owner);
        }
        let mut daemon = Daemon::start(&place.path("mail"), server.command);
        until("the mail server listens", || {
            daemon.lives();
            std::net::TcpStream::connect((address, 25)).ok()
        });
        for (name, text) in PROCESSES {
            place.write(name, text);
        }
        let engine = place.serve_with(&["--allow-address", "127.0.0.0/8"]);
        Office { _engine: engine, daemon, address, place }
    }

    /// Sets the channel up. `more` wins over what is usual.
    pub(super) fn channel(&self, server: &Server, to: &str, more: &[&str]) {
        let (host, ca) = (format!("host={}", self.address), "ca=@ca.pem".to_owned());
        let (from, to) = ("from=Bot <bot@example.org>".to_owned(), format!("to={to}"));
        let mut settings = vec![host, from, to, "port=25".to_owned()];
        match server.is_sealed {
            true => settings.extend(["user=bot", "tls=starttls", "password=made-up"].map(str::to_owned)),
            false => settings.push("tls=none".to_owned()),
        }
        settings.push(ca);
        let named = |it: &str| more.iter().any(|own| own.split('=').next() == it.split('=').next());
        settings.retain(|it| !named(it));
        let settings: Vec<&str> = settings.iter().map(String::as_str).chain(more.iter().copied()).collect();
        self.place.ok(&[&["channel", "add", "people", "--via", "smtp"][..], &settings].concat());
    }

    /// Sends a letter, and tells what became of it.
    pub(super) fn send(&self) -> Ran {
        self.place.run(&["submit", "letter", "--wait", "1m", "--json"])
    }

    /// What the list of channels says of it.
    pub(super) fn health(&self) -> Value {
        self.place.json(&["channel", "list"])["items"][0]["health"].clone()
    }

    /// The messages that have arrived, as many as that.
    pub(super) fn arrived(&self, many: usize) -> Vec<Value> {
        let paths = until("all messages arrive", || {
            let Ok(new) = fs::read_dir(self.place.path("mail/mail/new")) else { return None };
            let paths: Vec<PathBuf> = new.map(|it| it.unwrap().path()).collect();
            assert!(paths.len() <= many, "{paths:?}: {}", self.daemon.log());
            (paths.len() == many).then_some(paths)
        });
        paths
            .iter()
            .map(|path| {
                let read = Command::new("python3").args(["-c", READER]).arg(path).output().unwrap();
                let raw = String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
                assert!(read.status.success(), "{}: {raw}", String::from_utf8_lossy(&read.stderr));
                serde_json::from_slice(&read.stdout).unwrap()
            })
            .collect()
    }

    /// What the server said so far.
    pub(super) fn log(&self) -> String {
        self.daemon.log()
    }
}
