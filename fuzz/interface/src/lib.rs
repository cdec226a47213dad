//! The macro `#[tandem::interface]`, which Tandem hands on with its feature `interface`.
//!
//! | File | Holds |
//! |---|---|
//! | `options` | the arguments of the attribute, and the attributes beside it |
//! | `model` | the trait: its operations, and what cannot be one |
//! | `types` | how a type is generated, written, made simpler and compared |
//! | `plan` | the `Plan` of a trait |
//! | `expand` | the functions, the test and the target |
//! | `text` | tokens as the source text that they were |

mod expand;
mod model;
mod options;
mod plan;
mod text;
mod types;

use proc_macro::TokenStream;
use quote::{ToTokens as _, quote};

/// Runs two implementations of a trait with the same random operations. The guide of Tandem, `interface`, has
/// examples.
///
/// For a trait `KeyValue` it makes
/// * `fuzz_key_value(make_test, entropy, ops)`: the object of a function against the reference;
/// * `fuzz_key_value_with(reference, test, entropy, ops)`: two objects that are there already. Since they can be used only
///   once, an inconsistency is not minimized;
/// * with `test = …`: a `#[test]`, `fuzz_key_value_test`, and what a libFuzzer target runs, `fuzz_key_value_bytes`, for
///   `tandem::interface_target!`.
///
/// # Arguments
/// | | |
/// |---|---|
/// | `reference = path(Types…)` | makes the reference, from random arguments of these types |
/// | `test = path` | makes the test object, from the same arguments |
/// | `invariant_only` | there is no reference; `test = path(Types…)` |
/// | `error = code` | two errors must have the same code; else they must only be two |
/// | `name = x` | `fuzz_x` instead of the name of the trait |
/// | `types = (u8, String)` | for a generic trait: what its `#[test]` and its target run with |
/// | `no_test` | no `#[test]` |
///
/// # Attributes of the trait, below it
/// | | |
/// |---|---|
/// | `#[invariant(expression of self)]` | holds for the test object after each operation |
/// | `#[gen(Type = path)]` | arguments of a type, by `fn path(&mut Unstructured<'_>) -> arbitrary::Result<Type>` |
/// | `#[gen(Type = path, state = State)]` | the same by `fn path(&mut State, &mut Unstructured<'_>) -> …`; generators with the same state share it |
/// | `#[compare(Type = path)]` | what is returned, by `fn path(&Type, &Type) -> bool` |
///
/// In edition 2024, in which `gen` is a keyword, it is `#[r#gen(…)]`. A method with `#[skip]` is no operation.
#[proc_macro_attribute]
pub fn interface(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let mut item = match syn::parse::<syn::ItemTrait>(item.clone()) {
        Ok(item) => item,
        Err(_) => {
            let error = syn::Error::new(proc_macro2::Span::call_site(), "an interface is a trait")
                .into_compile_error();
            let item = proc_macro2::TokenStream::from(item);
            return quote!(#item #error).into();
        }
    };
    // Whatever is wrong, the trait is there: what uses it is not to blame.
    let beside = options::Beside::take(&mut item);
    let expanded = options::Options::parse(arguments.into())
        .and_then(|options| model::Interface::new(&item, options, beside))
        .map_or_else(syn::Error::into_compile_error, |interface| expand::expand(&interface));
    let item = item.into_token_stream();
    quote!(#item #expanded).into()
}
