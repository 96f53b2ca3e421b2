//! The router beside a naive one, which knows patterns as sets of requests and nothing else.

use super::pattern::{Pattern, Relation};
use super::*;

const METHODS: [&str; 5] = ["GET", "HEAD", "POST", "OPTIONS", "BREW"];
const HOSTS: [&str; 3] = ["", "a.b", "other"];

/// All paths of up to four segments of three names, with a slash behind and without.
fn paths() -> Vec<String> {
    let mut paths = vec![String::new()];
    let mut last = 0;
    for _ in 0..4 {
        let longest: Vec<String> = paths[last..].to_vec();
        last = paths.len();
        for path in longest {
            paths.extend(["a", "b", "z"].map(|name| format!("{path}/{name}")));
        }
    }
    let slashed: Vec<String> = paths.iter().map(|path| format!("{path}/")).collect();
    paths.extend(slashed);
    paths.retain(|path| !path.is_empty());
    paths
}

/// A pattern as the naive router knows it: words.
#[derive(Clone, Debug)]
struct Naive {
    method: String,
    host: String,
    segments: Vec<String>,
}

impl Naive {
    fn new(text: &str) -> Naive {
        let (method, target) = text.split_once(' ').unwrap_or(("", text));
        let (host, path) = target.split_once('/').expect("a slash");
        Naive {
            method: method.to_owned(),
            host: host.to_owned(),
            segments: path.split('/').map(str::to_owned).collect(),
        }
    }

    fn takes_method(&self, method: &str) -> bool {
        let own = self.method.as_str();
        own.is_empty() || own == method || (own == "GET" && method == "HEAD")
    }

    /// The values of its wildcards, if it matches the path.
    fn values(&self, path: &str) -> Option<Vec<String>> {
        let asked: Vec<&str> = path[1..].split('/').collect();
        let mut values = Vec::new();
        for (at, own) in self.segments.iter().enumerate() {
            let left = asked.get(at..).filter(|left| !left.is_empty())?;
            if own.is_empty() || own.ends_with("...}") {
                values.push(left.join("/"));
                return Some(values);
            }
            if own == "{$}" {
                return (left == [""]).then_some(values);
            }
            if left[0].is_empty() {
                return None;
            }
            if own.starts_with('{') {
                values.push(left[0].to_owned());
            } else if own != left[0] {
                return None;
            }
        }
        (asked.len() == self.segments.len()).then_some(values)
    }

    /// Whether no rest has matched anything but nothing.
    fn is_exact(&self, path: &str) -> bool {
        let last = self.segments.last().expect("one at least");
        let takes_rest = last.is_empty() || last.ends_with("...}");
        !takes_rest || path.matches('/').count() == self.segments.len() && path.ends_with('/')
    }

    /// The requests of a universe that it matches, whatever their host.
    fn set(&self, paths: &[String]) -> Vec<bool> {
        let mut set = Vec::new();
        for method in METHODS {
            for path in paths {
                set.push(self.takes_method(method) && self.values(path).is_some());
            }
        }
        set
    }
}

fn relation(own: &[bool], other: &[bool]) -> Relation {
    let any = |wanted: (bool, bool)| {
        own.iter()
            .copied()
            .zip(other.iter().copied())
            .any(|it| it == wanted)
    };
    match (any((true, true)), any((true, false)), any((false, true))) {
        (false, _, _) => Relation::Disjoint,
        (true, false, false) => Relation::Equal,
        (true, false, true) => Relation::Within,
        (true, true, false) => Relation::Around,
        (true, true, true) => Relation::Overlap,
    }
}

fn conflict(own: &[bool], other: &[bool]) -> bool {
    matches!(relation(own, other), Relation::Equal | Relation::Overlap)
}

/// Every path of up to `length` segments that a pattern can have.
fn pattern_paths(length: usize) -> Vec<String> {
    let mut begins = vec![String::new()];
    let mut all = Vec::new();
    for at in 0..=length {
        for begin in &begins {
            all.extend((at > 0).then(|| begin.clone()));
            all.extend(["/", "/{$}", "/{rest...}"].map(|end| format!("{begin}{end}")));
        }
        let wild = format!("{{x{at}}}");
        begins = begins
            .iter()
            .flat_map(|begin| ["a", "b", &wild].map(|name| format!("{begin}/{name}")))
            .collect();
    }
    all
}

#[test]
fn patterns_relate_as_the_sets_of_requests_that_they_match() {
    let universe = paths();
    let mut all = Vec::new();
    for method in ["", "GET ", "HEAD ", "POST "] {
        for path in pattern_paths(2) {
            let text = format!("{method}{path}");
            let set = Naive::new(&text).set(&universe);
            all.push((Pattern::parse(text).expect("a pattern"), set));
        }
    }
    assert!(all.len() > 100, "{}", all.len());
    let mut conflicts = 0;
    for (own, own_set) in &all {
        for (other, other_set) in &all {
            let expected = conflict(own_set, other_set);
            conflicts += usize::from(expected);
            assert_eq!(
                own.conflicts_with(other),
                expected,
                "{} and {}",
                own.text,
                other.text
            );
            if expected {
                let example = own.example(other);
                let (method, path) = example.split_once(' ').expect("both");
                for it in [own, other] {
                    let naive = Naive::new(&it.text);
                    let matches = naive.takes_method(method) && naive.values(path).is_some();
                    assert!(matches, "{example} of {} and {}", own.text, other.text);
                }
            }
        }
    }
    assert!(conflicts > 1000, "{conflicts}");
}

