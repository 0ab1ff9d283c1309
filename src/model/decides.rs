//! Whether an expression only decides: it gives true, false, or one of its own words, whatever it reads.

use minijinja::machinery::ast::{BinOpKind, Expr, UnaryOpKind};

/// Whether nothing of what `expr` reads can be in what it gives.
pub(crate) fn decides(expr: &Expr) -> bool {
    match expr {
        Expr::Const(_) | Expr::Test(_) | Expr::Compare(_) => true,
        Expr::UnaryOp(it) => matches!(it.op, UnaryOpKind::Not) || decides(&it.expr),
        Expr::BinOp(it) => match it.op {
            BinOpKind::Lt
            | BinOpKind::Lte
            | BinOpKind::Gt
            | BinOpKind::Gte
            | BinOpKind::Eq
            | BinOpKind::Ne
            | BinOpKind::In => true,
            BinOpKind::ScAnd | BinOpKind::ScOr => decides(&it.left) && decides(&it.right),
            BinOpKind::Add
            | BinOpKind::Sub
            | BinOpKind::Mul
            | BinOpKind::Div
            | BinOpKind::FloorDiv
            | BinOpKind::Rem
            | BinOpKind::Pow
            | BinOpKind::Concat => false,
        },
        Expr::IfExpr(it) => decides(&it.true_expr) && it.false_expr.as_ref().is_none_or(decides),
        _ => false,
    }
}
