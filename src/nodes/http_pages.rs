//! Lists that come in pages: the shape of an `http` node's `pages`, and how far a task has come through them.
//!
//! Each page is an effect of its own, and what was gathered is kept with the task: after a crash the same
//! page is asked again, and not all of them.

use std::fmt;

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::model::effect::{HttpRequest, PageRequest};
use crate::model::fault::Fault;
use crate::model::look::is_missing;
use crate::model::marks::Marks;
use crate::model::scope::EvalContext;
use crate::model::task::Task;
use crate::model::value::ValueTemplate;

/// Pages asked for if nothing else is said.
const PAGES_DEFAULT: u32 = 100;
/// The most pages that may be asked for: each is an event of the history.
const PAGES_MAX: u32 = 1_000;
/// The most items that are gathered if nothing else is said.
const ITEMS_DEFAULT: usize = 10_000;
/// The most bytes of items, as JSON: they are written with the task at every page.
const ITEMS_BYTES_MAX: usize = 4 * 1024 * 1024;

/// How a list in pages is gathered.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PagesShape {
    /// Where the next page is: `= response.body.next`, a whole or a relative URL; `link`, as the header of
    /// that name has it; `{query, value}`, what a param of the query becomes; or `{query, from, by}`, a param
    /// that counts until a page is empty.
    next: NextShape,
    /// The items of a page.
    items: ValueTemplate,
    /// The most pages asked for; 100 if not given.
    max: Option<u32>,
    /// The most items gathered; 10000 if not given.
    max_items: Option<usize>,
    /// Hosts a next page may be on beside the first one's. They get what the first one gets, keys and all.
    #[serde(default)]
    hosts: Vec<String>,
}

/// Where the next page is.
#[derive(Debug)]
enum NextShape {
    /// In the header `Link`.
    Link,
    /// An address.
    Address(ValueTemplate),
    /// What a param of the query becomes.
    Query(String, ValueTemplate),
    /// A param of the query that counts.
    Count { query: String, from: u64, by: u64 },
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct QueryShape {
    /// The param of the query.
    query: String,
    /// What it becomes; nothing for the end.
    value: Option<ValueTemplate>,
    /// Where it begins to count; 1 if not given.
    from: Option<u64>,
    /// By how much; 1 if not given.
    by: Option<u64>,
}

impl QueryShape {
    fn next(self) -> Result<NextShape, &'static str> {
        match self {
            QueryShape { query, value: Some(value), from: None, by: None } => {
                Ok(NextShape::Query(query, value))
            }
            QueryShape { value: Some(_), .. } => {
                Err("a param of the query has a `value` or counts, and not both")
            }
            QueryShape { by: Some(0), .. } => Err("`by` is at least 1"),
            QueryShape { query, value: None, from, by } => {
                Ok(NextShape::Count { query, from: from.unwrap_or(1), by: by.unwrap_or(1) })
            }
        }
    }
}

impl<'de> Deserialize<'de> for NextShape {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visit;
        impl<'de> Visitor<'de> for Visit {
            type Value = NextShape;
            fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
                to.write_str("`link`, an expression, `{query, value}` or `{query, from, by}`")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<NextShape, E> {
                if text == "link" {
                    return Ok(NextShape::Link);
                }
                match ValueTemplate::new(&Value::from(text)).map_err(E::custom)? {
                    draft if draft.literal().is_some() => {
                        let hint = "hint: write `link`, or an expression such as `= response.body.next`";
                        Err(E::custom(format!("`{text}` says nothing about the answer; {hint}")))
                    }
                    draft => Ok(NextShape::Address(draft)),
                }
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<NextShape, A::Error> {
                let shape = QueryShape::deserialize(MapAccessDeserializer::new(map))?;
                shape.next().map_err(de::Error::custom)
            }
        }
        from.deserialize_any(Visit)
    }
}

impl JsonSchema for NextShape {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "NextPage".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let query = generator.subschema_for::<QueryShape>();
        schemars::json_schema!({"anyOf": [{"type": "string"}, query]})
    }
}

/// How far a task has come, as it is kept with the task.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Pages taken.
    pages: u32,
    /// What was gathered.
    items: Vec<Value>,
    /// What the next page is asked with: an address, or the value of a param.
    next: Option<Value>,
    /// A secret is in what was gathered.
    #[serde(default)]
    secret: bool,
}

/// What a page brings.
#[derive(Debug)]
pub enum Turned {
    /// There is another one.
    On(Progress),
    /// That was the last one: what the answer has beside its own, and what of it is secret.
    Over(Map<String, Value>, Marks),
}

impl Progress {
    /// How far `task` has come on its present visit.
    pub fn of(task: &Task) -> Progress {
        let kept = task.progress.as_ref().and_then(|it| serde_json::from_value(it.clone()).ok());
        kept.unwrap_or_default()
    }

    /// As it is kept with the task.
    pub fn kept(&self) -> Value {
        json!(self)
    }
}

impl PagesShape {
    /// What is wrong with it.
    pub fn wrong(&self) -> Option<String> {
        if self.max.is_some_and(|it| it == 0 || it > PAGES_MAX) {
            return Some(format!("`max` is from 1 to {PAGES_MAX}"));
        }
        if self.max_items == Some(0) {
            return Some("`max_items` is at least 1".to_owned());
        }
        self.items
            .literal()
            .map(|_| "`items` says nothing about the answer; hint: `= response.body.items`".to_owned())
    }

