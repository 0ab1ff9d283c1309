//! Rewrites an expression before minijinja compiles it, so that nothing in it is silent.
//!
//! Paths become numbered lookups that name what is missing; orderings become calls that refuse values of
//! different kinds; names of filters, tests and functions are checked here and not at run time.

use std::fmt::Write;

use minijinja::machinery::ast::{BinOpKind, CompareOpKind, Expr, UnaryOpKind};
use minijinja::value::{Value, ValueKind};

use crate::model::mistake::Mistake;
use crate::model::names::Address;
use crate::model::placeholder::address_of;
use crate::model::syntax::{display, kind_name, mistake, name_of, other_of, path_of};
use crate::model::uses::Uses;

/// How deep an expression may nest: parser, compiler and this walk all recur.
const DEPTH_MAX: usize = 64;

/// What a numbered name of the rewritten expression stands for.
#[derive(Debug)]
pub(crate) struct Lookup {
    pub root: Root,
    pub keys: Vec<String>,
    /// What is missing is undefined, not a fault.
    pub soft: bool,
}

#[derive(Debug)]
pub(crate) enum Root {
    Name(String),
    Other(Address),
}

/// An expression for minijinja.
#[derive(Debug, Default)]
pub(crate) struct Rewritten {
    pub source: String,
    pub lookups: Vec<Lookup>,
    pub uses: Uses,
}

/// Rewrites a parsed expression.
pub(crate) fn rewrite(expr: &Expr) -> Result<Rewritten, Mistake> {
    let mut writer = Writer::default();
    writer.expr(expr, false)?;
    Ok(writer.out)
}

/// Writes what minijinja is to read. What an expression calls is in `calls.rs`.
#[derive(Default)]
pub(crate) struct Writer {
    pub out: Rewritten,
    depth: usize,
}

pub(crate) type Done = Result<(), Mistake>;

impl Writer {
    pub(crate) fn put(&mut self, text: &str) {
        self.out.source.push_str(text);
    }

