//! What others have and we do not, and what leads to the same end here.

use crate::model::mistake::Mistake;
use crate::model::near::nearest;

/// Filters of Jinja, Ansible and Home Assistant.
const FILTERS: [(&[&str], &str); 24] = [
    (
        &["random", "shuffle"],
        "chance is not repeatable: a step that is done again would choose another one; \
         `task.chance` and `task.key` stay the same for a visit",
    ),
    (&["pprint", "to_nice_json", "to_yaml", "to_nice_yaml"], "write `|json`"),
    (&["from_yaml", "from_yaml_all"], "only JSON is read: `|from_json`"),
    (&["xmlattr", "urlize"], "there is `|escape` for HTML, and `|urlencode` for what goes into a URL"),
    (&["safe", "unsafe"], "nothing is escaped unless it is asked for: leave it out"),
    (
        &["timestamp_custom", "timestamp_local", "timestamp_utc", "strftime"],
        "write `|date(\"%Y-%m-%d %H:%M\", \"Europe/Riga\")`",
    ),
    (
        &["to_datetime", "as_datetime", "as_timestamp", "strptime", "as_local", "as_timedelta"],
        "moments are Unix seconds: `now`, `now + span(\"25m\")`; `|date(…)` writes one",
    ),
    (&["quote"], "there is no shell; `|json` quotes a text"),
    (&["slugify"], "write `x|lower|regex_replace(\"[^a-z0-9]+\", \"-\")|trim(\"-\")`"),
    (&["multiply"], "write `a * b`"),
    (&["add"], "write `a + b`; texts are joined by `a ~ b`"),
    (&["is_number", "is_defined"], "write `x is number`, `x is defined`"),
    (&["sameas"], "write `a == b`"),
    (&["equalto", "eq"], "write `a == b`"),
    (
        &["extract", "subelements", "json_query"],
        "write `x|map(attribute=\"a.b\")|list`, `x|selectattr(\"a\", \"eq\", 1)|list`",
    ),
    (&["md5"], "there is `|hash(\"sha1\")` and `|sha256`; MD5 is not known here"),
    (&["sha1", "checksum"], "write `|hash(\"sha1\")`"),
    (&["sha512"], "write `|hash(\"sha512\")`"),
    (&["len", "size"], "write `|length`"),
    (&["str", "to_string", "tostring", "text"], "write `|string`"),
    (&["number", "to_number"], "write `|int` or `|float`"),
    (&["strip"], "write `|trim`"),
    (&["log", "sqrt", "pow", "sin", "cos", "tan"], "there is `a ** b`, and `x ** 0.5` for a root"),
    (&["chain"], "lists are joined by `a + b`"),
];

/// Tests of theirs.
const TESTS: [(&[&str], &str); 6] = [
    (&["sameas", "same_as"], "write `a == b`; for the three words `x is true`, `x is false`, `x is none`"),
    (&["callable", "escaped", "filter", "test"], "there is nothing of that kind to ask for"),
    (&["empty"], "write `x|length == 0`"),
    (&["subset", "superset"], "write `a|difference(b)|length == 0`"),
    (&["truthy", "falsy"], "write `x|default(false, true)`, or compare with what you mean"),
    (&["list", "dict", "map"], "write `x is sequence`, `x is mapping`"),
];

/// Functions of theirs.
const FUNCTIONS: [(&[&str], &str); 15] = [
    (&["now", "utcnow"], "write `now`: the moment in Unix seconds, without brackets"),
    (&["len"], "write `x|length`"),
    (&["str"], "write `x|string`"),
    (
        &["int", "float", "bool", "round", "abs", "sum", "sorted", "list"],
        "write it as a filter, such as `x|int`",
    ),
    (&["min", "max"], "write `[a, b]|min`, `[a, b]|max`"),
    (&["zip", "enumerate", "map"], "write `a|zip(b)`, `x|map(attribute=\"a\")`"),
    (&["iif"], "write `a if condition else b`"),
    (
        &["lookup", "query", "states", "state_attr", "env"],
        "params stand under their names; another task is `conv(\"process\", \"ref\").path`",
    ),
    (
        &["strptime", "as_timestamp", "as_datetime", "today_at", "to_datetime"],
        "moments are Unix seconds: `now`; `|date(…)` writes one",
    ),
    (&["timedelta", "relative_time"], "write `span(\"25m\")`: a length of time in seconds"),
    (
        &["namespace", "cycler", "joiner", "lipsum"],
        "it belongs to whole templates, and this is one expression",
    ),
    (&["random", "uuid"], "chance is not repeatable; `task.chance` and `task.key` stay the same for a visit"),
    (&["type", "isinstance"], "write `x is string`, `x is number`, `x is mapping`"),
    (&["default"], "write `x|default(y)`"),
    (&["secret"], "a secret is written as a text, `{{secret.NAME}}`, in what goes out"),
];

/// Every hint, for the test that follows them.
#[cfg(test)]
pub(crate) fn hints() -> impl Iterator<Item = &'static str> {
    FILTERS.iter().chain(&TESTS).chain(&FUNCTIONS).map(|(_, hint)| *hint)
}

/// Every name of a filter or test of others, for the test that knows our own.
#[cfg(test)]
pub(crate) fn names() -> impl Iterator<Item = (&'static str, &'static str)> {
    let filters = FILTERS.iter().flat_map(|it| it.0.iter().map(|name| ("filter", *name)));
    filters.chain(TESTS.iter().flat_map(|it| it.0.iter().map(|name| ("test", *name))))
}

/// A list of so many names is shown whole.
const SHOWN_MAX: usize = 8;

/// What to say of a name that is not known: what leads to the same end, the nearest, or where the list is.
pub(crate) fn unknown(what: &str, name: &str, known: &[&str], wrong: Mistake) -> Mistake {
    let table: &[(&[&str], &str)] = match what {
        "filter" => &FILTERS,
        "test" => &TESTS,
        _ => &FUNCTIONS,
    };
    let lower = name.to_lowercase();
    let foreign = table.iter().find(|(names, _)| names.contains(&lower.as_str()));
    match (foreign, nearest(name, known.iter().copied())) {
        (Some((_, hint)), _) => wrong.hint(*hint),
        (None, Some(near)) => wrong.hint(format!("did you mean `{near}`?")),
        (None, None) if known.len() <= SHOWN_MAX => wrong.hint(format!("there are {}", known.join(", "))),
        (None, None) => {
            let many = match what {
                "test" => "tests",
                "method" => "methods",
                _ => "filters",
            };
            wrong.hint(format!("`beltline explain filters` lists all {many}"))
        }
    }
}
