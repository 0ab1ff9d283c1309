//! `bench`: how fast it is here, measured from outside.

use std::time::Duration;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use futures::StreamExt;
use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::cli::child::Child;
use crate::cli::data::DataDir;
use crate::cli::http1::{echo, request};
use crate::cli::load::{LoadPlan, instant};
use crate::cli::moment::rest;
use crate::cli::out::Look;
use crate::cli::remote::{Remote, process_path};
use crate::cli::session::CliSession;
use crate::cli::stream;
use crate::cli::temp::TempDir;
use crate::cli::visits::{dashboards, pages};
use crate::model::time::Span;

const COMPUTE: &str = include_str!("bench/compute.yaml");
const HTTP: &str = include_str!("bench/http.yaml");
const EACH: &str = include_str!("bench/each.yaml");
const EACH_CALLED: &str = include_str!("bench/each-called.yaml");
const SLEEP: &str = include_str!("bench/sleep.yaml");
const PAGES: &str = include_str!("bench/pages.yaml");

/// How many sleepers go in one request.
const SLEEPERS_PIECE: u64 = 1_000;
/// How many such requests are under way at once.
const PIECES_MAX: usize = 4;
/// How many items a round has if nothing else is said.
const ITEMS: u64 = 20_000;
/// How many tasks are in the store while pages are asked for, if nothing else is said.
const TASKS: u64 = 1_000_000;
/// How often the memory is measured while a round runs.
const LOOK_PAUSE: Span = Span::millis(50);
/// How often the start is measured.
const STARTS: usize = 5;
/// An engine has settled after that, and is idle.
const SETTLE: Span = Span::secs(1);

/// Measure how fast it is on this machine
#[derive(Debug, Args)]
#[command(after_help = "\
Starts an engine of its own on a folder that is thrown away, unless --server names one.

Examples:
  beltline bench                      # all but the dashboard, in about a minute
  beltline bench compute --clients 256
  beltline bench sleep --count 1000000
  beltline bench each --count 1000000
  beltline bench pages dashboards     # the dashboard, in about three minutes")]
pub struct Bench {
    /// What to measure [default: all but pages and dashboards]
    scenario: Vec<Scenario>,
    /// How many clients ask at once
    #[arg(long, default_value_t = 64)]
    clients: usize,
    /// How long each scenario takes
    #[arg(long, default_value = "10s", value_name = "TIME")]
    time: Span,
    /// How many requests at most; for `sleep` and `pages`, how many tasks; for `each`, how many items
    #[arg(long, value_name = "N")]
    count: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Scenario {
    /// From process start to the first answer, and memory at rest
    Start,
    /// One client: a task from submit to its end, without calls
    One,
    /// Many clients: a task from submit to its end, without calls
    Compute,
    /// Many clients: a task from submit to its end, with one HTTP call
    Http,
    /// 100,000 tasks asleep: how fast they are taken, and what they weigh
    Sleep,
    /// One task that calls another process for each of 20,000 items: how fast, and what it weighs
    Each,
    /// Every kind of page, with 1,000 processes and a million tasks in the store
    Pages,
    /// Many clients, as in `compute`, without and with 200 open dashboards
    Dashboards,
}

/// What is asked.
struct Target {
    remote: Remote,
    host: String,
    token: String,
    child: Option<Child>,
}

impl Bench {
    /// Measures. Stopped early, it takes its engine and its folder with it.
    pub async fn run(self, session: &CliSession) -> Result<()> {
        tokio::select! {
            done = self.all(session) => done,
            stopped = tokio::signal::ctrl_c() => stopped.map_err(Into::into).and_then(|()| bail!("stopped")),
        }
    }

    async fn all(&self, session: &CliSession) -> Result<()> {
        let mut all = Map::new();
        let scenarios = if self.scenario.is_empty() {
            let long = |it: &&Scenario| !matches!(it, Scenario::Pages | Scenario::Dashboards);
            Scenario::value_variants().iter().filter(long).copied().collect()
        } else {
            self.scenario.clone()
        };
        for scenario in scenarios {
            let name = scenario.to_possible_value().map_or(String::new(), |it| it.get_name().to_owned());
            let measured = match scenario {
                Scenario::Start => start(session).await?,
                other => {
                    // Each on an engine of its own, so that none weighs on the next.
                    let target = self.target(session).await?;
                    let measured = self.measure(other, &target).await?;
                    if let Some(child) = target.child {
                        child.stop().await?;
                    }
                    measured
                }
            };
            if !session.out.json {
                session.out.line(told(&name, &measured, session))?;
            }
            all.insert(name, measured);
        }
        if session.out.json { session.out.json(&Value::Object(all)) } else { Ok(()) }
    }

