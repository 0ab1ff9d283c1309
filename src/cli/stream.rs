//! Submits many tasks from an NDJSON file: in pieces, with a progress bar, every refused line named.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal};
use std::path::Path;

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};

use crate::cli::out::text;
use crate::cli::remote::{Remote, process_path};
use crate::cli::session::Session;

/// How many lines go in one request: a commit's worth, so that a failure loses little.
const LINES_MAX: usize = 1_000;
/// How many bytes go in one request at most, but for a line that is larger by itself.
const BYTES_MAX: usize = 1024 * 1024;
/// How many refused lines are told one by one.
const TOLD_MAX: u64 = 20;

/// What became of the lines.
#[derive(Debug, Default)]
struct Tally {
    /// Those that are not empty.
    lines: u64,
    /// All of them, as an editor counts.
    read: u64,
    taken: u64,
    refused: u64,
}

/// Submits every line of `file`. With a `key`, the same file again changes nothing.
pub async fn submit(session: &Session, process: &str, file: &Path, key: Option<&str>) -> Result<()> {
    let remote = session.remote()?;
    let (mut reader, bytes) = open(file)?;
    let bar = bar(bytes);
    let mut tally = Tally::default();
    loop {
        let piece = piece(&mut reader, &mut tally.read)?;
        if piece.numbers.is_empty() {
            break;
        }
        let first = tally.lines + 1;
        // The same file comes in the same pieces.
        let key = key.map(|it| format!("{it} from line {first}"));
        let bytes = piece.text.len() as u64;
        let answers = match send(&remote, process, piece.text, key.as_deref()).await {
            Ok(answers) => answers,
            Err(error) => return Err(remote.explained(error, process).await),
        };
        tally.lines += piece.numbers.len() as u64;
        for (answer, line) in answers.iter().zip(piece.numbers) {
            match answer.get("error") {
                None => tally.taken += 1,
                Some(error) => {
                    tally.refused += 1;
                    if tally.refused <= TOLD_MAX {
                        let (code, detail) = (text(error, "code"), text(error, "detail"));
                        bar.suspend(|| eprintln!("line {line}: {code}: {detail}"));
                    }
                }
            }
        }
        bar.inc(bytes);
        bar.set_message(format!("{} tasks", tally.taken));
    }
    bar.finish_and_clear();
    let answer = json!({"submitted": tally.taken, "refused": tally.refused});
    session.out.answer(&answer, || session.out.line(format!("{} tasks submitted", tally.taken)))?;
    if tally.refused > 0 {
        bail!("{} of {} lines were refused", tally.refused, tally.lines);
    }
    Ok(())
}

/// Sends lines, and gives an answer for each.
pub async fn send(remote: &Remote, process: &str, lines: String, key: Option<&str>) -> Result<Vec<Value>> {
    let path = format!("{}/tasks", process_path(process));
    let mut request =
        remote.request(Method::POST, &path).header(CONTENT_TYPE, "application/x-ndjson").body(lines);
    if let Some(key) = key {
        request = request.header("idempotency-key", key);
    }
    let answer = remote.send(request).await?.text().await.context("the answer broke off")?;
    let answers = answer.lines().filter(|line| !line.trim().is_empty());
    answers.map(|line| serde_json::from_str(line).context("the server did not answer with NDJSON")).collect()
}

fn open(file: &Path) -> Result<(Box<dyn BufRead>, Option<u64>)> {
    if file == Path::new("-") {
        return Ok((Box::new(BufReader::new(io::stdin())), None));
    }
    let opened = File::open(file).with_context(|| format!("`{}` cannot be read", file.display()))?;
    let bytes = opened.metadata().ok().map(|it| it.len());
    Ok((Box::new(BufReader::new(opened)), bytes))
}

/// Lines of the file, each with its end, and where each stands there.
#[derive(Debug, Default)]
struct Piece {
    text: String,
    numbers: Vec<u64>,
}

/// The next lines, after the first `read`. Empty lines are kept out, for they would be answered with nothing.
fn piece(reader: &mut dyn BufRead, read: &mut u64) -> Result<Piece> {
    let mut piece = Piece::default();
    let mut line = String::new();
    while piece.numbers.len() < LINES_MAX && piece.text.len() < BYTES_MAX {
        line.clear();
        let bytes = reader.read_line(&mut line);
        if bytes.with_context(|| format!("line {} cannot be read as text", *read + 1))? == 0 {
            break;
        }
        *read += 1;
        // Some editors put a mark at the beginning.
        let bare = if *read == 1 { line.trim_start_matches('\u{feff}') } else { &line };
        if !bare.trim().is_empty() {
            piece.text.push_str(bare.trim_end());
            piece.text.push('\n');
            piece.numbers.push(*read);
        }
    }
    Ok(piece)
}

fn bar(bytes: Option<u64>) -> ProgressBar {
    let target =
        if io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(bytes, target);
    let style = "{bar:30} {bytes}/{total_bytes} {msg} {eta}";
    bar.set_style(ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}
