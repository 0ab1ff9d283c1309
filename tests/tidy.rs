//! The laws of the house, kept by a test: floors, lists, purity, sizes.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use syn::visit::Visit;

/// The floors, lowest first. A file imports only from floors below its own, or from files above it in its
/// folder's list.
const FLOORS: [&[&str]; 8] = [
    &["model"],
    &["channels"],
    &["nodes"],
    &["process"],
    &["engine"],
    &["store", "outbound", "sim", "service", "scenario"],
    &["middleware"],
    &["api", "dashboard", "cli"],
];
/// The floors that know no I/O, no clock and no chance.
const PURE_FLOORS: [&str; 4] = ["model", "channels", "nodes", "process"];
/// The files of the engine that are as pure as those floors.
const PURE_FILES: [&str; 7] =
    ["retry.rs", "step.rs", "walk.rs", "between.rs", "anchor.rs", "mask.rs", "transition.rs"];
/// What does not occur on a pure floor.
const IMPURE: [&str; 9] =
    ["async ", "tokio", "std::fs", "std::net", "std::env", "SystemTime", "Instant::", "rand::", "getrandom"];
/// The only file that knows all adapters.
const KNOWS_ALL: &str = "cli/serve.rs";
const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;
const LINE_COLUMNS_MAX: usize = 110;

struct File {
    /// Below `src`, such as `engine/step.rs`.
    path: String,
    text: String,
}

impl File {
    fn floor(&self) -> Option<usize> {
        let folder = self.path.split_once('/')?.0;
        FLOORS.iter().position(|floor| floor.contains(&folder))
    }

    fn folder(&self) -> &str {
        self.path.split_once('/').map_or("", |(folder, _)| folder)
    }

    fn is_list(&self) -> bool {
        self.path.ends_with("mod.rs") || self.path == "lib.rs"
    }

