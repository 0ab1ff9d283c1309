//! What filters, tests and methods promise together: one text of a value, arguments by name, bounds, hints
//! that lead to what there is, and secrets that stay what they are.

use std::sync::Arc;
use std::time::Instant;

use serde_json::{Value, json};

use crate::model::budget::CODE;
use crate::model::example::view;
use crate::model::expr::Expr;
use crate::model::fault::Fault;
use crate::model::filters::{all, foreign};
use crate::model::marks::Marks;
use crate::model::mistake::Mistake;
use crate::model::scope::EvalContext;
use crate::model::text::StringTemplate;
use crate::model::value::ValueTemplate;

fn some() -> EvalContext {
    view(json!({
        "n": 3, "t": true, "nul": null, "f": 1.0, "big": 1e21, "small": 1e-7, "l": [1, "a"], "d": {"a": null},
        "s": "abc", "long": "lorem ipsum ".repeat(2_000), "rows": [{"a": 1}, {"a": 2}],
        "many": (0..5_000).collect::<Vec<u64>>(), "price": 1.5,
    }))
}

fn eval(text: &str) -> Result<Value, Fault> {
    Expr::parse(text).unwrap_or_else(|it| panic!("{text}: {it}")).eval(&some())
}

fn problem(text: &str) -> Mistake {
    Expr::parse(text).expect_err(text)
}

