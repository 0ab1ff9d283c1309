//! [`StringTemplate`]: a string with `{{placeholders}}`, compiled once, filled from a [`EvalContext`].
//!
//! `{{city}}`, `{{a.b[0].c}}`, `{{order["a key"]}}`, `{{rows[{{i}}].name}}`,
//! `{{conv[PROCESS].ref[REF].path}}` (PROCESS and REF may be placeholders), `{{city ?? "Riga"}}`. What is
//! missing, or null, is a fault; a default stands in for both. `{{"…"}}` is the JSON string as it is: so a
//! leading `=` can be written as such, and so can two braces, as `\{{`. Blocks and helpers are handlebars'
//! (see [`crate::model::blocks`]); a plain `{{json}}` is always the param of that name.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use serde_json::Value;

use crate::model::blocks::Blocks;
use crate::model::budget::{charge_text, charge_value, within};
use crate::model::fault::Fault;
use crate::model::helpers::{makes_dots, urlencode, walks};
use crate::model::look::has_mark;
use crate::model::marks::Marks;
use crate::model::mistake::Mistake;
use crate::model::placeholder::Placeholder;
use crate::model::scan::{self, scan};
use crate::model::scope::EvalContext;
use crate::model::tags;
use crate::model::uses::Uses;

/// A compiled text. Cheap to clone.
#[derive(Clone, Debug)]
pub struct StringTemplate(Arc<Form>);

#[derive(Debug)]
enum Form {
    /// No placeholder at all.
    Plain(String),
    /// One placeholder and nothing else.
    Placeholder(Placeholder),
    Parts(Vec<Part>),
    Blocks(Blocks),
}

#[derive(Debug)]
enum Part {
    Plain(String),
    Placeholder { placeholder: Placeholder, raw: bool },
}

