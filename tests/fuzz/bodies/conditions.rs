//! Conditions and ranges: what of a file is sent (RFC 9110 §13 and §14).

use core::time::Duration;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use edgeloop::web::Files;

use super::answers::{Answer, take_final};
use super::choices::Choices;
use super::plain_fields::is_value_byte;
use super::wire::{Folder, MARKER, Wire};

/// Sun, 06 Nov 1994 08:49:37 GMT, in all three forms.
const MODIFIED: u64 = 784_111_777;
const SAME: [&str; 3] = [
    "Sun, 06 Nov 1994 08:49:37 GMT",
    "Sunday, 06-Nov-94 08:49:37 GMT",
    "Sun Nov  6 08:49:37 1994",
];
const EARLIER: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
const LATER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";

const NAMES: [&str; 6] = [
    "Range",
    "If-Range",
    "If-Match",
    "If-None-Match",
    "If-Modified-Since",
    "If-Unmodified-Since",
];

/// The lengths of the files. There are two of each: one that has long been as it is, and one that may still change.
const LENGTHS: [usize; 4] = [0, 1, 10, 300];

fn content(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 7 % 251) as u8).collect()
}

struct Server {
    wire: Wire<Files>,
    /// The opaque part of each file's tag, with its quotes, by age and length.
    tags: [[String; 4]; 2],
}

thread_local! {
    static SERVER: RefCell<Server> = RefCell::new(start());
}

fn name(young: bool, which: usize) -> String {
    format!(
        "/{}{}",
        ["old", "young"][usize::from(young)],
        LENGTHS[which]
    )
}

fn start() -> Server {
    let folder = Folder::new();
    for young in [false, true] {
        for (which, length) in LENGTHS.iter().enumerate() {
            let path = format!("{}{}", folder.path().display(), name(young, which));
            let mut file = File::create(path).expect("a new file");
            file.write_all(&content(*length)).expect("room");
            // One from the future never settles.
            let modified = if young { 4_102_444_800 } else { MODIFIED };
            let modified = UNIX_EPOCH + Duration::from_secs(modified);
            file.set_modified(modified).expect("ours");
        }
    }
    let files = Files::new(folder.path()).expect("a directory");
    let mut wire = Wire::new(folder, files);
    let tags = [false, true].map(|young| {
        [0, 1, 2, 3].map(|which| {
            let line = format!("GET {} HTTP/1.1\r\nHost: a\r\n\r\n", name(young, which));
            let got = wire.exchange(line.as_bytes());
            let (answer, _) = take_final(&got, false).expect("an answer");
            let tag = answer.field("etag").expect("a tag").to_vec();
            let tag = String::from_utf8(tag).expect("ASCII");
            assert_eq!(tag.starts_with("W/"), young);
            tag.trim_start_matches("W/").to_owned()
        })
    });
    Server { wire, tags }
}

/// Input: a byte for the file, one for the method, then lines: a byte for the field, and its value, in which the bytes 1
/// to 8 stand for the tag of the file, the weak one, the three forms of its date, an earlier date, a later one and now.
///
/// The status is that of the conditions in their order, restated here; a part has the bytes whose positions the range
/// names, found one by one; whatever is sent says which file it is of.
pub fn conditions(data: &[u8]) {
    let mut choices = Choices::new(data);
    let (file, method) = (choices.byte(), choices.byte());
    let (young, which) = (file & 4 != 0, usize::from(file & 3));
    let method = ["GET", "GET", "GET", "HEAD"][usize::from(method & 3)];
    SERVER.with_borrow_mut(|server| {
        let tag = &server.tags[usize::from(young)][which];
        let lines = choices.rest().split(|byte| *byte == b'\n').take(12);
        let fields: Vec<_> = lines.filter_map(|line| field(line, tag)).collect();
        let lines = fields
            .iter()
            .map(|(name, value)| format!("{name}: {value}\r\n"));
        let lines: String = lines.collect();
        let path = name(young, which);
        let request = format!("{method} {path} HTTP/1.1\r\nHost: a\r\n{lines}\r\n");
        let got = server.wire.exchange(&[request.as_bytes(), MARKER].concat());
        let (answer, rest) = take_final(&got, method == "HEAD").expect("an answer");
        let (marker, rest) = take_final(rest, false).expect("the next answer");
        assert!(marker.status == 404 && rest.is_empty());
        let asked = Asked {
            fields: &fields,
            gets: method == "GET",
            tag,
            young,
            length: LENGTHS[which],
        };
        asked.check(&answer, &request);
    });
}

