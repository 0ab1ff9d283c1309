//! [`Passwords`]: hashes of passwords, argon2id as OWASP recommends it: 19 MiB, two passes. Made beside the
//! threads that answer, and only a few at once, for each takes its memory.

use argon2::{Argon2, PasswordHash, PasswordHasher, PasswordVerifier};
use tokio::sync::{Semaphore, SemaphorePermit};
use zeroize::Zeroizing;

use crate::service::errors::{ServiceError, ServiceResult};
use crate::service::hash;

/// How many of each line are hashed at once.
const AT_ONCE: usize = 2;
/// How many of each wait for that; who comes then is asked to come again.
const WAITING_MAX: usize = 32;
/// The least, in characters: what NIST asks for where there is nothing beside the password is more, what
/// people accept is less.
const CHARS_MIN: usize = 10;
/// The most, in bytes.
const BYTES_MAX: usize = 1_024;
const SALT_BYTES: usize = 16;
/// What is looked at where there is no such user: it takes as long, and nothing fits.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Hashes, a few at once, in two lines: who is known never waits behind strangers.
#[derive(Debug, Default)]
pub struct Passwords {
    strangers: Line,
    known: Line,
}

/// Those who wait, and those who are served.
#[derive(Debug)]
struct Line {
    permits: Semaphore,
    places: Semaphore,
}

/// Who wants a password looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginSource {
    /// Nobody has been let in from there before.
    Stranger,
    /// They have been, or are now.
    Known,
}

impl Default for Line {
    fn default() -> Line {
        Line { permits: Semaphore::new(AT_ONCE), places: Semaphore::new(AT_ONCE + WAITING_MAX) }
    }
}

impl Passwords {
    /// The hash of a new password.
    pub async fn hash(&self, password: &str) -> ServiceResult<String> {
        let _turn = self.turn(LoginSource::Known).await?;
        let (password, salt) = (Zeroizing::new(password.to_owned()), hash::chance_bytes::<SALT_BYTES>());
        let hash = move || {
            let hash = Argon2::default().hash_password_with_salt(password.as_bytes(), &salt);
            hash.map(|it| it.to_string())
        };
        match tokio::task::spawn_blocking(hash).await {
            Ok(Ok(hash)) => Ok(hash),
            Ok(Err(error)) => Err(ServiceError::bad("bad_password", format!("it cannot be hashed: {error}"))),
            Err(_) => Err(ServiceError::Stopping),
        }
    }

    /// Whether `password` is the one of `hash`. Without one it is not, and that takes as long.
    pub async fn fits(&self, password: &str, hash: Option<&str>, asker: LoginSource) -> ServiceResult<bool> {
        let _turn = self.turn(asker).await?;
        let known = hash.is_some();
        let (password, hash) = (Zeroizing::new(password.to_owned()), hash.unwrap_or(NOBODY).to_owned());
        let fits = move || {
            let hash = PasswordHash::new(&hash).ok()?;
            Argon2::default().verify_password(password.as_bytes(), &hash).ok()
        };
        match tokio::task::spawn_blocking(fits).await {
            Ok(fits) => Ok(fits.is_some() && known),
            Err(_) => Err(ServiceError::Stopping),
        }
    }

    async fn turn(&self, asker: LoginSource) -> ServiceResult<(SemaphorePermit<'_>, SemaphorePermit<'_>)> {
        let line = match asker {
            LoginSource::Stranger => &self.strangers,
            LoginSource::Known => &self.known,
        };
        let place = line.places.try_acquire().map_err(|_| busy())?;
        let permit = line.permits.acquire().await.map_err(|_| ServiceError::Stopping)?;
        Ok((place, permit))
    }
}

fn busy() -> ServiceError {
    ServiceError::Busy("too many passwords are being looked at; hint: try again in a moment")
}

/// Refuses a password that is too easy, or too long.
pub fn good_password(name: &str, password: &str) -> ServiceResult<()> {
    let bad = |message: String| Err(ServiceError::bad("bad_password", message));
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
    use futures::StreamExt;
    use futures::stream::FuturesUnordered;

    use super::*;

    #[tokio::test]
    async fn a_password_fits_its_hash_and_nobodys_fits_nothing() {
        let passwords = Passwords::default();
        let hash = passwords.hash("correct horse battery").await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert_ne!(hash, passwords.hash("correct horse battery").await.unwrap(), "each has its salt");
        assert!(passwords.fits("correct horse battery", Some(&hash), LoginSource::Stranger).await.unwrap());
        assert!(!passwords.fits("correct horse batterz", Some(&hash), LoginSource::Stranger).await.unwrap());
        assert!(!passwords.fits("correct horse battery", None, LoginSource::Stranger).await.unwrap());
        assert!(PasswordHash::new(NOBODY).is_ok(), "it takes as long as a real one");
    }

    #[tokio::test]
    async fn who_is_known_does_not_wait_behind_strangers() {
        let passwords = Passwords::default();
        let mut strangers: FuturesUnordered<_> =
            (0..100).map(|_| passwords.fits("wrong", None, LoginSource::Stranger)).collect();
        let mut known = std::pin::pin!(passwords.fits("wrong", None, LoginSource::Known));
        let (mut looked, mut refused) = (0, 0);
        loop {
            tokio::select! {
                Some(stranger) = strangers.next() => match stranger {
                    Ok(fits) => looked += usize::from(!fits),
                    Err(refusal) => refused += usize::from(matches!(refusal, ServiceError::Busy(_))),
                },
                fits = known.as_mut() => break assert!(!fits.unwrap(), "it was looked at"),
            }
        }
        assert!(looked < WAITING_MAX, "{looked} strangers went before");
        while let Some(stranger) = strangers.next().await {
            match stranger {
                Ok(fits) => looked += usize::from(!fits),
                Err(refusal) => refused += usize::from(matches!(refusal, ServiceError::Busy(_))),
            }
        }
        assert_eq!((looked, refused), (AT_ONCE + WAITING_MAX, 100 - AT_ONCE - WAITING_MAX));
    }

    #[test]
    fn an_easy_password_is_refused() {
        for bad in ["", "short", "aaaaaaaaaaaaaaa", "annabella1", &"x y".repeat(500)] {
            assert!(good_password("annabella", bad).is_err(), "{bad}");
        }
        assert!(good_password("annabella", "three or four words").is_ok());
    }
}
