//! What somebody may have meant who wrote a name wrongly.

/// A name less like than this is another name.
const LIKENESS_MIN: f64 = 0.7;

/// The known name that is most like `name`, if one is like it at all.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = name.to_lowercase();
    let likeness = |it: &str| strsim::jaro_winkler(&lower, &it.to_lowercase());
    let near =
        known.into_iter().map(|it| (likeness(it), it)).filter(|(likeness, _)| *likeness >= LIKENESS_MIN);
    near.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, it)| it)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_understood_and_another_name_is_not() {
        let known = ["bitrix", "bitrix-lead", "hello"];
        assert_eq!(nearest("bitrx", known), Some("bitrix"));
        assert_eq!(nearest("Hello", known), Some("hello"));
        assert_eq!(nearest("quarterly", known), None);
    }
}
