//! `.options` files (<https://google.github.io/oss-fuzz/getting-started/new-project-guide/#custom-libfuzzer-options-for-clusterfuzz>):
//! sections of `key = value`.

/// The sections that ClusterFuzz reads and that mean something to a target of libFuzzer.
const SECTIONS: [&str; 5] = ["libfuzzer", "asan", "msan", "ubsan", "env"];
/// The flags of libFuzzer that may be set for a target. What says where something lies is not among them: the folder moves.
const FLAGS: [&str; 12] = [
    "close_fd_mask",
    "detect_leaks",
    "dict",
    "entropic",
    "len_control",
    "malloc_limit_mb",
    "max_len",
    "only_ascii",
    "print_funcs",
    "rss_limit_mb",
    "timeout",
    "use_value_profile",
];

/// An options file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// Section, key and value, in order.
    entries: Vec<(String, String, String)>,
}

impl Options {
    /// Reads a file.
    ///
    /// # Errors
    /// The number of the first line that is wrong, from 1, and why.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut options = Self::default();
        let mut section = None;
        for (i, line) in text.lines().enumerate() {
            let line = line.trim();
            let wrong = |why: String| format!("line {}: {why}", i + 1);
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                if !SECTIONS.contains(&name) {
                    return Err(wrong(format!(
                        "no section is named [{name}]; there are {}",
                        SECTIONS.join(", ")
                    )));
                }
                section = Some(name.to_owned());
                continue;
            }
            let (Some(section), Some((key, value))) = (&section, line.split_once('=')) else {
                return Err(wrong(format!("`{line}` is not a `key = value` in a section")));
            };
            let (key, value) = (key.trim(), value.trim());
            if section == "libfuzzer" && !FLAGS.contains(&key) {
                return Err(wrong(format!(
                    "`{key}` is not a libFuzzer flag that targets set; there are {}",
                    FLAGS.join(", ")
                )));
            }
            if key.is_empty() || value.is_empty() || value.contains(char::is_whitespace) {
                return Err(wrong(format!("`{line}`: a key, and a value that is one word")));
            }
            if section == "libfuzzer" && key != "dict" && value.parse::<u64>().is_err() {
                return Err(wrong(format!("`{key}` takes a number, not `{value}`")));
            }
            if options.get(section, key).is_some() {
                return Err(wrong(format!("`{key}` is set twice")));
            }
            options.entries.push((section.clone(), key.to_owned(), value.to_owned()));
        }
        if options.entries.is_empty() {
            return Err("nothing is set: leave the file away".to_owned());
        }
        Ok(options)
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.entries.len()
    }

    /// The value of a key.
    pub(crate) fn get(&self, section: &str, key: &str) -> Option<&str> {
        let found = self.entries.iter().find(|entry| (entry.0.as_str(), entry.1.as_str()) == (section, key));
        found.map(|entry| entry.2.as_str())
    }

    /// What `run_fuzzer` adds to the command line, but for the dictionary.
    pub(crate) fn flags(&self) -> Vec<String> {
        let flags = self.entries.iter().filter(|(section, key, _)| section == "libfuzzer" && key != "dict");
        flags.map(|(_, key, value)| format!("-{key}={value}")).collect()
    }

    /// What is added to ASAN_OPTIONS.
    pub(crate) fn asan(&self) -> String {
        let options = self.entries.iter().filter(|(section, ..)| section == "asan");
        options.map(|(_, key, value)| format!(":{key}={value}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_become_flags() {
        let options =
            Options::parse("# for all\n[libfuzzer]\nmax_len = 10\ndict=x.dict\n\n[asan]\na=1\nb = 2\n")
                .unwrap();
        assert_eq!(options.flags(), ["-max_len=10"]);
        assert_eq!(options.asan(), ":a=1:b=2");
        assert_eq!(options.get("libfuzzer", "dict"), Some("x.dict"));
        assert_eq!(options.count(), 4);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        for (text, words) in [
            ("max_len = 10", "line 1"),
            ("[libfuzzers]\nmax_len = 10", "line 1: no section"),
            ("[libfuzzer]\nmax_len", "line 2"),
            ("[libfuzzer]\nmaxlen = 10", "line 2: `maxlen`"),
            ("[libfuzzer]\nmax_len = ten", "line 2: `max_len` takes a number"),
            ("[libfuzzer]\nmax_len = 1\nmax_len = 2", "line 3: `max_len` is set twice"),
            ("[asan]\na = b c", "line 2"),
            ("[asan]\n", "nothing is set"),
        ] {
            let error = Options::parse(text).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }
}
