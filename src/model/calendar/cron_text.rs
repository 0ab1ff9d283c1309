//! A cron expression as text: what is refused that the crate would take for something else, and words that
//! say what is done.
//!
//! The crate leaves out empty pieces, takes a step that is longer than its field, and puts numbers for names
//! wherever they stand, so that `MON` is the minute 1. Each is a slip of whoever wrote it.

use std::str::FromStr;

/// The fields of a whole expression, in their order.
const FIELDS: [Field; 7] = [
    Field { name: "second", least: 0, most: 59, names: &[], turns: true },
    Field { name: "minute", least: 0, most: 59, names: &[], turns: true },
    Field { name: "hour", least: 0, most: 23, names: &[], turns: true },
    Field { name: "day", least: 1, most: 31, names: &[], turns: false },
    Field { name: "month", least: 1, most: 12, names: &MONTHS, turns: true },
    Field { name: "weekday", least: 0, most: 7, names: &WEEKDAYS, turns: false },
    Field { name: "year", least: 1, most: 5_000, names: &[], turns: false },
];
const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
const NICKNAMES: [&str; 6] = ["@YEARLY", "@ANNUALLY", "@MONTHLY", "@WEEKLY", "@DAILY", "@HOURLY"];
/// The longest expression: the seconds of a minute as a list have 170 bytes.
const BYTES_MAX: usize = 1_000;
/// The years that are told of an expression with steps of years.
const PLANNED: std::ops::RangeInclusive<u16> = 2026..=2126;
/// So many times of day are told one by one.
const TIMES_MAX: usize = 6;

struct Field {
    name: &'static str,
    least: u16,
    most: u16,
    /// Words for its values, the first for `least`.
    names: &'static [&'static str],
    /// Whether its first value follows its last at the same distance as all others.
    turns: bool,
}

/// The seven fields of an expression of five, six or seven.
pub(super) fn fields(text: &str) -> Option<[&str; 7]> {
    let all: Vec<&str> = text.split_whitespace().collect();
    let mut seven = ["0", "*", "*", "*", "*", "*", "*"];
    let first = usize::from(all.len() == 5);
    if !(5..=7).contains(&all.len()) {
        return None;
    }
    seven[first..first + all.len()].copy_from_slice(&all);
    Some(seven)
}

/// The expression as the crate reads it, if it means what it says.
///
/// # Errors
/// What is wrong, maybe with `; hint: …`.
pub(super) fn proven(text: &str) -> Result<croner::Cron, String> {
    let upper = text.trim().to_uppercase();
    if upper.len() > BYTES_MAX {
        return Err(format!("it is longer than {BYTES_MAX} bytes"));
    }
    if let Some(nickname) = upper.strip_prefix('@') {
        nicknamed(&upper, nickname)?;
    } else {
        let many = upper.split_whitespace().count();
        let seven = fields(&upper).ok_or_else(|| format!("it has {many} fields, and may have 5 to 7"))?;
        for (field, written) in FIELDS.iter().zip(seven) {
            field.prove(written)?;
        }
    }
    croner::Cron::from_str(&upper).map_err(|error| {
        let error = error.to_string();
        let (_, why) = error.split_once(": ").unwrap_or(("", &error));
        why.trim_end_matches('.').to_owned()
    })
}

fn nicknamed(upper: &str, nickname: &str) -> Result<(), String> {
    if NICKNAMES.contains(&upper) {
        return Ok(());
    }
    let hint = match nickname {
        "MIDNIGHT" => "`@daily`".to_owned(),
        _ if nickname.starts_with("EVERY") => "`every: 90m` in a schedule, `for: 90m` in a delay".to_owned(),
        _ => format!("there are {}", NICKNAMES.map(|it| format!("`{}`", it.to_lowercase())).join(", ")),
    };
    Err(format!("there is no `{}`; hint: {hint}", upper.to_lowercase()))
}

impl Field {
    fn prove(&self, written: &str) -> Result<(), String> {
        let weekday = self.name == "weekday";
        // `+` before the weekday asks for both, the day and the weekday.
        let rest = if weekday { written.strip_prefix('+').unwrap_or(written) } else { written };
        for piece in rest.split(',') {
            if piece.is_empty() {
                return Err(format!("`{written}` has an empty piece; hint: is a number missing there?"));
            }
            match (piece, self.name) {
                ("L" | "LW", "weekday") => {
                    let hint = "`5L` is the last Friday of the month";
                    return Err(format!("`{piece}` alone is no weekday; hint: {hint}"));
                }
                // The crate forgets the `L` then.
                ("L", "day") if rest.split(',').any(|it| it == "LW") => {
                    return Err("`L` and `LW` do not go together; hint: two schedules".to_owned());
                }
                ("L" | "LW", "day") | ("?", "day" | "weekday") => {}
                _ => self.prove_piece(piece)?,
            }
        }
        Ok(())
    }

