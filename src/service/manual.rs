//! The manual: the pages that were written by hand, and a page for every kind of node, channel, template and
//! fault, each made of the thing's own file; and the tables of all of them, which stand in `src/manual/`.

use std::fmt::Write as _;

use serde::Serialize;

use crate::channels::CHANNELS;
use crate::channels::spec::{COMMON, ChannelSpec};
use crate::model::entry::{FaultEntry, Group};
use crate::model::fault::Class;
use crate::model::faults;
use crate::model::kind::KindSpec;
use crate::nodes::KINDS;
use crate::process::process::{ParamKind, ParamSpec};
use crate::process::schema::{FieldDoc, common_fields, fields, manual};
use crate::service::guide;
use crate::service::templates::{self, Template};

/// Of what a page speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Topic {
    /// Whatever somebody wrote a page about.
    Guide,
    /// A kind of node.
    Kind,
    /// A way to reach a person.
    Channel,
    /// A process to clone.
    Template,
    /// Something that goes wrong inside a process.
    Fault,
}

/// One page of the manual.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ManualPage {
    /// Its name.
    pub name: &'static str,
    /// Of what it speaks.
    pub topic: Topic,
    /// One line.
    pub about: String,
}

/// All pages, in the order of the manual.
pub fn pages() -> Vec<ManualPage> {
    let guides = guide::GUIDES.iter().map(|it| page(it.name, Topic::Guide, &it.about()));
    let kinds = KINDS.iter().map(|it| page(it.name, Topic::Kind, it.about));
    let channels = CHANNELS.iter().map(|it| page(it.name, Topic::Channel, it.about));
    let templates = templates::all().map(|it| page(it.name, Topic::Template, &purpose(it)));
    let faults = faults::all().map(|it| page(it.code, Topic::Fault, it.about));
    guides.chain(kinds).chain(channels).chain(templates).chain(faults).collect()
}

impl ManualPage {
    /// What stands above it: a title, or the name of the thing.
    pub fn title(&self) -> &'static str {
        match self.topic {
            Topic::Guide => guide::find(self.name).map_or(self.name, guide::Guide::title),
            Topic::Kind | Topic::Channel | Topic::Template | Topic::Fault => self.name,
        }
    }
}

fn page(name: &'static str, topic: Topic, about: &str) -> ManualPage {
    ManualPage { name, topic, about: about.to_owned() }
}

/// The text of a page, in Markdown.
pub fn text(page: &ManualPage) -> String {
    let kind = || KINDS.iter().find(|it| it.name == page.name).map(of_kind);
    let channel = || CHANNELS.iter().find(|it| it.name == page.name).map(of_channel);
    let text = match page.topic {
        Topic::Guide => guide::find(page.name).map(guide::Guide::text),
        Topic::Kind => kind(),
        Topic::Channel => channel(),
        Topic::Template => templates::find(page.name).map(of_template),
        Topic::Fault => faults::find(page.name).map(of_fault),
    };
    text.unwrap_or_default()
}

fn of_kind(spec: &KindSpec) -> String {
    let mut text = manual(spec) + "\n\n";
    section(&mut text, "Fields", &fields(spec));
    section(&mut text, "Every kind", &common_fields());
    text
}

fn section(text: &mut String, title: &str, fields: &[FieldDoc]) {
    let rows = fields.iter().map(|it| {
        let must = if it.required { " (required)" } else { "" };
        (it.name.clone(), format!("{}{must}", it.about))
    });
    list(text, title, rows);
}

/// A list of names with what each is for.
fn list(text: &mut String, title: &str, rows: impl Iterator<Item = (String, String)>) {
    let rows: Vec<(String, String)> = rows.collect();
    if rows.is_empty() {
        return;
    }
    let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{title}:\n");
    for (name, about) in rows {
        let _ = writeln!(text, "    {name:<width$}  {about}");
    }
    text.push('\n');
}

fn of_channel(spec: &ChannelSpec) -> String {
    let mut text = head(spec.source) + "\n\n";
    let rows = spec.fields.iter().chain(&COMMON).map(|it| {
        let must = if it.required { " (required)" } else { "" };
        let hidden = if it.secret { " (secret)" } else { "" };
        let default = it.default.map(|it| format!(" [{it}]")).unwrap_or_default();
        (it.name.to_owned(), format!("{}{default}{must}{hidden}", it.about))
    });
    list(&mut text, "Settings", rows);
    let settings = spec.fields.iter().filter(|it| it.required);
    let settings = settings.map(|it| format!(" {}={}", it.name, if it.secret { "-" } else { "…" }));
    let settings: String = settings.collect();
    let _ = writeln!(text, "Set it up:\n\n    beltline channel add NAME --via {}{settings}", spec.name);
    text + "    beltline channel test NAME\n"
}

