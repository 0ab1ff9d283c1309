//! [`FileProblem`]: a person's mistake in a file, and how it is shown: like a compiler does.

use std::fmt;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use serde::ser::{Serialize, SerializeStruct, Serializer};

use crate::model::tree::{Spot, TreeError};

/// The width problems are shown in; longer source lines are cropped around the caret.
const WIDTH: usize = 120;

/// How many problems of one file are told. A file with more is not a process.
const PROBLEMS_MAX: usize = 500;

/// A person's mistake in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileProblem {
    /// The file, if the text came from one.
    pub file: Option<String>,
    /// Where in it.
    pub spot: Spot,
    /// The line and column of its end.
    pub end: (usize, usize),
    /// What is wrong.
    pub message: String,
    /// What would help.
    pub hint: Option<String>,
}

impl FileProblem {
    /// What is wrong, and where.
    pub fn new(spot: Spot, message: impl Into<String>) -> FileProblem {
        let end = (spot.line, spot.column);
        FileProblem { file: None, spot, end, message: message.into(), hint: None }
    }

    /// With what would help.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> FileProblem {
        FileProblem { hint: Some(hint.into()), ..self }
    }

    /// With what would help, if anything would.
    #[must_use]
    pub fn hint_if(self, hint: Option<String>) -> FileProblem {
        FileProblem { hint, ..self }
    }

    /// In that file.
    #[must_use]
    pub fn in_file(self, file: &str) -> FileProblem {
        FileProblem { file: Some(file.to_owned()), ..self }
    }
}

impl From<TreeError> for FileProblem {
    fn from(error: TreeError) -> FileProblem {
        FileProblem::new(error.spot, error.message).hint_if(error.hint)
    }
}

/// On one line: `file:line:column: message; hint: …`.
impl fmt::Display for FileProblem {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(to, "{file}:")?;
        }
        write!(to, "{}:{}: {}", self.spot.line, self.spot.column, self.message)?;
        match &self.hint {
            Some(hint) => write!(to, "; hint: {hint}"),
            None => Ok(()),
        }
    }
}

impl Serialize for FileProblem {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_struct("Problem", 7)?;
        map.serialize_field("file", &self.file)?;
        map.serialize_field("line", &self.spot.line)?;
        map.serialize_field("column", &self.spot.column)?;
        map.serialize_field("end_line", &self.end.0)?;
        map.serialize_field("end_column", &self.end.1)?;
        map.serialize_field("message", &self.message)?;
        map.serialize_field("hint", &self.hint)?;
        map.end()
    }
}

/// Puts problems in the order of their places in `source`, one for each place, with lines and columns counted
/// anew.
pub fn settle(mut problems: Vec<FileProblem>, source: &str) -> Vec<FileProblem> {
    let lines = Lines::new(source);
    problems.sort_by_key(|problem| problem.spot.start);
    problems.dedup_by_key(|problem| problem.spot.start);
    problems.truncate(PROBLEMS_MAX);
    for problem in &mut problems {
        let start = lines.floor(problem.spot.start);
        let end = lines.floor(problem.spot.end.max(start));
        let (line, column) = lines.place(start);
        problem.spot = Spot { line, column, start, end };
        problem.end = lines.place(end);
    }
    problems
}

/// Knows the line and the column of every byte of a text.
pub struct Lines<'a> {
    source: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    /// Of that text.
    pub fn new(source: &'a str) -> Lines<'a> {
        let breaks = source.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Lines { source, starts: std::iter::once(0).chain(breaks).collect() }
    }

    /// The line and the column of a byte.
    pub fn place(&self, byte: usize) -> (usize, usize) {
        let line = self.starts.partition_point(|start| *start <= byte).max(1);
        let before = self.source.get(self.starts[line - 1]..byte).unwrap_or_default();
        (line, before.trim_start_matches('\u{FEFF}').chars().count() + 1)
    }

    /// The spot of a range of bytes.
    pub fn spot(&self, start: usize, end: usize) -> Spot {
        let start = self.floor(start);
        let (line, column) = self.place(start);
        Spot { line, column, start, end: self.floor(end.max(start)) }
    }

    /// The text of the line a byte stands in, and where it begins.
    pub fn line(&self, byte: usize) -> (usize, &'a str) {
        let start = self.starts[self.starts.partition_point(|start| *start <= byte).max(1) - 1];
        let text = self.source.get(start..).unwrap_or_default();
        (start, text.split(['\n', '\r']).next().unwrap_or_default())
    }

    /// The nearest byte at or before, where a character begins.
    fn floor(&self, byte: usize) -> usize {
        let byte = byte.min(self.source.len());
        (0..=byte).rev().find(|at| self.source.is_char_boundary(*at)).unwrap_or(0)
    }
}

/// Problems as a compiler shows them: place, source line with a caret, hint.
pub fn render(problems: &[FileProblem], source: &str, color: bool) -> String {
    let lines = Lines::new(source);
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.decor_style(DecorStyle::Ascii).term_width(WIDTH);
    let shown: Vec<String> = problems.iter().map(|problem| render_one(problem, &lines, &renderer)).collect();
    shown.join("\n\n")
}

fn render_one(problem: &FileProblem, lines: &Lines, renderer: &Renderer) -> String {
    let (start, line) = lines.line(problem.spot.start);
    let line: String = line.chars().map(|it| if it.is_control() && it != '\t' { ' ' } else { it }).collect();
    let from = problem.spot.start.saturating_sub(start).min(line.len());
    let to = problem.spot.end.saturating_sub(start).clamp(from, line.len());
    let from = (0..=from).rev().find(|at| line.is_char_boundary(*at)).unwrap_or(0);
    let to = (to..=line.len()).find(|at| line.is_char_boundary(*at)).unwrap_or(line.len());
    let file = problem.file.as_deref().unwrap_or("the process");
    let snippet = Snippet::source(line)
        .line_start(problem.spot.line)
        .path(file)
        .annotation(AnnotationKind::Primary.span(from..to));
    let group = Level::ERROR.primary_title(problem.message.as_str()).element(snippet);
    match &problem.hint {
        Some(hint) => renderer.render(&[group.element(Level::HELP.with_name("hint").message(hint.as_str()))]),
        None => renderer.render(&[group]),
    }
}
