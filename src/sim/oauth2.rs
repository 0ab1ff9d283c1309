//! [`Provider`]: an OAuth 2.0 provider after RFC 6749 and RFC 7636, with the habits of its kind to choose
//! from. Pure: `now` is an argument, in milliseconds since 1970.
//!
//! `/oauth2/authorize` gives a browser a one-time code, `/oauth2/token` exchanges it and renews, `/oauth2/me`
//! takes live access tokens. It believes nothing: the code is bound to its client, its redirect address and
//! its code verifier, and a code or a one-time refresh token that comes twice ends the whole grant.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use url::Url;

use crate::sim::answer::SimAnswer;
use crate::sim::chance::Chance;
use crate::sim::counts::Counts;
use crate::sim::habits::{ClientAuth, Habits};
use crate::sim::request::{Fields, SimRequest};
use crate::sim::script::TroubleScript;
use crate::sim::troubles::{self, SimTrouble};

/// Where its paths begin.
pub const BASE: &str = "/oauth2/";
/// The client that it knows.
pub const CLIENT_ID: &str = "beltline-demo";
/// Its secret: with characters that must be encoded on the way.
pub const CLIENT_SECRET: &str = "Simulated:secret/of+the%20client";
/// The most codes and tokens that are kept; the oldest go first.
const KEPT_MAX: usize = 10_000;
/// RFC 7636: the shortest and the longest code verifier.
const VERIFIER_CHARS: std::ops::RangeInclusive<usize> = 43..=128;

/// The length of every challenge: 256 bits in base64.
const CHALLENGE_CHARS: usize = 43;

/// A code that was given out.
#[derive(Clone)]
struct Code {
    redirect_uri: String,
    challenge: Option<String>,
    scope: String,
    until: i64,
    used: bool,
}

/// One grant of a person; its tokens come and go with it.
#[derive(Clone)]
struct Grant {
    scope: String,
    ended: bool,
}

#[derive(Clone)]
struct Access {
    grant: u64,
    until: Option<i64>,
}

#[derive(Clone)]
struct Refresh {
    grant: u64,
    spent: bool,
}

/// The provider.
pub struct Provider {
    /// How it behaves.
    pub habits: Habits,
    /// What is to go wrong at the token endpoint.
    pub script: TroubleScript<SimTrouble>,
    /// What was asked, and how it went.
    pub counts: Counts,
    /// Where codes may be sent; empty: anywhere.
    pub redirect_uri: String,
    chance: Chance,
    codes: BTreeMap<String, Code>,
    of_code: BTreeMap<String, u64>,
    grants: BTreeMap<u64, Grant>,
    access: BTreeMap<String, Access>,
    refresh: BTreeMap<String, Refresh>,
    seed: u64,
}

/// Why the token endpoint does not do what it is asked: RFC 6749, 5.2.
struct Refused(u16, &'static str, &'static str);

impl Provider {
    /// One with these habits.
    pub fn new(habits: Habits, seed: u64) -> Provider {
        Provider {
            habits,
            script: TroubleScript::default(),
            counts: Counts::default(),
            redirect_uri: String::new(),
            chance: Chance::new(seed),
            codes: BTreeMap::new(),
            of_code: BTreeMap::new(),
            grants: BTreeMap::new(),
            access: BTreeMap::new(),
            refresh: BTreeMap::new(),
            seed,
        }
    }

    /// Back to the beginning, with the habits it has.
    pub fn reset(&mut self) {
        *self = Provider::new(Habits::default(), self.seed);
    }

    /// What it answers; none if the path is not one of its own.
    pub fn answer(&mut self, request: &SimRequest, now: i64) -> Option<SimAnswer> {
        let path = request.path.strip_prefix(BASE)?;
        let fields = request.fields().ok();
        if let Some(fields) = &fields {
            let secrets = ["client_secret", "refresh_token", "code_verifier", "access_token"];
            self.counts.url_secrets += u64::from(fields.any_in_url(&secrets));
        }
        let (endpoint, answer) = match (path, &fields) {
            ("authorize", Some(fields)) => ("authorize", self.authorize(fields, now)),
            ("token", _) => ("token", self.token_disturbed(request, fields.as_ref(), now)),
            ("me", _) => ("me", self.me(request, now)),
            _ => ("other", SimAnswer::text(404, "Not Found")),
        };
        let endpoint = match fields.as_ref().and_then(|it| it.text("grant_type")) {
            Some(grant) if endpoint == "token" && grant.len() < 64 => format!("token/{grant}"),
            _ => endpoint.to_owned(),
        };
        self.counts.add(&endpoint, &answer.result);
        Some(answer)
    }

