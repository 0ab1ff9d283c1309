//! Choosing another language than the one the browser asks for.

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Redirect, Response};

use crate::dashboard::links;
use crate::dashboard::locale::{COOKIE, of};
use crate::dashboard::take::Form;
use crate::dashboard::words::ENGLISH;

/// A year, in seconds.
const KEPT_S: u32 = 31_536_000;

/// From now on in that language.
pub(super) async fn choose(form: Form) -> Response {
    let code = of(form.get("language")).unwrap_or(&ENGLISH).lang;
    let cookie = format!("{COOKIE}={code}; Path=/; Max-Age={KEPT_S}; HttpOnly; SameSite=Strict");
    let mut answer = Redirect::to(links::ours(form.get("to"))).into_response();
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        answer.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    answer
}
