//! Random statements.
//!
//! A grammar is expanded until its fuel is used up; the [binder](crate::sql::tree::Binder) fills in what it leaves open
//! (which table, which column) from the current schema, so that a statement that is meant to be valid usually is. Some
//! are made wrong on purpose ([`Validity`]): names that do not exist, counts that disagree, missing tokens.

mod grammar;

use arbitrary::Unstructured;
use fastrand::Rng;

use crate::sql::tree::{self, Binder};
use crate::sql::vocabulary::Vocabulary;
use crate::sql::{Names, tokenize};

/// Rules that a statement may expand.
const FUEL: u32 = 60;
/// Longest statement in bytes.
const BYTES_MAX: usize = 4 << 10;

/// Literals at the limits of types, encodings and formats.
#[rustfmt::skip]
pub const LITERALS: &[&str] = &[
    "0", "1", "-1", "2", "3", "9", "100", "127", "128", "-128", "255", "256", "32767", "-32768", "65536",
    "2147483647", "-2147483648", "4294967295", "4294967296", "9007199254740993", "9223372036854775807",
    "-9223372036854775808", "9223372036854775808", "0.0", "-0.0", "0.5", "1.5", "-2.5", "1e-308", "9e999", "-9e999",
    "1e15", "123456789.125", "0x7fffffffffffffff", "0xffffffffffffffff", "1_000", "NULL", "TRUE", "FALSE", "''", "' '", "'a'", "'a '",
    "'A'", "'abc'", "'%a_'", "'a*[b-d]?'", "'\u{130}'", "'\u{fffd}'", "'0x10'", "'1e3'", "'12abc'", "x''", "x'00'", "x'ff'",
    "x'7b7d'", "'{\"a\":[1,2.5,null,{\"b\":\"c\"}]}'", "'[1,[2,[3]]]'", "'$.a[0]'", "'now'", "'+1 month'",
    "'2000-02-29 23:59:59.999'", "CURRENT_TIMESTAMP", "x'cb1761133233'",
];

/// The source of choices.
pub trait Entropy {
    /// A number below `bound`, which is at least 1.
    fn below(&mut self, bound: u32) -> u32;
}

impl Entropy for Rng {
    fn below(&mut self, bound: u32) -> u32 {
        self.u32(0..bound.max(1))
    }
}

/// A fuzzer's bytes. When they are used up, the first alternative is always chosen, so that every expansion ends.
impl Entropy for Unstructured<'_> {
    fn below(&mut self, bound: u32) -> u32 {
        self.int_in_range(0..=bound.max(1) - 1).unwrap_or(0)
    }
}

/// How much of the output is meant to be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// Names and counts that are left unbound, of 100.
    pub unbound_percent: u8,
    /// Statements in which a token is dropped or doubled, of 100.
    pub broken_percent: u8,
}

impl Validity {
    /// As valid as possible.
    pub const VALID: Self = Self { unbound_percent: 0, broken_percent: 0 };
    /// Mostly valid; wrong often enough to reach the error paths of the parser and the resolver.
    pub const MIXED: Self = Self { unbound_percent: 3, broken_percent: 5 };
}

/// Generates statements for a schema.
pub struct Statements<'a> {
    names: &'a Names,
    vocabulary: &'a Vocabulary,
    entropy: &'a mut dyn Entropy,
    validity: Validity,
    fuel: u32,
}

impl<'a> Statements<'a> {
    /// For a schema with these names and the words of the running build.
    pub fn new(
        names: &'a Names,
        vocabulary: &'a Vocabulary,
        entropy: &'a mut dyn Entropy,
        validity: Validity,
    ) -> Self {
        Self { names, vocabulary, entropy, validity, fuel: 0 }
    }

    /// A statement, with its semicolon; several if one makes little sense on its own.
    pub fn statement(&mut self) -> String {
        self.expanded("statement")
    }

    /// A statement from a text in the notation of the grammar, without a semicolon; several with one between them.
    pub fn of_text(&mut self, text: &str) -> String {
        self.fuel = FUEL;
        let mut open = String::new();
        self.expand_text(text, &mut open);
        let bound = self.bound(&open);
        bound.strip_suffix(';').map_or_else(|| bound.clone(), str::to_owned)
    }

