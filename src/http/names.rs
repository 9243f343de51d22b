//! Templates under the names that were written, where poem calls them otherwise.

/// By what poem calls them; without the feature `openapi` there are none.
#[derive(Clone, Debug, Default)]
pub(super) struct Names(#[cfg(feature = "openapi")] pub(super) std::collections::BTreeMap<String, String>);

#[cfg(feature = "prometheus")]
impl Names {
    /// The template as it was written.
    pub(super) fn restored<'a>(&'a self, template: &'a str) -> &'a str {
        #[cfg(feature = "openapi")]
        if let Some(written) = self.0.get(template) {
            return written;
        }
        template
    }
}