/// The lines with which a source file begins, without their marks.
fn head(source: &str) -> String {
    let lines = source.lines().map_while(|line| line.strip_prefix("//!"));
    let lines: Vec<&str> = lines.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
    lines.join("\n")
}

fn of_template(template: Template) -> String {
    let mut text = format!("`{}`: {}\n\n", template.name, purpose(template));
    let about = template.text.lines().take_while(|it| it.starts_with('#'));
    let about: Vec<&str> = about.map(|it| it.trim_start_matches('#').trim_start()).collect();
    if !about.is_empty() {
        let _ = writeln!(text, "{}\n", about.join("\n"));
    }
    let Some(process) = template.process() else { return text };
    let (asked, written): (Vec<_>, Vec<_>) = process.params.iter().partition(|it| it.input);
    list(&mut text, "Submitted with", asked.into_iter().map(param));
    list(&mut text, "Writes", written.into_iter().map(param));
    let nodes = process.nodes.iter().map(|it| (it.name.to_string(), it.title.clone()));
    list(&mut text, "Nodes", nodes);
    let required = process.params.iter().filter(|it| it.required);
    let required = required.map(|it| format!(" {}={}", it.name, if it.secret { "-" } else { "…" }));
    let required: String = required.collect();
    let name = template.name;
    let _ = writeln!(text, "Clone it:\n\n    beltline clone {name} --as NAME");
    let _ = writeln!(text, "    beltline submit NAME --ref REF{required}");
    text
}

fn param(param: &ParamSpec) -> (String, String) {
    let kind = match param.kind {
        ParamKind::String => "string",
        ParamKind::Number => "number",
        ParamKind::Integer => "integer",
        ParamKind::Boolean => "boolean",
        ParamKind::Object => "object",
        ParamKind::Array => "array",
        ParamKind::Any => "anything",
    };
    let words = [
        (param.required, "required"),
        (param.secret, "secret"),
        (param.shared, "shared"),
        (param.modify, "modify"),
    ];
    let words = words.iter().filter(|(is, _)| *is).map(|(_, word)| format!(", {word}"));
    let words: String = words.collect();
    let default = param.default.as_ref().map(|it| format!(" [{it}]")).unwrap_or_default();
    (param.name.clone(), format!("{}{default} ({kind}{words})", param.about))
}

fn of_fault(entry: &FaultEntry) -> String {
    let class = match entry.class {
        Some(class) => format!("class `{}`", class.as_str()),
        None => "its class depends".to_owned(),
    };
    let FaultEntry { code, about, remedy, example, .. } = entry;
    format!("`{code}`: {about} ({class}).\n\n{remedy}\n\n```yaml\n{example}```\n")
}

/// What a template is for, in one line.
fn purpose(template: Template) -> String {
    template.process().map(|it| it.about.trim_end_matches('.').to_owned()).unwrap_or_default()
}

/// The table of the kinds of node, in Markdown.
pub fn kinds_table() -> String {
    let row = |it: &KindSpec| {
        let fields = fields(it);
        let name = |field: &FieldDoc| match field.required {
            true => format!("**{}**", field.name),
            false => field.name.clone(),
        };
        let names: Vec<String> = fields.iter().map(name).collect();
        vec![format!("`{}`", it.name), it.about.to_owned(), names.join(", ")]
    };
    table(&["kind", "does", "fields (**required**)"], KINDS.iter().map(row))
}

/// The table of the channels, in Markdown.
pub fn channels_table() -> String {
    let row = |it: &ChannelSpec| {
        let names = it.fields.iter().map(|field| match field.required {
            true => format!("**{}**", field.name),
            false => field.name.to_owned(),
        });
        vec![format!("`{}`", it.name), it.about.to_owned(), names.collect::<Vec<_>>().join(", ")]
    };
    table(&["via", "is", "settings (**required**)"], CHANNELS.iter().map(row))
}

/// The table of the templates, in Markdown.
pub fn templates_table() -> String {
    let row = |it: Template| vec![format!("`{}`", it.name), purpose(it)];
    table(&["template", "is for"], templates::all().map(row))
}

/// The table of the faults, in Markdown.
pub fn faults_table() -> String {
    let class = |it: &FaultEntry| it.class.map_or("it depends", Class::as_str);
    let row = |it: &FaultEntry| vec![format!("`{}`", it.code), class(it).to_owned(), it.about.to_owned()];
    let of = |group: Group| faults::all().filter(move |it| it.group == group).map(row);
    table(&["fault", "class", "what happened"], Group::ALL.into_iter().flat_map(of))
}

fn table(heads: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let heads: Vec<String> = heads.iter().map(|&it| it.to_owned()).collect();
    let rule = format!("|{}\n", "---|".repeat(heads.len()));
    let rows: String = rows.map(|cells| line(&cells)).collect();
    line(&heads) + &rule + &rows
}
