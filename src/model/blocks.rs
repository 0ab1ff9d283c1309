//! [`Blocks`]: a text with blocks and helpers, for handlebars.
//!
//! Handlebars never sees our paths: whatever does not depend on the item of an `#each` or `#with` is read by
//! us, through helpers of our own that look into the [`EvalContext`] only when they are reached. So a branch
//! that is not taken asks for nothing, a missing name is a fault that names it, and other tasks can be read
//! everywhere. In `#if` and `#unless` what is missing counts as false; that is what they are for.

use std::borrow::Cow;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock, Mutex};

use handlebars::{
    Context, Handlebars, Helper, HelperDef, HelperResult, Output, RenderContext, RenderError,
    RenderErrorReason, Renderable, ScopedJson, Template,
};
use serde_json::{Map, Value};

use crate::model::budget::{charge, charge_text, charge_value, named, noted, within};
use crate::model::carried::uncapped;
use crate::model::fault::Fault;
use crate::model::helper_names::{MAKERS, ORDERS};
use crate::model::helpers;
use crate::model::look::{as_text, is_missing, null, refuse_marks};
use crate::model::lookup::{LOOKUP, found};
use crate::model::makers::{Maker, Order, TAG_STEPS, argument, draw, failed, is_true, length};
use crate::model::mistake::Mistake;
use crate::model::placeholder::Placeholder;
use crate::model::scan::Part;
use crate::model::scope::EvalContext;
use crate::model::tags::{self, Rewritten};
use crate::model::uses::Uses;

/// A compiled text with blocks.
#[derive(Clone, Debug)]
pub(crate) struct Blocks {
    text: Arc<str>,
    template: Arc<Template>,
    rewritten: Arc<Rewritten>,
}

static REGISTRY: LazyLock<Handlebars<'static>> = LazyLock::new(|| {
    let mut registry = Handlebars::new();
    registry.register_escape_fn(handlebars::no_escape);
    registry.set_strict_mode(true);
    registry.set_prevent_indent(true);
    for name in MAKERS {
        registry.register_helper(name, Box::new(Maker(name)));
    }
    for name in ORDERS {
        registry.register_helper(name, Box::new(Order(name)));
    }
    registry
});

impl Blocks {
    /// Compiles the parts of a text.
    pub(crate) fn of(text: &str, parts: &[Part]) -> Result<Blocks, Mistake> {
        let rewritten = tags::rewrite(text, parts)?;
        let template = Template::compile(&rewritten.source).map_err(|it| {
            Mistake::new(format!("the blocks do not hold together: {}", uncapped(&it.reason().to_string())))
                .hint("blocks are `{{#if x}}…{{else}}…{{/if}}`, `{{#each list}}{{this}}{{/each}}`")
        })?;
        Ok(Blocks { text: text.into(), template: Arc::new(template), rewritten: Arc::new(rewritten) })
    }

    /// The text with everything filled in. A panic of a library is a fault of this text.
    pub(crate) fn fill(&self, view: &EvalContext, encode: bool) -> Result<String, Fault> {
        let fill = AssertUnwindSafe(|| self.filled(view, encode));
        let filled = within(&view.scope.budget, || match noted(&self.text, || catch_unwind(fill)) {
            // Whatever handlebars made of it: where the budget ran out, that is what happened.
            Ok(filled) => charge(0, 0).and(filled),
            Err(_) => {
                let message = "a text with blocks made the engine fail, by a mistake of its own: see its log";
                Err(Fault::lasting("engine_error", message))
            }
        });
        filled.map_err(|fault| named(fault, &self.text))
    }

