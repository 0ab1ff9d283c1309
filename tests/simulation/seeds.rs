//! Random runs by their seeds: nothing that must not be, and the same trace twice.

use crate::simulation::faults::Kind;
use crate::simulation::trial::{HOURS, try_seed};
use crate::torture::tally::{Tally, rounds};

/// So many hours run in every test, and in a whole torture.
const HOURS_ALWAYS: u64 = 1_000;
const HOURS_ALL: u64 = 100_000;

/// From which seed on, and how many, if not as usual.
fn seeds() -> std::ops::Range<u64> {
    #[expect(clippy::disallowed_methods, reason = "how much is run by hand is said to the tests alone")]
    let number = |name: &str| std::env::var(name).ok().and_then(|it| it.parse::<u64>().ok());
    let first = number("BELTLINE_FIRST_SEED").unwrap_or(1);
    let hours = number("BELTLINE_HOURS").unwrap_or_else(|| rounds(HOURS_ALWAYS, HOURS_ALL));
    first..first + number("BELTLINE_SEEDS").unwrap_or(hours.div_ceil(HOURS))
}

/// The kinds of faults of every seed, such as `FullDisk,Deploy`, if not those that it has by itself.
fn kinds() -> Vec<Kind> {
    #[expect(clippy::disallowed_methods, reason = "how much is run by hand is said to the tests alone")]
    let names = std::env::var("BELTLINE_FAULTS").unwrap_or_default();
    Kind::ALL
        .into_iter()
        .chain([Kind::AnyOrder])
        .filter(|kind| names.split(',').any(|it| it == format!("{kind:?}")))
        .collect()
}

#[test]
fn nothing_that_must_not_be_comes_of_random_processes_and_random_faults() {
    let mut failed = Vec::new();
    let mut tally = Tally::default();
    for seed in seeds() {
        tally.rounds += HOURS;
        let tried = try_seed(seed, &kinds());
        if let Some(first) = tried.wrong.first() {
            let minutes = tried.up / 60_000;
            println!("seed {seed} after {} h {} min {:?}: {first}", minutes / 60, minutes % 60, tried.kinds);
            failed.push(seed);
            tally.wrong.push(format!("seed {seed}: {first}"));
            #[expect(clippy::disallowed_methods, reason = "so that a person can read what happened")]
            if std::env::var("BELTLINE_TRACE").is_ok() {
                println!("{}\n{}", tried.texts.join("\n"), tried.trace.join("\n"));
            }
        }
    }
    println!("{} seeds failed: {failed:?}", failed.len());
    tally.stands("simulated hours");
}

/// Seeds that have found a fault of the engine: an answer dropped for a commit of an earlier life, a lease
/// that lasted two hours, an effect that was never asked and yet unknown, an answer that was fenced off by a
/// claim of its own runner, a task that lay down after all were woken; and some that a judge of before did.
const FOUND: [u64; 12] = [394, 864, 1340, 2256, 2298, 6046, 6272, 386, 1040, 4549, 8513, 1434];

#[test]
fn what_was_found_once_is_found_no_more() {
    for seed in FOUND {
        let tried = try_seed(seed, &[]);
        assert_eq!(tried.wrong, Vec::<String>::new(), "seed {seed} {:?}", tried.kinds);
    }
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in 1..=5 {
        let (one, two) = (try_seed(seed, &[]), try_seed(seed, &[]));
        assert!(one.trace.len() > 200, "something happens in seed {seed}");
        let differs = one.trace.iter().zip(&two.trace).find(|(one, two)| one != two);
        assert_eq!((differs, one.trace.len()), (None, two.trace.len()), "seed {seed}");
    }
}
