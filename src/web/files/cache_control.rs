//! Which file has which Cache-Control.

use std::fmt;
use std::sync::Arc;

use crate::http::is_value;

/// Values of Cache-Control by patterns of paths: the first that matches counts.
#[derive(Clone, Debug, Default)]
pub(super) struct CacheControl {
    rules: Vec<Rule>,
}

#[derive(Clone, Debug)]
struct Rule {
    pattern: Box<[u8]>,
    /// It is matched against the whole path, not the name only.
    is_path: bool,
    value: Arc<str>,
}

impl CacheControl {
    /// Adds a rule behind those that there are: see [`Files::with_cache_control`](super::Files::with_cache_control).
    pub(super) fn add(&mut self, pattern: &str, value: &str) -> Result<(), CacheControlError> {
        let error = |why| CacheControlError {
            rule: format!("{pattern}={value}"),
            why,
        };
        let is_path = pattern.contains('/');
        let relative = pattern.trim_start_matches('/');
        if relative.is_empty() {
            return Err(error("its pattern is empty"));
        }
        if relative.starts_with('!') {
            return Err(error("a pattern can't say what it is not"));
        }
        if fast_glob::validate(relative.as_bytes()).is_err() {
            return Err(error("its pattern has a bracket that is not closed"));
        }
        if value.trim_ascii().is_empty() || !is_value(value.as_bytes()) {
            return Err(error("its value is none that can be sent"));
        }
        self.rules.push(Rule {
            pattern: relative.as_bytes().into(),
            is_path,
            value: value.trim_ascii().into(),
        });
        Ok(())
    }

    /// The value for the file at this path.
    pub(super) fn of(&self, path: &[u8]) -> Option<Arc<str>> {
        let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        let matches = |rule: &&Rule| {
            let whole = if rule.is_path { path } else { name };
            fast_glob::glob_match(&rule.pattern, whole)
        };
        self.rules
            .iter()
            .find(matches)
            .map(|rule| Arc::clone(&rule.value))
    }
}

/// Why a rule can't be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheControlError {
    rule: String,
    why: &'static str,
}

impl fmt::Display for CacheControlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CacheControlError { rule, why } = self;
        write!(
            f,
            "'{rule}' is no rule of Cache-Control: {why}; write '*.css=max-age=3600'"
        )
    }
}

impl core::error::Error for CacheControlError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rules: &[&str], path: &[u8], expected: Option<&str>) {
        let mut control = CacheControl::default();
        for rule in rules {
            let (pattern, value) = rule.split_once('=').expect("an equals sign");
            control.add(pattern, value).expect(rule);
        }
        assert_eq!(control.of(path).as_deref(), expected, "{rules:?} {path:?}");
    }

    #[test]
    fn the_first_pattern_that_matches_counts() {
        let rules = &[
            "*.css=max-age=1",
            "/assets/**=max-age=2, immutable",
            "*=no-cache",
        ];
        check(rules, b"a.css", Some("max-age=1"));
        check(rules, b"assets/a.css", Some("max-age=1"));
        check(rules, b"assets/b/c.js", Some("max-age=2, immutable"));
        check(rules, b"b/assets/c.js", Some("no-cache"));
        check(rules, b"\xff\xfe", Some("no-cache"));
        check(&[], b"a", None);
    }

    #[test]
    fn a_pattern_without_a_slash_is_one_of_names() {
        check(&["a?.{js,css}=x"], b"b/ab.css", Some("x"));
        check(&["a?.{js,css}=x"], b"ab/b.css", None);
        check(&["/*.html=x"], b"a.html", Some("x"));
        check(&["/*.html=x"], b"b/a.html", None);
        check(&["a/*=x"], b"a/b/c", None);
        check(&["[ab].txt=x"], b"b.txt", Some("x"));
    }

    #[test]
    fn what_is_no_rule_is_said() {
        for (pattern, value) in [("", "x"), ("*", ""), ("*", " "), ("*", "a\r\nb: c")] {
            let added = CacheControl::default().add(pattern, value);
            added.expect_err("no rule");
        }
    }
}
