//! What an expression calls: filters, tests, functions and methods. Their names and what stands in their
//! brackets are checked here, and not at run time.

use minijinja::machinery::ast::{Call, CallArg, Expr, Filter, Test};

use crate::model::filters::spec::FilterSpec;
use crate::model::filters::takes::{Bound, bind};
use crate::model::filters::{all, foreign, methods};
use crate::model::mistake::Mistake;
use crate::model::pattern::{Pattern, Way};
use crate::model::rewrite::{Done, Writer};
use crate::model::syntax::mistake;
use crate::model::time::Span;

/// The functions there are.
const FUNCTIONS: [&str; 4] = ["conv", "dict", "range", "span"];

impl Writer {
    pub(crate) fn filter(&mut self, whole: &Expr, it: &Filter) -> Done {
        let spec = filter_of(it.name, whole)?;
        let Some(subject) = &it.expr else {
            return Err(mistake(whole, "a filter stands alone"));
        };
        self.put("(");
        self.expr(subject, spec.name == "default")?;
        self.put(&format!("|{}(", spec.name));
        self.brackets(spec, it.name, &it.args, whole)?;
        self.put("))");
        Ok(())
    }

    pub(crate) fn test(&mut self, whole: &Expr, it: &Test) -> Done {
        let spec = test_of(it.name, whole)?;
        self.put("(");
        self.expr(&it.expr, matches!(spec.name, "defined" | "undefined"))?;
        self.put(&format!(" is {}(", spec.name));
        self.brackets(spec, it.name, &it.args, whole)?;
        self.put("))");
        Ok(())
    }

    /// What stands in the brackets, in the order of the filter or test. `map` and its like have the name of
    /// another one there, and its brackets.
    fn brackets(&mut self, spec: &'static FilterSpec, name: &str, args: &[CallArg], whole: &Expr) -> Done {
        let by_attribute = matches!(spec.name, "selectattr" | "rejectattr");
        let (inner, rest) = match (spec.name, args) {
            ("map", [CallArg::Pos(inner), rest @ ..]) => (filter_of(&literal(inner, whole)?, whole)?, rest),
            ("map", [_, ..]) => return self.bound(name, "; attribute, default", args, whole),
            ("map", []) => {
                return Err(
                    mistake(whole, "`map` of what?").hint("`|map(attribute=\"a\")`, `|map(\"upper\")`")
                );
            }
            ("select" | "reject", [CallArg::Pos(inner), rest @ ..]) => {
                (test_of(&literal(inner, whole)?, whole)?, rest)
            }
            ("selectattr" | "rejectattr", [CallArg::Pos(attribute), CallArg::Pos(inner), rest @ ..]) => {
                self.expr(attribute, false)?;
                self.put(", ");
                (test_of(&literal(inner, whole)?, whole)?, rest)
            }
            ("select" | "reject", []) => return Ok(()),
            (_, [CallArg::Pos(attribute)]) if by_attribute => return self.expr(attribute, false),
            _ if by_attribute || matches!(spec.name, "select" | "reject") => {
                return Err(mistake(whole, format!("`{name}` names its test first"))
                    .hint("such as `|selectattr(\"n\", \"gt\", 1)`, `|select(\"gt\", 1)`"));
            }
            _ => return self.bound(name, spec.takes, args, whole),
        };
        self.text(inner.name);
        let before = self.out.source.len();
        self.put(", ");
        let start = self.out.source.len();
        self.brackets(inner, inner.name, rest, whole)?;
        if self.out.source.len() == start {
            self.out.source.truncate(before);
        }
        Ok(())
    }

    fn bound(&mut self, name: &str, takes: &'static str, args: &[CallArg], whole: &Expr) -> Done {
        let bound = bind(name, takes, args, whole)?;
        for (index, one) in bound.iter().enumerate() {
            self.put(if index > 0 { ", " } else { "" });
            match one {
                Bound::Given(it) => self.expr(it, false)?,
                Bound::Default(it) => self.put(it),
                Bound::Named(key, it) => {
                    self.put(&format!("{key}="));
                    self.expr(it, false)?;
                }
                Bound::List(items) => self.list(items.iter().copied())?,
                Bound::Map(pairs) => {
                    self.put("{");
                    for (index, (key, value)) in pairs.iter().enumerate() {
                        self.put(if index > 0 { ", " } else { "" });
                        self.text(key);
                        self.put(": ");
                        self.expr(value, false)?;
                    }
                    self.put("}");
                }
            }
        }
        // A regular expression that is known now is tried now.
        if let (true, Some(Bound::Given(Expr::Const(it)))) = (takes.starts_with("pattern"), bound.first())
            && let Some(text) = it.value.as_str()
        {
            Pattern::new(text, Way::default()).map_err(|it| match it.split_once("; hint: ") {
                Some((message, hint)) => mistake(whole, message).hint(hint),
                None => mistake(whole, it),
            })?;
        }
        Ok(())
    }

