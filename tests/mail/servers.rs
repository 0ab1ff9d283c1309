//! The servers, each as small as it can be, and what is sent to each.

use crate::mail::letters;
use crate::mail::office::Server;
use crate::support::daemon::can_run;

/// 907 is the number that `tests/servers` gives to `author`.
const POSTFIX: Server = Server {
    name: "postfix",
    files: &[
        (
            "etc/main.cf",
            "compatibility_level = 3.6
queue_directory = /here/spool
data_directory = /here/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file = /dev/stdout
myhostname = mail.example.org
mydestination =
alias_maps =
inet_protocols = ipv4
inet_interfaces = 127.0.0.1
recipient_delimiter = +
virtual_mailbox_domains = example.org
virtual_mailbox_base = /here
virtual_mailbox_maps = inline:{author@example.org=mail/}
virtual_uid_maps = static:907
virtual_gid_maps = static:907
smtpd_tls_security_level = encrypt
smtpd_tls_chain_files = /here/key.pem, /here/cert.pem
smtpd_sasl_auth_enable = yes
smtpd_sasl_local_domain = mail.example.org
smtpd_recipient_restrictions = reject_unlisted_recipient, permit_sasl_authenticated, reject
",
        ),
        (
            "etc/master.cf",
            "ADDRESS:25 inet n - n - - smtpd
proxymap   unix - - n - - proxymap
cleanup    unix n - n - 0 cleanup
qmgr       unix n - n 300 1 qmgr
tlsmgr     unix - - n 1000? 1 tlsmgr
rewrite    unix - - n - - trivial-rewrite
bounce     unix - - n - 0 bounce
defer      unix - - n - 0 bounce
trace      unix - - n - 0 bounce
error      unix - - n - - error
virtual    unix - n n - - virtual
anvil      unix - - n - 1 anvil
postlog    unix-dgram n - n - 1 postlogd
",
        ),
        (
            "etc/sasl/smtpd.conf",
            "pwcheck_method: auxprop\nauxprop_plugin: sasldb\nsasldb_path: /here/sasldb2\nmech_list: PLAIN\n",
        ),
        (
            "start",
            "printf made-up | saslpasswd2 -c -p -f /here/sasldb2 -u mail.example.org bot
chown postfix /here/sasldb2
postfix -c /here/etc start-fg
",
        ),
    ],
    folders: &[("data", "postfix"), ("spool", "root")],
    keeper: "root",
    command: &["sh", "/here/start"],
    is_sealed: true,
};

const EXIM: Server = Server {
    name: "exim",
    files: &[(
        "exim4.conf",
        "keep_environment =
primary_hostname = mail.example.org
local_interfaces = ADDRESS
daemon_smtp_ports = 25
spool_directory = /here/spool
log_file_path = /here/log/%slog
rfc1413_query_timeout = 0s
tls_advertise_hosts = *
tls_certificate = /here/cert.pem
tls_privatekey = /here/key.pem
acl_smtp_rcpt = rcpt
acl_smtp_data = data
begin acl
rcpt:
  require verify = recipient
  require authenticated = *
  accept
data:
  accept
begin routers
local:
  driver = accept
  domains = example.org
  local_part_suffix = +*
  local_part_suffix_optional
  local_parts = author
  transport = maildir
begin transports
maildir:
  driver = appendfile
  directory = /here/mail
  maildir_format
  user = author
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_advertise_condition = ${if def:tls_in_cipher}
  server_condition = ${if and {{eq {$auth2}{bot}} {eq {$auth3}{made-up}}}}
  server_set_id = $auth2
",
    )],
    folders: &[("spool", "Debian-exim"), ("log", "Debian-exim")],
    keeper: "Debian-exim",
    command: &["exim4", "-bdf", "-q1m"],
    is_sealed: true,
};

/// In the clear: it takes passwords only over TLS, which that of Debian 12 cannot do
/// (`findings/opensmtpd-starttls.sh`).
const OPENSMTPD: Server = Server {
    name: "opensmtpd",
    files: &[(
        "smtpd.conf",
        "pki mail cert \"/here/cert.pem\"
pki mail key \"/here/key.pem\"
listen on ADDRESS port 25 hostname mail.example.org tls pki mail
action keep maildir \"/here/mail\"
match from any for domain example.org action keep
",
    )],
    folders: &[("home", "author")],
    keeper: "root",
    command: &["smtpd", "-d", "-f", "/here/smtpd.conf"],
    is_sealed: false,
};

/// Whether the server can be run here.
fn run(test: fn(&Server), server: &Server) {
    if can_run(server.name) {
        test(server);
    }
}

#[test]
fn an_alarm_arrives_at_postfix_as_it_was_written() {
    run(letters::an_alarm_arrives_as_it_was_written, &POSTFIX);
}

#[test]
fn an_alarm_arrives_at_exim_as_it_was_written() {
    run(letters::an_alarm_arrives_as_it_was_written, &EXIM);
}

#[test]
fn an_alarm_arrives_at_opensmtpd_as_it_was_written() {
    run(letters::an_alarm_arrives_as_it_was_written, &OPENSMTPD);
}

#[test]
fn a_recipient_whom_postfix_does_not_know_is_told() {
    run(letters::an_unknown_recipient_is_told, &POSTFIX);
}

#[test]
fn a_recipient_whom_exim_does_not_know_is_told() {
    run(letters::an_unknown_recipient_is_told, &EXIM);
}

#[test]
fn a_recipient_whom_opensmtpd_does_not_know_is_told() {
    run(letters::an_unknown_recipient_is_told, &OPENSMTPD);
}

#[test]
fn a_stranger_is_told_by_postfix() {
    run(letters::strangers_are_told_on_both_sides, &POSTFIX);
}

#[test]
fn a_stranger_is_told_by_exim() {
    run(letters::strangers_are_told_on_both_sides, &EXIM);
}

#[test]
fn opensmtpd_does_tls_or_it_is_told() {
    run(letters::a_broken_handshake_is_told, &OPENSMTPD);
}
