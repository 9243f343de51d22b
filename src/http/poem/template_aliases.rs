//! How a route template is spelled: as it was given, as poem has it, and as a label.

#[cfg(feature = "prometheus")]
use crate::builtin::catalogue::Method;
#[cfg(all(feature = "prometheus", feature = "openapi"))]
use crate::schema::family::ClosedLabel;

/// A template as poem's router takes it: one slash where there are several, and one in front.
pub(crate) fn normalized(template: &str) -> String {
    let mut normalized = String::from(if template.starts_with('/') { "" } else { "/" });
    for c in template.chars() {
        if c != '/' || !normalized.ends_with('/') {
            normalized.push(c);
        }
    }
    normalized
}

/// For each template as poem has it: how it was written. Empty without the feature `openapi`.
///
/// One route of poem can have been written in several ways, one for each method: `GET /pets/:id` and `POST /pets/:name` are both
/// `/pets/:param0`.
#[derive(Clone, Debug, Default)]
pub(crate) struct TemplateAliases(
    #[cfg(feature = "openapi")] pub(crate) std::collections::BTreeMap<String, Vec<(http::Method, String)>>,
);

#[cfg(feature = "prometheus")]
impl TemplateAliases {
    /// The template as it was written for this method; for a method without a route, as it was written first.
    #[cfg_attr(not(feature = "openapi"), allow(unused_variables))]
    pub(crate) fn restored<'a>(&'a self, template: &'a str, method: Method) -> &'a str {
        #[cfg(feature = "openapi")]
        if let Some(written) = self.0.get(template) {
            // poem answers a HEAD by the route of GET.
            let method = if matches!(method, Method::Head) { Method::Get } else { method };
            let own = written.iter().find(|(of, _)| crate::http::core::labels::method_of(of).index() == method.index());
            return own.or(written.first()).map_or(template, |(_, name)| name);
        }
        template
    }

    /// The template as poem has it, for one that was written like this; for others the template itself.
    pub(crate) fn of_poem<'a>(&'a self, template: &'a str) -> &'a str {
        #[cfg(feature = "openapi")]
        for (poem, written) in &self.0 {
            if written.iter().any(|(_, name)| name == template) {
                return poem;
            }
        }
        template
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_spelled_as_poem_has_it() {
        for (given, expected) in [
            ("hello", "/hello"),
            ("//dbl//x", "/dbl/x"),
            ("/a///b//", "/a/b/"),
            ("/a/:id", "/a/:id"),
            ("", "/"),
            ("///", "/"),
        ] {
            assert_eq!(normalized(given), expected, "{given}");
        }
    }
}
