//! [`Expr`]: a Jinja expression, compiled once, evaluated on a [`View`].

use serde_json::Value;

use crate::model::fault::Fault;
use crate::model::mistake::Mistake;
use crate::model::scope::View;

/// A compiled expression.
#[derive(Clone, Debug)]
pub struct Expr {}

impl Expr {
    /// Compiles `text`.
    pub fn parse(_text: &str) -> Result<Expr, Mistake> {
        todo!()
    }
    /// Its value.
    pub fn eval(&self, _view: &View) -> Result<Value, Fault> {
        todo!()
    }
    /// Its value, which must be true or false.
    pub fn truth(&self, _view: &View) -> Result<bool, Fault> {
        todo!()
    }
}

impl<'de> serde::Deserialize<'de> for Expr {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Expr::parse(&text).map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for Expr {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Expr".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string"})
    }
}

/// As it was written.
impl std::fmt::Display for Expr {
    fn fmt(&self, _to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        todo!()
    }
}
