//! Processes that nobody wrote: three of them, of nodes of every kind, that hand each other what they hold.

use std::fmt::Write;

use crate::flow::canaries::Canary;
use crate::simulation::dice::Dice;

/// The processes: each calls only those behind it.
pub(super) const MANY: usize = 3;

/// A set of processes.
pub(super) struct Made {
    pub(super) texts: Vec<String>,
    pub(super) canaries: Vec<Canary>,
}

/// What a name holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// A text that may be changed once more.
    Plain,
    /// One that was changed already, or is no text.
    Made,
}

/// A process under the pen.
struct Pen<'a> {
    dice: &'a mut Dice,
    number: usize,
    /// What was surely written so far.
    names: Vec<(String, Form)>,
    /// What the processes behind this one hold.
    others: &'a [Vec<(String, Form)>],
    nodes: usize,
    text: String,
}

impl Made {
    pub(super) fn by(dice: &mut Dice) -> Made {
        let mut texts = Vec::new();
        let mut held: Vec<Vec<(String, Form)>> = vec![Vec::new(); MANY];
        let mut canaries = Vec::new();
        for number in (0..MANY).rev() {
            for name in ["k0", "k1"] {
                let value = format!("Ca{:x}-{name}/{number}+{:x}", dice.next() >> 32, dice.next() >> 32);
                canaries.push(Canary::new(&format!("p{number}.{name}"), &value));
            }
            let (text, names) = {
                let own = &canaries[canaries.len() - 2..];
                Pen::write(dice, number, own, &held)
            };
            held[number] = names;
            texts.push(text);
        }
        texts.reverse();
        Made { texts, canaries }
    }
}