    pub(crate) fn expr(&mut self, expr: &Expr, soft: bool) -> Done {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(mistake(expr, "the expression nests too deep"));
        }
        if let Some((root, keys)) = path_of(expr) {
            self.path(expr, root, keys, soft)?;
        } else if let Some((process, reference, keys)) = other_of(expr)? {
            self.other(process, reference, keys, soft)?;
        } else {
            self.form(expr, soft)?;
        }
        self.depth -= 1;
        Ok(())
    }

    fn form(&mut self, expr: &Expr, soft: bool) -> Done {
        match expr {
            Expr::Var(_) => Err(mistake(expr, "a name stands where none can")),
            Expr::Const(it) => self.literal(expr, &it.value),
            Expr::Slice(it) => {
                self.wrapped(&it.expr)?;
                self.put("[");
                self.maybe(it.start.as_ref())?;
                self.put(":");
                self.maybe(it.stop.as_ref())?;
                if it.step.is_some() {
                    self.put(":");
                    self.maybe(it.step.as_ref())?;
                }
                self.put("]");
                Ok(())
            }
            Expr::UnaryOp(it) => {
                self.put(match it.op {
                    UnaryOpKind::Not => "(not ",
                    UnaryOpKind::Neg => "(-",
                });
                self.expr(&it.expr, false)?;
                self.put(")");
                Ok(())
            }
            Expr::BinOp(it) => self.binary(expr, it.op, &it.left, &it.right),
            Expr::Compare(it) => self.chain(expr, it),
            Expr::IfExpr(it) => {
                let Some(other) = &it.false_expr else {
                    return Err(mistake(expr, "an `if` without `else` would give nothing")
                        .hint("write `a if condition else b`"));
                };
                self.put("(");
                self.expr(&it.true_expr, soft)?;
                self.put(" if ");
                self.expr(&it.test_expr, false)?;
                self.put(" else ");
                self.expr(other, soft)?;
                self.put(")");
                Ok(())
            }
            Expr::Filter(it) => self.filter(expr, it),
            Expr::Test(it) => self.test(expr, it),
            Expr::GetAttr(it) => {
                let key = |me: &mut Self| {
                    me.text(it.name);
                    Ok(())
                };
                self.at(&it.expr, key, expr, soft)
            }
            Expr::GetItem(it) => self.at(&it.expr, |me| me.expr(&it.subscript_expr, false), expr, soft),
            Expr::Call(it) => self.call(expr, it),
            Expr::List(it) => self.list(it.items.iter()),
            Expr::Tuple(it) => self.list(it.items.iter()),
            Expr::Map(it) => {
                self.put("{");
                for (index, (key, value)) in it.keys.iter().zip(&it.values).enumerate() {
                    self.put(if index > 0 { ", " } else { "" });
                    self.expr(key, false)?;
                    self.put(": ");
                    self.expr(value, false)?;
                }
                self.put("}");
                Ok(())
            }
        }
    }

    fn path(&mut self, expr: &Expr, root: &str, keys: Vec<String>, soft: bool) -> Done {
        match root {
            "null" if keys.is_empty() => {
                self.put("none");
                return Ok(());
            }
            "secret" => {
                return Err(mistake(expr, "a secret cannot be used in an expression")
                    .hint("write it as a text, `{{secret.NAME}}`, in what goes out"));
            }
            "conv" => {
                return Err(mistake(expr, "`conv` names another task")
                    .hint("in an expression write `conv(\"process\", \"ref\").path`"));
            }
            _ => {}
        }
        let key = |at: usize| keys.get(at).map(String::as_str);
        self.out.uses.path(root, key(0), key(1));
        self.look(Root::Name(root.to_owned()), keys, soft);
        Ok(())
    }

    fn look(&mut self, root: Root, keys: Vec<String>, soft: bool) {
        let number = self.out.lookups.len();
        self.out.lookups.push(Lookup { root, keys, soft });
        // Writing to a string cannot fail.
        let _ = write!(self.out.source, "v{number}");
    }

    fn other(&mut self, process: &Expr, reference: &Expr, keys: Vec<String>, soft: bool) -> Done {
        let names = (name_of(process), name_of(reference));
        let others = [(names.0.clone(), keys.first().cloned())].into();
        self.out.uses.add(Uses { convs: vec![names.clone()], others, ..Uses::default() });
        if let (Some(id), Some(name)) = names {
            let address = address_of(&id, &name).map_err(|it| mistake(process, it.message))?;
            self.look(Root::Other(address), keys, soft);
            return Ok(());
        }
        self.put(if soft { "conv_soft(" } else { "conv(" });
        self.expr(process, false)?;
        self.put(", ");
        self.expr(reference, false)?;
        for key in keys {
            self.put(", ");
            self.text(&key);
        }
        self.put(")");
        Ok(())
    }

    fn at(&mut self, base: &Expr, key: impl FnOnce(&mut Self) -> Done, expr: &Expr, soft: bool) -> Done {
        self.put(if soft { "at_soft(" } else { "at(" });
        self.expr(base, soft)?;
        self.put(", ");
        key(self)?;
        self.put(", ");
        self.text(&display(expr));
        self.put(")");
        Ok(())
    }

    fn binary(&mut self, expr: &Expr, op: BinOpKind, left: &Expr, right: &Expr) -> Done {
        let sign = match op {
            BinOpKind::Lt => return self.order(expr, "lt", left, right),
            BinOpKind::Lte => return self.order(expr, "le", left, right),
            BinOpKind::Gt => return self.order(expr, "gt", left, right),
            BinOpKind::Gte => return self.order(expr, "ge", left, right),
            BinOpKind::Div => return self.two("div", left, right),
            BinOpKind::Mul => return self.two("mul", left, right),
            BinOpKind::In => return self.two("has", right, left),
            BinOpKind::Rem => return self.two("rem", left, right),
            BinOpKind::FloorDiv => return self.two("floordiv", left, right),
            BinOpKind::Concat => return self.concat(left, right),
            BinOpKind::Eq => "==",
            BinOpKind::Ne => "!=",
            BinOpKind::ScAnd => "and",
            BinOpKind::ScOr => "or",
            BinOpKind::Add => "+",
            BinOpKind::Sub => "-",
            BinOpKind::Pow => "**",
        };
        let compares = matches!(op, BinOpKind::Eq | BinOpKind::Ne) && !is_scalar(left) && !is_scalar(right);
        self.put("(");
        self.operand(left, compares)?;
        self.put(&format!(" {sign} "));
        self.operand(right, compares)?;
        self.put(")");
        Ok(())
    }

    /// `a ~ b ~ c`, each with what a fault calls it.
    fn concat(&mut self, left: &Expr, right: &Expr) -> Done {
        let mut parts = vec![right];
        let mut rest = left;
        while let Expr::BinOp(it) = rest
            && matches!(it.op, BinOpKind::Concat)
        {
            parts.push(&it.right);
            rest = &it.left;
        }
        parts.push(rest);
        self.put("concat(");
        for (index, part) in parts.into_iter().rev().enumerate() {
            self.put(if index > 0 { ", " } else { "" });
            self.text(&display(part));
            self.put(", ");
            self.expr(part, false)?;
        }
        self.put(")");
        Ok(())
    }

    /// One side of an operator. Where its work grows with all that is in a value, what was made on the way is
    /// paid for; a value that is looked up is paid for already, as it was copied.
    fn operand(&mut self, expr: &Expr, is_paid: bool) -> Done {
        let is_made = !is_scalar(expr) && path_of(expr).is_none();
        if !(is_paid && is_made) {
            return self.expr(expr, false);
        }
        self.put("paid(");
        self.expr(expr, false)?;
        self.put(")");
        Ok(())
    }

    fn two(&mut self, name: &str, left: &Expr, right: &Expr) -> Done {
        self.put(&format!("{name}("));
        self.expr(left, false)?;
        self.put(", ");
        self.expr(right, false)?;
        self.put(")");
        Ok(())
    }

    fn order(&mut self, expr: &Expr, name: &str, left: &Expr, right: &Expr) -> Done {
        if let (Some(one), Some(two)) = (left.as_const(), right.as_const())
            && one.kind() != two.kind()
        {
            let message = format!("{} and {} have no order", kind_name(one.kind()), kind_name(two.kind()));
            return Err(mistake(expr, message).hint("make numbers of texts with `|int` or `|float`"));
        }
        self.two(name, left, right)
    }

    fn chain(&mut self, expr: &Expr, it: &minijinja::machinery::ast::Compare) -> Done {
        let mut left = &it.expr;
        self.put("(");
        for (index, op) in it.ops.iter().enumerate() {
            self.put(if index > 0 { " and " } else { "" });
            match op.op {
                CompareOpKind::Eq => self.binary(expr, BinOpKind::Eq, left, &op.expr)?,
                CompareOpKind::Ne => self.binary(expr, BinOpKind::Ne, left, &op.expr)?,
                CompareOpKind::Lt => self.binary(expr, BinOpKind::Lt, left, &op.expr)?,
                CompareOpKind::Lte => self.binary(expr, BinOpKind::Lte, left, &op.expr)?,
                CompareOpKind::Gt => self.binary(expr, BinOpKind::Gt, left, &op.expr)?,
                CompareOpKind::Gte => self.binary(expr, BinOpKind::Gte, left, &op.expr)?,
                CompareOpKind::In | CompareOpKind::NotIn => {
                    return Err(
                        mistake(expr, "`in` stands in a chain of comparisons").hint("join them with `and`")
                    );
                }
            }
            left = &op.expr;
        }
        self.put(")");
        // A chain writes its inner parts twice; nested chains would double for ever.
        match self.out.source.len() {
            many if many > SOURCE_BYTES_MAX => Err(mistake(expr, "the expression is too long")),
            _ => Ok(()),
        }
    }

    pub(crate) fn list<'e, 'a: 'e>(&mut self, items: impl Iterator<Item = &'e Expr<'a>>) -> Done {
        self.put("[");
        for (index, item) in items.enumerate() {
            self.put(if index > 0 { ", " } else { "" });
            self.expr(item, false)?;
        }
        self.put("]");
        Ok(())
    }

    fn wrapped(&mut self, expr: &Expr) -> Done {
        self.put("(");
        self.expr(expr, false)?;
        self.put(")");
        Ok(())
    }

    fn maybe(&mut self, expr: Option<&Expr>) -> Done {
        expr.map_or(Ok(()), |it| self.expr(it, false))
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.put(&serde_json::Value::from(text).to_string());
    }

    fn literal(&mut self, expr: &Expr, value: &Value) -> Done {
        match value.kind() {
            ValueKind::None => self.put("none"),
            ValueKind::Bool => self.put(if value.is_true() { "true" } else { "false" }),
            ValueKind::String => self.text(value.as_str().unwrap_or_default()),
            ValueKind::Number if value.is_integer() => self.put(&value.to_string()),
            ValueKind::Number => match f64::try_from(value.clone()) {
                Ok(number) if number.is_finite() => self.put(&format!("{number:?}")),
                _ => return Err(mistake(expr, "the number is too large")),
            },
            _ => return Err(mistake(expr, "the literal is not known")),
        }
        Ok(())
    }
}

/// Whether it is a literal that is no list and no map.
fn is_scalar(expr: &Expr) -> bool {
    matches!(expr, Expr::Const(_))
}

/// The longest rewritten expression, in bytes.
const SOURCE_BYTES_MAX: usize = 64 * 1024;
