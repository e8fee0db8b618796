//! Names that look like others: what an eye takes for a brand is not given to a stranger.

/// Words that nobody gets, however they are spelt, beside the reserved labels of the contract.
const RESERVED: &[&str] = &[
    "admin",
    "mail",
    "www",
    "root",
    "support",
    "security",
    "abuse",
    "postmaster",
    "webmaster",
    "hostmaster",
];

/// What may not be claimed, by looks.
pub(super) struct BlockList {
    whole: Vec<String>,
    parts: Vec<String>,
}

impl BlockList {
    /// Of the operator's words: `bank` blocks the name that looks like it, `*bank*` each name that has it inside.
    pub(super) fn new<'a>(words: impl Iterator<Item = &'a str>) -> Self {
        let mut list =
            Self { whole: RESERVED.iter().map(|word| skeleton(word)).collect(), parts: Vec::new() };
        for word in words {
            let inner = word.strip_prefix('*').and_then(|word| word.strip_suffix('*'));
            let kept = skeleton(inner.unwrap_or(word));
            match (kept.is_empty(), inner) {
                (true, _) => {}
                (false, Some(_)) => list.parts.push(kept),
                (false, None) => list.whole.push(kept),
            }
        }
        list.whole.sort();
        list
    }

    /// Whether `label` looks like a blocked word.
    pub(super) fn has(&self, label: &str) -> bool {
        let looks = skeleton(label);
        self.whole.binary_search(&looks).is_ok()
            || self.parts.iter().any(|part| looks.contains(part.as_str()))
    }
}

/// What `word` looks like: one character for all that an eye confuses (after UTS #39 skeletons, for LDH), no hyphens.
fn skeleton(word: &str) -> String {
    let lower = word.to_ascii_lowercase().replace('-', "");
    let pairs = lower.replace("rn", "m").replace("vv", "w").replace("cl", "d");
    let one = |c: char| match c {
        '0' => 'o',
        '1' | 'i' => 'l',
        '2' => 'z',
        '3' => 'e',
        '4' => 'a',
        '5' => 's',
        '6' | '9' => 'g',
        '7' => 't',
        '8' => 'b',
        other => other,
    };
    pairs.chars().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_the_same_is_blocked() {
        let list = BlockList::new(["examplebank", "*paypal*", "", "**"].into_iter());
        for no in [
            "examplebank",
            "exarnplebank",
            "example-bank",
            "examp1ebank",
            "exampl3bank",
            "my-paypa1-login",
            "adm1n",
            "w-w-w",
            "vvvvvv",
        ] {
            assert!(list.has(no), "{no}");
        }
        for yes in ["alice", "bank", "examplebanks", "marvin"] {
            assert!(!list.has(yes), "{yes}");
        }
    }
}
