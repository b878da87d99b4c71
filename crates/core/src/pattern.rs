//! Defines patterns over names of events, in which `*` stands for any number of characters.

use std::cmp::Ordering;

/// A pattern such as `account.*`; every other character stands for itself. Case counts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pattern {
    text: String,
}

impl Pattern {
    /// A pattern of this text. Every text is one: without a `*` it matches the same name only.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into() }
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the whole of `name` matches.
    pub fn matches(&self, name: &str) -> bool {
        let (pattern, name) = (self.text.as_bytes(), name.as_bytes());
        let (mut p, mut n) = (0, 0);
        // Where the last star was, and where in the name it was last tried to end: going back to it alone is enough, because
        // what an earlier star could take, the later one can take as well.
        let mut star: Option<(usize, usize)> = None;
        while n < name.len() {
            if p < pattern.len() && pattern[p] == b'*' {
                star = Some((p, n));
                p += 1;
            } else if p < pattern.len() && pattern[p] == name[n] {
                p += 1;
                n += 1;
            } else if let Some((at, taken)) = star {
                star = Some((at, taken + 1));
                p = at + 1;
                n = taken + 1;
            } else {
                return false;
            }
        }
        pattern[p..].iter().all(|&byte| byte == b'*')
    }

    /// Orders patterns by how specific they are, the most specific first: those without a star, then by the number of bytes
    /// that aren't stars, then by text, so that the order of a configuration's keys (which merging changes) never matters.
    pub fn by_specificity(a: &Self, b: &Self) -> Ordering {
        fn rank(pattern: &Pattern) -> (bool, usize) {
            let stars = pattern.text.bytes().filter(|&byte| byte == b'*').count();
            (stars == 0, pattern.text.len() - stars)
        }
        rank(b).cmp(&rank(a)).then_with(|| a.text.cmp(&b.text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches() {
        for (pattern, name, expected) in [
            ("account.created", "account.created", true),
            ("account.created", "account.create", false),
            ("account.*", "account.created", true),
            ("account.*", "account.", true),
            ("account.*", "account", false),
            ("*", "anything", true),
            ("**", "anything", true),
            ("*.created", "account.created", true),
            ("*.created", "account.created.twice", false),
            ("*.created*", "account.created.twice", true),
            ("a*b*c", "aXbXbXc", true),
            ("a*b*c", "aXbXbX", false),
            ("*ab", "aab", true),
            ("gr*e", "größe", true),
            ("Account", "account", false),
            ("", "a", false),
        ] {
            assert_eq!(Pattern::new(pattern).matches(name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn many_stars_stay_fast() {
        let pattern = Pattern::new("*a".repeat(100));
        assert!(!pattern.matches(&format!("{}b", "a".repeat(255))));
    }

    #[test]
    fn the_most_specific_comes_first() {
        let mut patterns: Vec<_> = ["*", "account.*", "a*", "a", "*.created"].map(Pattern::new).into();
        patterns.sort_by(Pattern::by_specificity);
        let order: Vec<_> = patterns.iter().map(Pattern::as_str).collect();
        assert_eq!(order, ["a", "*.created", "account.*", "a*", "*"]);
    }
}
