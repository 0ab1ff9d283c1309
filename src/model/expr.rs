//! [`Expr`]: a Jinja expression, compiled once, evaluated on a [`EvalContext`].
//!
//! ```text
//! status == "active" and attempts + 1 < 3
//! conv("bitrix", "token").expires_at - now
//! ```
//!
//! What is missing is a fault that names it, but for `is defined` and `|default(…)`. A number and a text
//! have no order. An expression cannot run away: it has no loops but those of filters, and whatever works on
//! many values or a long text draws on the budget of the evaluation.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use minijinja::Expression;
use minijinja::machinery::parse_expr;
use minijinja::value::{Value as Jinja, ValueKind};
use serde_json::Value;

use crate::model::bridge::to_json;
use crate::model::budget::{self, charge, many, named, noted, shown, within};
use crate::model::carried::fault_of;
use crate::model::decides::decides;
use crate::model::fault::Fault;
use crate::model::jinja::{ENVIRONMENT, Sight};
use crate::model::look::refuse_marks;
use crate::model::marks::Marks;
use crate::model::memo::Memo;
use crate::model::mistake::Mistake;
use crate::model::rewrite::{Lookup, Root, rewrite};
use crate::model::scope::EvalContext;
use crate::model::slip::{describe, syntax};
use crate::model::syntax::kind_name;
use crate::model::uses::Uses;

/// The longest expression, in bytes.
const EXPR_BYTES_MAX: usize = 4 * 1024;

/// A compiled expression. Cheap to clone.
#[derive(Clone)]
pub struct Expr(Arc<Compiled>);

struct Compiled {
    text: String,
    expression: Expression<'static, 'static>,
    lookups: Arc<[Lookup]>,
    uses: Uses,
    /// It is one path and nothing else.
    is_path: bool,
    /// Nothing of what it reads is in what it gives.
    decides: bool,
}