    /// Whether an access token works.
    pub fn is_valid(&self, access: &str, now: i64) -> bool {
        self.access.get(access).is_some_and(|it| {
            it.until.is_none_or(|until| now < until) && self.grants.get(&it.grant).is_some_and(|it| !it.ended)
        })
    }

    /// The person takes back all that was granted.
    pub fn revoke(&mut self) {
        self.grants.values_mut().for_each(|it| it.ended = true);
    }

    /// Everything a person may see; no token.
    pub fn state(&self) -> Value {
        json!({
            "client_id": CLIENT_ID, "habits": self.habits, "redirect_uri": self.redirect_uri,
            "counts": self.counts, "fail": self.script, "grants": self.grants.len(),
        })
    }

    /// RFC 6749, 4.1.1: what is wrong with the client or the address is shown here, all else goes back there.
    fn authorize(&mut self, fields: &Fields, now: i64) -> SimAnswer {
        let redirect = fields.text("redirect_uri").unwrap_or_default();
        let page = |why: &str| {
            SimAnswer::page(400, "Authorization error", &format!("<p>{why}</p>")).called("refused")
        };
        if fields.text("client_id").as_deref() != Some(CLIENT_ID) {
            return page("This client is not known.");
        }
        let known = self.redirect_uri.is_empty() || self.redirect_uri == redirect;
        let Some(mut back) = Url::parse(&redirect).ok().filter(|_| known) else {
            return page("This redirect_uri is not registered.");
        };
        let said = self.code_for(fields, &redirect, now);
        {
            let mut pairs = back.query_pairs_mut();
            match &said {
                Ok(code) => pairs.append_pair("code", code),
                Err((error, why)) => pairs.append_pair("error", error).append_pair("error_description", why),
            };
            // Without one, nobody could tell whose answer this is.
            pairs.append_pair("state", &fields.text("state").unwrap_or_default());
        }
        SimAnswer::redirect(back.as_str()).called(said.as_ref().map_or_else(|it| it.0, |_| "ok"))
    }

    fn code_for(
        &mut self,
        fields: &Fields,
        redirect: &str,
        now: i64,
    ) -> Result<String, (&'static str, &'static str)> {
        if fields.text("response_type").as_deref() != Some("code") {
            return Err(("unsupported_response_type", "response_type is code"));
        }
        if fields.filled("state").is_none() {
            return Err(("invalid_request", "state is missing"));
        }
        let challenge = fields.filled("code_challenge");
        let plain = challenge.is_some() && fields.text("code_challenge_method").as_deref() != Some("S256");
        let length = challenge.as_ref().is_some_and(|it| it.len() != CHALLENGE_CHARS);
        if plain || length || (challenge.is_none() && self.habits.pkce) {
            return Err(("invalid_request", "code_challenge with S256 is needed"));
        }
        if self.habits.refuses {
            return Err(("access_denied", "The person said no"));
        }
        let text = format!("4/{}", self.chance.letters(32));
        let scope = fields.text("scope").unwrap_or_default();
        let until = now + i64::from(self.habits.code_life_s) * 1_000;
        let code = Code { redirect_uri: redirect.to_owned(), challenge, scope, until, used: false };
        keep(&mut self.codes, text.clone(), code);
        self.counts.codes_issued += 1;
        Ok(text)
    }

    fn token_disturbed(&mut self, request: &SimRequest, fields: Option<&Fields>, now: i64) -> SimAnswer {
        let Some(plan) = self.script.take() else {
            return self.token(request, fields, now);
        };
        let answer = troubles::is_carried_out(&plan).then(|| self.token(request, fields, now));
        troubles::disturbed(&plan, answer, "https://elsewhere.example/token")
    }

