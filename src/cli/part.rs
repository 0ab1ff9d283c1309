//! [`Part`]: a part of the engine that runs until it is told to stop, and what is said if it ends by itself.

use tokio::task::{JoinError, JoinHandle};

/// A part of the engine that runs until it is told to stop.
pub(super) struct Part {
    /// As it is told of.
    pub(super) name: &'static str,
    /// None when it has ended.
    running: Option<JoinHandle<()>>,
}

impl Part {
    pub(super) fn begin(name: &'static str, part: impl Future<Output = ()> + Send + 'static) -> Part {
        Part { name, running: Some(tokio::spawn(part)) }
    }

    /// Ends it on the spot, as a fault of it would.
    #[cfg(test)]
    pub(super) fn abort(&self) {
        self.running.iter().for_each(JoinHandle::abort);
    }

    /// Returns when it has ended. Nobody told it to, if nothing did yet.
    pub(super) async fn end(&mut self) -> Result<(), JoinError> {
        let Some(running) = &mut self.running else { return std::future::pending().await };
        let end = running.await;
        self.running = None;
        end
    }

    /// Waits for its end.
    pub(super) async fn ended(&mut self) {
        if self.running.is_some()
            && let Err(error) = self.end().await
        {
            tracing::error!("{} did not stop as it should: {}", self.name, why(&error));
        }
    }
}

/// Why a part is gone. The text of a panic may quote what was at hand, and is not told.
pub(super) fn why(error: &JoinError) -> String {
    match error.is_panic() {
        true => "it panicked; the log says where".to_owned(),
        false => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_part_that_panics_does_not_quote_it() {
        let mut part = Part::begin("a part", async { panic!("out of luck") });
        assert_eq!(why(&part.end().await.unwrap_err()), "it panicked; the log says where");
    }
}
