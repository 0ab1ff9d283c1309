//! Minijinja as we use it: our functions and filters, and none of its own that we did not look at. Whatever
//! does more than a step of work draws on the budget of the evaluation.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use minijinja::value::{Enumerator, Kwargs, Object, Rest, Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind, State, UndefinedBehavior, functions};

use crate::model::bridge::{BYTES_MAX, float, headers_of, integer, of_json, part_of, text_of, too_long};
use crate::model::budget::many;
use crate::model::carried::{bad_value, error};
use crate::model::costs::{draw, shallow, whole};
use crate::model::fault::Fault;
use crate::model::filters::all;
use crate::model::filters::codes::span;
use crate::model::filters::format::percent;
use crate::model::filters::given::Given;
use crate::model::filters::lists::order;
use crate::model::filters::maps::pairs_of;
use crate::model::look::{is_headers, is_missing, look};
use crate::model::memo::{self, Memo, has};
use crate::model::placeholder::address_of;
use crate::model::rewrite::{Lookup, Root};
use crate::model::scope::EvalContext;
use crate::model::syntax::kind_name;

/// The one environment: compiling is cheap because it is shared.
pub(crate) static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut it = Environment::empty();
    it.set_undefined_behavior(UndefinedBehavior::Strict);
    add_orders(&mut it);
    add_functions(&mut it);
    all::every().for_each(|spec| spec.add_filter(&mut it));
    all::tests().for_each(|spec| spec.add_test(&mut it));
    it
});

fn add_orders(to: &mut Environment<'static>) {
    to.add_function("lt", |a: Value, b: Value| order(&a, &b).map(|()| a < b));
    to.add_function("le", |a: Value, b: Value| order(&a, &b).map(|()| a <= b));
    to.add_function("gt", |a: Value, b: Value| order(&a, &b).map(|()| a > b));
    to.add_function("ge", |a: Value, b: Value| order(&a, &b).map(|()| a >= b));
    to.add_function("mul", |a: Value, b: Value| mul(&a, &b));
    to.add_function("div", |a: Value, b: Value| div(&a, &b));
    to.add_function("rem", rem);
    to.add_function("floordiv", |a: Value, b: Value| floordiv(&a, &b));
    to.add_function("concat", |parts: Rest<Value>| concat(&parts));
}

