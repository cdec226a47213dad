//! How a type is generated, written, made simpler and compared.
//!
//! What `#[gen]` and `#[compare]` name is looked for in `Option`, `Vec`, `Box`, tuples, slices and references, too. In other
//! types the rules of their own apply.

use proc_macro2::TokenStream;
use quote::{ToTokens as _, format_ident, quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{Error, GenericArgument, PathArguments, Result, Type};

use crate::options::{Beside, Comparison, Generator, is_same};

/// An argument: the value that is kept in the list of operations, and how it is passed.
pub struct Passed {
    /// The type without its reference.
    pub of: Type,
    /// The type of the value.
    pub owned: TokenStream,
    pub is_reference: bool,
    /// As it was written.
    pub written: Type,
}

impl Passed {
    pub fn new(written: &Type) -> Result<Self> {
        let (of, is_reference) = match written {
            Type::Reference(reference) => {
                if let Some(token) = &reference.mutability {
                    return Err(Error::new_spanned(token, "an argument of an operation cannot be `&mut`"));
                }
                ((*reference.elem).clone(), true)
            }
            Type::ImplTrait(_) => {
                return Err(Error::new_spanned(
                    written,
                    "an argument of an operation must have a type with a name",
                ));
            }
            _ => (written.clone(), false),
        };
        let span = of.span();
        let owned = match &of {
            Type::Slice(slice) => {
                let element = &slice.elem;
                quote_spanned!(span=> ::std::vec::Vec<#element>)
            }
            Type::Path(path) if path.path.is_ident("str") => quote_spanned!(span=> ::std::string::String),
            _ => of.to_token_stream(),
        };
        Ok(Self { of, owned, is_reference, written: written.clone() })
    }

    /// What is passed, of a place with a reference to the value.
    pub fn pass(&self, place: &TokenStream) -> TokenStream {
        if self.is_reference { quote!(#place) } else { quote!(::core::clone::Clone::clone(#place)) }
    }
}

/// A type that may hold another.
enum Container<'t> {
    Option(&'t Type),
    Vec(&'t Type),
    Box(&'t Type),
    Tuple(Vec<&'t Type>),
    Reference(&'t Type),
    Result(&'t Type),
    None,
}

fn container(of: &Type) -> Container<'_> {
    match of {
        Type::Paren(inner) => container(&inner.elem),
        Type::Group(inner) => container(&inner.elem),
        Type::Tuple(tuple) => Container::Tuple(tuple.elems.iter().collect()),
        Type::Slice(slice) => Container::Vec(&slice.elem),
        Type::Reference(reference) => Container::Reference(&reference.elem),
        Type::Path(path) => {
            let Some(last) = path.path.segments.last() else { return Container::None };
            let PathArguments::AngleBracketed(arguments) = &last.arguments else { return Container::None };
            let Some(GenericArgument::Type(first)) = arguments.args.first() else { return Container::None };
            match last.ident.to_string().as_str() {
                "Option" => Container::Option(first),
                "Vec" => Container::Vec(first),
                "Box" => Container::Box(first),
                "Result" => Container::Result(first),
                _ => Container::None,
            }
        }
        _ => Container::None,
    }
}

/// Whether a type is another, or holds it.
pub fn mentions(of: &Type, other: &Type) -> bool {
    is_same(of, other)
        || match container(of) {
            Container::Option(inner)
            | Container::Vec(inner)
            | Container::Box(inner)
            | Container::Reference(inner)
            | Container::Result(inner) => mentions(inner, other),
            Container::Tuple(inner) => inner.iter().any(|inner| mentions(inner, other)),
            Container::None => false,
        }
}

/// The generators of an interface.
pub struct Generators<'i> {
    pub beside: &'i Beside,
    pub states: &'i [Type],
}

impl Generators<'_> {
    fn of(&self, of: &Type) -> Option<&Generator> {
        self.beside.generators.iter().find(|generator| is_same(&generator.of, of))
    }

    /// Whether a value of the type has a part that a generator made.
    fn makes(&self, of: &Type) -> bool {
        self.beside.generators.iter().any(|generator| mentions(of, &generator.of))
    }

    /// An expression that generates a value, of `entropy` and `state`; `owned` is the type of what has no generator.
    pub fn generate(&self, of: &Type, owned: &TokenStream) -> TokenStream {
        let span = of.span();
        if let Some(generator) = self.of(of) {
            let path = &generator.path;
            let Some(state) = &generator.state else { return quote_spanned!(path.span()=> #path(entropy)?) };
            let at = self.states.iter().position(|other| is_same(other, state)).unwrap_or_default();
            let at = syn::Index::from(at);
            return quote_spanned!(path.span()=> #path(&mut state.#at, entropy)?);
        }
        let each = |inner: &Type| self.generate(inner, &inner.to_token_stream());
        match container(of) {
            _ if !self.makes(of) => {
                quote_spanned!(span=> <#owned as ::tandem::interfaces::Generate>::generate(entropy)?)
            }
            Container::Option(inner) => {
                let value = each(inner);
                quote!(if entropy.arbitrary::<bool>()? { ::core::option::Option::Some(#value) } else { ::core::option::Option::None })
            }
            Container::Vec(inner) => {
                let value = each(inner);
                quote!({
                    let mut list = ::std::vec::Vec::new();
                    for _ in 0..::tandem::interfaces::values::length(entropy)? {
                        list.push(#value);
                    }
                    list
                })
            }
            Container::Box(inner) => {
                let value = each(inner);
                quote!(::std::boxed::Box::new(#value))
            }
            Container::Tuple(inner) => {
                let values = inner.into_iter().map(each);
                quote!((#(#values,)*))
            }
            Container::Reference(_) | Container::Result(_) | Container::None => {
                quote_spanned!(span=> <#owned as ::tandem::interfaces::Generate>::generate(entropy)?)
            }
        }
    }

    /// An expression of the source text of the value to which `place` refers.
    pub fn literal(&self, of: &Type, place: &TokenStream) -> TokenStream {
        let span = of.span();
        let inner_place = quote!(inner);
        match container(of) {
            Container::Option(inner) if self.makes(of) => {
                let text = self.literal(inner, &inner_place);
                quote!(match #place {
                    ::core::option::Option::Some(inner) => ::std::format!("Some({})", #text),
                    ::core::option::Option::None => ::std::string::String::from("None"),
                })
            }
            Container::Vec(inner) if self.makes(of) => {
                let text = self.literal(inner, &inner_place);
                let vec = if matches!(of, Type::Slice(_)) { "{}" } else { "vec!{}" };
                quote!(::std::format!(#vec, ::tandem::interfaces::literals::listed(#place, |inner| #text)))
            }
            Container::Box(inner) if self.makes(of) => {
                let text = self.literal(inner, &inner_place);
                quote!({
                    let inner = &**#place;
                    ::std::format!("Box::new({})", #text)
                })
            }
            Container::Tuple(inner) if self.makes(of) => {
                let texts = inner.into_iter().enumerate().map(|(at, inner)| {
                    let at = syn::Index::from(at);
                    self.literal(inner, &quote!((&#place.#at)))
                });
                quote!(::tandem::interfaces::literals::tuple(&[#(#texts),*]))
            }
            Container::Vec(_) if matches!(of, Type::Slice(_)) => text_of(span, &quote!(#place.as_slice())),
            _ if matches!(of, Type::Path(path) if path.path.is_ident("str")) => {
                text_of(span, &quote!(#place.as_str()))
            }
            _ => text_of(span, place),
        }
    }

    /// The source text with which an argument is passed.
    pub fn passed_literal(&self, argument: &Passed, place: &TokenStream) -> TokenStream {
        let text = self.literal(&argument.of, place);
        let is_text = matches!(&argument.of, Type::Path(path) if path.path.is_ident("str"));
        if argument.is_reference && !is_text { quote!(::std::format!("&{}", #text)) } else { text }
    }

    /// An expression of simpler values; of what a generator made there are none.
    pub fn simpler(&self, argument: &Passed, place: &TokenStream) -> TokenStream {
        let owned = &argument.owned;
        if self.makes(&argument.of) {
            return quote!(::std::vec::Vec::<#owned>::new());
        }
        quote_spanned!(argument.of.span()=> <#owned as ::tandem::interfaces::Generate>::simpler(#place))
    }
}

fn text_of(span: proc_macro2::Span, place: &TokenStream) -> TokenStream {
    quote_spanned!(span=> {
        #[allow(unused_imports)]
        use ::tandem::interfaces::literals::{ByDebug as _, ByLiteral as _};
        (&::tandem::interfaces::literals::Text(#place)).text()
    })
}

/// The further arguments of `agree!` for what is returned, each behind a comma.
pub fn rules(output: Option<&Type>, comparisons: &[Comparison], by_code: bool) -> TokenStream {
    let code = by_code.then(|| quote!(, code));
    let Some(output) = output else { return code.into_token_stream() };
    if let Some(comparison) = comparisons.iter().find(|comparison| is_same(&comparison.of, output)) {
        let path = &comparison.path;
        return quote!(, whole = #path);
    }
    let value = match container(output) {
        Container::Result(value) => value,
        _ => output,
    };
    let values = comparison(value, comparisons, 0).map(|values| quote!(, values = #values));
    quote!(#code #values)
}

/// A function that compares two values with the functions that are named; `None` if none is named for a part of them.
fn comparison(of: &Type, comparisons: &[Comparison], depth: usize) -> Option<TokenStream> {
    if let Some(comparison) = comparisons.iter().find(|comparison| is_same(&comparison.of, of)) {
        return Some(comparison.path.to_token_stream());
    }
    let (a, b) = (format_ident!("a{depth}"), format_ident!("b{depth}"));
    let inner = |of| comparison(of, comparisons, depth + 1);
    match container(of) {
        Container::Option(of) => {
            let inner = inner(of)?;
            Some(quote!(|#a, #b| ::tandem::interfaces::compare::options(#a, #b, #inner)))
        }
        Container::Vec(of) => {
            let inner = inner(of)?;
            Some(quote!(|#a, #b| ::tandem::interfaces::compare::lists(#a, #b, #inner)))
        }
        Container::Box(of) | Container::Reference(of) => {
            let inner = inner(of)?;
            Some(quote!(|#a, #b| ::tandem::interfaces::compare::by(&**#a, &**#b, #inner)))
        }
        Container::Tuple(elements) => {
            elements.iter().any(|of| inner(of).is_some()).then_some(())?;
            let parts = elements.into_iter().enumerate().map(|(at, of)| {
                let at = syn::Index::from(at);
                match inner(of) {
                    Some(inner) => quote!(::tandem::interfaces::compare::by(&#a.#at, &#b.#at, #inner)),
                    None => quote!(::tandem::agree!(#a.#at, #b.#at).is_ok()),
                }
            });
            Some(quote!(|#a, #b| #(#parts)&&*))
        }
        Container::Result(_) | Container::None => None,
    }
}