    fn filled(&self, view: &EvalContext, encode: bool) -> Result<String, Fault> {
        let params = match self.rewritten.reads_up {
            true => {
                let all = view.task.params.map();
                all.values().try_for_each(charge_value)?;
                let all = Value::Object(all.clone());
                view.noted("params", &[""; 0], &all);
                all
            }
            false => Value::Object(Map::new()),
        };
        let context = Context::from(params);
        let slot = Mutex::new(None);
        let mut context_of_render = RenderContext::new(None);
        for word in Word::ALL {
            let local = Local { word, placeholders: &self.rewritten.placeholders, view, slot: &slot, encode };
            context_of_render.register_local_helper(word.name(), Box::new(local));
        }
        let mut out = Counted::default();
        let done = self.template.render(&REGISTRY, &context, &mut context_of_render, &mut out);
        drop(context_of_render);
        if let Some(fault) = slot.into_inner().unwrap_or_default() {
            return Err(fault);
        }
        done.map_err(|it| fault_of(&it))?;
        Ok(out.0)
    }

    /// What it reads beside what its conditions look at.
    pub(crate) fn flows(&self) -> Uses {
        let mut uses = Uses::default();
        let Rewritten { placeholders, soft, reads_up, .. } = &*self.rewritten;
        let written = placeholders.iter().enumerate().filter(|(number, _)| !soft.contains(number));
        written.for_each(|(_, placeholder)| placeholder.uses(&mut uses));
        if *reads_up {
            uses.path("params", None, None);
        }
        uses
    }

    /// What it reads.
    pub(crate) fn uses(&self, uses: &mut Uses) {
        self.rewritten.placeholders.iter().for_each(|it| it.uses(uses));
    }
}

fn fault_of(error: &RenderError) -> Fault {
    match error.reason() {
        RenderErrorReason::MissingVariable(Some(path)) => {
            let path = path.replace(".[", ".").replace(']', "");
            Fault::lasting("missing_param", format!("there is no `{path}` in the item of the block"))
        }
        RenderErrorReason::MissingVariable(None) => {
            Fault::lasting("missing_param", "a value in a block is missing")
        }
        reason => Fault::lasting("bad_value", uncapped(&reason.to_string())),
    }
}

/// What is written, drawn on the budget piece by piece.
#[derive(Default)]
struct Counted(String);

impl Output for Counted {
    fn write(&mut self, piece: &str) -> io::Result<()> {
        charge_text(piece.len()).map_err(|it| io::Error::other(it.message))?;
        self.0.push_str(piece);
        Ok(())
    }
}

/// The words between the rewritten text and the view.
#[derive(Clone, Copy)]
enum Word {
    /// Writes a placeholder.
    Placeholder,
    /// Writes a placeholder as it is, in a URL too.
    Raw,
    /// Writes a value of handlebars.
    Out,
    /// Writes one as it is, in a URL too.
    RawOut,
    /// Writes a value of handlebars, or a placeholder if it is missing.
    Or,
    /// Gives a placeholder's value.
    Get,
    /// Gives whether a placeholder's value is true; what is missing is not.
    Soft,
    /// The same of a value of handlebars.
    Truth,
    /// Gives the length of a list or a text of handlebars, or what a map has by that name.
    Length,
    /// Gives what a list or a map of handlebars has there.
    Lookup,
    /// Gives a placeholder's value, which must be a list or a map.
    Many,
    /// Draws on the budget for a block that begins.
    Paid,
}

impl Word {
    const ALL: [Word; 12] = [
        Word::Placeholder,
        Word::Raw,
        Word::Out,
        Word::RawOut,
        Word::Or,
        Word::Get,
        Word::Soft,
        Word::Truth,
        Word::Length,
        Word::Lookup,
        Word::Many,
        Word::Paid,
    ];

    fn name(self) -> &'static str {
        match self {
            Word::Placeholder => tags::PLACEHOLDER,
            Word::Raw => tags::RAW,
            Word::Out => tags::OUT,
            Word::RawOut => tags::RAW_OUT,
            Word::Or => tags::OR,
            Word::Get => tags::GET,
            Word::Soft => tags::SOFT,
            Word::Truth => tags::TRUTH,
            Word::Length => tags::LENGTH,
            Word::Lookup => LOOKUP,
            Word::Many => tags::MANY,
            Word::Paid => tags::PAID,
        }
    }
}

