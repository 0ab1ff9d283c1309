//! `lookup` in a text with blocks: an item of a list, or what a map has by that name. Names of headers have
//! no case here either (RFC 9110, section 5.1).

use handlebars::{Helper, RenderError, RenderErrorReason};
use serde_json::{Map, Value};

use crate::model::budget::charge;
use crate::model::look::is_headers;
use crate::model::makers::{TAG_STEPS, argument, failed};
use crate::model::scope::EvalContext;

/// The name of the helper, which stands in the place of that of handlebars.
pub(crate) const LOOKUP: &str = "lookup";

/// What the first argument has at the second.
///
/// # Errors
/// Where it has nothing there.
pub(crate) fn found(helper: &Helper, view: &EvalContext) -> Result<Value, RenderError> {
    charge(TAG_STEPS, 0).map_err(|it| failed(it.message))?;
    let (from, at) = (argument(helper, 0)?, argument(helper, 1)?);
    let found = match (from, at) {
        (Value::Array(items), at) => {
            at.as_u64().and_then(|at| usize::try_from(at).ok()).and_then(|at| items.get(at))
        }
        (Value::Object(map), Value::String(name)) => {
            map.get(name).or_else(|| map.get(&name.to_ascii_lowercase()).filter(|_| are_headers(map, view)))
        }
        _ => None,
    };
    found.cloned().ok_or_else(|| RenderErrorReason::MissingVariable(None).into())
}

/// Whether a map is that of the headers. Handlebars hands over values and not whence they are: one that
/// holds the same is as good.
fn are_headers(map: &Map<String, Value>, view: &EvalContext) -> bool {
    let of_answer = view.response.as_deref().and_then(|it| it.get("headers"));
    let of_request = view.task.params.get("headers").filter(|_| is_headers::<&str>(view, "headers", &[]));
    [of_answer, of_request].into_iter().flatten().any(|it| it.as_object() == Some(map))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::model::example::view;
    use crate::model::text::StringTemplate;

    #[test]
    fn a_header_is_found_in_any_case_in_a_block_too() {
        let headers = json!({"content-type": "text/csv", "x-total": "3"});
        let answer = json!({"status": 200, "headers": headers, "body": {"X-Total": 1}});
        let given = json!({"yes": true, "name": "X-TOTAL", "own": {"x-total": 5}, "rows": [7]});
        let view = view(given).with_response(answer);
        let filled = |text: &str| StringTemplate::parse(text).unwrap().fill(&view);
        for (text, expected) in [
            ("{{#if yes}}{{lookup response.headers \"Content-Type\"}}{{/if}}", "text/csv"),
            ("{{lookup response.headers \"content-type\"}}", "text/csv"),
            ("{{lookup response.headers name}}", "3"),
            ("{{#if (eq (lookup response.headers \"X-Total\") \"3\")}}three{{/if}}", "three"),
            ("{{#with response}}{{lookup headers \"X-Total\"}}{{/with}}", "3"),
            ("{{#with response.headers}}{{lookup this \"X-Total\"}}{{/with}}", "3"),
            ("{{#each rows}}{{lookup response.headers \"X-Total\"}}{{/each}}", "3"),
            ("{{lookup response.body \"X-Total\"}}{{lookup own \"x-total\"}}{{lookup rows 0}}", "157"),
        ] {
            assert_eq!(
                filled(text).unwrap_or_else(|it| panic!("{text}: {}", it.message)),
                expected,
                "{text}"
            );
        }
        for text in [
            "{{lookup response.headers \"X-Other\"}}",
            // Only headers: fields of bodies, and params, have their case.
            "{{lookup response.body \"x-total\"}}",
            "{{lookup own \"X-Total\"}}",
            "{{lookup rows 1}}",
            "{{lookup name \"x\"}}",
        ] {
            assert_eq!(filled(text).unwrap_err().code, "missing_param", "{text}");
        }
    }
}