    /// A script that defines and fills some tables, indexes, views and triggers. Each statement knows the names that
    /// the previous ones define.
    pub fn schema(&mut self, tables: u32) -> String {
        let mut names = self.names.clone();
        let mut script = String::new();
        let kinds = ["table", "insert", "insert", "index", "view", "trigger", "virtual"];
        for i in 0..tables * 4 {
            let kind =
                if i < tables { "table" } else { kinds[self.entropy.below(kinds.len() as u32) as usize] };
            let mut inner = Statements {
                names: &names,
                vocabulary: self.vocabulary,
                entropy: self.entropy,
                validity: self.validity,
                fuel: 0,
            };
            let statement = inner.expanded(kind);
            names.add(statement.as_bytes());
            script.push_str(&statement);
            script.push('\n');
        }
        script
    }

    /// Expands the rule to one or more statements, bound and now and then broken.
    fn expanded(&mut self, rule: &str) -> String {
        self.fuel = FUEL;
        let mut text = String::new();
        self.expand(rule, &mut text);
        self.bound(&text)
    }

    /// Statements with their open names filled in, and now and then broken.
    fn bound(&mut self, text: &str) -> String {
        let mut rng = Rng::with_seed(u64::from(self.entropy.below(u32::MAX)));
        let mut script = String::new();
        for range in crate::sql::statements(text.as_bytes()) {
            let statement = self.filled(text[range].trim_end_matches(';'), &mut rng);
            script.push_str(&statement);
            script.push(';');
        }
        script
    }

    /// A statement with its open names filled in.
    fn filled(&mut self, text: &str, rng: &mut Rng) -> String {
        let text = self.of_module(text, rng);
        // The binder does not see names in strings.
        let table =
            rng.choice(&self.names.tables).map_or("t1", |table| crate::sql::bare(&table.name)).to_owned();
        let text = text.replace("'_t'", &format!("'{table}'"));
        let mut statement = match tree::parse(text.as_bytes()) {
            Some(mut tree) => {
                Binder::new(self.names, self.vocabulary, rng, self.validity.unbound_percent)
                    .statement(&mut tree);
                tree.print()
            }
            None => text,
        };
        for open in ["_t", "_v", "_c", "_d", "_i"] {
            statement = self.fill_rest(&statement, open, &table, rng);
        }
        if rng.u8(0..100) < self.validity.broken_percent {
            statement = broken(&statement, rng);
        }
        statement
    }

    /// A statement about a table of a module, and that table; if there is none, a statement that creates it.
    fn of_module(&self, text: &str, rng: &mut Rng) -> String {
        const MODULES: [(&str, &str, &str); 4] = [
            ("_f", "fts5", "CREATE VIRTUAL TABLE n0 USING fts5(x, y)"),
            ("_g", "fts4", "CREATE VIRTUAL TABLE n0 USING fts4(x, y)"),
            ("_r", "rtree", "CREATE VIRTUAL TABLE n0 USING rtree(id, x0, x1, y0, y1)"),
            ("_p", "geopoly", "CREATE VIRTUAL TABLE n0 USING geopoly(a)"),
        ];
        let words: Vec<&str> =
            tokenize(text.as_bytes()).into_iter().map(|token| &text[token.range]).collect();
        let Some((open, module, definition)) = MODULES.into_iter().find(|(open, ..)| words.contains(open))
        else {
            return text.to_owned();
        };
        let of_module = self.names.tables.iter().filter(|table| table.module.as_deref() == Some(module));
        let tables: Vec<&str> = of_module.map(|table| table.name.as_str()).collect();
        let Some(table) = rng.choice(&tables) else {
            return definition.to_owned();
        };
        let words = words.into_iter().map(|word| match word {
            _ if word == open => table,
            _ if word.starts_with(open) && word.starts_with("_r_") => "_r_node",
            _ => word,
        });
        let text: String = words.collect();
        text.replace(&format!("'{open}'"), &format!("'{table}'")).replace("_r_node", &format!("{table}_node"))
    }

