//! [`RequestPayload`]: what a request carries, as bytes, with its secrets opened.

use std::borrow::Cow;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};
use url::form_urlencoded::Serializer;

use crate::channels::marks::{Piece, pieces};
use crate::model::charset::{encode, named};
use crate::model::effect::{Body, Content, MultipartField, mark};
use crate::model::fault::Fault;
use crate::model::helpers::hex;
use crate::model::xml;
use crate::outbound::secrets::SecretResolver;

/// Signals of the hash in a boundary.
const BOUNDARY_CHARS: usize = 32;

/// What a request carries.
#[derive(Debug)]
pub struct RequestPayload {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// What they are, unless the request's headers say something else.
    pub content_type: String,
}

impl RequestPayload {
    /// The load of `body`; none if there is nothing to carry. The same body gives the same bytes. Text is in
    /// the charset that `said` names, which is the request's own content type, or else that of the body.
    ///
    /// # Errors
    /// `bad_value`, `missing_secret`.
    pub fn of(
        body: &Body,
        said: Option<&str>,
        resolver: &mut SecretResolver,
    ) -> Result<Option<RequestPayload>, Fault> {
        let charset = named(said.unwrap_or_default());
        let (bytes, content_type) = match body {
            Body::None => return Ok(None),
            Body::Json(value) => {
                (encoded(&resolver.value(value)?.to_string(), &charset)?, "application/json".to_owned())
            }
            Body::Form(pairs) => {
                (form(&resolver.pairs(pairs)?, &charset)?, "application/x-www-form-urlencoded".to_owned())
            }
            Body::Text(text) => {
                (encoded(&resolver.text(text)?, &charset)?, "text/plain; charset=utf-8".to_owned())
            }
            Body::Raw { content_type, content } => {
                let content_type = resolver.text(content_type)?;
                let charset = named(said.unwrap_or(&content_type));
                (bytes_of(content, &charset, resolver)?, content_type)
            }
            Body::Multipart(parts) => multipart(parts, resolver)?,
            Body::Xml(value) => {
                let document = xml::write(&resolver.value(value)?).map_err(|why| bad_xml(&why))?;
                (encoded(&document, &charset)?, xml_type("utf-8"))
            }
            Body::XmlText(text) => {
                let document = xml_text(text, resolver)?;
                let own = if charset.is_empty() { xml::declared(document.as_bytes()) } else { Some(charset) };
                let own = own.unwrap_or_default();
                let shown = if own.is_empty() { "utf-8" } else { &own };
                (encoded(&document, &own)?, xml_type(shown))
            }
        };
        Ok(Some(RequestPayload { bytes, content_type }))
    }
}

/// A text as bytes of the charset that is said of it.
fn encoded(text: &str, charset: &str) -> Result<Vec<u8>, Fault> {
    encode(text, charset).map_err(|why| Fault::lasting("bad_value", format!("the text of the request {why}")))
}

/// Fields as a form of that charset.
fn form(pairs: &[(String, String)], charset: &str) -> Result<Vec<u8>, Fault> {
    for (name, value) in pairs {
        encoded(name, charset)?;
        encoded(value, charset)?;
    }
    let own: &dyn Fn(&str) -> Cow<'_, [u8]> = &|text| Cow::Owned(encode(text, charset).unwrap_or_default());
    let mut form = Serializer::new(String::new());
    form.encoding_override(Some(own));
    Ok(form.extend_pairs(pairs).finish().into_bytes())
}

fn xml_type(charset: &str) -> String {
    format!("application/xml; charset={charset}")
}

fn bad_xml(why: &str) -> Fault {
    Fault::lasting("bad_value", format!("the XML {why}"))
}

/// XML as it is; what a mark opens to is escaped.
fn xml_text(text: &str, resolver: &mut SecretResolver) -> Result<String, Fault> {
    let mut whole = String::with_capacity(text.len());
    for piece in pieces(text) {
        match piece {
            Piece::Plain(text) => whole.push_str(text),
            Piece::Secret(name) => {
                let escaped = xml::escaped(&resolver.text(&mark(name))?);
                whole.push_str(&escaped.map_err(|why| bad_xml(&why))?);
            }
        }
    }
    xml::read(&whole).map_err(|why| bad_xml(&why))?;
    Ok(whole)
}

/// What is sent; a text in that charset.
fn bytes_of(content: &Content, charset: &str, resolver: &mut SecretResolver) -> Result<Vec<u8>, Fault> {
    match content {
        Content::Text(text) => encoded(&resolver.text(text)?, charset),
        Content::Base64(text) => {
            // Line breaks are what mail programs and some APIs put in.
            let text: String = resolver.text(text)?.split_ascii_whitespace().collect();
            let bytes = BASE64_STANDARD.decode(text);
            bytes.map_err(|_| {
                Fault::lasting("bad_value", "what is to be sent is said to be Base64, and is not")
            })
        }
    }
}

/// `multipart/form-data` as browsers write it. The boundary is made of what it bounds, so that it cannot
/// occur in it, and a repeated request is the same.
fn multipart(parts: &[MultipartField], resolver: &mut SecretResolver) -> Result<(Vec<u8>, String), Fault> {
    let mut hash = Sha256::new();
    let mut loads = Vec::with_capacity(parts.len());
    for part in parts {
        let head = head(part, resolver)?;
        let kind = part.content_type.as_ref().map(|it| resolver.text(it)).transpose()?.unwrap_or_default();
        let bytes = bytes_of(&part.content, &named(&kind), resolver)?;
        hash.update(&head);
        hash.update(&bytes);
        loads.push((head, bytes));
    }
    let hash = hex(&hash.finalize());
    let boundary = format!("beltline-{}", &hash[..BOUNDARY_CHARS]);
    let mut whole = Vec::new();
    for (head, bytes) in loads {
        whole.extend_from_slice(format!("--{boundary}\r\n{head}\r\n\r\n").as_bytes());
        whole.extend_from_slice(&bytes);
        whole.extend_from_slice(b"\r\n");
    }
    whole.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    Ok((whole, format!("multipart/form-data; boundary={boundary}")))
}

fn head(part: &MultipartField, resolver: &mut SecretResolver) -> Result<String, Fault> {
    let mut head =
        format!("Content-Disposition: form-data; name=\"{}\"", quoted(&resolver.text(&part.name)?));
    if let Some(file) = &part.file {
        head.extend(["; filename=\"", &quoted(&resolver.text(file)?), "\""]);
    }
    let content_type = part.content_type.as_ref().map(|it| resolver.text(it)).transpose()?;
    let default = part.file.as_ref().map(|_| "application/octet-stream".to_owned());
    if let Some(content_type) = content_type.or(default) {
        if content_type.contains(|it: char| it.is_control()) {
            let message =
                format!("the content type of the part `{}` holds a control character", quoted(&part.name));
            return Err(Fault::lasting("bad_value", message));
        }
        head.extend(["\r\nContent-Type: ", &content_type]);
    }
    Ok(head)
}

/// A name as it stands in quotes, in the way of the HTML standard.
fn quoted(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}
