//! What the README and the manual tell users to type is understood, and the processes in them are without
//! problems.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use beltline::cli::app::command;
use beltline::cli::config_file;
use beltline::cli::metrics;
use beltline::model::faults;
use beltline::model::filters::all;
use beltline::process::parse::parse;
use beltline::process::problem::render;
use beltline::service::{guide, manual};
use clap::error::ErrorKind;

use crate::cli::place::Place;
use crate::support::manual::{self as book, page, path};

/// The fenced blocks of a text in that language, without their indent.
fn fenced(text: &str, language: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim() == format!("```{language}") {
            let block = lines.by_ref().take_while(|line| line.trim() != "```").map(str::trim_end);
            blocks.push(block.collect::<Vec<_>>().join("\n"));
        }
    }
    blocks
}

/// The blocks of all pages, each with the page where it stands.
fn blocks(language: &str) -> Vec<(String, String)> {
    let of = |(name, text): (String, String)| {
        let blocks = fenced(&text, language);
        blocks.into_iter().map(move |block| (name.clone(), block))
    };
    let blocks: Vec<_> = book::all().into_iter().flat_map(of).collect();
    assert!(!blocks.is_empty(), "the manual has no `{language}` blocks");
    blocks
}

/// The commands of a page: those in blocks, and those that stand in a sentence.
fn commands() -> Vec<(String, String)> {
    let mut all = Vec::new();
    for (name, text) in book::all() {
        let quoted = text.split('`').skip(1).step_by(2).filter(|it| !it.contains('\n')).map(str::to_owned);
        let lines = fenced(&text, "sh").into_iter().flat_map(|block| {
            let lines: Vec<String> =
                block.replace("\\\n", " ").lines().map(|line| line.trim().to_owned()).collect();
            lines
        });
        let found = quoted.chain(lines).filter(|it| it.starts_with("beltline "));
        all.extend(found.map(|it| (name.clone(), it)));
    }
    all
}

#[test]
fn every_command_is_understood() {
    let commands = commands();
    assert!(commands.len() > 60, "only {} commands were found", commands.len());
    for (name, text) in commands {
        let words = text.split(" # ").next().unwrap().split_whitespace();
        let words: Vec<&str> = words.map(|word| word.trim_matches('"')).collect();
        match command().try_get_matches_from(&words) {
            Ok(_) => {}
            // `beltline VERB --help` stands for every verb.
            Err(error) if !error.use_stderr() || words.contains(&"VERB") => {}
            // A verb that is only named.
            Err(error) if words.len() == 2 && error.kind() == ErrorKind::MissingRequiredArgument => {}
            Err(error) => panic!("{name} says `{text}`: {error}"),
        }
    }
}

#[test]
fn every_process_is_without_problems() {
    let processes = blocks("yaml").into_iter().filter(|(_, it)| it.contains("\nnodes:"));
    let processes: Vec<(String, String)> = processes.collect();
    assert!(processes.len() > 4, "{processes:?}");
    for (name, text) in processes {
        let problems = parse(&text).err().unwrap_or_default();
        assert!(problems.is_empty(), "{name}: {}", render(&problems, &text, false));
    }
}

#[test]
fn every_scenario_holds() {
    let blocks = blocks("yaml");
    let (scenarios, others): (Vec<_>, Vec<_>) =
        blocks.into_iter().partition(|(_, it)| it.contains("\ncases:"));
    assert!(scenarios.len() > 5, "{scenarios:?}");
    for (name, text) in scenarios {
        let place = Place::new();
        // A scenario plays the processes of its own page.
        for (_, process) in others.iter().filter(|(page, it)| *page == name && it.contains("\nnodes:")) {
            let id = process.trim_start_matches("process: ").split_whitespace().next().unwrap();
            place.write(&format!("processes/{id}.yaml"), process);
        }
        place.write("scenarios/manual.yaml", &text);
        let told = place.ok(&["test"]);
        assert!(told.contains(" 0 failed"), "{name}: {told}");
    }
}

#[test]
fn the_configuration_is_read() {
    let text = fenced(&page("configuration"), "yaml").remove(0);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("beltline.yaml");
    std::fs::write(&file, text).unwrap();
    config_file::read(&file).unwrap();
}

