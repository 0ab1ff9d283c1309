//! [`Marks`]: the places of a value that hold a secret, or what was made of one. They go where the value
//! goes, and stay for as long as it does.
//!
//! A place is a path like that of JSON Pointer: `/token`, `/rows/0/key`; "" is all of the value. What lies
//! below a marked place is marked with it. A value without marks has none in memory either.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What stands for a secret wherever a person can read.
pub const MASK: &str = "***";

/// The most places that are told apart in one value. With more, the whole of each top-level value that has
/// one is marked, and beyond that the whole value.
pub const PLACES_MAX: usize = 256;

/// The marked places of a value. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Marks(Option<Arc<BTreeSet<String>>>);

impl Marks {
    /// All of the value is marked.
    pub fn whole() -> Marks {
        [String::new()].into_iter().collect()
    }

    /// Whether nothing is marked.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The places, those above before those below them.
    pub fn places(&self) -> impl Iterator<Item = &str> {
        self.0.iter().flat_map(|it| it.iter().map(String::as_str))
    }

    /// Whether that place is marked, by itself or as a part of something that is.
    pub fn covers(&self, place: &str) -> bool {
        let Some(all) = &self.0 else { return false };
        let ends = place.match_indices('/').map(|(at, _)| at).chain([place.len()]);
        ends.into_iter().any(|end| all.contains(&place[..end]))
    }

    /// Whether that place is marked, or anything below it.
    pub fn touches(&self, place: &str) -> bool {
        self.covers(place) || self.inside(place).next().is_some()
    }

    /// The marks of the value at that place.
    #[must_use]
    pub fn at(&self, place: &str) -> Marks {
        match self.covers(place) {
            true => Marks::whole(),
            false => self.inside(place).map(|it| it[place.len()..].to_owned()).collect(),
        }
    }

    /// The marks of a value in which this one stands at that place.
    #[must_use]
    pub fn below(&self, place: &str) -> Marks {
        self.places().map(|it| format!("{place}{it}")).collect()
    }

    /// What is marked of `value`, which these are the marks of.
    pub fn of<'a>(&self, value: &'a Value) -> impl Iterator<Item = &'a Value> {
        let found = |place: &str| {
            keys_of(place).iter().try_fold(value, |value, key| {
                value.get(key).or_else(|| value.get(key.parse::<usize>().ok()?))
            })
        };
        self.places().filter_map(found).collect::<Vec<_>>().into_iter()
    }

    /// Marks what another one marks, too.
    pub fn add(&mut self, other: &Marks) {
        match (&mut self.0, &other.0) {
            (_, None) => {}
            (None, Some(_)) => *self = other.clone(),
            (Some(mine), Some(theirs)) => {
                if !theirs.is_subset(mine) {
                    Arc::make_mut(mine).extend(theirs.iter().cloned());
                    self.bound();
                }
            }
        }
    }

    /// Marks one place.
    pub fn mark(&mut self, place: &str) {
        if !self.covers(place) {
            self.add(&[place.to_owned()].into_iter().collect());
        }
    }

    /// Takes away the marks of that place and of all below it: another value stands there now.
    pub fn clear(&mut self, place: &str) {
        if let Some(all) = &mut self.0
            && all.iter().any(|it| is_in(it, place))
        {
            Arc::make_mut(all).retain(|it| !is_in(it, place));
            if all.is_empty() {
                self.0 = None;
            }
        }
    }

    fn inside<'a>(&'a self, place: &'a str) -> impl Iterator<Item = &'a str> {
        let from = format!("{place}/");
        let all =
            self.0.iter().flat_map(move |it| it.range((Bound::Included(from.clone()), Bound::Unbounded)));
        all.map(String::as_str).take_while(move |it| is_in(it, place))
    }

    /// Keeps them few.
    fn bound(&mut self) {
        let Some(all) = &self.0 else { return };
        if all.len() <= PLACES_MAX {
            return;
        }
        let tops: BTreeSet<String> = all.iter().map(|it| top(it).to_owned()).collect();
        let few = if tops.len() > PLACES_MAX { [String::new()].into() } else { tops };
        self.0 = Some(Arc::new(few));
    }
}