fn add_functions(to: &mut Environment<'static>) {
    to.add_function("at", |base: Value, key: Value, name: String| at(&base, &key, &name));
    to.add_function("at_soft", |base: Value, key: Value, _: String| {
        base.get_item(&key).unwrap_or(Value::UNDEFINED)
    });
    to.add_function("conv", |state: &State, names: Rest<Value>| conv(state, &names, false));
    to.add_function("conv_soft", |state: &State, names: Rest<Value>| conv(state, &names, true));
    to.add_function("span", |text: Cow<'_, str>| span(&text));
    to.add_function("dict", |value: Option<Value>, more: Kwargs| match value {
        Some(value) if value.kind() == ValueKind::Seq => {
            functions::dict(Some(Value::from_pairs(pairs_of(&value)?)), more)
        }
        value => functions::dict(value, more),
    });
    to.add_function("has", |state: &State, container: Value, value: Value| match container.is_undefined() {
        true => Err(Error::from(ErrorKind::UndefinedError)),
        false => has(state, &container, &value),
    });
    to.add_function("paid", |value: Value| whole(&value, 1).map(|()| value));
    to.add_function("range", |low: isize, high: Option<isize>, step: Option<isize>| {
        let made = functions::range(low, high, step)?;
        draw(many(made.try_iter()?.count()), 0)?;
        Ok::<Value, Error>(made)
    });
}

/// What an expression sees: numbered names, each looked up when it is reached.
#[derive(Debug)]
pub(crate) struct Sight {
    pub view: EvalContext,
    pub lookups: Arc<[Lookup]>,
    pub memo: Arc<Memo>,
}

impl Sight {
    fn read(&self, lookup: &Lookup, keys: &[String]) -> Result<Value, Fault> {
        match &lookup.root {
            Root::Name(root) => look(&self.view, root, keys).and_then(|it| {
                let headers = it.as_object().filter(|_| is_headers(&self.view, root, keys));
                headers.map_or_else(|| of_json(&it), headers_of)
            }),
            Root::Other(address) => {
                let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
                self.view.scope.read(address, &keys).and_then(|it| of_json(&it))
            }
        }
    }

    /// `name[0]`, where the name stands for a text: the letter there.
    fn letter(&self, lookup: &Lookup) -> Option<Value> {
        let (last, keys) = lookup.keys.split_last()?;
        let number: i64 = last.parse().ok()?;
        let text = self.read(lookup, keys).ok().filter(|it| it.kind() == ValueKind::String)?;
        text.get_item(&Value::from(number)).ok().filter(|it| !it.is_undefined())
    }
}

impl Object for Sight {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        if key == "view" {
            return Some(Value::from_dyn_object(self.clone()));
        }
        if key == memo::NAME {
            return Some(Value::from_dyn_object(self.memo.clone()));
        }
        let number: usize = key.strip_prefix('v')?.parse().ok()?;
        let lookup = self.lookups.get(number)?;
        let found = match self.read(lookup, &lookup.keys) {
            Err(fault) if is_missing(&fault) => self.letter(lookup).ok_or(fault),
            found => found,
        };
        match found {
            Ok(value) => Some(value),
            Err(fault) if lookup.soft && is_missing(&fault) => None,
            Err(fault) => Some(Value::from(error(fault))),
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::NonEnumerable
    }
}

/// The parts as one text, each with its name before it.
fn concat(parts: &[Value]) -> Result<String, Error> {
    let mut text = String::new();
    for pair in parts.chunks(2) {
        let [name, value] = pair else { break };
        whole(value, 1)?;
        text.push_str(&part_of(value, name.as_str().unwrap_or_default())?);
        if text.len() > BYTES_MAX {
            return Err(too_long());
        }
    }
    shallow(&Value::from(text.as_str()))?;
    Ok(text)
}

/// Refuses to divide by zero, and what is no number.
fn divisible(sign: &str, a: &Value, b: &Value) -> Result<(), Error> {
    if a.kind() != ValueKind::Number || b.kind() != ValueKind::Number {
        let kinds = format!("{} and {}", kind_name(a.kind()), kind_name(b.kind()));
        return Err(bad_value(&format!("`{sign}` divides numbers, not {kinds}")));
    }
    if float(b)? == 0.0 { Err(bad_value("a division by zero")) } else { Ok(()) }
}

/// Rounded down, as Python does, below zero too.
fn floordiv(a: &Value, b: &Value) -> Result<Value, Error> {
    divisible("//", a, b)?;
    match (integer(a), integer(b)) {
        (Some(a), Some(b)) => {
            let too_large = || bad_value("`//` gives too large a number");
            let (down, rest) = (a.checked_div(b).ok_or_else(too_large)?, a.wrapping_rem(b));
            Ok(Value::from(down - i128::from(rest != 0 && (a < 0) != (b < 0))))
        }
        _ => Ok(Value::from((float(a)? / float(b)?).floor())),
    }
}

/// What is left then: it has the sign of what was divided by.
fn modulo(a: &Value, b: &Value) -> Result<Value, Error> {
    divisible("%", a, b)?;
    if let (Some(a), Some(b)) = (integer(a), integer(b)) {
        let rest = a.wrapping_rem(b);
        return Ok(Value::from(if rest != 0 && (rest < 0) != (b < 0) { rest + b } else { rest }));
    }
    let (a, b) = (float(a)?, float(b)?);
    let rest = a % b;
    Ok(Value::from(match rest == 0.0 {
        true => 0.0_f64.copysign(b),
        false if (rest < 0.0) != (b < 0.0) => rest + b,
        false => rest,
    }))
}

/// What is left of a division; of a text, the text with the value for its `%`.
fn rem(a: Value, b: Value) -> Result<Value, Error> {
    if a.kind() != ValueKind::String {
        return modulo(&a, &b);
    }
    let (values, named) = match b.kind() {
        ValueKind::Seq | ValueKind::Iterable => (b, Value::UNDEFINED),
        ValueKind::Map => (Value::from(Vec::<Value>::new()), b),
        _ => (Value::from(vec![b]), Value::UNDEFINED),
    };
    whole(&a, 1)?;
    let made = percent(Given(&[a, values, named]))?;
    shallow(&made)?;
    Ok(made)
}

/// Numbers only: minijinja would also repeat a text a hundred million times.
fn mul(a: &Value, b: &Value) -> Result<Value, Error> {
    let bad = |it: &str| bad_value(&format!("`*` {it}"));
    if a.kind() != ValueKind::Number || b.kind() != ValueKind::Number {
        return Err(bad(&format!(
            "multiplies numbers, not {} and {}",
            kind_name(a.kind()),
            kind_name(b.kind())
        )));
    }
    if let (Some(a), Some(b)) = (integer(a), integer(b)) {
        return a.checked_mul(b).map(Value::from).ok_or_else(|| bad("gives too large a number"));
    }
    Ok(Value::from(float(a)? * float(b)?))
}

/// What divides evenly stays whole, as it would in JSON.
fn div(a: &Value, b: &Value) -> Result<Value, Error> {
    divisible("/", a, b)?;
    match (integer(a), integer(b)) {
        (Some(a), Some(b)) if a.checked_rem(b) == Some(0) => Ok(Value::from(a / b)),
        _ => Ok(Value::from(float(a)? / float(b)?)),
    }
}

fn at(base: &Value, key: &Value, name: &str) -> Result<Value, Error> {
    match base.get_item(key) {
        Ok(value) if !value.is_undefined() => Ok(value),
        _ => {
            let key = text_of(key).unwrap_or(Cow::Borrowed("?"));
            let message = format!("there is no `{name}` (`{key}`)");
            Err(error(Fault::lasting("missing_param", message)))
        }
    }
}

fn conv(state: &State, names: &[Value], soft: bool) -> Result<Value, Error> {
    let sight = state.lookup("view").and_then(|it| it.downcast_object::<Sight>());
    let (Some(sight), [process, reference, keys @ ..]) = (sight, names) else {
        return Err(bad_value("`conv` takes a process and a ref"));
    };
    let address = address_of(&text_of(process)?, &text_of(reference)?).map_err(error)?;
    let keys: Vec<&str> = keys.iter().filter_map(Value::as_str).collect();
    match sight.view.scope.read(&address, &keys).and_then(|it| of_json(&it)) {
        Ok(value) => Ok(value),
        Err(fault) if soft && is_missing(&fault) => Ok(Value::UNDEFINED),
        Err(fault) => Err(error(fault)),
    }
}
