//! The faults of requests, for the manual.

use crate::model::entry::FaultEntry;
use crate::model::fault::Class::{Lasting, Passing, Unsure};

/// A request that any of them can happen to.
const ASK: &str = "\
ask:
  kind: http
  url: \"https://api.example.com/orders\"
  retry: {times: 3, first: 1s, factor: 2}
  next: done
  on_error: tell
";

/// A request that needs an access token.
const GRANTED: &str = "\
ask:
  kind: http
  url: \"https://api.example.com/orders\"
  auth:
    oauth2: {token_url: \"https://id.example.com/token\", client_id: me, client_secret: \"{{secret.shop}}\"}
  next: done
  on_error: tell
";

/// The faults of requests.
pub const FAULTS: &[FaultEntry] = &[
    FaultEntry::new("http_timeout", Passing, "no answer came within `timeout`")
        .of_request()
        .remedy("It is tried again. Raise `timeout` if the other side is slow by nature.")
        .example(ASK),
    FaultEntry::new("http_connect", Passing, "the other side cannot be reached")
        .of_request()
        .remedy("It is tried again. If it lasts, look at the address, the port and the network.")
        .example(ASK),
    FaultEntry::new("http_lost", Passing, "the connection broke before the answer was whole")
        .of_request()
        .remedy("It is tried again with the same `Idempotency-Key`.")
        .example(ASK),
    FaultEntry::new(
        "no_room",
        Passing,
        "a host is closed or a limit is reached for longer than the task can wait",
    )
    .of_request()
    .remedy(
        "Nothing was asked, and it is tried again. The message names the place and the moment: wait, \
             or raise `permit_timeout`, or the limit (`rate`, `max_parallel`, or that of the host).",
    )
    .example(
        "\
ask:
  kind: http
  url: \"https://api.example.com/orders\"
  permit_timeout: 15m
  next: done
  on_error: tell
",
    ),
    FaultEntry::new("dns_failed", Passing, "no address was found for the host")
        .of_request()
        .remedy("It is tried again. If it lasts, look at the host's name and at the resolver.")
        .example(ASK),
    FaultEntry::new("http_status", Lasting, "the status of the answer is not a good one")
        .of_request()
        .inside()
        .of_any_class()
        .remedy(
            "408, 425, 429 and 5xx pass and are tried again, by `Retry-After` if it is given; others last. \
             Say with `ok` what a good answer is, and with `fault` what another one is to be called.",
        )
        .example(
            "\
ask:
  kind: http
  url: \"https://api.example.com/orders\"
  ok: \"response.status in [200, 201]\"
  next: done
  on_error: tell
",
        ),
    FaultEntry::new("bad_response", Lasting, "the answer is not what was asked for")
        .of_request()
        .inside()
        .remedy("`accept: text` takes anything. Else look at what the other side answers.")
        .example(
            "\
ask:
  kind: http
  url: \"https://api.example.com/orders\"
  accept: json
  ok: \"response.body.id > 0\"
  next: done
  on_error: tell
",
        ),
    FaultEntry::new("response_too_large", Lasting, "the answer is larger than `max_bytes`")
        .of_request()
        .remedy("Ask for less, or raise `max_bytes`.")
        .example(ASK),
    FaultEntry::new("outcome_unknown", Unsure, "it was asked at most once, and the answer is lost")
        .of_request()
        .remedy(
            "Find out at the other side whether it was done, then `beltline retry` or `beltline move`. Only \
             a node with `unsure: stop` takes this fault.",
        )
        .example(
            "\
pay:
  kind: http
  method: POST
  url: \"https://bank.example.com/payments\"
  unsure: stop
  next: done
  on_error: tell
",
        ),
    FaultEntry::new("bad_url", Lasting, "the address is none that can be asked")
        .of_request()
        .remedy("It must be whole, and begin with `http://` or `https://`.")
        .example(
            "\
ask: {kind: http, url: \"{{portal}}/orders\", next: done, on_error: tell}
",
        ),
    FaultEntry::new("bad_header", Lasting, "a header's value cannot be sent")
        .of_request()
        .remedy("A header is one line of visible characters.")
        .example(
            "\
ask:
  kind: http
  url: \"https://api.example.com/orders\"
  headers: {X-Note: \"{{text}}\"}
  next: done
  on_error: tell
",
        ),
    FaultEntry::new("bad_redirect", Lasting, "a redirect leads nowhere that may be asked")
        .of_request()
        .remedy("Ask the address it leads to, if that is trusted. Secrets never follow to another host.")
        .example(ASK),
    FaultEntry::new("redirected", Lasting, "a write was answered with another address")
        .of_request()
        .remedy("Ask the address it leads to; `follow: as_get` if a look at it is what is wanted.")
        .example(ASK),
    FaultEntry::new("too_many_redirects", Lasting, "more redirects than `follow` allows")
        .of_request()
        .remedy("Ask the last address at once, or raise `follow`.")
        .example(ASK),
    FaultEntry::new("tls_failed", Lasting, "the other side's certificate is not trusted")
        .of_request()
        .remedy("It must be valid, for this host, and of an authority that is known here.")
        .example(ASK),
    FaultEntry::new("blocked_address", Lasting, "the address is private, and not allowed")
        .of_request()
        .remedy("`allow: {addresses: [10.20.0.0/16]}` in the configuration, or `--allow-address`.")
        .example(
            "\
ask: {kind: http, url: \"http://10.20.0.7/orders\", next: done, on_error: tell}
",
        ),
    FaultEntry::new("host_not_allowed", Lasting, "the host is not on the list of OAuth token hosts")
        .of_request()
        .remedy("`allow: {oauth_hosts: [https://oauth.example.org]}`, or `--allow-oauth-host`.")
        .example(
            "\
renew:
  kind: http
  method: POST
  hosts: oauth
  url: \"https://oauth.example.org/token\"
  form: {grant_type: refresh_token}
  next: done
  on_error: tell
",
        ),
    FaultEntry::new("secret_not_for_host", Lasting, "the secret is bound to other hosts")
        .of_request()
        .remedy("Look at the address, or bind the secret to this host too: `beltline secret set --host`.")
        .example(
            "\
ask:
  kind: http
  url: \"https://api.example.com/orders\"
  auth: {bearer: \"{{secret.shop}}\"}
  next: done
  on_error: tell
",
        ),
    FaultEntry::new("bad_tls", Lasting, "a certificate or key of `tls` cannot be used")
        .of_request()
        .remedy("All three are PEM, and the key is that of the certificate.")
        .example(
            "\
ask:
  kind: http
  url: \"https://api.example.com/orders\"
  tls: {ca: \"{{secret.bank_ca}}\"}
  next: done
  on_error: tell
",
        ),
    FaultEntry::new("bad_page", Lasting, "the next page of a list is where it may not be asked")
        .of_request()
        .remedy("Name the host it is on in `pages.hosts`, if it may have what the first page's host gets.")
        .example(
            "\
ask:
  kind: http
  url: \"https://api.example.com/orders\"
  pages: {next: link, items: \"= response.body\"}
  next: done
  on_error: tell
",
        ),
    FaultEntry::new("oauth2_failed", Passing, "the token server cannot give an access token now")
        .of_request()
        .remedy("It is tried again. The request itself was not made.")
        .example(GRANTED),
    FaultEntry::new("oauth2_refused", Lasting, "the token server gives this client no access token")
        .of_request()
        .remedy("Look at the reason it gives, and at `client_id`, `client_secret` and `scope`.")
        .example(GRANTED),
];
