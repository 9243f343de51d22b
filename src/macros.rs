//! The macros. They only forward: what they do is in `handles` (or `noop`) and `family`.

/// Gives the handle of a counter: same syntax as [`metrics::counter!`].
///
/// With literal labels the call site resolves its series once and keeps it; it may be reached, and its handle kept,
/// before monitoring starts. With computed labels, the label expressions are evaluated only while monitoring is on.
/// Literal labels, and literal names that begin with `compozy_`, are checked by the compiler: see
/// [`labels`](crate::labels).
///
/// ```
/// use compozy_monitoring::{MonitoringService, counter};
///
/// let service = MonitoringService::for_test();
/// service.in_scope(|| counter!("compozy_jobs_total", "queue" => "default").increment(2));
/// # #[cfg(feature = "prometheus")]
/// assert!(service.render().contains(r#"compozy_jobs_total{queue="default"} 2"#));
/// ```
#[macro_export]
macro_rules! counter {
    ($($input:tt)*) => { $crate::__handle!(Counter, describe_counter; [] []; $($input)*) };
}

/// Gives the handle of a gauge: same syntax as [`metrics::gauge!`]. See [`counter!`](crate::counter).
///
/// ```
/// # let depth = 3;
/// compozy_monitoring::gauge!("compozy_queue_depth").set(depth);
/// ```
#[macro_export]
macro_rules! gauge {
    ($($input:tt)*) => { $crate::__handle!(Gauge, describe_gauge; [] []; $($input)*) };
}

/// Gives the handle of a histogram: same syntax as [`metrics::histogram!`]. See [`counter!`](crate::counter).
///
/// Names that end in `_seconds` get the buckets of the specification, others are summaries. `compozy_*` names have to.
///
/// ```
/// # let started = std::time::Instant::now();
/// compozy_monitoring::histogram!("compozy_query_duration_seconds").record(started.elapsed());
/// ```
#[macro_export]
macro_rules! histogram {
    ($($input:tt)*) => { $crate::__handle!(Histogram, describe_histogram; [] []; $($input)*) };
}

/// Describes a counter: same syntax as [`metrics::describe_counter!`]. Declared families have the help of their
/// declaration; a description given while monitoring is off is not kept.
#[macro_export]
macro_rules! describe_counter {
    ($($input:tt)*) => { $crate::__describe!(describe_counter, $($input)*) };
}

/// Describes a gauge: same syntax as [`metrics::describe_gauge!`]. See [`describe_counter!`](crate::describe_counter).
#[macro_export]
macro_rules! describe_gauge {
    ($($input:tt)*) => { $crate::__describe!(describe_gauge, $($input)*) };
}

