//! The standard library's types for synchronisation, in one place: `models/` builds this crate with `loom`'s in their stead
//! (`--cfg models` is its own, no build of a user has it), and tries every order in which threads can meet in them.

#[cfg(not(models))]
pub(crate) use self::marked::{Mutex, MutexGuard, RwLock};
#[cfg(not(models))]
pub(crate) use once_cell::race::OnceBox;
#[cfg(not(models))]
pub(crate) use std::sync::{OnceLock, atomic};

/// Whether this thread holds one of this module's locks. Then a record that would take one is left out: it comes from the program's
/// allocator, inside another record, and would wait for itself.
pub(crate) fn is_held() -> bool {
    #[cfg(not(models))]
    return marked::HELD.get() > 0;
    #[cfg(models)]
    return false;
}

/// The standard library's locks, which also mark the thread that holds one: see [`is_held`].
#[cfg(not(models))]
mod marked {
    use std::{
        cell::Cell,
        marker::PhantomData,
        ops::{Deref, DerefMut},
        sync::{LockResult, PoisonError},
    };

    thread_local! {
        /// How many this thread holds. Needs no destructor, and so no allocation.
        pub(super) static HELD: Cell<u32> = const { Cell::new(0) };
    }

    /// One lock that this thread holds.
    #[derive(Debug)]
    struct Mark(PhantomData<*const ()>);

    impl Mark {
        #[inline]
        fn new() -> Self {
            HELD.set(HELD.get().wrapping_add(1));
            Self(PhantomData)
        }
    }

    impl Drop for Mark {
        #[inline]
        fn drop(&mut self) {
            HELD.set(HELD.get().wrapping_sub(1));
        }
    }

    /// The guard of a lock. Fields are dropped in this order: the lock first.
    #[derive(Debug)]
    pub(crate) struct Guard<G>(G, #[allow(dead_code, reason = "held for its drop")] Mark);

    pub(crate) type MutexGuard<'a, T> = Guard<std::sync::MutexGuard<'a, T>>;
    type ReadGuard<'a, T> = Guard<std::sync::RwLockReadGuard<'a, T>>;
    type WriteGuard<'a, T> = Guard<std::sync::RwLockWriteGuard<'a, T>>;

    impl<G: Deref> Deref for Guard<G> {
        type Target = G::Target;
        #[inline]
        fn deref(&self) -> &G::Target {
            &self.0
        }
    }

    impl<G: DerefMut> DerefMut for Guard<G> {
        #[inline]
        fn deref_mut(&mut self) -> &mut G::Target {
            &mut self.0
        }
    }

    /// Marks the thread before it takes the lock, because taking it may run code that records.
    #[inline]
    fn marked<G>(lock: impl FnOnce() -> LockResult<G>) -> LockResult<Guard<G>> {
        let mark = Mark::new();
        match lock() {
            Ok(guard) => Ok(Guard(guard, mark)),
            Err(poisoned) => Err(PoisonError::new(Guard(poisoned.into_inner(), mark))),
        }
    }

    /// [`std::sync::Mutex`].
    #[derive(Debug, Default)]
    pub(crate) struct Mutex<T>(std::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) const fn new(value: T) -> Self {
            Self(std::sync::Mutex::new(value))
        }

        #[inline]
        pub(crate) fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
            marked(|| self.0.lock())
        }
    }

    /// [`std::sync::RwLock`].
    #[derive(Debug, Default)]
    pub(crate) struct RwLock<T>(std::sync::RwLock<T>);

    impl<T> RwLock<T> {
        pub(crate) const fn new(value: T) -> Self {
            Self(std::sync::RwLock::new(value))
        }

        #[inline]
        pub(crate) fn read(&self) -> LockResult<ReadGuard<'_, T>> {
            marked(|| self.0.read())
        }

        #[inline]
        pub(crate) fn write(&self) -> LockResult<WriteGuard<'_, T>> {
            marked(|| self.0.write())
        }
    }
}

