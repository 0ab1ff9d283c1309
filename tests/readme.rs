//! What the README tells users to type is understood, and the processes in it are without problems.

use std::collections::BTreeSet;
use std::path::PathBuf;

use beltline::cli::app::command;
use beltline::cli::config_file;
use beltline::cli::metrics;
use beltline::desk::manual;
use beltline::model::faults;
use beltline::model::filters::all;
use beltline::process::parse::parse;
use beltline::process::problem::render;
use clap::error::ErrorKind;

use crate::cli::place::Place;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");

fn readme() -> String {
    std::fs::read_to_string(PATH).unwrap()
}

/// The fenced blocks of that language, without their indent.
fn blocks(language: &str) -> Vec<String> {
    let text = readme();
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim() == format!("```{language}") {
            let block = lines.by_ref().take_while(|line| line.trim() != "```").map(str::trim_end);
            blocks.push(block.collect::<Vec<_>>().join("\n"));
        }
    }
    assert!(!blocks.is_empty(), "the README has no `{language}` blocks");
    blocks
}

/// The commands of the README: those in blocks, and those that stand in a sentence.
fn commands() -> Vec<String> {
    let text = readme();
    let quoted = text.split('`').skip(1).step_by(2).map(str::to_owned);
    let lines = blocks("sh").into_iter().flat_map(|block| {
        let lines: Vec<String> =
            block.replace("\\\n", " ").lines().map(|line| line.trim().to_owned()).collect();
        lines
    });
    let all: Vec<String> = quoted.filter(|it| !it.contains('\n')).chain(lines).collect();
    all.into_iter().filter(|it| it.starts_with("beltline ")).collect()
}

#[test]
fn every_command_is_understood() {
    let commands = commands();
    assert!(commands.len() > 20, "only {} commands were found", commands.len());
    for text in commands {
        let words = text.split(" # ").next().unwrap().split_whitespace();
        let words: Vec<&str> = words.map(|word| word.trim_matches('"')).collect();
        match command().try_get_matches_from(&words) {
            Ok(_) => {}
            // `beltline VERB --help` stands for every verb.
            Err(error) if !error.use_stderr() || words.contains(&"VERB") => {}
            // A verb that is only named.
            Err(error) if words.len() == 2 && error.kind() == ErrorKind::MissingRequiredArgument => {}
            Err(error) => panic!("the README says `{text}`: {error}"),
        }
    }
}

#[test]
fn every_process_is_without_problems() {
    let processes: Vec<String> = blocks("yaml").into_iter().filter(|it| it.contains("\nnodes:")).collect();
    assert!(!processes.is_empty());
    for text in processes {
        let problems = parse(&text).err().unwrap_or_default();
        assert!(problems.is_empty(), "{}", render(&problems, &text, false));
    }
}

#[test]
fn every_scenario_holds() {
    let scenarios: Vec<String> = blocks("yaml").into_iter().filter(|it| it.contains("\ncases:")).collect();
    assert!(!scenarios.is_empty());
    for text in scenarios {
        let place = Place::new();
        place.write("scenarios/readme.yaml", &text);
        let told = place.ok(&["test"]);
        assert!(told.contains("0 failed"), "{told}");
    }
}

#[test]
fn the_configuration_is_read() {
    let text = blocks("yaml").into_iter().find(|it| it.starts_with("listen:")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("beltline.yaml");
    std::fs::write(&file, text).unwrap();
    config_file::read(&file).unwrap();
}

/// The tables that are made of the code, each between two marks: `<!-- NAME: … -->` and `<!-- /NAME -->`.
#[test]
fn the_tables_are_those_of_the_code() {
    let mut text = readme();
    for (name, table) in [
        ("kinds", manual::kinds_table()),
        ("faults", manual::faults_table()),
        ("templates", manual::templates_table()),
        ("channels", manual::channels_table()),
        ("metrics", metrics::table()),
        ("filters", all::filters_table()),
        ("tests", all::tests_table()),
        ("methods", all::methods_list()),
    ] {
        assert!(table.len() > 300, "{table}");
        let mark = format!("<!-- {name}: written by tests/readme.rs -->\n");
        let start = text.find(&mark).unwrap_or_else(|| panic!("the README has no `{mark}`")) + mark.len();
        let end = start + text[start..].find(&format!("<!-- /{name} -->")).unwrap();
        text.replace_range(start..end, &table);
    }
    if std::env::var_os("BELTLINE_WRITE").is_some() {
        std::fs::write(PATH, &text).unwrap();
    }
    assert!(readme() == text, "a table of the README is old; `BELTLINE_WRITE=1 cargo test readme` writes it");
}

#[test]
fn every_fault_that_is_made_has_a_page() {
    let mut made = BTreeSet::new();
    let mut files = vec![PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))];
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(std::fs::read_dir(&path).unwrap().map(|it| it.unwrap().path()));
            continue;
        }
        // Simulated providers make no faults, and what unit tests make is no fault of ours.
        let text = std::fs::read_to_string(&path).unwrap();
        let text = text.split("#[cfg(test)]").next().unwrap();
        for class in ["lasting", "passing", "unsure"] {
            for call in text.split(&format!("Fault::{class}(")).skip(1) {
                if let Some(code) = call.trim_start().strip_prefix('"') {
                    made.insert(code.split('"').next().unwrap().to_owned());
                }
            }
        }
    }
    assert!(made.len() > 40, "{made:?}");
    // Why a letter changed nothing is told to who wrote it, and is no fault of a task.
    for told in ["task_ended", "revision_mismatch", "late_reply", "not_fetched", "no_alarm", "acknowledged"] {
        made.remove(told);
    }
    // `check` refuses a process in which it could be taken.
    made.remove("secret_misplaced");
    let known: BTreeSet<String> = faults::all().map(|it| it.code.to_owned()).collect();
    assert_eq!(
        made.difference(&known).collect::<Vec<_>>(),
        Vec::<&String>::new(),
        "made, but without a page"
    );
    let named = ["blocked_address", "no_channel"];
    let stale: Vec<&String> = known.difference(&made).filter(|it| !named.contains(&it.as_str())).collect();
    assert!(stale.is_empty(), "with a page, but never made: {stale:?}");
}
