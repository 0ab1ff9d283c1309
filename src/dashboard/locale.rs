//! In which language a reader is answered: the one they chose, or else the first their browser asks for that
//! is known here.

use axum::extract::Request;
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::Response;

use crate::dashboard::cookies;
use crate::dashboard::words::{ENGLISH, Words};
use crate::dashboard::words_ru::RUSSIAN;

/// The cookie with the language that was chosen.
pub(super) const COOKIE: &str = "beltline-language";

tokio::task_local! {
    static SPOKEN: &'static Words;
}

/// The words of the language in which the present request is answered.
pub(super) fn words() -> &'static Words {
    SPOKEN.try_with(|it| *it).unwrap_or(&ENGLISH)
}

/// The words of a language, by its code.
pub(super) fn of(code: &str) -> Option<&'static Words> {
    [&ENGLISH, &RUSSIAN].into_iter().find(|it| it.lang.eq_ignore_ascii_case(code))
}

/// Answers in the language of the reader.
pub(super) async fn answered(request: Request, next: Next) -> Response {
    let words = wanted(request.headers());
    SPOKEN.scope(words, next.run(request)).await
}

fn wanted(headers: &HeaderMap) -> &'static Words {
    chosen(headers).or_else(|| asked_for(headers)).unwrap_or(&ENGLISH)
}

fn chosen(headers: &HeaderMap) -> Option<&'static Words> {
    cookies::value(headers, COOKIE).and_then(|code| of(&code))
}

/// By `Accept-Language: ru-RU, en;q=0.8`: the known one with the highest weight, the first of several.
fn asked_for(headers: &HeaderMap) -> Option<&'static Words> {
    let text = headers.get(header::ACCEPT_LANGUAGE)?.to_str().ok()?;
    let mut best: Option<(f32, &'static Words)> = None;
    for part in text.split(',') {
        let (range, weight) = part.split_once(';').unwrap_or((part, ""));
        let weight = weight.trim().strip_prefix("q=").map_or(Some(1.0), |it| it.parse::<f32>().ok());
        let code = range.trim().split('-').next().unwrap_or_default();
        if let (Some(weight), Some(words)) = (weight, of(code))
            && weight > best.map_or(0.0, |(weight, _)| weight)
        {
            best = Some((weight, words));
        }
    }
    best.map(|(_, words)| words)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn the_reader_is_answered_in_their_language() {
        let lang = |accept: &'static str, cookie: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_LANGUAGE, HeaderValue::from_static(accept));
            headers.insert(header::COOKIE, HeaderValue::from_static(cookie));
            wanted(&headers).lang
        };
        assert_eq!(lang("", ""), "en");
        assert_eq!(lang("de, fr", ""), "en");
        assert_eq!(lang("ru-RU,ru;q=0.9,en;q=0.8", ""), "ru");
        assert_eq!(lang("de, en;q=0.5, ru;q=0.7", ""), "ru");
        assert_eq!(lang("ru;q=0, en;q=x", ""), "en");
        assert_eq!(lang("ru", "a=b; beltline-language=en"), "en");
        assert_eq!(lang("ru", "beltline-language=xx"), "ru");
    }
}