/// Statics: ordinary ones, or in a model those of one run of it.
#[cfg(not(models))]
macro_rules! shared {
    ($($(#[$doc:meta])* static $name:ident: $type:ty = $value:expr;)+) => {
        $($(#[$doc])* static $name: $type = $value;)+
    };
}
#[cfg(models)]
macro_rules! shared {
    ($($(#[$doc:meta])* static $name:ident: $type:ty = $value:expr;)+) => {
        $(loom::lazy_static! { $(#[$doc])* static ref $name: $type = $value; })+
    };
}
pub(crate) use shared;

#[cfg(models)]
pub(crate) use self::modelled::{Mutex, OnceBox, OnceLock, RwLock};
#[cfg(models)]
pub(crate) use loom::sync::{MutexGuard, atomic};

/// What `loom` does not have, or not with the interface that the rest of the crate uses.
#[cfg(models)]
mod modelled {
    use std::fmt;

    use loom::sync::{
        LockResult, MutexGuard, RwLockReadGuard, RwLockWriteGuard,
        atomic::{
            AtomicBool,
            Ordering::{Acquire, Release},
        },
    };

    /// [`loom::sync::Mutex`] that can be made by default.
    #[derive(Debug)]
    pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(loom::sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
            self.0.lock()
        }
    }

    impl<T: Default> Default for Mutex<T> {
        fn default() -> Self {
            Self::new(T::default())
        }
    }

    /// [`loom::sync::RwLock`] that can be made by default.
    #[derive(Debug)]
    pub(crate) struct RwLock<T>(loom::sync::RwLock<T>);

    impl<T> RwLock<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(loom::sync::RwLock::new(value))
        }

        pub(crate) fn read(&self) -> LockResult<RwLockReadGuard<'_, T>> {
            self.0.read()
        }

        pub(crate) fn write(&self) -> LockResult<RwLockWriteGuard<'_, T>> {
            self.0.write()
        }
    }

    impl<T: Default> Default for RwLock<T> {
        fn default() -> Self {
            Self(loom::sync::RwLock::new(T::default()))
        }
    }

    /// What the standard library promises of its own: a value that is set once, under a lock, and that a reader sees or does
    /// not see yet, with all that happened before it was set. The value itself lies in the standard library's; whether it is
    /// there for a thread is `loom`'s to say.
    pub(crate) struct OnceLock<T> {
        /// Made at the first look by [`new`](Self::new), so that it can be in a `static`, and at once by `default`: `loom` wants
        /// to see that it was made before another thread looks.
        modelled: std::sync::OnceLock<(AtomicBool, loom::sync::Mutex<()>)>,
        value: std::sync::OnceLock<T>,
    }

    impl<T> OnceLock<T> {
        pub(crate) const fn new() -> Self {
            Self { modelled: std::sync::OnceLock::new(), value: std::sync::OnceLock::new() }
        }

        fn modelled(&self) -> &(AtomicBool, loom::sync::Mutex<()>) {
            self.modelled.get_or_init(|| (AtomicBool::new(false), loom::sync::Mutex::new(())))
        }

        pub(crate) fn get(&self) -> Option<&T> {
            let (is_set, _) = self.modelled();
            if is_set.load(Acquire) { self.value.get() } else { None }
        }

        pub(crate) fn get_or_init(&self, make: impl FnOnce() -> T) -> &T {
            if let Some(value) = self.get() {
                return value;
            }
            let (is_set, setting) = self.modelled();
            let _held = setting.lock();
            if self.value.get().is_none() {
                // Not in the standard library's lock: another thread of the model may come to run in there.
                let value = make();
                let _ = self.value.set(value);
                is_set.store(true, Release);
            }
            self.value.get().unwrap_or_else(|| unreachable!("set above, or before the lock was taken"))
        }

        pub(crate) fn set(&self, value: T) -> Result<(), T> {
            let mut value = Some(value);
            self.get_or_init(|| value.take().unwrap_or_else(|| unreachable!("called once")));
            value.map_or(Ok(()), Err)
        }
    }

    impl<T> Default for OnceLock<T> {
        fn default() -> Self {
            let new = Self::new();
            new.modelled();
            new
        }
    }

    impl<T: fmt::Debug> fmt::Debug for OnceLock<T> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.value.fmt(f)
        }
    }

    /// What `once_cell` promises of its own: a box that is set once, of two threads by the first, and that a reader sees or
    /// does not see yet, with all that happened before it was set.
    pub(crate) struct OnceBox<T>(OnceLock<Box<T>>);

    impl<T> OnceBox<T> {
        pub(crate) fn get(&self) -> Option<&T> {
            self.0.get().map(|value| &**value)
        }

        pub(crate) fn set(&self, value: Box<T>) -> Result<(), Box<T>> {
            self.0.set(value)
        }
    }

    impl<T> Default for OnceBox<T> {
        fn default() -> Self {
            Self(OnceLock::default())
        }
    }

    impl<T: fmt::Debug> fmt::Debug for OnceBox<T> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.fmt(f)
        }
    }
}
