//! [`Families`]: a token endpoint that rotates. A strict one refuses a refresh token that was used, a lenient
//! one gives the same pair again; both know which pair went out on the wire.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::torture::outside::{Book, Mood};

/// All pairs of one keeper.
#[derive(Debug)]
pub(crate) struct Family {
    strict: bool,
    /// The number of the newest pair.
    pub(crate) number: u64,
    /// When the request for it came, and when it was written whole to the socket.
    asked: Duration,
    answered: Option<Duration>,
    pub(crate) rotations: u64,
}

/// The families by the names of their keepers.
#[derive(Debug, Default)]
pub(crate) struct Families {
    pub(crate) by_name: BTreeMap<String, Family>,
    /// Each pair that went out on the wire, while no fault was near, and that was not known afterwards.
    pub(crate) lost: Vec<String>,
}

/// What the endpoint says.
pub(crate) enum Told {
    Pair(String),
    Refused,
    Nothing,
}

impl Families {
    /// Somebody authorized: gives the refresh token.
    pub(crate) fn grant(&mut self, name: &str) -> String {
        let strict = name.starts_with("strict");
        let number = self.by_name.get(name).map_or(0, |it| (it.number / 1_000 + 1) * 1_000);
        let rotations = self.by_name.get(name).map_or(0, |it| it.rotations);
        let fresh = Family { strict, number, asked: Duration::ZERO, answered: None, rotations };
        self.by_name.insert(name.to_owned(), fresh);
        format!("r-{name}-{number}")
    }

    pub(crate) fn ask(&mut self, name: &str, body: &str, mood: &mut Mood, book: &Book) -> Told {
        let now = book.now();
        let shown = body.split(&format!("r-{name}-")).nth(1);
        let digits = |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>();
        let shown: Option<u64> = shown.and_then(|text| digits(text).parse().ok());
        let (Some(family), Some(shown)) = (self.by_name.get_mut(name), shown) else {
            return Told::Refused;
        };
        if shown == family.number {
            match mood {
                Mood::Refuses => return Told::Nothing,
                // A strict server that loses its answer has ended the grant: that is left to the faults.
                Mood::Resets | Mood::Hangs | Mood::Cuts if family.strict => {
                    *mood = Mood::Refuses;
                    return Told::Nothing;
                }
                Mood::Resets | Mood::Hangs | Mood::Cuts | Mood::Good | Mood::Slow => {}
            }
            family.number += 1;
            family.rotations += 1;
            (family.asked, family.answered) = (now, None);
            return Told::Pair(pair(name, family.number));
        }
        let excused = family.answered.is_none() || book.in_flight(family.asked, family.answered, now);
        if !excused || shown + 1 != family.number {
            self.lost.push(format!("{name}: pair {} was received, and {shown} was shown", family.number));
        }
        match family.strict {
            true => {
                *mood = Mood::Good;
                Told::Refused
            }
            false if *mood == Mood::Refuses => Told::Nothing,
            false => Told::Pair(pair(name, family.number)),
        }
    }

    pub(crate) fn answered(&mut self, name: &str, now: Duration) {
        if let Some(family) = self.by_name.get_mut(name) {
            family.answered.get_or_insert(now);
        }
    }
}

fn pair(name: &str, number: u64) -> String {
    format!(r#"{{"access_token":"a-{name}-{number}","refresh_token":"r-{name}-{number}","expires_in":3600}}"#)
}
