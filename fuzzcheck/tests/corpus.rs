//! Replays `corpus/`: one test per case.
//!
//! Each case runs in a worker process, so that a crash is the failure of one test. Fails if there is no
//! case at all, or none for some target.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use fuzzcheck::replay::client::Client;
use fuzzcheck::replay::oracles::Oracles;
use fuzzcheck::replay::protocol::Job;
use fuzzcheck::replay::report::is_known;
use fuzzcheck::replay::{Options, Outcome};
use libtest_mimic::{Arguments, Failed, Trial};
use tandem::targets::TARGETS;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus");
    let cases = match fuzzcheck::open(&[corpus], None) {
        Ok(cases) => cases,
        Err(error) => {
            eprintln!("{error:#}");
            return ExitCode::FAILURE;
        }
    };
    let clients = Arc::new(Clients::default());
    let mut trials = Vec::new();
    for (index, named) in (1..).zip(cases.cases) {
        let known = named.known();
        let job = Job {
            index,
            target: named.target,
            heap_bytes: named.heap_bytes,
            body: named.case.encode(),
            exploration: None,
        };
        let clients = Arc::clone(&clients);
        let name = format!("{}::{}", named.target.name, named.case.id());
        trials.push(Trial::test(name, move || clients.run(job, known.as_deref())));
    }
    for skipped in cases.skipped {
        trials.push(Trial::test(skipped.path.display().to_string(), move || Err(Failed::from(skipped.why))));
    }
    for target in TARGETS {
        let prefix = format!("{}::", target.name);
        let has_cases = trials.iter().any(|trial| trial.name().starts_with(&prefix));
        let message = format!("corpus/{}.db has no case", target.name);
        let check = move || if has_cases { Ok(()) } else { Err(Failed::from(message)) };
        trials.push(Trial::test(format!("{prefix}has_cases"), check));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// Workers that wait for the next case.
#[derive(Default)]
struct Clients(Mutex<Vec<Client>>);

impl Clients {
    fn run(&self, job: Job, known: Option<&str>) -> Result<(), Failed> {
        let waiting = self.0.lock().map_err(|_| "another test panicked")?.pop();
        let mut client = match waiting {
            Some(client) => client,
            None => {
                let program = PathBuf::from(env!("CARGO_BIN_EXE_fuzzcheck"));
                let options = Options { oracles: Oracles::all(), timeout_ms: 60_000, ..Options::default() };
                Client::new(&program, &options).map_err(|error| format!("{error:#}"))?
            }
        };
        let (outcomes, _) = client.run_watched(vec![job]).map_err(|error| format!("{error:#}"))?;
        self.0.lock().map_err(|_| "another test panicked")?.push(client);
        outcomes.iter().try_for_each(|outcome| check(outcome, known))
    }
}

fn check(outcome: &Outcome, known: Option<&str>) -> Result<(), Failed> {
    if let Some(error) = &outcome.harness_error {
        return Err(format!("a worker failed: {error}").into());
    }
    match outcome.result.bugs.iter().find(|bug| !is_known(known, bug)) {
        None => Ok(()),
        Some(bug) => Err(format!("{}: {}", bug.signature, bug.message).into()),
    }
}
