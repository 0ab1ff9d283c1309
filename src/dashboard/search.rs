//! Searching everywhere: processes, templates, pages of the manual, and the beginnings of refs.

use askama::Template;
use axum::extract::State;

use crate::dashboard::dash::Dash;
use crate::dashboard::links;
use crate::dashboard::manual;
use crate::dashboard::page::{Frame, Given, Place, ok};
use crate::dashboard::process::TaskRow;
use crate::dashboard::take::{Asked, Who};

/// How many of each are shown.
const FOUND_MAX: usize = 50;

#[derive(Template)]
#[template(path = "search.html", config = ".askama.toml")]
struct SearchPage {
    f: Frame,
    query: String,
    processes: Vec<Found>,
    templates: Vec<Found>,
    guides: Vec<Found>,
    tasks: Vec<TaskRow>,
}

struct Found {
    name: String,
    title: String,
    to: String,
}

/// What there is of that name.
pub(super) async fn look(State(dash): State<Dash>, Who(by): Who, asked: Asked) -> Given {
    let query = asked.get("q").map(|it| it.trim().to_owned()).unwrap_or_default();
    let low = query.to_lowercase();
    let like =
        |name: &str, title: &str| !low.is_empty() && format!("{name} {title}").to_lowercase().contains(&low);
    let hits = dash.service.search(&by, &query, FOUND_MAX).await?;
    let templates = dash.service.templates().items;
    let templates = templates.iter().filter(|it| like(&it.name, &it.title));
    let guides = if low.is_empty() { Vec::new() } else { manual::like(&low) };
    ok(SearchPage {
        f: Frame::new(&by, Place::Nowhere),
        processes: hits
            .processes
            .into_iter()
            .map(|(id, title)| Found { to: links::process(id.as_str()), name: id.to_string(), title })
            .collect(),
        templates: templates
            .take(FOUND_MAX)
            .map(|it| Found {
                name: it.name.clone(),
                title: it.title.clone(),
                to: format!("/dashboard/templates/{}", it.name),
            })
            .collect(),
        guides: guides
            .into_iter()
            .map(|(name, title, to)| Found { name: name.to_owned(), title: title.to_owned(), to })
            .collect(),
        tasks: hits.tasks.iter().map(TaskRow::anywhere).collect(),
        query,
    })
}
