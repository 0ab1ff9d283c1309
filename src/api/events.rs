//! `/api/v1/events`: what happens, as it happens. Resumable: who lost the line says what came last.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::response::sse::Event;
use futures::stream;
use serde::Deserialize;
use tokio::sync::watch;
use utoipa::IntoParams;
use utoipa_axum::routes;

use crate::api::app::{App, STREAMS_EACH};
use crate::api::problem::ApiProblem;
use crate::api::routes::Routes;
use crate::api::take::{QueryOf, Who};
use crate::middleware::live::live;
use crate::middleware::shares::Share;
use crate::model::names::ProcessId;
use crate::service::actor::{Actor, Right};
use crate::service::permission::Permission;
use crate::service::view::EventView;

/// The routes.
pub fn routes() -> Routes {
    Routes::of("events").add(Permission::Somewhere(Right::Read), routes!(events))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct EventsQuery {
    /// Only what came after that event; 0 for all there is. Without it: what comes from now on.
    after: Option<u64>,
    /// Only of that process.
    #[param(value_type = Option<String>)]
    process: Option<ProcessId>,
}

/// What happens, as server-sent events; `id` is the event's number, and `Last-Event-ID` begins behind it.
#[utoipa::path(get, path = "/api/v1/events", tag = "events", params(EventsQuery,
        ("Last-Event-ID" = Option<u64>, Header, description = "The number of the event that came last.")),
    responses((status = 200, body = EventView, content_type = "text/event-stream"), (status = 429)))]
async fn events(
    State(app): State<App>,
    Who(by): Who,
    QueryOf(query): QueryOf<EventsQuery>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, ApiProblem> {
    let Some(share) = app.streams.take(by.name.clone()) else {
        let detail = format!("{STREAMS_EACH} streams of events are open for you already; hint: close one");
        return Err(ApiProblem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_streams", detail));
    };
    let after = match (last_event(&headers)?, query.after) {
        (Some(last), _) | (None, Some(last)) => last,
        (None, None) => app.service.last_event().await?,
    };
    let commits = app.service.commits();
    // The first look also tells whether one may.
    let (first, after) = app.service.events(&by, query.process.as_ref(), after).await?;
    let ear = Ear { app, by, process: query.process, after, heard: first.into(), commits, _share: share };
    let stream = stream::unfold(ear, |mut ear| async { ear.next().await.map(|event| (event, ear)) });
    Ok(live(stream))
}

fn last_event(headers: &HeaderMap) -> Result<Option<u64>, ApiProblem> {
    let Some(text) = headers.get("last-event-id") else { return Ok(None) };
    let number = text.to_str().ok().and_then(|it| it.trim().parse().ok());
    number.map(Some).ok_or_else(|| {
        let detail = "`Last-Event-ID` is the number of an event";
        ApiProblem::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_event_id", detail)
    })
}

struct Ear {
    app: App,
    by: Arc<Actor>,
    process: Option<ProcessId>,
    after: u64,
    heard: VecDeque<EventView>,
    commits: watch::Receiver<u64>,
    _share: Share<String>,
}

impl Ear {
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.heard.pop_front() {
                return Event::default().id(event.seq.to_string()).json_data(&event).ok();
            }
            // Noted before the look: a commit in between is not slept through.
            self.commits.mark_unchanged();
            // They may have lost their rights since, or some of them.
            self.by = self.app.service.again(&self.by)?;
            // A store out of reach ends the stream; the listener comes back and begins behind the last event.
            let (heard, last) =
                self.app.service.events(&self.by, self.process.as_ref(), self.after).await.ok()?;
            if last == self.after {
                tokio::select! {
                    changed = self.commits.changed() => changed.ok()?,
                    () = self.app.stop.cancelled() => return None,
                }
            }
            self.heard = heard.into();
            self.after = last;
        }
    }
}
