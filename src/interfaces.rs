//! Defines the interfaces that applications type against: `Proletarier\ClientInterface` and `Proletarier\EventInterface`.

use crate::declare_class;
use crate::php::class;
use ext_php_rs::args::Arg;
use ext_php_rs::builders::{ClassBuilder, FunctionBuilder};
use ext_php_rs::error::Result;
use ext_php_rs::flags::{ClassFlags, DataType, MethodFlags};
use ext_php_rs::zend::ClassEntry;

declare_class! {
    /// What an application triggers events with.
    ClientInterface = "Proletarier\\ClientInterface",
    |builder: ClassBuilder| {
        let flush = Arg::new("timeout", DataType::Double).allow_null().default("null");
        interface(builder)
            .method(trigger_signature(FunctionBuilder::new_abstract("trigger")), METHOD)
            .method(FunctionBuilder::new_abstract("flush").not_required().arg(flush).returns(DataType::Long, false, false), METHOD)
            .method(returning("spooled", DataType::Long), METHOD)
    }
}

declare_class! {
    /// The event that a listener gets.
    EventInterface = "Proletarier\\EventInterface",
    |builder: ClassBuilder| {
        let name = || Arg::new("name", DataType::String);
        interface(builder)
            .method(returning("getName", DataType::String), METHOD)
            .method(returning("getTarget", DataType::Mixed), METHOD)
            .method(returning("getParams", DataType::Array), METHOD)
            .method(
                returning("getParam", DataType::Mixed).arg(name()).not_required().arg(Arg::new("default", DataType::Mixed).default("null")),
                METHOD,
            )
            .method(returning("setName", DataType::Void).arg(name()), METHOD)
            .method(returning("setTarget", DataType::Void).arg(Arg::new("target", DataType::Mixed)), METHOD)
            .method(returning("setParams", DataType::Void).arg(Arg::new("params", DataType::Array)), METHOD)
            .method(returning("setParam", DataType::Void).arg(name()).arg(Arg::new("value", DataType::Mixed)), METHOD)
            .method(returning("stopPropagation", DataType::Void).not_required().arg(Arg::new("flag", DataType::Bool).default("true")), METHOD)
            .method(returning("propagationIsStopped", DataType::Bool), METHOD)
            .method(returning("getId", DataType::String), METHOD)
            .method(returning("getAttempt", DataType::Long), METHOD)
            .method(returning("isLastAttempt", DataType::Bool), METHOD)
            .method(returning("getTriggeredAt", DataType::object("DateTimeImmutable")), METHOD)
            .method(returning("getHeaders", DataType::Array), METHOD)
    }
}

/// trigger()'s parameters and result, for interface and class. The first parameter becomes `string|object` by
/// [`trigger_types`].
pub fn trigger_signature(function: FunctionBuilder<'static>) -> FunctionBuilder<'static> {
    function
        .arg(Arg::new("event", DataType::Mixed))
        .not_required()
        .arg(Arg::new("params", DataType::Array).default("[]"))
        .arg(Arg::new("options", DataType::Array).default("[]"))
        .returns(DataType::String, false, false)
}

/// Gives trigger()'s first parameter its type, once interface or class is registered.
pub fn trigger_types(class: &ClassEntry) {
    class::set_parameter(class, "trigger", 0, class::STRING_OR_OBJECT, None);
}

const METHOD: MethodFlags = MethodFlags::Public.union(MethodFlags::Abstract);

fn interface(builder: ClassBuilder) -> ClassBuilder {
    builder.flags(ClassFlags::Interface)
}

fn returning(name: &'static str, type_: DataType) -> FunctionBuilder<'static> {
    FunctionBuilder::new_abstract(name).returns(type_, false, false)
}

/// Registers both. Only while the module starts.
///
/// # Errors
/// When PHP refuses one.
pub fn register() -> Result<()> {
    class::register::<ClientInterface>()?;
    trigger_types(class::entry::<ClientInterface>());
    class::register::<EventInterface>()
}

/// The interface's entry, as `#[php(implements(...))]` takes it.
#[must_use]
pub fn client() -> &'static ClassEntry {
    class::entry::<ClientInterface>()
}

/// The interface's entry, as `#[php(implements(...))]` takes it.
#[must_use]
pub fn event() -> &'static ClassEntry {
    class::entry::<EventInterface>()
}
