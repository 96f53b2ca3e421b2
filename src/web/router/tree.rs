//! From a request to its route: a tree of segments for each host.
//!
//! At each segment literals are tried before the wildcard, and that before a rest: where patterns do not conflict, the first
//! that matches is the most specific one. A node is looked at once at most, and of a node's literals one is looked at, found
//! by its hash; so what a request costs hardly depends on how many routes there are.

use arrayvec::ArrayVec;
use percent_encoding::percent_decode_str;

use super::pattern::{End, Pattern, Segment, WILDCARDS};

/// All patterns by host and path.
#[derive(Debug, Default)]
pub(super) struct Tree {
    nodes: Vec<Node>,
    /// The node where each host's paths begin, in the order of the hosts.
    hosts: Vec<(Box<str>, usize)>,
    /// The same for every host, if a pattern has none.
    any_host: Option<usize>,
}

/// A place between two segments.
#[derive(Debug, Default)]
struct Node {
    /// In the order of their hashes.
    literals: Vec<Literal>,
    wild: Option<usize>,
    exact: Leaf,
    slash: Leaf,
    rest: Leaf,
}

/// A segment of these bytes, and the node behind it.
#[derive(Debug)]
struct Literal {
    hash: u64,
    bytes: Box<[u8]>,
    next: usize,
}

/// The routes of one host and path, each with its method.
#[derive(Debug, Default)]
pub(super) struct Leaf(Vec<(Option<Box<str>>, usize)>);

impl Leaf {
    /// The route of this very method, else that of GET for HEAD, else that of every method.
    pub(super) fn pick(&self, method: &str) -> Option<usize> {
        let (mut get, mut every) = (None, None);
        for (own, route) in &self.0 {
            match own.as_deref() {
                Some(own) if own == method => return Some(*route),
                Some("GET") if method == "HEAD" => get = Some(*route),
                Some(_) => {}
                None => every = Some(*route),
            }
        }
        get.or(every)
    }

    /// Its methods and routes.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Option<&str>, usize)> {
        self.0.iter().map(|(own, route)| (own.as_deref(), *route))
    }
}

/// What the wildcards of a route have matched.
#[derive(Clone, Debug, Default)]
pub(super) struct Values<'p> {
    segments: ArrayVec<&'p str, WILDCARDS>,
    /// What a rest has matched, with a name or without.
    pub(super) rest: Option<&'p str>,
}

impl<'p> Values<'p> {
    /// The values of the segments, then that of the rest.
    pub(super) fn iter(&self) -> impl Iterator<Item = &'p str> {
        self.segments.iter().copied().chain(self.rest)
    }

    /// Whether the whole path was matched segment by segment.
    pub(super) fn is_exact(&self) -> bool {
        self.rest.is_none_or(str::is_empty)
    }
}

/// Which path is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    AsItIs,
    /// As if one slash stood behind it.
    WithSlash,
}

impl Tree {
    /// Adds a route.
    pub(super) fn insert(&mut self, pattern: &Pattern, route: usize) {
        let mut at = self.root(pattern.host.as_deref());
        for segment in &pattern.segments {
            at = match segment {
                Segment::Wild(_) => {
                    if let Some(next) = self.nodes[at].wild {
                        next
                    } else {
                        let next = self.grow();
                        *self.nodes[at].wild.insert(next)
                    }
                }
                Segment::Literal(bytes) => {
                    let own = || bytes.iter().copied();
                    match self.nodes[at].search(own) {
                        Ok(found) => self.nodes[at].literals[found].next,
                        Err(place) => {
                            let literal = Literal {
                                hash: hash(own()),
                                bytes: bytes.clone(),
                                next: self.grow(),
                            };
                            let next = literal.next;
                            self.nodes[at].literals.insert(place, literal);
                            next
                        }
                    }
                }
            };
        }
        let node = &mut self.nodes[at];
        let Leaf(routes) = match pattern.end {
            End::Exact => &mut node.exact,
            End::Slash => &mut node.slash,
            End::Rest(_) => &mut node.rest,
        };
        routes.push((pattern.method.clone(), route));
    }

