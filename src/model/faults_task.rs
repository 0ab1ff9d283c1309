//! The faults of other tasks, for the manual.

use crate::model::entry::FaultEntry;
use crate::model::fault::Class::{Lasting, Passing, Unsure};

/// The faults of other tasks.
pub const FAULTS: &[FaultEntry] = &[
    FaultEntry::new("process_not_found", Lasting, "there is no such process")
        .of_task()
        .remedy("Look at its name: `beltline processes`.")
        .example("log: {kind: send, process: no-such-process, next: done, on_error: tell}\n"),
    FaultEntry::new("ref_not_found", Lasting, "the process has no live task of that name")
        .of_task()
        .remedy("Submit it first; one that has ended is not read: `beltline list PROCESS`.")
        .example(
            "\
read:
  kind: set
  set: {token: \"{{conv[bitrix].ref[nobody].access_token}}\"}
  next: done
  on_error: tell
",
        ),
    FaultEntry::new("ref_taken", Lasting, "a live task has that name already")
        .of_task()
        .remedy("Choose a `ref` of its own for each, or write to the one there is with `send`.")
        .example("log: {kind: send, process: bitrix, ref: token, next: done, on_error: tell}\n"),
    FaultEntry::new("not_shared", Lasting, "the param is secret, and its process does not share it")
        .of_task()
        .remedy("`shared: true` beside the param, in the process it belongs to.")
        .example(
            "\
ask:
  kind: http
  url: https://api.example.com/v1/me
  auth: {bearer: \"{{conv[bitrix].ref[token].key}}\"}
  next: done
  on_error: tell
",
        ),
    FaultEntry::new("not_open", Lasting, "the process may not act in the other one")
        .of_task()
        .remedy(
            "`open_to: [PROCESS]` in the other process; or let somebody deploy this one who has `run` there.",
        )
        .example("log: {kind: send, process: journal, params: {line: x}, next: done, on_error: tell}\n"),
    FaultEntry::new("call_timeout", Unsure, "the called process did not reply within `timeout`")
        .of_task()
        .remedy("Look where its task stands: `beltline list PROCESS`. It goes on; its reply is refused.")
        .example(
            "\
price: {kind: call, process: slow, timeout: 1m, next: done, on_error: tell}
",
        ),
    FaultEntry::new("no_reply", Lasting, "the called process ended without a `reply`")
        .of_task()
        .remedy("Put a `reply` before each of its ends.")
        .example(
            "\
price: {kind: call, process: journal, next: done, on_error: tell}
",
        ),
    FaultEntry::new("too_many_items", Lasting, "the list of an `each` has more items than one fan-out takes")
        .of_task()
        .remedy("Split it, and let each piece be run by a task of its own.")
        .example(
            "\
run: {kind: each, items: \"= range(99999999)\", process: slow, next: done, on_error: tell}
",
        ),
    FaultEntry::new("items_changed", Lasting, "the list of an `each` was changed while its items were run")
        .of_task()
        .remedy("Keep the list under a name of its own, which nothing writes while the fan-out runs.")
        .example(
            "\
run:
  kind: each
  items: \"= range(600 + now % 100)\"
  process: slow
  timeout: 1s
  failures: all
  next: done
  on_error: tell
",
        ),
    FaultEntry::new("cancelled", Lasting, "the called task was cancelled by a person")
        .of_task()
        .remedy("`on_error` says what then.")
        .example(
            "\
price: {kind: call, process: slow, ref: told-to-stop, next: done, on_error: tell}
",
        ),
    FaultEntry::new("too_many_tasks", Passing, "the process has as many live tasks as its `limits` allow")
        .of_task()
        .remedy("It is tried again as `retry` says; or raise `limits: {tasks: …}` in the other process.")
        .example("log: {kind: send, process: full, retry: {times: 1}, next: done, on_error: tell}\n"),
    FaultEntry::new("birth_chain", Lasting, "tasks have made tasks, one after another, without a rest")
        .of_task()
        .remedy("Let a `condition` end the chain, or let its tasks rest on the way, as in a `delay`.")
        .example("again: {kind: each, items: [1], process: example, next: done}\n"),
    FaultEntry::new("contended", Passing, "the task that is written to comes and goes too fast")
        .of_task()
        .remedy("It is tried again as `retry` says. Let its name live longer, or write to another one.")
        .example("log: {kind: send, process: busy, ref: one, mode: either, next: done, on_error: tell}\n"),
    FaultEntry::new("too_many_reads", Lasting, "one node reads too many other tasks, one after another")
        .of_task()
        .remedy("Read them on several nodes: each may read as many.")
        .example(
            "\
read:
  kind: set
  set: {all: \"{{#each refs}}{{conv[bitrix].ref[{{this}}].name}} {{/each}}\"}
  next: done
  on_error: tell
",
        ),
    FaultEntry::new("unwritable", Lasting, "the store cannot write what became of the task")
        .of_task()
        .remedy("The engine's log and `beltline doctor` say why; then `beltline retry` the task.")
        .example("keep: {kind: set, set: {text: \"{{text}}\"}, next: done, on_error: tell}\n"),
    FaultEntry::new("engine_error", Lasting, "the engine failed at the node, by a mistake of its own")
        .of_task()
        .remedy("The engine's log says where. Please report it; a newer engine may take the task on.")
        .example("keep: {kind: set, set: {text: \"{{text}}\"}, next: done, on_error: tell}\n"),
];
