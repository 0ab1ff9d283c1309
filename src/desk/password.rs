//! [`Passwords`]: hashes of passwords, argon2id as OWASP recommends it: 19 MiB, two passes. Made beside the
//! threads that answer, and only a few at once, for each takes its memory.

use argon2::{Argon2, PasswordHash, PasswordHasher, PasswordVerifier};
use tokio::sync::{Semaphore, SemaphorePermit};
use zeroize::Zeroizing;

use crate::desk::hash;
use crate::desk::refusal::{Done, Refusal};

/// How many are hashed at once.
const AT_ONCE: usize = 2;
/// How many strangers wait for that; who comes then is asked to come again.
const WAITING_MAX: usize = 32;
/// How many more may wait who have been let in from where they are before.
const WAITING_KNOWN_MAX: usize = 32;
/// The least, in characters: what NIST asks for where there is nothing beside the password is more, what
/// people accept is less.
const CHARS_MIN: usize = 10;
/// The most, in bytes.
const BYTES_MAX: usize = 1_024;
const SALT_BYTES: usize = 16;
/// What is looked at where there is no such user: it takes as long, and nothing fits.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Hashes, a few at once.
#[derive(Debug)]
pub struct Passwords {
    permits: Semaphore,
    strangers: Semaphore,
    known: Semaphore,
}

/// Who wants a password looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    /// Nobody has been let in from there before.
    Stranger,
    /// They have been, or are now.
    Known,
}

impl Default for Passwords {
    fn default() -> Passwords {
        Passwords {
            permits: Semaphore::new(AT_ONCE),
            strangers: Semaphore::new(AT_ONCE + WAITING_MAX),
            known: Semaphore::new(AT_ONCE + WAITING_KNOWN_MAX),
        }
    }
}

impl Passwords {
    /// The hash of a new password.
    pub async fn hash(&self, password: &str) -> Done<String> {
        let _turn = self.turn(Asker::Known).await?;
        let (password, salt) = (Zeroizing::new(password.to_owned()), hash::chance_bytes::<SALT_BYTES>());
        let hash = move || {
            let hash = Argon2::default().hash_password_with_salt(password.as_bytes(), &salt);
            hash.map(|it| it.to_string())
        };
        match tokio::task::spawn_blocking(hash).await {
            Ok(Ok(hash)) => Ok(hash),
            Ok(Err(error)) => Err(Refusal::bad("bad_password", format!("it cannot be hashed: {error}"))),
            Err(_) => Err(Refusal::Stopping),
        }
    }

    /// Whether `password` is the one of `hash`. Without one it is not, and that takes as long.
    pub async fn fits(&self, password: &str, hash: Option<&str>, asker: Asker) -> Done<bool> {
        let _turn = self.turn(asker).await?;
        let known = hash.is_some();
        let (password, hash) = (Zeroizing::new(password.to_owned()), hash.unwrap_or(NOBODY).to_owned());
        let fits = move || {
            let hash = PasswordHash::new(&hash).ok()?;
            Argon2::default().verify_password(password.as_bytes(), &hash).ok()
        };
        match tokio::task::spawn_blocking(fits).await {
            Ok(fits) => Ok(fits.is_some() && known),
            Err(_) => Err(Refusal::Stopping),
        }
    }

    async fn turn(&self, asker: Asker) -> Done<(SemaphorePermit<'_>, SemaphorePermit<'_>)> {
        let places = match asker {
            Asker::Stranger => &self.strangers,
            Asker::Known => &self.known,
        };
        let place = places.try_acquire().map_err(|_| busy())?;
        let permit = self.permits.acquire().await.map_err(|_| Refusal::Stopping)?;
        Ok((place, permit))
    }
}

fn busy() -> Refusal {
    Refusal::Busy("too many passwords are being looked at; hint: try again in a moment")
}

/// Refuses a password that is too easy, or too long.
pub fn good_password(name: &str, password: &str) -> Done<()> {
    let bad = |message: String| Err(Refusal::bad("bad_password", message));
    let chars = password.chars().count();
    let first = password.chars().next();
    match () {
        () if chars < CHARS_MIN => {
            bad(format!("a password has at least {CHARS_MIN} characters; hint: three or four words are good"))
        }
        () if password.len() > BYTES_MAX => bad(format!("a password has at most {BYTES_MAX} bytes")),
        () if password.to_lowercase().contains(&name.to_lowercase()) && chars < name.len() + CHARS_MIN => {
            bad("a password is no good if it holds the name and little else".to_owned())
        }
        () if password.chars().all(|it| Some(it) == first) => {
            bad("a password is no good if it is one character again and again".to_owned())
        }
        () => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_fits_its_hash_and_nobodys_fits_nothing() {
        let passwords = Passwords::default();
        let hash = passwords.hash("correct horse battery").await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert_ne!(hash, passwords.hash("correct horse battery").await.unwrap(), "each has its salt");
        assert!(passwords.fits("correct horse battery", Some(&hash), Asker::Stranger).await.unwrap());
        assert!(!passwords.fits("correct horse batterz", Some(&hash), Asker::Stranger).await.unwrap());
        assert!(!passwords.fits("correct horse battery", None, Asker::Stranger).await.unwrap());
        assert!(PasswordHash::new(NOBODY).is_ok(), "it takes as long as a real one");
    }

    #[tokio::test]
    async fn strangers_leave_a_place_for_who_is_known() {
        let passwords = Passwords::default();
        let crowd = (0..100).map(|_| passwords.fits("wrong", None, Asker::Stranger));
        let known = passwords.fits("wrong", None, Asker::Known);
        let (crowd, known) = tokio::join!(futures::future::join_all(crowd), known);
        let refused = crowd.iter().filter(|it| matches!(it, Err(Refusal::Busy(_)))).count();
        assert_eq!((refused, crowd.len()), (100 - AT_ONCE - WAITING_MAX, 100));
        assert!(!known.unwrap(), "it was looked at");
    }

    #[test]
    fn an_easy_password_is_refused() {
        for bad in ["", "short", "aaaaaaaaaaaaaaa", "annabella1", &"x y".repeat(500)] {
            assert!(good_password("annabella", bad).is_err(), "{bad}");
        }
        assert!(good_password("annabella", "three or four words").is_ok());
    }
}
