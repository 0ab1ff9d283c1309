//! What people write behind a point: `name.upper()`, `text.split(",")`, `row.get("a", 1)`. Each is a filter.

use crate::model::filters::foreign;
use crate::model::mistake::Mistake;

/// A method.
pub(crate) struct Method {
    pub name: &'static str,
    /// The filter it is.
    pub filter: &'static str,
    /// What it works on stands in the brackets, and its first argument before the point.
    pub is_turned: bool,
}

const fn method(name: &'static str, filter: &'static str) -> Method {
    Method { name, filter, is_turned: false }
}

/// The methods.
pub(crate) static METHODS: [Method; 39] = [
    method("get", "get"),
    method("keys", "keys"),
    method("values", "values"),
    method("items", "items"),
    method("upper", "upper"),
    method("lower", "lower"),
    method("casefold", "lower"),
    method("title", "title"),
    method("capitalize", "capitalize"),
    method("strip", "trim"),
    method("lstrip", "m_lstrip"),
    method("rstrip", "m_rstrip"),
    method("split", "split"),
    method("rsplit", "m_rsplit"),
    method("splitlines", "lines"),
    method("replace", "replace"),
    Method { name: "join", filter: "join", is_turned: true },
    method("startswith", "m_startswith"),
    method("endswith", "m_endswith"),
    method("find", "m_find"),
    method("index", "m_index"),
    method("count", "m_count"),
    method("isdigit", "m_isdigit"),
    method("isnumeric", "m_isdigit"),
    method("isdecimal", "m_isdigit"),
    method("isalpha", "m_isalpha"),
    method("isalnum", "m_isalnum"),
    method("isspace", "m_isspace"),
    method("islower", "m_islower"),
    method("isupper", "m_isupper"),
    method("format", "m_format"),
    method("swapcase", "m_swapcase"),
    method("partition", "m_partition"),
    method("zfill", "m_zfill"),
    method("ljust", "m_ljust"),
    method("rjust", "m_rjust"),
    method("center", "center"),
    method("removeprefix", "m_removeprefix"),
    method("removesuffix", "m_removesuffix"),
];

/// The method of that name.
pub(crate) fn find(name: &str) -> Option<&'static Method> {
    METHODS.iter().find(|it| it.name == name)
}

/// What to say of one that is not known.
pub(crate) fn unknown(name: &str, wrong: Mistake) -> Mistake {
    let hint = match name {
        "append" | "extend" | "insert" | "add" => "a value is never changed: write `list + [x]`",
        "update" | "setdefault" => "a value is never changed: write `map|combine({\"a\": 1})`",
        "pop" | "remove" | "clear" | "discard" | "popitem" => {
            "a value is never changed: write `list|reject(\"eq\", x)|list`"
        }
        "sort" | "reverse" => "a value is never changed: write `list|sort`, `list|reverse|list`",
        "copy" => "a value is never changed, and needs no copy",
        "strftime" | "isoformat" | "timestamp" => "write `x|date(\"%Y-%m-%d\")`",
        "encode" | "decode" => "a text has no bytes of its own: there is `|base64`, `|urlencode`",
        "length" | "size" => "write `x|length`",
        "contains" | "includes" | "has" => "write `x in list`",
        "toUpperCase" => "write `x|upper`",
        "toLowerCase" => "write `x|lower`",
        "toString" => "write `x|string`",
        "toFixed" => "write `x|fixed(2)`",
        "map" | "filter" => "write `x|map(attribute=\"a\")|list`, `x|selectattr(\"a\", \"eq\", 1)|list`",
        _ => {
            let names: Vec<&str> = METHODS.iter().map(|it| it.name).collect();
            return foreign::unknown("method", name, &names, wrong);
        }
    };
    wrong.hint(hint)
}
