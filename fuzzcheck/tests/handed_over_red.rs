//! The test that `handover` writes for a finding fails where the bug is there.

#[path = "handed_over/integrity.rs"]
mod integrity;

use std::any::Any;
use std::{env, fs, panic};

fn main() {
    let message = |panic: Box<dyn Any + Send>| panic.downcast_ref::<String>().cloned().unwrap_or_default();
    let ended = panic::catch_unwind(integrity::reproduce).map_err(message);
    let said = ended.expect_err("the known bug geopoly-key is fixed: take another");
    assert!(said.contains("[\"ok\"]") && said.contains("invalid page number"), "{said}");
    // A test that fails leaves its files for whoever looks into it.
    let left = env::current_dir().expect("it is there");
    env::set_current_dir(env::temp_dir()).expect("it is there");
    fs::remove_dir_all(left).expect("it was the test's");
}
