//! `families!`: splits a block into families.

/// Declares families: their names, kinds and labels. The doc comment is the help text. A family without one is a
/// warning.
///
/// Each family becomes a `static` of type [`Family`](crate::Family). `pub list NAME;` in front makes a list for
/// [`register`](crate::MonitoringService::register). A label is one of these:
///
/// - A closed set. `TaskType { Basic = "basic" }` declares the enum. A path names a [`ClosedLabel`](crate::ClosedLabel)
///   of your own. If all labels are closed sets, all series are exported as 0 as soon as the family is used. Declare a
///   set once in a module. Other families name it without braces.
/// - Free text, `str`. It is sanitised and capped. A series is exported once its handle is taken.
///
/// A histogram has the bounds of the unit in its name, `_seconds` or `_bytes`, or those of its declaration:
/// `histogram TOKENS = "compozy_tokens" buckets [16, 256, 4096] { model: str };`. These are 1 to 30 finite numbers in
/// rising order.
///
/// Attributes are passed on. A family takes `doc`, `cfg`, `cfg_attr`, `allow`, `expect`, `warn`, `deny` and
/// `deprecated`. All attributes before a label go to the closed set that the label declares. A family that a `cfg`
/// leaves out is not in the list.
///
/// ```
/// use compozy_monitoring::MonitoringService;
///
/// compozy_monitoring::families! {
///     pub list TASKS;
///
///     /// Task items processed.
///     pub counter TASK_ITEMS_PROCESSED = "compozy_task_items_processed_total";
///     /// Time spent on one task.
///     pub histogram TASK_DURATION = "compozy_task_duration_seconds" {
///         task_type: TaskType { Basic = "basic", Parallel = "parallel" },
///         queue: str,
///     };
/// }
///
/// let service = MonitoringService::for_test();
/// service.register(TASKS);
/// service.in_scope(|| {
///     TASK_ITEMS_PROCESSED.increment(3);
///     TASK_DURATION.with(TaskType::Basic, "default").record(0.012);
/// });
/// # #[cfg(feature = "prometheus")]
/// assert!(service.render().contains("compozy_task_items_processed_total 3"));
/// ```
///
/// These do not compile, in any build: a label that is not allowed ([`labels`](crate::labels)), a name that breaks the
/// rules for its kind, and a name that is declared twice. If two `families!` declare the same name, it is logged when
/// the second one is first used.
///
/// ```compile_fail
/// compozy_monitoring::families! {
///     /// A reserved label.
///     pub histogram SIZE = "compozy_size_seconds" { le: str };
/// }
/// ```
///
/// ```compile_fail
/// compozy_monitoring::families! {
///     /// Not a name.
///     pub counter DOTTED = "compozy.dotted-total";
/// }
/// ```
#[macro_export]
macro_rules! families {
    ($(#[$($about:tt)*])* $vis:vis list $list:ident; $($families:tt)*) => {
        $crate::__families! { [[$(#[$($about)*])*] [$vis] $list] $($families)* }
    };
    ($($families:tt)*) => {
        $crate::__families! { [] $($families)* }
    };
}

/// `[the list, if there is one] families`
///
/// All attributes are matched at once, each by its name: recursion would limit how many families a block can have. Everything that an
/// error may point at is matched as `tt`: see `__at`.
#[doc(hidden)]
#[macro_export]
macro_rules! __families {
    (
        [$($list:tt)*]
        $(
            $(#[
                $(doc $($doc:tt)+)?
                $(cfg($($cfg:tt)*))?
                $(cfg_attr($($cfg_attr:tt)*))?
                $(allow($($allow:tt)*))?
                $(expect($($expect:tt)*))?
                $(warn($($warn:tt)*))?
                $(deny($($deny:tt)*))?
                $(deprecated $($deprecated:tt)*)?
            ])*
            $vis:vis $kind:ident $name:tt = $metric:literal $(buckets [$($bounds:tt)*])? $({ $($labels:tt)* })?;
        )*
    ) => {
        $($crate::__kind! {
            $kind
            [
                [$($([$($doc)+])?)*]
                [$($(#[cfg($($cfg)*)])?)*]
                [$(
                    $(#[cfg_attr($($cfg_attr)*)])?
                    $(#[allow($($allow)*)])?
                    $(#[expect($($expect)*)])?
                    $(#[warn($($warn)*)])?
                    $(#[deny($($deny)*)])?
                    $(#[deprecated $($deprecated)*])?
                )*]
                [$vis]
                [$([$($bounds)*])?]
            ]
            $name $metric; $($($labels)*)?
        })*

        const _: () = {
            const __AGAIN: (&str, &str) = $crate::__private::declared_again(
                &[$($($(#[cfg($($cfg)*)])?)* $metric),*],
                &[$($($(#[cfg($($cfg)*)])?)* ::core::stringify!($name)),*],
            );
            $($crate::__at! { $name check_declared_once(__AGAIN, ::core::stringify!($name), $metric) })*
        };

        $crate::__list! { [$($list)*] $([$($(#[cfg($($cfg)*)])?)*] $name)* }
    };
    ([$($list:tt)*] $($families:tt)*) => {
        $crate::__fault! { [] [] $($families)* }
        // An empty list, so that its users compile.
        $crate::__list! { [$($list)*] }
    };
}

/// `[the list, if there is one] [cfgs] family..`
#[doc(hidden)]
#[macro_export]
macro_rules! __list {
    ([] $($families:tt)*) => {};
    ([[$($about:tt)*] [$($vis:tt)*] $list:tt] $([$($cfg:tt)*] $name:tt)*) => {
        $($about)*
        /// The families declared here, for `MonitoringService::register`.
        #[allow(deprecated, reason = "a deprecated family is still there")]
        $($vis)* static $list: &[&'static dyn $crate::DeclaredFamily] = &[$($($cfg)* &$name),*];
    };
}

/// `kind [[docs] [cfgs] [attributes] [vis] [bounds]] name metric; labels`
#[doc(hidden)]
#[macro_export]
macro_rules! __kind {
    (counter [$($head:tt)*] $name:tt $metric:expr; $($labels:tt)*) => {
        $crate::__family! { [$($head)* Counter counter $name $metric] [0] [] [] []; $($labels)* }
    };
    (gauge [$($head:tt)*] $name:tt $metric:expr; $($labels:tt)*) => {
        $crate::__family! { [$($head)* Gauge gauge $name $metric] [0] [] [] []; $($labels)* }
    };
    (histogram [$($head:tt)*] $name:tt $metric:expr; $($labels:tt)*) => {
        $crate::__family! { [$($head)* Histogram histogram $name $metric] [0] [] [] []; $($labels)* }
    };
    // Mistakes. If it is clear what was meant, the family is declared all the same, so that its users compile.
    (Gauge $head:tt $name:tt $($family:tt)*) => {
        $crate::__error! { $name "the kind of a family is written in lower case: `gauge ", ::core::stringify!($name), "`" }
        $crate::__kind! { gauge $head $name $($family)* }
    };
    (Histogram $head:tt $name:tt $($family:tt)*) => {
        $crate::__error! { $name "the kind of a family is written in lower case: `histogram ", ::core::stringify!($name), "`" }
        $crate::__kind! { histogram $head $name $($family)* }
    };
    (Counter $head:tt $name:tt $($family:tt)*) => {
        $crate::__error! { $name "the kind of a family is written in lower case: `counter ", ::core::stringify!($name), "`" }
        $crate::__kind! { counter $head $name $($family)* }
    };
    ($kind:ident $head:tt $name:tt $($family:tt)*) => {
        $crate::__error! { $name "`", ::core::stringify!($kind), "` is not a kind of family: write counter, gauge or histogram" }
    };
}
