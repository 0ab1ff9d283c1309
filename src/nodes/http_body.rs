//! What an `http` node's request carries: the shapes of `form`, `json`, `body`, `xml` and `multipart`, and
//! how they are filled.

use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Value, json};

use crate::model::effect::{Body, Content, MultipartField};
use crate::model::fault::Fault;
use crate::model::scope::EvalContext;
use crate::model::text::StringTemplate;
use crate::model::value::ValueTemplate;
use crate::model::xml;
use crate::nodes::fields::{Drafts, texts};

/// What a request carries.
#[derive(Debug)]
pub enum Carried {
    /// Nothing.
    None,
    /// `form`.
    Form(Drafts),
    /// `json`.
    Json(ValueTemplate),
    /// `body`.
    Body(BodyShape),
    /// `xml`.
    Xml(XmlShape),
    /// `multipart`.
    Multipart(PartsShape),
}

impl Carried {
    /// The body, filled in.
    pub fn fill(&self, view: &EvalContext) -> Result<Body, Fault> {
        match self {
            Carried::None => Ok(Body::None),
            Carried::Form(form) => texts(form, view).map(Body::Form),
            Carried::Json(json) => json.fill(view).map(Body::Json),
            Carried::Body(BodyShape::Text(text)) => text.fill(view).map(Body::Text),
            Carried::Body(BodyShape::Raw { r#type, content }) => {
                Ok(Body::Raw { content_type: r#type.fill(view)?, content: content.fill(view)? })
            }
            Carried::Xml(XmlShape::Value(value)) => value.fill(view).map(Body::Xml),
            Carried::Xml(XmlShape::Text(text)) => text.fill_escaped(view, xml::escaped).map(Body::XmlText),
            Carried::Multipart(parts) => {
                let filled = parts.0.iter().map(|(name, part)| part.fill(name, view));
                filled.collect::<Result<_, _>>().map(Body::Multipart)
            }
        }
    }
}

/// A text, or bytes or a text of some content type.
#[derive(Debug)]
pub enum BodyShape {
    /// Text as it is.
    Text(StringTemplate),
    /// `{type, text}` or `{type, base64}`.
    Raw {
        /// The content type.
        r#type: StringTemplate,
        /// What is sent.
        content: ContentShape,
    },
}

/// What is sent, filled later.
#[derive(Debug)]
pub enum ContentShape {
    /// The text.
    Text(ValueTemplate),
    /// The bytes that this is the Base64 of.
    Base64(ValueTemplate),
}

impl ContentShape {
    fn of<E: de::Error>(
        text: Option<ValueTemplate>,
        base64: Option<ValueTemplate>,
    ) -> Result<ContentShape, E> {
        match (text, base64) {
            (Some(text), None) => Ok(ContentShape::Text(text)),
            (None, Some(base64)) => Ok(ContentShape::Base64(base64)),
            _ => Err(E::custom("what is sent is one of `text` and `base64`")),
        }
    }

    fn fill(&self, view: &EvalContext) -> Result<Content, Fault> {
        match self {
            ContentShape::Text(text) => text.text(view).map(Content::Text),
            ContentShape::Base64(base64) => base64.text(view).map(Content::Base64),
        }
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawShape {
    /// The content type, such as `text/csv`.
    r#type: StringTemplate,
    /// What is sent.
    text: Option<ValueTemplate>,
    /// What is sent, in Base64.
    base64: Option<ValueTemplate>,
}

impl<'de> Deserialize<'de> for BodyShape {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visit;
        impl<'de> Visitor<'de> for Visit {
            type Value = BodyShape;
            fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
                to.write_str("a text, or `{type, text}` or `{type, base64}`")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<BodyShape, E> {
                StringTemplate::parse(text).map(BodyShape::Text).map_err(E::custom)
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<BodyShape, A::Error> {
                let RawShape { r#type, text, base64 } =
                    RawShape::deserialize(MapAccessDeserializer::new(map))?;
                Ok(BodyShape::Raw { r#type, content: ContentShape::of(text, base64)? })
            }
        }
        from.deserialize_any(Visit)
    }
}

impl JsonSchema for BodyShape {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Body".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let raw = generator.subschema_for::<RawShape>();
        schemars::json_schema!({"anyOf": [{"type": "string"}, raw]})
    }
}

/// A document as a value, or as text with placeholders.
#[derive(Debug)]
pub enum XmlShape {
    /// Made of a value.
    Value(ValueTemplate),
    /// Written out; placeholders are escaped.
    Text(StringTemplate),
}

impl<'de> Deserialize<'de> for XmlShape {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(from)?;
        match &value {
            Value::String(text) if !text.trim_start().starts_with('=') => {
                let text = StringTemplate::parse(text).map_err(de::Error::custom)?;
                if text.has_blocks() {
                    let hint = "hint: make the document of a value, or make the text in a `set` before";
                    return Err(de::Error::custom(format!("blocks and helpers cannot be escaped; {hint}")));
                }
                if let Some(document) = text.literal() {
                    xml::read(document).map_err(|why| de::Error::custom(format!("the XML {why}")))?;
                }
                Ok(XmlShape::Text(text))
            }
            value => {
                let draft = ValueTemplate::new(value).map_err(de::Error::custom)?;
                if let Some(document) = draft.literal() {
                    xml::write(document).map_err(|why| de::Error::custom(format!("the XML {why}")))?;
                }
                Ok(XmlShape::Value(draft))
            }
        }
    }
}

impl JsonSchema for XmlShape {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Xml".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "anyOf": [{"type": "string"}, {"type": "object", "minProperties": 1, "maxProperties": 1}]
        })
    }
}

/// The parts of a body, in the order they are written: some providers want the file last.
#[derive(Debug)]
pub struct PartsShape(Vec<(String, PartShape)>);

#[derive(Debug)]
struct PartShape {
    content: ContentShape,
    file: Option<StringTemplate>,
    r#type: Option<StringTemplate>,
}

impl PartShape {
    fn fill(&self, name: &str, view: &EvalContext) -> Result<MultipartField, Fault> {
        Ok(MultipartField {
            name: name.to_owned(),
            content: self.content.fill(view)?,
            file: self.file.as_ref().map(|it| it.fill(view)).transpose()?,
            content_type: self.r#type.as_ref().map(|it| it.fill(view)).transpose()?,
        })
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct FileShape {
    /// The file's name.
    file: Option<StringTemplate>,
    /// The content type, such as `image/png`.
    r#type: Option<StringTemplate>,
    /// What is in it.
    text: Option<ValueTemplate>,
    /// What is in it, in Base64.
    base64: Option<ValueTemplate>,
}

impl PartsShape {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'de> Deserialize<'de> for PartsShape {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visit;
        impl<'de> Visitor<'de> for Visit {
            type Value = PartsShape;
            fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
                to.write_str("a map of parts: `name: text` or `name: {file, type, text}`")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<PartsShape, A::Error> {
                let mut parts = Vec::new();
                while let Some((name, named)) = map.next_entry::<String, Named>()? {
                    parts.extend(named.0.into_iter().map(|part| (name.clone(), part)));
                }
                Ok(PartsShape(parts))
            }
        }
        from.deserialize_map(Visit)
    }
}

impl JsonSchema for PartsShape {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Parts".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let file = generator.subschema_for::<FileShape>();
        let one = json!({"anyOf": [{"type": ["string", "number", "boolean"]}, file]});
        schemars::json_schema!({
            "type": "object",
            "additionalProperties": {"anyOf": [one, {"type": "array", "items": one}]}
        })
    }
}

/// The parts of one name: a field, a file, or a list of them.
struct Named(Vec<PartShape>);

impl<'de> Deserialize<'de> for Named {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visit;
        fn field<E: de::Error>(value: impl Into<Value>) -> Result<Named, E> {
            let text = ValueTemplate::new(&value.into()).map_err(E::custom)?;
            Ok(Named(vec![PartShape { content: ContentShape::Text(text), file: None, r#type: None }]))
        }
        impl<'de> Visitor<'de> for Visit {
            type Value = Named;
            fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
                to.write_str("a text, `{file, type, text}` or `{file, type, base64}`, or a list of such")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Named, E> {
                field(text)
            }
            fn visit_bool<E: de::Error>(self, bool: bool) -> Result<Named, E> {
                field(bool)
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Named, E> {
                field(number)
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Named, E> {
                field(number)
            }
            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Named, E> {
                field(number)
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Named, A::Error> {
                let FileShape { file, r#type, text, base64 } =
                    FileShape::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Named(vec![PartShape { content: ContentShape::of(text, base64)?, file, r#type }]))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Named, A::Error> {
                let mut parts = Vec::new();
                while let Some(Named(more)) = items.next_element()? {
                    parts.extend(more);
                }
                Ok(Named(parts))
            }
        }
        from.deserialize_any(Visit)
    }
}
