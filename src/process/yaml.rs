//! YAML text → [`Tree`], with all that is wrong with the text. The only file that knows the YAML parser.
//!
//! What YAML is known to trip people with is a problem here: keys that stand twice, numbers that read as
//! others than they say (`007`), holes without quotes, tabs, several documents, aliases that unfold without
//! end.

use std::borrow::Cow;
use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput, StructureStyle, Tag};

use crate::model::tree::{Branch, Key, Spot, Tree};
use crate::process::problem::{Lines, Problem, settle};
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
pub fn read(source: &str) -> (Option<Tree>, Vec<Problem>) {
    if source.len() > FILE_BYTES_MAX {
        let message =
            format!("the file has {} bytes, and at most {FILE_BYTES_MAX} (1 MiB) are read", source.len());
        let spot = Spot { line: 1, column: 1, start: 0, end: 0 };
        return (None, vec![Problem::new(spot, message)]);
    }
    let lines = Lines::new(source);
    if let Some((at, bad)) = source.char_indices().find(|(at, it)| forbidden(*at, *it)) {
        let spot = lines.spot(at, at + bad.len_utf8());
        let message = format!("a character that may not stand in a file: U+{:04X}", u32::from(bad));
        return (None, vec![Problem::new(spot, message).hint("remove it")]);
    }
    let parser = Parser::new_from_str(source);
    let mut builder =
        Builder { source, lines, parser, problems: Vec::new(), anchors: HashMap::new(), unfolded: 0 };
    let tree = builder.document().unwrap_or_else(|Stop| None);
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

/// The text cannot be read on; why is among the problems.
struct Stop;

struct Builder<'a> {
    source: &'a str,
    lines: Lines<'a>,
    parser: Parser<'a, StrInput<'a>>,
    problems: Vec<Problem>,
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
                    self.problems.push(Problem::new(self.spot(span), message).hint(hint));
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
            self.problems.push(Problem::new(self.spot(span), message));
            return Err(Stop);
        }
        let (tree, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => (self.scalar(text, style, tag, span), anchor),
            Event::SequenceStart(style, anchor, tag) => {
                self.no_tag(tag, span);
                (self.list(style, span, depth)?, anchor)
            }
            Event::MappingStart(style, anchor, tag) => {
                self.no_tag(tag, span);
                (self.map(style, span, depth)?, anchor)
            }
            Event::Alias(anchor) => return self.alias(anchor, span),
            _ => (Tree { spot: self.spot(span), branch: Branch::Null }, 0),
        };
        if anchor != 0 {
            self.anchors.insert(anchor, tree.clone());
        }
        Ok(tree)
    }

    fn scalar(&mut self, text: Cow<str>, style: ScalarStyle, tag: Option<Cow<Tag>>, span: Span) -> Tree {
        let spot = self.spot(span);
        if let Some(bad) = text.chars().find(|it| *it == '\0' || ('\u{FDD0}'..='\u{FDEF}').contains(it)) {
            let message = format!("a text may not hold U+{:04X}", u32::from(bad));
            self.problems.push(Problem::new(spot, message));
            return Tree { spot, branch: Branch::Text(String::new()) };
        }
        let forced = tag.as_ref().is_some_and(|tag| tag.is_yaml_core_schema_tag("str"));
        if !forced {
            self.no_tag(tag, span);
        }
        let branch = match style {
            ScalarStyle::Plain if !forced => scalar::plain(&text).unwrap_or_else(|(message, hint)| {
                self.problems.push(Problem::new(spot, message).hint(hint));
                Branch::Text(text.into_owned())
            }),
            _ => Branch::Text(text.into_owned()),
        };
        Tree { spot, branch }
    }

    fn no_tag(&mut self, tag: Option<Cow<Tag>>, span: Span) {
        let Some(tag) = tag else { return };
        if !tag.is_yaml_core_schema() {
            let spot = span.tag_span().map_or_else(|| self.spot(span), |it| self.spot(it));
            let message = format!("the tag `{}` means nothing here", tag.original());
            self.problems
                .push(Problem::new(spot, message).hint("put the text in quotes if it begins with `!`"));
        }
    }

    fn list(&mut self, style: StructureStyle, span: Span, depth: usize) -> Result<Tree, Stop> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, end) => {
                    let spot = self.around(style, span, end, items.first().map(|item: &Tree| item.spot));
                    return Ok(Tree { spot, branch: Branch::List(items) });
                }
                (event, span) => items.push(self.node(event, span, depth + 1)?),
            }
        }
    }

    fn map(&mut self, style: StructureStyle, span: Span, depth: usize) -> Result<Tree, Stop> {
        let start = span.start.byte_offset().unwrap_or_default();
        if self.source.get(start..).is_some_and(|it| it.starts_with("{{")) {
            return self.bare_hole(start);
        }
        let mut pairs: Vec<(Key, Tree)> = Vec::new();
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
                self.merge(&mut pairs, &mut seen, merged)?;
                let spot = self.around(style, span, end, pairs.first().map(|(key, _)| key.spot));
                return Ok(Tree { spot, branch: Branch::Map(pairs) });
            };
            let (event, span) = self.next()?;
            let value = self.node(event, span, depth + 1)?;
            if let Some(line) = seen.get(&key.text) {
                let message = format!("the key `{}` stands here twice", key.text);
                let hint = format!("it stands in line {line} already");
                self.problems.push(Problem::new(key.spot, message).hint(hint));
                continue;
            }
            seen.insert(key.text.clone(), key.spot.line);
            pairs.push((key, value));
        }
    }

    fn key(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Key, Stop> {
        let spot = self.spot(span);
        if let Event::Scalar(text, style, ..) = &event {
            let word = *style == ScalarStyle::Plain
                && matches!(scalar::plain(text), Ok(Branch::Null | Branch::Bool(_)));
            if word {
                let message = format!("a key is a text, and `{text}` without quotes is none");
                self.problems.push(Problem::new(spot, message).hint(format!("write \"{text}\"")));
            }
            return Ok(Key { text: text.clone().into_owned(), spot });
        }
        let before = self.problems.len();
        let tree = self.node(event, span, depth + 1)?;
        match tree.branch {
            Branch::Text(text) => return Ok(Key { text, spot }),
            _ if self.problems.len() > before => {}
            _ => self.problems.push(Problem::new(spot, "a key is a text, and this is a list or a map")),
        }
        Ok(Key { text: format!("line {}", spot.line), spot })
    }

    /// Lays the maps under `<<` below what the map says itself.
    fn merge(
        &mut self,
        pairs: &mut Vec<(Key, Tree)>,
        seen: &mut HashMap<String, usize>,
        merged: Vec<Tree>,
    ) -> Result<(), Stop> {
        for tree in merged {
            let spot = tree.spot;
            let maps = match tree.branch {
                Branch::List(items) => items,
                _ => vec![tree],
            };
            for map in maps {
                let Branch::Map(more) = map.branch else {
                    self.problems.push(Problem::new(spot, "only a map can stand after `<<`"));
                    return Ok(());
                };
                for (key, value) in more {
                    if !seen.contains_key(&key.text) {
                        seen.insert(key.text.clone(), key.spot.line);
                        pairs.push((key, value));
                    }
                }
            }
        }
        Ok(())
    }

    /// `{{name}}` without quotes is a map in a map to YAML. It is read as the text that was meant.
    fn bare_hole(&mut self, start: usize) -> Result<Tree, Stop> {
        let mut open = 1;
        let mut end = start;
        let spot = self.lines.spot(start, start + 2);
        self.problems.push(bare_hole(spot, None));
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
        self.problems[place] = bare_hole(spot, alone.then_some(&text));
        Ok(Tree { spot, branch: Branch::Text(text) })
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Result<Tree, Stop> {
        let Some(tree) = self.anchors.get(&anchor) else {
            self.problems.push(Problem::new(self.spot(span), "this alias stands within what it names"));
            return Err(Stop);
        };
        self.unfolded += weight(tree);
        if self.unfolded > ALIAS_BYTES_MAX {
            let message = "the aliases of this file unfold to more than 1 MiB";
            self.problems.push(Problem::new(self.spot(span), message));
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

    fn spot(&self, span: Span) -> Spot {
        let (line, column) = (span.start.line(), span.start.col() + 1);
        let start = span.start.byte_offset().unwrap_or_default();
        Spot { line, column, start, end: span.end.byte_offset().unwrap_or(start) }
    }

    /// Where a map or list is shown: whole if it is on one line, else by how it begins.
    fn around(&self, style: StructureStyle, from: Span, to: Span, first: Option<Spot>) -> Spot {
        let spot = self.spot(from);
        match style {
            StructureStyle::Flow if from.start.line() == to.end.line() => {
                Spot { end: self.spot(to).end, ..spot }
            }
            StructureStyle::Flow => Spot { end: spot.start + 1, ..spot },
            StructureStyle::Block => first.unwrap_or(spot),
        }
    }
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

/// The problem of a hole without quotes; `text` is the hole, if it is all there is.
fn bare_hole(spot: Spot, text: Option<&str>) -> Problem {
    let hint = match text {
        Some(text) if !text.contains(['"', '\n']) => format!("put quotes around it: \"{text}\""),
        _ => "put quotes around the whole value".to_owned(),
    };
    Problem::new(spot, "`{{` without quotes begins a YAML map, not a hole").hint(hint)
}

/// What the parser says, in words for people who did not mean to write YAML.
fn syntax(lines: &Lines, source: &str, error: &ScanError) -> Problem {
    let at = error.marker().byte_offset().unwrap_or_default().min(source.len());
    let spot = lines.spot(at, at);
    if let Some(hole) = hole_before(lines, source, at) {
        return bare_hole(lines.spot(hole, hole + 2), None);
    }
    let (start, line) = lines.line(at);
    let indent = &line[..line.len() - line.trim_start().len()];
    if let Some(tab) = indent.find('\t') {
        let spot = lines.spot(start + tab, start + tab + 1);
        return Problem::new(spot, "a tab stands where the line is indented").hint("indent with spaces");
    }
    let said = error.kind().to_string();
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
        _ => return Problem::new(spot, format!("this is not YAML: {said}")),
    };
    Problem::new(spot, message).hint(hint)
}

/// Where the line of a syntax error, or one of the few before it, has a value that begins with `{{`.
fn hole_before(lines: &Lines, source: &str, at: usize) -> Option<usize> {
    let (start, line) = lines.line(at);
    let window = source.get(..start + line.len())?;
    let from = window.rmatch_indices('\n').nth(3).map_or(0, |(at, _)| at);
    let starts = [": {{", "- {{", ", {{", "[{{"];
    let found = starts.iter().filter_map(|it| window[from..].rfind(it).map(|at| from + at + it.len() - 2));
    found.filter(|hole| *hole <= at).max()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::problem::render;

    fn shown(source: &str) -> String {
        render(&read(source).1, source, false)
    }

    #[test]
    fn every_part_knows_where_it_stood() {
        let source =
            "a: 1\nlist: [x, 'y z', \"w\"]\nempty:\nmap:\n  ключ: {b: ~}\n  block: |\n    two\n    lines\n";
        let tree = read(source).0.unwrap();
        let mut all = Vec::new();
        walk(&tree, source, &mut all);
        insta::assert_snapshot!(all.join("\n"), @r#"
        1:1 "a" {"a":1,"list":["x","y z","w"],"empty":null,"map":{"ключ":{"b":null},"block":"two\nlines\n"}}
        1:1 key "a"
        1:4 "1" 1
        2:1 key "list"
        2:7 "[x, 'y z', \"w\"]" ["x","y z","w"]
        2:8 "x" "x"
        2:11 "'y z'" "y z"
        2:18 "\"w\"" "w"
        3:1 key "empty"
        3:6 "" null
        4:1 key "map"
        5:3 "ключ" {"ключ":{"b":null},"block":"two\nlines\n"}
        5:3 key "ключ"
        5:9 "{b: ~}" {"b":null}
        5:10 key "b"
        5:13 "~" null
        6:3 key "block"
        7:5 "two\n    lines\n" "two\nlines\n"
        "#);
    }

    fn walk(tree: &Tree, source: &str, all: &mut Vec<String>) {
        let Spot { line, column, start, end } = tree.spot;
        all.push(format!("{line}:{column} {:?} {}", &source[start..end], tree.to_value()));
        if let Branch::List(items) = &tree.branch {
            items.iter().for_each(|item| walk(item, source, all));
        }
        for (key, value) in tree.entries() {
            all.push(format!(
                "{}:{} key {:?}",
                key.spot.line,
                key.spot.column,
                &source[key.spot.start..key.spot.end]
            ));
            walk(value, source, all);
        }
    }

    #[test]
    fn what_trips_people_is_told() {
        let texts = [
            "a: 1\nb: 2\na: 3\nb: {c: 1, c: 2}\n",
            "code: 007\nsize: 1_000\nphone: +37120000000\nlong: 123456789012345678901\nnot: .nan\n",
            "url: {{x}}\nnext: [{{ y }}, z]\n",
            "a: 1\nurl: {{host}}/path\nb: 2\n",
            "- {{a}} and {{b}}\n",
            "a:\n\tb: 1\n",
            "a: 1\n---\nb: 2\n",
            "true: 1\n~: 2\n[a]: 3\n31281: 4\n",
            "a: \u{0}\n",
            "a: \"\\0\"\n",
            "a: b: c\n",
            "a: 'x\nb: 1\n",
            "a: [1, 2\nb: 1\n",
            "a:\n    b: 1\n  c: 2\n",
            "a: *x\n",
            "a: !env HOME\n",
            "a: \"\\d+\"\n",
            "a: &x [*x]\n",
            "<<: 3\n",
            "a\nb: 1",
            "a: @home\n",
            "a: %x\n",
            "a: }\n",
        ];
        let all: Vec<String> = texts.iter().map(|text| shown(text)).collect();
        insta::assert_snapshot!(all.join("\n\n"), @r#"
        error: the key `a` stands here twice
         --> the process:3:1
          |
        3 | a: 3
          | ^
          |
          = hint: it stands in line 1 already

        error: the key `b` stands here twice
         --> the process:4:1
          |
        4 | b: {c: 1, c: 2}
          | ^
          |
          = hint: it stands in line 2 already

        error: the key `c` stands here twice
         --> the process:4:11
          |
        4 | b: {c: 1, c: 2}
          |           ^
          |
          = hint: it stands in line 4 already

        error: the number 007 begins with a zero
         --> the process:1:7
          |
        1 | code: 007
          |       ^^^
          |
          = hint: write "007" for a text or 7 for a number

        error: the number 1_000 has `_` in it
         --> the process:2:7
          |
        2 | size: 1_000
          |       ^^^^^
          |
          = hint: write "1_000" for a text or 1000 for a number

        error: the number +37120000000 would lose its plus
         --> the process:3:8
          |
        3 | phone: +37120000000
          |        ^^^^^^^^^^^^
          |
          = hint: write "+37120000000" for a text or 37120000000 for a number

        error: the number 123456789012345678901 is too large
         --> the process:4:7
          |
        4 | long: 123456789012345678901
          |       ^^^^^^^^^^^^^^^^^^^^^
          |
          = hint: write "123456789012345678901" for a text

        error: `.nan` is no number in JSON
         --> the process:5:6
          |
        5 | not: .nan
          |      ^^^^
          |
          = hint: write ".nan" for a text

        error: `{{` without quotes begins a YAML map, not a hole
         --> the process:1:6
          |
        1 | url: {{x}}
          |      ^^^^^
          |
          = hint: put quotes around it: "{{x}}"

        error: `{{` without quotes begins a YAML map, not a hole
         --> the process:2:8
          |
        2 | next: [{{ y }}, z]
          |        ^^^^^^^
          |
          = hint: put quotes around it: "{{ y }}"

        error: `{{` without quotes begins a YAML map, not a hole
         --> the process:2:6
          |
        2 | url: {{host}}/path
          |      ^^^^^^^^
          |
          = hint: put quotes around the whole value

        error: `{{` without quotes begins a YAML map, not a hole
         --> the process:1:3
          |
        1 | - {{a}} and {{b}}
          |   ^^^^^
          |
          = hint: put quotes around the whole value

        error: a tab stands where the line is indented
         --> the process:2:1
          |
        2 |     b: 1
          | ^^^^
          |
          = hint: indent with spaces

        error: a second document begins here
         --> the process:2:1
          |
        2 | ---
          | ^^^
          |
          = hint: put one process in a file

        error: a key is a text, and `true` without quotes is none
         --> the process:1:1
          |
        1 | true: 1
          | ^^^^
          |
          = hint: write "true"

        error: a key is a text, and `~` without quotes is none
         --> the process:2:1
          |
        2 | ~: 2
          | ^
          |
          = hint: write "~"

        error: a key is a text, and this is a list or a map
         --> the process:3:1
          |
        3 | [a]: 3
          | ^

        error: a character that may not stand in a file: U+0000
         --> the process:1:4
          |
        1 | a:
          |    ^
          |
          = hint: remove it

        error: a text may not hold U+0000
         --> the process:1:4
          |
        1 | a: "\0"
          |    ^^^^

        error: a `:` stands where no key can be
         --> the process:1:5
          |
        1 | a: b: c
          |     ^
          |
          = hint: put the value in quotes, or look at how the line is indented

        error: this is not YAML: invalid indentation in multiline quoted scalar
         --> the process:2:1
          |
        2 | b: 1
          | ^

        error: a `:` stands where no key can be
         --> the process:2:2
          |
        2 | b: 1
          |  ^
          |
          = hint: put the value in quotes, or look at how the line is indented

        error: this line is indented unlike the ones above it
         --> the process:3:3
          |
        3 |   c: 2
          |   ^
          |
          = hint: keys of one map stand in one column

        error: this alias names nothing
         --> the process:1:4
          |
        1 | a: *x
          |    ^
          |
          = hint: put the text in quotes if it begins with `*`

        error: the tag `!env` means nothing here
         --> the process:1:4
          |
        1 | a: !env HOME
          |    ^^^^
          |
          = hint: put the text in quotes if it begins with `!`

        error: this is no escape that YAML knows
         --> the process:1:4
          |
        1 | a: "\d+"
          |    ^
          |
          = hint: write `\\` for a backslash, or use single quotes

        error: this alias stands within what it names
         --> the process:1:8
          |
        1 | a: &x [*x]
          |        ^^

        error: only a map can stand after `<<`
         --> the process:1:1
          |
        1 | <<: 3
          | ^^

        error: a `:` stands where no key can be
         --> the process:2:2
          |
        2 | b: 1
          |  ^
          |
          = hint: put the value in quotes, or look at how the line is indented

        error: no value begins with this character
         --> the process:1:4
          |
        1 | a: @home
          |    ^
          |
          = hint: put the text in quotes

        error: no value begins with this character
         --> the process:1:4
          |
        1 | a: %x
          |    ^
          |
          = hint: put the text in quotes

        error: this is not YAML: misplaced bracket
         --> the process:1:4
          |
        1 | a: }
          |    ^
        "#);
    }

    #[test]
    fn what_is_odd_but_clear_is_read() {
        let read = |text: &str| {
            let (tree, problems) = read(text);
            assert_eq!(problems, [], "{text}");
            tree.map_or(serde_json::Value::Null, |tree| tree.to_value()).to_string()
        };
        assert_eq!(read("\u{FEFF}a: 1\r\nb: yes\r\n"), r#"{"a":1,"b":"yes"}"#);
        assert_eq!(
            read("base: &b {x: 1, y: 2}\nmore: {<<: *b, y: 3}\n"),
            r#"{"base":{"x":1,"y":2},"more":{"y":3,"x":1}}"#
        );
        assert_eq!(read("--- # one\na: !!str 12\n...\n"), r#"{"a":"12"}"#);
        assert_eq!(read("a:\tb\n12: \"007\"\n"), r#"{"a":"b","12":"007"}"#);
        assert_eq!(read("# nothing\n"), "null");
    }

    #[test]
    fn no_bomb_goes_off() {
        let mut bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for pair in "abcdefghij".as_bytes().windows(2) {
            let (old, new) = (char::from(pair[0]), char::from(pair[1]));
            let list = vec![format!("*{old}"); 10].join(", ");
            bomb.push_str(&format!("{new}: &{new} [{list}]\n"));
        }
        for (what, text) in [
            ("aliases", bomb),
            ("depth", "[".repeat(100_000)),
            ("depth of maps", "{a: ".repeat(5_000)),
            ("depth of blocks", "- ".repeat(5_000)),
            ("size", "a".repeat(FILE_BYTES_MAX + 1)),
            ("holes", "{".repeat(10_000)),
        ] {
            let (_, problems) = read(&text);
            assert_eq!(problems.len(), 1, "{what}: {problems:?}");
        }
        let long = format!("[{}]", vec!["01"; 300_000].join(","));
        assert!(read(&long).1.len() > 10);
    }

    #[test]
    fn no_text_makes_it_panic() {
        proptest::proptest!(|(text in "[ -~\n\t]{0,60}")| {
            let problems = read(&text).1;
            render(&problems, &text, true);
        });
        proptest::proptest!(|(text in "([a:\\[\\]{}&*!|>'\"#%@,\\-? \n\t\u{e9}\u{1F600}]|: |- ){0,40}")| {
            let problems = read(&text).1;
            render(&problems, &text, true);
        });
    }
}
