//! What the README tells users to type is understood, and the processes in it are without problems.

use beltline::channels::CHANNELS;
use beltline::cli::app::command;
use beltline::cli::config_file;
use beltline::model::kind::Spec;
use beltline::nodes::KINDS;
use beltline::process::parse::parse;
use beltline::process::problem::render;
use clap::error::ErrorKind;

use crate::cli::place::Place;

fn readme() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap()
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

#[test]
fn every_kind_channel_and_template_is_told_of() {
    let text = readme();
    for channel in CHANNELS {
        let line = format!("| `{}` | {} |", channel.name, channel.about);
        assert!(text.contains(&line), "the README lacks {line}");
    }
    for Spec { name, about, .. } in KINDS {
        assert!(text.contains(&format!("| `{name}` | {about} |")), "the README lacks `{name}`: {about}");
    }
    for file in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/templates")).unwrap() {
        let name = file.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned();
        assert!(text.contains(&format!("| `{name}` |")), "the README lacks the template `{name}`");
    }
}