    /// Turns `ask` to the page after those of `progress`.
    pub fn turn_to(&self, progress: &Progress, ask: &mut HttpRequest) {
        let mut at = None;
        match (&self.next, &progress.next) {
            (NextShape::Link | NextShape::Address(_), Some(Value::String(address))) => {
                at = Some(address.clone());
            }
            (NextShape::Link | NextShape::Address(_), _) => {}
            (NextShape::Query(query, _), next) => {
                if let Some(value) = next {
                    set(&mut ask.query, query, value);
                }
            }
            (NextShape::Count { query, from, by }, _) => {
                let count = from.saturating_add(by.saturating_mul(u64::from(progress.pages)));
                set(&mut ask.query, query, &Value::from(count));
            }
        }
        ask.page = Some(PageRequest { number: progress.pages + 1, at, hosts: self.hosts.clone() });
    }

    /// Takes a page. `view` sees its answer.
    ///
    /// # Errors
    /// `bad_response` if its items are no list or it leads back to itself, `response_too_large`, and what its
    /// expressions give.
    pub fn take(&self, progress: Progress, view: &EvalContext) -> Result<Turned, Fault> {
        let Progress { mut pages, mut items, next: present, secret } = progress;
        let (more, by_secret) = view.scope.taint.during(|| self.items_of(view));
        let (more, secret) = (more?, secret || by_secret);
        let empty = more.is_empty();
        items.extend(more);
        pages += 1;
        let items_max = self.max_items.unwrap_or(ITEMS_DEFAULT);
        let next = self.next_of(view, empty)?;
        if next.is_some() && next == present {
            return Err(Fault::lasting(
                "bad_response",
                "the next page is said to be the one that was answered",
            ));
        }
        let enough = pages >= self.max.unwrap_or(PAGES_DEFAULT) || items.len() >= items_max;
        let truncated = items.len() > items_max || (enough && next.is_some());
        items.truncate(items_max);
        let bytes = serde_json::to_vec(&items).map_or(0, |it| it.len());
        if bytes > ITEMS_BYTES_MAX {
            let message = format!(
                "the items of {pages} pages are more than {ITEMS_BYTES_MAX} bytes; hint: take less of each \
                 in `items`, or set `max_items`"
            );
            return Err(Fault::lasting("response_too_large", message));
        }
        match next {
            Some(next) if !enough => Ok(Turned::On(Progress { pages, items, next: Some(next), secret })),
            _ => {
                let marks = if secret { Marks::whole().below("/items") } else { Marks::default() };
                let more = [
                    ("items".to_owned(), Value::Array(items)),
                    ("pages".to_owned(), Value::from(pages)),
                    ("truncated".to_owned(), Value::from(truncated)),
                ];
                Ok(Turned::Over(Map::from_iter(more), marks))
            }
        }
    }

    /// The items of a page. XML has no list of one: what is none is one item.
    fn items_of(&self, view: &EvalContext) -> Result<Vec<Value>, Fault> {
        match self.items.fill(view)? {
            Value::Array(items) => Ok(items),
            Value::Null => Ok(Vec::new()),
            item @ Value::Object(_) => Ok(vec![item]),
            Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                Err(Fault::lasting("bad_response", "the items of a page are no list"))
            }
        }
    }

    /// What the page after this one is asked with. Where the answer does not speak of it, there is none.
    fn next_of(&self, view: &EvalContext, empty: bool) -> Result<Option<Value>, Fault> {
        let said = match &self.next {
            NextShape::Count { .. } => return Ok((!empty).then_some(Value::Null)),
            NextShape::Link => return Ok(link(view).map(Value::from)),
            NextShape::Address(draft) | NextShape::Query(_, draft) => draft.fill(view),
        };
        let is_address = matches!(self.next, NextShape::Address(_));
        match said {
            Ok(Value::Null | Value::Bool(false)) => Ok(None),
            Ok(Value::String(text)) if text.trim().is_empty() => Ok(None),
            Ok(value @ Value::String(_)) => Ok(Some(value)),
            Ok(value @ Value::Number(_)) if !is_address => Ok(Some(value)),
            Ok(_) => Err(Fault::lasting("bad_response", "what leads to the next page is no text")),
            Err(fault) if is_missing(&fault) => Ok(None),
            Err(fault) => Err(fault),
        }
    }
}

fn set(query: &mut Vec<(String, String)>, name: &str, value: &Value) {
    query.retain(|(it, _)| it != name);
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    query.push((name.to_owned(), text));
}

/// The address that the header `Link` calls `next`.
fn link(view: &EvalContext) -> Option<String> {
    next_in(view.response.as_ref()?.get("headers")?.get("link")?.as_str()?)
}

fn next_in(header: &str) -> Option<String> {
    // A comma may stand in an address, so links are told apart by their brackets.
    header.split('<').skip(1).find_map(|link| {
        let (address, params) = link.split_once('>')?;
        let mut params = params.split(';').map(|it| it.trim().trim_end_matches(','));
        let is_next = params.any(|param| {
            let rel = param.split_once('=').filter(|(name, _)| name.trim().eq_ignore_ascii_case("rel"));
            let names = rel.map(|(_, value)| value.trim().trim_matches(['"', '\'']));
            names.is_some_and(|it| it.split_whitespace().any(|it| it.eq_ignore_ascii_case("next")))
        });
        is_next.then(|| address.trim().to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_link_is_found_however_it_is_quoted() {
        for header in [
            "<p2>; rel=\"next\"",
            "<p2>; rel='next'",
            "<p2>;rel=next",
            "<p1>; rel='prev', <p2>; Rel='last next'",
        ] {
            assert_eq!(next_in(header).as_deref(), Some("p2"), "{header}");
        }
        assert_eq!(next_in("<p1>; rel='prev'; title='next'"), None);
    }
}
