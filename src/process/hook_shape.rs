//! The shape of `hooks:` in a process file.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::model::charset_name::Charset;
use crate::model::expr::Expr;
use crate::model::rate::Rate;
use crate::model::scope::RESERVED;
use crate::model::text::StringTemplate;
use crate::model::time::Span;
use crate::model::value::ValueTemplate;
use crate::process::file::Size;
use crate::process::hook::{
    Algorithm, BODY_BYTES_MAX, First, Format, Hmac, Hook, HookAnswer, HookIfExists, HookProof, IfMissing,
    Method, ProofEncoding, REPLY_TIMEOUT, REPLY_TIMEOUT_MAX, SignedPart, SignedTime, WINDOW, WINDOW_MAX,
};

/// A hook as it is written.
#[derive(Debug, Deserialize)]
#[serde(try_from = "HookShape")]
pub struct HookRead(HookShape);

/// A named way in from outside: `POST /hooks/PROCESS/NAME`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Hook")]
pub struct HookShape {
    /// One line, for people.
    #[serde(default)]
    about: String,
    /// How a request proves that it may come in: `hmac`, `header`, `basic` or `param`.
    check: Option<CheckShape>,
    /// Instead of `check`: anybody may come in.
    public: Option<bool>,
    /// The bodies it reads: `json`, `form`, `xml`, `query`, or a list; any by its content type if not given.
    accept: Option<Formats>,
    /// The charset of its bodies, such as `windows-1251`, whatever a request says.
    charset: Option<Charset>,
    /// An expression: a request of which it is not true is answered, and changes nothing.
    when: Option<Expr>,
    /// The task's name, such as `"{{body.order_id}}"`; a UUID if not given.
    r#ref: Option<ValueTemplate>,
    /// What becomes of a request for a live task: `refuse`, `return` or `modify`.
    #[serde(default)]
    if_exists: HookIfExists,
    /// What becomes of a request for no live task: `create` or `refuse`.
    #[serde(default)]
    if_missing: IfMissing,
    /// What the task is given; if not said, the declared params among the body's fields.
    params: Option<BTreeMap<String, ValueTemplate>>,
    /// `accepted`: 202 and where to look. `reply`: what the task's `reply` node says.
    #[serde(default)]
    answer: HookAnswer,
    /// How long the caller waits for a reply; 30s if not given.
    timeout: Option<Span>,
    /// How it may be called; `POST` if not given.
    methods: Option<Vec<Method>>,
    /// The largest body it takes; `1MiB` if not given.
    max_bytes: Option<Size>,
    /// How many requests it takes in a time, such as `60/m`; without a bound if not given.
    rate: Option<Rate>,
}

/// How a request proves that it may come in.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "HookCheck")]
enum CheckShape {
    /// A signature over the raw body.
    Hmac(Box<HmacRead>),
    /// A header that holds a secret.
    Header(HeaderShape),
    /// A user and a password.
    Basic(BasicShape),
    /// What the task it is for knows already, such as the token an application was installed with.
    Param(ParamShape),
}

#[derive(Debug, Deserialize)]
#[serde(try_from = "HmacShape")]
struct HmacRead(Hmac);

impl JsonSchema for HmacRead {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        HmacShape::schema_name()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        HmacShape::json_schema(generator)
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "HookHmac")]
struct HmacShape {
    /// The key, such as `"{{secret.shop}}"`.
    secret: StringTemplate,
    /// The header with the signature.
    header: String,
    /// Of a header like `t=1,v1=ab`: the name before the signature.
    field: Option<String>,
    /// What stands before the signature, such as `sha256=`.
    #[serde(default)]
    prefix: String,
    /// `sha256` or `sha512`.
    #[serde(default)]
    algorithm: Algorithm,
    /// `hex` or `base64`.
    #[serde(default)]
    encoding: ProofEncoding,
    /// The header with the time of the signature: Unix seconds or milliseconds, or RFC 3339.
    time_header: Option<String>,
    /// Or the name before the time in the header of the signature.
    time_field: Option<String>,
    /// How far that time may be from now; 5m if not given.
    window: Option<Span>,
    /// What is signed: `{body}`, or `{time}.{body}` where there is a time.
    signed: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "HookHeader")]