struct Local<'a> {
    word: Word,
    placeholders: &'a [Placeholder],
    view: &'a EvalContext,
    slot: &'a Mutex<Option<Fault>>,
    encode: bool,
}

impl Local<'_> {
    /// Keeps the fault for the caller, and ends the rendering.
    fn fail(&self, fault: Fault) -> RenderError {
        let error = failed(fault.message.clone());
        if let Ok(mut slot) = self.slot.lock() {
            slot.get_or_insert(fault);
        }
        error
    }

    fn placeholder(&self, helper: &Helper, index: usize) -> Result<&Placeholder, RenderError> {
        let number = helper.param(index).and_then(|it| it.value().as_u64());
        let placeholder = number.and_then(|it| self.placeholders.get(usize::try_from(it).ok()?));
        placeholder.ok_or_else(|| failed("a placeholder was lost".to_owned()))
    }

    fn write_placeholder(&self, placeholder: &Placeholder, raw: bool, out: &mut dyn Output) -> HelperResult {
        let (text, is_mark) = placeholder.text(self.view).map_err(|it| self.fail(it))?;
        self.write(&text, raw || is_mark, out)
    }

    fn write_value(&self, value: &Value, path: &str, raw: bool, out: &mut dyn Output) -> HelperResult {
        if self.view.secrets {
            refuse_marks(value).map_err(|it| self.fail(it))?;
        }
        let text = as_text(Cow::Borrowed(value), path).map_err(|it| self.fail(it))?;
        self.write(&text, raw, out)
    }

    fn write(&self, text: &str, raw: bool, out: &mut dyn Output) -> HelperResult {
        if self.encode && !raw {
            out.write(&helpers::urlencode(text))?;
        } else {
            out.write(text)?;
        }
        Ok(())
    }
}

