//! Panics as values, without a word on stderr.

use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::Once;

/// A panic that was caught.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Panic {
    /// What it says.
    pub message: String,
    /// File, line and column; empty if it was resumed and so has none.
    pub place: String,
}

thread_local! {
    static IS_CATCHING: Cell<bool> = const { Cell::new(false) };
    static LAST: RefCell<Option<Panic>> = const { RefCell::new(None) };
}

fn text(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no text".to_owned())
}

fn remember(info: &PanicHookInfo<'_>) {
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    LAST.set(Some(Panic { message: text(info.payload()), place }));
}

/// Runs it. The panic hook is set once, before the first: in a libFuzzer target that is after libFuzzer's own, which
/// aborts and so would leave nothing to catch. Other threads, and panics outside, have the hook that there was.
///
/// # Errors
/// Its panic.
pub fn catch<A>(run: impl FnOnce() -> A) -> Result<A, Panic> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| if IS_CATCHING.get() { remember(info) } else { before(info) }));
    });
    let was_catching = IS_CATCHING.replace(true);
    // What it leaves half done, its caller throws away.
    let done = panic::catch_unwind(AssertUnwindSafe(run));
    IS_CATCHING.set(was_catching);
    done.map_err(|payload| {
        LAST.take().unwrap_or_else(|| Panic { message: text(&*payload), place: String::new() })
    })
}
