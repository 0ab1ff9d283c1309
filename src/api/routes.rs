//! [`Routes`]: routes with what each of them asks. There is no other way to add one.

use axum::Router;
use axum::http::Method;
use utoipa::openapi::path::Operation;
use utoipa::openapi::{OpenApi, PathItem};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

use crate::api::answers::{Form, complete};
use crate::api::app::App;
use crate::middleware::routes::RouteTable;
use crate::service::permission::Permission;

/// Routes, their description, and what each of them asks.
#[derive(Default)]
pub struct Routes {
    area: &'static str,
    router: OpenApiRouter<App>,
    doors: RouteTable,
}

impl Routes {
    /// None yet. The area is a word of their file's own: with the function's name it makes the operation's.
    pub fn of(area: &'static str) -> Routes {
        Routes { area, ..Routes::default() }
    }

    /// With one more: `routes!(handler)`, and what it asks. Handlers of one path that ask different things
    /// come one by one.
    #[must_use]
    pub fn add(mut self, need: Permission, mut route: UtoipaMethodRouter<App>) -> Routes {
        for (path, item) in &mut route.1.paths {
            for (method, operation) in operations(item) {
                complete(Form { area: self.area, need, method: &method }, operation);
                self.doors.add(method, path, need);
            }
        }
        Routes { router: self.router.routes(route), ..self }
    }

    /// With all of the other's.
    #[must_use]
    pub fn merge(mut self, other: Routes) -> Routes {
        self.doors.extend(&other.doors);
        Routes { router: self.router.merge(other.router), ..self }
    }

    /// Taken apart: the router, the description, the doors.
    pub fn split(self) -> (Router<App>, OpenApi, RouteTable) {
        let (router, api) = self.router.split_for_parts();
        (router, api, self.doors)
    }
}

fn operations(item: &mut PathItem) -> Vec<(Method, &mut Operation)> {
    let all = [
        (Method::GET, &mut item.get),
        (Method::PUT, &mut item.put),
        (Method::POST, &mut item.post),
        (Method::DELETE, &mut item.delete),
        (Method::OPTIONS, &mut item.options),
        (Method::HEAD, &mut item.head),
        (Method::PATCH, &mut item.patch),
        (Method::TRACE, &mut item.trace),
    ];
    all.into_iter().filter_map(|(method, it)| Some((method, it.as_mut()?))).collect()
}