#[test]
fn a_value_is_the_same_text_wherever_it_stands() {
    for (name, text) in [
        ("n", "3"),
        ("t", "true"),
        ("f", "1.0"),
        ("big", "1e+21"),
        ("small", "1e-7"),
        ("l", r#"[1,"a"]"#),
        ("d", r#"{"a":null}"#),
        ("s", "abc"),
    ] {
        for whole in [
            format!("'' ~ {name} ~ ''"),
            format!("{name}|string"),
            format!("[{name}]|join"),
            format!("'%s'|format({name})"),
            format!("'%s' % [{name}]"),
            format!("'{{}}'.format({name})"),
            format!("{name}|trim"),
            format!("'x'|replace('x', {name})"),
            format!("'%(a)s' % {{'a': {name}}}"),
        ] {
            assert_eq!(eval(&whole).unwrap(), json!(text), "{whole}");
        }
        let placeholder = StringTemplate::parse(&format!("{{{{{name}}}}}")).unwrap().fill(&some());
        assert_eq!(placeholder.unwrap(), text, "{name}");
        let block =
            StringTemplate::parse(&format!("{{{{#if t}}}}{{{{{name}}}}}{{{{/if}}}}")).unwrap().fill(&some());
        assert_eq!(block.unwrap(), text, "{name}");
    }
    assert_eq!(eval("{true: 1, 1.0: 2}").unwrap(), json!({"true": 1, "1.0": 2}), "keys are texts too");
}

#[test]
fn null_in_a_text_is_a_fault_that_names_it() {
    for (text, name) in [
        ("'a' ~ nul", "`nul`"),
        ("d.a ~ 'b'", "`d.a`"),
        ("'a' ~ rows[0].a ~ (nul if t else 1)", "`(…)`"),
        ("nul|string", "`nul|string`"),
        ("[1, nul]|join(',')", "item 2"),
        ("nul|upper", "`nul|upper`"),
        ("'%s'|format(nul)", "nul"),
        ("'x'|replace('x', nul)", "nul"),
        ("{'a': nul}|urlencode", "`a`"),
        ("', '.join([nul])", "item 1"),
    ] {
        let fault = eval(text).expect_err(text);
        assert!(matches!(fault.code.as_str(), "missing_param" | "bad_value"), "{text}: {}", fault.code);
        assert!(fault.message.contains(name), "{text}: {}", fault.message);
    }
    assert_eq!(eval("'a' ~ nope").unwrap_err().message, "there is no param `nope`");
}

#[test]
fn arguments_have_names_and_wrong_ones_are_problems() {
    for (text, gives) in [
        ("nope|default(value='x', boolean=true)", json!("x")),
        ("0|default('x', boolean=true)", json!("x")),
        ("'aab'|replace(old='a', new='c', count=1)", json!("cab")),
        ("rows|map(attribute='b', default=0)|list", json!([0, 0])),
        ("rows|join(',', attribute='a')", json!("1,2")),
        ("rows|sort(reverse=true, attribute='a')|map(attribute='a')|list", json!([2, 1])),
        ("['b', 'a']|map('indent', first=true, width=2)|list", json!(["  b", "  a"])),
        ("'ff'|int(base=16)", json!(255)),
        ("'a.b'|split(sep='.', maxsplit=1)", json!(["a", "b"])),
    ] {
        assert_eq!(eval(text).map_err(|it| it.message), Ok(gives), "{text}");
    }
    for (text, wrong, hint) in [
        ("s|replace('a')", "is not given `new`", "replace(old, new, count?)"),
        ("s|replace('a', 'b', 1, 2)", "too much", "replace("),
        ("s|indent(widht=2)", "takes no `widht`", "width=4"),
        ("s|trim('a', chars='b')", "`chars` twice", "trim(chars?)"),
        ("s|upper(1)", "too much", "`upper`"),
        ("s|Uper", "unknown filter `Uper`", "`upper`"),
        ("s is Serach('a')", "unknown test `Serach`", "`search`"),
        ("rows|map('uper')|list", "unknown filter `uper`", "`upper`"),
        ("rows|select('definde')|list", "unknown test `definde`", "`defined`"),
        ("rows|map(s)|list", "is a text", ""),
        ("rows|selectattr(attribute='a')|list", "names its test first", "selectattr"),
        ("s|match('a')", "unknown filter `match`", "`batch`"),
        ("s is match('(')", "no regular expression", ""),
        ("s|regex_replace('(?=a)', '')", "look-around", "more than one pass"),
        ("s.uper()", "no method `uper`", "`upper`"),
        ("l.append(1)", "no method `append`", "list + [x]"),
        ("s|qqqqqqqqqq", "unknown filter", "lists all filters"),
        ("s.qqqqqqqqqq()", "no method", "lists all methods"),
        ("now()", "unknown function `now`", "`now`"),
        ("l|random", "unknown filter `random`", "not repeatable"),
        ("n|timestamp_custom('%Y')", "unknown filter", "|date("),
    ] {
        let mistake = problem(text);
        let said = mistake.hint.clone().unwrap_or_default();
        assert!(mistake.message.contains(wrong) && said.contains(hint), "{text}: {mistake}");
        assert!(said.len() < 220, "{text}: {said}");
    }
}

#[test]
fn hints_name_what_there_is() {
    let hints = foreign::hints().map(str::to_owned).collect::<Vec<String>>();
    assert!(hints.len() > 40);
    for hint in hints {
        for after in hint.split('|').skip(1) {
            let name: String = after.chars().take_while(|it| it.is_alphanumeric() || *it == '_').collect();
            let is_there = all::filters().any(|it| it.name == name || it.also.contains(&name.as_str()));
            assert!(is_there, "`{name}` in {hint:?}");
        }
    }
}

#[test]
fn names_of_others_are_none_of_ours() {
    for (what, name) in foreign::names() {
        let is_ours = match what {
            "filter" => all::filter(name).is_some(),
            _ => all::test(name).is_some(),
        };
        assert!(!is_ours, "{what} {name}");
    }
}

#[test]
fn what_grows_is_bounded() {
    for text in [
        "s|center(100000)",
        "s.zfill(1000000000)",
        "s.ljust(99999999999, 'x')",
        "'%999999999d' % 1",
        "'%.999999f' % 1.5",
        "'{:>999999999}'.format(1)",
        "price|fixed(100000)",
        "many|batch(1000000000)",
        "many|slice(1000000000)",
        "many|join('\n')|indent(10000)",
        "many|map('string')|map('indent', long, true)|list",
        "(many|join(long))|length",
        "many|map('replace', '1', long)|list",
        "many|map('regex_replace', '[0-9]', long)|list",
        "many|map('string')|map('center', 9999)|map('center', 9999)|map('urlencode')|list",
    ] {
        let fault = eval(text).map(|it| it.to_string().len()).expect_err(text);
        assert!(
            matches!(fault.code.as_str(), CODE | "bad_value"),
            "{text}: {} {}",
            fault.code,
            fault.message
        );
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "how long it takes is what is asked")]
fn what_takes_long_ends() {
    let all = "many|map('string')|map";
    for text in [
        "many|join('|')|regex_findall('(1|2|3|4|5|6|7|8|9|0|[|]){0,100}$')|list|length".to_owned(),
        format!("{all}('regex_replace', '(\\\\w{{1,8}}|x){{1,3}}$', '')|list|length"),
        "long|regex_replace('(\\\\w+|\\\\W+){1,9}z', '')|length".to_owned(),
        "long|regex_findall('((l|o|r|e|m| )*)*z')|length".to_owned(),
        "(many|zip(many, many, many, many, many)|map('zip', many)|list)|length".to_owned(),
        format!("{all}('hash', 'sha512')|map('format', long)|list|length"),
        "l|flatten(100)|length".to_owned(),
        "(many|union(many|map('string')|list)|symmetric_difference(many))|length".to_owned(),
        "[[many, many], [many, many]]|flatten|unique|list|length".to_owned(),
        "many|map('attr', 'a')|list|length".to_owned(),
    ] {
        let expr = Expr::parse(&text).unwrap_or_else(|it| panic!("{text}: {it}"));
        let start = Instant::now();
        if let Err(fault) = expr.eval(&some()) {
            let known = matches!(fault.code.as_str(), CODE | "bad_value" | "bad_expression");
            assert!(known, "{text}: {} {}", fault.code, fault.message);
        }
        assert!(start.elapsed().as_secs() < 20, "{text} takes {:?}", start.elapsed());
    }
}

#[test]
fn many_filters_draw_on_the_budget_by_what_they_do() {
    use crate::model::budget::{Budget, measured};
    let view = some();
    let steps = |text: &str| {
        let expr = Expr::parse(text).unwrap_or_else(|it| panic!("{text}: {it}"));
        measured(&Budget::default(), || {
            expr.eval(&view).unwrap_or_else(|it| panic!("{text}: {}", it.message))
        })
        .1
    };
    let base = steps("long|length").steps;
    for filter in
        ["escape", "striptags", "wordcount", "indent", "regex_search('x*$')", "b64encode", "json", "title"]
    {
        let spent = steps(&format!("long|{filter}|string|length"));
        assert!(spent.steps > base + 2_500, "{filter}: {spent:?} and {base}");
    }
    let small = steps("long|regex_search('x*$')|string|length").steps;
    assert!(small > base + 30_000, "every byte is paid for: {small}");
    let large = steps("long|regex_search('([a-z]x?){0,400}$')|string|length").steps;
    assert!(large > 2 * small, "and what is larger costs more: {large} and {small}");
    let base = steps("many|length").steps;
    for filter in ["flatten", "union([1])", "difference([1])", "zip(many)", "batch(2)", "slice(2)", "reverse"]
    {
        let spent = steps(&format!("many|{filter}|list|length"));
        assert!(spent.steps > base + 4_000, "{filter}: {spent:?} and {base}");
    }
}

#[test]
fn what_is_made_of_a_secret_is_one() {
    let mut marks = Marks::default();
    marks.mark("/key");
    let params = json!({"key": "Tops3cret", "n": 1, "list": ["a"], "d": {"a": 1}});
    let mut view = view(params);
    Arc::make_mut(&mut view.task).params.mark(&marks);
    for text in [
        "key[0]",
        "key[1:3]",
        "key.upper()",
        "key.split('s')",
        "key|list",
        "key|batch(2)",
        "key|regex_search('[a-z]+')",
        "key|regex_findall('.')",
        "key|regex_replace('s', 'x')",
        "'%s' % key",
        "'{}'.format(key)",
        "'x'|format|default(key) ~ key",
        "d|combine({'a': key})",
        "list|union([key])",
        "list|zip([key])",
        "key|hash('sha512')",
        "key|b64encode",
        "{'a': key}|urlencode",
        "{'a': key}|dict2items",
        "(key|json)|from_json",
        "key|truncate(3, true, '', 0)",
        "params.get('key')",
        "key.find('s')",
        "key|length",
    ] {
        let (value, marks) =
            ValueTemplate::new(&json!(format!("= {text}"))).unwrap().fill_marked(&view).unwrap();
        assert!(marks.covers(""), "{text} gives {value}");
    }
    let (_, marks) = ValueTemplate::new(&json!("= list|union([n])")).unwrap().fill_marked(&view).unwrap();
    assert!(marks.is_empty(), "the control");
}
