//! An inconsistency, for people and as Rust.

use std::fmt::{self, Write as _};

use super::driver::{At, CaseOf, Found, Signature};
use super::plan::{Plan, Problem, Source};

/// What is inconsistent, and what was done before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inconsistency {
    /// The name of the trait.
    pub interface: &'static str,
    /// What it is, without the particulars of the case.
    pub signature: Signature,
    /// What happened, in a line.
    pub what: String,
    /// The operation in which it happened, with its arguments; empty for a constructor or the end.
    pub operation: String,
    /// What the reference returned; of values that differ alone.
    pub reference: Option<String>,
    /// What the test object returned.
    pub test: Option<String>,
    /// The arguments of the constructors; `None` if the objects were made by the caller.
    pub arguments: Option<String>,
    /// All operations up to that one.
    pub operations: Vec<String>,
    /// The same, made smaller.
    pub minimized: Minimized,
}

/// A smaller case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Minimized {
    /// It was found.
    Case {
        /// How many operations it has.
        operations: usize,
        /// Rust statements that fail as long as the bug is there: the body of a test in the module of the trait.
        rust: String,
    },
    /// The objects were made by the caller, so they can be used only once.
    Given,
    /// The same operations did not show it again.
    Unrepeated,
}

impl Minimized {
    /// A case as Rust.
    pub(super) fn of<P: Plan>(case: &CaseOf<P>, found: &Found, source: Source) -> Self {
        Self::Case { operations: case.list.len(), rust: Rust::<P> { case, found, source }.text() }
    }
}

impl Inconsistency {
    pub(super) fn new<P: Plan>(
        case: &CaseOf<P>,
        found: &Found,
        signature: Signature,
        has_arguments: bool,
        minimized: Minimized,
    ) -> Self {
        let operations: Vec<String> = case.list.iter().map(|operation| call::<P>(operation)).collect();
        let operation = match found.at {
            At::Operation(at) => operations[at].clone(),
            At::Construction | At::Drop => String::new(),
        };
        let (reference, test) = match &found.problem {
            Problem::Differ(differ) => (Some(differ.reference.clone()), Some(differ.test.clone())),
            _ => (None, None),
        };
        let arguments = P::argument_literals(&case.arguments).join(", ");
        Self {
            interface: P::INTERFACE,
            what: what::<P>(found, signature.kind),
            operation,
            signature,
            reference,
            test,
            arguments: has_arguments.then_some(arguments),
            operations,
            minimized,
        }
    }
}

/// A method with its arguments.
fn call<P: Plan>(operation: &P::Operation) -> String {
    format!("{}({})", P::CALLS[P::nth(operation)].name, P::literals(operation).join(", "))
}

fn what<P: Plan>(found: &Found, kind: &str) -> String {
    let when = match found.at {
        At::Construction => " when it is made",
        At::Operation(_) => "",
        At::Drop => " when it is dropped",
    };
    match &found.problem {
        Problem::Differ(_) if kind == "success" => "one side fails, the other does not".to_owned(),
        Problem::Differ(_) if kind == "code" => "both sides fail, with different codes".to_owned(),
        Problem::Differ(_) => "both sides return different values".to_owned(),
        Problem::TestPanicked(panic) => {
            format!("the test object alone panics{when}, at {}: {}", panic.place, panic.message)
        }
        Problem::ReferencePanicked(panic) => {
            format!("the reference alone panics{when}, at {}: {}", panic.place, panic.message)
        }
        Problem::Violated(nth) => format!("the invariant `{}` does not hold", P::INVARIANTS[*nth].0),
        Problem::InvariantPanicked(nth, panic) => {
            format!("the invariant `{}` panics, at {}: {}", P::INVARIANTS[*nth].0, panic.place, panic.message)
        }
    }
}

impl fmt::Display for Inconsistency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.interface, self.what)?;
        if !self.operation.is_empty() {
            writeln!(f, "  operation {}: {}", self.operations.len(), self.operation)?;
        }
        if let (Some(reference), Some(test)) = (&self.reference, &self.test) {
            writeln!(f, "  reference: {reference}\n  test:      {test}")?;
        }
        if let Some(arguments) = self.arguments.as_ref().filter(|arguments| !arguments.is_empty()) {
            writeln!(f, "arguments of the constructors: {arguments}")?;
        }
        writeln!(f, "all operations:")?;
        for (at, operation) in self.operations.iter().enumerate() {
            writeln!(f, "{:>5}. {operation}", at + 1)?;
        }
        match &self.minimized {
            Minimized::Case { operations, rust } => {
                writeln!(f, "minimized to {operations} of {} operations:", self.operations.len())?;
                rust.lines().try_for_each(|line| writeln!(f, "    {line}"))
            }
            Minimized::Given => {
                writeln!(f, "not minimized: the objects were given, and cannot be made again")
            }
            Minimized::Unrepeated => writeln!(
                f,
                "not minimized: the same operations on new objects do not show it again, so something else decides"
            ),
        }
    }
}