impl StringTemplate {
    /// Compiles `text`.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn parse(text: &str) -> Result<StringTemplate, Mistake> {
        if has_mark(text) {
            return Err(Mistake::new("a text holds U+FDD0 or U+FDD1, which no text may"));
        }
        let scanned = scan(text)?;
        let is_more = |it: &scan::Part| matches!(it, scan::Part::Tag(tag) if tags::is_more(tag));
        let plain = |it: &scan::Part| match it {
            scan::Part::Plain(plain) => Some((*plain).to_owned()),
            scan::Part::Tag(_) => None,
        };
        if let Some(plain) = scanned.iter().map(plain).collect::<Option<String>>() {
            return Ok(StringTemplate(Arc::new(Form::Plain(plain))));
        }
        let form = match scanned.as_slice() {
            parts if parts.iter().any(is_more) => Form::Blocks(Blocks::of(text, parts)?),
            [scan::Part::Tag(tag)] => Form::Placeholder(placeholder(tag)?),
            parts => Form::Parts(parts.iter().map(Part::of).collect::<Result<_, _>>()?),
        };
        Ok(StringTemplate(Arc::new(form)))
    }

    /// The text with every placeholder filled.
    ///
    /// # Errors
    /// What is missing, by name; `bad_value`, `bad_name`, `secret_misplaced`, and what reading another task
    /// gives.
    pub fn fill(&self, view: &EvalContext) -> Result<String, Fault> {
        within(&view.scope.budget, || match &*self.0 {
            Form::Plain(plain) => Ok(plain.clone()),
            Form::Placeholder(placeholder) => Ok(paid_text(placeholder, view)?.0.into_owned()),
            Form::Blocks(blocks) => blocks.fill(view, false),
            Form::Parts(parts) => {
                let mut out = String::new();
                for part in parts {
                    match part {
                        Part::Plain(plain) => out.push_str(plain),
                        Part::Placeholder { placeholder, .. } => {
                            out.push_str(&paid_text(placeholder, view)?.0);
                        }
                    }
                }
                Ok(out)
            }
        })
    }

    /// The same for a URL: placeholders are percent-encoded, but one at the very start and `{{{raw}}}`. The
    /// mark of a secret is passed as it is; the world encodes what it opens.
    ///
    /// # Errors As [`StringTemplate::fill`], and `bad_value` where a placeholder makes a `..` of the path: no
    /// encoding can help against that.
    pub fn fill_url(&self, view: &EvalContext) -> Result<String, Fault> {
        within(&view.scope.budget, || self.url(view))
    }

    fn url(&self, view: &EvalContext) -> Result<String, Fault> {
        let parts = match &*self.0 {
            Form::Plain(_) | Form::Placeholder(_) => return self.fill(view),
            Form::Blocks(blocks) => {
                let url = blocks.fill(view, true)?;
                return if walks(&url) { Err(changed("a block")) } else { Ok(url) };
            }
            Form::Parts(parts) => parts,
        };
        let mut out = String::new();
        let mut encoded: Vec<(Range<usize>, &Placeholder)> = Vec::new();
        for (index, part) in parts.iter().enumerate() {
            match part {
                Part::Plain(plain) => out.push_str(plain),
                Part::Placeholder { placeholder, raw } => {
                    let (text, is_mark) = paid_text(placeholder, view)?;
                    if *raw || is_mark || index == 0 {
                        out.push_str(&text);
                    } else {
                        let start = out.len();
                        out.push_str(&urlencode(&text));
                        encoded.push((start..out.len(), placeholder));
                    }
                }
            }
        }
        match encoded.into_iter().find(|(range, _)| makes_dots(&out, range)) {
            None => Ok(out),
            Some((_, placeholder)) => Err(changed(&format!("`{}`", placeholder.name()))),
        }
    }

    /// The same with every placeholder written by `escape`, but `{{{raw}}}` and the marks of secrets.
    ///
    /// # Errors
    /// As [`StringTemplate::fill`], and `bad_value` where `escape` refuses one or there are blocks.
    pub fn fill_escaped(
        &self,
        view: &EvalContext,
        escape: impl Fn(&str) -> Result<String, String>,
    ) -> Result<String, Fault> {
        within(&view.scope.budget, || self.escaped(view, escape))
    }

    fn escaped(
        &self,
        view: &EvalContext,
        escape: impl Fn(&str) -> Result<String, String>,
    ) -> Result<String, Fault> {
        let lone;
        let parts = match &*self.0 {
            Form::Plain(plain) => return Ok(plain.clone()),
            Form::Blocks(_) => {
                let message = "blocks and helpers cannot be escaped; hint: make the text in a `set` before";
                return Err(Fault::lasting("bad_value", message));
            }
            Form::Placeholder(placeholder) => {
                lone = [Part::Placeholder { placeholder: placeholder.clone(), raw: false }];
                &lone[..]
            }
            Form::Parts(parts) => parts,
        };
        let mut out = String::new();
        for part in parts {
            match part {
                Part::Plain(plain) => out.push_str(plain),
                Part::Placeholder { placeholder, raw } => {
                    let (text, is_mark) = paid_text(placeholder, view)?;
                    if *raw || is_mark {
                        out.push_str(&text);
                    } else {
                        let bad =
                            |why| Fault::lasting("bad_value", format!("`{}` {why}", placeholder.name()));
                        out.push_str(&escape(&text).map_err(bad)?);
                    }
                }
            }
        }
        Ok(out)
    }

    /// Whether there are blocks or helpers in it.
    pub fn has_blocks(&self) -> bool {
        matches!(&*self.0, Form::Blocks(_))
    }

    /// The same, but a text that is one placeholder alone keeps its JSON type.
    ///
    /// # Errors
    /// As [`StringTemplate::fill`]; null is a value here.
    pub fn value(&self, view: &EvalContext) -> Result<Value, Fault> {
        within(&view.scope.budget, || {
            let value = self.look(view)?;
            charge_value(&value)?;
            Ok(value.into_owned())
        })
    }

    /// The same, not cloned where it is a param as it is.
    pub(crate) fn look<'v>(&'v self, view: &'v EvalContext) -> Result<Cow<'v, Value>, Fault> {
        match &*self.0 {
            Form::Placeholder(placeholder) => placeholder.value(view),
            _ => self.fill(view).map(|text| Cow::Owned(Value::String(text))),
        }
    }

    /// What is secret of the value that it gave.
    pub(crate) fn marks(&self, view: &EvalContext) -> Result<Marks, Fault> {
        match &*self.0 {
            Form::Placeholder(placeholder) => placeholder.marks(view),
            Form::Plain(_) | Form::Parts(_) | Form::Blocks(_) => Ok(Marks::whole()),
        }
    }

    /// What it begins with, whatever goes into its placeholders.
    pub fn beginning(&self) -> Option<&str> {
        match &*self.0 {
            Form::Plain(plain) => Some(plain),
            Form::Parts(parts) => match parts.first()? {
                Part::Plain(plain) => Some(plain),
                Part::Placeholder { .. } => None,
            },
            Form::Placeholder(_) | Form::Blocks(_) => None,
        }
    }

    /// The whole text, if it has no placeholders.
    pub fn literal(&self) -> Option<&str> {
        match &*self.0 {
            Form::Plain(plain) => Some(plain),
            Form::Placeholder(_) | Form::Parts(_) | Form::Blocks(_) => None,
        }
    }

    /// What it reads of which something can be in the text.
    pub fn flows(&self) -> Uses {
        match &*self.0 {
            Form::Blocks(blocks) => blocks.flows(),
            Form::Plain(_) | Form::Placeholder(_) | Form::Parts(_) => self.uses(),
        }
    }

    /// What it reads.
    pub fn uses(&self) -> Uses {
        let mut uses = Uses::default();
        match &*self.0 {
            Form::Plain(_) => {}
            Form::Placeholder(placeholder) => placeholder.uses(&mut uses),
            Form::Blocks(blocks) => blocks.uses(&mut uses),
            Form::Parts(parts) => parts.iter().for_each(|part| {
                if let Part::Placeholder { placeholder, .. } = part {
                    placeholder.uses(&mut uses);
                }
            }),
        }
        uses
    }
}

impl Part {
    fn of(part: &scan::Part) -> Result<Part, Mistake> {
        match part {
            scan::Part::Plain(plain) => Ok(Part::Plain((*plain).to_owned())),
            scan::Part::Tag(tag) => Ok(Part::Placeholder { placeholder: placeholder(tag)?, raw: tag.raw }),
        }
    }
}

/// The value of a placeholder as text, and whether it is the mark of a secret; drawn on the budget.
fn paid_text<'v>(placeholder: &'v Placeholder, view: &'v EvalContext) -> Result<(Cow<'v, str>, bool), Fault> {
    let (text, is_mark) = placeholder.text(view)?;
    charge_text(text.len())?;
    Ok((text, is_mark))
}

fn changed(by: &str) -> Fault {
    Fault::lasting(
        "bad_value",
        format!("{by} makes a `.` or `..` of the path, and changes where the request goes"),
    )
}

fn placeholder(tag: &scan::Tag) -> Result<Placeholder, Mistake> {
    Placeholder::of(tag).map_err(|it| tags::unknown_helper(tag).unwrap_or(it))
}

impl<'de> serde::Deserialize<'de> for StringTemplate {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        StringTemplate::parse(&text).map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for StringTemplate {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "StringTemplate".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string"})
    }
}
