//! The tests: what may stand behind `is`, and as a name in `select` and its like.

use minijinja::value::{Value, ValueKind};
use minijinja::{Error, tests};

use crate::model::costs::{Cost, add_test};
use crate::model::filters::given::Given;
use crate::model::filters::lists::{divides, leaves, order};
use crate::model::filters::patterns::matches;
use crate::model::filters::spec::{FilterSpec, Run, own};
use crate::model::memo::has;

/// The tests.
#[rustfmt::skip]
pub(crate) static TESTS: [FilterSpec; 30] = [
    theirs("defined", "whether it is there", ("nope is defined", "false"),
        |to, name, cost| add_test(to, name, cost, tests::is_defined)),
    theirs("undefined", "whether it is not", ("nope is undefined", "true"),
        |to, name, cost| add_test(to, name, cost, tests::is_undefined)),
    FilterSpec { also: &["null"], ..theirs("none", "whether it is null", ("none is none", "true"),
        |to, name, cost| add_test(to, name, cost, tests::is_none)) },
    theirs("boolean", "true or false", ("true is boolean", "true"),
        |to, name, cost| add_test(to, name, cost, tests::is_boolean)),
    theirs("true", "true itself", ("1 is true", "false"),
        |to, name, cost| add_test(to, name, cost, tests::is_true)),
    theirs("false", "false itself", ("0 is false", "false"),
        |to, name, cost| add_test(to, name, cost, tests::is_false)),
    theirs("number", "a number", ("1.5 is number", "true"),
        |to, name, cost| add_test(to, name, cost, tests::is_number)),
    theirs("integer", "a whole number", ("1.0 is integer", "false"),
        |to, name, cost| add_test(to, name, cost, tests::is_integer)),
    theirs("float", "a number with a point", ("1.0 is float", "true"),
        |to, name, cost| add_test(to, name, cost, tests::is_float)),
    ours("odd", "", "a whole number that two does not divide", ("3 is odd", "true"), |_, it| leaves(it, 1)),
    ours("even", "", "one that it does", ("3 is even", "false"), |_, it| leaves(it, 0)),
    ours("divisibleby", "num", "divided without a rest", ("6 is divisibleby(3)", "true"),
        |_, it| divides(it.at(0), it.at(1)).map(Value::from)),
    theirs("string", "a text", ("\"a\" is string", "true"),
        |to, name, cost| add_test(to, name, cost, tests::is_string)),
    theirs("sequence", "a list", ("[1] is sequence", "true"),
        |to, name, cost| add_test(to, name, cost, tests::is_sequence)),
    ours("iterable", "", "a list, a map or a text", ("{} is iterable", "true"), |_, it| {
        use ValueKind::{Iterable, Map, Seq, String};
        Ok(matches!(it.at(0).kind(), Seq | Iterable | Map | String).into())
    }),
    theirs("mapping", "a map", ("{} is mapping", "true"),
        |to, name, cost| add_test(to, name, cost, tests::is_mapping)),
    FilterSpec { cost: Cost::Whole, ..theirs("lower", "without capitals", ("\"a\" is lower", "true"),
        |to, name, cost| add_test(to, name, cost, tests::is_lower)) },
    FilterSpec { cost: Cost::Whole, ..theirs("upper", "without small letters", ("\"a\" is upper", "false"),
        |to, name, cost| add_test(to, name, cost, tests::is_upper)) },
    ours("startingwith", "prefix", "whether a text begins so", ("\"abc\" is startingwith(\"a\")", "true"),
        |_, it| Ok(it.text(0)?.starts_with(&*it.text(1)?).into())),
    ours("endingwith", "suffix", "whether it ends so", ("\"abc\" is endingwith(\"c\")", "true"),
        |_, it| Ok(it.text(0)?.ends_with(&*it.text(1)?).into())),
    FilterSpec { cost: Cost::Whole, takes: "pattern, ignorecase=false, multiline=false",
        ..ours("match", "", "whether a regular expression matches at the start",
            ("\"abc\" is match(\"[ab]+\")", "true"),
            |state, it| matches(state, it, true)) },
    FilterSpec { cost: Cost::Whole, takes: "pattern, ignorecase=false, multiline=false", also: &["regex"],
        ..ours("search", "", "whether one matches anywhere", ("\"abc\" is search(\"[bc]+\")", "true"),
            |state, it| matches(state, it, false)) },
    FilterSpec { also: &["equalto", "=="],
        cost: Cost::Whole, ..ours("eq", "other", "equal", ("1 is eq(1.0)", "true"),
        |_, it| Ok(Value::from(it.at(0) == it.at(1)))) },
    FilterSpec { also: &["!="], cost: Cost::Whole, ..ours("ne", "other", "not equal", ("1 is ne(2)", "true"),
        |_, it| Ok(Value::from(it.at(0) != it.at(1)))) },
    FilterSpec { also: &["lessthan", "<"], ..ours("lt", "other", "less", ("1 is lt(2)", "true"),
        |_, it| ordered(it, |it| it.at(0) < it.at(1))) },
    FilterSpec { also: &["<="], ..ours("le", "other", "less, or equal", ("1 is le(1)", "true"),
        |_, it| ordered(it, |it| it.at(0) <= it.at(1))) },
    FilterSpec { also: &["greaterthan", ">"], ..ours("gt", "other", "greater", ("1 is gt(2)", "false"),
        |_, it| ordered(it, |it| it.at(0) > it.at(1))) },
    FilterSpec { also: &[">="], ..ours("ge", "other", "greater, or equal", ("1 is ge(2)", "false"),
        |_, it| ordered(it, |it| it.at(0) >= it.at(1))) },
    ours("in", "container", "an item of a list, a key of a map, a piece of a text",
            ("1 is in([1, 2])", "true"),
        |state, it| has(state, it.at(1), it.at(0)).map(Value::from)),
    ours("contains", "item", "the other way round", ("[1, 2] is contains(1)", "true"),
        |state, it| has(state, it.at(0), it.at(1)).map(Value::from)),
];

const fn theirs(
    name: &'static str,
    about: &'static str,
    example: (&'static str, &'static str),
    add: fn(&mut minijinja::Environment<'static>, &'static str, Cost),
) -> FilterSpec {
    FilterSpec { name, also: &[], takes: "", about, example, cost: Cost::One, run: Run::Theirs(add) }
}

const fn ours(
    name: &'static str,
    takes: &'static str,
    about: &'static str,
    example: (&'static str, &'static str),
    run: fn(&minijinja::State, Given) -> Result<Value, Error>,
) -> FilterSpec {
    FilterSpec { name, also: &[], takes, about, example, cost: Cost::One, run: own(run) }
}

fn ordered(it: Given, is_so: fn(Given) -> bool) -> Result<Value, Error> {
    order(it.at(0), it.at(1)).map(|()| Value::from(is_so(it)))
}
