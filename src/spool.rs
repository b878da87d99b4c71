//! Defines the function `proletarier_spool()`: looks at and empties this machine's spool, with a daemon or without.

use crate::array_argument;
use crate::exceptions::{self, BrokerUnavailable, Configuration, InvalidArgument};
use crate::php::{arguments, json};
use crate::settings;
use crate::shown;
use ext_php_rs::args::Arg;
use ext_php_rs::builders::FunctionBuilder;
use ext_php_rs::exception::PhpException;
use ext_php_rs::flags::DataType;
use ext_php_rs::types::{ZendHashTable, Zval};
use ext_php_rs::zend::{ExecuteData, ce, run_handler};
use proletarier_core::nearest::nearest;
use proletarier_core::record::Record;
use proletarier_core::settings::Settings;
use proletarier_engine::client::ClientOptions;
use proletarier_engine::spool::{self, Cursor, SendError, SpoolError, SpoolOptions, Spooled, Target};
use serde_json::{Value, json};
use std::panic::AssertUnwindSafe;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

const NAME: &str = "proletarier_spool";
const ACTIONS: [&str; 3] = ["list", "drain", "discard"];
/// What is for this call, among the settings.
const OWN_KEYS: [&str; 7] = ["after", "limit", "id", "params", "all", "events", "logger"];
/// Events in one answer, where nothing else is said, and at most.
const LIMIT: (usize, i64) = (100, 1_000);
/// The broker may say nothing for so long.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The function as PHP registers it.
pub fn function() -> FunctionBuilder<'static> {
    FunctionBuilder::new(NAME, handler)
        .arg(Arg::new("action", DataType::String))
        .not_required()
        .arg(Arg::new("options", DataType::Array).default("[]"))
        .returns(DataType::Array, false, false)
        .docs(&["Lists, drains or discards the events in this machine's spool."])
}

extern "C" fn handler(call: &mut ExecuteData, result: &mut Zval) {
    run_handler(AssertUnwindSafe(|| match act(arguments::of(call)) {
        Ok(answer) => *result = answer,
        Err(exception) => exception.throw(),
    }));
}

fn act(given: &[Zval]) -> Result<Zval, PhpException> {
    let Some(action) = given.first().map(Zval::dereference) else {
        let message = format!("{NAME}() expects at least 1 argument, 0 given");
        return Err(PhpException::new(message, 0, ce::argument_count_error()));
    };
    let action = action.str().filter(|action| ACTIONS.contains(action)).ok_or_else(|| {
        let near = action.str().and_then(|action| nearest(action, ACTIONS));
        let hint = near.map_or_else(String::new, |near| format!("; did you mean '{near}'?"));
        let shown = shown::value(action);
        exceptions::new::<InvalidArgument>(format!(
            "{NAME}(): there is no action {shown}{hint} There are: {}",
            ACTIONS.join(", ")
        ))
    })?;
    let options = array_argument::optional(given, 1, NAME, "options")?;
    let settings = settings::read(options, &OWN_KEYS)?;
    let spool = SpoolOptions::of(&settings.client).ok_or_else(|| {
        exceptions::new::<Configuration>("client.spool: there is no spool: set state_dir, or give a directory (client.spool)")
    })?;
    let asked = Asked(options);
    let answer = match action {
        "list" => list(&spool, &asked)?,
        "drain" => drain(&spool, &settings)?,
        _ => discard(&spool, &asked)?,
    };
    json::decode(answer.to_string().as_bytes())
        .ok_or_else(|| exceptions::new::<BrokerUnavailable>("the spool has an event whose params nest too deep"))
}

/// What is asked for, beside the settings.
struct Asked<'a>(Option<&'a ZendHashTable>);

