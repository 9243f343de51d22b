//! What one family of `families!` becomes: its closed sets, its `static`, and the checks of both.

/// `[[docs] [cfgs] [attributes] [vis] [bounds] Kind kind name metric] [place of the next label] [labels so far] [closed sets so far]
/// [attributes of the next label]; labels left`
///
/// A label that was read is `[name [place] [type] [documentation]]`, a closed set is `[name its enum]`.
#[doc(hidden)]
#[macro_export]
macro_rules! __family {
    // Attributes of a label.
    ([$a:tt $b:tt $c:tt $d:tt $e:tt $kind:ident $word:ident $name:tt $metric:expr] $at:tt $known:tt $sets:tt $on:tt; #[cfg $($it:tt)*] $($rest:tt)*) => {
        $crate::__misread! {
            [$a $b $c $d $e $kind $word $name $metric] $at $known $sets;
            [$name "`#[cfg]` belongs on a family: on a label it would change what `with` takes"] $($rest)*
        }
    };
    ($head:tt $at:tt $known:tt $sets:tt [$($on:tt)*]; #[$($it:tt)*] $($rest:tt)*) => {
        $crate::__family! { $head $at $known $sets [$($on)* #[$($it)*]]; $($rest)* }
    };
    // A label in quotes, as at a call site.
    (
        [$a:tt $b:tt $c:tt $d:tt $e:tt $kind:ident $word:ident $name:tt $metric:expr] $at:tt $known:tt $sets:tt $on:tt;
        $label:literal $($rest:tt)*
    ) => {
        $crate::__misread! {
            [$a $b $c $d $e $kind $word $name $metric] $at $known $sets;
            [$name "a label is a name without quotes, and its type: `{ queue: str }`, not `", ::core::stringify!($label), "`"]
        }
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
    // Common mistakes.
    ($head:tt $at:tt $known:tt $sets:tt $on:tt; $label:tt : & $($lifetime:lifetime)? str $(, $($rest:tt)*)?) => {
        $crate::__misread! {
            $head $at $known $sets;
            [$label "a label that is free text is written `str`, without `&`: `", ::core::stringify!($label), ": str`"]
            $label: str $(, $($rest)*)?
        }
    };
    ($head:tt $at:tt $known:tt $sets:tt $on:tt; $label:tt : String $(, $($rest:tt)*)?) => {
        $crate::__misread! {
            $head $at $known $sets;
            [$label "a label that is free text is written `str`, and takes a `&str`: `", ::core::stringify!($label), ": str`"]
            $label: str $(, $($rest)*)?
        }
    };
    // The variants are known: they are declared with empty texts, so that their users compile.
    (
        $head:tt $at:tt $known:tt $sets:tt $on:tt;
        $label:tt : $set:tt { $($variant:ident $(= $_a:tt)? $(: $_b:tt)? $(=> $_c:tt)?),+ $(,)? } $(, $($rest:tt)*)?
    ) => {
        $crate::__misread! {
            $head $at $known $sets;
            [
                $set "a closed set has a variant and its text for each value: `",
                ::core::stringify!($label), ": ", ::core::stringify!($set), " { Mail = \"mail\", Sms = \"sms\" }`"
            ]
            $label: $set { $($variant = ""),+ } $(, $($rest)*)?
        }
    };
    ($head:tt $at:tt $known:tt $sets:tt $on:tt; $label:tt : $set:tt { $($variants:tt)* } $(, $($rest:tt)*)?) => {
        $crate::__misread! {
            $head $at $known $sets;
            [
                $set "a closed set has a variant and its text for each value: `",
                ::core::stringify!($label), ": ", ::core::stringify!($set), " { Mail = \"mail\", Sms = \"sms\" }`"
            ]
            $label: str $(, $($rest)*)?
        }
    };
    ($head:tt $at:tt $known:tt $sets:tt $on:tt; $label:tt : str $next:tt $($rest:tt)*) => {
        $crate::__misread! {
            $head $at $known $sets;
            [$label "there is no `,` after the label `", ::core::stringify!($label), "`"]
            $label: str, $next $($rest)*
        }
    };
    ($head:tt $at:tt $known:tt $sets:tt $on:tt; $label:tt : $set:ident { $($variants:tt)* } $next:tt $($rest:tt)*) => {
        $crate::__misread! {
            $head $at $known $sets;
            [$label "there is no `,` after the label `", ::core::stringify!($label), "`"]
            $label: $set { $($variants)* }, $next $($rest)*
        }
    };
    ($head:tt $at:tt $known:tt $sets:tt $on:tt; $label:tt : { $($variants:tt)* } $(, $($rest:tt)*)?) => {
        $crate::__misread! {
            $head $at $known $sets;
            [$label "a closed set has a name: `", ::core::stringify!($label), ": Queue { Mail = \"mail\", Sms = \"sms\" }`"]
            $label: str $(, $($rest)*)?
        }
    };
    ($head:tt $at:tt $known:tt $sets:tt $on:tt; $label:tt $(, $($rest:tt)*)?) => {
        $crate::__misread! {
            $head $at $known $sets;
            [
                $label "the label `", ::core::stringify!($label), "` has no type: `", ::core::stringify!($label),
                ": str` is free text, `", ::core::stringify!($label), ": Queue { Mail = \"mail\", Sms = \"sms\" }` a closed set"
            ]
            $label: str $(, $($rest)*)?
        }
    };
    // Values in place of a type.
    ($head:tt $at:tt $known:tt $sets:tt $on:tt; $label:tt : $value:literal $(, $($rest:tt)*)?) => {
        $crate::__family! { $head $at $known $sets $on; $label $(, $($rest)*)? }
    };
    ($head:tt $at:tt $known:tt $sets:tt $on:tt; $label:tt : [$($values:tt)*] $(, $($rest:tt)*)?) => {
        $crate::__family! { $head $at $known $sets $on; $label $(, $($rest)*)? }
    };
    ($head:tt $at:tt $known:tt $sets:tt $on:tt; $label:tt : ($($values:tt)*) $(, $($rest:tt)*)?) => {
        $crate::__family! { $head $at $known $sets $on; $label $(, $($rest)*)? }
    };
    ($head:tt $at:tt $known:tt $sets:tt $on:tt; $label:tt = $($rest:tt)*) => {
        $crate::__family! { $head $at $known $sets $on; $label => $($rest)* }
    };
    ($head:tt $at:tt $known:tt $sets:tt $on:tt; $label:tt => $($rest:tt)*) => {
        $crate::__misread! {
            $head $at $known $sets;
            [
                $label "a label is followed by `:` and its type: `", ::core::stringify!($label),
                ": str`; its value is given to `with`"
            ]
        }
    };
    // A closed set that is declared elsewhere.
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
        $crate::__misread! {
            $head $at $known $sets;
            [$label "a label takes a doc comment; it takes other attributes only where its closed set is declared"]
            $label: $($rest)*
        }
    };
    // Anything else.
    ($head:tt $at:tt $known:tt $sets:tt $on:tt; $label:tt $($rest:tt)+) => {
        $crate::__misread! {
            $head $at $known $sets;
            [
                $label "the label `", ::core::stringify!($label), "` cannot be read: `", ::core::stringify!($label),
                ": str` is free text, `", ::core::stringify!($label),
                ": Queue { Mail = \"mail\", Sms = \"sms\" }` a closed set, and each label ends in `,`"
            ]
        }
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
            $($crate::__at! { $label check_family_label($metric, __LABELS, $($place)*, $at) })*
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

/// `what __family has read so far; [error] labels left`: reports a label that cannot be read, and goes on with another one in its
/// place, so that the users of the family compile. It counts one label too many. `check_family_label` sees that, and does not check
/// the labels of this family: its errors would be about labels that nobody wrote.
#[doc(hidden)]
#[macro_export]
macro_rules! __misread {
    ($head:tt [$($at:tt)*] $known:tt $sets:tt; [$($error:tt)*] $($rest:tt)*) => {
        $crate::__error! { $($error)* }
        $crate::__family! { $head [$($at)* + 1] $known $sets []; $($rest)* }
    };
}

/// The bounds of a declaration. If they cannot be read, any bounds: `__buckets` reports the mistake.
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

/// A family needs a help text. A missing doc comment is only a warning, because version 0.1 accepted it.
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

/// `[cfgs] [visibility] family [set its enum]..`: the closed sets of a family. Each is declared in a module of its own, so if two sets
/// have one name, the compiler reports the second import and nothing else.
#[doc(hidden)]
#[macro_export]
macro_rules! __sets {
    ($cfg:tt $vis:tt $name:tt $([$set:tt $($declared:tt)*])*) => {
        $crate::__modules! { $cfg [] $name $([$($declared)*])* }
        $crate::__share! { $cfg $vis $name [$name] $($set)* }
    };
}

/// `[cfgs] [visibility] family [enum]..`: a module with the name of the family for each enum, one in the other.
#[doc(hidden)]
#[macro_export]
macro_rules! __modules {
    ($cfg:tt $vis:tt $name:tt) => {};
    ([$($cfg:tt)*] [$($vis:tt)*] $name:tt [$($declared:tt)*] $($rest:tt)*) => {
        $($cfg)*
        #[allow(non_snake_case, unreachable_pub, clippy::module_inception, reason = "the modules of a family have its name")]
        $($vis)* mod $name {
            $($declared)*
            $crate::__modules! { [] [pub] $name $($rest)* }
        }
    };
}

/// `[cfgs] [visibility] family [module] set..`
#[doc(hidden)]
#[macro_export]
macro_rules! __share {
    ($cfg:tt $vis:tt $name:tt $module:tt) => {};
    ([$($cfg:tt)*] [$($vis:tt)*] $name:tt [$($module:tt)*] $set:ident $($rest:tt)*) => {
        macro_rules! __declare_a_closed_set_once_and_name_it_without_braces_elsewhere (() => {
            $($cfg)*
            #[allow(unused_imports, reason = "a closed set that its module does not use")]
            $($vis)* use $($module)*::$set;
        });
        __declare_a_closed_set_once_and_name_it_without_braces_elsewhere! {}
        $crate::__share! { [$($cfg)*] [$($vis)*] $name [$($module)*::$name] $($rest)* }
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
