//! XML as a value, and back.
//!
//! A document is a map with one key, its root. An element is a map: `@name` is an attribute, `#text` its
//! text, every other key a child; children of one name are a list. An element of text alone is that text, an
//! empty one is null. `<a n="1"><b>x</b><b>y</b></a>` is `{"a": {"@n": "1", "b": ["x", "y"]}}`. Values of
//! XML are texts; prefixes are part of the names, and comments and instructions are left out. There are no
//! entities but the five that need no declaration: a document with a DTD is refused.

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion, escape};
use serde_json::{Map, Value};

/// The deepest an element may stand, as with JSON.
const DEPTH_MAX: usize = 128;
/// An XML declaration is at the very beginning, and short.
const DECLARATION_BYTES_MAX: usize = 200;
/// The most attributes an element may have: each is compared with those before it.
const ATTRIBUTES_MAX: usize = 1_000;
/// The key of an element's text.
const TEXT: &str = "#text";
/// What the key of an attribute begins with.
const ATTRIBUTE: char = '@';

/// An element that is not closed yet.
struct Open {
    name: String,
    members: Map<String, Value>,
    text: String,
}

/// The value of a document.
///
/// # Errors
/// Why it is none, in words that follow "the XML".
pub fn read(text: &str) -> Result<Value, String> {
    let mut reader = Reader::from_str(text.trim_start_matches('\u{FEFF}'));
    let mut open: Vec<Open> = Vec::new();
    let mut root: Option<Map<String, Value>> = None;
    loop {
        let at = reader.buffer_position();
        let event = reader.read_event().map_err(|why| format!("cannot be read at byte {at}: {why}"))?;
        match event {
            Event::Start(tag) => open.push(begin(&tag, open.len(), root.is_some())?),
            Event::Empty(tag) => {
                let element = begin(&tag, open.len(), root.is_some())?;
                close(element, &mut open, &mut root);
            }
            // The reader has seen to it that the names are the same.
            Event::End(_) => {
                if let Some(element) = open.pop() {
                    close(element, &mut open, &mut root);
                }
            }
            Event::Text(text) => say(&mut open, &text.xml10_content(), at)?,
            Event::CData(text) => say(&mut open, &text.xml10_content(), at)?,
            Event::GeneralRef(name) => {
                let said = match name.resolve_char_ref() {
                    Ok(Some(char)) => char.to_string(),
                    Ok(None) => predefined(&name.xml10_content())?.to_owned(),
                    Err(why) => return Err(format!("names no character at byte {at}: {why}")),
                };
                say(&mut open, &said, at)?;
            }
            Event::DocType(_) => return Err("has a DTD, which is not read".to_owned()),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
            Event::Eof => break,
        }
    }
    match (open.last(), root) {
        (Some(open), _) => Err(format!("ends before `{}` does", open.name)),
        (None, None) => Err("has no element".to_owned()),
        (None, Some(root)) => Ok(Value::Object(root)),
    }
}

fn begin(tag: &BytesStart, depth: usize, over: bool) -> Result<Open, String> {
    if depth >= DEPTH_MAX {
        return Err(format!("is deeper than {DEPTH_MAX} elements"));
    }
    if depth == 0 && over {
        return Err("has more than one root".to_owned());
    }
    let name = tag.name().0.to_owned();
    own_name(&name)?;
    let mut members = Map::new();
    for (nth, attribute) in tag.attributes().enumerate() {
        if nth >= ATTRIBUTES_MAX {
            return Err(format!("has more than {ATTRIBUTES_MAX} attributes at `{name}`"));
        }
        let attribute = attribute.map_err(|why| format!("has a bad attribute at `{name}`: {why}"))?;
        let value = attribute.normalized_value(XmlVersion::Implicit1_0);
        let value = value.map_err(|why| format!("has a bad attribute at `{name}`: {why}"))?;
        own_name(attribute.key.0)?;
        told(&value).map_err(|why| format!("{why} at `{name}`"))?;
        members.insert(format!("{ATTRIBUTE}{}", attribute.key.0), Value::from(value.into_owned()));
    }
    Ok(Open { name, members, text: String::new() })
}

/// Refuses a name that the value has another meaning for: `<@n>` would be taken for an attribute.
fn own_name(name: &str) -> Result<(), String> {
    match name.starts_with([ATTRIBUTE, '#']) {
        true => Err(format!("cannot name anything `{}`", name.escape_debug())),
        false => Ok(()),
    }
}

fn say(open: &mut [Open], said: &str, at: u64) -> Result<(), String> {
    told(said).map_err(|why| format!("{why} at byte {at}"))?;
    match open.last_mut() {
        Some(element) => element.text.push_str(said),
        None if said.trim().is_empty() => {}
        None => return Err(format!("has text outside of its root at byte {at}")),
    }
    Ok(())
}

fn predefined(name: &str) -> Result<&'static str, String> {
    escape::resolve_xml_entity(name).ok_or_else(|| format!("names the entity `&{name};`, which is not read"))
}

