//! [`Draft`]: a value as it is written in YAML, with holes and expressions anywhere in it.

use serde_json::Value;

use crate::model::fault::Fault;
use crate::model::mistake::Mistake;
use crate::model::scope::View;

/// A value with holes.
#[derive(Clone, Debug)]
pub struct Draft {}

impl Draft {
    /// Compiles every text in `value`.
    pub fn new(_value: &Value) -> Result<Draft, Mistake> {
        todo!()
    }
    /// The value with everything filled in.
    pub fn fill(&self, _view: &View) -> Result<Value, Fault> {
        todo!()
    }
    /// The same as text: strings as they are, all else as JSON.
    pub fn text(&self, _view: &View) -> Result<String, Fault> {
        todo!()
    }
}

impl<'de> serde::Deserialize<'de> for Draft {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let value = <Value as serde::Deserialize>::deserialize(from)?;
        Draft::new(&value).map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for Draft {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Draft".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({})
    }
}
