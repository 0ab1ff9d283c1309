//! [`Charset`]: one that a file names, for a partner whose messages name none or a wrong one.

use std::borrow::Cow;
use std::str::FromStr;

use encoding_rs::Encoding;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::model::charset::known;
use crate::model::near::nearest;

/// What most partners mean who do not say it.
const COMMON: [&str; 14] = [
    "utf-8",
    "utf-16le",
    "utf-16be",
    "windows-1250",
    "windows-1251",
    "windows-1252",
    "iso-8859-1",
    "iso-8859-2",
    "koi8-r",
    "koi8-u",
    "shift_jis",
    "euc-jp",
    "gb18030",
    "big5",
];

/// A charset by any of its labels in the WHATWG's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charset(&'static Encoding);

impl Charset {
    /// The content type of a message in this charset, whatever the message says.
    pub fn of(charset: Option<Charset>, content_type: &str) -> Cow<'_, str> {
        match charset {
            None => Cow::Borrowed(content_type),
            Some(Charset(encoding)) => {
                let kind = content_type.split(';').next().unwrap_or_default().trim();
                Cow::Owned(format!("{kind}; charset={}", encoding.name()))
            }
        }
    }
}

impl FromStr for Charset {
    type Err = String;

    fn from_str(label: &str) -> Result<Charset, String> {
        let named = Some(label.trim()).filter(|it| !it.is_empty());
        named.and_then(known).map(Charset).ok_or_else(|| {
            let near = nearest(label, COMMON).map(|near| format!("did you mean `{near}`? "));
            let near = near.unwrap_or_default();
            format!(
                "nobody knows the charset `{label}`; hint: {near}a label of the WHATWG's list, as `koi8-r`"
            )
        })
    }
}

impl Serialize for Charset {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.0.name())
    }
}

impl<'de> Deserialize<'de> for Charset {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Charset {
    fn schema_name() -> Cow<'static, str> {
        "Charset".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "minLength": 1,
            "description": "A charset by any of its labels in the WHATWG's list, such as `windows-1251`."
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_charset_stands_above_what_a_message_says() {
        let russian: Charset = "CP1251".parse().unwrap();
        for (said, meant) in [
            ("", "; charset=windows-1251"),
            ("text/csv", "text/csv; charset=windows-1251"),
            ("text/csv; charset=utf-8; header=present", "text/csv; charset=windows-1251"),
        ] {
            assert_eq!(Charset::of(Some(russian), said), meant);
            assert_eq!(Charset::of(None, said), said);
        }
    }

    #[test]
    fn every_charset_is_kept_under_a_name_that_is_read_again() {
        for label in COMMON {
            let charset: Charset = label.parse().unwrap();
            let kept = serde_json::to_value(charset).unwrap();
            assert_eq!(serde_json::from_value::<Charset>(kept).unwrap(), charset, "{label}");
        }
    }

    #[test]
    fn what_nobody_knows_is_told_with_what_was_most_likely_meant() {
        let told = |label: &str| label.parse::<Charset>().unwrap_err();
        let near = "nobody knows the charset `windows-1521`; hint: did you mean `windows-1251`? a label of \
                    the WHATWG's list, as `koi8-r`";
        assert_eq!(told("windows-1521"), near);
        for label in ["klingon-8", "", " ", "replacement", "iso-2022-kr"] {
            assert!(
                told(label).starts_with(&format!("nobody knows the charset `{label}`; hint: ")),
                "{label}"
            );
        }
    }
}
