//! [`Tokens`]: one-time codes and token pairs, as the token server keeps them. A refresh token is good
//! once; what its rotation does to the pair before is settable, because the vendor says both.

use std::collections::{BTreeMap, HashMap, VecDeque};

use crate::sim::chance::Chance;

/// Codes are remembered so long after their end, so that a reuse is told from an unknown code.
const CODES_KEPT_MS: i64 = 600_000;
/// The most codes remembered.
const CODES_MAX: usize = 10_000;
/// The most spent pairs remembered: a chain that is renewed every second fills it in some hours.
const SPENT_MAX: usize = 10_000;
/// The most pairs kept in all.
const PAIRS_MAX: usize = 100_000;
/// Bytes 4–11 of every recorded token: they name the portal and the application there.
const TOKEN_MIDDLE: &str = "006e9f06006b12e4";

/// The number of a pair; grows.
pub type PairId = u64;

/// An access token and its refresh token.
#[derive(Clone)]
pub struct Pair {
    /// Its number.
    pub id: PairId,
    /// For the REST calls.
    pub access: String,
    /// For the next pair.
    pub refresh: String,
    /// Whose pair it is.
    pub client_id: String,
    /// The access token's end, in milliseconds since 1970.
    pub access_until: i64,
    /// The refresh token's end.
    pub refresh_until: i64,
    /// The answer that carried it was delivered, as far as the server knows.
    pub delivered: bool,
    /// A rotation killed the access token before its time.
    access_dead: bool,
    /// The refresh token was used: the newest pair that came of it.
    successor: Option<PairId>,
    /// When it was used first, in milliseconds since 1970.
    spent_at: Option<i64>,
}

struct Code {
    text: String,
    client_id: String,
    until: i64,
    used: bool,
}

/// How long things live and what a rotation does to the pair before.
#[derive(Clone, Copy)]
pub struct Rules {
    /// The life of an access token.
    pub access_ms: i64,
    /// The life of a refresh token.
    pub refresh_ms: i64,
    /// A spent refresh token still works.
    pub refresh_survives: bool,
    /// For so long after its first use, a spent refresh token gives the pair of that use once more.
    pub forgiven_ms: i64,
    /// The access token of a spent pair lives to its end.
    pub access_survives: bool,
    /// Whose rights the tokens have.
    pub user_id: u32,
}

/// Where an access token stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenStatus {
    /// It is good.
    Live,
    /// Its time is over.
    Expired,
    /// Never given out, or killed by a rotation.
    Unknown,
}

/// Why a code or a refresh token is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantRefusal {
    /// Never given out, or to another application.
    Unknown,
    /// Its time is over.
    Expired,
    /// It was used.
    Used,
}

/// A spent refresh token was shown again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reuse {
    /// Its successor had been delivered.
    Plain,
    /// Its successor never was.
    AfterLoss,
}

/// Codes and pairs.
pub struct Tokens {
    chance: Chance,
    codes: VecDeque<Code>,
    pairs: BTreeMap<PairId, Pair>,
    by_access: HashMap<String, PairId>,
    by_refresh: HashMap<String, PairId>,
    spent: VecDeque<PairId>,
    next: PairId,
}

impl Tokens {
    /// None yet.
    pub fn new(seed: u64) -> Tokens {
        Tokens {
            chance: Chance::new(seed),
            codes: VecDeque::new(),
            pairs: BTreeMap::new(),
            by_access: HashMap::new(),
            by_refresh: HashMap::new(),
            spent: VecDeque::new(),
            next: 1,
        }
    }

    /// A new one-time code.
    pub fn code(&mut self, client_id: &str, now: i64, life_ms: i64) -> String {
        self.codes.retain(|it| it.until + CODES_KEPT_MS > now);
        if self.codes.len() == CODES_MAX {
            self.codes.pop_front();
        }
        let text = self.chance.letters(32);
        let (client_id, until) = (client_id.to_owned(), now + life_ms);
        self.codes.push_back(Code { text: text.clone(), client_id, until, used: false });
        text
    }

    /// Some name that does not repeat.
    pub fn name(&mut self) -> String {
        self.chance.hex(16)
    }

    /// A first pair for a code; the code is used up.
    pub fn exchange(
        &mut self,
        code: &str,
        client_id: &str,
        now: i64,
        rules: Rules,
    ) -> Result<PairId, GrantRefusal> {
        let found = self.codes.iter_mut().find(|it| it.text == code && it.client_id == client_id);
        let code = found.ok_or(GrantRefusal::Unknown)?;
        match code {
            Code { used: true, .. } => Err(GrantRefusal::Used),
            Code { until, .. } if *until <= now => Err(GrantRefusal::Expired),
            Code { used, .. } => {
                *used = true;
                Ok(self.issue(client_id, now, rules))
            }
        }
    }

