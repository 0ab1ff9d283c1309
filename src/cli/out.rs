//! [`Output`]: what goes to stdout, for a person or, with `--json`, for a program.

use std::io::{self, IsTerminal, Write};

use anyhow::Result;
use comfy_table::{Cell, Color, ColumnConstraint, ContentArrangement, Table, presets};
use serde_json::Value;

/// Where a verb's answer goes.
#[derive(Clone, Debug)]
pub struct Output {
    /// As JSON, for programs.
    pub json: bool,
    /// Somebody looks at it.
    pub tty: bool,
    color: bool,
}

/// How a piece of text is shown where there are colors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// As it is.
    Plain,
    /// Less important.
    Dim,
    /// A heading.
    Bold,
    /// All is well.
    Good,
    /// Look at it.
    Warn,
    /// Something failed.
    Bad,
}

impl Look {
    /// How the state of a task is shown.
    pub fn of_state(state: &str) -> Look {
        match state {
            "failed" => Look::Bad,
            "done" => Look::Good,
            "doing" => Look::Warn,
            "cancelled" => Look::Dim,
            _ => Look::Plain,
        }
    }

    fn code(self) -> &'static str {
        match self {
            Look::Plain => "",
            Look::Dim => "\x1b[2m",
            Look::Bold => "\x1b[1m",
            Look::Good => "\x1b[32m",
            Look::Warn => "\x1b[33m",
            Look::Bad => "\x1b[31m",
        }
    }

    fn color(self) -> Option<Color> {
        match self {
            Look::Plain | Look::Bold => None,
            Look::Dim => Some(Color::DarkGrey),
            Look::Good => Some(Color::Green),
            Look::Warn => Some(Color::Yellow),
            Look::Bad => Some(Color::Red),
        }
    }
}

impl Output {
    /// With `--json` or not; `no_color` as the environment has it.
    pub fn new(json: bool, no_color: bool) -> Output {
        let tty = io::stdout().is_terminal();
        Output { json, tty, color: tty && !no_color && !json }
    }

    /// One line.
    pub fn line(&self, text: impl AsRef<str>) -> Result<()> {
        writeln!(io::stdout().lock(), "{}", text.as_ref())?;
        Ok(())
    }

    /// Text as it is, without a line's end.
    pub fn raw(&self, bytes: &[u8]) -> Result<()> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(bytes)?;
        stdout.flush()?;
        Ok(())
    }

    /// A value as JSON: indented for a person, on one line for a program.
    pub fn json(&self, value: &Value) -> Result<()> {
        // For JSON the marks are the same as the letters that they are written out with.
        let text = if self.tty { unturned(&serde_json::to_string_pretty(value)?) } else { value.to_string() };
        self.line(text)
    }

    /// The answer as JSON if that was asked for, else as `human` tells it.
    pub fn answer(&self, value: &Value, human: impl FnOnce() -> Result<()>) -> Result<()> {
        if self.json { self.json(value) } else { human() }
    }

    /// `text` in a color, where there are colors.
    pub fn paint(&self, look: Look, text: &str) -> String {
        match look {
            Look::Plain => text.to_owned(),
            _ if !self.color => text.to_owned(),
            look => format!("{}{text}\x1b[0m", look.code()),
        }
    }

    /// Whether colors are wanted.
    pub fn color(&self) -> bool {
        self.color
    }

    /// A table, as wide as the terminal at most. What is no terminal gets whole lines.
    pub fn table(&self, heads: &[&str], rows: Vec<Vec<(String, Look)>>) -> Result<()> {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        let arrangement = if self.tty { ContentArrangement::Dynamic } else { ContentArrangement::Disabled };
        table.set_content_arrangement(arrangement);
        table.set_header(heads.iter().map(|head| self.cell(head, Look::Dim)));
        for row in rows {
            table.add_row(row.iter().map(|(text, look)| self.cell(&one_line(text), *look)));
        }
        if let Some(first) = table.column_mut(0) {
            first.set_padding((0, 1));
            first.set_constraint(ColumnConstraint::ContentWidth);
        }
        self.line(table.trim_fmt())
    }

    /// The `items` of an answer as a table, or that there are none.
    pub fn items(
        &self,
        answer: &Value,
        none: &str,
        heads: &[&str],
        row: impl Fn(&Value) -> Vec<(String, Look)>,
    ) -> Result<()> {
        match answer.get("items").and_then(Value::as_array) {
            Some(items) if !items.is_empty() => self.table(heads, items.iter().map(row).collect()),
            _ => self.line(none),
        }
    }

    fn cell(&self, text: &str, look: Look) -> Cell {
        match look.color() {
            Some(color) if self.color => Cell::new(text).fg(color),
            _ => Cell::new(text),
        }
    }
}

/// A text that may hold anything, as one line that cannot steer a terminal, nor show itself in another order
/// than it is in.
pub fn one_line(text: &str) -> String {
    let spaced: String = text.chars().map(|it| if it.is_control() { ' ' } else { it }).collect();
    unturned(&spaced)
}

/// `text` with the marks written out that turn the direction of what stands behind them: `\\u202e`.
fn unturned(text: &str) -> String {
    if !text.chars().any(turns) {
        return text.to_owned();
    }
    let mut plain = String::with_capacity(text.len());
    for it in text.chars() {
        match turns(it) {
            true => plain.extend(format!("\\u{:04x}", u32::from(it)).chars()),
            false => plain.push(it),
        }
    }
    plain
}

/// Whether it is one of the marks of direction of Unicode (UAX 9).
fn turns(it: char) -> bool {
    matches!(it, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A value for a table: texts bare, the rest as JSON, nothing as nothing.
pub fn shown(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => one_line(text),
        other => unturned(&other.to_string()),
    }
}

/// A text field of an answer; empty if it is not there.
pub fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// What is wrong with a file, with its name in front once.
pub fn named(file: &str, message: &str) -> String {
    if message.contains(file) { message.to_owned() } else { format!("{file}: {message}") }
}
