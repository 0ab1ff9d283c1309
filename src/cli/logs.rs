//! What the engine logs: as text for people or as JSON for programs, always on stderr.

use std::io::{self, IsTerminal};
use std::panic::{self, PanicHookInfo};
use std::thread;

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
    begun.map_err(|error| anyhow!("the log does not begin: {error}"))?;
    panic::set_hook(Box::new(|info| tracing::error!("{}", panicked(info))));
    Ok(())
}

/// What is told of a panic: where it was, and never its text, which may quote what was at hand.
fn panicked(info: &PanicHookInfo) -> String {
    let at = info.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    let thread = thread::current();
    format!("panicked at {at}, in thread `{}`; please report it", thread.name().unwrap_or("without name"))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn of_a_panic_the_place_is_told_and_not_its_text() {
        let (tell, told) = mpsc::channel();
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| drop(tell.send(panicked(info)))));
        let secret = format!("{}-secret", 17);
        let unlucky = thread::Builder::new().name("unlucky".to_owned());
        let ended = unlucky.spawn(move || panic!("the token is {secret}")).unwrap().join();
        panic::set_hook(before);
        assert!(ended.is_err());
        let told = told.iter().find(|it| it.contains("unlucky")).unwrap();
        assert!(told.starts_with("panicked at src/cli/logs.rs:"), "{told}");
        assert!(!told.contains("17-secret"), "{told}");
    }
}
