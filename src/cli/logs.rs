//! What the engine logs: as text for people or as JSON for programs, always on stderr.

use std::io::{self, IsTerminal};

use anyhow::{Result, anyhow};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::cli::config::Config;
use crate::cli::failure::Usage;

/// Begins to log as configured. `no_color` as the environment has it.
pub fn begin(config: &Config, no_color: bool) -> Result<()> {
    let filter = EnvFilter::try_new(&config.log).map_err(|error| {
        Usage(format!("`log` is no filter: {error}; hint: write `info` or `warn,beltline=debug`"))
    })?;
    let color = !no_color && io::stderr().is_terminal();
    let log = fmt().with_env_filter(filter).with_writer(io::stderr);
    let begun = if config.log_json {
        log.json().flatten_event(true).finish().try_init()
    } else {
        log.with_target(false).with_ansi(color).finish().try_init()
    };
    begun.map_err(|error| anyhow!("the log does not begin: {error}"))
}
