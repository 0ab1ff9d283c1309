//! [`Tree::read`]: reads a shape from a tree and tells *all* that is wrong.
//!
//! Serde stops at the first error. So the reading is repeated: what was found bad is left out the next time,
//! a key that is missing gets a stand-in, and the reading ends when nothing more is found.

use std::collections::{HashMap, HashSet};

use serde::Deserializer;
use serde::de::value::{MapDeserializer, SeqDeserializer, StrDeserializer};
use serde::de::{
    DeserializeOwned, DeserializeSeed, EnumAccess, Error, IntoDeserializer, MapAccess, SeqAccess,
};
use serde::de::{Unexpected, VariantAccess, Visitor};

use crate::model::expr::Expr;
use crate::model::mistake::Mistake;
use crate::model::near;
use crate::model::text::StringTemplate;
use crate::model::tree::{Branch, MapKey, Spot, Tree, TreeError};
use crate::model::wrong::Wrong;

/// How often a shape is read at most: as many errors are told of one tree. A file with more is another kind
/// of file.
const READINGS_MAX: usize = 200;

impl Tree {
    /// Reads a shape from this tree.
    ///
    /// # Errors
    /// All that can be found wrong.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Vec<TreeError>> {
        let mut notes = Notes::default();
        for _ in 0..READINGS_MAX {
            match T::deserialize(Reader { tree: self, notes: &notes }) {
                Ok(value) if notes.errors.is_empty() && notes.missing.is_empty() => return Ok(value),
                Ok(_) => break,
                Err(bad) => {
                    if !notes.learn(bad, self) {
                        break;
                    }
                }
            }
        }
        Err(notes.tell())
    }
}

/// How many values can stand in for a missing one.
const STAND_INS: usize = 6;

