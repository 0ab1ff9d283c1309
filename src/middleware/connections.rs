//! [`Connections`]: how many connections are open, in all and of each address. What the server may open is
//! shared: a part is kept for the store and for requests to the outside, so that whoever connects takes
//! nothing from them.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::middleware::shares::{Share, Shares};

/// The most connections, whatever the system would give.
const MOST: usize = 10_000;
/// The fewest, however little it gives.
const FEWEST: usize = 16;
/// The files that are kept for the store, for requests to the outside and for all else.
const KEPT: usize = 768;
/// One address has no more than one in so many of all connections …
const SHARE: usize = 4;
/// … but as many as a browser or a program of many threads takes.
const SHARE_FEWEST: usize = 8;

/// How many connections there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// In all. More wait in the system's queue.
    pub all: usize,
    /// Of one address. More are closed at once.
    pub each: usize,
}

/// The connections that are open.
#[derive(Debug)]
pub struct Connections {
    all: Arc<Semaphore>,
    by_address: Arc<Shares<IpAddr>>,
}

/// The place of one connection; free again when this is dropped.
#[derive(Debug)]
pub struct ConnectionSlot {
    _share: Option<Share<IpAddr>>,
    _permit: OwnedSemaphorePermit,
}

impl ConnectionLimits {
    /// For a program that may open so many files; none: as many as it likes.
    pub fn of_files(files: Option<u64>) -> ConnectionLimits {
        let files = files.map_or(usize::MAX, |it| usize::try_from(it).unwrap_or(usize::MAX));
        // Where that is more than there is, half is kept.
        let all = files.saturating_sub(KEPT.min(files / 2)).clamp(FEWEST, MOST);
        ConnectionLimits { all, each: (all / SHARE).max(SHARE_FEWEST) }
    }
}

impl Default for ConnectionLimits {
    fn default() -> ConnectionLimits {
        ConnectionLimits::of_files(None)
    }
}

impl Connections {
    /// None is open yet.
    pub fn new(limits: ConnectionLimits) -> Connections {
        let all = Arc::new(Semaphore::new(limits.all));
        Connections { all, by_address: Shares::new(limits.each) }
    }

    /// Waits until there is room for one more.
    pub async fn room(&self) -> OwnedSemaphorePermit {
        Arc::clone(&self.all).acquire_owned().await.expect("it is never closed")
    }

    /// A place for a connection from that address; none if the address has its share. This machine, and
    /// whoever `speaks_for_many`, has no share.
    pub fn take(
        &self,
        permit: OwnedSemaphorePermit,
        from: IpAddr,
        speaks_for_many: bool,
    ) -> Option<ConnectionSlot> {
        let from = household(from);
        let share = match speaks_for_many || from.is_loopback() {
            true => None,
            false => Some(self.by_address.take(from)?),
        };
        Some(ConnectionSlot { _share: share, _permit: permit })
    }
}

/// Who has IPv6 has a whole network of 64 bits, and counts as one.
fn household(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(it) if !it.is_loopback() => {
            let [a, b, c, d, ..] = it.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_all_files_is_kept() {
        let limits = |files| {
            let it = ConnectionLimits::of_files(Some(files));
            (it.all, it.each)
        };
        assert_eq!(
            [limits(1_024), limits(4_096), limits(1_000_000)],
            [(512, 128), (3_328, 832), (10_000, 2_500)]
        );
        assert_eq!(limits(20), (16, 8));
        assert_eq!(ConnectionLimits::default(), ConnectionLimits::of_files(Some(1_000_000)));
    }

    #[tokio::test]
    async fn no_address_takes_more_than_its_share() {
        let connections = Connections::new(ConnectionLimits { all: 5, each: 2 });
        let take = async |from: &str, speaks| {
            let permit = connections.room().await;
            connections.take(permit, from.parse().unwrap(), speaks)
        };
        let first = take("192.0.2.1", false).await;
        let second = take("::ffff:192.0.2.1", false).await;
        assert!(first.is_some() && second.is_some());
        assert!(take("192.0.2.1", false).await.is_none(), "the same, written otherwise");
        assert!(take("192.0.2.1", true).await.is_some(), "it speaks for many");
        let home = take("2001:db8:1:2::1", false).await;
        let same_home = take("2001:db8:1:2:ffff::9", false).await;
        assert!(home.is_some() && same_home.is_some());
        assert!(take("2001:db8:1:2:3::", false).await.is_none());
        drop((first, home, same_home));
        assert!(take("192.0.2.1", false).await.is_some(), "one place is free again");
        assert!(take("127.0.0.1", false).await.is_some() && take("::1", false).await.is_some());
    }
}
