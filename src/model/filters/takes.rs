//! What stands in the brackets of a filter, a test or a method: which arguments, in which order, by which
//! names. A call is bound when it is read, so a wrong name is a problem of the file and no fault at night.
//!
//! `old, new, count?` are three, the last of which may be missing; `width=80` has a default; `text/old` has
//! two names; what follows a `;` is handed on by its name; `*lists` gathers all that follows into a list,
//! `**values` into a list and a map.

use minijinja::machinery::ast::{CallArg, Expr};

use crate::model::mistake::Mistake;
use crate::model::syntax::mistake;

/// An argument as it is to be written.
pub(crate) enum Bound<'e, 'a> {
    /// What stood there.
    Given(&'e Expr<'a>),
    /// Its default.
    Default(&'static str),
    /// By its name.
    Named(&'static str, &'e Expr<'a>),
    /// Several.
    List(Vec<&'e Expr<'a>>),
    /// Several by their names.
    Map(Vec<(&'a str, &'e Expr<'a>)>),
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Needed,
    Optional,
    Default(&'static str),
    Rest,
    All,
}

struct Slot {
    names: &'static str,
    kind: Kind,
    is_named: bool,
}

impl Slot {
    fn is(&self, name: &str) -> bool {
        self.names.split('/').any(|it| it == name)
    }

    fn first(&self) -> &'static str {
        self.names.split('/').next().unwrap_or_default()
    }
}

fn slots(takes: &'static str) -> Vec<Slot> {
    let (by_place, by_name) = takes.split_once(';').unwrap_or((takes, ""));
    let read = |is_named: bool| {
        move |text: &'static str| {
            let text = text.trim();
            let (names, kind) = match text.split_once('=') {
                Some((before, default)) => (before, Kind::Default(default)),
                None if text.starts_with("**") => (&text[2..], Kind::All),
                None if text.starts_with('*') => (&text[1..], Kind::Rest),
                None if text.ends_with('?') => (&text[..text.len() - 1], Kind::Optional),
                None => (text, Kind::Needed),
            };
            Slot { names, kind, is_named }
        }
    };
    let of = |text: &'static str, is_named: bool| text.split(',').map(read(is_named));
    of(by_place, false).chain(of(by_name, true)).filter(|it| !it.names.is_empty()).collect()
}

/// The arguments in the order of `takes`.
///
/// # Errors
/// What is missing, too much, or not known by that name.
pub(crate) fn bind<'e, 'a>(
    name: &str,
    takes: &'static str,
    arguments: &'e [CallArg<'a>],
    whole: &Expr,
) -> Result<Vec<Bound<'e, 'a>>, Mistake> {
    let slots = slots(takes);
    let wrong = |message: String| {
        let takes = takes.replace("; ", ", ");
        let takes = takes.trim_start_matches(", ").trim();
        let call = if takes.is_empty() { format!("`{name}`") } else { format!("`{name}({takes})`") };
        mistake(whole, message).hint(format!("it is written {call}"))
    };
    let mut plain = Vec::new();
    let mut named: Vec<(&'a str, &'e Expr<'a>)> = Vec::new();
    for argument in arguments {
        match argument {
            CallArg::Pos(it) => plain.push(it),
            CallArg::Kwarg(key, it) if named.iter().any(|(known, _)| known == key) => {
                let _ = it;
                return Err(wrong(format!("`{name}` is given `{key}` twice")));
            }
            CallArg::Kwarg(key, it) => named.push((key, it)),
            CallArg::PosSplat(_) | CallArg::KwargSplat(_) => {
                return Err(mistake(whole, "arguments cannot be unpacked with `*`"));
            }
        }
    }
    let mut plain = plain.into_iter();
    let mut bound = Vec::new();
    for slot in &slots {
        if matches!(slot.kind, Kind::Rest | Kind::All) {
            bound.push(Some(Bound::List(plain.by_ref().collect())));
        }
        bound.push(match slot.kind {
            Kind::Rest => None,
            Kind::All => Some(Bound::Map(std::mem::take(&mut named))),
            Kind::Needed | Kind::Optional | Kind::Default(_) => {
                let by_name = named.iter().position(|(key, _)| slot.is(key));
                let found = match (by_name.map(|at| named.remove(at).1), plain.next()) {
                    (Some(_), Some(_)) => {
                        return Err(wrong(format!("`{name}` is given `{}` twice", slot.first())));
                    }
                    (by_name, by_place) => by_name.or(by_place),
                };
                match (found, slot.kind) {
                    (Some(it), _) if slot.is_named => Some(Bound::Named(slot.first(), it)),
                    (Some(it), _) => Some(Bound::Given(it)),
                    (None, Kind::Default(it)) => Some(Bound::Default(it)),
                    (None, Kind::Needed) if !slot.is_named => {
                        return Err(wrong(format!("`{name}` is not given `{}`", slot.first())));
                    }
                    (None, _) if slot.is_named => None,
                    (None, _) => Some(Bound::Default("none")),
                }
            }
        });
    }
    if let Some((key, _)) = named.first() {
        return Err(wrong(format!("`{name}` takes no `{key}`")));
    }
    if plain.next().is_some() {
        return Err(wrong(format!("`{name}` is given too much")));
    }
    Ok(bound.into_iter().flatten().collect())
}