    /// The next pair for a refresh token. Tells beside it whether the token had been spent.
    pub fn rotate(
        &mut self,
        refresh: &str,
        client_id: &str,
        now: i64,
        rules: Rules,
    ) -> (Result<PairId, GrantRefusal>, Option<Reuse>) {
        let found = self.by_refresh.get(refresh).and_then(|id| self.pairs.get(id));
        let Some(old) = found.filter(|it| it.client_id == client_id) else {
            return (Err(GrantRefusal::Unknown), None);
        };
        let (old_id, was_spent) = (old.id, old.successor.is_some());
        let reuse = old.successor.map(|next| match self.pairs.get(&next) {
            Some(Pair { delivered: false, .. }) => Reuse::AfterLoss,
            Some(_) | None => Reuse::Plain,
        });
        let forgiven = old.spent_at.is_some_and(|at| now - at < rules.forgiven_ms);
        if let Some(next) = old.successor.filter(|_| forgiven) {
            if let Some(pair) = self.pairs.get_mut(&next) {
                pair.delivered = true;
            }
            return (Ok(next), reuse);
        }
        if was_spent && !rules.refresh_survives {
            return (Err(GrantRefusal::Used), reuse);
        }
        if old.refresh_until <= now {
            return (Err(GrantRefusal::Expired), reuse);
        }
        let next = self.issue(client_id, now, rules);
        if let Some(old) = self.pairs.get_mut(&old_id) {
            old.successor = Some(next);
            old.spent_at.get_or_insert(now);
            old.access_dead |= !rules.access_survives;
        }
        if !was_spent {
            self.spent.push_back(old_id);
        }
        self.prune();
        (Ok(next), reuse)
    }

    /// The answer that carried this pair was not delivered.
    pub fn lose(&mut self, id: PairId) {
        if let Some(pair) = self.pairs.get_mut(&id) {
            pair.delivered = false;
        }
    }

    /// The pair of that number.
    pub fn pair(&self, id: PairId) -> Option<&Pair> {
        self.pairs.get(&id)
    }

    /// The newest pair of an application.
    pub fn latest(&self, client_id: &str) -> Option<&Pair> {
        self.pairs.values().rev().find(|it| it.client_id == client_id)
    }

    /// The pair that `access` belongs to, dead or alive.
    pub fn by_access(&self, access: &str) -> Option<&Pair> {
        self.by_access.get(access).and_then(|id| self.pairs.get(id))
    }

    /// Where an access token stands.
    pub fn standing(&self, access: &str, now: i64) -> TokenStatus {
        match self.by_access(access) {
            None | Some(Pair { access_dead: true, .. }) => TokenStatus::Unknown,
            Some(pair) if pair.access_until <= now => TokenStatus::Expired,
            Some(_) => TokenStatus::Live,
        }
    }

    /// Ends the access tokens of all pairs at once, as if their time were over; refresh tokens live on.
    pub fn expire_access(&mut self, now: i64) {
        for pair in self.pairs.values_mut() {
            pair.access_until = pair.access_until.min(now);
        }
    }

    /// Forgets every pair, as a portal does when the application is removed.
    pub fn forget_pairs(&mut self) {
        self.pairs.clear();
        self.by_access.clear();
        self.by_refresh.clear();
        self.spent.clear();
    }

    /// How many access tokens are good.
    pub fn live(&self, now: i64) -> usize {
        self.pairs.values().filter(|it| !it.access_dead && it.access_until > now).count()
    }

    fn issue(&mut self, client_id: &str, now: i64, rules: Rules) -> PairId {
        let id = self.next;
        self.next += 1;
        let (access_until, refresh_until) = (now + rules.access_ms, now + rules.refresh_ms);
        let access = self.token(access_until, rules.user_id);
        let refresh = self.token(refresh_until, rules.user_id);
        self.by_access.insert(access.clone(), id);
        self.by_refresh.insert(refresh.clone(), id);
        let client_id = client_id.to_owned();
        let (delivered, access_dead, successor, spent_at) = (true, false, None, None);
        self.pairs.insert(
            id,
            Pair {
                id,
                access,
                refresh,
                client_id,
                access_until,
                refresh_until,
                delivered,
                access_dead,
                successor,
                spent_at,
            },
        );
        id
    }

    /// As recorded: 70 hexadecimal digits; first its end in seconds, little-endian, later the user's id.
    fn token(&mut self, until: i64, user_id: u32) -> String {
        let seconds = u32::try_from(until / 1_000).unwrap_or(u32::MAX).swap_bytes();
        format!("{seconds:08x}{TOKEN_MIDDLE}{user_id:08x}000007{}", self.chance.hex(16))
    }

    fn prune(&mut self) {
        while self.spent.len() > SPENT_MAX {
            if let Some(id) = self.spent.pop_front() {
                self.remove(id);
            }
        }
        while self.pairs.len() > PAIRS_MAX {
            let Some((&id, _)) = self.pairs.first_key_value() else {
                return;
            };
            self.remove(id);
        }
    }

