//! Defines the queues that events wait in: `queues`.

use super::error::SettingError;
use super::reader::Field;
use crate::pattern::Pattern;
use serde_json::Value;

/// The longest name of a queue, in bytes.
pub const MAX_QUEUE_LENGTH: usize = 64;

/// One queue.
#[derive(Debug, Clone, PartialEq)]
pub struct QueueSettings {
    /// The key: 1 to 64 bytes of UTF-8.
    pub name: String,
    /// `events`: a pattern or a list of patterns of the names that go here. Default: none, only events triggered with this queue.
    pub events: Vec<Pattern>,
    /// `weight`: its part of the workers' time beside the other queues, 1 to 1000. Default: 1.
    pub weight: u16,
    /// `concurrency`: deliveries that run at a time, 1 to 1024. Default: as many as there are workers.
    pub concurrency: Option<u16>,
    /// `rate`: deliveries started in a second, 0.0001 to 1,000,000. Default: as many as can be.
    pub rate: Option<f64>,
    /// `block`: whether an event that failed holds up those of its key until it succeeds or is dead. Default: true.
    pub block: bool,
}

/// `queues`: a map of names to queues.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Queues {
    queues: Vec<QueueSettings>,
    /// Every pattern with the index of its queue, the most specific first.
    patterns: Vec<(Pattern, usize)>,
}

impl Queues {
    /// All queues, by name.
    pub fn all(&self) -> &[QueueSettings] {
        &self.queues
    }

    /// The queue that events of this name go to where trigger() gave none: that of the most specific pattern that matches.
    pub fn of_event(&self, name: &str) -> Option<&QueueSettings> {
        let (_, index) = self.patterns.iter().find(|(pattern, _)| pattern.matches(name))?;
        self.queues.get(*index)
    }

    /// Reads the value of `queues`.
    pub(super) fn read(field: Field<'_>) -> Result<Self, SettingError> {
        let mut queues = Vec::new();
        let mut patterns: Vec<(Pattern, usize)> = Vec::new();
        for (name, field) in field.entries("names of queues to their settings")? {
            if name.is_empty() || name.len() > MAX_QUEUE_LENGTH {
                return Err(field.refuse_plainly(format!("the queue a name of 1 to {MAX_QUEUE_LENGTH} bytes")));
            }
            let queue = read_queue(name, field)?;
            patterns.extend(queue.events.iter().map(|pattern| (pattern.clone(), queues.len())));
            queues.push(queue);
        }
        patterns.sort_by(|(a, _), (b, _)| Pattern::by_specificity(a, b));
        Ok(Self { queues, patterns })
    }
}

fn read_queue(name: &str, field: Field<'_>) -> Result<QueueSettings, SettingError> {
    let mut map = field.reader()?;
    let queue = QueueSettings {
        name: name.to_owned(),
        events: map.or("events", Vec::new(), read_events)?,
        weight: map.or("weight", 1, |field| field.integer(1..=1000))?,
        concurrency: map.optional("concurrency", |field| field.integer(1..=1024))?,
        rate: map.optional("rate", |field| field.number(0.0001..=1_000_000.0))?,
        block: map.or("block", true, |field| field.boolean())?,
    };
    map.finish()?;
    Ok(queue)
}

fn read_events(field: Field<'_>) -> Result<Vec<Pattern>, SettingError> {
    let pattern = |field: Field<'_>| field.text(255).map(Pattern::new);
    match field.value {
        Value::Array(_) => field.items("patterns of names")?.into_iter().map(pattern).collect(),
        _ => pattern(field).map(|pattern| vec![pattern]),
    }
}