impl Pen<'_> {
    fn write(
        dice: &mut Dice,
        number: usize,
        own: &[Canary],
        others: &[Vec<(String, Form)>],
    ) -> (String, Vec<(String, Form)>) {
        let names = ["k0", "k1", "open"].map(|it| (it.to_owned(), Form::Plain)).to_vec();
        let many = usize::try_from(dice.from(3, 8)).unwrap();
        let mut pen = Pen { dice, number, names, others, nodes: 0, text: String::new() };
        for at in 0..many {
            pen.node();
            // Whoever calls is answered in the middle.
            if at == many / 2 {
                pen.reply();
            }
        }
        // The other tasks have ended by then.
        let (link, result) = (pen.text_of(), pen.own().0);
        let last = pen.nodes;
        let (k0, k1) = (&own[0].value, &own[1].value);
        let head = format!(
            "process: p{number}\nparams:\n  \
             k0: {{type: string, secret: true, shared: true, default: '{k0}'}}\n  \
             k1: {{type: string, secret: true, default: '{k1}'}}\n  \
             open: {{type: string, default: open}}\n\
             nodes:\n  start: {{kind: input, next: n0}}\n"
        );
        let tail = format!(
            "  n{last}:\n    kind: wait\n    link: 'https://p{number}-link.example/{link}'\n    \
             accept: {{never: {{required: true}}}}\n    for: 1h\n    \
             next_on_timeout: done\n    next: done\n    on_error: done\n  \
             done:\n    kind: end\n    result: {result}\n    on_error: lost\n  \
             lost: {{kind: end}}\n"
        );
        (format!("{head}{}{tail}", pen.text), pen.names)
    }

    /// A node that goes on to the next one, whatever becomes of it.
    fn put(&mut self, kind: &str, lines: &[String]) {
        let (at, next) = (self.nodes, self.nodes + 1);
        self.nodes = next;
        writeln!(self.text, "  n{at}:\n    kind: {kind}").unwrap();
        for line in lines {
            writeln!(self.text, "    {line}").unwrap();
        }
        if kind != "raise" && kind != "condition" {
            writeln!(self.text, "    next: n{next}").unwrap();
        }
        writeln!(self.text, "    on_error: n{next}\n    retry: {{times: 1}}").unwrap();
    }

    fn name(&mut self) -> (String, Form) {
        self.dice.of(&self.names).clone()
    }

    /// A name for what is written now.
    fn fresh(&mut self, form: Form) -> String {
        let name = format!("w{}", self.names.len());
        self.names.push((name.clone(), form));
        name
    }

    /// A process behind this one.
    fn behind(&mut self) -> Option<usize> {
        let first = self.number + 1;
        (first < MANY).then(|| usize::try_from(self.dice.from(first as u64, MANY as u64)).unwrap())
    }

    /// A text with a placeholder.
    fn text_of(&mut self) -> String {
        format!("a {{{{{}}}}} z", self.name().0)
    }

    /// A value, as YAML in single quotes.
    fn value(&mut self) -> String {
        self.made().0
    }

    fn made(&mut self) -> (String, Form) {
        let other = if self.dice.once_in(4) { self.other() } else { None };
        other.unwrap_or_else(|| self.own())
    }

    /// A value made of what the task holds itself.
    fn own(&mut self) -> (String, Form) {
        let (name, form) = self.name();
        let plain = form == Form::Plain;
        match self.dice.from(0, 14) {
            0..=2 => (format!("'{{{{{name}}}}}'"), form),
            3 => (format!("'of {{{{{name}}}}}.'"), form),
            4 if plain => (format!("'= {name}|upper'"), Form::Made),
            5 if plain => (format!("'= {name}|base64'"), Form::Made),
            6 if plain => (format!("'{{{{base64 {name}}}}}'"), Form::Made),
            7 if plain => (format!("'= {name} ~ \"!\"'"), Form::Plain),
            8 if plain => (format!("'= {name}|urlencode'"), Form::Made),
            9 => (format!("['{{{{{name}}}}}', open]"), Form::Made),
            10 => (format!("{{a: '{{{{{name}}}}}', b: 1}}"), Form::Made),
            11 => (format!("'= {name} is defined'"), Form::Made),
            12 => (format!("'{{{{#if {name}}}}}yes{{{{else}}}}no{{{{/if}}}}'"), Form::Plain),
            _ => ("'just this'".to_owned(), Form::Plain),
        }
    }

    /// What another task holds.
    fn other(&mut self) -> Option<(String, Form)> {
        let other = self.behind()?;
        if self.dice.once_in(12) {
            return Some((format!("'{{{{conv[p{other}].ref[main]}}}}'"), Form::Made));
        }
        let open: Vec<_> = self.others[other].iter().filter(|(name, _)| name != "k1").cloned().collect();
        let (name, form) = self.dice.of(&open).clone();
        match form {
            Form::Plain if self.dice.once_in(2) => {
                Some((format!("'= conv(\"p{other}\", \"main\").{name}'"), Form::Plain))
            }
            form => Some((format!("'{{{{conv[p{other}].ref[main].{name}}}}}'"), form)),
        }
    }

    fn node(&mut self) {
        match self.dice.from(0, 14) {
            0..=3 => self.set(),
            4 | 5 => self.http(),
            6 => self.call(),
            7 => self.each(),
            8 => self.send(),
            9 | 10 => self.tell(),
            11 => self.raise(),
            12 => self.put("delay", &["for: 1s".to_owned()]),
            _ => self.condition(),
        }
    }

    fn set(&mut self) {
        let written: Vec<(String, Form)> = (0..self.dice.from(1, 4)).map(|_| self.made()).collect();
        let mut lines = vec!["set:".to_owned()];
        for (value, form) in written {
            let name = self.fresh(form);
            lines.push(format!("  {name}: {value}"));
        }
        self.put("set", &lines);
    }

    fn http(&mut self) {
        let (number, at) = (self.number, self.nodes);
        let fails = self.dice.once_in(4);
        let host = format!("p{number}-n{at}-{}.example", if fails { "bad" } else { "good" });
        let mut lines = vec![format!("url: 'https://{host}/{{{{{}}}}}'", self.name().0)];
        if self.dice.once_in(2) {
            lines.push(format!("query: {{q: '{}'}}", self.text_of()));
        }
        if self.dice.once_in(2) {
            lines.push(format!("headers: {{X-Key: '{}'}}", self.text_of()));
        }
        if self.dice.once_in(3) {
            lines.push(format!("auth: {{bearer: '{}'}}", self.text_of()));
        }
        if self.dice.once_in(2) {
            lines.push(format!("json: {{v: {}}}", self.value()));
        }
        if fails {
            lines.push(format!("fault: {{code: 'no', message: '{}'}}", self.text_of()));
        } else {
            let more = self.text_of();
            let (got, said) = (self.fresh(Form::Plain), self.fresh(Form::Plain));
            lines.push(format!("save: {{{got}: '= response.body.r', {said}: '{more}'}}"));
        }
        self.put("http", &lines);
    }

    fn call(&mut self) {
        let Some(other) = self.behind() else { return self.set() };
        let (given, form) = self.made();
        let name = if form == Form::Plain && self.dice.once_in(8) { "k0" } else { "given" };
        // A declared text takes nothing else: a name that is made for the purpose does.
        let name =
            if given.starts_with(['[', '{']) || given.contains("ref[main]}}") { "given" } else { name };
        let (back, reply) = (self.fresh(Form::Made), self.dice.from(0, 2));
        self.put(
            "call",
            &[
                format!("process: p{other}"),
                format!("params: {{{name}: {given}}}"),
                format!("save: {{{back}: '= response.body.r{reply}'}}"),
            ],
        );
    }

    fn each(&mut self) {
        let Some(other) = self.behind() else { return self.set() };
        let back = self.fresh(Form::Made);
        let item = self.name().0;
        self.put(
            "each",
            &[
                format!("items: ['{{{{{item}}}}}', open]"),
                format!("process: p{other}"),
                "params: {item: '{{item}}'}".to_owned(),
                format!("save: {{{back}: '= response.body'}}"),
            ],
        );
    }

    fn send(&mut self) {
        let Some(other) = self.behind() else { return self.set() };
        let value = self.value();
        let own = format!("s{}-{}", self.number, self.nodes);
        let (to, mode) = *self.dice.of(&[("main", "modify"), (own.as_str(), "either")]);
        let lines = [
            format!("process: p{other}"),
            format!("ref: '{to}-{{{{task.ref}}}}'").replace("main-{{task.ref}}", "main"),
            format!("mode: {mode}"),
            format!("params: {{sent: {value}}}"),
        ];
        self.put("send", &lines);
    }

    fn tell(&mut self) {
        let (kind, at) =
            (*self.dice.of(&["notify", "escalation"]), format!("p{}-n{}", self.number, self.nodes));
        let (name, more) = (self.name().0, self.name().0);
        let mut lines = vec![
            format!("message: '{at}: {{{{{name}}}}} and {{{{{more}}}}}'"),
            format!("subject: 'about {{{{{more}}}}}'"),
            "notify: [author]".to_owned(),
        ];
        if self.dice.once_in(2) {
            lines.push(format!("reveal: [{name}]"));
        }
        if kind == "escalation" {
            lines.push(format!("once_per: '{at} {{{{{more}}}}}'"));
        }
        self.put(kind, &lines);
    }

    fn raise(&mut self) {
        let text = self.text_of();
        self.put("raise", &["code: oops".to_owned(), format!("message: 'no: {text}'")]);
    }

    fn condition(&mut self) {
        let (name, next) = (self.name().0, self.nodes + 1);
        self.put(
            "condition",
            &[format!("branches: [{{when: '{name} == \"x\"', next: n{next}}}]"), format!("else: n{next}")],
        );
    }

    fn reply(&mut self) {
        let (one, two) = (self.value(), self.value());
        self.put("reply", &[format!("values: {{r0: {one}, r1: {two}}}")]);
    }
}
