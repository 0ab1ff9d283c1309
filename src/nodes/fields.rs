//! What several kinds share in their shapes: maps of drafts, what a waiting node accepts, how to tell a
//! person.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::model::fault::Fault;
use crate::model::header::wrong_name;
use crate::model::params::Params;
use crate::model::scope::{EvalContext, RESERVED};
use crate::model::text::StringTemplate;
use crate::model::value::ValueTemplate;

/// Values with placeholders, by name.
pub type Drafts = BTreeMap<String, ValueTemplate>;

/// What is wrong with the URL that `text` will be, whatever goes into its placeholders.
pub fn wrong_url(text: &StringTemplate) -> Option<String> {
    let begin = text.beginning()?.trim_start();
    let shown = text.literal().unwrap_or(begin).trim();
    // That it is meant for an expression is told where all texts are looked at.
    if begin.starts_with("= ") {
        return None;
    }
    if begin.starts_with(['\u{201c}', '\u{201d}', '\u{201e}', '\u{2018}', '\u{2019}', '\u{ab}']) {
        return Some(format!(
            "`{shown}` begins with a typographic quote; hint: quote with \" or leave it out"
        ));
    }
    let after = ["http://", "https://"].iter().find_map(|it| {
        let scheme = begin.get(..it.len()).filter(|begin| begin.eq_ignore_ascii_case(it))?;
        begin.strip_prefix(scheme)
    });
    let Some(after) = after else {
        let host = begin.trim_start_matches('/');
        let hint = format!("hint: write `https://{host}`");
        return Some(format!("`{shown}` is no URL, which begins with `https://` or `http://`; {hint}"));
    };
    let is_bad = text.literal().is_some_and(|whole| url::Url::parse(whole.trim()).is_err());
    if let Some(why) = wrong_host(after, text.literal().is_some()) {
        return Some(format!("`{shown}` is no URL: its host {why}"));
    }
    is_bad.then(|| format!("`{shown}` is no URL: its host cannot be one"))
}

/// What is wrong with the host that stands after `https://`; `whole`: nothing is filled in behind it.
fn wrong_host(after: &str, whole: bool) -> Option<String> {
    let end = after.find(['/', '?', '#']);
    let authority = &after[..end.unwrap_or(after.len())];
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    if host.starts_with('[') {
        return None;
    }
    let (name, _) = host.split_once(':').unwrap_or((host, ""));
    if name.is_empty() && (end.is_some() || whole) {
        return Some("cannot be one".to_owned());
    }
    let fits = |it: char| !it.is_ascii() || it.is_ascii_alphanumeric() || "-_.%".contains(it);
    match name.chars().find(|it| !fits(*it)) {
        Some('{' | '}' | '$') => Some("has braces; hint: a placeholder has two of them: `{{…}}`".to_owned()),
        Some(bad) => Some(format!("has a `{bad}` in it")),
        None if name.starts_with('.') || name.contains("..") => Some("has an empty part".to_owned()),
        None => None,
    }
}

/// What is wrong with a header as it is written, whatever goes into its placeholders.
pub fn wrong_header((name, value): (&String, &ValueTemplate)) -> Option<String> {
    if let Some(why) = wrong_name(name) {
        return Some(format!("the header `{name}` {why}"));
    }
    let value = value.literal()?.as_str()?;
    let breaks = value.contains(|it: char| it.is_control() && it != '\t');
    breaks.then(|| {
        format!(
            "the header `{name}` has a line break or a control character in it; hint: write it in one line"
        )
    })
}

/// All of `drafts` filled in, or the first fault. All are looked at, so that what they read is fetched
/// together. What is made of secrets is marked.
pub fn fill(drafts: &Drafts, view: &EvalContext) -> Result<Params, Fault> {
    let all: Vec<_> = drafts.iter().map(|(name, draft)| Ok((name, draft.fill_marked(view)?))).collect();
    let mut params = Params::default();
    for filled in all {
        let (name, (value, marks)) = filled?;
        params.set_marked(name, value, &marks);
    }
    Ok(params)
}