impl Expr {
    /// Compiles `text`.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn parse(text: &str) -> Result<Expr, Mistake> {
        if text.len() > EXPR_BYTES_MAX {
            return Err(Mistake::new(format!("an expression has at most {EXPR_BYTES_MAX} bytes")));
        }
        if text.trim().is_empty() {
            return Err(Mistake::new("an empty expression"));
        }
        let parsed = parse_expr(text).map_err(|it| syntax(&it, text))?;
        let rewritten = rewrite(&parsed)?;
        let (is_path, decides) = (rewritten.source == "v0", decides(&parsed));
        let expression = ENVIRONMENT
            .compile_expression_owned(rewritten.source)
            .map_err(|it| Mistake::new(describe(&it)))?;
        let (lookups, uses) = (rewritten.lookups.into(), rewritten.uses);
        Ok(Expr(Arc::new(Compiled {
            text: text.trim().to_owned(),
            expression,
            lookups,
            uses,
            is_path,
            decides,
        })))
    }

    /// Its value.
    ///
    /// # Errors
    /// What is missing, by name; `bad_value`; `bad_expression`; `budget_exceeded`; and what reading another
    /// task gives.
    pub fn eval(&self, view: &EvalContext) -> Result<Value, Fault> {
        within(&view.scope.budget, || {
            let value = to_json(&self.run(view)?).map_err(|fault| self.named(fault))?;
            if view.secrets {
                refuse_marks(&value)?;
            }
            Ok(value)
        })
    }

    /// What is secret of the value that it gave by reading something secret. A text that stands in the
    /// expression itself was only chosen.
    pub(crate) fn marks(&self, value: &Value, view: &EvalContext) -> Marks {
        let text = &self.0.text;
        let said = |it: &str| [format!("'{it}'"), format!("\"{it}\"")].iter().any(|it| text.contains(it));
        match (value, &*self.0.lookups) {
            (Value::String(it), _) if said(it) => Marks::default(),
            (_, [lookup]) if self.0.is_path => match &lookup.root {
                Root::Name(root) => view.marks(root, &lookup.keys),
                Root::Other(address) => view.scope.marks(address, &lookup.keys),
            },
            _ => Marks::whole(),
        }
    }

    /// Its value, which must be true or false.
    ///
    /// # Errors
    /// As [`Expr::eval`], and `bad_value` for anything else.
    pub fn truth(&self, view: &EvalContext) -> Result<bool, Fault> {
        let value = within(&view.scope.budget, || self.run(view))?;
        match value.kind() {
            ValueKind::Bool => Ok(value.is_true()),
            kind => {
                let message = format!("`{}` is not true or false, but {}", self.0.text, kind_name(kind));
                Err(Fault::lasting("bad_value", message))
            }
        }
    }

    /// What it reads.
    pub fn uses(&self) -> Uses {
        self.0.uses.clone()
    }

    /// What it reads of which something can be in what it gives.
    pub fn flows(&self) -> Uses {
        if self.0.decides { Uses::default() } else { self.uses() }
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// What it gives. A panic of a library is a fault of this expression, wherever it is worked out.
    fn run(&self, view: &EvalContext) -> Result<Jinja, Fault> {
        charge(many(self.0.text.len()), 0).map_err(|it| named(it, &self.0.text))?;
        let memo = Arc::new(Memo::default());
        let sight = Sight { view: view.clone(), lookups: self.0.lookups.clone(), memo };
        let eval = || self.0.expression.eval(Jinja::from_object(sight));
        match noted(&self.0.text, || catch_unwind(AssertUnwindSafe(eval))) {
            Ok(done) => done.map_err(|it| self.told(fault_of(&it, &self.0.text))),
            Err(_) => {
                let message =
                    format!("`{}` made the engine fail, by a mistake of its own: see its log", self.0.text);
                Err(Fault::lasting("engine_error", message))
            }
        }
    }

    /// The fault, and in which expression a value was bad.
    fn told(&self, fault: Fault) -> Fault {
        match fault.code == "bad_value" && !fault.message.contains(&self.0.text) {
            true => Fault { message: format!("`{}`: {}", shown(&self.0.text), fault.message), ..fault },
            false => named(fault, &self.0.text),
        }
    }

    fn named(&self, fault: Fault) -> Fault {
        match fault.code == budget::CODE {
            true => named(fault, &self.0.text),
            false => Fault { message: format!("`{}`: {}", self.0.text, fault.message), ..fault },
        }
    }
}

impl fmt::Debug for Expr {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "Expr({:?})", self.0.text)
    }
}

