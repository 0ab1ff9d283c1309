//! [`ValueTemplate`]: a value as it is written in YAML, with placeholders and expressions anywhere in it.
//!
//! A string that begins with `=` is an expression, one with `{{` a text, all else is literal. A text that
//! shall begin with `=` is written `{{"="}}…`. Keys are literal.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::model::budget::{charge_value, within};
use crate::model::expr::Expr;
use crate::model::fault::Fault;
use crate::model::look::{as_text, holds_mark};
use crate::model::marks::{Marks, step};
use crate::model::mistake::Mistake;
use crate::model::scope::EvalContext;
use crate::model::text::StringTemplate;
use crate::model::uses::Uses;

/// A value with placeholders. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ValueTemplate(Arc<Form>);

#[derive(Debug)]
enum Form {
    /// A subtree without a placeholder, however large.
    Literal(Value),
    Text(StringTemplate),
    Expr(Expr),
    List(Vec<Form>),
    Map(Vec<(String, Form)>),
}

impl ValueTemplate {
    /// Compiles every text in `value`.
    ///
    /// # Errors
    /// The first mistake; its place is a place in the string it is in.
    pub fn new(value: &Value) -> Result<ValueTemplate, Mistake> {
        if holds_mark(value) {
            return Err(Mistake::new("a text holds U+FDD0 or U+FDD1, which no text may"));
        }
        Form::of(value).map(|it| ValueTemplate(Arc::new(it)))
    }

    /// The value with everything filled in.
    ///
    /// # Errors
    /// As [`StringTemplate::value`] and [`Expr::eval`].
    pub fn fill(&self, view: &EvalContext) -> Result<Value, Fault> {
        within(&view.scope.budget, || self.0.fill(view))
    }

    /// The same, and what of it is secret: whatever was made by reading something that is.
    ///
    /// # Errors
    /// As [`ValueTemplate::fill`].
    pub fn fill_marked(&self, view: &EvalContext) -> Result<(Value, Marks), Fault> {
        within(&view.scope.budget, || {
            let mut marks = Marks::default();
            let value = self.0.fill_marked(view, &mut String::new(), &mut marks)?;
            Ok((value, marks))
        })
    }

    /// The same, not cloned where it is a param as it is.
    ///
    /// # Errors
    /// As [`ValueTemplate::fill`].
    pub fn look<'v>(&'v self, view: &'v EvalContext) -> Result<Cow<'v, Value>, Fault> {
        match &*self.0 {
            Form::Literal(value) => Ok(Cow::Borrowed(value)),
            Form::Text(text) => text.look(view),
            form => within(&view.scope.budget, || form.fill(view)).map(Cow::Owned),
        }
    }

    /// The same as text: strings as they are, all else as JSON.
    ///
    /// # Errors
    /// As [`ValueTemplate::fill`], and `missing_param` for null.
    pub fn text(&self, view: &EvalContext) -> Result<String, Fault> {
        within(&view.scope.budget, || match &*self.0 {
            Form::Text(text) => text.fill(view),
            Form::Expr(expr) => {
                let value = expr.eval(view)?;
                as_text(Cow::Owned(value), expr.text()).map(Cow::into_owned)
            }
            form => {
                let value = form.fill(view)?;
                as_text(Cow::Owned(value), "the value").map(Cow::into_owned)
            }
        })
    }

    /// The value, if there is nothing in it to fill.
    pub fn literal(&self) -> Option<&Value> {
        match &*self.0 {
            Form::Literal(value) => Some(value),
            Form::Text(_) | Form::Expr(_) | Form::List(_) | Form::Map(_) => None,
        }
    }

    /// What it reads.
    pub fn uses(&self) -> Uses {
        let mut uses = Uses::default();
        self.0.uses(&mut uses);
        uses
    }
}