struct HeaderShape {
    /// The header.
    name: String,
    /// What it must hold, such as `"{{secret.shop}}"`.
    value: StringTemplate,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "HookBasic")]
struct BasicShape {
    /// The user.
    user: String,
    /// The password, such as `"{{secret.shop}}"`.
    password: StringTemplate,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "HookParam")]
struct ParamShape {
    /// The param of the task.
    name: String,
    /// What must be the same, such as `"{{body.auth.application_token}}"`.
    value: ValueTemplate,
    /// `accept` lets in a request for a task that has no such param yet; `refuse` does not.
    #[serde(default)]
    first: First,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "HookFormats")]
enum Formats {
    One(Format),
    Many(Vec<Format>),
}

impl TryFrom<HookShape> for HookRead {
    type Error = String;

    fn try_from(shape: HookShape) -> Result<HookRead, String> {
        const CHECKS: &str = "hint: `check: {hmac: …}`, `{header: …}`, `{basic: …}` or `{param: …}`; or say \
                              `public: true` if anybody may come in";
        match (&shape.check, shape.public) {
            (None, Some(true)) | (Some(_), None | Some(false)) => {}
            (None, None | Some(false)) => {
                return Err(format!("a hook names its check; {CHECKS}"));
            }
            (Some(_), Some(true)) => {
                return Err("a hook has a `check` or is `public`, not both; hint: leave one out".to_owned());
            }
        }
        if shape.timeout.is_some_and(|it| it > REPLY_TIMEOUT_MAX || it.0 == 0) {
            return Err(format!("`timeout` is from 1ms to {REPLY_TIMEOUT_MAX}"));
        }
        if shape.timeout.is_some() && shape.answer != HookAnswer::Reply {
            return Err("`timeout` belongs to `answer: reply`; hint: leave it out".to_owned());
        }
        if shape.answer == HookAnswer::Reply && shape.if_exists == HookIfExists::Modify {
            let hint = "hint: leave out `answer: reply`, or `if_exists: modify`";
            return Err(format!("a reply answers the request that made the task; {hint}"));
        }
        if shape.if_missing == IfMissing::Refuse && shape.r#ref.is_none() {
            return Err("`if_missing: refuse` needs a `ref`: it says which task is meant".to_owned());
        }
        if shape.if_missing == IfMissing::Refuse && shape.if_exists == HookIfExists::Refuse {
            return Err("this refuses every request; hint: `if_exists: modify`".to_owned());
        }
        if shape.charset.is_some() && matches!(shape.accept, Some(Formats::One(Format::Query))) {
            return Err("`charset` is that of bodies, and a query is UTF-8; hint: leave it out".to_owned());
        }
        let names = shape.params.iter().flat_map(BTreeMap::keys);
        if let Some(name) = names.into_iter().find(|it| RESERVED.contains(&it.as_str())) {
            return Err(format!("`{name}` is a reserved name and cannot be a param; hint: choose another"));
        }
        match &shape.check {
            Some(CheckShape::Header(it)) => is_secret(&it.value, "value")?,
            Some(CheckShape::Basic(it)) => is_secret(&it.password, "password")?,
            Some(CheckShape::Param(_)) if shape.r#ref.is_none() => {
                return Err("`check: {param: …}` needs a `ref`: it says which task is asked".to_owned());
            }
            Some(CheckShape::Param(_) | CheckShape::Hmac(_)) | None => {}
        }
        Ok(HookRead(shape))
    }
}

impl HookRead {
    /// The hook of that name.
    pub fn hook(self, name: &str) -> Hook {
        let it = self.0;
        let accept = match it.accept {
            None => Vec::new(),
            Some(Formats::One(format)) => vec![format],
            Some(Formats::Many(formats)) => formats,
        };
        let methods = match it.methods {
            Some(methods) if !methods.is_empty() => methods,
            _ if accept == [Format::Query] => vec![Method::Get, Method::Post],
            _ => vec![Method::Post],
        };
        Hook {
            name: name.to_owned(),
            about: it.about,
            check: it.check.map_or(HookProof::Public, CheckShape::check),
            accept,
            charset: it.charset,
            when: it.when,
            reference: it.r#ref,
            if_exists: it.if_exists,
            if_missing: it.if_missing,
            params: it.params.map(|them| them.into_iter().collect()),
            answer: it.answer,
            timeout: it.timeout.unwrap_or(REPLY_TIMEOUT),
            methods,
            bytes_max: it.max_bytes.map_or(BODY_BYTES_MAX, |it| it.0),
            rate: it.rate,
        }
    }
}