    fn root(&mut self, host: Option<&str>) -> usize {
        let Some(host) = host else {
            return if let Some(root) = self.any_host {
                root
            } else {
                let root = self.grow();
                *self.any_host.insert(root)
            };
        };
        match self
            .hosts
            .binary_search_by(|(other, _)| (**other).cmp(host))
        {
            Ok(found) => self.hosts[found].1,
            Err(place) => {
                let root = self.grow();
                self.hosts.insert(place, (host.into(), root));
                root
            }
        }
    }

    fn grow(&mut self) -> usize {
        self.nodes.push(Node::default());
        self.nodes.len() - 1
    }

    /// Whether it matters which host a request is for.
    pub(super) fn knows_hosts(&self) -> bool {
        !self.hosts.is_empty()
    }

    /// Shows `visit` every leaf that matches the path, the most specific first, until it takes one: what it has taken. `host`
    /// is without a port; the case of its letters does not matter.
    pub(super) fn walk<'p, T>(
        &self,
        host: &str,
        path: &'p str,
        asked: Asked,
        values: &mut Values<'p>,
        visit: &mut impl FnMut(&Leaf) -> Option<T>,
    ) -> Option<T> {
        let of_host = self.hosts.binary_search_by(|(other, _)| {
            let wanted = host.bytes().map(|byte| byte.to_ascii_lowercase());
            other.bytes().cmp(wanted)
        });
        let of_host = of_host.ok().map(|found| self.hosts[found].1);
        [of_host, self.any_host]
            .into_iter()
            .flatten()
            .find_map(|root| self.walk_from(root, path, asked, values, visit))
    }

    /// The same from a node on. `path` is what is left: empty, or with a slash in front.
    fn walk_from<'p, T>(
        &self,
        at: usize,
        path: &'p str,
        asked: Asked,
        values: &mut Values<'p>,
        visit: &mut impl FnMut(&Leaf) -> Option<T>,
    ) -> Option<T> {
        let node = &self.nodes[at];
        let Some(behind) = path.strip_prefix('/') else {
            return match asked {
                Asked::AsItIs => visit(&node.exact),
                Asked::WithSlash => {
                    visit(&node.slash).or_else(|| node.visit_rest("", values, visit))
                }
            };
        };
        if behind.is_empty()
            && asked == Asked::AsItIs
            && let Some(taken) = visit(&node.slash)
        {
            return Some(taken);
        }
        let end = behind.bytes().position(|byte| byte == b'/');
        let (segment, left) = behind.split_at(end.unwrap_or(behind.len()));
        if !segment.is_empty() {
            if let Some(next) = node.literal(segment)
                && let Some(taken) = self.walk_from(next, left, asked, values, visit)
            {
                return Some(taken);
            }
            if let Some(next) = node.wild {
                values.segments.push(segment);
                let taken = self.walk_from(next, left, asked, values, visit);
                if taken.is_some() {
                    return taken;
                }
                values.segments.pop();
            }
        }
        node.visit_rest(behind, values, visit)
    }
}

impl Node {
    fn literal(&self, segment: &str) -> Option<usize> {
        let found = if segment.as_bytes().contains(&b'%') {
            self.search(|| percent_decode_str(segment))
        } else {
            self.search(|| segment.bytes())
        };
        Some(self.literals[found.ok()?].next)
    }

    /// Where the literal of these bytes is, or would be.
    fn search<I: Iterator<Item = u8>>(&self, bytes: impl Fn() -> I) -> Result<usize, usize> {
        let hash = hash(bytes());
        self.literals.binary_search_by(|literal| {
            let by_hash = literal.hash.cmp(&hash);
            by_hash.then_with(|| literal.bytes.iter().copied().cmp(bytes()))
        })
    }

    fn visit_rest<'p, T>(
        &self,
        rest: &'p str,
        values: &mut Values<'p>,
        visit: &mut impl FnMut(&Leaf) -> Option<T>,
    ) -> Option<T> {
        values.rest = Some(rest);
        let taken = visit(&self.rest);
        if taken.is_none() {
            values.rest = None;
        }
        taken
    }
}

/// FNV-1a: it takes byte by byte, so what is percent-encoded need not be decoded anywhere. That others may choose segments
/// whose hashes are equal does no harm, for they do not choose the literals.
fn hash(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
