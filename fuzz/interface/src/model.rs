//! The trait: its operations, and what cannot be one.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt as _;
use syn::{
    Error, FnArg, GenericParam, Generics, Ident, ItemTrait, ReceiverKind, Result, ReturnType, Safety,
    Signature, TraitItem, Type,
};

use crate::options::{Beside, Options, at_attribute, is_same};
use crate::types::{Passed, mentions};

/// Operations of an interface, at most: a byte chooses one.
const OPERATIONS_MAX: usize = 256;

/// A method.
pub struct Operation {
    pub ident: Ident,
    pub arguments: Vec<Passed>,
    pub is_mut: bool,
    pub output: Option<Type>,
}

/// A trait and what is to be made of it.
pub struct Interface<'i> {
    pub item: &'i ItemTrait,
    pub options: Options,
    pub beside: Beside,
    /// `x` of `fuzz_x`.
    pub name: String,
    pub operations: Vec<Operation>,
    /// Arguments of the constructors.
    pub arguments: Vec<Passed>,
    /// The states of generators, each once.
    pub states: Vec<Type>,
}

impl<'i> Interface<'i> {
    pub fn new(item: &'i ItemTrait, options: Options, mut beside: Beside) -> Result<Self> {
        let mut errors = Errors(beside.error.take());
        if let Some(token) = &item.unsafety {
            errors.add(Error::new_spanned(token, "an unsafe trait cannot be an interface"));
        }
        check_options(item, &options, &beside, &mut errors);
        let mut operations = Vec::new();
        for method in &item.items {
            let TraitItem::Fn(method) = method else { continue };
            if beside.skipped.contains(&method.sig.ident) {
                continue;
            }
            if let Some(attribute) = method.attrs.iter().find(|attribute| attribute.path().is_ident("cfg")) {
                errors.add(Error::new_spanned(attribute, "an operation cannot depend on `cfg`"));
            }
            match operation(&method.sig) {
                Ok(operation) => operations.push(operation),
                Err(error) => errors.add(error),
            }
        }
        if operations.len() > OPERATIONS_MAX {
            errors.add(Error::new_spanned(
                &item.ident,
                format!("there are more than {OPERATIONS_MAX} operations"),
            ));
        }
        if operations.is_empty() && errors.0.is_none() {
            errors.add(Error::new_spanned(
                &item.ident,
                "there is no operation: no method with `&self` or `&mut self`",
            ));
        }
        let constructor = options.reference.as_ref().or(options.test.as_ref());
        let types = constructor.and_then(|constructor| constructor.arguments.clone()).unwrap_or_default();
        let arguments: Vec<Passed> = types.iter().filter_map(|of| errors.take(Passed::new(of))).collect();
        let name = options
            .name
            .as_ref()
            .map_or_else(|| snake_case(&item.ident.unraw().to_string()), Ident::to_string);
        let mut states: Vec<Type> = Vec::new();
        for state in beside.generators.iter().filter_map(|generator| generator.state.as_ref()) {
            if !states.iter().any(|other| is_same(other, state)) {
                states.push(state.clone());
            }
        }
        let interface = Self { item, options, beside, name, operations, arguments, states };
        interface.check_use(&mut errors);
        errors.0.map_or(Ok(interface), Err)
    }

    /// What is named must be there.
    fn check_use(&self, errors: &mut Errors) {
        let all = self.operations.iter().flat_map(|operation| &operation.arguments).chain(&self.arguments);
        let taken: Vec<&Type> = all.map(|argument| &argument.of).collect();
        for generator in &self.beside.generators {
            if !taken.iter().any(|of| mentions(of, &generator.of)) {
                errors.add(Error::new_spanned(
                    &generator.of,
                    "no operation and no constructor has an argument of this type",
                ));
            }
        }
        let returned: Vec<&Type> =
            self.operations.iter().filter_map(|operation| operation.output.as_ref()).collect();
        for comparison in &self.beside.comparisons {
            if !returned.iter().any(|of| mentions(of, &comparison.of)) {
                errors.add(Error::new_spanned(&comparison.of, "no operation returns this type"));
            }
        }
    }

    /// Whether there is a reference.
    pub fn has_reference(&self) -> bool {
        self.options.invariant_only.is_none()
    }
}

fn check_options(item: &ItemTrait, options: &Options, beside: &Beside, errors: &mut Errors) {
    let reference = options.reference.as_ref();
    match (reference, &options.invariant_only) {
        (None, None) => errors.add(at_attribute(
            "an interface needs `reference = path(types of its arguments)`, or `invariant_only`",
        )),
        (Some(reference), Some(_)) => errors.add(Error::new_spanned(
            &reference.path,
            "with `invariant_only` there is no reference: the operations run once",
        )),
        (Some(_), None) => {
            if let Some(arguments) = options.test.as_ref().and_then(|test| test.arguments.as_ref())
                && let Some(first) = arguments.first()
            {
                errors.add(Error::new_spanned(
                    first,
                    "the test object has the arguments of the reference: `test = path`",
                ));
            }
        }
        (None, Some(key)) => {
            if beside.invariants.is_empty() {
                errors
                    .add(Error::new(key.span(), "with `invariant_only` there must be an `#[invariant(…)]`"));
            }
            if let Some(code) = &options.error {
                errors.add(Error::new(code.span(), "with `invariant_only` no errors are compared"));
            }
            if let Some(first) = beside.comparisons.first() {
                errors.add(Error::new_spanned(&first.of, "with `invariant_only` nothing is compared"));
            }
        }
    }
    if options.test.is_none() && options.no_test.is_none() {
        errors.add(at_attribute(
            "a `#[test]` needs `test = path`, which makes the test object; or there is `no_test`",
        ));
    }
    check_generics(&item.generics, options, errors);
}

