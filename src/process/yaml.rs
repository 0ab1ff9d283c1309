//! YAML text → [`Tree`], with all that is wrong with the text. The only file that knows the YAML parser.
//!
//! What YAML is known to trip people with is a problem here: keys that stand twice, numbers that read as
//! others than they say (`007`), placeholders without quotes, tabs, several documents, aliases that unfold
//! without end.

use std::borrow::Cow;
use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput, StructureStyle, Tag};

use crate::model::tree::{Branch, MapKey, Spot, Tree};
use crate::process::problem::{FileProblem, Lines, settle};
use crate::process::scalar;

/// The largest file: 1 MiB. A process of a thousand nodes is a quarter of that.
pub const FILE_BYTES_MAX: usize = 1024 * 1024;
/// How deep maps and lists may stand in each other. A node needs about six.
pub const DEPTH_MAX: usize = 64;
/// How much all aliases together may unfold to: as much as a file may hold without them.
pub const ALIAS_BYTES_MAX: usize = FILE_BYTES_MAX;
/// What a part of the tree counts beside its text.
const PART_BYTES: usize = 16;

/// Reads YAML. The tree is there even if there are problems, as long as the text can be read on behind them.
pub fn read(source: &str) -> (Option<Tree>, Vec<FileProblem>) {
    if source.len() > FILE_BYTES_MAX {
        let message =
            format!("the file has {} bytes, and at most {FILE_BYTES_MAX} (1 MiB) are read", source.len());
        let spot = Spot { line: 1, column: 1, start: 0, end: 0 };
        return (None, vec![FileProblem::new(spot, message)]);
    }
    let lines = Lines::new(source);
    if let Some((at, bad)) = source.char_indices().find(|(at, it)| forbidden(*at, *it)) {
        let spot = lines.spot(at, at + bad.len_utf8());
        let message = format!("a character that may not stand in a file: U+{:04X}", u32::from(bad));
        return (None, vec![FileProblem::new(spot, message).hint("remove it")]);
    }
    let parser = Parser::new_from_str(source);
    let problems = other_version(&lines, source).into_iter().collect();
    let mut builder = Builder { source, lines, parser, problems, anchors: HashMap::new(), unfolded: 0 };
    let tree = builder.document().unwrap_or(None);
    (tree, settle(builder.problems, source))
}

/// Control characters, and the noncharacters that stand for secrets. A byte order mark is fine at the very
/// start, where some editors put it unasked.
fn forbidden(at: usize, it: char) -> bool {
    match it {
        '\t' | '\n' | '\r' => false,
        '\u{FEFF}' => at != 0,
        '\u{FDD0}'..='\u{FDEF}' | '\u{FFFE}' | '\u{FFFF}' => true,
        it => it.is_control(),
    }
}

/// A file that says of itself that it is in another YAML: `yes` and `010` are others there.
fn other_version(lines: &Lines, source: &str) -> Option<FileProblem> {
    let is_head = |line: &&str| line.trim().is_empty() || line.starts_with(['%', '#', '\u{FEFF}']);
    let said = source.lines().take_while(is_head).find_map(|line| line.strip_prefix("%YAML"))?;
    let version = said.split_whitespace().next().filter(|it| *it != "1.2")?;
    let at = source.find(said)?;
    let message = format!("this says that it is YAML {version}, and is read as YAML 1.2");
    Some(FileProblem::new(lines.spot(at, at + said.len()), message).hint("leave that line out"))
}

/// The text cannot be read on; why is among the problems.
struct Stop;

struct Builder<'a> {
    source: &'a str,
    lines: Lines<'a>,
    parser: Parser<'a, StrInput<'a>>,
    problems: Vec<FileProblem>,
    anchors: HashMap<usize, Tree>,
    unfolded: usize,
}

