//! The grammar of `families!`.

use proc_macro2::{Ident, TokenStream};
use syn::{
    Attribute, Expr, LitStr, Path, Token, Visibility, braced, bracketed,
    ext::IdentExt,
    parse::{Parse, ParseStream, Parser},
    punctuated::Punctuated,
};

/// One declaration.
pub struct Declaration {
    pub vis: Visibility,
    pub kind: Ident,
    pub name: Ident,
    pub metric: LitStr,
    /// The bounds of `buckets [..]`.
    pub buckets: Option<Vec<Expr>>,
    pub labels: Vec<DeclaredLabel>,
    pub attributes: Vec<Attribute>,
}

/// A label of a declaration.
pub struct DeclaredLabel {
    pub name: Ident,
    /// Its values are an enum: everything but `str`, by whatever path.
    pub is_set: bool,
}

/// The declarations of a block.
pub fn parse(tokens: TokenStream) -> syn::Result<Vec<Declaration>> {
    block.parse2(tokens)
}

fn block(input: ParseStream<'_>) -> syn::Result<Vec<Declaration>> {
    let mut declarations = Vec::new();
    while !input.is_empty() {
        let attributes = input.call(Attribute::parse_outer)?;
        let vis = input.parse()?;
        let kind = input.call(Ident::parse_any)?;
        let name = input.call(Ident::parse_any)?;
        if kind == "list" && input.peek(Token![;]) {
            input.parse::<Token![;]>()?;
            continue;
        }
        input.parse::<Token![=]>()?;
        let metric = input.parse()?;
        let mut buckets = None;
        if input.peek(Ident::peek_any) {
            let word = input.call(Ident::parse_any)?;
            if word != "buckets" {
                return Err(syn::Error::new(word.span(), "not `buckets`"));
            }
            let bounds;
            bracketed!(bounds in input);
            buckets = Some(Punctuated::<Expr, Token![,]>::parse_terminated(&bounds)?.into_iter().collect());
        }
        let mut labels = Vec::new();
        if !input.peek(Token![;]) {
            let inside;
            braced!(inside in input);
            while !inside.is_empty() {
                labels.push(label(&inside)?);
                inside.parse::<Option<Token![,]>>()?;
            }
        }
        input.parse::<Token![;]>()?;
        declarations.push(Declaration { vis, kind, name, metric, buckets, labels, attributes });
    }
    Ok(declarations)
}

/// `name: str`, `name: Set`, `name: Set { .. }`.
fn label(input: ParseStream<'_>) -> syn::Result<DeclaredLabel> {
    input.call(Attribute::parse_outer)?;
    let name = input.call(Ident::parse_any)?;
    input.parse::<Token![:]>()?;
    let set = Path::parse_mod_style(input)?;
    if input.peek(syn::token::Brace) {
        let inside;
        braced!(inside in input);
        TokenStream::parse(&inside)?;
    }
    let is_text = set.segments.last().is_some_and(|last| last.ident == "str" || last.ident == "Text");
    Ok(DeclaredLabel { name, is_set: !is_text })
}
