//! What is wrong with a hook, and who may come in by one.

use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::{Sha256, Sha512};
use zeroize::Zeroizing;

use crate::model::fault::Fault;
use crate::model::text::StringTemplate;
use crate::model::time::Timestamp;
use crate::process::hook_proof::{Came, Signature, Unproven, prove};
use crate::process::parse::parse_with;
use crate::process::process::Process;
use crate::process::sample::KINDS;

const NOW: Timestamp = Timestamp(1_795_000_000_000);
const KEY: &str = "the key";
const BODY: &str = "{\"id\": 7}";

fn parsed(hook: &str) -> Result<Process, Vec<String>> {
    let text = format!(
        "process: p\nparams: {{a: {{type: string}}}}\nhooks:\n  in: {hook}\nnodes:\n  \
         start: {{kind: input, next: done}}\n  done: {{kind: end}}\n"
    );
    parse_with(KINDS, &text).map_err(|them| them.iter().map(ToString::to_string).collect())
}

#[test]
fn what_is_wrong_with_a_hook_is_told() {
    let hmac = |more: &str| format!("{{check: {{hmac: {{secret: \"{{{{secret.k}}}}\", header: X{more}}}}}}}");
    let wrong = [
        "{}".to_owned(),
        "{public: false}".to_owned(),
        "{public: true, check: {basic: {user: a, password: \"{{secret.k}}\"}}}".to_owned(),
        "{check: {basic: {user: a, password: hunter2}}}".to_owned(),
        "{check: {header: {name: X, value: \"{{body.x}} {{secret.k}}\"}}}".to_owned(),
        "{check: {hmac: {secret: plain, header: X}}}".to_owned(),
        "{check: {hmc: {}}}".to_owned(),
        "{check: {param: {name: a, value: \"{{body.a}}\"}}}".to_owned(),
        hmac(", window: 5m"),
        hmac(", time_header: T, window: 2d"),
        hmac(", time_header: T, signed: \"{body}\""),
        hmac(", signed: \"{time}.{body}\""),
        hmac(", signed: \"{url}{body}\""),
        hmac(", signed: \"v0\""),
        hmac(", time_field: t"),
        hmac(", time_field: t, field: v1, time_header: T"),
        hmac(", algorithm: md5"),
        "{public: true, answer: reply}".to_owned(),
        "{public: true, answer: reply, if_exists: modify}".to_owned(),
        "{public: true, timeout: 5s}".to_owned(),
        "{public: true, answer: reply, timeout: 1h}".to_owned(),
        "{public: true, if_missing: refuse}".to_owned(),
        "{public: true, ref: \"{{body.a}}\", if_missing: refuse}".to_owned(),
        "{public: true, params: {task: 1}}".to_owned(),
        "{public: true, ref: \"{{bdy.a}}\", when: \"params.x == 1\"}".to_owned(),
        "{public: true, params: {a: \"{{secret.k}}\", b: \"{{conv[x].ref[y].z}}\"}}".to_owned(),
        "{public: true, methods: [DELETE]}".to_owned(),
        "{public: true, max_bytes: 1GiB}".to_owned(),
        "{public: true, chek: 1}".to_owned(),
        "{public: true, charset: windows-1521}".to_owned(),
        "{public: true, charset: koi8-r, accept: query}".to_owned(),
        "{public: true}\n  \"a b\": {public: true}".to_owned(),
    ];
    let told: Vec<_> = wrong.iter().map(|hook| json!({hook.as_str(): parsed(hook).unwrap_err()})).collect();
    insta::assert_yaml_snapshot!(told);
}

fn open(text: &StringTemplate) -> Result<Zeroizing<String>, Fault> {
    let known = text.uses().secrets.contains("k");
    let missing = || Fault::lasting("missing_secret", "there is no secret");
    known.then(|| Zeroizing::new(KEY.to_owned())).ok_or_else(missing)
}

fn proved(check: &str, headers: &[(&str, &str)]) -> Result<Option<Signature>, Unproven> {
    let process = parsed(&format!("{{check: {{{check}}}}}")).unwrap();
    let headers: Vec<_> =
        headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let came = Came { headers: &headers, body: BODY.as_bytes(), now: NOW };
    prove(&process.hook("in").unwrap().check, came, &open)
}

fn hex(bytes: &[u8]) -> String {
    let digits: Vec<String> = bytes.iter().map(|it| format!("{it:02x}")).collect();
    digits.concat()
}