fn field(line: &[u8], tag: &str) -> Option<(&'static str, String)> {
    let (name, rest) = line.split_first()?;
    let mut value = String::new();
    for byte in rest {
        match byte {
            1 => value.push_str(tag),
            2 => value.extend(["W/", tag]),
            3..=5 => value.push_str(SAME[usize::from(byte - 3)]),
            6 => value.push_str(EARLIER),
            7 => value.push_str(LATER),
            // Elsewhere the second could be over before its answer is judged.
            8 if name % 6 == 1 => value.push_str(&httpdate::fmt_http_date(SystemTime::now())),
            byte if is_value_byte(*byte) && byte.is_ascii() => value.push(char::from(*byte)),
            _ => {}
        }
    }
    let value = value.trim_matches([' ', '\t']).to_owned();
    Some((NAMES[usize::from(name % 6)], value))
}

struct Asked<'a> {
    fields: &'a [(&'static str, String)],
    gets: bool,
    tag: &'a str,
    young: bool,
    length: usize,
}

impl Asked<'_> {
    fn values(&self, name: &str) -> Vec<&str> {
        let named = self.fields.iter().filter(|(it, _)| *it == name);
        named.map(|(_, value)| value.as_str()).collect()
    }

    /// The one value of a field.
    fn value(&self, name: &str) -> Option<&str> {
        match self.values(name)[..] {
            [value] => Some(value),
            _ => None,
        }
    }

    /// A date of a field that has one, and only one.
    fn date(&self, name: &str) -> Option<u64> {
        seconds(self.value(name)?)
    }

    /// When the file was changed. What says that it will be, is of now.
    fn modified(&self) -> u64 {
        if self.young {
            let now = SystemTime::now().duration_since(UNIX_EPOCH);
            now.expect("after 1970").as_secs()
        } else {
            MODIFIED
        }
    }

    fn check(&self, answer: &Answer, request: &str) {
        let content = content(self.length);
        let status = answer.status;
        if let Some(expected) = self.condition() {
            assert_eq!(status, expected, "{request}");
            assert!(status != 304 || answer.body.is_empty());
            return self.check_validators(answer);
        }
        let range = self
            .value("Range")
            .filter(|_| self.gets && self.range_holds());
        match range.and_then(|value| positions(value, self.length)) {
            None => {
                assert_eq!(status, 200, "{request}");
                if self.gets {
                    assert!(answer.body == content, "{request}");
                }
                let length = answer.field("content-length").expect("a length");
                assert_eq!(length, self.length.to_string().as_bytes());
                assert_eq!(answer.field("content-range"), None);
            }
            Some(positions) if positions.is_empty() => {
                assert_eq!(status, 416, "{request}");
                let range = answer.field("content-range").expect("a length");
                assert_eq!(range, format!("bytes */{}", self.length).as_bytes());
                return;
            }
            Some(positions) => {
                assert_eq!(status, 206, "{request}");
                let runs = runs(&positions);
                let got = match answer.field("content-range") {
                    Some(range) => vec![(range.to_vec(), answer.body.clone())],
                    None => parts(answer),
                };
                assert_eq!(got.len(), runs.len(), "{request}");
                for (first, last) in runs {
                    let range = format!("bytes {first}-{last}/{}", self.length);
                    let part = (range.into_bytes(), content[first..=last].to_vec());
                    assert!(got.contains(&part), "{request}");
                }
            }
        }
        self.check_validators(answer);
    }

    fn check_validators(&self, answer: &Answer) {
        let tag = if self.young {
            format!("W/{}", self.tag)
        } else {
            self.tag.to_owned()
        };
        assert_eq!(answer.field("etag"), Some(tag.as_bytes()));
        let date = answer.field("last-modified").expect("a date");
        let date = core::str::from_utf8(date).expect("ASCII");
        let modified = seconds(date).expect("a date");
        assert!(modified == self.modified() || (self.young && modified <= self.modified()));
    }

    /// Steps 1 to 4 of RFC 9110 §13.2.2: the status that they give, if they give any.
    fn condition(&self) -> Option<u16> {
        let (matches, none_matches) = (self.values("If-Match"), self.values("If-None-Match"));
        let strongly = |(weak, tag): &(bool, &str)| !weak && !self.young && *tag == self.tag;
        let weakly = |(_, tag): &(bool, &str)| *tag == self.tag;
        let failed = if matches.is_empty() {
            self.date("If-Unmodified-Since")
                .is_some_and(|since| since < self.modified())
        } else {
            !matches
                .iter()
                .any(|value| *value == "*" || tags(value).iter().any(strongly))
        };
        if failed {
            return Some(412);
        }
        let unmodified = if none_matches.is_empty() {
            self.date("If-Modified-Since")
                .is_some_and(|since| since >= self.modified())
        } else {
            none_matches
                .iter()
                .any(|value| *value == "*" || tags(value).iter().any(weakly))
        };
        unmodified.then_some(304)
    }

    /// Step 5.
    fn range_holds(&self) -> bool {
        if self.values("If-Range").is_empty() {
            return true;
        }
        // A weak tag never does, nor does a date within which the file may have changed twice.
        let strong = !self.young;
        self.value("If-Range")
            .is_some_and(|value| strong && (value == self.tag || seconds(value) == Some(MODIFIED)))
    }
}

