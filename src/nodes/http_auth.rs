//! How an `http` node's request says who asks: the shapes of `auth` and `tls`, and how they are filled.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de};

use crate::model::effect::{
    Auth, ClientTls, Fact, Grant, GrantStyle, HashName, Ingredient, KeyForm, SignatureEncoding, Signing,
};
use crate::model::fault::Fault;
use crate::model::near;
use crate::model::scope::EvalContext;
use crate::model::text::StringTemplate;
use crate::nodes::fields::wrong_url;

/// How a request authorizes itself.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum AuthShape {
    /// HTTP Basic.
    Basic {
        /// The user.
        user: StringTemplate,
        /// The password.
        password: StringTemplate,
    },
    /// A bearer token.
    Bearer(StringTemplate),
    /// An access token by OAuth 2 client credentials; got when it is needed, kept until shortly before its
    /// end.
    Oauth2(Box<GrantShape>),
    /// An HMAC over the request, in a header.
    Hmac(Box<HmacShape>),
}

/// OAuth 2 client credentials.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GrantShape {
    /// Where tokens are given.
    token_url: StringTemplate,
    /// The client.
    client_id: StringTemplate,
    /// Sent to `token_url` and nowhere else.
    client_secret: StringTemplate,
    /// What is asked for.
    scope: Option<StringTemplate>,
    /// For whom the token is, where the provider asks that.
    audience: Option<StringTemplate>,
    /// `basic`: the client names itself with HTTP Basic; `body`: in the form.
    #[serde(default)]
    style: GrantStyle,
}

/// How a request is signed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HmacShape {
    /// The key; it is in no request.
    key: StringTemplate,
    /// How the key is written: `text`, `hex` or `base64`.
    #[serde(default)]
    key_is: KeyForm,
    /// `sha256`, `sha1` or `sha512`.
    #[serde(default)]
    hash: HashName,
    /// The header that carries the signature.
    header: String,
    /// What is signed; the body if not given. `{{request.NAME}}`: method, path, query, host, time, `time_ms`,
    /// date, body, `body_sha256`, `body_sha256_base64`, key.
    of: Option<Recipe>,
    /// What stands before the signature.
    prefix: Option<Recipe>,
    /// `hex` or `base64`.
    #[serde(default)]
    encoding: SignatureEncoding,
    /// More headers that the receiver needs, such as the time.
    #[serde(default)]
    headers: BTreeMap<String, Recipe>,
}

/// Certificates in PEM.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TlsShape {
    /// The client's certificate, with those between it and its CA.
    pub cert: Option<StringTemplate>,
    /// The certificate's private key.
    pub key: Option<StringTemplate>,
    /// The only CAs that are trusted.
    pub ca: Option<StringTemplate>,
}

impl AuthShape {
    /// What is wrong with it.
    pub fn wrong(&self) -> Option<String> {
        let hmac = match self {
            AuthShape::Hmac(hmac) => hmac,
            AuthShape::Oauth2(grant) => return wrong_url(&grant.token_url),
            AuthShape::Basic { .. } | AuthShape::Bearer(_) => return None,
        };
        let names = hmac.headers.keys().chain([&hmac.header]);
        let token = |it: char| it.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(it);
        let bad = names.into_iter().find(|name| name.is_empty() || !name.chars().all(token))?;
        Some(format!("`{bad}` cannot name a header; hint: such as `X-Signature`"))
    }

    /// The same with everything filled in.
    pub fn fill(&self, view: &EvalContext) -> Result<Auth, Fault> {
        match self {
            AuthShape::Basic { user, password } => {
                Ok(Auth::Basic { user: user.fill(view)?, password: password.fill(view)? })
            }
            AuthShape::Bearer(token) => token.fill(view).map(Auth::Bearer),
            AuthShape::Oauth2(shape) => shape.fill(view).map(|it| Auth::Oauth2(Box::new(it))),
            AuthShape::Hmac(shape) => shape.fill(view).map(|it| Auth::Hmac(Box::new(it))),
        }
    }
}

impl GrantShape {
    fn fill(&self, view: &EvalContext) -> Result<Grant, Fault> {
        Ok(Grant {
            token_url: self.token_url.fill_url(view)?,
            client_id: self.client_id.fill(view)?,
            client_secret: self.client_secret.fill(view)?,
            scope: filled(self.scope.as_ref(), view)?,
            audience: filled(self.audience.as_ref(), view)?,
            style: self.style,
        })
    }
}

