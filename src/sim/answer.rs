//! [`SimAnswer`]: what a simulated server answers, as data, with the way it is to be delivered.

use serde_json::{Value, json};

/// How an answer reaches the one who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deliver {
    /// At once and whole.
    Whole,
    /// Whole, but so many milliseconds late.
    After(u64),
    /// Not at all: the connection is closed without an answer.
    Closed,
    /// The head, then a body without an end.
    Endless,
}

/// What a simulated server answers.
#[derive(Clone, Debug, PartialEq)]
pub struct SimAnswer {
    /// The HTTP status.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body as text.
    pub body: String,
    /// How it is delivered.
    pub deliver: Deliver,
    /// One word for the counters: `ok`, or the error's code.
    pub result: String,
    /// The token pair that this body carries. Whoever fails to deliver it reports the pair as lost.
    pub pair: Option<u64>,
}

impl SimAnswer {
    /// A JSON body.
    pub fn json(status: u16, body: &Value) -> SimAnswer {
        SimAnswer::new(status, "application/json; charset=utf-8", body.to_string(), "ok")
    }

    /// Bitrix24's error body; the description is often absent there, and so it may be here.
    pub fn error(status: u16, code: &str, description: Option<&str>) -> SimAnswer {
        let mut body = json!({"error": code});
        if let Some(description) = description {
            body["error_description"] = description.into();
        }
        SimAnswer::json(status, &body).called(code)
    }

    /// Plain text.
    pub fn text(status: u16, body: &str) -> SimAnswer {
        SimAnswer::new(status, "text/plain; charset=utf-8", body.to_owned(), &status.to_string())
    }

    /// A small page; `content` is HTML already, `title` is not.
    pub fn page(status: u16, title: &str, content: &str) -> SimAnswer {
        let title = escape(title);
        let body = format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <style>body{{font:16px/1.5 system-ui,sans-serif;max-width:34em;margin:12vh auto;padding:0 1em}}\
             button{{font:inherit;padding:.5em 1.5em}}code{{word-break:break-all}}</style></head>\n\
             <body><h1>{title}</h1>\n{content}\n</body></html>\n"
        );
        SimAnswer::new(status, "text/html; charset=utf-8", body, &status.to_string())
    }

    /// A redirect.
    pub fn redirect(to: &str) -> SimAnswer {
        let mut answer = SimAnswer::new(302, "text/html; charset=utf-8", String::new(), "redirect");
        answer.headers.push(("location".to_owned(), to.to_owned()));
        answer
    }

    /// The same under another word for the counters.
    #[must_use]
    pub fn called(mut self, result: &str) -> SimAnswer {
        result.clone_into(&mut self.result);
        self
    }

    /// The same with one more header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> SimAnswer {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same, delivered in another way.
    #[must_use]
    pub fn delivered(mut self, deliver: Deliver) -> SimAnswer {
        self.deliver = deliver;
        self
    }

    /// No answer: the connection is closed.
    pub fn closed() -> SimAnswer {
        SimAnswer::text(200, "").delivered(Deliver::Closed).called("close")
    }

    /// The same with a `Retry-After` of so many seconds; as a date, if it is given what time it is.
    #[must_use]
    pub fn to_come_back(self, seconds: u32, now: Option<i64>) -> SimAnswer {
        match now {
            Some(now) => {
                let then = date(now + i64::from(seconds) * 1_000);
                self.with_header("date", &date(now)).with_header("retry-after", &then)
            }
            None => self.with_header("retry-after", &seconds.to_string()),
        }
    }

    /// The header `name`, in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(it, _)| it == name).map(|(_, value)| value.as_str())
    }

    /// The body read as JSON; `null` if it is none.
    pub fn value(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or(Value::Null)
    }

    fn new(status: u16, content_type: &str, body: String, result: &str) -> SimAnswer {
        SimAnswer {
            status,
            headers: vec![("content-type".to_owned(), content_type.to_owned())],
            body,
            deliver: Deliver::Whole,
            result: result.to_owned(),
            pair: None,
        }
    }
}

/// A moment as HTTP has it.
fn date(at: i64) -> String {
    let at = jiff::Timestamp::from_millisecond(at).unwrap_or_default();
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// Text as it may stand in HTML, attributes included.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_the_recorded_shape() {
        assert_eq!(SimAnswer::error(400, "invalid_grant", None).body, r#"{"error":"invalid_grant"}"#);
        let with = SimAnswer::error(401, "NOT_INSTALLED", Some("Application not installed"));
        assert_eq!(with.body, r#"{"error":"NOT_INSTALLED","error_description":"Application not installed"}"#);
    }

    #[test]
    fn a_page_escapes_its_title() {
        assert!(!SimAnswer::page(200, "<script>", "").body.contains("<script>"));
    }
}
