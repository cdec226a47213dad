//! Memory for symbolizing a stack: it is not the case's, so the case's limit must not end the process.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// How much address space this process uses, if the system tells.
pub fn address_space_bytes() -> Option<u64> {
    let sizes = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = sizes.split_whitespace().next()?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

/// Does `work` without the limit on the address space; what it keeps is added to the limit.
pub(super) fn beside_the_limit<R>(work: impl FnOnce() -> R) -> R {
    let Rlimit { current: Some(limit), maximum } = getrlimit(Resource::As) else {
        return work();
    };
    let set = |current| {
        // A limit that cannot be raised stays, and may end the process.
        setrlimit(Resource::As, Rlimit { current, maximum }).ok();
    };
    let before = address_space_bytes();
    set(maximum);
    let done = work();
    let kept = address_space_bytes().zip(before).map_or(0, |(now, before)| now.saturating_sub(before));
    let limit = limit.saturating_add(kept);
    set(Some(maximum.map_or(limit, |most| most.min(limit))));
    done
}