impl HelperDef for Local<'_> {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        let placeholder = match self.word {
            Word::Paid => {
                draw(helper.param(0).map_or(&Value::Null, |it| it.value()))?;
                return Ok(ScopedJson::Derived(Value::Null));
            }
            Word::Truth => {
                charge(TAG_STEPS, 0).map_err(|it| failed(it.message))?;
                let value = helper.param(0).map_or(&Value::Null, |it| it.value());
                return Ok(ScopedJson::Derived(Value::Bool(is_true(value, helper.param(1).is_some()))));
            }
            Word::Length => return length(helper).map(ScopedJson::Derived),
            Word::Lookup => return found(helper, self.view).map(ScopedJson::Derived),
            Word::Get | Word::Soft | Word::Many => self.placeholder(helper, 0)?,
            Word::Placeholder | Word::Raw | Word::Out | Word::RawOut | Word::Or => {
                return Err(RenderErrorReason::Unimplemented.into());
            }
        };
        let found = match self.word {
            // What an `#if` looks at decides, and is not written.
            Word::Soft => self.view.scope.taint.apart(|| placeholder.value(self.view)),
            _ => placeholder.value(self.view),
        };
        let value = match found {
            Ok(value) => {
                draw(&value)?;
                value.into_owned()
            }
            Err(fault) if matches!(self.word, Word::Soft) && is_missing(&fault) => Value::Null,
            Err(fault) => return Err(self.fail(fault)),
        };
        match (self.word, &value) {
            (Word::Soft, value) => {
                return Ok(ScopedJson::Derived(Value::Bool(is_true(value, helper.param(1).is_some()))));
            }
            (_, Value::Array(_) | Value::Object(_)) => {}
            (_, Value::Null) => return Err(self.fail(null(placeholder.name()))),
            (Word::Many, _) => {
                let message = format!("`{}` is neither a list nor a map", placeholder.name());
                return Err(self.fail(Fault::lasting("bad_value", message)));
            }
            _ => {}
        }
        Ok(ScopedJson::Derived(value))
    }

    fn call<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        let path = helper.param(0).and_then(|it| it.relative_path().cloned()).unwrap_or_default();
        charge(TAG_STEPS, 0).map_err(|it| self.fail(it))?;
        match self.word {
            Word::Placeholder => self.write_placeholder(self.placeholder(helper, 0)?, false, out),
            Word::Raw => self.write_placeholder(self.placeholder(helper, 0)?, true, out),
            Word::Out => self.write_value(argument(helper, 0)?, &path, false, out),
            Word::RawOut => self.write_value(argument(helper, 0)?, &path, true, out),
            Word::Or => match argument(helper, 0) {
                Ok(value) if !value.is_null() => self.write_value(value, &path, false, out),
                Ok(_) | Err(_) => self.write_placeholder(self.placeholder(helper, 1)?, false, out),
            },
            Word::Get | Word::Soft | Word::Truth | Word::Length | Word::Lookup | Word::Many | Word::Paid => {
                Err(failed("a value was written".to_owned()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::example::view;
    use crate::model::scan::scan;

    fn good(text: &str) -> String {
        let view = view(json!({
            "city": "Riga", "n": 7, "yes": true, "none": null, "rows": [{"n": 1}, {"n": 2}],
            "id": "bitrix", "k": "k",
            "o": {"k": "v", "a b": "c"}, "tpl": "{{city}}",
        }));
        let blocks = Blocks::of(text, &scan(text).unwrap()).unwrap_or_else(|it| panic!("{text}: {it}"));
        blocks.fill(&view, false).unwrap_or_else(|it| panic!("{text}: {}", it.message))
    }

    #[test]
    fn blocks_and_helpers_are_those_of_handlebars() {
        for (text, filled) in [
            ("{{#if yes}}a{{else}}b{{/if}}{{#if nope}}a{{else if none}}b{{else}}c{{/if}}", "ac"),
            ("{{#unless nope}}a{{/unless}}", "a"),
            ("{{#if nope}}{{nope}}{{/if}}.", "."),
            (
                "{{#each rows}}{{@index}}:{{n}}/{{this.n}}/{{params.city}}/{{../city}}/{{this}} {{/each}}",
                "0:1/1/Riga/Riga/{\"n\":1} 1:2/2/Riga/Riga/{\"n\":2} ",
            ),
            ("{{#each rows as |row i|}}{{i}}={{row.n}};{{/each}}", "0=1;1=2;"),
            ("{{#each o}}{{@key}}={{this}};{{/each}}", "k=v;a b=c;"),
            ("{{#each rows}}{{x ?? \"-\"}}{{/each}}", "--"),
            ("{{#each conv[{{id}}].ref[token].list}}{{n}}{{/each}}", "1"),
            ("{{#if yes}}{{conv[bitrix].ref[token].access_token}}{{/if}}", "T0"),
            ("{{#with o}}{{k}}{{/with}}", "v"),
            ("{{#if (eq city \"Riga\")}}here{{/if}}", "here"),
            ("{{#if (and yes (not nope))}}both{{/if}}", "both"),
            ("{{json rows}} {{json city}}", "[{\"n\":1},{\"n\":2}] \"Riga\""),
            ("{{base64 city}} {{urlencode \"a b\"}} {{date now \"%Y\"}}", "UmlnYQ== a%20b 2023"),
            ("{{sha256 \"\"}}", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            ("{{!-- {{no}} --}}{{! no }}<{{tpl}}>{{#if yes}}&\"{{tpl}}{{/if}}", "<{{city}}>&\"{{city}}"),
            ("a\\{{city}}\\\\{{#if yes}}\\{{n}}{{/if}}", "a{{city}}\\{{n}}"),
            ("{\\{{#if yes}}{{#if yes}}a{{/if}}{\\\\{{n}}", "{{{#if yes}}a{\\7"),
            ("{{#each rows}}{{#if (eq n 1)}}one{{else}}more{{/if}} {{/each}}", "one more "),
            ("a {{~#if yes~}} b {{~/if~}} c", "abc"),
            ("{{#each rows}}{{n}}{{else}}{{city}}{{/each}}", "12"),
            ("{{lookup o k}}{{len rows}}", "v2"),
        ] {
            assert_eq!(good(text), filled, "{text}");
        }
    }
}