/// Puts an element that ended where it belongs.
fn close(element: Open, open: &mut [Open], root: &mut Option<Map<String, Value>>) {
    let Open { name, mut members, text } = element;
    // Blanks between children are layout; text that stands alone is kept as it is.
    let mixed = members.keys().any(|it| !it.starts_with(ATTRIBUTE));
    let text = if mixed { text.trim().to_owned() } else { text };
    let value = match (members.is_empty(), text.is_empty()) {
        (true, true) => Value::Null,
        (true, false) => Value::from(text),
        (false, true) => Value::Object(members),
        (false, false) => {
            members.insert(TEXT.to_owned(), Value::from(text));
            Value::Object(members)
        }
    };
    match open.last_mut() {
        Some(parent) => add(&mut parent.members, name, value),
        None => *root = Some(Map::from_iter([(name, value)])),
    }
}

/// A second child of one name makes a list of the first.
fn add(members: &mut Map<String, Value>, name: String, value: Value) {
    match members.get_mut(&name) {
        None => {
            members.insert(name, value);
        }
        // A child is never a list by itself.
        Some(Value::Array(items)) => items.push(value),
        Some(first) => {
            let items = vec![first.take(), value];
            *first = Value::Array(items);
        }
    }
}

/// The document of a value.
///
/// # Errors
/// Why there is none, in words that follow "the XML".
pub fn write(value: &Value) -> Result<String, String> {
    let one = || "is made of a map with one key, its root".to_owned();
    let root = value.as_object().filter(|map| map.len() == 1).ok_or_else(one)?;
    let (name, value) = root.iter().next().ok_or_else(one)?;
    if value.is_array() {
        return Err("has one root, and not a list of them".to_owned());
    }
    let mut out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned();
    element(name, value, 0, &mut out)?;
    Ok(out)
}

fn element(name: &str, value: &Value, depth: usize, out: &mut String) -> Result<(), String> {
    if depth >= DEPTH_MAX {
        return Err(format!("is deeper than {DEPTH_MAX} elements"));
    }
    check_name(name)?;
    match value {
        Value::Array(items) => items.iter().try_for_each(|item| match item {
            Value::Array(_) => Err(format!("has a list in a list at `{name}`")),
            item => element(name, item, depth, out),
        }),
        Value::Null => {
            out.extend(["<", name, "/>"]);
            Ok(())
        }
        Value::Object(members) => members_of(name, members, depth, out),
        Value::String(_) | Value::Number(_) | Value::Bool(_) => {
            out.extend(["<", name, ">"]);
            out.push_str(&plain(name, value)?);
            out.extend(["</", name, ">"]);
            Ok(())
        }
    }
}

fn members_of(
    name: &str,
    members: &Map<String, Value>,
    depth: usize,
    out: &mut String,
) -> Result<(), String> {
    out.extend(["<", name]);
    for (key, value) in members {
        if let Some(attribute) = key.strip_prefix(ATTRIBUTE) {
            check_name(attribute)?;
            let value = plain(key, value)?.replace('\n', "&#10;").replace('\t', "&#9;");
            out.extend([" ", attribute, "=\"", &value, "\""]);
        }
    }
    if members.keys().all(|key| key.starts_with(ATTRIBUTE)) {
        out.push_str("/>");
        return Ok(());
    }
    out.push('>');
    for (key, value) in members.iter().filter(|(key, _)| !key.starts_with(ATTRIBUTE)) {
        match key.as_str() {
            TEXT => out.push_str(&plain(name, value)?),
            child => element(child, value, depth + 1, out)?,
        }
    }
    out.extend(["</", name, ">"]);
    Ok(())
}

/// A scalar as it stands between tags and in quotes.
fn plain(name: &str, value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => escaped(text).map_err(|why| format!("{why} at `{name}`")),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(bool) => Ok(bool.to_string()),
        Value::Null => Ok(String::new()),
        Value::Array(_) | Value::Object(_) => {
            Err(format!("has a list or a map where text stands, at `{name}`"))
        }
    }
}

/// `text` as it stands in XML, whether between tags or in quotes.
///
/// # Errors
/// It holds a character that XML has no way to write.
pub fn escaped(text: &str) -> Result<String, String> {
    told(text)?;
    // A bare carriage return is read as a line break.
    Ok(escape::escape(text).replace('\r', "&#13;"))
}

/// Refuses what no document may hold, not even as a reference to its number: what is read can be written.
fn told(text: &str) -> Result<(), String> {
    let blank = |it: char| matches!(it, '\t' | '\n' | '\r');
    let bad = |it: char| (it < ' ' && !blank(it)) || matches!(it, '\u{fffe}' | '\u{ffff}');
    match text.contains(bad) {
        true => Err("holds a control character, which XML cannot write,".to_owned()),
        false => Ok(()),
    }
}

