//! Provides the listeners of a worker as its guards see them, and the attempt that is handled.

use super::voice::Voice;
use crate::event::Event;
use crate::php::lend::LentWatch;
use ext_php_rs::types::{ZendClassObject, Zval};
use proletarier_core::listener::{ListenerIndex, ListenerSpec, MAX_LISTENERS};
use proletarier_core::queue::DEAD_EVENT;
use proletarier_core::retry::RetryPolicy;
use proletarier_core::settings::{ListenerOptions, ListenerTimeout, RetryOverrides};
use std::cell::{Cell, Ref, RefCell};

/// A listener that was attached.
pub struct Registered {
    /// What the broker knows of it.
    pub spec: ListenerSpec,
    /// What is called.
    pub callable: Zval,
    /// Higher ones run first; of the worker's own table only.
    pub priority: i64,
}

/// What guards share. One in each worker; PHP code that a guard calls may come back to it, so that nothing is borrowed during a call.
pub struct Registry {
    /// Log and internal events.
    pub voice: Voice,
    /// The engine's record of what runs, while an attempt is handled.
    pub watch: LentWatch,
    policy: RetryPolicy,
    /// Whether listeners that don't say otherwise are a delivery of their own each.
    parallel: bool,
    listeners: RefCell<Vec<Registered>>,
    /// Identity and options of the entry that is being attached; none while an aggregate attaches its own.
    attaching: RefCell<Option<(String, ListenerOptions)>>,
    /// Whether listeners are still to come: indexes are the broker's from then on.
    open: Cell<bool>,
    running: RefCell<Option<Running>>,
    busy: Cell<bool>,
}

struct Running {
    event: Zval,
    number: u16,
    only: Option<Box<[ListenerIndex]>>,
}

impl Registry {
    /// One with no listeners. `policy` and `parallel` are those of listeners that have none of their own.
    #[must_use]
    pub fn new(voice: Voice, policy: RetryPolicy, parallel: bool) -> Self {
        Self {
            voice,
            policy,
            parallel,
            watch: LentWatch::default(),
            listeners: RefCell::default(),
            attaching: RefCell::default(),
            open: Cell::new(true),
            running: RefCell::default(),
            busy: Cell::new(false),
        }
    }

    /// Runs `attach`, in which the next listener that is added is known by this identity and has these options.
    pub fn attaching<R>(&self, id: &str, options: &ListenerOptions, attach: impl FnOnce() -> R) -> R {
        self.attaching.replace(Some((id.to_owned(), options.clone())));
        let result = attach();
        self.attaching.take();
        result
    }

    /// Adds a listener; none where it is too late for that, or there are too many.
    pub fn add(&self, event: &str, callable: &Zval, priority: i64) -> Option<ListenerIndex> {
        if !self.open.get() {
            return None;
        }
        let mut listeners = self.listeners.borrow_mut();
        if listeners.len() > MAX_LISTENERS {
            // One too many is kept, so that the engine refuses the table and says why.
            return None;
        }
        let (id, options) =
            self.attaching.take().unwrap_or_else(|| (super::identity::of(event, callable), ListenerOptions::default()));
        let index = ListenerIndex::try_from(listeners.len()).ok()?;
        listeners.push(Registered { spec: self.spec(id, event, &options), callable: callable.shallow_clone(), priority });
        Some(index)
    }

    fn spec(&self, id: String, event: &str, options: &ListenerOptions) -> ListenerSpec {
        let own_policy = options.retry != RetryOverrides::default();
        ListenerSpec {
            id,
            event: event.to_owned(),
            retry: own_policy.then(|| options.retry.over(&self.policy)),
            timeout: match options.timeout {
                ListenerTimeout::Inherited => None,
                ListenerTimeout::After(span) => Some(span.as_secs_f64()),
                ListenerTimeout::Never => Some(0.0),
            },
            parallel: options.parallel.unwrap_or(self.parallel),
        }
    }

    /// Ends the adding, and tells what the broker is to know of each listener.
    pub fn close(&self) -> Vec<ListenerSpec> {
        self.open.set(false);
        self.listeners.borrow().iter().map(|listener| listener.spec.clone()).collect()
    }

    /// The listeners.
    pub fn listeners(&self) -> Ref<'_, Vec<Registered>> {
        self.listeners.borrow()
    }

    /// What is called for the listener at `index`.
    pub fn callable(&self, index: ListenerIndex) -> Option<Zval> {
        self.listeners.borrow().get(usize::from(index)).map(|listener| listener.callable.shallow_clone())
    }

    /// Its identity.
    pub fn id(&self, index: ListenerIndex) -> String {
        self.listeners.borrow().get(usize::from(index)).map(|listener| listener.spec.id.clone()).unwrap_or_default()
    }

    /// Runs `dispatch`, in which guards handle this attempt.
    pub fn handling<R>(&self, event: &Zval, number: u16, only: Option<&[ListenerIndex]>, dispatch: impl FnOnce() -> R) -> R {
        let running = Running { event: event.shallow_clone(), number, only: only.map(Into::into) };
        self.running.replace(Some(running));
        let result = dispatch();
        self.running.take();
        result
    }

    /// Whether an attempt is handled and no listener of it runs: what listeners trigger among themselves is their own.
    pub fn is_between_listeners(&self) -> bool {
        !self.busy.get() && self.running.borrow().is_some()
    }

    /// Whether the attempt is for this listener.
    pub fn is_selected(&self, index: ListenerIndex) -> bool {
        self.running.borrow().as_ref().is_some_and(|running| running.only.as_ref().is_none_or(|only| only.contains(&index)))
    }

    /// Prepares the event for this listener, and runs `listener`, in which other guards stand aside.
    pub fn running<R>(&self, index: ListenerIndex, listener: impl FnOnce() -> R) -> R {
        let own = self.listeners.borrow().get(usize::from(index)).and_then(|listener| listener.spec.retry);
        let attempts = own.unwrap_or(self.policy).max_attempts;
        // What announces a death has one attempt whatever is configured.
        self.with_event(|event, number| event.set_last(number >= attempts || event.get_name() == DEAD_EVENT));
        self.busy.set(true);
        let result = listener();
        self.busy.set(false);
        result
    }

    /// The event's id; empty where none is handled.
    pub fn event_id(&self) -> String {
        self.with_event(|event, _| event.get_id().to_owned()).unwrap_or_default()
    }

    /// Whether listeners behind the present one are to be left out.
    pub fn is_stopped(&self) -> bool {
        self.with_event(|event, _| event.is_stopped()).unwrap_or(false)
    }

    fn with_event<R>(&self, ask: impl FnOnce(&Event, u16) -> R) -> Option<R> {
        let running = self.running.borrow();
        let running = running.as_ref()?;
        let event = ZendClassObject::<Event>::from_zend_obj(running.event.object()?)?;
        Some(ask(event.obj.as_ref()?, running.number))
    }
}
