//! The two small pages a person meets who follows a link. They fetch nothing and run nothing.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};

use crate::process::svg::escaped;

const STYLE: &str = "body{font:1.1rem/1.5 system-ui,sans-serif;max-width:32rem;margin:15vh auto;\
padding:0 1rem;color:#1d2733;background:#fff}h1{font-size:1.4rem}label{display:block;margin:.8rem 0}\
input{font:inherit;width:100%;box-sizing:border-box;padding:.5rem}button{font:inherit;padding:.6rem 1.4rem;\
margin-top:1rem;cursor:pointer}p.about{color:#536171}\
@media(prefers-color-scheme:dark){body{color:#e6eaf0;background:#14181d}p.about{color:#9aa7b5}}";

/// A page that says one thing.
pub fn says(status: StatusCode, title: &str, text: &str) -> Response {
    page(status, title, &format!("<p>{}</p>", escaped(text)))
}

/// A page that asks before it acts: links are followed by machines too.
pub fn asks(title: &str, about: &str, fields: &[String]) -> Response {
    asks_to("Go on", title, about, fields)
}

/// The same, with the word that stands on its button.
pub fn asks_to(button: &str, title: &str, about: &str, fields: &[String]) -> Response {
    let input = |it: &String| {
        let name = escaped(it);
        format!("<label>{name}<input name=\"{name}\" autocomplete=\"off\"></label>")
    };
    let inputs = fields.iter().map(input).collect::<Vec<_>>().concat();
    let body = format!(
        "<p class=\"about\">{}</p><form method=\"post\">{inputs}\
         <button type=\"submit\">{}</button></form>",
        escaped(about),
        escaped(button)
    );
    page(StatusCode::OK, title, &body)
}

fn page(status: StatusCode, title: &str, body: &str) -> Response {
    let title = escaped(title);
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><meta name=\"robots\" content=\"noindex\">\
         <style>{STYLE}</style></head><body><h1>{title}</h1>{body}</body></html>"
    );
    let mut response = (status, Html(html)).into_response();
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy());
    response
}

/// Only this style, and forms only to here.
fn policy() -> HeaderValue {
    let hash = BASE64_STANDARD.encode(Sha256::digest(STYLE));
    let text = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; form-action 'self'; \
         frame-ancestors 'none'; base-uri 'none'"
    );
    HeaderValue::from_str(&text).expect("a policy is made of ASCII letters, digits and signs")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_stranger_wrote_is_shown_as_text() {
        assert_eq!(escaped("<a href=\"x\">&'"), "&lt;a href=&quot;x&quot;&gt;&amp;&#39;");
    }
}
