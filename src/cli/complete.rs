//! Completions that know what there is: processes, refs, nodes, params, channels, templates. The shell asks
//! this program, and this program asks the server; if none answers at once, nothing is offered.

use std::ffi::OsStr;
use std::time::Duration;

use clap::Command;
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};
use clap_complete::env::CompleteEnv;
use serde_json::Value;

use crate::cli::config::Config;
use crate::cli::env::Env;
use crate::cli::flags::Said;
use crate::cli::out::{Output, text};
use crate::cli::remote::{PROCESSES, Remote, encoded, process_path, task_path};
use crate::cli::session::CliSession;
use crate::service::manual;

/// Somebody is typing: later than this is too late.
const PATIENCE: Duration = Duration::from_secs(1);
/// More than these are no help.
const OFFERED_MAX: usize = 100;

/// What a word of the command line may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Named {
    Process,
    Reference,
    Node,
    Param,
    Channel,
    Template,
    Page,
}

/// Answers the shell and ends, if it is the shell that asks.
pub fn answer(command: fn() -> Command) {
    CompleteEnv::with_factory(move || completed(command())).complete();
}

/// The command with what may stand in its places.
fn completed(command: Command) -> Command {
    let verb = command.get_name().to_owned();
    let command = command.mut_args(|arg| {
        let named = match (verb.as_str(), arg.get_id().as_str()) {
            (_, "process") => Named::Process,
            (_, "reference") if !arg.is_positional() => return arg,
            (_, "reference") => Named::Reference,
            ("move", "to") => Named::Node,
            ("get", "path") => Named::Param,
            ("test" | "remove", "name") => Named::Channel,
            (_, "template") => Named::Template,
            ("explain", "name") => Named::Page,
            _ => return arg,
        };
        arg.add(ArgValueCompleter::new(move |current: &OsStr| offered(named, current)))
    });
    command.mut_subcommands(completed)
}

fn offered(named: Named, current: &OsStr) -> Vec<CompletionCandidate> {
    let begun = current.to_str().unwrap_or_default();
    let known = match named {
        Named::Page => manual::pages().into_iter().map(|it| (it.name.to_owned(), it.about)).collect(),
        _ => asked(named, begun, &Words::read(&Env::words())).unwrap_or_default(),
    };
    let fit = known.into_iter().filter(|(name, _)| name.starts_with(begun)).take(OFFERED_MAX);
    let candidate = |(name, about): (String, String)| {
        let help = (!about.is_empty()).then(|| about.into());
        CompletionCandidate::new(name).help(help)
    };
    fit.map(candidate).collect()
}

/// What the server knows; none if it does not answer at once.
fn asked(named: Named, begun: &str, words: &Words) -> Option<Vec<(String, String)>> {
    let env = Env::read();
    let config = Config::gather(&words.said, words.config.as_deref().map(AsRef::as_ref), &env).ok()?;
    let session = CliSession { config, out: Output::new(true, true), no_color: true };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    let remote = session.remote().ok()?;
    let found = runtime.block_on(async {
        tokio::time::timeout(PATIENCE, names(&remote, named, begun, &words.places)).await.ok()?
    });
    runtime.shutdown_background();
    found
}

/// Names, each with a word about it.
async fn names(
    remote: &Remote,
    named: Named,
    begun: &str,
    places: &[String],
) -> Option<Vec<(String, String)>> {
    let (path, name, about) = match (named, places) {
        (Named::Process, _) => (PROCESSES.to_owned(), "id", "title"),
        (Named::Template, _) => ("/api/v1/templates".to_owned(), "name", "about"),
        (Named::Channel, _) => ("/api/v1/channels".to_owned(), "name", "via"),
        (Named::Reference, [process, ..]) => {
            (format!("{}/tasks?ref={}", process_path(process), encoded(begun)), "ref", "node")
        }
        (Named::Node, [process, ..]) => {
            let process = remote.get(&process_path(process)).await.ok()?;
            let nodes = process.get("nodes")?.as_array()?;
            let both = |it: &Value| (text(it, "name").to_owned(), text(it, "title").to_owned());
            return Some(nodes.iter().map(both).collect());
        }
        (Named::Param, [process, reference, ..]) => {
            let task = remote.get(&task_path(process, reference)).await.ok()?;
            let params = task.get("params")?.as_object()?;
            return Some(params.keys().map(|it| (it.clone(), String::new())).collect());
        }
        (Named::Reference | Named::Node | Named::Param | Named::Page, _) => return None,
    };
    let items = remote.list(&path, OFFERED_MAX).await.ok()?;
    Some(items.iter().map(|it| (text(it, name).to_owned(), text(it, about).to_owned())).collect())
}

/// What stands on the line that is being typed.
#[derive(Debug, Default, PartialEq, Eq)]
struct Words {
    /// The words after the verb that are no flags.
    places: Vec<String>,
    /// The flags that say where the server is.
    said: Said,
    config: Option<String>,
}

impl Words {
    /// Reads a line such as `beltline --data d show bitrix`.
    fn read(line: &[String]) -> Words {
        let mut words = Words::default();
        let mut rest = line.iter().skip(1);
        let mut verb = false;
        while let Some(word) = rest.next() {
            let (flag, given) = word.split_once('=').map_or((word.as_str(), None), |(a, b)| (a, Some(b)));
            let mut value = || given.map(str::to_owned).or_else(|| rest.next().cloned());
            match flag {
                "--data" => words.said.push(("data", value().into_iter().collect())),
                "--server" => words.said.push(("server", value().into_iter().collect())),
                "--config" => words.config = value(),
                _ if word.starts_with('-') => {}
                _ if verb => words.places.push(word.clone()),
                _ => verb = true,
            }
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_whose_names_are_wanted() {
        let line = ["beltline", "--data", "d", "show", "--json", "bitrix", "to"].map(str::to_owned);
        let words = Words::read(&line);
        assert_eq!(words.places, ["bitrix", "to"]);
        assert_eq!(words.said, [("data", vec!["d".to_owned()])]);
        assert_eq!(Words::read(&["beltline".to_owned()]), Words::default());
    }
}