/// A text that names a process or a task: everyone sees those.
///
/// # Errors
/// As [`StringTemplate::fill`], and `secret_misplaced`.
pub fn name(text: &StringTemplate, view: &EvalContext) -> Result<String, Fault> {
    let (name, is_secret) = view.scope.taint.during(|| text.fill(view));
    match is_secret {
        false => name,
        true => {
            let message = "a secret cannot be part of the name of a task or a process, which everyone sees";
            Err(name.err().unwrap_or_else(|| Fault::lasting("secret_misplaced", message)))
        }
    }
}

/// All of `drafts` as texts, or the first fault.
pub fn texts(drafts: &Drafts, view: &EvalContext) -> Result<Vec<(String, String)>, Fault> {
    drafts.iter().map(|(name, draft)| Ok((name.clone(), draft.text(view)?))).collect()
}

/// Says which of `names` is reserved, for the `try_from` of a shape that writes params.
pub fn refuse_reserved<'a>(mut names: impl Iterator<Item = &'a String>) -> Result<(), String> {
    match names.find(|name| RESERVED.contains(&name.as_str())) {
        Some(name) => {
            Err(format!("`{name}` is a reserved name and cannot be a param; hint: choose another name"))
        }
        None => Ok(()),
    }
}

/// What a signal must bring to move a waiting task on. None named: any signal does.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct AcceptedParams(BTreeMap<String, Accepted>);

/// One param that a signal may bring.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Accepted {
    /// A signal without it does not move the task on.
    pub required: bool,
    /// For people.
    pub about: String,
}

impl AcceptedParams {
    /// Whether a signal with `params` moves the task on: it brings all that is required, and at least one
    /// of those named.
    pub fn takes(&self, params: &Params) -> bool {
        let has = |name: &String| params.get(name).is_some_and(|value| *value != Value::Null);
        let complete = self.0.iter().filter(|(_, it)| it.required).all(|(name, _)| has(name));
        self.0.is_empty() || (complete && self.0.keys().any(has))
    }

    /// The names a link may set.
    pub fn names(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }
}

/// A fault of an author's own.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Raised {
    /// A stable word, such as `out_of_stock`; lower-cased.
    #[serde(deserialize_with = "word")]
    code: StringTemplate,
    /// For a person.
    message: StringTemplate,
    /// `passing` if trying again may help.
    #[serde(default)]
    class: RaisedClass,
    /// What a hook is answered with, from 400 to 599.
    status: Option<u16>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum RaisedClass {
    Passing,
    #[default]
    Lasting,
}

impl Raised {
    /// The fault, with every placeholder filled; or the fault that one could not be.
    pub fn fault(&self, view: &EvalContext) -> Result<Fault, Fault> {
        // Faults go to people, to the history and to other tasks.
        let code = view.shown(&[], |view| self.code.fill(view))?.to_lowercase();
        if !is_word(&code) {
            return Err(Fault::lasting("bad_value", format!("`{code}` is no code of a fault; {WORD_HINT}")));
        }
        let message = view.shown(&[], |view| self.message.fill(view))?;
        let fault = match self.class {
            RaisedClass::Passing => Fault::passing(&code, message),
            RaisedClass::Lasting => Fault::lasting(&code, message),
        };
        Ok(Fault { status: self.status, ..fault })
    }

    /// Whether a hook can be answered with its `status`.
    pub fn has_good_status(&self) -> bool {
        self.status.is_none_or(|it| (400..600).contains(&it))
    }
}

/// The longest code of a fault, in bytes: it stands in lists and in metrics.
const CODE_BYTES_MAX: usize = 64;
const WORD_HINT: &str = "hint: letters, digits and `_`, as in `out_of_stock`";

fn is_word(code: &str) -> bool {
    let plain = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'_';
    code.bytes().all(plain) && !code.is_empty() && code.len() <= CODE_BYTES_MAX
}

fn word<'de, D: serde::Deserializer<'de>>(from: D) -> Result<StringTemplate, D::Error> {
    let code = StringTemplate::deserialize(from)?;
    match code.literal() {
        Some(text) if !is_word(&text.to_lowercase()) => {
            Err(serde::de::Error::custom(format!("`{text}` is no code of a fault; {WORD_HINT}")))
        }
        _ => Ok(code),
    }
}
