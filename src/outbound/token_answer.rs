//! What a token server means by an answer that is no JSON from its beginning to its end. A refresh token is
//! good once: a pair that came must not be lost for want of form. Pure.

use serde_json::{Map, Value};
use url::form_urlencoded::parse;

use crate::model::json;

/// One of these is in every answer of a token server.
const SAID: [&str; 2] = ["access_token", "error"];
/// So many places are looked at where an object may begin.
const PLACES_MAX: usize = 100;

/// The object that the answer is or holds: JSON with something printed before or behind it, or a form.
pub fn read(text: &str) -> Option<Value> {
    let places = text.match_indices('{').map(|(at, _)| at).take(PLACES_MAX);
    let mut objects = places.filter_map(|at| object(&text[at..])).filter(says);
    objects.next().or_else(|| form(text).filter(says))
}

/// The object at the beginning of a text.
fn object(text: &str) -> Option<Value> {
    let kept = json::kept(text);
    let first = serde_json::Deserializer::from_str(&kept).into_iter::<Value>().next()?;
    first.ok().filter(Value::is_object)
}

/// A form: not a page that has a `=` somewhere.
fn form(text: &str) -> Option<Value> {
    let text = text.trim();
    let is_form =
        text.contains('=') && !text.contains(|it: char| it.is_whitespace() || "<>{}\"".contains(it));
    let fields =
        || parse(text.as_bytes()).map(|(name, it)| (name.into_owned(), Value::from(it.into_owned())));
    is_form.then(|| Value::Object(fields().collect::<Map<_, _>>()))
}

fn says(value: &Value) -> bool {
    SAID.iter().any(|name| value.get(name).is_some())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pair_is_found_in_what_came() {
        let pair = json!({"access_token": "A", "refresh_token": "R"});
        for text in [
            "<br />\n<b>Warning</b>: {x} in y.php\n{\"access_token\": \"A\", \"refresh_token\": \"R\"}",
            "{\"access_token\": \"A\", \"refresh_token\": \"R\"}<!-- 7 ms -->",
            "{\"access_token\": \"A\", \"refresh_token\": \"Q\", \"refresh_token\": \"R\"}",
            "access_token=A&refresh_token=R\n",
        ] {
            assert_eq!(read(text), Some(pair.clone()), "{text}");
        }
        assert_eq!(read("error=bad_code"), Some(json!({"error": "bad_code"})));
        let none =
            ["", "{\"access_token\": \"A", "<a href='?access_token=A'>", "{\"ok\": 1}", "a=1&b=2", "A"];
        for text in none {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
