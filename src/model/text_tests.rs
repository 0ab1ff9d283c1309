//! Tests of [`crate::model::text`].

use proptest::prelude::*;
use serde_json::json;

use crate::model::effect::mark;
use crate::model::example::{address, naughty_strings, view};
use crate::model::scope::EvalContext;
use crate::model::text::StringTemplate;

fn some() -> EvalContext {
    view(json!({
        "city": "Riga", "n": 7, "f": 1.5, "yes": true, "none": null, "rows": [{"n": 1}, {"n": 2}], "i": 1,
        "o": {"k": "v", "a b": "c"}, "k": "k", "id": "bitrix", "r": "token", "log": "L", "and": "A",
        "json": "J",
        "lookup": "P", "date": "D", "first-name": "Ann", "имя": "Аня", "tpl": "{{city}}", "each": "E",
    }))
}

fn fill(text: &str) -> Result<String, String> {
    StringTemplate::parse(text).unwrap().fill(&some()).map_err(|it| it.code)
}

fn good(text: &str) -> String {
    fill(text).unwrap_or_else(|it| panic!("{text}: {it}"))
}

#[test]
fn a_placeholder_is_filled_with_what_its_path_names() {
    for (text, filled) in [
        ("no placeholders } }} {", "no placeholders } }} {"),
        ("{{city}}", "Riga"),
        ("a {{ city }}, {{n}} {{f}} {{yes}} b", "a Riga, 7 1.5 true b"),
        ("{{rows[1].n}}{{rows.0.n}}{{rows[{{i}}].n}}", "212"),
        ("{{o}} {{rows}}", r#"{"k":"v","a b":"c"} [{"n":1},{"n":2}]"#),
        ("{{o.{{k}}}} {{o[{{k}}]}} {{o[k]}} {{o[\"a b\"]}}", "v v v c"),
        ("{{params.city}} {{params.o.k}}", "Riga v"),
        ("{{first-name}} {{имя}}", "Ann Аня"),
        ("{{var.region}} {{task.ref}} {{fault.message}} {{now}}", "eu r1 no answer 1700000000"),
        ("{\"a\":{\"b\":{{n}}}}", "{\"a\":{\"b\":7}}"),
        ("{{tpl}}", "{{city}}"),
        ("{{\"{{\"}} {{\"=x\"}}", "{{ =x"),
        ("{{{city}}}", "Riga"),
    ] {
        assert_eq!(good(text), filled, "{text}");
    }
}

#[test]
fn a_param_named_like_a_helper_wins_as_a_plain_placeholder() {
    assert_eq!(good("{{log}} {{and}} {{json}} {{lookup}} {{date}} {{each}}"), "L A J P D E");
    assert_eq!(good("{{#if yes}}{{log}}{{json}}{{/if}} {{json n}}"), "LJ 7");
}

#[test]
fn another_task_is_read_by_reference() {
    for text in [
        "{{conv[bitrix].ref[token].access_token}}",
        "{{conv[{{id}}].ref[{{r}}].access_token}}",
        "{{ conv[{{id}}].ref[tok{{e ?? \"en\"}}].access_token }}",
        "{{conv[{{o.{{x ?? \"y\"}} ?? \"bitrix\"}}].ref[token].access_token}}",
    ] {
        assert_eq!(good(text), "T0", "{text}");
    }
    assert_eq!(good("<{{conv[bitrix].ref[token].list[0].n}}>"), "<1>");
    assert_eq!(good("{{conv[bitrix].ref[token][\"a b\"]}}"), "2");
    let whole = StringTemplate::parse("{{conv[bitrix].ref[token]}}").unwrap().value(&some()).unwrap();
    assert_eq!(whole["access_token"], json!("T0"));
    assert_eq!(whole.get("client_secret"), None);
    for (text, code) in [
        ("{{conv[bitrix].ref[token].client_secret}}", "not_shared"),
        ("{{conv[bitrix].ref[token].client_secret ?? 1}}", "not_shared"),
        ("{{conv[bitrix].ref[token].nope}}", "missing_param"),
        ("{{conv[bitrix].ref[gone].x}}", "ref_not_found"),
        ("{{conv[nowhere].ref[x].x}}", "process_not_found"),
        ("{{conv[{{city}}].ref[x].x}}", "bad_name"),
        ("{{conv[{{o}}].ref[x].x}}", "bad_name"),
        ("{{conv[{{nope}}].ref[x].x}}", "missing_param"),
    ] {
        assert_eq!(fill(text), Err(code.to_owned()), "{text}");
    }
    assert_eq!(good("{{conv[bitrix].ref[gone].x ?? \"none\"}}"), "none");
}

#[test]
fn a_task_that_was_not_fetched_is_noted_even_where_there_is_a_default() {
    let view = some();
    let text = StringTemplate::parse("{{conv[31281].ref[a-b].x ?? 1}}").unwrap();
    assert_eq!(text.fill(&view).unwrap_err().code, "not_fetched");
    assert_eq!(view.scope.missing_reads(), [address("31281", "a-b")].into());
}

#[test]
fn what_is_missing_is_a_fault_that_names_it() {
    for (text, code, name) in [
        ("{{nope}}", "missing_param", "`nope`"),
        ("{{o.nope.x}}", "missing_param", "`o.nope.x`"),
        ("{{rows[{{n}}].n}}", "missing_param", "`rows[7].n`"),
        ("{{none}}!", "missing_param", "`none` is null"),
        ("{{var.nope}}", "missing_var", "`var.nope`"),
        ("{{response.body.x}}", "missing_field", "`response.body.x`"),
        ("{{#if yes}}{{nope}}{{/if}}", "missing_param", "`nope`"),
        ("{{json nope}}", "missing_param", "`nope`"),
        ("{{#each rows}}{{nope}}{{/each}}", "missing_param", "nope"),
        ("{{#each nope}}{{/each}}", "missing_param", "`nope`"),
        ("{{#each city}}{{/each}}", "bad_value", "`city`"),
    ] {
        let fault = StringTemplate::parse(text).unwrap().fill(&some()).unwrap_err();
        assert_eq!(fault.code, code, "{text}: {}", fault.message);
        assert!(fault.message.contains(name), "{text}: {}", fault.message);
    }
}

#[test]
fn a_default_stands_in_for_the_missing_and_for_null() {
    for (text, filled) in [
        ("{{nope ?? \"Oslo\"}}", "Oslo"),
        ("{{none ?? city}}", "Riga"),
        ("{{nope ?? also ?? 3}}", "3"),
        ("{{city ?? \"}}\"}}", "Riga"),
        ("{{nope ?? {\"a\":{\"b\":1}}}}", "{\"a\":{\"b\":1}}"),
        ("{{response.body.x ?? []}}", "[]"),
        ("{{o[\"?? x\"] ?? \"d\"}}", "d"),
    ] {
        assert_eq!(good(text), filled, "{text}");
    }
    assert_eq!(fill("{{nope ?? null}}"), Err("missing_param".to_owned()));
}

#[test]
fn one_placeholder_alone_keeps_its_type() {
    for (text, value) in [
        ("{{n}}", json!(7)),
        ("{{yes}}", json!(true)),
        ("{{none}}", json!(null)),
        ("{{rows[0]}}", json!({"n": 1})),
        ("{{nope ?? {\"a\": []}}}", json!({"a": []})),
        (" {{n}}", json!(" 7")),
        ("{{n}}{{n}}", json!("77")),
    ] {
        assert_eq!(StringTemplate::parse(text).unwrap().value(&some()).unwrap(), value, "{text}");
    }
}

#[test]
fn a_placeholder_cannot_change_where_a_request_goes() {
    let fill = |text: &str, x: &str| {
        StringTemplate::parse(text).unwrap().fill_url(&view(json!({"x": x, "base": "https://h/r/"})))
    };
    for (x, encoded) in [
        ("../", "..%2F"),
        ("?a=b&c", "%3Fa%3Db%26c"),
        ("#", "%23"),
        ("u@h:1", "u%40h%3A1"),
        ("a\r\nHost: b", "a%0D%0AHost%3A%20b"),
        ("%2e%2e", "%252e%252e"),
        ("\\..\\", "%5C..%5C"),
        ("ё", "%D1%91"),
        ("a-._~Z9", "a-._~Z9"),
    ] {
        assert_eq!(fill("https://h/{{x}}/b", x).unwrap(), format!("https://h/{encoded}/b"));
        assert_eq!(fill("https://h/{{#if x}}{{x}}{{/if}}/b", x).unwrap(), format!("https://h/{encoded}/b"));
    }
    for text in ["https://h/{{x}}/b", "https://h/{{x}}", "https://h/{{#if x}}{{x}}{{/if}}/b"] {
        for dots in [".", ".."] {
            assert_eq!(fill(text, dots).unwrap_err().code, "bad_value", "{text} {dots}");
        }
    }
    assert_eq!(fill("https://h/.{{x}}?q", ".").unwrap_err().code, "bad_value");
    assert_eq!(fill("https://h/?q={{x}}", "..").unwrap(), "https://h/?q=..");
    assert_eq!(fill("{{base}}user.{{x}}", "a/b").unwrap(), "https://h/r/user.a%2Fb");
    assert_eq!(fill("{{base}}{{#if x}}{{x}}{{/if}}", "a/b").unwrap(), "https://h/r/a%2Fb");
    assert_eq!(fill("https://h/{{{x}}}", "a/b").unwrap(), "https://h/a/b");
    assert_eq!(
        fill("https://h/?q={{urlencode x}}{{json x}}", "a b").unwrap(),
        "https://h/?q=a%20b%22a%20b%22"
    );
}

#[test]
fn a_secret_is_seen_as_its_mark_and_only_where_it_may_be() {
    let open = some().with_secrets();
    let text = StringTemplate::parse("Bearer {{secret.key}}").unwrap();
    assert_eq!(text.fill(&open).unwrap(), format!("Bearer {}", mark("key")));
    assert_eq!(text.fill(&some()).unwrap_err().code, "secret_misplaced");
    assert_eq!(
        StringTemplate::parse("{{secret.no}}").unwrap().fill(&open).unwrap_err().code,
        "missing_secret"
    );
    let url = StringTemplate::parse("https://h/?k={{secret.key}}&c={{city}}").unwrap();
    assert_eq!(url.fill_url(&open).unwrap(), format!("https://h/?k={}&c=Riga", mark("key")));
    let mixed = StringTemplate::parse("{{secret.key}} {{json city}}").unwrap();
    assert_eq!(mixed.fill(&open).unwrap(), format!("{} \"Riga\"", mark("key")));
    for text in ["{{json secret.key}}", "{{#if secret.key}}{{/if}}", "{{o[{{secret.key}}]}}", "{{secret}}"] {
        assert!(StringTemplate::parse(text).is_err(), "{text}");
    }
}

#[test]
fn data_cannot_pass_for_a_secret() {
    for value in [json!(mark("key")), json!({"a": [mark("key")]}), json!({mark("key"): 1})] {
        let view = view(json!({"x": value, "list": [value]})).with_secrets();
        for text in ["{{x}}", "a {{x}}", "{{json x}}", "{{#each list}}{{this}}{{/each}}", "{{nope ?? x}}"] {
            let text = StringTemplate::parse(text).unwrap();
            assert_eq!(text.fill(&view).unwrap_err().code, "bad_value", "{text:?}");
            assert_eq!(text.value(&view).unwrap_err().code, "bad_value", "{text:?}");
        }
    }
    assert!(StringTemplate::parse(&mark("key")).is_err());
    let sly = StringTemplate::parse(r#"{{"\ufdd0key\ufdd1"}}"#).unwrap();
    assert_eq!(sly.fill(&some().with_secrets()).unwrap_err().code, "bad_value");
}

#[test]
fn helpers_that_stand_too_deep_are_told_as_such() {
    let nested = |many: usize| format!("{{{{{}x{}}}}}", "base64 (".repeat(many) + "json ", ")".repeat(many));
    assert!(StringTemplate::parse(&nested(11)).is_ok());
    let mistake = StringTemplate::parse(&nested(12)).unwrap_err();
    assert!(mistake.message.contains("more than 12 helpers"), "{}", mistake.message);
}

#[test]
fn a_mistake_is_told_with_its_place() {
    for (text, wrong, at) in [
        ("a {{b", "never closed", 2..5),
        ("a {{}}", "empty placeholder", 2..6),
        ("{{a..b}}", "no path", 4..5),
        ("{{a.}}", "ends where", 4..4),
        ("{{ a + b }}", "no path", 4..5),
        ("{{x}} {{shout city}}", "unknown helper `shout`", 8..13),
        ("{{jsn city}}", "unknown helper `jsn`", 2..5),
        ("{{a ?? 'b'}}", "no default", 6..10),
        ("{{a ?? }}", "nothing after", 4..6),
        ("{{#if a}}b", "never closed", 0..9),
        ("b{{/if}}", "closes nothing", 1..8),
        ("{{#if a}}{{/each}}", "closes", 9..18),
        ("{{#loop a}}{{/loop}}", "unknown block", 3..7),
        ("{{> part}}", "not known", 0..10),
        ("{{conv.x}}", "another task", 2..8),
        ("{{conv[Bad].ref[x].y}}", "a process id", 2..18),
        ("{{conv[a].x}}", "another task", 8..11),
    ] {
        let mistake = StringTemplate::parse(text).expect_err(text);
        assert!(mistake.message.contains(wrong), "{text}: {mistake}");
        assert_eq!(mistake.at, Some(at), "{text}: {mistake}");
    }
    assert!(StringTemplate::parse("{{ a + b }}").unwrap_err().hint.unwrap().contains("begin with `=`"));
    assert!(StringTemplate::parse("{{jsn city}}").unwrap_err().hint.unwrap().contains("`json`"));
}

#[test]
fn what_a_text_reads_is_known_without_filling_it() {
    let text = "{{a.b}} {{params.c}} {{var.v}} {{secret.s}} {{x[{{y}}] ?? z}} {{json j}} \
                {{conv[p].ref[{{r}}].q}} {{conv[p].ref[t].q}} {{response.body}}";
    let uses = StringTemplate::parse(text).unwrap().uses();
    let roots = ["a", "c", "j", "r", "response", "var", "x", "y", "z"];
    assert_eq!(uses.roots, roots.map(str::to_owned).into());
    assert_eq!(uses.secrets, ["s".to_owned()].into());
    assert_eq!(uses.vars, ["v".to_owned()].into());
    let p = || Some("p".to_owned());
    assert_eq!(uses.convs, [(p(), None), (p(), Some("t".to_owned()))]);
}

#[test]
fn naughty_strings_go_through_as_they_are() {
    for naughty in naughty_strings() {
        let view = view(json!({"x": naughty, "list": [naughty]}));
        for text in ["{{x}}", "{{#each list}}{{this}}{{/each}}", "{{#if list}}{{x}}{{/if}}"] {
            assert_eq!(StringTemplate::parse(text).unwrap().fill(&view).unwrap(), naughty);
        }
        if !naughty.contains("{{") {
            assert_eq!(StringTemplate::parse(&naughty).unwrap().literal(), Some(naughty.as_str()));
        }
    }
}

const PIECES: &str = r#"(\{\{|\}\}|[{}\[\]#/.~^!?"'() \\]|conv\[|\]\.ref\[|if|each|else|json|o|\PC){0,40}"#;

proptest! {
    #[test]
    fn no_text_makes_a_panic(text in PIECES) {
        if let Ok(text) = StringTemplate::parse(&text) {
            let _ = text.fill(&some());
            let _ = text.fill_url(&some());
            let _ = text.value(&some());
            let _ = text.uses();
        }
    }

    #[test]
    fn a_value_comes_out_as_it_went_in(value in "\\PC{0,60}") {
        let view = view(json!({"x": value}));
        prop_assert_eq!(StringTemplate::parse("{{x}}").unwrap().fill(&view).unwrap(), value.clone());
        let url = StringTemplate::parse("https://h/a?x={{x}}&y").unwrap().fill_url(&view).unwrap();
        let url = url::Url::parse(&url).unwrap();
        let (_, back) = url.query_pairs().next().unwrap();
        prop_assert_eq!(back, value);
    }
}
