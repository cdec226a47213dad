//! Generators that remember what they made: `#[gen(Type = path, state = State)]`.

use arbitrary::Unstructured;

use super::Generate;

/// How often a value is drawn until it is a new one; of small types all may have been seen.
const DRAWS_MAX: usize = 8;

/// The values that [`half_seen`] made in this case, each once.
#[derive(Debug, Clone)]
pub struct Seen<T>(Vec<T>);

impl<T> Default for Seen<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Seen<T> {
    /// The values, in the order in which they were made.
    pub fn values(&self) -> &[T] {
        &self.0
    }
}

/// A value that is new in one half of the calls and has been made before in the other: ids of things that exist and of
/// things that do not. For ids of your own, call it with the type inside and wrap what it returns.
///
/// # Errors
/// Those of the type's own generator.
pub fn half_seen<T: Generate + Clone + PartialEq>(
    seen: &mut Seen<T>,
    entropy: &mut Unstructured<'_>,
) -> arbitrary::Result<T> {
    if !seen.0.is_empty() && entropy.arbitrary()? {
        return entropy.choose(&seen.0).cloned();
    }
    let mut value = T::generate(entropy)?;
    for _ in 1..DRAWS_MAX {
        if !seen.0.contains(&value) {
            break;
        }
        value = T::generate(entropy)?;
    }
    if !seen.0.contains(&value) {
        seen.0.push(value.clone());
    }
    Ok(value)
}
