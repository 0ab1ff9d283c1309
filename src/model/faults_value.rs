//! The faults of values, for the manual.

use crate::model::entry::FaultEntry;
use crate::model::fault::Class::Lasting;

/// The faults of values.
pub const FAULTS: &[FaultEntry] = &[
    FaultEntry::new("missing_param", Lasting, "a param that is read is not there, or null")
        .remedy("Write a default, `{{x ?? \"none\"}}`, or make the param `required`.")
        .example("say: {kind: set, set: {greeting: \"Hello, {{nobody}}\"}, next: done, on_error: tell}\n"),
    FaultEntry::new("missing_field", Lasting, "the answer has no such field")
        .remedy("Look at what the other side answers; `{{response.body.x ?? 0}}` gives a default.")
        .example(
            "\
ask:
  kind: http
  url: \"https://api.example.com/orders\"
  save: {total: \"{{response.body.no_such_field}}\"}
  next: done
  on_error: tell
",
        ),
    FaultEntry::new("missing_var", Lasting, "there is no such variable")
        .remedy("`beltline var set NAME=VALUE`.")
        .example("say: {kind: set, set: {region: \"{{var.no_such_var}}\"}, next: done, on_error: tell}\n"),
    FaultEntry::new("missing_secret", Lasting, "there is no such secret")
        .remedy("`beltline secret set NAME`.")
        .example(
            "\
ask:
  kind: http
  url: \"https://api.example.com/orders\"
  auth: {bearer: \"{{secret.no_such_secret}}\"}
  next: done
  on_error: tell
",
        ),
    FaultEntry::new("bad_value", Lasting, "a value is not of the sort that is needed there")
        .remedy("The message names the value, and what it should be.")
        .example("nap: {kind: delay, until: \"{{name}}\", next: done, on_error: tell}\n"),
    FaultEntry::new("bad_name", Lasting, "a text is no name of a process or a task")
        .remedy("A process is `a-z 0-9 - _`, a ref has 1 to 255 characters.")
        .example("wake: {kind: send, process: \"{{portal}} !\", ref: token, next: done, on_error: tell}\n"),
    FaultEntry::new("bad_expression", Lasting, "an expression cannot be worked out")
        .remedy("The message says where: a text and a number that are added.")
        .example("count: {kind: set, set: {half: \"= order + 'a text'\"}, next: done, on_error: tell}\n"),
    FaultEntry::new(
        "budget_exceeded",
        Lasting,
        "an expression or a text takes more work than one evaluation may",
    )
    .remedy(
        "The message names it. Filter earlier, keep less, or let an `each` do it item by item; the \
             operator can raise `evaluation.steps`, `evaluation.bytes` or `evaluation.time`.",
    )
    .example(
        "\
count:
  kind: set
  set: {pairs: \"= range(9000)|map('string')|map('replace', '1', range(9000)|join)|list|length\"}
  next: done
  on_error: tell
",
    ),
    FaultEntry::new("bad_param", Lasting, "a param is not of the type that the process asks for")
        .remedy("Look at the process's `params`: `beltline processes NAME`.")
        .example(
            "\
price:
  kind: call
  process: typed
  params: {count: \"{{name}}\"}
  next: done
  on_error: tell
",
        ),
    FaultEntry::new("params_too_large", Lasting, "the params are larger than the process may keep")
        .remedy("Keep less of an answer, or raise `limits: {params: 1MiB}`.")
        .example(
            "\
fill:
  kind: set
  set: {heap: \"= range(60000)|list\"}
  next: done
  on_error: tell
",
        ),
    FaultEntry::new("no_next_run", Lasting, "the cron expression does not come any more")
        .remedy("Its years are over: look at the seventh field.")
        .example("over: {kind: delay, cron: \"0 0 9 1 2 * 2026\", next: done, on_error: tell}\n"),
    FaultEntry::new("no_such_node", Lasting, "the node where the task stands is not in the process any more")
        .remedy("`beltline move PROCESS REF NODE`; `beltline deploy FILE --move old=new` does it for all.")
        .example("here: {kind: delay, for: 1m, next: done}\n"),
];
