//! Provides the application that the engine's workers run: the listeners of a PHP application.

mod application;
mod dispatch;
mod event_manager;
mod failure;
mod guard;
mod identity;
mod limit;
mod listeners;
mod memory_limit;
mod moments;
mod registry;
mod voice;
mod wrap;

pub use application::PhpApplication;
pub use event_manager::EventManager;
pub use guard::Guard;
pub use limit::hook as hook_limits;
pub use listeners::read as read_listeners;
pub use voice::Voice;
pub use wrap::Wrap;
