//! [`Routes`]: routes with what each of them asks. There is no other way to add one.

use axum::Router;
use axum::http::Method;
use utoipa::openapi::{OpenApi, PathItem};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

use crate::api::app::App;
use crate::desk::need::Need;
use crate::gate::doors::Doors;

/// Routes, their description, and what each of them asks.
#[derive(Default)]
pub struct Routes {
    router: OpenApiRouter<App>,
    doors: Doors,
}

impl Routes {
    /// None yet.
    pub fn new() -> Routes {
        Routes::default()
    }

    /// With one more: `routes!(handler)`, and what it asks. Handlers of one path that ask different things
    /// come one by one.
    #[must_use]
    pub fn add(mut self, need: Need, route: UtoipaMethodRouter<App>) -> Routes {
        for (path, item) in &route.1.paths {
            for method in methods(item) {
                self.doors.add(method, path, need);
            }
        }
        Routes { router: self.router.routes(route), doors: self.doors }
    }

    /// With all of the other's.
    #[must_use]
    pub fn merge(mut self, other: Routes) -> Routes {
        self.doors.extend(&other.doors);
        Routes { router: self.router.merge(other.router), doors: self.doors }
    }

    /// Taken apart: the router, the description, the doors.
    pub fn split(self) -> (Router<App>, OpenApi, Doors) {
        let (router, api) = self.router.split_for_parts();
        (router, api, self.doors)
    }
}

fn methods(item: &PathItem) -> Vec<Method> {
    let all = [
        (Method::GET, &item.get),
        (Method::PUT, &item.put),
        (Method::POST, &item.post),
        (Method::DELETE, &item.delete),
        (Method::OPTIONS, &item.options),
        (Method::HEAD, &item.head),
        (Method::PATCH, &item.patch),
        (Method::TRACE, &item.trace),
    ];
    all.into_iter().filter(|(_, it)| it.is_some()).map(|(method, _)| method).collect()
}
