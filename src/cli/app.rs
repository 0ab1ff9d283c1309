//! The command line as a whole: its verbs in a list, its help, and the way from arguments to an exit code.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::cli::complete;
use crate::cli::config::Config;
use crate::cli::env::Env;
use crate::cli::failure::{USAGE, tell};
use crate::cli::flags::{CommonFlags, Said};
use crate::cli::out::Output;
use crate::cli::session::CliSession;
use crate::cli::verbs;
use crate::cli::zones;
use crate::model::calendar::zone;

/// Runs processes: YAML files of named nodes through which tasks move, durably
#[derive(Debug, Parser)]
#[command(name = "beltline", version, arg_required_else_help = true, after_help = EXAMPLES)]
struct Cli {
    #[command(flatten)]
    common: CommonFlags,
    #[command(subcommand)]
    verb: Verb,
}

const EXAMPLES: &str = "\
Examples:
  beltline demo                                     # see it work: a simulated Bitrix24 and all
  beltline serve                                    # run ./processes, keep everything in ./data
  beltline clone bitrix-oauth --as bitrix
  beltline submit bitrix --ref token portal=acme client_id=local.1 client_secret=- scope=crm
  beltline get bitrix token access_token            # the bare value
  beltline show bitrix token                        # where it stands, and how it came there
  beltline channel add author --via telegram chat_id=1234 token=-

Exit codes: 0 done, 1 failed, 2 not understood, 130 and 143 stopped by a second signal.
`beltline VERB --help` tells more.";

#[derive(Debug, Subcommand)]
enum Verb {
    Serve(verbs::run::Serve),
    Demo(verbs::demo::Demo),
    Sim(verbs::sim::Simulate),
    Bench(verbs::bench::Bench),
    Check(verbs::check::CheckArgs),
    Try(verbs::try_out::Try),
    Test(verbs::test::Test),
    Graph(verbs::graph::Graph),
    Schema(verbs::schema::Schema),
    Explain(verbs::explain::Explain),
    Templates(verbs::templates::Templates),
    Clone(verbs::clone::Clone),
    Deploy(verbs::deploy::Deploy),
    Processes(verbs::processes::Processes),
    Schedule(verbs::schedule::ScheduleArgs),
    Pause(verbs::processes::Pause),
    Resume(verbs::processes::Resume),
    Submit(verbs::submit::SubmitArgs),
    List(verbs::list::ListArgs),
    Show(verbs::show::Show),
    Get(verbs::get::Get),
    Modify(verbs::commands::Modify),
    Wake(verbs::commands::Wake),
    Retry(verbs::commands::RetryArgs),
    Move(verbs::commands::Move),
    Cancel(verbs::commands::Cancel),
    Ack(verbs::commands::Ack),
    Tail(verbs::tail::Tail),
    Alarms(verbs::list::Alarms),
    Channel(verbs::channel::ChannelArgs),
    #[command(alias = "secrets")]
    Secret(verbs::secret::SecretArgs),
    Var(verbs::var::Var),
    Token(verbs::token::Token),
    User(verbs::user::User),
    Audit(verbs::audit::Audit),
    Config(verbs::config::ShowConfig),
    Doctor(verbs::doctor::Doctor),
    Completions(verbs::completions::Completions),
    Licenses(verbs::licenses::Licenses),
}

/// The list of verbs as the help shows it. A test keeps it whole.
const GROUPS: [(&str, &[&str]); 5] = [
    ("Run", &["serve", "demo", "sim", "bench"]),
    (
        "Processes",
        &[
            "check",
            "try",
            "test",
            "graph",
            "schema",
            "explain",
            "templates",
            "clone",
            "deploy",
            "processes",
            "schedule",
            "pause",
            "resume",
        ],
    ),
    (
        "Tasks",
        &[
            "submit", "list", "show", "get", "modify", "wake", "retry", "move", "cancel", "ack", "tail",
            "alarms",
        ],
    ),
    ("Set up", &["channel", "secret", "var", "token", "user"]),
    ("Look after it", &["config", "doctor", "audit", "completions", "licenses"]),
];

/// Arguments in, exit code out.
pub fn main() -> ExitCode {
    complete::answer(command);
    let parsed = command().try_get_matches().and_then(|it| Cli::from_arg_matches(&it));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => {
            // With stderr gone there is no one left to tell.
            drop(error.print());
            return if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
        }
    };
    let json = cli.common.json;
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => ExitCode::from(tell(&error, json)),
    }
}

