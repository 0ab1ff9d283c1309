//! The faults of telling a person, for the manual.

use crate::model::entry::FaultEntry;
use crate::model::fault::Class::{Lasting, Passing};

/// A message that any of them can happen to.
const TELL: &str = "\
tell_them:
  kind: notify
  message: \"order {{order}} is on its way\"
  notify: [author, duty]
  next: done
  on_error: tell
";

/// The faults of telling a person.
pub const FAULTS: &[FaultEntry] = &[
    FaultEntry::new("no_channel", Lasting, "the channel that is named is not set up")
        .of_person()
        .remedy("`beltline channel add NAME --via telegram …`.")
        .example(TELL),
    FaultEntry::new("not_delivered", Passing, "no channel delivered the message")
        .of_person()
        .remedy("`beltline channel test NAME` says why. It is tried again.")
        .example(TELL),
    FaultEntry::new("bad_channel", Lasting, "the channel is set up wrongly")
        .of_person()
        .remedy("The message names the setting; add the channel anew.")
        .example(TELL),
    FaultEntry::new("channel_keys", Lasting, "the provider does not accept the channel's keys")
        .of_person()
        .remedy("Look at the token or the password: `beltline channel add NAME …` replaces it.")
        .example(TELL),
    FaultEntry::new("channel_refused", Lasting, "the provider refuses this message")
        .of_person()
        .remedy("Look at whom it is for, and at what the provider says.")
        .example(TELL),
    FaultEntry::new("channel_limited", Passing, "the provider asks us to slow down")
        .of_person()
        .remedy("It is tried again, by `Retry-After` if it is given.")
        .example(TELL),
    FaultEntry::new("channel_failed", Passing, "the provider has trouble of its own")
        .of_person()
        .remedy("It is tried again, and the next channel is tried meanwhile.")
        .example(TELL),
    FaultEntry::new("channel_moved", Lasting, "whom it is for has moved twice")
        .of_person()
        .remedy("The message says what to set: `beltline channel add NAME chat_id=…`.")
        .example(TELL),
    FaultEntry::new("mail_connect", Passing, "the mail server cannot be reached")
        .of_person()
        .remedy("It is tried again. Look at `host`, `port` and the network.")
        .example(TELL),
    FaultEntry::new("mail_timeout", Passing, "the mail server did not answer in time")
        .of_person()
        .remedy("It is tried again.")
        .example(TELL),
    FaultEntry::new("mail_lost", Passing, "the mail server closed the connection")
        .of_person()
        .remedy("It is tried again. A wrong `tls` setting shows so too.")
        .example(TELL),
    FaultEntry::new("mail_refused", Lasting, "the mail server cannot be spoken with as it is set up")
        .of_person()
        .remedy("Look at `tls`, `user` and `port`.")
        .example(TELL),
];
