//! `~` in a path: a shell makes a home of it where it begins a word, and nobody does in `--data=~/x`, in a
//! variable of a unit file, and in `beltline.yaml`.

use anyhow::Result;

use crate::cli::env::Env;
use crate::cli::failure::Usage;

/// The path that `text` means, where `name` is what it is given for.
///
/// # Errors
/// [`Usage`] for the home of somebody else, and for a home that is not known.
pub fn expanded(name: &str, text: &str, env: &Env) -> Result<String> {
    let Some(rest) = text.strip_prefix('~') else { return Ok(text.to_owned()) };
    if !rest.is_empty() && !rest.starts_with('/') {
        let hint = "hint: write the whole path, or ./~… for a name that begins so";
        return Err(Usage(format!("`{name}` is `{text}`, and only `~/` is known for a home; {hint}")).into());
    }
    match env.get("HOME") {
        Some(home) => Ok(format!("{}{rest}", home.trim_end_matches('/'))),
        None => {
            Err(Usage(format!("`{name}` is `{text}`, and HOME is not set; hint: write the whole path"))
                .into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tilde_is_a_home_or_a_problem() {
        let env = Env::from([("HOME", "/home/ada/")]);
        for (text, path) in [("~/d", "/home/ada/d"), ("~", "/home/ada"), ("d/~", "d/~"), ("./~d", "./~d")] {
            assert_eq!(expanded("data", text, &env).unwrap(), path);
        }
        let said = |text, env: &Env| expanded("data", text, env).unwrap_err().to_string();
        assert!(said("~ada/d", &env).contains("`data` is `~ada/d`"));
        assert!(said("~/d", &Env::default()).contains("HOME is not set"));
    }
}
