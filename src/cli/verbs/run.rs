//! `serve`: the engine, until it is told to stop.

use anyhow::Result;
use clap::Args;
use serde_json::json;

use crate::cli::config::StoreChoice;
use crate::cli::flags;
use crate::cli::logs;
use crate::cli::out::{Look, named};
use crate::cli::serve::RunningEngine;
use crate::cli::session::CliSession;
use crate::cli::signals::Signals;

/// Run the engine, until Ctrl-C
#[derive(Debug, Args)]
#[command(after_help = "\
SIGTERM or Ctrl-C stops it within --grace, a second one at once; nothing is lost either way.
Everything here can stand in beltline.yaml, or in BELTLINE_ variables; `beltline config` shows what holds.

Examples:
  beltline serve --data ./data --processes ./processes
  beltline serve --listen 127.0.0.1:0 --log-format json
  beltline serve --listen 0.0.0.0:443 --tls-cert fullchain.pem --tls-key privkey.pem
  beltline serve --listen 10.0.0.5:7700 --behind-proxy 10.0.0.1
  BELTLINE_KEY=$(cat /run/secrets/beltline) beltline serve")]
pub struct Serve {
    /// What to run
    #[command(flatten)]
    pub engine: flags::EngineFlags,
}

impl Serve {
    /// Runs until SIGINT or SIGTERM, or until a part of the engine ends by itself: then this is an error, so
    /// that whatever supervises the program starts it anew.
    pub async fn run(self, session: &CliSession) -> Result<()> {
        logs::begin(&session.config, session.no_color)?;
        let signals = Signals::listen(session.config.grace)?;
        let mut engine = tokio::select! {
            engine = RunningEngine::start(&session.config) => engine?,
            // A start may take long, and leaves nothing half done.
            () = signals.stop.cancelled() => return Ok(()),
        };
        greet(session, &engine)?;
        let ended = loop {
            tokio::select! {
                () = signals.stop.cancelled() => break Ok(()),
                () = signals.reload.notified() => engine.reload(),
                broken = engine.broken() => break Err(broken),
            }
        };
        signals.stop.cancel();
        if session.out.tty {
            eprintln!("stopping; once more stops at once, and nothing is lost");
        }
        engine.stop().await;
        ended
    }
}

fn greet(session: &CliSession, engine: &RunningEngine) -> Result<()> {
    let (config, out) = (&session.config, &session.out);
    let scheme = if config.tls.is_some() { "https" } else { "http" };
    let address = format!("{scheme}://{}", engine.address);
    let deployed: Vec<&str> =
        engine.files.iter().filter_map(|it| Some(it.result.as_ref().ok()?.id.as_str())).collect();
    let problems: Vec<String> = engine
        .files
        .iter()
        .filter_map(|it| Some(named(&it.path.display().to_string(), &it.result.as_ref().err()?.to_string())))
        .collect();
    let answer = json!({
        "version": env!("CARGO_PKG_VERSION"), "address": address, "data": config.data,
        "processes": deployed, "problems": problems, "setup": engine.setup.as_ref().map(|it| it.as_str()),
    });
    out.answer(&answer, || {
        let line = |label: &str, text: &str| {
            out.line(format!("  {}  {text}", out.paint(Look::Dim, &format!("{label:>9}"))))
        };
        out.line(out.paint(Look::Bold, concat!("Beltline ", env!("CARGO_PKG_VERSION"))))?;
        line("address", &address)?;
        let kept = match config.store {
            StoreChoice::Sqlite => config.data.display().to_string(),
            StoreChoice::Memory => "in memory: all is forgotten at the end".to_owned(),
        };
        line("data", &kept)?;
        let folder = config.processes.display();
        if deployed.is_empty() {
            line("processes", &format!("none in {folder}; `beltline templates` lists some to clone"))?;
        } else {
            line("processes", &format!("{} ({folder})", deployed.join(", ")))?;
        }
        problems.iter().try_for_each(|it| line("problem", &out.paint(Look::Bad, it)))?;
        if let Some(link) = &engine.setup {
            line("setup", link)?;
            line("", "opens once, for a day: choose a name and a password, and you are the first admin")?;
        }
        line("stop", "Ctrl-C")
    })
}
