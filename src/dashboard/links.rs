//! Where pages are. A ref stands in the query, never in the path: `..` and `a/b` are good refs and bad paths.

use url::form_urlencoded::Serializer;

use crate::model::names::ProcessId;
use crate::service::view::TaskView;

/// The page of all.
pub(super) const HOME: &str = "/dashboard";

/// A path with a query.
pub(super) fn with(path: &str, pairs: &[(&str, &str)]) -> String {
    let mut query = Serializer::new(String::new());
    query.extend_pairs(pairs);
    format!("{path}?{}", query.finish())
}

/// Of a process. Its id has letters, digits, `-` and `_` only.
pub(super) fn process(id: &str) -> String {
    format!("/dashboard/p/{id}")
}

/// Below a process.
pub(super) fn below(id: &ProcessId, what: &str) -> String {
    format!("/dashboard/p/{id}/{what}")
}

/// Of a task: that very one, also when another has its name later.
pub(super) fn task(it: &TaskView) -> String {
    with(&format!("/dashboard/p/{}/task", it.process), &[("ref", &it.reference), ("id", &it.id)])
}

/// The tasks on a node.
pub(super) fn node(id: &ProcessId, node: &str) -> String {
    format!("{}#tasks", with(&process(id.as_str()), &[("node", node)]))
}

/// `to`, if it leads to a page of ours; who logs in is led nowhere else.
pub(super) fn ours(to: &str) -> &str {
    let rest = to.strip_prefix(HOME);
    let plain = to.bytes().all(|it| it.is_ascii_graphic() && it != b'\\');
    match rest {
        Some(rest) if plain && (rest.is_empty() || rest.starts_with(['/', '?'])) => to,
        _ => HOME,
    }
}

/// A link that came from a process, if a browser may follow it.
pub(super) fn outward(link: Option<&String>) -> Option<String> {
    let link = link?;
    let parsed = url::Url::parse(link).ok()?;
    matches!(parsed.scheme(), "http" | "https").then(|| link.clone())
}

/// The host of a link.
pub(super) fn host(link: &str) -> String {
    url::Url::parse(link).ok().and_then(|it| it.host_str().map(str::to_owned)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_away() {
        for to in
            ["https://evil.example", "//evil.example", "/dashboardx", "/dashboard\\x", "/dashboard/\r\na: b"]
        {
            assert_eq!(ours(to), HOME, "{to}");
        }
        assert_eq!(ours("/dashboard/p/a/task?ref=..%2F"), "/dashboard/p/a/task?ref=..%2F");
    }

    #[test]
    fn a_link_that_runs_something_is_no_link() {
        let link = |it: &str| outward(Some(&it.to_owned()));
        assert_eq!(link("javascript:alert(1)"), None);
        assert_eq!(link("data:text/html,x"), None);
        assert_eq!(link("https://a.example/x"), Some("https://a.example/x".to_owned()));
    }
}
