//! Which source file of SQLite each line of an amalgamation is from.
//!
//! `mksqlite3c.tcl` marks where a file begins, where another is included in its middle, and where it goes on. Lines
//! before the first mark, and all of a fork that has none, are of `sqlite3.c` itself.

/// The name of what no mark covers.
pub(crate) const UNMARKED: &str = "sqlite3.c";
/// Stars with which a mark begins, at least; ordinary banners of SQLite's have no such words behind them.
const STARS_MIN: usize = 8;

/// The source files of an amalgamation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Modules {
    /// Names, in the order in which the files begin.
    names: Vec<String>,
    /// Index of the name of each line, the first line first.
    lines: Vec<u16>,
}

impl Modules {
    /// Reads the marks.
    pub(crate) fn of(source: &str) -> Self {
        let mut modules = Self { names: vec![UNMARKED.to_owned()], lines: Vec::new() };
        // The files that are open, innermost last.
        let mut open = vec![0];
        for line in source.lines() {
            match mark(line) {
                Some(Mark::Begin(name)) => open.push(modules.index(name)),
                Some(Mark::Continue(name)) => {
                    let index = modules.index(name);
                    // What a fork took out may have taken the end of an included file with it.
                    open.truncate(open.iter().rposition(|&other| other == index).map_or(1, |at| at + 1));
                    if open.last() != Some(&index) {
                        open.push(index);
                    }
                }
                _ => {}
            }
            modules.lines.push(*open.last().expect("the first is never closed"));
            if let Some(Mark::End(name)) = mark(line) {
                let index = modules.index(name);
                if let Some(at) = open.iter().rposition(|&other| other == index).filter(|&at| at > 0) {
                    open.truncate(at);
                }
            }
        }
        modules
    }

    /// True if there are any marks.
    pub(crate) fn are_marked(&self) -> bool {
        self.names.len() > 1
    }

    /// Names, in the order of the amalgamation.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// Index into [`Modules::names`] of a line, counted from 1.
    pub(crate) fn index_of_line(&self, line: u32) -> usize {
        let at = (line as usize).checked_sub(1);
        at.and_then(|at| self.lines.get(at)).map_or(0, |&index| usize::from(index))
    }

    /// The name of the module of a line, counted from 1.
    pub(crate) fn of_line(&self, line: u32) -> &str {
        &self.names[self.index_of_line(line)]
    }

    fn index(&mut self, name: &str) -> u16 {
        let found = self.names.iter().position(|known| known == name);
        let index = found.unwrap_or_else(|| {
            self.names.push(name.to_owned());
            self.names.len() - 1
        });
        u16::try_from(index).unwrap_or(0)
    }
}

/// What a mark says.
#[derive(Debug, PartialEq, Eq)]
enum Mark<'t> {
    Begin(&'t str),
    Continue(&'t str),
    End(&'t str),
}

fn mark(line: &str) -> Option<Mark<'_>> {
    let rest = line.strip_prefix('/')?;
    let text = rest.trim_start_matches('*');
    if rest.len() - text.len() < STARS_MIN {
        return None;
    }
    let text = text.strip_prefix(' ')?;
    let name = |begin: &str| {
        let rest = text.strip_prefix(begin)?;
        rest.split([' ', '*']).next().filter(|name| !name.is_empty())
    };
    let ends = || name("End of ").map(Mark::End);
    let goes_on = || name("Continuing where we left off in ").map(Mark::Continue).or_else(ends);
    name("Begin file ").map(Mark::Begin).or_else(goes_on)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `mksqlite3c.tcl` writes it, with a file in the middle of another, twice deep.
    const MADE: &str = "\
/* an amalgamation */
/************** Begin file a.c ***********************************************/
int a;
/************** Include b.h in the middle of a.c *****************************/
/************** Begin file b.h ***********************************************/
int b;
/******** Begin file c.h *********/
int c;
/******** End of c.h *********/
int b2;
/************** End of b.h ***************************************************/
/************** Continuing where we left off in a.c **************************/
int a2;
/************** End of a.c ***************************************************/
int between;
/********** This is no mark ***********/
/************** Begin file d.c ***********************************************/
int d;
";

    #[test]
    fn every_line_has_its_file_also_behind_a_nested_one() {
        let modules = Modules::of(MADE);
        assert!(modules.are_marked());
        assert_eq!(modules.names(), ["sqlite3.c", "a.c", "b.h", "c.h", "d.c"]);
        let of = |text: &str| {
            let line = MADE.lines().position(|line| line == text).unwrap() + 1;
            modules.of_line(line as u32)
        };
        let found = ["int a;", "int b;", "int c;", "int b2;", "int a2;", "int between;", "int d;"].map(of);
        assert_eq!(found, ["a.c", "b.h", "c.h", "b.h", "a.c", "sqlite3.c", "d.c"]);
        assert_eq!(modules.of_line(0), "sqlite3.c");
        assert_eq!(modules.of_line(10_000), "sqlite3.c");
    }

    #[test]
    fn a_fork_without_marks_is_one_module() {
        let modules = Modules::of("int a;\n/* Begin file a.c */\nint b;\n");
        assert!(!modules.are_marked());
        assert_eq!((modules.names().len(), modules.of_line(3)), (1, "sqlite3.c"));
    }

    #[test]
    fn a_lost_end_does_not_swallow_what_comes_after() {
        let text = MADE.replace("/******** End of c.h *********/\n", "");
        let modules = Modules::of(&text);
        let line = text.lines().position(|line| line == "int a2;").unwrap() + 1;
        assert_eq!(modules.of_line(line as u32), "a.c");
    }
}
