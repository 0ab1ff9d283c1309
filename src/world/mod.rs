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
pub mod trouble;
pub mod clients;
pub mod token_answer;
pub mod body;
pub mod http;
pub mod grants;
pub mod rooms;
pub mod asker;
pub mod mail;
pub mod tell;
pub mod storm;
#[expect(clippy::module_inception, reason = "the floor is named for what it makes")]
pub mod world;
