//! Provides what the glue needs of PHP's engine beyond `ext-php-rs`, behind safe functions. The only unsafe code of this crate is here.

pub mod arguments;
pub mod array;
pub mod call;
pub mod class;
pub mod info;
pub mod interrupt;
pub mod json;
pub mod lend;
pub mod log;
pub mod output;
pub mod place;
pub mod process;
pub mod sapi;
pub mod spl;
pub mod throwable;