/// What the readings so far have found.
#[derive(Default)]
struct Notes {
    errors: Vec<TreeError>,
    /// The keys that are missing, by the map they are missing in.
    missing: Vec<(Spot, Vec<&'static str>)>,
    /// Parts that are left out.
    bad: HashSet<Place>,
    /// What stands for a key of a map that is missing or left out: the number of a [`StandIn`].
    stand_ins: HashMap<(Place, &'static str), usize>,
}

/// Which part of the tree: its address, which is the same in every reading.
type Place = *const Tree;

/// An error and where it came up.
#[derive(Debug)]
struct Bad {
    /// Boxed, so that the good case stays small.
    wrong: Box<Wrong>,
    place: Option<(Place, Spot)>,
    /// It came up in a stand-in for this key.
    stand_in: Option<(Place, &'static str)>,
}

impl Notes {
    /// Takes note of an error. Whether another reading may find more.
    fn learn(&mut self, bad: Bad, root: &Tree) -> bool {
        if let Some(key) = bad.stand_in {
            let number = self.stand_ins.entry(key).or_default();
            *number += 1;
            return *number < STAND_INS || self.bad.insert(key.0) && key.0 != std::ptr::from_ref(root);
        }
        let (place, spot) = bad.place.unwrap_or((root, root.spot));
        let Some(tree) = find(root, place) else { return false };
        match *bad.wrong {
            Wrong::Missing(key) => {
                if tree.get(key).is_none() {
                    self.miss(tree.spot, key);
                }
                self.stand_ins.insert((place, key), 0).is_none()
            }
            Wrong::Unknown(key, known) => {
                let hint = near::hint(&key, &known, "the keys here are");
                self.errors.push(TreeError { message: format!("unknown key `{key}`"), hint, spot });
                self.bad.insert(place)
            }
            Wrong::Message(message, hint) => {
                if !self.mended(tree) {
                    self.errors.push(TreeError { message, hint, spot });
                }
                self.bad.insert(place) && place != std::ptr::from_ref(root)
            }
            Wrong::Custom(message) => {
                if !self.mended(tree) {
                    self.errors.extend(custom(tree, &message));
                }
                self.bad.insert(place) && place != std::ptr::from_ref(root)
            }
        }
    }

    fn miss(&mut self, spot: Spot, key: &'static str) {
        match self.missing.iter_mut().find(|(at, _)| *at == spot) {
            Some((_, keys)) => keys.push(key),
            None => self.missing.push((spot, vec![key])),
        }
    }

    /// Whether something in `tree` was left out or stood in for: what it says as a whole then counts for
    /// nothing.
    fn mended(&self, tree: &Tree) -> bool {
        let here: Place = tree;
        let below = match &tree.branch {
            Branch::List(items) => {
                items.iter().any(|item| self.bad.contains(&std::ptr::from_ref(item)) || self.mended(item))
            }
            Branch::Map(pairs) => pairs
                .iter()
                .any(|(_, item)| self.bad.contains(&std::ptr::from_ref(item)) || self.mended(item)),
            Branch::Null | Branch::Bool(_) | Branch::Number(_) | Branch::Text(_) => false,
        };
        below || self.stand_ins.keys().any(|(place, _)| *place == here)
    }

    fn tell(self) -> Vec<TreeError> {
        let mut errors = self.errors;
        for (spot, keys) in self.missing {
            let names = keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
            let verb = if keys.len() == 1 { "is" } else { "are" };
            errors.push(TreeError { message: format!("{names} {verb} missing"), hint: None, spot });
        }
        errors.sort_by_key(|error| error.spot.start);
        errors.dedup();
        errors
    }
}

/// The part of `tree` at that address.
fn find(tree: &Tree, place: Place) -> Option<&Tree> {
    if std::ptr::from_ref(tree) == place {
        return Some(tree);
    }
    match &tree.branch {
        Branch::List(items) => items.iter().find_map(|item| find(item, place)),
        Branch::Map(pairs) => pairs.iter().find_map(|(_, item)| find(item, place)),
        Branch::Null | Branch::Bool(_) | Branch::Number(_) | Branch::Text(_) => None,
    }
}

/// What a value said of itself: of one text, or of a whole draft with texts in it. The texts are asked again,
/// since they know where in them the mistake is.
fn custom(tree: &Tree, said: &str) -> Vec<TreeError> {
    let whole = !matches!(tree.branch, Branch::Text(_));
    let mut errors = Vec::new();
    for (_, text, spot) in tree.texts() {
        let Some((mistake, skip)) = mistake(text, (!whole).then_some(said)) else { continue };
        let spot = mistake.at.map_or(spot, |at| spot.within(text, at.start + skip..at.end + skip));
        errors.push(TreeError { message: mistake.message, hint: mistake.hint, spot });
    }
    if errors.is_empty() {
        let (message, hint) = said.split_once("; hint: ").map_or((said, None), |(it, hint)| (it, Some(hint)));
        let shapeless = message.starts_with("data did not match any variant of untagged enum");
        let message = if shapeless { "this has none of the shapes that are allowed here" } else { message };
        let hint = hint.map(str::to_owned);
        errors.push(TreeError { message: message.to_owned(), hint, spot: tree.spot });
    }
    errors
}

/// What is wrong with a text as part of a draft, or what it `said` itself; with the length of the `=` before
/// an expression.
fn mistake(text: &str, said: Option<&str>) -> Option<(Mistake, usize)> {
    let tries = match (text.strip_prefix('='), said) {
        (Some(expr), _) => vec![(Expr::parse(expr).err(), 1)],
        (None, None) => vec![(StringTemplate::parse(text).err(), 0)],
        (None, Some(_)) => vec![(StringTemplate::parse(text).err(), 0), (Expr::parse(text).err(), 0)],
    };
    let mistakes = tries.into_iter().filter_map(|(mistake, skip)| Some((mistake?, skip)));
    mistakes.into_iter().find(|(it, _)| said.is_none_or(|said| it.to_string() == said))
}

impl Bad {
    fn at(mut self, tree: &Tree, spot: Spot) -> Bad {
        if self.stand_in.is_none() {
            self.place.get_or_insert((tree, spot));
        }
        self
    }

    fn stand_in(mut self, key: (Place, &'static str)) -> Bad {
        self.stand_in = Some(key);
        self
    }
}

impl From<Wrong> for Bad {
    fn from(wrong: Wrong) -> Bad {
        Bad { wrong: Box::new(wrong), place: None, stand_in: None }
    }
}

impl std::fmt::Display for Bad {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.wrong.fmt(to)
    }
}

impl std::error::Error for Bad {}

/// Each is what [`Wrong`] makes of it.
impl Error for Bad {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Wrong::custom(message).into()
    }
    fn invalid_type(found: Unexpected, expected: &dyn serde::de::Expected) -> Self {
        Wrong::invalid_type(found, expected).into()
    }
    fn invalid_value(found: Unexpected, expected: &dyn serde::de::Expected) -> Self {
        Wrong::invalid_value(found, expected).into()
    }
    fn invalid_length(found: usize, expected: &dyn serde::de::Expected) -> Self {
        Wrong::invalid_length(found, expected).into()
    }
    fn unknown_variant(found: &str, expected: &'static [&'static str]) -> Self {
        Wrong::unknown_variant(found, expected).into()
    }
    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Wrong::unknown_field(field, expected).into()
    }
    fn missing_field(field: &'static str) -> Self {
        Wrong::missing_field(field).into()
    }
    fn duplicate_field(field: &'static str) -> Self {
        Wrong::duplicate_field(field).into()
    }
}

