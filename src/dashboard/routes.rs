//! [`Routes`]: pages with what each of them asks. There is no other way to add one.

use axum::Router;
use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{get, post};

use crate::dashboard::dash::Dash;
use crate::middleware::routes::RouteTable;
use crate::service::permission::Permission;

/// Pages, and what each of them asks.
#[derive(Default)]
pub(super) struct Routes {
    router: Router<Dash>,
    doors: RouteTable,
}

impl Routes {
    /// With a page to look at.
    pub(super) fn get<H: Handler<T, Dash>, T: 'static>(
        mut self,
        path: &str,
        need: Permission,
        look: H,
    ) -> Routes {
        self.doors.add(Method::GET, path, need);
        Routes { router: self.router.route(path, get(look)), doors: self.doors }
    }

    /// With something to do.
    pub(super) fn post<H: Handler<T, Dash>, T: 'static>(
        mut self,
        path: &str,
        need: Permission,
        act: H,
    ) -> Routes {
        self.doors.add(Method::POST, path, need);
        Routes { router: self.router.route(path, post(act)), doors: self.doors }
    }

    /// Taken apart.
    pub(super) fn split(self) -> (Router<Dash>, RouteTable) {
        (self.router, self.doors)
    }
}