impl<'a> Builder<'a> {
    fn document(&mut self) -> Result<Option<Tree>, Stop> {
        let mut tree = None;
        loop {
            match self.next()? {
                (Event::StreamEnd, _) => return Ok(tree),
                (Event::DocumentStart(..), span) if tree.is_some() => {
                    let (message, hint) = ("a second document begins here", "put one process in a file");
                    self.problems.push(FileProblem::new(spot_of(span), message).hint(hint));
                    return Ok(tree);
                }
                (Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd, _) => {}
                (event, span) => tree = Some(self.node(event, span, 0)?),
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'a>, Span), Stop> {
        match self.parser.next_event() {
            Some(Ok(next)) => Ok(next),
            Some(Err(error)) => self.stop(&error),
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Tree, Stop> {
        if depth > DEPTH_MAX {
            let message = format!("maps and lists stand in each other more than {DEPTH_MAX} deep");
            self.problems.push(FileProblem::new(spot_of(span), message));
            return Err(Stop);
        }
        let (tree, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => (self.scalar(text, style, tag, span), anchor),
            Event::SequenceStart(style, anchor, tag) => {
                self.tag(tag, &["seq"], span);
                (self.list(style, span, depth)?, anchor)
            }
            Event::MappingStart(style, anchor, tag) => {
                self.tag(tag, &["map"], span);
                (self.map(style, span, depth)?, anchor)
            }
            Event::Alias(anchor) => return self.alias(anchor, span),
            _ => (Tree { spot: spot_of(span), branch: Branch::Null }, 0),
        };
        if anchor != 0 {
            self.anchors.insert(anchor, tree.clone());
        }
        Ok(tree)
    }

    fn scalar(&mut self, text: Cow<str>, style: ScalarStyle, tag: Option<Cow<Tag>>, span: Span) -> Tree {
        let spot = spot_of(span);
        if self.holds_none(&text, spot) {
            return Tree { spot, branch: Branch::Text(String::new()) };
        }
        let forced = tag.as_ref().is_some_and(|tag| tag.is_yaml_core_schema_tag("str"));
        let branch = match style {
            ScalarStyle::Plain if !forced => scalar::plain(&text).unwrap_or_else(|(message, hint)| {
                self.problems.push(FileProblem::new(spot, message).hint(hint));
                Branch::Text(text.into_owned())
            }),
            _ => Branch::Text(text.into_owned()),
        };
        let fitting: &[&str] = match &branch {
            Branch::Null => &["null", "str"],
            Branch::Bool(_) => &["bool"],
            Branch::Number(it) if it.is_f64() => &["float"],
            Branch::Number(_) => &["int"],
            _ => &["str"],
        };
        self.tag(tag, fitting, span);
        Tree { spot, branch }
    }

    /// Refuses a tab before what is indented: how deep that is, nobody knows.
    fn no_tab(&mut self, style: StructureStyle, span: Span) {
        let at = span.start.byte_offset().unwrap_or_default().min(self.source.len());
        let (start, _) = self.lines.line(at);
        let indent = self.source.get(start..at).filter(|it| it.trim().is_empty()).unwrap_or_default();
        if let (StructureStyle::Block, Some(tab)) = (style, indent.find('\t')) {
            self.problems.push(tab_indents(self.lines.spot(start + tab, start + tab + 1)));
        }
    }

    /// Refuses what was meant as a value and is a comment, as in `color: #fff`.
    fn no_comment(&mut self, key: Spot) {
        let (start, line) = self.lines.line(key.end.min(self.source.len()));
        let Some(rest) = self.source.get(key.end..start + line.len()) else { return };
        let rest = rest.trim_start_matches(['"', '\'']).trim_start();
        let word = rest.strip_prefix(':').map(str::trim).and_then(|it| it.split_whitespace().next());
        let Some(word) = word.filter(|it| it.starts_with('#') && !it.trim_matches('#').is_empty()) else {
            return;
        };
        let at = start + line.len()
            - line.get(key.end - start..).map_or(0, |it| it.len() - it.find(word).unwrap_or(0));
        let message = format!("`{word}` is a comment, and nothing stands here");
        let hint = format!("write \"{word}\" for a text, or leave a space after the `#`");
        self.problems.push(FileProblem::new(self.lines.spot(at, at + word.len()), message).hint(hint));
    }

    /// Whether a text holds what none may, which is told.
    fn holds_none(&mut self, text: &str, spot: Spot) -> bool {
        let bad = text.chars().find(|it| *it == '\0' || ('\u{FDD0}'..='\u{FDEF}').contains(it));
        let message = |bad: char| format!("a text may not hold U+{:04X}", u32::from(bad));
        self.problems.extend(bad.map(|bad| FileProblem::new(spot, message(bad))));
        bad.is_some()
    }

    /// Refuses a tag that says something else of a value than what it looks like.
    fn tag(&mut self, tag: Option<Cow<Tag>>, fitting: &[&str], span: Span) {
        let Some(tag) = tag else { return };
        let spot = span.tag_span().map_or_else(|| spot_of(span), spot_of);
        if !tag.is_yaml_core_schema() {
            let message = format!("the tag `{}` means nothing here", tag.original());
            self.problems
                .push(FileProblem::new(spot, message).hint("put the text in quotes if it begins with `!`"));
        } else if !fitting.iter().any(|it| tag.is_yaml_core_schema_tag(it)) {
            let message = format!("the tag `{}` does not fit what stands here", tag.original());
            let hint = "leave it out, and write the value as what it is: a text in quotes, a number without";
            self.problems.push(FileProblem::new(spot, message).hint(hint));
        }
    }

    fn list(&mut self, style: StructureStyle, span: Span, depth: usize) -> Result<Tree, Stop> {
        let mut items = Vec::new();
        self.no_tab(style, span);
        loop {
            match self.next()? {
                (Event::SequenceEnd, end) => {
                    let spot = Self::around(style, span, end, items.first().map(|item: &Tree| item.spot));
                    return Ok(Tree { spot, branch: Branch::List(items) });
                }
                (event, span) => items.push(self.node(event, span, depth + 1)?),
            }
        }
    }

    fn map(&mut self, style: StructureStyle, span: Span, depth: usize) -> Result<Tree, Stop> {
        let start = span.start.byte_offset().unwrap_or_default();
        if self.source.get(start..).is_some_and(|it| it.starts_with("{{")) {
            return self.bare_placeholder(start);
        }
        self.no_tab(style, span);
        let mut pairs: Vec<(MapKey, Tree)> = Vec::new();
        let mut seen: HashMap<String, usize> = HashMap::new();
        let mut merged = Vec::new();
        loop {
            let (key, end) = match self.next()? {
                (Event::MappingEnd, end) => (None, end),
                (Event::Scalar(text, ScalarStyle::Plain, _, _), span) if text == "<<" => {
                    let (event, _) = self.next()?;
                    merged.push(self.node(event, span, depth + 1)?);
                    continue;
                }
                (event, span) => (Some(self.key(event, span, depth)?), span),
            };
            let Some(key) = key else {
                self.merge(&mut pairs, &mut seen, merged);
                let spot = Self::around(style, span, end, pairs.first().map(|(key, _)| key.spot));
                return Ok(Tree { spot, branch: Branch::Map(pairs) });
            };
            let (event, span) = self.next()?;
            let value = self.node(event, span, depth + 1)?;
            if matches!(value.branch, Branch::Null) {
                self.no_comment(key.spot);
            }
            if let Some(line) = seen.get(&key.text) {
                let message = format!("the key `{}` stands here twice", key.text);
                let hint = format!("it stands in line {line} already");
                self.problems.push(FileProblem::new(key.spot, message).hint(hint));
                continue;
            }
            seen.insert(key.text.clone(), key.spot.line);
            pairs.push((key, value));
        }
    }

    fn key(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<MapKey, Stop> {
        let spot = spot_of(span);
        if let Event::Scalar(text, style, anchor, tag) = &event {
            self.holds_none(text, spot);
            self.tag(tag.clone(), &["str"], span);
            if *anchor != 0 {
                self.anchors.insert(*anchor, Tree { spot, branch: Branch::Text(text.to_string()) });
            }
            let word = *style == ScalarStyle::Plain
                && matches!(scalar::plain(text), Ok(Branch::Null | Branch::Bool(_)));
            if word {
                let message = format!("a key is a text, and `{text}` without quotes is none");
                self.problems.push(FileProblem::new(spot, message).hint(format!("write \"{text}\"")));
            }
            return Ok(MapKey { text: text.clone().into_owned(), spot });
        }
        let before = self.problems.len();
        let tree = self.node(event, span, depth + 1)?;
        match tree.branch {
            Branch::Text(text) => return Ok(MapKey { text, spot }),
            _ if self.problems.len() > before => {}
            _ => self.problems.push(FileProblem::new(spot, "a key is a text, and this is a list or a map")),
        }
        Ok(MapKey { text: format!("line {}", spot.line), spot })
    }

    /// Lays the maps under `<<` below what the map says itself.
    fn merge(
        &mut self,
        pairs: &mut Vec<(MapKey, Tree)>,
        seen: &mut HashMap<String, usize>,
        merged: Vec<Tree>,
    ) {
        for tree in merged {
            let spot = tree.spot;
            let maps = match tree.branch {
                Branch::List(items) => items,
                _ => vec![tree],
            };
            for map in maps {
                let Branch::Map(more) = map.branch else {
                    self.problems.push(FileProblem::new(spot, "only a map can stand after `<<`"));
                    return;
                };
                for (key, value) in more {
                    if !seen.contains_key(&key.text) {
                        seen.insert(key.text.clone(), key.spot.line);
                        pairs.push((key, value));
                    }
                }
            }
        }
    }

    /// `{{name}}` without quotes is a map in a map to YAML. It is read as the text that was meant.
    fn bare_placeholder(&mut self, start: usize) -> Result<Tree, Stop> {
        let mut open = 1;
        let mut end = start;
        let spot = self.lines.spot(start, start + 2);
        self.problems.push(bare_placeholder(spot, None));
        let place = self.problems.len() - 1;
        while open > 0 {
            let (event, span) = self.next()?;
            match event {
                Event::MappingStart(..) | Event::SequenceStart(..) => open += 1,
                Event::MappingEnd | Event::SequenceEnd => open -= 1,
                Event::StreamEnd => return Err(Stop),
                _ => {}
            }
            end = span.end.byte_offset().unwrap_or(end);
        }
        let text = self.source.get(start..end).unwrap_or_default().to_owned();
        let spot = self.lines.spot(start, end);
        let rest = self.source.get(end..).unwrap_or_default().trim_start_matches([' ', '\t']);
        let alone = rest.is_empty() || rest.starts_with(['\n', '\r', ',', ']', '}', '#']);
        self.problems[place] = bare_placeholder(spot, alone.then_some(&text));
        Ok(Tree { spot, branch: Branch::Text(text) })
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Result<Tree, Stop> {
        let Some(tree) = self.anchors.get(&anchor) else {
            self.problems.push(FileProblem::new(spot_of(span), "this alias stands within what it names"));
            return Err(Stop);
        };
        self.unfolded += weight(tree);
        if self.unfolded > ALIAS_BYTES_MAX {
            let message = "the aliases of this file unfold to more than 1 MiB";
            self.problems.push(FileProblem::new(spot_of(span), message));
            return Err(Stop);
        }
        Ok(tree.clone())
    }

    fn stop<T>(&mut self, error: &ScanError) -> Result<T, Stop> {
        let known = self.problems.last().is_some_and(|it| it.message.contains("{{"));
        if !known {
            let problem = syntax(&self.lines, self.source, error);
            self.problems.push(problem);
        }
        Err(Stop)
    }

    /// Where a map or list is shown: whole if it is on one line, else by how it begins.
    fn around(style: StructureStyle, from: Span, to: Span, first: Option<Spot>) -> Spot {
        let spot = spot_of(from);
        match style {
            StructureStyle::Flow if from.start.line() == to.end.line() => {
                Spot { end: spot_of(to).end, ..spot }
            }
            StructureStyle::Flow => Spot { end: spot.start + 1, ..spot },
            StructureStyle::Block => first.unwrap_or(spot),
        }
    }
}

fn spot_of(span: Span) -> Spot {
    let (line, column) = (span.start.line(), span.start.col() + 1);
    let start = span.start.byte_offset().unwrap_or_default();
    Spot { line, column, start, end: span.end.byte_offset().unwrap_or(start) }
}

/// What a tree counts against [`ALIAS_BYTES_MAX`].
fn weight(tree: &Tree) -> usize {
    PART_BYTES
        + match &tree.branch {
            Branch::Null | Branch::Bool(_) | Branch::Number(_) => 0,
            Branch::Text(text) => text.len(),
            Branch::List(items) => items.iter().map(weight).sum(),
            Branch::Map(pairs) => pairs.iter().map(|(key, tree)| key.text.len() + weight(tree)).sum(),
        }
}

/// The problem of a placeholder without quotes; `text` is the placeholder, if it is all there is.
fn bare_placeholder(spot: Spot, text: Option<&str>) -> FileProblem {
    let hint = match text {
        Some(text) if !text.contains(['"', '\n']) => format!("put quotes around it: \"{text}\""),
        _ => "put quotes around the whole value".to_owned(),
    };
    FileProblem::new(spot, "`{{` without quotes begins a YAML map, not a placeholder").hint(hint)
}

fn tab_indents(spot: Spot) -> FileProblem {
    FileProblem::new(spot, "a tab stands where the line is indented").hint("indent with spaces")
}

/// What the parser says, in words for people who did not mean to write YAML.
fn syntax(lines: &Lines, source: &str, error: &ScanError) -> FileProblem {
    let at = error.marker().byte_offset().unwrap_or_default().min(source.len());
    let spot = lines.spot(at, at);
    if let Some(placeholder) = placeholder_before(lines, source, at) {
        return bare_placeholder(lines.spot(placeholder, placeholder + 2), None);
    }
    let (start, line) = lines.line(at);
    let indent = &line[..line.len() - line.trim_start().len()];
    if let Some(tab) = indent.find('\t') {
        let spot = lines.spot(start + tab, start + tab + 1);
        return tab_indents(spot);
    }
    let said = error.kind().to_string();
    if let Some(spot) = unspaced(lines, at).filter(|_| said.contains(':') || said.contains("mapping")) {
        let hint = "write `key: value`, with a space after the `:`";
        return FileProblem::new(spot, "a `:` without a space behind it makes no key").hint(hint);
    }
    let (message, hint) = match said.as_str() {
        "mapping values are not allowed in this context" | "illegal placement of ':' indicator" => (
            "a `:` stands where no key can be",
            "put the value in quotes, or look at how the line is indented",
        ),
        "simple key expected ':'" | "simple key is no longer valid" => {
            ("a key without its `:`", "write `key: value`, with a space after the `:`")
        }
        "while parsing a block mapping, did not find expected key" | "invalid indentation" => {
            ("this line is indented unlike the ones above it", "keys of one map stand in one column")
        }
        "unclosed quote" => {
            ("this quote is not closed", "close it, or put the text in the other kind of quotes")
        }
        "while parsing node, found unknown anchor" => {
            ("this alias names nothing", "put the text in quotes if it begins with `*`")
        }
        "recursion limit exceeded" => ("maps and lists stand in each other too deep", "make it flatter"),
        text if text.starts_with("unexpected character") => {
            ("no value begins with this character", "put the text in quotes")
        }
        text if text.contains("escape") && text.contains("quoted scalar") => {
            ("this is no escape that YAML knows", "write `\\\\` for a backslash, or use single quotes")
        }
        _ => return FileProblem::new(spot, format!("this is not YAML: {said}")),
    };
    FileProblem::new(spot, message).hint(hint)
}

/// A key whose `:` has no space behind it, in the line of a syntax error or the one above it.
fn unspaced(lines: &Lines, at: usize) -> Option<Spot> {
    let (start, line) = lines.line(at);
    let above = start.checked_sub(1).map(|end| lines.line(end));
    std::iter::once((start, line)).chain(above).find_map(|(start, line)| {
        let text = line.trim_start().trim_start_matches("- ").trim_start();
        let name = text.find(|it: char| !it.is_alphanumeric() && it != '_' && it != '-')?;
        let behind = text[name..].strip_prefix(':')?.chars().next()?;
        if name == 0 || behind.is_whitespace() || matches!(behind, '/' | ':') || text.contains(": ") {
            return None;
        }
        let start = start + line.len() - text.len();
        Some(lines.spot(start, start + name + 1))
    })
}

/// Where the line of a syntax error, or one of the few before it, has a value that begins with `{{`; the
/// error itself, if a value in braces is ended by one.
fn placeholder_before(lines: &Lines, source: &str, at: usize) -> Option<usize> {
    if source.get(at..)?.starts_with("{{") {
        return Some(at);
    }
    let (start, line) = lines.line(at);
    let window = source.get(..start + line.len())?;
    let from = window.rmatch_indices('\n').nth(3).map_or(0, |(at, _)| at);
    let starts = [": {{", "- {{", ", {{", "[{{"];
    let found = starts.iter().filter_map(|it| window[from..].rfind(it).map(|at| from + at + it.len() - 2));
    found.filter(|placeholder| *placeholder <= at).max()
}
