//! Tells a page when it has grown old. Not what happened: a page that asks again is told that by the desk,
//! masked and as its reader may see it.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::stream;
use tokio::sync::watch;

use crate::dashboard::dash::Dash;
use crate::dashboard::page::{Given, Oops};
use crate::dashboard::take::{Asked, Who};
use crate::desk::actor::Actor;
use crate::model::names::ProcessId;
use crate::model::time::Span;

/// How long a page rests between two tellings: many things happen at once, and a reader sees one change.
const REST: Span = Span::secs(1);

/// One word whenever something happened that the reader may see.
pub(super) async fn listen(State(dash): State<Dash>, Who(by): Who, asked: Asked) -> Given {
    let process = asked.get("process").map(|id| ProcessId::new(id)).transpose();
    let process = process.map_err(|bad| Oops::new(StatusCode::NOT_FOUND, &bad.to_string()))?;
    let commits = dash.desk.commits();
    let after = dash.desk.last_event().await?;
    // The first look also tells whether one may.
    dash.desk.events(&by, process.as_ref(), after).await?;
    let ear = Ear { dash, by, process, after, commits };
    let stream = stream::unfold(ear, |mut ear| async {
        ear.next().await.map(|event| (Ok::<_, Infallible>(event), ear))
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::default()).into_response())
}

struct Ear {
    dash: Dash,
    by: Arc<Actor>,
    process: Option<ProcessId>,
    after: u64,
    commits: watch::Receiver<u64>,
}

impl Ear {
    async fn next(&mut self) -> Option<Event> {
        loop {
            tokio::select! {
                changed = self.commits.changed() => changed.ok()?,
                () = self.dash.stop.cancelled() => return None,
            }
            if tokio::time::timeout(REST.duration(), self.dash.stop.cancelled()).await.is_ok() {
                return None;
            }
            self.commits.mark_unchanged();
            // They may have lost their rights since, or some of them.
            self.by = self.dash.desk.again(&self.by)?;
            if self.heard().await? {
                return Some(Event::default().event("old").data(self.after.to_string()));
            }
        }
    }

    /// Whether something happened since; all that did is passed over.
    async fn heard(&mut self) -> Option<bool> {
        let mut heard = false;
        loop {
            let (events, last) =
                self.dash.desk.events(&self.by, self.process.as_ref(), self.after).await.ok()?;
            heard |= !events.is_empty();
            if last == self.after {
                return Some(heard);
            }
            self.after = last;
        }
    }
}
