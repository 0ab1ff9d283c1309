//! `config`: what holds, and where it came from.

use anyhow::Result;
use clap::Args;
use serde_json::{Map, Value, json};

use crate::cli::flags::EngineFlags;
use crate::cli::out::{Look, shown};
use crate::cli::session::CliSession;

/// Show what is configured, and where each value came from
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  beltline config
  BELTLINE_LISTEN=127.0.0.1:8000 beltline config")]
pub struct ShowConfig {
    /// The flags of `serve`, to see what they would change
    #[command(flatten)]
    pub engine: EngineFlags,
}

impl ShowConfig {
    /// Shows.
    #[expect(clippy::unused_async, reason = "verbs have one shape")]
    pub async fn run(self, session: &CliSession) -> Result<()> {
        let rows = session.config.rows();
        let pairs =
            rows.iter().map(|(key, value, from)| (key.clone(), json!({"value": value, "from": from})));
        let out = &session.out;
        out.answer(&Value::Object(pairs.collect::<Map<_, _>>()), || {
            let row = |(key, value, from): &(String, Value, String)| {
                vec![
                    (key.clone(), Look::Bold),
                    (shown(value), Look::Plain),
                    (from.clone(), if from == "default" { Look::Dim } else { Look::Good }),
                ]
            };
            out.table(&["KEY", "VALUE", "FROM"], rows.iter().map(row).collect())?;
            session.config.notes.iter().try_for_each(|note| out.line(format!("note: {note}")))
        })
    }
}
