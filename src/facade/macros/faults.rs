//! The errors of `families!`: one message for each mistake, which points at the word and says what to write.

/// `at function(arguments)`: calls a function of `check` in a constant, and an error in it points at the word `at`.
///
/// The compiler reports a call at the place of its first word. So the function is imported under the user's own word, and called by
/// that name. The inner macro is needed: it gives the word and the parentheses different contexts, and if contexts differ the compiler
/// takes the first. The word has to be passed as a `tt` all the way: an `ident` loses its place.
#[doc(hidden)]
#[macro_export]
macro_rules! __at {
    ($at:tt $function:ident $arguments:tt) => {
        const _: () = {
            use $crate::__private::$function as $at;
            macro_rules! __here (() => { $at $arguments });
            __here!()
        };
    };
}

/// `at literals`: an error with this text that points at the word `at`.
#[doc(hidden)]
#[macro_export]
macro_rules! __error {
    ($at:tt $($text:tt)*) => {
        const _: () = {
            use ::core::compile_error as $at;
            macro_rules! __here (() => { $at! { ::core::concat!($($text)*) } });
            __here! {}
        };
    };
}

/// `[attributes so far] [visibility] the rest of a block that cannot be read`: an error for each mistake, and a static for each family
/// that can be recognised, so that its users compile.
#[doc(hidden)]
#[macro_export]
macro_rules! __fault {
    ([] []) => {};
    ([$($attributes:tt)+] $vis:tt) => {
        ::core::compile_error!("there is no family after the last doc comment or attribute");
    };
    ($attributes:tt $vis:tt #![$at:tt $($rest_of_it:tt)*] $($rest:tt)*) => {
        $crate::__error! { $at "`#!` is for modules: an attribute of a family begins with `#`, without `!`" }
        $crate::__fault! { $attributes $vis $($rest)* }
    };
    ([$($attributes:tt)*] $vis:tt #[doc = $($it:tt)+] $($rest:tt)*) => {
        $crate::__fault! { [$($attributes)* #[doc = $($it)+]] $vis $($rest)* }
    };
    ([$($attributes:tt)*] $vis:tt #[doc($($it:tt)*)] $($rest:tt)*) => {
        $crate::__fault! { [$($attributes)* #[doc($($it)*)]] $vis $($rest)* }
    };
    ([$($attributes:tt)*] $vis:tt #[cfg($($it:tt)*)] $($rest:tt)*) => {
        $crate::__fault! { [$($attributes)* #[cfg($($it)*)]] $vis $($rest)* }
    };
    ([$($attributes:tt)*] $vis:tt #[cfg_attr($($it:tt)*)] $($rest:tt)*) => {
        $crate::__fault! { [$($attributes)* #[cfg_attr($($it)*)]] $vis $($rest)* }
    };
    ([$($attributes:tt)*] $vis:tt #[allow($($it:tt)*)] $($rest:tt)*) => {
        $crate::__fault! { [$($attributes)* #[allow($($it)*)]] $vis $($rest)* }
    };
    ([$($attributes:tt)*] $vis:tt #[expect($($it:tt)*)] $($rest:tt)*) => {
        $crate::__fault! { [$($attributes)* #[expect($($it)*)]] $vis $($rest)* }
    };
    ([$($attributes:tt)*] $vis:tt #[warn($($it:tt)*)] $($rest:tt)*) => {
        $crate::__fault! { [$($attributes)* #[warn($($it)*)]] $vis $($rest)* }
    };
    ([$($attributes:tt)*] $vis:tt #[deny($($it:tt)*)] $($rest:tt)*) => {
        $crate::__fault! { [$($attributes)* #[deny($($it)*)]] $vis $($rest)* }
    };
    ([$($attributes:tt)*] $vis:tt #[deprecated $($it:tt)*] $($rest:tt)*) => {
        $crate::__fault! { [$($attributes)* #[deprecated $($it)*]] $vis $($rest)* }
    };
    ($attributes:tt $vis:tt #[$at:tt $($it:tt)*] $($rest:tt)*) => {
        $crate::__error! {
            $at "`#[", ::core::stringify!($at), "]` is not passed on to a family: it takes doc comments, `doc`, `cfg`, \
                 `cfg_attr`, `allow`, `expect`, `warn`, `deny` and `deprecated`"
        }
        $crate::__fault! { $attributes $vis $($rest)* }
    };
    ($attributes:tt [] pub($($to:tt)*) $($rest:tt)*) => {
        $crate::__fault! { $attributes [pub($($to)*)] $($rest)* }
    };
    ($attributes:tt [] pub $($rest:tt)*) => {
        $crate::__fault! { $attributes [pub] $($rest)* }
    };
    ($attributes:tt $vis:tt static $at:tt $($rest:tt)*) => {
        $crate::__error! { $at "a family is already a `static`: leave that word out" }
        $crate::__fault! { $attributes $vis $at $($rest)* }
    };
    ($attributes:tt $vis:tt const $at:tt $($rest:tt)*) => {
        $crate::__error! { $at "a family is already a `static`: leave out `const`" }
        $crate::__fault! { $attributes $vis $at $($rest)* }
    };
    ($attributes:tt $vis:tt list $at:tt; $($rest:tt)*) => {
        $crate::__error! { $at "the list comes first, before the families" }
        $crate::__list! { [[] $vis $at] }
        $crate::__fault! { [] [] $($rest)* }
    };
    // A family, whatever its kind.
    ($attributes:tt $vis:tt $kind:tt $name:tt = $metric:literal buckets [$($bounds:tt)*] { $($labels:tt)* }; $($rest:tt)*) => {
        $crate::__fault_aside! { $attributes $vis $kind $name = $metric buckets [$($bounds)*] { $($labels)* }; }
        $crate::__fault! { [] [] $($rest)* }
    };
    ($attributes:tt $vis:tt $kind:tt $name:tt = $metric:literal buckets [$($bounds:tt)*]; $($rest:tt)*) => {
        $crate::__fault_aside! { $attributes $vis $kind $name = $metric buckets [$($bounds)*]; }
        $crate::__fault! { [] [] $($rest)* }
    };
    ($attributes:tt $vis:tt $kind:tt $name:tt = $metric:literal { $($labels:tt)* } buckets [$($bounds:tt)*]; $($rest:tt)*) => {
        $crate::__error! { $name "`buckets [..]` comes before the labels" }
        $crate::__fault_aside! { $attributes $vis $kind $name = $metric buckets [$($bounds)*] { $($labels)* }; }
        $crate::__fault! { [] [] $($rest)* }
    };
    ($attributes:tt $vis:tt $kind:tt $name:tt = $metric:literal buckets $($rest:tt)*) => {
        $crate::__error! { $name "after the name come `buckets [1, 10, 100]`, the labels in braces, and `;`" }
    };
    ($attributes:tt $vis:tt $kind:tt $name:tt = $metric:literal { $($labels:tt)* }; $($rest:tt)*) => {
        $crate::__fault_aside! { $attributes $vis $kind $name = $metric { $($labels)* }; }
        $crate::__fault! { [] [] $($rest)* }
    };
    ($attributes:tt $vis:tt $kind:tt $name:tt = $metric:literal; $($rest:tt)*) => {
        $crate::__fault_aside! { $attributes $vis $kind $name = $metric; }
        $crate::__fault! { [] [] $($rest)* }
    };
    ($attributes:tt $vis:tt $kind:tt $name:tt = $metric:literal { $($labels:tt)* }, $($rest:tt)*) => {
        $crate::__error! { $name "a family ends in `;`, not in `,`" }
        $crate::__fault_aside! { $attributes $vis $kind $name = $metric { $($labels)* }; }
        $crate::__fault! { [] [] $($rest)* }
    };
    ($attributes:tt $vis:tt $kind:tt $name:tt = $metric:literal, $($rest:tt)*) => {
        $crate::__error! { $name "a family ends in `;`, not in `,`" }
        $crate::__fault_aside! { $attributes $vis $kind $name = $metric; }
        $crate::__fault! { [] [] $($rest)* }
    };
    ($attributes:tt $vis:tt $kind:tt $name:tt = $metric:literal ($($labels:tt)*) $($rest:tt)*) => {
        $crate::__error! { $name "labels are written in braces: `= ", ::core::stringify!($metric), " { queue: str };`" }
    };
    // Bounds without `buckets`, or behind another word. The family gets other bounds, so that its users compile.
    ($attributes:tt $vis:tt histogram $name:tt = $metric:literal $($word:ident)? [$($bounds:tt)*] $($rest:tt)*) => {
        $crate::__error! {
            $name "the bounds of a histogram are written `buckets ", ::core::stringify!([$($bounds)*]),
            "`, and labels follow in braces"
        }
        $crate::__fault! { $attributes $vis histogram $name = $metric buckets [1] $($rest)* }
    };
    ($attributes:tt $vis:tt histogram $name:tt = $metric:literal { $($labels:tt)* } [$($bounds:tt)*] $($rest:tt)*) => {
        $crate::__fault! { $attributes $vis histogram $name = $metric [$($bounds)*] { $($labels)* } $($rest)* }
    };
    ($attributes:tt $vis:tt $kind:tt $name:tt = $metric:literal [$($labels:tt)*] $($rest:tt)*) => {
        $crate::__error! { $name "labels are written in braces: `= ", ::core::stringify!($metric), " { queue: str };`" }
    };
    ($attributes:tt $vis:tt $kind:tt $name:tt = $metric:literal { $($labels:tt)* } $($rest:tt)*) => {
        $crate::__error! { $name "the family `", $metric, "` does not end in `;`" }
        $crate::__fault_aside! { $attributes $vis $kind $name = $metric { $($labels)* }; }
        $crate::__fault! { [] [] $($rest)* }
    };
    ($attributes:tt $vis:tt $kind:tt $name:tt = $metric:literal $($rest:tt)*) => {
        $crate::__error! { $name "the family `", $metric, "` does not end in `;`" }
        $crate::__fault_aside! { $attributes $vis $kind $name = $metric; }
        $crate::__fault! { [] [] $($rest)* }
    };
    ($attributes:tt $vis:tt $kind:tt $name:tt = $($rest:tt)*) => {
        $crate::__error! {
            $name "the name of a family is a literal: `", ::core::stringify!($kind $name), " = \"compozy_..\";`"
        }
    };
    ($attributes:tt $vis:tt $kind:tt $metric:literal $($rest:tt)*) => {
        $crate::__error! {
            $kind "the family ", ::core::stringify!($metric), " has no name in the program: `", ::core::stringify!($kind),
            " NAME = ", ::core::stringify!($metric), ";`"
        }
    };
    ($attributes:tt $vis:tt $kind:tt $name:tt $($rest:tt)*) => {
        $crate::__fault_here! { [$kind] $kind }
    };
    ($attributes:tt $vis:tt $at:tt) => {
        $crate::__fault_here! { [$at] $at }
    };
}

/// A family that can be recognised, in a block that cannot be read as a whole.
#[doc(hidden)]
#[macro_export]
macro_rules! __fault_aside {
    ([$($attributes:tt)*] [$($vis:tt)*] $($family:tt)*) => {
        $crate::__families! { [] $($attributes)* $($vis)* $($family)* }
    };
}

/// `[word] word`: what cannot be recognised. The second copy tells whether the word is an identifier: only then an error can point
/// at it.
#[doc(hidden)]
#[macro_export]
macro_rules! __fault_here {
    ([$at:tt] $_at:ident) => {
        $crate::__error! {
            $at "this is not a family: a family reads `/// Its help text`, `pub counter JOBS = \"compozy_jobs_total\" { queue: str };`"
        }
    };
    ([$at:tt] $_at:tt) => {
        ::core::compile_error!(::core::concat!(
            "`", ::core::stringify!($at), "` does not belong here: a family reads `/// Its help text`, `pub counter JOBS = \
             \"compozy_jobs_total\" { queue: str };`"
        ));
    };
}