    async fn target(&self, session: &CliSession) -> Result<Target> {
        if session.config.server.is_some() {
            let remote = session.remote()?;
            let Some(host) = remote.base().strip_prefix("http://").map(str::to_owned) else {
                bail!("the bench speaks plain HTTP only; hint: run it on the server's machine")
            };
            let token = remote.token().to_owned();
            return Ok(Target { remote, host, token, child: None });
        }
        let child = Child::start().await?;
        let remote = child.remote()?;
        let (host, token) = (child.host().to_owned(), remote.token().to_owned());
        Ok(Target { remote, host, token, child: Some(child) })
    }

    async fn measure(&self, scenario: Scenario, target: &Target) -> Result<Value> {
        match scenario {
            Scenario::One => self.load(target, "bench-compute", COMPUTE, 1, "").await,
            Scenario::Compute => self.load(target, "bench-compute", COMPUTE, self.clients, "").await,
            Scenario::Http => {
                let text = HTTP.replace("127.0.0.1:1", &echo().await?.to_string());
                self.load(target, "bench-http", &text, self.clients, "?wait=30s").await
            }
            Scenario::Sleep => self.sleep(target).await,
            Scenario::Each => self.each(target).await,
            Scenario::Pages => pages(&target.remote, PAGES, self.count.unwrap_or(TASKS)).await,
            Scenario::Dashboards => {
                deploy(&target.remote, "bench-compute", COMPUTE).await?;
                let load = self.loading(target, "bench-compute", self.clients, "");
                dashboards(&target.remote, &load, "bench-compute").await
            }
            Scenario::Start => bail!("the start is measured without a target"),
        }
    }

    async fn load(
        &self,
        target: &Target,
        id: &str,
        text: &str,
        clients: usize,
        query: &str,
    ) -> Result<Value> {
        deploy(&target.remote, id, text).await?;
        let measured = self.loading(target, id, clients, query).run().await?;
        let mut value = measured.json();
        value["clients"] = json!(clients);
        value["rss_mb"] = megabytes(target.child.as_ref());
        Ok(value)
    }