/// Serde's view of a part of the tree.
#[derive(Clone, Copy)]
struct Reader<'a> {
    tree: &'a Tree,
    notes: &'a Notes,
}

impl<'a> Reader<'a> {
    fn part(self, tree: &'a Tree) -> Reader<'a> {
        Reader { tree, ..self }
    }

    fn good(self, tree: &Tree) -> bool {
        !self.notes.bad.contains(&std::ptr::from_ref(tree))
    }

    /// The good entries, then the stand-ins.
    fn entries(self, pairs: &'a [(MapKey, Tree)]) -> Entries<'a> {
        let here: Place = self.tree;
        let mut stand_ins: Vec<_> =
            self.notes.stand_ins.iter().filter(|((place, _), _)| *place == here).collect();
        stand_ins.sort();
        let good =
            pairs.iter().filter(move |(_, tree)| self.good(tree)).map(|(key, tree)| Entry::Real(key, tree));
        let stand_ins = stand_ins.into_iter().map(|(key, number)| Entry::StandIn(*key, *number));
        Entries { reader: self, rest: good.chain(stand_ins).collect::<Vec<_>>().into_iter(), now: None }
    }

    /// What a value says against itself after it was read is said of its part, too.
    fn seed<'de, T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Bad> {
        seed.deserialize(self).map_err(|bad| bad.at(self.tree, self.tree.spot))
    }

    fn visit<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Bad> {
        let done = match &self.tree.branch {
            Branch::Null => visitor.visit_unit(),
            Branch::Bool(bool) => visitor.visit_bool(*bool),
            Branch::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
                (Some(number), _, _) => visitor.visit_u64(number),
                (None, Some(number), _) => visitor.visit_i64(number),
                (None, None, number) => visitor.visit_f64(number.unwrap_or_default()),
            },
            Branch::Text(text) => visitor.visit_str(text),
            Branch::List(items) => visitor.visit_seq(Items { reader: self, rest: items.iter() }),
            Branch::Map(pairs) => visitor.visit_map(self.entries(pairs)),
        };
        done.map_err(|bad| bad.at(self.tree, self.tree.spot))
    }
}

