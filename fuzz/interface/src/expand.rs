//! The functions, the test and the target.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens as _, format_ident, quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{ExprPath, GenericParam, Generics, Ident, parse_quote};

use crate::model::Interface;
use crate::plan::{Parameters, arguments_type, items};
use crate::text::text;

/// All that an interface becomes, beside the trait itself.
pub fn expand(interface: &Interface<'_>) -> TokenStream {
    let parameters = Parameters::of(interface);
    let hidden = hidden(interface, &parameters);
    let with = with(interface, &parameters);
    let fuzz = fuzz(interface, &parameters);
    let tests = tests(interface);
    quote!(#hidden #with #fuzz #tests)
}

fn returned() -> TokenStream {
    quote!(::core::result::Result<::tandem::interfaces::Ran, ::tandem::interfaces::Failure>)
}

fn entropy() -> TokenStream {
    quote!(&mut ::tandem::interfaces::Unstructured<'_>)
}

/// The function that all others call, with the plan inside: its names are in nobody's way.
fn hidden(interface: &Interface<'_>, parameters: &Parameters) -> TokenStream {
    let (all, types, clause) = parameters.all.split_for_impl();
    let types = types.as_turbofish();
    let (name, vis) = (format_ident!("__fuzz_{}", interface.name), &interface.item.vis);
    let (entropy, returned) = (entropy(), returned());
    let (arguments, items) = (arguments_type(interface), items(interface, parameters));
    let reference = if interface.has_reference() { quote!(__Reference) } else { quote!(()) };
    quote! {
        #[doc(hidden)]
        #[allow(clippy::all, dead_code, non_camel_case_types, unused_mut, unused_parens, unused_variables)]
        #vis fn #name #all (
            makers: ::tandem::interfaces::Makers<'_, #arguments, #reference, __Test>,
            entropy: #entropy,
            ops: usize,
        ) -> #returned #clause {
            #items
            ::tandem::interfaces::fuzz::<__Plan #types>(makers, entropy, ops)
        }
    }
}

/// `fuzz_x_with`.
fn with(interface: &Interface<'_>, parameters: &Parameters) -> TokenStream {
    let (all, _, clause) = parameters.all.split_for_impl();
    let (name, hidden) =
        (format_ident!("fuzz_{}_with", interface.name), format_ident!("__fuzz_{}", interface.name));
    let (vis, entropy, returned) = (&interface.item.vis, entropy(), returned());
    let (reference, make_reference) = match interface.has_reference() {
        true => (
            quote!(reference: __Reference,),
            quote!(move |_| reference.take().expect("a case whose objects were given is run once")),
        ),
        false => (quote!(), quote!(|_| ())),
    };
    let keep = interface
        .has_reference()
        .then(|| quote!(let mut reference = ::core::option::Option::Some(reference);));
    let about = match interface.has_reference() {
        true => "Runs up to `ops` random operations on two objects that are there already.",
        false => "Runs up to `ops` random operations on an object that is there already.",
    };
    let docs = docs(about, "They can be used only once, so an inconsistency is not minimized.");
    quote! {
        #docs
        #[allow(clippy::all, dead_code)]
        #vis fn #name #all (#reference test: __Test, entropy: #entropy, ops: usize) -> #returned #clause {
            #keep
            let mut test = ::core::option::Option::Some(test);
            let source = ::tandem::interfaces::Source { reference: "", test: "", types: "" };
            #hidden(
                ::tandem::interfaces::Makers {
                    reference: &mut #make_reference,
                    test: &mut move |_| test.take().expect("a case whose objects were given is run once"),
                    source,
                    is_repeatable: false,
                },
                entropy,
                ops,
            )
        }
    }
}

fn docs(about: &str, more: &str) -> TokenStream {
    quote! {
        #[doc = #about]
        #[doc = #more]
        #[doc = ""]
        #[doc = "# Errors"]
        #[doc = "The first inconsistency; or that not a single operation was run."]
    }
}