fn mac<M: Mac + KeyInit>(text: &str) -> Vec<u8> {
    let mut mac = <M as KeyInit>::new_from_slice(KEY.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

#[test]
fn signatures_of_many_senders_are_understood() {
    use base64::Engine;
    use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE};
    let hmac = |more: &str| format!("hmac: {{secret: \"{{{{secret.k}}}}\", header: X-Sig{more}}}");
    let plain = mac::<Hmac<Sha256>>(BODY);
    assert_eq!(
        proved(&hmac(", prefix: sha256="), &[("x-sig", &format!("sha256={}", hex(&plain)))]),
        Ok(None)
    );
    assert_eq!(proved(&hmac(""), &[("x-sig", &hex(&plain).to_uppercase())]), Ok(None));
    for written in [BASE64_STANDARD.encode(&plain), BASE64_URL_SAFE.encode(&plain)] {
        assert_eq!(proved(&hmac(", encoding: base64"), &[("x-sig", &written)]), Ok(None), "{written}");
    }
    let long = mac::<Hmac<Sha512>>(BODY);
    assert_eq!(proved(&hmac(", algorithm: sha512"), &[("x-sig", &hex(&long))]), Ok(None));
    // One header with the time and several signatures, as while a key is changed.
    let seconds = NOW.seconds();
    let good = hex(&mac::<Hmac<Sha256>>(&format!("{seconds}.{BODY}")));
    let fields = hmac(", field: v1, time_field: t");
    let header = format!("t={seconds},v1={},v1={good},v0=x", hex(&plain));
    let signature = proved(&fields, &[("x-sig", &header)]).unwrap().unwrap();
    assert_eq!(signature.until, NOW + crate::process::hook::WINDOW);
    assert!(!signature.id.contains(&good));
    // A time of its own, and another way to sign it.
    for time in [seconds.to_string(), NOW.0.to_string(), NOW.to_string()] {
        let good = hex(&mac::<Hmac<Sha256>>(&format!("v0:{time}:{BODY}")));
        let slack = hmac(", prefix: \"v0=\", time_header: X-Time, signed: \"v0:{time}:{body}\"");
        let headers = [("x-sig", format!("v0={good}")), ("x-time", time.clone())];
        let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
        assert!(proved(&slack, &headers).unwrap().is_some(), "{time}");
    }
}

#[test]
fn what_proves_nothing_is_refused() {
    let hmac = |more: &str| format!("hmac: {{secret: \"{{{{secret.k}}}}\", header: X-Sig{more}}}");
    let good = hex(&mac::<Hmac<Sha256>>(BODY));
    let refused = |check: &str, headers: &[(&str, &str)]| match proved(check, headers) {
        Err(Unproven::Refused(why)) => why,
        other => panic!("{check} {headers:?}: {other:?}"),
    };
    assert_eq!(refused(&hmac(""), &[]), "the signature is missing");
    assert_eq!(refused(&hmac(""), &[("x-sig", &good), ("x-sig", &good)]), "the header came twice");
    assert_eq!(refused(&hmac(", prefix: sha256="), &[("x-sig", &good)]), "the signature is another");
    for bad in ["", "0", "zz", &good[2..], &format!("{good}00"), "é"] {
        assert_eq!(refused(&hmac(""), &[("x-sig", bad)]), "the signature is another", "{bad}");
    }
    let timed = hmac(", time_header: X-Time");
    assert_eq!(refused(&timed, &[("x-sig", &good)]), "the time is missing");
    for bad in ["", "soon", "NaN", "-5", "inf"] {
        assert_eq!(refused(&timed, &[("x-sig", &good), ("x-time", bad)]), "the time is none", "{bad}");
    }
    for far in ["0", "1e300", "9999999999", "2020-01-01T00:00:00Z"] {
        let why = refused(&timed, &[("x-sig", &good), ("x-time", far)]);
        assert_eq!(why, "the time is too far from now", "{far}");
    }
    let unready = proved("header: {name: X, value: \"{{secret.other}}\"}", &[("x", "")]);
    assert!(matches!(unready, Err(Unproven::Unready(_))), "{unready:?}");
    let basic = "basic: {user: ann, password: \"{{secret.k}}\"}";
    for bad in ["", "Basic", "Basic !", "Bearer YW5uOnRoZSBrZXk=", "Basic YW5u", "Basic YW5uOnRoZSBrZX=="] {
        refused(basic, &[("authorization", bad)]);
    }
    assert_eq!(proved(basic, &[("authorization", "basic YW5uOnRoZSBrZXk=")]), Ok(None));
}