/// A case as statements.
struct Rust<'r, P: Plan> {
    case: &'r CaseOf<P>,
    found: &'r Found,
    source: Source,
}

impl<P: Plan> Rust<'_, P> {
    fn text(&self) -> String {
        let objects: &[(&str, &str)] = match &self.found.problem {
            Problem::Differ(_) => &[("reference", self.source.reference), ("test", self.source.test)],
            Problem::ReferencePanicked(_) => &[("reference", self.source.reference)],
            _ => &[("test", self.source.test)],
        };
        let mut out = String::new();
        let arguments = P::argument_literals(&self.case.arguments).join(", ");
        for (name, maker) in objects {
            let call = format!("{maker}({arguments})");
            match self.found.at {
                At::Construction => self.line(&mut out, format_args!("drop({call}); // panics")),
                _ => self.line(&mut out, format_args!("let {}{name} = {call};", self.mutable(name))),
            }
        }
        let (last, before) = match self.found.at {
            At::Construction => return out,
            At::Drop => (None, &self.case.list[..]),
            At::Operation(at) => (Some(&self.case.list[at]), &self.case.list[..at]),
        };
        for operation in before {
            for (name, _) in objects {
                self.statement(&mut out, operation, name, "");
            }
        }
        let Some(last) = last else {
            self.line(&mut out, format_args!("drop({}); // panics", objects[0].0));
            return out;
        };
        match &self.found.problem {
            Problem::Differ(_) => {
                let (reference, test) = (self.call(last, "reference"), self.call(last, "test"));
                let rules = P::CALLS[P::nth(last)].rules;
                self.line(&mut out, format_args!("tandem::assert_agree!({reference}, {test}{rules});"));
            }
            Problem::TestPanicked(_) | Problem::ReferencePanicked(_) => {
                self.statement(&mut out, last, objects[0].0, " // panics");
            }
            Problem::Violated(nth) | Problem::InvariantPanicked(nth, _) => {
                self.statement(&mut out, last, "test", "");
                let (trait_, of_it) = (self.interface(), P::INVARIANTS[*nth].1);
                self.line(&mut out, format_args!("fn holds(it: &mut impl {trait_}) -> bool {{"));
                self.line(&mut out, format_args!("    {of_it}\n}}"));
                self.line(&mut out, format_args!("assert!(holds(&mut test));"));
            }
        }
        out
    }

    fn line(&self, out: &mut String, text: fmt::Arguments<'_>) {
        writeln!(out, "{text}").expect("writing to a String does not fail");
    }

    /// The trait, with its types.
    fn interface(&self) -> String {
        format!("{}{}", P::INTERFACE, self.source.types)
    }

    /// `mut `, if something needs it.
    fn mutable(&self, name: &str) -> &'static str {
        let is_checked = matches!(self.found.problem, Problem::Violated(_) | Problem::InvariantPanicked(..));
        let is_changed = self.case.list.iter().any(|operation| P::CALLS[P::nth(operation)].is_mut);
        if is_changed || is_checked && name == "test" { "mut " } else { "" }
    }

    /// A call through the trait: a method of the same name of the object itself is another.
    fn call(&self, operation: &P::Operation, name: &str) -> String {
        let call = &P::CALLS[P::nth(operation)];
        let reference = if call.is_mut { "&mut " } else { "&" };
        let types = if self.source.types.is_empty() { "" } else { "::" };
        let mut arguments = vec![format!("{reference}{name}")];
        arguments.extend(P::literals(operation));
        format!("{}{types}{}::{}({})", P::INTERFACE, self.source.types, call.name, arguments.join(", "))
    }

    fn statement(&self, out: &mut String, operation: &P::Operation, name: &str, comment: &str) {
        let returned = if P::CALLS[P::nth(operation)].returns { "let _ = " } else { "" };
        self.line(out, format_args!("{returned}{};{comment}", self.call(operation, name)));
    }
}
