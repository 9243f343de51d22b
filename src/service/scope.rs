//! The future of [`MonitoringService::scope`].

#[cfg(feature = "prometheus")]
pub use live::Scoped;
#[cfg(feature = "prometheus")]
pub(crate) use live::scoped;

use crate::MonitoringService;

/// A future in the scope of a service. In this build, the future itself.
#[cfg(not(feature = "prometheus"))]
pub type Scoped<F> = F;

#[cfg(not(feature = "prometheus"))]
pub(crate) fn scoped<F>(_: &MonitoringService, future: F) -> Scoped<F> {
    future
}

#[cfg(feature = "prometheus")]
mod live {
    use std::{
        borrow::Borrow,
        future::Future,
        pin::Pin,
        task::{Context, Poll},
    };

    use pin_project_lite::pin_project;

    use super::MonitoringService;

    pin_project! {
        /// A future in the scope of a service: polled and dropped there, on whatever thread. It holds a clone of the service; inside
        /// of this crate, it may borrow the service.
        #[must_use = "a future does nothing until it is polled"]
        pub struct Scoped<F, S: Borrow<MonitoringService> = MonitoringService> {
            service: S,
            #[pin]
            future: Option<F>,
        }

        impl<F, S: Borrow<MonitoringService>> PinnedDrop for Scoped<F, S> {
            fn drop(this: Pin<&mut Self>) {
                let mut this = this.project();
                let _entered = (*this.service).borrow().enter();
                this.future.set(None);
            }
        }
    }

    impl<F, S: Borrow<MonitoringService>> std::fmt::Debug for Scoped<F, S> {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.debug_struct("Scoped").finish_non_exhaustive()
        }
    }

    impl<F, S: Borrow<MonitoringService>> Scoped<F, S> {
        /// Without a future it is never ready.
        pub(crate) fn new(service: S, future: Option<F>) -> Self {
            Self { service, future }
        }
    }

    pub(crate) fn scoped<F>(service: &MonitoringService, future: F) -> Scoped<F> {
        Scoped::new(service.clone(), Some(future))
    }

    impl<F: Future, S: Borrow<MonitoringService>> Future for Scoped<F, S> {
        type Output = F::Output;

        fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
            let this = self.project();
            let _entered = (*this.service).borrow().enter();
            this.future.as_pin_mut().map_or(Poll::Pending, |future| future.poll(cx))
        }
    }
}