/// What the naive router decides.
struct Table {
    patterns: Vec<(Naive, Vec<bool>)>,
}

impl Table {
    /// The most specific of the patterns that match, by the definition.
    fn best(&self, method: &str, host: &str, path: &str) -> Option<usize> {
        for host in [host, ""] {
            let matching: Vec<usize> = (0..self.patterns.len())
                .filter(|number| {
                    let (it, _) = &self.patterns[*number];
                    it.host == host && it.takes_method(method) && it.values(path).is_some()
                })
                .collect();
            let best = matching.iter().find(|best| {
                matching.iter().all(|other| {
                    let (best, other) = (&self.patterns[**best].1, &self.patterns[*other].1);
                    matches!(relation(best, other), Relation::Equal | Relation::Within)
                })
            });
            if !matching.is_empty() {
                return Some(*best.expect("one is the most specific"));
            }
        }
        None
    }

    /// Whether OPTIONS is left to the routes of other methods.
    fn implies_options(&self, own: Option<usize>, host: &str, path: &str) -> bool {
        let own = own.map(|number| &self.patterns[number].0);
        if own.is_some_and(|own| own.method == "OPTIONS") {
            return false;
        }
        self.patterns.iter().any(|(it, _)| {
            let others = !it.method.is_empty() && it.method != "OPTIONS";
            let here = (it.host == host || it.host.is_empty()) && it.values(path).is_some();
            let first = own.is_none_or(|own| {
                let paths = |it: &Naive| {
                    let every = Naive {
                        method: String::new(),
                        ..it.clone()
                    };
                    every.set(&paths())
                };
                let higher = !it.host.is_empty() && own.host.is_empty();
                let same = it.host == own.host;
                higher || same && relation(&paths(it), &paths(own)) == Relation::Within
            });
            others && here && first
        })
    }

    fn decide(&self, method: &str, host: &str, path: &str) -> Decision {
        let found = self.best(method, host, path);
        let options = method == "OPTIONS" && self.implies_options(found, host, path);
        if !options {
            if let Some(number) = found
                && (path.ends_with('/') || self.patterns[number].0.is_exact(path))
            {
                return Decision::Route(number);
            }
            let slashed = format!("{path}/");
            if !path.ends_with('/')
                && let Some(number) = self.best(method, host, &slashed)
                && self.patterns[number].0.is_exact(&slashed)
                && !(method == "OPTIONS" && self.implies_options(Some(number), host, &slashed))
            {
                return Decision::Redirect {
                    path: slashed,
                    chain: 0,
                };
            }
            if let Some(number) = found {
                return Decision::Route(number);
            }
        }
        let mut allowed = std::collections::BTreeSet::new();
        for (it, _) in &self.patterns {
            let here = it.host == host || it.host.is_empty();
            let slashed = !path.ends_with('/') && it.values(&format!("{path}/")).is_some();
            if here && (it.values(path).is_some() || slashed) {
                allowed.extend(["OPTIONS".to_owned()]);
                allowed.extend((!it.method.is_empty()).then(|| it.method.clone()));
                allowed.extend((it.method == "GET").then(|| "HEAD".to_owned()));
            }
        }
        if allowed.is_empty() {
            return Decision::Nothing;
        }
        Decision::Methods {
            allowed: allowed.into_iter().collect(),
            chain: 0,
        }
    }
}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).expect("small")
    }
}

fn build(patterns: &[String]) -> Result<Router, RouteErrors> {
    let mut routes = Routes::new();
    for pattern in patterns {
        routes = routes.handle_fn(pattern, |_, res| res.status(200).empty());
    }
    routes.build()
}

