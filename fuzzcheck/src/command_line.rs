//! Command lines printed for a person or another program to run.

use std::path::Path;

use tandem::registry;

use crate::ui::shell_quoted;

/// `cargo fuzzcheck VERB WORDS...`, each word as a shell reads it back; in the program of another crate, what runs that.
pub(crate) fn fuzzcheck<Word: AsRef<str>>(verb: &str, words: impl IntoIterator<Item = Word>) -> String {
    let words = words.into_iter().map(|word| shell_quoted(word.as_ref()));
    let program = registry::package().map_or_else(
        || "cargo fuzzcheck".to_owned(),
        |package| {
            let manifest = package.join("Cargo.toml").display().to_string();
            format!("cargo run --manifest-path {} --", shell_quoted(&manifest))
        },
    );
    words.fold(format!("{program} {verb}"), |line, word| line + " " + &word)
}

/// The command that runs the case in a file on a target; `words` are further arguments, such as those of the build.
pub(crate) fn run(words: &[String], target: &str, path: &Path) -> String {
    let path = path.display().to_string();
    let words = words.iter().map(String::as_str);
    fuzzcheck("run", words.chain(["--target", target, &path]))
}

/// The command that compares two builds on the case in a file.
pub(crate) fn compare_engines(builds: &[String], words: &[String], target: &str, path: &Path) -> String {
    let path = path.display().to_string();
    let words = builds.iter().chain(words).map(String::as_str);
    fuzzcheck("compare engines", words.chain(["--target", target, &path]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_reach_the_program_as_they_are() {
        let words = ["--build=debug".to_owned(), "--sqlite=/my own".to_owned()];
        let path = Path::new("a b/it's");
        assert_eq!(
            run(&words, "sql", path),
            r"cargo fuzzcheck run --build=debug '--sqlite=/my own' --target sql 'a b/it'\''s'"
        );
        let builds = ["bundled".to_owned(), "3.49.1:debug".to_owned()];
        assert_eq!(
            compare_engines(&builds, &[], "sql", Path::new("x")),
            "cargo fuzzcheck compare engines bundled 3.49.1:debug --target sql x"
        );
    }
}
