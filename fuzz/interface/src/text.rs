//! Tokens as the source text that they were, for reports.

use proc_macro2::{Delimiter, Spacing, Span, TokenStream, TokenTree};
use quote::ToTokens;

/// Line and column where a token begins or ends.
type Place = (usize, usize);

/// Text with the blanks of the source, of which each run is one space.
pub fn text(tokens: impl ToTokens) -> String {
    renamed(tokens, "", "")
}

/// The same with another name for a variable.
pub fn renamed(tokens: impl ToTokens, from: &str, to: &str) -> String {
    let mut writer = Writer { out: String::new(), end: None, is_joint: false, from, to };
    writer.tokens(tokens.to_token_stream());
    writer.out
}

fn places(span: Span) -> (Place, Place) {
    let span = span.unwrap();
    let place = |span: proc_macro::Span| (span.line(), span.column());
    (place(span.start()), place(span.end()))
}

struct Writer<'n> {
    out: String,
    end: Option<Place>,
    /// Whether the last token is the first half of one such as `::`.
    is_joint: bool,
    from: &'n str,
    to: &'n str,
}

impl Writer<'_> {
    fn tokens(&mut self, tokens: TokenStream) {
        let from = self.from;
        let is_renamed = |token: &TokenTree| matches!(token, TokenTree::Ident(ident) if ident == from);
        for token in tokens {
            match token {
                TokenTree::Group(group) => {
                    let (open, close) = match group.delimiter() {
                        Delimiter::Parenthesis => ("(", ")"),
                        Delimiter::Brace => ("{", "}"),
                        Delimiter::Bracket => ("[", "]"),
                        Delimiter::None => ("", ""),
                    };
                    // Parsed and written again, a group has but one span.
                    let (start, end) = places(group.span());
                    self.token(open, start, (start.0, start.1 + 1));
                    self.tokens(group.stream());
                    self.token(close, (end.0, end.1.saturating_sub(1)), end);
                }
                other => {
                    let (start, end) = places(other.span());
                    let text = other.to_string();
                    self.token(if is_renamed(&other) { self.to } else { &text }, start, end);
                    self.is_joint =
                        matches!(&other, TokenTree::Punct(punct) if punct.spacing() == Spacing::Joint);
                }
            }
        }
    }

    fn token(&mut self, text: &str, start: Place, end: Place) {
        if text.is_empty() {
            return;
        }
        let is_joint = std::mem::take(&mut self.is_joint);
        if !is_joint && self.end.is_some_and(|end| end != start) {
            self.out.push(' ');
        }
        self.out.push_str(text);
        self.end = Some(end);
    }
}
