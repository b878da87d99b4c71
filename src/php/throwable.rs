//! Provides what is to be known of something thrown.
use super::class;
use ext_php_rs::boxed::ZBox;
use ext_php_rs::types::{ZendObject, Zval};
use ext_php_rs::zend::{ClassEntry, ce};

/// Something that PHP code threw, off the engine's hands.
#[derive(Debug)]
pub enum Throwable {
    /// An object of PHP's.
    Object(ZBox<ZendObject>),
    /// A failure of the call itself, named like a class.
    Described(&'static str, String),
}

impl Throwable {
    /// One that PHP threw.
    #[must_use]
    pub fn new(object: ZBox<ZendObject>) -> Self {
        Self::Object(object)
    }

    /// One that has only words.
    #[must_use]
    pub fn described(class: &'static str, message: &str) -> Self {
        Self::Described(class, message.to_owned())
    }

    /// The object, where there is one.
    #[must_use]
    pub fn object(&self) -> Option<&ZendObject> {
        match self {
            Self::Object(object) => Some(object),
            Self::Described(..) => None,
        }
    }

    /// Whether it is of this class.
    #[must_use]
    pub fn is(&self, class: &ClassEntry) -> bool {
        self.object().is_some_and(|object| object.instance_of(class))
    }

    /// Its class.
    #[must_use]
    pub fn class(&self) -> String {
        match self {
            Self::Object(object) => class_name(object),
            Self::Described(class, _) => (*class).to_owned(),
        }
    }

    /// Its message.
    #[must_use]
    pub fn message(&self) -> String {
        match self {
            Self::Object(object) => text(&field(object, "message")),
            Self::Described(_, message) => message.clone(),
        }
    }

    /// The file where it was made.
    #[must_use]
    pub fn file(&self) -> String {
        self.object().map_or_else(String::new, |object| text(&field(object, "file")))
    }

    /// The line where it was made.
    #[must_use]
    pub fn line(&self) -> u32 {
        self.object().and_then(|object| field(object, "line").long()).and_then(|line| u32::try_from(line).ok()).unwrap_or(0)
    }

    /// Its trace, one frame a line, and what it was thrown because of.
    #[must_use]
    pub fn trace(&self) -> String {
        /// As many as anybody reads; also ends circles.
        const MOST: usize = 8;
        let Some(object) = self.object() else { return String::new() };
        let mut trace = own_trace(object);
        let mut previous = field(object, "previous");
        for _ in 0..MOST {
            let next = {
                let Some(object) = previous.object() else { break };
                let line = field(object, "line").long().unwrap_or(0);
                let (message, file) = (text(&field(object, "message")), text(&field(object, "file")));
                trace.push_str(&format!("\ncaused by {}: {message} in {file}:{line}\n{}", class_name(object), own_trace(object)));
                field(object, "previous")
            };
            previous = next;
        }
        trace
    }

    /// Throws it again.
    pub fn rethrow(self) {
        match self {
            Self::Object(object) => {
                let mut value = Zval::new();
                let mut object = object;
                // The zval takes a reference of its own, which throwing takes over; the box gives back its own.
                value.set_object(&mut object);
                let _ = ext_php_rs::exception::throw_object(value);
            }
            Self::Described(class, message) => {
                let _ = ext_php_rs::exception::throw(ce::error(), &format!("{class}: {}", message.replace('\0', "\\0")));
            }
        }
    }
}

/// The class that the object's private fields belong to.
fn base(object: &ZendObject) -> &'static ClassEntry {
    if object.instance_of(ce::error()) { ce::error() } else { ce::exception() }
}

fn field(object: &ZendObject, name: &str) -> Zval {
    class::property(base(object), object, name)
}

fn own_trace(object: &ZendObject) -> String {
    // Final in both classes, and runs no code of the application's.
    super::call::method(object, "getTraceAsString", &mut []).map_or_else(|_| String::new(), |trace| text(&trace))
}

/// The object's class; without what PHP adds, behind a NUL, to the names of anonymous ones.
#[must_use]
pub fn class_name(object: &ZendObject) -> String {
    let name = object.get_class_name().unwrap_or_else(|_| "object".into());
    name.split('\0').next().unwrap_or_default().to_owned()
}

/// A string's text, invalid UTF-8 replaced; other scalars as PHP writes them; empty for the rest.
#[must_use]
pub fn text(value: &Zval) -> String {
    if let Some(string) = value.zend_str() {
        return String::from_utf8_lossy(string.as_bytes()).into_owned();
    }
    value.long().map(|number| number.to_string()).or_else(|| value.double().map(|number| number.to_string())).unwrap_or_default()
}
