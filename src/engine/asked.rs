//! What a task asks the world, in a line for people.

use crate::model::effect::Request;

/// What is asked, for people: without query, headers and body.
pub(super) fn asked(ask: &Request, url: Option<&str>) -> String {
    match ask {
        Request::Http(http) => {
            let url = url.unwrap_or(&http.url);
            let end = url.find(['?', '#']).unwrap_or(url.len());
            let page = part(ask).map(|it| format!(" (page {it})")).unwrap_or_default();
            format!("{} {}{page}", http.method, &url[..end])
        }
        Request::Notify(it) => format!("notify {}", it.channels.join(", ")),
    }
}

/// Which part of its node's work is asked for, if it is not the first: it is another request, with a key of
/// its own.
pub(super) fn part(ask: &Request) -> Option<u32> {
    match ask {
        Request::Http(http) => http.page.as_ref().map(|it| it.number).filter(|it| *it > 1),
        Request::Notify(_) => None,
    }
}
