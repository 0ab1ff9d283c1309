//! Many tasks in one request: NDJSON in, NDJSON out, in order, in bounded memory. With an idempotency key the
//! same lines again are the same submits, each under the key and its number.

use std::sync::Arc;
use std::task::Poll;

use axum::body::{Body, BodyDataStream, Bytes};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures::{Stream, StreamExt, stream};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use crate::api::app::App;
use crate::api::problem::ApiProblem;
use crate::api::submission::SubmitBody;
use crate::api::take;
use crate::model::names::ProcessId;
use crate::service::actor::Actor;
use crate::service::submit::SubmitKey;

/// How many are on their way at once: enough to fill a commit.
const AT_ONCE_MAX: usize = 512;
/// How many lines are taken in one request. Their answers are held for who reads only when all is sent.
const LINES_MAX: usize = 100_000;
/// The longest line, in bytes.
const LINE_BYTES_MAX: usize = 1024 * 1024;

/// Takes each line in, many at once, and answers each in order.
///
/// Nothing is answered before all is read: through Caddy 2.6, a caller whose answer began while they still
/// sent was seen to get an empty one, or to wait for ever.
pub async fn many(
    app: App,
    by: Arc<Actor>,
    id: ProcessId,
    key: Option<String>,
    body: Body,
    kind: String,
) -> Response {
    let (send, receive) = mpsc::unbounded_channel::<Bytes>();
    let (reading, read) = oneshot::channel::<()>();
    // By itself, so that a caller who reads nothing before all is sent, and one who hangs up, are both
    // served.
    tokio::spawn(async move {
        let keyed = |line| key.clone().map(|word| SubmitKey { word, line: Some(line) });
        let mut reading = Some(reading);
        let end = stream::poll_fn(move |_| {
            drop(reading.take());
            Poll::Ready(None)
        });
        let lines = lines(body).chain(end).enumerate();
        let answers = lines.map(|(number, line)| answer(&app, &by, &id, keyed(number), line, &kind));
        let answers = answers.buffered(AT_ONCE_MAX);
        let mut answers = std::pin::pin!(answers);
        while let Some(answer) = answers.next().await {
            let mut line = answer.to_string();
            line.push('\n');
            // Who left does not want to know; what was sent is taken in all the same.
            drop(send.send(line.into()));
        }
    });
    // Nothing is sent there; it ends.
    drop(read.await);
    let answers = stream::unfold(receive, |mut receive| async {
        receive.recv().await.map(|line| (Ok::<_, std::convert::Infallible>(line), receive))
    });
    ([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(answers)).into_response()
}

async fn answer(
    app: &App,
    by: &Arc<Actor>,
    id: &ProcessId,
    key: Option<SubmitKey>,
    line: Line,
    content_type: &str,
) -> Value {
    let text = line.and_then(|line| take::text(&line, content_type, "bad_json"));
    let body = text.and_then(|text| take::json::<SubmitBody>(&text));
    let body = match body {
        Ok(body) => body,
        Err(problem) => return refused(None, &problem),
    };
    let reference = body.r#ref.clone();
    match app.service.submit(by, id, body.submission(key, None)).await {
        Ok(done) => json!({"ref": done.task.reference, "id": done.task.id, "state": done.task.state}),
        Err(refusal) => refused(reference.as_deref(), &ApiProblem::from(refusal)),
    }
}

fn refused(reference: Option<&str>, problem: &ApiProblem) -> Value {
    let mut error = json!({"code": problem.code, "detail": problem.detail});
    if let Value::Object(map) = &mut error {
        if let Some(hint) = &problem.hint {
            map.insert("hint".to_owned(), Value::from(hint.as_str()));
        }
        map.extend(problem.extras.clone());
    }
    json!({"ref": reference, "error": error})
}

/// A line, or why there is none and will be no more.
type Line = Result<Vec<u8>, ApiProblem>;

struct Reader {
    body: BodyDataStream,
    held: Vec<u8>,
    lines: usize,
    ended: bool,
}

/// The lines of a body that are not empty.
fn lines(body: Body) -> impl Stream<Item = Line> {
    let reader = Reader { body: body.into_data_stream(), held: Vec::new(), lines: 0, ended: false };
    stream::unfold(reader, |mut reader| async {
        let line = reader.next().await?;
        Some((line, reader))
    })
}

impl Reader {
    async fn next(&mut self) -> Option<Line> {
        loop {
            if let Some(end) = self.held.iter().position(|it| *it == b'\n') {
                let rest = self.held.split_off(end + 1);
                let line = std::mem::replace(&mut self.held, rest);
                if let Some(line) = self.take(line) {
                    return Some(line);
                }
                continue;
            }
            if self.ended {
                let last = std::mem::take(&mut self.held);
                return self.take(last);
            }
            if self.held.len() > LINE_BYTES_MAX {
                return Some(
                    self.stop("line_too_long", format!("a line has more than {LINE_BYTES_MAX} bytes")),
                );
            }
            match self.body.next().await {
                Some(Ok(bytes)) => self.held.extend_from_slice(&bytes),
                Some(Err(_)) => {
                    return Some(self.stop("bad_body", "the body did not arrive whole".to_owned()));
                }
                None => self.ended = true,
            }
        }
    }

    fn take(&mut self, line: Vec<u8>) -> Option<Line> {
        if line.trim_ascii().is_empty() {
            return None;
        }
        self.lines += 1;
        match self.lines > LINES_MAX {
            true => {
                Some(self.stop("too_many_lines", format!("one request brings at most {LINES_MAX} lines")))
            }
            false => Some(Ok(line)),
        }
    }

    /// Nothing more is read.
    fn stop(&mut self, code: &'static str, detail: String) -> Line {
        self.held.clear();
        self.body = Body::empty().into_data_stream();
        self.ended = true;
        Err(ApiProblem::new(axum::http::StatusCode::UNPROCESSABLE_ENTITY, code, detail))
    }
}
