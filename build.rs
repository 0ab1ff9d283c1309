//! Gathers `templates/*.yaml` into a list, so that a new template is one file and nothing else; and the licences
//! of all that the binary is made of, so that it can show them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use flate2::Compression;
use flate2::write::GzEncoder;

/// How the files begin in which packages keep their licences.
const LEGAL: [&str; 6] = ["license", "licence", "copying", "copyright", "notice", "unlicense"];

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    fs::write(out.join("templates.rs"), templates(&root)?)?;
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(notices(&root)?.as_bytes())?;
    fs::write(out.join("notices.gz"), packed.finish()?)
}

fn templates(root: &Path) -> io::Result<String> {
    println!("cargo::rerun-if-changed=templates");
    let mut files: Vec<PathBuf> = match fs::read_dir(root.join("templates")) {
        Ok(entries) => entries.map(|it| it.map(|it| it.path())).collect::<io::Result<_>>()?,
        Err(_) => Vec::new(),
    };
    files.retain(|it| it.extension().is_some_and(|it| it == "yaml"));
    files.sort();
    let mut list = String::from("const TEMPLATES: &[(&str, &str)] = &[\n");
    for file in files {
        let name = file.file_stem().unwrap_or_default().display().to_string();
        let path = file.display().to_string();
        writeln!(list, "    ({name:?}, include_str!({path:?})),").map_err(io::Error::other)?;
    }
    list.push_str("];\n");
    Ok(list)
}

/// A line for each package (name, version, licence, the numbers of its texts, with tabs between), and after each
/// zero byte one text. No package is built whose source is not at hand; one that is not, is not in it.
fn notices(root: &Path) -> io::Result<String> {
    println!("cargo::rerun-if-changed=Cargo.lock");
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| env::home_dir().map(|it| it.join(".cargo"))).unwrap_or_default();
    let sources = home.join("registry").join("src");
    let mut folders: Vec<PathBuf> = match fs::read_dir(&sources) {
        Ok(entries) => entries.map(|it| it.map(|it| it.path())).collect::<io::Result<_>>()?,
        Err(_) => Vec::new(),
    };
    folders.sort();
    let (mut lines, mut texts, mut numbers) = (String::new(), String::new(), BTreeMap::new());
    for (name, version) in linked(root)? {
        let folder = folders.iter().map(|it| it.join(format!("{name}-{version}"))).find(|it| it.is_dir());
        let Some(folder) = folder else { continue };
        let mut own = BTreeSet::new();
        for text in legal(&folder)? {
            let next = numbers.len();
            own.insert(*numbers.entry(text.clone()).or_insert_with(|| {
                texts.push('\0');
                texts.push_str(&text);
                next
            }));
        }
        let own: Vec<String> = own.iter().map(usize::to_string).collect();
        let licence = licence(&folder)?;
        writeln!(lines, "{name}\t{version}\t{licence}\t{}", own.join(",")).map_err(io::Error::other)?;
    }
    Ok(lines + &texts)
}

/// The packages that the binary may be made of, by name and version: all below what it depends on.
fn linked(root: &Path) -> io::Result<BTreeSet<(String, String)>> {
    let manifest = fs::read_to_string(root.join("Cargo.toml"))?;
    let own = manifest.split_once("\n[dependencies]\n").map_or("", |(_, it)| it);
    let own = own.split_once("\n[").map_or(own, |(it, _)| it).lines();
    let mut open: Vec<String> = own
        .filter_map(|it| it.split_once(" = ").map(|it| it.0.to_owned()))
        .filter(|it| !it.starts_with('#'))
        .collect();
    let lock = fs::read_to_string(root.join("Cargo.lock"))?;
    let mut packages: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for package in lock.split("[[package]]").skip(1) {
        let field = |name: &str| {
            let line = package.lines().find_map(|it| it.strip_prefix(name)?.strip_prefix(" = "));
            line.unwrap_or_default().trim_matches('"').to_owned()
        };
        let needs = package.split_once("dependencies = [").map_or("", |(_, it)| it);
        let needs = needs.lines().map(|it| it.trim().trim_end_matches(',').trim_matches('"'));
        let needs = needs.filter(|it| !it.is_empty() && *it != "]").map(str::to_owned).collect();
        packages.insert((field("name"), field("version")), needs);
    }
    let mut linked = BTreeSet::new();
    while let Some(need) = open.pop() {
        let mut words = need.split(' ');
        let (name, version) = (words.next().unwrap_or_default(), words.next());
        for (package, needs) in &packages {
            let is_it = package.0 == name && version.is_none_or(|it| it == package.1);
            if is_it && linked.insert(package.clone()) {
                open.extend(needs.iter().cloned());
            }
        }
    }
    Ok(linked)
}

/// What a package says of its licence, in its files, in the order of their names.
fn legal(folder: &Path) -> io::Result<Vec<String>> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder)?.map(|it| it.map(|it| it.path())).collect::<io::Result<_>>()?;
    files.retain(|it| {
        let name = it.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        it.is_file() && LEGAL.iter().any(|begins| name.starts_with(begins))
    });
    files.sort();
    files.iter().map(|it| Ok(String::from_utf8_lossy(&fs::read(it)?).trim().replace("\r\n", "\n"))).collect()
}

/// The licence that its manifest names.
fn licence(folder: &Path) -> io::Result<String> {
    let manifest = fs::read_to_string(folder.join("Cargo.toml"))?;
    let line = manifest.lines().find_map(|it| it.strip_prefix("license")?.trim_start().strip_prefix('='));
    Ok(line.unwrap_or_default().trim().trim_matches('"').to_owned())
}