    /// What it imports, as `engine::ports`, without its tests.
    fn imports(&self) -> Vec<Vec<String>> {
        let code = self.text.split("#[cfg(test)]").next().unwrap_or_default();
        let uses = code.split("crate::").skip(1);
        uses.flat_map(|rest| {
            let word = |it: char| it.is_alphanumeric() || it == '_' || it == ':';
            let (path, after) = rest.split_at(rest.find(|it| !word(it)).unwrap_or(rest.len()));
            let parts = |path: &str| -> Vec<String> {
                path.split("::").filter(|it| !it.is_empty()).map(str::to_owned).collect()
            };
            // `crate::outbound::{body, trouble}` imports two.
            let group = after.strip_prefix('{').and_then(|it| it.split_once('}')).map(|(group, _)| group);
            match group {
                Some(group) => group.split(',').map(|it| parts(&format!("{path}{}", it.trim()))).collect(),
                None => vec![parts(path)],
            }
        })
        .filter(|it| !it.is_empty())
        .collect()
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files(below: &str) -> Vec<File> {
    let base = root().join(below);
    let mut found = Vec::new();
    walk(&base, &mut |path| {
        if path.extension().is_some_and(|it| it == "rs") {
            let name = path.strip_prefix(&base).unwrap().to_str().unwrap().to_owned();
            found.push(File { path: name, text: fs::read_to_string(path).unwrap() });
        }
    });
    assert!(!found.is_empty(), "no Rust files below {below}");
    found
}

fn walk(folder: &Path, see: &mut impl FnMut(&Path)) {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() { walk(&path, see) } else { see(&path) }
    }
}

fn none(wrong: &[String]) {
    assert!(wrong.is_empty(), "{} against the laws of the house:\n{}", wrong.len(), wrong.join("\n"));
}

/// The modules of each folder in the order of its list: `engine` → retry, mask, ….
fn lists() -> BTreeMap<String, Vec<String>> {
    let lists = files("src").into_iter().filter(File::is_list);
    lists
        .map(|file| {
            let folder = file.path.strip_suffix("/mod.rs").unwrap_or("").to_owned();
            let names = file.text.lines().filter_map(|line| {
                let line = line.trim().trim_start_matches("pub ");
                Some(line.strip_prefix("mod ")?.strip_suffix(';')?.to_owned())
            });
            (folder, names.collect())
        })
        .collect()
}

#[test]
fn imports_point_down() {
    let lists = lists();
    let mut wrong = Vec::new();
    for file in files("src") {
        let Some(floor) = file.floor() else { continue };
        for import in file.imports() {
            let Some(target) = FLOORS.iter().position(|it| it.contains(&import[0].as_str())) else {
                continue;
            };
            let own_folder = import[0] == file.folder();
            if target > floor || (target == floor && !own_folder && file.path != KNOWS_ALL) {
                let sibling = floor == FLOORS.len() - 1 && file.path.starts_with("cli/");
                if !sibling {
                    wrong.push(format!("{} imports from {}", file.path, import.join("::")));
                }
            }
            if own_folder && !file.is_list() {
                wrong.extend(same_folder(&file, &import, &lists));
            }
        }
    }
    none(&wrong);
}

/// A file imports only from files that stand above it in the lists of the folders they share.
fn same_folder(file: &File, import: &[String], lists: &BTreeMap<String, Vec<String>>) -> Option<String> {
    let own: Vec<&str> = file.path.trim_end_matches(".rs").split('/').collect();
    let shared = own.iter().zip(import).take_while(|(own, import)| own == import).count();
    let list = lists.get(&own[..shared].join("/"))?;
    let place = |name: &str| list.iter().position(|it| it == name);
    let own_place = own.get(shared).and_then(|name| place(name));
    let import_place = import.get(shared).and_then(|name| place(name));
    match (own_place, import_place) {
        (Some(own), Some(import)) if import < own => None,
        (None, _) => None,
        _ => Some(format!("{} imports from {}, which does not stand above it", file.path, import.join("::"))),
    }
}

#[test]
fn lists_are_lists() {
    let mut wrong = Vec::new();
    for file in files("src") {
        let mut reexports = file.text.lines().filter(|line| {
            let line = line.trim_start();
            line.starts_with("pub use ") || line.starts_with("pub(crate) use ")
        });
        wrong.extend(reexports.next().map(|line| format!("{} re-exports: {line}", file.path)));
        if file.is_list() && file.text.contains("\nfn ") {
            wrong.push(format!("{} is a list and has a function", file.path));
        }
    }
    none(&wrong);
}

#[test]
fn pure_floors_are_pure() {
    let mut wrong = Vec::new();
    for file in files("src") {
        let name = file.path.rsplit('/').next().unwrap();
        let pure =
            PURE_FLOORS.contains(&file.folder()) || (file.folder() == "engine" && PURE_FILES.contains(&name));
        if !pure || is_for_tests(&file) {
            continue;
        }
        for (number, line) in file.text.lines().enumerate() {
            if line.contains("#[cfg(test)]") {
                break;
            }
            let code = line.split("//").next().unwrap();
            if let Some(word) = IMPURE.iter().find(|word| code.contains(**word)) {
                wrong.push(format!("{}:{} says `{word}`", file.path, number + 1));
            }
        }
    }
    none(&wrong);
}

/// Whether its list says `#[cfg(test)]` before it.
fn is_for_tests(file: &File) -> bool {
    let (folder, name) = file.path.trim_end_matches(".rs").rsplit_once('/').unwrap_or(("", &file.path));
    let list = fs::read_to_string(root().join("src").join(folder).join("mod.rs")).unwrap();
    list.contains(&format!(
        "#[cfg(test)]
pub mod {name};"
    ))
}

#[test]
fn the_ports_belong_to_the_engine() {
    for port in ["Store", "Outbound", "Clock"] {
        let line = format!("pub trait {port}:");
        let homes: Vec<String> =
            files("src").into_iter().filter(|it| it.text.contains(&line)).map(|it| it.path).collect();
        assert_eq!(homes, ["engine/ports.rs"], "{port}");
    }
}

#[test]
fn the_ways_in_speak_to_the_service() {
    let mut wrong = Vec::new();
    for file in files("src") {
        if !["api", "dashboard"].contains(&file.folder()) {
            continue;
        }
        for import in file.imports() {
            if ["store", "outbound", "sim", "cli", "nodes"].contains(&import[0].as_str()) {
                wrong.push(format!("{} imports from {}", file.path, import.join("::")));
            }
        }
    }
    none(&wrong);
}

#[test]
fn files_functions_and_lines_are_short() {
    let mut wrong = Vec::new();
    for (below, file) in
        ["src", "tests"].iter().flat_map(|it| files(it).into_iter().map(move |file| (it, file)))
    {
        let lines = file.text.lines().count();
        if lines > FILE_LINES_MAX {
            wrong.push(format!("{below}/{} has {lines} lines", file.path));
        }
        for (number, line) in file.text.lines().enumerate() {
            let columns = line.chars().count();
            if columns > LINE_COLUMNS_MAX {
                wrong.push(format!("{below}/{}:{} has {columns} columns", file.path, number + 1));
            }
        }
        if !file.text.starts_with("//!") {
            wrong.push(format!("{below}/{} does not open with what it is for", file.path));
        }
        wrong.extend(long_functions(&file).into_iter().map(|it| format!("{below}/{it}")));
    }
    none(&wrong);
}

fn long_functions(file: &File) -> Vec<String> {
    struct Long<'a>(&'a str, Vec<String>);
    impl Long<'_> {
        fn see(&mut self, name: &syn::Ident, block: &syn::Block) {
            let braces = block.brace_token.span;
            let lines = braces.close().end().line - name.span().start().line + 1;
            if lines > FUNCTION_LINES_MAX {
                self.1.push(format!("{}: `{name}` has {lines} lines", self.0));
            }
        }
    }
    impl<'ast> Visit<'ast> for Long<'_> {
        fn visit_item_fn(&mut self, it: &'ast syn::ItemFn) {
            self.see(&it.sig.ident, &it.block);
            syn::visit::visit_item_fn(self, it);
        }
        fn visit_impl_item_fn(&mut self, it: &'ast syn::ImplItemFn) {
            self.see(&it.sig.ident, &it.block);
            syn::visit::visit_impl_item_fn(self, it);
        }
    }
    let mut long = Long(&file.path, Vec::new());
    long.visit_file(&syn::parse_file(&file.text).unwrap());
    long.1
}