    fn token(&mut self, request: &SimRequest, fields: Option<&Fields>, now: i64) -> SimAnswer {
        match self.granted(request, fields, now) {
            Ok(body) => SimAnswer::json(200, &body).with_header("cache-control", "no-store"),
            Err(Refused(status, error, why)) => {
                let status = if self.habits.errors_under_200 { 200 } else { status };
                let answer = SimAnswer::error(status, error, Some(why));
                if status == 401 { answer.with_header("www-authenticate", "Basic") } else { answer }
            }
        }
    }

    fn granted(&mut self, request: &SimRequest, fields: Option<&Fields>, now: i64) -> Result<Value, Refused> {
        let form = request.content_type.starts_with("application/x-www-form-urlencoded");
        let (true, "POST", Some(fields)) = (form, request.method.as_str(), fields) else {
            return Err(Refused(400, "invalid_request", "a form, by POST"));
        };
        self.client(request, fields)?;
        match fields.text("grant_type").as_deref() {
            Some("authorization_code") => self.exchange(fields, now),
            Some("refresh_token") => self.renew(fields, now),
            _ => Err(Refused(400, "unsupported_grant_type", "authorization_code or refresh_token")),
        }
    }

    fn client(&self, request: &SimRequest, fields: &Fields) -> Result<(), Refused> {
        let unknown = Refused(401, "invalid_client", "Client authentication failed");
        let (header, secret) = (!request.authorization.is_empty(), fields.filled("client_secret"));
        if header && secret.is_some() {
            return Err(Refused(400, "invalid_request", "more than one way to authenticate the client"));
        }
        let is_known = match self.habits.client_auth {
            ClientAuth::Basic => {
                basic(&request.authorization).is_some_and(|it| it == (CLIENT_ID.into(), CLIENT_SECRET.into()))
            }
            ClientAuth::Body | ClientAuth::None => {
                let expected = (self.habits.client_auth == ClientAuth::Body).then_some(CLIENT_SECRET);
                !header
                    && fields.text("client_id").as_deref() == Some(CLIENT_ID)
                    && secret.as_deref() == expected
            }
        };
        if is_known { Ok(()) } else { Err(unknown) }
    }

    fn exchange(&mut self, fields: &Fields, now: i64) -> Result<Value, Refused> {
        let invalid = |why| Refused(400, "invalid_grant", why);
        let text = fields.filled("code").ok_or(Refused(400, "invalid_request", "code is missing"))?;
        let code = self.codes.get_mut(&text).ok_or(invalid("The code is not known"))?;
        if code.used {
            self.counts.code_reuses += 1;
            let grant = self.of_code.get(&text).and_then(|it| self.grants.get_mut(it));
            if let Some(grant) = grant {
                grant.ended = true;
            }
            return Err(invalid("The code was used"));
        }
        // Whatever comes of it: a code is good once.
        code.used = true;
        let code = code.clone();
        if code.until <= now {
            self.counts.codes_expired += 1;
            return Err(invalid("The code is too old"));
        }
        if fields.text("redirect_uri").as_deref() != Some(&code.redirect_uri) {
            return Err(invalid("The redirect_uri is another one"));
        }
        let verifier = fields.filled("code_verifier");
        match (&code.challenge, verifier) {
            (Some(challenge), Some(verifier)) if is_proved(challenge, &verifier) => {}
            (None, None) => {}
            (Some(_), _) => return Err(invalid("The code_verifier does not fit")),
            (None, Some(_)) => return Err(invalid("There was no code_challenge")),
        }
        let grant = self.grants.keys().next_back().map_or(1, |it| it + 1);
        keep(&mut self.grants, grant, Grant { scope: code.scope, ended: false });
        keep(&mut self.of_code, text, grant);
        self.counts.exchanges += 1;
        Ok(self.tokens(grant, now, true))
    }

    fn renew(&mut self, fields: &Fields, now: i64) -> Result<Value, Refused> {
        let invalid = |why| Refused(400, "invalid_grant", why);
        let text = fields.filled("refresh_token");
        let text = text.ok_or(Refused(400, "invalid_request", "refresh_token is missing"))?;
        let refresh = self.refresh.get_mut(&text).ok_or(invalid("The refresh token is not known"))?;
        let grant = self.grants.get_mut(&refresh.grant).ok_or(invalid("The grant is not known"))?;
        if refresh.spent {
            self.counts.reuses_plain += 1;
            grant.ended = true;
        }
        if grant.ended {
            return Err(invalid("The grant has ended"));
        }
        refresh.spent = self.habits.rotation;
        let number = refresh.grant;
        self.counts.rotations += 1;
        Ok(self.tokens(number, now, self.habits.rotation))
    }