    fn remove(&mut self, id: PairId) {
        if let Some(pair) = self.pairs.remove(&id) {
            self.by_access.remove(&pair.access);
            self.by_refresh.remove(&pair.refresh);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRICT: Rules = Rules {
        access_ms: 3_600_000,
        refresh_ms: 28 * 86_400_000,
        refresh_survives: false,
        forgiven_ms: 0,
        access_survives: false,
        user_id: 1,
    };
    const LENIENT: Rules = Rules { refresh_survives: true, access_survives: true, ..STRICT };
    const NOW: i64 = 1_728_409_697_000;

    fn first(tokens: &mut Tokens, rules: Rules) -> Pair {
        let code = tokens.code("app", NOW, 30_000);
        let id = tokens.exchange(&code, "app", NOW, rules).unwrap();
        tokens.pair(id).unwrap().clone()
    }

    #[test]
    fn a_code_is_good_once_and_for_thirty_seconds() {
        let mut tokens = Tokens::new(1);
        let code = tokens.code("app", NOW, 30_000);
        assert_eq!(tokens.exchange(&code, "other", NOW, STRICT), Err(GrantRefusal::Unknown));
        assert!(tokens.exchange(&code, "app", NOW + 29_999, STRICT).is_ok());
        assert_eq!(tokens.exchange(&code, "app", NOW + 29_999, STRICT), Err(GrantRefusal::Used));
        let late = tokens.code("app", NOW, 30_000);
        assert_eq!(tokens.exchange(&late, "app", NOW + 30_000, STRICT), Err(GrantRefusal::Expired));
    }

    #[test]
    fn a_token_looks_like_the_recorded_ones() {
        let pair = first(&mut Tokens::new(1), STRICT);
        assert_eq!(pair.access.len(), 70);
        assert!(pair.access.starts_with("717e0567006e9f06006b12e400000001000007"), "{}", pair.access);
    }

    #[test]
    fn a_strict_rotation_kills_the_old_pair_at_once() {
        let mut tokens = Tokens::new(1);
        let old = first(&mut tokens, STRICT);
        let (next, reuse) = tokens.rotate(&old.refresh, "app", NOW + 1, STRICT);
        let next = tokens.pair(next.unwrap()).unwrap().clone();
        assert_eq!(reuse, None);
        assert_eq!(tokens.standing(&old.access, NOW + 1), TokenStatus::Unknown);
        assert_eq!(tokens.standing(&next.access, NOW + 1), TokenStatus::Live);
        let again = tokens.rotate(&old.refresh, "app", NOW + 2, STRICT);
        assert_eq!(again, (Err(GrantRefusal::Used), Some(Reuse::Plain)));
    }

    #[test]
    fn a_lenient_rotation_lets_the_old_pair_live() {
        let mut tokens = Tokens::new(1);
        let old = first(&mut tokens, LENIENT);
        for _ in 0..3 {
            assert!(tokens.rotate(&old.refresh, "app", NOW + 1, LENIENT).0.is_ok());
        }
        assert_eq!(tokens.standing(&old.access, NOW + 1), TokenStatus::Live);
    }

    #[test]
    fn a_server_that_forgives_gives_the_same_pair_again_for_a_while() {
        let rules = Rules { forgiven_ms: 10_000, ..STRICT };
        let mut tokens = Tokens::new(1);
        let old = first(&mut tokens, rules);
        let next = tokens.rotate(&old.refresh, "app", NOW, rules).0.unwrap();
        tokens.lose(next);
        let again = tokens.rotate(&old.refresh, "app", NOW + 9_999, rules);
        assert_eq!(again, (Ok(next), Some(Reuse::AfterLoss)));
        let late = tokens.rotate(&old.refresh, "app", NOW + 10_000, rules);
        assert_eq!(late, (Err(GrantRefusal::Used), Some(Reuse::Plain)));
    }

    #[test]
    fn a_reuse_after_a_lost_answer_is_told_from_a_plain_one() {
        let mut tokens = Tokens::new(1);
        let old = first(&mut tokens, STRICT);
        let lost = tokens.rotate(&old.refresh, "app", NOW, STRICT).0.unwrap();
        tokens.lose(lost);
        let again = tokens.rotate(&old.refresh, "app", NOW, STRICT);
        assert_eq!(again, (Err(GrantRefusal::Used), Some(Reuse::AfterLoss)));
    }

    #[test]
    fn tokens_end_with_their_time() {
        let mut tokens = Tokens::new(1);
        let pair = first(&mut tokens, STRICT);
        assert_eq!(tokens.standing(&pair.access, pair.access_until - 1), TokenStatus::Live);
        assert_eq!(tokens.standing(&pair.access, pair.access_until), TokenStatus::Expired);
        let late = tokens.rotate(&pair.refresh, "app", pair.refresh_until, STRICT);
        assert_eq!(late, (Err(GrantRefusal::Expired), None));
    }

    #[test]
    fn a_chain_renewed_for_ever_does_not_grow_for_ever() {
        let mut tokens = Tokens::new(1);
        let mut refresh = first(&mut tokens, STRICT).refresh;
        let other = first(&mut tokens, STRICT);
        for _ in 0..SPENT_MAX + 100 {
            let next = tokens.rotate(&refresh, "app", NOW, STRICT).0.unwrap();
            refresh = tokens.pair(next).unwrap().refresh.clone();
        }
        assert_eq!(tokens.pairs.len(), SPENT_MAX + 2);
        assert!(tokens.rotate(&other.refresh, "app", NOW, STRICT).0.is_ok());
    }
}
