//! Submits many tasks from an NDJSON file: in pieces, with a progress bar, every refused line named.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, IsTerminal};
use std::path::Path;

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Map, Value, json};

use crate::cli::failure::Usage;
use crate::cli::out::text;
use crate::cli::remote::{Remote, process_path};
use crate::cli::session::CliSession;
use crate::model::charset::saved;
use crate::model::near::nearest;

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
pub async fn submit(session: &CliSession, process: &str, file: &Path, key: Option<&str>) -> Result<()> {
    let remote = session.remote()?;
    let (reader, bytes) = open(file)?;
    let mut reader = decoded(reader, file)?;
    let bar = bar(bytes);
    let mut tally = Tally::default();
    loop {
        let piece = piece(&mut reader, &mut tally.read)?;
        if piece.numbers.is_empty() {
            break;
        }
        let first = tally.lines + 1;
        if let Some(why) = piece.text.lines().next().filter(|_| first == 1).and_then(misshapen) {
            return Err(Usage(format!("`{}` {why}", file.display())).into());
        }
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

/// The same as UTF-8, if the file begins with the mark of UTF-16, as some editors and shells write it.
fn decoded(mut reader: Box<dyn BufRead>, file: &Path) -> Result<Box<dyn BufRead>> {
    let shown = file.display();
    let begin = reader.fill_buf().with_context(|| format!("`{shown}` cannot be read"))?;
    if !begin.starts_with(b"\xff\xfe") && !begin.starts_with(b"\xfe\xff") {
        return Ok(reader);
    }
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).with_context(|| format!("`{shown}` cannot be read"))?;
    let text = saved(&bytes).ok_or_else(|| Usage(format!("`{shown}` is no text; hint: save it as UTF-8")))?;
    Ok(Box::new(Cursor::new(text)))
}

/// What a line may have.
const KEYS: [&str; 3] = ["ref", "params", "if_exists"];

/// A shorter name is like any.
const GUESS_MIN: usize = 3;

/// Why a file that begins with this line is not one task a line, as it goes on after its name.
fn misshapen(line: &str) -> Option<String> {
    if line.starts_with('[') {
        return Some(
            "is a list, and a task stands in each line; hint: `jq -c '.[]'` makes lines of it".to_owned(),
        );
    }
    match serde_json::from_str::<Map<String, Value>>(line) {
        Err(error) if error.is_eof() && line.starts_with('{') => {
            let hint = "hint: `jq -c .` writes each object in one line";
            Some(format!("has no whole object in its first line, and a task stands in each line; {hint}"))
        }
        Ok(map)
            if !map.is_empty()
                && map.keys().all(|it| it.len() < GUESS_MIN || nearest(it, KEYS).is_none()) =>
        {
            let hint = "hint: write {\"params\": {…}} in each line, or let `jq -c '{params: .}'` do so";
            Some(format!("has lines without `params`; {hint}"))
        }
        Ok(_) | Err(_) => None,
    }
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
        let number = *read + 1;
        let bytes = bytes.map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => {
                Usage(format!("line {number} is no text in UTF-8; hint: save the file as UTF-8")).into()
            }
            _ => anyhow::Error::new(error).context(format!("line {number} cannot be read")),
        });
        if bytes? == 0 {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_another_shape_is_known_by_its_first_line() {
        for (line, hint) in [
            (r#"[{"params": {"i": 1}}]"#, "jq -c '.[]'"),
            ("[", "jq -c '.[]'"),
            ("{", "jq -c ."),
            (r#"{ "params": {"i": 1},"#, "jq -c ."),
            (r#"{"i": 1}"#, "jq -c '{params: .}'"),
        ] {
            assert!(misshapen(line).is_some_and(|it| it.contains(hint)), "{line}: {:?}", misshapen(line));
        }
        for line in [r#"{"params": {"i": 1}}"#, "{}", r#"{"parms": {}}"#, r#"{"params": {"i": }}"#, "x"] {
            assert_eq!(misshapen(line), None, "what is wrong with one line, the server says: {line}");
        }
    }

    #[test]
    fn a_file_in_utf_16_is_read() {
        let wide: Vec<u8> = "\u{feff}{}\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let mut reader = decoded(Box::new(Cursor::new(wide)), Path::new("f")).unwrap();
        assert_eq!(piece(&mut *reader, &mut 0).unwrap().text, "{}\n");
        let mut reader = decoded(Box::new(Cursor::new(b"{\"a\": \"\xe9\"}\n")), Path::new("f")).unwrap();
        assert!(piece(&mut *reader, &mut 0).unwrap_err().to_string().contains("save the file as UTF-8"));
    }
}
