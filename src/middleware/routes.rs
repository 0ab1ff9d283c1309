//! [`RouteTable`]: the routes there are, and what each of them asks. A way in is built through this list, and
//! what is not on it is closed: a route that nobody thought about is refused, whoever asks.

use std::collections::BTreeMap;

use axum::extract::{FromRequestParts, MatchedPath, RawPathParams};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use percent_encoding::percent_decode;

use crate::model::names::ProcessId;
use crate::service::permission::Permission;

/// The names that paths have for a process.
const PROCESS: [&str; 2] = ["process", "id"];

/// One way in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path, with its names in braces.
    pub path: String,
    /// What it asks.
    pub permission: Permission,
}

/// All of them.
#[derive(Clone, Debug, Default)]
pub struct RouteTable(BTreeMap<String, Vec<(Method, Permission)>>);

/// What stands where a request wants to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteMatch {
    /// A door.
    Door(Permission),
    /// A path that takes other methods; whether one of them is open to everybody.
    Methods(String, bool),
    /// A route that is on no list: a mistake of ours.
    Forgotten,
    /// Nothing.
    Nothing,
}

impl RouteTable {
    /// Puts a door on the list.
    pub fn add(&mut self, method: Method, path: &str, need: Permission) {
        self.0.entry(path.to_owned()).or_default().push((method, need));
    }

    /// Puts all of the other's on this one.
    pub fn extend(&mut self, other: &RouteTable) {
        for Route { method, path, permission: need } in other.list() {
            self.add(method, &path, need);
        }
    }

    /// All of them, by path.
    pub fn list(&self) -> Vec<Route> {
        let doors = self.0.iter().flat_map(|(path, doors)| {
            doors.iter().map(|(method, need)| Route {
                method: method.clone(),
                path: path.clone(),
                permission: *need,
            })
        });
        doors.collect()
    }

    /// What stands where the request wants to go, once the router has found its way.
    pub fn find(&self, parts: &Parts) -> RouteMatch {
        let Some(path) = parts.extensions.get::<MatchedPath>() else { return RouteMatch::Nothing };
        let Some(doors) = self.0.get(path.as_str()) else { return RouteMatch::Forgotten };
        let method = if parts.method == Method::HEAD { &Method::GET } else { &parts.method };
        match doors.iter().find(|(it, _)| it == method) {
            Some((_, need)) => RouteMatch::Door(*need),
            None => {
                let mut names: Vec<&str> = doors.iter().map(|(it, _)| it.as_str()).collect();
                if names.contains(&"GET") {
                    names.push("HEAD");
                }
                names.push("OPTIONS");
                RouteMatch::Methods(names.join(","), doors.iter().any(|(_, need)| need.is_open()))
            }
        }
    }
}

/// What a path takes, told to everybody who asks for that alone: the document has it too, and a proxy that
/// asks whether anybody is there has no token.
pub fn options(method: &Method, found: &RouteMatch) -> Option<Response> {
    match found {
        RouteMatch::Methods(allow, _) if method == Method::OPTIONS => {
            Some((StatusCode::NO_CONTENT, [(header::ALLOW, allow.as_str())]).into_response())
        }
        RouteMatch::Methods(..) | RouteMatch::Door(_) | RouteMatch::Forgotten | RouteMatch::Nothing => None,
    }
}

/// The pieces of a path behind `/hooks/`, decoded, if it was meant for a hook: with slashes too many, or in
/// capitals, too.
pub fn behind_hooks(path: &str) -> Option<Vec<String>> {
    let mut pieces = path.split('/').filter(|it| !it.is_empty());
    pieces.next().filter(|it| it.eq_ignore_ascii_case("hooks"))?;
    Some(pieces.map(|it| percent_decode(it.as_bytes()).decode_utf8_lossy().into_owned()).collect())
}

/// The process that the path of a request names, if it is one there can be.
pub async fn process_of(parts: &mut Parts) -> Option<ProcessId> {
    let params = RawPathParams::from_request_parts(parts, &()).await.ok()?;
    let named = params.iter().find(|(name, _)| PROCESS.contains(name));
    named.and_then(|(_, text)| ProcessId::new(text).ok())
}