    fn loading(&self, target: &Target, id: &str, clients: usize, query: &str) -> LoadPlan {
        let path = format!("{}/tasks{query}", process_path(id));
        let request = request("POST", &target.host, &path, &target.token, r#"{"params":{"n":1}}"#);
        let (time, count) = (self.time.duration(), self.count.unwrap_or(u64::MAX));
        LoadPlan { host: target.host.clone(), request, clients, time, count }
    }

    async fn sleep(&self, target: &Target) -> Result<Value> {
        deploy(&target.remote, "bench-sleep", SLEEP).await?;
        let before = megabytes(target.child.as_ref());
        let count = self.count.unwrap_or(100_000);
        let pieces = count.div_ceil(SLEEPERS_PIECE);
        let begin = instant();
        let sent = futures::stream::iter(0..pieces).map(|at| {
            let lines = SLEEPERS_PIECE.min(count - at * SLEEPERS_PIECE);
            let body = "{\"params\":{}}\n".repeat(usize::try_from(lines).unwrap_or(0));
            stream::send(&target.remote, "bench-sleep", body, None)
        });
        let mut sent = sent.buffer_unordered(PIECES_MAX);
        let (mut taken, mut errors) = (0u64, 0u64);
        while let Some(answers) = sent.next().await {
            for answer in answers? {
                if answer.get("error").is_none() { taken += 1 } else { errors += 1 }
            }
        }
        let elapsed = begin.elapsed();
        rest(SETTLE).await;
        let per_s = u32::try_from(taken).map_or(f64::MAX, f64::from) / elapsed.as_secs_f64();
        Ok(json!({
            "count": taken, "errors": errors, "elapsed_s": elapsed.as_secs_f64(), "per_s": per_s,
            "rss_before_mb": before, "rss_mb": megabytes(target.child.as_ref()),
        }))
    }
}

impl Bench {
    async fn each(&self, target: &Target) -> Result<Value> {
        deploy(&target.remote, "bench-each-called", EACH_CALLED).await?;
        deploy(&target.remote, "bench-each", EACH).await?;
        let before = megabytes(target.child.as_ref());
        let items = self.count.unwrap_or(ITEMS);
        let path = format!("{}/tasks", process_path("bench-each"));
        let submit = json!({"ref": "all", "params": {"items": items}});
        let begin = instant();
        target.remote.json(target.remote.request(Method::POST, &path).json(&submit)).await?;
        let mut highest = 0;
        let result = loop {
            rest(LOOK_PAUSE).await;
            highest = highest.max(target.child.as_ref().and_then(Child::rss_bytes).unwrap_or(0));
            let task = target.remote.get(&format!("{path}/all")).await?;
            match task["state"].as_str() {
                Some("ready" | "waiting" | "doing") => {}
                Some("done") => break task["result"].clone(),
                _ => bail!("the round ended badly: {}", task["fault"]["message"]),
            }
        };
        let elapsed = begin.elapsed();
        let per_s = u32::try_from(items).map_or(f64::MAX, f64::from) / elapsed.as_secs_f64();
        Ok(json!({
            "count": result["count"], "errors": result["failed"], "elapsed_s": elapsed.as_secs_f64(),
            "per_s": per_s, "rss_before_mb": before, "rss_mb": highest / 1024 / 1024,
        }))
    }
}

async fn start(session: &CliSession) -> Result<Value> {
    if session.config.server.is_some() {
        bail!("the start of a server that runs cannot be measured; hint: leave --server out");
    }
    let dir = TempDir::new("bench")?;
    let data = DataDir::at(&dir.path().join("data"));
    data.make()?;
    let mut times = Vec::new();
    let mut idle = Value::Null;
    for _ in 0..STARTS {
        let begin = instant();
        let child = Child::start_on(&data).await?;
        times.push(begin.elapsed());
        if idle.is_null() {
            rest(SETTLE).await;
            idle = megabytes(Some(&child));
        }
        child.stop().await?;
    }
    let first = times[0];
    times.sort();
    let millis = |it: Duration| it.as_secs_f64() * 1_000.0;
    Ok(json!({
        "count": STARTS, "first_ms": millis(first), "p50_ms": millis(times[STARTS / 2]),
        "max_ms": millis(times[STARTS - 1]), "rss_mb": idle,
    }))
}

async fn deploy(remote: &Remote, id: &str, text: &str) -> Result<()> {
    let request = remote.request(Method::PUT, &process_path(id)).body(text.to_owned());
    remote.json(request.header("content-type", "application/yaml")).await.map(drop)
}

fn megabytes(child: Option<&Child>) -> Value {
    let bytes = child.and_then(Child::rss_bytes);
    bytes.map_or(Value::Null, |it| json!(it / 1024 / 1024))
}

/// One line for a person: what is there, with two digits.
fn told(name: &str, measured: &Value, session: &CliSession) -> String {
    let mut parts = vec![session.out.paint(Look::Bold, &format!("{name:<8}"))];
    for (key, label, unit) in [
        ("clients", "", " clients"),
        ("count", "", " done"),
        ("per_s", "", "/s"),
        ("first_ms", "first ", " ms"),
        ("p50_ms", "p50 ", " ms"),
        ("p90_ms", "p90 ", " ms"),
        ("p99_ms", "p99 ", " ms"),
        ("max_ms", "max ", " ms"),
        ("elapsed_s", "in ", " s"),
        ("rss_before_mb", "rss before ", " MB"),
        ("rss_mb", "rss ", " MB"),
        ("tasks", "", " tasks in the store"),
        ("slowest_page_p99_ms", "p99 of the slowest page ", " ms"),
        ("heaviest_page_kib", "heaviest page ", " KiB"),
        ("dashboards", "", " dashboards"),
        ("looks", "", " pages for them"),
        ("alone_per_s", "without them ", "/s"),
        ("cost_percent", "which costs ", " %"),
        ("errors", "", " errors"),
    ] {
        let shown = match measured.get(key) {
            Some(Value::Number(number)) if number.is_f64() => {
                let number = number.as_f64().unwrap_or(0.0);
                if number >= 1_000.0 { format!("{number:.0}") } else { format!("{number:.2}") }
            }
            Some(Value::Number(number)) => number.to_string(),
            _ => continue,
        };
        parts.push(format!("{label}{shown}{unit}"));
    }
    parts.join("  ")
}