impl<'de> Deserializer<'de> for Reader<'_> {
    type Error = Bad;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Bad> {
        self.visit(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Bad> {
        match self.tree.branch {
            Branch::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    /// A whole number will do for a text: it can be written in only one way.
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Bad> {
        match &self.tree.branch {
            Branch::Number(number) if !number.is_f64() => {
                visitor.visit_string(number.to_string()).map_err(|bad: Bad| bad.at(self.tree, self.tree.spot))
            }
            _ => self.visit(visitor),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Bad> {
        self.deserialize_str(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &str, visitor: V) -> Result<V::Value, Bad> {
        visitor.visit_newtype_struct(self).map_err(|bad: Bad| bad.at(self.tree, self.tree.spot))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Bad> {
        let done = match &self.tree.branch {
            Branch::Text(word) => {
                let word: StrDeserializer<'_, Bad> = word.as_str().into_deserializer();
                visitor.visit_enum(word)
            }
            Branch::Map(pairs) if pairs.len() == 1 => {
                visitor.visit_enum(Choice { key: &pairs[0].0, value: self.part(&pairs[0].1) })
            }
            _ => self.visit(visitor),
        };
        done.map_err(|bad| bad.at(self.tree, self.tree.spot))
    }

    /// A list will not do for a map, though serde would take one.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Bad> {
        match self.tree.branch {
            Branch::List(_) => {
                Err(Bad::invalid_type(Unexpected::Seq, &visitor).at(self.tree, self.tree.spot))
            }
            _ => self.visit(visitor),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Bad> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct seq tuple
        tuple_struct map identifier
    }
}

/// The good items of a list.
struct Items<'a> {
    reader: Reader<'a>,
    rest: std::slice::Iter<'a, Tree>,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Bad;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Bad> {
        let next = self.rest.by_ref().find(|item| self.reader.good(item));
        next.map(|item| self.reader.part(item).seed(seed)).transpose()
    }
}

/// An entry of a map.
enum Entry<'a> {
    Real(&'a MapKey, &'a Tree),
    StandIn((Place, &'static str), usize),
}

/// The entries of a map.
struct Entries<'a> {
    reader: Reader<'a>,
    rest: std::vec::IntoIter<Entry<'a>>,
    now: Option<Entry<'a>>,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Bad;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Bad> {
        self.now = self.rest.next();
        match &self.now {
            None => Ok(None),
            Some(Entry::Real(key, tree)) => {
                let text: StrDeserializer<'_, Bad> = key.text.as_str().into_deserializer();
                seed.deserialize(text).map(Some).map_err(|bad| bad.at(tree, key.spot))
            }
            Some(Entry::StandIn(key, _)) => {
                let text: StrDeserializer<'_, Bad> = key.1.into_deserializer();
                seed.deserialize(text).map(Some)
            }
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Bad> {
        match self.now.take() {
            None => Err(Bad::custom("a value was asked for before its key")),
            Some(Entry::Real(_, tree)) => self.reader.part(tree).seed(seed),
            Some(Entry::StandIn(key, number)) => {
                seed.deserialize(StandIn(number)).map_err(|bad| bad.stand_in(key))
            }
        }
    }
}

/// One of several, named by the only key of a map.
struct Choice<'a> {
    key: &'a MapKey,
    value: Reader<'a>,
}

impl<'de, 'a> EnumAccess<'de> for Choice<'a> {
    type Error = Bad;
    type Variant = Reader<'a>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Reader<'a>), Bad> {
        let key: StrDeserializer<'_, Bad> = self.key.text.as_str().into_deserializer();
        let name = seed.deserialize(key).map_err(|bad| bad.at(self.value.tree, self.key.spot))?;
        Ok((name, self.value))
    }
}

impl<'de> VariantAccess<'de> for Reader<'_> {
    type Error = Bad;

    fn unit_variant(self) -> Result<(), Bad> {
        match self.tree.branch {
            Branch::Null => Ok(()),
            _ => Err(Bad::custom("nothing may stand here").at(self.tree, self.tree.spot)),
        }
    }
    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Bad> {
        self.seed(seed)
    }
    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Bad> {
        self.visit(visitor)
    }
    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Bad> {
        self.visit(visitor)
    }
}

/// Stands for a key that is missing, so that the reading can go on: the number-th of the values that most
/// shapes take one of.
struct StandIn(usize);

impl<'de> Deserializer<'de> for StandIn {
    type Error = Bad;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Bad> {
        match self.0 {
            0 => visitor.visit_str("x"),
            1 => visitor.visit_str("1s"),
            2 => visitor.visit_u64(1),
            3 => visitor.visit_bool(true),
            4 => visitor.visit_seq(SeqDeserializer::new(std::iter::empty::<u8>())),
            5 => visitor.visit_map(MapDeserializer::new(std::iter::empty::<(u8, u8)>())),
            _ => Err(Bad::custom("no value stands in")),
        }
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}
