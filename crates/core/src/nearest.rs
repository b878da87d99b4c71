//! Provides the nearest known name to a mistyped one, for messages that say "did you mean".

/// The name in `known` that is nearest to `wanted`, or `None` where none is near enough to be what was meant.
///
/// Distance is counted in characters, ignoring ASCII case: insertions, deletions, substitutions and swaps of neighbours. Near
/// enough is a third of the longer name, at least 1. Of equally near names one with the same first letter wins
/// (that one is seldom mistyped), then the first one.
pub fn nearest<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = folded(wanted);
    let mut best: Option<((usize, bool), &'a str)> = None;
    for name in known {
        let candidate = folded(name);
        let longer = wanted.len().max(candidate.len());
        let limit = (longer / 3).max(1);
        // Cheap refusal before the quadratic count: the difference of the lengths bounds the distance from below.
        if wanted.len().abs_diff(candidate.len()) > limit {
            continue;
        }
        let distance = distance(&wanted, &candidate);
        // Names that share nothing ("a" and "b") are not near, however short they are.
        if distance > limit || distance >= longer {
            continue;
        }
        let rank = (distance, candidate.first() != wanted.first());
        if best.is_none_or(|(least, _)| rank < least) {
            best = Some((rank, name));
        }
    }
    best.map(|(_, name)| name)
}

fn folded(text: &str) -> Vec<char> {
    text.chars().map(|c| c.to_ascii_lowercase()).collect()
}

/// Optimal string alignment distance (Levenshtein's, and a swap of neighbours counts one).
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, &x) in a.iter().enumerate() {
        let mut row = Vec::with_capacity(b.len() + 1);
        row.push(i + 1);
        for (j, &y) in b.iter().enumerate() {
            let mut least = (last[j] + usize::from(x != y)).min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && x == b[j - 1] && a[i - 1] == y {
                least = least.min(before_last[j - 1] + 1);
            }
            row.push(least);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(a: &str, b: &str) -> usize {
        distance(&folded(a), &folded(b))
    }

    #[test]
    fn counts_edits() {
        for (a, b, expected) in [
            ("", "", 0),
            ("", "abc", 3),
            ("pool_sise", "pool_size", 1),
            ("tiemout", "timeout", 1),
            ("max_atempts", "max_attempts", 1),
            ("kitten", "sitting", 3),
            ("größe", "grösse", 2),
            ("Timeout", "timeout", 0),
        ] {
            assert_eq!(count(a, b), expected, "{a} {b}");
            assert_eq!(count(b, a), expected, "{b} {a}");
        }
    }

    #[test]
    fn finds_what_was_meant() {
        let known = ["pool_size", "bind", "connect", "timeout", "min", "max"];
        assert_eq!(nearest("pool_sise", known), Some("pool_size"));
        assert_eq!(nearest("poolsize", known), Some("pool_size"));
        assert_eq!(nearest("conect", known), Some("connect"));
        assert_eq!(nearest("mix", known), Some("min"), "the first of the equally near");
        assert_eq!(nearest("wroker", ["broker", "worker"]), Some("worker"), "by the first letter");
        assert_eq!(nearest("serializer", known), None);
        assert_eq!(nearest("", known), None);
        assert_eq!(nearest("x", ["y"]), None);
        assert_eq!(nearest("account.create", ["account.created", "order.created"]), Some("account.created"));
    }

    #[test]
    fn long_names_are_bounded_by_their_lengths() {
        let long = "a".repeat(255);
        assert_eq!(nearest(&long, ["abc"]), None);
        let other = format!("{}b", "a".repeat(254));
        assert_eq!(nearest(&long, [other.as_str()]), Some(other.as_str()));
    }
}
