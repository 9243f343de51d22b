//! The template of a request in poem. It comes from the first of these that has one:
//!
//! 1. The answer: poem's router leaves a `PathPattern` on it. Not if the answer is an error and the template is that of a mount
//!    (`nest`): a more specific template below the mount may have got lost.
//! 2. The templates that this middleware has seen: the most specific one that the path fits. The router would choose the same
//!    one. If two are equally specific, neither is taken.
//! 3. The mount of such an error.
//! 4. The request: it has a template if the middleware is below a route.
//!
//! Without a template a 404 is `unmatched`, and everything else is `unknown`.

use std::sync::OnceLock;

use poem::{
    PathPattern, Request,
    http::{StatusCode, uri::PathAndQuery},
};

use super::{
    path_matcher::{PathMatcher, Rank},
    template_aliases::{TemplateAliases, normalized},
};
use crate::{
    MonitoringService,
    builtin::catalogue::Method,
    http::core::{
        labels::path_without_template,
        templates::{Path, SharedText},
        tracker::{Framework, RequestTracker},
    },
    schema::names::own_name,
    storage::store::Store,
};

pub(crate) type Tracker = RequestTracker<Poem>;
pub(crate) type InProgress<'a> = crate::http::core::tracker::InProgress<Poem, &'a Tracker>;
type Templates = crate::http::core::templates::Templates<PathPattern, Seen>;

impl SharedText for PathPattern {
    #[inline]
    fn text(&self) -> &str {
        &self.0
    }
}

/// poem's routes, under the names that were written for them.
#[derive(Debug)]
pub(crate) struct Poem(TemplateAliases);

/// What is kept of a request until there is an answer.
#[derive(Debug)]
pub(crate) struct Asked {
    /// Used if the template gets lost. Never a label value.
    target: Option<PathAndQuery>,
    /// The template that the request came with: the middleware is below a route.
    given: Option<PathPattern>,
}

/// A template as poem has it, and the paths that fit it.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    whole: OnceLock<(Box<str>, Option<PathMatcher>)>,
    /// Matches the paths below the template. Made once there was such a path, because then the template is a mount.
    below: OnceLock<Option<PathMatcher>>,
}

impl Seen {
    fn learn(&self, template: &str) {
        self.whole.get_or_init(|| (template.into(), PathMatcher::new(template)));
    }

    fn rank(&self, path: &str) -> Option<&[Rank]> {
        let own = self.whole.get().and_then(|(_, matcher)| matcher.as_ref()?.rank(path));
        own.or_else(|| self.below.get()?.as_ref()?.rank(path))
    }
}

pub(crate) fn tracker(service: &MonitoringService, skip: &[String], aliases: &TemplateAliases) -> Tracker {
    let tracker = RequestTracker::new(service, skip, Poem(aliases.clone()));
    // Skipped templates are known from the start, so that a request which loses its template is skipped too.
    for template in skip {
        let template = aliases.of_poem(template);
        if let Some(seen) = tracker.templates.get_or_insert(template) {
            seen.cell.kept.learn(template);
        }
    }
    tracker
}

impl Asked {
    #[inline]
    pub(crate) fn new(req: &Request) -> Self {
        Self { target: target(req), given: req.data::<PathPattern>().cloned() }
    }

    /// Whether the path lies below a template, which is a mount then.
    fn is_below(&self, template: &str) -> bool {
        let rest = self.target.as_ref().and_then(|target| target.path().strip_prefix(template));
        rest.is_some_and(|rest| rest.starts_with('/') && !rest.trim_matches('/').is_empty())
    }
}

/// What the client asked for. `nest` rewrites the URI of a request. A request that no server made, as in a test, has no original
/// URI beside it.
#[inline]
fn target(req: &Request) -> Option<PathAndQuery> {
    let original = req.original_uri().path_and_query();
    // A request without an original URI shows `/` as the original.
    original.filter(|target| target.as_str().len() > 1).or_else(|| req.uri().path_and_query()).cloned()
}

impl Framework for Poem {
    type Template = PathPattern;
    type Kept = Seen;
    type Request = Asked;

    fn path<'a>(
        &'a self,
        templates: &'a Templates,
        store: &Store,
        asked: &'a Asked,
        answered: Option<&'a PathPattern>,
        status: StatusCode,
    ) -> Path<'a, PathPattern> {
        let is_error = status.is_client_error() || status.is_server_error();
        match answered {
            Some(template) if !is_error || !(template.0.is_empty() || asked.is_below(&template.0)) => {
                // In poem the template of what is nested at the root is empty.
                if template.0.is_empty() { Path::Text("/") } else { Path::Template(template) }
            }
            mount => path_of_no_route(templates, store, asked, mount, status),
        }
    }

    fn label<'a>(&'a self, template: &'a str, method: Method) -> &'a str {
        self.0.restored(template, method)
    }

    fn learn(seen: &Seen, template: &str, asked: Option<&Asked>) {
        seen.learn(template);
        if asked.is_some_and(|asked| asked.is_below(template)) {
            seen.below.get_or_init(|| PathMatcher::new(&format!("{template}/*")));
        }
    }
}

/// The path of a request that has no template, or only that of a mount.
#[cold]
fn path_of_no_route<'a>(
    templates: &'a Templates,
    store: &Store,
    asked: &'a Asked,
    mount: Option<&'a PathPattern>,
    status: StatusCode,
) -> Path<'a, PathPattern> {
    let is_found = status != StatusCode::NOT_FOUND;
    let seen = store.diagnostics.catch_and_report(own_name!("http_requests_total"), || {
        let path = asked.target.as_ref()?.path();
        if is_found { seen_as_normalized(templates, path) } else { seen(templates, path) }
    });
    match (seen.flatten(), mount.or(asked.given.as_ref())) {
        (Some(seen), _) => Path::Text(seen),
        (None, Some(mount)) if !mount.0.is_empty() => Path::Template(mount),
        (None, Some(_)) if is_found => Path::Text("/"),
        _ => Path::Text(path_without_template(status)),
    }
}

/// The most specific template seen so far that the path fits; nothing where two are equally so.
fn seen<'a>(templates: &'a Templates, path: &str) -> Option<&'a str> {
    let mut best: Option<(&[Rank], &Seen)> = None;
    let mut is_tied = false;
    for seen in templates.kept() {
        let Some(rank) = seen.rank(path) else { continue };
        match best {
            Some((least, _)) if rank > least => {}
            Some((least, _)) if rank == least => is_tied = true,
            _ => (best, is_tied) = (Some((rank, seen)), false),
        }
    }
    best.filter(|_| !is_tied)?.1.whole.get().map(|(text, _)| &**text)
}

/// The same for a request of which it is not known whether a route took it as it came: poem's `NormalizePath` may have
/// changed its slashes.
fn seen_as_normalized<'a>(templates: &'a Templates, path: &str) -> Option<&'a str> {
    let trimmed = normalized(path);
    let trimmed = trimmed.trim_end_matches('/');
    seen(templates, path).or_else(|| seen(templates, trimmed)).or_else(|| seen(templates, &format!("{trimmed}/")))
}
