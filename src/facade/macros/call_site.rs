//! What `counter!`, `gauge!`, `histogram!` and the `describe_*!` macros expand to.

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
    // `target:` and `level:` of the `metrics` crate are accepted and not used.
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
    ($kind:ident, $describe:ident; [] []; $name:literal $(, $($rest:tt)*)?) => {
        $crate::__check!([$kind $name; $name $(, $($rest)*)?] [$kind $name] []; $($($rest)*)?)
    };
    ($kind:ident, $describe:ident; [] []; $name:expr $(, $($rest:tt)*)?) => {
        $crate::__check!([$kind ::core::concat!(::core::file!(), ":", ::core::line!()); $name $(, $($rest)*)?] [] []; $($($rest)*)?)
    };
    ($kind:ident, $describe:ident; [] []; $($rest:tt)*) => {
        $crate::__no_site!()
    };
}

/// `[input of __computed] [kind and name, if the name is literal] [literal labels so far]; labels left`
#[doc(hidden)]
#[macro_export]
macro_rules! __check {
    ($then:tt $head:tt [$($known:literal)*]; $label:literal => $value:expr $(, $($rest:tt)*)?) => {
        $crate::__check!($then $head [$($known)* $label]; $($($rest)*)?)
    };
    // The syntax of other libraries.
    ($then:tt $head:tt $known:tt; $label:literal $(, $($rest:tt)*)?) => {
        $crate::__no_site!()
    };
    ($then:tt $head:tt $known:tt; $label:literal = $($rest:tt)*) => {
        $crate::__no_site!()
    };
    ($then:tt $head:tt $known:tt; $label:literal : $($rest:tt)*) => {
        $crate::__no_site!()
    };
    ($then:tt $head:tt $known:tt; $label:ident = $($rest:tt)*) => {
        $crate::__no_site!()
    };
    ($then:tt $head:tt $known:tt; $label:ident : $($rest:tt)*) => {
        $crate::__no_site!()
    };
    ($then:tt $head:tt $known:tt; $label:expr => $value:expr $(, $($rest:tt)*)?) => {
        $crate::__check!($then $head $known; $($($rest)*)?)
    };
    ([$($then:tt)*] [$kind:ident $name:literal] [$($label:literal)*]; $($labels:expr)? $(,)?) => {{
        const _: () = $crate::__private::check_site($crate::__private::Kind::$kind, $name, &[$($label),*]);
        $crate::__computed!($($then)*)
    }};
    ([$($then:tt)*] [] [$($label:literal)*]; $($labels:expr)? $(,)?) => {{
        const _: () = $crate::__private::check_labels("", &[$($label),*]);
        $crate::__computed!($($then)*)
    }};
    ($then:tt $head:tt $known:tt; $($rest:tt)*) => {
        $crate::__no_site!()
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __no_site {
    () => {
        ::core::compile_error!(
            "the name comes first, then each label as a quoted name, `=>` and its value: \
             `counter!(\"compozy_jobs_total\", \"queue\" => queue)`"
        )
    };
}

/// `Kind name-for-the-log; name and labels`. The log needs a name while monitoring is off, and then a computed name is not evaluated.
#[doc(hidden)]
#[macro_export]
macro_rules! __computed {
    ($kind:ident $called:expr; $name:expr $(, $label:expr $(=> $value:expr)?)* $(,)?) => {
        if $crate::__private::COMPILED && $crate::__private::is_on() {
            let key = $crate::metrics::key_var!($name $(, $label $(=> $value)?)*);
            $crate::__private::resolve::<$crate::$kind>(&key)
        } else {
            static EARLY: $crate::__private::Early = $crate::__private::Early::new($called);
            EARLY.handle::<$crate::$kind>()
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