#[test]
fn random_sets_of_patterns_route_as_their_sets_of_requests_say() {
    let universe = paths();
    let paths = pattern_paths(3);
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let (mut built, mut refused) = (0, 0);
    let mut kinds = [0; 4];
    while built < 150 {
        let patterns: Vec<String> = (0..=random.below(7))
            .map(|_| {
                let method = ["", "GET ", "GET ", "HEAD ", "POST ", "OPTIONS "][random.below(6)];
                let host = ["", "", "", "a.b"][random.below(4)];
                format!("{method}{host}{}", paths[random.below(paths.len())])
            })
            .collect();
        let table = Table {
            patterns: patterns
                .iter()
                .map(|text| (Naive::new(text), Naive::new(text).set(&universe)))
                .collect(),
        };
        let conflicts = table.patterns.iter().enumerate().any(|(at, (own, set))| {
            let before = &table.patterns[..at];
            before
                .iter()
                .any(|(other, other_set)| own.host == other.host && conflict(set, other_set))
        });
        let router = match build(&patterns) {
            Err(errors) => {
                assert!(conflicts, "{errors}");
                refused += 1;
                continue;
            }
            Ok(router) => {
                assert!(!conflicts, "{patterns:?}");
                built += 1;
                router
            }
        };
        for _ in 0..600 {
            let method = METHODS[random.below(METHODS.len())];
            let host = HOSTS[random.below(HOSTS.len())];
            let path = &universe[random.below(universe.len())];
            let mut values = Values::default();
            let mut decision = router.decide_clean(method, host, path, &mut values);
            if let Decision::Redirect { chain, .. } | Decision::Methods { chain, .. } =
                &mut decision
            {
                *chain = 0;
            }
            let expected = table.decide(method, host, path);
            assert_eq!(decision, expected, "{method} {host}{path} of {patterns:#?}");
            if let Decision::Route(number) = decision {
                let naive = table.patterns[number].0.values(path).expect("it matches");
                assert_eq!(values.iter().collect::<Vec<_>>(), naive);
            }
            kinds[match expected {
                Decision::Route(_) => 0,
                Decision::Redirect { .. } => 1,
                Decision::Methods { .. } => 2,
                Decision::Nothing => 3,
            }] += 1;
        }
    }
    assert!(refused > 50, "{refused}");
    assert!(kinds.iter().all(|count| *count > 500), "{kinds:?}");
}

#[test]
fn the_order_of_registration_does_not_matter() {
    let mut patterns: Vec<String> = [
        "/",
        "/{$}",
        "/{a}/{b}",
        "/{a}/b",
        "/a/b",
        "GET /a/b",
        "HEAD /a/b",
        "/a/{$}",
        "a.b/a/b",
        "a.b/",
    ]
    .map(str::to_owned)
    .to_vec();
    let expected: Vec<Option<String>> = decisions(&patterns);
    assert!(expected.iter().flatten().count() > 100);
    let mut random = Random(7);
    for _ in 0..50 {
        let (one, other) = (random.below(patterns.len()), random.below(patterns.len()));
        patterns.swap(one, other);
        assert_eq!(decisions(&patterns), expected, "{patterns:?}");
    }
}

/// The pattern that takes each request.
fn decisions(patterns: &[String]) -> Vec<Option<String>> {
    let router = build(patterns).expect("no conflict");
    let mut decisions = Vec::new();
    for method in METHODS {
        for host in HOSTS {
            for path in &paths() {
                let decision = router.decide_clean(method, host, path, &mut Values::default());
                decisions.push(match decision {
                    Decision::Route(number) => Some(router.routes[number].pattern.text.clone()),
                    Decision::Redirect { .. } | Decision::Methods { .. } | Decision::Nothing => {
                        None
                    }
                });
            }
        }
    }
    decisions
}

#[test]
fn what_is_no_pattern_is_said() {
    for (pattern, why) in [
        ("", "no path"),
        ("a", "no path"),
        ("GET", "no path"),
        ("GET a.b", "no path"),
        (" /", "no token"),
        ("G(T /", "no token"),
        ("/a//b", "empty segment"),
        ("//", "empty segment"),
        ("/./a", "dot segment"),
        ("/a/..", "dot segment"),
        ("/{", "whole segment"),
        ("/a{b}", "whole segment"),
        ("/{a}b", "whole segment"),
        ("/{a}{b}", "name of a wildcard"),
        ("/{}", "name of a wildcard"),
        ("/{...}", "name of a wildcard"),
        ("/{1}", "name of a wildcard"),
        ("/{a b}", "no token"),
        ("GET /{a b}", "name of a wildcard"),
        ("/{a-b}", "name of a wildcard"),
        ("/{$}/", "at the end"),
        ("/{$}/a", "at the end"),
        ("/{a...}/b", "at the end"),
        ("/{a...}/", "at the end"),
        ("/{a}/{a}", "same name"),
        ("/{a}/b/{a...}", "same name"),
        ("/a?b", "no path has"),
        ("/a%2", "hexadecimal"),
        ("/a%zz", "hexadecimal"),
        ("a.b:80/", "port"),
        ("{a}/b", "wildcard"),
        ("é/b", "no host has"),
    ] {
        let error = Pattern::parse(pattern.to_owned()).expect_err(pattern);
        assert!(error.contains(why), "{pattern}: {error}");
    }
    let many = (0..17).map(|at| format!("/{{x{at}}}"));
    let many = many.collect::<Vec<_>>().concat();
    let error = Pattern::parse(many.clone()).expect_err("too many");
    assert!(error.contains("16"), "{error}");
    let fewer = many.strip_suffix("/{x16}").expect("it ends so");
    assert!(Pattern::parse(fewer.to_owned()).is_ok());
}
