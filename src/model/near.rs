//! "Did you mean …?": the nearest of the names that are known.

/// The name among `known` that `word` was most likely meant to be.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    let apart = |name: &str| match name.to_lowercase() {
        name if name == lower => 0,
        name => strsim::osa_distance(&name, &lower),
    };
    let near = known.into_iter().map(|name| (apart(name), name)).min_by_key(|(apart, _)| *apart)?;
    (near.0 <= reach(word)).then_some(near.1)
}

/// How many slips of the finger a word of that length may hold.
fn reach(word: &str) -> usize {
    match word.chars().count() {
        0..=2 => 0,
        3 | 4 => 1,
        5..=8 => 2,
        _ => 3,
    }
}

/// The hint for a word that is none of `known`: the nearest, and what there is.
pub fn hint(word: &str, known: &[&str], list: &str) -> Option<String> {
    let all = || known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    match (nearest(word, known.iter().copied()), known.len()) {
        (_, 0) => None,
        (Some(near), _) => Some(format!("did you mean `{near}`? {list}: {}", all())),
        (None, _) => Some(format!("{list}: {}", all())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_seen_and_another_word_is_not() {
        let known = ["next", "url", "method", "on_error"];
        for (word, meant) in [("nxt", "next"), ("Next", "next"), ("metod", "method"), ("on_eror", "on_error")]
        {
            assert_eq!(nearest(word, known), Some(meant), "{word}");
        }
        for word in ["", "x", "ul", "body", "timeout"] {
            assert_eq!(nearest(word, known), None, "{word}");
        }
    }
}
