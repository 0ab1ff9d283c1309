//! [`SmtpSession`]: one SMTP conversation, line by line. Pure; the socket is in `smtp`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::sim::notifiers::{MailDoor, MailTrouble};

/// The longest line of a command, in bytes, as RFC 5321 has it with room to spare.
pub const LINE_BYTES_MAX: usize = 4_096;
/// The largest message, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 1_048_576;
/// The most recipients of one message.
const RECIPIENTS_MAX: usize = 100;

/// What the server does about a line.
#[derive(Debug, PartialEq, Eq)]
pub enum SmtpStep {
    /// Says this.
    Say(String),
    /// Nothing yet: more of the message is to come.
    More,
    /// Says this and closes.
    Bye(String),
    /// Closes without a word.
    Close,
    /// Says nothing any more.
    Silent,
    /// Has taken a message and says this; nothing if the connection is closed instead.
    Taken(Envelope, Option<String>),
}

/// A message with those it was sent to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Envelope {
    /// The sender's address.
    pub from: String,
    /// The recipients' addresses.
    pub to: Vec<String>,
    /// As received, lines ending in CR LF.
    pub raw: String,
}

/// What the next line is.
#[derive(Default, PartialEq, Eq)]
enum Expecting {
    #[default]
    Command,
    PlainLogin,
    LoginUser,
    LoginPassword(String),
    Message,
}

/// One conversation.
#[derive(Default)]
pub struct SmtpSession {
    expecting: Expecting,
    greeted: bool,
    logged_in: bool,
    mail: Transaction,
}

/// The message under way.
#[derive(Default)]
struct Transaction {
    from: Option<String>,
    to: Vec<String>,
    raw: String,
    too_big: bool,
    lost: bool,
}

impl SmtpSession {
    /// What the server says first.
    pub fn greeting() -> String {
        say("220", "sim.beltline ESMTP")
    }

    /// What the server does about a line, given without its end.
    pub fn line(&mut self, line: &str, door: &mut MailDoor) -> SmtpStep {
        match std::mem::take(&mut self.expecting) {
            Expecting::Message => self.message_line(line),
            Expecting::PlainLogin => self.plain(line, door),
            Expecting::LoginUser => match decoded(line) {
                Some(user) => {
                    self.expecting = Expecting::LoginPassword(user);
                    SmtpStep::Say(say("334", "UGFzc3dvcmQ6"))
                }
                None => bad_login_form(),
            },
            Expecting::LoginPassword(user) => match decoded(line) {
                Some(password) => self.login(&user, &password, door),
                None => bad_login_form(),
            },
            Expecting::Command => self.command(line, door),
        }
    }

    fn command(&mut self, line: &str, door: &mut MailDoor) -> SmtpStep {
        if line.len() > LINE_BYTES_MAX {
            return SmtpStep::Say(say("500", "5.5.6 Line too long"));
        }
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        match verb.to_ascii_uppercase().as_str() {
            "EHLO" => {
                self.greeted = true;
                self.forget();
                let size = MESSAGE_BYTES_MAX;
                SmtpStep::Say(format!(
                    "250-sim.beltline\r\n250-SIZE {size}\r\n250-8BITMIME\r\n\
                     250-SMTPUTF8\r\n250 AUTH PLAIN LOGIN\r\n"
                ))
            }
            "HELO" => {
                self.greeted = true;
                self.forget();
                SmtpStep::Say(say("250", "sim.beltline"))
            }
            "NOOP" => SmtpStep::Say(say("250", "2.0.0 Ok")),
            "RSET" => {
                self.forget();
                SmtpStep::Say(say("250", "2.0.0 Ok"))
            }
            "QUIT" => SmtpStep::Bye(say("221", "2.0.0 Bye")),
            "AUTH" if self.greeted => self.auth(rest, door),
            "MAIL" if self.greeted => self.mail(rest, door),
            "RCPT" => self.rcpt(rest, door),
            "DATA" if self.mail.to.is_empty() => SmtpStep::Say(say("503", "5.5.1 Need RCPT first")),
            "DATA" => {
                self.expecting = Expecting::Message;
                SmtpStep::Say(say("354", "End data with <CR><LF>.<CR><LF>"))
            }
            "AUTH" | "MAIL" => SmtpStep::Say(say("503", "5.5.1 Say EHLO first")),
            _ => SmtpStep::Say(say("502", "5.5.2 Command not recognized")),
        }
    }

