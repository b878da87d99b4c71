//! Defines what becomes of an event that no listener but `*` ones takes: `unhandled`.

use super::error::SettingError;
use super::reader::Field;
use crate::pattern::Pattern;

/// What becomes of an event that nobody handles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnhandledAction {
    /// It is kept as a dead letter, `no_listener`.
    Keep,
    /// It is dropped.
    Drop,
}

/// `unhandled`: 'keep' (the default), 'drop', or a map of patterns to one of these.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Unhandled {
    /// The most specific first.
    rules: Vec<(Pattern, UnhandledAction)>,
}

impl Unhandled {
    /// What becomes of events of this name: the most specific pattern that matches tells; where none does, they are kept.
    pub fn action(&self, name: &str) -> UnhandledAction {
        self.rules.iter().find(|(pattern, _)| pattern.matches(name)).map_or(UnhandledAction::Keep, |(_, action)| *action)
    }

    /// Reads the value of `unhandled`.
    pub(super) fn read(field: Field<'_>) -> Result<Self, SettingError> {
        let words = [("keep", UnhandledAction::Keep), ("drop", UnhandledAction::Drop)];
        if field.value.is_string() {
            let action = field.word(&words)?;
            return Ok(Self { rules: vec![(Pattern::new("*"), action)] });
        }
        let refused = field.refuse_plainly("'keep', 'drop', or a map of patterns of names to one of these");
        let mut rules = field
            .entries("patterns")
            .map_err(|_| refused)?
            .into_iter()
            .map(|(pattern, field)| Ok((Pattern::new(pattern), field.word(&words)?)))
            .collect::<Result<Vec<_>, SettingError>>()?;
        rules.sort_by(|(a, _), (b, _)| Pattern::by_specificity(a, b));
        Ok(Self { rules })
    }
}
