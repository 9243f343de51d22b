//! The walk through a file: finds the calls, and keeps track of what each name is bound to.

use std::collections::HashSet;

use syn::{Expr, Pat, Type, spanned::Spanned, visit::Visit};

use super::{Checker, calls::MAPS, expressions};
use crate::{
    eval::Known,
    names::ModuleId,
    resolve::Frame,
    scope, tokens,
    value::{self, Path, Value, plain, segments},
};

/// Macros of the standard library and of common packages whose arguments are expressions and nothing else.
const ORDINARY: &[&str] = &[
    "assert",
    "assert_eq",
    "assert_ne",
    "concat",
    "dbg",
    "debug_assert",
    "debug_assert_eq",
    "debug_assert_ne",
    "eprint",
    "eprintln",
    "format",
    "format_args",
    "panic",
    "print",
    "println",
    "todo",
    "unimplemented",
    "unreachable",
    "vec",
    "write",
    "writeln",
    "anyhow",
    "bail",
    "ensure",
    "join",
    "try_join",
    "pin",
    "block_on",
];

impl Visit<'_> for Checker<'_> {
    fn visit_item_mod(&mut self, item: &syn::ItemMod) {
        let Some((_, items)) = &item.content else { return };
        let name = plain(&item.ident);
        let names = self.context.names;
        let nth = self.twins.entry((self.module, name.clone())).or_default();
        let all: Vec<ModuleId> =
            names.inner(self.module, &name).iter().copied().filter(|id| names.is_in(*id, self.context.file)).collect();
        let found = all.get(*nth).or(all.last()).copied();
        *nth += 1;
        match found.filter(|_| self.frames.is_empty()) {
            Some(module) => {
                let outer = std::mem::replace(&mut self.module, module);
                items.iter().for_each(|item| self.visit_item(item));
                self.module = outer;
            }
            None => {
                let scope = scope::collect(items, self.source()).scope;
                let frame = Frame { scope: Some(scope), is_barrier: true, ..Frame::default() };
                self.within(frame, |this| items.iter().for_each(|item| this.visit_item(item)));
            }
        }
    }

    fn visit_item_impl(&mut self, item: &syn::ItemImpl) {
        let ty = match &*item.self_ty {
            Type::Path(path) if path.qself.is_none() => Some(segments(&path.path)),
            _ => None,
        };
        let outer = std::mem::replace(&mut self.self_type, ty);
        self.generic(&item.generics, |this| syn::visit::visit_item_impl(this, item));
        self.self_type = outer;
    }

    fn visit_item_trait(&mut self, item: &syn::ItemTrait) {
        let outer = self.self_type.take();
        self.generic(&item.generics, |this| syn::visit::visit_item_trait(this, item));
        self.self_type = outer;
    }

    fn visit_item_fn(&mut self, item: &syn::ItemFn) {
        let outer = self.self_type.take();
        self.function(&item.sig, Some(&item.block));
        self.self_type = outer;
    }

    fn visit_impl_item_fn(&mut self, item: &syn::ImplItemFn) {
        self.function(&item.sig, Some(&item.block));
    }

    fn visit_trait_item_fn(&mut self, item: &syn::TraitItemFn) {
        self.function(&item.sig, item.default.as_ref());
    }

    fn visit_item_const(&mut self, item: &syn::ItemConst) {
        self.within(Frame { is_barrier: true, ..Frame::default() }, |this| {
            this.visit_expr(&item.expr);
            this.typed(&item.ty, &item.expr);
        });
    }

    fn visit_item_static(&mut self, item: &syn::ItemStatic) {
        self.within(Frame { is_barrier: true, ..Frame::default() }, |this| {
            this.visit_expr(&item.expr);
            this.typed(&item.ty, &item.expr);
        });
    }

    fn visit_item_struct(&mut self, item: &syn::ItemStruct) {
        self.derived(&item.attrs, &item.fields);
        syn::visit::visit_item_struct(self, item);
    }