impl Form {
    fn of(value: &Value) -> Result<Form, Mistake> {
        Ok(match value {
            Value::String(text) => match text.strip_prefix('=') {
                Some(rest) => Form::Expr(Expr::parse(rest).map_err(|it| shifted(it, 1))?),
                None if text.contains("{{") => Form::Text(StringTemplate::parse(text)?),
                None => Form::Literal(value.clone()),
            },
            Value::Array(items) => {
                let forms = items.iter().map(Form::of).collect::<Result<Vec<_>, _>>()?;
                if forms.iter().all(Form::is_literal) {
                    Form::Literal(value.clone())
                } else {
                    Form::List(forms)
                }
            }
            Value::Object(map) => {
                let form = |(key, value): (&String, &Value)| Ok((key.clone(), Form::of(value)?));
                let forms = map.iter().map(form).collect::<Result<Vec<_>, Mistake>>()?;
                let is_literal = forms.iter().all(|(_, it)| it.is_literal());
                if is_literal { Form::Literal(value.clone()) } else { Form::Map(forms) }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => Form::Literal(value.clone()),
        })
    }

    fn is_literal(&self) -> bool {
        matches!(self, Form::Literal(_))
    }

    /// Fills it in, and notes in `marks` what is secret of what stands at `place`.
    fn fill_marked(&self, view: &EvalContext, place: &mut String, marks: &mut Marks) -> Result<Value, Fault> {
        let here = place.len();
        let mut below = |key: &str, form: &Form| {
            step(place, key);
            let filled = form.fill_marked(view, place, marks);
            place.truncate(here);
            filled
        };
        match self {
            Form::Literal(_) => self.fill(view),
            Form::Text(_) | Form::Expr(_) => {
                let (value, is_secret) = view.scope.taint.during(|| self.fill(view));
                let value = value?;
                // Neither says anything by itself; what is chosen by a secret is no secret.
                if is_secret && !value.is_null() && !value.is_boolean() {
                    marks.add(&self.marks(&value, view)?.below(place));
                }
                Ok(value)
            }
            Form::List(items) => {
                items.iter().enumerate().map(|(at, it)| below(&at.to_string(), it)).collect()
            }
            Form::Map(items) => {
                let filled = items.iter().map(|(key, it)| Ok((key.clone(), below(key, it)?)));
                filled.collect::<Result<Map<String, Value>, Fault>>().map(Value::Object)
            }
        }
    }

    fn marks(&self, value: &Value, view: &EvalContext) -> Result<Marks, Fault> {
        match self {
            Form::Text(text) => text.marks(view),
            Form::Expr(expr) => Ok(expr.marks(value, view)),
            Form::Literal(_) | Form::List(_) | Form::Map(_) => Ok(Marks::whole()),
        }
    }

    fn fill(&self, view: &EvalContext) -> Result<Value, Fault> {
        match self {
            Form::Literal(value) => {
                charge_value(value)?;
                Ok(value.clone())
            }
            Form::Text(text) => text.value(view),
            Form::Expr(expr) => expr.eval(view),
            Form::List(items) => {
                items.iter().map(|it| it.fill(view)).collect::<Result<_, _>>().map(Value::Array)
            }
            Form::Map(items) => {
                let filled = items.iter().map(|(key, it)| Ok((key.clone(), it.fill(view)?)));
                filled.collect::<Result<Map<String, Value>, Fault>>().map(Value::Object)
            }
        }
    }

    fn uses(&self, uses: &mut Uses) {
        match self {
            Form::Literal(_) => {}
            Form::Text(text) => uses.add(text.uses()),
            Form::Expr(expr) => uses.add(expr.uses()),
            Form::List(items) => items.iter().for_each(|it| it.uses(uses)),
            Form::Map(items) => items.iter().for_each(|(_, it)| it.uses(uses)),
        }
    }
}

fn shifted(mistake: Mistake, by: usize) -> Mistake {
    match mistake.at.clone() {
        Some(at) => mistake.at(at.start + by..at.end + by),
        None => mistake,
    }
}

impl<'de> serde::Deserialize<'de> for ValueTemplate {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let value = <Value as serde::Deserialize>::deserialize(from)?;
        ValueTemplate::new(&value).map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for ValueTemplate {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ValueTemplate".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({})
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::effect::mark;
    use crate::model::example::view;

    #[test]
    fn every_string_of_a_draft_is_filled_in_its_own_way() {
        let draft = json!({
            "text": "in {{city}}", "typed": "{{n}}", "sum": "= n + 1", "tight": "=n", "plain": "a = b",
            "{{key}}": 1,
            "list": ["{{city}}", {"deep": "= [n]"}, "literal", null, 2.5], "sign": "{{\"=\"}} n",
            "braces": "}} {",
        });
        let draft = ValueTemplate::new(&draft).unwrap();
        let filled = draft.fill(&view(json!({"city": "Riga", "n": 7}))).unwrap();
        let wanted = json!({
            "text": "in Riga", "typed": 7, "sum": 8, "tight": 7, "plain": "a = b", "{{key}}": 1,
            "list": ["Riga", {"deep": [7]}, "literal", null, 2.5], "sign": "= n", "braces": "}} {",
        });
        assert_eq!(filled, wanted);
        assert!(filled.as_object().unwrap().keys().eq(wanted.as_object().unwrap().keys()));
        assert_eq!(draft.uses().roots, ["city", "n"].map(str::to_owned).into());
        assert_eq!(draft.literal(), None);
    }

    #[test]
    fn what_is_literal_is_kept_whole() {
        let value = json!({"a": [1, {"b": "c"}], "d": null});
        let draft = ValueTemplate::new(&value).unwrap();
        assert_eq!(draft.literal(), Some(&value));
        assert_eq!(draft.text(&view(json!({}))).unwrap(), value.to_string());
    }

    #[test]
    fn a_draft_as_text_is_a_string_or_json_but_never_nothing() {
        let view = view(json!({"n": 7, "none": null, "o": {"a": 1}}));
        for (value, text) in [(json!("{{n}}"), "7"), (json!("= o"), r#"{"a":1}"#), (json!(true), "true")] {
            assert_eq!(ValueTemplate::new(&value).unwrap().text(&view).unwrap(), text);
        }
        for value in [json!("{{none}}"), json!("= none"), json!(null), json!("{{nope}}")] {
            assert_eq!(
                ValueTemplate::new(&value).unwrap().text(&view).unwrap_err().code,
                "missing_param",
                "{value}"
            );
        }
    }

    #[test]
    fn secrets_stand_in_a_draft_as_marks() {
        let draft =
            ValueTemplate::new(&json!({"auth": "Bearer {{secret.key}}", "alone": "{{secret.key}}"})).unwrap();
        let open = view(json!({})).with_secrets();
        let wanted = json!({"auth": format!("Bearer {}", mark("key")), "alone": mark("key")});
        assert_eq!(draft.fill(&open).unwrap(), wanted);
        assert_eq!(draft.fill(&view(json!({}))).unwrap_err().code, "secret_misplaced");
        assert!(ValueTemplate::new(&json!({"a": [mark("key")]})).is_err());
    }

    #[test]
    fn a_mistake_in_an_expression_is_placed_behind_its_sign() {
        assert_eq!(ValueTemplate::new(&json!("= n > secret.key")).unwrap_err().at, Some(6..16));
        assert_eq!(ValueTemplate::new(&json!(["= a &&"])).unwrap_err().hint.unwrap(), "write `and` for `&&`");
    }
}
