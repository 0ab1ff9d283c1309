//! The helpers of texts that look at values alone, and what they have in common: none knows the view, and
//! each draws on the budget of the evaluation.

use std::borrow::Cow;

use handlebars::{
    Context, Handlebars, Helper, HelperDef, RenderContext, RenderError, RenderErrorReason, ScopedJson,
};
use serde_json::Value;

use crate::model::budget::{charge, charge_text, charge_value, many};
use crate::model::helpers;
use crate::model::look::{as_text, len};

/// How many steps handlebars takes for one thing of its own: a tag, or one turn of an `#each`.
pub(crate) const TAG_STEPS: u64 = 40;

/// Draws on the budget for a value that handlebars is handed, and for what it does about it: an `#each`
/// turns as often as it has items.
pub(crate) fn draw(value: &Value) -> Result<(), RenderError> {
    let turns = match value {
        Value::Array(items) => items.len(),
        Value::Object(map) => map.len(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    };
    let drawn = charge(TAG_STEPS.saturating_mul(many(turns) + 1), 0).and_then(|()| charge_value(value));
    drawn.map_err(|it| failed(it.message))
}

/// The error that ends a rendering.
pub(crate) fn failed(message: String) -> RenderError {
    RenderErrorReason::Other(message).into()
}

/// A helper that makes a text of values; knows nothing of the view.
pub(crate) struct Maker(pub &'static str);

impl HelperDef for Maker {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        let value = argument(helper, 0)?;
        draw(value)?;
        let text = || as_text(Cow::Borrowed(value), "an argument").map_err(|it| failed(it.message));
        let second = helper.param(1).and_then(|it| it.value().as_str());
        let third = helper.param(2).and_then(|it| it.value().as_str());
        let made = match self.0 {
            "json" => value.to_string(),
            "sha256" => helpers::sha256(&text()?, second).map_err(failed)?,
            "base64" => helpers::base64(&text()?),
            "urlencode" => helpers::urlencode(&text()?),
            "urldecode" => helpers::urldecode(&text()?).map_err(failed)?,
            "hmac" => {
                let key = second.ok_or_else(|| failed("`hmac` takes a text and a key".to_owned()))?;
                helpers::hmac_in(&text()?, key, third).map_err(failed)?
            }
            _ => helpers::date(value, second.unwrap_or("%Y-%m-%d %H:%M:%S"), third).map_err(failed)?,
        };
        charge_text(made.len()).map_err(|it| failed(it.message))?;
        Ok(ScopedJson::Derived(Value::String(made)))
    }
}

/// A helper that compares two numbers or two texts.
pub(crate) struct Order(pub &'static str);

impl HelperDef for Order {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        let (one, two) = (argument(helper, 0)?, argument(helper, 1)?);
        charge(TAG_STEPS, 0).map_err(|it| failed(it.message))?;
        let order = match (one, two) {
            (Value::String(one), Value::String(two)) => Some(one.cmp(two)),
            (Value::Number(one), Value::Number(two)) => match (one.as_i64(), two.as_i64()) {
                (Some(one), Some(two)) => Some(one.cmp(&two)),
                _ => one.as_f64().partial_cmp(&two.as_f64()),
            },
            _ => None,
        };
        let order = order.ok_or_else(|| {
            failed(format!("`{}` compares two numbers or two texts, not {one} and {two}", self.0))
        })?;
        let is_so = match self.0 {
            "gt" => order.is_gt(),
            "gte" => order.is_ge(),
            "lt" => order.is_lt(),
            _ => order.is_le(),
        };
        Ok(ScopedJson::Derived(Value::Bool(is_so)))
    }
}

/// Whether `#if` takes a value for true, as handlebars.js does: an empty map is something.
pub(crate) fn is_true(value: &Value, with_zero: bool) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::Bool(true) | Value::Object(_) => true,
        Value::Number(number) => with_zero || number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
    }
}

/// The length of what stands in the brackets; with a `true` before it, what has none has null.
pub(crate) fn length(helper: &Helper) -> Result<Value, RenderError> {
    charge(TAG_STEPS, 0).map_err(|it| failed(it.message))?;
    let is_soft = helper.param(1).is_some();
    let found = match helper.param(usize::from(is_soft)).map(handlebars::PathAndJson::value) {
        Some(Value::Object(map)) => map.get("length").cloned(),
        Some(value) => len(value),
        None => None,
    };
    match found {
        Some(found) => Ok(found),
        None if is_soft => Ok(Value::Null),
        None => Err(failed("what has no `length` is asked for it in a block".to_owned())),
    }
}

/// The value that stands there.
pub(crate) fn argument<'a>(helper: &'a Helper, index: usize) -> Result<&'a Value, RenderError> {
    let param = helper.param(index).ok_or_else(|| failed(format!("`{}` takes a value", helper.name())))?;
    if param.is_value_missing() {
        return Err(RenderErrorReason::MissingVariable(param.relative_path().cloned()).into());
    }
    Ok(param.value())
}