impl HmacShape {
    fn fill(&self, view: &EvalContext) -> Result<Signing, Fault> {
        let of = self.of.as_ref().map(|it| it.fill(view)).transpose()?;
        let headers = self.headers.iter().map(|(name, recipe)| Ok((name.clone(), recipe.fill(view)?)));
        Ok(Signing {
            key: self.key.fill(view)?,
            key_is: self.key_is,
            hash: self.hash,
            header: self.header.clone(),
            of: of.unwrap_or_else(|| vec![Ingredient::Fact(Fact::Body)]),
            prefix: self.prefix.as_ref().map(|it| it.fill(view)).transpose()?.unwrap_or_default(),
            encoding: self.encoding,
            headers: headers.collect::<Result<_, Fault>>()?,
        })
    }
}

impl TlsShape {
    /// What is wrong with it.
    pub fn wrong(&self) -> Option<String> {
        match (&self.cert, &self.key, &self.ca) {
            (Some(_), None, _) => Some("a `cert` needs its `key`".to_owned()),
            (None, Some(_), _) => Some("a `key` needs its `cert`".to_owned()),
            (None, None, None) => Some("there is nothing in it; hint: `cert` and `key`, or `ca`".to_owned()),
            (Some(_), Some(_), _) | (None, None, Some(_)) => None,
        }
    }

    /// The same with everything filled in.
    pub fn fill(&self, view: &EvalContext) -> Result<ClientTls, Fault> {
        Ok(ClientTls {
            cert: filled(self.cert.as_ref(), view)?,
            key: filled(self.key.as_ref(), view)?,
            ca: filled(self.ca.as_ref(), view)?,
        })
    }
}

fn filled(text: Option<&StringTemplate>, view: &EvalContext) -> Result<Option<String>, Fault> {
    text.map(|it| it.fill(view)).transpose()
}

/// A text in which `{{request.NAME}}` stands for what is known when the request is made.
#[derive(Debug)]
struct Recipe(Vec<Piece>);

#[derive(Debug)]
enum Piece {
    Text(StringTemplate),
    Fact(Fact),
}

impl Recipe {
    fn parse(text: &str) -> Result<Recipe, String> {
        let mut pieces = Vec::new();
        let plain = |text: &str, pieces: &mut Vec<Piece>| {
            if !text.is_empty() {
                pieces.push(Piece::Text(StringTemplate::parse(text).map_err(|it| it.to_string())?));
            }
            Ok::<(), String>(())
        };
        let (mut begin, mut from) = (0, 0);
        while let Some(open) = text[from..].find("{{").map(|it| from + it) {
            let Some(close) = text[open..].find("}}").map(|it| open + it) else { break };
            from = close + 2;
            let Some(name) = text[open + 2..close].trim().strip_prefix("request.") else { continue };
            plain(&text[begin..open], &mut pieces)?;
            pieces.push(Piece::Fact(fact(name)?));
            begin = from;
        }
        plain(&text[begin..], &mut pieces)?;
        Ok(Recipe(pieces))
    }

    fn fill(&self, view: &EvalContext) -> Result<Vec<Ingredient>, Fault> {
        let fill = |piece: &Piece| match piece {
            Piece::Text(text) => text.fill(view).map(Ingredient::Text),
            Piece::Fact(fact) => Ok(Ingredient::Fact(*fact)),
        };
        self.0.iter().map(fill).collect()
    }
}

fn fact(name: &str) -> Result<Fact, String> {
    let names = Fact::ALL.map(|(name, _)| name);
    let found = Fact::ALL.into_iter().find(|(it, _)| *it == name);
    found.map(|(_, fact)| fact).ok_or_else(|| {
        let hint = near::hint(name, &names, "there are").unwrap_or_default();
        format!("a request has no `{name}`; hint: {hint}")
    })
}

impl<'de> Deserialize<'de> for Recipe {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Recipe::parse(&String::deserialize(from)?).map_err(de::Error::custom)
    }
}

impl JsonSchema for Recipe {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Recipe".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string"})
    }
}