impl FromIterator<String> for Marks {
    fn from_iter<I: IntoIterator<Item = String>>(places: I) -> Marks {
        let all: BTreeSet<String> = places.into_iter().collect();
        let mut marks = Marks((!all.is_empty()).then(|| Arc::new(all)));
        marks.bound();
        marks
    }
}

/// `value` with what is marked masked.
pub fn veiled_value(value: &Value, marks: &Marks) -> Value {
    match marks.is_empty() {
        true => value.clone(),
        false => veiled_at(value, &mut String::new(), marks),
    }
}

fn veiled_at(value: &Value, place: &mut String, marks: &Marks) -> Value {
    if marks.covers(place) {
        return if value.is_null() { Value::Null } else { Value::from(MASK) };
    }
    let here = place.len();
    let mut below = |key: &str, item: &Value| {
        step(place, key);
        let veiled = veiled_at(item, place, marks);
        place.truncate(here);
        veiled
    };
    match value {
        Value::Array(items) => {
            items.iter().enumerate().map(|(at, item)| below(&at.to_string(), item)).collect()
        }
        Value::Object(map) => map.iter().map(|(key, item)| (key.clone(), below(key, item))).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

/// The place of what stands under those keys.
pub fn place_of<K: AsRef<str>>(keys: &[K]) -> String {
    let mut place = String::new();
    for key in keys {
        step(&mut place, key.as_ref());
    }
    place
}

/// Goes one key down.
pub fn step(place: &mut String, key: &str) {
    place.push('/');
    match key.contains(['~', '/']) {
        true => place.push_str(&key.replace('~', "~0").replace('/', "~1")),
        false => place.push_str(key),
    }
}

/// The keys that lead to a place.
pub fn keys_of(place: &str) -> Vec<String> {
    let keys = place.split('/').skip(1);
    keys.map(|key| key.replace("~1", "/").replace("~0", "~")).collect()
}

fn is_in(place: &str, above: &str) -> bool {
    place.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A place's top-level part: `/rows` of `/rows/0`.
fn top(place: &str) -> &str {
    let end = place[1.min(place.len())..].find('/').map_or(place.len(), |it| it + 1);
    &place[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(places: &[&str]) -> Marks {
        places.iter().map(|it| (*it).to_owned()).collect()
    }

    #[test]
    fn what_lies_below_a_mark_is_marked() {
        let some = marks(&["/a", "/b/0/c"]);
        for place in ["/a", "/a/x", "/a/x/y", "/b/0/c"] {
            assert!(some.covers(place) && some.touches(place), "{place}");
        }
        for place in ["", "/b", "/b/0"] {
            assert!(!some.covers(place) && some.touches(place), "{place}");
        }
        for place in ["/ab", "/b/1", "/b/00", "/c"] {
            assert!(!some.touches(place), "{place}");
        }
        assert_eq!(some.at("/b"), marks(&["/0/c"]));
        assert_eq!(some.at("/a/deep"), Marks::whole());
        assert_eq!(some.at("/ab"), Marks::default());
        assert_eq!(marks(&["/0/c"]).below("/b"), marks(&["/b/0/c"]));
    }

    #[test]
    fn a_new_value_has_its_own_marks() {
        let mut some = marks(&["/a", "/a/b", "/ab"]);
        some.clear("/a");
        assert_eq!(some, marks(&["/ab"]));
        some.clear("/ab");
        assert!(some.is_empty());
        some.mark("/a");
        some.mark("/a/b");
        assert_eq!(some, marks(&["/a"]));
    }

    #[test]
    fn keys_may_hold_anything() {
        let keys = ["a/b", "~1", "", "0"];
        assert_eq!(keys_of(&place_of(&keys)), keys);
        assert_eq!(place_of(&keys), "/a~1b/~01//0");
        assert!(keys_of("").is_empty());
    }

    #[test]
    fn very_many_places_become_few() {
        let many: Marks = (0..=PLACES_MAX).map(|n| format!("/rows/{n}")).collect();
        assert_eq!(many, marks(&["/rows"]));
        let more: Marks = (0..=PLACES_MAX).map(|n| format!("/{n}/x")).collect();
        assert_eq!(more, Marks::whole());
    }
}
