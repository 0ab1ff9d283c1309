//! What an evaluation may cost, tried on expressions and texts that cost more.

use serde_json::{Value, json};

use crate::model::budget::{Budget, CODE, measured};
use crate::model::example::view;
use crate::model::expr::Expr;
use crate::model::fault::Fault;
use crate::model::scope::EvalContext;
use crate::model::text::StringTemplate;
use crate::model::value::ValueTemplate;

fn eval(text: &str, view: &EvalContext) -> Result<Value, Fault> {
    Expr::parse(text).unwrap_or_else(|it| panic!("{text}: {it}")).eval(view)
}

/// So many rows, each with a number and a text that tells it.
fn rows(many: u64) -> Value {
    (0..many).map(|id| json!({"id": id, "name": format!("lead {id}")})).collect()
}

fn large() -> EvalContext {
    view(json!({
        "text": "x".repeat(20_000), "n": 7, "rows": rows(150),
        "list": (0..5_000).collect::<Vec<u64>>(),
    }))
}

#[test]
fn an_expression_that_costs_too_much_ends_with_a_fault_that_names_it() {
    let view = large();
    let grown = format!("text{}", "|base64".repeat(34));
    let hashed = format!("range(9000)|map('string')|map('hmac', text{})|list|length", "|base64".repeat(10));
    let replaced = "range(9000)|map('string')|map('replace', '1', range(9000)|join)|list|length";
    for text in [&grown, &hashed, replaced] {
        let fault = eval(text, &view).expect_err(text);
        assert_eq!(fault.code, CODE, "{text}: {}", fault.message);
        assert!(fault.message.starts_with(&format!("`{}", &text[..20])), "{text}: {}", fault.message);
    }
    assert_eq!(eval("text|base64|length", &view).unwrap(), json!(26_668), "the control");
}

#[test]
fn a_text_that_costs_too_much_ends_with_a_fault_that_names_it() {
    let view = large();
    let each = |inner: &str| format!("{{{{#each params.rows}}}}{inner}{{{{/each}}}}");
    let thrice = each(&each(&each("{{params.n}}")));
    let silent = each(&each(&each("")));
    let item = "{{#each params.rows}}{{#each ../rows}}{{#each ../../rows}}{{#if this}}{{/if}}\
                {{/each}}{{/each}}{{/each}}";
    let asks = each(&each(&each("{{#if (eq this.id ../id)}}{{/if}}")));
    for text in [thrice.as_str(), silent.as_str(), item, asks.as_str()] {
        let fault = StringTemplate::parse(text).unwrap().fill(&view).expect_err(text);
        assert_eq!(fault.code, CODE, "{text}: {}", fault.message);
        assert!(fault.message.starts_with("`{{#each params.rows}}"), "{text}: {}", fault.message);
    }
    let twice =
        StringTemplate::parse(&each("{{params.n}}{{#if name}},{{/if}}")).unwrap().fill(&view).unwrap();
    assert_eq!(twice.len(), 300, "the control");
    let long = "{{text}}".repeat(20_000);
    assert_eq!(StringTemplate::parse(&long).unwrap().fill(&view).unwrap_err().code, CODE);
    let many: Value = (0..20_000).map(|_| json!("{{text}}")).collect();
    assert_eq!(ValueTemplate::new(&many).unwrap().fill(&view).unwrap_err().code, CODE);
}

#[test]
fn one_list_without_another_is_found_by_hash() {
    let view = view(json!({
        "leads": rows(8_000), "known": (0..12_000).map(|it| it * 2).collect::<Vec<u64>>(),
        "texts": (0..20_000).map(|it| format!("id {it}")).collect::<Vec<String>>(),
    }));
    let without = "leads|rejectattr('id', 'in', known)|list|length";
    assert_eq!(eval(without, &view).unwrap(), json!(4_000));
    assert_eq!(eval("texts|select('in', texts)|list|length", &view).unwrap(), json!(20_000));
    assert_eq!(eval("leads|selectattr('id', 'in', known + [3])|list|length", &view).unwrap(), json!(4_001));
    assert_eq!(
        eval("leads|rejectattr('name', 'in', leads|map(attribute='name')|list)|list", &view).unwrap(),
        json!([])
    );
    let steps = |text: &str| measured(&Budget::default(), || eval(text, &view).unwrap()).1.steps;
    assert!(steps(without) < 2_000_000, "{}", steps(without));
}

#[test]
fn what_is_found_by_hash_is_what_is_found_one_by_one() {
    let kinds = [
        json!(null),
        json!(true),
        json!(false),
        json!(0),
        json!(1),
        json!(-0.0),
        json!(1.0),
        json!(1.5),
        json!("1"),
        json!("x"),
        json!(""),
        json!([]),
        json!([1]),
        json!({}),
        json!({"a": 1}),
        json!([1.0]),
        json!(9_007_199_254_740_993_i64),
        json!(9_007_199_254_740_992.0),
        json!(u64::MAX),
        json!(1e300),
    ];
    for left_out in 0..kinds.len() {
        let mut list: Vec<Value> =
            kinds.iter().enumerate().filter(|it| it.0 != left_out).map(|it| it.1.clone()).collect();
        let view = |list: &[Value]| view(json!({"list": list, "all": kinds}));
        let short: Vec<Value> = list
            .chunks(9)
            .flat_map(|few| {
                eval("all|map('default', 1)|select('in', list)|list", &view(few))
                    .unwrap()
                    .as_array()
                    .unwrap()
                    .clone()
            })
            .collect();
        let expected: Vec<&Value> = kinds.iter().filter(|it| short.contains(it)).collect();
        list.extend_from_within(..);
        let found = eval("all|select('in', list)|list", &view(&list)).unwrap();
        assert_eq!(
            found.as_array().unwrap().iter().collect::<Vec<_>>(),
            expected,
            "without {}",
            kinds[left_out]
        );
    }
    let view = large();
    for (text, value) in [
        ("4999 in list and 5000 not in list and 4999.0 in list", true),
        ("'id' in rows[0] and 'it' not in rows[0]", true),
        ("'xx' in text and 'y' not in text", true),
        ("{'id': 1, 'name': 'lead 1'} in rows", true),
    ] {
        assert_eq!(eval(text, &view).unwrap(), json!(value), "{text}");
    }
    assert_eq!(eval("1 in n", &view).unwrap_err().code, "bad_expression");
}

#[test]
fn what_makes_a_library_panic_is_a_fault_of_the_expression() {
    let view = large();
    for text in ["n is divisibleby(0)", "list|select('divisibleby', 0)|list", "n is divisibleby(n - 7)"] {
        let fault = eval(text, &view).unwrap_err();
        assert_eq!(fault.code, "bad_value", "{text}");
        assert_eq!(fault.message, format!("`{text}`: a division by zero"));
    }
    for (text, value) in
        [("14 is divisibleby(n)", true), ("15 is divisibleby(n)", false), ("1.5 is divisibleby(0.5)", true)]
    {
        assert_eq!(eval(text, &view).unwrap(), json!(value), "{text}");
    }
}

#[test]
fn a_small_expression_costs_little() {
    let view = large();
    let cost = |text: &str| measured(&Budget::default(), || eval(text, &view).unwrap()).1;
    let cost = cost("n + 1 == 8 and n in [5, 6, 7]");
    assert!(cost.steps < 100 && cost.bytes < 1_000, "{cost:?}");
}