impl CheckShape {
    fn check(self) -> HookProof {
        match self {
            CheckShape::Hmac(it) => HookProof::Hmac(Box::new(it.0)),
            CheckShape::Header(it) => {
                HookProof::Header { name: it.name.to_ascii_lowercase(), value: it.value }
            }
            CheckShape::Basic(it) => HookProof::Basic { user: it.user, password: it.password },
            CheckShape::Param(it) => HookProof::Param { name: it.name, value: it.value, first: it.first },
        }
    }
}

impl TryFrom<HmacShape> for HmacRead {
    type Error = String;

    fn try_from(shape: HmacShape) -> Result<HmacRead, String> {
        is_secret(&shape.secret, "secret")?;
        let time = match (shape.time_header, shape.time_field) {
            (Some(_), Some(_)) => {
                return Err("the time has one place: `time_header` or `time_field`".to_owned());
            }
            (None, Some(_)) if shape.field.is_none() => {
                return Err("`time_field` goes with `field`; hint: `{field: v1, time_field: t}`".to_owned());
            }
            (Some(header), None) => Some(SignedTime::Header(header.to_ascii_lowercase())),
            (None, Some(field)) => Some(SignedTime::Field(field)),
            (None, None) => None,
        };
        let window = shape.window.unwrap_or(WINDOW);
        if shape.window.is_some() && time.is_none() {
            let hint = "without a signed time no request is too old; hint: add `time_header`";
            return Err(format!("`window` belongs to `time_header` or `time_field`: {hint}"));
        }
        if window > WINDOW_MAX || window.0 == 0 {
            return Err(format!("`window` is from 1ms to {WINDOW_MAX}"));
        }
        let default = if time.is_some() { "{time}.{body}" } else { "{body}" };
        let signed = signed(shape.signed.as_deref().unwrap_or(default))?;
        if !signed.contains(&SignedPart::Body) {
            return Err("what is signed holds the body; hint: `signed: \"{time}.{body}\"`".to_owned());
        }
        if time.is_some() != signed.contains(&SignedPart::Time) {
            let hint = "hint: a time that is not signed protects from nothing: `signed: \"{time}.{body}\"` \
                        goes with `time_header` or `time_field`";
            return Err(format!("the time is named, but not signed, or the other way round; {hint}"));
        }
        Ok(HmacRead(Hmac {
            secret: shape.secret,
            header: shape.header.to_ascii_lowercase(),
            field: shape.field,
            prefix: shape.prefix,
            algorithm: shape.algorithm,
            encoding: shape.encoding,
            time,
            window,
            signed,
        }))
    }
}

/// A secret is named, never written: the file is no place for it.
fn is_secret(text: &StringTemplate, field: &str) -> Result<(), String> {
    let uses = text.uses();
    if uses.secrets.is_empty() {
        let hint = "set it with `beltline secret set NAME`, and write `\"{{secret.NAME}}\"`";
        return Err(format!("`{field}` names no secret; hint: {hint}"));
    }
    match uses.roots.is_empty() && uses.convs.is_empty() {
        true => Ok(()),
        false => Err(format!("`{field}` may hold nothing but `{{{{secret.NAME}}}}` and plain text")),
    }
}

/// The parts of what is signed.
fn signed(text: &str) -> Result<Vec<SignedPart>, String> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, behind) =
            after.split_once('}').ok_or_else(|| format!("`{text}`: a `{{` is not closed"))?;
        if !before.is_empty() {
            parts.push(SignedPart::Plain(before.to_owned()));
        }
        parts.push(match name {
            "body" => SignedPart::Body,
            "time" => SignedPart::Time,
            other => return Err(format!("`{{{other}}}` cannot be signed; hint: `{{time}}` or `{{body}}`")),
        });
        rest = behind;
    }
    if !rest.is_empty() {
        parts.push(SignedPart::Plain(rest.to_owned()));
    }
    Ok(parts)
}