fn check_name(name: &str) -> Result<(), String> {
    let first = |it: char| it.is_alphabetic() || matches!(it, '_' | ':');
    let more = |it: char| first(it) || it.is_numeric() || matches!(it, '-' | '.' | '\u{b7}');
    match name.starts_with(first) && name.chars().all(more) {
        true => Ok(()),
        false => Err(format!("cannot name anything `{}`", name.escape_debug())),
    }
}

/// The encoding that an XML document declares.
pub fn declared(bytes: &[u8]) -> Option<String> {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(DECLARATION_BYTES_MAX)]).into_owned();
    let declaration = head.strip_prefix("<?xml")?.split_once("?>")?.0.to_owned();
    let value = declaration.split_once("encoding")?.1.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|it| matches!(it, '"' | '\''))?;
    value[1..].split_once(quote).map(|(name, _)| name.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_document_is_a_value() {
        for (text, value) in [
            ("<a/>", json!({"a": null})),
            ("<a></a>", json!({"a": null})),
            ("<a> 1 &lt; 2 &#x41; </a>", json!({"a": " 1 < 2 A "})),
            ("<a><![CDATA[<b>&]]></a>", json!({"a": "<b>&"})),
            ("<a n='1'>x</a>", json!({"a": {"@n": "1", "#text": "x"}})),
            ("<a n=\"&quot;\"/>", json!({"a": {"@n": "\""}})),
            (
                "\u{FEFF}<?xml version='1.0'?>\n<a><!-- no -->\n <b>x</b>\n <c/> <b>y</b><b/></a>\n",
                json!({"a": {"b": ["x", "y", null], "c": null}}),
            ),
            ("<s:E xmlns:s='urn:x'><s:B>1</s:B></s:E>", json!({"s:E": {"@xmlns:s": "urn:x", "s:B": "1"}})),
            ("<p>one <b>two</b> three</p>", json!({"p": {"b": "two", "#text": "one  three"}})),
        ] {
            assert_eq!(read(text), Ok(value), "{text}");
        }
    }

    #[test]
    fn what_is_no_document_says_why() {
        for (text, why) in [
            ("", "no element"),
            ("hello", "outside of its root"),
            ("<a>", "ends before `a`"),
            ("<a></b>", "cannot be read at byte"),
            ("<a/><b/>", "more than one root"),
            ("<a x=1/>", "bad attribute at `a`"),
            ("<a x='1' x='2'/>", "bad attribute at `a`"),
            ("<a><@n>1</@n></a>", "cannot name anything `@n`"),
            ("<a><#text>1</#text></a>", "cannot name anything `#text`"),
            ("<a @n='1'/>", "cannot name anything `@n`"),
            ("<a>&#1;</a>", "control character"),
            ("<a>\u{1}</a>", "control character"),
            ("<a n='\u{b}'/>", "control character"),
            ("<a><![CDATA[\u{1f}]]></a>", "control character"),
            ("<a>&#xFFFE;</a>", "control character"),
            ("<a>&secret;</a>", "entity `&secret;`"),
            ("<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;</a>", "has a DTD"),
        ] {
            let said = read(text).unwrap_err();
            assert!(said.contains(why), "{text}: {said}");
        }
        let deep = "<a>".repeat(DEPTH_MAX + 1) + &"</a>".repeat(DEPTH_MAX + 1);
        assert!(read(&deep).unwrap_err().contains("deeper than"), "{deep}");
    }

    #[test]
    fn a_value_is_a_document() {
        let value =
            json!({"order": {"@id": 7, "item": ["a & b", {"@n": "\"", "#text": true}], "none": null}});
        let text = write(&value).unwrap();
        let wanted = "<order id=\"7\"><item>a &amp; b</item><item n=\"&quot;\">true</item><none/></order>";
        assert_eq!(text.split_once('\n').unwrap().1, wanted);
        for (value, why) in [
            (json!([]), "one key"),
            (json!({"a": 1, "b": 2}), "one key"),
            (json!({"a": [1, 2]}), "one root"),
            (json!({"a": {"b": [[1]]}}), "list in a list at `b`"),
            (json!({"a b": 1}), "cannot name anything `a b`"),
            (json!({"a": {"@x y": 1}}), "cannot name anything `x y`"),
            (json!({"a": {"@x": {}}}), "where text stands"),
            (json!({"a": "\u{1}"}), "control character"),
        ] {
            let said = write(&value).unwrap_err();
            assert!(said.contains(why), "{value}: {said}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_as_it_was(text in "[^\\p{C}]{1,20}[a\n\r\t]{1,3}", name in "[a-z]{1,8}") {
            let children = json!([&text, {"@a": &text, "#text": &text}]);
            let value = json!({"root": {format!("@{name}"): &text, &name: children}});
            prop_assert_eq!(read(&write(&value).unwrap()), Ok(value));
        }

        #[test]
        fn whatever_comes_is_read_or_refused(text in "[<>/a&;!\\[\\]\"'= \\-?x]{0,40}") {
            let _ = read(&text);
        }
    }
}
