//! Work on all cores, on threads whose stack is large enough to parse what `source` lets through.

use std::{
    io,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use crate::source::STACK;

/// Applies `work` to each item; the results come in the order of the items.
pub fn map<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> io::Result<Vec<R>> {
    let threads = thread::available_parallelism().map_or(1, usize::from).min(items.len().max(1));
    let next = AtomicUsize::new(0);
    let mut results: Vec<(usize, R)> = thread::scope(|scope| {
        let workers = (0..threads)
            .map(|_| {
                thread::Builder::new().stack_size(STACK).spawn_scoped(scope, || {
                    let mut done = Vec::new();
                    while let index = next.fetch_add(1, Ordering::Relaxed)
                        && let Some(item) = items.get(index)
                    {
                        done.push((index, work(item)));
                    }
                    done
                })
            })
            .collect::<io::Result<Vec<_>>>()?;
        let mut all = Vec::with_capacity(items.len());
        for worker in workers {
            all.extend(worker.join().map_err(|_| io::Error::other("a thread of the linter panicked"))?);
        }
        io::Result::Ok(all)
    })?;
    results.sort_unstable_by_key(|(index, _)| *index);
    Ok(results.into_iter().map(|(_, result)| result).collect())
}
