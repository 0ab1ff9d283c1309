//! A page of the manual in a terminal: code stands out by its indent, tables are as wide as the terminal at
//! most, a link says which page it leads to. All else is as it was written.

use anyhow::Result;

use crate::cli::out::{Look, Output};

/// A table that is wider is told row by row.
const TABLE_COLUMNS_MAX: usize = 100;

/// Prints a text of Markdown.
pub fn print(text: &str, out: &Output) -> Result<()> {
    let (mut code, mut table) = (false, Vec::new());
    for line in text.trim_end().lines() {
        let row = line.starts_with('|') && !code;
        if !row && !table.is_empty() {
            print_table(&std::mem::take(&mut table), out)?;
        }
        if line.trim_start().starts_with("```") {
            code = !code;
        } else if code {
            out.line(out.paint(Look::Good, &format!("    {line}")))?;
        } else if row {
            table.push(cells(line));
        } else {
            out.line(prose(line, out))?;
        }
    }
    if table.is_empty() { Ok(()) } else { print_table(&table, out) }
}

/// A line that is neither code nor a row.
fn prose(line: &str, out: &Output) -> String {
    if let Some(heading) = line.strip_prefix('#') {
        return out.paint(Look::Bold, heading.trim_start_matches('#').trim_start());
    }
    match line.ends_with(':') && !line.contains(' ') {
        true => out.paint(Look::Bold, line),
        false => unlinked(line),
    }
}

/// With the page that a link leads to in words. What is quoted as code has no links.
fn unlinked(line: &str) -> String {
    let mut told = String::new();
    let mut rest = line;
    while let Some((before, words, to, after)) = link(rest) {
        told.push_str(before);
        // An odd number of quotes before it: it stands in the middle of code.
        let is_code = told.matches('`').count() % 2 == 1;
        let piece = if is_code { format!("[{words}]({to})") } else { where_to(words, to) };
        told.push_str(&piece);
        rest = after;
    }
    told + rest
}

/// The first link of a text: what stands before it, its words, where it leads, what stands behind it.
fn link(text: &str) -> Option<(&str, &str, &str, &str)> {
    let (head, tail) = text.split_once("](")?;
    let (before, words) = head.rsplit_once('[')?;
    let (to, after) = tail.split_once(')')?;
    Some((before, words, to, after))
}

/// A link in words.
fn where_to(words: &str, to: &str) -> String {
    let file = to.split('#').next().unwrap_or_default();
    match file.strip_suffix(".md") {
        Some(name) if !name.contains('/') => format!("{words} (`beltline explain {name}`)"),
        _ if file.is_empty() => words.to_owned(),
        _ => format!("{words} ({to})"),
    }
}

/// The cells of a row. A stroke with a backslash before it is part of a cell.
fn cells(line: &str) -> Vec<String> {
    let inner = line.trim().trim_start_matches('|').trim_end_matches('|');
    let hidden = inner.replace("\\|", "\u{0}");
    hidden.split('|').map(|cell| unlinked(cell.trim()).replace('\u{0}', "|")).collect()
}

/// A table as such where it fits, and else row by row, its first cells as headings.
fn print_table(rows: &[Vec<String>], out: &Output) -> Result<()> {
    let is_rule = |row: &Vec<String>| row.iter().all(|cell| cell.starts_with("---"));
    let rows: Vec<&Vec<String>> = rows.iter().filter(|row| !is_rule(row)).collect();
    let Some((heads, rows)) = rows.split_first() else { return Ok(()) };
    let width = |at: usize| rows.iter().filter_map(|row| row.get(at)).map(|it| it.chars().count()).max();
    let whole: usize = (0..heads.len()).filter_map(width).sum();
    if whole <= TABLE_COLUMNS_MAX {
        let heads: Vec<&str> = heads.iter().map(String::as_str).collect();
        let row = |row: &&Vec<String>| row.iter().map(|cell| (cell.clone(), Look::Plain)).collect();
        return out.table(&heads, rows.iter().map(row).collect());
    }
    for row in rows {
        out.line(out.paint(Look::Bold, row.first().map_or("", String::as_str)))?;
        for (head, cell) in heads.iter().zip(*row).skip(1).filter(|(_, cell)| !cell.is_empty()) {
            // Of two columns the second needs no name.
            let named = if heads.len() > 2 { format!("{head}: {cell}") } else { cell.clone() };
            wrapped(&named).iter().try_for_each(|line| out.line(format!("    {line}")))?;
        }
    }
    Ok(())
}

/// A text in lines that fit.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        match lines.last_mut().filter(|line| line.is_empty() || fits(line, word)) {
            Some(line) => {
                if !line.is_empty() {
                    line.push(' ');
                }
                line.push_str(word);
            }
            None => lines.push(word.to_owned()),
        }
    }
    lines
}

fn fits(line: &str, word: &str) -> bool {
    line.chars().count() + 1 + word.chars().count() <= TABLE_COLUMNS_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_says_which_page_it_leads_to() {
        for (line, told) in [
            ("See [faults](faults.md#classes).", "See faults (`beltline explain faults`)."),
            ("[Below](#x), [there](https://a.example/).", "Below, there (https://a.example/)."),
            ("`[a](b.md)`, [`c`](d.md)", "`[a](b.md)`, `c` (`beltline explain d`)"),
        ] {
            assert_eq!(unlinked(line), told);
        }
    }

    #[test]
    fn a_long_cell_is_broken_between_words() {
        let text = "word ".repeat(50);
        let lines = wrapped(&text);
        assert_eq!(lines.join(" "), text.trim_end());
        assert!(lines.len() == 3 && lines.iter().all(|line| line.len() <= TABLE_COLUMNS_MAX), "{lines:?}");
    }

    #[test]
    fn a_stroke_may_be_in_a_cell() {
        assert_eq!(cells("| `a\\|b` | x |"), ["`a|b`", "x"]);
    }
}
