//! Reads the syntax tree that minijinja makes of an expression: which part of it is a literal path, and how
//! to say so.

use minijinja::machinery::ast::{CallArg, Expr};
use minijinja::value::ValueKind;

use crate::model::look::shown;
use crate::model::mistake::Mistake;

/// A kind of value, for a person.
pub(crate) fn kind_name(kind: ValueKind) -> &'static str {
    match kind {
        ValueKind::Undefined => "nothing",
        ValueKind::None => "null",
        ValueKind::Bool => "a truth",
        ValueKind::Number => "a number",
        ValueKind::String => "a text",
        ValueKind::Seq | ValueKind::Iterable => "a list",
        ValueKind::Map => "a map",
        _ => "a value",
    }
}

/// A mistake where the expression stands.
pub(crate) fn mistake(expr: &Expr, message: impl Into<String>) -> Mistake {
    let span = expr.span();
    Mistake::new(message).at(span.start_offset as usize..span.end_offset as usize)
}

/// The path an expression is, if all of it is literal.
pub(crate) fn path_of<'a>(expr: &Expr<'a>) -> Option<(&'a str, Vec<String>)> {
    match expr {
        Expr::Var(it) => Some((it.id, Vec::new())),
        Expr::GetAttr(_) | Expr::GetItem(_) => {
            let (base, key) = step_of(expr)?;
            let (root, mut keys) = path_of(base)?;
            keys.push(key);
            Some((root, keys))
        }
        _ => None,
    }
}

/// The last step of a path, if its key is literal.
pub(crate) fn step_of<'e, 'a>(expr: &'e Expr<'a>) -> Option<(&'e Expr<'a>, String)> {
    match expr {
        Expr::GetAttr(it) => Some((&it.expr, it.name.to_owned())),
        Expr::GetItem(it) => Some((&it.expr, name_of(&it.subscript_expr)?)),
        _ => None,
    }
}

/// A literal text or whole number.
pub(crate) fn name_of(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Const(it) if it.value.is_integer() || it.value.kind() == ValueKind::String => {
            Some(it.value.to_string())
        }
        _ => None,
    }
}

/// A process, a ref, and the keys of a param.
pub(crate) type OtherTask<'e, 'a> = (&'e Expr<'a>, &'e Expr<'a>, Vec<String>);

/// Another task's param: `conv(process, ref).literal.path`.
pub(crate) fn other_of<'e, 'a>(expr: &'e Expr<'a>) -> Result<Option<OtherTask<'e, 'a>>, Mistake> {
    if let Expr::Call(it) = expr {
        if !matches!(&it.expr, Expr::Var(name) if name.id == "conv") {
            return Ok(None);
        }
        return match it.args.as_slice() {
            [CallArg::Pos(process), CallArg::Pos(reference)] => Ok(Some((process, reference, Vec::new()))),
            _ => {
                Err(mistake(expr, "`conv` takes a process and a ref").hint("`conv(\"bitrix\", \"token\").x`"))
            }
        };
    }
    let Some((base, key)) = step_of(expr) else {
        return Ok(None);
    };
    Ok(other_of(base)?.map(|(process, reference, mut keys)| {
        keys.push(key);
        (process, reference, keys)
    }))
}

/// An expression as a person would know it again in a message.
pub(crate) fn display(expr: &Expr) -> String {
    if let Some((root, keys)) = path_of(expr) {
        return shown(root, &keys);
    }
    match expr {
        Expr::GetAttr(it) => format!("{}.{}", display(&it.expr), it.name),
        Expr::GetItem(it) => format!("{}[{}]", display(&it.expr), display(&it.subscript_expr)),
        Expr::Const(it) => match it.value.kind() {
            ValueKind::None => "null".to_owned(),
            ValueKind::Bool => it.value.is_true().to_string(),
            ValueKind::String => format!("{:?}", it.value.as_str().unwrap_or_default()),
            _ => it.value.to_string(),
        },
        Expr::Call(it) => format!("{}(…)", display(&it.expr)),
        Expr::Filter(it) => format!("{}|{}", it.expr.as_ref().map(display).unwrap_or_default(), it.name),
        _ => "(…)".to_owned(),
    }
}