impl<'de> serde::Deserialize<'de> for Expr {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Expr::parse(&text).map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for Expr {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Expr".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string"})
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::model::effect::mark;
    use crate::model::example::{address, naughty_strings, view};

    fn some() -> EvalContext {
        let answer =
            json!({"status": 200, "headers": {}, "body": {"main": {"temp": 21.5}, "items": [1, 2, 3]}});
        view(json!({
            "status": "active", "n": 3, "price": 1.5, "text": "25", "none": null, "yes": true, "x": "y",
            "zero": 0,
            "list": [3, 1, 2], "mixed": [1, "2"], "rows": [{"n": 2}, {"n": 1}, {}], "o": {"y": {"z": 5},
            "b": 1, "a": 2},
            "id": "bitrix", "v0": "own", "big": 9_007_199_254_740_993_i64, "at": "mine", "lt": 1,
        }))
        .with_response(answer)
    }

    fn eval(text: &str) -> Result<Value, String> {
        Expr::parse(text).unwrap_or_else(|it| panic!("{text}: {it}")).eval(&some()).map_err(|it| it.code)
    }

    #[test]
    fn an_expression_has_the_value_jinja_gives_it() {
        for (text, value) in [
            ("status == \"active\" and n + 1 < 5", json!(true)),
            ("3600 - 300", json!(3300)),
            ("n * 2", json!(6)),
            ("1.5 * 2", json!(3.0)),
            ("price * 2 + n", json!(6.0)),
            ("7 / 2", json!(3.5)),
            ("6 / 2", json!(3)),
            ("7 // 2 + 7 % 2", json!(4)),
            ("2 ** 10", json!(1024)),
            ("-n + 1", json!(-2)),
            ("big + 0", json!(9_007_199_254_740_993_i64)),
            ("n in list and 9 not in list", json!(true)),
            ("1 < n <= 3", json!(true)),
            ("list|length", json!(3)),
            ("list|sort|first", json!(1)),
            ("list|max", json!(3)),
            ("list[-1] + list[0]", json!(5)),
            ("list[1:]", json!([1, 2])),
            ("o[x].z + o[\"b\"]", json!(6)),
            ("params.n + params[\"n\"]", json!(6)),
            ("response.body.main.temp > 20", json!(true)),
            ("response.body[\"items\"]|sum", json!(6)),
            ("var.region ~ \"-\" ~ task.ref", json!("eu-r1")),
            ("now + span(\"25m\")", json!(1_700_001_500)),
            ("\"1h30m\"|span", json!(5400)),
            ("text|int + 1", json!(26)),
            ("\"a,b\"|split(\",\")", json!(["a", "b"])),
            ("\"a b\"|urlencode ~ \"Riga\"|base64", json!("a%20bUmlnYQ==")),
            ("list|json", json!("[3,1,2]")),
            ("list|join(\"-\")", json!("3-1-2")),
            ("status|replace(\"act\", \"pass\")", json!("passive")),
            ("now|date(\"%Y\")", json!("2023")),
            ("{\"a\": [n, none], \"b\": {\"c\": yes}}", json!({"a": [3, null], "b": {"c": true}})),
            ("o", json!({"y": {"z": 5}, "b": 1, "a": 2})),
            ("null == none", json!(true)),
            ("\"big\" if n > 2 else \"small\"", json!("big")),
            ("v0 ~ at ~ lt", json!("ownmine1")),
            ("rows|selectattr(\"n\", \"defined\")|map(attribute=\"n\")|list", json!([2, 1])),
            ("not yes or n == 3.0", json!(true)),
            ("n is number and status is string", json!(true)),
            ("fault.code == 'http_timeout'", json!(true)),
            ("1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1", json!(21)),
        ] {
            assert_eq!(eval(text), Ok(value), "{text}");
        }
        assert!(eval("o").unwrap().as_object().unwrap().keys().eq(["y", "b", "a"]), "the order is kept");
    }

    #[test]
    fn another_task_is_read_by_conv() {
        for (text, value) in [
            ("conv(\"bitrix\", \"token\").access_token", json!("T0")),
            ("conv(id, \"tok\" ~ \"en\").list[0].n", json!(1)),
            ("conv(\"bitrix\", \"token\") is defined", json!(true)),
            ("conv(id, \"token\") is defined", json!(true)),
            ("conv(\"bitrix\", \"gone\") is defined", json!(false)),
            ("conv(id, \"gone\").x is undefined", json!(true)),
            ("conv(\"nowhere\", \"x\").y|default(4)", json!(4)),
            ("conv(\"bitrix\", \"token\").nope is defined", json!(false)),
        ] {
            assert_eq!(eval(text), Ok(value), "{text}");
        }
        for (text, code) in [
            ("conv(\"bitrix\", \"token\").client_secret is defined", "not_shared"),
            ("conv(id, \"token\").client_secret", "not_shared"),
            ("conv(\"bitrix\", \"gone\").x", "ref_not_found"),
            ("conv(\"nowhere\", \"x\")", "process_not_found"),
            ("conv(status ~ \"!\", \"x\").y", "bad_name"),
        ] {
            assert_eq!(eval(text), Err(code.to_owned()), "{text}");
        }
    }

    #[test]
    fn a_task_that_was_not_fetched_is_noted() {
        for text in
            ["conv(\"p\", \"r\").x", "conv(\"p\", \"r\") is defined", "[conv(id|replace(id, \"p\"), \"r\")]"]
        {
            let view = some();
            assert_eq!(Expr::parse(text).unwrap().eval(&view).unwrap_err().code, "not_fetched", "{text}");
            assert_eq!(view.scope.missing_reads(), [address("p", "r")].into(), "{text}");
        }
    }

    #[test]
    fn what_is_missing_is_a_fault_that_names_it() {
        for (text, code, name) in [
            ("nope", "missing_param", "`nope`"),
            ("nope > 3", "missing_param", "`nope`"),
            ("o.nope.z + 1", "missing_param", "`o.nope.z`"),
            ("o[status].z", "missing_param", "`o[status]`"),
            ("list[7]", "missing_param", "`list[7]`"),
            ("list[n + 7]", "missing_param", "`10`"),
            ("var.nope", "missing_var", "`var.nope`"),
            ("response.body.nope", "missing_field", "`response.body.nope`"),
            ("[n, nope]", "missing_param", "`nope`"),
            ("[]|first", "missing_param", "[]|first"),
            ("rows|map(attribute=\"n\")|list", "missing_param", "rows"),
            ("nope or yes", "missing_param", "`nope`"),
        ] {
            let fault = Expr::parse(text).unwrap().eval(&some()).unwrap_err();
            assert_eq!(fault.code, code, "{text}: {}", fault.message);
            assert!(fault.message.contains(name), "{text}: {}", fault.message);
        }
    }

    #[test]
    fn only_a_test_and_a_default_may_ask_for_what_is_missing() {
        for (text, value) in [
            ("params.code is defined", json!(false)),
            ("nope.deep.er is defined", json!(false)),
            ("o[text].z is defined", json!(false)),
            ("o[x].z is defined", json!(true)),
            ("params.none is defined and params.none is none", json!(true)),
            ("nope is defined and nope > 3", json!(false)),
            ("nope.x|default(1) + (nope|d(2))", json!(3)),
            ("(nope if zero else nope)|default(5)", json!(5)),
            ("response.body.error is undefined", json!(true)),
        ] {
            assert_eq!(eval(text), Ok(value), "{text}");
        }
    }

    #[test]
    fn values_of_different_kinds_have_no_order() {
        for text in [
            "text > 3",
            "n < text",
            "params.none < 1",
            "yes >= 0",
            "list < list",
            "1 < text < 3",
            "mixed|sort",
            "mixed|max",
            "mixed|min",
            "mixed|select(\"gt\", 1)|list",
            "n is lt(text)",
            "[{\"a\": 1}, {\"a\": \"2\"}]|sort(attribute=\"a\")",
        ] {
            assert_eq!(eval(text), Err("bad_value".to_owned()), "{text}");
        }
        for text in ["\"25\" > 3", "null < 1", "1 < true", "none < 1"] {
            let known = Expr::parse(text).map(|it| it.eval(&some()));
            assert!(!matches!(known, Ok(Ok(_))), "{text}");
        }
        assert_eq!(eval("\"a\" < \"b\" and text < \"3\""), Ok(json!(true)));
    }

    #[test]
    fn an_expression_cannot_run_away() {
        for (text, code) in [
            ("\"x\" * 100000000", "bad_value"),
            ("text * 3", "bad_value"),
            ("range(9999)|join(\"0123456789\" ~ range(9999)|join(\"0123456789\"))", "budget_exceeded"),
            ("(range(9999)|join(\"0123\"))|replace(\"\", \"01234567890123456789012345678\")", "bad_value"),
            ("9 ** 99", "bad_expression"),
            ("1 / 0", "bad_value"),
            ("1 % 0", "bad_value"),
            ("9223372036854775807 * 9223372036854775807", "bad_value"),
            ("range(99999999)", "bad_expression"),
            (
                "[range(9999), range(9999), range(9999), range(9999), range(9999), range(9999),
            range(9999), range(9999),
              range(9999), range(9999), range(9999)]",
                "bad_value",
            ),
            ("[\"x\"]|map(\"indent\", 1000000000)|list", "bad_value"),
        ] {
            assert_eq!(eval(text), Err(code.to_owned()), "{text}");
        }
        assert!(Expr::parse(&"1+".repeat(4000)).is_err());
        assert!(Expr::parse(&"(".repeat(2000)).is_err());
        assert!(Expr::parse(&format!("1{}", "+1".repeat(1900))).is_err());
    }

    #[test]
    fn only_true_and_false_are_true_or_false() {
        let truth = |text: &str| Expr::parse(text).unwrap().truth(&some()).map_err(|it| it.code);
        assert_eq!(truth("n > 2"), Ok(true));
        assert_eq!(truth("not yes"), Ok(false));
        for text in ["n", "status", "none", "list", "1", "\"true\""] {
            assert_eq!(truth(text), Err("bad_value".to_owned()), "{text}");
        }
    }

    #[test]
    fn a_mistake_is_told_with_its_place_and_what_may_have_been_meant() {
        for (text, wrong, hint) in [
            ("a && b", "", "`and`"),
            ("a || b", "", "`or`"),
            ("!a", "", "`not x`"),
            ("a === b", "", "`==`"),
            ("a = b", "", "`==`"),
            ("{{a}} > 1", "", "no placeholders"),
            ("a ? b : c", "", "if condition else"),
            ("a|uper", "unknown filter `uper`", "`upper`"),
            ("a is definde", "unknown test `definde`", "`defined`"),
            ("len(a)", "unknown function `len`", "x|length"),
            ("a.splt(\",\")", "no method `splt`", "`split`"),
            ("secret.key", "a secret", "{{secret.NAME}}"),
            ("conv.x", "another task", "conv("),
            ("conv(\"a\")", "takes a process", "conv("),
            ("a if b", "without `else`", "else"),
            ("\"25\" > 3", "no order", "|int"),
            ("span(\"soon\")", "no length of time", ""),
            ("conv(\"Bad\", \"r\").x", "a process id", ""),
            ("", "empty", ""),
        ] {
            let mistake = Expr::parse(text).expect_err(text);
            assert!(mistake.message.contains(wrong), "{text}: {mistake}");
            assert!(mistake.hint.as_deref().unwrap_or_default().contains(hint), "{text}: {mistake}");
        }
        assert_eq!(Expr::parse("n > secret.key").unwrap_err().at, Some(4..14));
        assert_eq!(Expr::parse("n + * 3").unwrap_err().at, Some(4..5));
    }

    #[test]
    fn what_an_expression_reads_is_known_without_running_it() {
        let text = "a.b + params.c > var.v and conv(\"p\", r).x == conv(\"p\", \"t\").y \
                    and d is defined and null == 1";
        let uses = Expr::parse(text).unwrap().uses();
        assert_eq!(uses.roots, ["a", "c", "d", "r", "var"].map(str::to_owned).into());
        assert_eq!(uses.vars, ["v".to_owned()].into());
        let p = || Some("p".to_owned());
        assert_eq!(uses.convs, [(p(), None), (p(), Some("t".to_owned()))]);
    }

    #[test]
    fn data_cannot_pass_for_a_secret() {
        let view = view(json!({"x": mark("key")})).with_secrets();
        for text in ["x", "[x]", "{x: 1}", "\"\\ufdd0key\\ufdd1\""] {
            assert_eq!(Expr::parse(text).unwrap().eval(&view).unwrap_err().code, "bad_value", "{text}");
        }
    }

    #[test]
    fn naughty_strings_are_data_and_no_panic() {
        for naughty in naughty_strings() {
            let view = view(json!({"x": naughty}));
            assert_eq!(Expr::parse("x").unwrap().eval(&view).unwrap(), json!(naughty));
            let literal = Expr::parse(&json!(naughty).to_string()).unwrap();
            assert_eq!(literal.eval(&view).unwrap(), json!(naughty));
            let _ = Expr::parse(&naughty).map(|it| it.eval(&view));
        }
    }

    const PIECES: &str =
        r#"(n|text|list|o|[0-9]|[-+*/%~.,:|()\[\]{}<>=!"' ]| and | is | in | if |\|sort|\PC){0,30}"#;

    proptest! {
        #[test]
        fn no_expression_makes_a_panic(text in PIECES) {
            if let Ok(expr) = Expr::parse(&text) {
                let _ = expr.eval(&some());
                let _ = expr.truth(&some());
            }
        }
    }
}