impl Asked<'_> {
    fn get(&self, key: &str) -> Option<&Zval> {
        settings::option(self.0, key)
    }

    fn id(&self) -> Result<Option<&str>, PhpException> {
        self.get("id").map(|id| id.str().ok_or_else(|| refuse("id", id, "an event's id"))).transpose()
    }

    fn flag(&self, key: &str) -> Result<bool, PhpException> {
        self.get(key).map_or(Ok(false), |flag| flag.bool().ok_or_else(|| refuse(key, flag, "true or false")))
    }

    fn limit(&self) -> Result<usize, PhpException> {
        let Some(limit) = self.get("limit") else { return Ok(LIMIT.0) };
        let number = limit.long().filter(|number| (1..=LIMIT.1).contains(number)).and_then(|number| usize::try_from(number).ok());
        number.ok_or_else(|| refuse("limit", limit, &format!("a number from 1 to {}", LIMIT.1)))
    }

    fn after(&self) -> Result<Option<Cursor>, PhpException> {
        match self.get("after") {
            None => Ok(None),
            Some(after) if after.long() == Some(0) => Ok(None),
            Some(after) => {
                let cursor = after.str().and_then(|text| text.parse().ok());
                cursor.map(Some).ok_or_else(|| refuse("after", after, "0, or what was `next` in the page before"))
            }
        }
    }
}

fn refuse(key: &str, value: &Zval, allowed: &str) -> PhpException {
    exceptions::new::<InvalidArgument>(format!("options['{key}']: {} is not allowed: give {allowed}", shown::value(value)))
}

fn failed(error: &SpoolError) -> PhpException {
    exceptions::new::<BrokerUnavailable>(error.to_string())
}

fn list(spool: &SpoolOptions, asked: &Asked<'_>) -> Result<Value, PhpException> {
    let params = asked.flag("params")?;
    let page = spool::list(spool, asked.after()?, asked.limit()?, asked.id()?).map_err(|error| failed(&error))?;
    let records: Vec<Value> = page.events.iter().map(|event| record(event, params)).collect();
    Ok(json!({ "records": records, "next": page.next.map(|next| next.to_string()) }))
}

fn record(event: &Spooled, params: bool) -> Value {
    let session: String = event.session.iter().map(|byte| format!("{byte:02x}")).collect();
    // What can't be read will be a dead letter, which says why.
    let record = Record::decode(&event.record).unwrap_or_default();
    let mut shown = json!({
        "session": session,
        "number": event.number,
        "id": record.id,
        "name": record.name,
        "spooled_at": event.spooled_at,
        "triggered_at": record.triggered_at,
    });
    if params {
        shown["params"] = serde_json::from_slice(record.params).unwrap_or_default();
    }
    shown
}

fn drain(options: &SpoolOptions, settings: &Settings) -> Result<Value, PhpException> {
    let ClientOptions { endpoint, broker_key, .. } = ClientOptions::from(&settings.client);
    let sent = spool::send(options, &Target { endpoint, broker_key, timeout: TIMEOUT }, &AtomicBool::new(false));
    let left = spool::count(options).map_err(|error| failed(&error))?;
    let set_aside: Vec<String> = sent.unreadable.iter().map(ToString::to_string).collect();
    match &sent.stopped {
        // A daemon on this machine drains by itself: what it has done meanwhile is done.
        Some(SendError::Spool(SpoolError::Busy(_))) if left == 0 => {}
        Some(error) if sent.events == 0 => return Err(exceptions::new::<BrokerUnavailable>(error.to_string())),
        _ => {}
    }
    let reason = sent.stopped.filter(|_| left > 0).map(|error| error.to_string());
    Ok(json!({ "sent": sent.events, "left": left, "reason": reason, "too_large": sent.too_large, "set_aside": set_aside }))
}

fn discard(spool: &SpoolOptions, asked: &Asked<'_>) -> Result<Value, PhpException> {
    let id = asked.id()?;
    if id.is_some() == asked.flag("all")? {
        return Err(exceptions::new::<InvalidArgument>("discard: say which: an id, or all"));
    }
    let discarded = spool::discard(spool, id).map_err(|error| failed(&error))?;
    let set_aside: Vec<String> = discarded.unreadable.iter().map(ToString::to_string).collect();
    Ok(json!({ "done": discarded.events, "set_aside": set_aside }))
}
