//! Tells a page when it has grown old. Not what happened: a page that asks again is told that by the service,
//! masked and as its reader may see it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::Event;
use futures::stream;
use tokio::sync::watch;

use crate::dashboard::dash::Dash;
use crate::dashboard::page::{Given, Oops};
use crate::dashboard::take::{Asked, Who};
use crate::middleware::live::live;
use crate::model::names::ProcessId;
use crate::model::time::Span;
use crate::service::actor::{Actor, Right};
use crate::service::errors::ServiceError;

/// How long a page rests between two tellings: many things happen at once, and a reader sees one change.
const REST: Span = Span::secs(1);
/// How much longer it rests for each page that listens, so that all of them together ask for no more than
/// forty pages a second.
const REST_MORE: Span = Span::millis(25);

/// One word whenever something happened that the reader may see.
pub(super) async fn listen(State(dash): State<Dash>, Who(by): Who, asked: Asked) -> Given {
    let process = asked.get("process").map(|id| ProcessId::new(id)).transpose();
    let process = process.map_err(|bad| Oops::new(StatusCode::NOT_FOUND, &bad.to_string()))?;
    match &process {
        Some(process) => by.need(Right::Read, process)?,
        None if by.has(Right::Read) => {}
        None => return Err(ServiceError::Denied { right: Right::Read, process: None }.into()),
    }
    let (commits, after) = (dash.service.commits(), dash.service.last_move());
    let here = Here::new(&dash.listeners);
    let ear = Ear { dash, by, process, after, commits, here };
    let stream = stream::unfold(ear, |mut ear| async { ear.next().await.map(|event| (event, ear)) });
    Ok(live(stream))
}

struct Ear {
    dash: Dash,
    by: Arc<Actor>,
    process: Option<ProcessId>,
    after: u64,
    commits: watch::Receiver<u64>,
    here: Here,
}

/// Counted as long as it is there.
struct Here(Arc<AtomicU32>);

impl Here {
    fn new(all: &Arc<AtomicU32>) -> Here {
        all.fetch_add(1, Ordering::Relaxed);
        Here(Arc::clone(all))
    }

    /// How long each rests.
    fn rest(&self) -> Span {
        REST.max(Span(REST_MORE.0.saturating_mul(self.0.load(Ordering::Relaxed).into())))
    }
}

impl Drop for Here {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Ear {
    async fn next(&mut self) -> Option<Event> {
        loop {
            tokio::select! {
                changed = self.commits.changed() => changed.ok()?,
                () = self.dash.stop.cancelled() => return None,
            }
            if tokio::time::timeout(self.here.rest().duration(), self.dash.stop.cancelled()).await.is_ok() {
                return None;
            }
            self.commits.mark_unchanged();
            // They may have lost their rights since, or some of them.
            self.by = self.dash.service.again(&self.by)?;
            let last = self.dash.service.last_move();
            if self.dash.service.moved_since(&self.by, self.after, self.process.as_ref()) {
                self.after = last;
                return Some(Event::default().event("old").data(last.to_string()));
            }
        }
    }
}
