//! The `Plan` of a trait: types and an implementation, inside of the hidden function.

use proc_macro2::TokenStream;
use quote::{ToTokens as _, format_ident, quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{GenericParam, Generics, Ident, WherePredicate, parse_quote};

use crate::model::{Interface, Operation, find_self};
use crate::text::{renamed, text};
use crate::types::{Generators, Passed, rules};

/// The generics of what is generated.
pub struct Parameters {
    /// Those of the trait, each with what a parameter must be.
    pub own: Generics,
    /// With `__Reference` and `__Test`.
    pub all: Generics,
    /// The trait with its parameters.
    pub interface: TokenStream,
}

impl Parameters {
    pub fn of(interface: &Interface<'_>) -> Self {
        let mut own = interface.item.generics.clone();
        for parameter in &mut own.params {
            match parameter {
                GenericParam::Type(parameter) => {
                    parameter.default = None;
                    parameter.bounds.push(parse_quote!(::tandem::interfaces::Value));
                }
                GenericParam::Const(parameter) => parameter.default = None,
                GenericParam::Lifetime(_) => {}
            }
        }
        if let Some(clause) = &mut own.where_clause {
            // What it says of the object itself holds for every implementation.
            let is_of_object =
                |predicate: &WherePredicate| find_self(predicate.to_token_stream(), false).is_some();
            clause.predicates =
                clause.predicates.iter().filter(|predicate| !is_of_object(predicate)).cloned().collect();
        }
        let ident = &interface.item.ident;
        let types = own.split_for_impl().1.to_token_stream();
        let interface_type = quote!(#ident #types);
        let mut all = own.clone();
        if interface.has_reference() {
            all.params.push(parse_quote!(__Reference: #interface_type));
        }
        all.params.push(parse_quote!(__Test: #interface_type));
        Self { own, all, interface: interface_type }
    }

    /// A type that uses all type parameters of a list, and is no value.
    fn phantom(generics: &Generics) -> TokenStream {
        let types = generics.type_params().map(|parameter| &parameter.ident);
        quote!(::core::marker::PhantomData<fn() -> (#(#types,)*)>)
    }
}

/// The tuple of the constructors' arguments.
pub fn arguments_type(interface: &Interface<'_>) -> TokenStream {
    let owned = interface.arguments.iter().map(|argument| &argument.owned);
    quote!((#(#owned,)*))
}

fn places(operation: &Operation) -> Vec<Ident> {
    (0..operation.arguments.len()).map(|at| format_ident!("a{at}")).collect()
}

/// Everything that the hidden function has before its last expression.
pub fn items(interface: &Interface<'_>, parameters: &Parameters) -> TokenStream {
    let (own_parameters, own_types, own_where) = parameters.own.split_for_impl();
    let (all_parameters, all_types, all_where) = parameters.all.split_for_impl();
    let (own_phantom, all_phantom) =
        (Parameters::phantom(&parameters.own), Parameters::phantom(&parameters.all));
    let variants = interface.operations.iter().map(|operation| {
        let (ident, owned) = (&operation.ident, operation.arguments.iter().map(|argument| &argument.owned));
        quote!(#ident(#(#owned),*))
    });
    let invariants = invariants(interface, parameters);
    let (constants, functions) = (constants(interface), functions(interface, parameters));
    let arguments = arguments_type(interface);
    let states = &interface.states;
    let reference = if interface.has_reference() { quote!(__Reference) } else { quote!(()) };
    quote! {
        #[derive(::core::clone::Clone)]
        enum __Operation #own_parameters #own_where {
            #(#variants,)*
            __Parameters(::core::convert::Infallible, #own_phantom),
        }
        struct __Plan #all_parameters (#all_phantom) #all_where;
        #invariants
        impl #all_parameters ::tandem::interfaces::Plan for __Plan #all_types #all_where {
            type Arguments = #arguments;
            type Operation = __Operation #own_types;
            type State = (#(#states,)*);
            type Reference = #reference;
            type Test = __Test;
            #constants
            #functions
        }
    }
}

/// A trait with the invariants: in its methods `self` is what they say it is.
fn invariants(interface: &Interface<'_>, parameters: &Parameters) -> TokenStream {
    let (own_parameters, own_types, own_where) = parameters.own.split_for_impl();
    let of = &parameters.interface;
    let arms = interface.beside.invariants.iter().enumerate().map(|(nth, expression)| {
        let holds = quote_spanned!(expression.span()=> {
            let holds: bool = #expression;
            holds
        });
        quote!(#nth => #holds,)
    });
    let mut object = parameters.own.clone();
    object.params.push(parse_quote!(__Object: #of));
    let object_parameters = object.split_for_impl().0;
    quote! {
        trait __Invariants #own_parameters: #of + ::core::marker::Sized #own_where {
            fn __holds(&mut self, nth: usize) -> bool {
                match nth {
                    #(#arms)*
                    _ => true,
                }
            }
        }
        impl #object_parameters __Invariants #own_types for __Object #own_where {}
    }
}

fn constants(interface: &Interface<'_>) -> TokenStream {
    let name = interface.item.ident.to_string();
    let calls = interface.operations.iter().map(|operation| {
        let (name, is_mut, returns) =
            (operation.ident.to_string(), operation.is_mut, operation.output.is_some());
        // The paths in it that are ours have no place in the source, from which their blanks would follow.
        let rules = text(rules_of(interface, operation)).replace(":: ", "::").replace(" ::", "::");
        let rules = rules.replace("::tandem::", " tandem::");
        quote!(::tandem::interfaces::Call { name: #name, is_mut: #is_mut, returns: #returns, rules: #rules })
    });
    let invariants = interface.beside.invariants.iter().map(|expression| {
        let (of_self, of_it) = (text(expression), renamed(expression, "self", "it"));
        quote!((#of_self, #of_it))
    });
    quote! {
        const INTERFACE: &'static str = #name;
        const CALLS: &'static [::tandem::interfaces::Call] = &[#(#calls),*];
        const INVARIANTS: &'static [(&'static str, &'static str)] = &[#(#invariants),*];
    }
}

fn rules_of(interface: &Interface<'_>, operation: &Operation) -> TokenStream {
    rules(operation.output.as_ref(), &interface.beside.comparisons, interface.options.error.is_some())
}

fn functions(interface: &Interface<'_>, parameters: &Parameters) -> TokenStream {
    let generating = generating(interface);
    let writing = writing(interface);
    let simplifying = simplifying(interface);
    let steps = interface.operations.iter().map(|operation| step(interface, parameters, operation));
    let types = parameters.own.split_for_impl().1.to_token_stream();
    quote! {
        #generating
        #writing
        #simplifying

        fn step(
            operation: &Self::Operation,
            reference: &mut Self::Reference,
            test: &mut Self::Test,
        ) -> ::core::result::Result<::tandem::interfaces::Step, ::tandem::interfaces::plan::Problem> {
            match operation {
                #(#steps)*
                __Operation::__Parameters(never, _) => match *never {},
            }
        }

        fn holds(nth: usize, test: &mut Self::Test) -> bool {
            <Self::Test as __Invariants #types>::__holds(test, nth)
        }
    }
}

fn step(interface: &Interface<'_>, parameters: &Parameters, operation: &Operation) -> TokenStream {
    let (ident, places, of) = (&operation.ident, places(operation), &parameters.interface);
    let passed: Vec<TokenStream> = operation
        .arguments
        .iter()
        .zip(&places)
        .map(|(argument, place)| argument.pass(&quote!(#place)))
        .collect();
    let run = if interface.has_reference() {
        let rules = rules_of(interface, operation);
        let span = operation.output.as_ref().map_or_else(|| ident.span(), |output| output.span());
        let agree = quote_spanned!(span=> ::tandem::agree!(*reference, *test #rules));
        quote!(::tandem::interfaces::step(
            move || <__Reference as #of>::#ident(reference, #(#passed),*),
            move || <__Test as #of>::#ident(test, #(#passed),*),
            |reference, test| #agree,
        ))
    } else {
        quote!(::tandem::interfaces::alone(move || <__Test as #of>::#ident(test, #(#passed),*)))
    };
    quote!(__Operation::#ident(#(#places),*) => #run,)
}

fn generating(interface: &Interface<'_>) -> TokenStream {
    let generators = Generators { beside: &interface.beside, states: &interface.states };
    let value = |argument: &Passed| generators.generate(&argument.of, &argument.owned);
    let arguments = interface.arguments.iter().map(value);
    let operations = interface.operations.iter().enumerate().map(|(nth, operation)| {
        let (ident, values) = (&operation.ident, operation.arguments.iter().map(value));
        quote!(#nth => __Operation::#ident(#(#values),*),)
    });
    let nths = interface.operations.iter().enumerate().map(|(nth, operation)| {
        let ident = &operation.ident;
        quote!(__Operation::#ident(..) => #nth,)
    });
    let result = quote!(::tandem::interfaces::arbitrary::Result);
    quote! {
        fn arguments(
            entropy: &mut ::tandem::interfaces::Unstructured<'_>,
            state: &mut Self::State,
        ) -> #result<Self::Arguments> {
            ::core::result::Result::Ok((#(#arguments,)*))
        }

        fn operation(
            nth: usize,
            entropy: &mut ::tandem::interfaces::Unstructured<'_>,
            state: &mut Self::State,
        ) -> #result<Self::Operation> {
            ::core::result::Result::Ok(match nth {
                #(#operations)*
                _ => ::core::unreachable!("there is no such operation"),
            })
        }

        fn nth(operation: &Self::Operation) -> usize {
            match operation {
                #(#nths)*
                __Operation::__Parameters(never, _) => match *never {},
            }
        }
    }
}

fn writing(interface: &Interface<'_>) -> TokenStream {
    let generators = Generators { beside: &interface.beside, states: &interface.states };
    let operations = interface.operations.iter().map(|operation| {
        let (ident, places) = (&operation.ident, places(operation));
        let texts = operation.arguments.iter().zip(&places);
        let texts = texts.map(|(argument, place)| generators.passed_literal(argument, &quote!(#place)));
        quote!(__Operation::#ident(#(#places),*) => ::std::vec![#(#texts),*],)
    });
    let arguments = interface.arguments.iter().enumerate().map(|(at, argument)| {
        let at = syn::Index::from(at);
        generators.passed_literal(argument, &quote!((&arguments.#at)))
    });
    quote! {
        fn literals(operation: &Self::Operation) -> ::std::vec::Vec<::std::string::String> {
            match operation {
                #(#operations)*
                __Operation::__Parameters(never, _) => match *never {},
            }
        }

        fn argument_literals(arguments: &Self::Arguments) -> ::std::vec::Vec<::std::string::String> {
            ::std::vec![#(#arguments),*]
        }
    }
}

fn simplifying(interface: &Interface<'_>) -> TokenStream {
    let generators = Generators { beside: &interface.beside, states: &interface.states };
    let operations = interface.operations.iter().map(|operation| {
        let (ident, places) = (&operation.ident, places(operation));
        let each = operation.arguments.iter().zip(&places).enumerate().map(|(at, (argument, place))| {
            let values = generators.simpler(argument, &quote!(#place));
            let all = places.iter().enumerate().map(|(other, place)| {
                if other == at { quote!(simple) } else { quote!(::core::clone::Clone::clone(#place)) }
            });
            quote!(all.extend(#values.into_iter().map(|simple| __Operation::#ident(#(#all),*)));)
        });
        quote!(__Operation::#ident(#(#places),*) => { #(#each)* })
    });
    let arguments = interface.arguments.iter().enumerate().map(|(at, argument)| {
        let at = syn::Index::from(at);
        let values = generators.simpler(argument, &quote!((&arguments.#at)));
        quote!(all.extend(#values.into_iter().map(|simple| {
            let mut other = ::core::clone::Clone::clone(arguments);
            other.#at = simple;
            other
        }));)
    });
    quote! {
        fn simpler(operation: &Self::Operation) -> ::std::vec::Vec<Self::Operation> {
            let mut all = ::std::vec::Vec::new();
            match operation {
                #(#operations)*
                __Operation::__Parameters(never, _) => match *never {},
            }
            all
        }

        fn simpler_arguments(arguments: &Self::Arguments) -> ::std::vec::Vec<Self::Arguments> {
            let mut all = ::std::vec::Vec::new();
            #(#arguments)*
            all
        }
    }
}