    fn tokens(&mut self, grant: u64, now: i64, with_refresh: bool) -> Value {
        let habits = self.habits.clone();
        let access = self.chance.letters(40);
        let until = habits.expires_in.map(|it| now + i64::from(it) * 1_000);
        keep(&mut self.access, access.clone(), Access { grant, until });
        let mut body = Map::new();
        body.insert("access_token".to_owned(), access.into());
        body.insert("token_type".to_owned(), "Bearer".into());
        if let Some(seconds) = habits.expires_in {
            body.insert("expires_in".to_owned(), seconds.into());
        }
        if habits.refresh && with_refresh {
            let refresh = self.chance.letters(40);
            keep(&mut self.refresh, refresh.clone(), Refresh { grant, spent: false });
            body.insert("refresh_token".to_owned(), refresh.into());
        }
        if let Some(grant) = self.grants.get(&grant).filter(|it| !it.scope.is_empty()) {
            body.insert("scope".to_owned(), grant.scope.clone().into());
        }
        Value::Object(body)
    }

    fn me(&self, request: &SimRequest, now: i64) -> SimAnswer {
        match request.bearer() {
            Some(token) if self.is_valid(token, now) => SimAnswer::json(200, &json!({"name": "Ada"})),
            Some(_) => SimAnswer::error(401, "invalid_token", None)
                .with_header("www-authenticate", "Bearer error=\"invalid_token\""),
            None => SimAnswer::text(401, "").with_header("www-authenticate", "Bearer"),
        }
    }
}

fn keep<K: Ord, V>(map: &mut BTreeMap<K, V>, key: K, value: V) {
    if map.len() >= KEPT_MAX {
        map.pop_first();
    }
    map.insert(key, value);
}

/// RFC 7636, 4.6.
fn is_proved(challenge: &str, verifier: &str) -> bool {
    let fair = verifier.bytes().all(|it| it.is_ascii_alphanumeric() || b"-._~".contains(&it));
    let length = VERIFIER_CHARS.contains(&verifier.len());
    fair && length && URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)) == challenge
}