    /// Fills in what the binder does not know: names in statements without a tree, arguments of modules, the column
    /// that is named like its full-text table.
    fn fill_rest(&self, statement: &str, open: &str, table: &str, rng: &mut Rng) -> String {
        if !statement.contains(open) {
            return statement.to_owned();
        }
        let known = self.names.table(table);
        let mut out = String::with_capacity(statement.len() + 16);
        for token in tokenize(statement.as_bytes()) {
            let word = &statement[token.range];
            if word != open {
                out.push_str(word);
                continue;
            }
            let column = known.and_then(|table| rng.choice(&table.columns)).map(String::as_str);
            let keeps = rng.u8(0..100) < self.validity.unbound_percent;
            out.push_str(match open {
                _ if keeps => word,
                "_c" | "_d" => column.unwrap_or("rowid"),
                "_i" => rng.choice(&self.names.indexes).map_or("i1", |index| &index.name),
                _ => table,
            });
        }
        out
    }

    fn expand(&mut self, rule: &str, out: &mut String) {
        match rule {
            "literal" => return self.literal(out),
            "function" => return self.function(out),
            "pragma_name" => {
                let pragmas = &self.vocabulary.pragmas;
                let at = self.entropy.below(pragmas.len().max(1) as u32) as usize;
                out.push_str(pragmas.get(at).map_or("user_version", String::as_str));
                return;
            }
            _ => {}
        }
        let Some(alternatives) = grammar::alternatives(rule) else {
            // Not a rule, but braces in SQL text.
            out.push('{');
            out.push_str(rule);
            out.push('}');
            return;
        };
        let is_spent = self.fuel == 0 || out.len() > BYTES_MAX;
        self.fuel = self.fuel.saturating_sub(1);
        let chosen = if is_spent { 0 } else { self.entropy.below(alternatives.len() as u32) as usize };
        self.expand_text(alternatives[chosen], out);
    }

    /// Appends a text, and for each rule in it what that expands to.
    fn expand_text(&mut self, text: &str, out: &mut String) {
        let mut rest = text;
        while let Some(open) = rest.find('{') {
            let Some(close) = rest[open..].find('}') else {
                break;
            };
            out.push_str(&rest[..open]);
            self.expand(&rest[open + 1..open + close], out);
            rest = &rest[open + close + 1..];
        }
        out.push_str(rest);
    }

    fn literal(&mut self, out: &mut String) {
        match self.entropy.below(14) {
            0 => {
                let high = i64::from(self.entropy.below(u32::MAX)) << 32;
                let number = (high | i64::from(self.entropy.below(u32::MAX))) >> self.entropy.below(64);
                out.push_str(&number.to_string());
            }
            1 => out.push_str(&format!("zeroblob({})", self.entropy.below(5000))),
            2 => out.push_str(&format!("hex(zeroblob({}))", self.entropy.below(3000))),
            _ => out.push_str(LITERALS[self.entropy.below(LITERALS.len() as u32) as usize]),
        }
    }

    /// A call of any function of the build, with the right number of arguments.
    fn function(&mut self, out: &mut String) {
        let functions = &self.vocabulary.functions;
        let at = self.entropy.below(functions.len().max(1) as u32) as usize;
        let Some(function) = functions.get(at) else {
            return out.push_str("abs(_c)");
        };
        let count = function.arguments.map_or_else(|| self.entropy.below(4), u32::from);
        out.push_str(&function.name);
        out.push('(');
        for i in 0..count {
            if i > 0 {
                out.push_str(", ");
            }
            let rule = ["expr", "lit", "lit"][self.entropy.below(3) as usize];
            self.expand(rule, out);
        }
        out.push(')');
    }
}

/// The statement with a token dropped, doubled or swapped with its neighbour.
fn broken(statement: &str, rng: &mut Rng) -> String {
    let tokens: Vec<&str> =
        tokenize(statement.as_bytes()).into_iter().map(|token| &statement[token.range]).collect();
    let solid: Vec<usize> = (0..tokens.len()).filter(|&i| !tokens[i].trim().is_empty()).collect();
    let Some(&at) = rng.choice(&solid) else {
        return statement.to_owned();
    };
    let mut tokens = tokens;
    match rng.u8(0..4) {
        0 => tokens.insert(at, tokens[at]),
        1 if at + 2 < tokens.len() => tokens.swap(at, at + 2),
        2 => tokens.truncate(at),
        _ => {
            tokens.remove(at);
        }
    }
    tokens.concat()
}

#[cfg(test)]
mod tests;
