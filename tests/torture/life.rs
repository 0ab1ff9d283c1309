//! [`Life`]: one life of the real engine, with whatever is done to it: a switch that breaks a promise, a
//! tracer around it, a data folder on a disk of its own.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// What happens at all happens within that, on a machine that does much else.
const PATIENCE: Duration = Duration::from_mins(3);

/// How an engine is started.
#[derive(Clone, Debug)]
pub(crate) struct Start {
    /// Where `beltline.yaml`, `processes` and the log lie.
    pub(crate) home: PathBuf,
    pub(crate) data: PathBuf,
    /// The promise that is broken on purpose.
    pub(crate) broken: Option<&'static str>,
    /// The arguments of `strace`, when it runs around it.
    pub(crate) tracer: Vec<String>,
    pub(crate) env: Vec<(String, String)>,
}

/// An engine that runs.
pub(crate) struct Life {
    child: Child,
    log: PathBuf,
    /// `http://127.0.0.1:1234`.
    pub(crate) base: String,
    pub(crate) token: String,
}

/// It did not come up.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) code: Option<i32>,
    pub(crate) log: String,
}

/// The binary of this build, unless another is to be measured.
#[expect(clippy::disallowed_methods, reason = "a test is told from outside what to measure")]
fn engine() -> String {
    std::env::var("BELTLINE_BINARY").unwrap_or_else(|_| env!("CARGO_BIN_EXE_beltline").to_owned())
}

impl Start {
    pub(crate) fn at(home: &Path) -> Start {
        let data = home.join("data");
        Start { home: home.to_owned(), data, broken: None, tracer: Vec::new(), env: Vec::new() }
    }

    /// Runs a verb of the command line to its end.
    pub(crate) fn verb(&self, args: &[&str]) -> (Option<i32>, String) {
        let data = self.data.to_str().unwrap();
        let mut command = Command::new(engine());
        let command = command.args(args).args(["--data", data]).current_dir(&self.home);
        let output = command.env_clear().env("PATH", "/usr/bin:/bin").stdin(Stdio::null()).output().unwrap();
        let both = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&both).into_owned())
    }

    /// Starts it, and waits until it answers or has ended.
    pub(crate) fn go(&self) -> Result<Life, Refusal> {
        let engine = engine();
        let mut words: Vec<&str> = self.tracer.iter().map(String::as_str).collect();
        words.push(&engine);
        let data = self.data.to_str().unwrap();
        words.extend(["serve", "--listen", "127.0.0.1:0", "--data", data]);
        words.extend(["--allow-address", "127.0.0.0/8"]);
        let log = self.home.join("serve.log");
        let file = File::options().create(true).append(true).open(&log).unwrap();
        let address = self.data.join("address");
        drop(fs::remove_file(&address));
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).current_dir(&self.home).env_clear().env("PATH", "/usr/bin:/bin");
        command.envs(self.broken.map(|broken| ("BELTLINE_BREAK", broken)));
        command.envs(self.env.iter().cloned()).stdin(Stdio::null());
        let child = command.stdout(file.try_clone().unwrap()).stderr(file).spawn().unwrap();
        let mut life = Life { child, log, base: String::new(), token: String::new() };
        let began = now();
        loop {
            if let Ok(base) = fs::read_to_string(&address)
                && let Ok(token) = fs::read_to_string(self.data.join("token"))
                && !base.trim().is_empty()
            {
                (life.base, life.token) = (base.trim().to_owned(), token.trim().to_owned());
                return Ok(life);
            }
            if let Some(status) = life.child.try_wait().unwrap() {
                return Err(Refusal { code: status.code(), log: life.log() });
            }
            assert!(began.elapsed() < PATIENCE, "the engine neither answers nor ends: {}", life.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Life {
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The end of what it said.
    pub(crate) fn log(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    pub(crate) fn signal(&self, name: &str) {
        let id = self.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &id]).status().unwrap().success());
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Stops it, and waits until no thread of it can do anything more but come back from the kernel.
    pub(crate) fn freeze(&self) {
        self.signal("STOP");
        let began = now();
        let is_still = |thread: fs::DirEntry| {
            let stat = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
            let state = stat.rsplit(')').next().and_then(|rest| rest.trim().chars().next());
            state.is_none_or(|it| matches!(it, 'T' | 't' | 'D'))
        };
        let threads = || fs::read_dir(format!("/proc/{}/task", self.id())).unwrap();
        while !threads().all(|thread| is_still(thread.unwrap())) {
            assert!(began.elapsed() < PATIENCE, "the engine does not stand still: {}", self.log());
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// SIGKILL.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits until it has ended by itself.
    pub(crate) fn ended(mut self) -> ExitStatus {
        let began = now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(began.elapsed() < PATIENCE, "the engine does not end: {}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a deadline in real time")]
fn now() -> Instant {
    Instant::now()
}

impl Drop for Life {
    fn drop(&mut self) {
        // It has ended by itself, or is not needed any more.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
