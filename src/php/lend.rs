//! Provides the lending of the engine's watch, which lives on the stack, to the guards that PHP calls while an attempt is handled.
#![allow(unsafe_code)]

use proletarier_engine::application::Watch;
use std::cell::Cell;
use std::ptr::NonNull;

/// Where the watch can be borrowed from while [`LentWatch::during`] runs, and only then.
#[derive(Default)]
pub struct LentWatch(Cell<Option<NonNull<dyn Watch>>>);

impl LentWatch {
    /// Runs `body`, in which [`LentWatch::with`] finds the watch.
    pub fn during<R>(&self, watch: &mut dyn Watch, body: impl FnOnce() -> R) -> R {
        /// Ends the loan on every way out.
        struct Return<'a>(&'a LentWatch);
        impl Drop for Return<'_> {
            fn drop(&mut self) {
                self.0.0.set(None);
            }
        }
        let watch = NonNull::from(watch);
        // SAFETY: only the lifetime changes. `Return` takes the pointer away before the borrow it was made from ends, and `body` holds that borrow.
        let watch = unsafe { std::mem::transmute::<NonNull<dyn Watch + '_>, NonNull<dyn Watch>>(watch) };
        self.0.set(Some(watch));
        let _return = Return(self);
        body()
    }

    /// Gives the watch to `body`; none where nothing is handled.
    pub fn with<R>(&self, body: impl FnOnce(&mut dyn Watch) -> R) -> Option<R> {
        let mut watch = self.0.take()?;
        // SAFETY: made from a mutable borrow that lasts as long as `during` runs. Taken out of the cell, it is the only one meanwhile.
        let result = body(unsafe { watch.as_mut() });
        self.0.set(Some(watch));
        Some(result)
    }
}
