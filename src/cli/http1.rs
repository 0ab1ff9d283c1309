//! [`Connection`]: one request after another on one connection, written once and sent as it is. The cheapest
//! client there can be, for it shares the machine with what it measures. And [`echo`], a server as cheap.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A head longer than this is not from our server.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// A connection that is kept alive.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// A whole request, ready to be written.
pub fn request(method: &str, host: &str, path: &str, token: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

impl Connection {
    /// Connects to `host:port`.
    pub async fn open(host: &str) -> Result<Connection> {
        let stream =
            TcpStream::connect(host).await.with_context(|| format!("no server answers at {host}"))?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream, buffer: Vec::with_capacity(8 * 1024) })
    }

    /// Sends a request, reads the whole answer, and gives its status.
    pub async fn ask(&mut self, request: &[u8]) -> Result<u16> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let body_at = loop {
            if let Some(end) = end_of_head(&self.buffer) {
                break end;
            }
            if self.buffer.len() > HEAD_BYTES_MAX || self.stream.read_buf(&mut self.buffer).await? == 0 {
                bail!("the server broke off");
            }
        };
        let head = std::str::from_utf8(&self.buffer[..body_at]).context("the answer is no HTTP")?;
        let status =
            head.split(' ').nth(1).and_then(|it| it.parse().ok()).context("the answer is no HTTP")?;
        let whole = body_at + length(head);
        while self.buffer.len() < whole {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                bail!("the server broke off");
            }
        }
        Ok(status)
    }

    /// The body of the last answer.
    pub fn body(&self) -> &[u8] {
        end_of_head(&self.buffer).map_or(&[], |at| &self.buffer[at..])
    }
}

fn end_of_head(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|it| it == b"\r\n\r\n").map(|at| at + 4)
}

fn length(head: &str) -> usize {
    let mut fields = head.lines().filter_map(|line| line.split_once(':'));
    let length = fields.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    length.and_then(|(_, value)| value.trim().parse().ok()).unwrap_or(0)
}

/// Answers every request on loopback with the same small JSON, until the process ends.
pub async fn echo() -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer_all(stream));
        }
    });
    Ok(address)
}

async fn answer_all(mut stream: TcpStream) {
    const ANSWER: &[u8] =
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 12\r\n\r\n{\"value\":42}";
    let mut buffer = Vec::new();
    loop {
        while let Some(body_at) = end_of_head(&buffer) {
            let length = std::str::from_utf8(&buffer[..body_at]).map_or(0, length);
            if buffer.len() < body_at + length {
                break;
            }
            buffer.drain(..body_at + length);
            if stream.write_all(ANSWER).await.is_err() {
                return;
            }
        }
        match stream.read_buf(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(_) if buffer.len() > HEAD_BYTES_MAX => return,
            Ok(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn requests_follow_each_other_on_one_connection() {
        let host = echo().await.unwrap().to_string();
        let mut connection = Connection::open(&host).await.unwrap();
        for body in ["", "{\"a\":1}"] {
            let request = request("POST", &host, "/x", "t", body);
            assert_eq!(connection.ask(&request).await.unwrap(), 200);
            assert_eq!(connection.body(), b"{\"value\":42}");
        }
    }
}