    fn auth(&mut self, rest: &str, door: &mut MailDoor) -> SmtpStep {
        let (mechanism, initial) = rest.split_once(' ').unwrap_or((rest, ""));
        match (mechanism.to_ascii_uppercase().as_str(), initial) {
            ("PLAIN", "") => {
                self.expecting = Expecting::PlainLogin;
                SmtpStep::Say("334 \r\n".to_owned())
            }
            ("PLAIN", initial) => self.plain(initial, door),
            ("LOGIN", "") => {
                self.expecting = Expecting::LoginUser;
                SmtpStep::Say(say("334", "VXNlcm5hbWU6"))
            }
            ("LOGIN", initial) => {
                self.expecting = Expecting::LoginUser;
                self.line(initial, door)
            }
            _ => SmtpStep::Say(say("504", "5.5.4 Unrecognized authentication type")),
        }
    }

    fn plain(&mut self, given: &str, door: &mut MailDoor) -> SmtpStep {
        let given = decoded(given);
        let mut parts = given.as_deref().unwrap_or_default().splitn(3, '\0');
        match (parts.next(), parts.next(), parts.next()) {
            (Some(_), Some(user), Some(password)) => self.login(user, password, door),
            _ => bad_login_form(),
        }
    }

    fn login(&mut self, user: &str, password: &str, door: &mut MailDoor) -> SmtpStep {
        let refused = door.script.take_if(|it| *it == MailTrouble::BadLogin).is_some();
        if refused || user != door.user || password != door.password {
            return SmtpStep::Say(say("535", "5.7.8 Authentication credentials invalid"));
        }
        self.logged_in = true;
        SmtpStep::Say(say("235", "2.7.0 Authentication successful"))
    }

    fn mail(&mut self, rest: &str, door: &mut MailDoor) -> SmtpStep {
        if door.login_required && !self.logged_in {
            return SmtpStep::Say(say("530", "5.7.0 Authentication required"));
        }
        let Some(from) = address(rest, "FROM:") else {
            return SmtpStep::Say(say("501", "5.5.4 Syntax: MAIL FROM:<address>"));
        };
        let at_sender = |it: &MailTrouble| !matches!(it, MailTrouble::BadLogin | MailTrouble::NoMailbox);
        let plan = door.script.take_if(at_sender).map(|it| it.what);
        match plan {
            Some(MailTrouble::Busy) => return SmtpStep::Say(say("451", "4.3.0 Try again later")),
            Some(MailTrouble::Close) => return SmtpStep::Close,
            Some(MailTrouble::Silent) => return SmtpStep::Silent,
            Some(MailTrouble::Lost | MailTrouble::BadLogin | MailTrouble::NoMailbox) | None => {}
        }
        self.forget();
        self.mail.lost = plan == Some(MailTrouble::Lost);
        self.mail.from = Some(from);
        SmtpStep::Say(say("250", "2.1.0 Ok"))
    }

    fn rcpt(&mut self, rest: &str, door: &mut MailDoor) -> SmtpStep {
        if self.mail.from.is_none() {
            return SmtpStep::Say(say("503", "5.5.1 Need MAIL first"));
        }
        let Some(to) = address(rest, "TO:").filter(|it| !it.is_empty()) else {
            return SmtpStep::Say(say("501", "5.5.4 Syntax: RCPT TO:<address>"));
        };
        if door.script.take_if(|it| *it == MailTrouble::NoMailbox).is_some() {
            return SmtpStep::Say(say("550", "5.1.1 No such mailbox"));
        }
        if self.mail.to.len() == RECIPIENTS_MAX {
            return SmtpStep::Say(say("452", "4.5.3 Too many recipients"));
        }
        self.mail.to.push(to);
        SmtpStep::Say(say("250", "2.1.5 Ok"))
    }

    fn message_line(&mut self, line: &str) -> SmtpStep {
        if line != "." {
            self.expecting = Expecting::Message;
            // A leading dot was doubled on the way.
            let line = line.strip_prefix('.').unwrap_or(line);
            self.mail.too_big |= self.mail.raw.len() + line.len() > MESSAGE_BYTES_MAX;
            if !self.mail.too_big {
                self.mail.raw.push_str(line);
                self.mail.raw.push_str("\r\n");
            }
            return SmtpStep::More;
        }
        let (too_big, lost) = (self.mail.too_big, self.mail.lost);
        let envelope = Envelope {
            from: self.mail.from.take().unwrap_or_default(),
            to: std::mem::take(&mut self.mail.to),
            raw: std::mem::take(&mut self.mail.raw),
        };
        self.forget();
        if too_big {
            return SmtpStep::Say(say("552", "5.3.4 Message too big"));
        }
        SmtpStep::Taken(envelope, (!lost).then(|| say("250", "2.0.0 Ok: queued as SIM")))
    }