    fn visit_item_macro(&mut self, item: &syn::ItemMacro) {
        match &item.ident {
            Some(ident) if item.mac.path.is_ident("macro_rules") => {
                let start = ident.span().byte_range().start + self.context.base;
                let outer = self.definition.replace((self.context.file, start));
                self.unordered(tokens::without_variables(item.mac.tokens.clone()));
                self.definition = outer;
            }
            _ => self.visit_macro(&item.mac),
        }
    }

    fn visit_macro(&mut self, mac: &syn::Macro) {
        let path = segments(&mac.path);
        if self.macro_call(&path, &mac.tokens, mac.path.span()) {
            return;
        }
        let is_ordinary = path.last().is_some_and(|last| ORDINARY.contains(&last.as_str()));
        match expressions(mac.tokens.clone()).filter(|_| is_ordinary) {
            Some(all) => all.iter().for_each(|expr| self.visit_expr(expr)),
            None => self.unordered(mac.tokens.clone()),
        }
    }

    fn visit_block(&mut self, block: &syn::Block) {
        let frame = Frame { scope: Some(scope::of_block(block.stmts.iter(), self.source())), ..Frame::default() };
        let body = self.body.take();
        self.within(frame, |this| {
            block.stmts.iter().for_each(|statement| this.visit_stmt(statement));
            if let (Some(ty), Some(syn::Stmt::Expr(tail, None))) = (body, block.stmts.last()) {
                this.typed(&ty, tail);
            }
        });
    }

    fn visit_local(&mut self, local: &syn::Local) {
        let ty = match &local.pat {
            Pat::Type(typed) => Some(&*typed.ty),
            _ => None,
        };
        let Some(init) = &local.init else {
            return self.bind(&local.pat, &Known::Unknown);
        };
        self.visit_expr(&init.expr);
        if let Some((_, diverge)) = &init.diverge {
            self.visit_expr(diverge);
        }
        let pat = match &local.pat {
            Pat::Type(typed) => &*typed.pat,
            pat => pat,
        };
        let mut known = self.known(&value::of_typed(ty, &init.expr));
        if let Some(ty) = ty
            && self.typed(ty, &init.expr)
        {
            known = built(known);
        }
        if matches!(pat, Pat::Ident(ident) if ident.mutability.is_some()) {
            known = grown(known);
        }
        self.bind(&local.pat, &known);
    }

    fn visit_arm(&mut self, arm: &syn::Arm) {
        self.within(Frame::default(), |this| {
            this.bind(&arm.pat, &Known::Unknown);
            syn::visit::visit_arm(this, arm);
        });
    }

    fn visit_expr_closure(&mut self, closure: &syn::ExprClosure) {
        self.within(Frame::default(), |this| {
            for input in &closure.inputs {
                let is_labels = matches!(input, Pat::Type(typed) if value::holds_labels(&typed.ty));
                let known = this.known(&if is_labels { value::some_labels() } else { Value::Unknown });
                this.bind(input, &known);
            }
            this.returns.push(None);
            this.visit_expr(&closure.body);
            this.returns.pop();
        });
    }

    fn visit_expr_for_loop(&mut self, looped: &syn::ExprForLoop) {
        self.visit_expr(&looped.expr);
        let known = match self.known(&value::of(&looped.expr)) {
            Known::List(all) => any_of(all),
            _ => Known::Unknown,
        };
        self.within(Frame::default(), |this| {
            this.bind(&looped.pat, &known);
            this.visit_block(&looped.body);
        });
    }

    fn visit_expr_let(&mut self, binding: &syn::ExprLet) {
        self.visit_expr(&binding.expr);
        self.bind(&binding.pat, &Known::Unknown);
    }

    fn visit_expr_if(&mut self, branch: &syn::ExprIf) {
        self.within(Frame::default(), |this| {
            this.visit_expr(&branch.cond);
            this.visit_block(&branch.then_branch);
        });
        if let Some((_, other)) = &branch.else_branch {
            self.visit_expr(other);
        }
    }