    fn prove_piece(&self, piece: &str) -> Result<(), String> {
        let (range, step) = match piece.split_once('/') {
            Some((range, step)) => (range, Some(step)),
            None => (piece, None),
        };
        // What says which of its kind in a month: `MON#2`, `5L`, `15W`.
        let range = match self.name {
            "weekday" => range.split_once('#').map_or(range, |(day, _)| day),
            _ => range,
        };
        let range = match self.name {
            "weekday" => range.strip_suffix('L').unwrap_or(range),
            "day" => range.strip_suffix('W').unwrap_or(range),
            _ => range,
        };
        if step.is_some() && range.is_empty() {
            return Err(format!("`{piece}` has a step and no range; hint: `*{piece}`"));
        }
        let (first, last) = if range == "*" { (self.least, self.most) } else { self.range(range)? };
        let Some(step) = step else { return Ok(()) };
        if range != "*" && !range.contains('-') {
            let hint = format!("`*/{step}`, or from there on `{range}-{}/{step}`", self.most);
            return Err(format!("`{piece}` has a step and no range; hint: {hint}"));
        }
        let far: u16 = step.parse().map_err(|_| format!("`{step}` in `{piece}` is no step"))?;
        let whole_turn = range == "*" && self.turns && u32::from(far) == u32::from(last - first) + 1;
        match far {
            0 => Err(format!("the step of `{piece}` is 0; hint: `*` is every {}", self.name)),
            far if far <= last - first || whole_turn => Ok(()),
            _ => Err(self.too_far(piece, far, (first, last))),
        }
    }

    /// A step that is never taken.
    fn too_far(&self, piece: &str, far: u16, (first, last): (u16, u16)) -> String {
        let hint = match self.name {
            "second" => format!("`every: {far}s` in a schedule, `for: {far}s` in a delay"),
            "minute" => format!("`every: {far}m` in a schedule, `for: {far}m` in a delay"),
            "hour" => format!("`every: {far}h` in a schedule, `for: {far}h` in a delay"),
            name => format!("name the {name}s"),
        };
        let name = self.name;
        format!("`{piece}` never takes its step: the {name}s go from {first} to {last}; hint: {hint}")
    }

    fn range(&self, written: &str) -> Result<(u16, u16), String> {
        let (first, last) = match written.split_once('-') {
            Some((first, last)) => (self.value(first)?, self.value(last)?),
            None => {
                let value = self.value(written)?;
                (value, value)
            }
        };
        // As the last of a range, Sunday is 7.
        let last = if self.name == "weekday" && written.ends_with("-SUN") { 7 } else { last };
        if first > last {
            let most = self.most - u16::from(self.name == "weekday");
            return Err(format!("`{written}` goes backwards; hint: `{first}-{most},{}-{last}`", self.least));
        }
        Ok((first, last))
    }

    fn value(&self, written: &str) -> Result<u16, String> {
        if let Some(at) = self.names.iter().position(|it| *it == written) {
            return Ok(self.least + u16::try_from(at).unwrap_or(0));
        }
        let (name, least, most) = (self.name, self.least, self.most);
        let number = written.parse().ok().filter(|it| (least..=most).contains(it));
        number.ok_or_else(|| match self.names {
            [] => format!("`{written}` is no {name}: they go from {least} to {most}"),
            [first, ..] => format!(
                "`{written}` is no {name}: they go from {least} to {most}, or by names such as `{first}`"
            ),
        })
    }
}

/// The expression in words that say what is done. The crate tells a step by its number alone, though
/// `*/45` is 45 and then 15 minutes, and `0-30/10` rests for half an hour: such fields are told as lists. It
/// tells `LW` as `L`. And a few times of day read better than the hours of a minute.
pub(super) fn described(cron: &croner::Cron) -> String {
    let Some(seven) = fields(cron.as_str()) else { return cron.describe() };
    let mut told = told_fields(&cron.pattern, seven);
    let times = times(&cron.pattern, &told);
    if times.is_some() {
        // One time of day stands for all of them, and is put back below.
        (told[1], told[2]) = ("0".to_owned(), "0".to_owned());
    }
    let words = croner::Cron::from_str(&told.join(" ")).map_or_else(|_| cron.describe(), |it| it.describe());
    let mut words = words.trim_end_matches('.').to_owned();
    if let Some(times) = times {
        words = words.replacen("00:00", &times, 1);
    }
    if seven[3].split(',').any(|it| it == "LW") {
        words = words.replacen("the last day of", "the last day from Monday to Friday of", 1);
    }
    words
}

fn told_fields(pattern: &croner::CronPattern, written: [&str; 7]) -> [String; 7] {
    let values = [
        pattern.seconds.values(),
        pattern.minutes.values(),
        pattern.hours.values(),
        pattern.days.values(),
        pattern.months.values(),
        pattern.days_of_week.values(),
        pattern.years.values().into_iter().filter(|it| PLANNED.contains(it)).collect(),
    ];
    std::array::from_fn(|at| {
        // A step that comes again at the same distance is told as one; `#` and `L` have no steps.
        let (field, written) = (&FIELDS[at], written[at]);
        let even = |step: u16| step > 0 && (field.most + 1).is_multiple_of(step);
        let is_even = at <= 2 && written.strip_prefix("*/").is_some_and(|it| it.parse().is_ok_and(even));
        if is_even || !written.contains('/') {
            return written.to_owned();
        }
        let list: Vec<String> = values[at].iter().map(ToString::to_string).collect();
        let and = if written.starts_with('+') { "+" } else { "" };
        format!("{and}{}", list.join(","))
    })
}

/// A few times of day, such as `03:00 and 15:00`.
fn times(pattern: &croner::CronPattern, told: &[String; 7]) -> Option<String> {
    let (hours, minutes) = (pattern.hours.values(), pattern.minutes.values());
    let many = hours.len() * minutes.len();
    if told[0] != "0" || !(2..=TIMES_MAX).contains(&many) || told[2].contains('*') {
        return None;
    }
    let times = hours.iter().flat_map(|hour| minutes.iter().map(move |it| format!("{hour:02}:{it:02}")));
    let times: Vec<String> = times.collect();
    let (last, rest) = times.split_last()?;
    Some(format!("{} and {last}", rest.join(", ")))
}