    fn forget(&mut self) {
        self.mail = Transaction::default();
    }
}

fn say(code: &str, text: &str) -> String {
    format!("{code} {text}\r\n")
}

fn bad_login_form() -> SmtpStep {
    SmtpStep::Say(say("501", "5.5.2 Cannot decode the credentials"))
}

fn decoded(text: &str) -> Option<String> {
    String::from_utf8(STANDARD.decode(text.trim()).ok()?).ok()
}

/// The address of `FROM:<a@b> SIZE=1`.
fn address(rest: &str, prefix: &str) -> Option<String> {
    let rest = rest.trim_start();
    let start = rest.get(..prefix.len()).filter(|it| it.eq_ignore_ascii_case(prefix))?;
    let rest = rest[start.len()..].trim_start().strip_prefix('<')?;
    rest.split_once('>').map(|(address, _)| address.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::script::Plan;

    fn door() -> MailDoor {
        MailDoor { user: "u".to_owned(), password: "p".to_owned(), ..MailDoor::default() }
    }

    /// The first digits of what the server says to each line.
    fn talk(door: &mut MailDoor, lines: &[&str]) -> Vec<String> {
        let mut session = SmtpSession::default();
        lines
            .iter()
            .map(|line| match session.line(line, door) {
                SmtpStep::Say(text) | SmtpStep::Bye(text) => text[..3].to_owned(),
                SmtpStep::Taken(it, _) => format!("{} {:?} {:?}", it.from, it.to, it.raw),
                other => format!("{other:?}"),
            })
            .collect()
    }

    const SEND: [&str; 5] = ["EHLO x", "MAIL FROM:<a@b> SIZE=1", "rcpt to:<c@d>", "DATA", "."];

    #[test]
    fn a_message_is_taken_and_its_dots_undoubled() {
        let lines = ["EHLO x", "MAIL FROM:<a@b>", "RCPT TO:<c@d>", "DATA", "..dot", "end", ".", "QUIT"];
        let said = talk(&mut door(), &lines);
        assert_eq!(said[..4], ["250", "250", "250", "354"]);
        assert_eq!(said[6], r#"a@b ["c@d"] ".dot\r\nend\r\n""#);
        assert_eq!(said[7], "221");
    }

    #[test]
    fn commands_out_of_order_are_refused() {
        assert_eq!(talk(&mut door(), &["MAIL FROM:<a@b>", "RCPT TO:<c@d>", "DATA"]), ["503"; 3]);
        assert_eq!(talk(&mut door(), &["EHLO x", "MAIL a@b", "HELP", ""])[1..], ["501", "502", "502"]);
    }

    #[test]
    fn both_ways_to_log_in_are_checked() {
        let good = STANDARD.encode("\0u\0p");
        let (user, password) = (STANDARD.encode("u"), STANDARD.encode("p"));
        let plain = format!("AUTH PLAIN {good}");
        assert_eq!(talk(&mut door(), &["EHLO x", &plain])[1], "235");
        assert_eq!(talk(&mut door(), &["EHLO x", "AUTH PLAIN", &good])[2], "235");
        assert_eq!(talk(&mut door(), &["EHLO x", "AUTH LOGIN", &user, &password])[3], "235");
        assert_eq!(talk(&mut door(), &["EHLO x", "AUTH LOGIN", &user, &user])[3], "535");
        assert_eq!(talk(&mut door(), &["EHLO x", "AUTH PLAIN ?", "NOOP"])[1..], ["501", "250"]);
        let mut strict = MailDoor { login_required: true, ..door() };
        assert_eq!(talk(&mut strict, &SEND[..2])[1], "530");
    }

    #[test]
    fn each_trouble_comes_at_its_place() {
        for (what, at, said) in [
            (MailTrouble::Busy, 1, "451"),
            (MailTrouble::Close, 1, "Close"),
            (MailTrouble::Silent, 1, "Silent"),
            (MailTrouble::NoMailbox, 2, "550"),
        ] {
            let mut door = door();
            door.script.push(Plan::times(what, 1));
            assert_eq!(talk(&mut door, &SEND)[at], said);
        }
    }

    #[test]
    fn a_message_too_big_is_refused_and_not_kept() {
        let line = "x".repeat(1_000);
        let mut lines = SEND[..4].to_vec();
        lines.extend(std::iter::repeat_n(line.as_str(), 1_100));
        lines.push(".");
        assert_eq!(talk(&mut door(), &lines).last().unwrap(), "552");
    }
}
