//! Makes findings, also of calls that cannot be checked.

use std::ops::Range;

use proc_macro2::Span;
use syn::Expr;

use super::Checker;
use crate::{
    finding::{Finding, Place},
    rules::Rule,
    tokens,
};

impl Checker<'_> {
    /// A call of a macro of the tree that fits none of its rules, or too deep.
    pub(super) fn not_expanded(&mut self, at: Span) {
        let range = at.byte_range();
        let here = range.start + self.context.base..range.end + self.context.base;
        self.report(
            Rule::UnresolvedName,
            self.call_place().unwrap_or(here),
            "this macro records metrics, and its call cannot be expanded: not checked".to_owned(),
            "fits no rule of the macro, or goes too deep",
            vec!["name the metric and its labels in a macro of `metrics` or of the facade".to_owned()],
            None,
        );
    }

    /// A macro of a package that is not in the tree.
    pub(super) fn unread_macro(&mut self, path: &[String], at: Span) {
        let range = at.byte_range();
        self.report(
            Rule::UnreadMacro,
            range.start + self.context.base..range.end + self.context.base,
            format!(
                "`{}!` is of another package, and is called as if it recorded a metric: not checked",
                path.join("::")
            ),
            "not in this tree",
            vec!["use `metrics` or the facade here, or allow this".to_owned()],
            None,
        );
    }

    /// The source of an expression, on one line.
    pub(super) fn shown(&self, expr: &Expr) -> String {
        if let Expr::Path(path) = expr
            && let Some(ident) = path.path.get_ident()
            && let Some(variable) = tokens::variable(&ident.to_string())
        {
            return format!("${variable}");
        }
        let range = self.place(expr).unwrap_or_default();
        let source = self.text.source.get(range).unwrap_or_default();
        let words = source.split_whitespace().collect::<Vec<_>>().join(" ");
        if words.chars().count() > 60 { words.chars().take(57).chain("...".chars()).collect() } else { words }
    }

    pub(super) fn report(
        &mut self,
        rule: Rule,
        at: Range<usize>,
        message: String,
        caption: &str,
        help: Vec<String>,
        label: Option<&str>,
    ) {
        self.report_at(rule, at, message, caption, help, label, false);
    }

    #[expect(clippy::too_many_arguments, reason = "a finding has as many parts")]
    pub(super) fn report_at(
        &mut self,
        rule: Rule,
        at: Range<usize>,
        message: String,
        caption: &str,
        help: Vec<String>,
        label: Option<&str>,
        depends: bool,
    ) {
        self.checked.findings.push(Finding {
            rule,
            level: rule.level(),
            file: self.context.display.clone(),
            place: Some(Place::new(self.text, at)),
            message,
            caption: caption.to_owned(),
            help,
            label: label.map(str::to_owned),
            until_expanded: self.definition.filter(|_| depends),
            is_guess: false,
        });
    }
}
