//! The JSON Schema of a process file, for editors; and the manual page of each kind. Both are made of what
//! the kinds say of themselves.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::model::kind::KindSpec;
use crate::nodes::KINDS;
use crate::process::file::{CommonFields, File, ParamShape};
use crate::process::hook_shape::HookShape;
use crate::process::schedule_shape::ScheduleShape;

/// The schema of a process file: JSON Schema, draft 2020-12.
pub fn schema() -> Value {
    schema_of(KINDS)
}

/// The manual page of a kind, in Markdown: the head of its source.
pub fn manual(spec: &KindSpec) -> String {
    let head = spec.source.lines().map_while(|line| line.strip_prefix("//!"));
    let lines: Vec<&str> = head.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
    lines.join("\n")
}

/// The YAML examples on a kind's manual page.
pub fn examples(spec: &KindSpec) -> Vec<String> {
    let page = manual(spec);
    let mut examples = Vec::new();
    let mut rest = page.as_str();
    while let Some((_, after)) = rest.split_once("```yaml\n") {
        let (example, after) = after.split_once("```").unwrap_or((after, ""));
        examples.push(example.to_owned());
        rest = after;
    }
    examples
}

/// One field of a node, for the manual.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldDoc {
    /// Its name.
    pub name: String,
    /// Whether it must be given.
    pub required: bool,
    /// What it is for.
    pub about: String,
}

/// The fields of a kind, in the order of its file, without the common ones.
pub fn fields(spec: &KindSpec) -> Vec<FieldDoc> {
    let mut generator = SchemaGenerator::new(SchemaSettings::draft2020_12());
    documented(&as_map((spec.schema)(&mut generator).to_value()))
}

/// The fields that every node may have, beside `kind`.
pub fn common_fields() -> Vec<FieldDoc> {
    let mut generator = SchemaGenerator::new(SchemaSettings::draft2020_12());
    documented(&as_map(CommonFields::json_schema(&mut generator).to_value()))
}

fn documented(schema: &Map<String, Value>) -> Vec<FieldDoc> {
    let required = schema.get("required").and_then(Value::as_array);
    let required: Vec<&str> = required.into_iter().flatten().filter_map(Value::as_str).collect();
    let properties = schema.get("properties").and_then(Value::as_object);
    let field = |(name, it): (&String, &Value)| FieldDoc {
        name: name.clone(),
        required: required.contains(&name.as_str()),
        about: it.get("description").and_then(Value::as_str).unwrap_or_default().replace('\n', " "),
    };
    properties.into_iter().flatten().map(field).collect()
}

/// The schema of a process made of `kinds`.
pub(crate) fn schema_of(kinds: &[KindSpec]) -> Value {
    let mut generator = SchemaGenerator::new(SchemaSettings::draft2020_12());
    let mut file = File::json_schema(&mut generator).to_value();
    let param = generator.subschema_for::<ParamShape>().to_value();
    let hook = generator.subschema_for::<HookShape>().to_value();
    let schedule = generator.subschema_for::<ScheduleShape>().to_value();
    let common = CommonFields::json_schema(&mut generator).to_value();
    let nodes: Vec<Value> = kinds.iter().map(|spec| node(spec, &common, &mut generator)).collect();
    let mut defs = generator.take_definitions(true);
    defs.insert("Node".to_owned(), json!({"description": "A node.", "oneOf": nodes}));
    amend(
        &mut file["properties"]["params"],
        json!({"additionalProperties": {"anyOf": [param, {"type": "null"}]}}),
    );
    let name = json!({"pattern": "^[A-Za-z0-9_-]{1,64}$"});
    let entries = json!({"propertyNames": name, "additionalProperties": hook});
    amend(&mut file["properties"]["hooks"], entries);
    let items = &mut file["properties"]["schedule"];
    amend(items, json!({"items": schedule}));
    items["type"] = json!("array");
    let name = json!({"pattern": "^[A-Za-z0-9_-]{1,64}$"});
    let entries =
        json!({"minProperties": 1, "propertyNames": name, "additionalProperties": {"$ref": "#/$defs/Node"}});
    amend(&mut file["properties"]["nodes"], entries);
    let mut schema = Map::new();
    schema.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
    schema.insert("title".to_owned(), json!("A process of Beltline"));
    schema.extend(as_map(file));
    schema.insert("$defs".to_owned(), Value::Object(defs));
    Value::Object(schema)
}

/// Says of a property that takes anything that it takes an object, and what is in that.
fn amend(property: &mut Value, more: Value) {
    let mut map = Map::new();
    map.extend(property.get("description").map(|it| ("description".to_owned(), it.clone())));
    map.insert("type".to_owned(), json!("object"));
    map.extend(as_map(more));
    *property = Value::Object(map);
}

/// A node of one kind: its own fields and the common ones.
fn node(spec: &KindSpec, common: &Value, generator: &mut SchemaGenerator) -> Value {
    let own = as_map((spec.schema)(generator).to_value());
    let choices = ["oneOf", "anyOf", "allOf", "$ref"].iter().any(|it| own.contains_key(*it));
    let mut properties =
        Map::from_iter([("kind".to_owned(), json!({"const": spec.name, "description": spec.about}))]);
    if !choices {
        properties.extend(own.get("properties").cloned().map(as_map).unwrap_or_default());
    }
    properties.extend(as_map(common["properties"].clone()));
    let mut required = vec![json!("kind")];
    required.extend(own.get("required").and_then(Value::as_array).cloned().unwrap_or_default());
    let about = own.get("description").cloned().unwrap_or_else(|| json!(spec.about));
    let mut node = json!({
        "title": spec.name, "description": about, "type": "object",
        "properties": properties, "required": required,
    });
    if choices {
        let mut own = own;
        own.remove("additionalProperties");
        node["allOf"] = json!([own]);
        node["unevaluatedProperties"] = json!(false);
    } else {
        node["additionalProperties"] = json!(false);
    }
    node
}

fn as_map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::sample;

    #[test]
    fn the_schema_has_every_kind_with_its_fields_and_the_common_ones() {
        let schema = schema_of(sample::KINDS);
        let delay = &schema["$defs"]["Node"]["oneOf"][2];
        insta::assert_snapshot!(serde_json::to_string_pretty(delay).unwrap());
        let mut top = schema.clone();
        top.as_object_mut().unwrap().remove("$defs");
        insta::assert_snapshot!(serde_json::to_string_pretty(&top).unwrap());
        for_each_ref(&schema, &mut |at| assert!(schema.pointer(&at[1..]).is_some(), "{at}"));
    }

    fn for_each_ref(value: &Value, see: &mut impl FnMut(&str)) {
        match value {
            Value::Array(items) => items.iter().for_each(|it| for_each_ref(it, see)),
            Value::Object(map) => map.iter().for_each(|(key, value)| match (key.as_str(), value) {
                ("$ref", Value::String(at)) => see(at),
                _ => for_each_ref(value, see),
            }),
            _ => {}
        }
    }

    #[test]
    fn a_manual_page_is_the_head_of_the_source() {
        let spec = &sample::KINDS[0];
        assert!(manual(spec).starts_with("A few kinds of node"));
        assert_eq!(examples(spec), ["start: {kind: input, next: done}\n", "done: {kind: end}\n"]);
    }
}
