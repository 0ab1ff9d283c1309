//! [`Child`]: an engine in a process of its own, so that its memory and its start can be measured apart.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use tokio::process::Command;
use url::Url;

use crate::cli::data::DataDir;
use crate::cli::http1::{Connection, request};
use crate::cli::moment::rest;
use crate::cli::remote::Remote;
use crate::cli::temp::TempDir;
use crate::model::time::Span;

/// Long after it should have answered.
const START_MAX: Duration = Duration::from_secs(30);
/// It should stop well within that.
const STOP_MAX: Duration = Duration::from_secs(30);
/// How often it is looked whether it is there: finer than what is measured.
const LOOK_PAUSE: Span = Span::millis(1);

/// An engine that runs as a child of this process, on a folder of its own.
#[derive(Debug)]
pub struct Child {
    process: tokio::process::Child,
    data: DataDir,
    address: String,
    dir: Option<TempDir>,
}

impl Child {
    /// Starts an engine on a new folder that goes with it.
    pub async fn start() -> Result<Child> {
        let dir = TempDir::new("bench")?;
        let mut child = Child::start_on(&DataDir::at(&dir.path().join("data"))).await?;
        child.dir = Some(dir);
        Ok(child)
    }

    /// Starts an engine on `data`; returns when it has answered for the first time.
    pub async fn start_on(data: &DataDir) -> Result<Child> {
        data.forget_address();
        let binary = std::env::current_exe().context("this program does not know where it is")?;
        let processes = data.path().join("processes");
        fs::create_dir_all(&processes)?;
        let mut command = Command::new(binary);
        command.arg("serve").arg("--data").arg(data.path()).arg("--processes").arg(&processes);
        command.args(["--listen", "127.0.0.1:0", "--allow-address", "127.0.0.0/8", "--log", "error"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit()).kill_on_drop(true);
        // Its own folder, so that no beltline.yaml of the user changes what is measured.
        command.current_dir(data.path());
        let process = command.spawn().context("the engine does not start")?;
        let mut child = Child { process, data: data.clone(), address: String::new(), dir: None };
        match tokio::time::timeout(START_MAX, child.answered()).await {
            Ok(answered) => answered?,
            Err(_) => bail!("the engine did not answer within {} s", START_MAX.as_secs()),
        }
        Ok(child)
    }

    async fn answered(&mut self) -> Result<()> {
        loop {
            if let Some(status) = self.process.try_wait()? {
                bail!("the engine ended at its start: {status}");
            }
            if let Some(address) = self.data.address() {
                self.address = address;
                if self.is_well().await {
                    return Ok(());
                }
            }
            rest(LOOK_PAUSE).await;
        }
    }

    async fn is_well(&self) -> bool {
        let Ok(mut connection) = Connection::open(self.host()).await else { return false };
        let asked = connection.ask(&request("GET", self.host(), "/healthz", "", "")).await;
        asked.is_ok_and(|status| status == 200)
    }

    /// The server it is.
    pub fn remote(&self) -> Result<Remote> {
        Remote::new(Url::parse(&self.address)?, self.data.read_token())
    }

    /// `host:port`.
    pub fn host(&self) -> &str {
        self.address.trim_start_matches("http://")
    }

    /// Its memory that is in use, in bytes.
    pub fn rss_bytes(&self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()?)).ok()?;
        let line = status.lines().find_map(|it| it.strip_prefix("VmRSS:"))?;
        let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
        Some(kilobytes * 1024)
    }

    /// Stops it as a person would, and waits for it.
    pub async fn stop(mut self) -> Result<()> {
        let id = self.process.id().ok_or_else(|| anyhow!("the engine ended by itself"))?;
        let asked = Command::new("kill").args(["-TERM", &id.to_string()]).status().await;
        asked.context("`kill` cannot be run")?;
        match tokio::time::timeout(STOP_MAX, self.process.wait()).await {
            Ok(ended) => drop(ended?),
            Err(_) => bail!("the engine did not stop within {} s", STOP_MAX.as_secs()),
        }
        Ok(())
    }
}
