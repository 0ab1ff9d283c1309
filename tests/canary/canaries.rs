//! [`Canaries`]: the secrets of the story, in every form in which one could get out.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// The secrets, by what they are.
#[derive(Default)]
pub(super) struct Canaries(Vec<(&'static str, String)>);

impl Canaries {
    /// One more, that the test made up or the other side gave out.
    pub(super) fn add(&mut self, what: &'static str, value: &str) -> String {
        assert!(value.len() >= 20, "{what} is too short to be looked for");
        self.0.push((what, value.to_owned()));
        value.to_owned()
    }

    /// What of them is in `bytes`.
    pub(super) fn in_bytes(&self, bytes: &[u8]) -> BTreeSet<&'static str> {
        let sings = |value: &String| forms(value).iter().any(|form| holds(bytes, form.as_bytes()));
        self.0.iter().filter(|(_, value)| sings(value)).map(|(what, _)| *what).collect()
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }
}

pub(super) fn holds(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|it| it == word)
}

fn forms(value: &str) -> Vec<String> {
    let json = serde_json::Value::from(value).to_string();
    let percent = utf8_percent_encode(value, NON_ALPHANUMERIC).to_string();
    let form = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
    let basic = STANDARD.encode(format!("bot:{value}"));
    let trimmed = json.trim_matches('"').to_owned();
    vec![value.to_owned(), value.to_lowercase(), trimmed, percent, form, STANDARD.encode(value), basic]
}

#[test]
fn a_canary_is_found_in_every_form() {
    let mut canaries = Canaries::default();
    let value = canaries.add("a password", "Sing+like/a \"bird\" in a mine");
    for form in forms(&value) {
        assert_eq!(canaries.in_bytes(format!("x{form}y").as_bytes()).len(), 1, "{form}");
    }
    assert!(canaries.in_bytes(b"Sing like a bird").is_empty());
}