#[test]
fn every_module_is_on_a_list() {
    let lists = lists();
    let mut wrong = Vec::new();
    for file in files("src") {
        let path = file.path.trim_end_matches(".rs").trim_end_matches("/mod");
        if ["main", "lib"].contains(&path) {
            continue;
        }
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        if !lists.get(folder).is_some_and(|list| list.iter().any(|it| it == name)) {
            wrong.push(format!("src/{} is on no list", file.path));
        }
    }
    none(&wrong);
}

/// One word for one thing: who searches for a type finds it.
#[test]
fn a_public_type_name_is_unique() {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in files("src") {
        for name in public_types(&file) {
            places.entry(name).or_default().push(file.path.clone());
        }
    }
    assert!(places.len() > 500, "types are found: {}", places.len());
    let twice = places.iter().filter(|(_, at)| at.len() > 1);
    none(&twice.map(|(name, at)| format!("`{name}` is in {}", at.join(" and "))).collect::<Vec<_>>());
}

fn public_types(file: &File) -> Vec<String> {
    let parsed = syn::parse_file(&file.text).expect("a file of the house parses");
    let mut found = Vec::new();
    for item in &parsed.items {
        let (visible, name) = match item {
            syn::Item::Struct(it) => (&it.vis, &it.ident),
            syn::Item::Enum(it) => (&it.vis, &it.ident),
            syn::Item::Trait(it) => (&it.vis, &it.ident),
            syn::Item::Type(it) => (&it.vis, &it.ident),
            _ => continue,
        };
        if matches!(visible, syn::Visibility::Public(_)) {
            found.push(name.to_string());
        }
    }
    found
}

/// What things were called once, in code and in texts: one word for one thing. Some are words of English,
/// too; there is another one.
const OLD_WORDS: [&str; 24] = [
    "born_at",
    "crowd",
    "desk",
    "dies_at",
    "doorman",
    "hop",
    "keyring",
    "kin",
    "knock",
    "ladder",
    "letter_id",
    "opener",
    "rouse",
    "roused",
    "rung",
    "shelf",
    "shelves",
    "sift",
    "sketch",
    "station",
    "storm",
    "teller",
    "trail",
    "verdict",
];
/// What reads the stores of old, and this list.
const SPEAK_OF_OLD: [&str; 6] = [
    "src/store/renames.rs",
    "src/store/sqlite_reword.rs",
    "src/store/sqlite_schema.rs",
    "tests/store/old/beltline.db",
    "tests/store/renamed.rs",
    "tests/tidy.rs",
];

/// What browsers call things.
const NAMES_OF_OTHERS: [&str; 2] = ["cross-origin-opener-policy", "nextHopProtocol"];

#[test]
fn old_words_are_gone() {
    let of = |word: &str| {
        let camel: String = word.split('_').map(|it| it[..1].to_uppercase() + &it[1..]).collect();
        let (upper, begins) = (word.to_uppercase(), "(?:^|[^A-Za-z])");
        format!("{begins}{word}s?(?:[^a-z]|$)|{camel}s?(?:[^a-z]|$)|{begins}{upper}S?(?:[^A-Za-z]|$)")
    };
    let old: Vec<(&str, regex::Regex)> =
        OLD_WORDS.iter().map(|it| (*it, regex::Regex::new(&of(it)).expect("it is written here"))).collect();
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut wrong = Vec::new();
    let mut seen = 0;
    let mut look = |path: &Path| {
        let name = path.strip_prefix(top).expect("it is below").display().to_string();
        if SPEAK_OF_OLD.contains(&name.as_str()) {
            return;
        }
        let Ok(text) = fs::read_to_string(path) else { return };
        seen += 1;
        for (number, line) in text.lines().enumerate() {
            let line = NAMES_OF_OTHERS.iter().fold(line.to_owned(), |line, name| line.replace(name, ""));
            for (word, _) in old.iter().filter(|(_, it)| it.is_match(&line)) {
                wrong.push(format!("{name}:{}: `{word}`", number + 1));
            }
        }
    };
    for folder in ["src", "tests", "templates", "processes"] {
        walk(&top.join(folder), &mut look);
    }
    look(&top.join("README.md"));
    assert!(seen > 500, "{seen} files were read");
    none(&wrong);
}
