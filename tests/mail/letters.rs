//! What is sent, and what must become of it.

use serde_json::json;

use crate::mail::office::{Office, Server};

/// A subject in three scripts, longer than a line.
const SUBJECT: &str = "Тревога: портал не отвечает уже пятнадцать минут — Ωμέγα, 東京, and much more of it";

/// An alarm reaches everybody whom the server knows, and reads as it was written; of the one whom it does not
/// know the channel tells.
pub(super) fn an_alarm_arrives_as_it_was_written(server: &Server) {
    let office = Office::open(server);
    let people: Vec<String> =
        (0..12).map(|at| format!("Сотрудник Number {at} <author+{at}@example.org>")).collect();
    office.channel(server, &format!("{}, gone@example.org", people.join(", ")), &[]);
    // Lines that mail has its own thoughts about.
    let text = format!("Первая строка\n.\n..two\nFrom here\n  spaces \n{}\nthe end", "long ".repeat(300));
    let (subject, message) = (format!("subject={SUBJECT}"), format!("message={text}"));
    office.place.ok(&["submit", "alarm", "--wait", "1m", &subject, &message]);
    for one in office.arrived(12) {
        assert_eq!(one["subject"], SUBJECT);
        assert_eq!(one["text"].as_str().unwrap().trim_end_matches('\n'), text);
        assert_eq!((&one["version"], &one["defects"]), (&json!("1.0"), &json!([])), "{one}");
        assert_eq!(one["from"], "Bot <bot@example.org>");
        assert!(one["id"].as_str().unwrap().ends_with("@example.org>") && one["date"] != "None", "{one}");
        let to = one["to"].as_array().unwrap();
        assert_eq!((to.len(), &to[3]), (13, &json!(["Сотрудник Number 3", "author+3@example.org"])));
        assert!(one["to_lines"].as_u64().unwrap() >= 12, "the list of people is folded: {one}");
        assert!(one["is_ascii"] == true && one["longest"].as_u64().unwrap() <= 998, "{one}");
    }
    let health = office.health();
    let detail = health["detail"].as_str().unwrap_or_default();
    assert!(detail.contains("`gone@example.org` was refused") && detail.contains("(code 550)"), "{health}");
}

/// Nobody is told, and the task says so at once: there is no such person.
pub(super) fn an_unknown_recipient_is_told(server: &Server) {
    let office = Office::open(server);
    office.channel(server, "gone@example.org", &[]);
    let sent = office.send();
    assert!(sent.code == Some(1) && sent.out.contains("(code 550)"), "{sent:?}");
    let health = office.health();
    assert_eq!((&health["failing"], &health["code"]), (&json!(true), &json!("channel_refused")), "{health}");
    office.channel(server, "author@example.org", &[]);
    assert_eq!(office.send().code, Some(0), "{}", office.log());
    assert_eq!(office.health()["failing"], false);
    office.arrived(1);
}

/// A server is trusted only by the certificates that are named, and lets in who has the password.
pub(super) fn strangers_are_told_on_both_sides(server: &Server) {
    let office = Office::open(server);
    office.channel(server, "author@example.org", &["ca=@other.pem"]);
    let sent = office.send();
    assert!(sent.out.contains("cannot be trusted") && sent.out.contains("hint: ca=@FILE"), "{sent:?}");
    office.channel(server, "author@example.org", &["password=guessed"]);
    let sent = office.send();
    assert!(sent.code == Some(1) && sent.out.contains("(code 535)"), "{sent:?}");
    assert_eq!(office.health()["code"], "channel_keys");
    assert!(!office.log().contains("guessed"));
}

/// A server that cannot do the TLS that it offers is told as one, and asked again later.
pub(super) fn a_broken_handshake_is_told(server: &Server) {
    let office = Office::open(server);
    office.channel(server, "author@example.org", &["tls=starttls"]);
    let sent = office.send();
    if sent.code == Some(0) {
        // It could.
        office.arrived(1);
        return;
    }
    assert!(sent.out.contains("breaks off the handshake"), "{sent:?}: {}", office.log());
}