fn seconds(date: &str) -> Option<u64> {
    let time = httpdate::parse_http_date(date).ok()?;
    Some(time.duration_since(UNIX_EPOCH).ok()?.as_secs())
}

/// The tags of a list, weak or not, up to and with one that something else follows.
fn tags(list: &str) -> Vec<(bool, &str)> {
    let mut tags = Vec::new();
    let mut rest = list;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let weak = rest.starts_with("W/");
        let tag = rest.strip_prefix("W/").unwrap_or(rest);
        if !tag.starts_with('"') {
            return tags;
        }
        let Some(length) = tag[1..].find('"') else {
            return tags;
        };
        let (tag, behind) = tag.split_at(length + 2);
        tags.push((weak, tag));
        rest = behind.trim_start_matches([' ', '\t']);
        if !rest.starts_with(',') {
            return tags;
        }
    }
}

/// The positions that the value names, found one by one. `None`: it is to be ignored, being none, or too many ranges.
fn positions(value: &str, length: usize) -> Option<BTreeSet<usize>> {
    let (unit, set) = value.split_once('=')?;
    let specs = set.split(',').map(|it| it.trim_matches([' ', '\t']));
    let specs: Vec<_> = specs.filter(|spec| !spec.is_empty()).collect();
    if !unit.eq_ignore_ascii_case("bytes") || specs.is_empty() || specs.len() > 16 {
        return None;
    }
    let each: Option<Vec<_>> = specs.iter().map(|spec| range(spec, length)).collect();
    Some(each?.into_iter().flatten().collect())
}

/// The positions that one range names.
fn range(spec: &str, length: usize) -> Option<Vec<usize>> {
    let (first, last) = spec.split_once('-')?;
    let all = 0..length;
    match (first, last) {
        ("", count) => {
            let count = number(count)?;
            // Of an empty file the last bytes are all that there is.
            if count > 0 && length == 0 {
                return None;
            }
            Some(all.filter(|at| ((length - at) as u128) <= count).collect())
        }
        (first, "") => {
            let first = number(first)?;
            Some(all.filter(|at| *at as u128 >= first).collect())
        }
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            let within = |at: &usize| (first..=last).contains(&(*at as u128));
            (first <= last).then(|| all.filter(within).collect())
        }
    }
}

/// The first and the last of each run of positions.
fn runs(positions: &BTreeSet<usize>) -> Vec<(usize, usize)> {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for at in positions {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == *at => *last = *at,
            _ => runs.push((*at, *at)),
        }
    }
    runs
}

/// The range and the content of each part of a multipart answer. No content here has a line break in it.
fn parts(answer: &Answer) -> Vec<(Vec<u8>, Vec<u8>)> {
    let kind = answer.field("content-type").expect("a type");
    let kind = core::str::from_utf8(kind).expect("ASCII");
    let boundary = kind.strip_prefix("multipart/byteranges; boundary=");
    let delimiter = format!("\r\n--{}", boundary.expect("several parts"));
    let mut texts = split(&answer.body, delimiter.as_bytes());
    assert_eq!(texts.remove(0), b"");
    assert_eq!(texts.pop(), Some(b"--\r\n" as &[u8]));
    let part = |text: &&[u8]| {
        let [head, content] = split(text, b"\r\n\r\n")[..] else {
            panic!("a head and content");
        };
        let range = split(head, b"Content-Range: ")[1];
        (range.to_vec(), content.to_vec())
    };
    texts.iter().map(part).collect()
}

fn split<'a>(mut text: &'a [u8], by: &[u8]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    while let Some(at) = text.windows(by.len()).position(|it| it == by) {
        pieces.push(&text[..at]);
        text = &text[at + by.len()..];
    }
    pieces.push(text);
    pieces
}

/// Digits only. What has no room is the most.
fn number(digits: &str) -> Option<u128> {
    let sound = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    sound.then(|| digits.parse().unwrap_or(u128::MAX))
}
