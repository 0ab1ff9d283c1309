//! Floor 6, what performs: HTTP behind the address guard, mail, the channels.

pub mod clock;
pub mod deadline;
pub mod guard;
pub mod hosts;
pub mod secrets;
pub mod headers;
pub mod load;
pub mod sign;
pub mod request;
pub mod errors;
pub mod clients;
pub mod token_answer;
pub mod body;
pub mod http;
pub mod token_cache;
pub mod rate_limiter;
pub mod limited_client;
pub mod mail;
pub mod notifier;
pub mod batcher;
#[expect(clippy::module_inception, reason = "the floor is named for what it makes")]
pub mod outbound;
