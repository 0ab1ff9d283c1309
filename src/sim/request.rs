//! [`SimRequest`]: an HTTP request as data. [`Fields`]: what it carries in its query and body, the way PHP
//! reads it.

use serde_json::{Map, Value};
use url::form_urlencoded;

/// The most fields taken from one request.
pub const FIELDS_MAX: usize = 1_000;
/// The deepest `a[b][c]` that is taken apart.
const DEPTH_MAX: usize = 8;

/// An HTTP request.
#[derive(Clone, Default)]
pub struct SimRequest {
    /// `GET`, `POST`, ….
    pub method: String,
    /// The path as it was sent, without the query.
    pub path: String,
    /// Behind the `?`, still encoded.
    pub query: String,
    /// The `Host` header.
    pub host: String,
    /// The `Content-Type` header.
    pub content_type: String,
    /// The `Authorization` header.
    pub authorization: String,
    /// The `User-Agent` header.
    pub user_agent: String,
    /// The `Idempotency-Key` header.
    pub idempotency_key: String,
    /// The `Beltline-Signature` header.
    pub signature: String,
    /// The body.
    pub body: Vec<u8>,
}

/// What a request carries. Later values win over earlier ones, the body over the query.
#[derive(Debug, PartialEq)]
pub struct Fields {
    /// All of them.
    pub all: Map<String, Value>,
    /// The names of those in the URL.
    pub in_url: Vec<String>,
}

/// The body is not what its content type says, or there is too much of it.
#[derive(Debug, PartialEq, Eq)]
pub struct BadSimBody;

impl SimRequest {
    /// A GET of a path with its query.
    pub fn get(target: &str) -> SimRequest {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        SimRequest {
            method: "GET".to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            ..SimRequest::default()
        }
    }

    /// A POST of a form.
    pub fn form(target: &str, fields: &[(&str, &str)]) -> SimRequest {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        SimRequest {
            method: "POST".to_owned(),
            content_type: "application/x-www-form-urlencoded".to_owned(),
            body: body.into_bytes(),
            ..SimRequest::get(target)
        }
    }

    /// A POST of JSON.
    pub fn json(target: &str, body: &Value) -> SimRequest {
        SimRequest {
            method: "POST".to_owned(),
            content_type: "application/json".to_owned(),
            body: body.to_string().into_bytes(),
            ..SimRequest::get(target)
        }
    }

    /// The same with an `Authorization` header.
    #[must_use]
    pub fn authorized(mut self, authorization: &str) -> SimRequest {
        authorization.clone_into(&mut self.authorization);
        self
    }

    /// The token of `Authorization: Bearer …`.
    pub fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.authorization.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
    }

    /// What the request carries. A body of another type than form or JSON carries nothing.
    pub fn fields(&self) -> Result<Fields, BadSimBody> {
        let mut all = Map::new();
        take_pairs(&mut all, self.query.as_bytes())?;
        let in_url = all.keys().cloned().collect();
        let kind = self.content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match kind.as_str() {
            "application/x-www-form-urlencoded" => take_pairs(&mut all, &self.body)?,
            "application/json" if !self.body.is_empty() => {
                let body: Map<String, Value> = serde_json::from_slice(&self.body).map_err(|_| BadSimBody)?;
                all.extend(body);
            }
            _ => {}
        }
        if all.len() > FIELDS_MAX {
            return Err(BadSimBody);
        }
        Ok(Fields { all, in_url })
    }
}

impl Fields {
    /// The text `name`; a number or a truth value counts as its text, an object or a list as nothing.
    pub fn text(&self, name: &str) -> Option<String> {
        match self.all.get(name)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(truth) => Some(truth.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        }
    }

    /// As `text`, but nothing if it is empty.
    pub fn filled(&self, name: &str) -> Option<String> {
        self.text(name).filter(|it| !it.is_empty())
    }

    /// Whether any of `names` stands in the URL.
    pub fn any_in_url(&self, names: &[&str]) -> bool {
        self.in_url.iter().any(|it| names.contains(&it.as_str()))
    }
}

fn take_pairs(into: &mut Map<String, Value>, encoded: &[u8]) -> Result<(), BadSimBody> {
    for (index, (name, value)) in form_urlencoded::parse(encoded).enumerate() {
        if index >= FIELDS_MAX {
            return Err(BadSimBody);
        }
        put(into, &steps(&name), value.into_owned());
    }
    Ok(())
}

/// `fields[PHONE][0]` as its steps; a name that is not well formed is one step.
fn steps(name: &str) -> Vec<&str> {
    let Some((first, rest)) = name.split_once('[') else {
        return vec![name];
    };
    let Some(rest) = rest.strip_suffix(']') else {
        return vec![name];
    };
    let steps: Vec<&str> = std::iter::once(first).chain(rest.split("][")).collect();
    if first.is_empty() || steps.len() > DEPTH_MAX || rest.replace("][", "").contains(['[', ']']) {
        return vec![name];
    }
    steps
}

fn put(into: &mut Map<String, Value>, steps: &[&str], value: String) {
    let Some((first, rest)) = steps.split_first() else {
        return;
    };
    // `a[]=x` appends, as in PHP.
    let name = if first.is_empty() { into.len().to_string() } else { (*first).to_owned() };
    if rest.is_empty() {
        into.insert(name, value.into());
        return;
    }
    let inner = into.entry(name).or_insert_with(|| Value::Object(Map::new()));
    if !inner.is_object() {
        *inner = Value::Object(Map::new());
    }
    if let Value::Object(inner) = inner {
        put(inner, rest, value);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_form_is_read_as_php_reads_it() {
        let request = SimRequest::form(
            "/rest/crm.lead.add?auth=in-url&fields[TITLE]=first",
            &[("fields[TITLE]", "A lead"), ("fields[PHONE][][VALUE]", "+371"), ("odd[", "kept")],
        );
        let fields = request.fields().unwrap();
        assert_eq!(fields.text("auth").unwrap(), "in-url");
        assert_eq!(fields.all["fields"], json!({"TITLE": "A lead", "PHONE": {"0": {"VALUE": "+371"}}}));
        assert_eq!(fields.all["odd["], "kept");
        assert!(fields.any_in_url(&["auth"]) && !fields.any_in_url(&["odd["]));
    }

    #[test]
    fn bad_bodies_are_refused_and_nothing_panics() {
        let mut request = SimRequest::json("/", &json!([1, 2]));
        assert_eq!(request.fields(), Err(BadSimBody));
        request.body = b"{\"half".to_vec();
        assert_eq!(request.fields(), Err(BadSimBody));
        request.content_type = "application/x-www-form-urlencoded".to_owned();
        request.body = "a=1&".repeat(FIELDS_MAX + 1).into_bytes();
        assert_eq!(request.fields(), Err(BadSimBody));
        for odd in ["%", "%f", "=", "&&&", "a[", "]", "[", "a[[b]]", "a[b]c", "\u{0}"] {
            let _ = SimRequest::get(&format!("/x?{odd}")).fields();
        }
    }

    #[test]
    fn a_bearer_is_found_whatever_the_case() {
        assert_eq!(SimRequest::get("/").authorized("bearer abc").bearer(), Some("abc"));
        assert_eq!(SimRequest::get("/").authorized("Basic abc").bearer(), None);
    }
}