fn run(cli: Cli) -> Result<()> {
    let env = Env::read();
    zone::choose(zones::of_machine());
    let mut said = cli.common.said();
    said.extend(engine_said(&cli.verb));
    let config = Config::gather(&said, cli.common.config.as_deref(), &env)?;
    let session =
        CliSession { config, out: Output::new(cli.common.json, env.no_color()), no_color: env.no_color() };
    if let Verb::Completions(verb) = cli.verb {
        return verb.run(&session.out);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.context("the runtime does not start")?;
    let done = runtime.block_on(dispatch(cli.verb, &session));
    // What still blocks, such as a question at the terminal, is not waited for.
    runtime.shutdown_background();
    done
}

fn engine_said(verb: &Verb) -> Said {
    match verb {
        Verb::Serve(verb) => verb.engine.said(),
        Verb::Config(verb) => verb.engine.said(),
        _ => Said::new(),
    }
}

async fn dispatch(verb: Verb, session: &CliSession) -> Result<()> {
    match verb {
        Verb::Serve(verb) => verb.run(session).await,
        Verb::Demo(verb) => verb.run(session).await,
        Verb::Sim(verb) => verb.run(session).await,
        Verb::Bench(verb) => verb.run(session).await,
        Verb::Check(verb) => verb.run(session).await,
        Verb::Try(verb) => verb.run(session).await,
        Verb::Test(verb) => verb.run(session).await,
        Verb::Graph(verb) => verb.run(session).await,
        Verb::Schema(verb) => verb.run(session).await,
        Verb::Explain(verb) => verb.run(session),
        Verb::Templates(verb) => verb.run(session).await,
        Verb::Clone(verb) => verb.run(session).await,
        Verb::Deploy(verb) => verb.run(session).await,
        Verb::Processes(verb) => verb.run(session).await,
        Verb::Schedule(verb) => verb.run(session).await,
        Verb::Pause(verb) => verb.run(session).await,
        Verb::Resume(verb) => verb.run(session).await,
        Verb::Submit(verb) => verb.run(session).await,
        Verb::List(verb) => verb.run(session).await,
        Verb::Show(verb) => verb.run(session).await,
        Verb::Get(verb) => verb.run(session).await,
        Verb::Modify(verb) => verb.run(session).await,
        Verb::Wake(verb) => verb.run(session).await,
        Verb::Retry(verb) => verb.run(session).await,
        Verb::Move(verb) => verb.run(session).await,
        Verb::Cancel(verb) => verb.run(session).await,
        Verb::Ack(verb) => verb.run(session).await,
        Verb::Tail(verb) => verb.run(session).await,
        Verb::Alarms(verb) => verb.run(session).await,
        Verb::Channel(verb) => verb.run(session).await,
        Verb::Secret(verb) => verb.run(session).await,
        Verb::Var(verb) => verb.run(session).await,
        Verb::Token(verb) => verb.run(session).await,
        Verb::User(verb) => verb.run(session).await,
        Verb::Audit(verb) => verb.run(session).await,
        Verb::Config(verb) => verb.run(session).await,
        Verb::Doctor(verb) => verb.run(session).await,
        Verb::Completions(verb) => verb.run(&session.out),
        Verb::Licenses(verb) => verb.run(session),
    }
}

/// The command with its verbs in groups, which clap cannot do by itself.
pub fn command() -> clap::Command {
    let command = Cli::command();
    let mut lines = Vec::new();
    for (title, names) in GROUPS {
        lines.push(format!("{title}:"));
        for verb in names.iter().filter_map(|name| command.find_subcommand(name)) {
            let about = verb.get_about().map(ToString::to_string).unwrap_or_default();
            lines.push(format!("  {:<12} {about}", verb.get_name()));
        }
        lines.push(String::new());
    }
    let list = lines.join("\n");
    let template =
        format!("{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{list}\n{{options}}\n{{after-help}}");
    command.help_template(template)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_holds_together() {
        command().debug_assert();
    }

    #[test]
    fn every_verb_stands_in_the_help_once() {
        let mut listed: Vec<&str> = GROUPS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        let command = Cli::command();
        let mut verbs: Vec<&str> =
            command.get_subcommands().map(clap::Command::get_name).filter(|it| *it != "help").collect();
        listed.sort_unstable();
        verbs.sort_unstable();
        assert_eq!(listed, verbs);
    }
}
