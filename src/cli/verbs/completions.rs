//! `completions`: for the shell.

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use clap_complete::env::Shells;

use crate::cli::out::Output;

/// Print completions for a shell; they know the names on the server
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  beltline completions bash > ~/.local/share/bash-completion/completions/beltline
  beltline completions zsh > ~/.zfunc/_beltline
  beltline completions fish > ~/.config/fish/completions/beltline.fish")]
pub struct Completions {
    /// The shell
    shell: Shell,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
    Elvish,
    Powershell,
}

impl Completions {
    /// Prints what makes the shell ask this program.
    pub fn run(self, out: &Output) -> Result<()> {
        let name = match self.shell {
            Shell::Bash => "bash",
            Shell::Zsh => "zsh",
            Shell::Fish => "fish",
            Shell::Elvish => "elvish",
            Shell::Powershell => "powershell",
        };
        let shells = Shells::builtins();
        let shell = shells.completer(name).with_context(|| format!("{name} is not known here"))?;
        let mut script = Vec::new();
        shell.write_registration("COMPLETE", "beltline", "beltline", "beltline", &mut script)?;
        out.raw(&script)
    }
}