/// RFC 6749, 2.3.1: both halves are encoded as in a form.
fn basic(authorization: &str) -> Option<(String, String)> {
    let (scheme, encoded) = authorization.split_once(' ')?;
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (user, password) = text.split_once(':').filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
    let half = |it: &str| percent_decode_str(&it.replace('+', " ")).decode_utf8().ok().map(Into::into);
    Some((half(user)?, half(password)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_728_409_697_000;
    const BACK: &str = "https://beltline.test/oauth/callback";
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    fn link(more: &str) -> SimRequest {
        let target = format!(
            "/oauth2/authorize?response_type=code&client_id={CLIENT_ID}&redirect_uri={BACK}&state=s{more}"
        );
        SimRequest::get(&target)
    }

    fn back(provider: &mut Provider, request: &SimRequest) -> BTreeMap<String, String> {
        let answer = provider.answer(request, NOW).unwrap();
        let url = Url::parse(answer.header("location").unwrap_or_else(|| panic!("{answer:?}"))).unwrap();
        url.query_pairs().into_owned().collect()
    }

    fn code(provider: &mut Provider) -> String {
        let request = link(&format!("&code_challenge={CHALLENGE}&code_challenge_method=S256"));
        back(provider, &request)["code"].clone()
    }

    fn ask(provider: &mut Provider, now: i64, form: &[(&str, &str)]) -> Value {
        let client = [("client_id", CLIENT_ID), ("client_secret", CLIENT_SECRET)];
        let form: Vec<(&str, &str)> = form.iter().chain(&client).copied().collect();
        provider.answer(&SimRequest::form("/oauth2/token", &form), now).unwrap().value()
    }

    fn exchange(provider: &mut Provider, code: &str, verifier: &str, now: i64) -> Value {
        let grant = ("grant_type", "authorization_code");
        let form = [grant, ("code", code), ("redirect_uri", BACK), ("code_verifier", verifier)];
        ask(provider, now, &form)
    }

    fn renew(provider: &mut Provider, refresh: &Value) -> Value {
        let refresh = refresh["refresh_token"].as_str().unwrap();
        ask(provider, NOW, &[("grant_type", "refresh_token"), ("refresh_token", refresh)])
    }

    #[test]
    fn a_code_is_good_once_in_time_and_with_its_verifier() {
        let provider = &mut Provider::new(Habits::default(), 1);
        let first = code(provider);
        let pair = exchange(provider, &first, VERIFIER, NOW);
        assert!(provider.is_valid(pair["access_token"].as_str().unwrap(), NOW));
        assert_eq!(exchange(provider, &first, VERIFIER, NOW)["error"], "invalid_grant");
        assert!(
            !provider.is_valid(pair["access_token"].as_str().unwrap(), NOW),
            "a code twice ends the grant"
        );
        for (verifier, late) in [(VERIFIER, 60_000), ("", 0), (&*VERIFIER.replace('d', "e"), 0)] {
            let code = code(provider);
            assert_eq!(exchange(provider, &code, verifier, NOW + late)["error"], "invalid_grant");
        }
    }

    #[test]
    fn without_state_or_challenge_there_is_no_code() {
        let provider = &mut Provider::new(Habits::default(), 1);
        assert_eq!(back(provider, &link(""))["error"], "invalid_request");
        assert_eq!(back(provider, &link("&code_challenge=x&code_challenge_method=plain"))["state"], "s");
        provider.habits.pkce = false;
        assert!(back(provider, &link("")).contains_key("code"));
        assert_eq!(back(provider, &link("&state="))["error"], "invalid_request");
        provider.habits.refuses = true;
        assert_eq!(back(provider, &link(""))["error"], "access_denied");
        let stranger = link("").query.replace(CLIENT_ID, "stranger");
        let answer =
            provider.answer(&SimRequest::get(&format!("/oauth2/authorize?{stranger}")), NOW).unwrap();
        assert_eq!((answer.status, answer.header("location")), (400, None));
    }

    #[test]
    fn a_spent_refresh_token_ends_the_grant_and_a_lasting_one_does_not() {
        let provider = &mut Provider::new(Habits::default(), 1);
        let code_1 = code(provider);
        let first = exchange(provider, &code_1, VERIFIER, NOW);
        let second = renew(provider, &first);
        assert_ne!(first["refresh_token"], second["refresh_token"]);
        assert_eq!(renew(provider, &first)["error"], "invalid_grant");
        assert_eq!(renew(provider, &second)["error"], "invalid_grant");
        provider.habits.rotation = false;
        let code_2 = code(provider);
        let first = exchange(provider, &code_2, VERIFIER, NOW);
        assert_eq!(renew(provider, &first).get("refresh_token"), None);
        assert!(renew(provider, &first)["access_token"].is_string());
    }

    #[test]
    fn a_client_shows_who_it_is_in_one_way_and_the_right_one() {
        let provider = &mut Provider::new(Habits::default(), 1);
        let encoded = STANDARD.encode(format!("{CLIENT_ID}:Simulated%3Asecret%2Fof%2Bthe%2520client"));
        let with = |form: &[(&str, &str)]| SimRequest::form("/oauth2/token", form);
        let basic = format!("Basic {encoded}");
        for (auth, request, error) in [
            (ClientAuth::Body, with(&[("client_id", CLIENT_ID)]), "invalid_client"),
            (ClientAuth::Body, with(&[]).authorized(&basic), "invalid_client"),
            (ClientAuth::Basic, with(&[("client_secret", "x")]), "invalid_client"),
            (ClientAuth::Basic, with(&[("client_secret", "x")]).authorized(&basic), "invalid_request"),
            (ClientAuth::Basic, with(&[]).authorized(&basic), "unsupported_grant_type"),
            (ClientAuth::None, with(&[("client_id", CLIENT_ID)]), "unsupported_grant_type"),
        ] {
            provider.habits.client_auth = auth;
            assert_eq!(provider.answer(&request, NOW).unwrap().value()["error"], error, "{auth:?}");
        }
    }
}