/// Describes a histogram: same syntax as [`metrics::describe_histogram!`]. See
/// [`describe_counter!`](crate::describe_counter).
#[macro_export]
macro_rules! describe_histogram {
    ($($input:tt)*) => { $crate::__describe!(describe_histogram, $($input)*) };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __describe {
    ($method:ident, $name:expr, $unit:expr, $description:expr $(,)?) => {
        if $crate::__private::COMPILED && $crate::__private::is_on() {
            $crate::__private::describe(|recorder| {
                recorder.$method(
                    ::core::convert::Into::into($name),
                    ::core::option::Option::Some($unit),
                    ::core::convert::Into::into($description),
                )
            })
        }
    };
    ($method:ident, $name:expr, $description:expr $(,)?) => {
        if $crate::__private::COMPILED && $crate::__private::is_on() {
            $crate::__private::describe(|recorder| {
                recorder.$method(
                    ::core::convert::Into::into($name),
                    ::core::option::Option::None,
                    ::core::convert::Into::into($description),
                )
            })
        }
    };
}

/// `Kind, describe_kind; [description] [unit]; rest`
#[doc(hidden)]
#[macro_export]
macro_rules! __handle {
    // Where a metric comes from and how important it is: the exporter has no use for either.
    ($kind:ident, $describe:ident; $about:tt $unit:tt; target: $target:expr, $($rest:tt)*) => {{
        if false { let _: &str = $target; }
        $crate::__handle!($kind, $describe; $about $unit; $($rest)*)
    }};
    ($kind:ident, $describe:ident; $about:tt $unit:tt; level: $level:expr, $($rest:tt)*) => {{
        if false { let _: $crate::metrics::Level = $level; }
        $crate::__handle!($kind, $describe; $about $unit; $($rest)*)
    }};
    ($kind:ident, $describe:ident; $about:tt $unit:tt; description: $text:expr, $($rest:tt)*) => {
        $crate::__handle!($kind, $describe; [$text] $unit; $($rest)*)
    };
    ($kind:ident, $describe:ident; $about:tt $unit:tt; unit: $value:expr, $($rest:tt)*) => {
        $crate::__handle!($kind, $describe; $about [$value]; $($rest)*)
    };
    ($kind:ident, $describe:ident; [] [$unit:expr]; $($rest:tt)*) => {
        ::core::compile_error!("`unit:` needs a `description:` beside it")
    };
    ($kind:ident, $describe:ident; [$text:expr] $unit:tt; $name:expr $(, $($rest:tt)*)?) => {{
        $crate::__describe_with!($describe, $name, $text, $unit);
        $crate::__handle!($kind, $describe; [] []; $name $(, $($rest)*)?)
    }};
    // Literal name and labels: a site that keeps its series.
    ($kind:ident, $describe:ident; [] []; $name:literal $(, $label:literal => $value:literal)* $(,)?) => {{
        const _: () = $crate::__private::check_site($crate::__private::Kind::$kind, $name, &[$($label),*]);
        static LABELS: &[$crate::metrics::Label] =
            &[$($crate::metrics::Label::from_static_parts($label, $value)),*];
        static SITE: $crate::__private::Site<$crate::$kind> = $crate::__private::Site::new($name, LABELS);
        SITE.handle()
    }};
    // Anything else: evaluated only while monitoring is on.
    ($kind:ident, $describe:ident; [] []; $name:literal $(, $($rest:tt)*)?) => {{
        $crate::__check!([$kind $name] []; $($($rest)*)?);
        $crate::__computed!($kind; $name $(, $($rest)*)?)
    }};
    ($kind:ident, $describe:ident; [] []; $name:expr $(, $($rest:tt)*)?) => {{
        $crate::__check!([] []; $($($rest)*)?);
        $crate::__computed!($kind; $name $(, $($rest)*)?)
    }};
}

/// `[kind name, if it is literal] [literal labels so far]; labels left`
#[doc(hidden)]
#[macro_export]
macro_rules! __check {
    ($head:tt [$($known:literal)*]; $label:literal => $value:expr $(, $($rest:tt)*)?) => {
        $crate::__check!($head [$($known)* $label]; $($($rest)*)?);
    };
    ($head:tt $known:tt; $label:expr => $value:expr $(, $($rest:tt)*)?) => {
        $crate::__check!($head $known; $($($rest)*)?);
    };
    ([$kind:ident $name:literal] [$($label:literal)*]; $($labels:expr)? $(,)?) => {
        const _: () = $crate::__private::check_site($crate::__private::Kind::$kind, $name, &[$($label),*]);
    };
    ([] [$($label:literal)*]; $($labels:expr)? $(,)?) => {
        const _: () = $crate::__private::check_labels("", &[$($label),*]);
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __computed {
    ($kind:ident; $name:expr $(, $label:expr $(=> $value:expr)?)* $(,)?) => {
        if $crate::__private::COMPILED && $crate::__private::is_on() {
            let key = $crate::metrics::key_var!($name $(, $label $(=> $value)?)*);
            $crate::__private::resolve::<$crate::$kind>(&key)
        } else {
            $crate::$kind::noop()
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __describe_with {
    ($describe:ident, $name:expr, $text:expr, []) => {
        $crate::__describe!($describe, $name, $text)
    };
    ($describe:ident, $name:expr, $text:expr, [$unit:expr]) => {
        $crate::__describe!($describe, $name, $unit, $text)
    };
}

/// Declares families: their names, kinds, labels and, in the doc comment, their help.
///
/// Each becomes a `static` of type [`Family`](crate::Family). A label is a closed set (`TaskType { Basic = "basic" }`
/// declares the enum, a bare path names a [`ClosedLabel`](crate::ClosedLabel) of your own) or free text (`str`), which
/// is sanitised and capped. A family whose labels are all closed sets shows all its series as soon as it is touched;
/// one with free text shows a series when it is first recorded. `pub list NAME;` in front makes a list for
/// [`register`](crate::MonitoringService::register).
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
/// A label that is not on the list ([`labels`](crate::labels)), a name that breaks the rules for its kind and a name that
/// is there twice do not compile, in any build. Two `families!` that declare one name are found when the second is first
/// used, and logged.
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
    (
        $list_vis:vis list $list:ident;
        $($(#[doc = $doc:literal])* $vis:vis $kind:ident $name:ident = $metric:literal $({ $($labels:tt)* })?;)*
    ) => {
        $crate::families! { $($(#[doc = $doc])* $vis $kind $name = $metric $({ $($labels)* })?;)* }

        /// The families declared here, for `MonitoringService::register`.
        $list_vis static $list: &[&'static dyn $crate::DeclaredFamily] = &[$(&$name),*];
    };
    ($($(#[doc = $doc:literal])* $vis:vis $kind:ident $name:ident = $metric:literal $({ $($labels:tt)* })?;)*) => {
        $($crate::__family! {
            [[$($doc)*] [$vis] $kind $name $metric] [] []; $($($labels)*)?
        })*
        const _: () = $crate::__private::check_names(&[$($metric),*]);
    };
}

/// `[[docs] [vis] kind name metric] [label types] [[label name, its text in the documentation]..]; labels left`
#[doc(hidden)]
#[macro_export]
macro_rules! __family {
    ($head:tt [$($type:tt)*] [$($known:tt)*]; $label:ident : str $(, $($rest:tt)*)?) => {
        $crate::__family! {
            $head [$($type)* [$crate::Text]] [$($known)* [$label "free text, up to the cap on series",]];
            $($($rest)*)?
        }
    };
    (
        [$docs:tt [$vis:vis] $($head:tt)*] [$($type:tt)*] [$($known:tt)*];
        $label:ident : $set:ident { $first:ident = $one:literal $(, $variant:ident = $value:literal)* $(,)? }
        $(, $($rest:tt)*)?
    ) => {
        #[doc = concat!("The values of the label `", stringify!($label), "`: a closed set.")]
        #[allow(dead_code, reason = "a closed set says what can be, not what this module uses")]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        $vis enum $set {
            #[doc = concat!("`", $one, "`")]
            $first,
            $(#[doc = concat!("`", $value, "`")] $variant,)*
        }

        impl $crate::ClosedLabel for $set {
            const VALUES: &'static [&'static str] = &[$one $(, $value)*];
            #[inline]
            fn index(self) -> usize {
                self as usize
            }
        }

        $crate::__family! {
            [$docs [$vis] $($head)*]
            [$($type)* [$set]]
            [$($known)* [$label "`", $one, "`", $(", `", $value, "`",)* " ([`", stringify!($set), "`])",]];
            $($($rest)*)?
        }
    };
    ($head:tt [$($type:tt)*] [$($known:tt)*]; $label:ident : $set:path $(, $($rest:tt)*)?) => {
        $crate::__family! {
            $head [$($type)* [$set]] [$($known)* [$label "the values of [`", stringify!($set), "`]",]]; $($($rest)*)?
        }
    };
    (
        [[$($doc:literal)*] [$vis:vis] $kind:ident $name:ident $metric:literal]
        [$([$type:ty])*] [$([$label:ident $($about:tt)*])*];
    ) => {
        $(#[doc = $doc])*
        #[doc = concat!(
            "\n\n`", $metric, "`, a ", stringify!($kind), " of ", $crate::__series!($([$label $($about)*])*)
        )]
        $vis static $name: $crate::Family<$crate::__kind!(handle $kind), ($($type,)*)> = {
            static DEF: $crate::__private::FamilyDef = $crate::__private::FamilyDef::new(
                $metric,
                concat!($($doc),*),
                $crate::__kind!(kind $kind),
                &[$($crate::__private::LabelDef::of::<$type>(stringify!($label))),*],
                module_path!(),
            );
            $crate::Family::new(&DEF)
        };
    };
}

/// Which series a family has, for its documentation.
#[doc(hidden)]
#[macro_export]
macro_rules! __series {
    () => {
        "one series."
    };
    ($([$label:ident $($about:tt)*])+) => {
        concat!("one series for each combination of\n\n", $("- `", stringify!($label), "`: ", $($about)* "\n"),+)
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __kind {
    (handle counter) => {
        $crate::Counter
    };
    (handle gauge) => {
        $crate::Gauge
    };
    (handle histogram) => {
        $crate::Histogram
    };
    (kind counter) => {
        $crate::__private::Kind::Counter
    };
    (kind gauge) => {
        $crate::__private::Kind::Gauge
    };
    (kind histogram) => {
        $crate::__private::Kind::Histogram
    };
    ($what:ident $kind:ident) => {
        ::core::compile_error!(concat!("`", stringify!($kind), "` is no kind of family: counter, gauge, histogram"))
    };
}

/// Sets `compozy_build_info` of a service to 1, with what is known where this expands: call it in the binary.
///
/// The labels are the binary's `CARGO_PKG_VERSION`, the variable `COMPOZY_COMMIT_HASH` of the build (`unknown` when
/// unset) and the version of the compiler. The first call on a service stays.
///
/// ```
/// let service = compozy_monitoring::MonitoringService::for_test();
/// compozy_monitoring::build_info!(service);
/// # #[cfg(feature = "prometheus")]
/// assert!(service.render().contains("compozy_build_info{commit_hash="));
/// ```
#[macro_export]
macro_rules! build_info {
    ($service:expr) => {
        $service.__set_build_info(
            ::core::env!("CARGO_PKG_VERSION"),
            match ::core::option_env!("COMPOZY_COMMIT_HASH") {
                ::core::option::Option::Some(hash) if !hash.is_empty() => hash,
                _ => "unknown",
            },
        )
    };
}
