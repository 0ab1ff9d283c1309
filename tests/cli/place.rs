//! [`Place`]: a folder in which the real binary runs, and [`Served`], an engine that runs there.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// What happens at all happens within that, on a machine that does much else.
const PATIENCE: Duration = Duration::from_mins(1);

/// A process that works offline.
pub(crate) const HELLO: &str = r#"
process: hello
title: Hello
params:
  city: {type: string, required: true}
  key: {type: string, secret: true}
  tags: {type: array, default: []}
nodes:
  start: {kind: input, next: greet}
  greet: {kind: set, set: {greeting: "Hello {{city}}"}, next: nap}
  nap: {kind: delay, for: 1h, next: done}
  done: {kind: end, result: "{{greeting}}"}
"#;

/// A folder with `processes/hello.yaml`.
pub(crate) struct Place {
    dir: tempfile::TempDir,
    env: Vec<(String, String)>,
    /// How many files a program may have open here, if not as usual.
    files: Option<u32>,
}

/// What a run of the binary left.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// An engine that runs.
pub(crate) struct Served {
    child: Child,
    log: PathBuf,
}

/// Waits until `look` finds something.
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    #[expect(clippy::disallowed_methods, reason = "a deadline in real time")]
    let begin = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begin.elapsed() < PATIENCE, "did not happen: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

impl Place {
    pub(crate) fn new() -> Place {
        let place = Place { dir: tempfile::tempdir().unwrap(), env: Vec::new(), files: None };
        place.write("processes/hello.yaml", HELLO);
        place
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Place {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A place where a program may have that many files open, and cannot raise it.
    pub(crate) fn files(mut self, files: u32) -> Place {
        self.files = Some(files);
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes as careful editors do: beside, and then in its place.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let beside = path.with_extension("tmp");
        fs::write(&beside, text).unwrap();
        fs::rename(beside, path).unwrap();
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = match self.files {
            None => Command::new(env!("CARGO_BIN_EXE_beltline")),
            Some(files) => {
                let mut shell = Command::new("/bin/sh");
                let script = format!("ulimit -n {files} && exec \"$0\" \"$@\"");
                shell.args(["-c", &script, env!("CARGO_BIN_EXE_beltline")]);
                shell
            }
        };
        command.args(args).current_dir(self.dir.path()).env_clear().envs(self.env.iter().cloned());
        // `doctor` asks `df`, and `bench` asks `kill`.
        command.env("PATH", "/usr/bin:/bin").stdin(Stdio::null());
        command
    }

    /// Runs to the end.
    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        Ran::from(self.command(args).output().unwrap())
    }

    /// Runs with something to read.
    pub(crate) fn run_with(&self, args: &[&str], stdin: &str) -> Ran {
        let mut command = self.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
        Ran::from(child.wait_with_output().unwrap())
    }

    /// Runs to a good end, and gives what was said.
    pub(crate) fn ok(&self, args: &[&str]) -> String {
        let ran = self.run(args);
        assert_eq!(ran.code, Some(0), "{args:?}: {ran:?}");
        ran.out
    }

    /// The same in JSON.
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        let out = self.ok(&[args, &["--json"]].concat());
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{args:?}: {error}: {out}"))
    }

    /// Starts an engine and waits until it answers.
    pub(crate) fn serve(&self) -> Served {
        self.serve_with(&[])
    }

    pub(crate) fn serve_with(&self, args: &[&str]) -> Served {
        self.serve_at("127.0.0.1:0", args)
    }

    /// Starts an engine anew at that address, whatever an earlier life of it left.
    pub(crate) fn serve_at(&self, listen: &str, args: &[&str]) -> Served {
        drop(fs::remove_file(self.path("data/address")));
        let log = self.path("serve.log");
        let file = fs::File::create(&log).unwrap();
        let args = [&["serve", "--listen", listen], args].concat();
        let child = self.command(&args).stdout(file.try_clone().unwrap()).stderr(file).spawn().unwrap();
        let mut served = Served { child, log };
        let address = self.path("data/address");
        until("the engine answers", || {
            assert!(served.child.try_wait().unwrap().is_none(), "{}", served.log());
            address.exists().then_some(())
        });
        served
    }

    /// Where the engine listens, as `127.0.0.1:1234`.
    pub(crate) fn address(&self) -> String {
        let text = fs::read_to_string(self.path("data/address")).unwrap();
        text.trim().trim_start_matches("http://").to_owned()
    }
}

impl Served {
    /// The number of its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it said so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &id]).status().unwrap().success());
    }

    /// The memory it has in use, in MiB.
    pub(crate) fn rss_mib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap() / 1_024
    }

    /// Asks it to stop, waits for it, and gives the exit code.
    pub(crate) fn stop(self) -> Option<i32> {
        self.signal("TERM");
        self.ended()
    }

    /// Waits until it has ended, and gives the exit code.
    pub(crate) fn ended(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It has ended by itself, or is not needed any more.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Ran {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

impl Ran {
    /// It failed so, and said that.
    pub(crate) fn failed(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, Some(code), "{self:?}");
        for word in words {
            assert!(self.err.contains(word), "no {word:?} in {self:?}");
        }
    }
}

/// Whether a file is for its owner alone.
pub(crate) fn is_private(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).unwrap().permissions().mode() & 0o777 & !0o700 == 0
}
