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
        future::Future,
        pin::Pin,
        task::{Context, Poll},
    };

    use pin_project_lite::pin_project;

    use super::MonitoringService;

    pin_project! {
        /// A future in the scope of a service: polled and dropped there, on whatever thread.
        #[must_use = "a future does nothing until it is polled"]
        pub struct Scoped<F> {
            service: MonitoringService,
            #[pin]
            future: Option<F>,
        }

        impl<F> PinnedDrop for Scoped<F> {
            fn drop(this: Pin<&mut Self>) {
                let mut this = this.project();
                let _entered = this.service.enter();
                this.future.set(None);
            }
        }
    }

    impl<F> std::fmt::Debug for Scoped<F> {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.debug_struct("Scoped").finish_non_exhaustive()
        }
    }

    pub(crate) fn scoped<F>(service: &MonitoringService, future: F) -> Scoped<F> {
        Scoped { service: service.clone(), future: Some(future) }
    }

    impl<F: Future> Future for Scoped<F> {
        type Output = F::Output;

        fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
            let this = self.project();
            let _entered = this.service.enter();
            match this.future.as_pin_mut() {
                Some(future) => future.poll(cx),
                // Only `drop` takes it out.
                None => Poll::Pending,
            }
        }
    }
}
