//! A process as Mermaid text, for documents and other tools.

use std::fmt::Write;

use crate::process::parsed::{EdgeKind, ways};
use crate::process::process::Process;

/// The process as a Mermaid flowchart.
pub fn mermaid(process: &Process) -> String {
    let mut text = String::from("flowchart TD\n");
    let place = |name: &str| process.nodes.iter().position(|node| node.name.as_str() == name);
    for (at, node) in process.nodes.iter().enumerate() {
        let (open, close) = match node.kind_name {
            "input" => ("([", "])"),
            "end" => ("(((", ")))"),
            "condition" => ("{{", "}}"),
            "delay" | "wait" => ("(", ")"),
            "escalation" | "notify" => (">", "]"),
            _ => ("[", "]"),
        };
        line(&mut text, format_args!("n{at}{open}\"{}\"{close}", escaped(&node.title)));
    }
    for (at, node) in process.nodes.iter().enumerate() {
        for way in ways(node) {
            let Some(to) = place(way.to.as_str()) else { continue };
            let label = escaped(&way.label);
            match (way.kind, label.is_empty()) {
                (EdgeKind::Plain, true) => line(&mut text, format_args!("n{at} --> n{to}")),
                (EdgeKind::Plain, false) => line(&mut text, format_args!("n{at} -->|\"{label}\"| n{to}")),
                (EdgeKind::Error | EdgeKind::Limit | EdgeKind::Alarm, _) => {
                    line(&mut text, format_args!("n{at} -.->|\"{label}\"| n{to}"));
                }
            }
        }
    }
    text
}

fn line(text: &mut String, what: std::fmt::Arguments) {
    put(text, format_args!("  {what}\n"));
}

fn put(text: &mut String, what: std::fmt::Arguments) {
    text.write_fmt(what).expect("a String takes all that is written to it");
}

/// Text that Mermaid shows as it is.
fn escaped(text: &str) -> String {
    let mut safe = String::new();
    for it in text.chars() {
        match it {
            '"' => safe.push_str("#quot;"),
            '#' | '<' | '>' | '&' | '`' | ';' => put(&mut safe, format_args!("#{};", u32::from(it))),
            it if it.is_control() => safe.push(' '),
            it => safe.push(it),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::parse::parse_with;
    use crate::process::sample::{HELLO, KINDS};

    #[test]
    fn a_process_is_a_flowchart() {
        insta::assert_snapshot!(mermaid(&parse_with(KINDS, HELLO).unwrap()));
    }
}
