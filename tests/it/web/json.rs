//! Bodies in JSON.

use std::collections::BTreeMap;

use edgeloop::web::{self, Respond};
use edgeloop::{Reply, Request, ResponseWriter, field_name};

use super::ask;

#[derive(serde::Deserialize, serde::Serialize)]
struct Item {
    name: String,
    count: u8,
}

fn echo(req: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
    match web::json::<Item>(req) {
        Ok(item) => res.status(200).json(&item),
        Err(refusal) => refusal.answer(res),
    }
}

#[test]
fn a_body_is_read_and_a_value_is_written() {
    let body = br#" {"count": 7, "name": "a\u00e9"} "#;
    for kind in [
        "application/json",
        "application/JSON; charset=utf-8",
        "application/hal+json",
    ] {
        let answer = ask(echo, "POST /", &[&format!("Content-Type: {kind}")], body);
        assert_eq!(
            (answer.status, answer.text()),
            (200, r#"{"name":"aé","count":7}"#)
        );
        assert_eq!(answer.field("Content-Type"), Some("application/json"));
    }
}

#[test]
fn a_body_that_is_none_is_told_where_and_why() {
    let json = ["Content-Type: application/json"];
    for (body, why) in [
        ("{", "EOF while parsing an object at line 1 column 1"),
        (r#"{"name":"a"}"#, "missing field `count`"),
        (
            r#"{"name":"a","count":256}"#,
            "invalid value: integer `256`, expected u8",
        ),
        ("\u{1}", "expected value at line 1 column 1"),
        ("", "EOF while parsing a value"),
    ] {
        let answer = ask(echo, "POST /", &json, body.as_bytes());
        assert_eq!(answer.status, 400, "{body}");
        assert!(answer.text().contains(why), "{body}: {}", answer.text());
    }
    let deep = "[".repeat(100_000);
    assert_eq!(ask(echo, "POST /", &json, deep.as_bytes()).status, 400);
}

#[test]
fn another_type_is_415_and_a_long_body_413() {
    for field in [
        "Content-Type: text/plain",
        "Content-Type: application/jsonx",
        "X: y",
        "Content-Type: +json",
    ] {
        assert_eq!(ask(echo, "POST /", &[field], b"{}").status, 415, "{field}");
    }
    let json = ["Content-Type: application/json"];
    let long = " ".repeat((1 << 20) + 1);
    assert_eq!(ask(echo, "POST /", &json, long.as_bytes()).status, 413);
}

#[test]
fn a_value_that_cannot_be_written_is_500() {
    let handler = |_: &Request<'_>, res: ResponseWriter<'_>| {
        let map = BTreeMap::from([(vec![1], 2)]);
        res.status(200)
            .field(field_name!("X-Secret"), "a")
            .json(&map)
    };
    let answer = ask(handler, "GET /", &[], b"");
    assert_eq!((answer.status, answer.field("X-Secret")), (500, None));
}
