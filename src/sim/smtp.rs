//! The mail server's socket: plain text on loopback, one session per connection, everything bounded.

use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::sim::inbox::InboxMessage;
use crate::sim::mail;
use crate::sim::shared::Shared;
use crate::sim::smtp_session::{Envelope, SmtpSession, SmtpStep};

/// The longest line read, in bytes. Commands are bounded more closely; this is for messages with long lines.
const READ_BYTES_MAX: usize = 65_536;
/// How long a client may say nothing, as RFC 5321 has it.
const IDLE_MAX: Duration = Duration::from_mins(5);

/// Talks to one client until it leaves, or until `stop`.
pub async fn serve(stream: TcpStream, shared: Shared, stop: CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        // A connection that broke is the client's affair.
        _ = converse(stream, &shared) => {}
    }
}

async fn converse(mut stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    let (read, mut write) = stream.split();
    let mut reader = BufReader::new(read);
    let mut session = SmtpSession::default();
    write.write_all(SmtpSession::greeting().as_bytes()).await?;
    let mut line = Vec::new();
    loop {
        line.clear();
        let bounded = &mut (&mut reader).take(READ_BYTES_MAX as u64);
        let read = tokio::time::timeout(IDLE_MAX, bounded.read_until(b'\n', &mut line)).await;
        if !matches!(read, Ok(Ok(1..))) {
            return Ok(());
        }
        if line.last() != Some(&b'\n') {
            return write.write_all(b"500 5.5.6 Line too long\r\n").await;
        }
        let text = String::from_utf8_lossy(&line);
        let step = session.line(text.trim_end_matches(['\r', '\n']), &mut shared.notifiers().mail);
        count(shared, &step);
        match step {
            SmtpStep::Say(text) => write.write_all(text.as_bytes()).await?,
            SmtpStep::More => {}
            SmtpStep::Bye(text) => return write.write_all(text.as_bytes()).await,
            SmtpStep::Close => return Ok(()),
            SmtpStep::Silent => return silent(&mut reader).await,
            SmtpStep::Taken(envelope, said) => {
                keep(shared, envelope);
                match said {
                    Some(text) => write.write_all(text.as_bytes()).await?,
                    None => return Ok(()),
                }
            }
        }
    }
}

/// Refusals by their number; what is taken counts itself.
fn count(shared: &Shared, step: &SmtpStep) {
    let result = match step {
        SmtpStep::Say(text) if text.starts_with(['4', '5']) => text.get(..3).unwrap_or_default(),
        SmtpStep::Close => "close",
        SmtpStep::Silent => "silent",
        SmtpStep::Taken(_, None) => "lost",
        SmtpStep::Say(_) | SmtpStep::More | SmtpStep::Bye(_) | SmtpStep::Taken(_, Some(_)) => return,
    };
    shared.notifiers().count("smtp", result);
}

fn keep(shared: &Shared, envelope: Envelope) {
    let read = mail::read(&envelope.raw);
    shared.notifiers().take_mail(InboxMessage {
        channel: "smtp".to_owned(),
        from: if read.from.is_empty() { envelope.from } else { read.from },
        // Where it truly goes; the header may say anything.
        to: envelope.to.join(", "),
        subject: read.subject,
        text: read.text,
        at: shared.now(),
    });
}

/// Reads and says nothing until the client leaves.
async fn silent(reader: &mut (impl tokio::io::AsyncRead + Unpin)) -> std::io::Result<()> {
    let mut ignored = [0; 1_024];
    while let Ok(Ok(1..)) = tokio::time::timeout(IDLE_MAX, reader.read(&mut ignored)).await {}
    Ok(())
}
