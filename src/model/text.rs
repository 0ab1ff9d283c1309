//! [`Text`]: a string with `{{holes}}`, compiled once, filled from a [`View`].

use serde_json::Value;

use crate::model::fault::Fault;
use crate::model::mistake::Mistake;
use crate::model::scope::View;

/// A compiled text.
#[derive(Clone, Debug)]
pub struct Text {}

impl Text {
    /// Compiles `text`.
    pub fn parse(_text: &str) -> Result<Text, Mistake> {
        todo!()
    }
    /// The text as it was written.
    pub fn source(&self) -> &str {
        todo!()
    }
    /// The text with every hole filled.
    pub fn fill(&self, _view: &View) -> Result<String, Fault> {
        todo!()
    }
    /// The same for a URL: holes are percent-encoded, but one at the very start and `{{{raw}}}`.
    pub fn fill_url(&self, _view: &View) -> Result<String, Fault> {
        todo!()
    }
    /// The same, but a text that is one hole alone keeps its JSON type.
    pub fn value(&self, _view: &View) -> Result<Value, Fault> {
        todo!()
    }
}

impl<'de> serde::Deserialize<'de> for Text {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Text::parse(&text).map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for Text {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Text".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string"})
    }
}
