//! Provides the identity of a listener that was given none: what it listens to, and what it is made of.

use crate::php::class::property;
use crate::php::throwable::class_name;
use ext_php_rs::types::{ZendObject, Zval};
use ext_php_rs::zend::ClassEntry;

/// The identity: `event Class::method`, `event function`, or `event closure@file:line`.
#[must_use]
pub fn of(event: &str, callable: &Zval) -> String {
    format!("{event} {}", target(callable))
}

fn target(callable: &Zval) -> String {
    if let Some(name) = callable.str() {
        return name.to_owned();
    }
    if let Some(pair) = callable.array()
        && let (Some(owner), Some(method)) = (pair.get_index(0), pair.get_index(1))
    {
        let (owner, method) = (owner.dereference(), method.dereference().str().unwrap_or_default());
        let class = owner.object().map_or_else(|| owner.str().unwrap_or_default().to_owned(), class_name);
        return format!("{class}::{method}");
    }
    match callable.object() {
        Some(object) if class_name(object) == "Closure" => closure(callable).unwrap_or_else(|| "closure".into()),
        Some(object) => format!("{}::__invoke", class_name(object)),
        None => "callable".into(),
    }
}

/// Where a closure was written; for `$object->method(...)` the method it stands for.
fn closure(closure: &Zval) -> Option<String> {
    let reflection = ZendObject::new(ClassEntry::try_find("ReflectionFunction")?);
    reflection.try_call_method("__construct", vec![closure]).ok()?;
    let ask = |method: &str| reflection.try_call_method(method, vec![]).ok();
    let name = ask("getName")?.string()?;
    if !name.contains("{closure") {
        let scope = ask("getClosureScopeClass");
        let class = scope.as_ref().and_then(Zval::object).map(|class| property(class.get_class_entry(), class, "name"));
        let class = class.and_then(|name| name.string());
        return Some(class.map_or_else(|| name.clone(), |class| format!("{class}::{name}")));
    }
    let (file, line) = (ask("getFileName")?.string()?, ask("getStartLine")?.long()?);
    Some(format!("closure@{file}:{line}"))
}
