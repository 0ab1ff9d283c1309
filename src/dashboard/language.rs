//! Choosing another language than the one the browser asks for.

use axum::http::header;
use axum::response::{IntoResponse, Redirect, Response};

use crate::dashboard::cookies;
use crate::dashboard::links;
use crate::dashboard::locale::{COOKIE, of};
use crate::dashboard::take::Form;
use crate::dashboard::words::ENGLISH;

/// A year, in seconds.
const KEPT_S: i64 = 31_536_000;

/// From now on in that language.
pub(super) async fn choose(form: Form) -> Response {
    let code = of(form.get("language")).unwrap_or(&ENGLISH).lang;
    let mut answer = Redirect::to(links::ours(form.get("to"))).into_response();
    if let Some(cookie) = cookies::set(COOKIE, code, false, Some(KEPT_S)) {
        answer.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    answer
}