/// The tables that are made of the code, each between two marks: `<!-- NAME: … -->` and `<!-- /NAME -->`.
#[test]
fn the_tables_are_those_of_the_code() {
    let mut old = Vec::new();
    for (place, name, table) in [
        ("kinds", "kinds", manual::kinds_table()),
        ("faults", "faults", manual::faults_table()),
        ("templates", "templates", manual::templates_table()),
        ("channels", "channels", manual::channels_table()),
        ("metrics", "metrics", metrics::table()),
        ("filters", "filters", all::filters_table()),
        ("filters", "tests", all::tests_table()),
        ("filters", "methods", all::methods_list()),
    ] {
        assert!(table.len() > 300, "{table}");
        let mut text = page(place);
        let mark = format!("<!-- {name}: written by tests/readme.rs -->\n");
        let start = text.find(&mark).unwrap_or_else(|| panic!("`{place}` has no `{mark}`")) + mark.len();
        let end = start + text[start..].find(&format!("<!-- /{name} -->")).unwrap();
        text.replace_range(start..end, &table);
        if std::env::var_os("BELTLINE_WRITE").is_some() {
            std::fs::write(path(place), &text).unwrap();
        }
        if page(place) != text {
            old.push(name);
        }
    }
    assert!(old.is_empty(), "the tables {old:?} are old; `BELTLINE_WRITE=1 cargo test readme` writes them");
}

/// The links of a text, without those in code.
fn links(text: &str) -> Vec<String> {
    let mut code = false;
    let prose = text.lines().filter(|line| {
        code ^= line.trim_start().starts_with("```");
        !code
    });
    let prose: Vec<&str> = prose.flat_map(|line| line.split('`').step_by(2)).collect();
    let prose = prose.join(" ");
    prose.split("](").skip(1).map(|rest| rest.split(')').next().unwrap().to_owned()).collect()
}

/// How a forge links to the headings of a text.
fn anchors(text: &str) -> BTreeSet<String> {
    let heads = text.lines().filter(|line| line.starts_with('#'));
    let words = heads.map(|line| line.trim_start_matches('#').trim().to_lowercase());
    let kept = words.map(|it| {
        let kept = it.chars().filter(|it| it.is_alphanumeric() || [' ', '-', '_'].contains(it));
        kept.collect::<String>().replace(' ', "-")
    });
    kept.collect()
}

#[test]
fn every_link_leads_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pages = book::all();
    for name in ["src/README.md", "tests/README.md"] {
        pages.push((name.to_owned(), std::fs::read_to_string(root.join(name)).unwrap()));
    }
    let (mut many, mut wrong) = (0, Vec::new());
    for (name, text) in &pages {
        let folder = root.join(name).parent().unwrap().to_owned();
        for link in links(text).into_iter().filter(|it| !it.starts_with("https://")) {
            many += 1;
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = if file.is_empty() { root.join(name) } else { folder.join(file) };
            let there = anchor.is_empty()
                || std::fs::read_to_string(&target).is_ok_and(|it| anchors(&it).contains(anchor));
            if !target.exists() || !there {
                wrong.push(format!("{name} leads to {link}"));
            }
        }
    }
    assert!(many > 60, "only {many} links");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_file_that_the_maps_name_is_there() {
    for (map, folder) in [("src/README.md", "src"), ("tests/README.md", "tests")] {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(root.join(map)).unwrap();
        let quoted = text.split('`').skip(1).step_by(2);
        let ends = [".rs", ".yaml", ".md", ".txt", ".json", "/"];
        let files = quoted.filter(|it| ends.iter().any(|end| it.ends_with(end)) && !it.contains(' '));
        let files: Vec<&str> = files.filter(|it| !it.contains("NAME") && !it.contains('*')).collect();
        assert!(files.len() > 30, "{files:?}");
        let places = [root.join(folder), root.to_owned(), root.join("src/engine")];
        let missing: Vec<&&str> =
            files.iter().filter(|file| !places.iter().any(|place| place.join(file).exists())).collect();
        assert!(missing.is_empty(), "{map} names what is not there: {missing:?}");
    }
}

#[test]
fn the_front_door_is_short_and_leads_to_every_page() {
    let readme = book::readme();
    assert!(readme.lines().count() <= 200, "the README has {} lines", readme.lines().count());
    let links = links(&readme);
    for name in book::names() {
        assert!(links.contains(&format!("src/manual/{name}.md")), "the README does not lead to `{name}`");
        assert!(guide::find(&name).is_some(), "`{name}` is not in the list of `service/guide.rs`");
    }
    let rust = include_str!("../Cargo.toml").split("rust-version = \"").nth(1).unwrap();
    let rust = rust.split('"').next().unwrap();
    assert!(readme.contains(&format!("Rust {rust} or newer")), "Rust {rust} is not what the README wants");
}

#[test]
fn a_name_stands_for_one_page() {
    let mut names = BTreeSet::new();
    for page in manual::pages() {
        assert!(names.insert(page.name), "there are two pages about `{}`", page.name);
    }
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
        if path.extension().is_none_or(|it| it != "rs") {
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
    // Why a signal changed nothing is told to who wrote it, and is no fault of a task.
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
