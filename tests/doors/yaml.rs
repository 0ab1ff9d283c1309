//! What stands in a process, as JSON and as bare words.

use beltline::process::yaml::read;
use proptest::prelude::*;

use crate::doors::api::told;
use crate::doors::raw::{Raw, same};
use crate::doors::values::all_values;

#[test]
fn a_value_in_yaml() {
    let mut wrong = Vec::new();
    let mut taken = 0;
    for sent in all_values(600) {
        let (tree, problems) = read(&format!("v: {}\n", sent.write()));
        let Some(tree) = tree.filter(|_| problems.is_empty()) else {
            wrong.extend(problems.is_empty().then(|| format!("{} is nothing", sent.write())));
            continue;
        };
        taken += 1;
        let sent = plain_zero(sent);
        let got = Raw::read(&tree.get("v").unwrap().to_value().to_string());
        wrong.extend((!same(&sent, &got)).then(|| format!("{} is read as {}", sent.write(), got.write())));
    }
    told(&wrong);
    assert!(taken > 300, "only {taken} were taken");
}

/// A whole number has one zero in YAML.
fn plain_zero(it: Raw) -> Raw {
    match it {
        Raw::Number(digits) if digits == "-0" => Raw::Number("0".to_owned()),
        Raw::List(items) => Raw::List(items.into_iter().map(plain_zero).collect()),
        Raw::Map(pairs) => Raw::Map(pairs.into_iter().map(|(name, it)| (name, plain_zero(it))).collect()),
        other => other,
    }
}

/// Words that are numbers to one reader or another, and some that are not.
fn words() -> impl Strategy<Value = String> {
    prop_oneof![
        "[-+]?0[xob][0-9a-fA-F]{1,4}",
        "[-+]?[0-9_]{1,6}(\\.[0-9_]{0,5})?([eE][-+]?[0-9]{1,3})?",
        "[-+.0-9eExXoabnulltrueyesNO~_:]{1,10}",
    ]
}

/// The number that a word is in YAML 1.2, if it is one that people write so.
fn whole(word: &str) -> Option<String> {
    let number = match (word.strip_prefix("0x"), word.strip_prefix("0o")) {
        (Some(hex), _) => u64::from_str_radix(hex, 16).ok()?,
        (_, Some(octal)) => u64::from_str_radix(octal, 8).ok()?,
        _ => return None,
    };
    Some(number.to_string())
}

proptest! {
    /// A word without quotes is a number with the same digits, a truth, null, or the very same text.
    #[test]
    fn a_word_in_yaml(word in words()) {
        let (tree, problems) = read(&format!("v: {word}\n"));
        if let Some(tree) = tree.filter(|_| problems.is_empty()) {
            // A word that ends so is a key.
            prop_assume!(!word.ends_with(':') && !word.starts_with("- "));
            let got = Raw::read(&tree.get("v").unwrap().to_value().to_string());
            let lower = word.to_ascii_lowercase();
            let fine = match &got {
                Raw::Null => ["~", "null"].contains(&lower.as_str()),
                Raw::Bool(bool) => lower == bool.to_string(),
                Raw::Number(_) => {
                    let sent = whole(&word).unwrap_or_else(|| word.clone());
                    let sent = if sent.starts_with('.') { format!("0{sent}") } else { sent };
                    let sent = if sent == "-0" { "0".to_owned() } else { sent };
                    same(&Raw::Number(sent), &got)
                }
                Raw::Text(text) => *text == word,
                Raw::List(_) | Raw::Map(_) => false,
            };
            prop_assert!(fine, "{} is read as {}", word, got.write());
        }
    }
}
