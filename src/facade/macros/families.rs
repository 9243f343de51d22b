//! `families!`, and what a family becomes.

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
/// An attribute is matched by its name, all in one go: what is passed on, and to what, is known without recursion, which
/// would limit how many families a block can have. What an error may point at is matched as `tt`: see `__at`.
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
            const __AGAIN: &str = $crate::__private::declared_again(
                &[$($($(#[cfg($($cfg)*)])?)* $metric),*],
                &[$($($(#[cfg($($cfg)*)])?)* ::core::stringify!($name)),*],
            );
            $($crate::__at! { $name check_declared_once(__AGAIN, ::core::stringify!($name), $metric) })*
        };

        $crate::__list! { [$($list)*] $([$($(#[cfg($($cfg)*)])?)*] $name)* }
    };
    ([$($list:tt)*] $($families:tt)*) => {
        $crate::__fault! { [] [] $($families)* }
        // Empty, so that its users do not miss it as well.
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

/// `kind [[docs] [cfgs] [attributes] [vis]] name metric; labels`
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
    // What is none, and what was meant: the family is there all the same, so that its users do not miss it as well.
    (Gauge $head:tt $name:tt $($family:tt)*) => {
        $crate::__error! { $name "the kind of a family is written small: `gauge ", ::core::stringify!($name), "`" }
        $crate::__kind! { gauge $head $name $($family)* }
    };
    (Histogram $head:tt $name:tt $($family:tt)*) => {
        $crate::__error! { $name "the kind of a family is written small: `histogram ", ::core::stringify!($name), "`" }
        $crate::__kind! { histogram $head $name $($family)* }
    };
    (Counter $head:tt $name:tt $($family:tt)*) => {
        $crate::__error! { $name "the kind of a family is written small: `counter ", ::core::stringify!($name), "`" }
        $crate::__kind! { counter $head $name $($family)* }
    };
    ($kind:ident $head:tt $name:tt $($family:tt)*) => {
        $crate::__error! { $name "`", ::core::stringify!($kind), "` is no kind of family: counter, gauge, histogram" }
    };
}

/// `[[docs] [cfgs] [attributes] [vis] kind name metric] [place of the next label] [labels] [closed sets] [its attributes];
/// labels left`
///
/// A label that is known is `[name place type documentation]`, a closed set `[name] its enum`.
#[doc(hidden)]
#[macro_export]
macro_rules! __family {
    // What stands on a label.
    ([$a:tt $b:tt $c:tt $d:tt $e:tt $kind:ident $word:ident $name:tt $metric:expr] $at:tt $known:tt $sets:tt $on:tt; #[cfg $($it:tt)*] $($rest:tt)*) => {
        $crate::__error! { $name "`#[cfg]` stands on a family: a label that comes and goes changes what `with` takes" }
        $crate::__family! { [$a $b $c $d $e $kind $word $name $metric] $at $known $sets $on; $($rest)* }
    };
    ($head:tt $at:tt $known:tt $sets:tt [$($on:tt)*]; #[$($it:tt)*] $($rest:tt)*) => {
        $crate::__family! { $head $at $known $sets [$($on)* #[$($it)*]]; $($rest)* }
    };
    // Quoted, as at a call site.
    (
        [$a:tt $b:tt $c:tt $d:tt $e:tt $kind:ident $word:ident $name:tt $metric:expr] $at:tt $known:tt $sets:tt $on:tt;
        $label:literal $($rest:tt)*
    ) => {
        $crate::__error! { $name "a label is a name without quotes, and its type: `{ queue: str }`, not `", ::core::stringify!($label), "`" }
        $crate::__family! { [$a $b $c $d $e $kind $word $name $metric] $at $known $sets []; }
    };
    // Free text.
    ($head:tt [$($at:tt)*] [$($known:tt)*] $sets:tt [$(#[doc = $doc:expr])*]; $label:tt : str $(, $($rest:tt)*)?) => {
        $crate::__family! {
            $head [$($at)* + 1]
            [$($known)* [$label [$($at)*] [$crate::Text] ["free text, up to the cap on series", $($doc,)*]]]
            $sets []; $($($rest)*)?
        }
    };
    // A closed set that is declared here.
    (
        $head:tt [$($at:tt)*] [$($known:tt)*] [$($sets:tt)*] [$($on:tt)*];
        $label:tt : $set:tt {
            $(
                $(#[
                    $(doc $($doc:tt)*)?
                    $(cfg($($cfg:tt)*))?
                    $(cfg_attr($($cfg_attr:tt)*))?
                    $(allow($($allow:tt)*))?
                    $(deprecated $($deprecated:tt)*)?
                    $(serde $($serde:tt)*)?
                ])*
                $variant:ident = $value:literal
            ),+ $(,)?
        }
        $(, $($rest:tt)*)?
    ) => {
        $crate::__family! {
            $head [$($at)* + 1]
            [$($known)* [$label [$($at)*] [$set] [$("`", $value, "`, ",)+ "the values of [`", ::core::stringify!($set), "`]",]]]
            [$($sets)* [$set
                #[doc = ::core::concat!("The values of the label `", ::core::stringify!($label), "`: a closed set.")]
                $($on)*
                #[allow(dead_code, reason = "a closed set says what can be, not what this module uses")]
                #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
                pub enum $set {
                    $(
                        #[doc = ::core::concat!("`", $value, "`")]
                        $(
                            $(#[doc $($doc)*])?
                            $(#[cfg($($cfg)*)])?
                            $(#[cfg_attr($($cfg_attr)*)])?
                            $(#[allow($($allow)*)])?
                            $(#[deprecated $($deprecated)*])?
                            $(#[serde $($serde)*])?
                        )*
                        $variant,
                    )+
                }

                impl $crate::ClosedLabel for $set {
                    const VALUES: &'static [&'static str] = &[$($($(#[cfg($($cfg)*)])?)* $value),+];
                    #[inline]
                    fn index(self) -> usize {
                        self as usize
                    }
                }
            ]]
            []; $($($rest)*)?
        }
    };
    // What people write at first. The label is there all the same, so that its users do not complain as well.
    ($head:tt $at:tt $known:tt $sets:tt $on:tt; $label:tt : & $($lifetime:lifetime)? str $(, $($rest:tt)*)?) => {
        $crate::__error! { $label "a label that is free text is written `str`, without `&`: `", ::core::stringify!($label), ": str`" }
        $crate::__family! { $head $at $known $sets []; $label: str $(, $($rest)*)? }
    };
    ($head:tt $at:tt $known:tt $sets:tt $on:tt; $label:tt : String $(, $($rest:tt)*)?) => {
        $crate::__error! { $label "a label that is free text is written `str`, and takes a `&str`: `", ::core::stringify!($label), ": str`" }
        $crate::__family! { $head $at $known $sets []; $label: str $(, $($rest)*)? }
    };
    ($head:tt $at:tt $known:tt $sets:tt $on:tt; $label:tt : $set:tt { $($variants:tt)* } $(, $($rest:tt)*)?) => {
        $crate::__error! {
            $set "a closed set has a variant and its text for each value: `",
            ::core::stringify!($label), ": ", ::core::stringify!($set), " { Mail = \"mail\", Sms = \"sms\" }`"
        }
        $crate::__family! { $head $at $known $sets []; $label: str $(, $($rest)*)? }
    };
    ($head:tt $at:tt $known:tt $sets:tt $on:tt; $label:tt : str $next:tt $($rest:tt)*) => {
        $crate::__error! { $label "there is no `,` behind the label `", ::core::stringify!($label), "`" }
        $crate::__family! { $head $at $known $sets []; $label: str, $next $($rest)* }
    };
    ($head:tt $at:tt $known:tt $sets:tt $on:tt; $label:tt : { $($variants:tt)* } $(, $($rest:tt)*)?) => {
        $crate::__error! {
            $label "a closed set has a name: `", ::core::stringify!($label), ": Queue { Mail = \"mail\", Sms = \"sms\" }`"
        }
        $crate::__family! { $head $at $known $sets []; $label: str $(, $($rest)*)? }
    };
    ($head:tt $at:tt $known:tt $sets:tt $on:tt; $label:tt $(, $($rest:tt)*)?) => {
        $crate::__error! {
            $label "the label `", ::core::stringify!($label), "` has no type: `", ::core::stringify!($label),
            ": str` is free text, `", ::core::stringify!($label), ": Queue { Mail = \"mail\" }` a closed set"
        }
        $crate::__family! { $head $at $known $sets []; $label: str $(, $($rest)*)? }
    };
    ($head:tt $at:tt $known:tt $sets:tt $on:tt; $label:tt = $($rest:tt)*) => {
        $crate::__error! {
            $label "behind a label stands `:` and its type: `", ::core::stringify!($label), ": str`; its value is given to `with`"
        }
        $crate::__family! { $head $at $known $sets []; }
    };
    ($head:tt $at:tt $known:tt $sets:tt $on:tt; $label:tt => $($rest:tt)*) => {
        $crate::__error! {
            $label "behind a label stands `:` and its type: `", ::core::stringify!($label), ": str`; its value is given to `with`"
        }
        $crate::__family! { $head $at $known $sets []; }
    };
    // A closed set of one's own, or one of another family.
    ($head:tt [$($at:tt)*] [$($known:tt)*] $sets:tt [$(#[doc = $doc:expr])*]; $label:tt : $($set:tt)::+ $(, $($rest:tt)*)?) => {
        $crate::__family! {
            $head [$($at)* + 1]
            [$($known)* [$label [$($at)*] [$($set)::+] ["the values of [`", ::core::stringify!($($set)::+), "`]", $($doc,)*]]]
            $sets []; $($($rest)*)?
        }
    };
    ($head:tt [$($at:tt)*] [$($known:tt)*] $sets:tt [$(#[doc = $doc:expr])*]; $label:tt : $set:ty $(, $($rest:tt)*)?) => {
        $crate::__family! {
            $head [$($at)* + 1]
            [$($known)* [$label [$($at)*] [$set] ["the values of [`", ::core::stringify!($set), "`]", $($doc,)*]]]
            $sets []; $($($rest)*)?
        }
    };
    ($head:tt $at:tt $known:tt $sets:tt [$($on:tt)+]; $label:tt : $($rest:tt)*) => {
        $crate::__error! { $label "on a label stands a doc comment; attributes only where its closed set is declared" }
        $crate::__family! { $head $at $known $sets []; $label: $($rest)* }
    };
    (
        [
            [$([$($doc:tt)+])*] [$($cfg:tt)*] [$($attribute:tt)*] [$($vis:tt)*] [$($buckets:tt)?]
            $kind:ident $word:ident $name:tt $metric:expr
        ]
        $at:tt [$([$label:tt [$($place:tt)*] [$($type:tt)+] [$($about:tt)*]])*] [$([$set:tt $($declared:tt)*])*] [];
    ) => {
        $crate::__sets! { [$($cfg)*] [$($vis)*] $name $([$set $($declared)*])* }

        $($cfg)*
        $(#[doc $($doc)+])*
        #[doc = ::core::concat!(
            "\n\n`", $metric, "`, a ", ::core::stringify!($word), " of ", $crate::__series!($([$label $($about)*])*)
        )]
        $($attribute)*
        $($vis)* static $name: $crate::Family<$crate::$kind, ($($($type)+,)*)> = {
            const __HELP: &str = $crate::__help!($([$($doc)+])*);
            const __LABELS: &[$crate::__private::LabelDef] =
                &[$($crate::__private::LabelDef::of::<$($type)+>(::core::stringify!($label))),*];
            const __BUCKETS: ::core::option::Option<&[f64]> = $crate::__bounds!($($buckets)?);
            $crate::__at! { $name check_family($crate::__private::Kind::$kind, $metric, __LABELS, __BUCKETS.is_some()) }
            $crate::__buckets! { $name $kind $metric $($buckets)? }
            $($crate::__at! { $label check_family_label($metric, __LABELS, $($place)*) })*
            $crate::__documented! { $name $metric $([$($doc)+])* }
            static DEF: $crate::__private::FamilyDef = $crate::__private::FamilyDef::new(
                $metric,
                __HELP,
                $crate::__private::Kind::$kind,
                __LABELS,
                __BUCKETS,
                ::core::module_path!(),
            );
            $crate::Family::new(&DEF)
        };
    };
}

/// The bounds of a declaration, if it gives them.
#[doc(hidden)]
#[macro_export]
macro_rules! __bounds {
    () => {
        ::core::option::Option::None
    };
    ([$($bound:expr),* $(,)?]) => {
        ::core::option::Option::Some(&[$($bound as f64),*])
    };
    ($bounds:tt) => {
        ::core::option::Option::Some(&[1.0])
    };
}

/// `static kind name bounds`: checks them.
#[doc(hidden)]
#[macro_export]
macro_rules! __buckets {
    ($name:tt $kind:ident $metric:tt) => {};
    ($name:tt $kind:ident $metric:tt [$($bound:expr),* $(,)?]) => {
        const __TEXTS: &[&str] = &[$(::core::stringify!($bound)),*];
        const __BOUNDS: &[f64] = match __BUCKETS {
            ::core::option::Option::Some(bounds) => bounds,
            ::core::option::Option::None => &[],
        };
        $crate::__at! { $name check_buckets($crate::__private::Kind::$kind, $metric, __BOUNDS, __TEXTS) }
    };
    ($name:tt $kind:ident $metric:tt $bounds:tt) => {
        $crate::__error! { $name "the bounds of buckets are numbers with commas between them: `buckets [1, 10, 100]`" }
    };
}

/// A family has a help text. One without any doc comment is only warned of: version 0.1 took it.
#[doc(hidden)]
#[macro_export]
macro_rules! __documented {
    ($name:tt $metric:tt $([($($settings:tt)*)])*) => {
        const _: () = {
            #[deprecated(note = "a family has a doc comment, which is its help text: `/// Jobs done.`")]
            const $name: () = ();
            $name
        };
    };
    ($name:tt $metric:tt $($doc:tt)*) => {
        $crate::__at! { $name check_help($metric, __HELP) }
    };
}

/// The help text: the doc comments, without settings such as `doc(hidden)`.
#[doc(hidden)]
#[macro_export]
macro_rules! __help {
    ($([$(($($settings:tt)*))? $(= $($text:tt)+)?])*) => {
        ::core::concat!($($($($text)+,)?)*)
    };
}

/// `[cfgs] [visibility] family [set its enum]..`: the closed sets of a family. Each family has a module for them, so that
/// of two sets of one name the compiler says no more than that the name is there twice.
#[doc(hidden)]
#[macro_export]
macro_rules! __sets {
    ($cfg:tt $vis:tt $name:tt) => {};
    ([$($cfg:tt)*] $vis:tt $name:tt $([$set:tt $($declared:tt)*])+) => {
        $($cfg)*
        #[allow(non_snake_case, unreachable_pub, reason = "the module of a family has its name")]
        mod $name {
            $($($declared)*)+
        }
        $crate::__share! { [$($cfg)*] $vis $name $($set)+ }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __share {
    ([$($cfg:tt)*] $vis:tt $name:tt) => {};
    ([$($cfg:tt)*] [$($vis:tt)*] $name:tt $set:ident $($rest:tt)*) => {
        macro_rules! __declare_a_closed_set_once_and_name_it_without_braces_elsewhere (() => {
            $($cfg)*
            #[allow(unused_imports, reason = "a closed set that its module does not use")]
            $($vis)* use $name::$set;
        });
        __declare_a_closed_set_once_and_name_it_without_braces_elsewhere! {}
        $crate::__share! { [$($cfg)*] [$($vis)*] $name $($rest)* }
    };
}

/// Which series a family has, for its documentation.
#[doc(hidden)]
#[macro_export]
macro_rules! __series {
    () => {
        "one series."
    };
    ($([$label:tt $($about:tt)*])+) => {
        ::core::concat!(
            "one series for each combination of\n\n",
            $("- `", ::core::stringify!($label), "`: ", $($about)* "\n"),+
        )
    };
}
