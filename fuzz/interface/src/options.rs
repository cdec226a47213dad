//! The arguments of the attribute, and the attributes beside it.

use proc_macro2::{Span, TokenStream};
use quote::ToTokens as _;
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream, Parser as _};
use syn::punctuated::Punctuated;
use syn::{
    Attribute, Error, Expr, ExprPath, GenericArgument, Ident, ItemTrait, Result, Token, TraitItem, Type,
};

/// A function that makes an object.
pub struct Constructor {
    pub path: ExprPath,
    /// The types of its arguments, if there are parentheses.
    pub arguments: Option<Vec<Type>>,
}

impl Parse for Constructor {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let path = input.parse()?;
        let mut arguments = None;
        if input.peek(syn::token::Paren) {
            let inner;
            syn::parenthesized!(inner in input);
            arguments = Some(Punctuated::<Type, Token![,]>::parse_terminated(&inner)?.into_iter().collect());
        }
        Ok(Self { path, arguments })
    }
}

/// The arguments of the attribute.
#[derive(Default)]
pub struct Options {
    pub reference: Option<Constructor>,
    pub test: Option<Constructor>,
    pub name: Option<Ident>,
    /// The types that the `#[test]` of a generic trait has.
    pub types: Option<(Ident, Vec<GenericArgument>)>,
    pub no_test: Option<Ident>,
    pub invariant_only: Option<Ident>,
    /// Whether errors are compared by their codes.
    pub error: Option<Ident>,
}

const OPTIONS: &str = "reference, test, invariant_only, error, name, types, no_test";

impl Options {
    pub fn parse(arguments: TokenStream) -> Result<Self> {
        let mut options = Self::default();
        let mut seen: Vec<Ident> = Vec::new();
        let parser = |input: ParseStream<'_>| {
            while !input.is_empty() {
                let key = Ident::parse_any(input)?;
                if seen.contains(&key) {
                    return Err(Error::new(key.span(), format!("`{key}` is there twice")));
                }
                options.option(&key, input)?;
                seen.push(key);
                if !input.is_empty() {
                    input.parse::<Token![,]>()?;
                }
            }
            Ok(())
        };
        parser.parse2(arguments)?;
        Ok(options)
    }

    fn option(&mut self, key: &Ident, input: ParseStream<'_>) -> Result<()> {
        let name = key.to_string();
        match name.as_str() {
            "no_test" => {
                self.no_test = Some(key.clone());
                return Ok(());
            }
            "invariant_only" => {
                self.invariant_only = Some(key.clone());
                return Ok(());
            }
            "reference" | "test" | "name" | "types" | "error" => input.parse::<Token![=]>()?,
            _ => {
                return Err(Error::new(
                    key.span(),
                    format!("there is no option `{name}`: there are {OPTIONS}"),
                ));
            }
        };
        match name.as_str() {
            "reference" => self.reference = Some(input.parse()?),
            "test" => self.test = Some(input.parse()?),
            "name" => self.name = Some(input.parse()?),
            "types" => {
                let inner;
                syn::parenthesized!(inner in input);
                let types = Punctuated::<GenericArgument, Token![,]>::parse_terminated(&inner)?;
                self.types = Some((key.clone(), types.into_iter().collect()));
            }
            _ => {
                let what = Ident::parse_any(input)?;
                if what != "code" {
                    return Err(Error::new(
                        what.span(),
                        "there is only `error = code`: without it, both must fail",
                    ));
                }
                self.error = Some(what);
            }
        }
        Ok(())
    }
}

/// A generator for a type.
pub struct Generator {
    pub of: Type,
    pub path: ExprPath,
    pub state: Option<Type>,
}

impl Parse for Generator {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let Comparison { of, path } = input.parse()?;
        let mut state = None;
        if !input.is_empty() {
            input.parse::<Token![,]>()?;
            let key: Ident = input.parse()?;
            if key != "state" {
                return Err(Error::new(key.span(), "there is only `state = Type`"));
            }
            input.parse::<Token![=]>()?;
            state = Some(input.parse()?);
        }
        Ok(Self { of, path, state })
    }
}

/// A function that compares a type.
pub struct Comparison {
    pub of: Type,
    pub path: ExprPath,
}

impl Parse for Comparison {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let of = input.parse()?;
        input.parse::<Token![=]>()?;
        Ok(Self { of, path: input.parse()? })
    }
}

/// The attributes of the trait beside this one.
#[derive(Default)]
pub struct Beside {
    pub invariants: Vec<Expr>,
    pub generators: Vec<Generator>,
    pub comparisons: Vec<Comparison>,
    /// Methods that are no operations.
    pub skipped: Vec<Ident>,
    /// What is wrong with the attributes.
    pub error: Option<Error>,
}

impl Beside {
    /// Takes them from the trait.
    pub fn take(item: &mut ItemTrait) -> Self {
        let mut beside = Self::default();
        let mut error: Option<Error> = None;
        let mut note = |result: Result<()>| {
            if let Err(new) = result {
                match &mut error {
                    Some(error) => error.combine(new),
                    None => error = Some(new),
                }
            }
        };
        item.attrs.retain(|attribute| {
            let Some(known) = beside.read(attribute) else { return true };
            note(known);
            false
        });
        for item in &mut item.items {
            let TraitItem::Fn(method) = item else { continue };
            let before = method.attrs.len();
            method.attrs.retain(|attribute| {
                let is_skip = attribute.path().is_ident("skip");
                if is_skip {
                    note(attribute.meta.require_path_only().map(drop));
                }
                !is_skip
            });
            if method.attrs.len() < before {
                beside.skipped.push(method.sig.ident.clone());
            }
        }
        beside.error = error;
        beside
    }

    /// `None` if it is none of ours.
    fn read(&mut self, attribute: &Attribute) -> Option<Result<()>> {
        let name = attribute.path().get_ident()?.unraw().to_string();
        Some(match name.as_str() {
            "invariant" => attribute.parse_args().map(|expression| self.invariants.push(expression)),
            "gen" => attribute.parse_args::<Generator>().and_then(|generator| {
                unique(&generator.of, self.generators.iter().map(|other| &other.of))?;
                self.generators.push(generator);
                Ok(())
            }),
            "compare" => attribute.parse_args::<Comparison>().and_then(|comparison| {
                unique(&comparison.of, self.comparisons.iter().map(|other| &other.of))?;
                self.comparisons.push(comparison);
                Ok(())
            }),
            _ => return None,
        })
    }
}

fn unique<'t>(of: &Type, mut others: impl Iterator<Item = &'t Type>) -> Result<()> {
    if others.any(|other| is_same(of, other)) {
        return Err(Error::new_spanned(of, "this type is there twice"));
    }
    Ok(())
}

/// Whether two types are written in the same way.
pub fn is_same(one: &Type, other: &Type) -> bool {
    one.to_token_stream().to_string() == other.to_token_stream().to_string()
}

/// An error about the whole attribute.
pub fn at_attribute(message: &str) -> Error {
    Error::new(Span::call_site(), message)
}
