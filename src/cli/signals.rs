//! [`Signals`]: what the system asks of an engine. They are heard on a thread of their own, which works for
//! nobody else: however busy or stuck the engine is, it is told, and a stop ends in time.

use std::sync::Arc;
use std::sync::mpsc;
use std::thread;

use anyhow::{Context, Result, anyhow};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::cli::failure::FAILED;
use crate::model::time::Span;

/// What a shell adds to the number of the signal that ended a program.
const BY_SIGNAL: i32 = 128;

/// What the system asks of an engine.
#[derive(Clone, Debug, Default)]
pub struct Signals {
    /// The engine is to stop, or does already. From now on it has its time of grace.
    pub stop: CancellationToken,
    /// The certificate is to be read again.
    pub reload: Arc<Notify>,
}

impl Signals {
    /// Listens. A stop takes `grace` at most: then the program ends as it is, with 1. A second SIGINT or
    /// SIGTERM ends it at once, with 130 or 143.
    pub fn listen(grace: Span) -> Result<Signals> {
        let signals = Signals::default();
        let (told, begun) = mpsc::channel();
        let ours = signals.clone();
        let listen = move || match Heard::begin() {
            Ok((runtime, heard)) => {
                // The other end waits for just this.
                drop(told.send(Ok(())));
                runtime.block_on(heard.until_the_end(&ours, grace));
            }
            Err(error) => drop(told.send(Err(error))),
        };
        thread::Builder::new().name("signals".to_owned()).spawn(listen).context("no thread for signals")?;
        begun.recv().map_err(|_| anyhow!("signals are not heard"))??;
        Ok(signals)
    }
}

/// The signals that are heard.
struct Heard {
    stops: Stops,
    hangup: Signal,
}

/// Those that end a program.
struct Stops {
    interrupt: Signal,
    terminate: Signal,
}

impl Stops {
    async fn next(&mut self) -> SignalKind {
        tokio::select! {
            _ = self.interrupt.recv() => SignalKind::interrupt(),
            _ = self.terminate.recv() => SignalKind::terminate(),
        }
    }
}

impl Heard {
    fn begin() -> Result<(Runtime, Heard)> {
        let runtime = Builder::new_current_thread().enable_all().build().context("signals are not heard")?;
        let heard = {
            let _within = runtime.enter();
            let (interrupt, terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
            Heard { stops: Stops { interrupt, terminate }, hangup: signal(SignalKind::hangup())? }
        };
        Ok((runtime, heard))
    }

    async fn until_the_end(mut self, signals: &Signals, grace: Span) {
        loop {
            tokio::select! {
                () = signals.stop.cancelled() => break,
                _ = self.stops.next() => signals.stop.cancel(),
                _ = self.hangup.recv() => signals.reload.notify_one(),
            }
        }
        match tokio::time::timeout(grace.duration(), self.stops.next()).await {
            Ok(kind) => {
                tracing::warn!("stopped at once; nothing is lost, and the next start goes on");
                std::process::exit(BY_SIGNAL + kind.as_raw_value())
            }
            Err(_) => {
                tracing::error!(
                    "not all of it did stop within {grace}; nothing is lost, and the next start goes on"
                );
                std::process::exit(i32::from(FAILED))
            }
        }
    }
}
