//! [`Events`]: the server's stream of events as it comes, line by line (server-sent events).

use std::time::Duration;

use anyhow::{Result, bail};
use reqwest::header::ACCEPT;
use reqwest::{Method, Response};
use serde_json::Value;

use crate::cli::remote::{Remote, encoded};

/// The longest line that is waited for; an event is one task's commit.
const LINE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The server sends a sign of life more often than that; without one the connection is dead.
const SILENCE_MAX: Duration = Duration::from_secs(90);
/// A stream has no end of its own.
const FOR_EVER: Duration = Duration::from_hours(365 * 24);

/// A stream that is open.
pub struct Events {
    answer: Response,
    buffer: Vec<u8>,
    data: String,
}

impl Events {
    /// Opens the stream after the event numbered `after`, of all processes or of one.
    pub async fn open(remote: &Remote, process: Option<&str>, after: Option<&str>) -> Result<Events> {
        let process = process.map(|it| format!("process={}", encoded(it)));
        let after = after.map(|it| format!("after={}", encoded(it)));
        let query: Vec<String> = process.into_iter().chain(after).collect();
        let path = format!("/api/v1/events?{}", query.join("&"));
        let request = remote.request(Method::GET, path.trim_end_matches('?'));
        let request = request.timeout(FOR_EVER).header(ACCEPT, "text/event-stream");
        Ok(Events { answer: remote.send(request).await?, buffer: Vec::new(), data: String::new() })
    }

    /// The next event; none when the server ended the stream or fell silent.
    pub async fn next(&mut self) -> Result<Option<Value>> {
        loop {
            while let Some(end) = self.buffer.iter().position(|it| *it == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                let line = String::from_utf8_lossy(&line);
                if let Some(event) = self.line(line.trim_end_matches(['\n', '\r']))? {
                    return Ok(Some(event));
                }
            }
            if self.buffer.len() > LINE_BYTES_MAX {
                bail!("an event is longer than {LINE_BYTES_MAX} bytes");
            }
            match tokio::time::timeout(SILENCE_MAX, self.answer.chunk()).await {
                Ok(Ok(Some(bytes))) => self.buffer.extend_from_slice(&bytes),
                Ok(Ok(None) | Err(_)) | Err(_) => return Ok(None),
            }
        }
    }

    fn line(&mut self, line: &str) -> Result<Option<Value>> {
        if line.is_empty() {
            let data = std::mem::take(&mut self.data);
            return if data.is_empty() { Ok(None) } else { Ok(Some(serde_json::from_str(&data)?)) };
        }
        if let Some(data) = line.strip_prefix("data:") {
            if !self.data.is_empty() {
                self.data.push('\n');
            }
            self.data.push_str(data.strip_prefix(' ').unwrap_or(data));
        }
        Ok(None)
    }
}