fn check_generics(generics: &Generics, options: &Options, errors: &mut Errors) {
    for parameter in &generics.params {
        if let GenericParam::Lifetime(lifetime) = parameter {
            errors.add(Error::new_spanned(lifetime, "an interface cannot have lifetimes"));
        }
    }
    let count = generics.params.len();
    match (&options.types, &options.test) {
        (Some((key, _)), _) if count == 0 => {
            errors.add(Error::new(key.span(), "the trait has no type parameters"))
        }
        (Some((key, _)), None) => {
            errors
                .add(Error::new(key.span(), "`types` are those of the `#[test]`, which needs `test = path`"));
        }
        (Some((key, types)), Some(_)) if types.len() != count => {
            errors.add(Error::new(
                key.span(),
                format!("the trait has {count} parameters, not {}", types.len()),
            ));
        }
        (None, Some(_)) if count > 0 => errors.add(Error::new_spanned(
            &generics.params,
            "a generic trait needs `types = (…)`: those that its `#[test]` and its target run with",
        )),
        _ => {}
    }
}

/// The operation of a method.
fn operation(signature: &Signature) -> Result<Operation> {
    if let Some(token) = &signature.asyncness {
        return Err(Error::new_spanned(token, "an operation cannot be async"));
    }
    if let Safety::Unsafe(token) = &signature.safety {
        return Err(Error::new_spanned(token, "an operation cannot be unsafe"));
    }
    let skip = "`#[skip]` leaves the method out";
    for parameter in &signature.generics.params {
        if !matches!(parameter, GenericParam::Lifetime(_)) {
            return Err(Error::new_spanned(parameter, format!("an operation cannot be generic; {skip}")));
        }
    }
    let Some(receiver) = signature.receiver() else {
        return Err(Error::new_spanned(
            &signature.ident,
            format!("an operation has `&self` or `&mut self`; {skip}"),
        ));
    };
    let is_mut = match &receiver.kind {
        ReceiverKind::Reference(_, _, mutability) => mutability.is_some(),
        _ => {
            return Err(Error::new_spanned(
                receiver,
                format!("an operation has `&self` or `&mut self`; {skip}"),
            ));
        }
    };
    let mut arguments = Vec::new();
    for argument in signature.inputs.iter().skip(1) {
        let FnArg::Typed(argument) = argument else { continue };
        if let Some(token) = find_self(argument.ty.to_token_stream(), false) {
            return Err(Error::new_spanned(
                token,
                format!("an argument cannot depend on the object; {skip}"),
            ));
        }
        arguments.push(Passed::new(&argument.ty)?);
    }
    let output = match &signature.output {
        ReturnType::Default => None,
        ReturnType::Type(_, of) => Some((**of).clone()),
    };
    if let Some(of) = &output {
        if matches!(of, Type::ImplTrait(_)) {
            return Err(Error::new_spanned(
                of,
                format!("what an operation returns must have a name; {skip}"),
            ));
        }
        if let Some(token) = find_self(of.to_token_stream(), true) {
            return Err(Error::new_spanned(token, format!("the two sides are no values to compare; {skip}")));
        }
    }
    Ok(Operation { ident: signature.ident.clone(), arguments, is_mut, output })
}

/// `Self` in a type; `Self::Type` counts unless types of the trait are allowed.
pub fn find_self(tokens: TokenStream, allows_types: bool) -> Option<TokenTree> {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match &token {
            TokenTree::Ident(ident) if ident == "Self" => {
                let is_path =
                    matches!(tokens.peek(), Some(TokenTree::Punct(punct)) if punct.as_char() == ':');
                if !(allows_types && is_path) {
                    return Some(token);
                }
            }
            TokenTree::Group(group) => {
                if let Some(found) = find_self(group.stream(), allows_types) {
                    return Some(found);
                }
            }
            _ => {}
        }
    }
    None
}

/// `KeyValue` as `key_value`, `KVStore` as `kv_store`.
fn snake_case(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut out = String::new();
    for (at, letter) in letters.iter().enumerate() {
        let is_after_small = at > 0 && !letters[at - 1].is_uppercase() && letters[at - 1] != '_';
        let is_before_small = letters.get(at + 1).is_some_and(|next| next.is_lowercase());
        if letter.is_uppercase() && at > 0 && letters[at - 1] != '_' && (is_after_small || is_before_small) {
            out.push('_');
        }
        out.extend(letter.to_lowercase());
    }
    out
}

/// All that is wrong.
struct Errors(Option<Error>);

impl Errors {
    fn add(&mut self, error: Error) {
        match &mut self.0 {
            Some(all) => all.combine(error),
            None => self.0 = Some(error),
        }
    }

    fn take<T>(&mut self, result: Result<T>) -> Option<T> {
        result.map_err(|error| self.add(error)).ok()
    }
}