    fn visit_expr_while(&mut self, looped: &syn::ExprWhile) {
        self.within(Frame::default(), |this| {
            this.visit_expr(&looped.cond);
            this.visit_block(&looped.body);
        });
    }

    fn visit_expr_return(&mut self, returned: &syn::ExprReturn) {
        if let (Some(expr), Some(Some(ty))) = (&returned.expr, self.returns.last().cloned()) {
            self.typed(&ty, expr);
        }
        syn::visit::visit_expr_return(self, returned);
    }

    fn visit_expr_call(&mut self, call: &syn::ExprCall) {
        match &*call.func {
            Expr::Path(path) => self.function_call(&value::qualified(path), &call.args.iter().collect::<Vec<_>>()),
            function => self.visit_expr(function),
        }
        call.args.iter().for_each(|argument| self.visit_expr(argument));
    }

    fn visit_expr_path(&mut self, path: &syn::ExprPath) {
        self.function_value(path);
    }

    fn visit_expr_method_call(&mut self, call: &syn::ExprMethodCall) {
        let receiver = match &*call.receiver {
            Expr::Path(path) => segments(&path.path),
            _ => Path::new(),
        };
        let method = plain(&call.method);
        let arguments: Vec<&Expr> = call.args.iter().collect();
        self.method_call(&receiver, Some(call), &method, &arguments);
        self.visit_expr(&call.receiver);
        if !(MAPS.contains(&method.as_str()) && matches!(arguments.as_slice(), [Expr::Path(_)])) {
            arguments.into_iter().for_each(|argument| self.visit_expr(argument));
        }
    }

    fn visit_stmt_macro(&mut self, call: &syn::StmtMacro) {
        self.visit_macro(&call.mac);
        // A macro such as `let_assert!` may bind what it is given.
        let is_known = scope::is_expression_macro(&call.mac) || self.may_matter(&segments(&call.mac.path));
        if !is_known {
            let mut names = HashSet::new();
            scope::idents(&call.mac.tokens, &mut names);
            let bound =
                |name: &String| self.frames.iter().any(|frame| frame.variables.contains_key(&(name.clone(), false)));
            let names: Vec<String> = names.into_iter().filter(bound).collect();
            if let Some(frame) = self.frames.last_mut() {
                frame.variables.extend(names.into_iter().map(|name| ((name, false), Known::Unknown)));
            }
        }
    }
}

/// One of the elements of a list.
fn any_of(all: Vec<Known>) -> Known {
    let mut texts = Vec::new();
    let mut pairs = Vec::new();
    for one in all {
        match one {
            Known::Texts(more) => texts.extend(more),
            Known::Pair(name) => match *name {
                Known::Texts(more) => pairs.extend(more),
                _ => return Known::Unknown,
            },
            _ => return Known::Unknown,
        }
    }
    match (texts.is_empty(), pairs.is_empty()) {
        (false, true) => Known::Texts(texts),
        (true, false) => Known::Pair(Box::new(Known::Texts(pairs))),
        _ => Known::Unknown,
    }
}

/// The labels of a variable whose type says that they are `Label`s: the pairs in it were checked.
fn built(known: Known) -> Known {
    match known {
        Known::List(all) => Known::List(
            all.into_iter()
                .map(|one| match one {
                    Known::Pair(name) => Known::Built(name),
                    other => other,
                })
                .collect(),
        ),
        other => other,
    }
}

/// The value of a variable that may change: a list of `Label`s gets more of them, each checked where it is built.
fn grown(known: Known) -> Known {
    match known {
        Known::List(mut labels) => {
            if labels.is_empty() || labels.iter().any(|label| !matches!(label, Known::Built(_))) {
                labels.push(Known::Unknown);
            }
            Known::List(labels)
        }
        _ => Known::Unknown,
    }
}