    pub(crate) fn call(&mut self, whole: &Expr, it: &Call) -> Done {
        let name = match &it.expr {
            Expr::Var(name) => name.id,
            Expr::GetAttr(method) => return self.method(whole, &method.expr, method.name, &it.args),
            _ => return Err(mistake(whole, "only functions can be called")),
        };
        if !FUNCTIONS.contains(&name) {
            let wrong = mistake(whole, format!("unknown function `{name}`"));
            return Err(foreign::unknown("function", name, &FUNCTIONS, wrong));
        }
        if let ("span", [CallArg::Pos(Expr::Const(text))]) = (name, it.args.as_slice()) {
            text.value.to_string().parse::<Span>().map_err(|it| mistake(whole, it))?;
        }
        self.put(name);
        self.arguments(whole, &it.args)
    }

    /// `x.upper()` is `x|upper`, and `",".join(list)` is `list|join(",")`.
    fn method(&mut self, whole: &Expr, base: &Expr, name: &str, args: &[CallArg]) -> Done {
        let found = methods::find(name).and_then(|it| Some((it, all::filter(it.filter)?)));
        let Some((method, spec)) = found else {
            let wrong = mistake(whole, format!("values have no method `{name}`"));
            return Err(methods::unknown(name, wrong));
        };
        self.put("(");
        match (method.is_turned, args) {
            (false, _) => {
                self.expr(base, false)?;
                self.put(&format!("|{}(", spec.name));
                self.bound(name, spec.takes, args, whole)?;
            }
            (true, [CallArg::Pos(list)]) => {
                self.expr(list, false)?;
                self.put(&format!("|{}(", spec.name));
                self.expr(base, false)?;
                self.put(", none");
            }
            (true, _) => {
                return Err(mistake(whole, format!("`{name}` takes a list")).hint("`\", \".join(list)`"));
            }
        }
        self.put("))");
        Ok(())
    }

    fn arguments(&mut self, whole: &Expr, arguments: &[CallArg]) -> Done {
        self.put("(");
        for (index, argument) in arguments.iter().enumerate() {
            self.put(if index > 0 { ", " } else { "" });
            match argument {
                CallArg::Pos(value) => self.expr(value, false)?,
                CallArg::Kwarg(name, value) => {
                    self.put(&format!("{name}="));
                    self.expr(value, false)?;
                }
                CallArg::PosSplat(_) | CallArg::KwargSplat(_) => {
                    return Err(mistake(whole, "arguments cannot be unpacked with `*`"));
                }
            }
        }
        self.put(")");
        Ok(())
    }
}

/// The filter of that name.
fn filter_of(name: &str, whole: &Expr) -> Result<&'static FilterSpec, Mistake> {
    if let Some(spec) = all::filter(name).filter(|it| !it.about.is_empty()) {
        return Ok(spec);
    }
    let known: Vec<&str> = all::filters().map(|it| it.name).collect();
    Err(foreign::unknown("filter", name, &known, mistake(whole, format!("unknown filter `{name}`"))))
}

/// The test of that name.
fn test_of(name: &str, whole: &Expr) -> Result<&'static FilterSpec, Mistake> {
    if let Some(spec) = all::test(name) {
        return Ok(spec);
    }
    let known: Vec<&str> = all::tests().map(|it| it.name).collect();
    Err(foreign::unknown("test", name, &known, mistake(whole, format!("unknown test `{name}`"))))
}

/// The name of a filter or test, which must stand there as a text.
fn literal(expr: &Expr, whole: &Expr) -> Result<String, Mistake> {
    match expr {
        Expr::Const(it) if it.value.as_str().is_some() => {
            Ok(it.value.as_str().unwrap_or_default().to_owned())
        }
        _ => Err(mistake(whole, "the name of a filter or test is a text, such as `|map(\"upper\")`")),
    }
}