/// `Makers` with the reference of the attribute.
fn makers(interface: &Interface<'_>, test: &TokenStream, test_text: &str, types: &str) -> TokenStream {
    let arguments = arguments_type(interface);
    // With the span of its type a wrong one is reported there.
    let places: Vec<Ident> = (0..interface.arguments.len())
        .map(|at| format_ident!("a{at}", span = interface.arguments[at].written.span()))
        .collect();
    let bound = interface.arguments.iter().zip(&places).enumerate().map(|(at, (argument, place))| {
        let (at, owned) = (syn::Index::from(at), &argument.owned);
        match argument.is_reference {
            true => quote!(let #place: &#owned = &arguments.#at;),
            false => quote!(let #place: #owned = ::core::clone::Clone::clone(&arguments.#at);),
        }
    });
    let bound = quote!(#(#bound)*);
    let test = quote_spanned!(test.span()=> #test(#(#places),*));
    let (reference, reference_text) = match &interface.options.reference {
        Some(reference) => {
            let path = &reference.path;
            let call = quote_spanned!(path.span()=> #path(#(#places),*));
            (quote!(|arguments: &#arguments| { let _ = arguments; #bound #call }), text(path))
        }
        None => (quote!(|_| ()), String::new()),
    };
    quote! {
        ::tandem::interfaces::Makers {
            reference: &mut #reference,
            test: &mut |arguments: &#arguments| {
                let _ = arguments;
                #bound
                #test
            },
            source: ::tandem::interfaces::Source { reference: #reference_text, test: #test_text, types: #types },
            is_repeatable: true,
        }
    }
}

/// `fuzz_x`.
fn fuzz(interface: &Interface<'_>, parameters: &Parameters) -> TokenStream {
    // What is no implementation is reported at the path that makes it.
    let path = interface.options.reference.as_ref().map(|reference| reference.path.span());
    let name = format_ident!("fuzz_{}", interface.name);
    let hidden = format_ident!("__fuzz_{}", interface.name, span = path.unwrap_or_else(Span::call_site));
    let (vis, entropy, returned) = (&interface.item.vis, entropy(), returned());
    let mut generics: Generics = parameters.own.clone();
    let of = &parameters.interface;
    generics.params.push(parse_quote!(__Test: #of));
    let (generics, _, clause) = generics.split_for_impl();
    let written = interface.arguments.iter().map(|argument| &argument.written);
    let makers = makers(interface, &quote!(make_test), "make_test", "");
    let about = match interface.has_reference() {
        true => {
            "Runs up to `ops` random operations on the object that `make_test` makes, and on the reference."
        }
        false => "Runs up to `ops` random operations on the object that `make_test` makes.",
    };
    let docs = docs(about, "An inconsistency is minimized, for which both are made many times.");
    // Those of the trait need not follow from the objects.
    let own = interface.item.generics.params.iter().filter_map(|parameter| match parameter {
        GenericParam::Type(parameter) => Some(&parameter.ident),
        GenericParam::Const(parameter) => Some(&parameter.ident),
        GenericParam::Lifetime(_) => None,
    });
    let reference = interface.has_reference().then(|| quote!(_,));
    let turbofish = quote!(::<#(#own,)* #reference __Test>);
    quote! {
        #docs
        #[allow(clippy::all, dead_code)]
        #vis fn #name #generics (
            mut make_test: impl ::core::ops::FnMut(#(#written),*) -> __Test,
            entropy: #entropy,
            ops: usize,
        ) -> #returned #clause {
            #hidden #turbofish (#makers, entropy, ops)
        }
    }
}

/// The `#[test]` and the function of the libFuzzer target.
fn tests(interface: &Interface<'_>) -> TokenStream {
    let Some(test) = &interface.options.test else { return TokenStream::new() };
    let path: &ExprPath = &test.path;
    let hidden = format_ident!("__fuzz_{}", interface.name, span = path.span());
    let (turbofish, types) = match &interface.options.types {
        Some((_, types)) => {
            let reference = interface.has_reference().then(|| quote!(_,));
            (
                quote!(::<#(#types,)* #reference _>),
                format!("<{}>", types.iter().map(text).collect::<Vec<_>>().join(", ")),
            )
        }
        None => (quote!(), String::new()),
    };
    let makers = makers(interface, &path.to_token_stream(), &text(path), &types);
    let run = quote!(&mut |entropy, ops| #hidden #turbofish (#makers, entropy, ops));
    let (vis, bytes) = (&interface.item.vis, format_ident!("fuzz_{}_bytes", interface.name));
    let name = format_ident!("fuzz_{}_test", interface.name);
    let test = interface.options.no_test.is_none().then(|| {
        quote! {
            #[cfg(test)]
            #[allow(clippy::all)]
            #[test]
            fn #name() {
                ::tandem::interfaces::run_test(#run);
            }
        }
    });
    quote! {
        #test

        /// One case of a libFuzzer target, which `tandem::interface_target!` defines; whether the bytes are worth keeping.
        ///
        /// # Panics
        /// With the report of the first inconsistency.
        #[allow(clippy::all, dead_code)]
        #vis fn #bytes(bytes: &[u8]) -> bool {
            ::tandem::interfaces::run_bytes(bytes, #run)
        }
    }
}
